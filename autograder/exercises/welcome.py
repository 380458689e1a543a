"""How the functions of lesson 00 are checked."""

import math

import numpy as np

from autograder.exercise import Exercise, case

LESSON = "00_welcome"

# --- dot_product ------------------------------------------------------------------------------------------

dot_product = Exercise("dot_product", lesson=LESSON)

dot_product.hints = (
    "Two steps: multiply feature by feature, then add up. Which NumPy operation multiplies two arrays entry by entry?",
    "`u * v` has the shape (..., d), with the leading axes broadcast. Only the last axis is to be summed away.",
    "`.sum()` adds up everything; `.sum(axis=...)` adds up along one axis. The last axis is always number -1.",
    "The body is one line: `return (u * v).sum(axis=-1)`.",
)


@dot_product.reference
def _(u, v):
    """One pair of vectors at a time."""
    u, v = np.broadcast_arrays(u, v)
    result = np.empty(u.shape[:-1])
    for index in np.ndindex(result.shape):
        result[index] = math.fsum(float(a) * float(b) for a, b in zip(u[index], v[index], strict=True))
    return result


@dot_product.aspect("one pair", points=1)
def _(rng):
    yield case("two vectors of 3 numbers", rng.normal(size=3), rng.normal(size=3))
    yield case("the same shapes, other numbers", rng.normal(size=3), rng.normal(size=3))
    yield case("two vectors of 4 numbers, none below 0", 1 + rng.random(4), 1 + rng.random(4))
    yield case("vectors of 1 number", rng.normal(size=1), rng.normal(size=1))
    yield case("vectors of 50 numbers", rng.normal(size=50), rng.normal(size=50))
    yield case("a negative dot product", 1 + rng.random(5), -1 - rng.random(5))
    yield case("large numbers", 1e3 * rng.normal(size=6), 1e3 * rng.normal(size=6))


@dot_product.aspect("many pairs", points=1)
def _(rng):
    yield case("2 pairs", rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))
    yield case("3 pairs", rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    yield case("as many pairs as features", rng.normal(size=(4, 4)), rng.normal(size=(4, 4)))
    yield case("one vector against 3", rng.normal(size=4), rng.normal(size=(3, 4)))
    yield case("3 vectors against one", rng.normal(size=(3, 4)), rng.normal(size=4))
    yield case("two leading axes", rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4)))
    yield case("all pairs by broadcasting", rng.normal(size=(5, 1, 3)), rng.normal(size=(1, 4, 3)))
    yield case("another number of leading axes", rng.normal(size=(2, 1, 4, 5)), rng.normal(size=(3, 1, 5)))
    yield case("leading axes of size 1", rng.normal(size=(1, 1, 3)), rng.normal(size=(1, 1, 3)))
    yield case("many pairs of 1 number", rng.normal(size=(6, 1)), rng.normal(size=(6, 1)))


@dot_product.aspect("dtype and purity", points=1, purity=True)
def _(rng):
    yield case("float32", *_pair(rng, (3, 4), np.float32))
    yield case("float32, one pair", *_pair(rng, (4,), np.float32))
    yield case("float16", *_pair(rng, (3, 4), np.float16))
    yield case("float64", *_pair(rng, (3, 4), np.float64))
    yield case("float64 again", *_pair(rng, (3, 4), np.float64))


def _pair(rng, shape, dtype):
    return (0.5 + rng.random(shape)).astype(dtype), (0.5 + rng.random(shape)).astype(dtype)


@dot_product.misconception(
    "multiplies and does not add up", hint="`u * v` still has the features. Sum over the last axis."
)
def _(u, v):
    return u * v


@dot_product.misconception(
    "adds up over all axes", hint="Each pair gets a number of its own. `sum()` without `axis` adds the pairs together."
)
def _(u, v):
    return (u * v).sum()


@dot_product.misconception("sums over the first axis", hint="The features lie along the last axis: `axis=-1`.")
def _(u, v):
    return (u * v).sum(axis=0)


@dot_product.misconception(
    "sums over axis 1",
    hint="The last axis is number 1 only in a matrix. `axis=-1` is the last one in any array.",
)
def _(u, v):
    return (u * v).sum(axis=1)


@dot_product.misconception(
    "takes the mean", hint="A dot product is a sum; it is not divided by the number of features."
)
def _(u, v):
    return (u * v).mean(axis=-1)


@dot_product.misconception(
    "`np.dot` of the arrays",
    hint="`np.dot` is the dot product for two vectors only; for more axes it is a matrix product. Multiply, then sum.",
)
def _(u, v):
    return np.dot(u, v)


@dot_product.misconception(
    "every vector with every other",
    hint="Pairs are matched by broadcasting; you combined all of `u` with all of `v`. Multiply entry by entry instead.",
)
def _(u, v):
    return np.inner(u, v)


@dot_product.misconception(
    "the matrix product of `u` and `v` transposed",
    hint="The matrix product makes all pairs, and `.T` turns all axes. Multiply entry by entry, then sum.",
)
def _(u, v):
    return u @ v.T


@dot_product.misconception(
    "keeps the summed axis", hint="Each pair gives one number: the last axis goes away. Leave out `keepdims`."
)
def _(u, v):
    return (u * v).sum(axis=-1, keepdims=True)


@dot_product.misconception(
    "the cosine, not the dot product", hint="You divided by the lengths. The plain dot product is only the sum."
)
def _(u, v):
    return (u * v).sum(-1) / np.sqrt((u * u).sum(-1) * (v * v).sum(-1))


@dot_product.misconception(
    "the distance, not the dot product", hint="You measured how far apart they are. Multiply entry by entry, and sum."
)
def _(u, v):
    return np.sqrt(((u - v) ** 2).sum(-1))


@dot_product.misconception(
    "always float64",
    hint="The output's dtype follows the inputs. Where do you make a float64, in `float(...)` or a list?",
)
def _(u, v):
    return (u.astype(np.float64) * v).sum(-1)


@dot_product.misconception(
    "changes `u` in place", hint="`u *= v` writes into the caller's array. `u * v` makes a new one."
)
def _(u, v):
    if u.shape == np.broadcast_shapes(u.shape, v.shape):
        u *= v
        return u.sum(-1)
    return (u * v).sum(-1)


# --- weighted_average -------------------------------------------------------------------------------------

weighted_average = Exercise("weighted_average", lesson=LESSON)

weighted_average.hints = (
    "Two steps: make the weights sum to one, then add up the rows of `values`, each times its weight.",
    "`weights / weights.sum()` sums to one, unless the sum is 0. Look at the sum before you divide.",
    "The sum of rows times weights is a product of a vector (n,) and a matrix (n, d): `w @ values` gives (d,).",
    "total = weights.sum(); if it is 0, `raise ValueError(...)`; else `return (weights / total) @ values`.",
)


@weighted_average.reference
def _(weights, values):
    """One sum at a time. Scaling by the largest weight first keeps tiny ones from vanishing."""
    largest = max(float(w) for w in weights)
    parts = [float(w) / largest for w in weights]
    total = math.fsum(parts)
    columns = np.asarray(values).T
    return np.array([math.fsum(p * float(x) for p, x in zip(parts, column, strict=True)) / total for column in columns])


@weighted_average.aspect("values", points=1)
def _(rng):
    yield case("3 vectors of 2 numbers", rng.random(3) + 0.1, rng.normal(size=(3, 2)))
    yield case("the same shapes, other numbers", rng.random(3) + 0.1, rng.normal(size=(3, 2)))
    yield case("as many vectors as numbers", rng.random(4) + 0.1, rng.normal(size=(4, 4)))
    yield case("2 vectors of 5 numbers", rng.random(2) + 0.1, rng.normal(size=(2, 5)))
    yield case("one vector", rng.random(1) + 0.1, rng.normal(size=(1, 3)))
    yield case("vectors of 1 number", rng.random(5) + 0.1, rng.normal(size=(5, 1)))
    yield case("40 vectors", rng.random(40) + 0.1, 100 * rng.normal(size=(40, 7)))
    yield case("weights that sum to one", rng.dirichlet(np.ones(4)), rng.normal(size=(4, 3)))


@weighted_average.aspect("weights of any size", points=1)
def _(rng):
    values = rng.normal(size=(4, 3))
    proportions = "only the proportions of the weights matter, however small they are"
    yield case("some weights are 0", np.array([0.0, 2.0, 0.0, 1.0]), values)
    yield case("all weight on one vector", np.array([0.0, 0.0, 1.0, 0.0]), values)
    yield case("large weights", 1e6 * (rng.random(4) + 0.1), values)
    yield case("a sum of 0.01", 0.01 * rng.dirichlet(np.ones(4)), values)
    yield case("weights of about 1e-9", 1e-9 * (rng.random(4) + 0.1), values).because(proportions)
    yield case("weights of about 1e-300", 1e-300 * (rng.random(4) + 0.1), values).because(proportions)
    whole = rng.integers(-9, 10, size=(3, 2)).astype(float)
    yield case("the smallest numbers there are", 5e-324 * np.array([3.0, 0.0, 1.0]), whole).because(proportions)
    yield case("one weight above 0, of 1e-200", np.array([0.0, 1e-200, 0.0, 0.0]), values).because(proportions)
    yield case("large and tiny weights together", np.array([1e3, 1.0, 1e-3, 1e-300]), values)


@weighted_average.aspect("all weights zero", points=1)
def _(rng):
    yield case("4 weights of 0", np.zeros(4), rng.normal(size=(4, 3))).raises(ValueError)
    yield case("1 weight of 0", np.zeros(1), rng.normal(size=(1, 2))).raises(ValueError)
    yield case("float32 weights of 0", np.zeros(3, np.float32), rng.normal(size=(3, 3)).astype("f4")).raises(ValueError)
    same = np.tile(rng.normal(size=3), (4, 1))
    yield case("two weights are not 0, and all rows are the same", np.array([0.0, 0.5, 0.5, 0.0]), same)
    yield case("values that are all 0 are fine", rng.random(4) + 0.1, np.zeros((4, 3)))


@weighted_average.aspect("dtype and purity", points=1, purity=True)
def _(rng):
    for dtype in (np.float32, np.float16, np.float64, np.float64):
        weights, values = rng.random(4) + 0.5, rng.random((4, 3)) + 0.5
        yield case(f"{dtype.__name__}, weights that sum to about 4", weights.astype(dtype), values.astype(dtype))
    weights = (1e-30 * (rng.random(4) + 0.5)).astype(np.float32)
    yield case("float32, weights of about 1e-30", weights, rng.normal(size=(4, 3)).astype(np.float32))


@weighted_average.misconception(
    "the weights are not normalized", hint="Divide by the sum of the weights: they need not sum to one."
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    return weights @ values


@weighted_average.misconception(
    "the plain mean", hint="The weights have no effect in your answer. Each row counts in proportion to its weight."
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    return values.mean(axis=0)


@weighted_average.misconception(
    "divides by the number of vectors", hint="The denominator is the sum of the weights, and not how many there are."
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    return weights @ values / len(weights)


@weighted_average.misconception(
    "divides by the largest weight", hint="Then the weights do not sum to one. Divide by their sum."
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    return (weights / weights.max()) @ values


@weighted_average.misconception(
    "softmax of the weights", hint="The weights are weights already. No exponential is needed: divide by their sum."
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    e = np.exp(weights - weights.max())
    return (e / e.sum()) @ values


@weighted_average.misconception(
    "a small number is added to the denominator",
    hint="Beside weights of 1e-9 a small number is not small. Divide by the sum itself, after you know "
    "that it is not 0.",
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    return weights @ values / (weights.sum() + 1e-8)


@weighted_average.misconception(
    "refuses weights that are small",
    hint="Small weights are as good as large ones. Only a sum of exactly 0 is an error.",
)
def _(weights, values):
    if weights.sum() < 1e-8:
        raise ValueError
    return (weights / weights.sum()) @ values


@weighted_average.misconception(
    "no error for weights of only 0", hint="0 / 0 is NaN. Look at the sum first, and raise ValueError if it is 0."
)
def _(weights, values):
    return (weights / weights.sum()) @ values


@weighted_average.misconception(
    "zeros for weights of only 0", hint="Zeros are not an average of the values. Raise ValueError instead."
)
def _(weights, values):
    if not weights.any():
        return np.zeros(values.shape[1], values.dtype)
    return (weights / weights.sum()) @ values


@weighted_average.misconception(
    "another error than ValueError", hint="`assert` raises AssertionError. Write `if ...: raise ValueError(...)`."
)
def _(weights, values):
    assert weights.any()
    return (weights / weights.sum()) @ values


@weighted_average.misconception(
    "refuses a weight of 0",
    hint="One weight of 0 is fine: that row does not count. Only if *all* are 0 it is an error.",
)
def _(weights, values):
    if not weights.all():
        raise ValueError
    return (weights / weights.sum()) @ values


@weighted_average.misconception(
    "averages over the wrong axis", hint="The weights belong to the rows: `weights @ values`, in that order."
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    return values @ (weights / weights.sum())


@weighted_average.misconception(
    "changes the weights in place",
    hint="`weights /= ...` writes into the caller's array. `weights / ...` makes a new one.",
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    weights /= weights.sum()
    return weights @ values


@weighted_average.misconception(
    "always float64", hint="The output's dtype follows the inputs. A loop over `float(...)`, or a list, makes float64."
)
def _(weights, values):
    if not weights.any():
        raise ValueError
    return (weights.astype(np.float64) / weights.sum(dtype=np.float64)) @ values
