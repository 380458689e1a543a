"""Checks of lesson 09: an encoder, a decoder and what trains and runs them."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from autograder.exercise import Exercise, Prop, case, module

# ----------------------------------------------------------------------------------------------- Encoder

Encoder = Exercise("Encoder", lesson="09_seq2seq", returns=("annotations", "state"), seconds=10.0)

Encoder.hints = (
    "Get it right for rows without padding first: embed, run the GRU, and the backward half of position 0 goes through "
    "the bridge and tanh. Then think about padding.",
    "`nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)` before the GRU, "
    "`pad_packed_sequence(output, batch_first=True, total_length=ids.shape[1])` after it.",
    "The GRU's second result is `(2, B, H)`: the last state of each direction. `[1]` is the backward one, and its last "
    "step is position 0. So `state = torch.tanh(self.bridge(last[1]))`.",
)


@Encoder.property
def nothing_at_padding(case, value):
    results = value if case.request["many"] else [value]
    for (_, args, _), (annotations, _) in zip(case.request["calls"], results):
        if any(row[n:].any() for row, n in zip(annotations, args[1].tolist())):
            return "The annotations at padding are small, but not exactly zero."
    return None


@Encoder.reference
class _(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        self.gru = nn.GRU(embed_size, hidden_size, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(hidden_size, hidden_size)

    def forward(self, ids, lengths):
        """Row by row, each cut to its own length."""
        rows, states = [], []
        for row, n in zip(ids, lengths.tolist()):
            output, _ = self.gru(self.embedding(row[None, :n]))
            rows.append(F.pad(output[0], (0, 0, 0, len(row) - n)))
            states.append(torch.tanh(self.bridge(output[0, 0, self.gru.hidden_size :])))
        return torch.stack(rows), torch.stack(states)


def batch(rng, lengths, vocab_size, width=None, pad_id=0, junk=False):
    """ids (B, T) without pad_id inside the rows, and lengths (B,). junk: any ids in the padding."""
    width = max(lengths) if width is None else width
    known = [number for number in range(vocab_size) if number != pad_id]
    ids = torch.tensor(rng.choice(known, size=(len(lengths), width)))
    lengths = torch.tensor(lengths)
    padding = torch.arange(width) >= lengths[:, None]
    return ids if junk else ids.masked_fill(padding, pad_id), lengths


def other_sizes(rng):
    """Vocabulary, embedding and hidden sizes that all differ."""
    embed = int(rng.integers(2, 5))
    return int(rng.integers(9, 14)), embed, embed + int(rng.integers(1, 4))


@Encoder.aspect("rows without padding", points=2)
def _(rng):
    sizes = other_sizes(rng)
    for label, lengths in (
        ("three rows of four", [4, 4, 4]),
        ("a batch of one", [5]),
        ("one token a row", [1, 1, 1, 1]),
        ("as many rows as columns", [3, 3, 3]),
    ):
        yield module(label, init=sizes, args=batch(rng, lengths, sizes[0]), rng=rng)
    yield module("hidden smaller than embedding", init=(9, 6, 2), args=batch(rng, [3, 3], 9), rng=rng)
    yield module("equal sizes", init=(8, 3, 3), args=batch(rng, [4, 4], 8), rng=rng)


@Encoder.aspect("padding changes nothing", points=2)
def _(rng):
    sizes = other_sizes(rng)
    for label, lengths in (
        ("lengths that fall", [5, 3, 2]),
        ("lengths in no order", [2, 5, 1, 4]),
        ("lengths that rise", [1, 2, 4]),
        ("one long row among short ones", [1, 1, 7, 1]),
    ):
        yield module(label, init=sizes, args=batch(rng, lengths, sizes[0]), rng=rng)
    yield module(
        "padded further than the longest row", init=sizes, args=batch(rng, [2, 4, 3], sizes[0], width=6), rng=rng
    ).because("T is the width of ids, which may be more than the greatest length")
    yield module("one row with padding", init=sizes, args=batch(rng, [2], sizes[0], width=5), rng=rng)


@Encoder.aspect("only lengths say what padding is", points=1)
def _(rng):
    sizes = other_sizes(rng)
    ids, lengths = batch(rng, [3, 5, 2], sizes[0], width=6, junk=True)
    yield module("any ids in the padding", init=sizes, args=(ids, lengths), rng=rng)
    yield module("the same ids, other lengths", init=sizes, args=(ids, lengths.flip(0)), rng=rng)
    inside, lengths = batch(rng, [4, 6, 3], sizes[0])
    inside[0, 1] = inside[1, 5] = inside[2, 0] = 0
    yield module("pad_id inside rows", init=sizes, args=(inside, lengths), rng=rng).because(
        "a row may contain pad_id: it is read like any token"
    )
    pad_id = int(rng.integers(2, 6))
    args = batch(rng, [2, 4, 1], sizes[0], pad_id=pad_id)
    yield module("another pad_id", init=(*sizes, pad_id), args=args, rng=rng)
    yield module("pad_id by keyword", init=sizes, init_kwargs={"pad_id": pad_id}, args=args, rng=rng)


@Encoder.aspect("float32", points=1)
def _(rng):
    sizes = other_sizes(rng)
    yield module("float32", init=sizes, args=batch(rng, [3, 1, 4], sizes[0], width=5), rng=rng, dtype="float32")
    yield module("float32, one row", init=sizes, args=batch(rng, [4], sizes[0]), rng=rng, dtype="float32")


@Encoder.aspect("gradients", points=1)
def _(rng):
    sizes = other_sizes(rng)
    yield module("no padding", init=sizes, args=batch(rng, [3, 3], sizes[0]), rng=rng).gradients()
    args = batch(rng, [2, 5, 3], sizes[0], width=6)
    yield module("padding", init=sizes, args=args, rng=rng).gradients()
    ids, lengths = batch(rng, [4, 2], sizes[0])
    ids[0, 1] = 0
    yield (
        module("pad_id inside a row", init=sizes, args=(ids, lengths), rng=rng)
        .gradients()
        .because("with padding_idx the row of pad_id gets no gradient")
    )
    ids, lengths = batch(rng, [4, 2], sizes[0], pad_id=3)
    ids[0, 1], ids[0, 2], ids[1, 0] = 3, 0, 0
    yield (
        module("pad_id is 3, and 0 a token like others", init=(*sizes, 3), args=(ids, lengths), rng=rng)
        .gradients()
        .because("padding_idx is pad_id, whatever it is")
    )


@Encoder.aspect("call after call", points=1)
def _(rng):
    sizes = other_sizes(rng)
    calls = [("forward", batch(rng, lengths, sizes[0]), {}) for lengths in ([2, 4], [4, 2], [3], [1, 4, 2])]
    yield module("four batches in a row", init=sizes, calls=calls, rng=rng)
    yield module("training mode", init=sizes, args=batch(rng, [3, 2], sizes[0]), rng=rng, train=True)
    yield module("large weights", init=sizes, args=batch(rng, [2, 4], sizes[0]), rng=rng, scale=2.0)


class EncoderParts(nn.Module):
    """What the wrong encoders share. run: the right annotations, and the last state of each direction."""

    padding_idx = True

    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.pad_id = pad_id
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id if self.padding_idx else None)
        self.gru = nn.GRU(embed_size, hidden_size, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(hidden_size, hidden_size)

    def run(self, ids, lengths, **options):
        options = {"enforce_sorted": False, **options}
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, **options)
        output, last = self.gru(packed)
        annotations, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True, total_length=ids.shape[1])
        return annotations, last

    def finish(self, state):
        return torch.tanh(self.bridge(state))

    def forward(self, ids, lengths):
        annotations, last = self.run(ids, lengths)
        return annotations, self.finish(last[1])


@Encoder.misconception(
    "the GRU reads the padding",
    hint="The backward GRU starts in the padding, so padding leaks into the state and into every backward annotation. "
    "Pack the rows with their lengths.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, last = self.gru(self.embedding(ids))
        return annotations, self.finish(last[1])


@Encoder.misconception(
    "the padding is zeroed only after the GRU has read it",
    hint="Zeros at padding are right, but the backward states before it have read the padding already. Pack the rows.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, last = self.gru(self.embedding(ids))
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        return annotations * real[..., None], self.finish(last[1])


@Encoder.misconception(
    "padding vectors are zero, so they are thought to do no harm",
    hint="A GRU that reads a zero vector still changes its state: biases and gates go on. Pack the rows.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        real = (torch.arange(ids.shape[1]) < lengths[:, None])[..., None]
        annotations, last = self.gru(self.embedding(ids) * real)
        return annotations * real, self.finish(last[1])


@Encoder.misconception(
    "the backward state at the last column",
    hint="The backward GRU ends at position 0. At the last column it has read one token, or only padding.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, last = self.run(ids, lengths)
        return annotations, self.finish(annotations[:, -1, last.shape[-1] :])


@Encoder.misconception(
    "the backward state at the last real word",
    hint="The backward GRU starts at the last real word and ends at position 0: take the state there.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, last = self.run(ids, lengths)
        rows = torch.arange(len(ids))
        return annotations, self.finish(annotations[rows, lengths - 1, last.shape[-1] :])


@Encoder.misconception(
    "the forward state", hint="The state comes from the backward direction: `last[1]`, not `last[0]`."
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, last = self.run(ids, lengths)
        return annotations, self.finish(last[0])


@Encoder.misconception("both directions added up", hint="Only the backward state goes through the bridge.")
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, last = self.run(ids, lengths)
        return annotations, self.finish(last.sum(0))


@Encoder.misconception("no tanh", hint="The state is tanh of what the bridge gives.")
class _(EncoderParts):
    def finish(self, state):
        return self.bridge(state)


@Encoder.misconception("no bridge", hint="The backward state goes through `bridge` first, then tanh.")
class _(EncoderParts):
    def finish(self, state):
        return torch.tanh(state)


@Encoder.misconception("the backward state as it is", hint="The state is tanh(bridge(backward state)).")
class _(EncoderParts):
    def finish(self, state):
        return state


@Encoder.misconception("tanh before the bridge", hint="First the bridge, then tanh.")
class _(EncoderParts):
    def finish(self, state):
        return self.bridge(torch.tanh(state))


@Encoder.misconception(
    "lengths counted from the ids",
    hint="A row may contain pad_id, and any id may stand in the padding. Trust `lengths`.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        return super().forward(ids, (ids != self.pad_id).sum(1).clamp(min=1))


@Encoder.misconception(
    "sorted by length, and never put back",
    hint="If you sort the rows for packing, undo it afterwards; or pass `enforce_sorted=False`.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        lengths, order = lengths.sort(descending=True, stable=True)
        return super().forward(ids[order], lengths)


@Encoder.misconception(
    "only lengths that fall are accepted", hint="Rows come in any order: pass `enforce_sorted=False` when you pack."
)
class _(EncoderParts):
    def run(self, ids, lengths):
        return super().run(ids, lengths, enforce_sorted=True)


@Encoder.misconception(
    "as wide as the longest row",
    hint="The annotations must be as wide as ids: `pad_packed_sequence(..., total_length=ids.shape[1])`.",
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, state = super().forward(ids, lengths)
        return annotations[:, : int(lengths.max())], state


@Encoder.misconception(
    "annotations that are not zero at padding", hint="Behind the end of a row the annotations are zero."
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, state = super().forward(ids, lengths)
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        reading_on, _ = self.gru(self.embedding(ids))
        return torch.where(real[..., None], annotations, reading_on), state


@Encoder.misconception("backward before forward", hint="An annotation is [forward; backward], as `nn.GRU` gives it.")
class _(EncoderParts):
    def forward(self, ids, lengths):
        annotations, state = super().forward(ids, lengths)
        forward, backward = annotations.chunk(2, dim=-1)
        return torch.cat([backward, forward], dim=-1), state


@Encoder.misconception(
    "no padding_idx", hint="`nn.Embedding(..., padding_idx=pad_id)`: then the row of pad_id is never trained."
)
class _(EncoderParts):
    padding_idx = False


@Encoder.misconception("padding_idx is always 0", hint="`padding_idx` is `pad_id`, which is 0 only by default.")
class _(EncoderParts):
    def __init__(self, vocab_size, embed_size, hidden_size):
        super().__init__(vocab_size, embed_size, hidden_size)


@Encoder.misconception(
    "the GRU takes the batch for time", hint="`nn.GRU(..., batch_first=True)`: ids are `(B, T)`, batch first."
)
class _(EncoderParts):
    def forward(self, ids, lengths):
        self.gru.batch_first = False
        annotations, last = self.gru(self.embedding(ids))
        return annotations, self.finish(last[1])


@Encoder.misconception("one direction only", hint="`nn.GRU(..., bidirectional=True)`.")
class _(EncoderParts):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__(vocab_size, embed_size, hidden_size, pad_id)
        self.gru = nn.GRU(embed_size, hidden_size, batch_first=True)


# ----------------------------------------------------------------------------------------------- Decoder

Decoder = Exercise("Decoder", lesson="09_seq2seq", seconds=10.0)

Decoder.hints = (
    "Write `step` first, for one token of each row. `forward` then only calls it, column by column.",
    "In `step`: embed; the cell reads `torch.cat([embedded, context], dim=-1)` and the old state; the output reads "
    "`torch.cat([new_state, context, embedded], dim=-1)`.",
    "In `forward`: `for token in decoder_input.unbind(dim=1): scores, state = self.step(token, state, context)`, then "
    "`torch.stack` of all the scores with dim=1.",
)


class DecoderParts(nn.Module):
    """The right parameters; the misconceptions change one method each."""

    def __init__(self, vocab_size, embed_size, hidden_size, context_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.cell = nn.GRUCell(embed_size + context_size, hidden_size)
        self.output = nn.Linear(hidden_size + context_size + embed_size, vocab_size)

    def step(self, token, state, context):
        embedded = self.embedding(token)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state

    def forward(self, decoder_input, state, context):
        logits = []
        for token in decoder_input.unbind(1):
            scores, state = self.step(token, state, context)
            logits.append(scores)
        return torch.stack(logits, dim=1)


@Decoder.reference
class _(DecoderParts):
    def step(self, token, state, context):
        """From the formulas of nn.GRUCell and nn.Linear."""
        embedded = F.one_hot(token, self.embedding.num_embeddings).to(state.dtype) @ self.embedding.weight
        x = torch.cat([embedded, context], dim=1)
        reset_x, update_x, new_x = (x @ self.cell.weight_ih.T + self.cell.bias_ih).chunk(3, dim=1)
        reset_h, update_h, new_h = (state @ self.cell.weight_hh.T + self.cell.bias_hh).chunk(3, dim=1)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
        state = (1 - update) * new + update * state
        return torch.cat([state, context, embedded], dim=1) @ self.output.weight.T + self.output.bias, state


def decoder_sizes(rng):
    """Vocabulary, embedding, hidden and context sizes that all differ."""
    embed, hidden, context = (int(n) for n in rng.permutation([2, 3, 5]) + rng.integers(0, 2))
    return int(rng.integers(8, 12)), embed, hidden, context


def floats(rng, *shape, dtype="float64"):
    return torch.tensor(rng.normal(size=shape), dtype=getattr(torch, dtype))


def words(rng, vocab_size, *shape):
    """Ids from 1 up: whether 0 is a padding_idx of the decoder is left open."""
    return torch.tensor(rng.integers(1, vocab_size, size=shape))


def step_args(rng, sizes, n, dtype="float64"):
    vocab_size, _, hidden, context = sizes
    return words(rng, vocab_size, n), floats(rng, n, hidden, dtype=dtype), floats(rng, n, context, dtype=dtype)


def forward_args(rng, sizes, n, length, dtype="float64"):
    vocab_size, _, hidden, context = sizes
    ids = words(rng, vocab_size, n, length)
    return ids, floats(rng, n, hidden, dtype=dtype), floats(rng, n, context, dtype=dtype)


@Decoder.aspect("one step", points=2)
def _(rng):
    sizes = decoder_sizes(rng)
    yield module("three rows", init=sizes, method="step", args=step_args(rng, sizes, 3), rng=rng)
    yield module("one row", init=sizes, method="step", args=step_args(rng, sizes, 1), rng=rng)
    same = (9, 3, 3, 3)
    yield module("equal sizes", init=same, method="step", args=step_args(rng, same, 3), rng=rng)
    token = torch.full((3,), int(rng.integers(1, sizes[0])))
    _, state, context = step_args(rng, sizes, 3)
    yield module("the same token in each row", init=sizes, method="step", args=(token, state, context), rng=rng)
    zero = (words(rng, sizes[0], 2), torch.zeros(2, sizes[2]).double(), torch.zeros(2, sizes[3]).double())
    yield module("state and context zero", init=sizes, method="step", args=zero, rng=rng)


@Decoder.aspect("teacher forcing", points=2)
def _(rng):
    sizes = decoder_sizes(rng)
    yield module("two rows of five", init=sizes, args=forward_args(rng, sizes, 2, 5), rng=rng)
    yield module("as many rows as columns", init=sizes, args=forward_args(rng, sizes, 4, 4), rng=rng)
    ids, state, context = forward_args(rng, sizes, 3, 6)
    ids[:, 0] = 1
    ids[0, 3:] = torch.tensor([2, 0, 0])
    yield module("bos in front, padding behind", init=sizes, args=(ids, state, context), rng=rng).because(
        "the decoder reads whatever stands in decoder_input"
    )
    yield module("large weights", init=sizes, args=forward_args(rng, sizes, 2, 3), rng=rng, scale=1.5)


@Decoder.aspect("other sizes", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    yield module("one row", init=sizes, args=forward_args(rng, sizes, 1, 4), rng=rng)
    yield module("one column", init=sizes, args=forward_args(rng, sizes, 3, 1), rng=rng)
    yield module("one row, one column", init=sizes, args=forward_args(rng, sizes, 1, 1), rng=rng)
    same = (7, 4, 4, 4)
    yield module("equal sizes", init=same, args=forward_args(rng, same, 2, 4), rng=rng)
    twice = (7, 2, 3, 6)
    yield module("a context twice as large as the state", init=twice, args=forward_args(rng, twice, 2, 3), rng=rng)


@Decoder.aspect("float32", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    args = step_args(rng, sizes, 2, "float32")
    yield module("one step", init=sizes, method="step", args=args, rng=rng, dtype="float32")
    args = forward_args(rng, sizes, 2, 4, "float32")
    yield module("a row", init=sizes, args=args, rng=rng, dtype="float32")


@Decoder.aspect("gradients", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    yield module("one step", init=sizes, method="step", args=step_args(rng, sizes, 3), rng=rng).gradients()
    yield module("through four steps", init=sizes, args=forward_args(rng, sizes, 2, 4), rng=rng).gradients()


@Decoder.aspect("call after call", points=1)
def _(rng):
    sizes = decoder_sizes(rng)
    calls = [
        ("forward", forward_args(rng, sizes, 2, 3), {}),
        ("step", step_args(rng, sizes, 2), {}),
        ("forward", forward_args(rng, sizes, 2, 3), {}),
        ("step", step_args(rng, sizes, 4), {}),
    ]
    yield module("forward and step in turn", init=sizes, calls=calls, rng=rng)
    args = forward_args(rng, sizes, 2, 3)
    yield module("the same call twice", init=sizes, calls=[("forward", args, {})] * 2, rng=rng)
    yield module("training mode", init=sizes, args=args, rng=rng, train=True)


@Decoder.misconception("the output reads the old state", hint="The output reads the *new* state, which the cell gave.")
class _(DecoderParts):
    def step(self, token, state, context):
        embedded = self.embedding(token)
        new = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), new


@Decoder.misconception(
    "the cell reads [context; embedding]", hint="The cell reads [embedding; context], in this order."
)
class _(DecoderParts):
    def step(self, token, state, context):
        embedded = self.embedding(token)
        state = self.cell(torch.cat([context, embedded], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state


@Decoder.misconception(
    "the output reads [context; state; embedding]", hint="The output reads [new state; context; embedding]."
)
class _(DecoderParts):
    def step(self, token, state, context):
        embedded = self.embedding(token)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([context, state, embedded], dim=-1)), state


@Decoder.misconception(
    "the output reads [state; embedding; context]", hint="The output reads [new state; context; embedding]."
)
class _(DecoderParts):
    def step(self, token, state, context):
        embedded = self.embedding(token)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, embedded, context], dim=-1)), state


@Decoder.misconception(
    "every step starts from the first state",
    hint="Hand the state on: `scores, state = self.step(token, state, context)`.",
)
class _(DecoderParts):
    def forward(self, decoder_input, state, context):
        return torch.stack([self.step(token, state, context)[0] for token in decoder_input.unbind(1)], dim=1)


@Decoder.misconception(
    "it reads what it said itself", hint="Teacher forcing: each step reads its column of decoder_input, right or wrong."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, context):
        logits, token = [], decoder_input[:, 0]
        for _ in range(decoder_input.shape[1]):
            scores, state = self.step(token, state, context)
            logits.append(scores)
            token = scores.argmax(-1)
        return torch.stack(logits, dim=1)


@Decoder.misconception("log-probabilities instead of logits", hint="Return the logits as `output` gives them.")
class _(DecoderParts):
    def step(self, token, state, context):
        logits, state = super().step(token, state, context)
        return torch.log_softmax(logits, dim=-1), state


@Decoder.misconception("probabilities instead of logits", hint="No softmax here: the loss does it, more precisely.")
class _(DecoderParts):
    def step(self, token, state, context):
        logits, state = super().step(token, state, context)
        return torch.softmax(logits, dim=-1), state


@Decoder.misconception(
    "the gradient is cut between steps", hint="Do not detach the state: the loss of step 3 must reach step 1."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, context):
        logits = []
        for token in decoder_input.unbind(1):
            scores, state = self.step(token, state, context)
            state = state.detach()
            logits.append(scores)
        return torch.stack(logits, dim=1)


@Decoder.misconception("step returns the state first", hint="`step` returns (logits, state), in this order.")
class _(DecoderParts):
    def step(self, token, state, context):
        return super().step(token, state, context)[::-1]

    def forward(self, decoder_input, state, context):
        logits = []
        for token in decoder_input.unbind(1):
            state, scores = self.step(token, state, context)
            logits.append(scores)
        return torch.stack(logits, dim=1)


@Decoder.misconception("forward returns the state, too", hint="`forward` returns the logits only.")
class _(DecoderParts):
    def forward(self, decoder_input, state, context):
        logits = []
        for token in decoder_input.unbind(1):
            scores, state = self.step(token, state, context)
            logits.append(scores)
        return torch.stack(logits, dim=1), state


@Decoder.misconception("time first", hint="The logits are `(B, T, V)`: `torch.stack(..., dim=1)`.")
class _(DecoderParts):
    def forward(self, decoder_input, state, context):
        return super().forward(decoder_input, state, context).transpose(0, 1)


@Decoder.misconception(
    "the context only at the first step", hint="Every step sees the context, in the cell and in the output."
)
class _(DecoderParts):
    def forward(self, decoder_input, state, context):
        logits = []
        for token in decoder_input.unbind(1):
            scores, state = self.step(token, state, context)
            context = torch.zeros_like(context)
            logits.append(scores)
        return torch.stack(logits, dim=1)


@Decoder.misconception(
    "the output does not read the embedding",
    hint="`output` is `nn.Linear(hidden_size + context_size + embed_size, vocab_size)`.",
)
class _(DecoderParts):
    def __init__(self, vocab_size, embed_size, hidden_size, context_size):
        super().__init__(vocab_size, embed_size, hidden_size, context_size)
        self.output = nn.Linear(hidden_size + context_size, vocab_size)


@Decoder.misconception("tanh on the new state", hint="The state is what the cell gives, without another tanh.")
class _(DecoderParts):
    def step(self, token, state, context):
        embedded = self.embedding(token)
        state = torch.tanh(self.cell(torch.cat([embedded, context], dim=-1), state))
        return self.output(torch.cat([state, context, embedded], dim=-1)), state


@Decoder.misconception(
    "the first column is not read",
    hint="`decoder_input` starts with `<bos>`, and that is read, too: T columns, T logits.",
)
class _(DecoderParts):
    def forward(self, decoder_input, state, context):
        if decoder_input.shape[1] == 1:
            return super().forward(decoder_input, state, context)[:, :0]
        return super().forward(decoder_input[:, 1:], state, context)


# ----------------------------------------------------------------------------------------- sequence_loss

sequence_loss = Exercise("sequence_loss", lesson="09_seq2seq")

sequence_loss.hints = (
    "Two numbers are wanted: the sum of -log p over real words, and how many real words there are.",
    "`F.cross_entropy` wants `(N, V)` and `(N,)`: `.flatten(0, 1)` or `.reshape` bring the tensors there.",
    "It has a parameter for what to leave out: `F.cross_entropy(..., ..., ignore_index=pad_id)`, and it divides by the "
    "right number.",
)


@sequence_loss.reference
def _(logits, targets, pad_id=0):
    """One word at a time."""
    costs = [
        torch.logsumexp(logits[b, t], 0) - logits[b, t, targets[b, t]]
        for b in range(targets.shape[0])
        for t in range(targets.shape[1])
        if int(targets[b, t]) != pad_id
    ]
    return torch.stack(costs).mean()


def answers(rng, lengths, vocab_size, width=None, pad_id=0, scale=2.0, dtype="float64"):
    """logits (B, T, V) and padded targets (B, T)."""
    targets, _ = batch(rng, lengths, vocab_size, width, pad_id)
    logits = scale * rng.normal(size=(*targets.shape, vocab_size))
    return torch.tensor(logits, dtype=getattr(torch, dtype)), targets


def transposed(tensor):
    """The same values, as a view on a tensor that is stored time first."""
    return tensor.transpose(0, 1).contiguous().transpose(0, 1)


@sequence_loss.aspect("the mean over real words", points=2)
def _(rng):
    yield case("no padding", *answers(rng, [4, 4, 4], 6))
    yield case("lengths of all kinds", *answers(rng, [5, 1, 3], 7)).because("every word counts the same")
    yield case("one long row, three of one word", *answers(rng, [9, 1, 1, 1], 5))
    yield case("padded further", *answers(rng, [2, 3], 6, width=7)).because("padding counts neither above nor below")
    yield case("one row", *answers(rng, [3], 5, width=5))
    yield case("one word", *answers(rng, [1], 4))
    logits, targets = answers(rng, [4, 4], 6)
    targets[0, 1] = 0
    yield case("a padding id between words", logits, targets).because(
        "each place with pad_id is left out, and no other"
    )
    yield case("a row of padding only", *answers(rng, [3, 0, 2], 6)).because("such a row has no words to count")


@sequence_loss.aspect("pad_id", points=1)
def _(rng):
    pad_id = int(rng.integers(1, 6))
    yield case("another pad_id", *answers(rng, [4, 2, 3], 6, pad_id=pad_id), pad_id).because("0 is a word then")
    logits, targets = answers(rng, [3, 2], 6, pad_id=pad_id)
    targets[:, 0] = 0
    yield case("by keyword, with 0 as a word", logits, targets, pad_id=pad_id)
    yield case("pad_id 0, given", *answers(rng, [2, 4], 5), pad_id=0)


@sequence_loss.aspect("tensors that are not contiguous", points=1)
def _(rng):
    logits, targets = answers(rng, [4, 2, 3], 5)
    yield case("both stored time first", transposed(logits), transposed(targets)).because("`.view` cannot take these")
    yield case("logits only", transposed(logits), targets)
    yield case("targets only", logits, transposed(targets))


@sequence_loss.aspect("gradients, dtype, large logits", points=1)
def _(rng):
    yield case("gradients", *answers(rng, [3, 1, 2], 5)).gradients().because("padding gets no gradient")
    yield case("gradients, another pad_id", *answers(rng, [3, 1], 5, pad_id=2), 2).gradients()
    yield case("float32", *answers(rng, [4, 2], 6, dtype="float32"))
    yield case("large logits", *answers(rng, [3, 4], 5, scale=1e4))
    yield case("large logits, float32", *answers(rng, [3, 2], 5, scale=3e3, dtype="float32"))
    logits, targets = answers(rng, [3, 2], 5)
    yield case("all logits far from zero", logits - 900.0, targets).because("softmax does not change when all shift")


def _costs(logits, targets):
    """-log p at each place, (B, T)."""
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


@sequence_loss.misconception("padding counts like a word", hint="Leave out the places where the target is pad_id.")
def _(logits, targets, pad_id=0):
    return _costs(logits, targets).mean()


@sequence_loss.misconception(
    "the mean over all places", hint="Divide by the number of real words, not by B * T: padding must not matter."
)
def _(logits, targets, pad_id=0):
    return (_costs(logits, targets) * (targets != pad_id)).mean()


@sequence_loss.misconception(
    "the mean of the rows' means",
    hint="A word in a short sentence counts more in your mean. Divide one sum by one count.",
)
def _(logits, targets, pad_id=0):
    real = targets != pad_id
    return ((_costs(logits, targets) * real).sum(1) / real.sum(1)).mean()


@sequence_loss.misconception("the sum", hint="Divide by the number of real words.")
def _(logits, targets, pad_id=0):
    return (_costs(logits, targets) * (targets != pad_id)).sum()


@sequence_loss.misconception(
    "the sum over words, the mean over rows", hint="Divide by the number of words, not of rows."
)
def _(logits, targets, pad_id=0):
    return (_costs(logits, targets) * (targets != pad_id)).sum() / len(targets)


@sequence_loss.misconception("pad_id is always 0", hint="Compare with `pad_id`: it may be another number.")
def _(logits, targets, pad_id=0):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)


@sequence_loss.misconception(
    "view", hint="`.view` needs tensors that are contiguous in memory. `.reshape` and `.flatten` take any."
)
def _(logits, targets, pad_id=0):
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1), ignore_index=pad_id)


@sequence_loss.misconception("softmax twice", hint="`F.cross_entropy` takes logits and does the softmax itself.")
def _(logits, targets, pad_id=0):
    return F.cross_entropy(logits.softmax(-1).flatten(0, 1), targets.flatten(), ignore_index=pad_id)


@sequence_loss.misconception(
    "the logarithm of a softmax",
    hint="A probability of 1e-500 is 0 in a computer, and log 0 is -inf. Use `log_softmax` or `F.cross_entropy`.",
)
def _(logits, targets, pad_id=0):
    costs = -logits.softmax(-1).log().gather(-1, targets[..., None])[..., 0]
    return costs[targets != pad_id].mean()


@sequence_loss.misconception("softmax over time", hint="The softmax is over the vocabulary, the last axis.")
def _(logits, targets, pad_id=0):
    costs = -logits.log_softmax(1).gather(-1, targets[..., None])[..., 0]
    return costs[targets != pad_id].mean()


@sequence_loss.misconception("bits instead of nats", hint="The logarithm is natural, not to base 2.")
def _(logits, targets, pad_id=0):
    return _costs(logits, targets)[targets != pad_id].mean() / math.log(2)


@sequence_loss.misconception("the perplexity", hint="Perplexity is exp(loss); the loss itself is wanted.")
def _(logits, targets, pad_id=0):
    return _costs(logits, targets)[targets != pad_id].mean().exp()


@sequence_loss.misconception("the sign is missing", hint="The loss is the mean of *minus* log p.")
def _(logits, targets, pad_id=0):
    return -_costs(logits, targets)[targets != pad_id].mean()


@sequence_loss.misconception(
    "rows and columns are mixed", hint="Flatten logits and targets in the same order, both batch first."
)
def _(logits, targets, pad_id=0):
    return F.cross_entropy(logits.transpose(0, 1).flatten(0, 1), targets.flatten(), ignore_index=pad_id)


@sequence_loss.misconception("a Python number", hint="Return the tensor: a number has no gradient.")
def _(logits, targets, pad_id=0):
    return _costs(logits, targets)[targets != pad_id].mean().item()


@sequence_loss.misconception(
    "the gradient is cut", hint="Without detach, `.data` or NumPy: the loss must be differentiable."
)
def _(logits, targets, pad_id=0):
    return _costs(logits.detach(), targets)[targets != pad_id].mean()


@sequence_loss.misconception("everything behind the first padding is left out", hint="Look at each place by itself.")
def _(logits, targets, pad_id=0):
    before = (targets == pad_id).cumsum(1) == 0
    return _costs(logits, targets)[before].mean()


# ----------------------------------------------------------------------------------- clip_by_global_norm

clip_by_global_norm = Exercise("clip_by_global_norm", lesson="09_seq2seq", returns=("clipped", "global_norm"))

clip_by_global_norm.hints = (
    "First one number for all tensors together: the square root of the sum of all squares. Then one factor for all.",
    "The factor is `clip_norm / max(global_norm, clip_norm)`: 1 if the norm is small enough.",
    "`torch.sqrt(sum((t**2).sum() for t in tensors))` is the norm; `[t * scale for t in tensors]` makes new tensors.",
)


@clip_by_global_norm.reference
def _(tensors, clip_norm):
    """The norm may come as a tensor or as a number: a number is compared with either."""
    norm = math.sqrt(math.fsum(x * x for tensor in tensors for x in tensor.flatten().tolist()))
    factor = clip_norm / max(norm, clip_norm)
    return [tensor * factor for tensor in tensors], norm


def gradients_of_norm(rng, norm, *shapes, dtype="float64"):
    """Tensors of these shapes whose global norm is `norm`."""
    tensors = [torch.tensor(rng.normal(size=shape)) for shape in shapes]
    own = math.sqrt(sum(float((tensor**2).sum()) for tensor in tensors))
    return [(tensor * (norm / own)).to(getattr(torch, dtype)) for tensor in tensors]


@clip_by_global_norm.property
def norm_of_the_inputs_dtype(case, value):
    own, dtype = getattr(value[1], "dtype", None), str(case.args[0][0].dtype).removeprefix("torch.")
    return None if own is None or own.name == dtype else f"The norm is {own.name}, although the tensors are {dtype}."


@clip_by_global_norm.aspect("above the threshold", points=1)
def _(rng):
    yield case("two vectors", gradients_of_norm(rng, 5.0, (2,), (3,)), 1.0)
    yield case(
        "a large and a small tensor", [*gradients_of_norm(rng, 8.0, (3, 2)), *gradients_of_norm(rng, 0.1, (4,))], 2.0
    )
    yield case("another threshold", gradients_of_norm(rng, 30.0, (2, 2), (3,)), float(rng.uniform(3, 9))).because(
        "all are scaled by the same factor, clip_norm / global_norm"
    )
    yield case("each below, together above", gradients_of_norm(rng, 1.6, (2,), (2,), (2,), (2,)), 1.0).because(
        "the norm is taken over all tensors together"
    )


@clip_by_global_norm.aspect("below the threshold", points=1)
def _(rng):
    yield case("small gradients", gradients_of_norm(rng, 0.3, (2,), (3,)), 1.0).because("the factor is 1")
    yield case("just below", gradients_of_norm(rng, 1.9, (3,), (2, 2)), 2.0)
    yield case("zeros", [torch.zeros(3, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)], 1.0)
    yield case("exactly at it", [torch.tensor([3.0, 0.0]).double(), torch.tensor([4.0]).double()], 5.0)
    yield case("above, for comparison", gradients_of_norm(rng, 4.0, (2,), (3,)), 0.5)


@clip_by_global_norm.aspect("any shapes", points=1)
def _(rng):
    yield case("matrices, vectors, a scalar", gradients_of_norm(rng, 7.0, (2, 3), (4,), (), (2, 2, 2)), 1.0)
    yield case("one tensor", gradients_of_norm(rng, 3.0, (3, 4)), 1.0)
    yield case("many tensors", gradients_of_norm(rng, 9.0, *[(2,)] * 12), 3.0)
    yield case("not contiguous", [transposed(t) for t in gradients_of_norm(rng, 4.0, (3, 2), (2, 4))], 1.0)


@clip_by_global_norm.aspect("dtype and untouched inputs", points=1, purity=True)
def _(rng):
    yield case("float32, above", gradients_of_norm(rng, 5.0, (2, 3), (3,), dtype="float32"), 1.0)
    yield case("float32, below", gradients_of_norm(rng, 0.5, (2, 3), (3,), dtype="float32"), 1.0)
    yield case("a threshold that is an int", gradients_of_norm(rng, 6.0, (3,), (2,)), 2)
    yield case("tiny gradients, a tiny threshold", gradients_of_norm(rng, 1e-4, (3,), (2,)), 1e-5).because(
        "nothing is added to the norm"
    )


def _norm(tensors):
    return torch.sqrt(sum((tensor**2).sum() for tensor in tensors))


def _scaled(tensors, norm, clip_norm):
    return [tensor * (clip_norm / max(float(norm), clip_norm)) for tensor in tensors]


@clip_by_global_norm.misconception(
    "each tensor by its own norm",
    hint="One norm over all tensors together, and one factor: otherwise the direction changes.",
)
def _(tensors, clip_norm):
    return [tensor * (clip_norm / max(float(tensor.norm()), clip_norm)) for tensor in tensors], _norm(tensors)


@clip_by_global_norm.misconception(
    "small gradients are scaled up",
    hint="If the norm is below clip_norm, nothing changes: divide by the larger of the two.",
)
def _(tensors, clip_norm):
    norm = _norm(tensors)
    return [tensor * (clip_norm / norm) for tensor in tensors], norm


@clip_by_global_norm.misconception("only small gradients are scaled", hint="Divide by `max`, not by `min`.")
def _(tensors, clip_norm):
    norm = _norm(tensors)
    return [tensor * (clip_norm / min(float(norm), clip_norm)) if norm else tensor for tensor in tensors], norm


@clip_by_global_norm.misconception(
    "in place", hint="`mul_` and `*=` change the caller's tensors. Make new ones: `t * scale`."
)
def _(tensors, clip_norm):
    norm = _norm(tensors)
    return [tensor.mul_(clip_norm / max(float(norm), clip_norm)) for tensor in tensors], norm


@clip_by_global_norm.misconception("the norm after clipping", hint="Return the norm that the tensors came with.")
def _(tensors, clip_norm):
    clipped = _scaled(tensors, _norm(tensors), clip_norm)
    return clipped, _norm(clipped)


@clip_by_global_norm.misconception(
    "the largest entry", hint="The norm is the root of the sum of squares, not the maximum."
)
def _(tensors, clip_norm):
    norm = max(tensor.abs().max() for tensor in tensors)
    return _scaled(tensors, norm, clip_norm), norm


@clip_by_global_norm.misconception("the sum of absolute values", hint="The norm is the root of the sum of *squares*.")
def _(tensors, clip_norm):
    norm = sum(tensor.abs().sum() for tensor in tensors)
    return _scaled(tensors, norm, clip_norm), norm


@clip_by_global_norm.misconception("the sum of the norms", hint="Add the squares of the norms, then take the root.")
def _(tensors, clip_norm):
    norm = sum(tensor.norm() for tensor in tensors)
    return _scaled(tensors, norm, clip_norm), norm


@clip_by_global_norm.misconception("the largest of the norms", hint="The norm is that of all tensors together.")
def _(tensors, clip_norm):
    norm = max(tensor.norm() for tensor in tensors)
    return _scaled(tensors, norm, clip_norm), norm


@clip_by_global_norm.misconception("no root", hint="The norm is the *square root* of the sum of squares.")
def _(tensors, clip_norm):
    norm = sum((tensor**2).sum() for tensor in tensors)
    return _scaled(tensors, norm, clip_norm), norm


@clip_by_global_norm.misconception("the root of the mean square", hint="Sum the squares; do not average them.")
def _(tensors, clip_norm):
    norm = _norm(tensors) / math.sqrt(sum(tensor.numel() for tensor in tensors))
    return _scaled(tensors, norm, clip_norm), norm


@clip_by_global_norm.misconception(
    "entries are cut", hint="Scale all entries by one factor; do not clamp each of them."
)
def _(tensors, clip_norm):
    return [tensor.clamp(-clip_norm, clip_norm) for tensor in tensors], _norm(tensors)


@clip_by_global_norm.misconception(
    "to norm one", hint="Scale down to `clip_norm`: the factor is clip_norm / max(global_norm, clip_norm)."
)
def _(tensors, clip_norm):
    norm = _norm(tensors)
    return [tensor / max(float(norm), clip_norm) for tensor in tensors], norm


@clip_by_global_norm.misconception(
    "something small is added to the norm",
    hint="The maximum in the denominator is above zero already; an epsilon only makes the result less exact.",
)
def _(tensors, clip_norm):
    norm = _norm(tensors)
    return [tensor * min(1.0, clip_norm / (float(norm) + 1e-6)) for tensor in tensors], norm


@clip_by_global_norm.misconception("only the tensors are returned", hint="Return both: (clipped, global_norm).")
def _(tensors, clip_norm):
    return _scaled(tensors, _norm(tensors), clip_norm)


# ----------------------------------------------------------------------------------------- greedy_decode

greedy_decode = Exercise("greedy_decode", lesson="09_seq2seq", seconds=10.0)

greedy_decode.hints = (
    "Keep two things beside the state: the tokens that were said last, and which rows have had their eos.",
    "B is the first size of the first tensor in the state, however deeply nested. Start with B times bos_id, int64.",
    "In the loop: `log_probs, state = step(tokens, state)`; `tokens = log_probs.argmax(-1)`; "
    "`tokens[finished] = eos_id`; `finished |= tokens == eos_id`; append; stop if `finished.all()`.",
)


def batch_size(state):
    while isinstance(state, (list, tuple)):
        state = state[0]
    return state.shape[0]


@greedy_decode.reference
def _(step, state, bos_id, eos_id, max_len):
    """Row by row, as lists."""
    rows = [[] for _ in range(batch_size(state))]
    last = [bos_id] * len(rows)
    for _ in range(max_len):
        log_probs, state = step(torch.tensor(last), state)
        for b, row in enumerate(rows):
            token = max(range(log_probs.shape[1]), key=lambda v, b=b: float(log_probs[b, v]))
            row.append(eos_id if eos_id in row else token)
        last = [row[-1] for row in rows]
        if all(eos_id in row for row in rows):
            break
    return torch.tensor(rows)


def decoding(rng, lengths, *, state="tensor", vocab_size=7, bos_id=1, eos_id=2, dtype="float64", positions=12):
    """A step and a state for which greedy decoding says eos after so many tokens; None for a row that never does.

    What comes next depends on the row, the position and the token before; finished rows go on talking.
    """
    size = len(lengths)
    others = [v for v in range(vocab_size) if v not in (bos_id, eos_id)]
    best = rng.choice(others, size=(size, positions, vocab_size))
    for b, length in enumerate(lengths):
        token = bos_id
        for position in range(length or 0):
            if position == length - 1:
                best[b, position, token] = eos_id
            token = best[b, position, token]
    logits = torch.tensor(rng.normal(size=(*best.shape, vocab_size)))
    logits.scatter_add_(-1, torch.tensor(best)[..., None], torch.full((*best.shape, 1), 7.0).double())
    table = logits.log_softmax(-1).to(getattr(torch, dtype))
    rows, start = torch.arange(size), torch.zeros(size, dtype=torch.int64)
    extra = torch.tensor(rng.normal(size=(size, 2, 3)), dtype=table.dtype)
    states = {
        "tensor": torch.stack([rows, start], dim=1),
        "floats": torch.stack([rows, start], dim=1).to(table.dtype),
        "tuple": (rows, start),
        "three": (rows, start, extra),
        "nested": ((rows, (start, extra)), extra),
        "deep": (((rows,), start), extra),
    }
    return Prop("table_step", table=table), states[state], bos_id, eos_id


@greedy_decode.aspect("one row", points=1)
def _(rng):
    yield case("it ends", *decoding(rng, [4]), 10).because("the answer holds the eos, but not the bos")
    yield case("it ends at once", *decoding(rng, [1]), 10)
    yield case("it does not end", *decoding(rng, [None]), 6)
    yield case("other bos and eos", *decoding(rng, [3], bos_id=5, eos_id=0), 9)
    yield case("float32", *decoding(rng, [3], dtype="float32"), 7)


@greedy_decode.aspect("rows that end at different times", points=2)
def _(rng):
    yield case("three rows", *decoding(rng, [3, 1, 5]), 10).because("after its eos a row is filled with eos")
    yield case("all end together", *decoding(rng, [4, 4]), 9)
    yield case("the longest comes first", *decoding(rng, [6, 2, 2, 3]), 10).because(
        "it stops when every row has an eos"
    )
    yield case("many rows", *decoding(rng, rng.integers(1, 8, size=9).tolist()), 12)
    yield case("as many rows as words", *decoding(rng, [2, 5, 1, 3, 4, 2, 3]), 10)
    yield case("other bos and eos", *decoding(rng, [4, 2, 1], bos_id=0, eos_id=6), 9)
    yield case("eos is 0", *decoding(rng, [2, 4], bos_id=3, eos_id=0), 8)


@greedy_decode.aspect("max_len", points=1)
def _(rng):
    yield case("some rows are not done", *decoding(rng, [2, None, 4]), 6)
    yield case("cut before any end", *decoding(rng, [5, 4]), 3).because("there are max_len tokens, bos not counted")
    yield case("cut at the last end", *decoding(rng, [2, 4, 3]), 4)
    yield case("one token", *decoding(rng, [3, 1]), 1)
    yield case("no row ends", *decoding(rng, [None, None]), 11)


@greedy_decode.aspect("the state", points=2)
def _(rng):
    yield case("a tuple of tensors", *decoding(rng, [3, 5, 2], state="tuple"), 9)
    yield case("a tuple of three", *decoding(rng, [4, 2], state="three"), 9)
    yield case("one row and a tuple", *decoding(rng, [4], state="tuple"), 9)
    yield case("tuples in a tuple", *decoding(rng, [2, 4, 1, 3], state="nested"), 9)
    yield case("tuples in the first place", *decoding(rng, [3, 6], state="deep"), 9)
    yield case("a floating tensor", *decoding(rng, [3, 1, 4], state="floats"), 9)


def greedy(
    step, state, bos_id, eos_id, max_len, *, fill="eos", late=0, stop="all", feed=True, carry=True, size=batch_size
):
    """Greedy decoding with one thing changed; columns (B, L)."""
    first, start = state, torch.full((size(state),), bos_id)
    tokens, columns = start, []
    finished = torch.zeros(len(start), dtype=torch.bool)
    ended = []
    while len(columns) < max_len:
        log_probs, new = step(tokens if feed else start, state if carry else first)
        state = new
        tokens = log_probs.argmax(-1)
        if fill is not None:
            before = ended[-1 - late] if len(ended) > late else torch.zeros_like(finished)
            tokens = tokens.masked_fill(before, eos_id if fill == "eos" else 0)
        finished = finished | (tokens == eos_id)
        ended.append(finished)
        columns.append(tokens)
        if stop == "same" and (tokens == eos_id).all():
            break
        if stop in ("all", "any") and getattr(finished, stop)():
            break
    return torch.stack(columns, dim=1)


@greedy_decode.misconception("bos is part of the answer", hint="Start the list of columns empty: bos is only read.")
def _(step, state, bos_id, eos_id, max_len):
    ids = greedy(step, state, bos_id, eos_id, max_len)
    return torch.cat([torch.full_like(ids[:, :1], bos_id), ids], dim=1)


@greedy_decode.misconception(
    "finished rows go on talking", hint="After its first eos a row gets eos, whatever the model says: `masked_fill`."
)
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, fill=None)


@greedy_decode.misconception("finished rows are filled with 0", hint="Fill with eos_id, not with padding.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, fill="zero")


@greedy_decode.misconception(
    "a finished row says one more word", hint="The token right after the first eos is eos, too."
)
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, late=1)


@greedy_decode.misconception("it never stops early", hint="Stop as soon as every row has had its eos.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, stop=None)


@greedy_decode.misconception(
    "it stops at the first eos of any row", hint="Wait until *every* row has an eos: `.all()`."
)
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, stop="any")


@greedy_decode.misconception(
    "it waits until all rows say eos in the same step", hint="Remember which rows are finished from step to step."
)
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, fill=None, stop="same")


@greedy_decode.misconception("one step too many", hint="At most max_len tokens, not max_len + 1.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len + 1)


@greedy_decode.misconception("one step too few", hint="bos does not count: max_len tokens may come after it.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len - 1) if max_len > 1 else torch.zeros(batch_size(state), 0).long()


@greedy_decode.misconception(
    "it stops one step late", hint="Look whether all are finished before the next step, not after."
)
def _(step, state, bos_id, eos_id, max_len):
    ids = greedy(step, state, bos_id, eos_id, max_len)
    done = bool((ids == eos_id).any(1).all())
    return F.pad(ids, (0, 1), value=eos_id) if done and ids.shape[1] < max_len else ids


@greedy_decode.misconception("the eos is left out", hint="The eos that ends a row is part of the answer.")
def _(step, state, bos_id, eos_id, max_len):
    ids = greedy(step, state, bos_id, eos_id, max_len)
    return ids[:, :-1] if bool((ids == eos_id).any(1).all()) else ids


@greedy_decode.misconception(
    "the state is not handed on", hint="Each step gets the state that the step before returned."
)
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, carry=False)


@greedy_decode.misconception("every step reads bos", hint="Each step reads the tokens that the step before said.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, feed=False)


@greedy_decode.misconception(
    "the state must be a tensor",
    hint="The state may be a tuple of tensors, or a tuple of tuples: look for the first tensor.",
)
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, size=lambda state: state.shape[0])


@greedy_decode.misconception(
    "the length of the tuple is the batch size",
    hint="B is the first size of a tensor in the state: `state[0].shape[0]`.",
)
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len, size=len)


@greedy_decode.misconception(
    "the state is nested once at most", hint="Go down until you find a tensor: `while isinstance(first, tuple): ...`."
)
def _(step, state, bos_id, eos_id, max_len):
    one_deep = lambda state: state[0].shape[0] if isinstance(state, tuple) else state.shape[0]  # noqa: E731
    return greedy(step, state, bos_id, eos_id, max_len, size=one_deep)


@greedy_decode.misconception("eos is always 2", hint="Compare with eos_id.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, 2, max_len)


@greedy_decode.misconception("bos is always 1", hint="Start with bos_id.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, 1, eos_id, max_len)


@greedy_decode.misconception("time first", hint="Stack the columns along axis 1: `(B, L)`.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len).T


@greedy_decode.misconception("lists instead of a tensor", hint="Return one int64 tensor `(B, L)`.")
def _(step, state, bos_id, eos_id, max_len):
    return greedy(step, state, bos_id, eos_id, max_len).tolist()


# ------------------------------------------------------------------------------------------ is_good_loss

is_good_loss = Exercise("is_good_loss", lesson="09_seq2seq", seconds=10.0)

is_good_loss.hints = (
    "Choose logits and targets for which you know the answer, and compare. Which targets tell the wrong ones apart?",
    "One batch can do most of it: rows with one, two and four words, a pad_id that is not 0, a 0 that is a word, and "
    "views that are not contiguous. Compare with a tolerance.",
    "Compute what is expected with `logits.log_softmax(-1)` and a loop over the places where the target is not pad_id. "
    "Put the call in `try`, and return False on an exception.",
)

RIGHT_LOSSES = {
    "a right one with ignore_index": (
        "return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad_id)"
    ),
    "a right one with gather": """
    log_p = logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    real = (targets != pad_id).to(logits.dtype)
    return -(log_p * real).sum() / real.sum()""",
    "a right one that selects the words": """
    real = targets != pad_id
    return F.nll_loss(torch.log_softmax(logits[real], -1), targets[real])""",
    "a right one, row by row": """
    costs = [F.cross_entropy(row[y != pad_id], y[y != pad_id], reduction="sum") for row, y in zip(logits, targets)]
    return sum(costs) / (targets != pad_id).sum()""",
    "a right one that rounds differently": """
    costs = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    return costs[targets != pad_id].mean() * (1 + 4 * torch.finfo(logits.dtype).eps)""",
}
COSTS = "costs, real = F.cross_entropy(logits.transpose(1, 2), targets, reduction='none'), targets != pad_id; "
WRONG_LOSSES = {
    "padding counts": "return F.cross_entropy(logits.flatten(0, 1), targets.flatten())",
    "divided by all places": COSTS + "return (costs * real).mean()",
    "the mean of the rows' means": COSTS + "return ((costs * real).sum(1) / real.sum(1).clamp(min=1)).mean()",
    "the sum": COSTS + "return costs[real].sum()",
    "the sum, divided by the number of rows": COSTS + "return costs[real].sum() / len(targets)",
    "pad_id is always 0": "return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)",
    "it uses view": (
        "return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1), ignore_index=pad_id)"
    ),
    "softmax over time": (
        "return F.nll_loss(logits.log_softmax(1).flatten(0, 1), targets.flatten(), ignore_index=pad_id)"
    ),
    "the sign is missing": COSTS + "return -costs[real].mean()",
}


def loss(body):
    text = "import torch\nfrom torch.nn import functional as F\n\n\ndef sequence_loss(logits, targets, pad_id=0):\n    "
    return Prop("source", text=text + body.strip() + "\n", name="sequence_loss")


def told_apart(rng, *wrong):
    """The wrong ones, and right ones, for which an answer that always says no gets nothing."""
    for label in wrong:
        yield case(label, loss(WRONG_LOSSES[label])).because("this implementation is wrong")
    other = ("a right one with gather", "a right one that selects the words", "a right one, row by row")
    for label in ("a right one with ignore_index", "a right one that rounds differently", str(rng.choice(other))):
        yield case(label, loss(RIGHT_LOSSES[label])).because("this implementation is right")


@is_good_loss.reference
def _(sequence_loss):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64).transpose(0, 1)
    targets = torch.tensor([[1, 2, 2], [0, 0, 1], [3, 2, 2], [1, 3, 2], [3, 1, 0]])
    wanted = [-logits[b, t].log_softmax(0)[targets[b, t]] for b in range(5) for t in range(3) if targets[b, t] != 2]
    try:
        return bool(torch.isclose(sequence_loss(logits, targets, 2), torch.stack(wanted).mean()))
    except RuntimeError:
        return False


@is_good_loss.aspect("wrong numbers are caught", points=1)
def _(rng):
    yield from told_apart(rng, "the sum", "the sign is missing", "softmax over time")


@is_good_loss.aspect("wrong treatment of padding is caught", points=1)
def _(rng):
    yield from told_apart(rng, "padding counts", "divided by all places", "the sum, divided by the number of rows")


@is_good_loss.aspect("words of short rows count the same", points=1)
def _(rng):
    yield from told_apart(rng, "the mean of the rows' means")


@is_good_loss.aspect("pad_id and layout", points=1)
def _(rng):
    yield from told_apart(rng, "pad_id is always 0", "it uses view")


def tries(sequence_loss, targets, pad_id=0, by_time=True, exact=False):
    """Whether an implementation gives the right loss for random logits and these targets."""
    targets = torch.tensor(targets)
    shape = (targets.shape[1], targets.shape[0], 5)
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(2)).transpose(0, 1)
    logits = logits if by_time else logits.contiguous()
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad_id)
    found = sequence_loss(logits, targets, pad_id)
    return bool(found == expected) if exact else abs(float(found) - float(expected)) < 1e-4


def without_error(sequence_loss, targets, **options):
    try:
        return tries(sequence_loss, targets, **options)
    except Exception:
        return False


RAGGED = [[1, 2, 3, 4], [2, 2, 3, 2], [1, 0, 2, 2]]


@is_good_loss.misconception("everything is right", hint="Call the implementation, and compare with what you expect.")
def _(sequence_loss):
    return True


@is_good_loss.misconception("everything is wrong", hint="A right implementation must be accepted.")
def _(sequence_loss):
    return False


@is_good_loss.misconception(
    "no padding is tried", hint="Most mistakes are about padding: let rows have different lengths."
)
def _(sequence_loss):
    return without_error(sequence_loss, [[1, 2, 3, 4], [4, 3, 2, 1]])


@is_good_loss.misconception(
    "all rows have the same length",
    hint="The mean of the rows' means is right if all rows are equally long. Try rows of different lengths.",
)
def _(sequence_loss):
    return without_error(sequence_loss, [[1, 0, 4, 2], [4, 0, 3, 2]], pad_id=2)


@is_good_loss.misconception("only pad_id 0 is tried", hint="Try another pad_id, with 0 as a word.")
def _(sequence_loss):
    return without_error(sequence_loss, [[1, 2, 3, 4], [4, 0, 0, 0], [1, 2, 0, 0]])


@is_good_loss.misconception(
    "only contiguous tensors are tried", hint="Try `logits.transpose(0, 1)` of logits stored time first."
)
def _(sequence_loss):
    return without_error(sequence_loss, RAGGED, pad_id=2, by_time=False)


@is_good_loss.misconception(
    "an error ends the test", hint="An implementation that raises is wrong: catch the exception, return False."
)
def _(sequence_loss):
    return tries(sequence_loss, RAGGED, pad_id=2)


@is_good_loss.misconception(
    "equal to the last digit", hint="Two right ways of adding round differently: compare with a tolerance."
)
def _(sequence_loss):
    return without_error(sequence_loss, RAGGED, pad_id=2, exact=True)


@is_good_loss.misconception(
    "only the sign is looked at", hint="Any positive number passes your test. Compare with the number you expect."
)
def _(sequence_loss):
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(2))
    return bool(sequence_loss(logits, torch.tensor(RAGGED), 2) > 0)


@is_good_loss.misconception("the answers are exchanged", hint="True means that the implementation is right.")
def _(sequence_loss):
    return not without_error(sequence_loss, RAGGED, pad_id=2)
