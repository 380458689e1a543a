"""Other right answers to 14_transformer."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from autograder import lesson

BLOCKS = lesson("13_transformer_blocks")


def rows(first, length, d_model):
    return BLOCKS.sinusoidal_positions(first + length, d_model)[first:]


# --- Transformer -----------------------------------------------------------------------------------------------------


class Compact(nn.Module):
    """Blocks of lesson 13, positions made anew for each call."""

    encoder_block, decoder_block, norm = BLOCKS.EncoderBlock, BLOCKS.DecoderBlock, BLOCKS.LayerNorm

    def __init__(
        self,
        src_vocab_size,
        tgt_vocab_size,
        d_model,
        n_heads,
        d_ff,
        n_layers,
        dropout=0.1,
        norm_first=True,
        shared=False,
        positions=True,
        pad_id=0,
    ):
        super().__init__()
        if shared and src_vocab_size != tgt_vocab_size:
            raise ValueError("one embedding for two sizes")
        self.src_embedding = nn.Embedding(src_vocab_size, d_model)
        self.tgt_embedding = self.src_embedding if shared else nn.Embedding(tgt_vocab_size, d_model)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for _ in range(n_layers):
            self.encoder.append(self.encoder_block(d_model, n_heads, d_ff, dropout, norm_first))
            self.decoder.append(self.decoder_block(d_model, n_heads, d_ff, dropout, norm_first))
        self.encoder_norm = self.norm(d_model) if norm_first else nn.Identity()
        self.decoder_norm = self.norm(d_model) if norm_first else nn.Identity()
        self.p, self.d_model, self.has_positions, self.pad_id = dropout, d_model, positions, pad_id

    def embed(self, embedding, tokens):
        x = embedding(tokens) * self.d_model**0.5
        if self.has_positions:
            x = x + rows(0, tokens.size(1), self.d_model).to(x.dtype)
        return F.dropout(x, self.p, self.training)

    def encode(self, src, src_mask=None):
        x = self.embed(self.src_embedding, src)
        for block in self.encoder:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        x = self.embed(self.tgt_embedding, tgt)
        for block in self.decoder:
            x = block(x, memory, tgt_mask, memory_mask)
        return self.decoder_norm(x) @ self.tgt_embedding.weight.T

    def forward(self, src, tgt):
        src_mask = src.ne(self.pad_id)[:, None, None]
        tgt_mask = tgt.ne(self.pad_id)[:, None, None] & torch.ones(tgt.size(1), tgt.size(1)).tril().bool()
        return self.decode(tgt, self.encode(src, src_mask), tgt_mask, src_mask)


class CausalMaskOnly(Compact):
    """Padding stands behind the target, so a causal mask alone hides it from real tokens."""

    def forward(self, src, tgt):
        src_mask = (src != self.pad_id).unsqueeze(1).unsqueeze(1)
        past = torch.arange(tgt.shape[1])[:, None] >= torch.arange(tgt.shape[1])
        memory = self.encode(src, src_mask)
        return self.decode(tgt, memory, past[None, None], src_mask)


class WithBuffer(Compact):
    """Positions in a buffer that grows."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.register_buffer("table", rows(0, 16, self.d_model), persistent=False)

    def embed(self, embedding, tokens):
        length = tokens.size(1)
        if length > len(self.table):
            self.table = rows(0, 2 * length, self.d_model).to(self.table)
        x = F.embedding(tokens, embedding.weight).mul(math.sqrt(self.d_model))
        if self.has_positions:
            x = x + self.table[:length]
        return F.dropout(x, self.p, self.training)


class OnTorchLayers(Compact):
    """PyTorch's layer norm, and positions in double."""

    norm = nn.LayerNorm

    def embed(self, embedding, tokens):
        x = math.sqrt(self.d_model) * embedding(tokens)
        if self.has_positions:
            p = torch.arange(tokens.shape[1], dtype=torch.float64)[:, None]
            i = torch.arange(0, self.d_model, 2, dtype=torch.float64)
            angles = p / torch.pow(10000.0, i / self.d_model)
            x = x + torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1).to(x.dtype)
        return F.dropout(x, self.p, self.training)


class SharedMasks(Compact):
    """Masks blown up to their full shape."""

    def forward(self, src, tgt):
        b, s, t = src.shape[0], src.shape[1], tgt.shape[1]
        keys = src != self.pad_id
        self_keys = tgt != self.pad_id
        past = ~torch.triu(torch.ones(t, t, dtype=torch.bool), diagonal=1)
        memory = self.encode(src, keys.view(b, 1, 1, s).expand(b, 1, s, s))
        tgt_mask = (self_keys[:, None, :] & past).unsqueeze(1)
        return self.decode(tgt, memory, tgt_mask, keys.view(b, 1, 1, s).expand(b, 1, t, s))


class WithoutTargetDropout(Compact):
    """Dropout in the blocks only."""

    def embed(self, embedding, tokens):
        x = embedding.weight[tokens] * embedding.weight.shape[1] ** 0.5
        return x + rows(0, tokens.shape[1], x.shape[-1]).to(x) if self.has_positions else x

    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        x = self.embed(self.tgt_embedding, tgt)
        for block in self.decoder:
            x = block(x, memory, self_mask=tgt_mask, memory_mask=memory_mask)
        return torch.einsum("btd,vd->btv", self.decoder_norm(x), self.tgt_embedding.weight)


# --- label_smoothed_loss ---------------------------------------------------------------------------------------------


def loss_by_torch(logits, targets, smoothing, pad_id=0):
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=pad_id, label_smoothing=smoothing
    )


def loss_by_transposing(logits, targets, smoothing, pad_id=0):
    return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad_id, label_smoothing=smoothing)


def loss_by_labels(logits, targets, smoothing, pad_id=0):
    labels = F.one_hot(targets, logits.shape[-1]).to(logits.dtype) * (1 - smoothing) + smoothing / logits.shape[-1]
    losses = -(labels * logits.log_softmax(-1)).sum(-1)
    real = (targets != pad_id).to(logits.dtype)
    return (losses * real).sum() / real.sum()


def loss_by_probabilities(logits, targets, smoothing, pad_id=0):
    real = targets.ne(pad_id)
    labels = torch.full_like(logits[real], smoothing / logits.shape[-1])
    labels.scatter_add_(1, targets[real][:, None], torch.full_like(labels[:, :1], 1 - smoothing))
    return F.cross_entropy(logits[real], labels)


def loss_by_parts(logits, targets, smoothing, pad_id=0):
    real = targets != pad_id
    log_probs = F.log_softmax(logits[real], dim=-1)
    plain = F.nll_loss(log_probs, targets[real])
    return torch.lerp(plain, -log_probs.mean(), smoothing)


def loss_by_logsumexp(logits, targets, smoothing, pad_id=0):
    real = targets != pad_id
    total = torch.logsumexp(logits, dim=-1)
    right = torch.gather(logits, 2, targets.unsqueeze(2)).squeeze(2)
    losses = total - (1 - smoothing) * right - smoothing * logits.mean(-1)
    return losses.masked_fill(~real, 0.0).sum() / real.sum()


def loss_token_by_token(logits, targets, smoothing, pad_id=0):
    losses = []
    for b in range(targets.shape[0]):
        for t in range(targets.shape[1]):
            if targets[b, t] != pad_id:
                log_probs = logits[b, t].log_softmax(0)
                losses.append(-(1 - smoothing) * log_probs[targets[b, t]] - smoothing * log_probs.mean())
    return torch.stack(losses).mean()


# --- noam_rate -------------------------------------------------------------------------------------------------------


def rate_by_cases(step, d_model, warmup):
    if step == 0:
        return 0.0
    if step <= warmup:
        return step / math.sqrt(d_model * warmup**3)
    return 1.0 / math.sqrt(d_model * step)


def rate_by_first_step(step, d_model, warmup):
    step = step or 1
    return (d_model**-0.5) * min(step**-0.5, step * warmup ** (-1.5))


def rate_by_peak(step, d_model, warmup):
    step = max(1, step)
    peak = 1 / math.sqrt(d_model * warmup)
    return peak * min(step / warmup, math.sqrt(warmup / step))


def rate_in_torch(step, d_model, warmup):
    step = torch.tensor(max(step, 1), dtype=torch.float64)
    return float(d_model**-0.5 * torch.minimum(step**-0.5, step * warmup**-1.5))


def rate_by_logs(step, d_model, warmup):
    s = math.log(max(step, 1))
    return math.exp(-0.5 * math.log(d_model) + min(-0.5 * s, s - 1.5 * math.log(warmup)))


def rate_by_sorting(step, d_model, warmup):
    step = step if step > 0 else 1
    return sorted([pow(step, -0.5), step * pow(warmup, -1.5)])[0] * pow(d_model, -0.5)


# --- start_cache -----------------------------------------------------------------------------------------------------


def start_by_layer(model, memory, memory_mask=None):
    n, s, d = memory.shape
    keys, values = [], []
    for block in model.decoder:
        a = block.cross_attention
        keys.append(a.w_k(memory).view(n, s, a.n_heads, -1).permute(0, 2, 1, 3))
        values.append(a.w_v(memory).view(n, s, a.n_heads, -1).permute(0, 2, 1, 3))
    heads = model.decoder[0].cross_attention.n_heads
    empty = memory.new_empty(n, len(keys), heads, 0, d // heads)
    mask = memory.new_ones(n, 1, 1, s, dtype=torch.bool) if memory_mask is None else memory_mask
    return empty, empty.clone(), torch.stack(keys, 1), torch.stack(values, 1), mask


def start_by_concatenation(model, memory, memory_mask=None):
    def project(name):
        parts = []
        for block in model.decoder:
            linear = getattr(block.cross_attention, name)
            x = F.linear(memory, linear.weight, linear.bias)
            parts.append(torch.stack(x.chunk(block.cross_attention.n_heads, -1), 1).unsqueeze(1))
        return torch.cat(parts, dim=1)

    keys, values = project("w_k"), project("w_v")
    nothing = torch.zeros_like(keys)[..., :0, :]
    if memory_mask is None:
        memory_mask = torch.full((memory.size(0), 1, 1, memory.size(1)), True)
    return nothing, nothing, keys, values, memory_mask


def start_by_one_product(model, memory, memory_mask=None):
    """All layers' keys and values in one matrix product."""
    attentions = [block.cross_attention for block in model.decoder]
    weight = torch.cat([w for a in attentions for w in (a.w_k.weight, a.w_v.weight)])
    bias = torch.cat([b for a in attentions for b in (a.w_k.bias, a.w_v.bias)])
    n, s, d = memory.shape
    heads = attentions[0].n_heads
    x = F.linear(memory, weight, bias).view(n, s, len(attentions), 2, heads, d // heads)
    keys, values = x.permute(3, 0, 2, 4, 1, 5)
    mask = torch.ones((n, 1, 1, s), dtype=torch.bool) if memory_mask is None else memory_mask
    return keys[:, :, :, 0:0], values[:, :, :, 0:0], keys, values, mask


def start_by_einsum(model, memory, memory_mask=None):
    found = []
    for name in ("w_k", "w_v"):
        layers = []
        for a in (block.cross_attention for block in model.decoder):
            linear = getattr(a, name)
            weight = linear.weight.view(a.n_heads, -1, memory.shape[-1])
            bias = linear.bias.view(1, a.n_heads, 1, -1)
            layers.append(torch.einsum("nsd,hed->nhse", memory, weight) + bias)
        found.append(torch.stack(layers, dim=1))
    keys, values = found
    if memory_mask is None:
        memory_mask = torch.ones_like(memory[:, None, None, :, 0], dtype=torch.bool)
    return keys.narrow(3, 0, 0), values.narrow(3, 0, 0), keys, values, memory_mask


def start_without_gradients(model, memory, memory_mask=None):
    with torch.no_grad():
        return start_by_layer(model, memory, memory_mask)


def start_as_list(model, memory, memory_mask=None):
    """Filled in place."""
    a = model.decoder[0].cross_attention
    n, s, d = memory.shape
    keys = memory.new_zeros(n, len(model.decoder), a.n_heads, s, d // a.n_heads)
    values = torch.zeros_like(keys)
    with torch.no_grad():
        for layer, block in enumerate(model.decoder):
            keys[:, layer] = block.cross_attention.w_k(memory).unflatten(2, (a.n_heads, -1)).movedim(2, 1)
            values[:, layer] = block.cross_attention.w_v(memory).unflatten(2, (a.n_heads, -1)).movedim(2, 1)
    mask = memory_mask if memory_mask is not None else torch.ones(n, 1, 1, s).bool()
    return keys[:, :, :, :0].clone(), values[:, :, :, :0].clone(), keys, values, mask


# --- cached_step -----------------------------------------------------------------------------------------------------


def split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def manual_attention(q, k, v, mask=None):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights @ v


def step_written_out(model, tokens, state):
    keys, values, memory_keys, memory_values, memory_mask = state
    d = model.tgt_embedding.embedding_dim
    t = keys.size(3)
    x = model.tgt_embedding(tokens).unsqueeze(1) * d**0.5
    x = x + rows(t, 1, d).to(x.dtype)
    all_keys, all_values = [], []
    for i, block in enumerate(model.decoder):
        a, c = block.self_attention, block.cross_attention
        y = block.norm1(x) if block.norm_first else x
        k = torch.cat([keys[:, i], split(a.w_k(y), a.n_heads)], dim=2)
        v = torch.cat([values[:, i], split(a.w_v(y), a.n_heads)], dim=2)
        all_keys.append(k)
        all_values.append(v)
        x = x + a.w_o(manual_attention(split(a.w_q(y), a.n_heads), k, v).transpose(1, 2).flatten(2))
        if not block.norm_first:
            x = block.norm1(x)
        y = block.norm2(x) if block.norm_first else x
        q = split(c.w_q(y), c.n_heads)
        x = x + c.w_o(
            manual_attention(q, memory_keys[:, i], memory_values[:, i], memory_mask).transpose(1, 2).flatten(2)
        )
        if not block.norm_first:
            x = block.norm2(x)
        y = block.norm3(x) if block.norm_first else x
        x = x + block.feed_forward(y)
        if not block.norm_first:
            x = block.norm3(x)
    logits = model.decoder_norm(x)[:, 0] @ model.tgt_embedding.weight.T
    return logits.log_softmax(-1), (
        torch.stack(all_keys, 1),
        torch.stack(all_values, 1),
        memory_keys,
        memory_values,
        memory_mask,
    )


def step_into_buffers(model, tokens, state):
    """The grown cache is made first and filled layer by layer."""
    with torch.no_grad():
        keys, values, memory_keys, memory_values, memory_mask = state
        t, d = keys.shape[3], model.tgt_embedding.weight.shape[1]
        new_keys, new_values = F.pad(keys, (0, 0, 0, 1)), F.pad(values, (0, 0, 0, 1))
        x = F.embedding(tokens[:, None], model.tgt_embedding.weight) * math.sqrt(d) + rows(t, 1, d).to(keys)
        for i, block in enumerate(model.decoder):

            def back(y, a=block.self_attention, i=i):
                new_keys[:, i, :, t] = a.w_k(y)[:, 0].unflatten(-1, (a.n_heads, -1))
                new_values[:, i, :, t] = a.w_v(y)[:, 0].unflatten(-1, (a.n_heads, -1))
                z = F.scaled_dot_product_attention(split(a.w_q(y), a.n_heads), new_keys[:, i], new_values[:, i])
                return a.w_o(z.transpose(1, 2).reshape(len(y), 1, d))

            def across(y, a=block.cross_attention, i=i):
                z = F.scaled_dot_product_attention(
                    split(a.w_q(y), a.n_heads), memory_keys[:, i], memory_values[:, i], attn_mask=memory_mask
                )
                return a.w_o(z.transpose(1, 2).reshape(len(y), 1, d))

            for norm, part in ((block.norm1, back), (block.norm2, across), (block.norm3, block.feed_forward)):
                x = x + part(norm(x)) if block.norm_first else norm(x + part(x))
        log_probs = torch.log_softmax(F.linear(model.decoder_norm(x), model.tgt_embedding.weight).squeeze(1), -1)
        return log_probs, (new_keys, new_values, memory_keys, memory_values, memory_mask)


def step_by_einsum(model, tokens, state):
    keys, values, memory_keys, memory_values, memory_mask = state
    weight = model.tgt_embedding.weight
    d, t = weight.shape[1], keys.shape[3]
    x = weight[tokens] * d**0.5 + rows(t, 1, d)[0].to(weight)
    grown = ([], [])

    def heads(y, linear, h):
        return linear(y).reshape(len(y), h, -1)

    def attend(a, y, k, v, mask=None):
        scores = torch.einsum("nhd,nhtd->nht", heads(y, a.w_q, a.n_heads), k) * (d // a.n_heads) ** -0.5
        if mask is None:
            weights = scores.softmax(-1)
        else:
            mask = mask[:, :, 0]
            weights = torch.where(mask, torch.where(mask, scores, -torch.inf).softmax(-1), 0.0)
        return a.w_o(torch.einsum("nht,nhtd->nhd", weights, v).flatten(1))

    for i, block in enumerate(model.decoder):
        pre = block.norm_first
        a = block.self_attention
        y = block.norm1(x) if pre else x
        for past, linear, into in ((keys, a.w_k, grown[0]), (values, a.w_v, grown[1])):
            into.append(torch.cat((past[:, i], heads(y, linear, a.n_heads)[:, :, None]), 2))
        x = x + attend(a, y, grown[0][i], grown[1][i])
        x = x if pre else block.norm1(x)
        y = block.norm2(x) if pre else x
        x = x + attend(block.cross_attention, y, memory_keys[:, i], memory_values[:, i], memory_mask)
        x = x if pre else block.norm2(x)
        y = block.norm3(x) if pre else x
        x = x + block.feed_forward(y[:, None])[:, 0]
        x = x if pre else block.norm3(x)
    logits = model.decoder_norm(x) @ weight.mT
    new = tuple(torch.stack(part, dim=1) for part in grown)
    return F.log_softmax(logits, dim=-1), new + tuple(state[2:])


def step_row_by_row(model, tokens, state):
    """One sentence of the batch after the other."""
    steps = [
        step_written_out(model, tokens[n : n + 1], tuple(part[n : n + 1] for part in state)) for n in range(len(tokens))
    ]
    log_probs = torch.cat([each for each, _ in steps])
    return log_probs, tuple(torch.cat(parts) for parts in zip(*(each for _, each in steps)))


def step_detached(model, tokens, state):
    log_probs, state = step_written_out(model, tokens, state)
    return log_probs.detach(), tuple(part.detach().contiguous() for part in state)


def step_by_logsumexp(model, tokens, state):
    keys, values, *rest = state
    memory_keys, memory_values, memory_mask = rest
    d = model.tgt_embedding.embedding_dim
    x = math.sqrt(d) * model.tgt_embedding(tokens[:, None]) + rows(keys.shape[-2], 1, d).to(keys.dtype)
    fresh = []
    for layer, block in enumerate(model.decoder):
        a = block.self_attention

        def self_part(y, a=a, layer=layer):
            k, v = split(a.w_k(y), a.n_heads), split(a.w_v(y), a.n_heads)
            fresh.append((k, v))
            k, v = torch.cat([keys[:, layer], k], -2), torch.cat([values[:, layer], v], -2)
            return a.w_o(manual_attention(split(a.w_q(y), a.n_heads), k, v).movedim(1, 2).flatten(-2))

        def cross_part(y, a=block.cross_attention, layer=layer):
            z = manual_attention(
                split(a.w_q(y), a.n_heads), memory_keys[:, layer], memory_values[:, layer], memory_mask
            )
            return a.w_o(z.movedim(1, 2).flatten(-2))

        for name, part in (("norm1", self_part), ("norm2", cross_part), ("norm3", block.feed_forward)):
            norm = getattr(block, name)
            x = x + part(norm(x)) if block.norm_first else norm(x + part(x))
    logits = (model.decoder_norm(x) @ model.tgt_embedding.weight.T).select(1, 0)
    grown = [torch.cat([old, torch.stack([new[i] for new in fresh], 1)], 3) for i, old in enumerate((keys, values))]
    return logits - torch.logsumexp(logits, -1, keepdim=True), (*grown, *rest)


EQUIVALENTS = {
    "Transformer": [Compact, CausalMaskOnly, WithBuffer, OnTorchLayers, SharedMasks, WithoutTargetDropout],
    "label_smoothed_loss": [
        loss_by_torch,
        loss_by_transposing,
        loss_by_labels,
        loss_by_probabilities,
        loss_by_parts,
        loss_by_logsumexp,
        loss_token_by_token,
    ],
    "noam_rate": [
        rate_by_cases,
        rate_by_first_step,
        rate_by_peak,
        rate_in_torch,
        rate_by_logs,
        rate_by_sorting,
    ],
    "start_cache": [
        start_by_layer,
        start_by_concatenation,
        start_by_one_product,
        start_by_einsum,
        start_without_gradients,
        start_as_list,
    ],
    "cached_step": [
        step_written_out,
        step_into_buffers,
        step_by_einsum,
        step_row_by_row,
        step_detached,
        step_by_logsumexp,
    ],
}
