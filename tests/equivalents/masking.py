"""Other right answers to the exercises of lesson 03."""

import math
from functools import reduce

import numpy as np
import torch

# --------------------------------------------------------------------------------------------- padding_mask


def _check_lengths(lengths, max_len):
    if not all(0 <= n <= max_len for n in lengths):
        raise ValueError(f"lengths must be within 0 and {max_len}, got {lengths}")


def padding_by_comprehension(lengths, max_len):
    _check_lengths(lengths, max_len)
    return np.array([[j < n for j in range(max_len)] for n in lengths], dtype=bool)


def padding_by_slices(lengths, max_len):
    if lengths.min() < 0 or lengths.max() > max_len:
        raise ValueError("lengths")
    mask = np.zeros((len(lengths), max_len), dtype=bool)
    for row, length in zip(mask, lengths, strict=True):
        row[:length] = True
    return mask


def padding_by_table(lengths, max_len):
    if ((lengths < 0) | (lengths > max_len)).any():
        raise ValueError("lengths")
    return np.tri(max_len + 1, max_len, k=-1, dtype=bool)[lengths]


def padding_by_less_outer(lengths, max_len):
    if np.any(np.clip(lengths, 0, max_len) != lengths):
        raise ValueError("lengths")
    return np.greater.outer(lengths, np.arange(max_len))


def padding_by_lists(lengths, max_len):
    rows = []
    for length in lengths.tolist():
        if length < 0 or length > max_len:
            raise ValueError("lengths")
        rows.append([True] * length + [False] * (max_len - length))
    return np.array(rows)


def padding_by_not_padding(lengths, max_len):
    _check_lengths(lengths, max_len)
    return ~(np.arange(max_len)[None, :] >= np.expand_dims(lengths, 1))


def padding_in_torch(lengths, max_len):
    _check_lengths(lengths, max_len)
    return (torch.arange(max_len) < torch.from_numpy(np.array(lengths))[:, None]).numpy()


# ---------------------------------------------------------------------------------------------- causal_mask


def causal_by_tril(length):
    return np.tril(np.ones((length, length), dtype=bool))


def causal_by_not_triu(length):
    return ~np.triu(np.ones((length, length), dtype=bool), k=1)


def causal_by_positions(length):
    position = np.arange(length)
    return position[None, :] <= position[:, None]


def causal_by_loops(length):
    mask = np.full((length, length), False)
    for i in range(length):
        for j in range(i + 1):
            mask[i, j] = True
    return mask


def causal_by_cumsum(length):
    return np.cumsum(np.eye(length, dtype=int), axis=0).T[::-1, ::-1].astype(bool)


def causal_by_outer(length):
    return np.greater_equal.outer(range(length), range(length))


def causal_in_torch(length):
    return torch.ones(length, length).tril().bool().numpy()


# ---------------------------------------------------------------------------------------------- window_mask


def _check_radius(radius):
    if radius < 0:
        raise ValueError(f"radius must not be negative, got {radius}")


def window_by_loops(length, radius):
    _check_radius(radius)
    return np.array([[i - radius <= j <= i + radius for j in range(length)] for i in range(length)])


def window_by_slices(length, radius):
    _check_radius(radius)
    mask = np.zeros((length, length), bool)
    for i in range(length):
        mask[i, max(0, i - radius) : i + radius + 1] = True
    return mask


def window_by_triangles(length, radius):
    _check_radius(radius)
    ones = np.ones((length, length), bool)
    return np.tril(ones, radius) & np.triu(ones, -radius)


def window_by_squares(length, radius):
    _check_radius(radius)
    i, j = np.indices((length, length))
    return (i - j) ** 2 <= radius**2


def window_by_diagonals(length, radius):
    _check_radius(radius)
    mask = np.zeros((length, length), dtype=bool)
    for k in range(-min(radius, length - 1), min(radius, length - 1) + 1):
        mask |= np.eye(length, k=k, dtype=bool)
    return mask


def window_by_fromfunction(length, radius):
    _check_radius(radius)
    return np.fromfunction(lambda i, j: abs(i - j) <= radius, (length, length))


def window_in_torch(length, radius):
    _check_radius(radius)
    position = torch.arange(length)
    return ((position[:, None] - position).abs() <= radius).numpy()


# -------------------------------------------------------------------------------------------- combine_masks


def combine_by_reduce(*masks):
    given = [mask for mask in masks if mask is not None]
    return reduce(np.logical_and, given) if given else None


def combine_by_broadcast(*masks):
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    return np.logical_and.reduce(np.broadcast_arrays(*given))


def combine_by_product(*masks):
    result = None
    for mask in masks:
        if mask is None:
            continue
        result = mask.copy() if result is None else result * mask
    return result


def combine_by_minimum(*masks):
    given = [mask for mask in masks if mask is not None]
    return reduce(np.minimum, given) if given else None


def combine_by_de_morgan(*masks):
    forbidden = False
    for mask in masks:
        if mask is not None:
            forbidden = forbidden | ~mask
    return None if forbidden is False else ~forbidden


def combine_by_recursion(*masks):
    if not masks:
        return None
    first, rest = masks[0], combine_by_recursion(*masks[1:])
    if first is None:
        return rest
    return first if rest is None else first & rest


def combine_into_new(*masks):
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    out = np.ones(np.broadcast_shapes(*[mask.shape for mask in given]), dtype=bool)
    for mask in given:
        out &= mask
    return out


def combine_by_sum(*masks):
    given = [mask for mask in masks if mask is not None]
    return sum(mask.astype(int) for mask in given) == len(given) if given else None


# ------------------------------------------------------------------------------------------- masked_softmax


def masked_by_where(scores, mask=None, axis=-1):
    if mask is None:
        mask = np.array(True)
    scores = np.where(mask, scores, -np.inf)
    top = np.max(scores, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0).astype(scores.dtype)
    powers = np.exp(scores - top)
    total = powers.sum(axis=axis, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


def masked_by_index(scores, mask=None, axis=-1):
    work = np.array(scores, dtype=np.float64)
    if mask is not None:
        work[~np.broadcast_to(mask, work.shape)] = -np.inf
    top = work.max(axis, keepdims=True)
    top[np.isinf(top)] = 0
    work = np.exp(work - top)
    total = work.sum(axis, keepdims=True)
    total[total == 0] = 1
    return (work / total).astype(scores.dtype)


def masked_by_loops(scores, mask=None, axis=-1):
    lines = np.moveaxis(scores, axis, -1)
    allowed = np.moveaxis(np.broadcast_to(True if mask is None else mask, scores.shape), axis, -1)
    out = np.zeros(lines.shape, scores.dtype)
    for index in np.ndindex(lines.shape[:-1]):
        chosen = [(j, float(lines[index][j])) for j in range(lines.shape[-1]) if allowed[index][j]]
        top = max((s for _, s in chosen), default=-math.inf)
        if top == -math.inf:
            continue
        total = sum(math.exp(s - top) for _, s in chosen)
        for j, s in chosen:
            out[(*index, j)] = math.exp(s - top) / total
    return np.moveaxis(out, -1, axis)


def masked_by_logsumexp(scores, mask=None, axis=-1):
    dtype = scores.dtype
    scores = scores.astype(np.float64)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    with np.errstate(all="ignore"):
        top = np.nan_to_num(scores.max(axis=axis, keepdims=True), neginf=0.0)
        total = np.log(np.exp(scores - top).sum(axis=axis, keepdims=True))
        weights = np.exp((scores - top) - total)
    return np.nan_to_num(weights, nan=0.0).astype(dtype)


def masked_ignoring_errors(scores, mask=None, axis=-1):
    if mask is not None:
        scores = np.where(mask, scores, np.array(-np.inf, scores.dtype))
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
        weights = powers / powers.sum(axis=axis, keepdims=True)
    return np.where(np.isnan(weights), scores.dtype.type(0), weights)


def masked_with_masked_array(scores, mask=None, axis=-1):
    forbidden = np.isneginf(scores) if mask is None else np.isneginf(scores) | ~np.broadcast_to(mask, scores.shape)
    wide = np.where(forbidden, 0.0, scores.astype(np.float64))
    array = np.ma.masked_array(wide, forbidden)
    powers = np.ma.exp(array - array.max(axis=axis, keepdims=True))
    return np.ma.filled(powers / powers.sum(axis=axis, keepdims=True), 0.0).astype(scores.dtype)


def masked_in_torch(scores, mask=None, axis=-1):
    tensor = torch.from_numpy(np.array(scores))
    if mask is not None:
        tensor = tensor.masked_fill(~torch.from_numpy(np.array(mask)), -torch.inf)
    return torch.nan_to_num(torch.softmax(tensor, dim=axis), nan=0.0).numpy()


def masked_row_guard(scores, mask=None, axis=-1):
    if mask is None:
        mask = np.ones_like(scores, dtype=bool)
    mask = np.broadcast_to(mask, scores.shape) & (scores != -np.inf)
    safe = np.where(mask, scores, 0)
    top = np.where(mask, scores, -np.inf).max(axis=axis, keepdims=True)
    top = np.where(mask.any(axis=axis, keepdims=True), top, 0).astype(scores.dtype)
    powers = np.where(mask, np.exp(np.where(mask, safe - top, 0)), 0).astype(scores.dtype)
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total > 0, total, 1).astype(scores.dtype)


# --------------------------------------------------------------------------------------------- test_softmax


def _by_definition(x, axis):
    x = np.moveaxis(np.asarray(x, float), axis, -1)
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape[:-1]):
        top = x[index].max()
        if top > -np.inf:
            powers = [math.exp(s - top) for s in x[index]]
            out[index] = np.array(powers) / sum(powers)
    return np.moveaxis(out, -1, axis)


def test_against_an_oracle(softmax):
    rng = np.random.default_rng(3)
    holes = rng.normal(size=(3, 4))
    holes[0, 1] = holes[2] = -np.inf
    tables = [rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 2)) * 1e4, holes, 3 * rng.normal(size=(4, 3, 2, 5))]
    tables.append(rng.normal(size=(3, 4)) + np.array([[1e4], [-1e4], [0.0]]))
    with np.errstate(all="ignore"):
        for x in tables:
            for axis in range(-x.ndim, x.ndim):
                np.testing.assert_allclose(softmax(x.copy(), axis), _by_definition(x, axis), rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(softmax(x.copy()), _by_definition(x, -1), rtol=1e-9, atol=1e-9)
        for dtype, tolerance in ((np.float16, 1e-2), (np.float32, 1e-5), (np.float64, 1e-10)):
            x = rng.normal(size=(2, 5)).astype(dtype)
            kept = x.tobytes()
            weights = softmax(x)
            bits = weights.tobytes()
            softmax(np.zeros((2, 5), dtype))
            assert weights.dtype == dtype
            assert x.tobytes() == kept
            assert weights.tobytes() == bits
            np.testing.assert_allclose(weights, _by_definition(x, -1), atol=tolerance)


def test_with_torch(softmax):
    x = np.random.default_rng(1).normal(size=(3, 2, 5))
    level = np.array([1e4, -1e4, 0.0])[:, None, None]
    with np.errstate(all="ignore"):
        for table in (x, x + level, x * 200):
            for axis in (0, 1, 2, -3, -2, -1):
                want = torch.softmax(torch.tensor(table), axis).numpy()
                assert np.abs(softmax(table.copy(), axis=axis) - want).max() < 1e-8
        assert np.abs(softmax(x.copy()) - torch.softmax(torch.tensor(x), -1).numpy()).max() < 1e-8
        assert not softmax(np.array([[-np.inf, -np.inf]])).any()
        assert softmax(np.array([[-np.inf, 0.0, 0.0]])).tolist() == [[0.0, 0.5, 0.5]]
        for dtype in ("float16", "float32", "float64"):
            a, b = np.ones((2, 2), dtype), np.array([[0, 9], [9, 0]], dtype)
            first, copy_of_b = softmax(a), b.copy()
            assert first.dtype == np.dtype(dtype)
            second = softmax(b)
            assert (first == 0.5).all()
            assert second[0, 0] < 0.01
            assert (b == copy_of_b).all()


def test_by_laws(softmax):
    """Ratios of weights are powers of e, lines sum to one, constants do not matter."""
    x = np.random.default_rng(7).uniform(-2, 2, size=(3, 4, 5))
    with np.errstate(all="ignore"):
        for axis in (0, 1, 2, -1, -2, -3):
            weights = softmax(x.copy(), axis=axis)
            assert np.allclose(weights.sum(axis=axis), 1, atol=1e-9)
            lines, scores = np.moveaxis(weights, axis, -1), np.moveaxis(x, axis, -1)
            assert np.allclose(np.log(lines[..., 1:] / lines[..., :-1]), np.diff(scores, axis=-1), atol=1e-8)
        assert np.allclose(softmax(x.copy()), softmax(x.copy(), axis=2), atol=1e-9)
        steps = np.array([[0.0, -1.0, 1.0]] * 3)
        shifted = softmax(steps + np.array([[1e4], [-1e4], [3.0]]))
        assert np.allclose(shifted, softmax(steps), atol=1e-8)
        gap = softmax(np.array([-np.inf, 0.0, -np.inf, 0.0]))
        assert gap[0] == gap[2] == 0
        assert abs(gap[1] - 0.5) < 1e-9
        assert (softmax(np.full((2, 3), -np.inf)) == 0).all()
        for dtype in (np.float64, np.float32, np.float16):
            one, other = np.array([0.5, 1.5], dtype), np.array([3.0, 0.0], dtype)
            first = softmax(one)
            before = list(first)
            softmax(other)
            assert first.dtype == dtype
            assert list(one) == [0.5, 1.5]
            assert list(first) == before


def test_collecting_faults(softmax):
    """Collect all faults first, raise at the end."""
    faults = []

    def expect(name, x, want, **kwargs):
        x = np.array(x)
        have = softmax(x.copy(), **kwargs)
        if have.shape != np.shape(want) or not np.all(np.abs(have - np.array(want)) < 1e-7):
            faults.append(name)

    q = math.log(3)
    with np.errstate(all="ignore"):
        expect("row", [[0, q], [q, 0.0]], [[0.25, 0.75], [0.75, 0.25]])
        expect("column", [[0, 0.0], [q, 0]], [[0.25, 0.5], [0.75, 0.5]], axis=0)
        expect("-2", [[0, 0.0], [q, 0]], [[0.25, 0.5], [0.75, 0.5]], axis=-2)
        expect("1", [[0, 0.0], [q, 0]], [[0.5, 0.5], [0.75, 0.25]], axis=1)
        expect("default", [[0, 0.0], [q, 0]], [[0.5, 0.5], [0.75, 0.25]])
        expect("high and low", [[1e4, 1e4 + q], [-1e4, q - 1e4]], [[0.25, 0.75]] * 2)
        expect("low", [[-1e4, q - 1e4]], [[0.25, 0.75]])
        expect("hole", [0.0, -np.inf, q], [0.25, 0, 0.75])
        expect("nothing", [-np.inf, -np.inf], [0, 0])
        for dtype in (np.float16, np.float32, np.float64):
            x = np.array([1, 2, 4], dtype)
            y = softmax(x)
            z = y + 0
            softmax(x + np.array([0, 1, 5], dtype))
            if y.dtype != dtype or x.tolist() != [1, 2, 4] or (y != z).any():
                faults.append("manners")
    assert not faults, faults


def test_raising_by_hand(softmax):
    try:
        test_by_laws(softmax)
    except AssertionError:
        raise AssertionError("a law is broken") from None
    if softmax(np.zeros(4)).shape != (4,):
        raise AssertionError("shape")


class TestInAClass:
    """A test may be any callable."""

    def __call__(self, softmax):
        test_with_torch(softmax)


EQUIVALENTS = {
    "padding_mask": [
        padding_by_comprehension,
        padding_by_slices,
        padding_by_table,
        padding_by_less_outer,
        padding_by_lists,
        padding_by_not_padding,
        padding_in_torch,
    ],
    "causal_mask": [
        causal_by_tril,
        causal_by_not_triu,
        causal_by_positions,
        causal_by_loops,
        causal_by_cumsum,
        causal_by_outer,
        causal_in_torch,
    ],
    "window_mask": [
        window_by_loops,
        window_by_slices,
        window_by_triangles,
        window_by_squares,
        window_by_diagonals,
        window_by_fromfunction,
        window_in_torch,
    ],
    "combine_masks": [
        combine_by_reduce,
        combine_by_broadcast,
        combine_by_product,
        combine_by_minimum,
        combine_by_de_morgan,
        combine_by_recursion,
        combine_into_new,
        combine_by_sum,
    ],
    "masked_softmax": [
        masked_by_where,
        masked_by_index,
        masked_by_loops,
        masked_by_logsumexp,
        masked_ignoring_errors,
        masked_with_masked_array,
        masked_in_torch,
        masked_row_guard,
    ],
    "test_softmax": [
        test_against_an_oracle,
        test_with_torch,
        test_by_laws,
        test_collecting_faults,
        test_raising_by_hand,
        TestInAClass(),
    ],
}
