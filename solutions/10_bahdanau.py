# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Bahdanau: attention in the decoder
#
# **In this lesson you let the decoder look back at the source sentence before every word it writes, and you see what
# that changes: long sentences stay whole, and the model shows where it looked.**
#
# You will be able to
# - score every source position against the decoder's state with a small network, and turn the scores into a context;
# - build a decoder that asks, looks, moves on and speaks, in this order;
# - read an alignment matrix, and tell a real one from one that padding has spoiled;
# - measure what attention is worth, against the same model without it.
#
# You need: lesson 09 (encoder, decoder, training), and the idea of a mask from lesson 03.
# Time: about 75 minutes, of which the computer trains for three to four.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
import sacrebleu
import torch
from course_datasets import load, polish
from course_datasets.weights import load_results
from torch import nn

from autograder import check, hint, lesson, progress, reveal
from autograder.training import batches_by_length, budget, endless, fit, seed_everything

text = lesson("08_sequences")
tokenize, build_vocab, encode, decode = text.tokenize, text.build_vocab, text.encode, text.decode
pad_batch, teacher_forcing = text.pad_batch, text.teacher_forcing
seq2seq = lesson("09_seq2seq")
Encoder, sequence_loss = seq2seq.Encoder, seq2seq.sequence_loss
clip_by_global_norm, greedy_decode = seq2seq.clip_by_global_norm, seq2seq.greedy_decode

# %% [markdown]
# ## Why: one vector is too little
#
# The model of lesson 09 reads a sentence into one vector and writes the translation from it. Here is what that costs. The
# figure shows BLEU on held-out sentences (how much of the translation is right, 0 to 100; lesson 12 builds it) against
# the length of the source: three trainings of that model (with hidden size 128), seeds 0, 1 and 2.

# %% tags=["skip-grading"]
measured = load_results("attention_against_length")
BINS = [f"{low} to {high - 1}" if high < 99 else f"{low} and more" for low, high in measured["bins"]]


def draw_lengths(axes, name, label, color, marker):
    """BLEU against length: the mean over the seeds as a line, each seed as a faint dot."""
    seeds = np.array([run["bleu_by_length"] for run in measured["runs"] if run["model"] == name])
    axes.plot(BINS, seeds.mean(0), color=color, marker=marker, label=label)
    for row in seeds:
        axes.plot(BINS, row, marker, color=color, alpha=0.35, markersize=4)
    axes.set(xlabel="words in the source sentence", ylabel="BLEU", ylim=(0, 100))


figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
draw_lengths(axes, "without attention", "without attention", "0.45", "s")
axes.set_title("One vector for the whole sentence")
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** A gray line that starts high for the shortest sentences and falls steadily as they get longer. The
# three seeds lie close together: this is no accident of one training.
#
# Bahdanau, Cho and Bengio (2014) say what they do about it (abstract): they let the model "automatically (soft-)search for
# parts of a source sentence that are relevant to predicting a target word". Instead of one vector for all words, each
# target word gets a context of its own, made for it at the moment it is needed.

# %% [markdown]
# ## 1. Additive attention
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 20 minutes |
#
# The decoder's state is the **query**: it knows what has been said so far. The encoder's annotations are the **keys**,
# one for each source word. How well they match is computed by a small network with one hidden layer:
#
# $$e_{bt} = v^\top \tanh\left(W_q\, q_b + W_k\, k_{bt}\right), \qquad
# \alpha_{bt} = \frac{m_{bt} \exp(e_{bt})}{\sum_{t'} m_{bt'} \exp(e_{bt'})}, \qquad
# c_b = \sum_{t} \alpha_{bt}\, k_{bt}$$
#
# | symbol | shape | what it is |
# | --- | --- | --- |
# | $q_b$ | `(Q,)` | query of row b |
# | $k_{bt}$ | `(K,)` | key t of row b; the keys are also the values |
# | $W_q$, $W_k$, $v$ | `(h, Q)`, `(h, K)`, `(h,)` | `w_query`, `w_key`, `v`: `nn.Linear` without bias |
# | $m_{bt}$ | True or False | mask: may key t be attended to? |
# | $\alpha_b$ | `(T,)` | weights, which sum to 1 |
# | $c_b$ | `(K,)` | context |
#
# In the paper this is the alignment model $a$ (appendix A.1.2): "$a(s_{i-1}, h_j) = v_a^\top \tanh(W_a s_{i-1} + U_a h_j)$".
# It is `additive_score` of lesson 01, with weights that are learned.
#
# **Padding is not a word.** In a batch the short sentences are padded, and a padded key has a score like any other. The
# mask takes it out before the softmax, exactly: its weight is 0, not nearly 0. If a row has no allowed key at all, all its
# weights are 0, and so is the context; and gradients there are 0, not NaN.
#
# **By hand.** Let all sizes be 1, $W_q = W_k = 1$, $v = \ln 3$. The query is $0$, the keys are $0$, $100$ and $-100$, and the
# third is forbidden. Since $\tanh 0 = 0$ and $\tanh 100 = 1$, the scores are $0$ and $\ln 3$; their exponentials are
# $1$ and $3$. So the weights are $\frac14$, $\frac34$ and $0$, and the context is
# $\frac14 \cdot 0 + \frac34 \cdot 100 = 75$.
#
# Stuck? `hint("AdditiveAttention")` gives a nudge, and the next call gives a bigger one.


# %% nbgrader={"grade": false, "grade_id": "AdditiveAttention", "locked": false, "schema_version": 3, "solution": true, "task": false}
class AdditiveAttention(nn.Module):
    """One query a row, T keys: scores by a small network, weights by softmax, context by a weighted sum.

    Attributes, all nn.Linear without bias: w_query, from query_size to hidden_size; w_key, from key_size to
    hidden_size; v, from hidden_size to 1.

    forward(query (B, Q), keys (B, T, K), mask (B, T) or None) -> (context (B, K), weights (B, T)). mask: booleans,
    True where a key may be attended to; None allows all. A forbidden key has a weight of exactly 0. A row without an
    allowed key has weights 0 and context 0, and gradients of zero.

    >>> context, weights = AdditiveAttention(3, 4, 5)(torch.randn(2, 3), torch.randn(2, 6, 4))
    >>> context.shape, weights.shape
    (torch.Size([2, 4]), torch.Size([2, 6]))
    """

    def __init__(self, query_size: int, key_size: int, hidden_size: int):
        super().__init__()
        ### BEGIN SOLUTION
        self.w_query = nn.Linear(query_size, hidden_size, bias=False)
        self.w_key = nn.Linear(key_size, hidden_size, bias=False)
        self.v = nn.Linear(hidden_size, 1, bias=False)
        ### END SOLUTION

    def forward(
        self, query: torch.Tensor, keys: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ### BEGIN SOLUTION
        hidden = torch.tanh(self.w_query(query)[:, None] + self.w_key(keys))
        scores = self.v(hidden).squeeze(-1)
        if mask is None:
            weights = scores.softmax(dim=-1)
        else:
            empty = ~mask.any(dim=-1, keepdim=True)
            scores = scores.masked_fill(~mask, -torch.inf).masked_fill(empty, 0.0)
            weights = scores.softmax(dim=-1).masked_fill(empty, 0.0)
        context = torch.einsum("bt,btk->bk", weights, keys)
        return context, weights
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_AdditiveAttention", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
by_hand = AdditiveAttention(1, 1, 1)
with torch.no_grad():
    for linear, value in ((by_hand.w_query, 1.0), (by_hand.w_key, 1.0), (by_hand.v, np.log(3.0))):
        linear.weight.fill_(value)
keys, mask = torch.tensor([[[0.0], [100.0], [-100.0]]]), torch.tensor([[True, True, False]])
context, weights = by_hand(torch.zeros(1, 1), keys, mask)
torch.testing.assert_close(weights, torch.tensor([[0.25, 0.75, 0.0]]))
torch.testing.assert_close(context, torch.tensor([[75.0]]))
check("AdditiveAttention", AdditiveAttention)

# %% [markdown]
# What does the small network compute? Here is the score as a function of the query and one key, both of size 1, for three
# random networks with 8 hidden units. A dot product would be the same saddle every time.

# %% tags=["skip-grading"]
seed_everything(3)
grid = torch.linspace(-4, 4, 61)
figure, panels = plt.subplots(1, 3, figsize=(9, 2.9), layout="constrained", sharey=True)
for number, axes in enumerate(panels):
    network = AdditiveAttention(1, 1, 8)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
        # Two keys, the second one far away: the logit of the first weight is the difference of the two scores.
        pairs = torch.stack([grid, torch.full_like(grid, 50.0)], dim=1)[..., None]
        score = torch.stack([network(q.expand(len(grid), 1), pairs)[1][:, 0].logit() for q in grid])
    image = axes.pcolormesh(grid, grid, score, cmap="viridis", shading="nearest")
    axes.set(title=f"random network {number + 1}", xlabel="key")
panels[0].set_ylabel("query")
figure.colorbar(image, ax=panels, label="score, up to a constant")
figure.suptitle("The score of an additive attention")
plt.show()

# %% [markdown]
# **What you see.** Three maps with different hills and edges: bands where one unit's tanh switches over. The query shifts
# what counts as a good key. Which pattern is useful is learned in training.

# %% [markdown]
# ## 2. A decoder that looks back
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 20 minutes |
#
# One step of the decoder has four moves. With $y_{i-1}$ the word read, $s_{i-1}$ the state before, and $h$ the annotations:
#
# 1. **embed**: $x_i = \text{embedding}(y_{i-1}) \in \mathbb{R}^E$
# 2. **look**: $c_i, \alpha_i = \text{attention}(s_{i-1}, h, m)$, with $c_i \in \mathbb{R}^A$, $\alpha_i \in \mathbb{R}^S$
# 3. **move on**: $s_i = \text{GRUCell}([x_i; c_i],\, s_{i-1}) \in \mathbb{R}^H$
# 4. **speak**: $z_i = W\,[s_i; c_i; x_i] + b \in \mathbb{R}^V$, the logits
#
# Mind the order. The query is the *previous* state: the context is needed to compute the new one. The paper says so in
# section 3.1: the score is based on the hidden state $s_{i-1}$, "just before emitting $y_i$". (Luong's decoder, in
# lesson 11, does it the other way round.) The output, in contrast, reads the *new* state.
#
# We simplify one thing: the paper puts a maxout layer between these three vectors and the logits (appendix A.2.2), here one
# linear layer does it, as in lesson 09.
#
# `forward` is teacher forcing: it calls `step` for each column of `decoder_input`, and it also returns all the weights, one
# row for each target word: the **alignment matrix** of each sentence, `(T, S)`.
#
# **By hand.** Let every size be 1 and all parameters 0, and then set the embedding of token 1 to 5 and the output matrix to
# 1 for each of its three inputs. The state before is 2, the annotations are 4 and 8. All scores are 0, so the weights are
# $\frac12, \frac12$ and the context is 6. A GRU cell whose parameters are 0 halves its state: $s = 1$. The logit is
# $1 + 6 + 5 = 12$. Read the same token again: the state becomes $\frac12$, the context stays, the logit is $11.5$.


# %% nbgrader={"grade": false, "grade_id": "BahdanauDecoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
class BahdanauDecoder(nn.Module):
    """A GRU cell that looks at the source before every word.

    Attributes: embedding, nn.Embedding(vocab_size, embed_size); attention, an AdditiveAttention of hidden size
    attention_size, whose query is the previous state and whose keys are the annotations; cell,
    nn.GRUCell(embed_size + annotation_size, hidden_size) on [embedding; context]; output,
    nn.Linear(hidden_size + annotation_size + embed_size, vocab_size) on [new state; context; embedding].

    step(token (B,) int64, state (B, H), annotations (B, S, A), mask (B, S) or None)
        -> (logits (B, V), new state (B, H), weights (B, S)).
    forward(decoder_input (B, T) int64, state (B, H), annotations (B, S, A), mask (B, S) or None)
        -> (logits (B, T, V), weights (B, T, S)), teacher forcing.

    >>> decoder = BahdanauDecoder(10, 3, 4, 8, 5)
    >>> logits, weights = decoder(torch.tensor([[1, 6, 7]]), torch.zeros(1, 4), torch.randn(1, 9, 8))
    >>> logits.shape, weights.shape
    (torch.Size([1, 3, 10]), torch.Size([1, 3, 9]))
    """

    def __init__(self, vocab_size: int, embed_size: int, hidden_size: int, annotation_size: int, attention_size: int):
        super().__init__()
        ### BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.attention = AdditiveAttention(hidden_size, annotation_size, attention_size)
        self.cell = nn.GRUCell(embed_size + annotation_size, hidden_size)
        self.output = nn.Linear(hidden_size + annotation_size + embed_size, vocab_size)
        ### END SOLUTION

    def step(
        self,
        token: torch.Tensor,
        state: torch.Tensor,
        annotations: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ### BEGIN SOLUTION
        embedded = self.embedding(token)
        context, weights = self.attention(state, annotations, mask)
        state = self.cell(torch.cat([embedded, context], dim=-1), state)
        return self.output(torch.cat([state, context, embedded], dim=-1)), state, weights
        ### END SOLUTION

    def forward(
        self,
        decoder_input: torch.Tensor,
        state: torch.Tensor,
        annotations: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ### BEGIN SOLUTION
        logits, looks = [], []
        for token in decoder_input.unbind(dim=1):
            scores, state, weights = self.step(token, state, annotations, mask)
            logits.append(scores)
            looks.append(weights)
        return torch.stack(logits, dim=1), torch.stack(looks, dim=1)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_BahdanauDecoder", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
decoder = BahdanauDecoder(vocab_size=2, embed_size=1, hidden_size=1, annotation_size=1, attention_size=1)
with torch.no_grad():
    for parameter in decoder.parameters():
        parameter.zero_()
    decoder.embedding.weight[1] = 5.0
    decoder.output.weight[1] = 1.0
logits, weights = decoder(torch.tensor([[1, 1]]), torch.tensor([[2.0]]), torch.tensor([[[4.0], [8.0]]]))
torch.testing.assert_close(logits[0, :, 1], torch.tensor([12.0, 11.5]))
torch.testing.assert_close(weights, torch.full((1, 2, 2), 0.5))
check("BahdanauDecoder", BahdanauDecoder)

# %% [markdown]
# ## 3. Training
#
# The same data, sizes and loop as in lesson 09; only the decoder is new. The seed is 0. With the environment variable
# `ATTN_QUICK=1` training stops after a few steps, which only shows whether everything runs.

# %% tags=["skip-grading"]
data = load("sentences", size=20_000, test_size=2_000, seed=0)
train = [(tokenize(source), tokenize(target)) for source, target in data.train]
test = [(tokenize(source), tokenize(target)) for source, target in data.test[: budget(2_000, 100)]]
english = build_vocab([source for source, _ in train], min_count=3)
french = build_vocab([target for _, target in train], min_count=3)
print(f"{len(train):,} pairs to learn from; {len(english):,} English and {len(french):,} French tokens")


class Translator(nn.Module):
    """Encoder of lesson 09, decoder of this lesson."""

    def __init__(self, embed_size=96, hidden_size=128):
        super().__init__()
        self.encoder = Encoder(len(english), embed_size, hidden_size)
        self.decoder = BahdanauDecoder(len(french), embed_size, hidden_size, 2 * hidden_size, hidden_size)

    def read(self, source, lengths):
        """Annotations, first state, and the mask: True at words, False at padding."""
        annotations, state = self.encoder(source, lengths)
        return annotations, state, torch.arange(source.shape[1]) < lengths[:, None]

    def forward(self, source, lengths, decoder_input):
        annotations, state, mask = self.read(source, lengths)
        return self.decoder(decoder_input, state, annotations, mask)

    @torch.no_grad()
    def translate(self, source, lengths, masked=True, max_len=60):
        """Ids of the translations (B, L), by greedy decoding."""
        annotations, state, mask = self.read(source, lengths)
        mask = mask if masked else torch.ones_like(mask)

        def step(tokens, state):
            hidden, annotations, mask = state
            logits, hidden, _ = self.decoder.step(tokens, hidden, annotations, mask)
            return logits.log_softmax(dim=-1), (hidden, annotations, mask)

        return greedy_decode(step, (state, annotations, mask), french["<bos>"], french["<eos>"], max_len)


def collate(pairs):
    source, lengths = pad_batch([source for source, _ in pairs])
    target, _ = pad_batch([target for _, target in pairs])
    return source, lengths, *teacher_forcing(target)


def loss_fn(model, batch):
    source, lengths, decoder_input, decoder_target = batch
    logits, _ = model(source, lengths, decoder_input)
    return sequence_loss(logits, decoder_target)


def numbered(pairs):
    return [(encode(source, english), encode(target, french, bos=True)) for source, target in pairs]


# %% tags=["skip-grading"]
seed_everything(0)
model = Translator()
train_ids = numbered(train)
held_out = collate(numbered([(tokenize(source), tokenize(target)) for source, target in data.valid[:200]]))
history = fit(
    model,
    loss_fn,
    endless(train_ids, collate, [(len(target), len(source)) for source, target in train_ids], batch_size=64, seed=0),
    steps=measured["steps"],
    learning_rate=measured["learning_rate"],
    clip=lambda gradients: clip_by_global_norm(gradients, 1.0),
    evaluate=lambda model: loss_fn(model, held_out),
    evaluate_every=100,
    title="a decoder that looks back",
)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {history.seconds:.0f} seconds")

# %% [markdown]
# **What you see.** On a logarithmic axis both losses fall together at first. From about step 500 on the dots of the held-out
# sentences fall more slowly than the line of the training batches, and in the end they are nearly level: from there on the
# model learns its training sentences more than the language. With as many steps, the decoder of lesson 09 ends above 1.

# %% tags=["skip-grading"]
references = [target for _, target in test]


def bleu(hypotheses, references):
    """Corpus BLEU, 0 to 100."""
    joined = [" ".join(words) for words in hypotheses]
    return sacrebleu.corpus_bleu(joined, [[" ".join(words) for words in references]], tokenize="none", force=True).score


def translate_all(pairs, batch_size=64, **options):
    """Greedy translations as lists of words, in the pairs' order."""
    translations = [None] * len(pairs)
    for batch in batches_by_length([len(source) for source, _ in pairs], batch_size, seed=None):
        source, lengths = pad_batch([encode(pairs[i][0], english) for i in batch])
        for i, ids in zip(batch, model.translate(source, lengths, **options), strict=True):
            translations[i] = decode(ids, french)
    return translations


translations = translate_all(test)
print(f"BLEU on {len(test):,} held-out sentences: {bleu(translations, references):.1f}\n")
by_length = sorted(range(len(test)), key=lambda i: len(test[i][0]))
for place in (0.05, 0.5, 0.95, 0.99):
    i = by_length[int(place * len(by_length))]
    print(f"{len(test[i][0])} words:  {polish(' '.join(test[i][0]), 'en')}")
    print(f"  it says  {polish(' '.join(translations[i]), 'fr')}")
    print(f"  right    {polish(' '.join(references[i]), 'fr')}\n")

# %% [markdown]
# ## 4. Where it looks
#
# `forward` returns the weights. Let the model translate, feed it its own translation, and look at where it looked. We draw
# three held-out sentences in which French does not go word by word: of those that are translated well, the ones whose
# looks jump back and forth the most.

# %% tags=["skip-grading"]


def alignment(words):
    """Source words, translated words, and the weights (target, source) between them."""
    source, lengths = pad_batch([encode(words, english)])
    ids = model.translate(source, lengths)
    bos = torch.full((1, 1), french["<bos>"])
    with torch.no_grad():
        _, weights = model(source, lengths, torch.cat([bos, ids[:, :-1]], dim=1))
    names = list(french)
    return [*words, "<eos>"], [names[i] for i in ids[0].tolist()], weights[0]


def crossings(weights):
    """How many pairs of target words look at source words in the opposite order, the end of the sentence aside."""
    places = weights[:-2].argmax(dim=1)
    return int((places[:, None] > places[None, :]).triu(diagonal=1).sum())


good = [i for i in range(min(300, len(test))) if 8 <= len(test[i][0]) <= 12 and translations[i] == references[i]]
drawn = [alignment(test[i][0]) for i in good or range(3)]
drawn.sort(key=lambda look: crossings(look[2]), reverse=True)

figure, panels = plt.subplots(1, 3, figsize=(13, 4.8), layout="constrained")
for axes, (words, translated, weights) in zip(panels, drawn, strict=False):
    image = axes.imshow(weights, cmap="cividis", vmin=0, vmax=1)
    axes.set_xticks(range(len(words)), words, rotation=90)
    axes.set_yticks(range(len(translated)), translated)
    axes.set(xlabel="source", ylabel="translation")
figure.colorbar(image, ax=panels, label="weight", shrink=0.7)
figure.suptitle("Alignment matrices: one row for each word written")
plt.show()

# %% [markdown]
# **What you see.** Each row is one French word, and its bright cells are the English words it was made from. Much of it runs
# down the diagonal, and where the order of words differs, the bright cells cross: a French adjective that stands behind its
# noun looks back to the English adjective in front of it. Words without a partner of their own share one, such as the two
# halves of a negation, or look all over the sentence, such as the *il* of *il y a*. Some rows look at a neighbor of the
# word you would expect: an annotation has read the whole sentence, so the information may be taken next door. Nobody told the model any of this; there are no alignments in the training data. (What such pictures prove, and
# what they do not, is the subject of lesson 23.)

# %% [markdown]
# ## 5. With and without attention
#
# Is it the attention, or would any decoder have become better? Two models, the same encoder, sizes, data, batches and number
# of steps, three seeds each, all on the same held-out sentences. The trainings take a while, so they are not repeated here:
# `benchmarks/attention_against_length.py` ran them and stored the numbers. Your own model, trained above, is drawn
# as crosses: they should land near the blue line.

# %% tags=["skip-grading"]
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
draw_lengths(axes, "without attention", "without attention, mean of 3 seeds", "0.45", "s")
draw_lengths(axes, "with attention", "with attention, mean of 3 seeds", "#31688e", "o")
yours = []
for low, high in measured["bins"]:
    inside = [i for i, (source, _) in enumerate(test) if low <= len(source) < high]
    yours.append(bleu([translations[i] for i in inside], [references[i] for i in inside]) if inside else np.nan)
axes.plot(BINS, yours, "kx", label="your model, seed 0")
axes.set_title("Quality against sentence length, held-out sentences")
axes.legend()
plt.show()

print(f"{measured['steps']:,} steps of 64 sentences, {measured['test_sentences']:,} held-out sentences")
for name in ("without attention", "with attention"):
    runs = [run for run in measured["runs"] if run["model"] == name]
    scores = [run["bleu"] for run in runs]
    print(f"{name:18}  BLEU {np.mean(scores):5.1f}  (seeds: {', '.join(f'{score:.1f}' for score in scores)})")

# %% [markdown]
# **What you see.** With attention even the shortest sentences are better. Then the gray line falls steeply, to a small part of
# where it began, and the blue one only slowly: that is the shape of figure 2 in Bahdanau et al. (2014). Attention helps
# with short sentences, and decides with long ones. The dots of the three seeds lie so close together that they hardly
# show, much closer than the two lines.

# %% [markdown]
# ## 6. With and without a mask
#
# Now take the mask away from the model that you trained, and change nothing else. At padding the annotations are zeros, so it
# looks harmless. It is not: a zero key still has a score, $v^\top \tanh(W_q q)$, and takes its share of the weight. So the
# translation of a sentence depends on how much padding its neighbors in the batch happen to cause.

# %% tags=["skip-grading"]
rng = np.random.default_rng(0)
some = [test[i] for i in rng.choice(len(test), size=budget(400, 40), replace=False)]
right = [target for _, target in some]


def translate_padded(masked, extra):
    """All of `some`, each sentence with `extra` columns of padding behind it."""
    answers = [None] * len(some)
    for batch in batches_by_length([len(source) for source, _ in some], 50, seed=None):
        source, lengths = pad_batch([encode(some[i][0], english) for i in batch])
        source = nn.functional.pad(source, (0, extra))
        for i, ids in zip(batch, model.translate(source, lengths, masked), strict=True):
            answers[i] = decode(ids, french)
    return answers


print("columns of padding added    BLEU with mask    BLEU without mask    translations that change without")
plain = translate_padded(True, 0)
for extra in (0, 5, 20, 60):
    masked, unmasked = translate_padded(True, extra), translate_padded(False, extra)
    assert masked == plain, "with the mask, padding must not change anything"
    different = np.mean([a != b for a, b in zip(unmasked, plain, strict=True)])
    print(f"{extra:24} {bleu(masked, right):17.1f} {bleu(unmasked, right):20.1f} {different:33.0%}")

# %% [markdown]
# **What you see.** With the mask the same number in every row: padding changes nothing. Without it the score sinks as padding
# is added. In the first row little is lost, because sentences of similar length share a batch. That is the treacherous part:
# the bug hides in tests with tidy batches.

# %% [markdown]
# ## When it goes wrong
#
# | symptom | likely cause |
# | --- | --- |
# | the loss becomes NaN after some steps | a row of the mask with no True: softmax over $-\infty$ alone. Treat such rows apart |
# | translations change with the batch | the mask is missing, or not handed on by `forward` or `step` |
# | every row of the alignment looks the same | `tanh` is missing or stands before the sum: then the query cancels in the softmax |
# | the alignment looks only at padding | the mask is the wrong way round: True means allowed |
# | weights of one batch row are above 1 in sum, of another below | softmax over the batch: it belongs on the last axis |
# | `mat1 and mat2 shapes cannot be multiplied` | sizes swapped: queries are states, of size H; keys are annotations, of size 2H |
# | it learns, but no better than lesson 09 | the context is detached, or only the first look is used |
# | training is slow | `w_key(keys)` is the same at every step of a sentence: it can be computed once and handed over |

# %% [markdown]
# ## Questions to think about
#
# <details><summary>How many scores are computed for a sentence of S words and a translation of T words, and how many
# vectors does the decoder of lesson 09 look at?</summary>
#
# T times S scores, against one vector. That is the price: time grows with the product of the lengths. For sentences it hardly
# matters; for books it is the problem of lesson 17.
# </details>
#
# <details><summary>The keys are also the values here. What would it take to separate them, and why might one want to?</summary>
#
# A second projection: weights from `w_key(annotations)`, context from `w_value(annotations)`. Then what makes a word easy to
# find need not be what is read from it. Lesson 07 does this, and so does every Transformer.
# </details>
#
# <details><summary>The query is the state before the step. So it does not know which word was read last. Is that a
# problem?</summary>
#
# The state before has not read $y_{i-1}$ yet: that word comes in with the cell, after the look. So the model has to predict,
# one step early, where the next look should go. It works, as you saw. Luong et al. (2015, section 3.1) ask with the new
# state instead, and lesson 11 compares.
# </details>

# %% [markdown]
# ### A question to answer in writing
#
# A colleague trains without a mask and says: "The annotations at padding are zero, so they add nothing to the context. And
# training works." **What is right about this, what is wrong, and with which measurement would you convince your
# colleague?** Four to six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_bahdanau", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# It is right that a zero annotation adds nothing to the weighted sum. But the weights sum to 1 over all positions, padding
# included: a zero key has the score v·tanh(W_q q), which is in general not small, and whatever weight it takes is missing at
# the real words. So the context shrinks towards zero, the more padding there is the more, and the translation of a sentence
# depends on its neighbors in the batch. Training works because the model sees this noise all the time and gets used to some
# of it, especially if batches hold sentences of similar length. I would translate the same test set several times, with 0, 20
# and 60 columns of padding added, and compare the translations: with a mask they are identical, without one they are not, and
# BLEU falls. It also helps to print the weight that falls on padding, which should be exactly 0.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - The decoder's previous state asks, the annotations answer: score by a small network, softmax, weighted sum, at every step.
# - Each target word gets a context of its own, so quality falls far less with length; and the weights can be looked at.
# - Padding must be masked exactly, or the answer depends on the batch.
#
# **Papers.** Bahdanau, Cho and Bengio (2014), *Neural Machine Translation by Jointly Learning to Align and Translate*,
# sections 3.1, 5.1 (figure 2) and appendix A. Cho et al. (2014), *On the Properties of Neural Machine Translation:
# Encoder-Decoder Approaches*, section 5 (quality falls with length). Luong, Pham and Manning (2015), *Effective Approaches to
# Attention-based Neural Machine Translation*, section 3.1.
#
# **Next.** Lesson 11: other scores, another order of the moves, and attention that looks at a window only.

# %% tags=["skip-grading"]
progress()
