"""How the functions of lesson 01 are checked."""

import math

import numpy as np

from autograder.exercise import Exercise, case

LESSON = "01_scoring"


def every_pair(queries, keys, score):
    """`score(query, key)` on lists of floats, for each query and each key, one at a time."""
    leading = np.broadcast_shapes(queries.shape[:-2], keys.shape[:-2])
    queries = np.broadcast_to(queries, leading + queries.shape[-2:])
    keys = np.broadcast_to(keys, leading + keys.shape[-2:])
    result = np.empty((*leading, queries.shape[-2], keys.shape[-2]))
    for index in np.ndindex(result.shape):
        *lead, i, j = index
        result[index] = score(queries[(*lead, i)].tolist(), keys[(*lead, j)].tolist())
    return result


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def through(row, matrix):
    """A row vector times a matrix, as a list."""
    return [dot(row, column) for column in np.asarray(matrix).T.tolist()]


def transposed(x):
    return np.swapaxes(x, -1, -2)


def add_cases(exercise, weights=None):
    """The aspects that all scores share. `weights(rng, d_q, d_k, d_h)` draws the arguments after the keys.

    Without it queries and keys have the same number of features.
    """

    def draw(rng, queries, keys, dtype="float64", scale=1.0, d_h=6):
        inputs = [scale * rng.normal(size=queries), scale * rng.normal(size=keys)]
        inputs += weights(rng, queries[-1], keys[-1], d_h) if weights else []
        return [x.astype(dtype) for x in inputs]

    d = 3 if weights else 5  # features of the keys, beside queries of 5

    @exercise.aspect("values", points=1)
    def _(rng):
        yield case("2 queries, 3 keys", *draw(rng, (2, 3), (3, 2 if weights else 3), d_h=2))
        yield case("the same shapes, other numbers", *draw(rng, (2, 3), (3, 2 if weights else 3), d_h=2))
        yield case("4 queries, 5 keys", *draw(rng, (4, 5), (5, d)))
        yield case("3 queries, 2 keys", *draw(rng, (3, 5), (2, d)))
        yield case("as many queries as keys", *draw(rng, (3, 5), (3, d)))
        yield case("all sizes 4", *draw(rng, (4, 4), (4, 4)))
        yield case("large numbers", *draw(rng, (2, 5), (3, d), scale=30.0))

    @exercise.aspect("all sizes", points=1)
    def _(rng):
        yield case("one query", *draw(rng, (1, 5), (7, d)))
        yield case("one key", *draw(rng, (6, 5), (1, d)))
        yield case("one query and one key", *draw(rng, (1, 5), (1, d)))
        yield case("one feature", *draw(rng, (3, 1), (2, 1)))
        yield case("12 features", *draw(rng, (3, 12), (4, 12)))
        if weights:
            yield case("more features in the keys", *draw(rng, (3, 2), (4, 6)))
        yield case("17 queries, 19 keys", *draw(rng, (17, 5), (19, d)))

    @exercise.aspect("leading axes", points=1)
    def _(rng):
        yield case("a batch of 2", *draw(rng, (2, 3, 5), (2, 4, d)))
        yield case("a batch of 4, all sizes 4", *draw(rng, (4, 4, 4), (4, 4, 4)))
        yield case("a batch of 1", *draw(rng, (1, 3, 5), (1, 4, d)))
        yield case("a batch and heads", *draw(rng, (2, 3, 2, 5), (2, 3, 4, d)))
        yield case("queries for each in a batch, keys shared", *draw(rng, (2, 3, 5), (4, d)))
        yield case("keys for each in a batch, queries shared", *draw(rng, (3, 5), (2, 4, d)))
        yield case("leading axes (2, 1) and (3,)", *draw(rng, (2, 1, 2, 5), (3, 4, d)))
        yield case("leading axes (1, 3) and (2, 1)", *draw(rng, (1, 3, 2, 5), (2, 1, 4, d)))

    @exercise.aspect("dtype and purity", points=1, purity=True)
    def _(rng):
        yield case("float32", *draw(rng, (2, 5), (3, d), "float32"))
        yield case("float32, a batch of 2", *draw(rng, (2, 3, 5), (2, 4, d), "float32"))
        yield case("float16", *draw(rng, (4, 5), (6, d), "float16"))
        yield case("float64", *draw(rng, (3, 5), (3, d)))
        yield case("float64 again", *draw(rng, (3, 5), (3, d)))


# --- dot_score --------------------------------------------------------------------------------------------

dot_score = Exercise("dot_score", lesson=LESSON)

dot_score.hints = (
    "In a matrix product, rows of the left matrix meet columns of the right one. Queries are rows. "
    "What must the keys be?",
    "Without leading axes `queries @ keys.T` is right. With a batch in front, `.T` turns one axis too many.",
    "`np.swapaxes(keys, -1, -2)` turns only the last two axes, and `@` broadcasts the leading ones by itself.",
    "The body is one line: `return queries @ np.swapaxes(keys, -1, -2)`.",
)


@dot_score.reference
def _(queries, keys):
    return every_pair(queries, keys, dot)


add_cases(dot_score)


@dot_score.misconception(
    "all axes of the keys are turned",
    hint="`.T` reverses all axes, the batch too. `np.swapaxes(keys, -1, -2)` turns the last two.",
)
def _(queries, keys):
    return queries @ keys.T


@dot_score.misconception(
    "rows and columns are swapped", hint="Rows belong to queries, columns to keys: Q times K turned."
)
def _(queries, keys):
    return keys @ transposed(queries)


@dot_score.misconception("the keys are not turned", hint="Rows meet columns: turn the last two axes of the keys.")
def _(queries, keys):
    return queries @ keys


@dot_score.misconception("scaled by the square root of d", hint="This is the plain dot product. The scale comes next.")
def _(queries, keys):
    return queries @ transposed(keys) / queries.shape[-1] ** 0.5


@dot_score.misconception("divided by d", hint="A dot product is a sum of products, and not their mean.")
def _(queries, keys):
    return queries @ transposed(keys) / queries.shape[-1]


@dot_score.misconception("the cosine, not the dot product", hint="Do not divide by the lengths here.")
def _(queries, keys):
    lengths = np.linalg.norm(queries, axis=-1)[..., :, None] * np.linalg.norm(keys, axis=-1)[..., None, :]
    return queries @ transposed(keys) / lengths


@dot_score.misconception(
    "the negative squared distance", hint="Multiply the features and add up; do not subtract them."
)
def _(queries, keys):
    return -((queries[..., :, None, :] - keys[..., None, :, :]) ** 2).sum(-1)


@dot_score.misconception(
    "query i meets key i only", hint="Every query meets every key: the result is (T_q, T_k) numbers, not T_q."
)
def _(queries, keys):
    return (queries * keys).sum(-1)


@dot_score.misconception(
    "every batch meets every batch",
    hint="`np.dot`, `np.inner` and `np.tensordot` combine all leading axes. `@` matches them, one with one.",
)
def _(queries, keys):
    return np.inner(queries, keys)


@dot_score.misconception("softmax is already in it", hint="Return the scores as they are. Weights come in lesson 02.")
def _(queries, keys):
    scores = queries @ transposed(keys)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@dot_score.misconception(
    "leading axes do not broadcast", hint="Keys may be shared by a batch. `@` broadcasts leading axes; a loop does not."
)
def _(queries, keys):
    if queries.shape[:-2] != keys.shape[:-2]:
        raise ValueError
    return queries @ transposed(keys)


@dot_score.misconception("always float64", hint="The output's dtype follows the inputs. Where do you make a float64?")
def _(queries, keys):
    return queries.astype(np.float64) @ transposed(keys)


# --- scaled_dot_score -------------------------------------------------------------------------------------

scaled_dot_score = Exercise("scaled_dot_score", lesson=LESSON)

scaled_dot_score.hints = (
    "You have the dot products already: `dot_score`. One division is missing.",
    "d is the number of features: which axis of `queries` is that, for any number of leading axes?",
    "`queries.shape[-1]` is d. Take its root as a plain Python number, so that the dtype stays: `d**0.5`.",
    "The body is one line: `return dot_score(queries, keys) / queries.shape[-1] ** 0.5`.",
)


@scaled_dot_score.reference
def _(queries, keys):
    return every_pair(queries, keys, lambda q, k: dot(q, k) / math.sqrt(len(q)))


add_cases(scaled_dot_score)


@scaled_dot_score.misconception(
    "not scaled", hint="Divide the dot products by the square root of the number of features."
)
def _(queries, keys):
    return queries @ transposed(keys)


@scaled_dot_score.misconception("divided by d, not by its square root", hint="Take the square root of d: `d**0.5`.")
def _(queries, keys):
    return queries @ transposed(keys) / queries.shape[-1]


@scaled_dot_score.misconception(
    "scaled by the number of keys", hint="d is the number of features, `queries.shape[-1]`, and not T_k."
)
def _(queries, keys):
    return queries @ transposed(keys) / keys.shape[-2] ** 0.5


@scaled_dot_score.misconception(
    "scaled by the number of queries", hint="d is the number of features, `queries.shape[-1]`, and not T_q."
)
def _(queries, keys):
    return queries @ transposed(keys) / queries.shape[-2] ** 0.5


@scaled_dot_score.misconception(
    "scaled by the size of axis 1",
    hint="`shape[1]` is the number of features in a matrix only. With a batch in front it is `shape[-1]`.",
)
def _(queries, keys):
    return queries @ transposed(keys) / queries.shape[1] ** 0.5


@scaled_dot_score.misconception("multiplied by the square root of d", hint="Divide by it; scores should get smaller.")
def _(queries, keys):
    return queries @ transposed(keys) * queries.shape[-1] ** 0.5


@scaled_dot_score.misconception(
    "scaled by the fourth root of d", hint="Only one of queries and keys got its share. Divide by the square root of d."
)
def _(queries, keys):
    return queries / queries.shape[-1] ** 0.25 @ transposed(keys)


@scaled_dot_score.misconception(
    "the square root is rounded down", hint="`//` and `int(...)` throw the fraction away. Use `/` and `d**0.5`."
)
def _(queries, keys):
    return queries @ transposed(keys) / int(queries.shape[-1] ** 0.5)


@scaled_dot_score.misconception(
    "`np.sqrt` makes it float64",
    hint="`np.sqrt(d)` is a np.float64, and float32 divided by it is float64. Use a Python number: `d**0.5`.",
)
def _(queries, keys):
    return queries @ transposed(keys) / np.sqrt(queries.shape[-1])


@scaled_dot_score.misconception(
    "all axes of the keys are turned", hint="`.T` reverses all axes, the batch too. Use `np.swapaxes(keys, -1, -2)`."
)
def _(queries, keys):
    return queries @ keys.T / queries.shape[-1] ** 0.5


@scaled_dot_score.misconception("rows and columns are swapped", hint="Rows belong to queries, columns to keys.")
def _(queries, keys):
    return keys @ transposed(queries) / queries.shape[-1] ** 0.5


@scaled_dot_score.misconception(
    "softmax is already in it", hint="Return the scores as they are. Weights come in lesson 02."
)
def _(queries, keys):
    scores = queries @ transposed(keys) / queries.shape[-1] ** 0.5
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@scaled_dot_score.misconception(
    "changes the queries in place",
    hint="`queries /= ...` writes into the caller's array. `queries / ...` makes a new one.",
)
def _(queries, keys):
    queries /= queries.shape[-1] ** 0.5
    return queries @ transposed(keys)


# --- cosine_score -----------------------------------------------------------------------------------------

cosine_score = Exercise("cosine_score", lesson=LESSON)

cosine_score.hints = (
    "Three parts: the dot products, the length of each query and each key, and a floor under their product.",
    "`np.linalg.norm(queries, axis=-1)` has the shape (..., T_q). To meet all keys it needs a further axis at the end.",
    "`lengths_q[..., :, None] * lengths_k[..., None, :]` is (..., T_q, T_k). `np.maximum(that, "
    "eps)` is the denominator.",
    "`return dot_score(queries, keys) / np.maximum(lengths_q[..., :, None] * lengths_k[..., None, :], eps)`.",
)


@cosine_score.reference
def _(queries, keys, eps=1e-8):
    return every_pair(queries, keys, lambda q, k: dot(q, k) / max(math.sqrt(dot(q, q)) * math.sqrt(dot(k, k)), eps))


add_cases(cosine_score)


@cosine_score.aspect("short vectors and eps", points=1)
def _(rng):
    queries, keys = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    zero_query, zero_key = queries.copy(), keys.copy()
    zero_query[1] = zero_key[0] = 0
    floor = "the denominator is the product of the two lengths, but at least eps"
    yield case("a query of zeros", zero_query, keys).because(floor)
    yield case("a key of zeros", queries, zero_key).because(floor)
    yield case("only zeros", np.zeros((2, 3)), np.zeros((4, 3))).because(floor)
    yield case("float32, a query and a key of zeros", zero_query.astype("f4"), zero_key.astype("f4")).because(floor)
    yield case("eps=0.5, lengths that multiply to less", 0.2 * _units(rng, 3), 0.4 * _units(rng, 2), eps=0.5).because(
        floor
    )
    mixed = _units(rng, 3) * [[0.1], [1.0], [3.0]], _units(rng, 3) * [[0.5], [2.0], [6.0]]
    yield case("eps=2.0 in third place, some products of lengths are less", *mixed, 2.0).because(floor)
    yield case("short query, long keys", 1e-9 * _units(rng, 2), 1e3 * _units(rng, 3)).because(floor)
    yield case("product of lengths below 1e-8", 1e-6 * _units(rng, 2), 1e-5 * _units(rng, 3)).because(floor)
    yield case("product of lengths just above 1e-8", 2e-4 * _units(rng, 2), 1e-4 * _units(rng, 3)).because(floor)
    f16 = [x.astype(np.float16) for x in mixed]
    yield case("float16 and eps=0.5", *f16, eps=0.5).because(floor)
    yield case("long vectors", 1e5 * queries, 1e5 * keys)


def _units(rng, n):
    x = rng.normal(size=(n, 4))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _lengths(queries, keys):
    return np.linalg.norm(queries, axis=-1)[..., :, None], np.linalg.norm(keys, axis=-1)[..., None, :]


@cosine_score.misconception("not divided by the lengths", hint="Divide the dot products by both lengths.")
def _(queries, keys, eps=1e-8):
    return queries @ transposed(keys)


@cosine_score.misconception(
    "eps is added to the denominator", hint="eps is a floor under the denominator: `np.maximum(lengths, eps)`."
)
def _(queries, keys, eps=1e-8):
    q, k = _lengths(queries, keys)
    return queries @ transposed(keys) / (q * k + eps)


@cosine_score.misconception(
    "each length gets a floor of its own", hint="The floor is under the product of the lengths: max(|q| |k|, eps)."
)
def _(queries, keys, eps=1e-8):
    q, k = _lengths(queries, keys)
    return queries @ transposed(keys) / (np.maximum(q, eps) * np.maximum(k, eps))


@cosine_score.misconception(
    "no floor under the denominator",
    hint="A vector of zeros gives 0 / 0, which is NaN. Use `np.maximum(lengths, eps)`.",
)
def _(queries, keys, eps=1e-8):
    q, k = _lengths(queries, keys)
    return queries @ transposed(keys) / (q * k)


@cosine_score.misconception(
    "eps is not used", hint="The argument `eps` need not be 1e-8. Use it, and not a number of your own."
)
def _(queries, keys, eps=1e-8):
    q, k = _lengths(queries, keys)
    return queries @ transposed(keys) / np.maximum(q * k, 1e-8)


@cosine_score.misconception(
    "eps replaces only a denominator of zero",
    hint="The floor holds for every product of lengths below eps, not only for 0.",
)
def _(queries, keys, eps=1e-8):
    q, k = _lengths(queries, keys)
    return queries @ transposed(keys) / np.where(q * k == 0, eps, q * k)


@cosine_score.misconception("only the queries' lengths are taken out", hint="Divide by the keys' lengths as well.")
def _(queries, keys, eps=1e-8):
    q, _ = _lengths(queries, keys)
    return queries @ transposed(keys) / np.maximum(q, eps)


@cosine_score.misconception("only the keys' lengths are taken out", hint="Divide by the queries' lengths as well.")
def _(queries, keys, eps=1e-8):
    _, k = _lengths(queries, keys)
    return queries @ transposed(keys) / np.maximum(k, eps)


@cosine_score.misconception(
    "divided by squared lengths", hint="A length is the square *root* of the sum of squares. The root is missing."
)
def _(queries, keys, eps=1e-8):
    q, k = _lengths(queries, keys)
    return queries @ transposed(keys) / np.maximum(q**2 * k**2, eps)


@cosine_score.misconception(
    "lengths as sums of absolute values", hint="Square, sum, take the root. `np.linalg.norm(x, axis=-1)` does that."
)
def _(queries, keys, eps=1e-8):
    q, k = np.abs(queries).sum(-1)[..., :, None], np.abs(keys).sum(-1)[..., None, :]
    return queries @ transposed(keys) / np.maximum(q * k, eps)


@cosine_score.misconception(
    "one length for the whole array", hint="Each query and each key has a length of its own: `axis=-1`."
)
def _(queries, keys, eps=1e-8):
    q, k = np.sqrt((queries**2).sum()), np.sqrt((keys**2).sum())
    return queries @ transposed(keys) / np.maximum(q * k, queries.dtype.type(eps))


@cosine_score.misconception(
    "the cosine distance", hint="You return 1 minus the cosine. A better match has a *higher* score."
)
def _(queries, keys, eps=1e-8):
    q, k = _lengths(queries, keys)
    return 1 - queries @ transposed(keys) / np.maximum(q * k, eps)


@cosine_score.misconception("rows and columns are swapped", hint="Rows belong to queries, columns to keys.")
def _(queries, keys, eps=1e-8):
    k, q = _lengths(keys, queries)
    return keys @ transposed(queries) / np.maximum(q * k, eps)


@cosine_score.misconception(
    "always float64", hint="The output's dtype follows the inputs: `.astype(queries.dtype)` at the end, if need be."
)
def _(queries, keys, eps=1e-8):
    queries, keys = queries.astype(np.float64), keys.astype(np.float64)
    q, k = _lengths(queries, keys)
    return queries @ transposed(keys) / np.maximum(q * k, eps)


@cosine_score.misconception(
    "changes its inputs in place", hint="`queries /= ...` writes into the caller's array. Make a new one."
)
def _(queries, keys, eps=1e-8):
    queries /= np.maximum(np.linalg.norm(queries, axis=-1, keepdims=True), eps)
    keys /= np.maximum(np.linalg.norm(keys, axis=-1, keepdims=True), eps)
    return queries @ transposed(keys)


# --- general_score ----------------------------------------------------------------------------------------

general_score = Exercise("general_score", lesson=LESSON)

general_score.hints = (
    "Follow the shapes: (T_q, d_q) times (d_q, d_k) times (d_k, T_k).",
    "`queries @ weight` has the keys' number of features. What is left is a score that you have written already.",
    "The dot product of `queries @ weight` with the keys. No scale.",
    "The body is one line: `return dot_score(queries @ weight, keys)`.",
)


@general_score.reference
def _(queries, keys, weight):
    return every_pair(queries, keys, lambda q, k: dot(through(q, weight), k))


add_cases(general_score, lambda rng, d_q, d_k, d_h: [rng.normal(size=(d_q, d_k))])


@general_score.misconception(
    "the weight is transposed", hint="weight is (d_q, d_k): its rows meet the query, its columns the key. No `.T`."
)
def _(queries, keys, weight):
    return queries @ weight.T @ transposed(keys)


@general_score.misconception(
    "scaled by the square root of d", hint="This score is not scaled: the weight can learn its own."
)
def _(queries, keys, weight):
    return queries @ weight @ transposed(keys) / keys.shape[-1] ** 0.5


@general_score.misconception(
    "scaled by the square root of the queries' d", hint="This score is not scaled: the weight can learn its own."
)
def _(queries, keys, weight):
    return queries @ weight @ transposed(keys) / queries.shape[-1] ** 0.5


@general_score.misconception("the weight is not used", hint="Between query and key stands the weight: q W k.")
def _(queries, keys, weight):
    return queries @ transposed(keys)


@general_score.misconception("tanh is in it", hint="There is no tanh in this score: it is a product of three.")
def _(queries, keys, weight):
    return np.tanh(queries @ weight) @ transposed(keys)


@general_score.misconception(
    "the weight is applied to queries and keys", hint="One weight stands between them: q W k. It is used once."
)
def _(queries, keys, weight):
    return queries @ weight @ transposed(keys @ weight)


@general_score.misconception("rows and columns are swapped", hint="Rows belong to queries, columns to keys.")
def _(queries, keys, weight):
    return transposed(queries @ weight @ transposed(keys))


@general_score.misconception(
    "queries and keys are swapped", hint="The query is multiplied from the left: `queries @ weight`, then the keys."
)
def _(queries, keys, weight):
    return keys @ weight @ transposed(queries)


@general_score.misconception(
    "all axes of the keys are turned", hint="`.T` reverses all axes, the batch too. Use `np.swapaxes(keys, -1, -2)`."
)
def _(queries, keys, weight):
    return queries @ weight @ keys.T


@general_score.misconception(
    "query i meets key i only", hint="Every query meets every key: the result is (T_q, T_k) numbers, not T_q."
)
def _(queries, keys, weight):
    return (queries @ weight * keys).sum(-1)


@general_score.misconception(
    "softmax is already in it", hint="Return the scores as they are. Weights come in lesson 02."
)
def _(queries, keys, weight):
    scores = queries @ weight @ transposed(keys)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@general_score.misconception(
    "always float64", hint="The output's dtype follows the inputs. Where do you make a float64?"
)
def _(queries, keys, weight):
    return queries.astype(np.float64) @ weight @ transposed(keys)


# --- concat_score -----------------------------------------------------------------------------------------

concat_score = Exercise("concat_score", lesson=LESSON)

concat_score.hints = (
    "First get every query beside every key. Both need the shape (..., T_q, T_k, features) before they can be joined.",
    "`queries[..., :, None, :]` and `keys[..., None, :, :]` have the axes in the right places, with "
    "size 1 where each repeats.",
    "Call them q and k: `np.broadcast_shapes(q.shape[:-1], k.shape[:-1])` is (..., T_q, T_k). `np.broadcast_to` "
    "stretches each to that, with its own number of features at the end.",
    "Then `np.tanh(np.concatenate([q, k], axis=-1) @ weight) @ v`.",
)


@concat_score.reference
def _(queries, keys, weight, v):
    v = v.tolist()
    return every_pair(queries, keys, lambda q, k: dot([math.tanh(h) for h in through(q + k, weight)], v))


def _concat_weights(rng, d_q, d_k, d_h):
    return [0.5 * rng.normal(size=(d_q + d_k, d_h)), rng.normal(size=d_h)]


add_cases(concat_score, _concat_weights)


@concat_score.aspect("hidden units", points=1)
def _(rng):
    def draw(d_q, d_k, d_h, scale=0.5):
        return (
            rng.normal(size=(2, d_q)),
            rng.normal(size=(3, d_k)),
            scale * rng.normal(size=(d_q + d_k, d_h)),
            rng.normal(size=d_h),
        )

    yield case("one hidden unit", *draw(4, 2, 1))
    yield case("as many as features in both", *draw(4, 2, 6))
    yield case("as many as queries", *draw(4, 2, 2))
    yield case("25 hidden units", *draw(3, 4, 25))
    yield case("sums so large that tanh is 1 or -1", *draw(3, 4, 5, scale=1e3))
    yield case("sums so small that tanh changes little", *draw(3, 4, 5, scale=1e-6))


def _pairs(queries, keys):
    q, k = queries[..., :, None, :], keys[..., None, :, :]
    shape = np.broadcast_shapes(q.shape[:-1], k.shape[:-1])
    return np.broadcast_to(q, (*shape, q.shape[-1])), np.broadcast_to(k, (*shape, k.shape[-1]))


@concat_score.misconception(
    "the key comes first", hint="The query comes first in [q; k]: the weight's first rows are its."
)
def _(queries, keys, weight, v):
    q, k = _pairs(queries, keys)
    return np.tanh(np.concatenate([k, q], axis=-1) @ weight) @ v


@concat_score.misconception("no tanh", hint="tanh stands between the weight and v.")
def _(queries, keys, weight, v):
    return np.concatenate(_pairs(queries, keys), axis=-1) @ weight @ v


@concat_score.misconception("tanh after v", hint="tanh comes before v: it acts on the hidden units, not on the score.")
def _(queries, keys, weight, v):
    return np.tanh(np.concatenate(_pairs(queries, keys), axis=-1) @ weight @ v)


@concat_score.misconception("tanh before the weight", hint="First the weight, then tanh, then v.")
def _(queries, keys, weight, v):
    return np.tanh(np.concatenate(_pairs(queries, keys), axis=-1)) @ weight @ v


@concat_score.misconception("ReLU in place of tanh", hint="The formula has tanh: `np.tanh`.")
def _(queries, keys, weight, v):
    return np.maximum(np.concatenate(_pairs(queries, keys), axis=-1) @ weight, 0) @ v


@concat_score.misconception("v is not used", hint="The hidden units are weighed by v, and not just added up.")
def _(queries, keys, weight, v):
    return np.tanh(np.concatenate(_pairs(queries, keys), axis=-1) @ weight).sum(-1)


@concat_score.misconception(
    "rows and columns are swapped", hint="Rows belong to queries: insert the axes the other way round."
)
def _(queries, keys, weight, v):
    return transposed(np.tanh(np.concatenate(_pairs(queries, keys), axis=-1) @ weight) @ v)


@concat_score.misconception(
    "query i meets key i only", hint="Every query meets every key: give both the shape (..., T_q, T_k, features) first."
)
def _(queries, keys, weight, v):
    return np.tanh(np.concatenate([queries, keys], axis=-1) @ weight) @ v


@concat_score.misconception(
    "leading axes do not broadcast",
    hint="`np.concatenate` does not broadcast. Use `np.broadcast_to` for the leading axes as well.",
)
def _(queries, keys, weight, v):
    if queries.shape[:-2] != keys.shape[:-2]:
        raise ValueError
    return np.tanh(np.concatenate(_pairs(queries, keys), axis=-1) @ weight) @ v


@concat_score.misconception("scaled by the square root of the hidden units", hint="This score is not scaled.")
def _(queries, keys, weight, v):
    return np.tanh(np.concatenate(_pairs(queries, keys), axis=-1) @ weight) @ v / len(v) ** 0.5


@concat_score.misconception(
    "the pairs are in the wrong order",
    hint="After `np.repeat` and `np.tile`, reshape to (T_q, T_k): which of them ran faster, queries or keys?",
)
def _(queries, keys, weight, v):
    scores = transposed(np.tanh(np.concatenate(_pairs(queries, keys), axis=-1) @ weight) @ v)
    return scores.reshape(*scores.shape[:-2], scores.shape[-1], scores.shape[-2])


@concat_score.misconception("always float64", hint="The output's dtype follows the inputs. `np.zeros` makes float64.")
def _(queries, keys, weight, v):
    return np.tanh(np.concatenate(_pairs(queries, keys), axis=-1).astype(np.float64) @ weight) @ v


# --- additive_score ---------------------------------------------------------------------------------------

additive_score = Exercise("additive_score", lesson=LESSON)

additive_score.hints = (
    "First project: `queries @ w_query` and `keys @ w_key` both have d_h features. Then add each to each.",
    "To add each to each, one needs a new axis for the keys, and the other a new axis for the queries.",
    "`(queries @ w_query)[..., :, None, :] + (keys @ w_key)[..., None, :, :]` has the shape (..., T_q, T_k, d_h).",
    "Then `np.tanh(that) @ v`: a product with a vector sums the last axis away.",
)


@additive_score.reference
def _(queries, keys, w_query, w_key, v):
    v = v.tolist()

    def score(q, k):
        return dot([math.tanh(a + b) for a, b in zip(through(q, w_query), through(k, w_key), strict=True)], v)

    return every_pair(queries, keys, score)


def _additive_weights(rng, d_q, d_k, d_h):
    return [0.5 * rng.normal(size=(d_q, d_h)), 0.5 * rng.normal(size=(d_k, d_h)), rng.normal(size=d_h)]


add_cases(additive_score, _additive_weights)


@additive_score.aspect("hidden units", points=1)
def _(rng):
    def draw(d_q, d_k, d_h, scale=0.5):
        return (
            rng.normal(size=(2, d_q)),
            rng.normal(size=(3, d_k)),
            scale * rng.normal(size=(d_q, d_h)),
            scale * rng.normal(size=(d_k, d_h)),
            rng.normal(size=d_h),
        )

    yield case("one hidden unit", *draw(4, 2, 1))
    yield case("as many as features", *draw(4, 4, 4))
    yield case("as many as queries", *draw(4, 3, 2))
    yield case("25 hidden units", *draw(3, 4, 25))
    yield case("sums so large that tanh is 1 or -1", *draw(3, 4, 5, scale=1e3))
    yield case("sums so small that tanh changes little", *draw(3, 4, 5, scale=1e-6))


def _sums(queries, keys, w_query, w_key):
    return (queries @ w_query)[..., :, None, :] + (keys @ w_key)[..., None, :, :]


@additive_score.misconception("no tanh", hint="tanh stands between the sum and v.")
def _(queries, keys, w_query, w_key, v):
    return _sums(queries, keys, w_query, w_key) @ v


@additive_score.misconception(
    "tanh after v", hint="tanh comes before v: it acts on the hidden units, not on the score."
)
def _(queries, keys, w_query, w_key, v):
    return np.tanh(_sums(queries, keys, w_query, w_key) @ v)


@additive_score.misconception(
    "tanh of each projection",
    hint="Add the projections first, then take tanh of the sum. tanh(a) + tanh(b) is another number.",
)
def _(queries, keys, w_query, w_key, v):
    return (np.tanh(queries @ w_query)[..., :, None, :] + np.tanh(keys @ w_key)[..., None, :, :]) @ v


@additive_score.misconception(
    "multiplied where it should be added", hint="The projections are added, hence the name: additive."
)
def _(queries, keys, w_query, w_key, v):
    return np.tanh((queries @ w_query)[..., :, None, :] * (keys @ w_key)[..., None, :, :]) @ v


@additive_score.misconception("the keys are subtracted", hint="The projections are added: q W_q + k W_k.")
def _(queries, keys, w_query, w_key, v):
    return np.tanh((queries @ w_query)[..., :, None, :] - (keys @ w_key)[..., None, :, :]) @ v


@additive_score.misconception("ReLU in place of tanh", hint="The formula has tanh: `np.tanh`.")
def _(queries, keys, w_query, w_key, v):
    return np.maximum(_sums(queries, keys, w_query, w_key), 0) @ v


@additive_score.misconception("v is not used", hint="The hidden units are weighed by v, and not just added up.")
def _(queries, keys, w_query, w_key, v):
    return np.tanh(_sums(queries, keys, w_query, w_key)).sum(-1)


@additive_score.misconception(
    "rows and columns are swapped", hint="Rows belong to queries: insert the axes the other way round."
)
def _(queries, keys, w_query, w_key, v):
    return transposed(np.tanh(_sums(queries, keys, w_query, w_key)) @ v)


@additive_score.misconception(
    "query i meets key i only", hint="Every query meets every key: insert an axis in each projection before you add."
)
def _(queries, keys, w_query, w_key, v):
    return np.tanh(queries @ w_query + keys @ w_key) @ v


@additive_score.misconception("the weights are swapped", hint="`w_query` goes with the queries, `w_key` with the keys.")
def _(queries, keys, w_query, w_key, v):
    return np.tanh(_sums(queries, keys, w_key, w_query)) @ v


@additive_score.misconception(
    "the new axes are in fixed places",
    hint="`[:, None, :]` and `[None, :, :]` fit matrices only. With `...` in front they fit any number "
    "of leading axes.",
)
def _(queries, keys, w_query, w_key, v):
    return np.tanh((queries @ w_query)[:, None, :] + (keys @ w_key)[None, :, :]) @ v


@additive_score.misconception("scaled by the square root of the hidden units", hint="This score is not scaled.")
def _(queries, keys, w_query, w_key, v):
    return np.tanh(_sums(queries, keys, w_query, w_key)) @ v / len(v) ** 0.5


@additive_score.misconception("always float64", hint="The output's dtype follows the inputs. `np.zeros` makes float64.")
def _(queries, keys, w_query, w_key, v):
    return np.tanh(_sums(queries, keys, w_query, w_key).astype(np.float64)) @ v
