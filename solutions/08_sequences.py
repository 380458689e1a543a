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
# # 08 · Sequences: from text to batches
#
# **In this lesson you turn sentences into rectangles of numbers, the only thing that a neural network reads.**
#
# You will be able to
# - cut a text into tokens, and number the tokens;
# - go from words to numbers and back, unknown words included;
# - put sentences of different lengths into one batch and still know where each one ends;
# - lay out what a decoder (the part of a model that writes) reads and what it should answer.
#
# You need: Python lists and dictionaries, and a little PyTorch (indexing a tensor). Attention is not needed here.
# Time: about 60 minutes.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from course_datasets import load

from autograder import check, hint, progress, reveal
from autograder.training import batches_by_length

# %% [markdown]
# ## Why: a network cannot read
#
# Two sentences, and two things that go wrong at once. PyTorch does not know what a word is, and it cannot stack
# rows of different lengths:

# %%
for attempt in (["the cat sleeps"], [[4, 5, 6], [4, 7]]):
    try:
        torch.tensor(attempt)
    except ValueError as error:
        print(f"torch.tensor({attempt}) -> ValueError: {error}")

# %% [markdown]
# The way from text to tensor has five steps, and you write each of them:
#
# | step | from | to |
# | --- | --- | --- |
# | `tokenize` | `"The cat sleeps."` | `["the", "cat", "sleeps", "."]` |
# | `build_vocab` | all the token lists | `{"<pad>": 0, ..., "the": 4, ...}` |
# | `encode` (and `decode`, the way back) | `["the", "cat", "sleeps", "."]` | `[4, 9, 17, 5, 2]` |
# | `pad_batch` | lists of different lengths | a rectangle, and the lengths |
# | `teacher_forcing` | the target rectangle | what the decoder reads, what it should say |

# %% [markdown]
# ## 1. Tokens
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●○○ |
# | time | 10 minutes |
#
# A **token** is a piece of text that the model treats as one symbol. Here it is a word, a number or a punctuation
# mark. Three rules:
#
# 1. The text is lower-cased (`str.lower`), so that "The" and "the" are one word.
# 2. A run of letters, digits (what `str.isalnum` accepts, in any script) and apostrophes `'` is one token.
# 3. Any other character that is not white space is a token on its own. White space separates and is dropped.
#
# **By hand.** `"Don't panic: it's 3.5 km_h!"` becomes
# `don't` `panic` `:` `it's` `3` `.` `5` `km` `_` `h` `!`. The apostrophe stays inside its word; the point, the
# colon and the underscore stand alone.
#
# Only the straight apostrophe (U+0027) belongs to words. The curly one, `’` (U+2019), is "any other character".
# Real text has both, and it pays to look at what you really have: your eyes do not tell them apart, `==` does.
#
# Stuck? `hint("tokenize")` gives a nudge, and the next call gives a bigger one.


# %% nbgrader={"grade": false, "grade_id": "tokenize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tokenize(text: str) -> list[str]:
    """Cut a text into lower-case tokens.

    A run of letters, digits or apostrophes (U+0027) is one token; any other character that is not white space
    is one token. Letters and digits are those of `str.isalnum`, in any script.

    >>> tokenize("Don't panic!")
    ["don't", 'panic', '!']
    """
    ### BEGIN SOLUTION
    tokens = []
    in_word = False
    for character in text.lower():
        if character.isalnum() or character == "'":
            if in_word:
                tokens[-1] += character
            else:
                tokens.append(character)
            in_word = True
        else:
            if not character.isspace():
                tokens.append(character)
            in_word = False
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_tokenize", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
words = ["don't", "panic", ":", "it's", "3", ".", "5", "km", "_", "h", "!"]
assert tokenize("Don't panic: it's 3.5 km_h!") == words
check("tokenize", tokenize)

# %% [markdown]
# ### The sentences of this part
#
# Part II translates English into French. Its sentences come from a small grammar that belongs to this course
# (`course_datasets`), so they are free of licences and there is no end of them. Here are three pairs, cut by your
# function:

# %% tags=["skip-grading"]
data = load("sentences", size=20_000, seed=0)
train = [(tokenize(source), tokenize(target)) for source, target in data.train]
held_out = [(tokenize(source), tokenize(target)) for source, target in data.test]
for source, target in train[:3]:
    print(source)
    print(target, end="\n\n")

# %% [markdown]
# ## 2. A vocabulary
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●○ |
# | time | 10 minutes |
#
# A **vocabulary** gives each token a number, its **id**. The model will learn a vector of numbers for each id (its
# **embedding**), so a rare word costs as many parameters as a common one and hardly ever gets a chance to learn them.
# That is why words below some count are left out.
#
# Four ids are taken before any word comes:
#
# | token | id | use |
# | --- | --- | --- |
# | `<pad>` | 0 | fills the rows of a batch |
# | `<bos>` | 1 | begin of sequence: what a decoder reads first |
# | `<eos>` | 2 | end of sequence: how a decoder says that it is done |
# | `<unk>` | 3 | stands for every word that is not in the vocabulary |
#
# Then come the words that occur at least `min_count` times in all the sequences together, the most frequent first.
# Words with equal counts come in alphabetical order, so that the same corpus gives the same ids on every machine
# (Python's own order of strings, `sorted`, is meant).
#
# **By hand.** In `[["b", "a"], ["b", "c", "a", "d"], ["b"]]` we count b 3, a 2, c 1, d 1. So b is 4, a is 5, c is 6
# and d is 7. With `min_count=2` only b and a are left.


# %% nbgrader={"grade": false, "grade_id": "build_vocab", "locked": false, "schema_version": 3, "solution": true, "task": false}
def build_vocab(sequences: list[list[str]], min_count: int = 1) -> dict[str, int]:
    """Number the tokens of a corpus.

    sequences: lists of tokens. Returns a dictionary from token to id: `<pad>` 0, `<bos>` 1, `<eos>` 2, `<unk>` 3,
    then the tokens that occur at least min_count times, by falling count, ties in alphabetical order.

    >>> build_vocab([["b", "a"], ["b"]])
    {'<pad>': 0, '<bos>': 1, '<eos>': 2, '<unk>': 3, 'b': 4, 'a': 5}
    """
    ### BEGIN SOLUTION
    counts = Counter(token for sequence in sequences for token in sequence)
    kept = [token for token, count in counts.items() if count >= min_count]
    words = sorted(kept, key=lambda token: (-counts[token], token))
    vocab = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for word in words:
        vocab.setdefault(word, len(vocab))
    return vocab
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_build_vocab", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
vocab = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3, "b": 4, "a": 5, "c": 6, "d": 7}
assert build_vocab([["b", "a"], ["b", "c", "a", "d"], ["b"]]) == vocab
check("build_vocab", build_vocab)

# %% [markdown]
# How many words do you need? The curve below is the answer for our English sentences: for each vocabulary size, the
# part of all tokens in *other* sentences that is covered.

# %% tags=["skip-grading"]
english = build_vocab([source for source, _ in train])
ids = np.array([english.get(token, len(english)) for source, _ in held_out for token in source])
sizes = np.arange(4, len(english) + 1)
covered = [(ids < size).mean() for size in sizes]
plt.figure(figsize=(6, 3), layout="constrained")
plt.plot(sizes - 4, covered, color="#31688e")
half = int(np.argmax(np.array(covered) >= 0.5))
plt.plot(sizes[half] - 4, covered[half], "ko")
plt.annotate(f"half: {sizes[half] - 4} words", (sizes[half] - 4, covered[half]), (60, 0.35))
plt.title("How much of unseen sentences is covered")
plt.xlabel("words in the vocabulary, the most frequent first")
plt.ylabel("part of the tokens")
plt.ylim(0, 1.05)
plt.show()

# %% [markdown]
# **What you see.** A rising curve that bends early: a few dozen words cover half of everything that is said, and the
# last hundred words add almost nothing each. Word counts in real text fall even more steeply, and there the tail
# never ends. That is why translation systems later moved from words to pieces of words (Sennrich et al. 2016).

# %% [markdown]
# ## 3. From tokens to ids
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●○○ |
# | time | 5 minutes |
#
# Look each token up. A token that is not in the vocabulary gets the id of `<unk>`. On request put `<bos>` in front,
# and put `<eos>` behind unless told not to.
#
# **By hand.** With the vocabulary above, `["a", "zebra", "b"]` is `[5, 3, 4, 2]`: "zebra" is unknown, and 2 ends it.


# %% nbgrader={"grade": false, "grade_id": "encode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def encode(tokens: list[str], vocab: dict[str, int], bos: bool = False, eos: bool = True) -> list[int]:
    """The ids of tokens, with `<bos>` before them if bos, and `<eos>` after them if eos.

    A token that is not in vocab becomes `<unk>`. The vocabulary is not changed.

    >>> encode(["a", "zebra"], {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3, "a": 4})
    [4, 3, 2]
    """
    ### BEGIN SOLUTION
    ids = [vocab.get(token, vocab["<unk>"]) for token in tokens]
    if bos:
        ids = [vocab["<bos>"], *ids]
    if eos:
        ids = [*ids, vocab["<eos>"]]
    return ids
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_encode", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
vocab = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3, "b": 4, "a": 5, "c": 6, "d": 7}
assert encode(["a", "zebra", "b"], vocab) == [5, 3, 4, 2]
assert encode(["a"], vocab, bos=True) == [1, 5, 2]
check("encode", encode)

# %% [markdown]
# ## 4. And back
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●○○ |
# | time | 5 minutes |
#
# A model answers with ids, often as a row of a tensor, padded. `decode` turns them into words again:
# - it **stops** at the first `<eos>`: what comes after it was never said;
# - it **drops** `<pad>` and `<bos>`, wherever they stand;
# - it **keeps** `<unk>`, because the reader should see that there was a word.
#
# **By hand.** `[1, 5, 3, 0, 4, 2, 7, 0]` with the vocabulary above: drop the 1, a, `<unk>`, drop the 0, b, stop at 2.
# The 7 is not read any more: `["a", "<unk>", "b"]`.


# %% nbgrader={"grade": false, "grade_id": "decode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def decode(ids: list[int] | torch.Tensor, vocab: dict[str, int]) -> list[str]:
    """The tokens of ids, up to the first `<eos>`, without `<pad>` and `<bos>`, with `<unk>`.

    ids: a list of int or a 1-D integer tensor. vocab: the dictionary from token to id.

    >>> decode([1, 4, 2, 0], {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3, "a": 4})
    ['a']
    """
    ### BEGIN SOLUTION
    words = {number: token for token, number in vocab.items()}
    tokens = []
    for number in ids:
        token = words[int(number)]
        if token == "<eos>":
            break
        if token not in ("<pad>", "<bos>"):
            tokens.append(token)
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_decode", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
vocab = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3, "b": 4, "a": 5, "c": 6, "d": 7}
assert decode([1, 5, 3, 0, 4, 2, 7, 0], vocab) == ["a", "<unk>", "b"]
assert decode(torch.tensor([5, 2, 0]), vocab) == ["a"]
check("decode", decode)

# %% [markdown]
# ## 5. A batch
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●● |
# | time | 10 minutes |
#
# A processor is fast when it does the same thing to many rows at once, and a tensor is a rectangle. So short rows are
# filled up with a **padding** id:
#
# $$\text{ids} \in \mathbb{Z}^{B \times T}, \qquad \text{lengths} \in \mathbb{Z}^{B}, \qquad
# T = \max_b \text{lengths}_b$$
#
# with $B$ sequences, the longest of them with $T$ tokens. The lengths come along, because the ids alone do not say
# where a sequence ends: a padding id may also occur *inside* a sequence. And a sequence may have no token at all.
#
# **By hand.** `[[7, 8, 9], [], [5, 0]]` becomes
#
# $$\begin{bmatrix} 7 & 8 & 9 \\ 0 & 0 & 0 \\ 5 & 0 & 0 \end{bmatrix}, \qquad \text{lengths} = [3, 0, 2]$$
#
# The last row has length 2: its first 0 is its own, its second is padding.


# %% nbgrader={"grade": false, "grade_id": "pad_batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pad_batch(sequences: list[list[int]], pad_id: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences of different lengths as one rectangle.

    sequences: B lists of int, some may be empty. Returns ids (B, T), int64, T the greatest length, each row filled
    up on the right with pad_id; and lengths (B,), int64, the number of ids that each sequence came with.

    >>> pad_batch([[7, 8], [9]])
    (tensor([[7, 8],
            [9, 0]]), tensor([2, 1]))
    """
    ### BEGIN SOLUTION
    lengths = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64)
    longest = int(lengths.max())
    rows = [list(sequence) + [pad_id] * (longest - len(sequence)) for sequence in sequences]
    return torch.tensor(rows, dtype=torch.int64), lengths
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_pad_batch", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
ids, lengths = pad_batch([[7, 8, 9], [], [5, 0]])
assert ids.tolist() == [[7, 8, 9], [0, 0, 0], [5, 0, 0]]
assert lengths.tolist() == [3, 0, 2]
check("pad_batch", pad_batch)

# %% [markdown]
# ### Padding is work for nothing
#
# A network computes on padding too. Put sentences of similar length into one batch, and there is little of it.
# Sutskever et al. (2014, section 3.4) report that this made their training twice as fast. Below are two batches of 32
# sentences, one drawn at random, one drawn by length; `batches_by_length` is what the next lessons train with.


# %% tags=["skip-grading"]
def padding(batches):
    """The part of all cells that is padding."""
    batches = list(batches)
    words = sum(len(train[i][0]) for batch in batches for i in batch)
    return 1 - words / sum(len(batch) * max(len(train[i][0]) for i in batch) for batch in batches)


lengths = [len(source) for source, _ in train]
order = np.random.default_rng(0).permutation(len(train)).tolist()
at_random = [order[start : start + 32] for start in range(0, len(order), 32)]
by_length = list(batches_by_length(lengths, 32, seed=0))
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
for ax, name, batches in zip(axes, ("at random", "by length"), (at_random, by_length), strict=True):
    rows, row_lengths = pad_batch([encode(train[i][0], english) for i in batches[1]])
    padded = torch.arange(rows.shape[1]) >= row_lengths[:, None]
    ax.imshow(padded, cmap="cividis", aspect="auto", vmin=0, vmax=1)
    ax.set(title=f"{name}: {padding(batches):.0%} of all cells is padding", xlabel="position")
axes[0].set_ylabel("sentence")
plt.show()

# %% [markdown]
# **What you see.** Two pictures of a batch, a row for each sentence; dark cells are words, light cells are padding. On
# the left the rows end everywhere, and much of the rectangle is light: one long sentence is enough. On the right all
# rows end within a cell or two of each other, and almost all of it is dark. The titles count all batches of the corpus,
# not only the one in the picture.

# %% [markdown]
# ## 6. What the decoder reads, and what it should say
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●●● |
# | time | 5 minutes |
#
# A decoder produces a sentence token by token: it reads the token before and predicts the next one. While it learns,
# it reads the *right* token before, whatever it said itself. This is called **teacher forcing** (the term is from
# Williams and Zipser 1989). So the same row is used twice, shifted by one:
#
# | position | 0 | 1 | 2 | 3 |
# | --- | --- | --- | --- | --- |
# | the decoder reads | `<bos>` | le | chat | dort |
# | it should say | le | chat | dort | `<eos>` |
#
# In a tensor: all but the last column, and all but the first. In a short row the last column is padding. Then its
# `<eos>` is read too, and what it should say there is `<pad>`: the loss of the next lesson leaves that out.
#
# **By hand.** $\begin{bmatrix} 1 & 6 & 7 & 2 \\ 1 & 8 & 2 & 0 \end{bmatrix}$ becomes the input
# $\begin{bmatrix} 1 & 6 & 7 \\ 1 & 8 & 2 \end{bmatrix}$ and the target
# $\begin{bmatrix} 6 & 7 & 2 \\ 8 & 2 & 0 \end{bmatrix}$.


# %% nbgrader={"grade": false, "grade_id": "teacher_forcing", "locked": false, "schema_version": 3, "solution": true, "task": false}
def teacher_forcing(target_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Split target rows into what the decoder reads and what it should say.

    target_ids: (B, T), each row starts with `<bos>`. Returns decoder_input and decoder_target, both (B, T - 1): all
    but the last column, and all but the first.

    >>> teacher_forcing(torch.tensor([[1, 6, 7, 2]]))
    (tensor([[1, 6, 7]]), tensor([[6, 7, 2]]))
    """
    ### BEGIN SOLUTION
    return target_ids[:, :-1], target_ids[:, 1:]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_teacher_forcing", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
decoder_input, decoder_target = teacher_forcing(torch.tensor([[1, 6, 7, 2], [1, 8, 2, 0]]))
assert decoder_input.tolist() == [[1, 6, 7], [1, 8, 2]]
assert decoder_target.tolist() == [[6, 7, 2], [8, 2, 0]]
check("teacher_forcing", teacher_forcing)

# %% [markdown]
# Everything together: from two sentences to what a translation model is trained on.

# %% tags=["skip-grading"]
french = build_vocab([target for _, target in train])
pair = train[:2]
source_ids, source_lengths = pad_batch([encode(source, english) for source, _ in pair])
target_ids, _ = pad_batch([encode(target, french, bos=True) for _, target in pair])
reads, says = teacher_forcing(target_ids)
print("source ids\n", source_ids, "\nlengths", source_lengths)
print("the decoder reads\n", reads)
print("and should say\n", says)
print("which is", [" ".join(decode(row, french)) for row in says])

# %% [markdown]
# ## When it goes wrong
#
# | symptom | cause |
# | --- | --- |
# | `"l’été"` comes out as one token, or `"don't"` as three | two different apostrophes: compare with `"'"`, U+0027 |
# | `snake_case` stays together | `\w` in a regular expression accepts the underscore; `str.isalnum` does not |
# | `KeyError` on a word you have never seen | look up with a default: the id of `<unk>` |
# | ids differ between two runs | ties are in the order of a `set` or of first occurrence: sort them |
# | a decoded sentence goes on after its end | `<eos>` was dropped, like padding; it must stop the loop |
# | `ids` has dtype float32 | `torch.tensor([])` is a float tensor: say `dtype=torch.int64` |
# | lengths are too short | they were counted from the ids that differ from `pad_id`; a sequence may contain it |
# | the loss falls to zero within a minute | the decoder reads the token that it should predict: shift by one |

# %% [markdown]
# ## Questions
#
# <details><summary>Why not simply leave out the unknown words?</summary>
#
# Then the model could not know that something stood there. "She bought a <code>&lt;unk&gt;</code>" still says that something was bought,
# and that a noun comes here. With the word gone, the sentence is another sentence.
# </details>
#
# <details><summary>Why does the vocabulary come from the training sentences only?</summary>
#
# Because the held-out sentences stand for text that nobody has seen. A word that occurs only there has an embedding
# that was never trained; with the id <code>&lt;unk&gt;</code> the model at least has practice.
# </details>
#
# <details><summary>Teacher forcing shows the decoder only perfect beginnings. What could go wrong when it runs alone?</summary>
#
# It reads its own mistakes, which it never saw in training, and one mistake may lead to the next (Bengio et al. 2015
# call it the discrepancy between training and inference). Lesson 12 looks for better sequences than
# taking the most probable token each time.
# </details>

# %% [markdown]
# **Your turn.** In one batch, 64 sentences have 10 tokens each, and one has 100. (a) How many cells does the batch
# have, and what part of them is padding? (b) Name two ways to waste less, and what each of them costs.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_sequences", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# (a) 65 · 100 = 6,500 cells; 64 · 10 + 100 = 740 are tokens, so 5,760 of 6,500, about 89%, are padding.
#
# (b) For example: put sentences of similar length into one batch; it costs some randomness, since a sentence meets only
# its like, so shuffle first and sort within large pools only. Or drop or cut sentences beyond a maximal length; it
# costs data, and the model never learns long sentences. Or make batches by number of tokens instead of sentences; then
# the number of sentences in a step varies.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Text becomes tokens, tokens become ids, ids become a rectangle; padding fills it and `lengths` remembers the truth.
# - Four ids have a job of their own: `<pad>`, `<bos>`, `<eos>`, `<unk>`.
# - A decoder is trained on the right row, shifted by one: it reads token $t$ and should say token $t + 1$.
#
# **Read on.**
# - Sutskever, Vinyals and Le (2014), *Sequence to Sequence Learning with Neural Networks*, section 3.4: batches of
#   sentences of about the same length.
# - Williams and Zipser (1989), *A Learning Algorithm for Continually Running Fully Recurrent Neural Networks*: teacher
#   forcing.
# - Bengio, Vinyals, Jaitly and Shazeer (2015), *Scheduled Sampling for Sequence Prediction with Recurrent Neural
#   Networks*, section 1: what teacher forcing does not train.
# - Sennrich, Haddow and Birch (2016), *Neural Machine Translation of Rare Words with Subword Units*, sections 1 and 3:
#   vocabularies without unknown words.
#
# **Next:** `09_seq2seq` reads one rectangle and writes another.

# %% tags=["skip-grading"]
progress()
