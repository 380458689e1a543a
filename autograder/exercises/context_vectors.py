"""How lesson 04 is checked: weighted sums, attention soft, hard and drawn, and kernel regression."""

import math

import numpy as np

from autograder.exercise import Exercise, case

LESSON = "04_context_vectors"


def _softmax(x, axis=-1):
    """Stable, in the dtype of x; a line of -inf gives zeros."""
    top = x.max(axis=axis, keepdims=True)
    powers = np.exp(x - np.where(np.isneginf(top), x.dtype.type(0), top))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, x.dtype.type(1), total)


def _masked(scores, mask):
    return scores if mask is None else np.where(mask, scores, -np.inf)


def _blend(weights, values):
    """The weighted sum, one number at a time, in Python's own floats."""
    leading = np.broadcast_shapes(weights.shape[:-2], values.shape[:-2])
    weights = np.broadcast_to(weights, leading + weights.shape[-2:])
    values = np.broadcast_to(values, leading + values.shape[-2:])
    context = np.empty((*leading, weights.shape[-2], values.shape[-1]))
    for index in np.ndindex(*context.shape):
        *lead, query, feature = index
        products = zip(weights[(*lead, query)], values[(*lead, slice(None), feature)], strict=True)
        context[index] = math.fsum(float(weight) * float(value) for weight, value in products)
    return context


def _rows(rng, *shape):
    """Random weights whose rows sum to 1."""
    return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])


def _mask(rng, *shape, p=0.6):
    """A random mask of which every row allows something, and of which some entry is forbidden."""
    mask = rng.random(shape) < p
    mask[..., rng.integers(shape[-1])] = True
    mask[(0,) * len(shape)] = False
    mask[(0,) * (len(shape) - 1) + (1,)] = True
    return mask


# ------------------------------------------------------------------------------------------- context_vector

context_vector = Exercise("context_vector", lesson=LESSON)

context_vector.reference(_blend)

context_vector.hints = (
    "For one query: multiply each value by its weight, add up over the keys. Which index do weights and values share?",
    "The sum over the last axis of weights and the last but one of values is a matrix product.",
    "`weights @ values`, and nothing else: `@` takes care of all leading axes.",
)


@context_vector.aspect("values", points=1)
def _(rng):
    weights, values = _rows(rng, 3, 4), rng.normal(size=(4, 2))
    yield case("3 queries, 4 keys, values of 2", weights, values)
    yield case("the same weights, other values", weights, rng.normal(size=(4, 2)))
    yield case("the same values, other weights", _rows(rng, 3, 4), values)
    yield case("the same shapes, other numbers", _rows(rng, 3, 4), rng.normal(size=(4, 2)))
    yield case("as many queries as keys as features", _rows(rng, 4, 4), rng.normal(size=(4, 4)))
    yield case("one query", _rows(rng, 1, 5), rng.normal(size=(5, 3)))
    yield case("one key", _rows(rng, 3, 1), rng.normal(size=(1, 4)))
    yield case("values of one number", _rows(rng, 2, 6), rng.normal(size=(6, 1)))
    yield case("many keys, large values", _rows(rng, 2, 60), 1e3 * rng.normal(size=(60, 3)))


@context_vector.aspect("weights as they are", points=1)
def _(rng):
    empty = _rows(rng, 3, 4)
    empty[1] = 0
    why = "weights are used as given, never normalized"
    yield case("a row of zeros", empty, rng.normal(size=(4, 2))).because("no weight at all gives a context of zero")
    yield case("rows that sum to less than 1", 0.3 * _rows(rng, 3, 4), rng.normal(size=(4, 2))).because(why)
    yield case("rows that sum to more than 1", 1 + rng.random((2, 5)), rng.normal(size=(5, 3))).because(why)
    yield case("equal weights of 1", np.ones((2, 3)), rng.normal(size=(3, 2))).because(why)
    yield case("one-hot weights", np.eye(4)[rng.permutation(4)[:3]], rng.normal(size=(4, 2)))


@context_vector.aspect("leading axes", points=1)
def _(rng):
    yield case("a batch", _rows(rng, 2, 3, 4), rng.normal(size=(2, 4, 5)))
    yield case("a batch of square ones", _rows(rng, 3, 3, 3), rng.normal(size=(3, 3, 3)))
    yield case("a batch of one", _rows(rng, 1, 3, 4), rng.normal(size=(1, 4, 2)))
    yield case("batch and heads", _rows(rng, 2, 3, 4, 5), rng.normal(size=(2, 3, 5, 2)))
    yield case("one set of values for the batch", _rows(rng, 2, 3, 4), rng.normal(size=(4, 5)))
    yield case("one set of weights for the batch", _rows(rng, 3, 4), rng.normal(size=(2, 4, 5)))
    yield case("axes of length 1 on both sides", _rows(rng, 2, 1, 3, 4), rng.normal(size=(1, 3, 4, 2)))
    yield case("another number of leading axes", _rows(rng, 2, 1, 3, 4), rng.normal(size=(5, 4, 2)))


@context_vector.aspect("dtype and inputs", points=1, purity=True)
def _(rng):
    for dtype in (np.float32, np.float16):
        name = np.dtype(dtype).name
        yield case(name, _rows(rng, 3, 4).astype(dtype), rng.normal(size=(4, 2)).astype(dtype))
        yield case(f"{name}, a batch", _rows(rng, 2, 3, 4).astype(dtype), rng.normal(size=(2, 4, 5)).astype(dtype))
    yield case("float64", _rows(rng, 3, 4), rng.normal(size=(4, 2)))


@context_vector.misconception(
    "the weights are normalized", hint="Use the weights as they are. Dividing by their sum gives NaN on rows of zeros."
)
def _(weights, values):
    with np.errstate(invalid="ignore"):
        return (weights / weights.sum(axis=-1, keepdims=True)) @ values


@context_vector.misconception(
    "the weights are normalized unless they are all zero",
    hint="Use the weights as they are, even if a row does not sum to 1: lesson 11 needs exactly that.",
)
def _(weights, values):
    total = weights.sum(axis=-1, keepdims=True)
    return (weights / np.where(total == 0, weights.dtype.type(1), total)) @ values


@context_vector.misconception(
    "softmax of the weights", hint="The weights went through softmax before they came here. Do not apply it again."
)
def _(weights, values):
    return _softmax(weights) @ values


@context_vector.misconception(
    "the average instead of the sum", hint="The weights make the average already: sum over keys, do not divide by T_k."
)
def _(weights, values):
    return (weights @ values) / weights.dtype.type(weights.shape[-1])


@context_vector.misconception(
    "the sum runs over the queries",
    hint="Your weights are transposed. Row i of the weights belongs to query i; sum over its columns, the keys.",
)
def _(weights, values):
    return weights.swapaxes(-1, -2) @ values


@context_vector.misconception(
    "the values are transposed",
    hint="Row j of values belongs to key j: no transposition is needed, `weights @ values`.",
)
def _(weights, values):
    return weights @ values.swapaxes(-1, -2)


@context_vector.misconception(
    "`np.dot` on a batch", hint="With leading axes, `np.dot` pairs every batch with every other. `@` keeps them apart."
)
def _(weights, values):
    return np.dot(weights, values)


@context_vector.misconception(
    "only the best key", hint="Every value takes part with its weight, not only the one with the largest weight."
)
def _(weights, values):
    best = weights.argmax(axis=-1)[..., None] == np.arange(weights.shape[-1])
    return best.astype(weights.dtype) @ values


@context_vector.misconception(
    "the products are not summed",
    hint="You have the products of weights and values; now sum over the axis of the keys.",
)
def _(weights, values):
    return weights[..., None] * values[..., None, :, :]


@context_vector.misconception(
    "exactly one leading axis is expected",
    hint="There may be no leading axis, one, or several. `@` handles all of them.",
)
def _(weights, values):
    return np.einsum("bqk,bkd->bqd", weights, values)


@context_vector.misconception(
    "leading axes must be equal",
    hint="Leading axes broadcast: one set of values may serve a whole batch. `@` does that.",
)
def _(weights, values):
    if weights.shape[:-2] != values.shape[:-2]:
        raise ValueError("leading axes")
    return weights @ values


@context_vector.misconception(
    "float64 comes back", hint="float32 inputs must give a float32 context: look for an array made without a dtype."
)
def _(weights, values):
    return weights.astype(np.float64) @ values


# ------------------------------------------------------------------------------------------------ attention

attention = Exercise("attention", lesson=LESSON, returns=("context", "weights"))


@attention.reference
def _(queries, keys, values, mask=None):
    """Score, mask, softmax and sum, one number at a time."""
    leading = np.broadcast_shapes(queries.shape[:-2], keys.shape[:-2])
    weights = np.zeros((*leading, queries.shape[-2], keys.shape[-2]))
    queries = np.broadcast_to(queries, leading + queries.shape[-2:])
    keys = np.broadcast_to(keys, leading + keys.shape[-2:])
    allowed = np.broadcast_to(True if mask is None else mask, weights.shape)
    root = math.sqrt(queries.shape[-1])
    for index in np.ndindex(*weights.shape[:-1]):
        chosen = [key for key in range(keys.shape[-2]) if allowed[index][key]]
        if chosen:
            rows = [keys[index[:-1]][key] for key in chosen]
            scores = [math.fsum(a * b for a, b in zip(queries[index], row, strict=True)) / root for row in rows]
            powers = [math.exp(score - max(scores)) for score in scores]
            weights[index][chosen] = [power / math.fsum(powers) for power in powers]
    return _blend(weights, values), weights


attention.hints = (
    "You have all the parts: `scaled_dot_score`, `masked_softmax` and `context_vector`. Which one feeds which?",
    "First `scores = scaled_dot_score(queries, keys)`, then `weights = masked_softmax(scores, mask)`, then context.",
    "Return both, the context first: `return context_vector(weights, values), weights`.",
)


@attention.property
def _(case, value):
    mask = case.args[3] if len(case.args) > 3 else case.kwargs.get("mask")
    weights = value[1]
    if mask is not None and np.any(weights[~np.broadcast_to(mask, weights.shape)] != 0):
        return "A forbidden key has a weight that is small, but not 0. Masking is exact."
    return None


def _qkv(rng, n_queries, n_keys, d, d_v, leading=(), scale=1.0):
    return (
        scale * rng.normal(size=(*leading, n_queries, d)),
        rng.normal(size=(*leading, n_keys, d)),
        rng.normal(size=(*leading, n_keys, d_v)),
    )


@attention.aspect("values", points=1)
def _(rng):
    queries, keys, values = _qkv(rng, 2, 5, 3, 4)
    yield case("2 queries, 5 keys of 3, values of 4", queries, keys, values)
    yield case("the same queries and keys, other values", queries, keys, rng.normal(size=(5, 4)))
    yield case("the same queries and values, other keys", queries, rng.normal(size=(5, 3)), values)
    yield case("the same shapes, other numbers", *_qkv(rng, 2, 5, 3, 4, scale=3.0))
    yield case("as many queries as keys as features", *_qkv(rng, 4, 4, 4, 4))
    yield case("one query", *_qkv(rng, 1, 3, 6, 2))
    yield case("features of length 1", *_qkv(rng, 3, 4, 1, 2))
    yield case("one key", *_qkv(rng, 3, 1, 5, 2))
    yield case("many features", *_qkv(rng, 2, 3, 64, 5))
    queries, keys, values = _qkv(rng, 3, 6, 2, 7)
    yield case("named arguments", queries=queries, keys=keys, values=values, mask=None)


@attention.aspect("leading axes", points=1)
def _(rng):
    yield case("a batch", *_qkv(rng, 2, 5, 3, 4, (3,)))
    yield case("a batch of square ones", *_qkv(rng, 3, 3, 3, 3, (3,)))
    yield case("batch and heads", *_qkv(rng, 2, 4, 3, 5, (2, 3)))
    queries, keys, values = _qkv(rng, 2, 5, 3, 4, (3,))
    yield case("the same queries for each of a batch", queries[0], keys, values)
    yield case("the same keys and values for each of a batch", queries, keys[0], values[0])
    yield case("the same values for each of a batch", queries, keys, values[0])
    yield case(
        "axes of length 1", rng.normal(size=(2, 1, 2, 3)), rng.normal(size=(1, 4, 5, 3)), rng.normal(size=(4, 5, 2))
    )


@attention.aspect("masks", points=1)
def _(rng):
    queries, keys, values = _qkv(rng, 3, 5, 4, 2, (2,))
    yield case("a mask (T_q, T_k), no batch", queries[0], keys[0], values[0], _mask(rng, 3, 5))
    yield case("a mask for each of a batch", queries, keys, values, _mask(rng, 2, 3, 5))
    yield case("the same inputs, a padding mask (B, 1, T_k)", queries, keys, values, _mask(rng, 2, 1, 5))
    yield case("the same inputs, a mask (T_q, T_k) for all", queries, keys, values, _mask(rng, 3, 5))
    yield case("the same inputs, a mask (T_k,) for all", queries, keys, values, mask=_mask(rng, 5))
    yield case("everything allowed", queries, keys, values, np.ones((2, 3, 5), bool))
    yield case("a causal mask", *_qkv(rng, 4, 4, 3, 2), np.tri(4, dtype=bool))
    yield case("heads share a mask (B, 1, 1, T_k)", *_qkv(rng, 2, 4, 3, 2, (2, 3)), _mask(rng, 2, 1, 1, 4))


@attention.aspect("nothing to attend to, large scores", points=1)
def _(rng):
    queries, keys, values = _qkv(rng, 3, 5, 4, 2, (2,))
    empty = _mask(rng, 2, 3, 5)
    empty[0, 1] = empty[1, 2] = False
    yield case("two queries may attend to nothing", queries, keys, values, empty).because(
        "a query that may attend to nothing gets weights of 0 and a context of 0"
    )
    yield case("a mask (T_q, 1)", queries, keys, values, np.array([[True], [False], [True]]))
    yield case("no query may attend to anything", *_qkv(rng, 2, 3, 4, 2), np.zeros((2, 3), bool))
    short = np.arange(5) < np.array([3, 0])[:, None, None]
    unknown = np.where(short.swapaxes(-1, -2), keys, np.nan)
    yield case("NaN in forbidden keys, a sentence without words", queries, unknown, values, short).because(
        "what score stands under the mask does not matter"
    )
    ones = np.ones((2, 4))
    integers = rng.permutation(6)[:, None] + np.zeros(4)
    mask = np.arange(6) < np.array([[3], [5]])
    for size in (1e4, 1e6, 1e10):
        low = np.where(np.arange(6)[:, None] < 5, -size - 64 * integers, 0.0)
        yield case(f"allowed scores near {-2 * size:g}", ones, low, rng.normal(size=(6, 3)), mask).because(
            "a fill that is finite is beaten by such scores"
        )
    high = np.where(np.arange(6)[:, None] < 3, integers / 8, 1e6)
    yield case("forbidden scores of 2e6", ones, high, rng.normal(size=(6, 3)), mask[[0, 0]]).magnitude(3.0)
    yield case("scores of 1e4, no mask", 100.0 * ones, 100.0 * integers, rng.normal(size=(6, 3)))
    low = np.where(np.arange(6)[:, None] < 5, -8192.0 - 64 * integers, 0.0).astype(np.float16)
    numbers = rng.normal(size=(6, 3)).astype(np.float16)
    yield case("float16, allowed scores near -16384", ones.astype(np.float16), low, numbers, mask).magnitude(4.0)
    some = [part.astype(np.float32) for part in (queries, keys, values)]
    yield case("float32, two queries may attend to nothing", *some, empty)


@attention.aspect("dtype and inputs", points=1, purity=True)
def _(rng):
    for dtype in (np.float32, np.float16):
        name = np.dtype(dtype).name
        yield case(name, *(part.astype(dtype) for part in _qkv(rng, 2, 5, 3, 4)))
        parts = [part.astype(dtype) for part in _qkv(rng, 3, 5, 4, 2, (2,))]
        yield case(f"{name}, a batch and a mask", *parts, _mask(rng, 2, 1, 5))
    yield case("float64, a mask", *_qkv(rng, 3, 4, 2, 5), _mask(rng, 3, 4))


def _attend(queries, keys, values, mask, scale):
    weights = _softmax(_masked((queries @ keys.swapaxes(-1, -2)) * queries.dtype.type(scale), mask))
    return weights @ values, weights


@attention.misconception(
    "the scores are not scaled", hint="Divide the dot products by the square root of d, the length of a query."
)
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, mask, 1.0)


@attention.misconception("scaled by d", hint="Divide by the square root of d, not by d itself.")
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, mask, 1 / queries.shape[-1])


@attention.misconception(
    "multiplied by the square root of d", hint="The square root of d belongs below the line: divide by it."
)
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, mask, queries.shape[-1] ** 0.5)


@attention.misconception(
    "scaled by the number of keys", hint="d is the length of a query, its last axis; you took the number of keys."
)
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, mask, keys.shape[-2] ** -0.5)


@attention.misconception(
    "scaled by the length of the values",
    hint="d is the length of a query and a key. The values may have another length.",
)
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, mask, values.shape[-1] ** -0.5)


@attention.misconception(
    "softmax over the queries",
    hint="The weights of one query sum to 1 over the keys, the last axis; yours sum to 1 over the queries.",
)
def _(queries, keys, values, mask=None):
    scores = (queries @ keys.swapaxes(-1, -2)) * queries.dtype.type(queries.shape[-1] ** -0.5)
    weights = _softmax(_masked(scores, mask), axis=-2)
    return weights @ values, weights


@attention.misconception("the mask is ignored", hint="Give the mask to `masked_softmax(scores, mask)`.")
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, None, queries.shape[-1] ** -0.5)


@attention.misconception("True taken as forbidden", hint='Your mask is inverted: True means "may be attended to".')
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, None if mask is None else ~mask, queries.shape[-1] ** -0.5)


@attention.misconception(
    "the mask is applied after the softmax",
    hint="What you take away after normalizing is missing from the sum. Mask the scores, not the weights.",
)
def _(queries, keys, values, mask=None):
    _, weights = _attend(queries, keys, values, None, queries.shape[-1] ** -0.5)
    weights = weights if mask is None else weights * mask
    return weights @ values, weights


@attention.misconception(
    "a fill of -1e9", hint="A finite fill is beaten by lower scores and shares the weight of empty rows. Use -inf."
)
def _(queries, keys, values, mask=None):
    scores = (queries @ keys.swapaxes(-1, -2)) * queries.dtype.type(queries.shape[-1] ** -0.5)
    with np.errstate(over="ignore"):
        weights = _softmax(scores if mask is None else np.where(mask, scores, scores.dtype.type(-1e9)))
    return weights @ values, weights


@attention.misconception(
    "NaN where nothing may be attended to",
    hint="Plain softmax gives NaN on a row of -inf. Use `masked_softmax`: it gives zeros there.",
)
def _(queries, keys, values, mask=None):
    scores = _masked((queries @ keys.swapaxes(-1, -2)) * queries.dtype.type(queries.shape[-1] ** -0.5), mask)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = powers / powers.sum(axis=-1, keepdims=True)
    return weights @ values, weights


@attention.misconception("weights first, context second", hint="Return (context, weights), in this order.")
def _(queries, keys, values, mask=None):
    context, weights = _attend(queries, keys, values, mask, queries.shape[-1] ** -0.5)
    return weights, context


@attention.misconception("only the context", hint="Return two things: the context and the weights.")
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, values, mask, queries.shape[-1] ** -0.5)[0]


@attention.misconception("the keys are blended", hint="Keys are for scoring only. What is blended is the values.")
def _(queries, keys, values, mask=None):
    return _attend(queries, keys, keys, mask, queries.shape[-1] ** -0.5)


@attention.misconception(
    "float64 comes back", hint="float32 inputs must give float32: `np.sqrt(d)` is a float64, `d**0.5` is Python's own."
)
def _(queries, keys, values, mask=None):
    return _attend(queries.astype(np.float64), keys, values, mask, queries.shape[-1] ** -0.5)


# ------------------------------------------------------------------------------------------- hard_attention

hard_attention = Exercise("hard_attention", lesson=LESSON, returns=("context", "weights"))


@hard_attention.reference
def _(scores, values, mask=None):
    """Query by query: the first of the largest allowed scores."""
    allowed = np.broadcast_to(True if mask is None else mask, scores.shape)
    weights = np.zeros(scores.shape)
    for index in np.ndindex(*scores.shape[:-1]):
        best = None
        for key in range(scores.shape[-1]):
            if allowed[index][key] and (best is None or scores[index][key] > scores[index][best]):
                best = key
        if best is not None:
            weights[index][best] = 1.0
    return _blend(weights, values), weights


hard_attention.hints = (
    "Which NumPy function gives the position of the largest entry, and the first position if there are several?",
    "Put -inf at forbidden keys first (`np.where`). `best = scores.argmax(axis=-1)`, then make one-hot weights of it: "
    "compare `np.arange(T_k)` with `best[..., None]`.",
    "In a row that allows nothing, argmax says 0, so take the weight back: `np.where(mask, weights, 0)`. "
    "Then `return context_vector(weights, values), weights`, with weights in the dtype of scores (`.astype`).",
)


@hard_attention.aspect("the first maximum", points=1)
def _(rng):
    scores, values = rng.normal(size=(2, 5)), rng.normal(size=(5, 3))
    yield case("2 queries, 5 keys", scores, values)
    yield case("the same scores, other values", scores, rng.normal(size=(5, 3)))
    yield case("the same shapes, other numbers", rng.normal(size=(2, 5)), rng.normal(size=(5, 3)))
    yield case("negative scores", -1 - rng.random((3, 4)), rng.normal(size=(4, 2)))
    tied = np.array([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0], [0.0, 1.0, 0.0, 1.0]])
    yield case("ties", tied, rng.normal(size=(4, 2))).because("the first of several equal maxima gets all the weight")
    yield case("ties of negative scores", -tied, rng.normal(size=(4, 2)))
    yield case("as many queries as keys as features", rng.normal(size=(4, 4)), rng.normal(size=(4, 4)))
    yield case("one query, many keys", rng.normal(size=(1, 40)), rng.normal(size=(40, 2)))
    yield case("one key", rng.normal(size=(3, 1)), rng.normal(size=(1, 2)))
    yield case("many ties", rng.integers(0, 3, size=(6, 7)).astype(float), rng.normal(size=(7, 2)))
    yield case("large scores", 1e6 * rng.normal(size=(2, 4)), rng.normal(size=(4, 2))).magnitude(4.0)


@hard_attention.aspect("masks", points=1)
def _(rng):
    scores, values = rng.normal(size=(3, 5)), rng.normal(size=(5, 2))
    mask = _mask(rng, 3, 5)
    yield case("a mask", scores, values, mask)
    yield case("the same scores, another mask", scores, values, ~mask | np.eye(3, 5, dtype=bool))
    yield case("the maximum is forbidden", scores, values, scores < scores.max(axis=-1, keepdims=True))
    yield case(
        "the first of two maxima is forbidden",
        np.array([[4.0, 1.0, 4.0, 2.0], [7.0, 7.0, 7.0, 0.0]]),
        rng.normal(size=(4, 2)),
        np.array([[False, True, True, True], [False, True, True, True]]),
    )
    yield case("negative scores", -1 - rng.random((3, 5)), values, mask)
    for size in (np.nan, np.inf, 1e300):
        yield case(f"{size} at forbidden keys", np.where(mask, scores, size), values, mask).magnitude(4.0)
    yield case("a mask (T_k,) for all queries", scores, values, mask=_mask(rng, 5))
    yield case("everything allowed", scores, values, np.ones((3, 5), bool))
    batch = rng.normal(size=(2, 3, 5))
    yield case("a padding mask (B, 1, T_k)", batch, rng.normal(size=(2, 5, 4)), _mask(rng, 2, 1, 5))
    yield case("a mask (T_q, T_k) for a batch", batch, rng.normal(size=(2, 5, 4)), _mask(rng, 3, 5))


@hard_attention.aspect("nothing to attend to, very low scores", points=1)
def _(rng):
    scores, values = rng.normal(size=(3, 5)), 1 + rng.random((5, 2))
    empty = _mask(rng, 3, 5)
    empty[1] = False
    yield case("the second of three queries may attend to nothing", scores, values, empty).because(
        "where nothing is allowed, all weights and the context are 0"
    )
    yield case("no query may attend to anything", scores, values, np.zeros((3, 5), bool))
    yield case("a mask (T_q, 1)", scores, values, np.array([[True], [False], [True]]))
    unknown = scores.copy()
    unknown[1] = np.nan
    yield case("NaN where nothing is allowed", unknown, values, empty)
    batch = np.array([True, False])[:, None, None] & np.ones((1, 1, 5), bool)
    yield case("one of a batch is empty", rng.normal(size=(2, 3, 5)), values, batch)
    mask = np.array([[False, True, True, False, True]] * 3)
    for size in (1e4, 1e9, 1e300):
        low = -size * (1 + rng.random((3, 5)))
        yield case(f"allowed scores below {-size:g}", low, values, mask).magnitude(2.0)
    for dtype in (np.float64, np.float32, np.float16):
        lowest = np.full((3, 5), np.finfo(dtype).min, dtype)
        label = f"all scores are the lowest there are, {np.dtype(dtype)}"
        yield case(label, lowest, values.astype(dtype), mask).magnitude(2.0)
    holes = np.array([[-np.inf, 1.0, 3.0, 5.0, -np.inf], [-np.inf, -1e9, -np.inf, -np.inf, -np.inf]])
    yield case("some allowed scores are -inf", holes, values, np.array([True, True, True, False, True])).magnitude(2.0)
    yield case("some scores are -inf, no mask", holes, values).magnitude(2.0)


@hard_attention.aspect("leading axes", points=1)
def _(rng):
    yield case("a batch", rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 4, 5)))
    yield case("a batch of square ones", rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 3, 3)))
    yield case("batch and heads", rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 5, 2)))
    yield case("one set of values for the batch", rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 5)))
    yield case("one set of scores for the batch", rng.normal(size=(3, 4)), rng.normal(size=(2, 4, 5)))
    yield case("axes of length 1", rng.normal(size=(2, 1, 3, 4)), rng.normal(size=(1, 3, 4, 2)))


@hard_attention.aspect("dtype and inputs", points=1, purity=True)
def _(rng):
    for dtype in (np.float32, np.float16):
        name = np.dtype(dtype).name
        yield case(name, rng.normal(size=(3, 4)).astype(dtype), rng.normal(size=(4, 2)).astype(dtype))
        scores, values = rng.normal(size=(2, 3, 4)).astype(dtype), rng.normal(size=(2, 4, 5)).astype(dtype)
        yield case(f"{name}, a batch and a mask", scores, values, _mask(rng, 2, 1, 4))
    yield case("float64, a mask", rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), _mask(rng, 3, 4))


def _one_hot(index, n_keys, dtype):
    return (np.arange(n_keys) == index[..., None]).astype(dtype)


def _pick(scores, values, mask, fill=-np.inf):
    filled = scores if mask is None else np.where(mask, scores, scores.dtype.type(fill))
    weights = _one_hot(filled.argmax(axis=-1), scores.shape[-1], scores.dtype)
    return weights if mask is None else np.where(mask, weights, scores.dtype.type(0))


@hard_attention.misconception(
    "the last maximum",
    hint="If several scores are largest, the first of them wins: `argmax` gives it, and so does a loop with `>`.",
)
def _(scores, values, mask=None):
    weights = _pick(scores[..., ::-1], values, None if mask is None else np.broadcast_to(mask, scores.shape)[..., ::-1])
    return weights[..., ::-1] @ values, weights[..., ::-1].copy()


@hard_attention.misconception(
    "tied keys share the weight",
    hint="One key gets it all: the first maximum. Do not compare with the maximum, use argmax.",
)
def _(scores, values, mask=None):
    scores = _masked(scores, mask)
    weights = (scores == scores.max(axis=-1, keepdims=True)).astype(scores.dtype)
    weights = weights if mask is None else np.where(mask, weights, scores.dtype.type(0))
    total = weights.sum(axis=-1, keepdims=True)
    weights = weights / np.where(total == 0, scores.dtype.type(1), total)
    return weights @ values, weights


@hard_attention.misconception(
    "all tied keys get weight 1", hint="One-hot means one: only the first maximum gets the weight. Use argmax."
)
def _(scores, values, mask=None):
    scores = _masked(scores, mask)
    weights = (scores == scores.max(axis=-1, keepdims=True)).astype(scores.dtype)
    weights = weights if mask is None else np.where(mask, weights, scores.dtype.type(0))
    return weights @ values, weights


@hard_attention.misconception("the mask is ignored", hint="Only allowed keys compete. Put -inf at the others first.")
def _(scores, values, mask=None):
    weights = _pick(scores, values, None)
    return weights @ values, weights


@hard_attention.misconception("True taken as forbidden", hint='Your mask is inverted: True means "may be attended to".')
def _(scores, values, mask=None):
    weights = _pick(scores, values, None if mask is None else ~mask)
    return weights @ values, weights


@hard_attention.misconception(
    "the first key where nothing is allowed",
    hint="argmax of a row of -inf is 0, but nothing is allowed there: set these weights to 0.",
)
def _(scores, values, mask=None):
    weights = _one_hot(_masked(scores, mask).argmax(axis=-1), scores.shape[-1], scores.dtype)
    return weights @ values, weights


@hard_attention.misconception(
    "scores multiplied by the mask",
    hint="A forbidden score becomes 0 and beats all negative ones. It has to become -inf.",
)
def _(scores, values, mask=None):
    with np.errstate(invalid="ignore"):
        weights = _pick(scores if mask is None else scores * mask, values, None)
    weights = weights if mask is None else np.where(mask, weights, scores.dtype.type(0))
    return weights @ values, weights


@hard_attention.misconception(
    "masked after the argmax",
    hint="If the best key is forbidden, the best allowed one must win. Mask the scores before taking the maximum.",
)
def _(scores, values, mask=None):
    weights = _pick(scores, values, None)
    weights = weights if mask is None else np.where(mask, weights, scores.dtype.type(0))
    return weights @ values, weights


@hard_attention.misconception(
    "a fill of -1e9", hint="Scores can be lower than any finite fill, and then a forbidden key wins. Use -inf."
)
def _(scores, values, mask=None):
    with np.errstate(over="ignore"):
        weights = _pick(scores, values, mask, -1e9)
    return weights @ values, weights


@hard_attention.misconception("softmax weights", hint="Hard attention picks: weight 1 at the best key, 0 elsewhere.")
def _(scores, values, mask=None):
    weights = _softmax(_masked(scores, mask))
    return weights @ values, weights


@hard_attention.misconception(
    "the score in place of 1",
    hint="The weight of the chosen key is 1, not its score. Otherwise the context is stretched.",
)
def _(scores, values, mask=None):
    weights = _pick(scores, values, mask)
    weights = np.where(weights > 0, scores, scores.dtype.type(0))
    return weights @ values, weights


@hard_attention.misconception(
    "the best query for each key",
    hint="Each query picks a key: argmax over the last axis. Yours goes over the queries.",
)
def _(scores, values, mask=None):
    filled = _masked(scores, mask)
    weights = np.swapaxes(_one_hot(filled.argmax(axis=-2), scores.shape[-2], scores.dtype), -1, -2)
    weights = weights if mask is None else np.where(mask, weights, scores.dtype.type(0))
    return weights @ values, weights


@hard_attention.misconception("the smallest score", hint="The key with the largest score wins, not with the smallest.")
def _(scores, values, mask=None):
    filled = scores if mask is None else np.where(mask, scores, np.inf)
    weights = _one_hot(filled.argmin(axis=-1), scores.shape[-1], scores.dtype)
    weights = weights if mask is None else np.where(mask, weights, scores.dtype.type(0))
    return weights @ values, weights


@hard_attention.misconception(
    "indices instead of weights",
    hint="Return weights of the shape of scores, one-hot, not the index of the chosen key.",
)
def _(scores, values, mask=None):
    weights = _pick(scores, values, mask)
    return weights @ values, weights.argmax(axis=-1)


@hard_attention.misconception(
    "booleans instead of weights", hint="Weights have the dtype of the scores: `.astype(scores.dtype)`."
)
def _(scores, values, mask=None):
    weights = _pick(scores, values, mask)
    return weights @ values, weights.astype(bool)


@hard_attention.misconception(
    "float64 weights",
    hint="Weights have the dtype of the scores: `np.zeros` and `np.eye` make float64 unless told otherwise.",
)
def _(scores, values, mask=None):
    weights = _pick(scores, values, mask).astype(np.float64)
    return weights @ values, weights


# ----------------------------------------------------------------------------------------- sample_attention

sample_attention = Exercise("sample_attention", lesson=LESSON, returns=("context", "indices"))


@sample_attention.reference
def _(weights, values, u):
    """Query by query: add up weights until they exceed u."""
    leading = np.broadcast_shapes(weights.shape[:-1], u.shape)
    weights = np.broadcast_to(weights, leading + weights.shape[-1:])
    u = np.broadcast_to(u, leading)
    indices = np.empty(leading, np.int64)
    for index in np.ndindex(*leading):
        row = [float(weight) for weight in weights[index]]
        positive = [key for key in range(len(row)) if row[key] > 0]
        hit = [key for key in positive if math.fsum(row[: key + 1]) > u[index]]
        indices[index] = hit[0] if hit else positive[-1] if positive else -1
    drawn = (np.arange(weights.shape[-1]) == indices[..., None]).astype(np.float64)
    return _blend(drawn, values), indices


sample_attention.hints = (
    "`np.cumsum(weights, axis=-1)` lays the weights end to end. Which of the sums is the first to exceed u?",
    "`(cumulative > u[..., None]).argmax(axis=-1)` is the first True of each row. But in a row without a True it "
    "is 0: ask `.any(axis=-1)` too. Last positive key: T_k - 1 - `(weights > 0)[..., ::-1].argmax(axis=-1)`.",
    "Rows of zeros: `indices = np.where((weights > 0).any(axis=-1), indices, -1)`. For the context, one-hot weights "
    "`np.arange(T_k) == indices[..., None]` (never true for -1) in the dtype of weights, and call context_vector.",
)


def _parts(rng, *shape, whole=32):
    """Weights that are multiples of 1/32, so that sums are exact in every dtype; some are 0, rows sum to 1."""
    return rng.multinomial(whole, rng.dirichlet(np.full(shape[-1], 0.7), size=shape[:-1])) / whole


def _between(rng, *shape, whole=32):
    """Uniform numbers that never meet a multiple of 1/32."""
    return (rng.integers(0, whole, size=shape) + 0.5) / whole


@sample_attention.aspect("the key that u hits", points=1)
def _(rng):
    values = rng.normal(size=(4, 2))
    weights = np.array([[0.25, 0.25, 0.25, 0.25]])
    for u in (0.125, 0.375, 0.625, 0.875):
        yield case(f"four equal weights, u = {u}", weights, values, np.array([u]))
    parts = _parts(rng, 3, 4)
    u = _between(rng, 3)
    yield case("a u for each of 3 queries", parts, values, u)
    yield case("the same weights and u, other values", parts, rng.normal(size=(4, 2)), u)
    yield case("the same weights, another u", parts, values, _between(rng, 3))
    yield case("the same shapes, other numbers", _parts(rng, 3, 4), rng.normal(size=(4, 2)), _between(rng, 3))
    order = np.array([[0.1, 0.2, 0.7], [0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    yield case("weights in three orders", order, rng.normal(size=(3, 3)), np.array([0.25, 0.75, 0.85]))
    yield case("as many queries as keys as features", _parts(rng, 4, 4), rng.normal(size=(4, 4)), _between(rng, 4))
    yield case("one query, many keys", _parts(rng, 1, 40), rng.normal(size=(40, 2)), _between(rng, 1))
    yield case("one key", np.ones((2, 1)), rng.normal(size=(1, 3)), rng.random(2))
    yield case("many queries", _parts(rng, 50, 6), rng.normal(size=(6, 2)), _between(rng, 50))
    softmaxed = _rows(rng, 5, 6)
    edges = np.concatenate([np.zeros((5, 1)), np.cumsum(softmaxed, axis=-1)], axis=-1)
    chosen = softmaxed.argmax(axis=-1)
    middle = np.array([(edges[i, k] + edges[i, k + 1]) / 2 for i, k in enumerate(chosen)])
    yield case("weights of any size", softmaxed, rng.normal(size=(6, 2)), middle)


@sample_attention.aspect("on the border, weights of zero", points=1)
def _(rng):
    values = rng.normal(size=(4, 2))
    quarters = np.full((4, 4), 0.25)
    yield case("u on a border", quarters, values, np.array([0.0, 0.25, 0.5, 0.75])).because(
        "the cumulative weight must exceed u, so a u on the border belongs to the next key"
    )
    first = np.array([[0.0, 0.5, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, 0.5], [0.0, 0.0, 1.0, 0.0]])
    yield case("u = 0 and a first weight of 0", first, values, np.zeros(4)).because("a key of weight 0 is never drawn")
    yield case("a border at keys of weight 0", first, values, np.full(4, 0.5)).because(
        "a key of weight 0 is never drawn"
    )
    yield case("u above the border", first, values, np.full(4, 0.75))
    weights = _parts(rng, 6, 5)
    yield case("u on any border", weights, rng.normal(size=(5, 2)), rng.integers(0, 32, size=6) / 32)
    for dtype in (np.float32, np.float16):
        label = f"u on a border, {np.dtype(dtype)}"
        yield case(label, first.astype(dtype), values.astype(dtype), np.full(4, 0.5, dtype))
    small = np.array([[1e-6, 1 - 1e-6]])
    yield case("u = 0 and a tiny first weight", small, rng.normal(size=(2, 2)), np.zeros(1))


@sample_attention.aspect("rounding below 1", points=1)
def _(rng):
    below = np.nextafter(1.0, 0.0)
    tenths = np.concatenate([np.full((1, 10), 0.1), np.zeros((1, 2))], axis=-1)
    why = "no cumulative weight exceeds u, so it is the last key with weight above 0"
    yield case("ten weights of 0.1, u just below 1", tenths, rng.normal(size=(12, 2)), np.array([below])).because(why)
    weights = np.array(
        [[0.3, 0.3, 0.3999, 0.0], [0.2, 0.7999, 0.0, 0.0], [0.0, 0.9999, 0.0, 0.0], [0.1, 0.2, 0.3, 0.3999]]
    )
    values = rng.normal(size=(4, 3))
    late = np.full(4, 0.99995)
    yield case("weights that sum to 0.9999", weights, values, late).because(why)
    yield case("weights that sum to 0.9999, float32", *(a.astype(np.float32) for a in (weights, values, late))).because(
        why
    )
    yield case("weights that sum to 0.9999, u far below", weights, values, np.array([0.1, 0.4, 0.7, 0.2]))
    half = np.array([[0.25, 0.25, 0.4995, 0.0], [0.5, 0.4995, 0.0, 0.0]], np.float16)
    highest = np.full(2, np.nextafter(np.float16(1), np.float16(0)))
    yield case("float16, u just below 1", half, values.astype(np.float16), highest).because(why)
    yield case("weights that sum to 1, u just below 1", _parts(rng, 5, 6), rng.normal(size=(6, 2)), np.full(5, below))


@sample_attention.aspect("nothing to attend to", points=1)
def _(rng):
    values = 1 + rng.random((4, 2))
    weights = _parts(rng, 3, 4)
    weights[1] = 0
    why = "on a row of zeros the index is -1 and the context 0"
    yield case("the second of three rows is zero", weights, values, _between(rng, 3)).because(why)
    yield case("a row of zeros, u = 0", weights, values, np.zeros(3)).because(why)
    yield case("only rows of zeros", np.zeros((2, 4)), values, _between(rng, 2)).because(why)
    batch = _parts(rng, 2, 3, 4)
    batch[0, 2] = batch[1, 0] = 0
    yield case("rows of zeros in a batch", batch, 1 + rng.random((2, 4, 3)), _between(rng, 2, 3)).because(why)
    for dtype in (np.float32, np.float16):
        parts = (a.astype(dtype) for a in (weights, values, np.array([0.25, 0.875, 0.625])))
        yield case(f"the second of three rows is zero, {np.dtype(dtype)}", *parts).because(why)


@sample_attention.aspect("leading axes, dtype and inputs", points=1, purity=True)
def _(rng):
    yield case("a batch", _parts(rng, 2, 3, 4), rng.normal(size=(2, 4, 5)), _between(rng, 2, 3))
    yield case("a batch of square ones", _parts(rng, 3, 3, 3), rng.normal(size=(3, 3, 3)), _between(rng, 3, 3))
    yield case("batch and heads", _parts(rng, 2, 3, 4, 5), rng.normal(size=(2, 3, 5, 2)), _between(rng, 2, 3, 4))
    yield case("one set of values for the batch", _parts(rng, 2, 3, 4), rng.normal(size=(4, 5)), _between(rng, 2, 3))
    yield case("the same u for each of a batch", _parts(rng, 2, 3, 4), rng.normal(size=(2, 4, 5)), _between(rng, 3))
    yield case("six draws from the same weights", _parts(rng, 3, 4), rng.normal(size=(4, 2)), _between(rng, 6, 3))
    for dtype in (np.float32, np.float16):
        name = np.dtype(dtype).name
        parts = (a.astype(dtype) for a in (_parts(rng, 3, 4), rng.normal(size=(4, 2)), _between(rng, 3)))
        yield case(name, *parts)
        parts = (a.astype(dtype) for a in (_parts(rng, 2, 3, 4), rng.normal(size=(2, 4, 5)), _between(rng, 2, 3)))
        yield case(f"{name}, a batch", *parts)


def _choose(weights, u, exceeds=np.greater, otherwise="last positive", empty=-1):
    cumulative = np.cumsum(weights, axis=-1)
    positive = weights > 0
    hit = exceeds(cumulative, u[..., None])
    n_keys = weights.shape[-1]
    fallback = {
        "last positive": n_keys - 1 - positive[..., ::-1].argmax(axis=-1),
        "last": n_keys - 1,
        "first": 0,
        "none": n_keys,
    }[otherwise]
    indices = np.where(hit.any(axis=-1), hit.argmax(axis=-1), fallback)
    return np.where(positive.any(axis=-1), indices, empty) if empty is not None else indices


def _drawn(weights, values, indices):
    return _one_hot(indices, weights.shape[-1], weights.dtype) @ values, indices


@sample_attention.misconception(
    "at least u is enough",
    hint="The cumulative weight must exceed u: use `>`. With `>=`, u = 0 draws a key of weight 0.",
)
def _(weights, values, u):
    return _drawn(weights, values, _choose(weights, u, np.greater_equal))


@sample_attention.misconception(
    "the last key where none exceeds u",
    hint="The last key may have weight 0, and such a key is never drawn. Take the last one with weight above 0.",
)
def _(weights, values, u):
    return _drawn(weights, values, _choose(weights, u, otherwise="last"))


@sample_attention.misconception(
    "the first key where none exceeds u",
    hint="argmax of a row of False is 0. If no cumulative weight exceeds u, take the last key with weight above 0.",
)
def _(weights, values, u):
    return _drawn(weights, values, _choose(weights, u, otherwise="first"))


@sample_attention.misconception(
    "an index that does not exist where none exceeds u",
    hint="Counting the sums up to u gives T_k if rounding left all below u. Take the last key with weight above 0.",
)
def _(weights, values, u):
    return _drawn(weights, values, _choose(weights, u, otherwise="none"))


@sample_attention.misconception(
    "index 0 on a row of zeros", hint="On a row of zeros nothing can be drawn: index -1 and a context of zero."
)
def _(weights, values, u):
    return _drawn(weights, values, _choose(weights, u, empty=0))


@sample_attention.misconception(
    "the last key on a row of zeros", hint="On a row of zeros nothing can be drawn: index -1 and a context of zero."
)
def _(weights, values, u):
    return _drawn(weights, values, _choose(weights, u, empty=weights.shape[-1] - 1))


@sample_attention.misconception(
    "the last value on a row of zeros",
    hint="The index -1 is right, but as an index it means the last value. The context of such a row is zero.",
)
def _(weights, values, u):
    indices = _choose(weights, u)
    return _drawn(weights, values, indices % weights.shape[-1])[0], indices


@sample_attention.misconception(
    "always the best key", hint="You ignore u. The index is the first key whose cumulative weight exceeds u."
)
def _(weights, values, u):
    best = np.broadcast_to(weights.argmax(axis=-1), np.broadcast_shapes(weights.shape[:-1], u.shape))
    return _drawn(weights, values, np.where((weights > 0).any(axis=-1), best, -1))


@sample_attention.misconception(
    "every key is as likely as any other", hint="`u * T_k` ignores the weights. Compare u with their cumulative sums."
)
def _(weights, values, u):
    uniform = np.floor(u * u.dtype.type(weights.shape[-1])).astype(int)
    return _drawn(weights, values, np.where((weights > 0).any(axis=-1), uniform, -1))


@sample_attention.misconception(
    "single weights compared with u",
    hint="It is the cumulative weight that must exceed u: `np.cumsum(weights, axis=-1)`.",
)
def _(weights, values, u):
    hit = weights > u[..., None]
    last = weights.shape[-1] - 1 - (weights > 0)[..., ::-1].argmax(axis=-1)
    indices = np.where(hit.any(axis=-1), hit.argmax(axis=-1), last)
    return _drawn(weights, values, np.where((weights > 0).any(axis=-1), indices, -1))


@sample_attention.misconception(
    "cumulated over the queries", hint="Each row of weights is a distribution of its own: cumulate along the last axis."
)
def _(weights, values, u):
    cumulative = np.cumsum(weights, axis=-2)
    hit = cumulative > u[..., None]
    last = weights.shape[-1] - 1 - (weights > 0)[..., ::-1].argmax(axis=-1)
    indices = np.where(hit.any(axis=-1), hit.argmax(axis=-1), last)
    return _drawn(weights, values, np.where((weights > 0).any(axis=-1), indices, -1))


@sample_attention.misconception(
    "the same u for all queries",
    hint="Each query has its own u: `u[..., None]` stands against the rows of the weights.",
)
def _(weights, values, u):
    return _drawn(weights, values, _choose(weights, np.broadcast_to(u[..., :1], u.shape)))


@sample_attention.misconception(
    "counted from the other end",
    hint="Cumulate from the first key on, as they stand. Yours goes from the last one back.",
)
def _(weights, values, u):
    backward = _choose(weights[..., ::-1], u, empty=weights.shape[-1])
    return _drawn(weights, values, weights.shape[-1] - 1 - backward)


@sample_attention.misconception(
    "the value is multiplied by its weight",
    hint="The drawn value is taken as it is. Its weight has already decided how often it is drawn.",
)
def _(weights, values, u):
    indices = _choose(weights, u)
    return (_one_hot(indices, weights.shape[-1], weights.dtype) * weights) @ values, indices


@sample_attention.misconception(
    "the soft context", hint="The context is the value at the drawn index alone, not the blend of all values."
)
def _(weights, values, u):
    indices = _choose(weights, u)
    return np.broadcast_to(weights @ values, (*indices.shape, values.shape[-1])).copy(), indices


@sample_attention.misconception(
    "one-hot weights instead of indices", hint="Return the index of the drawn key for each query, an integer."
)
def _(weights, values, u):
    context, indices = _drawn(weights, values, _choose(weights, u))
    return context, _one_hot(indices, weights.shape[-1], weights.dtype)


@sample_attention.misconception("indices first, context second", hint="Return (context, indices), in this order.")
def _(weights, values, u):
    context, indices = _drawn(weights, values, _choose(weights, u))
    return indices, context


# ---------------------------------------------------------------------------------------- kernel_regression

kernel_regression = Exercise("kernel_regression", lesson=LESSON)


@kernel_regression.reference
def _(x_query, x_train, y_train, bandwidth):
    """Query by query, relative to the kernel at the nearest point, in Python's own floats."""
    estimates = []
    for x in x_query.tolist():
        distances = [abs(x - point) for point in x_train.tolist()]
        near = min(distances)
        kernels = [math.exp(-(d - near) / bandwidth * ((d + near) / bandwidth) / 2) for d in distances]
        top = math.fsum(k * y for k, y in zip(kernels, y_train.tolist(), strict=True))
        estimates.append(top / math.fsum(kernels))
    return np.array(estimates)


kernel_regression.hints = (
    "What are the queries, the keys, the values and the scores here? Then it is softmax and a weighted sum.",
    "Scores of shape (n_q, n): `-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)`.",
    "`softmax(scores, axis=-1) @ y_train`: softmax subtracts the largest score of each row, so it stays finite far "
    "from the data. Before it: a ValueError if bandwidth <= 0.",
)


def _points(rng, n):
    """n points at least 0.5 apart, in no order, and values for them."""
    return rng.permutation(np.arange(n) * 0.75 + 0.25 * rng.random(n)), 2 * rng.normal(size=n)


@kernel_regression.aspect("the weighted average", points=1)
def _(rng):
    x, y = _points(rng, 6)
    queries = rng.uniform(0, 4, size=4)
    yield case("4 queries, 6 readings", queries, x, y, 0.5)
    yield case("the same queries and moments, other readings", queries, x, rng.normal(size=6), 0.5)
    yield case("the same queries and readings, another bandwidth", queries, x, y, 1.5)
    yield case("the same shapes, other readings", rng.uniform(0, 4, size=4), *_points(rng, 6), 1.5)
    yield case("as many queries as readings", rng.uniform(0, 4, size=5), *_points(rng, 5), 0.8)
    yield case("one query", rng.uniform(0, 4, size=1), *_points(rng, 4), 0.7)
    yield case("one reading", rng.uniform(0, 4, size=3), *_points(rng, 1), 0.7).because(
        "a single reading has all the weight"
    )
    twice = np.array([1.0, 0.0, 1.0, 1.0])
    yield case("three readings at the same moment", np.array([0.5, 1.0, 0.0]), twice, rng.normal(size=4), 0.4)
    yield case("readings in descending order", rng.uniform(0, 4, size=4), np.sort(x)[::-1].copy(), y, bandwidth=0.6)
    yield case("negative moments", -rng.uniform(0, 4, size=4), -x, y, 0.5)
    yield case("large readings", rng.uniform(0, 4, size=3), x, 1e3 * y, 0.5)
    yield case("many queries and readings", rng.uniform(0, 20, size=30), *_points(rng, 25), 0.9)


@kernel_regression.aspect("far away, narrow and wide", points=1)
def _(rng):
    x, y = _points(rng, 5)
    why = "far from the data, the nearest reading has all the weight"
    yield case("queries at 50 and -50", np.array([50.0, -50.0, 1.0]), x, y, 0.5).because(why)
    yield case("queries at 1e3, 1e6 and -1e6", np.array([1e3, 1e6, -1e6]), x, y, 1.0).because(why)
    same = np.array([0.0, 2.0, 2.0])
    yield case("far, two readings at the same moment", np.array([1e4]), same, y[:3], 1.0).tolerance(1e-6)
    yield case("queries at 1e100", np.array([1e100, -1e100, 1.0]), x, y, 1.0).judged_by(_finite)
    yield case("a bandwidth of 0.001", rng.uniform(0, 4, size=4), x, y, 0.001).because(
        "with a narrow kernel, the nearest reading has all the weight"
    )
    yield case("a bandwidth of 1e-8", np.array([0.1, 1.3, 0.9]), np.array([1.0, 0.0, 2.0]), y[:3], 1e-8)
    yield case("queries at the readings, a narrow kernel", x[::2].copy(), x, y, 0.01)
    yield (
        case("half way between two readings", np.array([0.5]), np.array([1.0, 0.0]), y[:2], 0.001)
        .tolerance(1e-8)
        .because("both readings are equally near")
    )
    yield case("a bandwidth of 1000", rng.uniform(0, 4, size=3), x, y, 1000.0)
    yield case("float32, queries at 1e3", np.array([1e3, -1e3], np.float32), *_as(np.float32, x, y), 1.0).because(why)


def _finite(case, value):
    if not isinstance(value, np.ndarray) or value.shape != case.args[0].shape or value.dtype != np.float64:
        return "It should return an array (float64) with one number for each query."
    return None if np.all(np.isfinite(value)) else "It is not finite far from the data."


def _as(dtype, *arrays):
    return tuple(array.astype(dtype) for array in arrays)


@kernel_regression.aspect("bandwidths that cannot be", points=1)
def _(rng):
    x, y = _points(rng, 4)
    queries = rng.uniform(0, 3, size=3)
    yield case("a bandwidth of 0", queries, x, y, 0.0).raises(ValueError)
    yield case("a negative bandwidth", queries, x, y, -float(rng.uniform(0.1, 2))).raises(ValueError)
    yield case("a bandwidth of -1e-9", queries, x, y, -1e-9).raises(ValueError)
    yield case("a bandwidth of 0.5 is fine", queries, x, y, 0.5)
    yield case("a small bandwidth is fine", queries, x, y, 0.05)


@kernel_regression.aspect("dtype and inputs", points=1, purity=True)
def _(rng):
    yield case("float32", *_as(np.float32, rng.uniform(0, 3, size=4), *_points(rng, 5)), 0.75)
    yield case(
        "float32, as many queries as readings", *_as(np.float32, rng.uniform(0, 3, size=4), *_points(rng, 4)), 1.0
    )
    yield case("float16", *_as(np.float16, rng.uniform(0, 2, size=4), *_points(rng, 3)), 0.75).tolerance(3e-2)
    yield case("float64", rng.uniform(0, 3, size=4), *_points(rng, 5), 0.75)


def _estimate(x_query, x_train, y_train, bandwidth, score):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    return _softmax(score(x_query[:, None] - x_train, bandwidth)) @ y_train


@kernel_regression.misconception(
    "0 / 0 far from the data",
    hint="Far away every kernel value rounds to 0. Put the exponents through softmax: it subtracts the largest.",
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    kernels = np.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    with np.errstate(invalid="ignore"):
        return (kernels @ y_train) / kernels.sum(axis=-1)


@kernel_regression.misconception(
    "a small number in the denominator",
    hint="That avoids NaN, but far from the data the answer is 0, and near it is a little too small. Use softmax.",
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    kernels = np.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    return (kernels @ y_train) / (kernels.sum(axis=-1) + kernels.dtype.type(1e-8))


@kernel_regression.misconception(
    "zero far from the data", hint="Far away the nearest reading has all the weight, so its value comes back, not 0."
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    kernels = np.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    total = kernels.sum(axis=-1)
    return (kernels @ y_train) / np.where(total == 0, kernels.dtype.type(1), total)


@kernel_regression.misconception(
    "the mean far from the data",
    hint="Far away the nearest reading has all the weight, so its value comes back, not the mean.",
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    kernels = np.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    kernels = np.where(kernels.sum(axis=-1, keepdims=True) == 0, kernels.dtype.type(1), kernels)
    return (kernels @ y_train) / kernels.sum(axis=-1)


@kernel_regression.misconception(
    "the bandwidth is not squared", hint="The exponent is -(x - x_i)^2 / (2 h^2): the bandwidth is squared."
)
def _(x_query, x_train, y_train, bandwidth):
    return _estimate(x_query, x_train, y_train, bandwidth, lambda d, h: -(d**2) / (2 * h))


@kernel_regression.misconception(
    "the 2 is missing", hint="The exponent is -(x - x_i)^2 / (2 h^2): do not forget the 2."
)
def _(x_query, x_train, y_train, bandwidth):
    return _estimate(x_query, x_train, y_train, bandwidth, lambda d, h: -(d**2) / h**2)


@kernel_regression.misconception(
    "multiplied by h^2", hint="The exponent is divided by 2 h^2: mind the brackets, `-(d**2) / (2 * h**2)`."
)
def _(x_query, x_train, y_train, bandwidth):
    return _estimate(x_query, x_train, y_train, bandwidth, lambda d, h: -(d**2) / 2 * h**2)


@kernel_regression.misconception(
    "the distance is not squared", hint="The exponent has the squared distance, (x - x_i)^2, over 2 h^2."
)
def _(x_query, x_train, y_train, bandwidth):
    return _estimate(x_query, x_train, y_train, bandwidth, lambda d, h: -np.abs(d) / (2 * h**2))


@kernel_regression.misconception(
    "far readings weigh more", hint="The minus sign is missing: the weight must fall with the distance."
)
def _(x_query, x_train, y_train, bandwidth):
    return _estimate(x_query, x_train, y_train, bandwidth, lambda d, h: d**2 / (2 * h**2))


@kernel_regression.misconception(
    "not divided by the sum", hint="Divide by the sum of the kernel values (or use softmax): it is a weighted average."
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    return np.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)) @ y_train


@kernel_regression.misconception(
    "normalized over the queries",
    hint="Each query's weights sum to 1 over the readings. With scores of shape (n_q, n), that is the last axis.",
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    return _softmax(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2), axis=0) @ y_train


@kernel_regression.misconception(
    "only the nearest reading", hint="All readings take part, with weights that fall with the distance."
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth <= 0:
        raise ValueError("bandwidth")
    return y_train[np.abs(x_query[:, None] - x_train).argmin(axis=-1)]


@kernel_regression.misconception(
    "the readings are sorted without their values",
    hint="If you sort x_train, y_train must follow. There is no need to sort.",
)
def _(x_query, x_train, y_train, bandwidth):
    return _estimate(x_query, np.sort(x_train), y_train, bandwidth, lambda d, h: -(d**2) / (2 * h**2))


@kernel_regression.misconception("no ValueError", hint="A bandwidth of 0 or below must raise ValueError.")
def _(x_query, x_train, y_train, bandwidth):
    with np.errstate(all="ignore"):
        return (
            _softmax(-((x_query[:, None] - x_train) ** 2) / np.float64(2 * bandwidth**2).astype(x_train.dtype))
            @ y_train
        )


@kernel_regression.misconception(
    "a bandwidth of 0 passes", hint="A kernel of width 0 is no kernel: raise ValueError for 0 as well as for less."
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth < 0:
        raise ValueError("bandwidth")
    with np.errstate(all="ignore"):
        return (
            _softmax(-((x_query[:, None] - x_train) ** 2) / np.float64(2 * bandwidth**2).astype(x_train.dtype))
            @ y_train
        )


@kernel_regression.misconception(
    "negative bandwidths pass",
    hint="Squaring hides the sign of a negative bandwidth. Raise ValueError for all of 0 and below.",
)
def _(x_query, x_train, y_train, bandwidth):
    if bandwidth == 0:
        raise ValueError("bandwidth")
    return _softmax(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)) @ y_train


@kernel_regression.misconception(
    "float64 comes back",
    hint="float32 inputs must give float32: a NumPy scalar such as `np.sqrt(2.0)` makes it float64.",
)
def _(x_query, x_train, y_train, bandwidth):
    return _estimate(x_query, x_train, y_train, bandwidth, lambda d, h: -0.5 * (d / np.float64(h)) ** 2)
