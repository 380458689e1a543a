"""Other right implementations of the functions of lesson 01."""

import math

import numpy as np


def swap(x):
    return np.swapaxes(x, -1, -2)


def broadcast(queries, keys):
    leading = np.broadcast_shapes(queries.shape[:-2], keys.shape[:-2])
    return (
        np.broadcast_to(queries, leading + queries.shape[-2:]),
        np.broadcast_to(keys, leading + keys.shape[-2:]),
    )


def by_pairs(score):
    """A score function that calls score(query, key, *weights) for each pair."""

    def scores(queries, keys, *weights, **options):
        queries, keys = broadcast(queries, keys)
        result = np.empty((*queries.shape[:-1], keys.shape[-2]), dtype=queries.dtype)
        for index in np.ndindex(result.shape):
            *lead, i, j = index
            result[index] = score(queries[(*lead, i)], keys[(*lead, j)], *weights, **options)
        return result

    return scores


def by_batches(score):
    """A score function that calls score on matrices, once for each leading index."""

    def scores(queries, keys, *weights, **options):
        queries, keys = broadcast(queries, keys)
        if queries.ndim == 2:
            return score(queries, keys, *weights, **options)
        return np.stack([scores(q, k, *weights, **options) for q, k in zip(queries, keys, strict=True)])

    return scores


def in_float64(score):
    """A score function that computes in float64 and casts the result."""

    def scores(queries, keys, *weights, **options):
        wide = [x.astype(np.float64) for x in (queries, keys, *(w for w in weights if isinstance(w, np.ndarray)))]
        rest = [w for w in weights if not isinstance(w, np.ndarray)]
        return score(*wide, *rest, **options).astype(queries.dtype)

    return scores


def dot_einsum(queries, keys):
    return np.einsum("...id,...jd->...ij", queries, keys)


def dot_broadcast_sum(queries, keys):
    return (queries[..., :, None, :] * keys[..., None, :, :]).sum(axis=-1)


def dot_columns(queries, keys):
    return np.concatenate(
        [(queries * keys[..., j : j + 1, :]).sum(-1, keepdims=True) for j in range(keys.shape[-2])], -1
    )


def dot_moveaxis(queries, keys):
    return np.matmul(queries, np.moveaxis(keys, -1, -2))


def dot_transpose(queries, keys):
    return queries @ keys.transpose(*range(keys.ndim - 2), -1, -2)


def dot_turned_back(queries, keys):
    return swap(keys @ swap(queries))


def scaled_queries_first(queries, keys):
    return (queries / math.sqrt(queries.shape[-1])) @ swap(keys)


def scaled_both(queries, keys):
    scale = keys.shape[-1] ** -0.25
    return (scale * queries) @ swap(scale * keys)


def scaled_typed(queries, keys):
    return queries @ swap(keys) / np.sqrt(queries.shape[-1], dtype=queries.dtype)


def scaled_product(queries, keys):
    return dot_einsum(queries, keys) * (1 / np.sqrt(queries.shape[-1])).astype(queries.dtype)


def scaled_in_place(queries, keys):
    scores = queries @ swap(keys)
    scores /= np.sqrt(queries.shape[-1])
    return scores


def cosine_direct(queries, keys, eps=1e-8):
    q = np.linalg.norm(queries, axis=-1, keepdims=True)
    k = np.linalg.norm(keys, axis=-1, keepdims=True)
    return queries @ swap(keys) / np.maximum(q * swap(k), eps)


def cosine_outer(queries, keys, eps=1e-8):
    lengths = np.sqrt((queries**2).sum(-1, keepdims=True)) @ swap(np.sqrt((keys**2).sum(-1, keepdims=True)))
    return dot_einsum(queries, keys) / np.clip(lengths, eps, None)


def cosine_where(queries, keys, eps=1e-8):
    lengths = np.linalg.norm(queries, axis=-1)[..., None] * np.linalg.norm(keys, axis=-1)[..., None, :]
    small = lengths < eps
    return (queries @ swap(keys) / np.where(small, eps, lengths)).astype(queries.dtype)


def cosine_fmax(queries, keys, eps=1e-8):
    q = np.einsum("...id,...id->...i", queries, queries) ** 0.5
    k = np.einsum("...id,...id->...i", keys, keys) ** 0.5
    scores = dot_broadcast_sum(queries, keys)
    return scores / np.fmax(np.einsum("...i,...j->...ij", q, k), eps)


@by_pairs
def cosine_pairs(q, k, eps=1e-8):
    return float(q @ k) / max(math.hypot(*q.tolist()) * math.hypot(*k.tolist()), eps)


def cosine_pair_positional(queries, keys, eps=1e-8):
    return cosine_pairs(queries, keys, eps=eps)


def general_keys_first(queries, keys, weight):
    return queries @ (weight @ swap(keys))


def general_einsum(queries, keys, weight):
    return np.einsum("...ia,ab,...jb->...ij", queries, weight, keys)


def general_project_keys(queries, keys, weight):
    return queries @ swap(keys @ weight.T)


def general_turned_back(queries, keys, weight):
    return swap(keys @ weight.T @ swap(queries))


def general_features(queries, keys, weight):
    projected = np.tensordot(queries, weight, axes=1)
    return sum(projected[..., :, None, b] * keys[..., None, :, b] for b in range(keys.shape[-1]))


def concat_split(queries, keys, weight, v):
    d_q = queries.shape[-1]
    return np.tanh((queries @ weight[:d_q])[..., :, None, :] + (keys @ weight[d_q:])[..., None, :, :]) @ v


def concat_zeros(queries, keys, weight, v):
    queries, keys = broadcast(queries, keys)
    (t_q, d_q), (t_k, d_k) = queries.shape[-2:], keys.shape[-2:]
    pairs = np.zeros((*queries.shape[:-2], t_q, t_k, d_q + d_k), dtype=queries.dtype)
    pairs[..., :d_q] = queries[..., :, None, :]
    pairs[..., d_q:] = keys[..., None, :, :]
    return np.einsum("...h,h->...", np.tanh(pairs @ weight), v)


@by_batches
def concat_repeat_tile(queries, keys, weight, v):
    t_q, t_k = len(queries), len(keys)
    pairs = np.hstack([np.repeat(queries, t_k, axis=0), np.tile(keys, (t_q, 1))])
    return (np.tanh(pairs @ weight) @ v).reshape(t_q, t_k)


def concat_ones(queries, keys, weight, v):
    q, k = queries[..., :, None, :], keys[..., None, :, :]
    q, k = q + np.zeros_like(k[..., :1]), k + np.zeros_like(q[..., :1])
    return np.tanh(np.concatenate((q, k), axis=-1) @ weight) @ v


@by_pairs
def concat_pairs(q, k, weight, v):
    return np.tanh(np.r_[q, k] @ weight) @ v


def additive_einsum(queries, keys, w_query, w_key, v):
    q = np.einsum("...id,dh->...ih", queries, w_query)
    k = np.einsum("...jd,dh->...jh", keys, w_key)
    return np.einsum("...ijh,h->...ij", np.tanh(np.expand_dims(q, -2) + np.expand_dims(k, -3)), v)


def additive_units(queries, keys, w_query, w_key, v):
    q, k = queries @ w_query, keys @ w_key
    return sum(np.tanh(q[..., :, None, h] + k[..., None, :, h]) * v[h] for h in range(len(v)))


def additive_sum(queries, keys, w_query, w_key, v):
    hidden = np.tanh((keys @ w_key)[..., None, :, :] + (queries @ w_query)[..., None, :])
    return (v * hidden).sum(axis=-1)


def additive_by_key(queries, keys, w_query, w_key, v):
    q = queries @ w_query
    columns = [np.tanh(q + keys[..., j : j + 1, :] @ w_key) @ v for j in range(keys.shape[-2])]
    return np.stack(columns, axis=-1)


@by_pairs
def additive_pairs(q, k, w_query, w_key, v):
    return np.tanh(q @ w_query + k @ w_key) @ v


def additive_concat(queries, keys, w_query, w_key, v):
    return concat_zeros(queries, keys, np.vstack([w_query, w_key]), v)


EQUIVALENTS = {
    "dot_score": [
        dot_einsum,
        dot_broadcast_sum,
        dot_columns,
        dot_moveaxis,
        dot_transpose,
        dot_turned_back,
        by_pairs(np.dot),
        by_batches(np.inner),
        in_float64(dot_einsum),
    ],
    "scaled_dot_score": [
        scaled_queries_first,
        scaled_both,
        scaled_typed,
        scaled_product,
        scaled_in_place,
        by_pairs(lambda q, k: q @ k / len(q) ** 0.5),
        by_batches(lambda q, k: q @ k.T / math.sqrt(k.shape[1])),
        in_float64(scaled_queries_first),
    ],
    "cosine_score": [
        cosine_direct,
        cosine_outer,
        cosine_where,
        cosine_fmax,
        cosine_pair_positional,
        by_batches(cosine_direct),
        in_float64(cosine_direct),
    ],
    "general_score": [
        general_keys_first,
        general_einsum,
        general_project_keys,
        general_turned_back,
        general_features,
        by_pairs(lambda q, k, weight: q @ weight @ k),
        by_batches(lambda q, k, weight: q @ weight @ k.T),
        in_float64(general_keys_first),
    ],
    "concat_score": [
        concat_split,
        concat_zeros,
        concat_repeat_tile,
        concat_ones,
        concat_pairs,
        by_batches(concat_split),
        in_float64(concat_zeros),
    ],
    "additive_score": [
        additive_einsum,
        additive_units,
        additive_sum,
        additive_by_key,
        additive_pairs,
        additive_concat,
        by_batches(additive_sum),
        in_float64(additive_sum),
    ],
}
