"""Other right implementations of the functions of lesson 00."""

import math

import numpy as np


def dot_einsum(u, v):
    return np.einsum("...d,...d->...", u, v)


def dot_np_sum(u, v):
    return np.sum(np.multiply(u, v), axis=-1)


def dot_add_reduce(u, v):
    return np.add.reduce(v * u, axis=-1)


def dot_matmul(u, v):
    return (u[..., None, :] @ v[..., :, None])[..., 0, 0]


def dot_one_feature_at_a_time(u, v):
    total = u[..., 0] * v[..., 0]
    for feature in range(1, u.shape[-1]):
        total = total + u[..., feature] * v[..., feature]
    return total


def dot_one_pair_at_a_time(u, v):
    u, v = np.broadcast_arrays(u, v)
    result = np.zeros(u.shape[:-1], dtype=u.dtype)
    for index in np.ndindex(result.shape):
        result[index] = math.fsum(float(a) * float(b) for a, b in zip(u[index], v[index], strict=True))
    return result


def dot_vectorized(u, v):
    return np.vectorize(np.dot, signature="(d),(d)->()", otypes=[u.dtype])(u, v)


def dot_in_float64(u, v):
    return (u.astype(np.float64) * v).sum(axis=-1).astype(u.dtype)


def dot_recursive(u, v):
    if u.ndim == v.ndim == 1:
        return u @ v
    u, v = np.broadcast_arrays(u, v)
    return np.stack([dot_recursive(a, b) for a, b in zip(u, v, strict=True)])


def average_numpy(weights, values):
    if not weights.any():
        raise ValueError("weights: all zero")
    return np.average(values, axis=0, weights=weights)


def average_columns(weights, values):
    if weights.max() == 0:
        raise ValueError("weights: all zero")
    return ((weights / weights.sum())[:, None] * values).sum(axis=0)


def average_product_first(weights, values):
    total = np.sum(weights)
    if total <= 0:
        raise ValueError("weights: all zero")
    return weights @ values / total


def average_loop(weights, values):
    total = sum(float(w) for w in weights)
    if total == 0.0:
        raise ValueError("weights: all zero")
    result = np.zeros(values.shape[1])
    for weight, row in zip(weights, values, strict=True):
        result += float(weight) / total * row
    return result.astype(values.dtype)


def average_scaled(weights, values):
    largest = weights.max()
    if not largest > 0:
        raise ValueError("weights: all zero")
    scaled = weights / largest
    return np.einsum("n,nd->d", scaled / scaled.sum(), values)


def average_dot(weights, values):
    total = weights.sum()
    if np.count_nonzero(weights) == 0:
        raise ValueError("weights: all zero")
    return np.dot(values.T, weights / total)


def average_division_error(weights, values):
    class AllZero(ValueError):
        pass

    total = weights.sum(dtype=np.float64)
    if total == 0:
        raise AllZero("weights: all zero")
    return np.asarray((weights / total) @ values, dtype=values.dtype)


EQUIVALENTS = {
    "dot_product": [
        dot_einsum,
        dot_np_sum,
        dot_add_reduce,
        dot_matmul,
        dot_one_feature_at_a_time,
        dot_one_pair_at_a_time,
        dot_vectorized,
        dot_in_float64,
        dot_recursive,
    ],
    "weighted_average": [
        average_numpy,
        average_columns,
        average_product_first,
        average_loop,
        average_scaled,
        average_dot,
        average_division_error,
    ],
}
