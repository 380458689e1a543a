"""Other right answers to the exercises of lesson 04."""

import math

import numpy as np
import torch

# ------------------------------------------------------------------------------------------- context_vector


def context_by_matmul(weights, values):
    return np.matmul(weights, values)


def context_by_einsum(weights, values):
    return np.einsum("...qk,...kd->...qd", weights, values)


def context_by_sum(weights, values):
    return (weights[..., None] * values[..., None, :, :]).sum(axis=-2)


def context_by_keys(weights, values):
    return sum(weights[..., :, [key]] * values[..., [key], :] for key in range(weights.shape[-1]))


def context_by_transposes(weights, values):
    return np.swapaxes(np.swapaxes(values, -1, -2) @ np.swapaxes(weights, -1, -2), -1, -2)


def context_by_loops(weights, values):
    leading = np.broadcast_shapes(weights.shape[:-2], values.shape[:-2])
    w = np.broadcast_to(weights, leading + weights.shape[-2:])
    v = np.broadcast_to(values, leading + values.shape[-2:])
    out = np.zeros((*leading, w.shape[-2], v.shape[-1]), weights.dtype)
    for index in np.ndindex(*leading):
        out[index] = np.dot(w[index], v[index])
    return out


def context_in_float64(weights, values):
    return (weights.astype(np.float64) @ values.astype(np.float64)).astype(values.dtype)


def context_in_torch(weights, values):
    return (torch.tensor(weights) @ torch.tensor(values)).numpy()


# ------------------------------------------------------------------------------------------------ attention


def _softmax(scores):
    """Stable; a row of -inf gives zeros."""
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0).astype(scores.dtype))
    total = powers.sum(axis=-1, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


def attention_in_one_go(queries, keys, values, mask=None):
    scores = queries @ keys.swapaxes(-1, -2) / queries.shape[-1] ** 0.5
    weights = _softmax(scores if mask is None else np.where(mask, scores, -np.inf))
    return weights @ values, weights


def attention_scaling_queries(queries, keys, values, mask=None):
    scores = np.matmul(queries * queries.shape[-1] ** -0.5, np.moveaxis(keys, -1, -2))
    if mask is not None:
        scores = np.where(mask, scores, np.array(-np.inf, scores.dtype))
    weights = _softmax(scores)
    return np.matmul(weights, values), weights


def attention_by_einsum(queries, keys, values, mask=None):
    scores = np.einsum("...qd,...kd->...qk", queries, keys) * (1 / math.sqrt(keys.shape[-1]))
    if mask is not None:
        scores = scores.copy()
        scores[np.broadcast_to(~mask, scores.shape)] = -np.inf
    weights = _softmax(scores)
    return np.einsum("...qk,...kd->...qd", weights, values), weights


def attention_in_float64(queries, keys, values, mask=None):
    wide = [part.astype(np.float64) for part in (queries, keys, values)]
    scores = wide[0] @ wide[1].swapaxes(-1, -2) / np.sqrt(queries.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = np.nan_to_num(powers / powers.sum(axis=-1, keepdims=True), nan=0.0)
    return (weights @ wide[2]).astype(queries.dtype), weights.astype(queries.dtype)


def attention_by_loops(queries, keys, values, mask=None):
    leading = np.broadcast_shapes(queries.shape[:-2], keys.shape[:-2])
    q = np.broadcast_to(queries, leading + queries.shape[-2:])
    k = np.broadcast_to(keys, leading + keys.shape[-2:])
    weights = np.zeros((*leading, q.shape[-2], k.shape[-2]), queries.dtype)
    allowed = np.ones(weights.shape, bool) if mask is None else np.broadcast_to(mask, weights.shape)
    for index in np.ndindex(*weights.shape[:-1]):
        may = allowed[index]
        if not may.any():
            continue
        scores = k[index[:-1]][may].astype(float) @ q[index].astype(float) / math.sqrt(q.shape[-1])
        powers = np.exp(scores - scores.max())
        weights[index][may] = powers / powers.sum()
    return weights @ values, weights


def attention_in_torch(queries, keys, values, mask=None):
    q, k, v = (torch.tensor(part) for part in (queries, keys, values))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~torch.tensor(mask), -torch.inf)
    weights = torch.softmax(scores, -1).nan_to_num(nan=0.0)
    return (weights @ v).numpy(), weights.numpy()


def attention_as_a_list(queries, keys, values, mask=None):
    return list(attention_in_one_go(queries, keys, values, mask))


# ------------------------------------------------------------------------------------------- hard_attention


def hard_by_argmax(scores, values, mask=None):
    filled = scores if mask is None else np.where(mask, scores, -np.inf)
    weights = np.zeros_like(scores)
    np.put_along_axis(weights, filled.argmax(axis=-1)[..., None], 1, axis=-1)
    if mask is not None:
        weights = weights * np.broadcast_to(mask, scores.shape).any(axis=-1, keepdims=True)
    return weights @ values, weights


def hard_by_eye(scores, values, mask=None):
    allowed = np.ones(scores.shape, bool) if mask is None else np.broadcast_to(mask, scores.shape)
    best = np.where(allowed, scores, -np.inf).argmax(axis=-1)
    weights = np.eye(scores.shape[-1], dtype=scores.dtype)[best]
    weights[~allowed.any(axis=-1)] = 0
    return np.einsum("...qk,...kd->...qd", weights, values), weights


def hard_by_cumsum(scores, values, mask=None):
    allowed = np.ones(scores.shape, bool) if mask is None else np.broadcast_to(mask, scores.shape)
    top = np.where(allowed, scores, -np.inf).max(axis=-1, keepdims=True)
    best = allowed & (scores == top)
    weights = (best & (np.cumsum(best, axis=-1) == 1)).astype(scores.dtype)
    return weights @ values, weights


def hard_by_loops(scores, values, mask=None):
    allowed = np.broadcast_to(np.array(True) if mask is None else mask, scores.shape)
    weights = np.zeros(scores.shape, scores.dtype)
    for index in np.ndindex(*scores.shape[:-1]):
        keys = [key for key in range(scores.shape[-1]) if allowed[index + (key,)]]  # noqa: RUF005
        if keys:
            weights[index][max(keys, key=lambda key: scores[index][key])] = 1
    return np.matmul(weights, values), weights


def hard_by_sorting(scores, values, mask=None):
    allowed = np.ones_like(scores, dtype=bool) if mask is None else np.ones_like(scores, dtype=bool) & mask
    order = np.argsort(-np.where(allowed, scores, -np.inf), axis=-1, kind="stable")[..., :1]
    chosen = np.arange(scores.shape[-1]) == order
    weights = (chosen & allowed).astype(values.dtype)
    return weights @ values, weights


def hard_by_gathering(scores, values, mask=None):
    masked = scores if mask is None else np.where(mask, scores, -np.inf)
    best = masked.argmax(-1)
    weights = (best[..., None] == np.arange(scores.shape[-1])) * scores.dtype.type(1)
    if mask is not None:
        weights = np.where(np.broadcast_to(mask, scores.shape), weights, scores.dtype.type(0))
    some = weights.any(-1)
    leading = np.broadcast_shapes(best.shape[:-1], values.shape[:-2])
    rows = np.broadcast_to(values, leading + values.shape[-2:])
    at = np.broadcast_to(best, leading + best.shape[-1:])
    context = np.take_along_axis(rows, at[..., None], axis=-2)
    return np.where(some[..., None], context, 0).astype(values.dtype), weights


def hard_in_torch(scores, values, mask=None):
    tensor = torch.tensor(scores)
    allowed = torch.ones_like(tensor, dtype=torch.bool) if mask is None else torch.tensor(mask).expand_as(tensor)
    best = tensor.masked_fill(~allowed, -torch.inf).numpy().argmax(-1)
    weights = torch.nn.functional.one_hot(torch.tensor(best), scores.shape[-1]).to(tensor.dtype) * allowed
    return (weights @ torch.tensor(values)).numpy(), weights.numpy()


# ----------------------------------------------------------------------------------------- sample_attention


def sample_by_counting(weights, values, u):
    """The number of cumulative weights that do not exceed u is the index."""
    n_keys = weights.shape[-1]
    indices = (np.cumsum(weights, axis=-1) <= u[..., None]).sum(axis=-1)
    last = np.where(weights > 0, np.arange(n_keys), -1).max(axis=-1)
    indices = np.minimum(indices, last)
    one_hot = (indices[..., None] == np.arange(n_keys)).astype(weights.dtype)
    return one_hot @ values, indices


def sample_by_searchsorted(weights, values, u):
    leading = np.broadcast_shapes(weights.shape[:-1], u.shape)
    weights = np.broadcast_to(weights, leading + weights.shape[-1:])
    u = np.broadcast_to(u, leading)
    indices = np.full(leading, -1)
    for index in np.ndindex(*leading):
        positive = np.flatnonzero(weights[index])
        if positive.size:
            found = np.searchsorted(np.cumsum(weights[index]), u[index], side="right")
            indices[index] = min(found, positive[-1])
    return _gather(values, indices), indices


def _gather(values, indices):
    leading = np.broadcast_shapes(values.shape[:-2], indices.shape[:-1])
    rows = np.broadcast_to(values, leading + values.shape[-2:])
    at = np.broadcast_to(indices, leading + indices.shape[-1:])
    picked = np.take_along_axis(rows, np.maximum(at, 0)[..., None], axis=-2)
    return np.where(at[..., None] >= 0, picked, values.dtype.type(0))


def sample_normalizing(weights, values, u):
    """As NumPy's own choice does: divide the cumulative weights by their last."""
    cumulative = np.cumsum(weights, axis=-1, dtype=np.float64)
    total = cumulative[..., -1:]
    cumulative = cumulative / np.where(total > 0, total, 1)
    hit = cumulative > u[..., None]
    indices = np.where(hit.any(-1), hit.argmax(-1), -1)
    return _gather(values, indices), indices


def sample_by_loops(weights, values, u):
    leading = np.broadcast_shapes(weights.shape[:-1], u.shape)
    w, u = np.broadcast_to(weights, leading + weights.shape[-1:]), np.broadcast_to(u, leading)
    indices = np.zeros(leading, np.int32)
    for index in np.ndindex(*leading):
        total, chosen = 0.0, -1
        for key, weight in enumerate(w[index]):
            if weight > 0:
                chosen = key
                total += float(weight)
                if total > u[index]:
                    break
        indices[index] = chosen
    return _gather(values, indices), indices


def sample_by_intervals(weights, values, u):
    """The key whose interval [start, end) holds u."""
    end = np.cumsum(weights, axis=-1)
    start = np.concatenate([np.zeros_like(end[..., :1]), end[..., :-1]], axis=-1)
    inside = (start <= u[..., None]) & (u[..., None] < end)
    number = np.arange(weights.shape[-1])
    last = np.where(weights > 0, number, -1).max(axis=-1)
    indices = np.where(inside.any(axis=-1), np.where(inside, number, 0).sum(axis=-1), last)
    chosen = (number == indices[..., None]).astype(weights.dtype)
    return np.einsum("...qk,...kd->...qd", chosen, values), indices


def sample_raising_the_last(weights, values, u):
    """The last positive key's cumulative weight is raised to infinity, so that something always exceeds u."""
    n_keys = weights.shape[-1]
    last = n_keys - 1 - (weights[..., ::-1] > 0).argmax(axis=-1)
    cumulative = np.where(np.arange(n_keys) == last[..., None], np.inf, np.cumsum(weights, axis=-1))
    indices = np.where(weights.any(axis=-1), (cumulative > u[..., None]).argmax(axis=-1), -1)
    return (np.arange(n_keys) == indices[..., None]).astype(values.dtype) @ values, indices


def sample_in_torch(weights, values, u):
    w, u = torch.tensor(weights), torch.tensor(u)
    number = torch.arange(w.shape[-1])
    cumulative = w.cumsum(-1)
    indices = (cumulative <= u[..., None]).sum(-1)
    last = torch.where(w > 0, number, -1).amax(-1)
    indices = torch.minimum(indices, last)
    chosen = (number == indices[..., None]).to(w.dtype)
    return (chosen @ torch.tensor(values)).numpy(), indices.numpy()


# ---------------------------------------------------------------------------------------- kernel_regression


def _demand(bandwidth):
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth}")


def kernel_by_softmax(x_query, x_train, y_train, bandwidth):
    _demand(bandwidth)
    return _softmax(-((x_query[:, None] - x_train[None]) ** 2) / (2 * bandwidth**2)) @ y_train


def kernel_by_scaled_distance(x_query, x_train, y_train, bandwidth):
    _demand(bandwidth)
    distance = np.subtract.outer(x_query, x_train) / bandwidth
    scores = -0.5 * distance * distance
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (weights * y_train).sum(axis=1) / weights.sum(axis=1)


def kernel_by_loops(x_query, x_train, y_train, bandwidth):
    _demand(bandwidth)
    out = np.empty(len(x_query), x_query.dtype)
    for i, x in enumerate(x_query.tolist()):
        scores = [-((x - point) ** 2) / (2 * bandwidth**2) for point in x_train.tolist()]
        kernels = [math.exp(score - max(scores)) for score in scores]
        out[i] = sum(k * y for k, y in zip(kernels, y_train.tolist(), strict=True)) / sum(kernels)
    return out


def kernel_by_product(x_query, x_train, y_train, bandwidth):
    """(x - x_i)^2 without x^2, which is the same for all readings."""
    _demand(bandwidth)
    q, k = x_query.astype(np.float64)[:, None], x_train.astype(np.float64)
    scores = (2 * q * k - k * k) / (2 * bandwidth**2)
    return (_softmax(scores) @ y_train.astype(np.float64)).astype(y_train.dtype)


def kernel_by_nearest(x_query, x_train, y_train, bandwidth):
    _demand(bandwidth)
    distance = abs(x_query[:, None] - x_train)
    near = distance.min(axis=-1, keepdims=True)
    weights = np.exp(-(distance - near) * (distance + near) / (2 * bandwidth**2))
    return (weights @ y_train) / weights.sum(axis=-1)


def kernel_by_logaddexp(x_query, x_train, y_train, bandwidth):
    _demand(bandwidth)
    scores = -(((x_query[:, None] - x_train).astype(np.float64) / bandwidth) ** 2) / 2
    log_total = np.logaddexp.reduce(scores, axis=-1, keepdims=True)
    return (np.exp(scores - log_total) @ y_train).astype(y_train.dtype)


def kernel_in_torch(x_query, x_train, y_train, bandwidth):
    _demand(bandwidth)
    q, k, v = (torch.tensor(part) for part in (x_query, x_train, y_train))
    return (torch.softmax(-(((q[:, None] - k) / bandwidth) ** 2) / 2, dim=-1) @ v).numpy()


EQUIVALENTS = {
    "context_vector": [
        context_by_matmul,
        context_by_einsum,
        context_by_sum,
        context_by_keys,
        context_by_transposes,
        context_by_loops,
        context_in_float64,
        context_in_torch,
    ],
    "attention": [
        attention_in_one_go,
        attention_scaling_queries,
        attention_by_einsum,
        attention_in_float64,
        attention_by_loops,
        attention_in_torch,
        attention_as_a_list,
    ],
    "hard_attention": [
        hard_by_argmax,
        hard_by_eye,
        hard_by_cumsum,
        hard_by_loops,
        hard_by_sorting,
        hard_by_gathering,
        hard_in_torch,
    ],
    "sample_attention": [
        sample_by_counting,
        sample_by_searchsorted,
        sample_normalizing,
        sample_by_loops,
        sample_by_intervals,
        sample_raising_the_last,
        sample_in_torch,
    ],
    "kernel_regression": [
        kernel_by_softmax,
        kernel_by_scaled_distance,
        kernel_by_loops,
        kernel_by_product,
        kernel_by_nearest,
        kernel_by_logaddexp,
        kernel_in_torch,
    ],
}
