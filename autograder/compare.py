"""Is a student's value the expected one? One sentence says what is wrong, another shows the numbers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Number

import numpy as np

from autograder.wire import Opaque, Tensor

SHOWN_AT_MOST = 8


@dataclass(frozen=True)
class Tolerance:
    """Values agree within rtol * max(floor, largest expected) + 4 eps * size of the inputs."""

    rtol: float
    floor: float
    slack: float
    dtype: str | None


@dataclass(frozen=True)
class Problem:
    """What is wrong with an answer: `text` gives away no number, `numbers()` does, worked out only when asked."""

    kind: str
    text: str
    numbers: Callable[[], str] = str
    picture: tuple | None = None


def compare(expected, actual, tolerance: Tolerance, part: str = "") -> Problem | None:
    """None if `actual` is `expected` within the tolerance; `part` names the place in a larger value."""
    if isinstance(expected, (list, tuple)):
        return _compare_sequences(expected, actual, tolerance, part)
    if isinstance(expected, dict):
        return _compare_dicts(expected, actual, tolerance, part)
    if actual is None and expected is not None:
        return Problem("None", f"{_it(part)} None. Is there a `return` on every path?")
    if isinstance(expected, (np.ndarray, np.generic, Tensor)):
        return _compare_arrays(expected, actual, tolerance, part)
    if isinstance(expected, Number) and not isinstance(expected, bool):
        return _compare_numbers(expected, actual, tolerance, part)
    if isinstance(expected, bool) and isinstance(actual, np.bool_):
        actual = bool(actual)
    if type(actual) is not type(expected):
        return Problem("type", f"{_it(part)} {describe(actual)}; {describe(expected)} was expected.")
    if actual != expected:
        return Problem(
            "value", f"{_it(part)} another value than expected.", lambda: f"Expected {expected!r}, not {actual!r}."
        )
    return None


def describe(value) -> str:
    """A value in a few words: its type, and for arrays dtype and shape."""
    if value is None:
        return "None"
    if isinstance(value, Opaque):
        return f"an object of type {value.type_name}"
    if isinstance(value, np.generic):
        return f"a NumPy scalar ({value.dtype})"
    if isinstance(value, np.ndarray):
        return f"an array ({value.dtype}) of shape {value.shape}"
    if isinstance(value, Tensor):
        return f"a tensor ({value.array.dtype}) of shape {value.array.shape}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return {bool: "a bool", int: "an int", float: "a float", str: "a string"}.get(
        type(value), f"a {type(value).__name__}"
    )


def _it(part: str) -> str:
    return f"{part} is" if part else "It returned"


def _within(part: str, piece: str) -> str:
    return f"{part}{piece}" if part else f"output{piece}"


def _compare_sequences(expected, actual, tolerance, part):
    if not isinstance(actual, (list, tuple)):
        return Problem("type", f"{_it(part)} {describe(actual)}; {describe(expected)} was expected.")
    if len(actual) != len(expected):
        return Problem(
            "length",
            f"{_it(part)} a {type(actual).__name__} of {len(actual)}; {len(expected)} were expected.",
            lambda: f"Expected {show(expected)}, not {show(actual)}.",
        )
    for index, (want, have) in enumerate(zip(expected, actual, strict=True)):
        problem = compare(want, have, tolerance, _within(part, f"[{index}]"))
        if problem:
            if part == "" and not _holds_arrays(expected):
                return Problem(problem.kind, problem.text, lambda: f"Expected {show(expected)}, not {show(actual)}.")
            return problem
    return None


def _holds_arrays(value) -> bool:
    """Whether there is an array in a nested list or tuple: too much to be shown whole."""
    if isinstance(value, (list, tuple)):
        return any(map(_holds_arrays, value))
    return isinstance(value, (np.ndarray, Tensor))


def _compare_dicts(expected, actual, tolerance, part):
    if not isinstance(actual, dict):
        return Problem("type", f"{_it(part)} {describe(actual)}; a dict was expected.")
    for key in expected:
        if key not in actual:
            return Problem(
                "keys", f"{part or 'The dict'} lacks a key.", partial("The key {!r} is missing.".format, key)
            )
    for key in actual:
        if key not in expected:
            return Problem(
                "keys",
                f"{part or 'The dict'} has a key too many.",
                partial("The key {!r} is not expected.".format, key),
            )
    for key, want in expected.items():
        problem = compare(want, actual[key], tolerance, _within(part, f"[{key!r}]"))
        if problem:
            return problem
    return None


def _compare_numbers(expected, actual, tolerance, part):
    if isinstance(actual, Tensor):
        actual = actual.array
    if isinstance(actual, np.ndarray) and actual.ndim == 0:
        actual = actual[()]
    whole = isinstance(expected, int)
    wanted = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(actual, (bool, np.bool_)) or not isinstance(actual, wanted):
        return Problem("type", f"{_it(part)} {describe(actual)}; {'an int' if whole else 'a number'} was expected.")
    return _values(np.asarray(expected), np.asarray(actual), tolerance, part, picture=False)


def _compare_arrays(expected, actual, tolerance, part):
    want = _array_like(expected, expected)
    have = _array_like(expected, actual)
    noun = "tensor" if isinstance(expected, Tensor) else "array"
    if have is None:
        kind = f"{'a torch.Tensor' if noun == 'tensor' else 'a numpy.ndarray'} of shape {want.shape}"
        wanted = kind if want.ndim or noun == "tensor" else "a number"
        return Problem("type", f"{_it(part)} {describe(actual)}; {wanted} was expected.")
    if have.shape != want.shape:
        return Problem("shape", _about_shapes(have.shape, want.shape, noun, part))
    dtype = _wanted_dtype(want, have, noun, tolerance)
    if dtype:
        which = f"{part} has" if part else "It returned values of"
        return Problem("dtype", f"{which} dtype {have.dtype}; {dtype} was expected.")
    return _values(want, have, tolerance, part, picture=True)


def _about_shapes(have, want, noun, part) -> str:
    a_noun = "an array" if noun == "array" else "a tensor"
    if not have:
        return f"{_it(part)} a single number; {a_noun} of shape {want} was expected."
    which = f"{part} has shape" if part else f"It returned {a_noun} of shape"
    return f"{which} {have}; {want if want else 'a single number'} was expected."


def _array_like(expected, actual) -> np.ndarray | None:
    """`actual` as an array if it is of the expected kind: a tensor, an array or, for shape (), any number."""
    if isinstance(expected, Tensor):
        return actual.array if isinstance(actual, Tensor) else None
    is_number = np.ndim(expected) == 0 and type(actual) in (bool, int, float)
    return np.asarray(actual) if is_number or isinstance(actual, (np.ndarray, np.generic)) else None


def _wanted_dtype(want, have, noun, tolerance) -> str | None:
    """The dtype that should have come, or None if the one that came will do. Integers in NumPy may have any width."""
    if want.dtype.kind == "f":
        if tolerance.dtype is None:
            return None if have.dtype.kind == "f" else "a floating dtype"
        return None if have.dtype.name == tolerance.dtype else tolerance.dtype
    if want.dtype.kind in "iu" and noun == "array" and have.dtype.kind in "iu":
        return None
    if have.dtype == want.dtype:
        return None
    return "an integer dtype" if want.dtype.kind in "iu" and noun == "array" else want.dtype.name


def _values(want, have, tolerance, part, picture):
    if want.size == 0:
        return None
    if want.dtype.kind in "biu":
        bad = want != have
    else:
        want, have = want.astype(np.float64), have.astype(np.float64)
        finite = np.isfinite(want)
        largest = np.abs(want[finite]).max() if finite.any() else 0.0
        limit = tolerance.rtol * max(tolerance.floor, largest) + tolerance.slack
        with np.errstate(invalid="ignore"):
            close = np.where(finite, np.abs(have - want) <= limit, have == want)
        bad = ~close & ~(np.isnan(want) & np.isnan(have))
    if not bad.any():
        return None
    return _value_problem(want, have, bad, part, picture)


def _value_problem(want, have, bad, part, picture):
    where = f"{part} has" if part else "It has" if want.ndim else "It is"
    if want.dtype.kind == "f" and np.isnan(have[bad]).any():
        kind, text = "nan", f"{where} NaN where a number was expected." if want.ndim else "It is NaN."
    elif want.dtype.kind == "f" and np.isinf(have[bad]).any():
        kind, text = (
            "inf",
            f"{where} infinity where another number was expected." if want.ndim else "It is infinite.",
        )
    elif want.ndim:
        count = f"{int(bad.sum())} of {want.size}"
        kind, text = "value", f"{where} {count} values wrong."
    else:
        kind, text = "value", f"{part or 'It'} is not the expected value."
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    if want.ndim and want.shape[-1] <= SHOWN_AT_MOST:
        row, name = index[:-1], _index(index[:-1])
        place = f"Row {name}" if row else "It"
        told = (f"{place} should be", want[row], have[row])
    elif want.ndim:
        told = (f"At {_index(index)} it should be", want[index], have[index])
    else:
        told = ("It should be", want[()], have[()])
    matrix = picture and want.ndim >= 2 and max(want.shape[-2:]) <= 16 and want.dtype.kind in "bf"
    return Problem(kind, text, partial(_pair, *told), (want[index[:-2]], have[index[:-2]]) if matrix else None)


def _pair(place: str, want, have) -> str:
    right, yours = show(want), show(have)
    if right == yours:
        with np.errstate(invalid="ignore"):
            off = np.nanmax(np.abs(np.subtract(want, have, dtype=np.float64)))
        return f"{place} {right}; yours is close, but off by {off:.1g}, more than rounding explains."
    return f"{place} {right}; yours is {yours}."


def _index(index) -> str:
    return str(index[0]) if len(index) == 1 else f"[{', '.join(map(str, index))}]"


def show(value) -> str:
    """A value as a reader wants it: few digits, not too long."""
    if isinstance(value, Tensor):
        value = value.array
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        if value.size > 24:
            return describe(value)
        value = value + 0.0 if value.dtype.kind == "f" else value  # -0. becomes 0.
        text = np.array2string(value, precision=4, separator=", ").replace("\n", "")
        return re.sub(r" +", " ", text).replace("[ ", "[").replace(" ]", "]").replace(" ,", ",")
    if isinstance(value, np.generic):
        return str(value.item())
    if isinstance(value, (list, tuple)):
        inner = ", ".join(show(item) for item in value[:12]) + (", ..." if len(value) > 12 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
