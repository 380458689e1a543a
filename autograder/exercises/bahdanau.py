"""Checks of lesson 10: additive attention, and a decoder that looks back at every step."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from autograder.exercise import Exercise, module

# -------------------------------------------------------------------------------------- AdditiveAttention

AdditiveAttention = Exercise("AdditiveAttention", lesson="10_bahdanau", returns=("context", "weights"), seconds=10.0)

AdditiveAttention.hints = (
    "Get the shapes right first. One query meets T keys: `self.w_query(query)` is `(B, h)`, `self.w_key(keys)` is "
    "`(B, T, h)`. Give the first one an axis of size 1 where the second one has T, and add.",
    "`scores = self.v(torch.tanh(...))` is `(B, T, 1)`; squeeze the last axis. Mask, then softmax over T. "
    "The context is a weighted sum over T: `torch.einsum`, `torch.bmm` or a product and a sum.",
    "`scores.masked_fill(~mask, -torch.inf)` is exact, but a row with nothing left turns into NaN, and so do its "
    "gradients. Give such rows scores of 0 first, and set their weights to 0 afterwards: "
    "`empty = ~mask.any(dim=-1, keepdim=True)`, `scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)`.",
)


def mask_of(case):
    """The mask of each call of a case, or None."""
    masks = []
    for _, args, kwargs in case.request["calls"]:
        given = [value for value in [*args, *kwargs.values()] if value is not None and value.dtype == torch.bool]
        masks.append(given[0] if given else None)
    return masks


@AdditiveAttention.property
def nothing_at_forbidden_keys(case, value):
    results = value if case.request["many"] else [value]
    for mask, (_, weights) in zip(mask_of(case), results, strict=True):
        if mask is not None and (weights * ~mask.numpy()).any():
            return "A key that the mask forbids has a weight that is small, but not exactly 0."
    return None


@AdditiveAttention.reference
class _(nn.Module):
    def __init__(self, query_size, key_size, hidden_size):
        super().__init__()
        self.w_query = nn.Linear(query_size, hidden_size, bias=False)
        self.w_key = nn.Linear(key_size, hidden_size, bias=False)
        self.v = nn.Linear(hidden_size, 1, bias=False)

    def forward(self, query, keys, mask=None):
        """Row by row, over the allowed keys only."""
        contexts, rows = [], []
        for b in range(len(keys)):
            allowed = [t for t in range(keys.shape[1]) if mask is None or bool(mask[b, t])]
            weights = [keys.new_zeros(())] * keys.shape[1]
            context = keys.new_zeros(keys.shape[2])
            scores = [
                self.v.weight[0] @ torch.tanh(self.w_query.weight @ query[b] + self.w_key.weight @ keys[b, t])
                for t in allowed
            ]
            if allowed:
                shares = torch.softmax(torch.stack(scores), dim=0)
                for t, share in zip(allowed, shares):
                    weights[t] = share
                    context = context + share * keys[b, t]
            contexts.append(context)
            rows.append(torch.stack(weights))
        return torch.stack(contexts), torch.stack(rows)


def floats(rng, *shape, dtype="float64"):
    return torch.tensor(rng.normal(size=shape), dtype=getattr(torch, dtype))


def different(rng):
    """Three sizes that all differ, in any order."""
    return tuple(int(n) for n in rng.permutation([2, 4, 6]) + rng.integers(0, 2))


def lengths_mask(lengths, width=None):
    return torch.arange(width or max(lengths)) < torch.tensor(lengths)[:, None]


def some_mask(rng, n, width):
    """About half of the keys, at least one in each row, and not the same number in each."""
    mask = rng.random((n, width)) < 0.5
    mask[:, 0] = False
    mask[range(n), rng.integers(1, width, size=n)] = True
    return torch.tensor(mask)


def looks(rng, sizes, n, width, mask=(), dtype="float64"):
    """query, keys and perhaps a mask."""
    return floats(rng, n, sizes[0], dtype=dtype), floats(rng, n, width, sizes[1], dtype=dtype), *mask


@AdditiveAttention.aspect("every key allowed", points=2)
def _(rng):
    sizes = different(rng)
    yield module("three rows of five keys, no mask", init=sizes, args=looks(rng, sizes, 3, 5), rng=rng)
    yield module("one row", init=sizes, args=looks(rng, sizes, 1, 4), rng=rng)
    yield module("one key", init=sizes, args=looks(rng, sizes, 3, 1), rng=rng).because("a single key takes all weight")
    yield module("as many rows as keys", init=sizes, args=looks(rng, sizes, 4, 4), rng=rng)
    same = (3, 3, 3)
    yield module("all sizes equal", init=same, args=looks(rng, same, 3, 3), rng=rng)
    yield module("a hidden size of one", init=(3, 4, 1), args=looks(rng, (3, 4, 1), 2, 3), rng=rng)
    every = torch.ones(2, 6, dtype=torch.bool)
    yield module("a mask that allows all", init=sizes, args=looks(rng, sizes, 2, 6, [every]), rng=rng)
    yield module("mask=None", init=sizes, args=looks(rng, sizes, 2, 3), kwargs={"mask": None}, rng=rng)
    names = ("query_size", "key_size", "hidden_size")
    query, keys = looks(rng, sizes, 2, 3)
    yield module(
        "everything by name",
        init_kwargs=dict(zip(names, sizes, strict=True)),
        kwargs={"query": query, "keys": keys},
        rng=rng,
    ).because("the names of the parameters are fixed")
    query, keys = looks(rng, sizes, 3, 4)
    yield module("large queries and keys", init=sizes, args=(50 * query, 50 * keys), rng=rng).because(
        "tanh never leaves [-1, 1]"
    )
    yield module("small weights", init=sizes, args=looks(rng, sizes, 2, 4), rng=rng, scale=0.1)


@AdditiveAttention.aspect("masks", points=2)
def _(rng):
    sizes = different(rng)
    for label, lengths in (
        ("padding behind", [2, 5, 3]),
        ("one row with padding", [2, 2]),
        ("padding in every row", [3, 1, 2]),
    ):
        mask = lengths_mask(lengths, max(lengths) + (label != "padding behind"))
        yield module(label, init=sizes, args=looks(rng, sizes, *mask.shape, [mask]), rng=rng)
    mask = some_mask(rng, 4, 6)
    yield module("holes in the mask", init=sizes, args=looks(rng, sizes, 4, 6, [mask]), rng=rng)
    mask = some_mask(rng, 3, 3)
    yield module("as many rows as keys", init=sizes, args=looks(rng, sizes, 3, 3, [mask]), rng=rng)
    query, keys = looks(rng, sizes, 3, 4)
    mask = lengths_mask([3, 1, 2], 4)
    junk = torch.where(mask[..., None], keys, 1e3 * keys)
    yield (
        module("large numbers at padding", init=sizes, args=(query, junk, mask), rng=rng)
        .magnitude(4.0)
        .because("what stands at padding must not matter")
    )
    yield module("the mask by name", init=sizes, args=(query, keys), kwargs={"mask": mask}, rng=rng)
    one = torch.zeros(2, 5, dtype=torch.bool)
    one[0, 4] = one[1, 1] = True
    yield module("one key allowed", init=sizes, args=looks(rng, sizes, 2, 5, [one]), rng=rng)


@AdditiveAttention.aspect("scores of any size", points=1)
def _(rng):
    sizes = different(rng)
    mask = lengths_mask([2, 4, 1], 5)
    for label, scale in (("scores near 1e5", 1e5), ("scores near 1e10", 1e10), ("scores near 1e20", 1e20)):
        query, keys = looks(rng, sizes, 3, 5)
        query[:, 0] = query[:, 0].abs() + 1.0
        yield (
            module(f"{label}, mask", init=sizes, args=(query / scale, keys / scale, mask), rng=rng, scale=scale)
            .magnitude(1.0 / scale)
            .because("a masked weight is 0, however low the other scores are: no finite fill is low enough")
        )
    query, keys = looks(rng, sizes, 2, 4)
    yield module("scores near 1e6, no mask", init=sizes, args=(query / 1e6, keys / 1e6), rng=rng, scale=1e6)


@AdditiveAttention.aspect("rows with nothing to look at", points=1)
def _(rng):
    sizes = different(rng)
    reason = "where no key is allowed, every weight is 0 and so is the context"
    mask = lengths_mask([3, 0, 4, 0])
    yield module("two of four rows", init=sizes, args=looks(rng, sizes, 4, 4, [mask]), rng=rng).because(reason)
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    yield module("every row", init=sizes, args=looks(rng, sizes, 2, 3, [nothing]), rng=rng).because(reason)
    one = torch.zeros(1, 1, dtype=torch.bool)
    yield module("one row, one key", init=sizes, args=looks(rng, sizes, 1, 1, [one]), rng=rng).because(reason)
    args = looks(rng, sizes, 4, 4, [mask], dtype="float32")
    yield module("float32", init=sizes, args=args, rng=rng, dtype="float32").because(reason)


@AdditiveAttention.aspect("float32", points=1)
def _(rng):
    sizes = different(rng)
    args = looks(rng, sizes, 3, 5, dtype="float32")
    yield module("no mask", init=sizes, args=args, rng=rng, dtype="float32")
    mask = some_mask(rng, 2, 5)
    args = looks(rng, sizes, 2, 5, [mask], dtype="float32")
    yield module("a mask", init=sizes, args=args, rng=rng, dtype="float32")


@AdditiveAttention.aspect("gradients", points=1)
def _(rng):
    sizes = different(rng)
    yield module("no mask", init=sizes, args=looks(rng, sizes, 2, 4), rng=rng).gradients()
    mask = some_mask(rng, 3, 5)
    yield module("a mask", init=sizes, args=looks(rng, sizes, 3, 5, [mask]), rng=rng).gradients()
    mask = lengths_mask([2, 0, 3])
    yield (
        module("a row with nothing to look at", init=sizes, args=looks(rng, sizes, 3, 3, [mask]), rng=rng)
        .gradients()
        .because("gradients at such a row are zero, not NaN")
    )


@AdditiveAttention.aspect("call after call, inputs unchanged", points=1, purity=True)
def _(rng):
    sizes = different(rng)
    mask = some_mask(rng, 2, 4)
    query, keys = looks(rng, sizes, 2, 4)
    calls = [
        ("forward", (query, keys, mask), {}),
        ("forward", (floats(rng, 2, sizes[0]), keys, mask), {}),
        ("forward", (query, floats(rng, 2, 4, sizes[1]), mask), {}),
        ("forward", (query, keys, some_mask(rng, 2, 4)), {}),
        ("forward", (query, keys), {}),
        ("forward", looks(rng, sizes, 3, 2), {}),
    ]
    yield module("six calls in a row", init=sizes, calls=calls, rng=rng)
    yield module("training mode", init=sizes, args=(query, keys, mask), rng=rng, train=True)


class AttentionParts(nn.Module):
    """The right thing in three parts; the misconceptions change one."""

    def __init__(self, query_size, key_size, hidden_size):
        super().__init__()
        self.w_query = nn.Linear(query_size, hidden_size, bias=False)
        self.w_key = nn.Linear(key_size, hidden_size, bias=False)
        self.v = nn.Linear(hidden_size, 1, bias=False)

    def score(self, query, keys):
        return self.v(torch.tanh(self.w_query(query)[:, None] + self.w_key(keys)))[..., 0]

    def weigh(self, scores, mask):
        if mask is None:
            return scores.softmax(-1)
        empty = ~mask.any(-1, keepdim=True)
        return scores.masked_fill(~mask, -torch.inf).masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)

    def forward(self, query, keys, mask=None):
        weights = self.weigh(self.score(query, keys), mask)
        return torch.einsum("bt,btk->bk", weights, keys), weights


@AdditiveAttention.misconception("no tanh", hint="Between the sum and `v` comes tanh; without it the score is linear.")
class _(AttentionParts):
    def score(self, query, keys):
        return self.v(self.w_query(query)[:, None] + self.w_key(keys))[..., 0]


@AdditiveAttention.misconception("tanh after v", hint="First tanh of the sum, then `v`.")
class _(AttentionParts):
    def score(self, query, keys):
        return torch.tanh(self.v(self.w_query(query)[:, None] + self.w_key(keys)))[..., 0]


@AdditiveAttention.misconception("sigmoid instead of tanh", hint="The nonlinearity is tanh.")
class _(AttentionParts):
    def score(self, query, keys):
        return self.v(torch.sigmoid(self.w_query(query)[:, None] + self.w_key(keys)))[..., 0]


@AdditiveAttention.misconception("ReLU instead of tanh", hint="The nonlinearity is tanh.")
class _(AttentionParts):
    def score(self, query, keys):
        return self.v(torch.relu(self.w_query(query)[:, None] + self.w_key(keys)))[..., 0]


@AdditiveAttention.misconception(
    "the query makes no difference",
    hint="What the query adds to every score alike, softmax takes away. Add the two projections first, then one "
    "tanh of the sum: that is where query and key meet.",
)
class _(AttentionParts):
    def score(self, query, keys):
        return self.v(torch.tanh(self.w_query(query))[:, None] + torch.tanh(self.w_key(keys)))[..., 0]


@AdditiveAttention.misconception(
    "a product instead of a sum", hint="Additive attention *adds* the two projections. Products are lesson 11."
)
class _(AttentionParts):
    def score(self, query, keys):
        return self.v(torch.tanh(self.w_query(query)[:, None] * self.w_key(keys)))[..., 0]


@AdditiveAttention.misconception(
    "scaled by the square root of the hidden size", hint="No scale here: `v` is learned and can scale by itself."
)
class _(AttentionParts):
    def score(self, query, keys):
        return super().score(query, keys) / math.sqrt(self.v.in_features)


@AdditiveAttention.misconception(
    "softmax over the batch", hint="The weights of one row add up to 1: softmax over the last axis, T."
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(0).nan_to_num()


@AdditiveAttention.misconception("no softmax", hint="Weights are the softmax of the scores.")
class _(AttentionParts):
    def weigh(self, scores, mask):
        return scores if mask is None else scores.masked_fill(~mask, 0.0)


@AdditiveAttention.misconception("the mask is ignored", hint="Keys where the mask is False get weight 0.")
class _(AttentionParts):
    def weigh(self, scores, mask):
        return scores.softmax(-1)


@AdditiveAttention.misconception(
    "the mask the wrong way round", hint="True means: may be attended to. Fill at `~mask`."
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        return super().weigh(scores, None if mask is None else ~mask)


@AdditiveAttention.misconception(
    "the mask is applied after the softmax",
    hint="What is taken away after normalizing is missing from the sum. Mask the scores, not the weights.",
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        return scores.softmax(-1) if mask is None else scores.softmax(-1) * mask


@AdditiveAttention.misconception(
    "forbidden keys get a score of 0", hint="e^0 is 1, not 0: a forbidden score is -inf, before the softmax."
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        return scores.softmax(-1) if mask is None else scores.masked_fill(~mask, 0.0).softmax(-1)


@AdditiveAttention.misconception(
    "forbidden keys are set to zero",
    hint="A key of zeros still has a score and takes weight. Mask the scores.",
)
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        return super().forward(query, keys if mask is None else keys * mask[..., None])


@AdditiveAttention.misconception(
    "the caller's keys are overwritten",
    hint="`keys[~mask] = 0` changes the tensor that was given. Forbidden keys get weight 0 anyway: leave `keys` alone.",
)
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        if mask is not None:
            keys.detach()[~mask] = 0.0
        return super().forward(query, keys, mask)


@AdditiveAttention.misconception(
    "a finite fill", hint="A score lower than your fill exists. Fill with `-torch.inf`, which nothing beats."
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        if mask is None:
            return scores.softmax(-1)
        return scores.masked_fill(~mask, -1e9).softmax(-1) * mask.any(-1, keepdim=True)


@AdditiveAttention.misconception(
    "uniform weights where nothing is allowed",
    hint="In a row without an allowed key every weight is 0: yours attends to padding.",
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        lowest = torch.finfo(scores.dtype).min
        return scores.softmax(-1) if mask is None else scores.masked_fill(~mask, lowest).softmax(-1)


@AdditiveAttention.misconception(
    "NaN where nothing is allowed",
    hint="A softmax over -inf alone is 0 / 0. Find rows without an allowed key first and treat them apart.",
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        return scores.softmax(-1) if mask is None else scores.masked_fill(~mask, -torch.inf).softmax(-1)


@AdditiveAttention.misconception(
    "NaN is mended in the values, not in the gradients",
    hint="`nan_to_num` mends the weights, but backward still goes through a softmax of -inf alone. Fill "
    "(`masked_fill`, `torch.where`) instead of adding -inf, or give such rows finite scores before the softmax.",
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        return scores.softmax(-1) if mask is None else (scores + mask.to(scores).log()).softmax(-1).nan_to_num()


@AdditiveAttention.misconception(
    "a mean over all keys", hint="A weighted sum whose weights add up to 1 is a mean already: do not divide by T."
)
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        context, weights = super().forward(query, keys, mask)
        return context / keys.shape[1], weights


@AdditiveAttention.misconception(
    "the same weight for every allowed key", hint="The weights come from the scores, by softmax."
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        return super().weigh(0.0 * scores, mask)


@AdditiveAttention.misconception(
    "the context is made of the projected keys",
    hint="The projections serve the score. The context is a weighted sum of `keys` themselves, `(B, key_size)`.",
)
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        _, weights = super().forward(query, keys, mask)
        return torch.einsum("bt,bth->bh", weights, self.w_key(keys)), weights


@AdditiveAttention.misconception("weights first", hint="Return (context, weights), in this order.")
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        return super().forward(query, keys, mask)[::-1]


@AdditiveAttention.misconception("the context only", hint="Return the weights, too: (context, weights).")
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        return super().forward(query, keys, mask)[0]


@AdditiveAttention.misconception(
    "an axis of size 1 is left over", hint="context is `(B, key_size)` and weights `(B, T)`: squeeze the extra axis."
)
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        context, weights = super().forward(query, keys, mask)
        return context[:, None], weights[:, None]


@AdditiveAttention.misconception(
    "squeeze takes away too much", hint="A bare `.squeeze()` also drops B or T where they are 1: name the axis."
)
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        context, weights = super().forward(query, keys, mask)
        return context.squeeze(), weights.squeeze()


@AdditiveAttention.misconception(
    "the weights are cut from the graph", hint="No `detach` and no `torch.no_grad`: the scores must be trained."
)
class _(AttentionParts):
    def weigh(self, scores, mask):
        return super().weigh(scores, mask).detach()


@AdditiveAttention.misconception("a mask is required", hint="Give `mask` the default None, and allow all keys then.")
class _(AttentionParts):
    def forward(self, query, keys, mask=None):
        return super().forward(query, keys, mask.bool())


@AdditiveAttention.misconception("projections with a bias", hint="All three are `nn.Linear(..., bias=False)`.")
class _(AttentionParts):
    def __init__(self, query_size, key_size, hidden_size):
        super().__init__(query_size, key_size, hidden_size)
        self.w_query = nn.Linear(query_size, hidden_size)
        self.w_key = nn.Linear(key_size, hidden_size)


@AdditiveAttention.misconception(
    "query and key sizes swapped", hint="`w_query` maps from query_size, `w_key` from key_size, both to hidden_size."
)
class _(AttentionParts):
    def __init__(self, query_size, key_size, hidden_size):
        super().__init__(key_size, query_size, hidden_size)


@AdditiveAttention.misconception(
    "one matrix for query and key together",
    hint="That is Luong's concat. Here there are two: `w_query` and `w_key`.",
)
class _(nn.Module):
    def __init__(self, query_size, key_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(query_size + key_size, hidden_size, bias=False)
        self.v = nn.Linear(hidden_size, 1, bias=False)


# ---------------------------------------------------------------------------------------- BahdanauDecoder

BahdanauDecoder = Exercise("BahdanauDecoder", lesson="10_bahdanau", seconds=10.0)

BahdanauDecoder.hints = (
    "Write `step` first. Four lines, in this order: embed the token, look (with the state as it came in), run the "
    "cell, compute the logits.",
    "`context, weights = self.attention(state, annotations, mask)`; then the cell reads "
    "`torch.cat([embedded, context], dim=-1)` and gives the new state; the output reads "
    "`torch.cat([new_state, context, embedded], dim=-1)`.",
    "In `forward`: `for token in decoder_input.unbind(dim=1): scores, state, look = self.step(token, state, "
    "annotations, mask)`; collect scores and looks in two lists and `torch.stack(..., dim=1)` both.",
)


class DecoderParts(nn.Module):
    """The right thing; the misconceptions change one method each."""

    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.attention = AttentionParts(hidden_size, annotation_size, attention_size)
        self.cell = nn.GRUCell(embed_size + annotation_size, hidden_size)
        self.output = nn.Linear(hidden_size + annotation_size + embed_size, vocab_size)

    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights

    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks = [], []
        for token in decoder_input.unbind(1):
            scores, state, weights = self.step(token, state, annotations, mask)
            logits.append(scores)
            looks.append(weights)
        return torch.stack(logits, dim=1), torch.stack(looks, dim=1)


@BahdanauDecoder.reference
class _(DecoderParts):
    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__(vocab_size, embed_size, hidden_size, annotation_size, attention_size)
        self.attention = AdditiveAttention.oracle(hidden_size, annotation_size, attention_size)

    def step(self, token, state, annotations, mask=None):
        """From the formulas of nn.GRUCell and nn.Linear."""
        embedded = F.one_hot(token, self.embedding.num_embeddings).to(state.dtype) @ self.embedding.weight
        context, weights = self.attention(state, annotations, mask)
        x = torch.cat([embedded, context], dim=1)
        reset_x, update_x, new_x = (x @ self.cell.weight_ih.T + self.cell.bias_ih).chunk(3, dim=1)
        reset_h, update_h, new_h = (state @ self.cell.weight_hh.T + self.cell.bias_hh).chunk(3, dim=1)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
        state = (1 - update) * new + update * state
        return torch.cat([state, context, embedded], dim=1) @ self.output.weight.T + self.output.bias, state, weights


def decoder_sizes(rng):
    """Vocabulary, embedding, hidden, annotation and attention sizes that all differ."""
    embed, hidden, annotation, attention = (int(n) for n in rng.permutation([2, 3, 5, 7]))
    return int(rng.integers(8, 12)), embed, hidden, annotation, attention


def words(rng, vocab_size, *shape):
    """Ids from 1 up: whether 0 is a padding_idx of the decoder is left open."""
    return torch.tensor(rng.integers(1, vocab_size, size=shape))


def step_args(rng, sizes, n, width, mask=(), dtype="float64"):
    vocab_size, _, hidden, annotation, _ = sizes
    state, annotations = floats(rng, n, hidden, dtype=dtype), floats(rng, n, width, annotation, dtype=dtype)
    return words(rng, vocab_size, n), state, annotations, *mask


def forward_args(rng, sizes, n, length, width, mask=(), dtype="float64"):
    vocab_size, _, hidden, annotation, _ = sizes
    state, annotations = floats(rng, n, hidden, dtype=dtype), floats(rng, n, width, annotation, dtype=dtype)
    return words(rng, vocab_size, n, length), state, annotations, *mask


@BahdanauDecoder.property
def no_look_at_padding(case, value):
    results = value if case.request["many"] else [value]
    for mask, result in zip(mask_of(case), results, strict=True):
        weights = result[-1]
        if mask is not None and (weights * ~(mask.numpy() if weights.ndim == 2 else mask.numpy()[:, None])).any():
            return "A position that the mask forbids has a weight that is small, but not exactly 0."
    return None


@BahdanauDecoder.aspect("one step", points=2)
def _(rng):
    sizes = decoder_sizes(rng)
    mask = lengths_mask([4, 2, 3])
    args = step_args(rng, sizes, 3, 4, [mask])
    yield module("three rows, padding", init=sizes, method="step", args=args, rng=rng)
    yield module("no mask", init=sizes, method="step", args=step_args(rng, sizes, 3, 5), rng=rng)
    yield module("mask=None", init=sizes, method="step", args=step_args(rng, sizes, 2, 4, [None]), rng=rng)
    yield module("one row", init=sizes, method="step", args=step_args(rng, sizes, 1, 4), rng=rng)
    yield module("one position to look at", init=sizes, method="step", args=step_args(rng, sizes, 3, 1), rng=rng)
    same = (9, 3, 3, 3, 3)
    args = step_args(rng, same, 3, 3, [some_mask(rng, 3, 3)])
    yield module("all sizes equal", init=same, method="step", args=args, rng=rng)
    args = step_args(rng, sizes, 2, 3)
    zero = (args[0], torch.zeros_like(args[1]), args[2])
    yield module("a state of zeros", init=sizes, method="step", args=zero, rng=rng)
    hard = step_args(rng, sizes, 2, 4, [lengths_mask([4, 3])])
    yield module("large weights", init=sizes, method="step", args=hard, rng=rng, scale=1.5)


@BahdanauDecoder.aspect("teacher forcing", points=2)
def _(rng):
    sizes = decoder_sizes(rng)
    yield module("two rows, five words, four positions", init=sizes, args=forward_args(rng, sizes, 2, 5, 4), rng=rng)
    mask = lengths_mask([2, 5, 3])
    yield module("padding", init=sizes, args=forward_args(rng, sizes, 3, 4, 5, [mask]), rng=rng)
    yield module("equal lengths", init=sizes, args=forward_args(rng, sizes, 4, 4, 4), rng=rng)
    ids, *others = forward_args(rng, sizes, 3, 6, 5, [mask])
    ids[:, 0] = 1
    ids[0, 3:] = torch.tensor([2, 0, 0])
    yield module("bos in front, padding behind", init=sizes, args=(ids, *others), rng=rng).because(
        "the decoder reads whatever stands in decoder_input"
    )
    args = forward_args(rng, sizes, 2, 3, 4, [lengths_mask([3, 4])])
    yield module("large weights", init=sizes, args=args, rng=rng, scale=1.5)
    *args, mask = forward_args(rng, sizes, 2, 3, 4, [some_mask(rng, 2, 4)])
    yield module("the mask by name", init=sizes, args=tuple(args), kwargs={"mask": mask}, rng=rng)


@BahdanauDecoder.aspect("other sizes", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    yield module("one row", init=sizes, args=forward_args(rng, sizes, 1, 4, 3), rng=rng)
    yield module("one word", init=sizes, args=forward_args(rng, sizes, 3, 1, 4), rng=rng)
    yield module("one position", init=sizes, args=forward_args(rng, sizes, 2, 3, 1), rng=rng)
    yield module("one of each", init=sizes, args=forward_args(rng, sizes, 1, 1, 1), rng=rng)
    same = (7, 4, 4, 4, 4)
    yield module("all sizes equal", init=same, args=forward_args(rng, same, 2, 3, 4), rng=rng)
    twice = (7, 2, 3, 6, 3)
    mask = lengths_mask([1, 4])
    yield module(
        "annotations of twice the hidden size", init=twice, args=forward_args(rng, twice, 2, 3, 4, [mask]), rng=rng
    )
    names = ("vocab_size", "embed_size", "hidden_size", "annotation_size", "attention_size")
    by_name = dict(zip(names, sizes, strict=True))
    args = forward_args(rng, sizes, 2, 3, 4)
    keywords = dict(zip(("decoder_input", "state", "annotations"), args, strict=True))
    yield module("everything by name", init_kwargs=by_name, kwargs=keywords, rng=rng)


@BahdanauDecoder.aspect("rows with nothing to look at", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    mask = lengths_mask([3, 0, 2])
    reason = "with nothing to look at, the weights are 0 and the context is 0"
    args = step_args(rng, sizes, 3, 3, [mask])
    yield module("one step", init=sizes, method="step", args=args, rng=rng).because(reason)
    args = forward_args(rng, sizes, 3, 4, 3, [mask])
    yield module("four steps", init=sizes, args=args, rng=rng).because(reason)
    yield module("gradients", init=sizes, args=args, rng=rng).gradients().because("they are zero there, not NaN")


@BahdanauDecoder.aspect("float32", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    mask = lengths_mask([3, 4])
    args = step_args(rng, sizes, 2, 4, [mask], dtype="float32")
    yield module("one step", init=sizes, method="step", args=args, rng=rng, dtype="float32")
    args = forward_args(rng, sizes, 2, 3, 4, [mask], dtype="float32")
    yield module("three steps", init=sizes, args=args, rng=rng, dtype="float32")


@BahdanauDecoder.aspect("gradients", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    args = step_args(rng, sizes, 3, 4, [lengths_mask([2, 4, 3])])
    yield module("one step", init=sizes, method="step", args=args, rng=rng).gradients()
    args = forward_args(rng, sizes, 2, 4, 3, [lengths_mask([2, 3])])
    yield module("through four steps", init=sizes, args=args, rng=rng).gradients()


@BahdanauDecoder.aspect("call after call, inputs unchanged", points=1, purity=True)
def _(rng):
    sizes = decoder_sizes(rng)
    first = forward_args(rng, sizes, 2, 3, 4, [lengths_mask([4, 2])])
    other = forward_args(rng, sizes, 2, 3, 4, [lengths_mask([3, 4])])
    calls = [
        ("forward", first, {}),
        ("step", step_args(rng, sizes, 2, 4), {}),
        ("forward", other, {}),
        ("forward", (first[0], *other[1:]), {}),
        ("step", step_args(rng, sizes, 3, 2), {}),
        ("forward", first, {}),
    ]
    yield module("forward and step in turn", init=sizes, calls=calls, rng=rng)
    yield module("training mode", init=sizes, args=first, rng=rng, train=True)


@BahdanauDecoder.misconception(
    "the new state asks",
    hint="The query is the state *before* the cell: the context is needed to compute the new one.",
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        nothing = annotations.new_zeros(len(annotations), annotations.shape[-1])
        ahead = self.cell(torch.cat([embedded, nothing], dim=-1), state)
        context, weights = self.attention(ahead, annotations, mask)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights


@BahdanauDecoder.misconception(
    "a second look for the output",
    hint="One look a step, with the old state; cell and output read the same context.",
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, _ = self.attention(state, annotations, mask)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        context, weights = self.attention(state, annotations, mask)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights


@BahdanauDecoder.misconception(
    "the context of the step before",
    hint="Look first, then run the cell: the cell reads the context of this step.",
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None, before=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        before = torch.zeros_like(context) if before is None else before
        self.context = context
        state = self.cell(torch.cat([embedded, before], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights

    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks, before = [], [], None
        for token in decoder_input.unbind(1):
            scores, state, weights = self.step(token, state, annotations, mask, before)
            before = self.context
            logits.append(scores)
            looks.append(weights)
        return torch.stack(logits, dim=1), torch.stack(looks, dim=1)


@BahdanauDecoder.misconception(
    "one look for the whole sentence",
    hint="Look again at every step, with the state of that step: each word has its own context.",
)
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        context, weights = self.attention(state, annotations, mask)
        logits = []
        for token in decoder_input.unbind(1):
            embedded = self.embedding(token)
            state = self.cell(torch.cat([embedded, context], dim=-1), state)
            logits.append(self.output(torch.cat([state, context, embedded], dim=-1)))
        return torch.stack(logits, dim=1), torch.stack([weights] * len(logits), dim=1)


@BahdanauDecoder.misconception(
    "the mean of the annotations", hint="The context is what `self.attention` returns, not a mean."
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        _, weights = self.attention(state, annotations, mask)
        context = annotations.mean(dim=1)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights


@BahdanauDecoder.misconception("the mask is not handed on", hint="Give the mask to `self.attention`, at every step.")
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        return super().step(token, state, annotations)


@BahdanauDecoder.misconception("forward forgets the mask", hint="Give the mask to `self.step`, too.")
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        return super().forward(decoder_input, state, annotations)


@BahdanauDecoder.misconception(
    "the output reads the old state", hint="The output reads the *new* state, which the cell gave."
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        new = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), new, weights


@BahdanauDecoder.misconception(
    "the cell reads [context; embedding]", hint="The cell reads [embedding; context], in this order."
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        state = self.cell(torch.cat([context, embedded], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights


@BahdanauDecoder.misconception(
    "the output reads [state; embedding; context]", hint="The output reads [new state; context; embedding]."
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, embedded, context], dim=-1)), state, weights


@BahdanauDecoder.misconception(
    "the output reads [embedding; context; state]", hint="The output reads [new state; context; embedding]."
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([embedded, context, state], dim=-1)), state, weights


@BahdanauDecoder.misconception(
    "every step starts from the first state", hint="Hand the state on from step to step: `scores, state, look = ...`."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        steps = [self.step(token, state, annotations, mask) for token in decoder_input.unbind(1)]
        return torch.stack([s[0] for s in steps], dim=1), torch.stack([s[2] for s in steps], dim=1)


@BahdanauDecoder.misconception(
    "it reads what it said itself", hint="Teacher forcing: each step reads its column of decoder_input, right or wrong."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks, token = [], [], decoder_input[:, 0]
        for _ in range(decoder_input.shape[1]):
            scores, state, weights = self.step(token, state, annotations, mask)
            logits.append(scores)
            looks.append(weights)
            token = scores.argmax(-1)
        return torch.stack(logits, dim=1), torch.stack(looks, dim=1)


@BahdanauDecoder.misconception("log-probabilities instead of logits", hint="Return the logits as `output` gives them.")
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        logits, state, weights = super().step(token, state, annotations, mask)
        return torch.log_softmax(logits, dim=-1), state, weights


@BahdanauDecoder.misconception("probabilities instead of logits", hint="No softmax here: the loss does it.")
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        logits, state, weights = super().step(token, state, annotations, mask)
        return torch.softmax(logits, dim=-1), state, weights


@BahdanauDecoder.misconception("tanh on the new state", hint="The state is what the cell gives, without another tanh.")
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        state = torch.tanh(self.cell(torch.cat([embedded, context], dim=-1), state))
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights


@BahdanauDecoder.misconception(
    "the gradient is cut between steps", hint="Do not detach the state: the loss of step 3 must reach step 1."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks = [], []
        for token in decoder_input.unbind(1):
            scores, state, weights = self.step(token, state, annotations, mask)
            state = state.detach()
            logits.append(scores)
            looks.append(weights)
        return torch.stack(logits, dim=1), torch.stack(looks, dim=1)


@BahdanauDecoder.misconception(
    "the context is cut from the graph", hint="Do not detach the context: that is how the attention learns."
)
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        context = context.detach()
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights


@BahdanauDecoder.misconception("step returns the weights second", hint="`step` returns (logits, state, weights).")
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        logits, state, weights = super().step(token, state, annotations, mask)
        return logits, weights, state

    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks = [], []
        for token in decoder_input.unbind(1):
            scores, weights, state = self.step(token, state, annotations, mask)
            logits.append(scores)
            looks.append(weights)
        return torch.stack(logits, dim=1), torch.stack(looks, dim=1)


@BahdanauDecoder.misconception(
    "the weights of the last step only", hint="Collect the weights of each step: `(B, T, S)`."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks = super().forward(decoder_input, state, annotations, mask)
        return logits, looks[:, -1]


@BahdanauDecoder.misconception("forward returns the logits only", hint="`forward` returns (logits, weights).")
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        return super().forward(decoder_input, state, annotations, mask)[0]


@BahdanauDecoder.misconception("forward returns the state, too", hint="`forward` returns (logits, weights), no state.")
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks = super().forward(decoder_input, state, annotations, mask)
        return logits, state, looks


@BahdanauDecoder.misconception("time first", hint="Batch first: `torch.stack(..., dim=1)` for logits and weights.")
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks = super().forward(decoder_input, state, annotations, mask)
        return logits.transpose(0, 1), looks.transpose(0, 1)


@BahdanauDecoder.misconception(
    "the weights are stacked along the last axis", hint="One row of weights a target word: stack along axis 1."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, annotations, mask=None):
        logits, looks = super().forward(decoder_input, state, annotations, mask)
        return logits, looks.transpose(1, 2)


@BahdanauDecoder.misconception(
    "query and key sizes swapped",
    hint="The state asks: `AdditiveAttention(hidden_size, annotation_size, attention_size)`.",
)
class _(DecoderParts):
    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__(vocab_size, embed_size, hidden_size, annotation_size, attention_size)
        self.attention = AttentionParts(annotation_size, hidden_size, attention_size)


@BahdanauDecoder.misconception(
    "the output reads the state only",
    hint="`output` is `nn.Linear(hidden_size + annotation_size + embed_size, vocab_size)`.",
)
class _(DecoderParts):
    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__(vocab_size, embed_size, hidden_size, annotation_size, attention_size)
        self.output = nn.Linear(hidden_size, vocab_size)


@BahdanauDecoder.misconception(
    "the cell reads the embedding only", hint="`cell` is `nn.GRUCell(embed_size + annotation_size, hidden_size)`."
)
class _(DecoderParts):
    def __init__(self, vocab_size, embed_size, hidden_size, annotation_size, attention_size):
        super().__init__(vocab_size, embed_size, hidden_size, annotation_size, attention_size)
        self.cell = nn.GRUCell(embed_size, hidden_size)


@BahdanauDecoder.misconception("a mask is required", hint="Give `mask` the default None in `step` and `forward`.")
class _(DecoderParts):
    def step(self, token, state, annotations, mask=None):
        return super().step(token, state, annotations, mask.bool())
