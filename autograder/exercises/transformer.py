"""14_transformer: the whole model, label smoothing, the warm-up, and decoding with a key-value cache."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from autograder.exercise import Exercise, Prop, case, module
from autograder.exercises import transformer_blocks as blocks
from autograder.exercises.transformer_blocks import allowed, array, causal, draw, far, judge_dropout, modes, padding

LESSON = "14_transformer"

transformer = Exercise("Transformer", lesson=LESSON, seconds=10.0)
smoothed_loss = Exercise("label_smoothed_loss", lesson=LESSON, seconds=10.0)
noam_rate = Exercise("noam_rate", lesson=LESSON)
STATE = ("keys", "values", "memory_keys", "memory_values", "memory_mask")
start_cache = Exercise("start_cache", lesson=LESSON, returns=STATE, seconds=10.0)
cached_step = Exercise("cached_step", lesson=LESSON, returns=("log_probs", "state"), seconds=10.0)

# Angles are float32 in many right answers, even where the model is float64.
LOOSE = 3e-5


def ids(rng, *shape, high=9) -> torch.Tensor:
    """Token ids from 3 up: no padding, no <bos>, no <eos>."""
    return torch.tensor(rng.integers(3, high, size=shape))


# --- Transformer -----------------------------------------------------------------------------------------------------


def waves(length, d_model):
    """Positions, each entry from the definition."""
    table = [
        [(math.cos if c % 2 else math.sin)(p / 10000 ** ((c - c % 2) / d_model)) for c in range(d_model)]
        for p in range(length)
    ]
    return torch.tensor(table, dtype=torch.float64)


@transformer.reference
class _(nn.Module):
    """Every step written out, on the blocks of the oracle of lesson 13."""

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
        self.tgt_embedding = nn.Embedding(tgt_vocab_size, d_model)
        self.src_embedding = self.tgt_embedding if shared else nn.Embedding(src_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, 0.0, norm_first)
        self.encoder = nn.ModuleList(blocks.OracleEncoderBlock(*sizes) for _ in range(n_layers))
        self.decoder = nn.ModuleList(blocks.OracleDecoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()
        self.places, self.pad_id = positions, pad_id

    def enter(self, weight, tokens):
        x = weight[tokens] * weight.shape[1] ** 0.5
        return x + waves(*x.shape[1:]).to(x.dtype) if self.places else x

    def encode(self, src, src_mask=None):
        x = self.enter(self.src_embedding.weight, src)
        for block in self.encoder:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        x = self.enter(self.tgt_embedding.weight, tgt)
        for block in self.decoder:
            x = block(x, memory, tgt_mask, memory_mask)
        return torch.einsum("btd,vd->btv", self.decoder_norm(x), self.tgt_embedding.weight)

    def forward(self, src, tgt):
        real = (src != self.pad_id)[:, None, None, :]
        past = causal(tgt.shape[1]) & (tgt != self.pad_id)[:, None, None, :]
        return self.decode(tgt, self.encode(src, real), past, real)


transformer.hints = (
    "Write embed first and test it alone: a scaled embedding plus a row of waves. Then encode is a loop of one line.",
    "The source mask is (src != pad_id)[:, None, None, :]. The target mask is the same thing for tgt, and a "
    "lower triangle.",
    "decode: x = self.embed(self.tgt_embedding, tgt); for block in self.decoder: x = block(x, memory, tgt_mask, "
    "memory_mask); "
    "return F.linear(self.decoder_norm(x), self.tgt_embedding.weight)",
)

SIZES = (9, 11, 8, 2, 12, 1)
TWO = (9, 11, 4, 2, 6, 2)


def model(label, rng, method, args, *, init=SIZES, place=(), dtype="float64", **options):
    """A case on a model; keyword arguments that the constructor knows go there, those in `place` by position."""
    known = ("dropout", "norm_first", "shared", "positions", "pad_id")
    init_kwargs = {} if place else {"dropout": 0.0}
    init_kwargs |= {key: options.pop(key) for key in known if key in options}
    made = module(
        label,
        init=init + place,
        init_kwargs=init_kwargs,
        method=method,
        args=args,
        rng=rng,
        dtype=dtype,
        scale=0.4,
        **options,
    )
    return made.tolerance(LOOSE if dtype == "float64" else 3e-4)


@transformer.aspect("encode", points=2)
def _(rng):
    yield model("pre-norm, two blocks", rng, "encode", (ids(rng, 2, 4),), init=TWO)
    yield model("post-norm", rng, "encode", (ids(rng, 2, 4),), norm_first=False)
    yield model("padding", rng, "encode", (ids(rng, 3, 4), padding([4, 2, 1], 4)))
    yield model("no block", rng, "encode", (ids(rng, 2, 3),), init=(9, 7, 6, 2, 6, 0), norm_first=False)
    yield model("without positions", rng, "encode", (ids(rng, 2, 4),), positions=False)
    yield model("a long sentence after a short one", rng, "encode", (ids(rng, 1, 40),), init=(9, 7, 4, 2, 6, 1))
    yield model("no mask of its own", rng, "encode", (torch.tensor([[0, 3, 0, 5]]),))


@transformer.aspect("decode", points=2)
def _(rng):
    def memory(batch, length, d=8):
        return draw(rng, batch, length, d)

    yield model("pre-norm, two blocks", rng, "decode", (ids(rng, 2, 4), memory(2, 3, 4), causal(4)), init=TWO)
    yield model("post-norm", rng, "decode", (ids(rng, 2, 4), memory(2, 3), causal(4)), norm_first=False)
    both = (ids(rng, 2, 4), memory(2, 5), causal(4), padding([5, 2], 5))
    yield model("padding in the memory", rng, "decode", both)
    masks = (causal(4), allowed(rng, 2, 1, 4, 4))
    yield model("two masks of one shape", rng, "decode", (ids(rng, 2, 4), memory(2, 4), *masks))
    yield model("no mask of its own", rng, "decode", (torch.tensor([[3, 0, 4], [5, 5, 0]]), memory(2, 3)))
    yield model(
        "one token, dropout and norm_first by position",
        rng,
        "decode",
        (ids(rng, 1, 1), memory(1, 3)),
        place=(0.5, False),
    )
    no_block = {"init": (9, 7, 6, 2, 6, 0), "norm_first": False}
    yield model("no block", rng, "decode", (ids(rng, 2, 3, high=7), memory(2, 2, 6)), **no_block)
    yield model("without positions", rng, "decode", (ids(rng, 2, 4), memory(2, 3), causal(4)), positions=False)


@transformer.aspect("forward", points=2)
def _(rng):
    source = ids(rng, 3, 5)
    source[1, 3:], source[2, 1:] = 0, 0
    yield model("a batch with padding in the source", rng, "forward", (source, ids(rng, 3, 4)))
    yield model("two blocks, post-norm", rng, "forward", (source, ids(rng, 3, 5)), init=TWO, norm_first=False)
    source = ids(rng, 2, 5)
    source[1, 2:] = 7
    source[0, 1] = 0
    made = model("pad_id=7", rng, "forward", (source, ids(rng, 2, 3, high=7)), pad_id=7)
    yield made.because("the id 0 is a word here")
    source = ids(rng, 2, 4)
    source[0] = 0
    yield model("a source of padding only", rng, "forward", (source, ids(rng, 2, 3)))
    a, b = (ids(rng, 1, 3), ids(rng, 1, 1)), (ids(rng, 2, 3), ids(rng, 2, 4))
    yield model("three calls in a row", rng, "forward", (), calls=[("forward", each, {}) for each in (a, b, a)])


def _judge_future(case, value):
    before, after = (array(each) for each in value)
    if far(before[:, :3], after[:, :3]):
        return "Only target tokens from the fourth on were changed, and the logits of the first three moved."
    if not far(before[:, 3:], after[:, 3:]):
        return "The fourth target token was changed, and its own logits did not move."
    return None


def _judge_padding(case, value):
    before, after = (array(each) for each in value)
    if far(before, after[:, : before.shape[1]], 1e-7):
        return "Padding was added behind the sentences, and the logits of real tokens moved."
    return None


def _judge_shuffled(case, value):
    before, after = (array(each) for each in value)
    if far(np.roll(before, 1, axis=1), after):
        return "Without positions, a rolled source should give the same memory, rolled."
    return None


def _judge_ordered(case, value):
    before, after = (array(each) for each in value)
    if not far(np.roll(before, 1, axis=1), after, 1e-3):
        return "The source was rolled, and the memory is the same, rolled: the model has no sense of order."
    return None


def _padded(tokens, extra):
    return F.pad(tokens, (0, extra))


@transformer.aspect("what a token can know", points=2)
def _(rng):
    for norm_first in (True, False):
        options = {"norm_first": norm_first}
        name = "pre-norm" if norm_first else "post-norm"
        src, tgt = ids(rng, 2, 4), ids(rng, 2, 5)
        other = tgt.clone()
        other[:, 3:] = 3 + (other[:, 3:] - 2) % 6
        calls = [("forward", (src, each), {}) for each in (tgt, other)]
        made = model(f"the future is changed, {name}", rng, "", (), calls=calls, **options)
        yield made.judged_by(_judge_future)
        calls = [("forward", (src, tgt), {}), ("forward", (_padded(src, 3), _padded(tgt, 2)), {})]
        yield model(f"padding is added, {name}", rng, "", (), calls=calls, **options).judged_by(_judge_padding)
    calls = [("encode", (each,), {}) for each in (src, src.roll(1, 1))]
    made = model("the source is rolled, no positions", rng, "", (), calls=calls, positions=False)
    yield made.judged_by(_judge_shuffled)
    src = torch.tensor([[3, 4, 5, 6], [8, 7, 6, 5]])
    calls = [("encode", (each,), {}) for each in (src, src.roll(1, 1))]
    yield model("the source is rolled", rng, "", (), calls=calls).judged_by(_judge_ordered)


@transformer.aspect("shared embeddings", points=1)
def _(rng):
    args = (ids(rng, 2, 3), ids(rng, 2, 4))
    yield model("shared", rng, "forward", args, init=(10, 10, 8, 2, 12, 1), shared=True).gradients()
    yield module("sizes that differ", init=(9, 10, 8, 2, 12, 1), init_kwargs={"shared": True}, calls=[]).raises(
        ValueError
    )


@transformer.aspect("dtype", points=1)
def _(rng):
    args = (_padded(ids(rng, 2, 4), 1), ids(rng, 2, 3))
    yield model("float32", rng, "forward", args, dtype="float32")
    half = model("float16", rng, "forward", (ids(rng, 2, 4), ids(rng, 2, 3)), init=(9, 9, 4, 2, 6, 1), dtype="float16")
    yield half.tolerance(6e-2)


@transformer.aspect("gradients", points=1)
def _(rng):
    args = (_padded(ids(rng, 2, 3), 1), ids(rng, 2, 3))
    yield model("gradients, pre-norm", rng, "forward", args, init=TWO).gradients()
    yield model("gradients, post-norm", rng, "forward", args, norm_first=False).gradients()


@transformer.aspect("dropout", points=1)
def _(rng):
    src, tgt = ids(rng, 2, 4), ids(rng, 2, 3)
    calls = modes((src, tgt))
    yield model("dropout 0.5 in eval mode", rng, "forward", (src, tgt), dropout=0.5)
    made = model("dropout 0.5, eval and training mode", rng, "", (), calls=calls, dropout=0.5, norm_first=False)
    yield made.judged_by(judge_dropout)
    yield module("the default drops", init=SIZES, calls=calls, rng=rng, scale=0.4).judged_by(judge_dropout)
    yield model("training mode, dropout 0", rng, "forward", (src, tgt), train=True)


class Model(nn.Module):
    """A right Transformer in pieces, for the mistakes to change one of them."""

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
        if shared:
            self.check(src_vocab_size, tgt_vocab_size)
        self.tgt_embedding = nn.Embedding(tgt_vocab_size, d_model)
        self.src_embedding = self.tgt_embedding if shared else nn.Embedding(src_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, dropout, norm_first)
        self.encoder = nn.ModuleList(blocks.Block(*sizes) for _ in range(n_layers))
        self.decoder = nn.ModuleList(blocks.DecoderPieces(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()
        self.d_model, self.places, self.pad_id = d_model, positions, pad_id
        self.dropout = nn.Dropout(dropout)

    def check(self, source, target):
        if source != target:
            raise ValueError("shared embeddings need equal vocabulary sizes")

    def scale(self, x):
        return x * self.d_model**0.5

    def rows(self, x):
        return waves(*x.shape[1:]).to(x)

    def embed(self, embedding, tokens):
        x = self.scale(embedding(tokens))
        return self.dropout(x + self.rows(x) if self.places else x)

    def encode(self, src, src_mask=None):
        x = self.embed(self.src_embedding, src)
        for block in self.encoder:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def layers(self):
        return self.decoder

    def leave(self, x):
        return F.linear(self.decoder_norm(x), self.tgt_embedding.weight)

    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        x = self.embed(self.tgt_embedding, tgt)
        for block in self.layers():
            x = block(x, memory, tgt_mask, memory_mask)
        return self.leave(x)

    def masks(self, src, tgt):
        """(source mask, target mask, memory mask)"""
        real = (src != self.pad_id)[:, None, None, :]
        return real, (tgt != self.pad_id)[:, None, None, :] & causal(tgt.shape[1]), real

    def forward(self, src, tgt):
        source, target, memory = self.masks(src, tgt)
        return self.decode(tgt, self.encode(src, source), target, memory)


@transformer.misconception(
    "the embeddings are not scaled", hint="Multiply the embedding by sqrt(d_model) before you add the position."
)
class _(Model):
    def scale(self, x):
        return x


@transformer.misconception("the embeddings are divided by the root", hint="Multiply by sqrt(d_model), do not divide.")
class _(Model):
    def scale(self, x):
        return x / self.d_model**0.5


@transformer.misconception("the embeddings are multiplied by d_model", hint="Multiply by the square root of d_model.")
class _(Model):
    def scale(self, x):
        return x * self.d_model


@transformer.misconception(
    "the positions are scaled too", hint="Scale the embedding first, then add the position as it is."
)
class _(Model):
    def rows(self, x):
        return super().rows(x) * self.d_model**0.5


@transformer.misconception("no positions", hint="Add position_rows(0, T, d_model) to the scaled embeddings.")
class _(Model):
    def rows(self, x):
        return torch.zeros_like(x[0])


@transformer.misconception("positions on the source only", hint="The decoder's tokens need positions, too.")
class _(Model):
    def embed(self, embedding, tokens):
        if embedding is self.src_embedding and embedding is not self.tgt_embedding:
            return super().embed(embedding, tokens)
        return self.dropout(self.scale(embedding(tokens)))


@transformer.misconception(
    "the argument positions is ignored", hint="With positions=False nothing is added to the embeddings."
)
class _(Model):
    def embed(self, embedding, tokens):
        x = self.scale(embedding(tokens))
        return self.dropout(x + self.rows(x))


@transformer.misconception(
    "positions run over the batch",
    hint="The position of a token is its place in the sentence, axis 1, not its sentence's place in the batch.",
)
class _(Model):
    def rows(self, x):
        return waves(x.shape[0], x.shape[2]).to(x)[:, None]


@transformer.misconception(
    "the output has parameters of its own",
    hint="The output is tied: multiply by the target embedding's weight, and make no other layer.",
)
class _(Model):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def leave(self, x):
        return self.output(self.decoder_norm(x))


@transformer.misconception("log-probabilities instead of logits", hint="Return the logits. The loss takes the softmax.")
class _(Model):
    def leave(self, x):
        return super().leave(x).log_softmax(-1)


@transformer.misconception(
    "the logits are scaled", hint="The output is the plain product with the target embedding; only the input is scaled."
)
class _(Model):
    def leave(self, x):
        return super().leave(x) / self.d_model**0.5


@transformer.misconception(
    "the tied weight is cut out of the graph",
    hint="The target embedding learns from both its uses: no detach, no .data.",
)
class _(Model):
    def leave(self, x):
        return F.linear(self.decoder_norm(x), self.tgt_embedding.weight.detach())


@transformer.misconception("no causal mask", hint="forward must hide the future: a lower triangle in the target mask.")
class _(Model):
    def masks(self, src, tgt):
        real = (src != self.pad_id)[:, None, None, :]
        return real, (tgt != self.pad_id)[:, None, None, :], real


@transformer.misconception(
    "the causal mask is one off", hint="Token i may see the tokens up to i itself, and not i + 1: tril(), not tril(1)."
)
class _(Model):
    def masks(self, src, tgt):
        source, target, memory = super().masks(src, tgt)
        return source, target | causal(tgt.shape[1]).roll(-1, 0).tril(1), memory


@transformer.misconception("a token may not see itself", hint="The diagonal belongs to the mask: tril(), not tril(-1).")
class _(Model):
    def masks(self, src, tgt):
        source, target, memory = super().masks(src, tgt)
        return source, target & torch.ones(tgt.shape[1], tgt.shape[1], dtype=torch.bool).tril(-1), memory


@transformer.misconception("padding in the source is read by the encoder", hint="Give the source mask to encode, too.")
class _(Model):
    def masks(self, src, tgt):
        _, target, memory = super().masks(src, tgt)
        return None, target, memory


@transformer.misconception(
    "padding in the source is read by the decoder", hint="Give the source mask to decode as memory_mask, too."
)
class _(Model):
    def masks(self, src, tgt):
        source, target, _ = super().masks(src, tgt)
        return source, target, None


@transformer.misconception(
    "padding is not masked", hint="Make the source mask from the ids: (src != pad_id)[:, None, None, :]."
)
class _(Model):
    def masks(self, src, tgt):
        return None, causal(tgt.shape[1]), None


@transformer.misconception("pad_id is always 0", hint="Use the argument pad_id, not 0.")
class _(Model):
    def masks(self, src, tgt):
        self.pad_id = 0
        return super().masks(src, tgt)


@transformer.misconception(
    "the source mask is inverted", hint="True means may be attended to: src != pad_id, not src == pad_id."
)
class _(Model):
    def masks(self, src, tgt):
        source, target, memory = super().masks(src, tgt)
        return ~source, target, ~memory


@transformer.misconception(
    "decode makes its own causal mask", hint="decode takes its masks as they are; forward makes them."
)
class _(Model):
    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        return super().decode(tgt, memory, causal(tgt.shape[1]) if tgt_mask is None else tgt_mask, memory_mask)


@transformer.misconception("encode masks padding by itself", hint="encode takes its mask as it is; forward makes it.")
class _(Model):
    def encode(self, src, src_mask=None):
        return super().encode(src, (src != self.pad_id)[:, None, None, :] if src_mask is None else src_mask)


@transformer.misconception(
    "the two masks of decode are swapped",
    hint="A decoder block takes (x, memory, self_mask, memory_mask), in this order.",
)
class _(Model):
    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        return super().decode(tgt, memory, memory_mask, tgt_mask)


@transformer.misconception(
    "the last norm of the encoder is missing", hint="With norm_first, encoder_norm follows the last encoder block."
)
class _(Model):
    def encode(self, src, src_mask=None):
        x = self.embed(self.src_embedding, src)
        for block in self.encoder:
            x = block(x, src_mask)
        return x


@transformer.misconception(
    "the last norm of the decoder is missing", hint="With norm_first, decoder_norm follows the last decoder block."
)
class _(Model):
    def leave(self, x):
        return F.linear(x, self.tgt_embedding.weight)


@transformer.misconception(
    "a last norm in the post-norm model",
    hint="Without norm_first the blocks end with a norm already: no encoder_norm or decoder_norm parameters there.",
)
class _(Model):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(d_model), nn.LayerNorm(d_model)


@transformer.misconception("norm_first is not passed on", hint="Give norm_first to every block.")
class _(Model):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        for block in (*self.encoder, *self.decoder):
            block.norm_first = False


@transformer.misconception(
    "one block is used n_layers times",
    hint="`[block] * n` repeats one object. Make a new block for each layer: ModuleList(EncoderBlock(...) for _ "
    "in range(n)).",
)
class _(Model):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.encoder = nn.ModuleList([self.encoder[0]] * len(self.encoder) if len(self.encoder) else [])
        self.decoder = nn.ModuleList([self.decoder[0]] * len(self.decoder) if len(self.decoder) else [])


@transformer.misconception(
    "the blocks are in a plain list", hint="A Python list hides its modules from parameters(). Use nn.ModuleList."
)
class _(Model):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        encoder, decoder = list(self.encoder), list(self.decoder)
        del self.encoder, self.decoder
        self.encoder, self.decoder = encoder, decoder


@transformer.misconception("the decoder's blocks run backward", hint="The first block comes first.")
class _(Model):
    def layers(self):
        return reversed(self.decoder)


@transformer.misconception("the last block is left out", hint="All n_layers blocks run, the last one, too.")
class _(Model):
    def layers(self):
        return list(self.decoder)[:-1]


@transformer.misconception("the memory is not read", hint="Hand the memory to each decoder block.")
class _(Model):
    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        return super().decode(tgt, torch.zeros_like(memory), tgt_mask, memory_mask)


@transformer.misconception(
    "the memory is cut out of the graph", hint="The encoder learns only through the memory: no detach."
)
class _(Model):
    def decode(self, tgt, memory, tgt_mask=None, memory_mask=None):
        return super().decode(tgt, memory.detach(), tgt_mask, memory_mask)


@transformer.misconception(
    "the source is embedded with the target's embedding", hint="src_embedding is for src, tgt_embedding for tgt."
)
class _(Model):
    def encode(self, src, src_mask=None):
        x = self.embed(self.tgt_embedding, src)
        for block in self.encoder:
            x = block(x, src_mask)
        return self.encoder_norm(x)


@transformer.misconception(
    "shared is ignored", hint="With shared=True both names are one nn.Embedding: its gradient comes from both sides."
)
class _(Model):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, *sizes, shared=False, **options):
        super().__init__(src_vocab_size, tgt_vocab_size, d_model, *sizes, **options)
        if shared:
            self.check(src_vocab_size, tgt_vocab_size)


@transformer.misconception(
    "sizes that cannot be shared are accepted", hint="Raise ValueError if shared=True and the vocabulary sizes differ."
)
class _(Model):
    def check(self, source, target):
        pass


@transformer.misconception(
    "drops in eval mode too",
    hint="F.dropout drops always unless you pass training=self.training. nn.Dropout knows the mode by itself.",
)
class _(Model):
    def embed(self, embedding, tokens):
        x = self.scale(embedding(tokens))
        return F.dropout(x + self.rows(x) if self.places else x, self.dropout.p)


@transformer.misconception("dropout is not used", hint="Give dropout to every block, and drop from the embedded input.")
class _(Model):
    def __init__(self, *sizes, dropout=0.1, **options):
        super().__init__(*sizes, dropout=0.0, **options)


@transformer.misconception(
    "the positions make it float32",
    hint="Bring the waves to the model's dtype: position_rows(...).to(x). The output has the parameters' dtype.",
)
class _(Model):
    def embed(self, embedding, tokens):
        return super().embed(embedding, tokens).float()

    def encode(self, src, src_mask=None):
        return _as_float32(self, super().encode, src, src_mask)

    def decode(self, *args):
        return _as_float32(self, super().decode, *args)


def _as_float32(subject, method, *args):
    args = tuple(a.float() if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args)
    return method(*args) if subject.tgt_embedding.weight.dtype == torch.float32 else _in_float32(subject, method, args)


def _in_float32(subject, method, args):
    dtype = subject.tgt_embedding.weight.dtype
    try:
        subject.float()
        return method(*args)
    finally:
        subject.to(dtype)


# --- label_smoothed_loss ---------------------------------------------------------------------------------------------


@smoothed_loss.reference
def _(logits, targets, smoothing, pad_id=0):
    """PyTorch's own, on the real tokens."""
    real = targets != pad_id
    return F.cross_entropy(logits[real], targets[real], label_smoothing=smoothing)


smoothed_loss.hints = (
    "First the loss of every token, (B, T). Then the mean over the real ones.",
    "log_probs = torch.log_softmax(logits, -1). The right word's part is a gather, the smoothed part a mean over "
    "the last axis.",
    "losses = -(1 - smoothing) * right - smoothing * log_probs.mean(-1); return losses[targets != pad_id].mean()",
)


def _targets(rng, batch, length, vocab, pads=True):
    targets = torch.tensor(rng.integers(1, vocab, size=(batch, length)))
    if pads:
        for b in range(1, batch):
            targets[b, length - b :] = 0
    return targets


@smoothed_loss.aspect("values", points=2)
def _(rng):
    logits = draw(rng, 3, 4, 5, scale=2)
    for smoothing in (0.0, 0.1, 0.5, 1.0):
        yield case(f"smoothing {smoothing:g}, no padding", logits, _targets(rng, 3, 4, 5, pads=False), smoothing)
    yield case("one token", draw(rng, 1, 1, 7), _targets(rng, 1, 1, 7), 0.2)
    yield case("two words", draw(rng, 2, 3, 2), torch.ones(2, 3, dtype=torch.int64), 0.3)
    yield case("large logits", draw(rng, 2, 3, 6, scale=2000), _targets(rng, 2, 3, 6), 0.1)
    yield case("arguments by name", logits=draw(rng, 2, 3, 6), targets=_targets(rng, 2, 3, 6), smoothing=0.1, pad_id=0)


@smoothed_loss.aspect("padding", points=1)
def _(rng):
    logits = draw(rng, 3, 4, 6, scale=2)
    yield case("padding", logits, _targets(rng, 3, 4, 6), 0.1)
    yield case("padding, smoothing 0", logits, _targets(rng, 3, 4, 6), 0.0)
    yield case("pad_id 3", logits, torch.tensor([[0, 1, 3, 3], [3, 2, 5, 4], [0, 0, 3, 1]]), 0.3, 3)
    yield case("pad_id by name", logits, torch.tensor([[0, 5, 5, 5], [1, 2, 0, 4], [0, 0, 5, 1]]), 0.2, pad_id=5)
    yield case("one real token", draw(rng, 2, 3, 6), torch.tensor([[0, 0, 0], [0, 4, 0]]), 0.2)
    poisoned = draw(rng, 1, 3, 4)
    poisoned[0, 2] = 1e4
    yield case("large logits at padding", poisoned, torch.tensor([[1, 2, 0]]), 0.1).magnitude(1.0)


@smoothed_loss.aspect("dtype and layout", points=1)
def _(rng):
    yield case("float32", draw(rng, 2, 3, 6, dtype=torch.float32), _targets(rng, 2, 3, 6), 0.1)
    yield case("float16", draw(rng, 2, 3, 6, dtype=torch.float16), _targets(rng, 2, 3, 6), 0.1)
    wide = draw(rng, 3, 2, 6).transpose(0, 1)
    yield case("logits that are not contiguous", wide, _targets(rng, 3, 2, 6).T, 0.1)


@smoothed_loss.aspect("gradients", points=1)
def _(rng):
    yield case("gradients", draw(rng, 2, 3, 5), _targets(rng, 2, 3, 5), 0.1).gradients()
    yield case("gradients, smoothing 0", draw(rng, 2, 4, 5), _targets(rng, 2, 4, 5), 0.0).gradients()


def _loss(tokens_loss):
    """A loss from `tokens_loss(log_probs, right, smoothing, targets, pad_id)` (B, T), averaged over the real tokens."""

    def loss(logits, targets, smoothing, pad_id=0):
        log_probs = logits.log_softmax(-1)
        right = log_probs.gather(-1, targets[..., None])[..., 0]
        return tokens_loss(log_probs, right, smoothing, targets, pad_id)[targets != pad_id].mean()

    return loss


smoothed_loss.misconception(
    "the labels are not smoothed", hint="`smoothing` is not used: give the share smoothing to all words."
)(_loss(lambda log_probs, right, smoothing, targets, pad_id: -right))
smoothed_loss.misconception(
    "the share goes to the other words only",
    hint="The share is spread over all V words, the right one included: divide by V, not by V - 1.",
)(
    _loss(
        lambda log_probs, right, smoothing, targets, pad_id: (
            -(1 - smoothing) * right - smoothing * (log_probs.sum(-1) - right) / (log_probs.shape[-1] - 1)
        )
    )
)
smoothed_loss.misconception(
    "padding gets no share",
    hint="As in torch.nn.functional.cross_entropy, the share is spread over all V words, <pad> included.",
)(
    _loss(
        lambda log_probs, right, smoothing, targets, pad_id: (
            -(1 - smoothing) * right
            - smoothing * (log_probs.sum(-1) - log_probs[..., pad_id]) / (log_probs.shape[-1] - 1)
        )
    )
)
smoothed_loss.misconception(
    "the share is summed, not averaged",
    hint="Each of the V words gets smoothing / V: the mean of log_probs, not the sum.",
)(_loss(lambda log_probs, right, smoothing, targets, pad_id: -(1 - smoothing) * right - smoothing * log_probs.sum(-1)))
smoothed_loss.misconception(
    "the right word keeps its whole share",
    hint="The right word's part is (1 - smoothing), so that all shares sum to 1.",
)(_loss(lambda log_probs, right, smoothing, targets, pad_id: -right - smoothing * log_probs.mean(-1)))
smoothed_loss.misconception(
    "the two shares are swapped", hint="The right word gets 1 - smoothing, all words together get smoothing."
)(_loss(lambda log_probs, right, smoothing, targets, pad_id: -smoothing * right - (1 - smoothing) * log_probs.mean(-1)))
smoothed_loss.misconception("the sign is lost", hint="A loss is minus a log-probability: it is positive.")(
    _loss(lambda log_probs, right, smoothing, targets, pad_id: (1 - smoothing) * right + smoothing * log_probs.mean(-1))
)


@smoothed_loss.misconception("padding counts", hint="Average over the real tokens only: targets != pad_id.")
def _(logits, targets, smoothing, pad_id=0):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=smoothing)


@smoothed_loss.misconception(
    "divided by all tokens", hint="Padding is left out of the sum; leave it out of the count, too."
)
def _(logits, targets, smoothing, pad_id=0):
    flat = logits.flatten(0, 1), targets.flatten()
    return F.cross_entropy(*flat, label_smoothing=smoothing, ignore_index=pad_id, reduction="sum") / targets.numel()


@smoothed_loss.misconception(
    "the smoothed part counts padding", hint="Both parts of a padded token are left out, the smoothed one, too."
)
def _(logits, targets, smoothing, pad_id=0):
    log_probs = logits.log_softmax(-1)
    plain = F.nll_loss(log_probs.flatten(0, 1), targets.flatten(), ignore_index=pad_id)
    return (1 - smoothing) * plain - smoothing * log_probs.mean()


@smoothed_loss.misconception(
    "the sum instead of the mean", hint="Average over the real tokens, so that long batches do not weigh more."
)
def _(logits, targets, smoothing, pad_id=0):
    flat = logits.flatten(0, 1), targets.flatten()
    return F.cross_entropy(*flat, label_smoothing=smoothing, ignore_index=pad_id, reduction="sum")


@smoothed_loss.misconception(
    "every sentence weighs the same", hint="The mean is over all real tokens of the batch, not over sentences first."
)
def _(logits, targets, smoothing, pad_id=0):
    rows = [
        F.cross_entropy(row, target, label_smoothing=smoothing, ignore_index=pad_id)
        for row, target in zip(logits, targets)
        if bool((target != pad_id).any())
    ]
    return torch.stack(rows).mean()


@smoothed_loss.misconception("pad_id is always 0", hint="Use the argument pad_id, not 0.")
def _(logits, targets, smoothing, pad_id=0):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=smoothing, ignore_index=0)


@smoothed_loss.misconception("smoothing is always 0.1", hint="Use the argument smoothing.")
def _(logits, targets, smoothing, pad_id=0):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=0.1, ignore_index=pad_id)


@smoothed_loss.misconception("the logarithm of a softmax", hint="log(softmax(x)) underflows to -inf. Use log_softmax.")
def _(logits, targets, smoothing, pad_id=0):
    log_probs = logits.softmax(-1).log()
    right = log_probs.gather(-1, targets[..., None])[..., 0]
    return (-(1 - smoothing) * right - smoothing * log_probs.mean(-1))[targets != pad_id].mean()


@smoothed_loss.misconception(
    "the logits are taken for log-probabilities", hint="Logits are not normalized yet: log_softmax first."
)
def _(logits, targets, smoothing, pad_id=0):
    right = logits.gather(-1, targets[..., None])[..., 0]
    return (-(1 - smoothing) * right - smoothing * logits.mean(-1))[targets != pad_id].mean()


@smoothed_loss.misconception(
    "the entropy of the labels is taken off",
    hint="That is the KL divergence. The cross-entropy keeps the labels' own entropy.",
)
def _(logits, targets, smoothing, pad_id=0):
    size = logits.shape[-1]
    labels = torch.full_like(logits, smoothing / size)
    labels.scatter_(-1, targets[..., None], 1 - smoothing + smoothing / size)
    divergence = (torch.xlogy(labels, labels) - labels * logits.log_softmax(-1)).sum(-1)
    return divergence[targets != pad_id].mean()


@smoothed_loss.misconception(
    "the loss is cut out of the graph", hint="No item, detach or float(...): the loss must carry its gradient."
)
def _(logits, targets, smoothing, pad_id=0):
    flat = logits.flatten(0, 1), targets.flatten()
    return F.cross_entropy(*flat, label_smoothing=smoothing, ignore_index=pad_id).detach()


@smoothed_loss.misconception(
    "the logits must be contiguous",
    hint="`view` refuses tensors that are not contiguous. Use reshape or flatten, or no flattening at all.",
)
def _(logits, targets, smoothing, pad_id=0):
    flat = logits.view(-1, logits.shape[-1]), targets.view(-1)
    return F.cross_entropy(*flat, label_smoothing=smoothing, ignore_index=pad_id)


# --- noam_rate -------------------------------------------------------------------------------------------------------


@noam_rate.reference
def _(step, d_model, warmup):
    """The two branches of equation 3, apart."""
    step = max(step, 1)
    if step < warmup:
        return step / (warmup * math.sqrt(warmup) * math.sqrt(d_model))
    return 1 / (math.sqrt(d_model) * math.sqrt(step))


noam_rate.hints = (
    "Two curves, and the smaller one counts: one rises, one falls. Where do they meet?",
    "One is step ** -0.5, the other step * warmup ** -1.5. Step 0 is a special case.",
    "step = max(step, 1); return d_model ** -0.5 * min(step ** -0.5, step * warmup ** -1.5)",
)


@noam_rate.aspect("values", points=2)
def _(rng):
    for step, d_model, warmup in [
        (1, 4, 4),
        (4, 4, 4),
        (16, 4, 4),
        (1, 512, 4000),
        (3999, 512, 4000),
        (4001, 512, 4000),
        (100_000, 512, 4000),
    ]:
        yield case(f"step {step}", step, d_model, warmup)
    warmup, d_model = int(rng.integers(50, 900)), int(rng.integers(16, 700))
    for step in (1, warmup // 3, warmup, warmup + 1, 5 * warmup):
        yield case(f"step {step} of warmup {warmup}", step, d_model, warmup)
    yield case("no warm-up to speak of", 7, 64, 1)
    yield case("arguments by name", warmup=30, d_model=20, step=12)


def _judge_first(case, value):
    step, d_model, warmup = case.args
    value = float(array(value))
    first = d_model**-0.5 * warmup**-1.5
    if not math.isfinite(value) or not -1e-12 <= value <= first * (1 + 1e-6):
        return f"At step {step} the rate should be the rate of step 1, {first:.4g}; yours is {value:.4g}."
    return None


@noam_rate.aspect("step 0", points=1)
def _(rng):
    warmup = int(rng.integers(10, 500))
    yield case("step 0", 0, 128, warmup).judged_by(_judge_first)
    yield case("step 0, warmup 1", 0, 4, 1).judged_by(_judge_first)
    yield case("step 2", 2, 128, warmup)


def _rate(formula):
    return lambda step, d_model, warmup: formula(max(step, 1), d_model, warmup)


for _name, _hint, _formula in (
    ("d_model is missing", "The rate is divided by the root of d_model.", lambda s, d, w: min(s**-0.5, s * w**-1.5)),
    (
        "multiplied by the root of d_model",
        "Wider models learn with smaller steps: d_model ** -0.5.",
        lambda s, d, w: d**0.5 * min(s**-0.5, s * w**-1.5),
    ),
    ("divided by d_model", "Divide by the square root of d_model.", lambda s, d, w: min(s**-0.5, s * w**-1.5) / d),
    (
        "the maximum instead of the minimum",
        "The smaller of the two counts.",
        lambda s, d, w: d**-0.5 * max(s**-0.5, s * w**-1.5),
    ),
    (
        "the warm-up never ends",
        "After warmup steps the rate falls with step ** -0.5.",
        lambda s, d, w: d**-0.5 * s * w**-1.5,
    ),
    (
        "there is no warm-up",
        "Before step warmup the rate rises: step * warmup ** -1.5.",
        lambda s, d, w: d**-0.5 * s**-0.5,
    ),
    (
        "the fall is 1 / step",
        "After the warm-up the rate falls with the root of the step.",
        lambda s, d, w: d**-0.5 * min(s**-1.0, s * w**-1.5),
    ),
    (
        "the rise has the power -0.5 of warmup",
        "The rise is step * warmup ** -1.5.",
        lambda s, d, w: d**-0.5 * min(s**-0.5, s * w**-0.5),
    ),
    (
        "the rise is divided by warmup",
        "The rise is step * warmup ** -1.5, not step / warmup.",
        lambda s, d, w: d**-0.5 * min(s**-0.5, s / w),
    ),
    (
        "the rate stays at its peak",
        "After the warm-up the rate falls.",
        lambda s, d, w: d**-0.5 * min(w**-0.5, s * w**-1.5),
    ),
    (
        "steps count from 0",
        "Steps count from 1: do not add 1 to the step.",
        lambda s, d, w: d**-0.5 * min((s + 1) ** -0.5, (s + 1) * w**-1.5),
    ),
):
    noam_rate.misconception(_name, hint=_hint)(_rate(_formula))


@noam_rate.misconception(
    "step 0 divides by zero", hint="0 ** -0.5 is an error. Let step 0 count as step 1: max(step, 1)."
)
def _(step, d_model, warmup):
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


# --- start_cache and cached_step -------------------------------------------------------------------------------------


def parts(rng, vocab, d_model, heads, d_ff, layers, norm_first, dtype=torch.float64) -> Prop:
    """The decoder's parts of a Transformer, with random parameters."""
    values = {"tgt_embedding.weight": draw(rng, vocab, d_model, dtype=dtype, scale=0.5)}
    for layer in range(layers):
        for name, parameter in blocks.OracleDecoderBlock(d_model, heads, d_ff).named_parameters():
            values[f"decoder.{layer}.{name}"] = draw(rng, *parameter.shape, dtype=dtype, scale=0.5)
    if norm_first:
        for name in ("weight", "bias"):
            values[f"decoder_norm.{name}"] = draw(rng, d_model, dtype=dtype, scale=0.5)
    return Prop("transformer_decoder", parameters=values, n_heads=heads, norm_first=norm_first)


def _split(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


@start_cache.reference
def _(model, memory, memory_mask=None):
    """Head by head."""
    keys, values = [], []
    for block in model.decoder:
        a = block.cross_attention
        keys.append(_split(F.linear(memory, a.w_k.weight, a.w_k.bias), a.n_heads))
        values.append(_split(F.linear(memory, a.w_v.weight, a.w_v.bias), a.n_heads))
    keys, values = torch.stack(keys, 1), torch.stack(values, 1)
    if memory_mask is None:
        memory_mask = torch.ones(memory.shape[0], 1, 1, memory.shape[1], dtype=torch.bool)
    empty = keys.new_zeros(*keys.shape[:3], 0, keys.shape[4])
    return tuple(part.detach() for part in (empty, empty.clone(), keys, values, memory_mask))


start_cache.hints = (
    "Five tensors. Two of them are empty, one is the mask. Which two are left?",
    "For each block: block.cross_attention.w_k(memory), split into heads as in lesson 13, (N, H, S, d_h). Stack "
    "the blocks on axis 1.",
    "memory_keys = torch.stack([a.w_k(memory).unflatten(-1, (a.n_heads, -1)).transpose(1, 2) for a in "
    "attentions], dim=1), "
    "memory_values with w_v; the empty ones are memory_keys[:, :, :, :0]",
)


def _state(rng, n, layers, heads, t, s, d_head, lengths=None, dtype=torch.float64):
    past = [draw(rng, n, layers, heads, t, d_head, dtype=dtype) for _ in range(2)]
    memory = [draw(rng, n, layers, heads, s, d_head, dtype=dtype) for _ in range(2)]
    return (*past, *memory, padding(lengths or [s] * n, s))


@start_cache.aspect("values", points=2)
def _(rng):
    for label, batch, source, heads, layers, norm_first in (
        ("two layers, two heads", 2, 3, 2, 2, True),
        ("another of that shape", 2, 3, 2, 2, True),
        ("every size is 3", 3, 3, 3, 3, True),
        ("post-norm", 2, 4, 2, 2, False),
        ("one layer, one head", 2, 3, 1, 1, True),
        ("a batch of one", 1, 5, 4, 2, True),
    ):
        yield case(
            label, parts(rng, 7, 2 * heads * 2, heads, 6, layers, norm_first), draw(rng, batch, source, 4 * heads)
        )
    masked = padding([3, 1], 3)
    yield case("a mask", parts(rng, 7, 8, 2, 6, 2, True), draw(rng, 2, 3, 8), masked)
    yield case("a mask by name", parts(rng, 7, 8, 2, 6, 2, True), draw(rng, 2, 3, 8), memory_mask=masked)


@start_cache.aspect("dtype", points=1)
def _(rng):
    yield case(
        "float32", parts(rng, 7, 8, 2, 6, 2, True, torch.float32), draw(rng, 2, 3, 8, dtype=torch.float32)
    ).tolerance(1e-4)
    yield case("float64, one token", parts(rng, 7, 4, 2, 6, 1, True), draw(rng, 1, 1, 4))


class Start:
    """A right start_cache in pieces, for the mistakes to change one of them."""

    def attention(self, block):
        return block.cross_attention

    def key(self, a, memory):
        return a.w_k(memory)

    def value(self, a, memory):
        return a.w_v(memory)

    def split(self, x, heads):
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    def layers(self, model):
        return list(model.decoder)

    def stack(self, tensors):
        return torch.stack(tensors, 1)

    def finish(self, keys, values, mask):
        return keys[:, :, :, :0], values[:, :, :, :0], keys, values, mask

    def mask(self, memory):
        return torch.ones(memory.shape[0], 1, 1, memory.shape[1], dtype=torch.bool)

    def __call__(self, model, memory, memory_mask=None):
        attentions = [self.attention(block) for block in self.layers(model)]
        keys = self.stack([self.split(self.key(a, memory), a.n_heads) for a in attentions])
        values = self.stack([self.split(self.value(a, memory), a.n_heads) for a in attentions])
        return self.finish(keys, values, self.mask(memory) if memory_mask is None else memory_mask)


def _mistake(exercise, name, hint):
    """Decorator: one object of a class of pieces is the mistaken function."""
    return lambda pieces: exercise.misconception(name, hint=hint)(pieces())


@_mistake(start_cache, "the self-attention projects the memory", "The memory belongs to block.cross_attention.")
class _(Start):
    def attention(self, block):
        return block.self_attention


@_mistake(
    start_cache, "keys and values are swapped", "w_k makes memory_keys (third), w_v makes memory_values (fourth)."
)
class _(Start):
    def finish(self, keys, values, mask):
        return super().finish(values, keys, mask)


@_mistake(start_cache, "the keys serve as values", "memory_values come from w_v, not from w_k.")
class _(Start):
    def value(self, a, memory):
        return a.w_k(memory)


@_mistake(start_cache, "the biases are left out", "Call the linear layer, a.w_k(memory): it adds its bias.")
class _(Start):
    def key(self, a, memory):
        return memory @ a.w_k.weight.T

    def value(self, a, memory):
        return memory @ a.w_v.weight.T


@_mistake(
    start_cache,
    "the memory is not projected",
    "Project the memory with each block's w_k and w_v; that is the work to save.",
)
class _(Start):
    def key(self, a, memory):
        return memory

    def value(self, a, memory):
        return memory


@_mistake(start_cache, "the keys are scaled", "The scale 1 / sqrt(d_h) belongs to the scores, later.")
class _(Start):
    def key(self, a, memory):
        return a.w_k(memory) / (memory.shape[-1] / a.n_heads) ** 0.5


@_mistake(
    start_cache,
    "heads are split without a transpose",
    "Split (N, S, d) to (N, S, H, d_h), then transpose to (N, H, S, d_h).",
)
class _(Start):
    def split(self, x, heads):
        return x.reshape(x.shape[0], heads, x.shape[1], -1)


@_mistake(start_cache, "heads are not split", "The state holds heads: (N, L, H, S, d_h).")
class _(Start):
    def split(self, x, heads):
        return x[:, None]


@_mistake(
    start_cache, "the layers come first", "The first axis of every tensor is the batch: stack the layers on axis 1."
)
class _(Start):
    def stack(self, tensors):
        return torch.stack(tensors)


@_mistake(start_cache, "only the first layer", "Every block has its own projections. Take all of them.")
class _(Start):
    def layers(self, model):
        return [model.decoder[0]] * len(model.decoder)


@_mistake(start_cache, "the layers run backward", "Layer 0 is the first block of model.decoder.")
class _(Start):
    def layers(self, model):
        return list(model.decoder)[::-1]


@_mistake(
    start_cache,
    "the decoder's cache starts with the memory",
    "Before the first token, keys and values hold nothing: their fourth axis has size 0.",
)
class _(Start):
    def finish(self, keys, values, mask):
        return keys, values, keys, values, mask


@_mistake(start_cache, "a mask of None stays None", "The state holds tensors only: make a mask of True, (N, 1, 1, S).")
class _(Start):
    def mask(self, memory):
        return None


@_mistake(
    start_cache, "the mask has two axes", "The mask broadcasts against (N, H, queries, S): its shape is (N, 1, 1, S)."
)
class _(Start):
    def finish(self, keys, values, mask):
        return super().finish(keys, values, mask[:, 0, 0])


@cached_step.reference
def _(model, tokens, state):
    """One layer, one head, one product at a time."""
    keys, values, memory_keys, memory_values, memory_mask = state
    weight = model.tgt_embedding.weight
    d_model, t = weight.shape[1], keys.shape[3]
    x = weight[tokens] * d_model**0.5 + waves(t + 1, d_model)[t]
    grown_keys, grown_values = [], []

    def attend(a, x, k, v, mask):
        heads = []
        for h, q in enumerate(F.linear(x, a.w_q.weight, a.w_q.bias).chunk(a.n_heads, -1)):
            scores = torch.einsum("nd,ntd->nt", q, k[:, h]) / q.shape[-1] ** 0.5
            powers = torch.where(mask, torch.exp(scores - scores.max(-1, keepdim=True).values), 0.0)
            total = powers.sum(-1, keepdim=True)
            heads.append(torch.einsum("nt,ntd->nd", powers / torch.where(total == 0, 1.0, total), v[:, h]))
        return F.linear(torch.cat(heads, -1), a.w_o.weight, a.w_o.bias)

    for layer, block in enumerate(model.decoder):

        def look_back(x, a=block.self_attention, layer=layer):
            for linear, past, grown in ((a.w_k, keys, grown_keys), (a.w_v, values, grown_values)):
                own = torch.stack(F.linear(x, linear.weight, linear.bias).chunk(a.n_heads, -1), 1)[:, :, None]
                grown.append(torch.cat([past[:, layer], own], 2))
            return attend(a, x, grown_keys[-1], grown_values[-1], torch.ones(1, t + 1, dtype=torch.bool))

        def look_across(x, a=block.cross_attention, layer=layer):
            return attend(a, x, memory_keys[:, layer], memory_values[:, layer], memory_mask[:, 0, 0])

        def think(x, f=block.feed_forward):
            hidden = F.linear(x, f.linear1.weight, f.linear1.bias).clamp(min=0)
            return F.linear(hidden, f.linear2.weight, f.linear2.bias)

        for norm, sublayer in ((block.norm1, look_back), (block.norm2, look_across), (block.norm3, think)):
            x = x + sublayer(_norm(norm, x)) if block.norm_first else _norm(norm, x + sublayer(x))
    logits = (_norm(model.decoder_norm, x) if hasattr(model.decoder_norm, "weight") else x) @ weight.T
    state = (torch.stack(grown_keys, 1), torch.stack(grown_values, 1), memory_keys, memory_values, memory_mask)
    return (logits - logits.logsumexp(-1, keepdim=True)).detach(), tuple(part.detach() for part in state)


def _norm(norm, x):
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, 1e-5)


cached_step.hints = (
    "Write it first for one block and pre-norm, with t = 0, and compare with model.decode on a target of one token.",
    "x is (N, 1, d_model). Its position is keys.shape[3]. In each block: k = torch.cat([keys[:, layer], "
    "heads(w_k(y))], dim=2), "
    "likewise v, and the query looks at all of k.",
    "Per block: y = norm1(x); q, k, v from y; context = F.scaled_dot_product_attention(q, k, v); x = x + "
    "w_o(merge(context)); "
    "y = norm2(x); q from y; context over memory_keys[:, layer], memory_values[:, layer] with "
    "attn_mask=memory_mask; x = x + w_o(...); "
    "x = x + feed_forward(norm3(x)). At the end log_softmax(F.linear(decoder_norm(x), tgt_embedding.weight))[:, 0], "
    "and torch.stack(new_keys, 1)",
)


def _step(
    label, rng, *, n=2, layers=2, heads=2, d_head=4, t=3, s=4, lengths=None, norm_first=True, dtype=torch.float64
):
    state = _state(rng, n, layers, heads, t, s, d_head, lengths, dtype)
    made = case(label, parts(rng, 9, heads * d_head, heads, 6, layers, norm_first, dtype), ids(rng, n), state)
    return made.tolerance(LOOSE if dtype == torch.float64 else 2e-4).magnitude(1.0)


@cached_step.aspect("the first token", points=2)
def _(rng):
    yield _step("nothing in the cache", rng, t=0)
    yield _step("nothing in the cache, post-norm", rng, t=0, norm_first=False)
    yield _step("one layer, one head", rng, t=0, layers=1, heads=1)
    yield _step("a batch of one", rng, t=0, n=1, d_head=2)


@cached_step.aspect("later tokens", points=4)
def _(rng):
    yield _step("three tokens in the cache", rng)
    yield _step("another of that shape", rng)
    yield _step("three tokens, post-norm", rng, norm_first=False)
    yield _step("every size is 3", rng, n=3, layers=3, heads=3, d_head=4, t=3, s=3)
    yield _step("heads of one feature", rng, heads=4, d_head=1)
    yield _step("a batch of one", rng, n=1, t=1, layers=3)
    yield _step("300 tokens in the cache", rng, t=300, layers=1, d_head=2)
    yield _step("more in the cache than in the source", rng, t=6, s=2, norm_first=False)


@cached_step.aspect("masks", points=1)
def _(rng):
    yield _step("padding in the source", rng, lengths=[4, 1])
    yield _step("padding in the source, post-norm", rng, n=3, lengths=[2, 4, 3], norm_first=False)
    yield _step("a source of padding only", rng, n=2, lengths=[0, 3])


@cached_step.aspect("dtype", points=1)
def _(rng):
    yield _step("float32", rng, dtype=torch.float32, lengths=[4, 2])
    yield _step("float32, post-norm, first token", rng, dtype=torch.float32, t=0, norm_first=False)


class Step:
    """A right cached_step in pieces, for the mistakes to change one of them."""

    def embed(self, model, tokens, t):
        return self.scale(model.tgt_embedding(tokens)[:, None]) + self.position(t, model.tgt_embedding.weight)

    def scale(self, x):
        return x * x.shape[-1] ** 0.5

    def position(self, t, weight):
        return waves(t + 1, weight.shape[1])[t].to(weight)

    def heads(self, a, projected):
        return projected.unflatten(-1, (a.n_heads, -1)).transpose(1, 2)

    def attend(self, a, x, keys, values, mask=None):
        q = self.heads(a, a.w_q(x))
        context = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        return a.w_o(context.transpose(1, 2).flatten(2))

    def grow(self, past, own):
        return torch.cat([past, own], 2)

    def layer_of(self, layer):
        return layer

    def look_back(self, a, x, keys, values):
        return self.attend(a, x, keys, values)

    def look_across(self, block, x, keys, values, mask):
        return self.attend(block.cross_attention, x, keys, values, mask)

    def norms(self, block):
        return block.norm1, block.norm2, block.norm3

    def norm_first(self, block):
        return block.norm_first

    def last(self, model, x):
        return model.decoder_norm(x)

    def leave(self, logits):
        return logits.log_softmax(-1)

    def finish(self, grown, state):
        return (*grown, *state[2:])

    def __call__(self, model, tokens, state):
        keys, values, memory_keys, memory_values, memory_mask = state
        x = self.embed(model, tokens, keys.shape[3])
        grown_keys, grown_values = [], []
        for number, block in enumerate(model.decoder):
            layer = self.layer_of(number)

            def back(y, block=block, layer=layer):
                a = block.self_attention
                grown_keys.append(self.grow(keys[:, layer], self.heads(a, a.w_k(y))))
                grown_values.append(self.grow(values[:, layer], self.heads(a, a.w_v(y))))
                return self.look_back(a, y, grown_keys[-1], grown_values[-1])

            def across(y, block=block, layer=layer):
                return self.look_across(block, y, memory_keys[:, layer], memory_values[:, layer], memory_mask)

            for norm, sublayer in zip(self.norms(block), (back, across, block.feed_forward)):
                x = x + sublayer(norm(x)) if self.norm_first(block) else norm(x + sublayer(x))
        logits = F.linear(self.last(model, x), model.tgt_embedding.weight)[:, 0]
        return self.leave(logits), self.finish((torch.stack(grown_keys, 1), torch.stack(grown_values, 1)), state)


@_mistake(
    cached_step, "every token is at position 0", "The position is the number of tokens in the cache: keys.shape[3]."
)
class _(Step):
    def position(self, t, weight):
        return super().position(0, weight)


@_mistake(
    cached_step,
    "the position is one too large",
    "With t tokens in the cache, this one is at position t: the first is at 0.",
)
class _(Step):
    def position(self, t, weight):
        return super().position(t + 1, weight)


@_mistake(cached_step, "no position", "Add position_rows(t, 1, d_model) to the scaled embedding.")
class _(Step):
    def position(self, t, weight):
        return torch.zeros_like(weight[0])


@_mistake(
    cached_step,
    "the positions are counted in the source",
    "The position is the number of target tokens so far, keys.shape[3].",
)
class _(Step):
    def __call__(self, model, tokens, state):
        self.source = state[2].shape[3]
        return super().__call__(model, tokens, state)

    def position(self, t, weight):
        return super().position(self.source, weight)


@_mistake(cached_step, "the embedding is not scaled", "Multiply the embedding by sqrt(d_model), as Transformer does.")
class _(Step):
    def scale(self, x):
        return x


@_mistake(cached_step, "the past is not looked at", "The query looks at all keys in the cache, not only at its own.")
class _(Step):
    def look_back(self, a, x, keys, values):
        return self.attend(a, x, keys[:, :, -1:], values[:, :, -1:])


@_mistake(cached_step, "the token does not look at itself", "Append the token's own key and value first, then attend.")
class _(Step):
    def look_back(self, a, x, keys, values):
        return self.attend(a, x, keys[:, :, :-1], values[:, :, :-1])


@_mistake(cached_step, "the new token goes to the front", "Append behind the past: torch.cat([past, new], dim=2).")
class _(Step):
    def grow(self, past, own):
        return torch.cat([own, past], 2)


@_mistake(
    cached_step, "the first layer's cache serves all layers", "Each layer has its own keys and values: keys[:, layer]."
)
class _(Step):
    def layer_of(self, layer):
        return 0


@_mistake(cached_step, "the state is returned as it was", "Return the grown keys and values.")
class _(Step):
    def finish(self, grown, state):
        return state


@_mistake(cached_step, "the cache keeps the last token only", "Keep the whole past, not only the new key and value.")
class _(Step):
    def finish(self, grown, state):
        return (*(part[:, :, :, -1:] for part in grown), *state[2:])


@_mistake(cached_step, "the cache's layers come first", "The first axis is the batch: torch.stack(new_keys, dim=1).")
class _(Step):
    def finish(self, grown, state):
        return (*(part.transpose(0, 1) for part in grown), *state[2:])


@_mistake(cached_step, "the memory mask is ignored", "Padding in the source must not be read: attn_mask=memory_mask.")
class _(Step):
    def look_across(self, block, x, keys, values, mask):
        return self.attend(block.cross_attention, x, keys, values)


@_mistake(cached_step, "the memory mask is inverted", "True means may be attended to.")
class _(Step):
    def look_across(self, block, x, keys, values, mask):
        return self.attend(block.cross_attention, x, keys, values, ~mask)


@_mistake(
    cached_step,
    "the memory's keys and values are swapped",
    "The state is (keys, values, memory_keys, memory_values, memory_mask).",
)
class _(Step):
    def look_across(self, block, x, keys, values, mask):
        return self.attend(block.cross_attention, x, values, keys, mask)


@_mistake(
    cached_step,
    "the self-attention looks at the source",
    "The second sub-layer uses the parameters of block.cross_attention.",
)
class _(Step):
    def look_across(self, block, x, keys, values, mask):
        return self.attend(block.self_attention, x, keys, values, mask)


@_mistake(
    cached_step, "norm2 and norm3 are swapped", "norm2 belongs to cross-attention, norm3 to the feed-forward network."
)
class _(Step):
    def norms(self, block):
        return block.norm1, block.norm3, block.norm2


@_mistake(cached_step, "always pre-norm", "block.norm_first says where the norm goes.")
class _(Step):
    def norm_first(self, block):
        return True


@_mistake(cached_step, "always post-norm", "block.norm_first says where the norm goes.")
class _(Step):
    def norm_first(self, block):
        return False


@_mistake(cached_step, "the last norm is missing", "decoder_norm follows the last block.")
class _(Step):
    def last(self, model, x):
        return x


@_mistake(
    cached_step, "logits instead of log-probabilities", "A step returns log-probabilities: log_softmax of the logits."
)
class _(Step):
    def leave(self, logits):
        return logits


@_mistake(
    cached_step,
    "probabilities instead of log-probabilities",
    "A step returns log-probabilities: log_softmax, not softmax.",
)
class _(Step):
    def leave(self, logits):
        return logits.softmax(-1)


@_mistake(cached_step, "the time axis stays", "log_probs is (N, V): drop the axis of the one token.")
class _(Step):
    def leave(self, logits):
        return logits.log_softmax(-1)[:, None]


@_mistake(
    cached_step,
    "the scores are divided by the root of d_model",
    "The scale is the root of d_h, the features of one head.",
)
class _(Step):
    def attend(self, a, x, keys, values, mask=None):
        q = self.heads(a, a.w_q(x))
        context = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask, scale=x.shape[-1] ** -0.5)
        return a.w_o(context.transpose(1, 2).flatten(2))


@_mistake(
    cached_step, "a mask of padding only gives NaN", "A softmax over only -inf is NaN; weights under the mask are 0."
)
class _(Step):
    def attend(self, a, x, keys, values, mask=None):
        scores = self.heads(a, a.w_q(x)) @ keys.mT / keys.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return a.w_o((scores.softmax(-1) @ values).transpose(1, 2).flatten(2))
