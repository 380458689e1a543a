# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Context vectors: the weighted sum
#
# **You put the pieces together: scores, mask, softmax and a weighted sum make attention. Then you meet its relatives, one that
# picks instead of blending, one that rolls dice, and one that is sixty years old.**
#
# After this lesson you can
#
# - blend values by weights, for one query or for a batch with many heads, and without touching the weights;
# - write scaled dot-product attention, the heart of every Transformer;
# - pick a single value instead, the best one or a random one, and say what that costs;
# - recognize attention in a method from 1964, and say what its bandwidth does.
#
# **You need** lessons 01 to 03 (their functions are imported) and `@`, NumPy's matrix product. **Time:** 80 minutes.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np

from autograder import check, hint, lesson, progress, reveal

scaled_dot_score = lesson("01_scoring").scaled_dot_score
softmax = lesson("02_softmax").softmax
masked_softmax = lesson("03_masking").masked_softmax
padding_mask = lesson("03_masking").padding_mask

# %% [markdown]
# Stuck on an exercise? `hint("context_vector")` in a new cell gives a nudge, and more each time you call it.

# %% [markdown]
# ## Why: two ways to fail
#
# A sensor was read 40 times, at random moments $x_i$ between 0 and 5, and each reading $y_i$ is noisy. What was the true
# value at a moment $x$ for which there is no reading? Two answers that need no thinking:
#
# - **average everything**: the mean of all readings, whatever is asked;
# - **take the best match**: the reading nearest to $x$, noise and all.


# %%
def truth(x: np.ndarray) -> np.ndarray:
    """What the sensor would show without noise."""
    return np.sin(2 * x) + x / 2


def readings(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """40 moments and what the sensor showed, with noise of standard deviation 0.4."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 5, size=40)
    return x, truth(x) + rng.normal(scale=0.4, size=40)


def rmse(prediction: np.ndarray, target: np.ndarray) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((prediction - target) ** 2)))


x_query = np.linspace(0, 5, 201)
x_train, y_train = readings(seed=0)
mean_answer = np.full_like(x_query, y_train.mean())
nearest_answer = y_train[np.abs(x_query[:, None] - x_train).argmin(axis=1)]

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(x_query, truth(x_query), color="black", label="truth")
ax.plot(x_train, y_train, ".", color="gray", label="readings")
ax.plot(x_query, mean_answer, "--", color="C0", label=f"mean, error {rmse(mean_answer, truth(x_query)):.2f}")
ax.plot(x_query, nearest_answer, ":", color="C1", label=f"nearest, error {rmse(nearest_answer, truth(x_query)):.2f}")
ax.set(title="Two ways to fail", xlabel="moment x", ylabel="sensor")
ax.legend(loc="upper left", fontsize=8)
plt.show()

# %% [markdown]
# **What you see.** A black wave, gray dots scattered around it, a dashed flat line and a dotted staircase. The flat line (the
# mean) gives everyone the same answer, and its error is large. The staircase (the nearest reading) follows the wave but
# jumps with the noise of every single reading.
#
# Attention lies between the two. It averages, like the first, but gives more weight to what matches better, like the
# second. In the words of lesson 01: the moment $x$ is the **query**, the moments $x_i$ are the **keys**, the readings
# $y_i$ are the **values**. We come back to the sensor at the end of the lesson, with better answers.

# %% [markdown]
# ## 1. The weighted sum
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●●● |
# | time | 10 minutes |
#
# Each query $i$ has a weight $\alpha_{ij}$ for each key $j$, and each key comes with a value, a vector $v_j$ of $d_v$ numbers.
# The **context vector** of the query is the sum of the values, each times its weight (Bahdanau et al. 2014, section 3.1,
# equation 5):
#
# $$c_i = \sum_{j=1}^{T_k} \alpha_{ij}\, v_j
# \qquad \alpha \in \mathbb{R}^{T_q \times T_k},\; v \in \mathbb{R}^{T_k \times d_v},\; c \in \mathbb{R}^{T_q \times d_v}$$
#
# A sum over the one index that the two share: that is a matrix product.
#
# **By hand.** Weights $[\tfrac14, \tfrac34]$ and values $[4, 0]$ and $[0, 8]$:
# $\tfrac14 [4, 0] + \tfrac34 [0, 8] = [1, 0] + [0, 6] = [1, 6]$.
#
# Two things to respect. Any number of leading axes (batch, heads) may stand in front of both, and they broadcast as in
# `np.matmul`. And the weights are used **as they are**: rows of attention weights sum to 1 already, or to 0 where nothing
# may be attended to, and dividing by the sum would break exactly those rows.


# %% nbgrader={"grade": false, "grade_id": "context_vector", "locked": false, "schema_version": 3, "solution": true, "task": false}
def context_vector(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Blend values by weights, as they are.

    weights: (..., T_q, T_k). values: (..., T_k, d_v). Leading axes broadcast as in np.matmul.
    Returns (..., T_q, d_v), in the dtype of the inputs: for each query the sum over keys of weight times value.

    >>> context_vector(np.array([[0.25, 0.75]]), np.array([[4.0, 0.0], [0.0, 8.0]]))
    array([[1., 6.]])
    """
    ### BEGIN SOLUTION
    return weights @ values
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_context_vector", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
by_hand = context_vector(np.array([[0.25, 0.75]]), np.array([[4.0, 0.0], [0.0, 8.0]]))
np.testing.assert_allclose(by_hand, [[1.0, 6.0]])
check("context_vector", context_vector)

# %% [markdown]
# Values can be anything that may be averaged. Colors, for example: three paints as values (red, green, blue between 0 and
# 1), and weights that go from the first to the last.

# %% tags=["skip-grading"]
paints = np.array([[0.9, 0.2, 0.1], [0.95, 0.85, 0.2], [0.1, 0.3, 0.8]])
position = np.linspace(0, 2, 41)
mixing = np.clip(1 - np.abs(position[:, None] - np.arange(3)), 0, None)  # (41, 3): rows sum to 1
mixed = context_vector(mixing, paints)

fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 3), sharex=True, layout="constrained")
for weight, name, style in zip(mixing.T, ("red", "yellow", "blue"), ("-", "--", ":"), strict=True):
    top.plot(position, weight, style, color="black", label=name)
top.set(title="Weights of three paints, and the mixture", ylabel="weight")
top.legend(fontsize=8, loc="center right")
bottom.imshow(mixed[None], extent=(0, 2, 0, 1), aspect="auto")
bottom.set(xlabel="query", yticks=[], ylabel="context")
plt.show()

# %% [markdown]
# **What you see.** Above, three weights: red falls from 1 to 0, yellow rises to 1 in the middle and falls again, blue rises at
# the end. Below, the context vectors shown as colors: red turns through orange into yellow, and then through a dull green
# gray into blue. Where one weight is 1, the context is that paint, and everywhere else it lies *between* the paints: where
# weights are at least 0 and sum to 1, a context vector never leaves the region between the values.

# %% [markdown]
# ## 2. Attention
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●● |
# | time | 15 minutes |
#
# Now everything you wrote so far, in one function. Vaswani et al. (2017, section 3.2.1, equation 1) write it in one line:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V
# \qquad Q \in \mathbb{R}^{T_q \times d},\; K \in \mathbb{R}^{T_k \times d},\; V \in \mathbb{R}^{T_k \times d_v}$$
#
# Read it from the inside: **score** (lesson 01), **mask** and **normalize** (lessons 02 and 03), **blend** (section 1).
# We return the weights too, since they are what one draws, and what lesson 06 needs for the gradients.
#
# **By hand.** One query $[2 \ln 3, 0, 0, 0]$, keys $[1, 0, 0, 0]$ and $[0, 0, 0, 0]$, values $[4]$ and $[0]$. The dot products are
# $2 \ln 3$ and $0$. With $d = 4$ we divide by 2: scores $\ln 3$ and $0$. Softmax: $\tfrac{3}{3 + 1}$ and $\tfrac{1}{3 + 1}$.
# The context: $\tfrac34 \cdot 4 + \tfrac14 \cdot 0 = 3$.


# %% nbgrader={"grade": false, "grade_id": "attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled dot-product attention.

    queries: (..., T_q, d). keys: (..., T_k, d). values: (..., T_k, d_v). mask: booleans that broadcast to the scores
    (..., T_q, T_k), True where attending is allowed; None allows all. Leading axes broadcast as in np.matmul.
    Returns (context (..., T_q, d_v), weights (..., T_q, T_k)) in the dtype of the inputs. A query that may attend to
    nothing gets weights and context of zero.

    >>> attention(np.array([[1.0]]), np.array([[0.0], [0.0]]), np.array([[2.0], [4.0]]))
    (array([[3.]]), array([[0.5, 0.5]]))
    """
    ### BEGIN SOLUTION
    scores = scaled_dot_score(queries, keys)
    weights = masked_softmax(scores, mask)
    return context_vector(weights, values), weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_attention", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
queries, keys = np.array([[2 * np.log(3), 0.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
context, weights = attention(queries, keys, np.array([[4.0], [0.0]]))
np.testing.assert_allclose(weights, [[0.75, 0.25]])
np.testing.assert_allclose(context, [[3.0]])
check("attention", attention)

# %% [markdown]
# A sentence, and three questions to it. The keys below are made **by hand**: each word says how much it is an actor, an
# action, or something acted upon. In a trained model nobody writes such numbers down, they are learned. The last two
# positions are padding.

# %%
words = ["the", "cat", "chased", "a", "mouse", "<pad>", "<pad>"]
questions = ["who?", "does what?", "to whom?"]
#                       the     cat      chased   a        mouse    padding
word_keys = np.array([[0, 0, 0], [3, 0, 1], [0, 3, 0], [0, 0, 0], [1, 0, 3], [4, 4, 4], [4, 4, 4]], dtype=float)
question_queries = 1.5 * np.eye(3)
word_values = np.random.default_rng(1).normal(size=(7, 2))
real = padding_mask(np.array([5]), 7)  # (1, T_k), the same for all three queries


def draw_weights(pictures: dict[str, np.ndarray]) -> None:
    """Draw weights (queries, keys) of the sentence side by side."""
    fig, axes = plt.subplots(1, len(pictures), figsize=(5.2 * len(pictures), 3), squeeze=False, layout="constrained")
    for ax, (title, weights) in zip(axes[0], pictures.items(), strict=True):
        image = ax.imshow(weights, cmap="viridis", vmin=0, vmax=1)
        for (i, j), weight in np.ndenumerate(weights):
            text = f"{weight:.2f}" if weight else "0"
            ax.text(j, i, text, ha="center", va="center", color="black" if weight > 0.6 else "white", fontsize=8)
        ax.set(title=title, xlabel="key", ylabel="query")
        ax.set_xticks(range(len(words)), words, rotation=45)
        ax.set_yticks(range(len(questions)), questions)
    fig.colorbar(image, ax=axes, label="weight", shrink=0.7)
    plt.show()


# %% tags=["skip-grading"]
_, without_mask = attention(question_queries, word_keys, word_values)
_, soft_weights = attention(question_queries, word_keys, word_values, real)
draw_weights({"no mask": without_mask, "padding masked": soft_weights})

# %% [markdown]
# **What you see.** Two heat maps with a row for each question. Left, without a mask, the two padding columns at the right
# take most of the weight, because their keys are large. Right, with the padding mask, those columns are exactly 0, and each
# row has its largest weight where a reader would look: *who?* on "cat", *does what?* on "chased", *to whom?* on "mouse". The
# other words keep a little: softmax never says a clear no, only a mask does.

# %% [markdown]
# ## 3. Hard attention: pick one
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●○○○ |
# | time | 15 minutes |
#
# What you wrote is called **soft** attention: every allowed key contributes. **Hard** attention picks a single key. Its
# weights are **one-hot**, that is 1 at one place and 0 elsewhere:
#
# $$\alpha_{ij} = \begin{cases} 1 & \text{if } j \text{ is the first allowed key with the largest allowed score } s_{ij} \\
# 0 & \text{otherwise} \end{cases}$$
#
# *The first* settles ties: if two keys have the same largest score, the one that comes first wins, and it alone. As
# always, forbidden keys are out, whatever their score, and a query that may attend to nothing gets zeros.
#
# **By hand.** Scores $[1, 3, 3]$, values $10, 20, 30$. The largest score is 3, first at key 1 (counted from 0): weights
# $[0, 1, 0]$, context 20. Now forbid key 1. The largest *allowed* score is the 3 at key 2: weights $[0, 0, 1]$, context 30.


# %% nbgrader={"grade": false, "grade_id": "hard_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hard_attention(
    scores: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Attend to the best key only.

    scores: (..., T_q, T_k). values: (..., T_k, d_v). mask: booleans that broadcast to scores, True where attending is
    allowed; None allows all. What score stands at a forbidden key does not matter, even NaN or infinity.
    Returns (context (..., T_q, d_v), weights, shaped like scores) in the dtype of the inputs: weights are 1 at the
    first allowed key with the largest score and 0 elsewhere; all zero, and so is the context, if nothing is allowed.

    >>> hard_attention(np.array([[1.0, 3.0, 3.0]]), np.array([[10.0], [20.0], [30.0]]))
    (array([[20.]]), array([[0., 1., 0.]]))
    """
    ### BEGIN SOLUTION
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    best = scores.argmax(axis=-1)  # the first, if there are several
    weights = (np.arange(scores.shape[-1]) == best[..., None]).astype(scores.dtype)
    if mask is not None:
        weights = np.where(mask, weights, 0)  # a row that allows nothing
    return context_vector(weights, values), weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_hard_attention", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
scores, values = np.array([[1.0, 3.0, 3.0]]), np.array([[10.0], [20.0], [30.0]])
context, weights = hard_attention(scores, values)
np.testing.assert_array_equal(weights, [[0.0, 1.0, 0.0]])
np.testing.assert_array_equal(context, [[20.0]])
context, weights = hard_attention(scores, values, np.array([[True, False, True]]))
np.testing.assert_array_equal(weights, [[0.0, 0.0, 1.0]])
check("hard_attention", hard_attention)

# %% tags=["skip-grading"]
question_scores = scaled_dot_score(question_queries, word_keys)
_, hard_weights = hard_attention(question_scores, word_values, real)
draw_weights({"soft": soft_weights, "hard": hard_weights})

# %% [markdown]
# **What you see.** Left, the soft weights of section 2. Right, the hard ones: a single bright cell in each row, exactly
# where the soft weights are largest, and 0 everywhere else.
#
# Hard attention is cheap and easy to read. Its price: move a score a little, and nothing changes, until suddenly the pick
# jumps. The derivative of the context with respect to the scores is 0 wherever it exists, so gradient descent learns
# nothing about them.

# %% [markdown]
# ## 4. Roll the dice
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●○○○ |
# | time | 20 minutes |
#
# There is a third way: pick one key **at random**, key $j$ with probability $\alpha_{ij}$. Xu et al. (2015, section 4.1)
# call it *stochastic "hard" attention* and let a caption generator look at one place of a picture at a time. On average
# it gives the soft context, and unlike the argmax it can be trained, by the method that the question at the end is about.
#
# How do you draw from given weights? By **inverting the cumulative distribution**. Lay the weights end to end on a line
# from 0 to 1, throw a dart $u$ at it, and see which piece it hits. Key $j$'s piece is as long as its weight, so it is hit
# with that probability:
#
# $$k(u) = \min \{\, k : \alpha_{i0} + \alpha_{i1} + \dots + \alpha_{ik} > u \,\} \qquad u \in [0, 1)$$
#
# In words: **the first key whose cumulative weight exceeds $u$**. We are given $u$, one for each query. A function that is
# told its random numbers gives the same answer each time, so it can be tested.
#
# **By hand.** Weights $[0.5, 0, 0.5]$: cumulative $[0.5, 0.5, 1]$. For $u = 0.3$, 0.5 exceeds it at once: key 0. For
# $u = 0.5$, 0.5 does *not exceed* 0.5, and the next to exceed it is 1: key 2. The piece of key 1 has length 0, and no $u$ hits it.
#
# And the corners, which are what this exercise is about:
#
# | corner | what should happen |
# | --- | --- |
# | $u = 0$ and the first weight is 0 | a key of weight 0 is never drawn: the first key with weight above 0 |
# | $u$ just below 1, and rounding left the cumulative weights at 0.9999999 | no key exceeds $u$: take the **last key with weight above 0** |
# | a row of zeros, nothing may be attended to | index **-1** and a context of zero |


# %% nbgrader={"grade": false, "grade_id": "sample_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample_attention(weights: np.ndarray, values: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Attend to one key, drawn with the weights as probabilities.

    weights: (..., T_q, T_k), each row sums to 1, or to 0 where nothing may be attended to. values: (..., T_k, d_v).
    u: (..., T_q), uniform random numbers in [0, 1), one for each query. Leading axes broadcast as in np.matmul.
    Returns (context (..., T_q, d_v), indices (..., T_q)). indices are integers: the first key whose cumulative weight
    exceeds u; where rounding leaves none, the last key with weight above 0; -1 for a row of zeros. context is the
    value at that index, zero for -1.

    >>> sample_attention(np.array([[0.5, 0.0, 0.5]]), np.array([[10.0], [20.0], [30.0]]), np.array([0.5]))
    (array([[30.]]), array([2]))
    """
    ### BEGIN SOLUTION
    n_keys = weights.shape[-1]
    positive = weights > 0
    hit = positive & (np.cumsum(weights, axis=-1) > u[..., None])
    last_positive = n_keys - 1 - positive[..., ::-1].argmax(axis=-1)
    indices = np.where(hit.any(axis=-1), hit.argmax(axis=-1), last_positive)
    indices = np.where(positive.any(axis=-1), indices, -1)
    one_hot = (np.arange(n_keys) == indices[..., None]).astype(weights.dtype)  # -1 is nowhere
    return context_vector(one_hot, values), indices
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_sample_attention", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
weights, values = np.array([[0.5, 0.0, 0.5], [0.5, 0.0, 0.5]]), np.array([[10.0], [20.0], [30.0]])
context, indices = sample_attention(weights, values, np.array([0.3, 0.5]))
np.testing.assert_array_equal(indices, [0, 2])
np.testing.assert_array_equal(context, [[10.0], [30.0]])
check("sample_attention", sample_attention)

# %% [markdown]
# Is the average of many draws the soft context? Draw a thousand times for the question *who?*, in three runs with
# different random numbers, and see how far the average of the first $n$ draws is from `context_vector(weights, values)`.

# %% tags=["skip-grading"]
soft = context_vector(soft_weights[:1], word_values)[0]
n = np.arange(1, 1001)
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for seed, style in zip((0, 1, 2), ("-", "--", ":"), strict=True):
    u = np.random.default_rng(seed).random((1000, 1))
    draws, _ = sample_attention(soft_weights[:1], word_values, u)  # (1000, 1, 2)
    running = np.cumsum(draws[:, 0], axis=0) / n[:, None]
    ax.loglog(n, np.linalg.norm(running - soft, axis=-1), style, color="C0", label=f"seed {seed}")
spread = np.sqrt((soft_weights[0] * ((word_values - soft) ** 2).sum(axis=-1)).sum())
ax.loglog(n, spread / np.sqrt(n), color="black", label="expected size, falling as 1/√n")
ax.set(title="The average draw approaches the soft context", xlabel="number of draws n", ylabel="distance")
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# **What you see.** On logarithmic axes, three jagged lines fall along a straight one. The distance to the soft context shrinks
# like $1/\sqrt n$: for one more digit you need a hundred times as many draws. Soft attention gives the average at
# once, which is one reason why it is used more.

# %% [markdown]
# ## 5. Attention from 1964
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●○○ |
# | time | 15 minutes |
#
# Back to the sensor. In 1964, Nadaraya and Watson, independently, proposed to estimate the value at $x$ by a weighted average
# of all readings, with more weight for the near ones:
#
# $$\hat y(x) = \frac{\sum_{i=1}^n K(x - x_i)\, y_i}{\sum_{i=1}^n K(x - x_i)}
# \qquad K(t) = e^{-t^2 / (2 h^2)}, \quad x, x_i, y_i \in \mathbb{R},\; h > 0$$
#
# $K$ is a bell, and the **bandwidth** $h$ says how wide. Now look again: exponentials, divided by their sum. With the scores
# $s_i = -(x - x_i)^2 / (2 h^2)$, the weights are $\mathrm{softmax}(s)$ and the estimate is their context vector.
# **It is attention**, with the negative squared distance as the score.
#
# **By hand.** Readings 0 at $x = 0$ and 1 at $x = 1$, bandwidth 1, query 0. $K(0) = 1$ and $K(-1) = e^{-1/2} \approx 0.607$.
# So $\hat y(0) = (1 \cdot 0 + 0.607 \cdot 1) / 1.607 \approx 0.378$.
#
# **Mind the distance.** Far from all data, every $K$ rounds to 0, and the formula as written gives $0 / 0$. The estimate
# itself is fine: far away, the nearest reading has all the weight. You have met this problem in lesson 02, and you
# have its cure. A bandwidth of 0 or below is a `ValueError`.


# %% nbgrader={"grade": false, "grade_id": "kernel_regression", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kernel_regression(x_query: np.ndarray, x_train: np.ndarray, y_train: np.ndarray, bandwidth: float) -> np.ndarray:
    """Nadaraya-Watson estimate with the kernel exp(-(x - x_i)^2 / (2 bandwidth^2)).

    x_query: (n_q,). x_train, y_train: (n,), in any order. bandwidth: the width of the kernel, above 0.
    Returns (n_q,), in the dtype of the inputs: finite for every finite query, however far from the data.
    Raises ValueError if bandwidth is 0 or below.

    >>> kernel_regression(np.array([0.5, 1000.0]), np.array([0.0, 1.0]), np.array([2.0, 4.0]), 1.0)
    array([3., 4.])
    """
    ### BEGIN SOLUTION
    if bandwidth <= 0:
        raise ValueError(f"bandwidth must be above 0, got {bandwidth}")
    distance = np.abs(x_query[:, None] - x_train)
    nearest = distance.min(axis=-1, keepdims=True)
    # d^2 - nearest^2, as a product: softmax ignores what all scores share, and a far query's square could overflow
    with np.errstate(over="ignore"):
        scores = -0.5 * ((distance - nearest) / bandwidth) * ((distance + nearest) / bandwidth)
    return softmax(scores, axis=-1) @ y_train
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_kernel_regression", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
by_hand = kernel_regression(np.array([0.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1.0)
np.testing.assert_allclose(by_hand, [np.exp(-0.5) / (1 + np.exp(-0.5))])
check("kernel_regression", kernel_regression)

# %% [markdown]
# Three bandwidths, on the readings that the lesson began with. Then all methods compared over five seeds: the error is
# measured against the truth, at 201 moments that were not among the readings.

# %% tags=["skip-grading"]
fig, axes = plt.subplots(1, 3, figsize=(13, 3.2), sharey=True, layout="constrained")
for ax, bandwidth in zip(axes, (0.02, 0.2, 2.0), strict=True):
    answer = kernel_regression(x_query, x_train, y_train, bandwidth)
    ax.plot(x_query, truth(x_query), color="black", label="truth")
    ax.plot(x_train, y_train, ".", color="gray", label="readings")
    ax.plot(x_query, answer, "--", color="C0", label="kernel regression")
    ax.set(title=f"bandwidth {bandwidth}, error {rmse(answer, truth(x_query)):.2f}", xlabel="moment x", ylabel="sensor")
axes[0].legend(loc="upper left", fontsize=8)
plt.show()

errors: dict[str, list[float]] = {}
for seed in range(5):
    x, y = readings(seed)
    answers = {"mean of all": np.full_like(x_query, y.mean())}
    answers["nearest reading"] = y[np.abs(x_query[:, None] - x).argmin(axis=1)]
    for bandwidth in (0.02, 0.1, 0.2, 0.5, 2.0):
        answers[f"bandwidth {bandwidth}"] = kernel_regression(x_query, x, y, bandwidth)
    for name, answer in answers.items():
        errors.setdefault(name, []).append(rmse(answer, truth(x_query)))
print("error: mean over seeds 0 to 4 (smallest to largest)")
for name, found in errors.items():
    print(f"{name:<16} {np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f})")

# %% [markdown]
# **What you see.** Three panels with the black wave, the gray readings and a dashed estimate. Left, with a narrow kernel, the
# estimate jumps from reading to reading: almost the nearest-reading staircase, hard attention. Right, with a wide one, only
# a gentle slope is left: almost the mean. The middle one follows the wave. The printed table says the same in numbers: the
# narrowest and the widest kernel come close to the two ways to fail, and on these five seeds bandwidth 0.2 always beats both,
# since even its largest error is below the smallest of the nearest reading.
#
# We could compare with the truth because we made the data. With real readings, hold some of them back, and choose the
# bandwidth that predicts those best.
#
# The bandwidth does here what the temperature does in lesson 02: it makes the weights sharper or softer. And where a
# Transformer scores with *learned* queries and keys, Nadaraya and Watson had to choose the score and its width by hand.

# %% [markdown]
# ## When it goes wrong
#
# | symptom | likely cause |
# | --- | --- |
# | `matmul: ... mismatch in its core dimension` | weights `(T_q, T_k)` must meet values `(T_k, d_v)`: one of them is transposed, or values were taken for keys |
# | the context of a masked-out query is NaN | weights divided by their sum of 0; use `masked_softmax`, and do not normalize again |
# | columns of weights sum to 1, not rows | softmax over the queries; the last axis holds the keys |
# | weights are nearly one-hot from the start | the $1/\sqrt d$ is missing (lesson 01) |
# | hard attention picks padding | a score of 0 or $-10^9$ was put in its place; only $-\infty$ loses always |
# | hard attention gives `[0, 0.5, 0.5]` | ties: compared with the maximum instead of taking the first `argmax` |
# | `sample_attention` draws a key of weight 0 | `>=` in place of `>`, or the fallback takes the last key instead of the last with weight above 0 |
# | rows of zeros get the last value | index -1 means "the last one" to NumPy. Set that context to zero yourself |
# | far from the data, the estimate is NaN or 0 | every kernel value rounded to 0; normalize with `softmax` on the scores |
# | float32 in, float64 out | a NumPy scalar such as `np.sqrt(2.0)` or `np.float64` in the formula; Python's own numbers keep float32 |

# %% [markdown]
# ## Questions to think about
#
# <details><summary>Shuffle the keys and the values in the same way. What happens to the context, and to the weights?</summary>
#
# The context stays the same: it is a sum, and a sum does not care about order. The weights are shuffled along. So attention
# does not know where in a sentence a word stands, unless its key says so. (Lesson 13 puts positions in.)
# </details>
#
# <details><summary>All keys are equal. What does soft attention return, and what does hard attention return?</summary>
#
# Equal keys get equal scores. Soft attention gives every allowed key the same weight and returns the mean of the allowed
# values. Hard attention returns the first allowed value.
# </details>
#
# <details><summary>Kernel regression with bandwidth h on queries and keys that are unit vectors (of length 1): which lesson's score is it?</summary>
#
# The squared distance is |q|² - 2 q·k + |k|². For unit vectors the first and the last are 1, the same for all keys, and
# softmax ignores what all scores share. What remains is q·k / h²: dot-product attention, with h² as the temperature.
# </details>

# %% [markdown]
# ### A question to answer in writing
#
# Soft attention is trained by gradient descent. **Why does the same not work for hard attention with its argmax? What do
# Xu et al. (2015, section 4.1) do instead for the stochastic kind, and why does it need many samples or a
# trick?** Three to six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_context_vectors", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The argmax does not change when a score changes a little, so the derivative of the context with respect to the scores is 0
# almost everywhere: gradient descent is never told in which direction to move them. For stochastic attention, the quantity to
# optimize is an expectation over draws, and its gradient can be written as an expectation too: the reward of a draw (there, the
# log-likelihood of the caption) times the gradient of the log-probability of that draw. Draws are made, and this product
# is averaged (the REINFORCE rule). It is right on average but very noisy, because each draw tries one key only and the error of the mean
# shrinks as one over the square root of the number of draws. So they take a moving average of past rewards away from the reward
# (a baseline), add the entropy of the weights, and use the soft context half of the time to reduce the noise.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Attention is score, mask, softmax, weighted sum: `masked_softmax(scaled_dot_score(Q, K), mask) @ V`.
# - Soft attention blends, hard attention picks, sampling picks at random and is right on average.
# - Kernel regression is attention with the negative squared distance as the score; its bandwidth, squared, is a
#   temperature.
#
# **Papers.** Nadaraya (1964), *On Estimating Regression*. Watson (1964), *Smooth Regression Analysis*. Bahdanau, Cho and
# Bengio (2014), *Neural Machine Translation by Jointly Learning to Align and Translate*, section 3.1. Xu et al. (2015),
# *Show, Attend and Tell*, section 4. Vaswani et al. (2017), *Attention Is All You Need*, section 3.2.
#
# **Next.** Lesson 05 puts attention where it was first used: into the decoder of a translator, which looks back at the
# source sentence before it writes each word.

# %% tags=["skip-grading"]
progress()
