# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Sequence to sequence: an encoder, a decoder and the bottleneck between them
#
# **In this lesson you build a network that reads an English sentence, keeps one vector of it, and writes French; and
# you measure what that one vector cannot hold.**
#
# You will be able to
# - encode a batch of sentences of different lengths so that padding changes nothing;
# - decode with a recurrent cell, in training and on its own;
# - average a loss over real words only, and keep gradients from exploding;
# - show the bottleneck: how quality falls as sentences get longer.
#
# You need: lesson 08 (batches, teacher forcing), and PyTorch modules: `nn.Embedding`, `nn.GRU`, `nn.Linear`. The
# gates of a GRU are in lesson 05; here PyTorch computes them.
# Time: about 90 minutes, of which the computer trains for about three.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
import sacrebleu
import torch
from course_datasets import load, polish
from course_datasets.weights import load_results
from torch import nn
from torch.nn import functional as F

from autograder import check, hint, lesson, progress, reveal
from autograder.training import batches_by_length, budget, endless, fit, seed_everything

sequences = lesson("08_sequences")
tokenize, build_vocab = sequences.tokenize, sequences.build_vocab
encode, decode = sequences.encode, sequences.decode
pad_batch, teacher_forcing = sequences.pad_batch, sequences.teacher_forcing

# %% [markdown]
# ## Why: words do not translate one by one
#
# The task of this part is to translate English into French, with the sentences of `course_datasets`. The model never
# sees the test sentences in training: all numbers in this lesson are on **held-out** sentences.

# %%
data = load("sentences", size=20_000, test_size=2_000, seed=0)
train = [(tokenize(source), tokenize(target)) for source, target in data.train]
test = [(tokenize(source), tokenize(target)) for source, target in data.test]
english = build_vocab([source for source, _ in train], min_count=3)
french = build_vocab([target for _, target in train], min_count=3)
print(f"{len(train):,} pairs to learn from, {len(test):,} held out")
print(f"{len(english):,} English and {len(french):,} French tokens that occur three times or more")

# %% [markdown]
# The simplest translator is a dictionary. We can make one without knowing any French: the best partner of an English
# word is the French word that appears in the same pairs, and in few others. (The measure below is Dice's coefficient:
# twice the number of pairs with both, over the number with the one plus the number with the other, and 1 more,
# so that rare words do not win by chance.)


# %%
def presence(sentences, vocab):
    """(sentences, words): 1 where the word occurs in the sentence."""
    table = torch.zeros(len(sentences), len(vocab))
    for row, sentence in zip(table, sentences, strict=True):
        row[torch.tensor(encode(sentence, vocab, eos=False))] = 1
    return table


in_english = presence([source for source, _ in train[:8000]], english)
in_french = presence([target for _, target in train[:8000]], french)
in_french[:, :4] = 0
dice = 2 * in_english.T @ in_french / (in_english.sum(0)[:, None] + in_french.sum(0) + 1)
partner = dice.argmax(dim=1)
word_by_word = [decode(partner[encode(source, english, eos=False)], french) for source, _ in test]


def bleu(hypotheses, references):
    """BLEU, 0 to 100: how many runs of one to four words are those of the reference. Lesson 12 builds it."""
    joined = [" ".join(words) for words in hypotheses]
    return sacrebleu.corpus_bleu(joined, [[" ".join(words) for words in references]], tokenize="none", force=True).score


references = [target for _, target in test]
for i in (0, 1, 2):
    print("English   ", " ".join(test[i][0]))
    print("dictionary", " ".join(word_by_word[i]))
    print("French    ", " ".join(references[i]), end="\n\n")
print(f"BLEU of the dictionary: {bleu(word_by_word, references):.1f} of 100")

# %% [markdown]
# Many words are right, and hardly any sentence is. The order of the words differs, articles and endings must agree
# with nouns that stand elsewhere, and what is one word here is two words there. A word cannot be translated without
# the others.
# %% [markdown]
# The answer of 2014, by Cho et al. and by Sutskever et al.: let one network read the whole sentence into a vector, and
# let another write the translation from that vector.
#
# | part | reads | gives |
# | --- | --- | --- |
# | `Encoder` | source ids `(B, T)` and lengths | annotations `(B, T, 2H)` and a state `(B, H)` |
# | `Decoder` | a token, its state, the context | a score for each word of the vocabulary, the next state |
#
# The **context** is the vector that carries the source sentence over. In this lesson it is the encoder's state. Lesson
# 10 puts attention in its place, and for that the encoder already returns a vector for each position, the
# **annotations**.

# %% [markdown]
# ## 1. The encoder
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●●●● |
# | time | 20 minutes |
#
# A GRU reads the sentence from left to right, another one from right to left:
#
# $$\overrightarrow{h}_t = \text{GRU}(x_t, \overrightarrow{h}_{t-1}), \qquad
# \overleftarrow{h}_t = \text{GRU}(x_t, \overleftarrow{h}_{t+1}), \qquad
# h_t = [\overrightarrow{h}_t; \overleftarrow{h}_t]$$
#
# with $x_t \in \mathbb{R}^{E}$ the embedding of token $t$, each direction in $\mathbb{R}^{H}$, and the **annotation**
# $h_t \in \mathbb{R}^{2H}$. It knows what comes before word $t$ and what comes after it.
#
# The state that the decoder starts from is made from the *backward* state at the *first* word, as in Bahdanau et al.
# (2014, appendix A.2.2), through a linear layer that we call the **bridge**:
#
# $$s_0 = \tanh\left(W \overleftarrow{h}_0 + b\right), \qquad W \in \mathbb{R}^{H \times H},\; b \in \mathbb{R}^{H}$$
#
# Why the first position? The backward GRU gets there last: this state has seen the whole sentence.
#
# **Padding must change nothing.** Neither annotations nor state may depend on how far a row was padded, nor on what
# ids stand in the padding. Look at what the backward GRU does in a row of length 2, padded to 4, when nobody tells it:
#
# | position | 0 | 1 | 2 | 3 |
# | --- | --- | --- | --- | --- |
# | id | 8 | 9 | `<pad>` | `<pad>` |
# | backward, untold | read 4th | read 3rd | read 2nd | read 1st |
# | backward, right | read 2nd | read 1st | – | – |
#
# Untold, it starts in the padding, and its state is already spoiled when the first real word comes. PyTorch has a
# tool for it: `nn.utils.rnn.pack_padded_sequence` takes the lengths and keeps the real tokens only;
# `pad_packed_sequence` unpacks the result and puts zeros where padding was. Look up three of their arguments:
# `batch_first`, `enforce_sorted` (our rows are in no order) and `total_length` (a batch may be padded further than its
# longest row).
#
# **By hand.** A row alone, `[[8, 9]]`, and the same row in a batch with a longer one, `[[8, 9, 0, 0], [4, 5, 6, 7]]`:
# the first row's state and its first two annotations must be the same numbers, and its last two annotations zero. The
# cell below the exercise tests exactly that.


# %% nbgrader={"grade": false, "grade_id": "Encoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Encoder(nn.Module):
    """A bidirectional GRU over embeddings.

    Attributes: embedding, nn.Embedding(vocab_size, embed_size) with padding_idx=pad_id; gru, a bidirectional
    nn.GRU from embed_size to hidden_size, batch first; bridge, nn.Linear(hidden_size, hidden_size).

    forward(ids, lengths): ids (B, T) int64, lengths (B,) int64, at least 1 and at most T, in any order. Returns
    annotations (B, T, 2H), [forward state; backward state], zero at padding; and the state (B, H) = tanh(bridge(
    backward state at position 0)). Which ids count is said by lengths alone.

    >>> annotations, state = Encoder(10, 3, 4)(torch.tensor([[5, 6], [7, 0]]), torch.tensor([2, 1]))
    >>> annotations.shape, state.shape
    (torch.Size([2, 2, 8]), torch.Size([2, 4]))
    """

    def __init__(self, vocab_size: int, embed_size: int, hidden_size: int, pad_id: int = 0):
        super().__init__()
        ### BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        self.gru = nn.GRU(embed_size, hidden_size, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(hidden_size, hidden_size)
        ### END SOLUTION

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ### BEGIN SOLUTION
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(ids), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        output, last = self.gru(packed)
        annotations, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True, total_length=ids.shape[1])
        return annotations, torch.tanh(self.bridge(last[1]))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_Encoder", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
encoder = Encoder(vocab_size=10, embed_size=3, hidden_size=4)
alone, alone_state = encoder(torch.tensor([[8, 9]]), torch.tensor([2]))
padded, padded_state = encoder(torch.tensor([[8, 9, 0, 0], [4, 5, 6, 7]]), torch.tensor([2, 4]))
torch.testing.assert_close(padded_state[0], alone_state[0])
torch.testing.assert_close(padded[0, :2], alone[0])
assert not padded[0, 2:].any()
check("Encoder", Encoder)

# %% [markdown]
# What padding looks like when it is left out: five sentences of random ids, the mean size of the annotations' entries
# at each position.

# %% tags=["skip-grading"]
seed_everything(0)
shown_lengths = torch.tensor([9, 3, 6, 1, 8])
shown_ids = torch.randint(4, 50, (5, 9))
with torch.no_grad():
    shown, _ = Encoder(50, 16, 24)(shown_ids, shown_lengths)
plt.figure(figsize=(6, 2.8), layout="constrained")
plt.imshow(shown.abs().mean(-1), cmap="viridis")
plt.colorbar(label="mean |annotation|")
plt.title("Annotations of a batch of five")
plt.xlabel("position")
plt.ylabel("sentence")
plt.show()

# %% [markdown]
# **What you see.** A picture with five rows of nine cells. Row 0 is bright to its end at position 8, row 1 for three
# cells, row 2 for six, row 3 for one, row 4 for eight. All other cells have the darkest color: exactly zero, although
# there are ids under them.

# %% [markdown]
# ## 2. The decoder
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 20 minutes |
#
# The decoder writes one token a step. With $e_t \in \mathbb{R}^{E}$ the embedding of the token before, $c \in
# \mathbb{R}^{C}$ the context and $s_t \in \mathbb{R}^{H}$ its state (Cho et al. 2014, section 2.2: the state and the
# next word both see the context, at every step):
#
# $$s_t = \text{GRUCell}\left([e_t; c],\, s_{t-1}\right), \qquad
# z_t = W\,[s_t; c; e_t] + b, \qquad W \in \mathbb{R}^{V \times (H + C + E)}$$
#
# $z_t \in \mathbb{R}^{V}$ are the **logits**: softmax makes them probabilities, and the loss will do that. Mind the two
# orders: the cell reads [embedding; context], the output reads [new state; context; embedding].
#
# - `step` does this once, for a batch of tokens: `(B,)`, `(B, H)`, `(B, C)` -> `(B, V)`, `(B, H)`.
# - `forward` does it for each column of `decoder_input`, teacher forcing, and hands the state on from step to step.
#
# **By hand.** Let `decoder_input` be $[[1, 6, 7]]$. `forward` calls `step` with the token 1 and the given state, then
# with 6 and the state that came back, then with 7. It stacks the three logits: `(1, 3, V)`. The cell below
# the exercise compares two steps with one `forward`.
#
# If you like it fast: only the cell has to go step by step. The output layer does not feed back, so it can take the
# states of all steps at once, as one large matrix product.


# %% nbgrader={"grade": false, "grade_id": "Decoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Decoder(nn.Module):
    """A GRU cell that writes a sentence from one context vector, without attention.

    Attributes: embedding, nn.Embedding(vocab_size, embed_size); cell, nn.GRUCell(embed_size + context_size,
    hidden_size) on [embedding; context]; output, nn.Linear(hidden_size + context_size + embed_size, vocab_size) on
    [new state; context; embedding].

    step(token (B,) int64, state (B, H), context (B, C)) -> (logits (B, V), new state (B, H)).
    forward(decoder_input (B, T) int64, state (B, H), context (B, C)) -> logits (B, T, V), teacher forcing.

    >>> decoder = Decoder(10, 3, 4, 5)
    >>> decoder(torch.tensor([[1, 6, 7]]), torch.zeros(1, 4), torch.zeros(1, 5)).shape
    torch.Size([1, 3, 10])
    """

    def __init__(self, vocab_size: int, embed_size: int, hidden_size: int, context_size: int):
        super().__init__()
        ### BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.cell = nn.GRUCell(embed_size + context_size, hidden_size)
        self.output = nn.Linear(hidden_size + context_size + embed_size, vocab_size)
        ### END SOLUTION

    def step(
        self, token: torch.Tensor, state: torch.Tensor, context: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ### BEGIN SOLUTION
        embedded = self.embedding(token)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state
        ### END SOLUTION

    def forward(self, decoder_input: torch.Tensor, state: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        embedded = self.embedding(decoder_input)
        states = []
        for word in embedded.unbind(dim=1):
            state = self.cell(torch.cat([word, context], dim=-1), state)
            states.append(state)
        contexts = context[:, None].expand(-1, decoder_input.shape[1], -1)
        return self.output(torch.cat([torch.stack(states, dim=1), contexts, embedded], dim=-1))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_Decoder", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
decoder = Decoder(vocab_size=10, embed_size=3, hidden_size=4, context_size=5)
state, context = torch.randn(1, 4), torch.randn(1, 5)
logits, after_one = decoder.step(torch.tensor([1]), state, context)
second, _ = decoder.step(torch.tensor([6]), after_one, context)
both = decoder(torch.tensor([[1, 6]]), state, context)
torch.testing.assert_close(both, torch.stack([logits, second], dim=1))
check("Decoder", Decoder)

# %% [markdown]
# ## 3. The loss: real words only
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●● |
# | time | 10 minutes |
#
# The model should give the right next word a high probability. The loss is the mean of $-\log p$ over all the words
# that are really there:
#
# $$\text{loss} = -\frac{1}{N} \sum_{b, t\,:\; y_{bt} \ne \text{pad}} \log \text{softmax}(z_{bt})_{y_{bt}}, \qquad
# N = \left|\{(b, t) : y_{bt} \ne \text{pad}\}\right|$$
#
# with logits $z \in \mathbb{R}^{B \times T \times V}$ and targets $y \in \{0, \ldots, V - 1\}^{B \times T}$. Every word
# counts the same, whether its sentence is long or short. Padding counts nothing, neither above nor below the line.
#
# **By hand.** Let $V = 2$, `pad_id` 0, and let all logits be $0$, so every word has probability $\frac12$. Targets
# $[[1, 1, 1], [1, 0, 0]]$: four real words, each costs $\log 2$. The loss is $4 \log 2 / 4 = \log 2 \approx 0.693$. A
# mean over all six places would say $0.462$ (four words over six places): the same model would look better, only
# because there is more padding.
#
# Logits and targets may be views that are not contiguous in memory, such as a transposed tensor. `.view` refuses those
# (`RuntimeError: view size is not compatible ...`), `.reshape` and `.flatten` take them.


# %% nbgrader={"grade": false, "grade_id": "sequence_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sequence_loss(logits: torch.Tensor, targets: torch.Tensor, pad_id: int = 0) -> torch.Tensor:
    """Cross-entropy in nats, averaged over the targets that are not pad_id.

    logits: (B, T, V), any float dtype, contiguous or not. targets: (B, T) int64, contiguous or not. Returns a scalar
    tensor of the logits' dtype.

    >>> sequence_loss(torch.zeros(2, 3, 2), torch.tensor([[1, 1, 1], [1, 0, 0]]))
    tensor(0.6931)
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad_id)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_sequence_loss", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
loss = sequence_loss(torch.zeros(2, 3, 2), torch.tensor([[1, 1, 1], [1, 0, 0]]))
torch.testing.assert_close(loss, torch.tensor(2.0).log())
check("sequence_loss", sequence_loss)

# %% [markdown]
# The same four sentences, with more and more padding behind them. A loss that means something does not notice.

# %% tags=["skip-grading"]
seed_everything(0)
shown_logits, shown_targets = torch.randn(4, 8, 20), torch.randint(1, 20, (4, 8))
extra = range(0, 33, 4)
ours, naive = [], []
for n in extra:
    more_logits = torch.cat([shown_logits, torch.zeros(4, n, 20)], dim=1)
    more_targets = F.pad(shown_targets, (0, n))
    ours.append(float(sequence_loss(more_logits, more_targets)))
    real = float(sequence_loss(more_logits, more_targets)) * 32
    naive.append(real / more_targets.numel())
plt.figure(figsize=(6, 3), layout="constrained")
plt.plot(extra, ours, "o-", color="#31688e", label="your sequence_loss")
plt.plot(extra, naive, "s--", color="0.55", label="sum over words / all places")
plt.ylim(bottom=0)
plt.title("What padding does to a loss")
plt.xlabel("columns of padding added")
plt.ylabel("loss in nats")
plt.legend()
plt.show()

# %% [markdown]
# **What you see.** Two lines that start at the same point. Yours stays level. The dashed one, the same sum divided by
# the number of all places, falls to a fifth with 32 columns of padding, although the model is the same.

# %% [markdown]
# ## 4. Gradients that do not explode
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●○○ |
# | time | 10 minutes |
#
# Backward through many steps, gradients are multiplied again and again, and now and then they become huge. One such
# step can undo an hour of training. Pascanu et al. (2013, section 3.2) propose the cure: if the gradient is longer than
# a threshold, scale it down to the threshold. It keeps its *direction*, since all tensors are scaled by the same
# factor. So the norm is taken over all of them together:
#
# $$g = \sqrt{\sum_i \lVert t_i \rVert^2}, \qquad t_i \leftarrow t_i \cdot \frac{c}{\max(g, c)}$$
#
# with $t_i$ tensors of any shapes, $\lVert t_i \rVert$ the square root of the sum of squares of all entries, and $c > 0$
# the threshold. If $g \le c$ the factor is 1.
#
# **By hand.** Tensors $[3]$ and $[4]$, $c = 1$: the global norm is $\sqrt{9 + 16} = 5$, the factor $\frac15$, so they
# become $[0.6]$ and $[0.8]$, together of norm 1. Clipped one by one they would become $[1]$ and $[1]$, which points
# elsewhere. Return the 5, too: it says how the training is doing.


# %% nbgrader={"grade": false, "grade_id": "clip_by_global_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clip_by_global_norm(tensors: list[torch.Tensor], clip_norm: float) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Scale tensors so that their common norm is at most clip_norm.

    tensors: of any shapes, one floating dtype; they are not changed. clip_norm: above 0. Returns the list of
    t * clip_norm / max(global_norm, clip_norm), and the global norm before clipping, a scalar.

    >>> clip_by_global_norm([torch.tensor([3.0]), torch.tensor([4.0])], 1.0)
    ([tensor([0.6000]), tensor([0.8000])], tensor(5.))
    """
    ### BEGIN SOLUTION
    global_norm = torch.sqrt(sum((tensor**2).sum() for tensor in tensors))
    scale = clip_norm / global_norm.clamp(min=clip_norm)
    return [tensor * scale for tensor in tensors], global_norm
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_clip_by_global_norm", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
clipped, norm = clip_by_global_norm([torch.tensor([3.0]), torch.tensor([4.0])], 1.0)
torch.testing.assert_close(torch.cat(clipped), torch.tensor([0.6, 0.8]))
assert abs(float(norm) - 5) < 1e-6
check("clip_by_global_norm", clip_by_global_norm)

# %% [markdown]
# ## 5. Writing alone: greedy decoding
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●●●○ |
# | time | 20 minutes |
#
# After training there is no right answer to read. The decoder starts from `<bos>`, takes the most probable token,
# reads it, and goes on. **Greedy** means: the best token now, never mind what comes later.
#
# To use one function for every model of this course, a model comes as a function
#
# `step(tokens, state) -> (log_probs, state)`
#
# with `tokens` `(N,)` int64, `log_probs` `(N, V)`, and `state` whatever the model needs to remember: a tensor, or a
# tuple of tensors, or a tuple that holds tuples of tensors. The first axis of each tensor is $N$.
#
# A batch of sentences ends at different times, so:
# - the tokens of `<bos>` are given to the first step, but are not part of the answer;
# - after its first `<eos>`, a row is filled with `<eos>`, whatever the model says;
# - as soon as every row has an `<eos>`, stop; and stop after `max_len` tokens in any case.
#
# **By hand.** Let row 0 say "5, 6, eos, 8" and row 1 say "7, eos, 5, 6", and let `eos_id` be 2. After three steps both
# have their end, so the answer is $\begin{bmatrix} 5 & 6 & 2 \\ 7 & 2 & 2 \end{bmatrix}$: three columns, and the 5 that
# row 1 says after its end is replaced. With `max_len=2` it is $\begin{bmatrix} 5 & 6 \\ 7 & 2 \end{bmatrix}$.


# %% nbgrader={"grade": false, "grade_id": "greedy_decode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def greedy_decode(step, state, bos_id: int, eos_id: int, max_len: int) -> torch.Tensor:
    """The most probable token at every step, for a batch.

    step(tokens (B,) int64, state) -> (log_probs (B, V), state). state: a tensor or a (nested) tuple of tensors whose
    first axis is B. Returns ids (B, L) int64 without bos, L at most max_len; after its first eos a row is filled with
    eos; it stops when every row has one.

    >>> def step(tokens, state):  # says token + 1, so 1 is followed by 2, 3, ...
    ...     return F.one_hot((tokens + 1) % 6, 6).float().log(), state
    >>> greedy_decode(step, torch.zeros(1, 1), bos_id=1, eos_id=4, max_len=10)
    tensor([[2, 3, 4]])
    """
    ### BEGIN SOLUTION
    first = state
    while isinstance(first, tuple):
        first = first[0]
    tokens = torch.full((first.shape[0],), bos_id, dtype=torch.int64)
    finished = torch.zeros_like(tokens, dtype=torch.bool)
    columns = []
    while len(columns) < max_len and not finished.all():
        log_probs, state = step(tokens, state)
        tokens = log_probs.argmax(dim=-1).masked_fill(finished, eos_id)
        finished = finished | (tokens == eos_id)
        columns.append(tokens)
    return torch.stack(columns, dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_greedy_decode", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
script = torch.tensor([[5, 6, 2, 8], [7, 2, 5, 6]])


def scripted(tokens, position):
    says = script.gather(1, position[:, None])[:, 0]
    return F.one_hot(says, 9).float().log(), position + 1


start = torch.zeros(2, dtype=torch.int64)
assert greedy_decode(scripted, start, bos_id=1, eos_id=2, max_len=4).tolist() == [[5, 6, 2], [7, 2, 2]]
assert greedy_decode(scripted, start, bos_id=1, eos_id=2, max_len=2).tolist() == [[5, 6], [7, 2]]
check("greedy_decode", greedy_decode)

# %% [markdown]
# ## Training
#
# Now the parts become a translator. The context is the encoder's state: one vector for the whole sentence, and the
# decoder's first state is the same vector. The training loop is the course's own (`autograder/training.py`, 250 lines
# worth reading): batches by length, Adam, your clipping, and a learning rate that falls to zero over the second half.
#
# The seed is 0. With the environment variable `ATTN_QUICK=1` training stops after a few steps, which only shows
# whether everything runs.


# %%
class Translator(nn.Module):
    """An encoder, a decoder, and the encoder's state as the only thing that passes between them."""

    def __init__(self, embed_size=96, hidden_size=128):
        super().__init__()
        self.encoder = Encoder(len(english), embed_size, hidden_size)
        self.decoder = Decoder(len(french), embed_size, hidden_size, context_size=hidden_size)

    def forward(self, source, lengths, decoder_input):
        _, state = self.encoder(source, lengths)
        return self.decoder(decoder_input, state, context=state)

    @torch.no_grad()
    def translate(self, source, lengths, max_len=60):
        """Ids of the translations (B, L), by greedy decoding."""
        _, state = self.encoder(source, lengths)

        def step(tokens, state):
            hidden, context = state
            logits, hidden = self.decoder.step(tokens, hidden, context)
            return logits.log_softmax(dim=-1), (hidden, context)

        return greedy_decode(step, (state, state), french["<bos>"], french["<eos>"], max_len)


def collate(pairs):
    source, lengths = pad_batch([source for source, _ in pairs])
    target, _ = pad_batch([target for _, target in pairs])
    return source, lengths, *teacher_forcing(target)


def loss_fn(model, batch):
    source, lengths, decoder_input, decoder_target = batch
    return sequence_loss(model(source, lengths, decoder_input), decoder_target)


def numbered(pairs):
    return [(encode(source, english), encode(target, french, bos=True)) for source, target in pairs]


# %% tags=["skip-grading"]
seed_everything(0)
model = Translator()
train_ids = numbered(train)
held_out = collate(numbered([(tokenize(source), tokenize(target)) for source, target in data.valid[:200]]))
sizes = [(len(target), len(source)) for source, target in train_ids]
history = fit(
    model,
    loss_fn,
    endless(train_ids, collate, sizes, batch_size=64, seed=0),
    steps=1200,
    learning_rate=0.003,
    clip=lambda gradients: clip_by_global_norm(gradients, 1.0),
    evaluate=lambda model: loss_fn(model, held_out),
    evaluate_every=150,
    title="one vector between encoder and decoder",
)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {history.seconds:.0f} seconds")

# %% [markdown]
# **What you see.** The loss on the training batches (gray, and its running mean in blue) falls fast at first and then
# ever more slowly; the dots are the loss on held-out sentences, with which the blue line must not be confused: only
# the dots say what the model can do with sentences that it has not seen.
#
# What did clipping do? `clip_by_global_norm` returned the norm at every step:

# %% tags=["skip-grading"]
plt.figure(figsize=(6, 3), layout="constrained")
plt.plot(history.norms, color="0.6", linewidth=0.7, label="before clipping")
plt.plot(np.minimum(history.norms, 1.0), color="#31688e", linewidth=0.7, label="after clipping")
plt.yscale("log")
plt.title(f"Global norm of the gradient; {np.mean(np.array(history.norms) > 1):.0%} of the steps are clipped")
plt.xlabel("step")
plt.ylabel("norm")
plt.legend()
plt.show()

# %% [markdown]
# **What you see.** A ragged gray line of norms on a logarithmic axis, with spikes at the start, and in blue the same
# line cut off at 1. Clipping touches the spikes and leaves the rest alone.

# %% [markdown]
# ## The bottleneck
#
# Now translate the held-out sentences. Sentences of similar length go into one batch, and the answers are put back in
# their places.


# %% tags=["skip-grading"]
def translate_all(model, pairs):
    """Greedy translations of pairs, as lists of words, in the pairs' order."""
    translations = [None] * len(pairs)
    lengths = [len(source) for source, _ in pairs]
    for batch in batches_by_length(lengths, 100, seed=None):
        source, source_lengths = pad_batch([encode(pairs[i][0], english) for i in batch])
        for i, ids in zip(batch, model.translate(source, source_lengths), strict=True):
            translations[i] = decode(ids, french)
    return translations


test = test[: budget(len(test), 200)]
references = references[: len(test)]
word_by_word = word_by_word[: len(test)]
translations = translate_all(model, test)
print(f"BLEU on {len(test):,} held-out sentences, greedy:")
print(f"  dictionary, word by word    {bleu(word_by_word, references):5.1f}")
print(f"  encoder and decoder, seed 0 {bleu(translations, references):5.1f}")

# %% [markdown]
# A little better than word by word, on the whole. The mean hides the interesting part: look at single sentences, sorted
# by length.

# %% tags=["skip-grading"]
by_length = sorted(range(len(test)), key=lambda i: len(test[i][0]))
for place in (0.05, 0.5, 0.95, 0.99):
    i = by_length[int(place * len(by_length))]
    print(f"{len(test[i][0])} words:  {polish(' '.join(test[i][0]), 'en')}")
    print(f"  it says  {polish(' '.join(translations[i]), 'fr')}")
    print(f"  right    {polish(' '.join(references[i]), 'fr')}\n")

# %% [markdown]
# The short ones are often right. The long ones begin well, and then the decoder makes up a sentence of its own: fluent
# French about something else. The figure below is this lesson's result: BLEU for each length of the source.
#
# One training proves little. So the figure also shows the range of three trainings of the same model on the same
# sentences, with the seeds 0, 1 and 2, which were run beforehand (`benchmarks/attention_against_length.py`).

# %% tags=["skip-grading"]
measured = load_results("attention_against_length")
trainings = np.array([run["bleu_by_length"] for run in measured["runs"] if run["model"] == "without attention"])
bins = measured["bins"]


def bleu_by_length(answers):
    """BLEU in each bin of source lengths; NaN where there is no sentence."""
    scores = []
    for low, high in bins:
        inside = [i for i, (source, _) in enumerate(test) if low <= len(source) < high]
        chosen = [answers[i] for i in inside], [references[i] for i in inside]
        scores.append(bleu(*chosen) if inside else np.nan)
    return scores


names = [f"{low} to {high - 1}" if high < 99 else f"{low} and more" for low, high in bins]
plt.figure(figsize=(7, 4), layout="constrained")
plt.plot(names, bleu_by_length(word_by_word), "s--", color="0.5", label="dictionary, word by word")
plt.fill_between(names, trainings.min(0), trainings.max(0), color="#31688e", alpha=0.3, label="seeds 0 to 2")
plt.plot(names, bleu_by_length(translations), "o-", color="#31688e", label="encoder and decoder, your training")
plt.ylim(bottom=0)
plt.title("Quality against sentence length, held-out sentences")
plt.xlabel("words in the English sentence")
plt.ylabel("BLEU")
plt.legend()
plt.show()

# %% [markdown]
# **What you see.** The dashed line of the dictionary is level, near 18: word by word, the length of a sentence makes no
# difference. The blue line starts far above it, near 45 for sentences of up to six words, and falls steeply, to
# less than 10 from 20 words on. The band of the three seeds is narrow and falls in the same way; their means are 45, 35,
# 23, 15, 10, 8 and 7. From 13 words on, a dictionary beats a network with nearly two million parameters.
#
# That is the **bottleneck**. The vector in the middle has 128 numbers, whether the sentence has five words or thirty. Cho
# et al. (2014, *On the Properties of Neural Machine Translation*, section 5) measured the same with real text, and Bahdanau
# et al. (2014, section 1) name the cause that they suspect: the encoder has to press all of a sentence into a vector of
# fixed length.

# %% [markdown]
# ## 6. Write a test
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●○○ |
# | time | 15 minutes |
#
# A wrong loss does not crash. The model trains, the curve falls, and only the translations are worse than they could
# be, which nobody notices who has nothing to compare with. So it needs a test, and this time you write it: a function
# that gets an implementation of `sequence_loss` and says whether it is right.
#
# We try your test on implementations of ours. Some are right, each written in another way, and their last digits
# differ. Others contain one mistake each: they count padding, divide by the wrong number, treat each row as equal
# whatever its length, look for the wrong `pad_id`, or raise an exception when a tensor is not contiguous.
#
# **By hand.** Which targets tell "mean over all words" from "mean of the rows' means"? Not $[[1, 2], [3, 4]]$: with
# equally long rows both agree. With $[[1, 2, 3], [4, 0, 0]]$ the 4 counts a quarter in the one and a half in the other.


# %% nbgrader={"grade": false, "grade_id": "is_good_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def is_good_loss(sequence_loss) -> bool:
    """Whether an implementation of sequence_loss is right.

    sequence_loss(logits, targets, pad_id=0): a function that promises what yours does. Returns True if it keeps the
    promise, False if it does not or raises an exception.

    >>> is_good_loss(lambda logits, targets, pad_id=0: logits.sum())
    False
    """
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 5, generator=generator).transpose(0, 1)
    targets = torch.tensor([[1, 0, 3, 4], [4, 2, 2, 2], [0, 3, 2, 2]])
    pad_id = 2
    log_p = logits.log_softmax(dim=-1)
    costs = [-log_p[b, t, targets[b, t]] for b, t in (targets != pad_id).nonzero().tolist()]
    expected = torch.stack(costs).mean()
    try:
        found = sequence_loss(logits, targets, pad_id)
    except Exception:
        return False
    return bool(torch.isclose(found, expected, rtol=1e-4))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_is_good_loss", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
assert not is_good_loss(lambda logits, targets, pad_id=0: F.cross_entropy(logits.transpose(1, 2), targets))
check("is_good_loss", is_good_loss)

# %% [markdown]
# ## When it goes wrong
#
# | symptom | cause |
# | --- | --- |
# | the same sentence gives another state in another batch | the GRU reads padding: pack the rows with their lengths |
# | `lengths array must be sorted` | `pack_padded_sequence` without `enforce_sorted=False` |
# | annotations are narrower than the batch | `pad_packed_sequence` without `total_length` |
# | the state is the same for all sentences with the same last word | backward state at the last position, not the first |
# | `view size is not compatible with input tensor's size and stride` | a view of a transposed tensor: `.reshape` |
# | the loss is far too low from the start | a mean over padding |
# | the loss is `nan` after some hundred steps | no clipping, or a logarithm of a softmax |
# | training is fine, but decoding repeats one word forever | the state or the token is not handed on from step to step |
# | translations run on after their end | finished rows are not filled with eos, or `decode` does not stop there |

# %% [markdown]
# ## Questions
#
# <details><summary>Sutskever et al. (2014) found that translation gets better when the source sentence is read backward.
# Why might that be?</summary>
#
# The first target word usually depends on the first source word. Read backward, that one is read last, so little stands
# between it and the decoder, and the start of the translation is easier to learn. They report this in section 3.3 and
# give the same reason. Here the backward GRU does it.
# </details>
#
# <details><summary>Would a wider vector solve the problem?</summary>
#
# It moves it. A wider vector holds more, costs more to train, and still has one fixed size for sentences of any length.
# With 192 numbers in place of 128, the training with seed 0 ends at BLEU 25 in place of 20: 55 in place of 44 for up to
# six words, but 9 as before for 25 words and more. Try it: `Translator(hidden_size=...)`.
# </details>
#
# <details><summary>Is it certain that the one vector is to blame?</summary>
#
# Not from this figure alone. Long sentences are also rarer in training, and each mistake disturbs what comes after. The
# fair test is the same model with one thing changed: access to all annotations. That is lesson 10.
# </details>

# %% [markdown]
# **Your turn.** Padding can do harm in the encoder, in the loss and in decoding. Say for each of the three what would go
# wrong if padding were treated as words, and what you did against it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_seq2seq", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Encoder: the backward GRU would start in the padding, so state and annotations would depend on how far the row was
# padded and with what. Packing gives the GRU the real tokens only, and annotations at padding are zero.
#
# Loss: the model would be rewarded for predicting `<pad>` after the end, which is easy, so the loss would be too low,
# would depend on the padding, and the gradient would be spent on it. Only targets that differ from `pad_id` count.
#
# Decoding: a row that is finished would go on talking while the others are not done. After its first eos it is filled
# with eos, and all stops when every row has one.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - An encoder reads a sentence into vectors, padding left out; a decoder writes from one of them, word by word.
# - Loss over real words only, gradients clipped by their common norm, and greedy decoding that knows when to stop.
# - One vector of fixed size must hold a sentence of any length, and quality falls as sentences grow.
#
# **Read on.**
# - Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio (2014), *Learning Phrase Representations using
#   RNN Encoder–Decoder for Statistical Machine Translation*, section 2: encoder, decoder and the GRU.
# - Sutskever, Vinyals and Le (2014), *Sequence to Sequence Learning with Neural Networks*.
# - Cho, van Merriënboer, Bahdanau and Bengio (2014), *On the Properties of Neural Machine Translation: Encoder–Decoder
#   Approaches*, section 5: quality against sentence length, measured.
# - Bahdanau, Cho and Bengio (2014), *Neural Machine Translation by Jointly Learning to Align and Translate*, sections 1
#   and 2, and appendix A.2: the bottleneck, and the encoder of this lesson.
# - Pascanu, Mikolov and Bengio (2013), *On the Difficulty of Training Recurrent Neural Networks*, section 3.2: clipping.
#
# **Next:** `10_bahdanau` lets the decoder look at every annotation, and draws where it looks.

# %% tags=["skip-grading"]
progress()
