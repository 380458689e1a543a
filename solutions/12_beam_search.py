# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 · Beam search: looking further than one token
#
# **In this lesson you write a search that keeps several translations alive until it is clear which is best, and the measure
# by which the world compares translations.**
#
# You will be able to
# - find better sentences than greedy decoding does, with the same model;
# - handle hypotheses that end at different times, and states that follow their hypotheses;
# - correct the search's liking for short sentences;
# - compute BLEU by hand and by program, to the last digit.
#
# You need: lesson 09 (greedy decoding; `step` and its state). The model of lesson 10 comes ready trained.
# Time: about 100 minutes.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import itertools
import math
import time
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import sacrebleu
import torch
from course_datasets import load, polish
from course_datasets.weights import load_weights

from autograder import check, hint, lesson, progress, reveal
from autograder.training import budget

text = lesson("08_sequences")
tokenize, encode, decode = text.tokenize, text.encode, text.decode
Encoder, greedy_decode = lesson("09_seq2seq").Encoder, lesson("09_seq2seq").greedy_decode
BahdanauDecoder = lesson("10_bahdanau").BahdanauDecoder

# %% [markdown]
# ## Why: the best first word may be the wrong one
#
# A model has three words: `I`, `am`, `Chinese`. It gives these probabilities for the first word, and for the second word
# after each of two first ones:
#
# | | I | am | Chinese |
# | --- | --- | --- | --- |
# | first word | 0.4 | **0.5** | 0.1 |
# | after "I" | 0.3 | **0.6** | 0.1 |
# | after "am" | 0.3 | 0.3 | **0.4** |
#
# Greedy decoding takes the best word each time: "am", then "Chinese". The probability of a sentence is the product of its
# words': $0.5 \cdot 0.4 = 0.20$. But "I am" has $0.4 \cdot 0.6 = 0.24$. Greedy decoding has gone past the better sentence,
# because it never looked behind the second best word.
#
# To look at *all* sentences is no way out: with $V$ words and length $L$ there are $V^L$. **Beam search** goes in between. It
# keeps the $K$ most probable beginnings, extends each by every word, and keeps the $K$ best of those.

# %% [markdown]
# ## 1. One step of the search
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 15 minutes |
#
# Each kept beginning is a **hypothesis**, with a score: the logarithm of its probability. Logarithms, because a product of
# many small numbers becomes 0 in a computer, and a sum of their logarithms does not:
#
# $$\log P(w_1 \ldots w_i) = \log P(w_1 \ldots w_{i-1}) + \log P(w_i \mid w_1 \ldots w_{i-1})$$
#
# There are $K$ hypotheses with `scores` `(K,)`, and the model gives `log_probs` `(K, V)` for the word after each of them.
# That makes $K \cdot V$ candidates, and *all of them compete*: the best two may come from the same hypothesis, and a
# hypothesis may have no successor at all. Return, best first, the scores of the best `beam_size`, which hypothesis each one
# continues, and with which token. If there are fewer than `beam_size` candidates, return them all.
#
# **By hand.** The table above, with beam 2 and tokens I = 0, am = 1, Chinese = 2. At the start there is one empty hypothesis
# of score $\log 1 = 0$. Step one keeps "am" (0.5) and "I" (0.4), in this order. In step two the six candidates are
#
# | | I | am | Chinese |
# | --- | --- | --- | --- |
# | hypothesis 0, "am" (0.5) | 0.15 | 0.15 | **0.20** |
# | hypothesis 1, "I" (0.4) | 0.12 | **0.24** | 0.04 |
#
# So the scores are $\log 0.24$ and $\log 0.20$, the `beam_index` is `[1, 0]` and the `token` is `[1, 2]`: "I am" and
# "am Chinese".
#
# Stuck? `hint("beam_step")` gives a nudge, and the next call gives a bigger one.


# %% nbgrader={"grade": false, "grade_id": "beam_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def beam_step(
    log_probs: torch.Tensor, scores: torch.Tensor, beam_size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The best continuations of K hypotheses.

    log_probs: (K, V), log P of the next token after each hypothesis; may hold -inf. scores: (K,), log P of each
    hypothesis. Returns (scores, beam_index, token), each with min(beam_size, K * V) entries, best first: the new
    scores in the inputs' dtype, and int64 indices of the hypothesis that is continued and of the token.

    >>> beam_step(torch.tensor([[0.3, 0.3, 0.4], [0.3, 0.6, 0.1]]).log(), torch.tensor([0.5, 0.4]).log(), 2)
    (tensor([-1.4271, -1.6094]), tensor([1, 0]), tensor([1, 2]))
    """
    ### BEGIN SOLUTION
    candidates = scores[:, None] + log_probs
    best, places = candidates.flatten().topk(min(beam_size, candidates.numel()))
    vocab_size = log_probs.shape[1]
    return best, places // vocab_size, places % vocab_size
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_beam_step", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
first = beam_step(torch.tensor([[0.4, 0.5, 0.1]]).log(), torch.zeros(1), 2)
assert [part.tolist() for part in first[1:]] == [[0, 0], [1, 0]]
second = beam_step(torch.tensor([[0.3, 0.3, 0.4], [0.3, 0.6, 0.1]]).log(), first[0], 2)
torch.testing.assert_close(second[0].exp(), torch.tensor([0.24, 0.20]))
assert [part.tolist() for part in second[1:]] == [[1, 0], [1, 2]]
check("beam_step", beam_step)

# %% [markdown]
# ## 2. Short sentences have an advantage
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●○○ |
# | time | 5 minutes |
#
# Every further word makes a sentence less probable. So a search for the most probable sentence likes short ones. Wu et al.
# (2016, equation 14) divide by a **length penalty** before they compare:
#
# $$\text{score}(Y) = \frac{\log P(Y)}{\text{lp}(Y)}, \qquad
# \text{lp}(Y) = \left(\frac{5 + |Y|}{6}\right)^{\alpha}$$
#
# $|Y|$ is the number of tokens and $\alpha$ a number to be chosen. With $\alpha = 0$ the penalty is 1 and changes nothing. The
# larger $\alpha$, the more a long sentence is helped: its negative logarithm is divided by a larger number.
#
# **By hand.** Length 1: $6/6 = 1$, to any power 1. Length 7: $12/6 = 2$, so $2^\alpha$. A sentence of length 1 with
# $\log P = -2$ and one of length 7 with $\log P = -3$: with $\alpha = 0$ the short one wins, with $\alpha = 1$ the scores are
# $-2$ and $-1.5$, and the long one wins.


# %% nbgrader={"grade": false, "grade_id": "length_penalty", "locked": false, "schema_version": 3, "solution": true, "task": false}
def length_penalty(length: int, alpha: float) -> float:
    """What log P is divided by: ((5 + length) / 6) ** alpha.

    length: number of tokens, at least 1. alpha: at least 0.

    >>> length_penalty(7, 1.0)
    2.0
    """
    ### BEGIN SOLUTION
    return ((5 + length) / 6) ** alpha
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_length_penalty", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert math.isclose(length_penalty(1, 0.7), 1.0)
assert math.isclose(length_penalty(7, 1.0), 2.0)
assert math.isclose(length_penalty(7, 2.0), 4.0)
check("length_penalty", length_penalty)

# %% [markdown]
# ## 3. The whole search
#
# | | |
# | --- | --- |
# | difficulty | ●●●●● |
# | importance | ●●●●● |
# | time | 35 minutes |
#
# Now repeat `beam_step`, with the same `step(tokens, state) -> (log_probs, state)` as in lesson 09. The state comes with a
# first axis of 1: one sentence. Four things need care.
#
# 1. **The state follows its hypothesis.** After a step, row $i$ of everything must belong to the hypothesis that is now number
#    $i$: `state[beam_index]`, for every tensor, in tuples and in tuples of tuples. In the example, `beam_index` is `[1, 0]`:
#    who forgets it continues "I am" with the state of "am".
# 2. **A finished hypothesis competes.** One that has said `<eos>` is finished. It stays as it is, with its log P unchanged, and
#    it keeps its place only as long as it is among the `beam_size` most probable. A trick makes this one line: for a
#    finished hypothesis, replace its row of `log_probs` by $-\infty$ everywhere and 0 at `<eos>`. Then it has exactly one
#    way to go on, which costs nothing. (But do not append another `<eos>` to its tokens.)
# 3. **The end.** It is over when all kept hypotheses are finished, or after `max_len` tokens. Then all kept ones are returned,
#    finished or not, except that a hypothesis of probability zero is never returned.
# 4. **The length penalty comes last.** During the search, log P alone decides who is kept. At the end, each hypothesis gets
#    score = log P / length penalty, with length = the number of its tokens, the final `<eos>` included, and they are
#    sorted by that, best first.
#
# **By hand.** The table once more, now as a `step`. Tokens: eos = 0 (of probability zero here), I = 1, am = 2, Chinese = 3.
# With beam 2 and `max_len` 2 the result is `[([1, 2], log 0.24), ([2, 3], log 0.20)]`. With beam 1 it is greedy:
# `[([2, 3], log 0.20)]`.


# %% nbgrader={"grade": false, "grade_id": "beam_search", "locked": false, "schema_version": 3, "solution": true, "task": false}
def beam_search(
    step, state, bos_id: int, eos_id: int, beam_size: int, max_len: int, alpha: float = 0.0
) -> list[tuple[list[int], float]]:
    """The best continuations of <bos> that a beam of beam_size hypotheses finds.

    step(tokens (N,) int64, state) -> (log_probs (N, V), state). state: a tensor or a (nested) tuple of tensors whose
    first axis is N; it comes with N = 1. Returns a list of (tokens, score), best score first. tokens: ints, without
    bos, with the eos that ended them; at most max_len. score: log P / length_penalty(len(tokens), alpha). Hypotheses
    of probability zero are left out.

    >>> table = torch.tensor([[0, 0.4, 0.5, 0.1], [0, 0.3, 0.6, 0.1], [0, 0.3, 0.3, 0.4], [1.0, 0, 0, 0]]).log()
    >>> step = lambda tokens, state: (table[tokens], state)  # here eos is 0, and bos, too
    >>> beam_search(step, torch.zeros(1), bos_id=0, eos_id=0, beam_size=2, max_len=2)
    [([1, 2], -1.42711...), ([2, 3], -1.60943...)]
    """
    ### BEGIN SOLUTION

    def follow(state, beam_index):
        if isinstance(state, tuple):
            return tuple(follow(part, beam_index) for part in state)
        return state[beam_index]

    hypotheses, tokens = [[]], torch.tensor([bos_id])
    scores, finished = torch.zeros(1), torch.tensor([False])
    for _ in range(max_len):
        log_probs, state = step(tokens, state)
        stay = torch.full_like(log_probs, -torch.inf)
        stay[:, eos_id] = 0.0
        log_probs = torch.where(finished[:, None], stay, log_probs)
        scores, beam_index, tokens = beam_step(log_probs, scores, beam_size)
        possible = scores > -torch.inf
        scores, beam_index, tokens = scores[possible], beam_index[possible], tokens[possible]
        hypotheses = [
            hypotheses[beam] if finished[beam] else [*hypotheses[beam], token]
            for beam, token in zip(beam_index.tolist(), tokens.tolist(), strict=True)
        ]
        finished = finished[beam_index] | (tokens == eos_id)
        state = follow(state, beam_index)
        if finished.all():
            break
    found = [
        (hypothesis, score / length_penalty(len(hypothesis), alpha))
        for hypothesis, score in zip(hypotheses, scores.tolist(), strict=True)
    ]
    return sorted(found, key=lambda pair: pair[1], reverse=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_beam_search", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
table = torch.tensor([[0, 0.4, 0.5, 0.1], [0, 0.3, 0.6, 0.1], [0, 0.3, 0.3, 0.4], [1.0, 0, 0, 0]]).log()


def chinese(tokens, state):
    return table[tokens], state


both = beam_search(chinese, torch.zeros(1), bos_id=0, eos_id=0, beam_size=2, max_len=2)
assert [tokens for tokens, _ in both] == [[1, 2], [2, 3]]
np.testing.assert_allclose([score for _, score in both], np.log([0.24, 0.20]), rtol=1e-5)
assert [tokens for tokens, _ in beam_search(chinese, torch.zeros(1), 0, 0, beam_size=1, max_len=2)] == [[2, 3]]
check("beam_search", beam_search)

# %% [markdown]
# Is it right? With a small vocabulary we can ask everybody: list *all* sentences and take the best. Here are 60 random models
# with 5 tokens, one of them eos, and sentences of up to 4 tokens: $1 + 4 + 16 + 64 \cdot 5 = 341$ of them. How often does the
# beam find the best one?

# %% tags=["skip-grading"]
rng = np.random.default_rng(0)


def random_model(vocab_size=5):
    """A step whose next token depends on the last one, with tokens 0 (eos and bos) to vocab_size - 1."""
    logits = torch.tensor(1.5 * rng.normal(size=(vocab_size, vocab_size)))
    table = logits.log_softmax(-1)
    return table, lambda tokens, state: (table[tokens], state)


def best_of_all(table, max_len):
    """Every sentence that ends with eos or has max_len tokens, scored; the best."""
    best = (None, -math.inf)
    for length in range(1, max_len + 1):
        for words in itertools.product(range(1, len(table)), repeat=length - 1):
            lasts = [0] if length < max_len else range(len(table))
            for last in lasts:
                tokens = [*words, last]
                score = sum(table[a, b].item() for a, b in itertools.pairwise([0, *tokens]))
                if score > best[1]:
                    best = (tokens, score)
    return best


WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 1000)
MODELS = 60
hits = Counter()
for _ in range(MODELS):
    table, step = random_model()
    truth, log_p = best_of_all(table, 4)
    for width in WIDTHS:
        tokens, score = beam_search(step, torch.zeros(1), 0, 0, width, 4)[0]
        assert score <= log_p + 1e-9, "nothing can be better than the best of all"
        hits[width] += tokens == truth
assert hits[1000] == MODELS, "a beam as wide as the space is exact"
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.bar([str(width) for width in WIDTHS], [hits[width] / MODELS for width in WIDTHS], color="#31688e")
axes.set(
    title=f"Finding the best of all sentences, {MODELS} random models",
    xlabel="beam size",
    ylabel="share found",
    ylim=(0, 1.05),
)
plt.show()

# %% [markdown]
# **What you see.** Bars that rise with the beam. Greedy decoding, the first bar, misses the best sentence in a good part of the
# models. A few hypotheses more find nearly all, and a beam as wide as the space finds it always: then the search is exact.

# %% [markdown]
# ## 4. Has everything been translated?
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●○○○ |
# | time | 10 minutes |
#
# A model with attention can be asked something else: has every source word been looked at? Wu et al. (2016, equation 14) add
# a **coverage penalty** to the score. With $p_{ij}$ the weight on source token $j$ when target token $i$ was written:
#
# $$\text{cp} = \beta \sum_{j=1}^{T_{src}} \log\left(\min\left(\sum_{i=1}^{T_{tgt}} p_{ij},\; 1\right)\right)$$
#
# A source token that got a weight of 1 or more in all costs nothing. One that got less costs something, and one that got
# nothing costs infinitely much (if $\beta > 0$).
#
# **By hand.** Two target tokens, two source tokens, weights $\begin{bmatrix} 0.5 & 0.5 \\ 1 & 0 \end{bmatrix}$, $\beta = 0.2$.
# The columns sum to 1.5 and 0.5, so $0.2\,(\log 1 + \log 0.5) = -0.139$.
#
# Mind $\beta = 0$: then the penalty is 0, also where $\log 0 = -\infty$ stands. In a computer, $0 \cdot (-\infty)$ is NaN.


# %% nbgrader={"grade": false, "grade_id": "coverage_penalty", "locked": false, "schema_version": 3, "solution": true, "task": false}
def coverage_penalty(attention: torch.Tensor, beta: float) -> torch.Tensor | float:
    """beta times the sum over source tokens of log(min(attention received, 1)).

    attention: (T_tgt, T_src), weights, one row for each target token. beta: at least 0. Returns a scalar, at most 0:
    -inf where a source token got nothing and beta > 0, and 0 where beta is 0.

    >>> coverage_penalty(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), 0.2)
    tensor(-0.1386)
    """
    ### BEGIN SOLUTION
    if beta == 0:
        return attention.new_zeros(())
    return beta * attention.sum(dim=0).clamp(max=1.0).log().sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_coverage_penalty", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
attention = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
assert math.isclose(float(coverage_penalty(attention, 0.2)), 0.2 * math.log(0.5), rel_tol=1e-5)
assert float(coverage_penalty(torch.tensor([[1.0, 0.0]]), 0.0)) == 0.0
check("coverage_penalty", coverage_penalty)

# %% [markdown]
# ## 5. BLEU
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●●●○ |
# | time | 30 minutes |
#
# To compare translations we need a number. BLEU (Papineni et al. 2002) counts which **n-grams**, runs of $n$ tokens, of the
# translations (the *hypotheses*) also stand in translations by people (the *references*).
#
# 1. **Clipped precision.** For each $n$ from 1 to `max_n`: of all n-grams in the hypotheses, which share is right? An n-gram that
#    a hypothesis repeats counts at most as often as it stands in one of its references (the one that has it most often).
#    Add up over *all* sentences first, then divide:
#    $$p_n = \frac{\sum_{\text{sentences}} \sum_{g} \min\left(\text{count}_{hyp}(g),\; \max_{ref} \text{count}_{ref}(g)\right)}
#    {\sum_{\text{sentences}} \sum_{g} \text{count}_{hyp}(g)}$$
# 2. **Brevity penalty.** Precision alone likes short, safe answers. Let $c$ be the total length of the hypotheses, and $r$ the
#    total length of the references; where there are several, take for each sentence the one whose length is closest to the
#    hypothesis', and the shorter of two that are equally close:
#    $$\text{BP} = \begin{cases} 1 & c \ge r \\ \exp(1 - r / c) & c < r \end{cases}$$
# 3. **Together**, with the geometric mean: $\text{BLEU} = 100 \cdot \text{BP} \cdot \left(\prod_{n=1}^{N} p_n\right)^{1/N}$, with
#    $N$ = `max_n`. If some order has no match at all, BLEU is 0.0: nothing is smoothed.
#
# **By hand.** Hypothesis "le chat dort sur le lit", reference "le chat dort dans le grand lit".
#
# | n | n-grams of the hypothesis | right | $p_n$ |
# | --- | --- | --- | --- |
# | 1 | le, chat, dort, sur, le, lit | all but "sur" | 5/6 |
# | 2 | le chat, chat dort, dort sur, sur le, le lit | the first two | 2/5 |
# | 3 | le chat dort, and three others | the first | 1/4 |
# | 4 | three | none | 0 |
#
# Lengths 6 and 7: $\text{BP} = \exp(1 - 7/6) = 0.846$. With `max_n=2`: $100 \cdot 0.846 \cdot \sqrt{5/6 \cdot 2/5} = 48.9$. With
# `max_n=4` it is 0. That is why BLEU is computed for a whole test set: single sentences often have no match of order 4.


# %% nbgrader={"grade": false, "grade_id": "bleu", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bleu(hypotheses: list[list[str]], references: list[list[list[str]]], max_n: int = 4) -> float:
    """Corpus BLEU, from 0 to 100, without smoothing.

    hypotheses: lists of tokens. references: for each hypothesis a list of one or more lists of tokens. Raises
    ValueError if there are not as many entries in references as hypotheses. A hypothesis may be empty.

    >>> bleu([["le", "chat", "dort"]], [[["le", "chat", "dort", "bien"]]], max_n=2)
    71.65...
    """
    ### BEGIN SOLUTION
    if len(hypotheses) != len(references):
        raise ValueError(f"references has {len(references)} entries, expected {len(hypotheses)}, one a hypothesis")

    def ngrams(tokens, n):
        return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))

    matches, totals = [0] * max_n, [0] * max_n
    hypothesis_length = reference_length = 0
    for hypothesis, several in zip(hypotheses, references, strict=True):
        hypothesis_length += len(hypothesis)
        reference_length += min((abs(len(r) - len(hypothesis)), len(r)) for r in several)[1]
        for n in range(1, max_n + 1):
            most = Counter()
            for reference in several:
                most |= ngrams(reference, n)
            found = ngrams(hypothesis, n)
            matches[n - 1] += (found & most).total()
            totals[n - 1] += found.total()
    if min(matches) == 0:
        return 0.0
    log_precision = sum(math.log(m / t) for m, t in zip(matches, totals, strict=True)) / max_n
    log_brevity = min(0.0, 1 - reference_length / hypothesis_length)
    return 100 * math.exp(log_brevity + log_precision)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_bleu", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
cat, reference = "le chat dort sur le lit".split(), "le chat dort dans le grand lit".split()
assert math.isclose(bleu([cat], [[reference]], max_n=2), 100 * math.exp(1 - 7 / 6) * math.sqrt(5 / 6 * 2 / 5))
assert bleu([cat], [[reference]]) == 0.0
check("bleu", bleu)

# %% [markdown]
# ## 6. Greedy against beams, on a real model
#
# Now the model of lesson 10, English to French, with weights that were trained and stored
# (`benchmarks/attention_against_length.py`). It becomes a `step` whose state is a tuple: the decoder's state, the
# annotations and the mask.

# %% tags=["skip-grading"]
weights = load_weights("bahdanau_en_fr")
english = {token: number for number, token in enumerate(weights.about["source_vocab"])}
french = {token: number for number, token in enumerate(weights.about["target_vocab"])}
encoder, decoder = Encoder(**weights.about["encoder"]), BahdanauDecoder(**weights.about["decoder"])
for name, module in (("encoder", encoder), ("decoder", decoder)):
    own = [key for key in weights.arrays if key.startswith(f"{name}.")]
    module.load_state_dict({key.removeprefix(f"{name}."): torch.tensor(weights.arrays[key]) for key in own})
    module.eval()
BOS, EOS = french["<bos>"], french["<eos>"]


def start(words):
    """The state before the first step, for one English sentence."""
    ids = torch.tensor([encode(words, english)])
    annotations, state = encoder(ids, torch.tensor([ids.shape[1]]))
    return state, annotations, torch.ones(ids.shape, dtype=torch.bool)


@torch.no_grad()
def step(tokens, state):
    hidden, annotations, mask = state
    logits, hidden, _ = decoder.step(tokens, hidden, annotations, mask)
    return logits.log_softmax(dim=-1), (hidden, annotations, mask)


about = dict(weights.about["data"])
checksum = about.pop("checksum")
data = load(about.pop("name"), **about)
if data.checksum() != checksum:
    print("The weights were trained on other sentences than these: make them anew.")
pairs = [(tokenize(source), tokenize(target)) for source, target in data.test[: budget(200, 20)]]
references = [[target] for _, target in pairs]
print(f"{len(pairs)} held-out sentences; the model was trained for {weights.about['training']['steps']:,} steps")

# %% tags=["skip-grading"]
BEAMS = (1, 2, 4, 8, 16)
found, seconds = {}, {}
with torch.no_grad():
    starts = [start(source) for source, _ in pairs]
    for beam_size in BEAMS:
        began = time.perf_counter()
        found[beam_size] = [beam_search(step, state, BOS, EOS, beam_size, max_len=60) for state in starts]
        seconds[beam_size] = time.perf_counter() - began
    greedy = [greedy_decode(step, state, BOS, EOS, max_len=60)[0].tolist() for state in starts]
assert greedy == [answers[0][0] for answers in found[1]], "a beam of one is greedy decoding"


def best(answers, alpha):
    """Which of the kept hypotheses wins with this alpha: (tokens, log P)."""
    return max(answers, key=lambda pair: pair[1] / length_penalty(len(pair[0]), alpha))


def words_of(answers, alpha=0.0):
    return [decode(best(each, alpha)[0], french) for each in answers]


# %% [markdown]
# The length penalty chooses among the hypotheses that were kept, and log P alone decided which those are. So one search
# serves for every $\alpha$: we only sort again.

# %% tags=["skip-grading"]
ALPHAS = (0.0, 0.6, 1.0)
print("beam    " + "    ".join(f"BLEU, alpha {alpha:.1f}" for alpha in ALPHAS) + "    mean log P    seconds")
scores = {}
for beam_size in BEAMS:
    for alpha in ALPHAS:
        scores[beam_size, alpha] = bleu(words_of(found[beam_size], alpha), references)
    log_p = np.mean([best(answers, 0.0)[1] for answers in found[beam_size]])
    columns = "".join(f"{scores[beam_size, alpha]:15.2f}    " for alpha in ALPHAS)
    print(f"{beam_size:4}    {columns}{log_p:10.3f} {seconds[beam_size]:10.1f}")
joined = [" ".join(words) for words in words_of(found[4])]
theirs = sacrebleu.corpus_bleu(
    joined, [[" ".join(r[0]) for r in references]], tokenize="none", smooth_method="none", force=True
).score
assert abs(scores[4, 0.0] - theirs) < 1e-6
print(f"\nyour bleu and sacrebleu's differ by {abs(scores[4, 0.0] - theirs):.1e}")

# %% tags=["skip-grading"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
names = [str(beam_size) for beam_size in BEAMS]
for alpha, style, color in zip(ALPHAS, ("o-", "s--", "^:"), ("#440154", "#31688e", "#35b779"), strict=True):
    left.plot(names, [scores[beam_size, alpha] for beam_size in BEAMS], style, color=color, label=f"alpha {alpha:.1f}")
left.set(title="Quality", xlabel="beam size", ylabel="BLEU")
left.legend()
gain = [np.mean([best(f, 0.0)[1] - best(g, 0.0)[1] for f, g in zip(found[b], found[1], strict=True)]) for b in BEAMS]
right.plot(names, gain, "o-", color="#440154")
right.set(title="Model score, and what it costs", xlabel="beam size", ylabel="mean log P above greedy")
clock = right.twinx()
clock.bar(names, [seconds[b] for b in BEAMS], color="0.85", zorder=0)
clock.set_ylabel("seconds (bars)")
right.set_zorder(clock.get_zorder() + 1)
right.patch.set_visible(False)
plt.show()

# %% [markdown]
# **What you see.** On the right: the model's own score rises from beam 1 to 4 and hardly at all after that, while the time
# goes on growing. On the left: BLEU gains most of what there is to gain with a beam of 2 to 4. More is not always better: a
# more probable sentence need not be a better one, since the model itself is not perfect. With large beams translations can
# even become worse and too short (Koehn and Knowles 2017, section 3.6), and the length penalty works against that.
#
# One sentence on which greedy decoding goes wrong and the beam is right:

# %% tags=["skip-grading"]
for (source, target), one, four in zip(pairs, found[1], found[4], strict=True):
    if decode(one[0][0], french) != target and decode(best(four, 0.0)[0], french) == target:
        print(f"source   {polish(' '.join(source), 'en')}\nright    {polish(' '.join(target), 'fr')}\n")
        for name, (tokens, log_p) in (("greedy", one[0]), ("beam 4", best(four, 0.0))):
            print(f"{name}   log P {log_p:7.3f}   {polish(' '.join(decode(tokens, french)), 'fr')}")
        print("\nall four hypotheses of the beam:")
        for tokens, log_p in four:
            print(f"  {log_p:7.3f}  {polish(' '.join(decode(tokens, french)), 'fr')}")
        break
else:
    print("In so few sentences there is none.")

# %% [markdown]
# **What you see.** At one place the greedy translation takes a word that looks a little better at that moment, and from there
# no good sentence can be reached any more: its log P is lower in the end. The beam kept the other beginning.
#
# And what does the coverage penalty say? Look for hypotheses that skip a word of the source. (Saying a
# word twice costs nothing here: more than 1 counts as 1.)

# %% tags=["skip-grading"]
source, target = max(pairs[:50], key=lambda pair: len(pair[0]))
print(polish(" ".join(source), "en"), "\n")
with torch.no_grad():
    state, annotations, mask = start(source)
    for tokens, log_p in beam_search(step, (state, annotations, mask), BOS, EOS, 4, 60):
        _, looks = decoder(torch.tensor([[BOS, *tokens[:-1]]]), state, annotations, mask)
        coverage = float(coverage_penalty(looks[0], beta=0.2))
        print(f"log P {log_p:7.3f}   coverage {coverage:7.3f}   {polish(' '.join(decode(tokens, french)), 'fr')}")

# %% [markdown]
# ## When it goes wrong
#
# | symptom | likely cause |
# | --- | --- |
# | all hypotheses of the beam are the same | the search starts with `beam_size` copies of `<bos>`; start with one row |
# | beam 1 is greedy, but beam 2 is worse than beam 1 | the state does not follow `beam_index`, or only its first tensor does |
# | `RuntimeError: selected index k out of range` | `topk` with more than $K \cdot V$ |
# | translations end with many `<eos>` | a finished hypothesis goes on: append nothing to it |
# | only very short translations | no length penalty; or the search ends at the first `<eos>` |
# | a beam of 16 returns 16 hypotheses where only 3 are possible | those with log P $= -\infty$ were not left out |
# | scores are NaN | $-\infty$ minus $-\infty$, or $0 \cdot (-\infty)$ |
# | BLEU far above sacrebleu's | no clipping, or no brevity penalty |
# | BLEU near, but not equal | mean over sentences instead of one sum; the wrong reference length on a tie; smoothing |
# | BLEU 0.0 for a fair translation | one short sentence alone has no 4-gram in common: measure a whole test set |

# %% [markdown]
# ## Questions to think about
#
# <details><summary>Beam search keeps the K most probable beginnings. Does a larger beam always find a sentence that is at
# least as probable?</summary>
#
# No. With a wider beam a hypothesis can survive that pushes out another one, whose continuation would have been better than
# everything that is found in the end. It is rare, but it happens. Only a beam as wide as the space is certain.
# </details>
#
# <details><summary>Why does a finished hypothesis stay in the beam and use up a place, instead of being put aside?</summary>
#
# As long as it is in the beam, everything in the beam is comparable: the K most probable of what is known. If it were put
# aside, K other hypotheses would go on, most of which can no longer win: log P only falls. Both variants are used. With
# a strong length penalty putting aside makes some sense, since longer hypotheses may still overtake.
# </details>
#
# <details><summary>Two translations of the same test set, BLEU 27.3 and 27.8. Is the second system better?</summary>
#
# You cannot say yet. Were both computed on the same tokens? BLEU depends on how the text is cut, so Post (2018) made
# sacrebleu, which says with each number how it was made. And half a point may be chance: draw the test sentences anew,
# with replacement, many times, and look how often the second one wins (Koehn 2004).
# </details>

# %% [markdown]
# ### A question to answer in writing
#
# You have a translation model and increase the beam from 4 to 64. Log P rises a little, BLEU falls by two points, and the
# translations are shorter. **Explain how all three can be true at once. What two things would you try, and what would you
# measure to know whether they helped?** Four to six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_beam_search", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# A wider beam finds more probable sentences, so log P rises: the search does what it should. But the model's probability is
# not quality: each further word lowers log P, so very short (in the extreme, empty) translations are quite probable, and a
# wide beam is the first to find them. They miss n-grams and are punished by the brevity penalty, so BLEU falls. I would
# choose by log P / length penalty and try several alphas (and perhaps a coverage penalty, so that skipped source words
# cost something), and I would go back to a beam of 4 to 8. For each setting I would measure, on validation data and not
# on the test set, BLEU, the ratio of the lengths of hypotheses and references, and the time.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - A beam keeps the K most probable beginnings; all extensions compete, the state follows, finished hypotheses compete
#   unchanged.
# - Log P likes short sentences; the length penalty corrects that when the winner is chosen.
# - BLEU is clipped precision of 1- to 4-grams times a brevity penalty, added up over the corpus.
#
# **Papers.** Wu et al. (2016), *Google's Neural Machine Translation System*, section 7, equation 14. Papineni, Roukos, Ward
# and Zhu (2002), *BLEU: a Method for Automatic Evaluation of Machine Translation*, section 2. Post (2018), *A Call for Clarity
# in Reporting BLEU Scores*. Koehn and Knowles (2017), *Six Challenges for Neural Machine Translation*, section 3.6. Koehn
# (2004), *Statistical Significance Tests for Machine Translation Evaluation*.
#
# **Next.** Part III leaves recurrence behind: lesson 13 builds the blocks of a Transformer. Your beam search will run on it
# unchanged.

# %% tags=["skip-grading"]
progress()
