# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 · The blocks of a Transformer
#
# **You will build, one small class at a time, everything a Transformer is made of, and see that attention and both
# blocks equal PyTorch's own, up to rounding.**
#
# After this lesson you can
#
# - say why a stack of layers needs normalization and residual connections, and show it in two plots;
# - give a model that has no sense of order a sense of order;
# - write multi-head attention as a module that trains, with masks that are exact;
# - put the parts together into an encoder block and a decoder block, before or after normalization;
# - write a test that catches a model looking into the future.
#
# | | |
# | --- | --- |
# | you need | lessons 03 (masks) and 07 (several heads), and the basics of `torch.nn.Module` |
# | time | about two and a half hours |
# | training | none: this lesson builds, the next one trains |
#
# A word on shapes. `B` is the batch, `T` a number of tokens (`T_q` for queries, `T_k` for keys), `d_model` the number
# of features of a token, `H` the number of heads, `d_h = d_model / H` the features of one head.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from autograder import check, hint, lesson, progress, reveal

# %% [markdown]
# ## 1. Why blocks?
#
# A recurrent network reads a sentence one word after another. Token 30 waits for token 29, which waits for token 28,
# and what token 1 had to say passes through 29 updates before it arrives. Vaswani et al. (2017) asked what is left if
# the recurrence is thrown out and only attention stays. Every token then reaches every other token in one step, and
# all tokens are computed at once.
#
# Stuck on an exercise? `hint("LayerNorm")` gives you a nudge, then a bigger one each time you call it, and
# `reveal("LayerNorm")` shows a solution. `progress()` shows what is done. The blocks of sections 6 and 7 are made of
# the classes before them, so a mistake there shows up again: check in order.
#
# Two things break when the recurrence is thrown out, and this lesson starts by breaking them.
#
# **Depth.** One layer of attention is one lookup. Useful models stack many layers, and a plain stack does not
# survive. Push random numbers through 30 layers of a linear map and a ReLU, and measure how large the features are:


# %%
def plain_stack(depth: int, width: int, gain: float, normalize: bool) -> list[float]:
    """The standard deviation of the features after each layer of a random stack."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, width, generator=generator)
    sizes = []
    for _ in range(depth):
        weight = torch.randn(width, width, generator=generator) * gain / math.sqrt(width)
        x = torch.relu(x @ weight)
        if normalize:
            x = nn.functional.layer_norm(x, (width,))
        sizes.append(x.std().item())
    return sizes


figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
for gain, style, color in [(1.0, "-", "#440154"), (2.0, "--", "#21918c")]:
    axes.plot(range(1, 31), plain_stack(30, 128, gain, False), style, color=color, label=f"plain, weights x {gain:g}")
    axes.plot(
        range(1, 31), plain_stack(30, 128, gain, True), style, color="0.6", label=f"normalized, weights x {gain:g}"
    )
axes.set(title="The size of the features, layer by layer", xlabel="layer", ylabel="standard deviation", yscale="log")
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** Two colored lines run away from each other on a logarithmic scale: with weights of the usual size
# the features shrink by about 30 percent in every layer, with weights twice as large they grow. After 30 layers one
# stack is at nearly nothing and the other at tens of thousands. The two gray lines lie on each other at one: normalized
# features keep their size whatever the weights are.
#
# **Order.** Attention is a weighted *sum*, and a sum does not know in which order its terms came. Lesson 07 showed
# that self-attention is permutation-equivariant: shuffle the tokens and the outputs are shuffled, nothing else. So
# the average over the outputs is the same for two very different sentences:

# %%
words = {
    word: torch.randn(8, generator=torch.Generator().manual_seed(i)) for i, word in enumerate(["dog", "bites", "man"])
}


def sentence_vector(text: str) -> torch.Tensor:
    """Self-attention without positions, averaged over the tokens."""
    x = torch.stack([words[word] for word in text.split()])
    return nn.functional.scaled_dot_product_attention(x, x, x).mean(0)


difference = (sentence_vector("dog bites man") - sentence_vector("man bites dog")).abs().max()
print(f"'dog bites man' and 'man bites dog' differ by at most {difference:.1e}")

# %% [markdown]
# To this model the two sentences are one. You will give it positions in section 3. First, depth.
#
# ## 2. Layer normalization
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●● |
# | time | 15 minutes |
#
# Ba, Kiros and Hinton (2016, *Layer Normalization*, section 3) take the features of **one token**, subtract their
# mean, divide by their standard deviation, and then let the model choose a new scale and a new offset for each
# feature:
#
# $$\mu = \frac{1}{d} \sum_{i=1}^{d} x_i \qquad \sigma^2 = \frac{1}{d} \sum_{i=1}^{d} (x_i - \mu)^2 \qquad y_i = w_i\, \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + b_i \qquad x, y, w, b \in \mathbb{R}^{d},\; d = d_{model}$$
#
# Three details matter:
#
# - The mean is over the **features of one token**, never over the batch or over time. Another sentence in the batch,
#   or padding beside a token, changes nothing.
# - The variance is divided by $d$, not by $d - 1$. `torch.var` divides by $d - 1$ unless you tell it not to.
# - $\epsilon$ is **inside** the root. It keeps a token whose features are all equal from dividing by zero.
#
# **By hand.** $x = [1, 3]$: the mean is 2, the deviations are $[-1, 1]$, the variance is $(1 + 1) / 2 = 1$, so $y =
# [-1, 1]$ before scale and offset. With $w = [2, 1]$ and $b = [0, 10]$ you get $[-2, 11]$.


# %% nbgrader={"grade": false, "grade_id": "LayerNorm", "locked": false, "schema_version": 3, "solution": true, "task": false}
class LayerNorm(nn.Module):
    """Normalize the features of each token, then scale and shift them.

    d_model: number of features. eps: added to the variance, inside the root.
    Parameters: `weight` (d_model,), which starts at ones, and `bias` (d_model,), which starts at zeros.

    forward(x): (..., d_model) -> the same shape and dtype.

    >>> LayerNorm(2)(torch.tensor([1.0, 3.0]))       # about [-1, 1]
    """

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        mean = x.mean(dim=-1, keepdim=True)
        variance = (x - mean).square().mean(dim=-1, keepdim=True)
        return self.weight * (x - mean) / torch.sqrt(variance + self.eps) + self.bias
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_LayerNorm", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
by_hand = LayerNorm(2)
with torch.no_grad():
    by_hand.weight.copy_(torch.tensor([2.0, 1.0]))
    by_hand.bias.copy_(torch.tensor([0.0, 10.0]))
torch.testing.assert_close(by_hand(torch.tensor([1.0, 3.0])), torch.tensor([-2.0, 11.0]), atol=1e-4, rtol=0)
check("LayerNorm", LayerNorm)

# %% tags=["skip-grading"]
sample = torch.randn(6, 32, generator=torch.Generator().manual_seed(1)) * torch.tensor(
    [[0.2], [0.5], [1], [2], [4], [8]]
)
figure, panels = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained", sharey=True)
for axes, values, title in [
    (panels[0], sample, "before"),
    (panels[1], LayerNorm(32)(sample).detach(), "after your LayerNorm"),
]:
    picture = axes.imshow(values, cmap="cividis", vmin=-8, vmax=8, aspect="auto")
    axes.set(title=title, xlabel="feature", ylabel="token")
figure.colorbar(picture, ax=panels, label="value")
plt.show()

# %% [markdown]
# **What you see.** Two heat maps of six tokens by 32 features. On the left the tokens grow from top to bottom: the
# first rows are flat, the last one is full of contrast. On the right all six rows have the same contrast.
#
# ## 3. Positions
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●○ |
# | time | 15 minutes |
#
# The cure for missing order is to add something to each token that depends on where it stands. Vaswani et al. (2017,
# section 3.5) add waves: position $p$ gets, in column pair $i$,
#
# $$PE_{p,\,2i} = \sin\left(\frac{p}{10000^{2i / d_{model}}}\right) \qquad PE_{p,\,2i + 1} = \cos\left(\frac{p}{10000^{2i / d_{model}}}\right) \qquad p = 0, 1, \dots, T - 1,\; i = 0, \dots, d_{model} / 2 - 1$$
#
# Even columns are sines, odd columns are cosines, and the two columns of a pair share one speed. The first pair turns
# fastest (one radian per position), the last one slowest. It is a clock with $d_{model} / 2$ hands. Why waves? The
# paper's reason: for a fixed shift $k$, $PE_{p + k}$ is a linear function of $PE_p$ (each hand turns by a fixed
# angle), so "three words before" can be learned as one matrix.
#
# **By hand.** $d_{model} = 4$, position 1. The two speeds are $1 / 10000^{0} = 1$ and $1 / 10000^{2/4} = 1 / 100$.
# The row is $[\sin 1, \cos 1, \sin 0.01, \cos 0.01] = [0.8415, 0.5403, 0.0100, 1.0000]$ (to four digits).


# %% nbgrader={"grade": false, "grade_id": "sinusoidal_positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sinusoidal_positions(length: int, d_model: int) -> torch.Tensor:
    """Sines in the even and cosines in the odd columns, for positions 0 to length - 1.

    length: number of positions, any. d_model: an even number of features.
    Returns (length, d_model), a float32 tensor. Source: Vaswani et al. 2017, section 3.5.

    >>> sinusoidal_positions(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 1.0000]])
    """
    ### BEGIN SOLUTION
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(length)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(length, d_model)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_sinusoidal_positions", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
torch.testing.assert_close(
    sinusoidal_positions(2, 4).float(),
    torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.8415, 0.5403, 0.0100, 1.0000]]),
    atol=1e-4,
    rtol=0,
)
check("sinusoidal_positions", sinusoidal_positions)

# %% tags=["skip-grading"]
waves = sinusoidal_positions(60, 64)
figure, panels = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
picture = panels[0].imshow(waves.T, cmap="cividis", aspect="auto")
panels[0].set(title="sinusoidal_positions(60, 64)", xlabel="position", ylabel="column")
figure.colorbar(picture, ax=panels[0], label="value")
likeness = waves @ waves.T / 32
picture = panels[1].imshow(likeness, cmap="viridis")
panels[1].set(title="How alike are two positions?", xlabel="position", ylabel="position")
figure.colorbar(picture, ax=panels[1], label="dot product / 32")
plt.show()

# %% [markdown]
# **What you see.** Left: a column of stripes that get wider from top to bottom, from waves of about six positions to
# waves too slow to see. Right: a bright diagonal that fades to both sides, the same way at every position: near
# positions are alike, far ones are not, and only the distance counts.
#
# Now the two sentences differ:


# %% tags=["skip-grading"]
def sentence_vector_with_positions(text: str) -> torch.Tensor:
    """Self-attention with positions, averaged over the tokens."""
    x = torch.stack([words[word] for word in text.split()])
    x = x + sinusoidal_positions(*x.shape)
    return nn.functional.scaled_dot_product_attention(x, x, x).mean(0)


difference = (
    (sentence_vector_with_positions("dog bites man") - sentence_vector_with_positions("man bites dog")).abs().max()
)
print(f"with positions, 'dog bites man' and 'man bites dog' differ by up to {difference:.2f}")

# %% [markdown]
# ## 4. Multi-head attention, now as a module
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●●●● |
# | time | 30 minutes |
#
# This is lesson 07 with four changes: it has biases, it trains, it takes keys and values from different places, and
# it drops out weights. Vaswani et al. (2017, section 3.2.2), in steps:
#
# 1. Project: $Q = x_q W_q + b_q$, and so for $K$ and $V$. `query` is $(B, T_q, d_{model})$, `key` and `value` are
#    $(B, T_k, d_{model})$.
# 2. Split the features into $H$ heads: $(B, T, d_{model}) \to (B, H, T, d_h)$. Head $h$ gets features $h\,d_h$ to $(h
#    + 1)\,d_h - 1$.
# 3. In each head, $A = \operatorname{softmax}(Q K^\top / \sqrt{d_h})$ over the keys that the mask allows: $(B, H,
#    T_q, T_k)$.
# 4. Context $A V$: $(B, H, T_q, d_h)$, the heads side by side again: $(B, T_q, d_{model})$.
# 5. Project once more: $\text{output} = \text{context}\; W_o + b_o$.
#
# **The mask** is boolean, True means "may be attended to", and it broadcasts against the weights $(B, H, T_q, T_k)$.
# A padding mask of shape $(B, T_k)$ must therefore be given as $(B, 1, 1, T_k)$; a causal mask $(T_q, T_k)$ fits as
# it is. A query with nothing to attend to gets weights and context of exactly zero, so its output is the bias $b_o$,
# and its gradients are zero, not NaN.
#
# **Dropout** sets some of the weights to zero while training and scales up the rest, before they meet the values. The
# weights you *return* are those before dropout: they are for looking at.
#
# **By hand.** $d_{model} = 2$, two heads, so $d_h = 1$ and the scale is 1. All projections are the identity. One
# query $[1, 1]$, two keys $[0, 0]$ and $[\ln 3, 0]$, values $[4, 4]$ and $[8, 8]$. Head 0 sees scores $[0, \ln 3]$,
# so weights $[1/4, 3/4]$ and $1/4 \cdot 4 + 3/4 \cdot 8 = 7$. Head 1 sees scores $[0, 0]$, so weights $[1/2, 1/2]$
# and $6$. The output is $[7, 6]$.


# %% nbgrader={"grade": false, "grade_id": "MultiHeadAttention", "locked": false, "schema_version": 3, "solution": true, "task": false}
class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in several heads.

    d_model: number of features. n_heads: number of heads; d_model must be a multiple of it (ValueError).
    dropout: share of the weights that is dropped while training.
    Attributes: `w_q`, `w_k`, `w_v`, `w_o`, each nn.Linear(d_model, d_model) with bias.

    forward(query, key, value, mask=None): (B, T_q, d_model), (B, T_k, d_model), (B, T_k, d_model), and booleans
    that broadcast to (B, H, T_q, T_k), True where attending is allowed.
    Returns (output (B, T_q, d_model), weights (B, H, T_q, T_k)), the weights before dropout.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0):
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % n_heads != 0:
            raise ValueError(f"n_heads must divide d_model, got d_model {d_model} and n_heads {n_heads}")
        self.n_heads = n_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ### BEGIN SOLUTION
        q = self.w_q(query).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        k = self.w_k(key).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        v = self.w_v(value).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is None:
            weights = torch.softmax(scores, dim=-1)
        else:
            weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1).masked_fill(~mask, 0.0)
        context = self.dropout(weights) @ v
        return self.w_o(context.transpose(1, 2).flatten(2)), weights
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_MultiHeadAttention", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
by_hand = MultiHeadAttention(2, 2)
with torch.no_grad():
    for linear in (by_hand.w_q, by_hand.w_k, by_hand.w_v, by_hand.w_o):
        linear.weight.copy_(torch.eye(2))
        linear.bias.zero_()
by_hand_output, by_hand_weights = by_hand(
    torch.tensor([[[1.0, 1.0]]]),
    torch.tensor([[[0.0, 0.0], [math.log(3), 0.0]]]),
    torch.tensor([[[4.0, 4.0], [8.0, 8.0]]]),
)
torch.testing.assert_close(by_hand_weights, torch.tensor([[[[0.25, 0.75]], [[0.5, 0.5]]]]))
torch.testing.assert_close(by_hand_output, torch.tensor([[[7.0, 6.0]]]))
check("MultiHeadAttention", MultiHeadAttention)

# %% [markdown]
# **It equals PyTorch's.** `torch.nn.MultiheadAttention` keeps $W_q$, $W_k$, $W_v$ stacked in one matrix and calls
# $W_o$ `out_proj`. Copy your weights across and compare the outputs, the weights and the gradients. Note that in its
# masks True means the opposite, "may *not* be attended to":


# %% tags=["skip-grading"]
def copy_attention(ours: nn.Module, theirs: nn.MultiheadAttention) -> None:
    """Give PyTorch's attention the parameters of ours."""
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.w_q.bias, ours.w_k.bias, ours.w_v.bias]))
        theirs.out_proj.weight.copy_(ours.w_o.weight)
        theirs.out_proj.bias.copy_(ours.w_o.bias)


torch.manual_seed(2)
ours, theirs = MultiHeadAttention(12, 3).double(), nn.MultiheadAttention(12, 3, batch_first=True).double()
copy_attention(ours, theirs)
inputs = torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)
padding = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
our_output, our_weights = ours(inputs, inputs, inputs, padding[:, None, None, :])
their_output, their_weights = theirs(inputs, inputs, inputs, key_padding_mask=~padding, average_attn_weights=False)
our_gradient = torch.autograd.grad(our_output.square().sum(), inputs)[0]
their_gradient = torch.autograd.grad(their_output.square().sum(), inputs)[0]
for name, a, b in [
    ("outputs", our_output, their_output),
    ("weights", our_weights, their_weights),
    ("gradients", our_gradient, their_gradient),
]:
    print(f"{name:10} differ by at most {(a - b).abs().max():.1e}")

# %% tags=["skip-grading"]
torch.manual_seed(3)
six_heads = MultiHeadAttention(24, 6)
tokens = torch.randn(1, 10, 24)
causal = torch.ones(10, 10, dtype=torch.bool).tril()
with torch.no_grad():
    maps = six_heads(tokens * 2, tokens * 2, tokens, causal)[1][0]
figure, panels = plt.subplots(1, 6, figsize=(11, 2.3), layout="constrained", sharey=True)
for head, axes in enumerate(panels):
    picture = axes.imshow(maps[head], cmap="viridis", vmin=0, vmax=1)
    axes.set(title=f"head {head}", xlabel="key")
panels[0].set_ylabel("query")
figure.colorbar(picture, ax=panels, label="weight")
plt.show()

# %% [markdown]
# **What you see.** Six square maps, dark above the diagonal, because the causal mask forbids the future. Below it
# every head has its own pattern, even with random weights: six different lookups over the same ten tokens. The top
# left corner is bright in all: the first token can only look at itself.
#
# ## 5. The position-wise feed-forward network
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●○○ |
# | time | 10 minutes |
#
# Attention moves information between tokens, but what it computes is a weighted average. The thinking *within* a
# token is done by two linear maps with a ReLU between them, the same for every position (Vaswani et al. 2017, section
# 3.3):
#
# $$\operatorname{FFN}(x) = \max(0,\; x W_1 + b_1)\, W_2 + b_2 \qquad W_1 \in \mathbb{R}^{d_{model} \times d_{ff}},\; W_2 \in \mathbb{R}^{d_{ff} \times d_{model}}$$
#
# Usually $d_{ff} = 4\, d_{model}$, so two thirds of an encoder block's parameters are here, and half of a decoder
# block's. While training, some of the hidden features are dropped.
#
# **By hand.** $x = [1, -2]$, $W_1$ the identity, $W_2$ three times the identity, $b_1 = 0$, $b_2 = 1$: the ReLU gives
# $[1, 0]$, the output is $[4, 1]$.


# %% nbgrader={"grade": false, "grade_id": "PositionwiseFeedForward", "locked": false, "schema_version": 3, "solution": true, "task": false}
class PositionwiseFeedForward(nn.Module):
    """Two linear maps with a ReLU between them, applied to each token by itself.

    Attributes: `linear1` = nn.Linear(d_model, d_ff) and `linear2` = nn.Linear(d_ff, d_model), both with bias.
    dropout: share of the hidden features that is dropped while training.

    forward(x): (B, T, d_model) -> (B, T, d_model).
    """

    def __init__(self, d_model: int, d_ff: int, dropout: float = 0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.linear2(self.dropout(torch.relu(self.linear1(x))))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_PositionwiseFeedForward", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
by_hand = PositionwiseFeedForward(2, 2)
with torch.no_grad():
    by_hand.linear1.weight.copy_(torch.eye(2))
    by_hand.linear1.bias.zero_()
    by_hand.linear2.weight.copy_(3 * torch.eye(2))
    by_hand.linear2.bias.fill_(1.0)
torch.testing.assert_close(by_hand(torch.tensor([[[1.0, -2.0]]])), torch.tensor([[[4.0, 1.0]]]))
check("PositionwiseFeedForward", PositionwiseFeedForward)

# %% tags=["skip-grading"]
torch.manual_seed(4)
network = PositionwiseFeedForward(1, 16)
line = torch.linspace(-3, 3, 200)[None, :, None]
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
with torch.no_grad():
    axes.plot(line[0, :, 0], network(line)[0, :, 0], color="#31688e")
    for corner in (-network.linear1.bias / network.linear1.weight[:, 0]).tolist():
        if abs(corner) < 3:
            axes.axvline(corner, color="0.8", linewidth=0.8, zorder=0)
axes.set(title="A feed-forward network of one feature, 16 hidden", xlabel="input", ylabel="output")
plt.show()

# %% [markdown]
# **What you see.** A curve made of straight pieces. Each gray line marks the corner of one hidden feature: there its
# ReLU opens or closes. Between two corners the network is linear.
#
# ## 6. The encoder block
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 20 minutes |
#
# A block has two *sub-layers*, attention and feed-forward. Around each goes a **residual connection**: the sub-layer
# computes only a change, and the change is added to what was there. Where the normalization goes is a choice:
#
# | `norm_first` | name | attention | feed-forward |
# | --- | --- | --- | --- |
# | `False` | post-norm, Vaswani et al. 2017, section 3.1: $\operatorname{LayerNorm}(x + \operatorname{Sublayer}(x))$ | $x \leftarrow \operatorname{norm1}(x + \operatorname{attention}(x, x, x))$ | $x \leftarrow \operatorname{norm2}(x + \operatorname{FFN}(x))$ |
# | `True` | pre-norm, Xiong et al. 2020 | $x \leftarrow x + \operatorname{attention}(\hat x, \hat x, \hat x)$, $\hat x = \operatorname{norm1}(x)$ | $x \leftarrow x + \operatorname{FFN}(\operatorname{norm2}(x))$ |
#
# In a pre-norm block nothing stands on the residual path: the identity runs from the first block to the last. A
# pre-norm block therefore does *not* normalize its output; a model adds one norm after its last block.
#
# While training, dropout is also applied to what each sub-layer adds, before it is added (section 5.4 of the paper).
#
# **By hand.** Let the last linear map of both sub-layers be zero, so that they add nothing. A pre-norm block returns
# $[1, 3]$ as it is. A post-norm block returns it normalized (twice): $[-1, 1]$.


# %% nbgrader={"grade": false, "grade_id": "EncoderBlock", "locked": false, "schema_version": 3, "solution": true, "task": false}
class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward network, each with a residual connection and a norm.

    Attributes: `self_attention` (MultiHeadAttention), `feed_forward` (PositionwiseFeedForward), `norm1` for the
    attention and `norm2` for the feed-forward network (LayerNorm). norm_first: True for pre-norm.

    forward(x, mask=None): (B, T, d_model), and booleans that broadcast to (B, H, T, T) -> (B, T, d_model).
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False):
        super().__init__()
        ### BEGIN SOLUTION
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.feed_forward = PositionwiseFeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first
        ### END SOLUTION

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        ### BEGIN SOLUTION
        def attend(x):
            return self.dropout(self.self_attention(x, x, x, mask)[0])

        def think(x):
            return self.dropout(self.feed_forward(x))

        if self.norm_first:
            x = x + attend(self.norm1(x))
            return x + think(self.norm2(x))
        x = self.norm1(x + attend(x))
        return self.norm2(x + think(x))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_EncoderBlock", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
for norm_first, expected in [(True, [1.0, 3.0]), (False, [-1.0, 1.0])]:
    by_hand = EncoderBlock(2, 1, 4, norm_first=norm_first)
    with torch.no_grad():
        for linear in (by_hand.self_attention.w_o, by_hand.feed_forward.linear2):
            linear.weight.zero_()
            linear.bias.zero_()
    torch.testing.assert_close(by_hand(torch.tensor([[[1.0, 3.0]]])), torch.tensor([[expected]]), atol=1e-4, rtol=0)
check("EncoderBlock", EncoderBlock)

# %% [markdown]
# Your block should equal `torch.nn.TransformerEncoderLayer` once its weights are copied across, in both orders of
# norm and sub-layer:


# %% tags=["skip-grading"]
def copy_encoder_block(ours: nn.Module, theirs: nn.TransformerEncoderLayer) -> None:
    """Give PyTorch's encoder layer the parameters of ours."""
    copy_attention(ours.self_attention, theirs.self_attn)
    for name in ("norm1", "norm2"):
        getattr(theirs, name).load_state_dict(getattr(ours, name).state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward.linear1.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.linear2.state_dict())


for norm_first in (False, True):
    ours = EncoderBlock(12, 3, 24, norm_first=norm_first).double()
    theirs = nn.TransformerEncoderLayer(12, 3, 24, dropout=0.0, batch_first=True, norm_first=norm_first).double()
    copy_encoder_block(ours, theirs)
    our_output = ours(inputs, padding[:, None, None, :])
    their_output = theirs(inputs, src_key_padding_mask=~padding)
    our_gradient = torch.autograd.grad(our_output[padding].pow(3).sum(), inputs)[0]
    their_gradient = torch.autograd.grad(their_output[padding].pow(3).sum(), inputs)[0]
    print(
        f"norm_first={norm_first}: outputs differ by at most {(our_output - their_output)[padding].abs().max():.1e}, "
        f"gradients by at most {(our_gradient - their_gradient).abs().max():.1e}"
    )

# %% [markdown]
# Does the order matter? Stack twelve blocks and measure the gradient that arrives at each block's feed-forward
# weights before any training. Xiong et al. (2020, *On Layer Normalization in the Transformer Architecture*, section
# 3.3) show that in post-norm models the gradients near the output are large at the start, which is why those models
# need a slow warm-up of the learning rate, and that pre-norm models do not have the problem.


# %% tags=["skip-grading"]
def gradient_norms(norm_first: bool, depth: int = 12, width: int = 64) -> list[float]:
    """The gradient's norm at each block's second feed-forward weight, for a random linear readout of the last block."""
    torch.manual_seed(5)
    blocks = nn.ModuleList(EncoderBlock(width, 4, 2 * width, norm_first=norm_first) for _ in range(depth))
    for parameter in blocks.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    x = torch.randn(16, 10, width)
    for block in blocks:
        x = block(x)
    if norm_first:
        x = nn.functional.layer_norm(x, (width,))
    (x * torch.randn(x.shape)).sum(-1).square().mean().backward()
    return [block.feed_forward.linear2.weight.grad.norm().item() for block in blocks]


figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.plot(range(1, 13), gradient_norms(False), "o-", color="#440154", label="post-norm")
axes.plot(range(1, 13), gradient_norms(True), "s--", color="#21918c", label="pre-norm")
axes.set(
    title="Gradients before the first step of training", xlabel="block", ylabel="norm of the gradient", ylim=(0, None)
)
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** Two lines over the twelve blocks. They start together at the first block. The post-norm line stays
# up to the end, the pre-norm line falls: at the last block post-norm's gradient is about three times pre-norm's. A
# large first step of the optimizer therefore does most harm near the output of a post-norm model. You will see in
# lesson 14 what that means for training.
#
# ## 7. The decoder block
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 15 minutes |
#
# A decoder block has three sub-layers. Between self-attention and feed-forward comes **cross-attention**: the queries
# are the decoder's tokens, the keys *and* values are the `memory`, what the encoder made of the source sentence. This
# is the attention of lesson 10, with a Transformer on either side.
#
# | sub-layer | norm | query | key, value | mask |
# | --- | --- | --- | --- | --- |
# | self-attention | `norm1` | x | x | `self_mask`, broadcast to $(B, H, T, T)$ |
# | cross-attention | `norm2` | x | memory | `memory_mask`, broadcast to $(B, H, T, S)$ |
# | feed-forward | `norm3` | x | | |
#
# Two rules:
#
# - The block has **no mask of its own**. It is causal only if `self_mask` is.
# - In a pre-norm block the norm is applied to x. The memory comes as it is.
#
# **By hand.** Pre-norm; self-attention and feed-forward add nothing (their last maps are zero); in the
# cross-attention $W_v$ and $W_o$ are the identity, without biases. The memory is a single token $[10, 20]$. All
# weight is on it, whatever the query is, so $x = [1, 3]$ becomes $[11, 23]$.


# %% nbgrader={"grade": false, "grade_id": "DecoderBlock", "locked": false, "schema_version": 3, "solution": true, "task": false}
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, then the feed-forward network, each with a residual connection and a norm.

    Attributes: `self_attention`, `cross_attention` (MultiHeadAttention), `feed_forward` (PositionwiseFeedForward),
    `norm1` for self-attention, `norm2` for cross-attention, `norm3` for the feed-forward network (LayerNorm).

    forward(x, memory, self_mask=None, memory_mask=None): (B, T, d_model), (B, S, d_model), and booleans that
    broadcast to (B, H, T, T) and (B, H, T, S) -> (B, T, d_model).
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False):
        super().__init__()
        ### BEGIN SOLUTION
        self.self_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.feed_forward = PositionwiseFeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.norm3 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first
        ### END SOLUTION

    def forward(
        self,
        x: torch.Tensor,
        memory: torch.Tensor,
        self_mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        ### BEGIN SOLUTION
        sublayers = [
            (self.norm1, lambda x: self.self_attention(x, x, x, self_mask)[0]),
            (self.norm2, lambda x: self.cross_attention(x, memory, memory, memory_mask)[0]),
            (self.norm3, self.feed_forward),
        ]
        for norm, sublayer in sublayers:
            x = x + self.dropout(sublayer(norm(x))) if self.norm_first else norm(x + self.dropout(sublayer(x)))
        return x
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_DecoderBlock", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
by_hand = DecoderBlock(2, 1, 4, norm_first=True)
with torch.no_grad():
    for linear in (by_hand.self_attention.w_o, by_hand.feed_forward.linear2):
        linear.weight.zero_()
        linear.bias.zero_()
    for linear in (by_hand.cross_attention.w_v, by_hand.cross_attention.w_o):
        linear.weight.copy_(torch.eye(2))
        linear.bias.zero_()
torch.testing.assert_close(
    by_hand(torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[10.0, 20.0]]])), torch.tensor([[[11.0, 23.0]]])
)
check("DecoderBlock", DecoderBlock)


# %% tags=["skip-grading"]
def copy_decoder_block(ours: nn.Module, theirs: nn.TransformerDecoderLayer) -> None:
    """Give PyTorch's decoder layer the parameters of ours."""
    copy_attention(ours.self_attention, theirs.self_attn)
    copy_attention(ours.cross_attention, theirs.multihead_attn)
    for name in ("norm1", "norm2", "norm3"):
        getattr(theirs, name).load_state_dict(getattr(ours, name).state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward.linear1.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.linear2.state_dict())


target = torch.randn(2, 4, 12, dtype=torch.float64)
past = torch.ones(4, 4, dtype=torch.bool).tril()
for norm_first in (False, True):
    ours = DecoderBlock(12, 3, 24, norm_first=norm_first).double()
    theirs = nn.TransformerDecoderLayer(12, 3, 24, dropout=0.0, batch_first=True, norm_first=norm_first).double()
    copy_decoder_block(ours, theirs)
    our_output = ours(target, inputs, past, padding[:, None, None, :])
    their_output = theirs(target, inputs, tgt_mask=~past, memory_key_padding_mask=~padding)
    our_gradient = torch.autograd.grad(our_output.pow(3).sum(), inputs)[0]
    their_gradient = torch.autograd.grad(their_output.pow(3).sum(), inputs)[0]
    print(
        f"norm_first={norm_first}: outputs differ by at most {(our_output - their_output).abs().max():.1e}, "
        f"gradients for the memory by at most {(our_gradient - their_gradient).abs().max():.1e}"
    )

# %% [markdown]
# Who influences whom? Differentiate each output token with respect to each input token and draw the size of the
# derivative. This picture needs no knowledge of how the block is built, and it cannot be fooled.


# %% tags=["skip-grading"]
def influence(function, x: torch.Tensor) -> torch.Tensor:
    """(T_out, T_in): the norm of the derivative of each output token with respect to each input token of x (1, T, d)."""
    derivative = torch.autograd.functional.jacobian(function, x)[0, :, :, 0]
    return derivative.square().sum(dim=(1, 3)).sqrt()


torch.manual_seed(6)
block = DecoderBlock(16, 4, 32, norm_first=True)
target, memory = torch.randn(1, 8, 16), torch.randn(1, 6, 16)
past = torch.ones(8, 8, dtype=torch.bool).tril()
four_words = torch.tensor([True] * 4 + [False] * 2)
pictures = [
    ("self, no mask", influence(lambda x: block(x, memory), target), "input token"),
    ("self, causal mask", influence(lambda x: block(x, memory, past), target), "input token"),
    ("memory, two words of padding", influence(lambda m: block(target, m, past, four_words), memory), "memory token"),
]
figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), layout="constrained")
for axes, (title, picture, label) in zip(panels, pictures):
    image = axes.imshow(torch.log10(picture + 1e-4), cmap="cividis", vmin=-4, vmax=1)
    axes.set(title=title, xlabel=label, ylabel="output token")
figure.colorbar(image, ax=panels, label="log10 of the derivative's norm")
plt.show()

# %% [markdown]
# **What you see.** Three maps. Without a mask every output depends on every input, most on itself: a bright diagonal
# on a lighter ground. With the causal mask everything above the diagonal is at the bottom of the scale: exactly zero.
# In the third map the two columns of padding are as dark: the block never reads them.
#
# ## 8. Your turn to write the test
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●○ |
# | time | 20 minutes |
#
# A decoder that can see the future is the most expensive bug in this part of the course. It trains wonderfully: it
# copies the next word from its input. Then it decodes rubbish, because when decoding there is no next word yet. The
# loss will not tell you. A test will.
#
# The test needs only one idea: **change the future, and see whether the past changes.** Given any function from $(B,
# T, d)$ to $(B, T, d')$ and an input, decide whether some output at a position $t$ depends on an input at a position
# later than $t$.
#
# **By hand.** $x = [1, 2, 3]$ (one sentence, one feature). A running sum gives $[1, 3, 6]$. Change the last 3 to 5:
# $[1, 3, 8]$. The first two outputs did not move, so nothing leaks from the last position. Subtracting the mean gives
# $[-1, 0, 1]$; after the change it gives $[-5/3, -2/3, 7/3]$. Position 0 moved: that is a leak.
#
# Think about what a bug could hide behind. It may leak only from the next token, only from the last one, only into
# the first, only in one sentence of the batch, or only a little. Rounding is not a leak: a matrix product of another
# shape, or in another order, may differ in its last digit.


# %% nbgrader={"grade": false, "grade_id": "leaks_future", "locked": false, "schema_version": 3, "solution": true, "task": false}
def leaks_future(layer, x: torch.Tensor) -> bool:
    """Whether an output of `layer` at some position depends on an input at a later position.

    layer: a function (B, T, d) -> (B, T, d'); it gives the same output for the same input. x: (B, T, d), float64.
    Returns True or False. x is not changed. With x near 1, a difference of up to 1e-9 is rounding; a leak of 1e-4 of
    a later token is a leak.

    >>> leaks_future(lambda x: x.cumsum(dim=1), torch.randn(1, 3, 2, dtype=torch.float64))
    False
    >>> leaks_future(lambda x: x - x.mean(dim=1, keepdim=True), torch.randn(1, 3, 2, dtype=torch.float64))
    True
    """
    ### BEGIN SOLUTION
    before = layer(x)
    tolerance = 1e-9 * (1 + before.abs().max())
    for t in range(1, x.shape[1]):
        for sign in (1.0, -1.0):
            changed = x.clone()
            changed[:, t] += sign * (1 + torch.arange(x.shape[2], dtype=x.dtype).cos().abs())
            if ((layer(changed) - before)[:, :t].abs() > tolerance).any():
                return True
    return False
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_leaks_future", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
example = torch.tensor([[[1.0], [2.0], [3.0]]], dtype=torch.float64)
assert leaks_future(lambda x: x.cumsum(dim=1), example) is False
assert leaks_future(lambda x: x - x.mean(dim=1, keepdim=True), example) is True
check("leaks_future", leaks_future)

# %% [markdown]
# Now turn it on your own block:

# %% tags=["skip-grading"]
torch.manual_seed(7)
block = EncoderBlock(8, 2, 16, norm_first=True).double()
sentence = torch.randn(2, 6, 8, dtype=torch.float64)
shifted = torch.ones(6, 6, dtype=torch.bool).tril(1)
for title, mask in [
    ("no mask", None),
    ("causal mask", torch.ones(6, 6, dtype=torch.bool).tril()),
    ("mask off by one", shifted),
]:
    verdict = leaks_future(lambda x, mask=mask: block(x, mask).detach(), sentence)
    print(f"{title:16} leaks: {verdict}")

# %% [markdown]
# ## When it goes wrong
#
# | symptom | cause |
# | --- | --- |
# | outputs differ from PyTorch's by a few percent everywhere | the variance is divided by $d - 1$ (`torch.var` without `correction=0`), or the scores by $\sqrt{d_{model}}$ |
# | right with one head, wrong with two | `view(B, H, T, d_h)` straight away: it cuts the sentence, not the features. Go through `(B, T, H, d_h)` and transpose |
# | right for a batch of one, wrong for more | a reshape that lets sentences flow into each other, or a padding mask without its two axes of size 1 |
# | NaN in the loss from one batch on | a sentence of padding only: a softmax over nothing. Fill with $-\infty$, then set what is masked to 0 after the softmax |
# | forward is fine, gradients are NaN | the NaN is replaced after the context instead of in the weights; 0 times NaN is NaN |
# | `mat1 and mat2 must have the same dtype` | a float32 constant in a float64 model: make new tensors with `x.new_zeros` or `dtype=x.dtype` |
# | the optimizer does not change a layer | it is kept in a plain list: use `nn.ModuleList`, and `nn.Parameter` for tensors |
# | evaluation is different every time | `F.dropout(x, p)` drops always; pass `training=self.training`, or use `nn.Dropout` |
# | loss near zero after an hour, translations are rubbish | the decoder sees the future: `leaks_future` |
#
# ## Questions to think about
#
# <details><summary>Why is a padding mask not needed for the queries?</summary>
#
# A padded query computes something useless, but nobody reads it: as a key it is masked in every other row, and the
# loss skips its position. Masking it would save nothing, since the row is computed anyway.
# </details>
#
# <details><summary>A pre-norm block has no norm at its end. What would go wrong in a deep model without one final
# norm?</summary>
#
# Each block adds to the residual stream, so its size grows with depth. The output layer would see numbers whose scale
# depends on the number of blocks. One norm after the last block removes that.
# </details>
#
# <details><summary>Positions are added to the embeddings. Why does the sum not destroy the word?</summary>
#
# In 64 or 512 dimensions two vectors have room for each other: the model can learn embeddings that lie mostly outside
# the few directions in which the slow waves live. Concatenating would also work, and would cost more features.
# </details>

# %% [markdown]
# ### A question to answer in writing
#
# Self-attention without a mask lets every token see every other one, and so does a linear map over the time axis, $y
# = A x$ with a learned $A \in \mathbb{R}^{T \times T}$. Name two things that attention can do and the linear map
# cannot.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_transformer_blocks", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# (1) The weights of attention depend on the content: the same position may matter in one sentence and not in another,
# while A is the same for all sentences. (2) Attention works for any length, with the same parameters; A has one size,
# and says nothing about positions that were never trained. (Also right: attention's parameters do not grow with T; it
# handles padding by a mask; it is equivariant to permutations.)
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Residual connections and layer norms carry a signal, and its gradient, through many blocks; positions have to be
#   added, because attention does not see order.
# - A block is attention between tokens and a feed-forward network within tokens; a decoder block has cross-attention
#   between the two.
# - With weights copied across, your blocks *are* PyTorch's. What you understand here you can read in any Transformer.
#
# **Papers.** J. L. Ba, J. R. Kiros, G. E. Hinton, 2016, *Layer Normalization*, section 3. · A. Vaswani and others,
# 2017, *Attention Is All You Need*, sections 3.1 to 3.5 and 5.4. · R. Xiong and others, 2020, *On Layer Normalization
# in the Transformer Architecture*, section 3.
#
# **Next.** Lesson 14 stacks these blocks into a Transformer, trains it to translate, and makes it decode fast.

# %% tags=["skip-grading"]
progress()
