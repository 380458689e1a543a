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
# # 14 · A Transformer that translates
#
# **You will stack the blocks of lesson 13 into a Transformer, train it to translate English into French in a few
# minutes, look through the eyes of all its heads, and make it decode without doing any work twice.**
#
# After this lesson you can
#
# - build the model of Vaswani et al. (2017) with the masks that it needs, and check that it cannot cheat;
# - smooth labels and warm up a learning rate, and say what each does to a loss curve;
# - read attention maps of encoder, decoder and cross-attention;
# - decode with a key-value cache, and measure what it saves;
# - compare two models fairly: same data, same number of steps, three seeds, and the time of a step told.
#
# | | |
# | --- | --- |
# | you need | lessons 08 (batches, teacher forcing), 09 (greedy decoding), 12 (beam search, BLEU), 13 (the blocks) |
# | time | about three hours |
# | training | two to three minutes on two cores |

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math
import time
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from course_datasets import load
from course_datasets.weights import load_results
from torch import nn

from autograder import check, hint, lesson, progress, reveal
from autograder.training import batches_by_length, budget, endless, fit, seed_everything

blocks = lesson("13_transformer_blocks")
LayerNorm, EncoderBlock, DecoderBlock = blocks.LayerNorm, blocks.EncoderBlock, blocks.DecoderBlock
sinusoidal_positions = blocks.sinusoidal_positions
PAD, BOS, EOS = 0, 1, 2

_tables = {}


def position_rows(first: int, length: int, d_model: int) -> torch.Tensor:
    """Rows first to first + length - 1 of sinusoidal_positions, from a table that is kept and grows when needed."""
    table = _tables.get(d_model)
    if table is None or len(table) < first + length:
        table = _tables[d_model] = sinusoidal_positions(max(256, 2 * (first + length)), d_model)
    return table[first : first + length]


# %% [markdown]
# ## 1. Why: a recurrence must wait
#
# Stuck on an exercise? `hint("Transformer")` gives you a nudge, then a bigger one each time you call it, and
# `reveal("Transformer")` shows a solution. `progress()` shows what is done.
#
# The encoder of lesson 09 reads a sentence one token after another. However many processors you have, token 40 waits
# for token 39. The encoder block of lesson 13 computes all tokens at once. Vaswani et al. (2017, section 4 and table
# 1) compare the two, for $n$ tokens of $d$ features:
#
# | layer | operations | steps that must wait for each other | longest way from one token to another |
# | --- | --- | --- | --- |
# | recurrent | $O(n\, d^2)$ | $O(n)$ | $O(n)$ |
# | self-attention | $O(n^2 d + n\, d^2)$ | $O(1)$ | $O(1)$ |
#
# (The second term of self-attention is its projections, which their table leaves out.) See it on your own machine:
# the time of one training step of a GRU layer and of one encoder block, on the same batch.


# %%
def step_time(module, x: torch.Tensor, repeats: int = 3) -> float:
    """The shortest of a few timings of forward and backward, in milliseconds."""
    best = math.inf
    for _ in range(repeats):
        began = time.perf_counter()
        output = module(x)
        (output[0] if isinstance(output, tuple) else output).sum().backward()
        best = min(best, time.perf_counter() - began)
    return 1000 * best


torch.manual_seed(0)
lengths = [10, 20, 40, 80, 160, 320]
recurrent = nn.GRU(128, 64, batch_first=True, bidirectional=True)
block = EncoderBlock(128, 4, 256, norm_first=True)
timings = {
    name: [step_time(module, torch.randn(8, n, 128)) for n in lengths]
    for name, module in [("GRU", recurrent), ("block", block)]
}
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axes.plot(lengths, timings["GRU"], "o-", color="#440154", label="bidirectional GRU")
axes.plot(lengths, timings["block"], "s--", color="#21918c", label="encoder block")
axes.set(
    title="One training step on eight sentences",
    xlabel="tokens in a sentence",
    ylabel="milliseconds",
    xscale="log",
    yscale="log",
)
axes.set_xticks(lengths, lengths)
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** Two rising lines, both axes logarithmic. Up to about a hundred tokens the encoder block is several
# times faster although it does more arithmetic, because its arithmetic does not wait. Toward the right its line gets
# steeper: that is the $n^2$ of attention. Lesson 17 is about it.
#
# The price of losing the recurrence is the sense of order, and you know the cure: positions. Now build the whole.
#
# ## 2. The Transformer
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●●●● |
# | time | 45 minutes |
#
# **Into the model.** A token's embedding is multiplied by $\sqrt{d_{model}}$ and its position is added (Vaswani et
# al. 2017, sections 3.4 and 3.5):
#
# $$x_t = \sqrt{d_{model}}\; E_{w_t} + PE_t \qquad E \in \mathbb{R}^{V \times d_{model}},\; x_t \in \mathbb{R}^{d_{model}}$$
#
# Why the root? Embeddings start with entries of size $1 / \sqrt{d_{model}}$, because the same matrix also makes the
# output. The root brings them to size 1, the size of the waves. PyTorch's own start at size 1; give them the smaller
# one with `nn.init.normal_(embedding.weight, std=d_model**-0.5)`. The check does not look at it, the training does.
#
# **Out of the model.** The logits are dot products of what the last block made with every target embedding:
# $\text{logits} = x E^\top$. The output layer is **tied** to the target embedding. It has no parameters of its own
# and no bias.
#
# **Between.** `n_layers` encoder blocks, then `n_layers` decoder blocks, each with parameters of its own. Every
# decoder block reads the *same* memory: the output of the last encoder block. With `norm_first=True`, one more norm
# follows the last block on each side, because pre-norm blocks do not normalize what they return (lesson 13).
#
# **The masks**, all boolean with True for "may be attended to":
#
# | mask | shape | what it allows |
# | --- | --- | --- |
# | source mask, for the encoder and for cross-attention | $(B, 1, 1, S)$ | keys that are not padding |
# | target mask, for the decoder's self-attention | $(B, 1, T, T)$ | keys up to the query's own position that are not padding |
#
# `encode` and `decode` take masks as they are; `forward` makes them from the ids.
#
# **By hand.** No blocks at all (`n_layers=0`), post-norm, $d_{model} = 4$, and one word with the embedding $[0.5, 0,
# 0, 0]$. Scaled by $\sqrt 4 = 2$ it is $[1, 0, 0, 0]$. Position 0 is $[0, 1, 0, 1]$. The sum is $[1, 1, 0, 1]$, and
# its dot product with the embedding is $0.5$: the logit of that word.


# %% nbgrader={"grade": false, "grade_id": "Transformer", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Transformer(nn.Module):
    """An encoder and a decoder of n_layers blocks each, with sinusoidal positions and a tied output.

    shared: True for one embedding on both sides (needs equal vocabulary sizes, ValueError). positions: False for a
    model without a sense of order, for experiments. pad_id: the id that `forward` masks.
    Attributes: `src_embedding`, `tgt_embedding` (nn.Embedding; the same object if shared), `encoder`, `decoder`
    (nn.ModuleList of EncoderBlock, DecoderBlock), `encoder_norm`, `decoder_norm` (LayerNorm with norm_first,
    nn.Identity without). No other parameters: the logits are the last features times the target embedding.

    encode(src (B, S), src_mask=None) -> memory (B, S, d_model)
    decode(tgt (B, T), memory, tgt_mask=None, memory_mask=None) -> logits (B, T, tgt_vocab_size)
    forward(src (B, S), tgt (B, T)) -> logits (B, T, tgt_vocab_size), with masks made from pad_id; each target token
    may look at itself and at earlier tokens, so tgt is what lesson 08 calls the decoder's input.
    Masks are booleans that broadcast to (B, H, queries, keys). Dropout falls on the embedded input, too.
    """

    def __init__(
        self,
        src_vocab_size: int,
        tgt_vocab_size: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        n_layers: int,
        dropout: float = 0.1,
        norm_first: bool = True,
        shared: bool = False,
        positions: bool = True,
        pad_id: int = 0,
    ):
        super().__init__()
        ### BEGIN SOLUTION
        if shared and src_vocab_size != tgt_vocab_size:
            raise ValueError(f"shared embeddings need equal sizes, got {src_vocab_size} and {tgt_vocab_size}")
        self.d_model, self.positions, self.pad_id = d_model, positions, pad_id
        self.tgt_embedding = nn.Embedding(tgt_vocab_size, d_model)
        self.src_embedding = self.tgt_embedding if shared else nn.Embedding(src_vocab_size, d_model)
        for embedding in (self.src_embedding, self.tgt_embedding):
            nn.init.normal_(embedding.weight, std=d_model**-0.5)
        sizes = (d_model, n_heads, d_ff, dropout, norm_first)
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = LayerNorm(d_model) if norm_first else nn.Identity()
        self.decoder_norm = LayerNorm(d_model) if norm_first else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def embed(self, embedding: nn.Embedding, ids: torch.Tensor) -> torch.Tensor:
        """(B, T) -> (B, T, d_model): scaled embeddings plus positions, then dropout. position_rows gives the waves."""
        ### BEGIN SOLUTION
        x = embedding(ids) * math.sqrt(self.d_model)
        if self.positions:
            x = x + position_rows(0, ids.shape[1], self.d_model).to(x)
        return self.dropout(x)
        ### END SOLUTION

    def encode(self, src: torch.Tensor, src_mask: torch.Tensor | None = None) -> torch.Tensor:
        ### BEGIN SOLUTION
        x = self.embed(self.src_embedding, src)
        for block in self.encoder:
            x = block(x, src_mask)
        return self.encoder_norm(x)
        ### END SOLUTION

    def decode(
        self,
        tgt: torch.Tensor,
        memory: torch.Tensor,
        tgt_mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        ### BEGIN SOLUTION
        x = self.embed(self.tgt_embedding, tgt)
        for block in self.decoder:
            x = block(x, memory, tgt_mask, memory_mask)
        return F.linear(self.decoder_norm(x), self.tgt_embedding.weight)
        ### END SOLUTION

    def forward(self, src: torch.Tensor, tgt: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        src_mask = (src != self.pad_id)[:, None, None, :]
        past = torch.ones(tgt.shape[1], tgt.shape[1], dtype=torch.bool, device=tgt.device).tril()
        tgt_mask = (tgt != self.pad_id)[:, None, None, :] & past
        return self.decode(tgt, self.encode(src, src_mask), tgt_mask, src_mask)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_Transformer", "locked": true, "points": 12, "schema_version": 3, "solution": false, "task": false}
by_hand = Transformer(3, 3, d_model=4, n_heads=1, d_ff=4, n_layers=0, norm_first=False).eval()
with torch.no_grad():
    by_hand.src_embedding.weight.zero_()
    by_hand.tgt_embedding.weight.copy_(torch.tensor([[0.0, 0, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 0]]))
    torch.testing.assert_close(by_hand(torch.tensor([[2]]), torch.tensor([[1]])), torch.tensor([[[0.0, 0.5, 0.0]]]))
check("Transformer", Transformer)

# %% [markdown]
# Draw the masks of a small batch as your `forward` makes them. A hook on the first block of each side catches them:


# %% tags=["skip-grading"]
def caught_masks(
    model: nn.Module, src: torch.Tensor, tgt: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The masks that the first blocks are given: source, target, memory."""
    caught = {}
    hooks = [
        model.encoder[0].self_attention.register_forward_pre_hook(lambda m, args: caught.update(source=args[3])),
        model.decoder[0].self_attention.register_forward_pre_hook(lambda m, args: caught.update(target=args[3])),
        model.decoder[0].cross_attention.register_forward_pre_hook(lambda m, args: caught.update(memory=args[3])),
    ]
    with torch.no_grad():
        model(src, tgt)
    for each in hooks:
        each.remove()
    return caught["source"], caught["target"], caught["memory"]


tiny = Transformer(20, 20, 8, 2, 16, 1).eval()
source_ids = torch.tensor([[5, 6, 7, 8, 2, 0, 0]])
target_ids = torch.tensor([[1, 9, 10, 11, 0, 0]])
figure, panels = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
figure.suptitle("The masks that forward makes; bright means: may be attended to")
shapes = [(7, 7), (6, 6), (6, 7)]
for axes, mask, shape, title in zip(
    panels, caught_masks(tiny, source_ids, target_ids), shapes, ["encoder", "decoder", "cross-attention"]
):
    axes.imshow(mask.broadcast_to(1, 1, *shape)[0, 0], cmap="cividis", vmin=0, vmax=1)
    axes.set(title=title, xlabel="key", ylabel="query")
plt.show()

# %% [markdown]
# **What you see.** Three masks of a source of five tokens and two of padding, and a target of four and two. Encoder
# and cross-attention: five bright columns, two dark ones. Decoder: a bright triangle, cut off after the fourth
# column. No row is empty, so no query is left with nothing to look at.
#
# ## 3. Label smoothing
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●○○ |
# | time | 15 minutes |
#
# The loss of lesson 09 asks for probability 1 on the right word. It can never be satisfied: the model keeps pushing
# its logits apart, and becomes more certain than it should be. Szegedy et al. (2016, section 7) ask for less. Give
# the right word $1 - \epsilon$, and share $\epsilon$ evenly among **all** $V$ words (the right one included):
#
# $$\ell = (1 - \epsilon)\,(-\log p_{y}) + \epsilon\, \frac{1}{V} \sum_{v=1}^{V} (-\log p_v)$$
#
# The loss of a batch is the mean of $\ell$ over the real tokens, those whose target is not `pad_id`. With $\epsilon =
# 0$ it is the loss of lesson 09. Vaswani et al. (2017, section 5.4) use $\epsilon = 0.1$, and write that it "hurts
# perplexity", but improves BLEU.
#
# **By hand.** Two words, logits $[0, \ln 3]$, so $p = [1/4, 3/4]$. The target is word 1 and $\epsilon = 0.5$. $-\log
# p$ is $[1.3863, 0.2877]$, so $\ell = 0.5 \cdot 0.2877 + 0.5 \cdot (1.3863 + 0.2877) / 2 = 0.5623$.


# %% nbgrader={"grade": false, "grade_id": "label_smoothed_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def label_smoothed_loss(logits: torch.Tensor, targets: torch.Tensor, smoothing: float, pad_id: int = 0) -> torch.Tensor:
    """Cross-entropy with smoothed labels, the mean over the real tokens.

    logits: (B, T, V), any floating dtype, contiguous or not. targets: (B, T) int64. smoothing: the share from 0 to 1
    that is spread evenly over all V words. pad_id: targets that do not count. Returns a scalar tensor.
    Source: Szegedy et al. 2016, section 7.

    >>> label_smoothed_loss(torch.tensor([[[0.0, 1.0986]]]), torch.tensor([[1]]), 0.5)
    tensor(0.5623)
    """
    ### BEGIN SOLUTION
    log_probs = torch.log_softmax(logits, dim=-1)
    right = log_probs.gather(-1, targets[..., None])[..., 0]
    losses = -(1 - smoothing) * right - smoothing * log_probs.mean(dim=-1)
    return losses[targets != pad_id].mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_label_smoothed_loss", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
by_hand = label_smoothed_loss(torch.tensor([[[0.0, math.log(3)]]]), torch.tensor([[1]]), 0.5)
torch.testing.assert_close(by_hand, torch.tensor(0.5623), atol=1e-4, rtol=0)
check("label_smoothed_loss", label_smoothed_loss)

# %% tags=["skip-grading"]
margins = torch.linspace(-2, 12, 200)
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for smoothing, style, color in [(0.0, "-", "#440154"), (0.1, "--", "#21918c"), (0.3, ":", "0.3")]:
    losses = []
    for margin in margins:
        logits = torch.zeros(1, 1, 50)
        logits[..., 1] = margin
        losses.append(float(label_smoothed_loss(logits, torch.tensor([[1]]), smoothing)))
    axes.plot(margins, losses, style, color=color, label=f"smoothing {smoothing:g}")
    axes.plot(margins[int(np.argmin(losses))], min(losses), "o", color=color)
axes.set(
    title="Loss by how far the right word of 50 is ahead",
    xlabel="logit of the right word, the others are 0",
    ylabel="loss",
)
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** Three curves that fall together at first. Without smoothing the curve goes on falling toward zero,
# and its dot, the lowest point, is at the right end. With smoothing the curve turns: there is a best margin, about 6
# for 0.1 and about 5 for 0.3, and a model that is more certain than that pays for it.
#
# ## 4. A learning rate that warms up
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●○○ |
# | time | 10 minutes |
#
# Vaswani et al. (2017, section 5.3, equation 3) raise the learning rate in a straight line for `warmup` steps, and
# then let it fall with the root of the step. (It is often called the Noam rate, after Noam Shazeer, the second author.)
#
# $$\text{rate} = d_{model}^{-1/2} \cdot \min\left(\text{step}^{-1/2},\; \text{step} \cdot \text{warmup}^{-3/2}\right)$$
#
# The two arguments of the minimum are equal at step = warmup: that is the peak. Steps count from 1. Some schedulers
# ask for step 0 first, where the formula divides by zero: give them the rate of step 1.
#
# **By hand.** $d_{model} = 4$, warmup 4. Step 1: $0.5 \cdot \min(1, 1/8) = 0.0625$. Step 4: $0.5 \cdot \min(1/2, 4/8)
# = 0.25$, the peak. Step 16: $0.5 \cdot \min(1/4, 2) = 0.125$.


# %% nbgrader={"grade": false, "grade_id": "noam_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def noam_rate(step: int, d_model: int, warmup: int) -> float:
    """The learning rate at a step: a linear rise for `warmup` steps, then a fall with the root of the step.

    step: from 1; 0 counts as 1. d_model, warmup: at least 1. Returns a float.
    Source: Vaswani et al. 2017, equation 3.

    >>> noam_rate(4, 4, 4)
    0.25
    """
    ### BEGIN SOLUTION
    step = max(step, 1)
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_noam_rate", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
assert abs(noam_rate(1, 4, 4) - 0.0625) < 1e-9
assert abs(noam_rate(4, 4, 4) - 0.25) < 1e-9
assert abs(noam_rate(16, 4, 4) - 0.125) < 1e-9
check("noam_rate", noam_rate)

# %% tags=["skip-grading"]
steps = np.arange(1, 2001)
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
for (warmup, d_model), style in zip([(200, 128), (800, 128), (200, 512)], ["-", "--", ":"]):
    axes.plot(
        steps,
        [noam_rate(int(s), d_model, warmup) for s in steps],
        style,
        color="#31688e",
        label=f"warmup {warmup}, d_model {d_model}",
    )
axes.set(title="noam_rate", xlabel="step", ylabel="learning rate")
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** Three tents: a straight rise, a sharp peak at the end of the warm-up, a slow fall. A longer
# warm-up gives a lower peak, and so does a wider model. The fall is the same curve for the two models of one width.
#
# ## 5. Train it
#
# The data is the course's English to French grammar, the same sentences as in lesson 10, split at random into
# training and held-out parts. Batches, teacher forcing and the training loop are those of lessons 08 and 09: `fit`
# multiplies the rate by a line that falls from 1 to 0 over the second half of the run, and clips the gradients to a
# global norm of 1.

# %% tags=["skip-grading"]
sequences = lesson("08_sequences")
data = load("sentences", size=20_000, test_size=2_000, seed=0)
pairs = data.tokens("train")
source_vocab = sequences.build_vocab([source for source, _ in pairs], min_count=3)
target_vocab = sequences.build_vocab([target for _, target in pairs], min_count=3)
print(f"{len(pairs)} pairs, {len(source_vocab)} English and {len(target_vocab)} French tokens, seed 0")
print(" ".join(pairs[0][0]), "\n ", " ".join(pairs[0][1]))


def numbered(pairs) -> list[tuple[list[int], list[int]]]:
    """Pairs of tokens as pairs of ids; the target starts with <bos>."""
    return [(sequences.encode(s, source_vocab), sequences.encode(t, target_vocab, bos=True)) for s, t in pairs]


def collate(items) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(source, decoder input, decoder target) of a batch."""
    source, _ = sequences.pad_batch([s for s, _ in items])
    target, _ = sequences.pad_batch([t for _, t in items])
    return (source, *sequences.teacher_forcing(target))


train, valid = numbered(pairs), numbered(data.tokens("valid")[:200])
sizes = [(len(s), len(t)) for s, t in train]
held_out = [
    collate([valid[i] for i in batch])
    for batch in batches_by_length([(len(s), len(t)) for s, t in valid], 100, seed=None)
]

# %% tags=["skip-grading"]
D_MODEL, HEADS, D_FF, LAYERS = 128, 4, 256, 2
WARMUP, SMOOTHING, STEPS = 300, 0.1, 1200


def loss_of(model, batch) -> torch.Tensor:
    """The smoothed loss of a batch, for training."""
    source, decoder_input, decoder_target = batch
    return label_smoothed_loss(model(source, decoder_input), decoder_target, SMOOTHING)


def held_out_loss(model) -> float:
    """The smoothed loss per token on sentences that are not trained on."""
    counts = [int((target != PAD).sum()) for _, _, target in held_out]
    return sum(n * float(loss_of(model, batch)) for n, batch in zip(counts, held_out)) / sum(counts)


seed_everything(0)
model = Transformer(len(source_vocab), len(target_vocab), D_MODEL, HEADS, D_FF, LAYERS, dropout=0.1)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
history = fit(
    model,
    loss_of,
    endless(train, collate, sizes, batch_size=64, seed=0),
    steps=STEPS,
    learning_rate=lambda step: noam_rate(step, D_MODEL, WARMUP),
    optimizer=torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9),
    evaluate=held_out_loss,
    evaluate_every=max(1, STEPS // 6),
    title="Transformer",
)
print(f"{history.seconds:.0f} seconds")

# %% [markdown]
# **What you see.** The gray line is the loss of each batch, the blue one its running mean, the black dots the
# held-out loss. The loss cannot reach zero: with smoothing 0.1 and this many words, a model that predicts exactly the
# smoothed labels has a loss of 1.1 (their entropy, lesson 02). Look at the distance between the blue line and the black
# dots: as long as they fall together, the model learns the language and not the sentences.
#
# How good is it? Translate the held-out sentences greedily, and count n-grams (lesson 12).


# %% tags=["skip-grading"]
def uncached_start(model, source: torch.Tensor):
    """The state for uncached_step: memory, its mask, and the tokens so far (none)."""
    mask = (source != PAD)[:, None, None, :]
    return model.encode(source, mask), mask, source.new_zeros(len(source), 0)


def uncached_step(model, tokens: torch.Tensor, state):
    """A decoding step that runs the whole decoder over all tokens so far, and keeps only the last row."""
    memory, mask, past = state
    past = torch.cat([past, tokens[:, None]], dim=1)
    causal = torch.ones(past.shape[1], past.shape[1], dtype=torch.bool).tril()
    logits = model.decode(past, memory, causal, mask)[:, -1]
    return torch.log_softmax(logits, dim=-1), (memory, mask, past)


greedy_decode, bleu = lesson("09_seq2seq").greedy_decode, lesson("12_beam_search").bleu


def translations(model, pairs, start=uncached_start, step=uncached_step) -> list[list[str]]:
    """Greedy translations of the sources, in their order."""
    model.eval()
    results = [None] * len(pairs)
    with torch.no_grad():
        for batch in batches_by_length([len(s) for s, _ in pairs], 100, seed=None):
            source, _ = sequences.pad_batch([sequences.encode(pairs[i][0], source_vocab) for i in batch])
            ids = greedy_decode(partial(step, model), start(model, source), BOS, EOS, max_len=60)
            for i, row in zip(batch, ids):
                results[i] = sequences.decode(row, target_vocab)
    return results


test = data.tokens("test")[: budget(500, 40)]
began = time.perf_counter()
outputs = translations(model, test)
uncached_seconds = time.perf_counter() - began
print(
    f"BLEU {bleu(outputs, [[target] for _, target in test]):.1f} on {len(test)} held-out sentences, in {uncached_seconds:.1f} s"
)
for (source, target), output in list(zip(test, outputs))[:4]:
    print(f"\n  {' '.join(source)}\n  {' '.join(target)}\n> {' '.join(output)}")

# %% [markdown]
# ## 6. Through the eyes of all heads
#
# A block returns one tensor and throws its weights away. A *forward hook* sees what a module returns, so nothing
# needs to be rebuilt. Here are all heads of all layers at once, for one held-out sentence. Print it, take a pencil,
# and mark what you recognize: heads that look at the token before, at the end of the sentence, at the noun of an
# adjective.


# %% tags=["skip-grading"]
def attention_maps(model, source: torch.Tensor, target: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """For each kind of attention, the weights (H, queries, keys) of each layer, for a batch of one."""
    maps = {"encoder": [], "decoder": [], "cross": []}
    modules = [("encoder", b.self_attention) for b in model.encoder]
    modules += [("decoder", b.self_attention) for b in model.decoder]
    modules += [("cross", b.cross_attention) for b in model.decoder]
    hooks = [
        m.register_forward_hook(lambda m, args, out, kind=kind: maps[kind].append(out[1][0])) for kind, m in modules
    ]
    with torch.no_grad():
        model(source, target)
    for each in hooks:
        each.remove()
    return maps


def draw_heads(model, source_tokens: list[str], target_tokens: list[str]):
    """A figure with a row for each layer of encoder, decoder and cross-attention, and a column for each head."""
    source = torch.tensor([sequences.encode(source_tokens, source_vocab)])
    target = torch.tensor([sequences.encode(target_tokens, target_vocab, bos=True, eos=False)])
    maps = attention_maps(model.eval(), source, target)
    src, tgt = [*source_tokens, "<eos>"], ["<bos>", *target_tokens]
    rows = [(kind, layer, weights) for kind in maps for layer, weights in enumerate(maps[kind])]
    figure, panels = plt.subplots(len(rows), HEADS, figsize=(3.1 * HEADS, 2.9 * len(rows)), layout="constrained")
    for (kind, layer, weights), line in zip(rows, panels):
        keys, queries = (tgt if kind == "decoder" else src), (src if kind == "encoder" else tgt)
        for head, axes in enumerate(line):
            image = axes.imshow(weights[head], cmap="viridis", vmin=0, vmax=1)
            axes.set_xticks(range(len(keys)), keys, rotation=90, fontsize=7)
            axes.set_yticks(range(len(queries)), queries if head == 0 else [""] * len(queries), fontsize=7)
            axes.set_title(f"{kind} {layer + 1}, head {head + 1}", fontsize=9)
            if head == 0:
                axes.set_ylabel("query")
            if layer == len(maps[kind]) - 1:
                axes.set_xlabel("key")
    figure.colorbar(image, ax=panels, label="weight", shrink=0.4)
    return figure


shown = next((i for i, (s, t) in enumerate(test) if 9 <= len(s) <= 11 and outputs[i] == t), 0)
draw_heads(model, test[shown][0], outputs[shown] or test[shown][1])
plt.show()

# %% [markdown]
# **What you see.** A sheet of small maps, one row for each layer of the encoder, the decoder and the cross-attention,
# one column for each head. Bright means much weight. Above the diagonal of the decoder's maps everything is dark: the
# causal mask. In the cross-attention, look for a bright path from the upper left to the lower right, and for the places
# where it steps aside because French puts an adjective after its noun.
#
# ## 7. Decoding without doing the work twice
#
# Look again at `uncached_step`. To get one new token it runs the decoder over *all* tokens so far, and throws away
# every row but the last. After 100 tokens it has computed the first row 100 times. Nothing about the first row has
# changed: it may not see the future.
#
# What does the last row need from the others? Only their keys and values, in each decoder block, and the memory's
# keys and values, which never change. So keep those. This is the **key-value cache** that every large language model
# decodes with.
#
# The state is a tuple of five tensors whose first axis is the batch $N$, so that the beam search of lesson 12 can
# reorder it without knowing what it is. With $L$ layers, $H$ heads, $t$ tokens so far and $S$ source tokens:
#
# | | shape | what |
# | --- | --- | --- |
# | `keys`, `values` | $(N, L, H, t, d_h)$ | of the decoder's self-attention, so far |
# | `memory_keys`, `memory_values` | $(N, L, H, S, d_h)$ | of the cross-attention |
# | `memory_mask` | $(N, 1, 1, S)$ | which source tokens are real |
#
# ### Fill the cache
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●○○ |
# | time | 15 minutes |
#
# Before the first token, the self-attention's cache is empty ($t = 0$), and the memory is projected once, by each
# block's own `cross_attention.w_k` and `w_v`, and split into heads.
#
# **By hand.** Memory $[[1, 2], [3, 4]]$ (two source tokens, $d_{model} = 2$), two heads, and $W_k$ the identity
# without bias. Head 0 has the keys $[1]$ and $[3]$, head 1 has $[2]$ and $[4]$.


# %% nbgrader={"grade": false, "grade_id": "start_cache", "locked": false, "schema_version": 3, "solution": true, "task": false}
def start_cache(model, memory: torch.Tensor, memory_mask: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
    """The state before the first token: (keys, values, memory_keys, memory_values, memory_mask).

    model: has `decoder`, a list of DecoderBlock whose attentions have `w_k`, `w_v` and `n_heads`.
    memory: (N, S, d_model). memory_mask: (N, 1, 1, S) booleans, or None for all True.
    Returns keys and values (N, L, H, 0, d_h), memory_keys and memory_values (N, L, H, S, d_h), and the mask
    (N, 1, 1, S), never None.
    """

    ### BEGIN SOLUTION
    def heads(linear, attention):
        return linear(memory).unflatten(-1, (attention.n_heads, -1)).transpose(1, 2)

    attentions = [block.cross_attention for block in model.decoder]
    memory_keys = torch.stack([heads(a.w_k, a) for a in attentions], dim=1)
    memory_values = torch.stack([heads(a.w_v, a) for a in attentions], dim=1)
    if memory_mask is None:
        memory_mask = torch.ones(len(memory), 1, 1, memory.shape[1], dtype=torch.bool, device=memory.device)
    return memory_keys[:, :, :, :0], memory_values[:, :, :, :0], memory_keys, memory_values, memory_mask
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_start_cache", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
by_hand = Transformer(3, 3, d_model=2, n_heads=2, d_ff=2, n_layers=1)
with torch.no_grad():
    by_hand.decoder[0].cross_attention.w_k.weight.copy_(torch.eye(2))
    by_hand.decoder[0].cross_attention.w_k.bias.zero_()
    by_hand_state = start_cache(by_hand, torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
torch.testing.assert_close(by_hand_state[2], torch.tensor([[[[[1.0], [3.0]], [[2.0], [4.0]]]]]))
assert by_hand_state[0].shape == (1, 1, 2, 0, 1)
assert by_hand_state[4].shape == (1, 1, 1, 2)
check("start_cache", start_cache)

# %% [markdown]
# ### Use it
#
# | | |
# | --- | --- |
# | difficulty | ●●●●● |
# | importance | ●●●●● |
# | time | 40 minutes |
#
# One token goes through the decoder. In each block:
#
# 1. *Self-attention.* Compute query, key and value of this token only. Append key and value to the block's cache. The
#    query looks at the whole cache. Why is no causal mask needed? There is no future in the cache.
# 2. *Cross-attention.* Compute the query. Keys and values are in the state.
# 3. *Feed-forward.* As it is.
#
# The residual connections and norms are those of the block (`block.norm_first` says which order). The token's
# position is the number of tokens in the cache.
#
# **By hand.** With an empty cache the token attends to itself only, with weight 1: its self-attention is $W_o(W_v x +
# b_v) + b_o$, whatever query and key are. That is a good first test of your code, and it is what the uncached decoder
# gives for a target of one token.


# %% nbgrader={"grade": false, "grade_id": "cached_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cached_step(model, tokens: torch.Tensor, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, tuple]:
    """One decoding step of a Transformer on a key-value cache.

    model: has `tgt_embedding`, `decoder` (a list of DecoderBlock, each with `norm_first` and the attributes of lesson
    13; an attention has `n_heads`) and `decoder_norm`, as Transformer has, with positions; in eval mode.
    tokens: (N,) int64. state: what start_cache or an earlier step returned, for t tokens so far.
    Returns (log_probs (N, V), the state for t + 1 tokens). The given state is not changed. Where memory_mask allows
    nothing, the cross-attention's context is zero, as in lesson 13.
    """
    ### BEGIN SOLUTION
    keys, values, memory_keys, memory_values, memory_mask = state
    d_model = model.tgt_embedding.embedding_dim
    x = model.tgt_embedding(tokens)[:, None] * math.sqrt(d_model)
    x = x + position_rows(keys.shape[3], 1, d_model).to(x)
    new_keys, new_values = [], []

    def heads(attention, projected):
        return projected.unflatten(-1, (attention.n_heads, -1)).transpose(1, 2)

    def attend(attention, x, keys, values, mask=None):
        context = F.scaled_dot_product_attention(heads(attention, attention.w_q(x)), keys, values, attn_mask=mask)
        return attention.w_o(context.transpose(1, 2).flatten(2))

    for layer, block in enumerate(model.decoder):

        def look_back(x, attention=block.self_attention, layer=layer):
            new_keys.append(torch.cat([keys[:, layer], heads(attention, attention.w_k(x))], dim=2))
            new_values.append(torch.cat([values[:, layer], heads(attention, attention.w_v(x))], dim=2))
            return attend(attention, x, new_keys[-1], new_values[-1])

        def look_at_source(x, attention=block.cross_attention, layer=layer):
            return attend(attention, x, memory_keys[:, layer], memory_values[:, layer], memory_mask)

        sublayers = [(block.norm1, look_back), (block.norm2, look_at_source), (block.norm3, block.feed_forward)]
        for norm, sublayer in sublayers:
            x = x + sublayer(norm(x)) if block.norm_first else norm(x + sublayer(x))

    logits = F.linear(model.decoder_norm(x), model.tgt_embedding.weight)[:, 0]
    state = (torch.stack(new_keys, dim=1), torch.stack(new_values, dim=1), memory_keys, memory_values, memory_mask)
    return torch.log_softmax(logits, dim=-1), state
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_cached_step", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
by_hand = Transformer(5, 5, d_model=4, n_heads=2, d_ff=4, n_layers=1).eval()
with torch.no_grad():
    by_hand_memory = torch.randn(1, 3, 4)
    by_hand_log_probs, _ = cached_step(by_hand, torch.tensor([3]), start_cache(by_hand, by_hand_memory))
    by_hand_expected = by_hand.decode(torch.tensor([[3]]), by_hand_memory)[:, 0].log_softmax(dim=-1)
torch.testing.assert_close(by_hand_log_probs, by_hand_expected)
check("cached_step", cached_step)

# %% [markdown]
# The two functions make a decoder whose `step` has the form of lesson 09's, so that everything that decodes in this
# course runs on it. First proof: it gives the same numbers as the uncached one, up to rounding. Second proof: it is
# faster.


# %% tags=["skip-grading"]
class CachedDecoder:
    """Decodes with a key-value cache: `start(source)` gives the first state, `step` goes on from there."""

    def __init__(self, model: nn.Module):
        self.model = model.eval()

    @torch.no_grad()
    def start(self, source: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mask = (source != PAD)[:, None, None, :]
        return start_cache(self.model, self.model.encode(source, mask), mask)

    @torch.no_grad()
    def step(self, tokens: torch.Tensor, state):
        return cached_step(self.model, tokens, state)


fast = CachedDecoder(model)
source, decoder_input, _ = held_out[-1]
with torch.no_grad():
    expected = torch.log_softmax(model(source, decoder_input), dim=-1)
state, difference = fast.start(source), 0.0
for t, tokens in enumerate(decoder_input.unbind(dim=1)):
    log_probs, state = fast.step(tokens, state)
    real = tokens != PAD
    difference = max(difference, float((log_probs - expected[:, t])[real].abs().max()))
print(f"cached and uncached log-probabilities differ by at most {difference:.1e}, over {decoder_input.shape[1]} tokens")
began = time.perf_counter()
again = translations(
    model, test, lambda model, source: fast.start(source), lambda model, tokens, state: fast.step(tokens, state)
)
print(f"{len(test)} sentences in {time.perf_counter() - began:.1f} s with the cache, {uncached_seconds:.1f} s without")
print(f"{sum(a == b for a, b in zip(again, outputs))} of {len(test)} translations are the same")


# %% tags=["skip-grading"]
@torch.no_grad()
def milliseconds_per_token(start, step, lengths) -> list[float]:
    """The time of one step when so many tokens are already there, for one sentence."""
    state, times, done = start, [], 0
    token = torch.tensor([EOS])
    for length in lengths:
        while done < length:
            _, state = step(token, state)
            done += 1
        best = math.inf
        for _ in range(3):
            began = time.perf_counter()
            step(token, state)
            best = min(best, time.perf_counter() - began)
        times.append(1000 * best)
    return times


lengths = [16, 32, 64, 128, 256][: budget(5, 3)]
one = held_out[0][0][:1]
with torch.no_grad():
    slow_start = uncached_start(model, one)
slow = milliseconds_per_token(slow_start, partial(uncached_step, model), lengths)
quick_ = milliseconds_per_token(fast.start(one), fast.step, lengths)
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axes.plot(lengths, slow, "o-", color="#440154", label="uncached")
axes.plot(lengths, quick_, "s--", color="#21918c", label="cached")
axes.set(title="Time for one more token", xlabel="tokens so far", ylabel="milliseconds", ylim=(0, None))
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** Two lines. The uncached one rises with the number of tokens so far, because each step redoes the
# past. The cached one stays nearly level: it still reads the whole cache, but that is one small product for each
# layer.
#
# And the beam search of lesson 12 runs on it unchanged:

# %% tags=["skip-grading"]
beam_search = lesson("12_beam_search").beam_search
source_tokens, target_tokens = test[shown]
source = torch.tensor([sequences.encode(source_tokens, source_vocab)])
for tokens, score in beam_search(fast.step, fast.start(source), BOS, EOS, beam_size=3, max_len=60, alpha=0.6):
    print(f"{score:7.2f}  {' '.join(sequences.decode(tokens, target_vocab))}")

# %% [markdown]
# ## 8. Was it worth it?
#
# One run proves little. `benchmarks/transformer_experiments.py` trained each of the models below from scratch with
# three seeds, on the same pairs, vocabularies and batches as the comparison of lesson 10, for 1,200 steps of 64 pairs
# each, and translated the same 2,000 held-out sentences greedily. The Bahdanau model's BLEU is the one that lesson 10
# measured with the same number of steps. Each other model is the first Transformer with one change, and nothing else.
#
# | model | what is changed |
# | --- | --- |
# | Transformer | nothing: pre-norm, sinusoidal positions, warm-up, smoothing 0.1 |
# | no positions | the embeddings alone |
# | no warm-up | starts at the peak of the tent, and falls as it does |
# | no label smoothing | smoothing 0 |
# | post-norm | `norm_first=False` |
# | post-norm, no warm-up | both |
#
# Write down your guess first: which change costs most, which costs nothing in 1,200 steps? Judge a difference by the
# spread of the three seeds. The cell only draws what was stored.

# %% tags=["skip-grading"]
results = load_results("transformer")
names = list(dict.fromkeys(run["model"] for run in results["runs"]))
scores = {name: [run["bleu"] for run in results["runs"] if run["model"] == name] for name in names}
print(f"{'model':24}{'BLEU':>7}   seeds 0, 1, 2")
for name in names:
    print(f"{name:24}{np.mean(scores[name]):7.1f}   {', '.join(f'{score:.1f}' for score in scores[name])}")
for name, measured in results["timing"].items():
    print(
        f"\n{name}: {measured['parameters']:,} parameters, {measured['milliseconds_per_step']:.0f} ms of one core for each step",
        end="",
    )

figure, panels = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
for place, name in enumerate(names):
    panels[0].barh(place, np.mean(scores[name]), color="0.65" if name == "Bahdanau" else "#31688e", height=0.65)
    panels[0].plot(scores[name], [place] * len(scores[name]), "o", color="black", markersize=4)
panels[0].set_yticks(range(len(names)), names)
panels[0].invert_yaxis()
panels[0].set(title="BLEU on held-out sentences, three seeds as dots", xlabel="BLEU", xlim=(0, 100))
styles = {"Transformer": "-", "no warm-up": "--", "post-norm": "-.", "post-norm, no warm-up": ":"}
for name, style in styles.items():
    curve = np.mean([run["losses"] for run in results["runs"] if run["model"] == name], axis=0)
    panels[1].plot(
        50 * np.arange(1, len(curve) + 1), curve, style, color="black" if style == "-" else "#31688e", label=name
    )
panels[1].set(title="Training loss, mean of three seeds", xlabel="step", ylabel="smoothed loss", ylim=(1, 9))
panels[1].legend(ncols=2, loc="upper right")
plt.show()

# %% [markdown]
# **What you see.** With the same data and number of steps the Transformer is 3 BLEU above the recurrent model, with a
# little more than half of the parameters; one of its steps takes about six sevenths of the time. The dots of the three
# seeds lie so close together that these differences are real. One by one:
#
# - *Positions* are worth 34 BLEU. What is left without them comes from the bag of words, and from the causal mask, which
#   lets the decoder count.
# - *The warm-up* decides everything. At the peak of the tent from the first step on, the loss (right) falls a little
#   and stays above 3; with post-norm it hardly moves from the level of frequent words. A smaller rate would do
#   without a warm-up; what the warm-up buys is the large one.
# - *Label smoothing* costs 1.5 BLEU here. Vaswani et al. (2017, section 5.4) gained from it. It keeps a model from
#   being too certain of what it has learned by heart, and 1,200 steps do not get that far.
# - *Post-norm* with a warm-up is as good as pre-norm, even a little better. With two blocks a side, depth is no
#   problem yet. Xiong et al. (2020) show what changes in deeper models.
#
# ## When it goes wrong
#
# | symptom | cause |
# | --- | --- |
# | the loss falls to nearly nothing in a few hundred steps, and translations are rubbish | the decoder sees its own target: no causal mask, or decoder input and target are not shifted against each other |
# | the loss stops at the level of "most frequent word" | the learning rate is too high for a post-norm model, or there is no warm-up |
# | the loss starts at 50 instead of about $\ln V$ | embeddings start with standard deviation 1 and the output is tied to them; start them at $1 / \sqrt{d_{model}}$ |
# | good on sentences alone, worse in batches | padding is not masked in one of the three attentions |
# | the first cached token is right, the second is wrong | every token gets position 0: the position is the length of the cache |
# | the cached decoder is wrong in beam search only | the state is not reordered with the beams: is the batch its first axis everywhere? |
# | the cached decoder is right and slow | you project the memory again in each step |
# | translations are different every time | the model is still in training mode: `model.eval()` |
#
# ## Questions to think about
#
# <details><summary>The encoder needs no cache. Why?</summary>
#
# It runs once, over the whole sentence. A cache saves what would be computed again; the encoder computes nothing
# again.
# </details>
#
# <details><summary>Could you cache the queries, too?</summary>
#
# You could, and nobody would ever read them. A query is used in its own row only, and that row is finished.
# </details>
#
# <details><summary>A cached step still gets slower with the length. Where is what grows, and what would stop
# it?</summary>
#
# The new query is compared with $t$ keys and mixes $t$ values: $O(t\,d)$ for each layer, and the cache itself takes
# $2 L t\, d$ numbers. Attending only to a window of the last $w$ tokens stops both; lesson 17 does that.
# </details>

# %% [markdown]
# ### A question to answer in writing
#
# A colleague reports: "My Transformer beats the recurrent model by 3 BLEU. I trained both for 10 epochs and took the
# best of five Transformer runs." Name three things that you would change in this comparison, and say why.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_transformer", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Three of these: (1) The best of five runs against one run: report the mean and the spread over the same number of
# seeds for both. (2) Epochs are not a budget: the two need different time for an epoch, and different numbers of
# steps to converge; compare at equal time, or both until they stop improving. (3) Choose settings and the best run on
# a validation set and report on a test set that was never used to choose. (4) The numbers of parameters and the
# tuning effort should be similar or at least told. (5) Three BLEU on one small test set may be within the spread: say
# how large the test set is.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - A Transformer is embeddings with positions, a stack of blocks on each side, and a tied output; its masks decide
#   what it can know.
# - Label smoothing keeps it modest, a warm-up keeps its first steps small.
# - A key-value cache makes a token cost the same early and late, nearly; the past is computed once.
#
# **Papers.** A. Vaswani and others, 2017, *Attention Is All You Need*, sections 3, 4 and 5. · C. Szegedy and others,
# 2016, *Rethinking the Inception Architecture for Computer Vision*, section 7 (label smoothing). · O. Press and L.
# Wolf, 2017, *Using the Output Embedding to Improve Language Models*, section 3 (tying). · R. Xiong and others, 2020,
# *On Layer Normalization in the Transformer Architecture*, section 3.
#
# **Next.** Lesson 15 drops the encoder: a decoder alone, that writes on and on.

# %% tags=["skip-grading"]
progress()
