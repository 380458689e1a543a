# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · Softmax: from scores to weights
#
# **You write a softmax that no score can break, its logarithm, a dial that makes it sharper or softer, and a number
# that says how sharp it is.**
#
# After this lesson you can
#
# - turn scores into weights along any axis, without overflow, for scores of 10,000 and of -10,000;
# - compute with logarithms of probabilities when the probabilities themselves are too small for a float;
# - say what a temperature does to attention, and measure it with entropy.
#
# **You need** lesson 01 (scores), `axis` and `keepdims` in NumPy. **Time:** 75 minutes.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np

from autograder import check, hint, lesson, progress, reveal

scaled_dot_score = lesson("01_scoring").scaled_dot_score

# %% [markdown]
# ## Why: the formula from the book breaks
#
# Lesson 00 used scores as weights, which worked only because no score was negative. Softmax makes any numbers
# positive with the exponential function, then divides by their sum so that they add up to one. Here it is as the
# formula says. Run it with small scores, and then with larger ones:


# %%
def from_the_book(x):
    return np.exp(x) / np.exp(x).sum()


with np.errstate(all="ignore"):
    for scores in ([1.0, 2.0, 3.0], [1001.0, 1002.0, 1003.0], [-1001.0, -1002.0, -1003.0]):
        print(scores, "->", from_the_book(np.array(scores)))

# %% [markdown]
# $e^{1003}$ is larger than the largest float64 (about $1.8 \cdot 10^{308}$), so it becomes infinity, and infinity
# divided by infinity is NaN: "not a number". For $e^{-1001}$ it is the other way round: it rounds to 0, and $0 / 0$
# is NaN too. In float16 the end comes much sooner: $e^{12}$ is already infinite. Yet the answers are perfectly
# ordinary. You will see that all three lines should be about $[0.09, 0.24, 0.67]$, the last one reversed.

# %% [markdown]
# ## 1. Softmax
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 15 minutes |
#
# $$\operatorname{softmax}(x)_i = \frac{e^{x_i}}{\sum_{j=1}^{n} e^{x_j}} \qquad x \in \mathbb{R}^{n}$$
#
# Take the same number $m$ away from all scores. Then $e^{x_i - m} = e^{x_i} e^{-m}$, and the factor $e^{-m}$ cancels:
#
# $$\frac{e^{x_i - m}}{\sum_j e^{x_j - m}} = \frac{e^{x_i} e^{-m}}{\sum_j e^{x_j} e^{-m}} = \operatorname{softmax}(x)_i$$
#
# So only *differences* between scores matter, and you may choose $m$. Choose the largest score. Then the largest
# exponent is 0, nothing can overflow, and the sum is at least $e^0 = 1$, so you never divide by 0.
#
# An array has many lines, and `axis` says along which axis they lie: `axis=-1` makes each row of a matrix sum to one,
# `axis=0` each column. **Each line needs its own maximum.** Suppose one row lies around 10,000 and the next around
# 0: with one maximum for all, everything in the second row would round to 0.
#
# **A score of $-\infty$** means "not this one": $e^{-\infty} = 0$, so its weight is exactly 0. In lesson 03 masks are
# made of this. And if a line has *only* $-\infty$? Then there is nothing to give weight to, and this course says: all
# weights are 0. Watch the subtraction there: $-\infty - (-\infty)$ is NaN.
#
# **By hand.** $x = [0, \ln 3]$: the exponentials are 1 and 3, their sum is 4, the weights are $[0.25, 0.75]$. And
# $x = [1000, 1000 + \ln 3]$ has the same differences, so the same weights.


# %% nbgrader={"grade": false, "grade_id": "softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Weights along `axis`: at least 0, with a sum of one if any score is above -inf, larger for larger scores.

    x: scores of any shape and floating dtype, at least -inf and below inf. axis: one axis, may be negative.
    Returns weights of the same shape and dtype. Where x is -inf the weight is 0; a line of only -inf gives zeros.

    >>> softmax(np.array([0.0, np.log(3.0)]))
    array([0.25, 0.75])
    """
    ### BEGIN SOLUTION
    largest = x.max(axis=axis, keepdims=True)
    largest = np.where(np.isneginf(largest), 0, largest)
    exponentials = np.exp(x - largest)
    total = exponentials.sum(axis=axis, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(softmax(np.array([0.0, np.log(3.0)])), [0.25, 0.75])
np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0 + np.log(3.0)])), [0.25, 0.75])
check("softmax", softmax)

# %% [markdown]
# ### Look at it
#
# Six queries and six keys at random, scored as in lesson 01. Softmax along the last axis gives each *query* a budget of
# one to spend on keys. Along axis 0 each *key* gets a budget of one.

# %% tags=["skip-grading"]
rng = np.random.default_rng(0)
scores = scaled_dot_score(2 * rng.normal(size=(6, 16)), rng.normal(size=(6, 16)))

figure, grid = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
pictures = {"scores": scores, "softmax(scores)": softmax(scores), "softmax(scores, axis=0)": softmax(scores, axis=0)}
for axes, (title, picture) in zip(grid, pictures.items(), strict=True):
    image = axes.imshow(picture, cmap="viridis")
    axes.set(title=title, xlabel="key", ylabel="query")
    figure.colorbar(image, ax=axes, label="score" if title == "scores" else "weight", shrink=0.85)
plt.show()
print("sums of rows:   ", softmax(scores).sum(axis=-1))
print("sums of columns:", softmax(scores, axis=0).sum(axis=0))

# %% [markdown]
# **What you see.** Three heat maps of 6 by 6. On the left the scores, below and above 0. In the middle the weights of
# each row: the brightest key of a row is the one with its largest score, and small scores are nearly black. On the
# right the weights of each column: other keys and queries stand out, from the same scores. Under the figure, all sums
# are 1.

# %% [markdown]
# ## 2. Logsumexp: a maximum with soft edges
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●○ |
# | time | 10 minutes |
#
# The logarithm of softmax's denominator has a name of its own, and it meets the same overflow. The same $m$, the
# largest score of the line, cures it, because $\ln(e^{m} s) = m + \ln s$:
#
# $$\operatorname{logsumexp}(x) = \ln \sum_{j=1}^{n} e^{x_j} = m + \ln \sum_{j=1}^{n} e^{x_j - m}
# \qquad x \in \mathbb{R}^{n},\; \operatorname{logsumexp}(x) \in \mathbb{R}$$
#
# It gives one number for each line, so the result has no `axis` any more: $(3, 4)$ becomes $(3,)$ along the last axis.
# A line of only $-\infty$ sums to 0, and $\ln 0 = -\infty$; no warning is wanted, since nothing is wrong.
#
# **By hand.** $x = [0, \ln 3]$ gives $\ln(1 + 3) = \ln 4 \approx 1.386$. And $[1000, 1000]$ gives
# $1000 + \ln 2 \approx 1000.693$.


# %% nbgrader={"grade": false, "grade_id": "logsumexp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def logsumexp(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The logarithm of the sum of exponentials along `axis`.

    x: any shape and floating dtype, at least -inf and below inf. axis: one axis, may be negative.
    Returns x's shape without `axis`, of the same dtype; -inf for a line of only -inf.

    >>> logsumexp(np.array([[1000.0, 1000.0], [0.0, np.log(3.0)]]))
    array([1000.69314718,    1.38629436])
    """
    ### BEGIN SOLUTION
    largest = x.max(axis=axis, keepdims=True)
    largest = np.where(np.isneginf(largest), 0, largest)
    total = np.exp(x - largest).sum(axis=axis)
    with np.errstate(divide="ignore"):
        return np.log(total) + largest.squeeze(axis)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_logsumexp", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(
    logsumexp(np.array([[1000.0, 1000.0], [0.0, np.log(3.0)]])), [1000.0 + np.log(2.0), np.log(4.0)]
)
check("logsumexp", logsumexp)

# %% [markdown]
# ### Look at it

# %% tags=["skip-grading"]
x = np.linspace(-5, 5, 201)
pair = np.stack([x, np.zeros_like(x)], axis=-1)  # (201, 2)

figure, axes = plt.subplots(figsize=(5.5, 3.6))
axes.plot(x, np.maximum(x, 0), "--", color="gray", label="max(x, 0)")
axes.plot(x, logsumexp(pair), color=plt.cm.viridis(0.3), label="logsumexp([x, 0])")
axes.set(title="Logsumexp is a soft maximum", xlabel="x", ylabel="value")
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** A dashed line with a corner at 0, the maximum of $x$ and 0, and a smooth curve just above it:
# logsumexp. They are farthest apart where the two numbers are equal, by $\ln 2 \approx 0.69$. Always
# $\max(x) \le \operatorname{logsumexp}(x) \le \max(x) + \ln n$.

# %% [markdown]
# ## 3. Log-softmax: weights too small for a float
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●○ |
# | time | 10 minutes |
#
# Training, and the search for the best sentence (lesson 12), work with *logarithms* of probabilities. `np.log(softmax(x))` is not good enough: a weight of
# $e^{-1000}$ rounds to 0, and its logarithm becomes $-\infty$ where $-1000$ is right. Take the logarithm on paper
# first, and the exponential is gone:
#
# $$\operatorname{logsoftmax}(x)_i = \ln \frac{e^{x_i}}{\sum_j e^{x_j}} = x_i - \operatorname{logsumexp}(x)
# \qquad x, \operatorname{logsoftmax}(x) \in \mathbb{R}^{n}$$
#
# A score of $-\infty$ has the log-weight $-\infty$, and a line of only $-\infty$ gives $-\infty$ throughout.
#
# **By hand.** $x = [0, \ln 3]$: $[0 - \ln 4,\; \ln 3 - \ln 4] = [-1.386, -0.288]$, the logarithms of 0.25 and 0.75.
# And $[0, -1000]$ gives $[0, -1000]$: $\operatorname{logsumexp}$ is $\ln(1 + e^{-1000})$, which is 0 to hundreds of
# digits.


# %% nbgrader={"grade": false, "grade_id": "log_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The logarithm of softmax along `axis`, right also where softmax rounds to 0.

    x: any shape and floating dtype, at least -inf and below inf. axis: one axis, may be negative.
    Returns log-weights of the same shape and dtype: -inf where x is -inf, so -inf throughout a line of only -inf.

    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    ### BEGIN SOLUTION
    total = np.expand_dims(logsumexp(x, axis=axis), axis)
    return x - np.where(np.isneginf(total), 0, total)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_log_softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(log_softmax(np.array([0.0, np.log(3.0)])), [-np.log(4.0), np.log(3.0) - np.log(4.0)])
np.testing.assert_allclose(log_softmax(np.array([0.0, -1000.0])), [0.0, -1000.0])
check("log_softmax", log_softmax)

# %% [markdown]
# ## 4. Temperature: sharper or softer
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●○○ |
# | time | 5 minutes |
#
# Divide the scores by a number before softmax, and you have a dial:
#
# $$\operatorname{softmax}(x / \tau) \qquad x \in \mathbb{R}^{n},\; \tau > 0$$
#
# $\tau$ (tau) is called the *temperature* (Hinton et al. 2015, section 2). A low one makes differences larger: in the
# limit $\tau \to 0$, the largest score takes all. A high one makes them smaller: in the limit $\tau \to \infty$, all
# weights are equal. You have already met a temperature: the $\sqrt{d}$ of the scaled dot product. At
# $\tau = 0$ there is a division by zero, and below 0 the *smallest* score would win, so both are refused with a
# `ValueError`.
#
# **By hand.** $x = [0, \ln 3]$ with $\tau = \tfrac12$: $x / \tau = [0, 2 \ln 3] = [0, \ln 9]$, so the weights are
# $[0.1, 0.9]$.


# %% nbgrader={"grade": false, "grade_id": "softmax_with_temperature", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax_with_temperature(x: np.ndarray, temperature: float, axis: int = -1) -> np.ndarray:
    """Softmax of x / temperature along `axis`.

    x: any shape and floating dtype, at least -inf and below inf. temperature: above 0. axis: one axis.
    Returns weights of the same shape and dtype. Raises ValueError if temperature is not above 0.

    >>> softmax_with_temperature(np.array([0.0, np.log(3.0)]), 0.5)
    array([0.1, 0.9])
    """
    ### BEGIN SOLUTION
    if temperature <= 0:
        raise ValueError(f"temperature: expected a number above 0, got {temperature}")
    return softmax(x / temperature, axis=axis)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_softmax_with_temperature", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(softmax_with_temperature(np.array([0.0, np.log(3.0)]), 0.5), [0.1, 0.9])
check("softmax_with_temperature", softmax_with_temperature)

# %% [markdown]
# ### Look at it

# %% tags=["skip-grading"]
scores = np.array([2.0, 1.0, 0.5, 0.0, -1.0])
temperatures = [0.1, 0.5, 1.0, 10.0]

figure, grid = plt.subplots(1, 4, figsize=(11, 2.8), sharey=True, layout="constrained")
for axes, temperature in zip(grid, temperatures, strict=True):
    axes.bar(range(len(scores)), softmax_with_temperature(scores, temperature), color=plt.cm.cividis(0.3))
    axes.set(title=f"temperature {temperature:g}", xlabel="key", ylim=(0, 1.05))
grid[0].set_ylabel("weight")
figure.suptitle("The same five scores at four temperatures")
plt.show()

# %% [markdown]
# **What you see.** Four bar charts of the weights for the scores 2, 1, 0.5, 0 and -1. At temperature 0.1 the first key
# has all the weight; at 0.5 most of it; at 1 the weights are a staircase, from 0.56 down to 0.03; at 10 all five bars
# are close to 0.2. The order of the keys never changes.

# %% [markdown]
# ## 5. Entropy: how spread out is the attention?
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●○○ |
# | time | 10 minutes |
#
# Is a query sure about one key, or does it look everywhere? One number says it, the entropy of its weights
# (Shannon 1948, section 6):
#
# $$H(w) = -\sum_{i=1}^{n} w_i \ln w_i \qquad w \in \mathbb{R}^{n},\; w_i \ge 0,\; H(w) \in \mathbb{R}$$
#
# With the natural logarithm its unit is the *nat*. All weight on one key: $H = 0$. Equal weights on $n$ keys:
# $H = \ln n$, the most there can be for weights that sum to one. So $e^{H}$ is something like "the number of keys that are
# looked at".
#
# A weight of 0 adds nothing: $0 \ln 0$ counts as 0, since $w \ln w$ goes to 0 as $w$ does. NumPy says
# `0 * -inf`, which is NaN, with a warning. The weights are taken as they are given, and not normalized first.
#
# **By hand.** $w = [\tfrac12, \tfrac14, \tfrac14, 0]$:
# $\tfrac12 \ln 2 + \tfrac14 \ln 4 + \tfrac14 \ln 4 + 0 = \tfrac32 \ln 2 \approx 1.04$.


# %% nbgrader={"grade": false, "grade_id": "entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def entropy(weights: np.ndarray, axis: int = -1) -> np.ndarray:
    """The entropy of the weights along `axis`, in nats; 0 log 0 counts as 0.

    weights: any shape and floating dtype, at least 0, taken as they are (not normalized). axis: one axis.
    Returns the shape of weights without `axis`, of the same dtype.

    >>> entropy(np.array([0.5, 0.5, 0.0]))
    np.float64(0.6931471805599453)
    """
    ### BEGIN SOLUTION
    logarithms = np.log(np.where(weights > 0, weights, 1))
    return -(weights * logarithms).sum(axis=axis)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_entropy", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(entropy(np.array([0.5, 0.25, 0.25, 0.0])), 1.5 * np.log(2.0))
check("entropy", entropy)

# %% [markdown]
# ### Look at it
#
# Two figures: entropy as the temperature rises, and what the scale $1 / \sqrt{d}$ of lesson 01 does to attention. For
# the second, random queries look at 64 random keys, with and without the scale, for growing $d$.

# %% tags=["skip-grading"]
temperatures = np.geomspace(0.05, 50, 100)
softened = np.stack([softmax_with_temperature(scores, float(t)) for t in temperatures])  # (100, 5)

rng = np.random.default_rng(1)
sizes = [2, 8, 32, 128, 512]
pairs = [(rng.normal(size=(200, d)), rng.normal(size=(64, d))) for d in sizes]
scaled = [entropy(softmax(scaled_dot_score(*pair))).mean() for pair in pairs]
unscaled = [entropy(softmax(scaled_dot_score(*pair) * d**0.5)).mean() for pair, d in zip(pairs, sizes, strict=True)]

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.plot(temperatures, entropy(softened), color=plt.cm.viridis(0.3))
left.axhline(np.log(5), linestyle="--", color="gray", label=r"$\ln 5$: all equal")
left.set(title="Hotter is more spread out", xlabel="temperature", ylabel="entropy (nats)", xscale="log")
left.legend()
right.plot(sizes, scaled, "s-", color=plt.cm.viridis(0.6), label="scaled")
right.plot(sizes, unscaled, "o-", color=plt.cm.viridis(0.1), label="not scaled")
right.axhline(np.log(64), linestyle="--", color="gray", label=r"$\ln 64$: all equal")
right.set(title="Entropy over 64 keys, mean of 200 queries", xlabel="features d", ylabel="entropy (nats)", xscale="log")
right.legend()
plt.show()

# %% [markdown]
# **What you see.** On the left a rising S: below a temperature of 0.1 the entropy is nearly 0, one key has all the
# weight; above 10 it is close to $\ln 5 \approx 1.61$. On the right two lines. With the scale the entropy stays near
# 3.7 nats, for every $d$: about $e^{3.7} \approx 40$ keys take part. Without it the entropy falls to about 0.2: at
# $d = 512$ each query looks at hardly more than one key, before anything is learned.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it often is |
# | --- | --- |
# | NaN, and `overflow encountered in exp` | The maximum is not taken away. |
# | NaN in some rows only, when rows differ a lot | One maximum for the whole array. Use `x.max(axis=axis, keepdims=True)`. |
# | rows do not sum to 1, the whole array does | The sum has no `axis`. |
# | `operands could not be broadcast together` | `keepdims=True` is missing in the maximum or in the sum. On square arrays there is no error, only a wrong answer. |
# | right for the last axis only | `axis` is not passed on somewhere. |
# | `invalid value encountered in subtract` | A line of only $-\infty$: $-\infty - (-\infty)$. Give such a line another $m$, such as 0. |
# | `divide by zero encountered in log` | $\ln 0$, in entropy or logsumexp. Decide what should come out, and see to it before or around the logarithm. |
# | log-weights of $-\infty$ where there should be -1000 | It is `np.log(softmax(x))`. |
# | 1.5 instead of 1.04 (entropy) | `np.log2` measures in bits. `np.log` measures in nats. |
# | float64 comes back for float32 | `np.where(condition, np.zeros(n), x)` mixes dtypes. A plain `0` does not. |

# %% [markdown]
# ## Questions to think about
#
# **1.** Add 5 to all scores of a row: what happens to softmax, to logsumexp and to log-softmax?
#
# <details><summary>Answer</summary>
#
# Softmax and log-softmax stay the same, because only differences matter. Logsumexp grows by exactly 5.
#
# </details>
#
# **2.** Why is the largest score the best $m$, and not the mean of the scores?
#
# <details><summary>Answer</summary>
#
# With the mean, $[10000, 0, 0]$ still overflows: the first exponent is 6667. With the largest score no exponent is above
# 0, and one is exactly 0, so the sum can neither overflow nor vanish. (Blanchard, Higham and Higham 2021 prove how
# accurate this is.)
#
# </details>
#
# **3.** A model gives each of 1000 words the same log-probability. What is the entropy, and what is its exponential?
#
# <details><summary>Answer</summary>
#
# $\ln 1000 \approx 6.9$ nats, and $e^{\ln 1000} = 1000$: as unsure as a fair draw from 1000 words. For a language model
# this exponential is called perplexity.
#
# </details>

# %% [markdown]
# ### A question for your instructor
#
# An attention row has the scores $[4, 2, -\infty]$. Somebody suggests to leave softmax out, and to divide the scores by
# their sum instead. Give two reasons why that does not work here or in general, and one property of softmax that
# training a model needs.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_softmax", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The sum is minus infinity here, so the division gives zeros and NaN. In general scores may be negative, which would
# give negative weights, and their sum may be zero or change sign. Dividing by the sum also depends on where the
# scores' zero lies: adding a constant to all scores changes the weights.
# Softmax is smooth and strictly positive for finite scores, so every score gets a gradient and can be improved.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - Softmax turns scores into positive weights that sum to one; take each line's maximum away first.
# - Work with log-softmax and logsumexp when you need logarithms; never take the logarithm of a softmax.
# - Temperature makes weights sharper or softer, and entropy measures it: from 0 (one key) to $\ln n$ (all equal).
#
# **Read.**
#
# - J. S. Bridle, *Probabilistic Interpretation of Feedforward Classification Network Outputs*, 1990, in
#   Neurocomputing (NATO ASI Series F 68): where the name softmax comes from.
# - P. Blanchard, D. J. Higham, N. J. Higham, *Accurately Computing the Log-Sum-Exp and Softmax Functions*, 2021, IMA
#   Journal of Numerical Analysis 41(4), [arXiv:1909.03469](https://arxiv.org/abs/1909.03469).
# - G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural Network*, 2015,
#   [arXiv:1503.02531](https://arxiv.org/abs/1503.02531), section 2: temperature.
# - C. E. Shannon, *A Mathematical Theory of Communication*, 1948, Bell System Technical Journal 27, section 6: entropy.
#
# **Next:** [03 Masking](../03_masking/03_masking.ipynb), what may be attended to.

# %% tags=["skip-grading"]
progress()
