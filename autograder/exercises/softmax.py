"""How the functions of lesson 02 are checked."""

import math

import numpy as np

from autograder.exercise import Exercise, case

LESSON = "02_softmax"
INF = math.inf


def line_softmax(line):
    """Softmax of one line of floats, as a list."""
    largest = max(line)
    if largest == -INF:
        return [0.0] * len(line)
    parts = [math.exp(a - largest) for a in line]
    total = math.fsum(parts)
    return [part / total for part in parts]


def line_logsumexp(line):
    """Logsumexp of one line of floats."""
    largest = max(line)
    if largest == -INF:
        return -INF
    return largest + math.log(math.fsum(math.exp(a - largest) for a in line))


def along(axis, f, x):
    """f, from a list of floats to a list or a number, on each line of x along the axis."""
    x = np.asarray(x)
    moved = np.moveaxis(x, axis, -1)
    results = [f(line) for line in moved.reshape(-1, moved.shape[-1]).tolist()]
    if isinstance(results[0], list):
        return np.moveaxis(np.array(results).reshape(moved.shape), -1, axis)
    return np.array(results).reshape(moved.shape[:-1])


# --- Cases that the functions share -----------------------------------------------------------------------


def values(rng):
    yield case("a matrix", rng.normal(size=(2, 3)))
    yield case("the same shape, other numbers", rng.normal(size=(2, 3)))
    yield case("5 lines of 4 numbers", rng.normal(size=(5, 4)))
    yield case("one line", rng.normal(size=6))
    yield case("as many rows as columns", rng.normal(size=(4, 4)))
    yield case("one row", rng.normal(size=(1, 4)))
    yield case("lines of one number", rng.normal(size=(3, 1)))
    yield case("three axes", rng.normal(size=(2, 3, 4)))
    yield case("numbers from -30 to 30", rng.uniform(-30, 30, size=(4, 6)))
    yield case("a long line", rng.normal(size=(2, 100)))
    yield case("all numbers equal", np.full((2, 3), rng.normal()))


def axes(rng):
    yield case("a matrix, axis=0", rng.normal(size=(2, 3)), axis=0)
    yield case("4 rows of 3, axis=0", rng.normal(size=(4, 3)), axis=0)
    yield case("as many rows as columns, axis=0", rng.normal(size=(4, 4)), axis=0)
    yield case("a matrix, axis=1", rng.normal(size=(3, 5)), axis=1)
    yield case("one line, axis=0", rng.normal(size=5), axis=0)
    yield case("three axes, axis=0", rng.normal(size=(2, 3, 4)), axis=0)
    yield case("three axes, axis 1 in second place", rng.normal(size=(2, 3, 4)), 1)
    yield case("three axes, axis=2", rng.normal(size=(2, 3, 4)), axis=2)
    yield case("three axes, axis=-2", rng.normal(size=(2, 3, 4)), axis=-2)
    yield case("all sizes 3, axis=-3", rng.normal(size=(3, 3, 3)), axis=-3)
    yield case("all sizes 3, axis=1", rng.normal(size=(3, 3, 3)), axis=1)
    yield case("four axes, axis=1", rng.normal(size=(2, 3, 1, 4)), axis=1)
    yield case("four axes, axis=2 of size 1", rng.normal(size=(2, 3, 1, 4)), axis=2)


def large(rng):
    yield case("numbers around 1e4", 1e4 + rng.normal(size=(3, 4)))
    yield case("numbers around -1e4", -1e4 + rng.normal(size=(3, 4)))
    shift = np.array([[1e4], [0.0], [-1e4]])
    own = "each line needs its own maximum"
    yield case("rows that differ by 1e4", shift + rng.normal(size=(3, 4))).because(own)
    yield case("columns that differ by 1e4, axis=0", shift.T + rng.normal(size=(4, 3)), axis=0).because(own)
    yield case("rows that differ by 1e4, axis=0", shift + rng.normal(size=(3, 4)), axis=0)
    yield case("a row of 1e4, 0 and -1e4", np.array([1e4, 0.0, -1e4]) + rng.normal(size=(2, 3)))
    yield case("a row of -1e4 and 0", np.array([0.0, -1e4, -1e4, -1e4]) + rng.normal(size=(2, 4)))
    yield case("blocks that differ by 1e4, axis=1", shift[:, :, None] + rng.normal(size=(3, 2, 2)), axis=1)
    yield case("one line around 800", 800 + rng.normal(size=5))
    yield case("float32, numbers around 100", (100 + rng.normal(size=(2, 4))).astype(np.float32)).any_dtype()
    yield (
        case("float32, rows that differ by 1e4", (shift + rng.normal(size=(3, 4))).astype(np.float32))
        .any_dtype()
        .because(own)
    )
    yield case("float16, numbers around 20", (20 + rng.normal(size=(2, 4))).astype(np.float16)).any_dtype()
    yield (
        case("float16, rows that differ by 1e4", (shift + rng.normal(size=(3, 4))).astype(np.float16))
        .any_dtype()
        .because(own)
    )


def infinite(rng, empty, exactly):
    """Cases with entries of -inf; `empty` says what a line of nothing else gives, `exactly` what an entry gives."""

    def hide(x, *places):
        for place in places:
            x[place] = -INF
        return x

    normal = rng.normal
    yield case("one number is -inf", hide(normal(size=(2, 4)), (0, 1))).because(exactly)
    yield case("the last is -inf", hide(normal(size=5), -1)).because(exactly)
    yield case("all but one are -inf", hide(normal(size=(2, 3)), (1, slice(1, 3)))).because(exactly)
    yield case("-inf beside 1e4 and -1e4", np.array([[1e4, -INF, 1e4 + 1], [-1e4, -1e4 - 2, -INF]])).because(exactly)
    yield case("a row of only -inf", hide(normal(size=(3, 4)), 1)).because(empty)
    yield case("every second row is only -inf", hide(normal(size=(4, 4)), slice(0, None, 2))).because(empty)
    yield case("a column of only -inf, axis=0", hide(normal(size=(3, 3)), (slice(None), 2)), axis=0).because(empty)
    yield case("a row of only -inf, axis=0", hide(normal(size=(3, 4)), 1), axis=0).because(exactly)
    yield case("one line, only -inf", np.full(3, -INF)).because(empty)
    yield case("nothing but -inf", np.full((2, 2, 2), -INF)).because(empty)
    yield case("a row of only -inf, beside numbers around 1e4", hide(1e4 + normal(size=(3, 4)), 0)).because(empty)
    x = hide(normal(size=(2, 4)), 0, (1, 2))
    yield case("float32, -inf", x.astype(np.float32)).because(empty)
    yield case("float16, -inf", x.astype(np.float16)).because(empty)


def dtypes(rng):
    for dtype in (np.float32, np.float16, np.float64, np.float64):
        yield case(f"{dtype.__name__}", rng.normal(size=(3, 4)).astype(dtype))
    yield case("float32, axis=0", rng.normal(size=(3, 4)).astype(np.float32), axis=0)
    yield case("float32, one line", rng.normal(size=4).astype(np.float32))
    yield case("float16, axis=0", rng.normal(size=(3, 4)).astype(np.float16), axis=0)


# --- softmax ----------------------------------------------------------------------------------------------

softmax = Exercise("softmax", lesson=LESSON)

softmax.hints = (
    "Exponentials divided by their sum, line by line. Which numbers make `np.exp` overflow, and what may you subtract?",
    "Subtract each line's maximum: `x.max(axis=axis, keepdims=True)`. With `keepdims` it broadcasts against x.",
    "A line of only -inf has the maximum -inf, and -inf - -inf is NaN. Put 0 in its place before you subtract: "
    "`np.where(np.isneginf(m), 0, m)`. Then the exponentials are all 0, and so is their sum.",
    "e = np.exp(x - m); total = e.sum(axis=axis, keepdims=True); `return e / np.where(total == 0, 1, total)`.",
)


@softmax.reference
def _(x, axis=-1):
    return along(axis, line_softmax, x)


softmax.aspect("values", points=1)(values)
softmax.aspect("any axis", points=1)(axes)
softmax.aspect("large numbers", points=1)(large)


@softmax.aspect("minus infinity", points=1)
def _(rng):
    yield from infinite(rng, "a line of only -inf has nothing to give weight to", "the weight of -inf is exactly 0")


softmax.aspect("dtype and purity", points=1, purity=True)(dtypes)


@softmax.property
def _(case, weights):
    if np.any(np.asarray(weights)[np.isneginf(case.args[0])] != 0):
        return "A score of -inf has a small weight; it should be exactly 0."
    return None


def _stable(x, axis):
    return np.exp(x - np.where(np.isneginf(m := x.max(axis=axis, keepdims=True)), 0, m))


def _softmax(x, axis=-1):
    e = _stable(x, axis)
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


@softmax.misconception(
    "normalizes over the whole array", hint="Each line along `axis` sums to 1; yours sums to 1 over everything."
)
def _(x, axis=-1):
    e = np.exp(x - x.max()) if np.isfinite(x.max()) else np.zeros_like(x)
    return e / (e.sum() or 1)


@softmax.misconception(
    "no maximum is subtracted",
    hint="exp overflows for large numbers and is 0 for very negative ones. Subtract the maximum.",
)
def _(x, axis=-1):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


@softmax.misconception(
    "one maximum for the whole array",
    hint="Rows far below the maximum of all round to 0. Subtract each line's own: `x.max(axis=axis, keepdims=True)`.",
)
def _(x, axis=-1):
    e = np.exp(x - x.max())
    return e / e.sum(axis=axis, keepdims=True)


@softmax.misconception("always along the last axis", hint="You do not use the argument `axis` everywhere.")
def _(x, axis=-1):
    return _softmax(x, -1)


@softmax.misconception("always along the first axis", hint="Use the argument `axis`; by default it is the last one.")
def _(x, axis=-1):
    return _softmax(x, 0)


@softmax.misconception(
    "the maximum is always taken along the last axis", hint="Pass `axis` to `max` as well as to `sum`."
)
def _(x, axis=-1):
    m = x.max(axis=-1, keepdims=True)
    e = np.exp(x - np.where(np.isneginf(m), 0, m))
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


@softmax.misconception(
    "`keepdims` is missing",
    hint="Without `keepdims=True` the sum of row i is divided into column i: an error, or on square "
    "arrays a wrong answer.",
)
def _(x, axis=-1):
    e = _stable(x, axis)
    total = e.sum(axis=axis)
    return e / np.where(total == 0, 1, total)


@softmax.misconception(
    "NaN on a line of only -inf", hint="-inf - -inf is NaN. Where the maximum is -inf, subtract 0 instead."
)
def _(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@softmax.misconception(
    "equal weights on a line of only -inf",
    hint="A finite number in place of -inf makes the line look like any other. Such a line gets zeros.",
)
def _(x, axis=-1):
    return _softmax(np.maximum(x, np.finfo(x.dtype).min), axis)


@softmax.misconception(
    "the right numbers, but with a warning",
    hint="You repair NaN afterwards. The warning says that it was there: see to lines of only -inf "
    "before you subtract.",
)
def _(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.nan_to_num(e / e.sum(axis=axis, keepdims=True))


@softmax.misconception(
    "a small number is added to the denominator",
    hint="With the maximum subtracted the sum is at least 1: nothing needs to be added, and it makes all "
    "weights too small.",
)
def _(x, axis=-1):
    e = _stable(x, axis)
    return e / (e.sum(axis=axis, keepdims=True) + 1e-6)


@softmax.misconception(
    "the largest absolute value is subtracted",
    hint="Among numbers around -1e4 that makes all exponentials 0. Use `x.max`.",
)
def _(x, axis=-1):
    e = np.exp(x - np.abs(x).max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@softmax.misconception(
    "a maximum of at least 0 is subtracted", hint="The maximum of a line may be far below 0. Subtract it all the same."
)
def _(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True, initial=0))
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


@softmax.misconception(
    "the mean is subtracted", hint="A number far above the mean still overflows. Subtract the maximum."
)
def _(x, axis=-1):
    m = np.mean(x, axis=axis, keepdims=True)
    e = np.exp(x - np.where(np.isneginf(m), 0, m))
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


@softmax.misconception(
    "large numbers are cut off", hint="`np.clip` makes different scores equal. Subtract the maximum instead."
)
def _(x, axis=-1):
    e = np.exp(np.clip(x, -INF, np.log(np.finfo(x.dtype).max) - 5))
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


@softmax.misconception("no exponential", hint="The numbers are divided by their sum as they are. Take `np.exp` first.")
def _(x, axis=-1):
    return x / x.sum(axis=axis, keepdims=True)


@softmax.misconception(
    "the logarithm of softmax", hint="Softmax gives weights between 0 and 1. Log-softmax comes later."
)
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    return x - m - np.log(np.exp(x - m).sum(axis=axis, keepdims=True))


@softmax.misconception("always float64", hint="The output's dtype follows the input. Where do you make a float64?")
def _(x, axis=-1):
    return _softmax(x.astype(np.float64), axis)


@softmax.misconception(
    "changes x in place", hint="`x -= ...` writes into the caller's array. `x - ...` makes a new one."
)
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    x -= np.where(np.isneginf(m), 0, m)
    return _softmax(x, axis)


# --- logsumexp --------------------------------------------------------------------------------------------

logsumexp = Exercise("logsumexp", lesson=LESSON, floor=1.0)

logsumexp.hints = (
    "The same trick as in softmax: subtract each line's maximum m before `np.exp`. What has to be "
    "done with m afterwards?",
    "log of the sum of exp(x - m), plus m. The result has no `axis` any more, so m must lose it too.",
    "Compute with `keepdims=True` and call `.squeeze(axis)` at the end, or keep two versions of m.",
    "For a line of only -inf use m = 0; its sum is 0, and `with np.errstate(divide='ignore'):` lets "
    "`np.log(0)` be -inf without a warning.",
)


@logsumexp.reference
def _(x, axis=-1):
    return along(axis, line_logsumexp, x)


logsumexp.aspect("values", points=1)(values)
logsumexp.aspect("any axis", points=1)(axes)
logsumexp.aspect("large numbers", points=1)(large)


@logsumexp.aspect("minus infinity", points=1)
def _(rng):
    yield from infinite(rng, "a line of only -inf sums to 0, and log 0 is -inf", "-inf adds exactly 0 to the sum")


logsumexp.aspect("dtype and purity", points=1, purity=True)(dtypes)


def _logsumexp(x, axis=-1, keepdims=False):
    m = x.max(axis=axis, keepdims=True)
    m = np.where(np.isneginf(m), 0, m)
    with np.errstate(divide="ignore"):
        result = np.log(np.exp(x - m).sum(axis=axis, keepdims=True)) + m
    return result if keepdims else result.squeeze(axis)


@logsumexp.misconception(
    "no maximum is subtracted", hint="exp overflows for large numbers. Subtract each line's maximum, and add it back."
)
def _(x, axis=-1):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x).sum(axis=axis))


@logsumexp.misconception(
    "one maximum for the whole array", hint="Rows far below the maximum of all round to 0. Subtract each line's own."
)
def _(x, axis=-1):
    m = x.max() if np.isfinite(x.max()) else 0
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - m).sum(axis=axis)) + m


@logsumexp.misconception("the maximum is not added back", hint="ln(sum of exp(x - m)) is too small by m. Add m.")
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - np.where(np.isneginf(m), 0, m)).sum(axis=axis))


@logsumexp.misconception(
    "keeps the summed axis", hint="One number for each line: the axis goes away. `.squeeze(axis)`, or no `keepdims`."
)
def _(x, axis=-1):
    return _logsumexp(x, axis, keepdims=True)


@logsumexp.misconception("sums over the whole array", hint="Each line along `axis` has a sum of its own.")
def _(x, axis=-1):
    return _logsumexp(x.reshape(-1))


@logsumexp.misconception("always along the last axis", hint="You do not use the argument `axis`.")
def _(x, axis=-1):
    return _logsumexp(x, -1)


@logsumexp.misconception("always along the first axis", hint="Use the argument `axis`; by default it is the last one.")
def _(x, axis=-1):
    return _logsumexp(x, 0)


@logsumexp.misconception(
    "`keepdims` is missing",
    hint="A maximum without its axis is subtracted from the wrong lines: an error, or on square arrays a wrong answer.",
)
def _(x, axis=-1):
    m = x.max(axis=axis)
    m = np.where(np.isneginf(m), 0, m)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - m).sum(axis=axis)) + m


@logsumexp.misconception(
    "NaN on a line of only -inf", hint="-inf - -inf is NaN. Where the maximum is -inf, subtract 0 instead."
)
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - m).sum(axis=axis)) + m.squeeze(axis)


@logsumexp.misconception(
    "the right numbers, but with a warning",
    hint="`np.log(0)` is -inf, as it should be, but it warns. Put it under `with np.errstate(divide='ignore'):`.",
)
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    m = np.where(np.isneginf(m), 0, m)
    return np.log(np.exp(x - m).sum(axis=axis)) + m.squeeze(axis)


@logsumexp.misconception("zero on a line of only -inf", hint="The sum is 0 there, and its logarithm is -inf, not 0.")
def _(x, axis=-1):
    result = _logsumexp(x, axis)
    return np.where(np.isneginf(result), 0, result)


@logsumexp.misconception(
    "a small number is added to the sum", hint="ln(0 + 1e-12) is -27.6, not -inf. The sum needs no help."
)
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    m = np.where(np.isneginf(m), 0, m)
    return np.log(np.exp(x - m).sum(axis=axis) + x.dtype.type(1e-7)) + m.squeeze(axis)


@logsumexp.misconception("only the maximum", hint="The maximum is close, but the other numbers add something too.")
def _(x, axis=-1):
    return x.max(axis=axis)


@logsumexp.misconception("no logarithm", hint="The logarithm of the sum is missing.")
def _(x, axis=-1):
    return np.exp(x).sum(axis=axis)


@logsumexp.misconception(
    "the mean, not the sum", hint="The exponentials are summed, and not averaged: you are ln(n) too low."
)
def _(x, axis=-1):
    return _logsumexp(x, axis) - float(np.log(x.shape[axis]))


@logsumexp.misconception("logarithm to base 2", hint="`np.log` is the natural logarithm.")
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    m = np.where(np.isneginf(m), 0, m)
    with np.errstate(divide="ignore"):
        return np.log2(np.exp(x - m).sum(axis=axis)) + m.squeeze(axis)


@logsumexp.misconception("always float64", hint="The output's dtype follows the input. Where do you make a float64?")
def _(x, axis=-1):
    return _logsumexp(x.astype(np.float64), axis)


@logsumexp.misconception(
    "changes x in place", hint="`x -= ...` writes into the caller's array. `x - ...` makes a new one."
)
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    m = np.where(np.isneginf(m), 0, m)
    x -= m
    return _logsumexp(x, axis) + m.squeeze(axis)


# --- log_softmax ------------------------------------------------------------------------------------------

log_softmax = Exercise("log_softmax", lesson=LESSON, floor=1.0)

log_softmax.hints = (
    "Take the logarithm of the softmax formula on paper: what becomes of a fraction, and of ln(e^x)?",
    "x minus logsumexp(x), and you have logsumexp already. It has lost `axis`, so it does not broadcast against x yet.",
    "`np.expand_dims(logsumexp(x, axis=axis), axis)` puts the axis back.",
    "For a line of only -inf, -inf - -inf is NaN. Where logsumexp is -inf subtract 0: "
    "`x - np.where(np.isneginf(total), 0, total)`.",
)


def line_log_softmax(line):
    """From the definition; a line of only -inf gives -inf throughout."""
    total = line_logsumexp(line)
    return [a if total == -INF else a - total for a in line]


@log_softmax.reference
def _(x, axis=-1):
    return along(axis, line_log_softmax, x)


log_softmax.aspect("values", points=1)(values)
log_softmax.aspect("any axis", points=1)(axes)
log_softmax.aspect("large numbers", points=1)(large)


@log_softmax.aspect("minus infinity", points=1)
def _(rng):
    yield from infinite(rng, "a line of only -inf has the log-weights -inf", "the weight is 0, and log 0 is -inf")


log_softmax.aspect("dtype and purity", points=1, purity=True)(dtypes)


def _log_softmax(x, axis=-1):
    total = _logsumexp(x, axis, keepdims=True)
    return x - np.where(np.isneginf(total), 0, total)


@log_softmax.misconception(
    "the logarithm of a softmax", hint="A weight of e^-1000 rounds to 0, and ln 0 is -inf. Use x minus logsumexp(x)."
)
def _(x, axis=-1):
    with np.errstate(divide="ignore"):
        return np.log(_softmax(x, axis))


@log_softmax.misconception(
    "the logarithm of a softmax, and a warning",
    hint="A weight rounds to 0, and ln 0 is -inf. Use x minus logsumexp(x).",
)
def _(x, axis=-1):
    return np.log(_softmax(x, axis))


@log_softmax.misconception(
    "the logarithm of a softmax plus a small number",
    hint="The small number hides the -inf, and puts a wrong number in its place. Use x minus logsumexp(x).",
)
def _(x, axis=-1):
    return np.log(_softmax(x, axis) + x.dtype.type(1e-7))


@log_softmax.misconception(
    "NaN on a line of only -inf", hint="-inf - -inf is NaN. Where logsumexp is -inf, subtract 0 instead."
)
def _(x, axis=-1):
    return x - _logsumexp(x, axis, keepdims=True)


@log_softmax.misconception("zeros on a line of only -inf", hint="Weights of 0 have the logarithm -inf.")
def _(x, axis=-1):
    total = _logsumexp(x, axis, keepdims=True)
    return np.where(np.isneginf(total), 0, x - np.where(np.isneginf(total), 0, total))


@log_softmax.misconception(
    "equal log-weights on a line of only -inf", hint="Its weights are 0, so its log-weights are -inf."
)
def _(x, axis=-1):
    total = _logsumexp(x, axis, keepdims=True)
    uniform = -float(np.log(x.shape[axis]))
    return np.where(np.isneginf(total), uniform, x - np.where(np.isneginf(total), 0, total))


@log_softmax.misconception(
    "-inf is replaced by a finite number", hint="An entry of -inf has the log-weight -inf, not a very negative number."
)
def _(x, axis=-1):
    return np.maximum(_log_softmax(x, axis), -6e4)


@log_softmax.misconception("always along the last axis", hint="You do not use the argument `axis` everywhere.")
def _(x, axis=-1):
    return _log_softmax(x, -1)


@log_softmax.misconception(
    "always along the first axis", hint="Use the argument `axis`; by default it is the last one."
)
def _(x, axis=-1):
    return _log_softmax(x, 0)


@log_softmax.misconception("normalizes over the whole array", hint="Each line along `axis` has its own logsumexp.")
def _(x, axis=-1):
    return _log_softmax(x.reshape(-1)).reshape(x.shape)


@log_softmax.misconception("softmax, not its logarithm", hint="Log-weights are at most 0. You returned the weights.")
def _(x, axis=-1):
    return _softmax(x, axis)


@log_softmax.misconception("the sign is wrong", hint="It is x - logsumexp(x), which is never above 0.")
def _(x, axis=-1):
    return -_log_softmax(x, axis)


@log_softmax.misconception("only the maximum is subtracted", hint="Subtract logsumexp, which is more than the maximum.")
def _(x, axis=-1):
    m = x.max(axis=axis, keepdims=True)
    return x - np.where(np.isneginf(m), 0, m)


@log_softmax.misconception(
    "no maximum in logsumexp",
    hint="exp overflows for large numbers. Subtract each line's maximum first, and add it back.",
)
def _(x, axis=-1):
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(x).sum(axis=axis, keepdims=True))
    return x - np.where(np.isneginf(x.max(axis=axis, keepdims=True)), 0, total)


@log_softmax.misconception(
    "one maximum for the whole array", hint="Rows far below the maximum of all round to 0. Subtract each line's own."
)
def _(x, axis=-1):
    m = x.max() if np.isfinite(x.max()) else 0
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(x - m).sum(axis=axis, keepdims=True)) + m
    return x - np.where(np.isneginf(x.max(axis=axis, keepdims=True)), 0, total)


@log_softmax.misconception(
    "logsumexp without its axis is subtracted",
    hint="logsumexp has lost `axis`. Put it back with `np.expand_dims(..., axis)`, so that each line gets its own.",
)
def _(x, axis=-1):
    total = _logsumexp(x, axis)
    return x - np.where(np.isneginf(total), 0, total)


@log_softmax.misconception("logarithm to base 2", hint="`np.log` is the natural logarithm.")
def _(x, axis=-1):
    return _log_softmax(x, axis) / float(np.log(2))


@log_softmax.misconception("always float64", hint="The output's dtype follows the input. Where do you make a float64?")
def _(x, axis=-1):
    return _log_softmax(x.astype(np.float64), axis)


@log_softmax.misconception(
    "changes x in place", hint="`x -= ...` writes into the caller's array. `x - ...` makes a new one."
)
def _(x, axis=-1):
    total = _logsumexp(x, axis, keepdims=True)
    x -= np.where(np.isneginf(total), 0, total)
    return x


# --- softmax_with_temperature -----------------------------------------------------------------------------

softmax_with_temperature = Exercise("softmax_with_temperature", lesson=LESSON)

softmax_with_temperature.hints = (
    "You have softmax already. What is done to the scores before it?",
    "Divide the scores by the temperature, and pass `axis` on.",
    "Check the temperature before you divide: `if temperature <= 0: raise ValueError(...)`.",
    "The last line is `return softmax(x / temperature, axis=axis)`.",
)


@softmax_with_temperature.reference
def _(x, temperature, axis=-1):
    return along(axis, line_softmax, np.asarray(x) / temperature)


@softmax_with_temperature.aspect("values", points=1)
def _(rng):
    yield case("temperature 0.5", rng.normal(size=(3, 4)), 0.5)
    yield case("temperature 2.0", rng.normal(size=(3, 4)), 2.0)
    yield case("temperature 1.0", rng.normal(size=(3, 4)), 1.0)
    yield case("a temperature with many digits", rng.normal(size=(3, 4)), float(rng.uniform(0.1, 0.9)))
    yield case("a higher temperature with many digits", rng.normal(size=(3, 4)), float(rng.uniform(1.1, 5)))
    yield case("temperature 3, an int", rng.normal(size=(3, 4)), 3)
    yield case("temperature 0.1, one line", rng.normal(size=5), 0.1)
    yield case("temperature 7.5, three axes", rng.normal(size=(2, 3, 4)), temperature=7.5)
    yield case("temperature 100", rng.normal(size=(2, 4)), 100.0)
    yield case("as many rows as columns", rng.normal(size=(4, 4)), 0.7)
    yield case("axis=0", rng.normal(size=(3, 5)), 0.5, axis=0)
    yield case("axis=0, as many rows as columns", rng.normal(size=(4, 4)), 2.0, axis=0)
    yield case("axis 1 in third place", rng.normal(size=(2, 3, 4)), 2.0, 1)
    yield case("axis=-2", rng.normal(size=(2, 3, 4)), temperature=0.3, axis=-2)
    yield case("four axes, axis=1", rng.normal(size=(2, 3, 1, 4)), 0.5, axis=1)
    yield case("one row", rng.normal(size=(1, 4)), 1.5)
    yield case("lines of one number", rng.normal(size=(3, 1)), 0.5)
    yield case("a long line", rng.normal(size=(2, 100)), 0.5)


@softmax_with_temperature.aspect("large numbers and minus infinity", points=1)
def _(rng):
    yield case("numbers around 1e4", 1e4 + rng.normal(size=(3, 4)), 2.0)
    yield case("numbers around -1e4", -1e4 + rng.normal(size=(3, 4)), 0.5)
    yield case("temperature 0.001", 5 * rng.normal(size=(3, 4)), 0.001)
    yield case("temperature 0.001, numbers close together", 10 + 0.001 * rng.normal(size=(3, 4)), 0.001)
    yield case("rows that differ by 1e4", np.array([[1e4], [0.0], [-1e4]]) + rng.normal(size=(3, 4)), 0.5)
    yield case("temperature 1e-4", 1e-4 * rng.normal(size=(3, 4)), 1e-4)
    yield case("temperature 1e6", 10 * rng.normal(size=(3, 4)), 1e6)
    hidden = rng.normal(size=(3, 4))
    hidden[0, 1] = hidden[2, 2:] = -INF
    yield case("some numbers are -inf", hidden, 0.5)
    hidden = hidden.copy()
    hidden[1] = -INF
    empty = "a line of only -inf has nothing to give weight to"
    yield case("a row of only -inf", hidden, 2.0).because(empty)


@softmax_with_temperature.aspect("temperatures that are refused", points=1)
def _(rng):
    x = rng.normal(size=(2, 3))
    yield case("temperature 0.0", x, 0.0).raises(ValueError)
    yield case("temperature 0, an int", x, 0).raises(ValueError)
    yield case("temperature -1.0", x, -1.0).raises(ValueError)
    yield case("temperature -0.001", x, -0.001).raises(ValueError)
    yield case("temperature -5, an int", x, -5).raises(ValueError)
    yield case("temperature 0, axis=0", x, temperature=0.0, axis=0).raises(ValueError)
    equal = np.full((2, 3), rng.normal())
    for temperature in (0.001, 0.5, 1.0, 50.0, 2):
        yield case(f"temperature {temperature} is fine, with scores that are all equal", equal, temperature)


@softmax_with_temperature.aspect("dtype and purity", points=1, purity=True)
def _(rng):
    for dtype in (np.float32, np.float16, np.float64, np.float64):
        yield case(dtype.__name__, rng.normal(size=(3, 4)).astype(dtype), 0.5)
    yield case("float32, temperature 2, axis=0", rng.normal(size=(3, 4)).astype(np.float32), 2, axis=0)


softmax_with_temperature.property(softmax.properties[0])


def _refuse(temperature):
    if temperature <= 0:
        raise ValueError(f"temperature: expected a number above 0, got {temperature}")


@softmax_with_temperature.misconception(
    "multiplied by the temperature", hint="Divide: a high temperature makes scores small."
)
def _(x, temperature, axis=-1):
    _refuse(temperature)
    return _softmax(x * temperature, axis)


@softmax_with_temperature.misconception(
    "divided after softmax", hint="Divide the scores, before softmax, not the weights."
)
def _(x, temperature, axis=-1):
    _refuse(temperature)
    return _softmax(x, axis) / temperature


@softmax_with_temperature.misconception("the temperature has no effect", hint="Divide the scores by it.")
def _(x, temperature, axis=-1):
    _refuse(temperature)
    return _softmax(x, axis)


@softmax_with_temperature.misconception("the square root of the temperature", hint="Divide by the temperature itself.")
def _(x, temperature, axis=-1):
    _refuse(temperature)
    return _softmax(x / temperature**0.5, axis)


@softmax_with_temperature.misconception(
    "any temperature is accepted", hint="A temperature of 0 or less makes no sense: raise ValueError."
)
def _(x, temperature, axis=-1):
    with np.errstate(all="ignore"):
        return _softmax(x / temperature, axis)


@softmax_with_temperature.misconception(
    "only 0 is refused", hint="Below 0 the smallest score would win. Refuse it as well."
)
def _(x, temperature, axis=-1):
    if temperature == 0:
        raise ValueError
    return _softmax(x / temperature, axis)


@softmax_with_temperature.misconception("only temperatures below 0 are refused", hint="Refuse 0 as well: `<= 0`.")
def _(x, temperature, axis=-1):
    if temperature < 0:
        raise ValueError
    with np.errstate(all="ignore"):
        return _softmax(x / temperature, axis)


@softmax_with_temperature.misconception(
    "temperatures that are too low are raised", hint="Do not repair an argument in silence. Raise ValueError."
)
def _(x, temperature, axis=-1):
    return _softmax(x / max(temperature, 1e-8), axis)


@softmax_with_temperature.misconception(
    "another error than ValueError", hint="Write `raise ValueError(...)`, not `assert`."
)
def _(x, temperature, axis=-1):
    assert temperature > 0
    return _softmax(x / temperature, axis)


@softmax_with_temperature.misconception("temperatures below 1 are refused", hint="Every temperature above 0 is fine.")
def _(x, temperature, axis=-1):
    if temperature < 1:
        raise ValueError
    return _softmax(x / temperature, axis)


@softmax_with_temperature.misconception("always along the last axis", hint="Pass `axis` on to softmax.")
def _(x, temperature, axis=-1):
    _refuse(temperature)
    return _softmax(x / temperature)


@softmax_with_temperature.misconception("no maximum is subtracted", hint="exp overflows. Call your `softmax`.")
def _(x, temperature, axis=-1):
    _refuse(temperature)
    e = np.exp(x / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@softmax_with_temperature.misconception("NaN on a line of only -inf", hint="Call your `softmax`, which sees to that.")
def _(x, temperature, axis=-1):
    _refuse(temperature)
    e = np.exp((x - x.max(axis=axis, keepdims=True)) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


@softmax_with_temperature.misconception(
    "always float64", hint="float32 divided by a np.float64 is float64. Divide by the temperature as it is."
)
def _(x, temperature, axis=-1):
    _refuse(temperature)
    return _softmax(x / np.float64(temperature), axis)


@softmax_with_temperature.misconception(
    "changes x in place", hint="`x /= ...` writes into the caller's array. Use `x / ...`."
)
def _(x, temperature, axis=-1):
    _refuse(temperature)
    x /= temperature
    return _softmax(x, axis)


# --- entropy ----------------------------------------------------------------------------------------------

entropy = Exercise("entropy", lesson=LESSON, floor=1.0)

entropy.hints = (
    "Weights times their logarithms, summed along `axis`, with a minus sign. What does NumPy give for 0 * log(0)?",
    "Where a weight is 0, any finite logarithm will do, since it is multiplied by 0. Which number's "
    "logarithm is harmless?",
    "`np.where(weights > 0, weights, 1)` has no zeros. Its logarithm is 0 where the weight is 0.",
    "`return -(weights * np.log(np.where(weights > 0, weights, 1))).sum(axis=axis)`.",
)


@entropy.reference
def _(weights, axis=-1):
    return along(axis, lambda line: -math.fsum(w * math.log(w) for w in line if w > 0), weights)


def _distribution(rng, shape, axis=-1):
    w = rng.random(shape) + 0.05
    return w / w.sum(axis=axis, keepdims=True)


@entropy.aspect("values", points=1)
def _(rng):
    yield case("a matrix", _distribution(rng, (2, 3)))
    yield case("the same shape, other numbers", _distribution(rng, (2, 3)))
    yield case("5 lines of 4 weights", _distribution(rng, (5, 4)))
    yield case("one line", _distribution(rng, 6))
    yield case("as many rows as columns", _distribution(rng, (4, 4)))
    yield case("one row", _distribution(rng, (1, 4)))
    yield case("lines of one number", np.ones((3, 1)))
    yield case("equal weights", np.full((2, 8), 1 / 8))
    yield case("three axes", _distribution(rng, (2, 3, 4)))
    yield case("a long line", _distribution(rng, (2, 100)))
    yield case("very small weights", np.array([[1 - 1e-6, 1e-6, 1e-12], [0.5, 0.5 - 1e-9, 1e-9]]))


@entropy.aspect("any axis", points=1)
def _(rng):
    yield case("a matrix, axis=0", _distribution(rng, (3, 4), 0), axis=0)
    yield case("as many rows as columns, axis=0", _distribution(rng, (4, 4), 0), axis=0)
    yield case("one line, axis=0", _distribution(rng, 5), axis=0)
    yield case("three axes, axis 1 in second place", _distribution(rng, (2, 3, 4), 1), 1)
    yield case("three axes, axis=2", _distribution(rng, (2, 3, 4), 2), axis=2)
    yield case("three axes, axis=-2", _distribution(rng, (2, 3, 4), -2), axis=-2)
    yield case("all sizes 3, axis=-3", _distribution(rng, (3, 3, 3), 0), axis=-3)
    yield case("four axes, axis=2 of size 1", np.ones((2, 3, 1, 4)), axis=2)


@entropy.aspect("weights of zero", points=1)
def _(rng):
    zero = "0 log 0 counts as 0"
    w = _distribution(rng, (3, 3))
    padded = np.concatenate([w, np.zeros((3, 1))], axis=1)
    yield case("one weight of 0", padded).because(zero)
    yield case("a weight of 0, axis=0", padded.T.copy(), axis=0).because(zero)
    yield case("all weight on one", np.array([0.0, 1.0, 0.0])).because(zero)
    yield case("one-hot rows", np.eye(4)[rng.permutation(4)][:3]).because(zero)
    yield case("a row of only 0", np.stack([np.zeros(4), padded[0]])).because(zero)
    yield case("float32, a weight of 0", padded.astype(np.float32)).because(zero)
    yield case("float16, a weight of 0", padded.astype(np.float16)).because(zero)


@entropy.aspect("weights as they are given", points=1)
def _(rng):
    given = "the weights are taken as they are, and not normalized"
    w = _distribution(rng, (2, 4))
    yield case("rows that sum to 0.5", 0.5 * w).because(given)
    yield case("rows that sum to 0.9", 0.9 * w).because(given)
    yield case("weights that sum to about 2", rng.uniform(0.3, 0.9, size=(2, 4))).because(given)
    yield case("weights of columns, summed over rows", _distribution(rng, (3, 4), 0)).because(given)
    yield case("one line that sums to 0.1", 0.1 * w[0]).because(given)


@entropy.aspect("dtype and purity", points=1, purity=True)
def _(rng):
    for dtype in (np.float32, np.float16, np.float64, np.float64):
        yield case(dtype.__name__, _distribution(rng, (3, 4)).astype(dtype))
    yield case("float32, axis=0", _distribution(rng, (3, 4), 0).astype(np.float32), axis=0)
    yield case("float32, one line", _distribution(rng, 5).astype(np.float32))


def _terms(weights):
    return -weights * np.log(np.where(weights > 0, weights, 1))


@entropy.misconception("in bits, not in nats", hint="`np.log2` measures in bits. Use `np.log`.")
def _(weights, axis=-1):
    return -(weights * np.log2(np.where(weights > 0, weights, 1))).sum(axis=axis)


@entropy.misconception("NaN where a weight is 0", hint="NumPy's 0 * log(0) is NaN. Replace zeros before the logarithm.")
def _(weights, axis=-1):
    return -(weights * np.log(weights)).sum(axis=axis)


@entropy.misconception(
    "the right numbers, but with a warning",
    hint="log(0) is computed and repaired afterwards. Replace zeros *before* it.",
)
def _(weights, axis=-1):
    return -np.nan_to_num(weights * np.log(weights)).sum(axis=axis)


@entropy.misconception("the weights are normalized first", hint="Take the weights as they are given.")
def _(weights, axis=-1):
    total = weights.sum(axis=axis, keepdims=True)
    return _terms(weights / np.where(total == 0, 1, total)).sum(axis=axis)


@entropy.misconception(
    "the minus sign is missing", hint="Logarithms of weights are at most 0, so put a minus in front."
)
def _(weights, axis=-1):
    return -_terms(weights).sum(axis=axis)


@entropy.misconception("sums over the whole array", hint="Each line along `axis` has an entropy of its own.")
def _(weights, axis=-1):
    return _terms(weights).sum()


@entropy.misconception("always along the last axis", hint="Pass `axis` on to the sum.")
def _(weights, axis=-1):
    return _terms(weights).sum(axis=-1)


@entropy.misconception("always along the first axis", hint="Use the argument `axis`; by default it is the last one.")
def _(weights, axis=-1):
    return _terms(weights).sum(axis=0)


@entropy.misconception("keeps the summed axis", hint="One number for each line: leave out `keepdims`.")
def _(weights, axis=-1):
    return _terms(weights).sum(axis=axis, keepdims=True)


@entropy.misconception("the mean, not the sum", hint="Add the terms up; do not divide by how many there are.")
def _(weights, axis=-1):
    return _terms(weights).mean(axis=axis)


@entropy.misconception("not summed", hint="The terms -w log w are right. Sum them along `axis`.")
def _(weights, axis=-1):
    return _terms(weights)


@entropy.misconception(
    "a small number is added in the logarithm", hint="It makes every term a little wrong. Replace only the zeros."
)
def _(weights, axis=-1):
    return -(weights * np.log(weights + weights.dtype.type(1e-6))).sum(axis=axis)


@entropy.misconception("softmax is taken first", hint="You are given weights already, not scores.")
def _(weights, axis=-1):
    return _terms(_softmax(weights, axis)).sum(axis=axis)


@entropy.misconception("the exponential of the entropy", hint="That is the perplexity. Return the entropy itself.")
def _(weights, axis=-1):
    return np.exp(_terms(weights).sum(axis=axis))


@entropy.misconception("divided by ln n", hint="Entropy in nats goes up to ln n, not up to 1.")
def _(weights, axis=-1):
    return _terms(weights).sum(axis=axis) / float(np.log(max(weights.shape[axis], 2)))


@entropy.misconception("always float64", hint="The output's dtype follows the input. Where do you make a float64?")
def _(weights, axis=-1):
    return _terms(weights.astype(np.float64)).sum(axis=axis)


@entropy.misconception(
    "changes the weights in place", hint="Replacing zeros in `weights` itself changes the caller's array."
)
def _(weights, axis=-1):
    weights[weights == 0] = 1
    return _terms(weights).sum(axis=axis)
