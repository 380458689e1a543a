"""How lesson 03 is checked: masks, masked softmax, and a test that students write."""

import math

import numpy as np

from autograder.exercise import Exercise, Prop, case

# --------------------------------------------------------------------------------------------- padding_mask

padding_mask = Exercise("padding_mask", lesson="03_masking")


@padding_mask.reference
def _(lengths, max_len):
    """Position by position."""
    return np.array([[position < int(length) for position in range(max_len)] for length in lengths])


padding_mask.hints = (
    "Which positions exist? `np.arange(max_len)` lists them. Compare them with the lengths.",
    "A row of shape (max_len,) and a column of shape (B, 1) broadcast to (B, max_len). `lengths[:, None]` is a column.",
    "`np.arange(max_len) < lengths[:, None]`. Before it: if any length is below 0 or above max_len, raise a ValueError "
    "that names lengths, what was given and what was expected.",
)


@padding_mask.aspect("real tokens and padding", points=2)
def _(rng):
    yield case("two sentences", np.array([2, 4]), 5)
    yield case("the same shape, other lengths", np.array([3, 1]), 5)
    lengths = rng.integers(1, 7, size=5)
    yield case("five sentences", lengths, 7)
    yield case("the same lengths, more padding", lengths, 9).because("the second axis has max_len positions")
    yield case("an empty and a full sentence", np.array([0, 6, 3]), max_len=6)
    yield case("as many sentences as positions", rng.permutation(4) + 1, 4)
    yield case("one sentence", rng.integers(1, 5, size=1), 5)
    yield case("more sentences than positions, 32-bit lengths", rng.integers(0, 4, size=9).astype(np.int32), 3)
    yield case("long sentences", rng.integers(100, 300, size=3), 300)
    yield case("named arguments", lengths=rng.integers(0, 5, size=3), max_len=4)


@padding_mask.aspect("lengths that cannot be", points=1)
def _(rng):
    good = rng.integers(1, 5, size=4)
    at = int(rng.integers(4))
    negative, long = good.copy(), good.copy()
    negative[at], long[at] = -1, 6
    yield case("a negative length", negative, 5).raises(ValueError)
    yield case("a length of max_len + 1", long, 5).raises(ValueError)
    yield case("very negative lengths", np.array([-3, -7]), 4).raises(ValueError)
    yield case("lengths far above max_len", np.array([40, 50]), 4).raises(ValueError)
    yield case("0 and max_len are allowed", np.array([5, 0, 5, 0]), 5)
    yield case("lengths that all fit", good, 5)


@padding_mask.misconception(
    "True at padding", hint='True means "may be attended to": real tokens are True and padding is False.'
)
def _(lengths, max_len):
    _demand_lengths(lengths, max_len)
    return np.arange(max_len) >= lengths[:, None]


@padding_mask.misconception(
    "one position too many", hint="Positions count from 0: a sentence of length 2 has positions 0 and 1. Use <, not <=."
)
def _(lengths, max_len):
    _demand_lengths(lengths, max_len)
    return np.arange(max_len) <= lengths[:, None]


@padding_mask.misconception(
    "one position too few",
    hint="Positions count from 0: a sentence of length 2 has positions 0 and 1, and both are real.",
)
def _(lengths, max_len):
    _demand_lengths(lengths, max_len)
    return np.arange(max_len) < lengths[:, None] - 1


@padding_mask.misconception(
    "padding comes first", hint="The real tokens come first and the padding after them; yours is the other way round."
)
def _(lengths, max_len):
    _demand_lengths(lengths, max_len)
    return np.arange(max_len) >= max_len - lengths[:, None]


@padding_mask.misconception(
    "numbers, not booleans",
    hint="A mask is boolean. A comparison such as `a < b` gives booleans; zeros and ones need `dtype=bool`.",
)
def _(lengths, max_len):
    _demand_lengths(lengths, max_len)
    return (np.arange(max_len) < lengths[:, None]).astype(float)


@padding_mask.misconception(
    "sentences in columns", hint="Each sentence is a row: the shape is (B, max_len). Yours is (max_len, B)."
)
def _(lengths, max_len):
    _demand_lengths(lengths, max_len)
    return np.arange(max_len)[:, None] < lengths


@padding_mask.misconception(
    "as wide as the longest sentence",
    hint="The second axis has max_len positions, even if no sentence of the batch is that long.",
)
def _(lengths, max_len):
    _demand_lengths(lengths, max_len)
    return np.arange(max(lengths)) < lengths[:, None]


@padding_mask.misconception(
    "no ValueError", hint="One length below 0 or above max_len is enough: raise ValueError before anything is returned."
)
def _(lengths, max_len):
    return np.arange(max_len) < lengths[:, None]


@padding_mask.misconception(
    "negative lengths pass", hint="You look for lengths above max_len. Look for lengths below 0, too."
)
def _(lengths, max_len):
    if (lengths > max_len).any():
        raise ValueError("lengths")
    return np.arange(max_len) < lengths[:, None]


@padding_mask.misconception(
    "lengths above max_len pass", hint="You look for lengths below 0. Look for lengths above max_len, too."
)
def _(lengths, max_len):
    if (lengths < 0).any():
        raise ValueError("lengths")
    return np.arange(max_len) < lengths[:, None]


@padding_mask.misconception(
    "a length of 0 is refused", hint="An empty sentence is allowed: length 0 gives a row of False, no error."
)
def _(lengths, max_len):
    if (lengths <= 0).any() or (lengths > max_len).any():
        raise ValueError("lengths")
    return np.arange(max_len) < lengths[:, None]


@padding_mask.misconception(
    "a length of max_len is refused", hint="A sentence may fill its row: length max_len gives a row of True, no error."
)
def _(lengths, max_len):
    if (lengths < 0).any() or (lengths >= max_len).any():
        raise ValueError("lengths")
    return np.arange(max_len) < lengths[:, None]


def _demand_lengths(lengths, max_len):
    if (lengths < 0).any() or (lengths > max_len).any():
        raise ValueError("lengths")


# ---------------------------------------------------------------------------------------------- causal_mask

causal_mask = Exercise("causal_mask", lesson="03_masking")


@causal_mask.reference
def _(length):
    """Pair by pair."""
    return np.array([[key <= query for key in range(length)] for query in range(length)])


causal_mask.hints = (
    "Write down the mask for length 3: which keys may query 0 see, which query 1, which query 2?",
    "Compare two ranges: keys along the second axis, queries along the first. Or find NumPy's function for triangles.",
    "`np.tri(length, dtype=bool)`, or `position <= position[:, None]` with `position = np.arange(length)`.",
)


@causal_mask.aspect("the past and the present", points=2)
def _(rng):
    yield case("length 4", 4).because("query i may attend to keys 0 to i")
    yield case("length 1", 1).because("the only query may attend to itself")
    yield case("length 2", 2)
    yield case("another length", length=int(rng.integers(5, 9)))
    yield case("a long text", int(rng.integers(60, 90)))


@causal_mask.misconception(
    "the future instead of the past",
    hint="Yours is transposed: row i is the query, column j the key, and key j is allowed if j <= i.",
)
def _(length):
    return np.triu(np.ones((length, length), bool))


@causal_mask.misconception(
    "True where forbidden", hint='Your mask is inverted. True means "may be attended to", so the past is True.'
)
def _(length):
    return np.triu(np.ones((length, length), bool), 1)


@causal_mask.misconception(
    "a query does not see itself",
    hint="The diagonal is allowed: query i may attend to keys 0 to i, and i is one of them.",
)
def _(length):
    return np.tri(length, k=-1, dtype=bool)


@causal_mask.misconception(
    "one step into the future", hint="Shifted by one: query i sees key i + 1, the very word that it has to predict."
)
def _(length):
    return np.tri(length, k=1, dtype=bool)


@causal_mask.misconception("floats, not booleans", hint="A mask is boolean: give `dtype=bool`, or compare with > 0.")
def _(length):
    return np.tri(length)


@causal_mask.misconception("integers, not booleans", hint="A mask is boolean: give `dtype=bool`, or compare with > 0.")
def _(length):
    return np.tri(length, dtype=int)


@causal_mask.misconception(
    "minus infinity instead of False",
    hint="That is a mask to be added to scores. In this course a mask is boolean, and `masked_softmax` applies it.",
)
def _(length):
    return np.where(np.tri(length, dtype=bool), 0.0, -np.inf)


@causal_mask.misconception(
    "only the query itself", hint="Query i may attend to all keys from 0 to i, not to key i alone."
)
def _(length):
    return np.eye(length, dtype=bool)


@causal_mask.misconception(
    "the other diagonal", hint="Your triangle is mirrored: the first query sees only key 0, the last one sees all."
)
def _(length):
    return np.tri(length, dtype=bool)[:, ::-1].copy()


@causal_mask.misconception("a fixed length", hint="The mask must have the shape (length, length), whatever length is.")
def _(length):
    return np.tri(4, dtype=bool)


# ---------------------------------------------------------------------------------------------- window_mask

window_mask = Exercise("window_mask", lesson="03_masking")


@window_mask.reference
def _(length, radius):
    """Pair by pair."""
    return np.array([[abs(query - key) <= radius for key in range(length)] for query in range(length)])


window_mask.hints = (
    "For each pair of a query and a key you need their distance. Make all distances at once, as an array.",
    "`position = np.arange(length)`; `position[:, None] - position` has the shape (length, length).",
    "`np.abs(position[:, None] - position) <= radius`, and before it a ValueError for a radius below 0.",
)


@window_mask.aspect("the neighborhood", points=2)
def _(rng):
    yield case("radius 1", 5, 1)
    yield case("the same length, radius 2", 5, 2).because("keys at distance 2 are allowed on both sides")
    length = int(rng.integers(6, 10))
    yield case("radius 3", length, 3)
    yield case("radius 0", length, 0).because("each query sees only itself")
    yield case("a radius of length - 1", 4, 3).because("everything is near")
    yield case("a radius far above the length", length=3, radius=int(rng.integers(5, 50)))
    yield case("a radius of length", 4, 4)
    yield case("length 1", 1, int(rng.integers(0, 3)))
    yield case("a long text", int(rng.integers(60, 90)), int(rng.integers(10, 20)))


@window_mask.aspect("a negative radius", points=1)
def _(rng):
    yield case("radius -1", 4, -1).raises(ValueError)
    yield case("a very negative radius", int(rng.integers(2, 6)), -int(rng.integers(2, 20))).raises(ValueError)
    yield case("radius 0 is fine", 3, 0)
    yield case("radius 1 is fine", 4, 1)


@window_mask.misconception(
    "only the past", hint="The window has two sides: keys after the query are near as well. Use the absolute distance."
)
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    distance = position[:, None] - position
    return (distance >= 0) & (distance <= radius)


@window_mask.misconception("the radius itself is left out", hint="A key at distance radius is allowed: use <=, not <.")
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    return np.abs(position[:, None] - position) < radius


@window_mask.misconception("one key too many", hint="The farthest allowed key is at distance radius, not radius + 1.")
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= radius + 1


@window_mask.misconception(
    "radius taken as the width",
    hint="The radius is how far the window reaches on each side. It has 2 * radius + 1 keys, not radius.",
)
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= radius // 2


@window_mask.misconception("True where forbidden", hint="Your mask is inverted: True means near, hence allowed.")
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    return np.abs(position[:, None] - position) > radius


@window_mask.misconception(
    "no absolute value", hint="i - j is negative for keys after the query, so every one of them passes <= radius."
)
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    return position[:, None] - position <= radius


@window_mask.misconception(
    "the text is a circle", hint="The first and the last position are far apart: a window does not wrap around."
)
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    distance = np.abs(position[:, None] - position)
    return np.minimum(distance, length - distance) <= radius


@window_mask.misconception(
    "blocks instead of windows", hint="Each query has its own window, centered on it. Yours cuts the text into blocks."
)
def _(length, radius):
    _demand_radius(radius)
    block = np.arange(length) // (radius + 1)
    return block[:, None] == block


@window_mask.misconception("numbers, not booleans", hint="A mask is boolean: return the comparison itself.")
def _(length, radius):
    _demand_radius(radius)
    position = np.arange(length)
    return (np.abs(position[:, None] - position) <= radius).astype(int)


@window_mask.misconception(
    "no ValueError", hint="A negative radius must raise ValueError. Yours allows nothing instead."
)
def _(length, radius):
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= radius


@window_mask.misconception(
    "a negative radius is repaired", hint="Do not turn a negative radius into another one. Raise a ValueError."
)
def _(length, radius):
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= max(radius, 0)


@window_mask.misconception(
    "the sign of the radius is dropped", hint="Do not turn a negative radius into another one. Raise a ValueError."
)
def _(length, radius):
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= abs(radius)


@window_mask.misconception(
    "a radius of 0 is refused",
    hint="Radius 0 is allowed: each query sees only itself. Only a radius below 0 is an error.",
)
def _(length, radius):
    if radius <= 0:
        raise ValueError("radius")
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= radius


@window_mask.misconception(
    "a wide window is refused", hint="A radius of length or more is allowed: then every key is near."
)
def _(length, radius):
    if radius < 0 or radius >= length:
        raise ValueError("radius")
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= radius


def _demand_radius(radius):
    if radius < 0:
        raise ValueError("radius")


# -------------------------------------------------------------------------------------------- combine_masks

combine_masks = Exercise("combine_masks", lesson="03_masking")


@combine_masks.reference
def _(*masks):
    """Entry by entry over the broadcast shape."""
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    shape = np.broadcast_shapes(*(mask.shape for mask in given))
    views = [np.broadcast_to(mask, shape) for mask in given]
    combined = np.empty(shape, bool)
    for index in np.ndindex(*shape):
        combined[index] = all(view[index] for view in views)
    return combined


combine_masks.hints = (
    "A pair is allowed only if all masks allow it. Go through the masks and keep what you have so far.",
    "`a & b` is the logical and of two boolean arrays; it broadcasts and makes a new array. Skip what is None.",
    "Start with `combined = None`. For each mask that is not None: `combined = mask if combined is None else "
    "combined & mask`. Return `combined`.",
)


@combine_masks.aspect("logical and", points=1)
def _(rng):
    def draw(*shape, p=0.6):
        return rng.random(shape) < p

    truth = np.array([[True, True, False, False], [True, False, True, False]])
    yield case("all four pairs of truth values", truth[0], truth[1])
    yield case("two masks", draw(3, 5), draw(3, 5))
    yield case("the same shapes, other masks", draw(3, 5), draw(3, 5))
    yield case("three masks", draw(4, 6, p=0.8), draw(4, 6, p=0.8), draw(4, 6, p=0.8))
    yield case("five masks", *(draw(20, p=0.85) for _ in range(5)))
    yield case("one mask", draw(3, 4))
    yield case("masks that exclude each other", np.array([True, False]), np.array([False, True]))
    yield case("masks that allow everything", np.ones((2, 3), bool), np.ones(3, bool))
    yield case("masks that forbid everything", np.zeros((2, 3), bool), np.zeros(3, bool))


@combine_masks.aspect("masks of different shapes", points=1)
def _(rng):
    def draw(*shape):
        return rng.random(shape) < 0.7

    causal = np.tri(4, dtype=bool)
    yield case("a padding mask (3, 1, 4) and a causal mask (4, 4)", draw(3, 1, 4), causal)
    yield case("a causal mask (4, 4) and a padding mask (3, 1, 4)", causal, draw(3, 1, 4))
    yield case("a batch of one sentence", draw(1, 1, 4), causal).because(
        "the batch axis stays, even if its length is 1"
    )
    yield case("a column and a row", draw(3, 1), draw(1, 5))
    yield case("one axis and three", draw(5), draw(2, 3, 5))
    yield case("three shapes", draw(2, 1, 1, 5), draw(3, 5), draw(4, 1, 1))
    yield case("the largest last", draw(4), draw(3, 1), draw(2, 3, 4))


@combine_masks.aspect("None", points=1)
def _(rng):
    def draw(*shape):
        return rng.random(shape) < 0.6

    yield case("None between two masks", draw(3, 5), None, draw(3, 5)).because("None masks nothing, so it is skipped")
    yield case("None first", None, draw(3, 5), draw(5))
    yield case("None last", draw(3, 5), draw(3, 1), None)
    yield case("two Nones and a mask", None, None, draw(2, 3))
    yield case("None", None).because("no mask is left, and None says so")
    yield case("two Nones", None, None).because("no mask is left, and None says so")
    yield case("no mask at all").because("no mask is left, and None says so")


@combine_masks.misconception(
    "or instead of and", hint="A pair is allowed if every mask allows it. Yours allows it if any mask does."
)
def _(*masks):
    return _fold(np.logical_or, masks)


@combine_masks.misconception(
    "exclusive or",
    hint="`^` and `!=` are true where the masks differ. A pair is allowed where all masks are True: `&`.",
)
def _(*masks):
    return _fold(np.logical_xor, masks)


@combine_masks.misconception(
    "only the first two masks", hint="There may be any number of masks, not only two. Go on until the last one."
)
def _(*masks):
    return _fold(np.logical_and, [mask for mask in masks if mask is not None][:2])


@combine_masks.misconception(
    "the last mask wins", hint="You replace what you had so far with each new mask, instead of combining the two."
)
def _(*masks):
    return _fold(lambda a, b: np.broadcast_to(b, np.broadcast_shapes(a.shape, b.shape)).copy(), masks)


@combine_masks.misconception(
    "None if any mask is None",
    hint="One None does not undo the other masks: skip it. None is the answer if nothing is left.",
)
def _(*masks):
    return None if any(mask is None for mask in masks) else _fold(np.logical_and, masks)


@combine_masks.misconception(
    "it stops at the first None", hint="Skip a None and go on (`continue`): the masks after it count too."
)
def _(*masks):
    combined = None
    for mask in masks:
        if mask is None:
            break
        combined = mask if combined is None else combined & mask
    return combined


@combine_masks.misconception(
    "True instead of None", hint="If nothing is left, return None. There is no shape that an array of True could have."
)
def _(*masks):
    combined = _fold(np.logical_and, masks)
    return np.array(True) if combined is None else combined


@combine_masks.misconception(
    "integers, not booleans", hint="Booleans in, booleans out: `&` and `np.logical_and` keep the dtype bool."
)
def _(*masks):
    combined = _fold(np.logical_and, masks)
    return None if combined is None else combined.astype(int)


@combine_masks.misconception(
    "the first mask is changed", hint="`&=` writes into the caller's mask. `a & b` makes a new array."
)
def _(*masks):
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    combined = given[0]
    for mask in given[1:]:
        if np.broadcast_shapes(combined.shape, mask.shape) == combined.shape:
            combined &= mask
        else:
            combined = combined & mask
    return combined


@combine_masks.misconception(
    "the shape of the first mask is kept",
    hint="Later masks may have more axes than the first, or longer ones: `a & b` broadcasts both.",
)
def _(*masks):
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    combined = given[0].copy()
    for mask in given[1:]:
        combined &= mask
    return combined


@combine_masks.misconception(
    "all shapes must be equal", hint="The masks may have different shapes. Combine two at a time: they broadcast."
)
def _(*masks):
    given = [mask for mask in masks if mask is not None]
    return np.all(np.stack(given), axis=0) if given else None


def _fold(operation, masks):
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else operation(combined, mask)
    return combined


# ------------------------------------------------------------------------------------------- masked_softmax

masked_softmax = Exercise("masked_softmax", lesson="03_masking")


@masked_softmax.reference
def _(scores, mask=None, axis=-1):
    """Line by line from the definition, with Python's own floats."""
    allowed = np.broadcast_to(True if mask is None else mask, scores.shape)
    weights = np.zeros(scores.shape)
    lines = np.moveaxis(scores, axis, -1), np.moveaxis(allowed, axis, -1), np.moveaxis(weights, axis, -1)
    for index in np.ndindex(*lines[0].shape[:-1]):
        line, may, out = (part[index] for part in lines)
        keys = [j for j in range(len(line)) if may[j] and line[j] > -math.inf]
        if keys:
            top = max(line[j] for j in keys)
            powers = [math.exp(line[j] - top) for j in keys]
            out[keys] = [power / math.fsum(powers) for power in powers]
    return weights


masked_softmax.hints = (
    "Take the forbidden entries out before the softmax, not after it. Which score gives a weight of exactly 0?",
    "`np.where(mask, scores, -np.inf)` makes a new array, broadcasts the mask and keeps float32. Then `softmax`.",
    "The softmax of lesson 02 already gives zeros for a line of -inf, and it knows `axis`. So two steps are enough: "
    "replace the scores if there is a mask, then `return softmax(scores, axis=axis)`.",
)


@masked_softmax.property
def _(case, value):
    mask = case.args[1] if len(case.args) > 1 else case.kwargs.get("mask")
    if mask is not None and np.any(value[~np.broadcast_to(mask, value.shape)] != 0):
        return "A forbidden entry has a weight that is small, but not 0. Masking is exact."
    return None


def _mask(rng, *shape, axis=-1):
    """A random mask: every line along `axis` allows something, and the very first entry is forbidden."""
    lines = np.moveaxis(np.empty(shape, bool), axis, -1)
    lines[...] = rng.random(lines.shape) < 0.6
    lines[..., rng.integers(lines.shape[-1])] = True
    lines[(0,) * lines.ndim] = False
    lines[(0,) * (lines.ndim - 1) + (1,)] = True
    return np.ascontiguousarray(np.moveaxis(lines, -1, axis))


@masked_softmax.aspect("values", points=1)
def _(rng):
    scores, mask = rng.normal(size=(3, 4)), _mask(rng, 3, 4)
    yield case("a mask", scores, mask)
    yield case("the same mask, other scores", 3 * rng.normal(size=(3, 4)), mask)
    yield case("the same scores, another mask", scores, _mask(rng, 3, 4))
    yield case("no mask", rng.normal(size=(2, 5)))
    yield case("mask=None", rng.normal(size=(2, 5)), mask=None)
    yield case("a mask that allows everything", rng.normal(size=(2, 5)), np.ones((2, 5), bool))
    yield case("one row", rng.normal(size=6), mask=_mask(rng, 6))
    yield case("a batch of square scores", rng.normal(size=(2, 4, 4)), np.tri(4, dtype=bool) & np.ones((2, 1, 1), bool))
    yield case("three leading axes", rng.normal(size=(2, 3, 2, 5)), _mask(rng, 2, 3, 2, 5))
    yield case("many keys, larger scores", 20 * rng.normal(size=(2, 50)), _mask(rng, 2, 50))


@masked_softmax.aspect("masks that broadcast", points=1)
def _(rng):
    scores = rng.normal(size=(3, 4, 5))
    yield case("a mask with fewer axes, (T_q, T_k)", scores, _mask(rng, 4, 5))
    yield case("one mask row for all queries, (T_k,)", scores, _mask(rng, 5))
    yield case("a padding mask (B, 1, T_k)", scores, _mask(rng, 3, 1, 5))
    yield case("a mask (1, T_q, T_k)", scores, _mask(rng, 1, 4, 5))
    yield case("heads share a mask (B, 1, 1, T_k)", rng.normal(size=(2, 3, 4, 5)), _mask(rng, 2, 1, 1, 5))
    cube = rng.normal(size=(4, 4, 4))
    yield case("as many queries as keys and sentences", cube, _mask(rng, 4, 1, 4))
    yield case("the same scores, a causal mask", cube, np.tri(4, dtype=bool))
    yield case("the same scores, one row for all", cube, np.array([True, False, True, False]))


@masked_softmax.aspect("rows with nothing to attend to", points=1)
def _(rng):
    empty = _mask(rng, 3, 4)
    empty[1] = False
    yield case("the second of three rows is empty", rng.normal(size=(3, 4)), empty).because(
        "there is nothing to attend to in row 1, so all its weights are 0"
    )
    yield case("every row is empty", rng.normal(size=(2, 3)), np.zeros((2, 3), bool))
    queries = np.array([[True], [True], [False], [True]])
    yield case("a mask (T_q, 1)", rng.normal(size=(3, 4, 5)), queries).because(
        "query 2 may attend to nothing, the rest to all"
    )
    batch = _mask(rng, 3, 1, 5)
    batch[int(rng.integers(3))] = False
    yield case("one sentence of the batch is empty", rng.normal(size=(3, 2, 5)), batch)
    yield case("one row that is empty", rng.normal(size=4), np.zeros(4, bool))
    along = _mask(rng, 2, 3, 4, axis=1)
    along[0, :, 1] = False
    yield case("axis 1, a line of which nothing is allowed", rng.normal(size=(2, 3, 4)), along, axis=1)
    yield case("axis 0, a column of which nothing is allowed", rng.normal(size=(4, 4)), along[0, 0], axis=0)
    scores = rng.normal(size=(3, 4))
    scores[1, :2] = np.nan, np.inf
    yield case("NaN and infinity in the empty row", scores, empty)
    yield case("an empty row, float32", rng.normal(size=(3, 4)).astype(np.float32), empty)
    yield case("an empty row, float16", rng.normal(size=(3, 4)).astype(np.float16), empty)
    infinite = rng.normal(size=(3, 4))
    infinite[0, 1] = infinite[2] = -np.inf
    yield case("scores of -inf, no mask", infinite).because("a score of -inf gets no weight, even if it is allowed")
    yield case("scores of -inf, allowed by the mask", infinite, np.ones((3, 4), bool))
    alone = np.array([[True, True, False], [True, False, True], [False, True, True]])
    yield case(
        "the only allowed scores are -inf",
        np.array([[-np.inf, -np.inf, 2.0], [-np.inf, 1.0, 1.0], [7.0, 1.0, -np.inf]]),
        alone,
    )


@masked_softmax.aspect("large scores", points=1)
def _(rng):
    mask = _mask(rng, 3, 5)
    scores = rng.normal(size=(3, 5))
    for size in (1e6, 1e10, 1e300):
        yield (
            case(f"{size:g} at forbidden keys", np.where(mask, scores, size), mask)
            .magnitude(3.0)
            .because("what stands under the mask does not matter")
        )
    yield case("NaN at forbidden keys", np.where(mask, scores, np.nan), mask)
    yield case("infinity at forbidden keys", np.where(mask, scores, np.inf), mask)
    yield case("-infinity at forbidden keys", np.where(mask, scores, -np.inf), mask)
    for size in (1e4, 1e6, 1e10):
        yield case(f"allowed scores near {-size:g}", np.where(mask, scores - size, scores), mask).because(
            "a fill that is finite is beaten by such scores"
        )
    yield case("scores from -1e4 to 1e4", rng.uniform(-1e4, 1e4, size=(4, 6)), _mask(rng, 4, 6))
    levels = np.array([[1e4], [-1e4], [0.0]])
    yield case("rows that differ by 1e4", scores + levels, mask)
    one = np.arange(4) == rng.integers(4, size=3)[:, None]
    for dtype in (np.float64, np.float32, np.float16):
        lowest = np.where(one, np.finfo(dtype).min, 0).astype(dtype)
        yield case(f"one allowed key with the lowest score there is, {np.dtype(dtype)}", lowest, one).magnitude(1.0)
    yield case("float32, 1e6 at forbidden keys", np.where(mask, scores, 1e6).astype(np.float32), mask).magnitude(3.0)
    yield case("float16, 6e4 at forbidden keys", np.where(mask, scores, 6e4).astype(np.float16), mask).magnitude(3.0)
    apart = np.array([[1000, -1000, 1960, 1500], [-2000, -1000, -1500, 0], [900, 500, 100, 2000]], np.float16)
    yield case("float16, scores of a thousand", apart, np.array([True, True, False, True])).magnitude(1.0)
    yield case("float16, NaN at forbidden keys", np.where(mask, scores, np.nan).astype(np.float16), mask)


@masked_softmax.aspect("any axis", points=1)
def _(rng):
    square = rng.normal(size=(4, 4))
    yield case("axis 0 of square scores", square, np.tri(4, dtype=bool), axis=0)
    yield case("axis 0, no mask", rng.normal(size=(3, 5)), axis=0)
    scores = rng.normal(size=(2, 3, 4))
    for axis in (1, -2, 0, -3, 2):
        yield case(f"axis {axis} of three", scores, _mask(rng, 2, 3, 4, axis=axis), axis=axis)
    yield case("axis 1 of three, by position", scores, _mask(rng, 2, 3, 4, axis=1), 1)
    yield case("axis 1, a mask (2, 3, 1)", scores, _mask(rng, 2, 3, 1, axis=1), axis=1)


@masked_softmax.aspect("dtype and inputs", points=1, purity=True)
def _(rng):
    mask = _mask(rng, 2, 3, 4)
    for dtype in (np.float32, np.float16, np.float64):
        name = np.dtype(dtype).name
        yield case(f"{name}, a mask", rng.normal(size=(2, 3, 4)).astype(dtype), mask)
        yield case(f"{name}, no mask", rng.normal(size=(3, 4)).astype(dtype))
        yield case(f"{name}, axis 0", rng.normal(size=(3, 4)).astype(dtype), _mask(rng, 3, 4, axis=0), axis=0)
    yield case("float32, a mask with fewer axes", rng.normal(size=(2, 3, 4)).astype(np.float32), mask[0, :1])


@masked_softmax.misconception(
    "the mask is ignored", hint="The mask has no effect on your weights. Use it before softmax."
)
def _(scores, mask=None, axis=-1):
    return _softmax(scores, axis)


@masked_softmax.misconception("True taken as forbidden", hint='Your mask is inverted: True means "may be attended to".')
def _(scores, mask=None, axis=-1):
    return _softmax(scores if mask is None else np.where(mask, -np.inf, scores), axis)


@masked_softmax.misconception(
    "the mask is applied after the softmax",
    hint="What you take away after normalizing is missing from the sum. Mask the scores, not the weights.",
)
def _(scores, mask=None, axis=-1):
    weights = _softmax(scores, axis)
    return weights if mask is None else weights * mask


@masked_softmax.misconception(
    "masked after the softmax, then normalized again",
    hint="A huge forbidden score leaves nothing for the allowed ones to share. Mask the scores, before softmax.",
)
def _(scores, mask=None, axis=-1):
    weights = _softmax(scores, axis)
    if mask is None:
        return weights
    weights = np.where(mask, weights, 0)
    total = weights.sum(axis=axis, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


@masked_softmax.misconception(
    "scores multiplied by the mask",
    hint="A forbidden score becomes 0, and e^0 = 1 is a weight like any other. It has to become -inf.",
)
def _(scores, mask=None, axis=-1):
    return _softmax(scores if mask is None else scores * mask, axis)


@masked_softmax.misconception(
    "a fill of -1e9",
    hint="A finite fill is beaten by scores that are lower still, and shares the weight of empty rows.",
)
def _(scores, mask=None, axis=-1):
    with np.errstate(over="ignore"):
        return _softmax(scores if mask is None else np.where(mask, scores, scores.dtype.type(-1e9)), axis)


@masked_softmax.misconception(
    "a fill of -1e4",
    hint="A finite fill is beaten by scores that are lower still, and shares the weight of empty rows.",
)
def _(scores, mask=None, axis=-1):
    return _softmax(scores if mask is None else np.where(mask, scores, scores.dtype.type(-1e4)), axis)


@masked_softmax.misconception(
    "the lowest float as a fill",
    hint="The lowest float is still a number: it ties with a score as low, and shares the weight of empty rows.",
)
def _(scores, mask=None, axis=-1):
    return _softmax(scores if mask is None else np.where(mask, scores, np.finfo(scores.dtype).min), axis)


@masked_softmax.misconception(
    "-1e9 is added to the scores",
    hint="A forbidden score of 1e10 is still the largest after 1e9 is taken away, and NaN stays NaN. Replace it.",
)
def _(scores, mask=None, axis=-1):
    if mask is None:
        return _softmax(scores, axis)
    with np.errstate(all="ignore"):
        return _softmax(scores + np.where(mask, 0, -1e9).astype(scores.dtype), axis)


@masked_softmax.misconception(
    "NaN on empty rows",
    hint="A row of -inf only gives -inf - (-inf) = NaN. If a line allows nothing, its weights are 0.",
)
def _(scores, mask=None, axis=-1):
    scores = scores if mask is None else np.where(mask, scores, -np.inf)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
        return powers / powers.sum(axis=axis, keepdims=True)


@masked_softmax.misconception(
    "uniform weights on empty rows",
    hint="Equal weights on an empty row are weights on padding. If a line allows nothing, its weights are 0.",
)
def _(scores, mask=None, axis=-1):
    scores = scores if mask is None else np.where(mask, scores, -np.inf)
    dead = np.isneginf(scores).all(axis=axis, keepdims=True)
    return _softmax(np.where(dead, scores.dtype.type(0), scores), axis)


@masked_softmax.misconception("always the last axis", hint="Use `axis`, in the maximum as well as in the sum.")
def _(scores, mask=None, axis=-1):
    return _softmax(scores if mask is None else np.where(mask, scores, -np.inf), -1)


@masked_softmax.misconception(
    "normalized over the whole array", hint="Each line along `axis` sums to 1; yours sum to 1 all together."
)
def _(scores, mask=None, axis=-1):
    scores = scores if mask is None else np.where(mask, scores, -np.inf)
    return _softmax(scores.reshape(-1), -1).reshape(scores.shape)


@masked_softmax.misconception(
    "the maximum is not subtracted",
    hint="exp overflows for large scores and gives zeros for very negative ones. Subtract each line's maximum first.",
)
def _(scores, mask=None, axis=-1):
    with np.errstate(all="ignore"):
        powers = np.exp(scores) if mask is None else np.where(mask, np.exp(scores), 0)
        total = powers.sum(axis=axis, keepdims=True)
        return (powers / np.where(total == 0, 1, total)).astype(scores.dtype)


@masked_softmax.misconception(
    "the maximum of all scores, forbidden ones too",
    hint="If a forbidden score is huge, everything allowed vanishes beside it. Mask first, then take the maximum.",
)
def _(scores, mask=None, axis=-1):
    if mask is None:
        return _softmax(scores, axis)
    with np.errstate(all="ignore"):
        powers = np.where(mask, np.exp(scores - scores.max(axis=axis, keepdims=True)), 0)
        total = powers.sum(axis=axis, keepdims=True)
        return (powers / np.where(total == 0, 1, total)).astype(scores.dtype)


@masked_softmax.misconception(
    "float64 comes back",
    hint="float32 scores must give float32 weights: look for an array that you make without a dtype.",
)
def _(scores, mask=None, axis=-1):
    return _softmax((scores if mask is None else np.where(mask, scores, -np.inf)).astype(np.float64), axis)


@masked_softmax.misconception(
    "the scores are changed", hint="`scores[~mask] = ...` writes into the caller's array. `np.where` makes a new one."
)
def _(scores, mask=None, axis=-1):
    if mask is not None:
        scores[~np.broadcast_to(mask, scores.shape)] = -np.inf
    return _softmax(scores, axis)


@masked_softmax.misconception(
    "the mask must have the shape of the scores",
    hint="A mask may have fewer axes, or axes of length 1. `np.where(mask, ...)` broadcasts, indexing does not.",
)
def _(scores, mask=None, axis=-1):
    if mask is not None:
        scores = scores.copy()
        scores[~mask] = -np.inf
    return _softmax(scores, axis)


def _softmax(x, axis):
    """Stable, in the dtype of x; a line of -inf gives zeros."""
    top = x.max(axis=axis, keepdims=True)
    powers = np.exp(x - np.where(np.isneginf(top), x.dtype.type(0), top))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, x.dtype.type(1), total)


# --------------------------------------------------------------------------------------------- test_softmax

test_softmax = Exercise("test_softmax", lesson="03_masking")


@test_softmax.reference
def _(softmax):
    """A right implementation is accepted in silence; broken ones are cases that must raise."""


test_softmax.hints = (
    "Go through the table of promises. For each, find an input whose right answer you know without calling softmax.",
    "Values: [0, ln 3] gives [1/4, 3/4]. Axes: an array of shape (2, 3, 4) with every axis from -3 to 2, against "
    "np.exp(x) / np.exp(x).sum(axis, keepdims=True). Compare with np.testing.assert_allclose(..., atol=1e-8).",
    "Large scores: adding 1e4, or -1e4, to a row changes nothing, so rows of [0, ln 3] + 1e4 must give [1/4, 3/4] too; "
    "put such rows in one array. Minus infinity: [0, -inf, ln 3] gives [1/4, 0, 3/4], [-inf, -inf] gives [0, 0].",
    "Manners, for each of the three dtypes: keep `x.copy()`, call softmax(x), keep a copy of the result, call it again "
    "on another array of the same shape; then compare x, the first result and its dtype with what they were.",
)

RIGHT = {
    "with NumPy's broadcasting": """
def softmax(x, axis=-1):
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        top = x.max(axis=axis, keepdims=True)
        powers = np.exp(x - np.where(np.isneginf(top), x.dtype.type(0), top))
        total = powers.sum(axis=axis, keepdims=True)
        return powers / np.where(total == 0, x.dtype.type(1), total)
""",
    "line by line, in float64": """
import math

def softmax(x, axis=-1):
    x = np.asarray(x)
    out = np.zeros(x.shape, x.dtype)
    lines, results = np.moveaxis(x, axis, -1), np.moveaxis(out, axis, -1)
    for index in np.ndindex(*lines.shape[:-1]):
        line = [float(score) for score in lines[index]]
        top = max(line)
        if top > -math.inf:
            powers = [math.exp(score - top) for score in line]
            results[index] = [power / math.fsum(powers) for power in powers]
    return out
""",
    "by way of the logarithm": """
def softmax(x, axis=-1):
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        high = x.astype(np.float64)
        top = high.max(axis=axis, keepdims=True)
        top = np.where(np.isfinite(top), top, 0.0)
        shifted = high - top
        weights = np.exp(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))
        return np.where(np.isnan(weights), 0.0, weights).astype(x.dtype)
""",
    "by comparing each score with each other": """
def softmax(x, axis=-1):
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        lines = np.moveaxis(x.astype(np.float64), axis, -1)
        ratios = np.exp(lines[..., None, :] - lines[..., :, None])
        ratios = np.where(np.isneginf(lines)[..., None, :], 0.0, ratios)
        weights = np.where(np.isneginf(lines), 0.0, 1.0 / ratios.sum(axis=-1))
        return np.moveaxis(weights, -1, axis).astype(x.dtype)
""",
}

STABLE = RIGHT["with NumPy's broadcasting"]

BUGS = {
    "values": {
        "it takes powers of 2 instead of e": STABLE.replace("np.exp(", "np.exp2("),
        "small scores get large weights": STABLE.replace(
            "    with np", "    x = np.where(np.isneginf(x), x, -x)\n    with np", 1
        ),
        "the weights are squared and normalized again": STABLE.replace("np.exp(", "np.exp(2 * (").replace(
            "top))\n", "top)))\n"
        ),
        "the sum is a little too large": STABLE.replace(
            "total == 0, x.dtype.type(1), total", "total == 0, 1, total + 1e-3"
        ).replace(
            "return powers / np.where(total == 0, 1, total + 1e-3)",
            "return (powers / np.where(total == 0, 1, total + 1e-3)).astype(x.dtype)",
        ),
    },
    "axes": {
        "it always takes the last axis": STABLE.replace("axis=axis", "axis=-1"),
        "its default axis is 0": STABLE.replace("axis=-1)", "axis=0)", 1),
        "it normalizes over the whole array": STABLE.replace("axis=axis, ", ""),
        "every negative axis is taken as the last one": STABLE.replace("axis=axis", "axis=axis if axis >= 0 else -1"),
    },
    "large scores": {
        "no maximum is subtracted": """
def softmax(x, axis=-1):
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        powers = np.exp(x)
        total = powers.sum(axis=axis, keepdims=True)
        dead = np.isneginf(x).all(axis=axis, keepdims=True)
        return powers / np.where(dead, x.dtype.type(1), total)
""",
        "the maximum of the whole array is subtracted": STABLE.replace(
            "x.max(axis=axis, keepdims=True)", "np.full((1,) * x.ndim, x.max(), x.dtype)"
        ),
        "scores are cut off at 100": STABLE.replace(
            "        top",
            "        x = np.where(np.isneginf(x), x, np.clip(x, -100, 100)).astype(x.dtype)\n        top",
            1,
        ),
        "only a positive maximum is subtracted": STABLE.replace(
            "np.where(np.isneginf(top), x.dtype.type(0), top)", "np.maximum(top, x.dtype.type(0))"
        ),
    },
    "minus infinity": {
        "a line of -inf gives NaN": """
def softmax(x, axis=-1):
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        powers = np.exp(x - x.max(axis=axis, keepdims=True))
        return powers / powers.sum(axis=axis, keepdims=True)
""",
        "a line of -inf gives equal weights": STABLE.replace(
            "        powers", "        x = np.where(np.isneginf(top), x.dtype.type(0), x)\n        powers", 1
        ),
        "-inf is taken as -5": STABLE.replace(
            "        top",
            "        holes = np.isneginf(x) & ~np.isneginf(x).all(axis=axis, keepdims=True)\n"
            "        x = np.where(holes, x.dtype.type(-5), x)\n        top",
            1,
        ),
    },
    "manners": {
        "the result is always float64": STABLE.replace("x = np.asarray(x)", "x = np.asarray(x, np.float64)"),
        "the result is always float32": STABLE.replace(
            "return powers / np.where(total == 0, x.dtype.type(1), total)",
            "return (powers / np.where(total == 0, x.dtype.type(1), total)).astype(np.float32)",
        ),
        "the input is changed": """
def softmax(x, axis=-1):
    with np.errstate(all="ignore"):
        top = x.max(axis=axis, keepdims=True)
        x -= np.where(np.isneginf(top), x.dtype.type(0), top)
        powers = np.exp(x)
        total = powers.sum(axis=axis, keepdims=True)
        return powers / np.where(total == 0, x.dtype.type(1), total)
""",
        "the first result is overwritten by the second": """
kept = {}

def softmax(x, axis=-1):
    x = np.asarray(x)
    out = kept.setdefault((x.shape, x.dtype), np.empty_like(x))
    with np.errstate(all="ignore"):
        top = x.max(axis=axis, keepdims=True)
        powers = np.exp(x - np.where(np.isneginf(top), x.dtype.type(0), top))
        total = powers.sum(axis=axis, keepdims=True)
        out[...] = powers / np.where(total == 0, x.dtype.type(1), total)
    return out
""",
    },
}


def _accepted(case, value):
    """Whatever a test returns, it has not raised."""


def _implementations(family, rng):
    """All broken implementations of a family and all right ones, shuffled."""
    cases = [
        case(f"a right softmax, written {how}", Prop("source", text=text, name="softmax"))
        .judged_by(_accepted)
        .may_warn()
        .because("this softmax keeps every promise, and a test that rejects a right one earns nothing")
        for how, text in RIGHT.items()
    ]
    cases += [
        case(f"a broken softmax: {bug}", Prop("source", text=text, name="softmax")).raises(AssertionError)
        for bug, text in BUGS[family].items()
    ]
    return [cases[i] for i in rng.permutation(len(cases))]


@test_softmax.aspect("values", points=1)
def _(rng):
    yield from _implementations("values", rng)


@test_softmax.aspect("axes", points=1)
def _(rng):
    yield from _implementations("axes", rng)


@test_softmax.aspect("large scores", points=1)
def _(rng):
    yield from _implementations("large scores", rng)


@test_softmax.aspect("minus infinity", points=1)
def _(rng):
    yield from _implementations("minus infinity", rng)


@test_softmax.aspect("manners", points=1)
def _(rng):
    yield from _implementations("manners", rng)


@test_softmax.misconception(
    "it never fails",
    hint="A test that cannot fail is no test. Printing or returning False does not count: use `assert`.",
)
def _(softmax):
    return bool(np.allclose(softmax(np.array([1.0, 2.0])).sum(), 1.0))


@test_softmax.misconception(
    "it always fails", hint="An alarm that always rings tells nothing. A right softmax must pass in silence."
)
def _(softmax):
    raise AssertionError("something may be wrong")


@test_softmax.misconception(
    "only the sum of one row is tested",
    hint="Many wrong answers sum to 1: powers of 2, equal weights, a wrong axis. Test values, too.",
)
def _(softmax):
    np.testing.assert_allclose(softmax(np.array([1.0, 2.0, 3.0])).sum(), 1.0, atol=1e-8)


@test_softmax.misconception(
    "only one example is tested",
    hint="One row, last axis, small scores, float64: the other promises of the table are untested.",
)
def _(softmax):
    np.testing.assert_allclose(softmax(np.array([0.0, np.log(3.0)])), [0.25, 0.75], atol=1e-8)


@test_softmax.misconception(
    "exact equality",
    hint="Right answers differ in the last digits. Compare with a tolerance: np.testing.assert_allclose.",
)
def _(softmax):
    x = np.array([[0.3, -1.2, 2.5, 0.1], [1.7, 0.4, -0.6, 0.9]])
    assert np.array_equal(softmax(x), np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True))


@test_softmax.misconception(
    "only sums along each axis are tested",
    hint="You try the axes, but look only at sums. Many wrong answers sum to 1: compare values, too.",
)
def _(softmax):
    x = np.arange(24.0).reshape(2, 3, 4) / 10
    for axis in (-3, -2, -1, 0, 1, 2):
        np.testing.assert_allclose(softmax(x, axis=axis).sum(axis=axis), 1.0, atol=1e-8)


@test_softmax.misconception(
    "only square and small arrays, last axis",
    hint="You compare values, but only along the last axis of small scores. Try other axes and scores of 1e4.",
)
def _(softmax):
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    np.testing.assert_allclose(softmax(x), np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True), atol=1e-8)


@test_softmax.misconception(
    "only shape, dtype and sign are tested",
    hint="Those are manners. Test the values as well: which numbers must come out?",
)
def _(softmax):
    for dtype in (np.float16, np.float32, np.float64):
        weights = softmax(np.ones((2, 3), dtype))
        assert weights.shape == (2, 3)
        assert weights.dtype == dtype
        assert (weights >= 0).all()


@test_softmax.misconception(
    "only whether it is finite is tested",
    hint="You try large scores, but any finite answer satisfies you. Which numbers must come out?",
)
def _(softmax):
    x = np.array([[1e4, 0.0], [-1e4, -1e4], [-np.inf, -np.inf]])
    assert np.isfinite(softmax(x)).all()


@test_softmax.misconception(
    "equal weights are demanded of a line of -inf",
    hint="Your test rejects right implementations: a line of -inf gives zeros, not equal weights.",
)
def _(softmax):
    np.testing.assert_allclose(softmax(np.array([0.0, np.log(3.0)])), [0.25, 0.75], atol=1e-8)
    np.testing.assert_allclose(softmax(np.full(2, -np.inf)), [0.5, 0.5], atol=1e-8)


@test_softmax.misconception(
    "the expected values overflow",
    hint="Your test rejects right implementations: the answer it expects at 1e4 is NaN. Take one you know by hand.",
)
def _(softmax):
    x = np.array([[1e4, 0.0], [0.0, 1e4]])
    with np.errstate(all="ignore"):
        expected = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(softmax(x), expected, atol=1e-8)
