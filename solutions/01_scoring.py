# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Scoring: how well does a key answer a query?
#
# **You write six score functions, from the plain dot product to Bahdanau's little network, and learn when each of
# them is the right one.**
#
# After this lesson you can
#
# - score every query against every key in one matrix product, for any number of leading axes;
# - say why scores are divided by $\sqrt{d}$, and show it with numbers;
# - write and compare the scores of Bahdanau, Luong and Vaswani, and prove that two of them are the same.
#
# **You need** lesson 00, matrix products with `@`, and broadcasting. **Time:** 75 minutes.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np

from autograder import check, hint, progress, reveal

# %% [markdown]
# ## Why: the score decides who is heard
#
# A query asks, keys answer, and the score says how well. Take one query and three keys. Which key is the best match:
# the one that points exactly the same way, or the one that is longest?

# %%
query = np.array([1.0, 0.0])
keys = {"same direction, short": [0.9, 0.0], "45 degrees off, long": [3.0, 3.0], "opposite": [-1.0, 0.0]}
for name, key in keys.items():
    key = np.array(key)
    cosine = query @ key / (np.linalg.norm(query) * np.linalg.norm(key))
    print(f"{name:>22}: dot product {query @ key:5.2f}, cosine {cosine:5.2f}")

# %% [markdown]
# Two sensible scores, two winners. There is a second problem. Draw a query and a key at random, each number with mean
# 0 and variance 1, and look at how far their dot products spread as the vectors get longer:

# %%
rng = np.random.default_rng(0)
for d in (4, 64, 1024):
    products = (rng.normal(size=(2000, d)) * rng.normal(size=(2000, d))).sum(axis=-1)
    print(f"d = {d:4}: the dot products have standard deviation {products.std():5.1f}")

# %% [markdown]
# The same kind of data, and the scores are sixteen times as large. What comes after the score (softmax, lesson 02)
# takes differences between scores very seriously: it turns a lead of 30 into a certainty of
# $1 - 10^{-13}$. A model could not learn from that. You will fix it with one division.
#
# ### The shapes, once and for all
#
# | symbol | what it is |
# | --- | --- |
# | $T_q$, $T_k$ | how many queries, how many keys |
# | $d$ | features in each query and key ($d_q$, $d_k$ where they may differ) |
# | `...` | any leading axes, also none: several sentences at once (a *batch*), several lookups at once (*heads*). They broadcast as in `np.matmul` |
#
# Queries are `(..., T_q, d)`, keys `(..., T_k, d)`, and scores always `(..., T_q, T_k)`: **row i belongs to query i,
# column j to key j**.

# %% [markdown]
# ## 1. The dot product, for all pairs
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●● |
# | time | 10 minutes |
#
# One dot product for each pair of a query and a key. In a matrix product each row of the left matrix meets each
# *column* of the right one, so the keys have to be turned on their side:
#
# $$S = Q K^\top, \qquad S_{ij} = q_i \cdot k_j
# \qquad Q \in \mathbb{R}^{T_q \times d},\; K \in \mathbb{R}^{T_k \times d},\; S \in \mathbb{R}^{T_q \times T_k}$$
#
# With leading axes, turn only the last two axes. `keys.T` turns *all* of them, which is something else.
#
# **By hand.** Queries $[1, 2]$ and $[0, 1]$; keys $[1, 0]$, $[1, 1]$ and $[-1, 2]$. The first row is
# $[1 \cdot 1 + 2 \cdot 0,\; 1 + 2,\; -1 + 4] = [1, 3, 3]$, the second $[0, 1, 2]$.


# %% nbgrader={"grade": false, "grade_id": "dot_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dot_score(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The dot product of each query with each key.

    queries: (..., T_q, d). keys: (..., T_k, d), of the same floating dtype; leading axes broadcast.
    Returns (..., T_q, T_k), of that dtype.

    >>> dot_score(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 1.0], [-1.0, 2.0]]))
    array([[1., 3., 3.],
           [0., 1., 2.]])
    """
    ### BEGIN SOLUTION
    return queries @ np.swapaxes(keys, -1, -2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_dot_score", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
hand_queries = np.array([[1.0, 2.0], [0.0, 1.0]])
hand_keys = np.array([[1.0, 0.0], [1.0, 1.0], [-1.0, 2.0]])
np.testing.assert_allclose(dot_score(hand_queries, hand_keys), [[1.0, 3.0, 3.0], [0.0, 1.0, 2.0]])
check("dot_score", dot_score)

# %% [markdown]
# ## 2. Scaled: divide by the square root of d
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●●● |
# | time | 10 minutes |
#
# Why did the dot products spread? If the numbers in $q$ and $k$ are independent with mean 0 and variance 1, each
# product $q_c k_c$ has mean 0 and variance 1 too, and a sum of $d$ of them has variance $d$: a standard deviation of
# $\sqrt{d}$. So divide by it. Vaswani et al. (2017, section 3.2.1) say it in a sentence, and it is a line of code:
#
# > "To counteract this effect, we scale the dot products by $\frac{1}{\sqrt{d_k}}$."
#
# $$S = \frac{Q K^\top}{\sqrt{d}} \qquad Q \in \mathbb{R}^{T_q \times d},\; K \in \mathbb{R}^{T_k \times d},\;
# S \in \mathbb{R}^{T_q \times T_k}$$
#
# $d$ is the number of features, the size of the *last* axis, and not the number of keys.
#
# **By hand.** One query $[2, 0, 2, 0]$ and the keys $[1, 1, 1, 1]$ and $[0, 5, 3, 5]$. The dot products are 4 and 6,
# $\sqrt{d} = \sqrt{4} = 2$, and the scores are 2 and 3.
#
# **Mind the dtype.** `np.sqrt(4)` is a `np.float64`, and in NumPy 2 a float32 array divided by a `np.float64` is
# float64: twice the memory, without a word. A plain Python number leaves the dtype alone: `d**0.5`, or
# `math.sqrt(d)`.


# %% nbgrader={"grade": false, "grade_id": "scaled_dot_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scaled_dot_score(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The dot product of each query with each key, divided by the square root of the number of features.

    queries: (..., T_q, d). keys: (..., T_k, d), of the same floating dtype; leading axes broadcast.
    Returns (..., T_q, T_k), of that dtype.

    >>> scaled_dot_score(np.array([[2.0, 0.0, 2.0, 0.0]]), np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 5.0, 3.0, 5.0]]))
    array([[2., 3.]])
    """
    ### BEGIN SOLUTION
    return dot_score(queries, keys) / queries.shape[-1] ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_scaled_dot_score", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(
    scaled_dot_score(np.array([[2.0, 0.0, 2.0, 0.0]]), np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 5.0, 3.0, 5.0]])),
    [[2.0, 3.0]],
)
check("scaled_dot_score", scaled_dot_score)

# %% [markdown]
# ### Look at it
#
# The experiment from above, for more sizes and with both of your functions: 300 random queries against 300 random
# keys, for each $d$.

# %% tags=["skip-grading"]
rng = np.random.default_rng(1)
sizes = [2, 4, 8, 16, 32, 64, 128, 256, 512]
pairs = [(rng.normal(size=(300, d)), rng.normal(size=(300, d))) for d in sizes]

figure, axes = plt.subplots(figsize=(6, 4))
axes.plot(sizes, [dot_score(*pair).std() for pair in pairs], "o-", color=plt.cm.viridis(0.1), label="dot_score")
axes.plot(
    sizes, [scaled_dot_score(*pair).std() for pair in pairs], "s-", color=plt.cm.viridis(0.6), label="scaled_dot_score"
)
axes.plot(sizes, np.sqrt(sizes), "--", color="gray", label=r"$\sqrt{d}$")
axes.set_xscale("log", base=2)
axes.set_yscale("log", base=2)
axes.set(title="How far random scores spread", xlabel="features d", ylabel="standard deviation of the scores")
axes.legend()
plt.show()

# %% [markdown]
# **What you see.** Two lines on logarithmic axes. The dot product's spread lies on the dashed line $\sqrt{d}$, from
# 1.4 at $d = 2$ to about 23 at $d = 512$. The scaled score's line is flat at 1: its spread no longer depends on $d$.

# %% [markdown]
# ## 3. Cosine: the direction alone
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●○○○ |
# | time | 10 minutes |
#
# Divide the dot product by both lengths, and only the angle is left: 1 for the same direction, 0 for a right angle,
# -1 for opposite directions. A Neural Turing Machine finds its memory slots like this (Graves et al. 2014,
# section 3.3.1). A vector of zeros has no direction, and $0 / 0$ is NaN, so the denominator is kept from falling below
# a small $\varepsilon$:
#
# $$S_{ij} = \frac{q_i \cdot k_j}{\max(\lVert q_i \rVert\, \lVert k_j \rVert,\; \varepsilon)}
# \qquad \lVert x \rVert = \sqrt{\textstyle\sum_{c=1}^{d} x_c^2}$$
#
# with $q_i, k_j \in \mathbb{R}^d$ and $S \in \mathbb{R}^{T_q \times T_k}$. The maximum is taken of the *product* of
# the two lengths. It changes nothing for ordinary vectors; adding $\varepsilon$ would make every score a little too
# small.
#
# **By hand.** Query $[3, 4]$ of length 5. Keys: $[6, 8]$ of length 10, $[-4, 3]$ of length 5, and $[0, 0]$. The dot
# products are 50, 0 and 0, and the scores $50 / 50 = 1$, $0 / 25 = 0$ and $0 / \varepsilon = 0$.


# %% nbgrader={"grade": false, "grade_id": "cosine_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cosine_score(queries: np.ndarray, keys: np.ndarray, eps: float = 1e-8) -> np.ndarray:
    """The cosine of the angle between each query and each key: dot / max(|q| |k|, eps).

    queries: (..., T_q, d). keys: (..., T_k, d), of the same floating dtype; leading axes broadcast.
    eps: the least value of the denominator, above 0. Returns (..., T_q, T_k), of that dtype, in [-1, 1].

    >>> cosine_score(np.array([[3.0, 4.0]]), np.array([[6.0, 8.0], [-4.0, 3.0], [0.0, 0.0]]))
    array([[1., 0., 0.]])
    """
    ### BEGIN SOLUTION
    lengths_q = np.linalg.norm(queries, axis=-1)[..., :, None]
    lengths_k = np.linalg.norm(keys, axis=-1)[..., None, :]
    # np.float64: as a float16, 1e-8 would be 0
    lengths = np.maximum(lengths_q * lengths_k, np.float64(eps))
    return (dot_score(queries, keys) / lengths).astype(queries.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_cosine_score", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(
    cosine_score(np.array([[3.0, 4.0]]), np.array([[6.0, 8.0], [-4.0, 3.0], [0.0, 0.0]])), [[1.0, 0.0, 0.0]]
)
check("cosine_score", cosine_score)

# %% [markdown]
# ## 4. General: a learned way to compare
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●○ |
# | time | 10 minutes |
#
# The dot product compares feature 1 with feature 1, 2 with 2, and needs $d_q = d_k$. But a query that asks for an
# *adjective* may want a key that says *noun*. A matrix $W$ says which feature of the query should meet which feature of
# the key, and how strongly. It is learned, and it joins sizes that differ. Luong et al. (2015, section 3.1) call it
# *general*:
#
# $$S = Q W K^\top, \qquad S_{ij} = q_i^\top W k_j
# \qquad Q \in \mathbb{R}^{T_q \times d_q},\; W \in \mathbb{R}^{d_q \times d_k},\; K \in \mathbb{R}^{T_k \times d_k}$$
#
# It is not scaled: $W$ can learn its own scale.
#
# **By hand.** Query $[1, 2]$, key $[3, 0, 1]$, and $W = \begin{pmatrix} 1 & 0 & 0 \\ 0 & 1 & 1 \end{pmatrix}$. First
# $q^\top W = [1, 2, 2]$, then $1 \cdot 3 + 2 \cdot 0 + 2 \cdot 1 = 5$.


# %% nbgrader={"grade": false, "grade_id": "general_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def general_score(queries: np.ndarray, keys: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Luong's "general" score: q W k for each query q and each key k, not scaled.

    queries: (..., T_q, d_q). keys: (..., T_k, d_k). weight: (d_q, d_k). All of one floating dtype; the leading axes
    of queries and keys broadcast. Returns (..., T_q, T_k), of that dtype.

    >>> general_score(np.array([[1.0, 2.0]]), np.array([[3.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))
    array([[5.]])
    """
    ### BEGIN SOLUTION
    return dot_score(queries @ weight, keys)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_general_score", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(
    general_score(np.array([[1.0, 2.0]]), np.array([[3.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])),
    [[5.0]],
)
check("general_score", general_score)

# %% [markdown]
# ## 5. Concat: a small network looks at both
#
# | | |
# | --- | --- |
# | difficulty | ●●●●○ |
# | importance | ●●●○○ |
# | time | 15 minutes |
#
# A product is not the only way to compare. Put query and key end to end, feed them to a layer of $d_h$ units with
# $\tanh$, and let a vector $v$ weigh the units into one number. Luong et al. (2015, section 3.1) call it *concat*:
#
# $$S_{ij} = \tanh\!\big([q_i ; k_j]\, W\big) \cdot v
# \qquad [q_i ; k_j] \in \mathbb{R}^{d_q + d_k},\; W \in \mathbb{R}^{(d_q + d_k) \times d_h},\; v \in \mathbb{R}^{d_h}$$
#
# The query comes first. The work is in the shapes: to put *each* query next to *each* key, both have to become
# `(..., T_q, T_k, features)`. `np.broadcast_to` repeats an array along new axes without a copy, and
# `np.concatenate` wants all axes equal but the one it joins.
#
# **By hand.** Query $[1]$, key $[-1]$, so $[q; k] = [1, -1]$. Let
# $W = \begin{pmatrix} 1 & 0 \\ 1 & 2 \end{pmatrix}$ and $v = [7, 1]$. Then $[q; k] W = [1 - 1,\; 0 - 2] = [0, -2]$,
# $\tanh$ gives $[0, -0.964]$, and the score is $7 \cdot 0 + 1 \cdot (-0.964) = -0.964$.


# %% nbgrader={"grade": false, "grade_id": "concat_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def concat_score(queries: np.ndarray, keys: np.ndarray, weight: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Luong's "concat" score: tanh([q; k] W) v for each query q and each key k, the query first.

    queries: (..., T_q, d_q). keys: (..., T_k, d_k). weight: (d_q + d_k, d_h). v: (d_h,). All of one floating dtype;
    the leading axes of queries and keys broadcast. Returns (..., T_q, T_k), of that dtype.

    >>> concat_score(np.array([[1.0]]), np.array([[-1.0]]), np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([7.0, 1.0]))
    array([[-0.96402758]])
    """
    ### BEGIN SOLUTION
    q = queries[..., :, None, :]  # (..., T_q, 1, d_q)
    k = keys[..., None, :, :]  # (..., 1, T_k, d_k)
    pairs = np.broadcast_shapes(q.shape[:-1], k.shape[:-1])  # (..., T_q, T_k)
    q = np.broadcast_to(q, (*pairs, q.shape[-1]))
    k = np.broadcast_to(k, (*pairs, k.shape[-1]))
    return np.tanh(np.concatenate([q, k], axis=-1) @ weight) @ v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_concat_score", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(
    concat_score(np.array([[1.0]]), np.array([[-1.0]]), np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([7.0, 1.0])),
    [[np.tanh(-2.0)]],
)
check("concat_score", concat_score)

# %% [markdown]
# ## 6. Additive: the same score for less work
#
# | | |
# | --- | --- |
# | difficulty | ●●●○○ |
# | importance | ●●●●● |
# | time | 15 minutes |
#
# This is the score of the paper that brought attention to translation (Bahdanau et al. 2014, appendix A.1.2; there,
# the query is the state of the network that writes the translation, the keys describe the words of the source sentence):
#
# $$S_{ij} = \tanh\!\big(q_i W_q + k_j W_k\big) \cdot v
# \qquad W_q \in \mathbb{R}^{d_q \times d_h},\; W_k \in \mathbb{R}^{d_k \times d_h},\; v \in \mathbb{R}^{d_h}$$
#
# Look at *concat* again, and cut its $W$ after the first $d_q$ rows. A row vector times a matrix adds up one row of
# the matrix for each number in the vector, and it does not matter in which order. So the rows that belong to the query
# can be added up first, and those of the key after:
#
# $$[q ; k] \begin{pmatrix} W_q \\ W_k \end{pmatrix} = q\, W_q + k\, W_k$$
#
# **Additive is concat with its weight split.** Nothing else differs, but the split saves work: $q_i W_q$ is computed
# once for each query and $k_j W_k$ once for each key, and not both again for each of the $T_q T_k$ pairs.
#
# In code: two projections, then one broadcast sum to `(..., T_q, T_k, d_h)`, then $\tanh$, then $v$. The order in
# which axes are inserted decides which of $T_q$ and $T_k$ comes first.
#
# **By hand.** Query $[1, 0]$, key $[-1]$; $W_q = \begin{pmatrix} 1 & 0 \\ 5 & 5 \end{pmatrix}$, $W_k = [1, 2]$ (one
# row), $v = [7, 1]$. Then $q W_q = [1, 0]$, $k W_k = [-1, -2]$, their sum is $[0, -2]$, and as before the score is
# $\tanh(-2) = -0.964$.


# %% nbgrader={"grade": false, "grade_id": "additive_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def additive_score(
    queries: np.ndarray, keys: np.ndarray, w_query: np.ndarray, w_key: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Bahdanau's additive score: tanh(q W_q + k W_k) v for each query q and each key k.

    queries: (..., T_q, d_q). keys: (..., T_k, d_k). w_query: (d_q, d_h). w_key: (d_k, d_h). v: (d_h,). All of one
    floating dtype; the leading axes of queries and keys broadcast. Returns (..., T_q, T_k), of that dtype.

    >>> w_query, w_key = np.array([[1.0, 0.0], [5.0, 5.0]]), np.array([[1.0, 2.0]])
    >>> additive_score(np.array([[1.0, 0.0]]), np.array([[-1.0]]), w_query, w_key, np.array([7.0, 1.0]))
    array([[-0.96402758]])
    """
    ### BEGIN SOLUTION
    from_queries = (queries @ w_query)[..., :, None, :]  # (..., T_q, 1, d_h)
    from_keys = (keys @ w_key)[..., None, :, :]  # (..., 1, T_k, d_h)
    return np.tanh(from_queries + from_keys) @ v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_additive_score", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(
    additive_score(
        np.array([[1.0, 0.0]]),
        np.array([[-1.0]]),
        np.array([[1.0, 0.0], [5.0, 5.0]]),
        np.array([[1.0, 2.0]]),
        np.array([7.0, 1.0]),
    ),
    [[np.tanh(-2.0)]],
)
check("additive_score", additive_score)

# %% [markdown]
# ### Put it to the test
#
# Take a random weight for `concat_score`, cut it in two for `additive_score`, and compare. Then count the
# multiplications that each needs before its $\tanh$, for a translation of 50 words into 50.

# %% tags=["skip-grading"]
rng = np.random.default_rng(2)
d_q, d_k, d_h = 6, 8, 5
queries, keys = rng.normal(size=(3, 4, d_q)), rng.normal(size=(3, 7, d_k))
weight, v = rng.normal(size=(d_q + d_k, d_h)), rng.normal(size=d_h)

whole = concat_score(queries, keys, weight, v)
split = additive_score(queries, keys, weight[:d_q], weight[d_q:], v)
print("largest difference:", np.abs(whole - split).max())

T_q, T_k, d_q, d_k, d_h = 50, 50, 1000, 2000, 1000
print(f"concat:   {T_q * T_k * (d_q + d_k) * d_h:,} multiplications")
print(f"additive: {(T_q * d_q + T_k * d_k) * d_h:,} multiplications")

# %% [markdown]
# ## All six, side by side
#
# Four queries and seven keys, random but the same for all, with the third key made three times as long as it was.
# Each picture is `(T_q, T_k)`: rows are queries, columns are keys.

# %% tags=["skip-grading"]
rng = np.random.default_rng(3)
d, d_h = 16, 16
queries, keys = rng.normal(size=(4, d)), rng.normal(size=(7, d))
keys[2] *= 3
w_query, w_key, v = rng.normal(size=(d, d_h)) / d**0.5, rng.normal(size=(d, d_h)) / d**0.5, rng.normal(size=d_h)
scores = {
    "dot": dot_score(queries, keys),
    "scaled dot": scaled_dot_score(queries, keys),
    "cosine": cosine_score(queries, keys),
    "general": general_score(queries, keys, w_query @ w_key.T),
    "concat": concat_score(queries, keys, np.concatenate([w_query, w_key]), v),
    "additive": additive_score(queries, keys, w_query, w_key, v),
}

figure, grid = plt.subplots(2, 3, figsize=(10, 5), layout="constrained")
for axes, (name, score) in zip(grid.flat, scores.items(), strict=True):
    image = axes.imshow(score, cmap="cividis")
    axes.set(title=name, xlabel="key", ylabel="query")
    figure.colorbar(image, ax=axes, label="score", shrink=0.8)
figure.suptitle("Six scores for the same queries and keys")
plt.show()

# %% [markdown]
# **What you see.** Six small heat maps. *dot* and *scaled dot* have the same picture and different numbers: the scale
# is 4 times smaller. In both, the lowest and the highest score are in column 2, that of the long key; in *cosine* they
# are elsewhere, and column 2 looks like any other. *general* compares other pairs of features, so its picture is
# another one, but the long key stands out there too. *concat* and *additive* are equal, number by number, and $\tanh$
# keeps them within a few units.
#
# Which one should you take? Scaled dot product is the default of Transformers: it is one matrix product, and it has no
# weights of its own. Vaswani et al. (2017, section 3.2.1) write that additive and dot-product attention are similar
# in theoretical complexity, but that the latter is much faster and more space-efficient in practice. You can see why
# above: additive makes an array of $T_q \cdot T_k \cdot d_h$ numbers before it sums over $d_h$. Additive and general
# have weights to learn, and take queries and keys of different sizes.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it often is |
# | --- | --- |
# | `matmul: Input operand 1 has a mismatch in its core dimension` | The keys were not turned: `(T_q, d) @ (T_k, d)` does not fit. It *would* fit, with a wrong answer, when `T_k` equals `d`. |
# | right for matrices, wrong with a batch | `keys.T` reverses all axes. `np.swapaxes(keys, -1, -2)` turns the last two. |
# | the shape is `(T_k, T_q)` | The product, or the inserted axes, are the other way round. Queries are rows. |
# | float64 comes back for float32 | Something in it is a `np.float64`, such as `np.sqrt(d)`. Use `d**0.5`. |
# | a little too small everywhere (cosine) | $\varepsilon$ was added. It is a floor: `np.maximum`. |
# | NaN for a vector of zeros | $0/0$: there is no floor. In float16 the number 1e-8 rounds to 0, and the floor is gone. |
# | all scores between -1 and 1 (additive) | $\tanh$ came after $v$. It comes before. |
# | `all the input array dimensions ... must match exactly` | `np.concatenate` does not broadcast. Use `np.broadcast_to` first, for leading axes too. |

# %% [markdown]
# ## Questions to think about
#
# **1.** For which $W$ is `general_score` the same as `dot_score`, and for which the same as `scaled_dot_score`?
#
# <details><summary>Answer</summary>
#
# For the identity matrix, and for the identity matrix divided by $\sqrt{d}$. So *general* can do what both do, and can
# learn more. The price is $d_q d_k$ numbers to learn.
#
# </details>
#
# **2.** Could the $\tanh$ in the additive score be left out?
#
# <details><summary>Answer</summary>
#
# Without it, $S_{ij} = q_i W_q v + k_j W_k v$: a number for the query plus a number for the key. Softmax over the keys
# does not notice a number that is the same for all keys (lesson 02), so the query would have no say at all: every
# query would get the same weights.
#
# </details>
#
# **3.** Queries are `(8, 1, 5, 16)` and keys `(12, 9, 16)`. What is the shape of `dot_score(queries, keys)`?
#
# <details><summary>Answer</summary>
#
# `(8, 12, 5, 9)`: the leading axes `(8, 1)` and `(12,)` broadcast to `(8, 12)`, then $T_q = 5$ and $T_k = 9$.
#
# </details>

# %% [markdown]
# ### A question for your instructor
#
# A colleague divides the dot products by $d$ where the course divides by $\sqrt{d}$, "to be on the safe side". With
# random queries and keys as in section 2, how large is the spread of the scores then, for $d = 512$? What would that
# do to the weights, when larger differences between scores mean sharper weights?

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_scoring", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The dot products have a standard deviation of sqrt(512), about 22.6. Divided by d, the scores have a standard
# deviation of 1 / sqrt(512), about 0.044. All scores are nearly equal, so the weights are nearly uniform: every key
# counts about the same, and attention is little more than a plain average. The larger d, the worse it gets.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - A score function takes queries `(..., T_q, d)` and keys `(..., T_k, d)` to `(..., T_q, T_k)`: rows are queries.
# - Dot products grow with $\sqrt{d}$, so divide by it; cosine takes out the lengths as well.
# - General, concat and additive scores have weights to learn, and additive is concat with its weight split.
#
# **Read.**
#
# - D. Bahdanau, K. Cho, Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*, 2014,
#   [arXiv:1409.0473](https://arxiv.org/abs/1409.0473), section 3.1 and appendix A.1.2: the additive score.
# - M.-T. Luong, H. Pham, C. D. Manning, *Effective Approaches to Attention-based Neural Machine Translation*, 2015,
#   [arXiv:1508.04025](https://arxiv.org/abs/1508.04025), section 3.1: dot, general, concat.
# - A. Vaswani et al., *Attention Is All You Need*, 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762),
#   section 3.2.1: the scale, and why (footnote 4).
# - A. Graves, G. Wayne, I. Danihelka, *Neural Turing Machines*, 2014, [arXiv:1410.5401](https://arxiv.org/abs/1410.5401),
#   section 3.3.1: the cosine as a way to find a memory.
#
# **Next:** [02 Softmax](../02_softmax/02_softmax.ipynb), from scores to weights.

# %% tags=["skip-grading"]
progress()
