"""Other right implementations of the functions of lesson 02."""

import math

import numpy as np


def line_by_line(f, drops=False):
    """A function of (x, axis) that calls f on each line, as a list of floats."""

    def wrapped(x, axis=-1):
        moved = np.moveaxis(x, axis, -1)
        results = [f([float(a) for a in line]) for line in moved.reshape(-1, moved.shape[-1])]
        shape = moved.shape[:-1] if drops else moved.shape
        result = np.array(results, dtype=x.dtype).reshape(shape)
        return result if drops else np.moveaxis(result, -1, axis)

    return wrapped


def last_axis_first(f, drops=False):
    """A function of (x, axis) that calls f on x with the axis moved to the end."""

    def wrapped(x, axis=-1):
        result = f(np.swapaxes(x, axis, -1))
        if not drops:
            return np.swapaxes(result, axis, -1)
        return np.squeeze(np.swapaxes(result[..., None], axis, -1), axis)

    return wrapped


def line_softmax(line):
    top = max(line)
    if top == -math.inf:
        return [0.0 for _ in line]
    parts = [math.exp(a - top) for a in line]
    return [part / sum(parts) for part in parts]


def softmax_where(x, axis=-1):
    top = np.max(x, axis=axis, keepdims=True)
    e = np.exp(x - np.where(top == -np.inf, 0, top))
    total = np.sum(e, axis=axis, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)


def softmax_maximum(x, axis=-1):
    top = x.max(axis=axis, keepdims=True)
    top = np.maximum(top, np.finfo(x.dtype).min)
    e = np.exp(x - top)
    return e / np.maximum(e.sum(axis=axis, keepdims=True), 1e-3)


@last_axis_first
def softmax_rows(x):
    top = np.nan_to_num(x.max(axis=-1)[..., None], neginf=0.0)
    e = np.exp(x - top)
    return e / (e.sum(axis=-1) + (e.sum(axis=-1) == 0))[..., None]


def softmax_quiet(x, axis=-1):
    with np.errstate(invalid="ignore"):
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return np.nan_to_num(e / e.sum(axis=axis, keepdims=True))


def softmax_logs(x, axis=-1):
    return np.exp(log_softmax_shift(x, axis))


def softmax_in_float64(x, axis=-1):
    return softmax_where(np.array(x, dtype=np.float64), axis).astype(x.dtype)


def softmax_pairwise(x, axis=-1):
    moved = np.moveaxis(x, axis, -1)
    with np.errstate(invalid="ignore", over="ignore"):
        ratios = np.exp(moved[..., None, :] - moved[..., :, None])
        weights = 1 / ratios.sum(axis=-1)
    return np.moveaxis(np.where(np.isneginf(moved), 0, weights).astype(x.dtype), -1, axis)


def line_logsumexp(line):
    top = max(line)
    return top if top == -math.inf else top + math.log(sum(math.exp(a - top) for a in line))


def logsumexp_reduce(x, axis=-1):
    return np.logaddexp.reduce(x, axis=axis)


def logsumexp_squeeze(x, axis=-1):
    top = x.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.squeeze(top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True)), axis=axis)


def logsumexp_expand(x, axis=-1):
    top = np.amax(x, axis=axis)
    safe = np.where(np.isneginf(top), 0, top)
    total = np.exp(x - np.expand_dims(safe, axis)).sum(axis=axis)
    return np.where(total > 0, np.log(np.where(total > 0, total, 1)) + safe, top).astype(x.dtype)


def logsumexp_fold(x, axis=-1):
    lines = np.moveaxis(x, axis, 0)
    result = lines[0].copy()
    for line in lines[1:]:
        result = np.logaddexp(result, line)
    return result


def logsumexp_quiet(x, axis=-1):
    with np.errstate(all="ignore"):
        top = x.max(axis=axis)
        result = np.log(np.exp(x - np.expand_dims(top, axis)).sum(axis)) + top
    return np.where(np.isnan(result), -np.inf, result).astype(x.dtype)


@lambda f: last_axis_first(f, drops=True)
def logsumexp_rows(x):
    top = x.max(-1)
    top = np.where(top == -np.inf, np.zeros_like(top), top)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - top[..., None]).sum(-1)) + top


def logsumexp_in_float64(x, axis=-1):
    return np.asarray(logsumexp_squeeze(x.astype(np.float64), axis)).astype(x.dtype)


def line_log_softmax(line):
    total = line_logsumexp(line)
    return [-math.inf if total == -math.inf else a - total for a in line]


def log_softmax_shift(x, axis=-1):
    top = x.max(axis=axis, keepdims=True)
    shifted = x - np.where(np.isneginf(top), 0, top)
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return shifted - np.where(np.isneginf(total), 0, total)


def log_softmax_reduce(x, axis=-1):
    total = np.logaddexp.reduce(x, axis=axis, keepdims=True)
    return np.subtract(x, total, out=np.full_like(x, -np.inf), where=x > -np.inf)


def log_softmax_quiet(x, axis=-1):
    with np.errstate(invalid="ignore"):
        result = x - np.expand_dims(logsumexp_reduce(x, axis), axis)
    result[np.isnan(result)] = -np.inf
    return result


def log_softmax_maximum(x, axis=-1):
    total = np.expand_dims(logsumexp_expand(x, axis), axis)
    return x - np.maximum(total, np.finfo(x.dtype).min)


@last_axis_first
def log_softmax_rows(x):
    total = logsumexp_fold(x)[..., None]
    return x - np.nan_to_num(total, neginf=0.0)


def log_softmax_in_float64(x, axis=-1):
    return log_softmax_shift(x.astype(np.float64), axis).astype(x.dtype)


def with_temperature(softmax, divide=lambda x, t: x / t):
    """A function of (x, temperature, axis) from a softmax."""

    def wrapped(x, temperature, axis=-1):
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        return softmax(divide(x, temperature), axis)

    return wrapped


def temperature_shift(x, temperature, axis=-1):
    if temperature <= 0:
        raise ValueError("temperature")
    top = x.max(axis=axis, keepdims=True)
    e = np.exp((x - np.where(np.isneginf(top), 0, top)) / temperature)
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total > 0, total, 1)


def temperature_power(x, temperature, axis=-1):
    if temperature <= 0:
        raise ValueError("temperature")
    logs = log_softmax_shift(x, axis)
    return softmax_maximum(logs * x.dtype.type(1 / temperature), axis)


def temperature_in_float64(x, temperature, axis=-1):
    if float(temperature) <= 0.0:
        raise ValueError("temperature")
    return softmax_where(x.astype(np.float64) / np.float64(temperature), axis).astype(x.dtype)


def line_entropy(line):
    return -sum(w * math.log(w) for w in line if w != 0)


def entropy_where(weights, axis=-1):
    return -np.sum(np.where(weights > 0, weights * np.log(np.where(weights > 0, weights, 1)), 0), axis=axis)


def entropy_log_where(weights, axis=-1):
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    return -np.sum(weights * logs, axis=axis)


def entropy_power(weights, axis=-1):
    return -np.log(np.power(weights, weights)).sum(axis=axis)


def entropy_quiet(weights, axis=-1):
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.nansum(weights * np.log(weights), axis=axis)


def entropy_clip(weights, axis=-1):
    return (weights * -np.log(np.clip(weights, np.finfo(weights.dtype).tiny, None))).sum(axis)


def entropy_copy(weights, axis=-1):
    safe = weights.copy()
    safe[safe == 0] = 1
    return -(safe * np.log(safe)).sum(axis=axis)


def entropy_einsum(weights, axis=-1):
    w = np.moveaxis(weights, axis, -1)
    return -np.einsum("...i,...i->...", w, np.log(w + (w == 0)))


def entropy_in_float64(weights, axis=-1):
    return np.asarray(entropy_where(weights.astype(np.float64), axis)).astype(weights.dtype)


EQUIVALENTS = {
    "softmax": [
        softmax_where,
        softmax_maximum,
        softmax_rows,
        softmax_quiet,
        softmax_logs,
        softmax_in_float64,
        softmax_pairwise,
        line_by_line(line_softmax),
    ],
    "logsumexp": [
        logsumexp_reduce,
        logsumexp_squeeze,
        logsumexp_expand,
        logsumexp_fold,
        logsumexp_quiet,
        logsumexp_rows,
        logsumexp_in_float64,
        line_by_line(line_logsumexp, drops=True),
    ],
    "log_softmax": [
        log_softmax_shift,
        log_softmax_reduce,
        log_softmax_quiet,
        log_softmax_maximum,
        log_softmax_rows,
        log_softmax_in_float64,
        line_by_line(line_log_softmax),
    ],
    "softmax_with_temperature": [
        with_temperature(softmax_where),
        with_temperature(softmax_quiet),
        with_temperature(softmax_where, lambda x, t: x * x.dtype.type(1 / t)),
        with_temperature(softmax_rows, lambda x, t: np.divide(x, x.dtype.type(t))),
        temperature_shift,
        temperature_power,
        temperature_in_float64,
        with_temperature(line_by_line(line_softmax)),
    ],
    "entropy": [
        entropy_where,
        entropy_log_where,
        entropy_power,
        entropy_quiet,
        entropy_clip,
        entropy_copy,
        entropy_einsum,
        entropy_in_float64,
        line_by_line(line_entropy, drops=True),
    ],
}
