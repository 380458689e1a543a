# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · Masking: what may be attended to
#
# **You write masks that say which keys a query may see, and a softmax in which no weight ever falls on a forbidden key,
# whatever its score is.**
#
# After this lesson you can
#
# - say with an array of booleans what a query may attend to: not padding, not the future, only the neighborhood;
# - combine several such masks into one;
# - compute weights over the allowed keys only, exactly, in any precision, and even if nothing is allowed;
# - write a test that tells a right softmax from a wrong one.
#
# **You need** lesson 02 (softmax) and broadcasting in NumPy. **Time:** 75 minutes.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import warnings
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np

from autograder import check, hint, lesson, progress, reveal

softmax = lesson("02_softmax").softmax

# %% [markdown]
# `softmax` comes from lesson 02, ready-made, so that a gap there does not stop you here.
# Stuck on an exercise? `hint("padding_mask")` gives you a nudge, then a bigger one each time you call it.
# `reveal("padding_mask")` shows a solution after asking whether you are sure, and `progress()` shows what is done.

# %% [markdown]
# ## Why: one sentence, many answers
#
# Sentences are made of **tokens**: words, or pieces of words. Several sentences are processed together, as a **batch**, in
# one array. But sentences have different lengths, and the rows of an array do not. So the short ones are filled up with a
# token that means nothing: **padding**. The trouble is that softmax does not know. It gives *every* key some weight.
#
# Take a sentence of 4 words, and fill it up so that it can share a batch with longer ones. How much of the attention
# goes to padding?

# %%
rng = np.random.default_rng(0)
word_scores = rng.normal(size=4)
padded_lengths = np.arange(4, 25)
leak = []
for padded_length in padded_lengths:
    scores = np.concatenate([word_scores, np.zeros(padded_length - 4)])  # padding scores 0: its vector is zero
    leak.append(softmax(scores)[4:].sum())

fig, ax = plt.subplots(figsize=(6, 3))
ax.plot(padded_lengths, np.array(leak) * 100, "o-", color="C0")
ax.set(title="The same 4 words, without a mask", xlabel="length after padding", ylabel="weight on padding (%)")
ax.set(ylim=(0, 100), xticks=range(4, 25, 2))
plt.show()
print(f"padded to 24, {leak[-1]:.0%} of the attention goes to tokens that mean nothing")

# %% [markdown]
# **What you see.** A curve that starts at 0% for the sentence without padding and climbs to 80% at length 24.
# The sentence is the same each time. What the model sees of it depends on *its neighbors in the batch*: the same
# question gets another answer when a longer sentence happens to be next to it.
#
# The cure is a **mask**: an array of booleans with one entry for each pair of a query and a key.
#
# > **The convention of this course. True means: may be attended to.** It is the one of
# > `torch.nn.functional.scaled_dot_product_attention`. Other functions use the opposite one (the masks of
# > `torch.nn.MultiheadAttention` are True where a key is ignored, says its documentation), so look it up each time you use
# > somebody else's code.

# %% [markdown]
# ## 1. Padding mask
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●● |
# | time | 10 minutes |
#
# A batch of $B$ sentences is padded to `max_len` positions. Sentence $b$ has $\ell_b$ real tokens, and they come first.
# Position $j$ (counted from 0) is real if it comes before the end:
#
# $$m_{bj} = [\,j < \ell_b\,] \qquad m \in \{\text{False}, \text{True}\}^{B \times \text{max\_len}},\;
# \ell \in \{0, \dots, \text{max\_len}\}^{B}$$
#
# The bracket is True where the condition holds. Compare a row of positions, shape `(max_len,)`, with a column of lengths,
# shape `(B, 1)`: NumPy broadcasts the two to `(B, max_len)`, without a loop.
#
# **By hand.** `lengths = [1, 3]`, `max_len = 3`. The positions are `[0, 1, 2]`. For length 1, only 0 < 1 holds:
# `[True, False, False]`. For length 3, all three hold: `[True, True, True]`.
#
# A length below 0 or above `max_len` cannot be right. Such a length usually comes from a mistake made earlier, so say so
# at once with a `ValueError`, instead of returning a mask that looks fine. A length of 0 is allowed: an empty sentence.


# %% nbgrader={"grade": false, "grade_id": "padding_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def padding_mask(lengths: np.ndarray, max_len: int) -> np.ndarray:
    """Where a padded batch has real tokens.

    lengths: (B,) integers, the number of real tokens of each sequence. max_len: the length after padding.
    Returns booleans (B, max_len), True at real tokens.
    Raises ValueError if a length is below 0 or above max_len.

    >>> padding_mask(np.array([1, 3]), 3)
    array([[ True, False, False],
           [ True,  True,  True]])
    """
    ### BEGIN SOLUTION
    if np.any(lengths < 0) or np.any(lengths > max_len):
        raise ValueError(f"lengths must be between 0 and max_len = {max_len}, got {lengths}")
    return np.arange(max_len) < lengths[:, None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_padding_mask", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
by_hand = [[True, False, False], [True, True, True]]
np.testing.assert_array_equal(padding_mask(np.array([1, 3]), 3), by_hand)
check("padding_mask", padding_mask)


# %% [markdown]
# A small helper draws masks, for this lesson's pictures: yellow is allowed, dark is forbidden, and the number in a cell
# says the same for readers who do not see the colors.


# %%
def draw_masks(masks: dict[str, np.ndarray], xlabel: str = "key", ylabel: str = "query") -> None:
    """Draw masks (rows, columns) side by side: yellow and 1 where attending is allowed."""
    _, axes = plt.subplots(1, len(masks), figsize=(3.2 * len(masks), 3.1), squeeze=False, layout="constrained")
    for ax, (title, mask) in zip(axes[0], masks.items(), strict=True):
        ax.imshow(mask, cmap="cividis", vmin=0, vmax=1)
        for (i, j), allowed in np.ndenumerate(mask):
            ax.text(j, i, int(allowed), ha="center", va="center", color="black" if allowed else "white", fontsize=8)
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
        ax.set_xticks(range(mask.shape[1]))
        ax.set_yticks(range(mask.shape[0]))
    plt.show()


# %% tags=["skip-grading"]
draw_masks({"lengths 4, 1, 6, 0": padding_mask(np.array([4, 1, 6, 0]), 6)}, xlabel="position", ylabel="sentence")

# %% [markdown]
# **What you see.** Four rows, one for each sentence. Each row is yellow from the left for as many cells as its sentence
# has tokens, and dark after that. The last row is dark throughout: an empty sentence has nothing to attend to.
#
# A padding mask is about keys, and all queries of a sentence share it. With scores of shape `(B, T_q, T_k)` you use it
# as `mask[:, None, :]`, shape `(B, 1, T_k)`, and the axis of length 1 is broadcast over the queries.

# %% [markdown]
# ## 2. Causal mask
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●●● |
# | time | 5 minutes |
#
# A model that writes a sentence from left to right must not look at words that it has not written yet. In training the
# whole sentence is there, so nothing but a mask keeps query $i$ from looking ahead. (Vaswani et al. 2017, section 3.2.3,
# put it so: "We need to prevent leftward information flow in the decoder to preserve the auto-regressive property.")
#
# $$m_{ij} = [\,j \le i\,] \qquad m \in \{\text{False}, \text{True}\}^{T \times T}$$
#
# Row $i$ is the query, column $j$ the key. Query $i$ sees keys $0$ to $i$: **itself included**. The first query sees
# only itself, the last one sees all.
#
# **By hand.** For length 3: query 0 sees `[True, False, False]`, query 1 `[True, True, False]`, query 2
# `[True, True, True]`. The allowed half is the lower left triangle, with the diagonal.


# %% nbgrader={"grade": false, "grade_id": "causal_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def causal_mask(length: int) -> np.ndarray:
    """The past and the present are allowed, the future is not.

    length: the number T of queries, which is also the number of keys.
    Returns booleans (T, T): entry [i, j] is True where query i may attend to key j, that is for j from 0 to i.

    >>> causal_mask(3)
    array([[ True, False, False],
           [ True,  True, False],
           [ True,  True,  True]])
    """
    ### BEGIN SOLUTION
    return np.tri(length, dtype=bool)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_causal_mask", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
by_hand = [[True, False, False], [True, True, False], [True, True, True]]
np.testing.assert_array_equal(causal_mask(3), by_hand)
check("causal_mask", causal_mask)

# %% [markdown]
# ## 3. Window mask
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●○○ |
# | time | 5 minutes |
#
# Often the words that matter are near. A window lets query $i$ see only the keys at most `radius` $r$ away, on both sides:
#
# $$m_{ij} = [\,|i - j| \le r\,] \qquad m \in \{\text{False}, \text{True}\}^{T \times T}$$
#
# Luong et al. (2015, section 3.2) call this local attention with monotonic alignment, *local-m*: the window is
# $[t - D, t + D]$, and their $D$ is our radius. A window has $2r + 1$ keys, fewer at the two ends of the sentence.
# Radius 0 lets each query see only itself, and a radius of $T - 1$ or more allows everything. A negative radius makes
# no sense: `ValueError`.
#
# **By hand.** Length 3, radius 1: query 0 sees keys 0 and 1, query 1 sees all three, query 2 sees keys 1 and 2.


# %% nbgrader={"grade": false, "grade_id": "window_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def window_mask(length: int, radius: int) -> np.ndarray:
    """Only keys near the query are allowed.

    length: the number T of queries, which is also the number of keys. radius: how far away a key may be, 0 or more.
    Returns booleans (T, T), True where |i - j| <= radius.
    Raises ValueError if radius is negative.

    >>> window_mask(3, 1)
    array([[ True,  True, False],
           [ True,  True,  True],
           [False,  True,  True]])
    """
    ### BEGIN SOLUTION
    if radius < 0:
        raise ValueError(f"radius must be 0 or more, got {radius}")
    position = np.arange(length)
    return np.abs(position[:, None] - position) <= radius
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_window_mask", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
by_hand = [[True, True, False], [True, True, True], [False, True, True]]
np.testing.assert_array_equal(window_mask(3, 1), by_hand)
check("window_mask", window_mask)

# %% tags=["skip-grading"]
draw_masks({"causal": causal_mask(8), "window, radius 2": window_mask(8, 2)})
for length in (8, 128, 2048):
    pairs = {"all": length**2, "causal": causal_mask(length).sum(), "window": window_mask(length, 2).sum()}
    print(f"length {length:4}: " + ", ".join(f"{name} {count:,}" for name, count in pairs.items()), "pairs")

# %% [markdown]
# **What you see.** Left, the causal mask: a yellow lower left triangle with the diagonal. Right, the window of radius 2:
# a yellow band along the diagonal, 5 cells wide, cut off at the corners. The counts below the figure tell why windows
# are interesting for long texts: the pairs in a triangle grow with the square of the length, those in a band only in
# proportion to it.

# %% [markdown]
# ## 4. Several masks at once
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●○ |
# | time | 10 minutes |
#
# A model that writes (a **decoder**) needs a causal mask, because the future is forbidden, *and* a padding mask, because padding is. A pair is
# allowed if **every** mask allows it:
#
# $$m_{ij} = m^{(1)}_{ij} \wedge m^{(2)}_{ij} \wedge \dots$$
#
# The masks may have different shapes: a padding mask `(B, 1, T)` and a causal mask `(T, T)` broadcast to `(B, T, T)`.
# `None` means that nothing is masked, so it changes nothing and is skipped. If nothing is left, the answer is `None`.
#
# **By hand.** `[True, True, False]` and `[True, False, False]` make `[True, False, False]`. And the shapes: the column
# `[[True], [False]]` and the row `[True, False]` make `[[True, False], [False, False]]`.
#
# Booleans go in and booleans come out. Take care not to change the masks you were given: somebody may use them again.


# %% nbgrader={"grade": false, "grade_id": "combine_masks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def combine_masks(*masks: np.ndarray | None) -> np.ndarray | None:
    """What all masks allow.

    masks: any number of boolean arrays whose shapes broadcast, or None, which allows everything.
    Returns booleans of the broadcast shape, True where all masks are True; None if there is no mask but None.

    >>> combine_masks(np.array([True, True, False]), None, np.array([True, False, False]))
    array([ True, False, False])
    """
    ### BEGIN SOLUTION
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else combined & mask
    return combined
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_combine_masks", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_array_equal(
    combine_masks(np.array([True, True, False]), None, np.array([True, False, False])), [True, False, False]
)
np.testing.assert_array_equal(
    combine_masks(np.array([[True], [False]]), np.array([True, False])), [[True, False], [False, False]]
)
check("combine_masks", combine_masks)

# %% tags=["skip-grading"]
real = padding_mask(np.array([6, 3]), 6)[:, None, :]
both = combine_masks(real, causal_mask(6))
near = combine_masks(real, causal_mask(6), window_mask(6, 1))
print("padding", real.shape, "and causal", causal_mask(6).shape, "->", both.shape)
draw_masks(
    {
        "6 tokens, causal": both[0],
        "3 tokens, causal": both[1],
        "3 tokens, causal, window 1": near[1],
    }
)

# %% [markdown]
# **What you see.** Left, a sentence without padding: the causal triangle alone. Middle, a sentence of 3 tokens: the same
# triangle, but columns 3 to 5 are dark, because no query may look at padding. Right, a window of radius 1 on top. In its
# last two rows, every key that the window and the triangle allow is padding: **these queries have nothing left to attend
# to**. Keep them in mind for the next section.

# %% [markdown]
# ## 5. Softmax over what is left
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 20 minutes |
#
# Now the mask meets the scores. Vaswani et al. (2017, section 3.2.3) mask "by masking out (setting to $-\infty$) all
# values in the input of the softmax which correspond to illegal connections". Since $e^{-\infty} = 0$, a forbidden key
# takes no weight, and the allowed ones share all of it:
#
# $$\alpha_{ij} = \frac{m_{ij}\, e^{s_{ij}}}{\sum_{k=1}^{T_k} m_{ik}\, e^{s_{ik}}}
# \qquad m \in \{0, 1\}^{T_q \times T_k},\quad s, \alpha \in \mathbb{R}^{T_q \times T_k}$$
#
# **By hand.** Scores $[1, 1, 5]$, the third key forbidden: $e^1 / (e^1 + e^1) = 0.5$, so the weights are $[0.5, 0.5, 0]$.
# The 5 does not matter, however large it is. It could even be NaN.
#
# Three ways to get it wrong:
#
# 1. *Mask the weights.* Softmax first, then zeros at forbidden keys: $e^1 / (e^1 + e^1 + e^5) \approx 0.018$, so the
#    weights are $[0.018, 0.018, 0]$. They no longer sum to 1.
# 2. *Fill with a large negative number* such as $-10^9$ or $-10^4$. It is not $-\infty$: with allowed scores of $-10^6$,
#    a fill of $-10^4$ **wins**, and all the weight falls on forbidden keys. *Adding* the number is no better: a
#    forbidden score of $10^6$ is still large after $10^4$ is taken away.
# 3. *Forget the empty row.* If a row allows nothing, $0 / 0$ gives NaN, and a finite fill gives $1/T_k$ on each forbidden
#    key. We want neither. There is nothing to look at, so **every weight is 0**.
#
# What does the `softmax` of lesson 02 do with a row of $-\infty$ only? Try it before you write more code than you need.
#
# Watch the details: the mask broadcasts (it may have fewer axes than the scores, or axes of length 1), `axis` may be any
# axis, the dtype of the scores stays, and neither scores nor mask change.


# %% nbgrader={"grade": false, "grade_id": "masked_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_softmax(scores: np.ndarray, mask: np.ndarray | None = None, axis: int = -1) -> np.ndarray:
    """Softmax over the entries that the mask allows.

    scores: (..., T_q, T_k), any float dtype. mask: booleans that broadcast to the shape of scores, True where
    attending is allowed; None allows all. axis: the axis along which weights sum to 1.
    Returns weights of the shape and dtype of scores: exactly 0 where forbidden, and all 0 along a line of which
    nothing is allowed. An allowed score of -inf gets weight 0, too, and a line with no other allowed score gets zeros.
    Whatever stands at forbidden entries does not matter, be it 1e6, infinity or NaN.

    >>> masked_softmax(np.array([1.0, 1.0, 5.0]), np.array([True, True, False]))
    array([0.5, 0.5, 0. ])
    """
    ### BEGIN SOLUTION
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    return softmax(scores, axis=axis)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_masked_softmax", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(masked_softmax(np.array([1.0, 1.0, 5.0]), np.array([True, True, False])), [0.5, 0.5, 0.0])
np.testing.assert_array_equal(masked_softmax(np.array([1.0, 2.0]), np.array([False, False])), [0.0, 0.0])
check("masked_softmax", masked_softmax)

# %% [markdown]
# Back to the beginning: the same four words, now with a mask. And a picture of the weights of a sentence of 3 tokens,
# padded to 6, under the three masks of the last figure.

# %% tags=["skip-grading"]
for padded_length in (4, 8, 24):
    scores = np.concatenate([word_scores, np.zeros(padded_length - 4)])
    weights = masked_softmax(scores, padding_mask(np.array([4]), padded_length)[0])
    print(f"padded to {padded_length:2}: weights of the words {weights[:4].round(3)}, on padding {weights[4:].sum()}")

scores = rng.normal(size=(6, 6))
pictures = {
    "no mask": masked_softmax(scores),
    "padding": masked_softmax(scores, real[1]),
    "padding, causal": masked_softmax(scores, both[1]),
    "padding, causal, window 1": masked_softmax(scores, near[1]),
}
fig, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")
for ax, (title, weights) in zip(axes, pictures.items(), strict=True):
    image = ax.imshow(weights, cmap="viridis", vmin=0, vmax=1)
    for (i, j), weight in np.ndenumerate(weights):
        text = f"{weight:.2f}" if weight else "0"
        ax.text(j, i, text, ha="center", va="center", color="black" if weight > 0.6 else "white", fontsize=7)
    ax.set(title=title, xlabel="key", ylabel="query", xticks=range(6), yticks=range(6))
fig.colorbar(image, ax=axes, label="weight")
plt.show()

# %% [markdown]
# **What you see.** The printed weights of the four words are the same whatever the padding, and padding gets exactly 0.
# In the figure, four heat maps of the same scores. Without a mask, every cell has some color. With the padding mask, all
# weight lies in columns 0 to 2. The causal mask leaves the triangle, so row 0 puts weight 1 on the only key it may see.
# With the window of radius 1, rows 4 and 5 are dark: they have nothing to attend to, and their weights are 0.

# %% [markdown]
# ## 6. Write the test
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●●●○ |
# | time | 20 minutes |
#
# So far a check judged your code. Now you write the check. Here is a `softmax` that looks convincing:


# %%
def convincing_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Each row is positive and sums to 1."""
    exponentials = 2.0 ** (x - x.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


print(convincing_softmax(np.array([[0.0, 1.0, 2.0], [5.0, 5.0, 5.0]])).sum(axis=-1))

# %% [markdown]
# Its weights are positive, they sum to 1, equal scores get equal weights, larger scores get larger ones. And it is wrong:
# it raises 2 to the power of the scores, not $e$. A test that looks only at sums does not see that. Worse, it makes
# you believe that all is well.
#
# Write `test_softmax(softmax)`. It is given *some* implementation of lesson 02's `softmax(x, axis=-1)`, calls it on inputs
# that **you** choose, and raises `AssertionError` if it finds an answer that breaks a promise. If all is well, it just
# ends. The promises, as in lesson 02:
#
# | family | what a right softmax promises |
# | --- | --- |
# | values | $e^{x_j} / \sum_k e^{x_k}$ along `axis`, for an array of any number of axes |
# | axes | `axis` is -1 unless it is given, and any one axis may be given, negative or not |
# | large scores | still right at $10^4$ and $-10^4$, and where one row has scores of $10^4$ and the next of $-10^4$ |
# | minus infinity | an entry of $-\infty$ gets weight 0; a line of $-\infty$ only gets zeros throughout |
# | manners | the input is unchanged, the dtype stays (float16, float32, float64), a second call does not change the result of the first |
#
# The check hands your test 19 broken implementations from these five families, and several right ones, in an order that
# you do not know. You get a point for each family of which you catch **all** bugs. But **a test that rejects a right
# implementation gets nothing at all**: nobody trusts an alarm that rings without a fire. So
#
# - compare with a tolerance, never exactly: right implementations may round differently. Results are right to `1e-5` in
#   float32, `1e-10` in float64 and `1e-2` in float16;
# - test only what is promised: not the last digits, not what happens to integers or lists;
# - fail with an `AssertionError`. If your own code stops with another error, the bug does not count as caught.
#
# **By hand.** For scores $[0, \ln 3]$: $e^0 = 1$ and $e^{\ln 3} = 3$, so the weights must be $[1/4, 3/4]$.
# `convincing_softmax` gives $1 / (1 + 2^{\ln 3}) \approx 0.32$ first, so this single example catches it.
#
# `assert condition, "message"` raises `AssertionError` if the condition is false, and so do `np.testing.assert_allclose`
# and `np.testing.assert_array_equal`. Arrays that you know by hand are the best inputs: equal scores, $\ln 3$, a single
# entry.


# %% nbgrader={"grade": false, "grade_id": "test_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def test_softmax(softmax: Callable[..., np.ndarray]) -> None:
    """Raise AssertionError if the given softmax(x, axis=-1) breaks a promise of lesson 02.

    softmax: a function that takes x, a float array, and axis, an int, and returns the weights.
    Returns nothing if no fault is found.

    >>> test_softmax(convincing_softmax)
    Traceback (most recent call last):
    AssertionError: softmax of [0, ln 3] must be [0.25, 0.75], not [0.318, 0.682]
    """
    ### BEGIN SOLUTION
    ln3 = np.log(3.0)

    def expect(x: np.ndarray, weights: np.ndarray, **axis: int) -> None:
        found = softmax(np.array(x), **axis)
        good = found.shape == np.shape(weights) and np.allclose(found, weights, rtol=0, atol=1e-8)
        assert good, f"softmax of {x} must be {weights}, not {found}"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a broken softmax may warn; its answer is what we judge

        # Values: known by hand.
        expect([0.0, ln3], [0.25, 0.75])
        expect([-ln3, 0.0, ln3], np.array([1, 3, 9]) / 13)

        # Axes: along every axis of an array whose axes all differ in length, against the definition.
        x = np.random.default_rng(0).normal(size=(2, 3, 4))
        for axis in (0, 1, 2, -1, -2, -3):
            expect(x, np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True), axis=axis)
        expect(x, np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True))

        # Large scores: adding a constant to a row changes nothing, however large it is and whatever the other rows are.
        expect(np.array([0.0, ln3]) + np.array([[1e4], [0.0], [-1e4]]), [[0.25, 0.75]] * 3)
        expect([1e4, -1e4, 0.0], [1.0, 0.0, 0.0])

        # Minus infinity: no weight, and a line of nothing else is a line of zeros.
        expect([[0.0, -np.inf, ln3], [-np.inf, -np.inf, -np.inf]], [[0.25, 0.0, 0.75], [0.0, 0.0, 0.0]])

        # Manners: dtype, input, earlier results.
        for dtype in (np.float16, np.float32, np.float64):
            x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]], dtype)
            before = x.copy()
            first = softmax(x)
            kept = first.copy()
            softmax(x[::-1].copy())
            assert first.dtype == dtype, f"{np.dtype(dtype)} scores gave {first.dtype} weights"
            assert np.array_equal(x, before), "the input was changed"
            assert np.array_equal(first, kept), "the second call changed the first result"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_test_softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
test_softmax(softmax)  # a right one passes in silence
try:
    test_softmax(convincing_softmax)
except AssertionError:
    pass
else:
    raise AssertionError("test_softmax did not notice that convincing_softmax takes powers of 2")
check("test_softmax", test_softmax)

# %% [markdown]
# ## When it goes wrong
#
# | symptom | likely cause |
# | --- | --- |
# | rows of NaN | a row of $-\infty$ only: $-\infty - (-\infty)$ is NaN. Such a row must give zeros |
# | NaN in rows that are fine | forbidden NaN times zero is NaN. Replace the score (`np.where`) instead of multiplying by the mask |
# | rows sum to less than 1 | the mask was applied to the weights, after softmax |
# | weights only on padding | the mask is the wrong way round: here True means allowed |
# | a padding weight of 1e-5, or of 1 | a finite fill in place of $-\infty$ |
# | `IndexError: boolean index did not match` | `scores[~mask] = ...` needs a mask of the same shape; `np.where(mask, ...)` broadcasts |
# | "It changed its input `scores`", or an error that says `read-only` | assigning into the input; work on a new array |
# | `operands could not be broadcast together`, or each query gets another sentence's padding | a mask of shape `(B, T_k)` met scores `(B, T_q, T_k)`, and its sentences were taken for queries; insert an axis: `mask[:, None, :]` |
# | the result has more axes than the scores | the mask has more axes than the scores, such as `(1, 1, T_k)` for scores `(T_q, T_k)`; take its row: `mask[0]` |
# | float32 scores give float64 weights | a fill array or a mask of dtype float64; a plain `-np.inf` keeps float32 |
# | a model that is perfect in training and useless in use | the causal mask is transposed or shifted: it sees the word it has to predict |

# %% [markdown]
# ## Questions to think about
#
# <details><summary>A causal mask never leaves a row empty. Why? And which of this lesson's masks can?</summary>
#
# Query i may always attend to itself. The same holds for a window. A padding mask leaves a row empty if the length is 0,
# and a combination can although no single mask does, as in section 4: a window that holds nothing but padding.
# </details>
#
# <details><summary>A padded sentence has padded queries as well as padded keys. Must you mask the queries too?</summary>
#
# Not for the sake of the real positions: no real query looks at a padded key, so whatever a padded query computes
# reaches no one. But its output must not be used later: leave padded positions out of the loss and of averages over
# the sentence.
# </details>
#
# <details><summary>Your colleague's attention is right with a window of radius 2 in every one of six layers. How far can
# information travel from a word?</summary>
#
# Two positions a layer, so 12 positions in six layers. Windows are cheap, and depth makes up for some of what they hide.
# </details>

# %% [markdown]
# ### A question to answer in writing
#
# A model in production masks padding by adding $-10^4$ to its score. It has worked for a year. Then the team switches to
# float16, where the largest number is 65504, and trains a model whose scores reach tens of thousands. **Which two things can
# go wrong now, what would a user notice, and what would you do instead?** Three to six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_masking", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# First, a finite number can be beaten: a padded key with a score of 30000 still has 20000 after $-10^4$ is added, more than a
# real key with a score of 100, so attention falls on padding. Second, empty rows: if a row holds nothing but padding, all its
# scores are lowered by the same amount, and the padding shares the full weight; and if the scores are near −60000, the sum
# leaves the range of float16, becomes −∞ throughout the row, and −∞ − (−∞) gives NaN. A user would see answers that depend on
# the other sentences in the batch, because they decide how much padding there is, or NaN, and only for some inputs. Instead,
# replace forbidden scores by −∞ (do not add to them) and define the weights of an empty row as 0. A test with large scores,
# an empty row and each dtype would have found all this before the users did.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - A mask is boolean, True means allowed; masks are combined with a logical and, and they broadcast.
# - Mask the **scores**, with $-\infty$, before softmax. A row with nothing allowed gets zeros.
# - A good test knows the answer from elsewhere, tries every promise, and never rejects a right answer.
#
# **Papers.** Luong, Pham and Manning (2015), *Effective Approaches to Attention-based Neural Machine Translation*,
# section 3.2 (the window). Vaswani et al. (2017), *Attention Is All You Need*, section 3.2.3 (the causal mask, and masking
# with minus infinity).
#
# **Next.** Lesson 04 uses the weights: the weighted sum of values, soft and hard attention, and a method from 1964 that was
# attention before the name.

# %% tags=["skip-grading"]
progress()
