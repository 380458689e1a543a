"""Right implementations of lesson 10's modules, each in another way."""

import torch
from torch import nn
from torch.nn import functional as F


class AttentionParts(nn.Module):
    """Scores of forbidden keys are -inf, rows without a key are treated apart."""

    def __init__(self, query_size, key_size, hidden_size):
        super().__init__()
        self.v = nn.Linear(hidden_size, 1, bias=False)
        self.w_key = nn.Linear(key_size, hidden_size, bias=False)
        self.w_query = nn.Linear(query_size, hidden_size, bias=False)

    def score(self, query, keys):
        return self.v(torch.tanh(self.w_query(query).unsqueeze(1) + self.w_key(keys))).squeeze(-1)

    def weigh(self, scores, mask):
        if mask is None:
            return torch.softmax(scores, dim=1)
        nothing = ~mask.any(dim=1, keepdim=True)
        scores = scores.masked_fill(~mask & ~nothing, float("-inf"))
        return torch.softmax(scores, dim=1) * mask

    def forward(self, query, keys, mask=None):
        weights = self.weigh(self.score(query, keys), mask)
        return torch.bmm(weights.unsqueeze(1), keys).squeeze(1), weights


class AttentionByHand(AttentionParts):
    """exp, sum and division; the sum of nothing is replaced by 1."""

    def weigh(self, scores, mask):
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        scores = torch.where(mask, scores, -torch.inf)
        highest = scores.detach().amax(dim=-1, keepdim=True)
        highest = torch.where(highest.isfinite(), highest, 0.0)
        exponentials = torch.where(mask, torch.exp(torch.where(mask, scores - highest, 0.0)), 0.0)
        total = exponentials.sum(dim=-1, keepdim=True)
        return exponentials / torch.where(total > 0, total, 1.0)


class AttentionLowest(AttentionParts):
    """The lowest number of the dtype as the fill, and the weights times the mask."""

    def weigh(self, scores, mask):
        if mask is None:
            return F.softmax(scores, -1)
        return F.softmax(scores.masked_fill(mask.logical_not(), torch.finfo(scores.dtype).min), -1) * mask.to(scores)


class AttentionMended(AttentionParts):
    """NaN becomes 0 afterwards; backward, the fill stops the NaN before it reaches the scores."""

    def weigh(self, scores, mask):
        if mask is not None:
            scores = torch.where(mask, scores, float("-inf"))
        return scores.softmax(-1).nan_to_num(nan=0.0)


class AttentionWhere(AttentionParts):
    """All keys are allowed where none is, and the weights are set to zero."""

    def weigh(self, scores, mask):
        if mask is None:
            mask = scores.new_ones(scores.shape, dtype=torch.bool)
        some = mask.any(-1)
        allowed = mask | ~some[:, None]
        weights = torch.where(allowed, scores, float("-inf")).log_softmax(-1).exp()
        return torch.where(some[:, None], weights, torch.zeros_like(weights))


class AttentionMatrices(AttentionParts):
    """Matrix products instead of modules."""

    def score(self, query, keys):
        hidden = query @ self.w_query.weight.mT
        return torch.tanh(keys @ self.w_key.weight.mT + hidden[:, None, :]) @ self.v.weight[0]

    def forward(self, query, keys, mask=None):
        weights = self.weigh(self.score(query, keys), mask)
        return (weights[:, :, None] * keys).sum(dim=1), weights


class AttentionRows(AttentionParts):
    """Row by row, only over the keys that are allowed."""

    def forward(self, query, keys, mask=None):
        contexts, rows = [], []
        for b in range(query.shape[0]):
            allowed = torch.arange(keys.shape[1]) if mask is None else mask[b].nonzero().flatten()
            row = keys.new_zeros(keys.shape[1])
            if len(allowed):
                chosen = keys[b, allowed]
                scores = self.v(torch.tanh(self.w_query(query[b]) + self.w_key(chosen))).flatten()
                row = row.index_put((allowed,), scores.softmax(0))
            rows.append(row)
            contexts.append(row @ keys[b])
        return torch.stack(contexts), torch.stack(rows)


class AttentionProjectedOnce(AttentionParts):
    """With a method for keys that were projected before."""

    def forward(self, query, keys, mask=None):
        return self.attend(query, keys, self.w_key(keys), mask)

    def attend(self, query, keys, projected, mask):
        scores = torch.einsum(
            "bth,h->bt", torch.tanh(projected + self.w_query(query)[:, None]), self.v.weight.flatten()
        )
        if mask is not None:
            empty = torch.logical_not(mask.any(dim=-1))[:, None]
            scores = torch.where(empty, torch.zeros_like(scores), scores.masked_fill(~mask, -torch.inf))
            weights = torch.where(empty, torch.zeros_like(scores), F.softmax(scores, dim=-1))
        else:
            weights = F.softmax(scores, dim=-1)
        return torch.einsum("bt,btk->bk", weights, keys), weights


class AttentionFused(AttentionParts):
    """PyTorch's own scaled dot product for the sum, with one-hot keys for the weights."""

    def weigh(self, scores, mask):
        size = scores.shape[-1]
        ones = scores.new_ones(*scores.shape, 1)
        allowed = None if mask is None else mask[:, None]
        if mask is not None:
            some = mask.any(-1)[:, None, None]
            allowed = allowed | ~some
        identity = torch.eye(size, dtype=scores.dtype).expand(len(scores), size, size)
        weights = F.scaled_dot_product_attention(ones[:, :1], scores[..., None], identity, allowed, scale=1.0)[:, 0]
        return weights if mask is None else torch.where(some[:, 0], weights, 0.0)


class DecoderParts(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.attention = AttentionParts(hidden_size, annotation_size, attention_size)
        self.cell = nn.GRUCell(embed_size + annotation_size, hidden_size)
        self.output = nn.Linear(hidden_size + annotation_size + embed_size, vocab_size)

    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        state = self.cell(torch.cat((embedded, context), 1), state)
        return self.output(torch.cat((state, context, embedded), 1)), state, weights

    def forward(self, decoder_input, state, annotations, mask=None):
        logits, weights = [], []
        for t in range(decoder_input.shape[1]):
            scores, state, look = self.step(decoder_input[:, t], state, annotations, mask)
            logits.append(scores)
            weights.append(look)
        return torch.stack(logits, 1), torch.stack(weights, 1)


class DecoderOutputAtOnce(DecoderParts):
    """The loop computes states and contexts only; one product gives all logits."""

    def forward(self, decoder_input, state, annotations, mask=None):
        embedded = self.embedding(decoder_input)
        states, contexts, looks = [], [], []
        for x in embedded.unbind(1):
            context, look = self.attention(state, annotations, mask=mask)
            state = self.cell(torch.cat([x, context], dim=-1), state)
            states.append(state)
            contexts.append(context)
            looks.append(look)
        features = torch.cat([torch.stack(states, 1), torch.stack(contexts, 1), embedded], dim=-1)
        return self.output(features), torch.stack(looks, 1)


class DecoderFilled(DecoderParts):
    """Results are written into tensors made before."""

    def forward(self, decoder_input, state, annotations, mask=None):
        size, length = decoder_input.shape
        logits = state.new_empty(size, length, self.output.out_features)
        weights = annotations.new_empty(size, length, annotations.shape[1])
        for t, token in enumerate(decoder_input.T):
            logits[:, t], state, weights[:, t] = self.step(token, state, annotations, mask)
        return logits, weights


class DecoderSplitWeights(DecoderParts):
    """The cell's and the output's matrices are cut into the parts for each input."""

    def step(self, token, state, annotations, mask=None):
        x = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        size = x.shape[-1]
        gates_x = x @ self.cell.weight_ih[:, :size].T + context @ self.cell.weight_ih[:, size:].T + self.cell.bias_ih
        gates_h = F.linear(state, self.cell.weight_hh, self.cell.bias_hh)
        reset, update, new = gates_x.chunk(3, -1)
        reset_h, update_h, new_h = gates_h.chunk(3, -1)
        update = torch.sigmoid(update + update_h)
        state = torch.lerp(torch.tanh(new + torch.sigmoid(reset + reset_h) * new_h), state, update)
        of_state, of_context, of_x = self.output.weight.split([state.shape[-1], context.shape[-1], size], dim=1)
        logits = state @ of_state.T + context @ of_context.T + x @ of_x.T + self.output.bias
        return logits, state, weights


class DecoderProjectedOnce(DecoderParts):
    """The keys are projected once a sentence, not once a step."""

    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__(vocab_size, embed_size, hidden_size, annotation_size, attention_size)
        self.attention = AttentionProjectedOnce(hidden_size, annotation_size, attention_size)

    def step(self, token, state, annotations, mask=None, projected=None):
        projected = self.attention.w_key(annotations) if projected is None else projected
        x = self.embedding(token)
        context, weights = self.attention.attend(state, annotations, projected, mask)
        state = self.cell(torch.cat([x, context], -1), state)
        return self.output(torch.cat([state, context, x], -1)), state, weights

    def forward(self, decoder_input, state, annotations, mask=None):
        projected = self.attention.w_key(annotations)
        steps = []
        for token in decoder_input.unbind(1):
            steps.append(self.step(token, state, annotations, mask, projected))
            state = steps[-1][1]
        return torch.stack([s[0] for s in steps], 1), torch.stack([s[2] for s in steps], 1)


class DecoderRecursive(DecoderParts):
    """The first word, then the rest of the row."""

    def forward(self, decoder_input, state, annotations, mask=None):
        scores, state, look = self.step(decoder_input[:, 0], state, annotations, mask)
        scores, look = scores[:, None], look[:, None]
        if decoder_input.shape[1] == 1:
            return scores, look
        others = self.forward(decoder_input[:, 1:], state, annotations, mask)
        return torch.cat([scores, others[0]], 1), torch.cat([look, others[1]], 1)


class DecoderPadded(DecoderParts):
    """A padding_idx, and the mask made where it is missing."""

    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__(vocab_size, embed_size, hidden_size, annotation_size, attention_size)
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=0)
        self.attention = AttentionByHand(hidden_size, annotation_size, attention_size)

    def step(self, token, state, annotations, mask=None):
        if mask is None:
            mask = torch.ones(annotations.shape[:2], dtype=torch.bool)
        return super().step(token, state, annotations, mask)


EQUIVALENTS = {
    "AdditiveAttention": [
        AttentionParts,
        AttentionByHand,
        AttentionLowest,
        AttentionMended,
        AttentionWhere,
        AttentionMatrices,
        AttentionRows,
        AttentionProjectedOnce,
        AttentionFused,
    ],
    "BahdanauDecoder": [
        DecoderParts,
        DecoderOutputAtOnce,
        DecoderFilled,
        DecoderSplitWeights,
        DecoderProjectedOnce,
        DecoderRecursive,
        DecoderPadded,
    ],
}
