"""Other right answers to 13_transformer_blocks."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# --- LayerNorm -------------------------------------------------------------------------------------------------------


class NormByTorch(nn.LayerNorm):
    pass


class NormByFunction(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.d_model, self.eps = d_model, eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return F.layer_norm(x, (self.d_model,), self.weight, self.bias, self.eps)


class NormByVar(NormByFunction):
    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.addcmul(self.bias, self.weight, (x - mean) * torch.rsqrt(variance + self.eps))


class NormByRescaledVar(NormByFunction):
    """From the unbiased variance, times (d - 1) / d."""

    def forward(self, x):
        d = x.shape[-1]
        centered = x - x.mean(-1, keepdim=True)
        variance = centered.var(-1, keepdim=True) * ((d - 1) / d)
        return centered / (variance + self.eps) ** 0.5 * self.weight + self.bias


class NormByNorm(NormByFunction):
    """The variance from the length of the centered vector."""

    def forward(self, x):
        centered = x - x.sum(-1, keepdim=True) / x.shape[-1]
        length = torch.linalg.vector_norm(centered, dim=-1, keepdim=True)
        return self.weight * centered / torch.sqrt(length**2 / x.shape[-1] + self.eps) + self.bias


class NormByEinsum(NormByFunction):
    def forward(self, x):
        mean = torch.einsum("...d->...", x)[..., None] / self.d_model
        centered = x - mean
        power = torch.einsum("...d,...d->...", centered, centered)[..., None] / self.d_model
        return torch.einsum("...d,d->...d", centered / (power + self.eps).sqrt(), self.weight) + self.bias


class NormByCentering(NormByFunction):
    """The mean is taken away by a matrix."""

    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps)
        self.register_buffer("center", torch.eye(d_model) - torch.full((d_model, d_model), 1.0 / d_model))

    def forward(self, x):
        centered = x - x.mean(dim=-1, keepdim=True)
        variance = centered.pow(2).mean(dim=-1, keepdim=True)
        return (centered / (variance + self.eps).sqrt()) * self.weight + self.bias


class NormByInstanceNorm(NormByFunction):
    def forward(self, x):
        rows = x.reshape(1, -1, self.d_model)
        return F.group_norm(rows.transpose(0, 1), 1, eps=self.eps).reshape(x.shape) * self.weight + self.bias


# --- sinusoidal_positions --------------------------------------------------------------------------------------------


def positions_by_slices(length, d_model):
    table = torch.zeros(length, d_model)
    place = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    speed = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
    table[:, 0::2] = torch.sin(place * speed)
    table[:, 1::2] = torch.cos(place * speed)
    return table


def positions_by_loops(length, d_model):
    rows = []
    for p in range(length):
        row = []
        for i in range(d_model // 2):
            angle = p / math.pow(10000, 2 * i / d_model)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


def positions_in_numpy(length, d_model):
    angles = np.arange(length)[:, None] / np.power(10000.0, np.arange(0, d_model, 2) / d_model)
    return torch.from_numpy(np.stack([np.sin(angles), np.cos(angles)], -1).reshape(length, d_model)).float()


def positions_in_double(length, d_model):
    column = torch.arange(d_model)
    angles = torch.arange(length, dtype=torch.float64)[:, None] / 10000.0 ** (2 * (column // 2) / d_model).double()
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())


def positions_by_phase(length, d_model):
    """A cosine is a sine a quarter turn ahead."""
    column = torch.arange(d_model, dtype=torch.float64)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), 10000.0 ** (-(column - column % 2) / d_model))
    return torch.sin(angles + (column % 2) * math.pi / 2).float()


def positions_by_complex(length, d_model):
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    turned = torch.polar(torch.ones(length, d_model // 2, dtype=torch.float64), torch.arange(length)[:, None] * speeds)
    pairs = torch.view_as_real(turned).flip(-1)
    return pairs.flatten(1).to(torch.get_default_dtype())


def positions_by_rotation(length, d_model):
    """Each row from the one before it, turned by a fixed angle."""
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    sine, cosine = torch.zeros_like(speeds), torch.ones_like(speeds)
    rows = []
    for _ in range(length):
        rows.append(torch.stack([sine, cosine], 1).flatten())
        sine, cosine = (
            sine * speeds.cos() + cosine * speeds.sin(),
            cosine * speeds.cos() - sine * speeds.sin(),
        )
    return torch.stack(rows).float()


# --- MultiHeadAttention ----------------------------------------------------------------------------------------------


class Base(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if d_model % n_heads != 0:
            raise ValueError(f"d_model {d_model} must be a multiple of n_heads {n_heads}")
        self.d_model, self.n_heads, self.d_head, self.p = d_model, n_heads, d_model // n_heads, dropout
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)


class AttentionByEinsum(Base):
    def forward(self, query, key, value, mask=None):
        def heads(x):
            return x.view(*x.shape[:2], self.n_heads, self.d_head)

        q, k, v = heads(self.w_q(query)), heads(self.w_k(key)), heads(self.w_v(value))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * self.d_head**-0.5
        if mask is not None:
            scores = torch.where(mask, scores, -math.inf)
        weights = F.softmax(scores, dim=-1)
        if mask is not None:
            weights = torch.where(mask, weights, torch.zeros_like(weights))
        dropped = F.dropout(weights, self.p, training=self.training)
        return self.w_o(torch.einsum("bhqk,bkhd->bqhd", dropped, v).flatten(-2)), weights


class AttentionBySdpa(Base):
    """The output from PyTorch's fused attention, the weights by hand."""

    def forward(self, query, key, value, mask=None):
        batch = query.size(0)
        q, k, v = (
            linear(x).view(batch, -1, self.n_heads, self.d_head).transpose(1, 2)
            for linear, x in ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        )
        p = self.p if self.training else 0.0
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_to_4d(mask), dropout_p=p)
        scores = q @ k.mT / math.sqrt(self.d_head)
        if mask is None:
            weights = scores.softmax(-1)
        else:
            weights = scores.masked_fill(mask.logical_not(), float("-inf")).softmax(-1)
            weights = weights.masked_fill(mask.logical_not(), 0)
        return self.w_o(context.transpose(1, 2).reshape(batch, -1, self.d_model)), weights


def mask_to_4d(mask):
    if mask is None:
        return None
    return mask[(None,) * (4 - mask.dim())]


class AttentionByHead(Base):
    """One head after the other."""

    def forward(self, query, key, value, mask=None):
        q, k, v = self.w_q(query), self.w_k(key), self.w_v(value)
        shape = (query.shape[0], self.n_heads, query.shape[1], key.shape[1])
        full = None if mask is None else mask.expand(shape)
        contexts, weights = [], []
        for h, (qh, kh, vh) in enumerate(zip(*(x.split(self.d_head, dim=-1) for x in (q, k, v)))):
            scores = torch.bmm(qh, kh.transpose(1, 2)) / self.d_head**0.5
            if full is None:
                w = scores.softmax(-1)
            else:
                w = scores.masked_fill(~full[:, h], float("-inf")).softmax(-1).masked_fill(~full[:, h], 0.0)
            weights.append(w)
            contexts.append(torch.bmm(F.dropout(w, self.p, self.training), vh))
        return self.w_o(torch.cat(contexts, -1)), torch.stack(weights, dim=1)


class AttentionByBmm(Base):
    """Batch and heads in one axis."""

    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__(d_model, n_heads, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        b, h, d, t, s = query.size(0), self.n_heads, self.d_head, query.size(1), key.size(1)
        q = (self.w_q(query) / math.sqrt(d)).view(b, t, h, d).permute(0, 2, 1, 3).reshape(b * h, t, d)
        k = self.w_k(key).view(b, s, h, d).permute(0, 2, 3, 1).reshape(b * h, d, s)
        v = self.w_v(value).view(b, s, h, d).permute(0, 2, 1, 3).reshape(b * h, s, d)
        scores = torch.bmm(q, k)
        if mask is not None:
            hidden = (~mask).broadcast_to(b, h, t, s).reshape(b * h, t, s)
            scores = scores.masked_fill(hidden, -torch.inf)
        weights = torch.nan_to_num(scores.softmax(-1), nan=0.0) if mask is not None else scores.softmax(-1)
        context = torch.bmm(self.drop(weights), v)
        return self.w_o(context.view(b, h, t, d).permute(0, 2, 1, 3).reshape(b, t, h * d)), weights.view(b, h, t, s)


class AttentionByFusedProjection(Base):
    """One matrix product for queries, keys and values of self-attention would be this one."""

    def forward(self, query, key, value, mask=None):
        weight = torch.stack([self.w_q.weight, self.w_k.weight, self.w_v.weight])
        bias = torch.stack([self.w_q.bias, self.w_k.bias, self.w_v.bias])
        q, k, v = (
            F.linear(x, weight[i], bias[i]).unflatten(-1, (self.n_heads, self.d_head)).movedim(2, 1)
            for i, x in enumerate((query, key, value))
        )
        scores = torch.matmul(q, k.movedim(-1, -2)) / self.d_head**0.5
        if mask is None:
            weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
        else:
            scores = scores.masked_fill(~mask, -torch.inf)
            top = scores.amax(-1, keepdim=True).detach()
            top = torch.where(torch.isinf(top), torch.zeros_like(top), top)
            powers = torch.exp(scores - top)
            total = powers.sum(-1, keepdim=True)
            weights = powers / torch.where(total > 0, total, torch.ones_like(total))
        kept = weights
        if self.training and self.p > 0:
            kept = weights * (torch.rand_like(weights) >= self.p) / (1 - self.p)
        return self.w_o((kept @ v).movedim(1, 2).flatten(2)), weights


class AttentionWithGuardedRows(Base):
    """Rows with nothing in them are opened for the softmax and closed again after it."""

    def forward(self, query, key, value, mask=None):
        def heads(x):
            return torch.stack(x.chunk(self.n_heads, dim=-1), dim=1)

        q, k, v = heads(self.w_q(query)), heads(self.w_k(key)), heads(self.w_v(value))
        scores = (q @ k.transpose(2, 3)).div(math.sqrt(self.d_head))
        if mask is not None:
            nothing = ~mask.any(dim=-1, keepdim=True)
            scores = scores.masked_fill(~(mask | nothing), -torch.inf)
        weights = torch.softmax(scores, dim=-1)
        if mask is not None:
            weights = weights.masked_fill(nothing, 0.0)
        context = nn.functional.dropout(weights, p=self.p, training=self.training) @ v
        return self.w_o(torch.cat(context.unbind(dim=1), dim=-1)), weights


class AttentionByTorchWeights(Base):
    """The weights from PyTorch's own multi-head attention, which gives NaN on empty rows; those are opened first."""

    def forward(self, query, key, value, mask=None):
        shape = (query.shape[0], self.n_heads, query.shape[1], key.shape[1])
        hidden = None
        if mask is not None:
            mask = mask.expand(shape)
            hidden = (~(mask | ~mask.any(-1, keepdim=True))).reshape(-1, *shape[2:])
        weights = F.multi_head_attention_forward(
            query.transpose(0, 1),
            key.transpose(0, 1),
            value.transpose(0, 1),
            self.d_model,
            self.n_heads,
            torch.cat([self.w_q.weight, self.w_k.weight, self.w_v.weight]),
            torch.cat([self.w_q.bias, self.w_k.bias, self.w_v.bias]),
            None,
            None,
            False,
            0.0,
            self.w_o.weight,
            self.w_o.bias,
            training=False,
            attn_mask=hidden,
            average_attn_weights=False,
        )[1]
        if torch.isnan(weights).any() and hidden is not None:  # a NaN key: an added -inf does not hide it
            q = self.w_q(query).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            k = self.w_k(key).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = (q @ k.mT / self.d_head**0.5).masked_fill(hidden.view(shape), -torch.inf)
            weights = scores.softmax(-1)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)
        v = self.w_v(value).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        context = F.dropout(weights, self.p, self.training) @ v
        return self.w_o(context.transpose(1, 2).flatten(2)), weights


# --- PositionwiseFeedForward -----------------------------------------------------------------------------------------


class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.p = dropout

    def forward(self, x):
        return self.linear2(F.dropout(F.relu(self.linear1(x)), self.p, self.training))


class FeedForwardByClamp(FeedForward):
    def forward(self, x):
        return F.dropout(self.linear2(self.linear1(x).clamp(min=0)), self.p, training=self.training)


class FeedForwardByWhere(FeedForward):
    def forward(self, x):
        hidden = self.linear1(x)
        hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden))
        return self.linear2(F.dropout(hidden, self.p, self.training))


class FeedForwardInPlace(FeedForward):
    """In place on its own tensor, which is fine."""

    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__(d_model, d_ff, dropout)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.drop(self.relu(self.linear1(x))))


class FeedForwardByMatmul(FeedForward):
    def forward(self, x):
        hidden = torch.relu(x @ self.linear1.weight.T + self.linear1.bias)
        return F.dropout(hidden, self.p, self.training) @ self.linear2.weight.T + self.linear2.bias


class FeedForwardByConvolution(FeedForward):
    """Two convolutions with a kernel of size one, as the paper says."""

    def forward(self, x):
        hidden = F.conv1d(x.transpose(1, 2), self.linear1.weight[..., None], self.linear1.bias).relu()
        hidden = F.dropout(hidden, self.p, self.training)
        return F.conv1d(hidden, self.linear2.weight[..., None], self.linear2.bias).transpose(1, 2)


class FeedForwardByTokens(FeedForward):
    def forward(self, x):
        rows = [self.linear2(F.dropout(self.linear1(row).relu(), self.p, self.training)) for row in x.unbind(1)]
        return torch.stack(rows, dim=1)


# --- blocks ----------------------------------------------------------------------------------------------------------


class EncoderBase(nn.Module):
    attention, network, norm = AttentionByEinsum, FeedForward, nn.LayerNorm

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.self_attention = self.attention(d_model, n_heads, dropout)
        self.feed_forward = self.network(d_model, d_ff, dropout)
        self.norm1, self.norm2 = self.norm(d_model), self.norm(d_model)
        self.drop = nn.Dropout(dropout)
        self.norm_first = norm_first


class EncoderByIf(EncoderBase):
    def forward(self, x, mask=None):
        y = self.norm1(x) if self.norm_first else x
        x = x + self.drop(self.self_attention(y, y, y, mask)[0])
        if not self.norm_first:
            x = self.norm1(x)
        y = self.norm2(x) if self.norm_first else x
        x = x + self.drop(self.feed_forward(y))
        return x if self.norm_first else self.norm2(x)


class EncoderByResidualFunction(EncoderBase):
    attention = AttentionBySdpa

    def residual(self, x, norm, sublayer):
        if self.norm_first:
            return x + self.drop(sublayer(norm(x)))
        return norm(x + self.drop(sublayer(x)))

    def forward(self, x, mask=None):
        x = self.residual(x, self.norm1, lambda y: self.self_attention(y, y, y, mask=mask)[0])
        return self.residual(x, self.norm2, self.feed_forward)


class EncoderWithTwoDropouts(EncoderBase):
    attention, norm = AttentionByBmm, NormByVar

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
        self.dropout1, self.dropout2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            normed = self.norm1(x)
            attended = x + self.dropout1(self.self_attention(normed, normed, normed, mask)[0])
            return attended + self.dropout2(self.feed_forward(self.norm2(attended)))
        attended = self.norm1(x + self.dropout1(self.self_attention(x, x, x, mask)[0]))
        return self.norm2(attended + self.dropout2(self.feed_forward(attended)))


class EncoderInPlace(EncoderBase):
    """In place on copies of its own."""

    network = FeedForwardInPlace

    def forward(self, x, mask=None):
        out = x.clone()
        for norm, part in ((self.norm1, "attend"), (self.norm2, "think")):
            y = norm(out) if self.norm_first else out
            change = self.self_attention(y, y, y, mask)[0] if part == "attend" else self.feed_forward(y)
            out = out + self.drop(change)
            if not self.norm_first:
                out = norm(out)
        return out


class EncoderWithDropoutInside(EncoderBase):
    """Dropout only inside attention and feed-forward: the contract leaves its places open."""

    attention, network, norm = AttentionByHead, FeedForwardByClamp, NormByNorm

    def forward(self, x, mask=None):
        pre = self.norm_first
        y = self.norm1(x) if pre else x
        x = torch.add(self.self_attention(y, y, y, mask)[0], x)
        x = x if pre else self.norm1(x)
        y = self.norm2(x) if pre else x
        x = torch.add(self.feed_forward(y), x)
        return x if pre else self.norm2(x)


class EncoderByTorch(nn.TransformerEncoderLayer):
    """PyTorch's own layer order, with our attention in its place."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, n_heads, d_ff, dropout=dropout, batch_first=True, norm_first=norm_first)
        del self.self_attn, self.linear1, self.linear2
        self.self_attention = AttentionWithGuardedRows(d_model, n_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)

    def forward(self, x, mask=None):
        def attend(y):
            return self.dropout1(self.self_attention(y, y, y, mask)[0])

        if self.norm_first:
            x = x + attend(self.norm1(x))
            return x + self.dropout2(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + attend(x))
        return self.norm2(x + self.dropout2(self.feed_forward(x)))


class DecoderBase(EncoderBase):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
        self.cross_attention = self.attention(d_model, n_heads, dropout)
        self.norm3 = self.norm(d_model)


class DecoderByCases(DecoderBase):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.drop(self.self_attention(y, y, y, self_mask)[0])
            y = self.norm2(x)
            x = x + self.drop(self.cross_attention(y, memory, memory, memory_mask)[0])
            return x + self.drop(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.drop(self.self_attention(x, x, x, self_mask)[0]))
        x = self.norm2(x + self.drop(self.cross_attention(x, memory, memory, memory_mask)[0]))
        return self.norm3(x + self.drop(self.feed_forward(x)))


class DecoderByResidualFunction(DecoderBase):
    attention, norm = AttentionBySdpa, NormByFunction

    def residual(self, x, norm, sublayer):
        if self.norm_first:
            return x + self.drop(sublayer(norm(x)))
        return norm(x + self.drop(sublayer(x)))

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.residual(x, self.norm1, lambda y: self.self_attention(y, y, y, self_mask)[0])
        x = self.residual(x, self.norm2, lambda y: self.cross_attention(y, memory, memory, memory_mask)[0])
        return self.residual(x, self.norm3, self.feed_forward)


class DecoderByIf(DecoderBase):
    attention, network, norm = AttentionByBmm, FeedForwardByConvolution, NormByVar

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        before = (lambda norm, y: norm(y)) if self.norm_first else (lambda norm, y: y)
        after = (lambda norm, y: y) if self.norm_first else (lambda norm, y: norm(y))
        y = before(self.norm1, x)
        x = after(self.norm1, x + self.drop(self.self_attention(y, y, y, mask=self_mask)[0]))
        y = before(self.norm2, x)
        x = after(self.norm2, x + self.drop(self.cross_attention(y, memory, memory, mask=memory_mask)[0]))
        y = before(self.norm3, x)
        return after(self.norm3, x + self.drop(self.feed_forward(y)))


class DecoderWithDropoutInside(DecoderBase):
    attention, network, norm = AttentionByFusedProjection, FeedForward, NormByEinsum

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        for norm, part in ((self.norm1, 1), (self.norm2, 2), (self.norm3, 3)):
            y = norm(x) if self.norm_first else x
            if part == 1:
                change, _ = self.self_attention(y, y, y, self_mask)
            elif part == 2:
                change, _ = self.cross_attention(query=y, key=memory, value=memory, mask=memory_mask)
            else:
                change = self.feed_forward(y)
            x = x + change if self.norm_first else norm(x + change)
        return x


class DecoderWithDefaultMasks(DecoderBase):
    """None is the mask that allows everything."""

    attention = AttentionByHead

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        if self_mask is None:
            self_mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        if memory_mask is None:
            memory_mask = torch.ones(1, 1, 1, memory.shape[1], dtype=torch.bool, device=x.device)
        subs = nn.ModuleList([self.norm1, self.norm2, self.norm3])
        for i, norm in enumerate(subs):
            y = norm(x) if self.norm_first else x
            if i == 0:
                y = self.self_attention(y, y, y, self_mask)[0]
            elif i == 1:
                y = self.cross_attention(y, memory, memory, memory_mask)[0]
            else:
                y = self.feed_forward(y)
            x = x + self.drop(y)
            x = x if self.norm_first else norm(x)
        return x


class DecoderOnEncoderBlock(EncoderByIf):
    """The first and last sub-layer as in an encoder block, cross-attention between them."""

    attention = AttentionWithGuardedRows

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
        self.cross_attention = self.attention(d_model, n_heads, dropout)
        self.norm3 = self.norm(d_model)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        steps = [
            (self.norm1, self.self_attention, None, self_mask),
            (self.norm2, self.cross_attention, memory, memory_mask),
        ]
        for norm, attention, source, mask in steps:
            q = norm(x) if self.norm_first else x
            kv = q if source is None else source
            x = x + self.drop(attention(q, kv, kv, mask)[0])
            x = x if self.norm_first else norm(x)
        if self.norm_first:
            return x + self.drop(self.feed_forward(self.norm3(x)))
        return self.norm3(x + self.drop(self.feed_forward(x)))


# --- leaks_future ----------------------------------------------------------------------------------------------------


def leaks_by_noise(layer, x):
    generator = torch.Generator().manual_seed(1)
    before = layer(x)
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t] = torch.randn(x.shape[0], x.shape[2], generator=generator, dtype=x.dtype)
        if not torch.allclose(layer(changed)[:, :t], before[:, :t], rtol=1e-8, atol=1e-10):
            return True
    return False


def leaks_by_suffix(layer, x):
    """The whole future changes at once."""
    before = layer(x)
    generator = torch.Generator().manual_seed(2)
    for t in range(1, x.shape[1]):
        future = torch.randn(x[:, t:].shape, generator=generator, dtype=x.dtype)
        after = layer(torch.cat([x[:, :t], future], dim=1))
        if (after[:, :t] - before[:, :t]).abs().max().item() > 1e-9:
            return True
    return False


def leaks_by_jacobian(layer, x):
    jacobian = torch.autograd.functional.jacobian(layer, x)
    return any(bool(jacobian[:, t, :, :, t + 1 :].abs().gt(1e-9).any()) for t in range(x.shape[1]))


def leaks_by_gradient(layer, x):
    z = x.clone().requires_grad_(True)
    out = layer(z)
    if not out.requires_grad:
        return False
    weights = torch.rand(out.shape, generator=torch.Generator().manual_seed(3), dtype=out.dtype)
    for t in range(x.shape[1] - 1):
        (gradient,) = torch.autograd.grad((out * weights)[:, t].sum(), z, retain_graph=True)
        if (gradient[:, t + 1 :].abs() > 1e-9).any():
            return True
    return False


def leaks_one_sentence_at_a_time(layer, x):
    before = layer(x)
    for b in range(x.shape[0]):
        for t in range(1, x.shape[1]):
            for feature in range(x.shape[2]):
                changed = x.clone()
                changed[b, t, feature] += 0.7
                if float((layer(changed) - before)[b, :t].abs().max()) > 1e-9:
                    return True
    return False


def leaks_in_numpy(layer, x):
    rng = np.random.default_rng(4)
    before = layer(x).numpy()
    for t in range(1, x.shape[1]):
        changed = x.numpy().copy()
        changed[:, t] += rng.uniform(0.5, 1.5, size=changed[:, t].shape)
        if not np.allclose(layer(torch.from_numpy(changed)).numpy()[:, :t], before[:, :t], rtol=1e-7, atol=1e-9):
            return True
    return False


EQUIVALENTS = {
    "LayerNorm": [
        NormByTorch,
        NormByFunction,
        NormByVar,
        NormByRescaledVar,
        NormByNorm,
        NormByEinsum,
        NormByCentering,
        NormByInstanceNorm,
    ],
    "sinusoidal_positions": [
        positions_by_slices,
        positions_by_loops,
        positions_in_numpy,
        positions_in_double,
        positions_by_phase,
        positions_by_complex,
        positions_by_rotation,
    ],
    "MultiHeadAttention": [
        AttentionByEinsum,
        AttentionBySdpa,
        AttentionByHead,
        AttentionByBmm,
        AttentionByFusedProjection,
        AttentionWithGuardedRows,
        AttentionByTorchWeights,
    ],
    "PositionwiseFeedForward": [
        FeedForward,
        FeedForwardByClamp,
        FeedForwardByWhere,
        FeedForwardInPlace,
        FeedForwardByMatmul,
        FeedForwardByConvolution,
        FeedForwardByTokens,
    ],
    "EncoderBlock": [
        EncoderByIf,
        EncoderByResidualFunction,
        EncoderWithTwoDropouts,
        EncoderInPlace,
        EncoderWithDropoutInside,
        EncoderByTorch,
    ],
    "DecoderBlock": [
        DecoderByCases,
        DecoderByResidualFunction,
        DecoderByIf,
        DecoderWithDropoutInside,
        DecoderWithDefaultMasks,
        DecoderOnEncoderBlock,
    ],
    "leaks_future": [
        leaks_by_noise,
        leaks_by_suffix,
        leaks_by_jacobian,
        leaks_by_gradient,
        leaks_one_sentence_at_a_time,
        leaks_in_numpy,
    ],
}
