"""13_transformer_blocks: layer norm, positions, attention, feed-forward, encoder and decoder block, leaks."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from autograder.exercise import Exercise, Prop, case, module

LESSON = "13_transformer_blocks"

layer_norm = Exercise("LayerNorm", lesson=LESSON)
positions = Exercise("sinusoidal_positions", lesson=LESSON, floor=1.0)
attention = Exercise("MultiHeadAttention", lesson=LESSON, returns=("output", "weights"), seconds=10.0)
feed_forward = Exercise("PositionwiseFeedForward", lesson=LESSON, seconds=10.0)
encoder_block = Exercise("EncoderBlock", lesson=LESSON, seconds=10.0)
decoder_block = Exercise("DecoderBlock", lesson=LESSON, seconds=10.0)
leaks_future = Exercise("leaks_future", lesson=LESSON, seconds=10.0)


# --- inputs ----------------------------------------------------------------------------------------------------------


def draw(rng, *shape, dtype=torch.float64, scale=1.0) -> torch.Tensor:
    """Normal numbers of a shape."""
    return torch.tensor(scale * rng.normal(size=shape)).to(dtype)


def padding(lengths, size) -> torch.Tensor:
    """The padding mask (B, 1, 1, size) of sentences of these lengths."""
    return (torch.arange(size) < torch.tensor(lengths)[:, None])[:, None, None, :]


def causal(length) -> torch.Tensor:
    """(length, length): a query may attend to the keys up to its own position."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def allowed(rng, *shape) -> torch.Tensor:
    """A random mask in which every row allows something."""
    mask = rng.random(shape) < 0.6
    np.put_along_axis(mask, rng.integers(shape[-1], size=(*shape[:-1], 1)), True, axis=-1)
    return torch.tensor(mask)


def array(value) -> np.ndarray:
    """What a student returned, as an array to compute with."""
    return np.asarray(getattr(value, "array", value))


def returned(value, index) -> np.ndarray:
    """The result of the call number `index` of a case with many calls."""
    return array(value[index])


def far(a, b, tolerance=1e-8) -> bool:
    """Whether two arrays differ somewhere, NaN included."""
    return not np.allclose(a, b, rtol=tolerance, atol=tolerance)


def modes(args) -> list:
    """Calls: once in eval mode, twice in training mode, and once more in eval mode."""
    forward = ("forward", args, {})
    return [("eval", (), {}), forward, ("train", (), {}), forward, forward, ("eval", (), {}), forward]


def judge_dropout(case, value):
    """For modules that return one tensor: dropout while training, and only then."""
    before, first, second, after = (returned(value, i) for i in (1, 3, 4, 6))
    if far(before, after):
        return "In eval mode the output is not the same before and after training mode: nothing may be dropped there."
    if not far(first, second, 1e-6) or not far(first, before, 1e-6):
        return "In training mode, with dropout above 0, two calls on the same input should differ; yours do not."
    return None


# --- LayerNorm -------------------------------------------------------------------------------------------------------


@layer_norm.reference
class _(nn.LayerNorm):
    """PyTorch's own."""

    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps=eps)


layer_norm.hints = (
    "Two statistics per token: the mean and the variance of its features. Which axis holds the features?",
    "Keep the axis (keepdim=True), so that the statistics broadcast against x. Divide the squared deviations by d.",
    "mean = x.mean(-1, keepdim=True); variance = (x - mean).square().mean(-1, keepdim=True); then "
    "self.weight * (x - mean) / torch.sqrt(variance + self.eps) + self.bias",
)


@layer_norm.aspect("values", points=2)
def _(rng):
    yield module("a batch of sentences", init=(4,), args=(draw(rng, 2, 3, 4),), rng=rng)
    yield module("a square batch", init=(3,), args=(draw(rng, 3, 3, 3),), rng=rng)
    yield module(
        "tokens of very different size", init=(6,), args=(draw(rng, 2, 3, 6) * draw(rng, 2, 3, 1, scale=30),), rng=rng
    )
    yield module("one token", init=(5,), args=(draw(rng, 5) + 2,), rng=rng)
    yield module("a matrix", init=(5,), args=(3 * draw(rng, 4, 5) - 7,), rng=rng)
    yield module("four axes", init=(2,), args=(draw(rng, 2, 3, 4, 2),), rng=rng)
    yield module("a batch of one sentence of one token", init=(8,), args=(draw(rng, 1, 1, 8),), rng=rng)
    x = draw(rng, 2, 3, 4)
    calls = [("forward", (x,), {}), ("forward", (5 * x + 1,), {}), ("forward", (x,), {})]
    yield module("three calls in a row", init=(4,), calls=calls, rng=rng)
    yield module("in training mode", init=(4,), args=(draw(rng, 6, 2, 4, scale=3),), rng=rng, train=True)
    yield module("as it is built", init=(6,), args=(draw(rng, 2, 3, 6),), parameters=False).because(
        "before training, weight is 1 and bias is 0"
    )


@layer_norm.aspect("epsilon", points=1)
def _(rng):
    small = draw(rng, 2, 3, 4, scale=3e-3)
    yield (
        module("features near each other", init=(4,), args=(small + 1,), rng=rng)
        .because("the variance is about as large as eps, so it matters where eps stands")
        .tolerance(1e-7)
    )
    yield module(
        "all features equal", init=(4,), args=(torch.full((1, 2, 4), 3.0, dtype=torch.float64),), rng=rng
    ).because("the deviations are 0, so only the bias is left")
    yield module("eps=0.5", init=(4,), init_kwargs={"eps": 0.5}, args=(draw(rng, 2, 3, 4),), rng=rng)
    yield module("eps given by position", init=(4, 1e-2), args=(draw(rng, 2, 4, scale=0.1),), rng=rng).tolerance(1e-7)


@layer_norm.aspect("dtype and precision", points=1)
def _(rng):
    yield module("float32", init=(6,), args=(draw(rng, 2, 3, 6, dtype=torch.float32),), rng=rng, dtype="float32")
    yield module(
        "float16", init=(6,), args=(draw(rng, 2, 3, 6, dtype=torch.float16),), rng=rng, dtype="float16"
    ).tolerance(2e-2)
    far_away = 1000 + draw(rng, 2, 3, 6, dtype=torch.float32)
    yield module("float32, far from zero", init=(6,), args=(far_away,), rng=rng, dtype="float32").because(
        "the mean is taken away before anything is squared"
    )


@layer_norm.aspect("gradients", points=1)
def _(rng):
    yield module("gradients", init=(5,), args=(draw(rng, 2, 3, 5),), rng=rng).gradients()
    yield module(
        "gradients, float32", init=(5,), args=(draw(rng, 4, 5, dtype=torch.float32),), rng=rng, dtype="float32"
    ).gradients()


class Norm(nn.Module):
    """A right layer norm in pieces, for the mistakes to change one of them."""

    axes = (-1,)

    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def mean(self, x):
        return x.mean(self.axes, keepdim=True)

    def variance(self, x):
        return x.var(self.axes, correction=0, keepdim=True)

    def divisor(self, x):
        return (self.variance(x) + self.eps).sqrt()

    def forward(self, x):
        return self.weight * ((x - self.mean(x)) / self.divisor(x)) + self.bias


@layer_norm.misconception(
    "the variance is divided by d - 1",
    hint="`torch.var` divides by d - 1 unless told otherwise (correction=0, or unbiased=False). Layer norm "
    "divides by d.",
)
class _(Norm):
    def variance(self, x):
        return x.var(-1, keepdim=True)


@layer_norm.misconception(
    "epsilon is outside the root",
    hint="Add eps to the variance and take the root of the sum: sqrt(variance + eps), not sqrt(variance) + eps.",
)
class _(Norm):
    def divisor(self, x):
        return (x - self.mean(x)).square().mean(-1, keepdim=True).sqrt() + self.eps


@layer_norm.misconception(
    "d - 1, and epsilon outside the root",
    hint="`x.std()` divides by d - 1, and eps belongs inside the root: sqrt(variance + eps) with the variance over d.",
)
class _(Norm):
    def divisor(self, x):
        return x.std(-1, keepdim=True) + self.eps


@layer_norm.misconception(
    "there is no epsilon", hint="Where all features are equal you divide 0 by 0. Add eps inside the root."
)
class _(Norm):
    def divisor(self, x):
        return self.variance(x).sqrt()


@layer_norm.misconception(
    "the argument eps is ignored", hint="You use 1e-5 whatever `eps` is. Keep the argument: self.eps = eps."
)
class _(Norm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model)


@layer_norm.misconception(
    "eps is squared away by another default", hint="The default of eps is 1e-5; yours is another one."
)
class _(Norm):
    def __init__(self, d_model, eps=1e-6):
        super().__init__(d_model, eps)


@layer_norm.misconception(
    "normalizes over the batch",
    hint="You take the mean over the first axis: that is batch norm. Layer norm looks at one token at a time: axis -1.",
)
class _(Norm):
    axes = (0,)


@layer_norm.misconception(
    "normalizes over the tokens of a sentence",
    hint="You take the mean over the tokens. Take it over the features of one token: axis -1.",
)
class _(Norm):
    axes = (-2,)

    def forward(self, x):
        return super().forward(x) if x.dim() > 1 else super().forward(x[None])[0]


@layer_norm.misconception(
    "normalizes over a whole sentence",
    hint="Your statistics mix all tokens of a sentence. Each token has its own mean and variance: axis -1 only.",
)
class _(Norm):
    axes = (-2, -1)

    def forward(self, x):
        return super().forward(x) if x.dim() > 1 else super().forward(x[None])[0]


@layer_norm.misconception(
    "normalizes over everything",
    hint="Without an axis, mean and variance mix the whole batch. Use axis -1 and keepdim=True.",
)
class _(Norm):
    def mean(self, x):
        return x.mean()

    def variance(self, x):
        return x.var(correction=0)


@layer_norm.misconception(
    "the mean is not taken away", hint="That is RMS norm. Subtract the mean of the features first."
)
class _(Norm):
    def forward(self, x):
        return self.weight * x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt() + self.bias


@layer_norm.misconception("the mean is taken away only below", hint="The numerator is x - mean, not x.")
class _(Norm):
    def forward(self, x):
        return self.weight * x / self.divisor(x) + self.bias


@layer_norm.misconception(
    "divides by the variance", hint="Divide by the root of variance + eps, not by variance + eps."
)
class _(Norm):
    def divisor(self, x):
        return self.variance(x) + self.eps


@layer_norm.misconception("the bias is not added", hint="The last step adds self.bias.")
class _(Norm):
    def forward(self, x):
        return self.weight * ((x - self.mean(x)) / self.divisor(x)) + 0 * self.bias


@layer_norm.misconception("the weight is not used", hint="Multiply the normalized features by self.weight.")
class _(Norm):
    def forward(self, x):
        return (x - self.mean(x)) / self.divisor(x) + self.bias + 0 * self.weight


@layer_norm.misconception(
    "the bias is scaled too", hint="The weight multiplies the normalized features only: weight * normalized + bias."
)
class _(Norm):
    def forward(self, x):
        return self.weight * ((x - self.mean(x)) / self.divisor(x) + self.bias)


@layer_norm.misconception(
    "scales before it normalizes", hint="First normalize x, then multiply by the weight and add the bias."
)
class _(Norm):
    def forward(self, x):
        x = self.weight * x + self.bias
        return (x - self.mean(x)) / self.divisor(x)


@layer_norm.misconception(
    "the statistics are cut out of the graph",
    hint="Mean and variance depend on x, and the gradient must flow through them: no detach, .data, item or no_grad.",
)
class _(Norm):
    def forward(self, x):
        return self.weight * ((x - self.mean(x).detach()) / self.divisor(x).detach()) + self.bias


@layer_norm.misconception(
    "mean of the squares minus square of the mean",
    hint="E[x^2] - E[x]^2 subtracts two large numbers and loses the digits. Subtract the mean first, then square.",
)
class _(Norm):
    def variance(self, x):
        return (x.square().mean(-1, keepdim=True) - self.mean(x).square()).clamp(min=0)


@layer_norm.misconception(
    "computes in float32 whatever comes in",
    hint="The output has the dtype of the input. Do not call .float(), and make no float32 constants.",
)
class _(Norm):
    def forward(self, x):
        return self.weight.float() * ((x.float() - self.mean(x.float())) / self.divisor(x.float())) + self.bias.float()


@layer_norm.misconception(
    "works in place on its input",
    hint="`x -= mean` changes the caller's tensor. Write x = x - mean, which makes a new one.",
)
class _(Norm):
    def forward(self, x):
        with torch.no_grad():
            x -= self.mean(x)
        return self.weight * (x / self.divisor(x)) + self.bias


# --- sinusoidal_positions --------------------------------------------------------------------------------------------


@positions.reference
def _(length, d_model):
    """From the definition, one entry at a time."""
    table = torch.zeros(length, d_model, dtype=torch.float64)
    for p in range(length):
        for column in range(d_model):
            angle = p / 10000 ** (2 * (column // 2) / d_model)
            table[p, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return table


positions.hints = (
    "Each pair of columns shares one speed. Make the d_model / 2 speeds, and the angles position times speed.",
    "torch.arange(length)[:, None] * speeds is (length, d_model / 2). Sines go to columns 0, 2, 4, ..., "
    "cosines to 1, 3, 5, ...",
    "speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model); table = torch.zeros(length, d_model); "
    "table[:, 0::2] = angles.sin(); table[:, 1::2] = angles.cos()",
)


def _table(label, length, d_model, by_name=False):
    """A case; a float32 angle is only as good as its size, which is the position."""
    made = case(label, d_model=d_model, length=length) if by_name else case(label, length, d_model)
    return made.any_dtype().tolerance(1e-5 + 1e-6 * length)


@positions.aspect("values", points=2)
def _(rng):
    yield _table("six positions, four columns", 6, 4)
    yield _table("a square table", 8, 8)
    length, width = int(rng.integers(5, 12)), 2 * int(rng.integers(3, 9))
    yield _table("another size", length, width)
    yield _table("the same width, longer", length + 7, width)
    yield _table("two columns", 5, 2)
    yield _table("wider than long", 3, 20)
    yield _table("one position", 1, 6).because("position 0 has angle 0: sines 0, cosines 1")
    yield _table("arguments by name", 7, 10, by_name=True)


@positions.aspect("any length", points=1)
def _(rng):
    yield _table("a long table", 700, 4)
    yield _table("a longer one", 1100 + int(rng.integers(1, 30)), 2)
    yield _table("a short one after it", 4, 4)


def _angles(length, d_model, first=0, factor=1.0, base=10000.0):
    speeds = base ** (-factor * torch.arange(0, d_model, 2) / d_model)
    return torch.arange(first, first + length)[:, None] * speeds


def _interleave(even, odd):
    return torch.stack([even, odd], dim=-1).flatten(-2)


@positions.misconception("positions start at 1", hint="The first row is position 0: its sines are 0 and its cosines 1.")
def _(length, d_model):
    angles = _angles(length, d_model, first=1)
    return _interleave(angles.sin(), angles.cos())


@positions.misconception(
    "sines left, cosines right",
    hint="Interleave them: sines in columns 0, 2, 4, ..., cosines in columns 1, 3, 5, ...",
)
def _(length, d_model):
    angles = _angles(length, d_model)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


@positions.misconception(
    "sine and cosine are swapped", hint="Even columns (0, 2, ...) are sines, odd ones are cosines."
)
def _(length, d_model):
    angles = _angles(length, d_model)
    return _interleave(angles.cos(), angles.sin())


@positions.misconception(
    "all columns are sines", hint="Odd columns are cosines of the angle that the column before them has."
)
def _(length, d_model):
    angles = _angles(length, d_model)
    return _interleave(angles.sin(), angles.sin())


@positions.misconception(
    "each column has its own speed",
    hint="The two columns of a pair share one speed: for odd columns, too, the exponent is 2i / d_model "
    "with 2i the even column.",
)
def _(length, d_model):
    angles = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(d_model) / d_model)
    table = angles.sin()
    table[:, 1::2] = angles[:, 1::2].cos()
    return table


@positions.misconception(
    "the exponent is i / d instead of 2i / d", hint="The exponents are 0, 2/d, 4/d, ...; yours grow half as fast."
)
def _(length, d_model):
    angles = _angles(length, d_model, factor=0.5)
    return _interleave(angles.sin(), angles.cos())


@positions.misconception(
    "the exponent is 4i / d instead of 2i / d",
    hint="arange(0, d, 2) already is 2i. Multiplied by 2 again, the exponents grow twice as fast.",
)
def _(length, d_model):
    angles = _angles(length, d_model, factor=2.0)
    return _interleave(angles.sin(), angles.cos())


@positions.misconception(
    "multiplies by the power instead of dividing",
    hint="Later columns turn slower: divide the position by 10000^(2i/d).",
)
def _(length, d_model):
    angles = _angles(length, d_model, factor=-1.0)
    return _interleave(angles.sin(), angles.cos())


@positions.misconception("the base is 1000", hint="The base of the power is 10000: four zeros.")
def _(length, d_model):
    angles = _angles(length, d_model, base=1000.0)
    return _interleave(angles.sin(), angles.cos())


@positions.misconception(
    "the slowest speed is exactly 1 / 10000",
    hint="The exponent is 2i / d_model, not 2i / (d_model - 2): the last pair does not reach 1 / 10000.",
)
def _(length, d_model):
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / max(d_model - 2, 1))
    angles = torch.arange(length)[:, None] * speeds
    return _interleave(angles.sin(), angles.cos())


@positions.misconception(
    "rows and columns are swapped", hint="The result is (length, d_model): one row for each position."
)
def _(length, d_model):
    angles = _angles(length, d_model)
    return _interleave(angles.sin(), angles.cos()).T


@positions.misconception(
    "there is a batch axis", hint="The result has two axes, (length, d_model). Broadcasting adds the batch later."
)
def _(length, d_model):
    angles = _angles(length, d_model)
    return _interleave(angles.sin(), angles.cos())[None]


@positions.misconception(
    "the table ends at 512", hint="`length` may be any number: make the table for the length that is asked for."
)
def _(length, d_model):
    angles = _angles(512, d_model)
    return _interleave(angles.sin(), angles.cos())[:length]


@positions.misconception(
    "positions are scaled to 0..1", hint="The position is a whole number, 0, 1, 2, ...; do not divide it by the length."
)
def _(length, d_model):
    angles = _angles(length, d_model) / length
    return _interleave(angles.sin(), angles.cos())


# --- MultiHeadAttention ----------------------------------------------------------------------------------------------


@attention.reference
class OracleAttention(nn.Module):
    """From the definition, one head at a time, with an exponential and a sum."""

    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if d_model % n_heads:
            raise ValueError("n_heads must divide d_model")
        self.n_heads = n_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, query, key, value, mask=None):
        size = query.shape[-1] // self.n_heads
        shape = (query.shape[0], self.n_heads, query.shape[1], key.shape[1])
        mask = torch.ones(shape, dtype=torch.bool) if mask is None else mask.broadcast_to(shape)
        contexts, weights = [], []
        for head in range(self.n_heads):
            rows = slice(head * size, (head + 1) * size)
            q, k, v = (
                torch.einsum("btd,ed->bte", x, linear.weight[rows]) + linear.bias[rows]
                for x, linear in ((query, self.w_q), (key, self.w_k), (value, self.w_v))
            )
            scores = torch.where(mask[:, head], torch.einsum("bqe,bke->bqk", q, k) / size**0.5, -torch.inf)
            top = scores.detach().amax(-1, keepdim=True)
            powers = torch.exp(scores - torch.where(top == -torch.inf, 0.0, top))
            total = powers.sum(-1, keepdim=True)
            weights.append(powers / torch.where(total == 0, 1.0, total))
            contexts.append(torch.einsum("bqk,bke->bqe", weights[-1], v))
        output = torch.einsum("btd,ed->bte", torch.cat(contexts, -1), self.w_o.weight) + self.w_o.bias
        return output, torch.stack(weights, 1)


attention.hints = (
    "Go through the shapes on paper: (B, T, d_model) -> (B, T, H, d_h) -> (B, H, T, d_h). One of these "
    "steps is a transpose.",
    "Mask the scores with -inf before the softmax, and set what is masked to 0 after it: that also cures "
    "rows with nothing in them.",
    "q = self.w_q(query).unflatten(-1, (H, -1)).transpose(1, 2), likewise k and v; scores = q @ "
    "k.transpose(-2, -1) / math.sqrt(d_h); "
    "weights = torch.softmax(scores.masked_fill(~mask, -math.inf), -1).masked_fill(~mask, 0.0); "
    "context = self.dropout(weights) @ v; self.w_o(context.transpose(1, 2).flatten(2)), weights",
)


def _qkv(rng, batch, t_q, t_k, d, dtype=torch.float64, scale=1.0):
    return (
        draw(rng, batch, t_q, d, dtype=dtype),
        draw(rng, batch, t_k, d, dtype=dtype),
        draw(rng, batch, t_k, d, dtype=dtype, scale=scale),
    )


@attention.aspect("values", points=2)
def _(rng):
    yield module("two heads, three queries, five keys", init=(6, 2), args=_qkv(rng, 2, 3, 5, 6), rng=rng)
    yield module("another batch of that shape", init=(6, 2), args=_qkv(rng, 2, 3, 5, 6), rng=rng, scale=0.8)
    x = draw(rng, 2, 4, 8)
    yield module("self-attention, four heads", init=(8, 4), args=(x, x, x), rng=rng)
    yield module("one head", init=(4, 1), args=_qkv(rng, 2, 3, 4, 4), rng=rng, scale=0.8)
    yield module("as many heads as features", init=(4, 4), args=_qkv(rng, 2, 3, 2, 4), rng=rng)
    yield module("every size is 4", init=(4, 2), args=_qkv(rng, 4, 4, 4, 4), rng=rng)
    yield module("heads, tokens and features of a head are 3", init=(9, 3), args=_qkv(rng, 3, 3, 3, 9), rng=rng)
    yield module("a batch of one", init=(6, 3), args=_qkv(rng, 1, 5, 4, 6), rng=rng)
    yield module("one query, one key", init=(6, 3), args=_qkv(rng, 2, 1, 1, 6), rng=rng)
    yield module("more queries than keys", init=(6, 2), args=_qkv(rng, 2, 7, 2, 6), rng=rng)
    yield module("sixty keys", init=(4, 2), args=_qkv(rng, 1, 2, 60, 4), rng=rng)
    yield module("large scores", init=(4, 2), args=_qkv(rng, 2, 3, 5, 4), rng=rng, scale=12.0)
    a, b = _qkv(rng, 2, 3, 5, 6), _qkv(rng, 2, 3, 5, 6)
    calls = [("forward", a, {}), ("forward", b, {}), ("forward", (*a, allowed(rng, 3, 5)), {}), ("forward", a, {})]
    yield module("four calls in a row", init=(6, 2), calls=calls, rng=rng)
    yield module("training mode, dropout 0", init=(6, 2), args=_qkv(rng, 2, 3, 5, 6), rng=rng, train=True)


def _masks(rng):
    """Masks of every shape that broadcasts to (B, H, T_q, T_k), by label: (label, B, H, T_q, T_k, mask)."""
    yield "padding, (B, 1, 1, T_k)", 3, 2, 4, 5, padding([5, 2, 3], 5)
    yield "padding, every size 3", 3, 3, 3, 3, padding([3, 1, 2], 3)
    yield "padding, heads and batch of one size", 2, 2, 3, 4, padding([4, 2], 4)
    yield "causal, (T, T)", 2, 2, 4, 4, causal(4)
    yield "causal, (1, 1, T, T)", 4, 4, 4, 4, causal(4)[None, None]
    yield "causal and padding, (B, 1, T, T)", 2, 2, 4, 4, causal(4) & padding([4, 3], 4)
    yield "one mask for each sentence and query", 3, 2, 2, 4, allowed(rng, 3, 1, 2, 4)
    yield "one mask for each head", 2, 3, 2, 4, allowed(rng, 1, 3, 2, 4)
    yield "one mask for each sentence, head and query", 2, 2, 3, 4, allowed(rng, 2, 2, 3, 4)
    yield "three axes, (H, T_q, T_k)", 3, 2, 3, 4, allowed(rng, 2, 3, 4)
    yield "one axis, (T_k,)", 2, 2, 3, 4, allowed(rng, 4)
    yield "everything allowed", 2, 2, 3, 4, torch.ones(2, 1, 1, 4, dtype=torch.bool)


@attention.aspect("masks", points=2)
def _(rng):
    for label, batch, heads, t_q, t_k, mask in _masks(rng):
        d = 2 * heads
        yield module(label, init=(d, heads), args=(*_qkv(rng, batch, t_q, t_k, d), mask), rng=rng)
    yield module("mask by name", init=(4, 2), args=_qkv(rng, 2, 3, 4, 4), kwargs={"mask": padding([4, 1], 4)}, rng=rng)
    yield module("mask=None", init=(4, 2), args=(*_qkv(rng, 2, 3, 4, 4), None), rng=rng)
    yield module("one key is left", init=(4, 2), args=(*_qkv(rng, 2, 3, 4, 4), padding([1, 1], 4)), rng=rng)


def _judge_poison(case, value):
    """Only the weights are looked at: 0 times NaN is NaN in the context, unless the values are clean."""
    weights = array(value[1])
    mask = np.broadcast_to(array(case.args[3]), weights.shape)
    if np.isnan(weights).any() or np.any(weights[~mask] != 0):
        return "NaN or infinity under the mask shows in the weights: they should be 0 there and unharmed elsewhere."
    if far(weights.sum(-1), np.ones(weights.shape[:-1])):
        return "The weights of a query should sum to 1 over the keys that are allowed."
    return None


@attention.aspect("masks are exact", points=1)
def _(rng):
    query, key, value = _qkv(rng, 2, 3, 4, 4)
    mask = padding([1, 2], 4)
    yield (
        module("scores of about 1e10", init=(4, 2), args=(query * 1e5, key * 1e5, value, mask), rng=rng)
        .because("a finite fill is beaten by scores that are far enough below zero")
        .magnitude(1.0)
        .tolerance(1e-4)
    )
    only_one = torch.eye(4, dtype=torch.bool)[None, None, [1, 0, 3]]
    large = tuple(x.float() for x in (query * 1e13, key * 1e13, value))
    yield (
        module("one key allowed, float32", init=(4, 2), args=(*large, only_one), rng=rng, dtype="float32")
        .magnitude(1.0)
        .because("the only key that is allowed takes all the weight")
    )
    half = tuple(x.half() for x in (query * 60, key * 60, value))
    yield module("one key allowed, float16", init=(4, 2), args=(*half, only_one), rng=rng, dtype="float16").magnitude(
        1.0
    )
    poisoned = key.clone()
    poisoned[0, 1:], poisoned[1, 2], poisoned[1, 3] = math.nan, math.inf, -math.inf
    yield module(
        "NaN and infinity in masked keys", init=(4, 2), args=(query, poisoned, value, mask), rng=rng
    ).judged_by(_judge_poison)


@attention.aspect("queries with nothing to attend to", points=1)
def _(rng):
    mask = allowed(rng, 2, 1, 3, 4)
    mask[0, 0, 1] = False
    yield module("one empty row", init=(6, 2), args=(*_qkv(rng, 2, 3, 4, 6), mask), rng=rng).because(
        "its weights and its context are 0, so its output is the bias of w_o"
    )
    yield module(
        "a sentence of padding only", init=(6, 3), args=(*_qkv(rng, 3, 2, 4, 6), padding([4, 0, 2], 4)), rng=rng
    )
    nothing = torch.zeros(1, 1, 1, 4, dtype=torch.bool)
    yield module("nothing is allowed at all", init=(6, 3), args=(*_qkv(rng, 1, 2, 4, 6), nothing), rng=rng)
    yield module(
        "gradients with an empty sentence", init=(6, 3), args=(*_qkv(rng, 3, 2, 4, 6), padding([4, 0, 2], 4)), rng=rng
    ).gradients()
    single = tuple(x.float() for x in _qkv(rng, 2, 3, 4, 6))
    yield module(
        "gradients with an empty row, float32", init=(6, 2), args=(*single, mask), rng=rng, dtype="float32"
    ).gradients()


@attention.aspect("dtype", points=1)
def _(rng):
    yield module("float32", init=(6, 2), args=_qkv(rng, 2, 3, 4, 6, torch.float32), rng=rng, dtype="float32")
    yield module(
        "float32 with a mask",
        init=(6, 2),
        args=(*_qkv(rng, 2, 3, 4, 6, torch.float32), padding([2, 3], 4)),
        rng=rng,
        dtype="float32",
    )
    yield module(
        "float16 with a mask",
        init=(6, 2),
        args=(*_qkv(rng, 2, 3, 4, 6, torch.float16), padding([2, 3], 4)),
        rng=rng,
        dtype="float16",
    ).tolerance(3e-2)
    yield module(
        "float16, an empty row",
        init=(6, 2),
        args=(*_qkv(rng, 2, 3, 4, 6, torch.float16), padding([2, 0], 4)),
        rng=rng,
        dtype="float16",
    ).tolerance(3e-2)


@attention.aspect("gradients", points=1)
def _(rng):
    yield module("gradients", init=(6, 2), args=_qkv(rng, 2, 3, 4, 6), rng=rng).gradients()
    yield module(
        "gradients with padding", init=(6, 3), args=(*_qkv(rng, 2, 3, 4, 6), padding([2, 4], 4)), rng=rng
    ).gradients()
    yield module(
        "gradients with a causal mask, float32",
        init=(4, 2),
        args=(*_qkv(rng, 2, 3, 3, 4, torch.float32), causal(3)),
        rng=rng,
        dtype="float32",
    ).gradients()


def _judge_attention_dropout(case, value):
    (before, weights), (first, dropped), (second, _), (after, _) = (
        tuple(array(part) for part in value[i]) for i in (1, 3, 4, 6)
    )
    if far(before, after):
        return "In eval mode the output is not the same before and after training mode: nothing may be dropped there."
    if not far(first, second, 1e-6):
        return "In training mode, with dropout 0.5, two calls on the same input should differ; yours do not."
    if far(dropped, weights):
        return "The weights that are returned should be those before dropout; in training mode yours are others."
    draws = np.concatenate([first, second])
    error = np.abs(draws.mean(0) - before[0])
    if np.any(error > 7 * draws.std(0) / len(draws) ** 0.5 + 1e-6):
        return "Averaged over many draws, dropout should change nothing: what is kept is scaled up by 1 / (1 - p)."
    return None


@attention.aspect("dropout", points=1)
def _(rng):
    yield module("dropout 0.5 in eval mode", init=(6, 2, 0.5), args=_qkv(rng, 2, 3, 4, 6), rng=rng)
    query, key, value = (x.expand(500, -1, -1).contiguous() for x in _qkv(rng, 1, 2, 4, 4))
    yield module(
        "dropout 0.5, eval and training mode",
        init=(4, 2),
        init_kwargs={"dropout": 0.5},
        calls=modes((query, key, value, None)),
        rng=rng,
    ).judged_by(_judge_attention_dropout)


@attention.aspect("sizes that do not fit", points=1)
def _(rng):
    yield module("10 features, 3 heads", init=(10, 3), calls=[]).raises(ValueError)
    yield module("4 features, 8 heads", init=(4, 8), calls=[]).raises(ValueError)
    yield module("9 features, 2 heads", init=(), init_kwargs={"d_model": 9, "n_heads": 2}, calls=[]).raises(ValueError)
    yield module("12 features, 3 heads", init=(12, 3), args=_qkv(rng, 1, 2, 3, 12), rng=rng)
    yield module("10 features, 5 heads", init=(10, 5), args=_qkv(rng, 1, 2, 3, 10), rng=rng)


@attention.property
def _(case, value):
    if case.request["many"]:
        return None
    mask = case.args[3] if len(case.args) > 3 else case.kwargs.get("mask")
    weights = array(value[1])
    if mask is not None and np.any(weights[~np.broadcast_to(array(mask), weights.shape)] != 0):
        return "A weight at a forbidden key is not exactly 0."
    return None


class Attention(nn.Module):
    """A right multi-head attention in pieces, for the mistakes to change one of them."""

    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        self.check(d_model, n_heads)
        self.d_model, self.n_heads = d_model, n_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def check(self, d_model, n_heads):
        if d_model % n_heads:
            raise ValueError("n_heads must divide d_model")

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.n_heads, x.shape[2] // self.n_heads).transpose(1, 2)

    def merge(self, x):
        return x.transpose(1, 2).flatten(2)

    def project(self, query, key, value):
        return self.w_q(query), self.w_k(key), self.w_v(value)

    def scale(self, scores):
        return scores / (self.d_model // self.n_heads) ** 0.5

    def weigh(self, scores, mask):
        if mask is None:
            return scores.softmax(-1)
        return scores.masked_fill(~mask, -torch.inf).softmax(-1).masked_fill(~mask, 0.0)

    def drop(self, weights):
        return self.dropout(weights)

    def leave(self, context):
        return self.w_o(context)

    def forward(self, query, key, value, mask=None):
        q, k, v = map(self.split, self.project(query, key, value))
        weights = self.weigh(self.scale(q @ k.transpose(-2, -1)), mask)
        return self.leave(self.merge(self.drop(weights) @ v)), weights


@attention.misconception(
    "the scores are divided by the root of d_model",
    hint="Each head compares vectors of d_h = d_model / n_heads features, so the scale is 1 / sqrt(d_h), "
    "not 1 / sqrt(d_model).",
)
class _(Attention):
    def scale(self, scores):
        return scores / self.d_model**0.5


@attention.misconception("the scores are not scaled", hint="Divide the scores by sqrt(d_h) before the softmax.")
class _(Attention):
    def scale(self, scores):
        return scores


@attention.misconception("the scores are divided by d_h", hint="Divide by the square root of d_h, not by d_h.")
class _(Attention):
    def scale(self, scores):
        return scores * self.n_heads / self.d_model


@attention.misconception(
    "the scores are divided by the root of n_heads",
    hint="The scale is the root of d_h, the features of one head, not of the number of heads.",
)
class _(Attention):
    def scale(self, scores):
        return scores / self.n_heads**0.5


@attention.misconception(
    "heads are split without a transpose",
    hint="`view(B, H, T, d_h)` cuts the sentence into H pieces. Go to (B, T, H, d_h) first, then transpose "
    "the middle axes.",
)
class _(Attention):
    def split(self, x):
        return x.reshape(x.shape[0], self.n_heads, x.shape[1], -1)


@attention.misconception(
    "heads are split and merged without a transpose",
    hint="Without the transposes each head gets a piece of the sentence instead of a piece of the "
    "features. With one head you cannot see it.",
)
class _(Attention):
    def split(self, x):
        return x.reshape(x.shape[0], self.n_heads, x.shape[1], -1)

    def merge(self, x):
        return x.reshape(x.shape[0], x.shape[2], -1)


@attention.misconception(
    "heads are merged without a transpose",
    hint="Transpose (B, H, T, d_h) to (B, T, H, d_h) before you flatten; a plain reshape mixes heads and tokens.",
)
class _(Attention):
    def merge(self, x):
        return x.reshape(x.shape[0], x.shape[2], -1)


@attention.misconception(
    "each head takes every H-th feature",
    hint="Head h is features h d_h to (h + 1) d_h - 1, a block in a row: split the last axis as (H, d_h), "
    "not as (d_h, H).",
)
class _(Attention):
    def split(self, x):
        return x.unflatten(-1, (-1, self.n_heads)).permute(0, 3, 1, 2)

    def merge(self, x):
        return x.permute(0, 2, 3, 1).flatten(2)


@attention.misconception("the mask is inverted", hint="True means: may be attended to. Fill where the mask is False.")
class _(Attention):
    def weigh(self, scores, mask):
        return super().weigh(scores, None if mask is None else ~mask)


@attention.misconception("the mask is ignored", hint="`mask` is not used: fill the scores with -inf where it is False.")
class _(Attention):
    def weigh(self, scores, mask):
        return scores.softmax(-1)


@attention.misconception(
    "the mask is applied after the softmax",
    hint="What is taken away after normalizing is missing from the sum. Mask the scores, then take the softmax.",
)
class _(Attention):
    def weigh(self, scores, mask):
        return scores.softmax(-1) if mask is None else scores.softmax(-1).masked_fill(~mask, 0.0)


@attention.misconception(
    "the mask gets another axis",
    hint="The mask broadcasts against (B, H, T_q, T_k) as it is. Do not unsqueeze it again.",
)
class _(Attention):
    def weigh(self, scores, mask):
        if mask is not None and mask.dim() == 3:
            mask = mask[:, None]
        return super().weigh(scores, mask)


@attention.misconception(
    "the mask forbids queries instead of keys",
    hint="Your padding mask lies on the rows. It belongs to the keys, the last axis: (B, 1, 1, T_k) "
    "broadcasts by itself.",
)
class _(Attention):
    def weigh(self, scores, mask):
        return super().weigh(
            scores, None if mask is None else mask.transpose(-2, -1) if mask.dim() > 1 else mask[:, None]
        )


@attention.misconception(
    "forbidden scores are filled with -1e9",
    hint="A finite fill is beaten by scores below it, and float16 cannot even hold it. Fill with -inf.",
)
class _(Attention):
    def weigh(self, scores, mask):
        return scores.softmax(-1) if mask is None else scores.masked_fill(~mask, -1e9).softmax(-1)


@attention.misconception(
    "forbidden scores are filled with the smallest float",
    hint="A query with nothing to attend to gets uniform weights from a finite fill. They should be 0: set "
    "masked weights to 0 after the softmax.",
)
class _(Attention):
    def weigh(self, scores, mask):
        return (
            scores.softmax(-1) if mask is None else scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        )


@attention.misconception(
    "NaN where nothing may be attended to",
    hint="A softmax over only -inf is NaN. Set the masked weights to 0 after the softmax: masked_fill(~mask, 0.0).",
)
class _(Attention):
    def weigh(self, scores, mask):
        return scores.softmax(-1) if mask is None else scores.masked_fill(~mask, -torch.inf).softmax(-1)


@attention.misconception(
    "the mask is added as minus infinity",
    hint="NaN or inf plus -inf is NaN. Replace what stands under the mask (masked_fill, torch.where), do "
    "not add to it.",
)
class _(Attention):
    def weigh(self, scores, mask):
        if mask is None:
            return scores.softmax(-1)
        added = torch.zeros_like(mask, dtype=scores.dtype).masked_fill(~mask, -torch.inf)
        return (scores + added).softmax(-1).masked_fill(~mask, 0.0)


@attention.misconception(
    "weights are averaged over the heads",
    hint="Return the weights of every head, (B, H, T_q, T_k). Averaging them hides what the heads do.",
)
class _(Attention):
    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output, weights.mean(1)


@attention.misconception(
    "the weights after dropout are returned",
    hint="Return the weights from before the dropout; use the dropped ones only for the context.",
)
class _(Attention):
    def weigh(self, scores, mask):
        return self.dropout(super().weigh(scores, mask))

    def drop(self, weights):
        return weights


@attention.misconception(
    "drops in eval mode too",
    hint="F.dropout drops always unless you pass training=self.training. nn.Dropout knows the mode by itself.",
)
class _(Attention):
    def drop(self, weights):
        return F.dropout(weights, self.dropout.p)


@attention.misconception(
    "nothing is dropped", hint="In training mode the weights go through dropout before they meet the values."
)
class _(Attention):
    def drop(self, weights):
        return weights


@attention.misconception(
    "what dropout keeps is not scaled up",
    hint="Divide what is kept by 1 - p, as nn.Dropout does, so that the average stays the same.",
)
class _(Attention):
    def drop(self, weights):
        return self.dropout(weights) * (1 - self.dropout.p if self.training else 1)


@attention.misconception(
    "the softmax runs over the queries", hint="Each query's weights sum to 1 over its keys: softmax over the last axis."
)
class _(Attention):
    def weigh(self, scores, mask):
        if mask is None:
            return scores.softmax(-2)
        return scores.masked_fill(~mask, -torch.inf).softmax(-2).masked_fill(~mask, 0.0)


@attention.misconception(
    "the softmax runs over the heads", hint="The heads are independent: softmax over the last axis, the keys."
)
class _(Attention):
    def weigh(self, scores, mask):
        if mask is None:
            return scores.softmax(1)
        return scores.masked_fill(~mask, -torch.inf).softmax(1).masked_fill(~mask, 0.0)


@attention.misconception(
    "the keys are used as values", hint="`value` is projected by w_v and weighted; the keys only score."
)
class _(Attention):
    def project(self, query, key, value):
        return self.w_q(query), self.w_k(key), self.w_v(key)


@attention.misconception(
    "keys and values are swapped", hint="The order is forward(query, key, value): w_k reads key, w_v reads value."
)
class _(Attention):
    def project(self, query, key, value):
        return self.w_q(query), self.w_k(value), self.w_v(key)


@attention.misconception(
    "only self-attention",
    hint="Keys and values come from `key` and `value`, which may be another sentence than `query`.",
)
class _(Attention):
    def project(self, query, key, value):
        return self.w_q(query), self.w_k(query), self.w_v(query)


@attention.misconception("the last projection is missing", hint="Send the merged context through w_o.")
class _(Attention):
    def leave(self, context):
        return context


@attention.misconception(
    "the weights are cut out of the graph",
    hint="The weights need their gradient: no detach, .data or NumPy on the way to the context.",
)
class _(Attention):
    def drop(self, weights):
        return self.dropout(weights).detach()


@attention.misconception(
    "computes in float32 whatever comes in",
    hint="The output has the dtype of the input: no .float(), no float32 constants.",
)
class _(Attention):
    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output.float(), weights.float()


@attention.misconception(
    "sizes that do not fit are accepted", hint="Raise ValueError in __init__ if n_heads does not divide d_model."
)
class _(Attention):
    def check(self, d_model, n_heads):
        pass

    def split(self, x):
        size = x.shape[2] // self.n_heads
        return x[..., : self.n_heads * size].unflatten(-1, (self.n_heads, size)).transpose(1, 2)


@attention.misconception(
    "sizes that do not fit raise AssertionError",
    hint="An assert is for your own mistakes. For a caller's, raise ValueError with a message.",
)
class _(Attention):
    def check(self, d_model, n_heads):
        assert d_model % n_heads == 0


@attention.misconception("the projections have no bias", hint="w_q, w_k, w_v and w_o are nn.Linear with their biases.")
class _(Attention):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__(d_model, n_heads, dropout)
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))


# --- PositionwiseFeedForward -----------------------------------------------------------------------------------------


@feed_forward.reference
class _(nn.Module):
    """From the definition, with the parameters' own numbers."""

    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x):
        hidden = torch.einsum("btd,fd->btf", x, self.linear1.weight) + self.linear1.bias
        hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden))
        return torch.einsum("btf,df->btd", hidden, self.linear2.weight) + self.linear2.bias


feed_forward.hints = (
    "Two nn.Linear: d_model to d_ff, and back. What stands between them?",
    "ReLU after the first one, and only there. The second one may give negative numbers.",
    "self.linear2(self.dropout(torch.relu(self.linear1(x))))",
)


@feed_forward.aspect("values", points=1)
def _(rng):
    yield module("a batch of sentences", init=(4, 6), args=(draw(rng, 2, 3, 4),), rng=rng)
    yield module("another batch of that shape", init=(4, 6), args=(draw(rng, 2, 3, 4),), rng=rng)
    yield module("every size is 3", init=(3, 3), args=(draw(rng, 3, 3, 3),), rng=rng, scale=1.0)
    yield module("fewer hidden features than features", init=(5, 2), args=(draw(rng, 2, 4, 5),), rng=rng, scale=1.0)
    yield module("one token", init=(4, 16), args=(draw(rng, 1, 1, 4),), rng=rng)
    yield module("large numbers", init=(4, 8), args=(draw(rng, 2, 3, 4, scale=100),), rng=rng)
    yield module("training mode, dropout 0", init=(4, 6), args=(draw(rng, 2, 3, 4),), rng=rng, train=True)
    a, b = draw(rng, 2, 3, 4), draw(rng, 2, 3, 4)
    yield module("three calls in a row", init=(4, 6), calls=[("forward", (x,), {}) for x in (a, b, a)], rng=rng)


@feed_forward.aspect("dtype", points=1)
def _(rng):
    yield module("float32", init=(4, 6), args=(draw(rng, 2, 3, 4, dtype=torch.float32),), rng=rng, dtype="float32")
    yield module(
        "float16", init=(4, 6), args=(draw(rng, 2, 3, 4, dtype=torch.float16),), rng=rng, dtype="float16"
    ).tolerance(3e-2)


@feed_forward.aspect("gradients", points=1)
def _(rng):
    yield module("gradients", init=(4, 6), args=(draw(rng, 2, 3, 4),), rng=rng).gradients()
    yield module(
        "gradients, float32", init=(3, 5), args=(draw(rng, 1, 4, 3, dtype=torch.float32),), rng=rng, dtype="float32"
    ).gradients()


@feed_forward.aspect("dropout", points=1)
def _(rng):
    yield module("dropout 0.5 in eval mode", init=(4, 6, 0.5), args=(draw(rng, 2, 3, 4),), rng=rng)
    yield module(
        "dropout 0.5, eval and training mode",
        init=(4, 40),
        init_kwargs={"dropout": 0.5},
        calls=modes((draw(rng, 3, 5, 4),)),
        rng=rng,
    ).judged_by(judge_dropout)


class Network(nn.Module):
    """A right feed-forward network in pieces."""

    bias = True

    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff, bias=self.bias), nn.Linear(d_ff, d_model, bias=self.bias)
        self.dropout = nn.Dropout(dropout)

    def activate(self, x):
        return torch.relu(x)

    def drop(self, x):
        return self.dropout(x)

    def forward(self, x):
        return self.linear2(self.drop(self.activate(self.linear1(x))))


@feed_forward.misconception("there is no ReLU", hint="Without a ReLU between them, two linear maps are one linear map.")
class _(Network):
    def activate(self, x):
        return x


@feed_forward.misconception(
    "GELU instead of ReLU", hint="The Transformer of 2017 uses ReLU here; GELU came later, with GPT and BERT."
)
class _(Network):
    def activate(self, x):
        return F.gelu(x)


@feed_forward.misconception("tanh instead of ReLU", hint="The activation is max(0, x), torch.relu.")
class _(Network):
    def activate(self, x):
        return torch.tanh(x)


@feed_forward.misconception("leaky ReLU instead of ReLU", hint="Negative numbers become exactly 0.")
class _(Network):
    def activate(self, x):
        return F.leaky_relu(x)


@feed_forward.misconception(
    "the absolute value instead of ReLU", hint="ReLU is max(0, x): negative numbers become 0, they do not change sign."
)
class _(Network):
    def activate(self, x):
        return x.abs()


@feed_forward.misconception("a ReLU at the end too", hint="Nothing follows linear2: the output may be negative.")
class _(Network):
    def forward(self, x):
        return torch.relu(super().forward(x))


@feed_forward.misconception(
    "the ReLU is at the end only", hint="The ReLU stands between the two linear maps, not after them."
)
class _(Network):
    def forward(self, x):
        return torch.relu(self.linear2(self.drop(self.linear1(x))))


@feed_forward.misconception(
    "a ReLU before the first map", hint="x goes into linear1 as it is; the ReLU comes after it."
)
class _(Network):
    def forward(self, x):
        return self.linear2(self.drop(self.linear1(torch.relu(x))))


@feed_forward.misconception(
    "the residual is added here",
    hint="The residual connection belongs to the block. This class returns only the change.",
)
class _(Network):
    def forward(self, x):
        return x + super().forward(x)


@feed_forward.misconception("normalizes here", hint="The norm belongs to the block, not to the feed-forward network.")
class _(Network):
    def forward(self, x):
        return F.layer_norm(super().forward(x), x.shape[-1:])


@feed_forward.misconception("the maps have no bias", hint="linear1 and linear2 are nn.Linear with their biases.")
class _(Network):
    bias = False


@feed_forward.misconception(
    "drops in eval mode too",
    hint="F.dropout drops always unless you pass training=self.training. nn.Dropout knows the mode by itself.",
)
class _(Network):
    def drop(self, x):
        return F.dropout(x, self.dropout.p)


@feed_forward.misconception("nothing is dropped", hint="In training mode the hidden features go through dropout.")
class _(Network):
    def drop(self, x):
        return x


@feed_forward.misconception(
    "the hidden features are cut out of the graph", hint="No detach, .data or NumPy: linear1 would never learn."
)
class _(Network):
    def activate(self, x):
        return torch.relu(x).detach()


@feed_forward.misconception(
    "computes in float32 whatever comes in",
    hint="The output has the dtype of the input: no .float(), no float32 constants.",
)
class _(Network):
    def forward(self, x):
        return super().forward(x).float()


@feed_forward.misconception(
    "the ReLU works in place on the input",
    hint="`F.relu(x, inplace=True)` on the argument changes the caller's tensor.",
)
class _(Network):
    def forward(self, x):
        return self.linear2(self.drop(self.linear1(F.relu(x.detach(), inplace=True))))


# --- blocks ----------------------------------------------------------------------------------------------------------


class OracleNetwork(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x):
        return F.linear(
            F.linear(x, self.linear1.weight, self.linear1.bias).clamp(min=0), self.linear2.weight, self.linear2.bias
        )


@encoder_block.reference
class OracleEncoderBlock(nn.Module):
    """Both orders written out, on the oracle's attention and PyTorch's layer norm."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.self_attention, self.feed_forward = OracleAttention(d_model, n_heads), OracleNetwork(d_model, d_ff)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        if self.norm_first:
            normed = self.norm1(x)
            middle = x + self.self_attention(normed, normed, normed, mask)[0]
            return middle + self.feed_forward(self.norm2(middle))
        middle = self.norm1(x + self.self_attention(x, x, x, mask)[0])
        return self.norm2(middle + self.feed_forward(middle))


@decoder_block.reference
class OracleDecoderBlock(nn.Module):
    """Both orders written out, on the oracle's attention and PyTorch's layer norm."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.self_attention, self.cross_attention = OracleAttention(d_model, n_heads), OracleAttention(d_model, n_heads)
        self.feed_forward = OracleNetwork(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(d_model), nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        if self.norm_first:
            normed = self.norm1(x)
            x = x + self.self_attention(normed, normed, normed, self_mask)[0]
            x = x + self.cross_attention(self.norm2(x), memory, memory, memory_mask)[0]
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attention(x, x, x, self_mask)[0])
        x = self.norm2(x + self.cross_attention(x, memory, memory, memory_mask)[0])
        return self.norm3(x + self.feed_forward(x))


encoder_block.hints = (
    "Write the two lines of the table for one norm_first, see the check accept that half, then write the other.",
    "Attention gets the same tensor three times (query, key, value) and returns two things; the block needs the first.",
    "pre-norm: x = x + attend(self.norm1(x)); return x + think(self.norm2(x)). post-norm: x = self.norm1(x "
    "+ attend(x)); "
    "return self.norm2(x + think(x)). attend(x) is self.dropout(self.self_attention(x, x, x, mask)[0])",
)

decoder_block.hints = (
    "It is the encoder block with one more sub-layer in the middle. Which of query, key and value is the memory?",
    "Cross-attention: self.cross_attention(x, memory, memory, memory_mask)[0]. norm2 belongs to it, norm3 "
    "to the feed-forward network.",
    "pre-norm, line by line: y = self.norm1(x); x = x + self.self_attention(y, y, y, self_mask)[0]; "
    "x = x + self.cross_attention(self.norm2(x), memory, memory, memory_mask)[0]; return x + "
    "self.feed_forward(self.norm3(x)) "
    "(with dropout on each change)",
)


def _encoder_values(rng, norm_first):
    def block(label, batch, length, d, heads, d_ff, mask=None, **options):
        args = (draw(rng, batch, length, d),) if mask is None else (draw(rng, batch, length, d), mask)
        return module(
            label, init=(d, heads, d_ff), init_kwargs={"norm_first": norm_first}, args=args, rng=rng, **options
        )

    yield block("two sentences", 2, 3, 6, 2, 8)
    yield block("another batch of that shape", 2, 3, 6, 2, 8, scale=0.8)
    yield block("every size is 4", 4, 4, 4, 4, 4)
    yield block("a batch of one, one token", 1, 1, 4, 2, 6)
    yield block("padding", 2, 4, 6, 3, 8, padding([4, 2], 4))
    yield block("training mode, dropout 0", 2, 3, 6, 2, 8, train=True)


@encoder_block.aspect("post-norm", points=2)
def _(rng):
    yield from _encoder_values(rng, False)
    yield module("post-norm is the default", init=(4, 2, 6), args=(draw(rng, 2, 3, 4),), rng=rng)
    yield module("dropout and norm_first by position", init=(4, 2, 6, 0.5, False), args=(draw(rng, 2, 3, 4),), rng=rng)


@encoder_block.aspect("pre-norm", points=2)
def _(rng):
    yield from _encoder_values(rng, True)
    yield module("all arguments by position", init=(4, 2, 6, 0.1, True), args=(draw(rng, 2, 3, 4),), rng=rng)
    names = {"d_model": 4, "n_heads": 2, "d_ff": 6, "dropout": 0.0, "norm_first": True}
    yield module("all arguments by name", init_kwargs=names, args=(draw(rng, 2, 3, 4, scale=3),), rng=rng)


def _judge_future(case, value):
    """Two calls; the second one's input differs from the third token on."""
    before, after = returned(value, 0), returned(value, 1)
    if far(before[:, :2], after[:, :2]):
        return "Under a causal mask only later tokens were changed, and the outputs of the first two moved."
    if not far(before[:, 2:], after[:, 2:]):
        return "The later tokens were changed, and their outputs did not move."
    return None


def _judge_padding(case, value):
    """Two calls; the second one has other numbers in the padding, from the third token on."""
    before, after = returned(value, 0), returned(value, 1)
    if far(before[:, :2], after[:, :2]):
        return "What stands in the padding changes the outputs of real tokens. It should not."
    return None


def _judge_longer(case, value):
    """Two calls; the second one has padding added."""
    before, after = returned(value, 0), returned(value, 1)
    return (
        "Padding behind a sentence changes the outputs of its tokens. It should not."
        if far(before, after[:, : before.shape[1]])
        else None
    )


def _judge_shuffled(case, value):
    """Two calls; the tokens of the second are those of the first, rolled by one."""
    before, after = returned(value, 0), returned(value, 1)
    if far(np.roll(before, 1, axis=1), after):
        return "Without a mask a block does not know the order: shuffled tokens should give the same outputs, shuffled."
    return None


@encoder_block.aspect("masks", points=2)
def _(rng):
    for norm_first in (False, True):
        options = {"init": (6, 2, 8), "init_kwargs": {"norm_first": norm_first}, "rng": rng}
        name = "pre-norm" if norm_first else "post-norm"
        mask = allowed(rng, 2, 1, 4, 4)
        mask[1, 0, 2] = False
        yield module(f"causal, {name}", args=(draw(rng, 2, 4, 6), causal(4)), **options)
        yield module(f"one mask for each head, {name}", args=(draw(rng, 2, 4, 6), allowed(rng, 1, 2, 4, 4)), **options)
        yield module(f"an empty row, {name}", args=(draw(rng, 2, 4, 6), mask), **options)
        yield module(
            f"a sentence of padding only, {name}",
            args=(draw(rng, 2, 3, 6),),
            kwargs={"mask": padding([3, 0], 3)},
            **options,
        )
        x, other = draw(rng, 2, 4, 6), draw(rng, 2, 2, 6)
        changed = torch.cat([x[:, :2], other], dim=1)
        calls = [("forward", (x, causal(4)), {}), ("forward", (changed, causal(4)), {})]
        yield module(f"the future is changed, {name}", calls=calls, **options).judged_by(_judge_future)
        two = padding([2, 2], 4)
        calls = [("forward", (x, two), {}), ("forward", (changed, two), {})]
        yield module(f"the padding is changed, {name}", calls=calls, **options).judged_by(_judge_padding)
        calls = [("forward", (x[:, :2].contiguous(),), {}), ("forward", (x, two), {})]
        yield module(f"padding is added, {name}", calls=calls, **options).judged_by(_judge_longer)
        calls = [("forward", (x,), {}), ("forward", (x.roll(1, 1),), {})]
        yield module(f"the tokens are shuffled, {name}", calls=calls, **options).judged_by(_judge_shuffled)


@encoder_block.aspect("dtype", points=1)
def _(rng):
    for norm_first in (False, True):
        single = draw(rng, 2, 3, 6, dtype=torch.float32)
        options = {"init": (6, 2, 8), "init_kwargs": {"norm_first": norm_first}, "rng": rng}
        yield module("float32", args=(single, padding([3, 2], 3)), dtype="float32", **options)
    half = draw(rng, 2, 3, 4, dtype=torch.float16)
    yield module("float16", init=(4, 2, 6), args=(half, causal(3)), rng=rng, dtype="float16", scale=0.3).tolerance(5e-2)


@encoder_block.aspect("gradients", points=1)
def _(rng):
    for norm_first in (False, True):
        options = {"init": (4, 2, 6), "init_kwargs": {"norm_first": norm_first}, "rng": rng}
        yield module("gradients", args=(draw(rng, 2, 3, 4), padding([3, 2], 3)), **options).gradients()
        yield module(
            "gradients with an empty sentence", args=(draw(rng, 2, 3, 4), padding([3, 0], 3)), **options
        ).gradients()
        single = draw(rng, 2, 3, 4, dtype=torch.float32)
        yield module("gradients, float32", args=(single, causal(3)), dtype="float32", **options).gradients()


@encoder_block.aspect("dropout", points=1)
def _(rng):
    for norm_first in (False, True):
        kwargs = {"dropout": 0.5, "norm_first": norm_first}
        yield module(
            "dropout 0.5 in eval mode", init=(4, 2, 6), init_kwargs=kwargs, args=(draw(rng, 2, 3, 4),), rng=rng
        )
        yield module(
            "dropout 0.5, eval and training mode",
            init=(6, 2, 20),
            init_kwargs=kwargs,
            calls=modes((draw(rng, 3, 5, 6),)),
            rng=rng,
        ).judged_by(judge_dropout)


class Block(nn.Module):
    """A right encoder block in pieces, for the mistakes to change one of them."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.self_attention, self.feed_forward = Attention(d_model, n_heads, dropout), Network(d_model, d_ff, dropout)
        self.norm1, self.norm2 = Norm(d_model), Norm(d_model)
        self.dropout, self.norm_first = nn.Dropout(dropout), norm_first

    def attend(self, x, mask):
        return self.dropout(self.self_attention(x, x, x, mask)[0])

    def think(self, x):
        return self.dropout(self.feed_forward(x))

    def pre(self, x, mask):
        x = x + self.attend(self.norm1(x), mask)
        return x + self.think(self.norm2(x))

    def post(self, x, mask):
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(x + self.think(x))

    def forward(self, x, mask=None):
        return (self.pre if self.norm_first else self.post)(x, mask)


@encoder_block.misconception(
    "norm_first is ignored: always post-norm",
    hint="With norm_first=True the norm goes before each sub-layer, on the input of attention and feed-forward.",
)
class _(Block):
    def forward(self, x, mask=None):
        return self.post(x, mask)


@encoder_block.misconception(
    "norm_first is ignored: always pre-norm",
    hint="With norm_first=False the norm goes after the addition: norm(x + sublayer(x)).",
)
class _(Block):
    def forward(self, x, mask=None):
        return self.pre(x, mask)


@encoder_block.misconception(
    "norm_first is the wrong way round", hint="norm_first=True is pre-norm, x + sublayer(norm(x))."
)
class _(Block):
    def forward(self, x, mask=None):
        return (self.post if self.norm_first else self.pre)(x, mask)


@encoder_block.misconception("no residual around attention", hint="Attention computes a change. Add it to x.")
class _(Block):
    def pre(self, x, mask):
        x = self.attend(self.norm1(x), mask)
        return x + self.think(self.norm2(x))

    def post(self, x, mask):
        x = self.norm1(self.attend(x, mask))
        return self.norm2(x + self.think(x))


@encoder_block.misconception(
    "no residual around the feed-forward network", hint="The feed-forward network computes a change. Add it to x."
)
class _(Block):
    def pre(self, x, mask):
        x = x + self.attend(self.norm1(x), mask)
        return self.think(self.norm2(x))

    def post(self, x, mask):
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(self.think(x))


@encoder_block.misconception("no residual at all", hint="Both sub-layers compute changes. Add each to what was there.")
class _(Block):
    def pre(self, x, mask):
        return self.think(self.norm2(self.attend(self.norm1(x), mask)))

    def post(self, x, mask):
        return self.norm2(self.think(self.norm1(self.attend(x, mask))))


@encoder_block.misconception(
    "the two norms are swapped", hint="norm1 belongs to the attention, norm2 to the feed-forward network."
)
class _(Block):
    def forward(self, x, mask=None):
        first, second = self.norm1, self.norm2
        if self.norm_first:
            x = x + self.attend(second(x), mask)
            return x + self.think(first(x))
        x = second(x + self.attend(x, mask))
        return first(x + self.think(x))


@encoder_block.misconception(
    "one norm does both jobs", hint="Each sub-layer has its own norm: norm2 for the feed-forward network."
)
class _(Block):
    def pre(self, x, mask):
        x = x + self.attend(self.norm1(x), mask)
        return x + self.think(self.norm1(x))

    def post(self, x, mask):
        x = self.norm1(x + self.attend(x, mask))
        return self.norm1(x + self.think(x))


@encoder_block.misconception(
    "the norm is on the change",
    hint="Neither order is x + norm(sublayer(x)): normalize the input of the sub-layer, or the sum.",
)
class _(Block):
    def pre(self, x, mask):
        x = x + self.norm1(self.attend(x, mask))
        return x + self.norm2(self.think(x))

    def post(self, x, mask):
        x = x + self.norm1(self.attend(x, mask))
        return x + self.norm2(self.think(x))


@encoder_block.misconception(
    "pre-norm adds to the normalized x",
    hint="The residual path carries x itself: x + sublayer(norm(x)), not norm(x) + sublayer(norm(x)).",
)
class _(Block):
    def pre(self, x, mask):
        x = self.norm1(x)
        x = self.norm2(x + self.attend(x, mask))
        return x + self.think(x)


@encoder_block.misconception(
    "a last norm is added to the pre-norm block",
    hint="A pre-norm block ends with an addition. The one norm after the last block belongs to the model.",
)
class _(Block):
    def pre(self, x, mask):
        return F.layer_norm(super().pre(x, mask), x.shape[-1:])


@encoder_block.misconception(
    "pre-norm normalizes the query only", hint="Query, key and value of self-attention are the same tensor, norm1(x)."
)
class _(Block):
    def pre(self, x, mask):
        x = x + self.dropout(self.self_attention(self.norm1(x), x, x, mask)[0])
        return x + self.think(self.norm2(x))


@encoder_block.misconception(
    "the feed-forward network reads the block's input",
    hint="The feed-forward network comes after the attention and reads its result, not the block's input.",
)
class _(Block):
    def pre(self, x, mask):
        return x + self.attend(self.norm1(x), mask) + self.think(self.norm2(x))

    def post(self, x, mask):
        return self.norm2(self.norm1(x + self.attend(x, mask)) + self.think(x))


@encoder_block.misconception(
    "the feed-forward network comes first", hint="First attention with norm1, then the feed-forward network with norm2."
)
class _(Block):
    def pre(self, x, mask):
        x = x + self.think(self.norm2(x))
        return x + self.attend(self.norm1(x), mask)

    def post(self, x, mask):
        x = self.norm2(x + self.think(x))
        return self.norm1(x + self.attend(x, mask))


@encoder_block.misconception(
    "the second residual reaches back to the input",
    hint="The second addition adds to the result of the first one, not to the block's input.",
)
class _(Block):
    def pre(self, x, mask):
        return x + self.think(self.norm2(x + self.attend(self.norm1(x), mask)))

    def post(self, x, mask):
        return self.norm2(x + self.think(self.norm1(x + self.attend(x, mask))))


@encoder_block.misconception("the mask is not passed on", hint="Give `mask` to self_attention.")
class _(Block):
    def attend(self, x, mask):
        return super().attend(x, None)


@encoder_block.misconception("the mask is inverted", hint="Pass the mask on as it is: True means may be attended to.")
class _(Block):
    def attend(self, x, mask):
        return super().attend(x, None if mask is None else ~mask)


@encoder_block.misconception(
    "the block is always causal", hint="An encoder block has no mask of its own: every token may see every other."
)
class _(Block):
    def attend(self, x, mask):
        past = causal(x.shape[1])
        return super().attend(x, past if mask is None else past & mask)


@encoder_block.misconception(
    "drops in eval mode too",
    hint="F.dropout drops always unless you pass training=self.training. nn.Dropout knows the mode by itself.",
)
class _(Block):
    def think(self, x):
        return F.dropout(self.feed_forward(x), self.dropout.p)


@encoder_block.misconception("dropout is not used", hint="Pass `dropout` on, and drop from what each sub-layer adds.")
class _(Block):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, n_heads, d_ff, 0.0, norm_first)


@encoder_block.misconception(
    "attention is cut out of the graph", hint="No detach, .data or NumPy: the attention would never learn."
)
class _(Block):
    def attend(self, x, mask):
        return super().attend(x, mask).detach()


@encoder_block.misconception("the block returns the weights too", hint="A block returns one tensor, (B, T, d_model).")
class _(Block):
    def forward(self, x, mask=None):
        return super().forward(x, mask), self.self_attention(x, x, x, mask)[1]


@encoder_block.misconception(
    "computes in float32 whatever comes in",
    hint="The output has the dtype of the input: no .float(), no float32 constants.",
)
class _(Block):
    def forward(self, x, mask=None):
        return super().forward(x, mask).float()


@encoder_block.misconception(
    "adds to its input in place", hint="`x += ...` changes the caller's tensor. Write x = x + ..."
)
class _(Block):
    def forward(self, x, mask=None):
        result = super().forward(x, mask)
        with torch.no_grad():
            x += self.attend(x, mask)
        return result


def _decoder_values(rng, norm_first):
    def block(label, batch, t, s, d, heads, d_ff, *masks, **options):
        args = (draw(rng, batch, t, d), draw(rng, batch, s, d), *masks)
        return module(
            label, init=(d, heads, d_ff), init_kwargs={"norm_first": norm_first}, args=args, rng=rng, **options
        )

    yield block("three tokens, five of memory", 2, 3, 5, 6, 2, 8)
    yield block("another batch of that shape", 2, 3, 5, 6, 2, 8, scale=0.8)
    yield block("more tokens than memory", 2, 5, 2, 6, 3, 8)
    yield block("every size is 4", 4, 4, 4, 4, 4, 4)
    yield block("a batch of one, one token", 1, 1, 3, 4, 2, 6)
    yield block("causal, and padding in the memory", 2, 4, 3, 6, 3, 8, causal(4), padding([3, 1], 3))
    yield block("training mode, dropout 0", 2, 3, 4, 6, 2, 8, train=True)


@decoder_block.aspect("post-norm", points=2)
def _(rng):
    yield from _decoder_values(rng, False)
    pair = draw(rng, 2, 3, 4), draw(rng, 2, 2, 4)
    yield module("post-norm is the default", init=(4, 2, 6), args=pair, rng=rng)
    yield module("dropout and norm_first by position", init=(4, 2, 6, 0.5, False), args=pair, rng=rng)


@decoder_block.aspect("pre-norm", points=2)
def _(rng):
    yield from _decoder_values(rng, True)
    yield module(
        "all arguments by position", init=(4, 2, 6, 0.1, True), args=(draw(rng, 2, 3, 4), draw(rng, 2, 2, 4)), rng=rng
    )
    names = {"d_model": 4, "n_heads": 2, "d_ff": 6, "dropout": 0.0, "norm_first": True}
    memory = {"x": draw(rng, 2, 3, 4, scale=3), "memory": draw(rng, 2, 2, 4, scale=3)}
    yield module("all arguments by name", init_kwargs=names, kwargs=memory, rng=rng)


@decoder_block.aspect("masks", points=2)
def _(rng):
    for norm_first in (False, True):
        options = {"init": (6, 2, 8), "init_kwargs": {"norm_first": norm_first}, "rng": rng}
        name = "pre-norm" if norm_first else "post-norm"
        x, memory = draw(rng, 2, 4, 6), draw(rng, 2, 4, 6)
        yield module(f"no mask of its own, {name}", args=(x, memory, None, None), **options)
        yield module(
            f"two masks of one shape, {name}",
            args=(x, memory, allowed(rng, 2, 1, 4, 4), allowed(rng, 2, 1, 4, 4)),
            **options,
        )
        yield module(f"only the self mask, {name}", args=(x, memory), kwargs={"self_mask": causal(4)}, **options)
        yield module(
            f"only the memory mask, {name}", args=(x, memory), kwargs={"memory_mask": padding([2, 3], 4)}, **options
        )
        short = draw(rng, 2, 3, 6)
        yield module(
            f"masks of other shapes, {name}", args=(x, short, allowed(rng, 1, 2, 4, 4), allowed(rng, 4, 3)), **options
        )
        empty = allowed(rng, 2, 1, 4, 4)
        empty[0, 0, 3] = False
        yield module(f"empty rows, {name}", args=(x, short, empty, padding([0, 2], 3)), **options)
        changed = torch.cat([x[:, :2], draw(rng, 2, 2, 6)], dim=1)
        calls = [("forward", (tokens, memory, causal(4)), {}) for tokens in (x, changed)]
        yield module(f"the future is changed, {name}", calls=calls, **options).judged_by(_judge_future)
        other = torch.cat([memory[:, :2], draw(rng, 2, 2, 6)], dim=1)
        calls = [("forward", (x[:, :2].contiguous(), m, None, padding([2, 2], 4)), {}) for m in (memory, other)]
        yield module(f"the memory's padding is changed, {name}", calls=calls, **options).judged_by(_judge_padding)
        calls = [
            ("forward", (x, memory[:, :2].contiguous()), {}),
            ("forward", (x, memory, None, padding([2, 2], 4)), {}),
        ]
        yield module(f"padding is added to the memory, {name}", calls=calls, **options).judged_by(_judge_longer)
        calls = [("forward", (x, memory, causal(4)), {}), ("forward", (x.roll(1, 0), memory.roll(1, 0), causal(4)), {})]
        yield module(f"the sentences are swapped, {name}", calls=calls, **options)


@decoder_block.aspect("dtype", points=1)
def _(rng):
    for norm_first in (False, True):
        options = {"init": (6, 2, 8), "init_kwargs": {"norm_first": norm_first}, "rng": rng}
        args = (
            draw(rng, 2, 3, 6, dtype=torch.float32),
            draw(rng, 2, 4, 6, dtype=torch.float32),
            causal(3),
            padding([4, 2], 4),
        )
        yield module("float32", args=args, dtype="float32", **options)
    args = (draw(rng, 2, 3, 4, dtype=torch.float16), draw(rng, 2, 2, 4, dtype=torch.float16), causal(3))
    yield module("float16", init=(4, 2, 6), args=args, rng=rng, dtype="float16", scale=0.3).tolerance(5e-2)


@decoder_block.aspect("gradients", points=1)
def _(rng):
    for norm_first in (False, True):
        options = {"init": (4, 2, 6), "init_kwargs": {"norm_first": norm_first}, "rng": rng}
        x, memory = draw(rng, 2, 3, 4), draw(rng, 2, 4, 4)
        yield module("gradients", args=(x, memory, causal(3), padding([4, 2], 4)), **options).gradients()
        yield module(
            "gradients with an empty memory", args=(x, memory, causal(3), padding([4, 0], 4)), **options
        ).gradients()
        yield module(
            "gradients, float32", args=(x.float(), memory.float(), causal(3)), dtype="float32", **options
        ).gradients()


@decoder_block.aspect("dropout", points=1)
def _(rng):
    for norm_first in (False, True):
        kwargs = {"dropout": 0.5, "norm_first": norm_first}
        args = (draw(rng, 3, 5, 6), draw(rng, 3, 4, 6))
        yield module("dropout 0.5 in eval mode", init=(6, 2, 8), init_kwargs=kwargs, args=args, rng=rng)
        yield module(
            "dropout 0.5, eval and training mode", init=(6, 2, 20), init_kwargs=kwargs, calls=modes(args), rng=rng
        ).judged_by(judge_dropout)


class DecoderPieces(nn.Module):
    """A right decoder block in pieces, for the mistakes to change one of them."""

    order = "self cross think"
    norms = "norm1 norm2 norm3"

    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.self_attention, self.cross_attention = (
            Attention(d_model, n_heads, dropout),
            Attention(d_model, n_heads, dropout),
        )
        self.feed_forward = Network(d_model, d_ff, dropout)
        self.norm1, self.norm2, self.norm3 = Norm(d_model), Norm(d_model), Norm(d_model)
        self.dropout, self.norm_first = nn.Dropout(dropout), norm_first

    def self_(self, x, memory, self_mask, memory_mask):
        return self.self_attention(x, x, x, self_mask)[0]

    def cross(self, x, memory, self_mask, memory_mask):
        return self.cross_attention(x, memory, memory, memory_mask)[0]

    def think(self, x, memory, self_mask, memory_mask):
        return self.feed_forward(x)

    def around(self, name, norm, sublayer, x):
        """One sub-layer with its residual connection and its norm."""
        if self.norm_first:
            return x + self.dropout(sublayer(norm(x)))
        return norm(x + self.dropout(sublayer(x)))

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        parts = {"self": self.self_, "cross": self.cross, "think": self.think}
        for name, norm in zip(self.order.split(), self.norms.split()):
            x = self.around(
                name, getattr(self, norm), lambda y, part=parts[name]: part(y, memory, self_mask, memory_mask), x
            )
        return x


@decoder_block.misconception(
    "query and memory are swapped", hint="The decoder's tokens ask (query), the memory answers (key and value)."
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        mask = memory_mask
        if mask is not None and mask.shape[-1] != x.shape[1] and mask.shape[-1] != 1:
            mask = None
        changed = self.cross_attention(memory, x, x, mask)[0]
        length = min(x.shape[1], changed.shape[1])
        return torch.cat([changed[:, :length], torch.zeros_like(x[:, length:])], dim=1)


@decoder_block.misconception(
    "the values of cross-attention are the decoder's own",
    hint="Keys and values are both the memory: cross_attention(x, memory, memory, memory_mask).",
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        size = memory.shape[1]
        values = torch.cat([x, x.new_zeros(x.shape[0], max(size - x.shape[1], 0), x.shape[2])], dim=1)[:, :size]
        return self.cross_attention(x, memory, values, memory_mask)[0]


@decoder_block.misconception(
    "cross-attention ignores the memory", hint="The keys and values of cross_attention are the memory, not x."
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        return self.cross_attention(x, x, x, self_mask)[0]


@decoder_block.misconception(
    "the memory mask is ignored", hint="Give memory_mask to cross_attention: padding in the source must not be read."
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        return super().cross(x, memory, None, None)


@decoder_block.misconception("the self mask is ignored", hint="Give self_mask to self_attention.")
class _(DecoderPieces):
    def self_(self, x, memory, self_mask, memory_mask):
        return super().self_(x, memory, None, None)


@decoder_block.misconception(
    "the block makes its own causal mask", hint="The block has no mask of its own: it is causal only if self_mask is."
)
class _(DecoderPieces):
    def self_(self, x, memory, self_mask, memory_mask):
        past = causal(x.shape[1])
        return super().self_(x, memory, past if self_mask is None else past & self_mask, None)


@decoder_block.misconception(
    "the memory mask is inverted", hint="Pass memory_mask on as it is: True means may be attended to."
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        return super().cross(x, memory, None, None if memory_mask is None else ~memory_mask)


@decoder_block.misconception(
    "the self mask is inverted", hint="Pass self_mask on as it is: True means may be attended to."
)
class _(DecoderPieces):
    def self_(self, x, memory, self_mask, memory_mask):
        return super().self_(x, memory, None if self_mask is None else ~self_mask, None)


@decoder_block.misconception(
    "the two masks are swapped", hint="self_mask is for self_attention, memory_mask for cross_attention."
)
class _(DecoderPieces):
    def self_(self, x, memory, self_mask, memory_mask):
        return self.self_attention(x, x, x, memory_mask)[0]

    def cross(self, x, memory, self_mask, memory_mask):
        return self.cross_attention(x, memory, memory, self_mask)[0]


@decoder_block.misconception(
    "norm2 and norm3 are swapped", hint="norm2 belongs to cross-attention, norm3 to the feed-forward network."
)
class _(DecoderPieces):
    norms = "norm1 norm3 norm2"


@decoder_block.misconception(
    "norm1 and norm2 are swapped", hint="norm1 belongs to self-attention, norm2 to cross-attention."
)
class _(DecoderPieces):
    norms = "norm2 norm1 norm3"


@decoder_block.misconception("one norm does all jobs", hint="Each sub-layer has its own norm: norm1, norm2, norm3.")
class _(DecoderPieces):
    norms = "norm1 norm1 norm1"


@decoder_block.misconception(
    "cross-attention comes first", hint="The order is self-attention, cross-attention, feed-forward."
)
class _(DecoderPieces):
    order, norms = "cross self think", "norm2 norm1 norm3"


@decoder_block.misconception(
    "the feed-forward network comes before cross-attention",
    hint="The order is self-attention, cross-attention, feed-forward.",
)
class _(DecoderPieces):
    order, norms = "self think cross", "norm1 norm3 norm2"


@decoder_block.misconception(
    "one attention does both jobs", hint="Self-attention and cross-attention have their own parameters."
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        return self.self_attention(x, memory, memory, memory_mask)[0]


@decoder_block.misconception(
    "the memory is normalized too", hint="In a pre-norm block norm2 is applied to x. The memory comes as it is."
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        return super().cross(x, self.norm2(memory) if self.norm_first else memory, None, memory_mask)


def _without_residual(missing):
    class Missing(DecoderPieces):
        def around(self, name, norm, sublayer, x):
            if name not in missing:
                return super().around(name, norm, sublayer, x)
            return self.dropout(sublayer(norm(x))) if self.norm_first else norm(self.dropout(sublayer(x)))

    return Missing


for _name, _part in (("self-attention", "self"), ("cross-attention", "cross"), ("the feed-forward network", "think")):
    decoder_block.misconception(f"no residual around {_name}", hint=f"What {_name} computes is a change. Add it to x.")(
        _without_residual((_part,))
    )


@decoder_block.misconception(
    "the residual of cross-attention is the memory",
    hint="Add what cross-attention returns to x, the decoder's tokens, not to the memory.",
)
class _(DecoderPieces):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        if memory.shape != x.shape:
            return memory
        return super().forward(x, memory, self_mask, memory_mask) + memory - x


@decoder_block.misconception(
    "norm_first is ignored: always post-norm",
    hint="With norm_first=True the norm goes before each sub-layer, on its input.",
)
class _(DecoderPieces):
    def around(self, name, norm, sublayer, x):
        return norm(x + self.dropout(sublayer(x)))


@decoder_block.misconception(
    "norm_first is ignored: always pre-norm",
    hint="With norm_first=False the norm goes after the addition: norm(x + sublayer(x)).",
)
class _(DecoderPieces):
    def around(self, name, norm, sublayer, x):
        return x + self.dropout(sublayer(norm(x)))


@decoder_block.misconception(
    "norm_first is the wrong way round", hint="norm_first=True is pre-norm, x + sublayer(norm(x))."
)
class _(DecoderPieces):
    def around(self, name, norm, sublayer, x):
        return norm(x + self.dropout(sublayer(x))) if self.norm_first else x + self.dropout(sublayer(norm(x)))


@decoder_block.misconception(
    "the norm is on the change",
    hint="Neither order is x + norm(sublayer(x)): normalize the input of the sub-layer, or the sum.",
)
class _(DecoderPieces):
    def around(self, name, norm, sublayer, x):
        return x + norm(self.dropout(sublayer(x)))


@decoder_block.misconception(
    "a last norm is added to the pre-norm block",
    hint="A pre-norm block ends with an addition. The one norm after the last block belongs to the model.",
)
class _(DecoderPieces):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        result = super().forward(x, memory, self_mask, memory_mask)
        return F.layer_norm(result, x.shape[-1:]) if self.norm_first else result


@decoder_block.misconception(
    "drops in eval mode too",
    hint="F.dropout drops always unless you pass training=self.training. nn.Dropout knows the mode by itself.",
)
class _(DecoderPieces):
    def think(self, x, memory, self_mask, memory_mask):
        return F.dropout(self.feed_forward(x), self.dropout.p)


@decoder_block.misconception("dropout is not used", hint="Pass `dropout` on, and drop from what each sub-layer adds.")
class _(DecoderPieces):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, n_heads, d_ff, 0.0, norm_first)


@decoder_block.misconception(
    "the memory is cut out of the graph", hint="The encoder learns only through the memory: no detach."
)
class _(DecoderPieces):
    def cross(self, x, memory, self_mask, memory_mask):
        return super().cross(x, memory.detach(), None, memory_mask)


@decoder_block.misconception("the block returns the weights too", hint="A block returns one tensor, (B, T, d_model).")
class _(DecoderPieces):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, memory_mask), self.cross_attention(x, memory, memory, memory_mask)[
            1
        ]


@decoder_block.misconception(
    "computes in float32 whatever comes in",
    hint="The output has the dtype of the input: no .float(), no float32 constants.",
)
class _(DecoderPieces):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask, memory_mask).float()


# --- leaks_future ----------------------------------------------------------------------------------------------------

# Functions (B, T, d) -> (B, T, d'), by name: whether they look into the future, and their source.
LAYERS = {
    "a running sum": (False, "return x.cumsum(dim=1)"),
    "a map of each token by itself": (False, "return torch.tanh(x @ (torch.ones(x.shape[2], 3, dtype=x.dtype) / 3))"),
    "the token before": (False, "return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)"),
    "causal attention": (
        False,
        """
    scores = x @ x.transpose(1, 2)
    past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    return torch.softmax(scores.masked_fill(~past, -torch.inf), dim=-1) @ x""",
    ),
    "a running sum with rounding": (
        False,
        """
    rest = x.flip(1).cumsum(dim=1).flip(1)
    return x.sum(dim=1, keepdim=True) - rest + x""",
    ),
    "a constant": (False, "return torch.ones_like(x)"),
    "a running maximum": (False, "return x.cummax(dim=1).values"),
    "minus the mean over time": (True, "return x - x.mean(dim=1, keepdim=True)"),
    "attention without a mask": (True, "return torch.softmax(x @ x.transpose(1, 2), dim=-1) @ x"),
    "the next token": (True, "return torch.cat([x[:, 1:], torch.zeros_like(x[:, :1])], dim=1)"),
    "a mask that is one off": (
        True,
        """
    scores = x @ x.transpose(1, 2)
    past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril(1)
    return torch.softmax(scores.masked_fill(~past, -torch.inf), dim=-1) @ x""",
    ),
    "a little of the last token in the first output": (
        True,
        """
    out = x.cumsum(dim=1)
    out[:, 0] = out[:, 0] + 1e-4 * x[:, -1]
    return out""",
    ),
    "the second token in the first output": (
        True,
        """
    out = x.cumsum(dim=1)
    out[:, 0] = out[:, 0] + x[:, 1]
    return out""",
    ),
    "the last token in the one before it": (
        True,
        """
    out = x.clone()
    out[:, -2] = out[:, -2] + x[:, -1]
    return out""",
    ),
    "a leak in the last sentence only": (
        True,
        """
    out = x.cumsum(dim=1)
    out[-1] = x[-1].flip(0)
    return out""",
    ),
    "a leak through one feature": (
        True,
        """
    out = x.cumsum(dim=1)
    out[..., -1] = out[..., -1] + x[..., -1].sum(dim=1, keepdim=True)
    return out""",
    ),
    "layer norm, then attention without a mask": (
        True,
        """
    y = torch.nn.functional.layer_norm(x, x.shape[-1:])
    return x + torch.softmax(y @ y.transpose(1, 2), dim=-1) @ y""",
    ),
    "a middle token, one step ahead": (
        True,
        """
    out = x.clone()
    middle = x.shape[1] // 2
    out[:, middle] = out[:, middle] + x[:, middle + 1]
    return out""",
    ),
}


def _layer(name) -> Prop:
    return Prop("source", text=f"import torch\n\n\ndef layer(x):\n    {LAYERS[name][1].strip()}\n", name="layer")


@leaks_future.reference
def _(layer, x):
    """Jacobians of every sentence: all entries above the diagonal of tokens."""
    derivative = torch.autograd.functional.jacobian(lambda z: layer(z), x)
    size, length = x.shape[:2]
    for b in range(size):
        for t in range(length):
            if _largest(derivative[b, t, :, b, t + 1 :]) > 1e-7:
                return True
    return False


def _largest(tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


leaks_future.hints = (
    "Call the layer twice, on x and on a copy in which something later was changed. Which outputs may not move?",
    "Change one position t at a time, in all sentences and features, each feature by another amount, and "
    "compare the outputs before t "
    "for every sentence. Allow for rounding.",
    "before = layer(x); for t in range(1, T): changed = x.clone(); changed[:, t] += torch.rand(d) + 1; "
    "if (layer(changed) - before)[:, :t].abs().max() > 1e-9: return True; at the end return False",
)


@leaks_future.aspect("layers that do not leak", points=2)
def _(rng):
    for name, (leaks, _text) in LAYERS.items():
        if not leaks:
            yield case(name, _layer(name), draw(rng, 2, 5, 4))
    yield case("one token", _layer("attention without a mask"), draw(rng, 2, 1, 4)).because("there is no future")
    yield case("attention without a mask does", _layer("attention without a mask"), draw(rng, 2, 5, 4))


@leaks_future.aspect("layers that leak", points=2)
def _(rng):
    for name, (leaks, _text) in LAYERS.items():
        if leaks:
            yield case(name, _layer(name), draw(rng, 2, 5, 4))
    yield case("two tokens", _layer("the next token"), draw(rng, 1, 2, 3))
    yield case("a running sum does not", _layer("a running sum"), draw(rng, 3, 4, 2))


def _moved(layer, x, changed, before, tolerance=1e-9) -> bool:
    return bool(((layer(changed) - layer(x))[:, :before].abs() > tolerance).any())


def _noise(x):
    return 1 + torch.arange(x.shape[2], dtype=x.dtype).cos().abs()


@leaks_future.misconception(
    "always False", hint="Some layers do leak. Change a later token and compare the earlier outputs."
)
def _(layer, x):
    return False


@leaks_future.misconception("always True", hint="Some layers do not leak.")
def _(layer, x):
    return True


@leaks_future.misconception(
    "only the last token is changed",
    hint="A leak from the next token may not come from the last one: change every position, one at a time.",
)
def _(layer, x):
    changed = x.clone()
    changed[:, -1] += _noise(x)
    return _moved(layer, x, changed, x.shape[1] - 1)


@leaks_future.misconception(
    "only the second token is changed", hint="Change every position from the second to the last, not only one."
)
def _(layer, x):
    if x.shape[1] < 2:
        return False
    changed = x.clone()
    changed[:, 1] += _noise(x)
    return _moved(layer, x, changed, 1)


@leaks_future.misconception(
    "only the first output is compared", hint="Compare all outputs before the changed position, not only the first."
)
def _(layer, x):
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t] += _noise(x)
        if _moved(layer, x, changed, 1):
            return True
    return False


@leaks_future.misconception(
    "only the output just before is compared",
    hint="A token may leak into any earlier output. Compare [:, :t], not only t - 1.",
)
def _(layer, x):
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t] += _noise(x)
        if bool(((layer(changed) - layer(x))[:, t - 1].abs() > 1e-9).any()):
            return True
    return False


@leaks_future.misconception(
    "all features move by the same amount",
    hint="A layer norm takes away what all features have in common, so it hides your change. Change each "
    "feature by another amount.",
)
def _(layer, x):
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t] += 1.0
        if _moved(layer, x, changed, t):
            return True
    return False


@leaks_future.misconception(
    "the token is only made longer",
    hint="A layer norm hides a change of length. Change each feature by another amount.",
)
def _(layer, x):
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t] *= 2.0
        if _moved(layer, x, changed, t, 1e-4):
            return True
    return False


@leaks_future.misconception(
    "only the first sentence is looked at", hint="Compare the outputs of every sentence in the batch."
)
def _(layer, x):
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t] += _noise(x)
        if bool(((layer(changed) - layer(x))[0, :t].abs() > 1e-9).any()):
            return True
    return False


@leaks_future.misconception(
    "only the first feature is changed", hint="A leak may pass through another feature. Change all of them."
)
def _(layer, x):
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t, 0] += 1.5
        if _moved(layer, x, changed, t):
            return True
    return False


@leaks_future.misconception(
    "rounding counts as a leak", hint="Outputs may differ in the last digit. Call it a leak above about 1e-9."
)
def _(layer, x):
    return any(_moved(layer, x, torch.cat([x[:, :t], x[:, t:] + _noise(x)], 1), t, 0.0) for t in range(1, x.shape[1]))


@leaks_future.misconception(
    "small leaks are overlooked", hint="A leak of 1e-4 is a leak: rounding in float64 is below 1e-9."
)
def _(layer, x):
    return any(_moved(layer, x, torch.cat([x[:, :t], x[:, t:] + _noise(x)], 1), t, 1e-2) for t in range(1, x.shape[1]))


@leaks_future.misconception(
    "the changed position itself is compared",
    hint="A token may see itself. Compare the outputs before the changed position: [:, :t].",
)
def _(layer, x):
    for t in range(x.shape[1]):
        changed = x.clone()
        changed[:, t] += _noise(x)
        if _moved(layer, x, changed, t + 1):
            return True
    return False


@leaks_future.misconception(
    "the past is changed, and the future compared",
    hint="The past may move the future. The other way round is the leak.",
)
def _(layer, x):
    for t in range(x.shape[1] - 1):
        changed = x.clone()
        changed[:, t] += _noise(x)
        if bool(((layer(changed) - layer(x))[:, t + 1 :].abs() > 1e-9).any()):
            return True
    return False


@leaks_future.misconception(
    "the future is filled with NaN",
    hint="0 times NaN is NaN, so a weight of exactly 0 looks like a leak. Change the future to other numbers.",
)
def _(layer, x):
    for t in range(1, x.shape[1]):
        changed = x.clone()
        changed[:, t:] = torch.nan
        if bool(layer(changed)[:, :t].isnan().any()):
            return True
    return False


@leaks_future.misconception("x is changed", hint="Change a copy (x.clone()); the caller's tensor must stay as it is.")
def _(layer, x):
    before = layer(x).clone()
    for t in range(x.shape[1] - 1, 0, -1):
        x[:, t] += _noise(x)
        if bool(((layer(x) - before)[:, :t].abs() > 1e-9).any()):
            return True
    return False


@leaks_future.misconception(
    "the answer is a tensor", hint="Return True or False: bool(...) or .item() turns a tensor of one element into one."
)
def _(layer, x):
    moved = [
        ((layer(torch.cat([x[:, :t], x[:, t:] + _noise(x)], 1)) - layer(x))[:, :t].abs() > 1e-9).any()
        for t in range(1, x.shape[1])
    ]
    return torch.stack(moved).any() if moved else torch.tensor(False)
