# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Welcome: how a lesson works
#
# **In half an hour you write two small functions, watch a check fail and then pass, and put the two functions
# together into the smallest attention there is.**
#
# After this lesson you can
#
# - work through a lesson: read, write, check, ask for a hint, look at your progress;
# - measure how well two vectors agree, for one pair or for thousands of pairs at once;
# - blend vectors by weights, and say what happens when the weights are tiny, or all zero.
#
# **You need** Python, and NumPy arrays with their shapes. **Time:** 30 minutes.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np

from autograder import CheckFailed, check, hint, progress, reveal

# %% [markdown]
# ## Why: a dictionary has only exact answers
#
# Here is what four things run on, in parts of (meat, seeds, fuel). A Python dictionary gives it back, as long as
# you ask for a name that it knows. Ask for another one and there is no answer at all. Run the cell: click on it,
# then press Shift and Enter together.

# %%
food = {"cat": (1, 0, 0), "parrot": (0, 1, 0), "airplane": (0, 0, 1), "tractor": (0, 0, 1)}
print("cat:", food["cat"])
try:
    print("bat:", food["bat"])
except KeyError as error:
    print("bat: KeyError", error)

# %% [markdown]
# You would do better: a bat is furry and flies, so you would look at the *cat* and the *parrot*, and mix what you
# know about them. That is the whole idea of attention, and it takes two steps:
#
# 1. **score** how well each known thing matches what you ask for;
# 2. **blend** what you know about them, each in proportion to its score.
#
# A number for each match, and a weighted average: these are the two functions of this lesson. What you ask with is
# called the **query**, what it is compared with are the **keys**, and what is blended are the **values**.

# %% [markdown]
# ## How a lesson is made
#
# Each function that you write has the same parts, in the same order:
#
# 1. the idea, the formula, and an example to do **by hand**. Do it: two minutes with a pencil save ten of debugging;
# 2. a cell with a function to complete. It holds `raise NotImplementedError`: **delete that line and write your
#    own code in its place**;
# 3. a cell that tests it. First the example that you did by hand, then `check("name", function)`, which calls your
#    function on many more inputs and tells you what is right and what is not. Points are given for each aspect, so
#    a partly right answer counts.
#
# Three manners hold for every function in this course, and checks look at them: it leaves its inputs as they are and
# makes new arrays, its results have the dtype of its inputs, and it causes no warning on valid input, not even one
# that you repair afterwards, such as a NaN.
#
# Run the cells from top to bottom. After you change a function, run its cell again, and then its check.
#
# The box over an exercise says how difficult it is, how much depends on it later, and how many minutes it should take.
# After twice that time, ask for help:
#
# | when | do this |
# | --- | --- |
# | you are stuck | `hint("dot_product")` in a new cell: a nudge. Call it again, and the next hint says more |
# | the hints did not help | `reveal("dot_product")` shows a solution, after asking whether you are sure |
# | you wonder what is done | `progress()` shows a table of all lessons. It remembers your checks when you close the notebook |
# | everything looks broken | menu **Kernel → Restart Kernel and Run All Cells** |
#
# Each lesson stands alone. If one exercise defeats you, go on: later lessons bring the earlier functions with them.

# %% [markdown]
# ## 1. How well do two vectors agree?
#
# | | |
# | --- | --- |
# | difficulty | ●○○○○ |
# | importance | ●●●●● |
# | time | 5 minutes |
#
# Describe a thing by numbers, one for each **feature**: how furry it is, how well it flies, how much of an engine it
# has. Two things that are strong in the same features should get a high score. So multiply feature by feature, and
# add up. This is the **dot product**:
#
# $$u \cdot v = \sum_{i=1}^{d} u_i v_i \qquad u, v \in \mathbb{R}^{d},\; u \cdot v \in \mathbb{R}$$
#
# We want it for many pairs at once. Then $u$ and $v$ have further axes *before* the last one, written `...`, and each
# pair of vectors along the last axis gives one number: `(..., d)` and `(..., d)` give `(...)`. The leading axes
# broadcast, as everywhere in NumPy: `(d,)` with `(n, d)` gives `(n,)`, one vector against each of $n$.
#
# **By hand.** $u = [1, 2, 3]$ and $v = [4, 5, -6]$: $\;1 \cdot 4 + 2 \cdot 5 + 3 \cdot (-6) = 4 + 10 - 18 = -4$.

# %% [markdown]
# ### First, a wrong answer on purpose
#
# Before you write your own, see what a failing check looks like. This function multiplies, but forgets to add up.
# Nothing is broken here: read the report from top to bottom. It says how many points there are, which aspects are
# right, how your function was called, what came back, what was expected, and often which mistake gives exactly
# that answer. When you run `check` yourself and something is wrong, the cell then stops with an error called
# `CheckFailed`. Here we catch it, so that the notebook goes on.


# %% tags=["skip-grading"]
def forgets_to_add(u, v):
    return u * v


try:
    check("dot_product", forgets_to_add)
except CheckFailed:
    print("The check failed, as promised. Now write one that passes.")

# %% [markdown]
# ### Your turn


# %% nbgrader={"grade": false, "grade_id": "dot_product", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dot_product(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Dot products along the last axis.

    u, v: (..., d), of one floating dtype; their leading axes broadcast.
    Returns (...), of the same dtype: one number for each pair of vectors.

    >>> dot_product(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, -6.0]))
    np.float64(-4.0)
    """
    ### BEGIN SOLUTION
    return (u * v).sum(axis=-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_dot_product", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(dot_product(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, -6.0])), -4.0)
check("dot_product", dot_product)

# %% [markdown]
# ### Hints
#
# This is what a hint looks like. Each call gives the next one, from a nudge to nearly the answer.

# %% tags=["skip-grading"]
hint("dot_product")

# %% [markdown]
# ### Look at it
#
# Give each thing a vector of three features, and compare all with all. One call does it: `features[:, None]` has
# the shape `(5, 1, 3)`, `features[None]` has `(1, 5, 3)`, and the leading axes broadcast to `(5, 5)`.

# %% tags=["skip-grading"]
names = ["cat", "parrot", "airplane", "tractor", "bat"]
#                     furry  flies  engine
features = np.array([[0.9, 0.0, 0.0], [0.3, 0.9, 0.0], [0.0, 1.0, 0.9], [0.0, 0.0, 1.0], [0.8, 0.9, 0.0]])
agreement = dot_product(features[:, None], features[None])

figure, axes = plt.subplots(figsize=(5, 4))
image = axes.imshow(agreement, cmap="viridis")
axes.set(title="Dot products of all pairs", xlabel="key", ylabel="query")
axes.set_xticks(range(len(names)), names, rotation=30)
axes.set_yticks(range(len(names)), names)
for (row, column), value in np.ndenumerate(agreement):
    axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="black" if value > 0.8 else "white")
figure.colorbar(image, label="dot product")
plt.show()

# %% [markdown]
# **What you see.** A table of 5 by 5 numbers as colors, bright where two things agree. It is symmetric, because
# $u \cdot v = v \cdot u$. Look at the last row: the bat agrees most with itself, then with the parrot (1.05), the
# airplane (0.90) and the cat (0.72), and not at all with the tractor. The cat and the tractor share no feature: 0.

# %% [markdown]
# ## 2. Blend by weights
#
# | | |
# | --- | --- |
# | difficulty | ●●○○○ |
# | importance | ●●●●○ |
# | time | 10 minutes |
#
# Now mix $n$ vectors, the values, into one. Each has a weight $w_i \ge 0$ that says how much it counts:
#
# $$\operatorname{average}(w, V) = \frac{\sum_{i=1}^{n} w_i V_i}{\sum_{i=1}^{n} w_i}
# \qquad w \in \mathbb{R}^{n},\; V \in \mathbb{R}^{n \times d},\; V_i \in \mathbb{R}^{d}$$
#
# The denominator makes up for weights that do not sum to one: only their proportions matter. Weights $[1, 3]$ and
# $[10^{-300}, 3 \cdot 10^{-300}]$ say the same thing, so they must give the same answer. A small number added to the
# denominator "to be safe" would break that.
#
# If all weights are 0 then there are no proportions, and no honest answer. In this course a function that gets
# arguments it cannot work with says so: it raises `ValueError` with a message that names the argument, what was
# given and what was expected.
#
# **By hand.** Weights $[1, 3]$ and values $[10, 0]$ and $[20, 4]$: the weights sum to 4, so the values count
# $\tfrac14$ and $\tfrac34$. The first number is $\tfrac14 \cdot 10 + \tfrac34 \cdot 20 = 17.5$, the second
# $\tfrac14 \cdot 0 + \tfrac34 \cdot 4 = 3$.


# %% nbgrader={"grade": false, "grade_id": "weighted_average", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weighted_average(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The average of the rows of `values`, each counted in proportion to its weight.

    weights: (n,), at least 0; they need not sum to one, and may be very small. values: (n, d).
    Both have one floating dtype. Returns (d,), of the same dtype.
    Raises ValueError if all weights are zero.

    >>> weighted_average(np.array([1.0, 3.0]), np.array([[10.0, 0.0], [20.0, 4.0]]))
    array([17.5,  3. ])
    """
    ### BEGIN SOLUTION
    total = weights.sum()
    if total == 0:
        raise ValueError(f"weights: expected at least one above zero, got {weights}")
    return (weights / total) @ values
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_weighted_average", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
np.testing.assert_allclose(weighted_average(np.array([1.0, 3.0]), np.array([[10.0, 0.0], [20.0, 4.0]])), [17.5, 3.0])
check("weighted_average", weighted_average)

# %% [markdown]
# ## 3. The smallest attention there is
#
# Score, then blend: the bat asks, the four known things answer. Their features are the keys, their food is the
# values, and the scores serve as weights. That works here because none of the scores is below 0. Two lessons from
# now you meet a better way to turn scores into weights.

# %% tags=["skip-grading"]
query, keys = features[4], features[:4]
values = np.array([food[name] for name in names[:4]], dtype=float)

scores = dot_product(query, keys)
answer = weighted_average(scores, values)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
left.bar(names[:4], scores / scores.sum(), color=plt.cm.cividis(0.2))
left.set(title="How much each key counts", xlabel="key", ylabel="weight", ylim=(0, 0.5))
right.bar(["meat", "seeds", "fuel"], answer, color=plt.cm.cividis(0.75), hatch="//", edgecolor="black")
right.set(title="What a bat runs on, says the average", xlabel="food", ylabel="part", ylim=(0, 0.5))
figure.tight_layout()
plt.show()

# %% [markdown]
# **What you see.** Two bar charts. On the left the weights for the query *bat*: parrot 0.39, airplane 0.34, cat
# 0.27, tractor 0. On the right the blend: 0.39 seeds, 0.34 fuel, 0.27 meat. There is an answer where the dictionary
# had none, and a third of it is nonsense: no bat runs on fuel. The blend is only as good as the scores, and ours
# say that whatever flies is much like a bat. The rest of the course is about better queries, better keys and better
# weights, and mostly about letting a model *learn* them.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it often is |
# | --- | --- |
# | `NotImplementedError` | The function still holds its `raise` line, or you changed it and did not run its cell again. |
# | `NameError: name 'np' is not defined` | The kernel was restarted. Run the cells above first. |
# | "`dot_product` returns None" | There is a `print` where there should be a `return`, or no `return` at all. |
# | right for one pair, wrong or an error for many | `np.dot(u, v)` and `u @ v` do other things when there are more axes. Multiply, then sum over the *last* axis: `axis=-1`. |
# | "It changed its input `u`" | `u *= v` writes into the caller's array. `u * v` makes a new one. |
# | "It returned values of dtype float64; float32 was expected" | A list or a loop over `float(...)` makes float64. Arithmetic on the arrays keeps their dtype. |
# | "It should raise ValueError, but it returned an array" | Look at the sum of the weights before you divide by it. |

# %% [markdown]
# ## Questions to think about
#
# **1.** The bat's dot product with itself is 1.45, the cat's with itself is 0.81. Is a cat less like a cat than a bat
# is like a bat?
#
# <details><summary>Answer</summary>
#
# No. The dot product measures two things at once: whether the vectors point in the same direction, and how long they
# are. The bat's vector is longer. Lesson 01 takes the lengths out (cosine).
#
# </details>
#
# **2.** Why should a function raise an error for weights of only zeros, when it could just return zeros?
#
# <details><summary>Answer</summary>
#
# An average of vectors lies between them; zeros may be far from all of them. The mistake that made the weights zero
# would stay hidden and show up much later, somewhere else. (When "nothing may be looked at" is a legal state, as with
# masks in lesson 03, a course-wide rule says what comes out: zero. Here it is not legal.)
#
# </details>

# %% [markdown]
# ### A question for your instructor
#
# Scale all weights by the same positive number: does `weighted_average` change? Scale the query by the same positive
# number: does the blend of section 3 change? Say why, in two or three sentences, for each.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_welcome", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Neither changes. The weights appear once above and once below the fraction line, so a common factor cancels.
# A query that is c times as long has dot products that are c times as large, because the dot product is linear in
# each argument. The scores serve as weights, so the common factor c cancels as before.
# ### END SOLUTION

# %% [markdown]
# ## Recap
#
# - The dot product scores how well two vectors agree: multiply, and sum over the last axis.
# - A weighted average blends values in proportion to weights; only their proportions matter.
# - Score, then blend: that is attention.
#
# **Read.** D. Bahdanau, K. Cho and Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and
# Translate*, 2014, [arXiv:1409.0473](https://arxiv.org/abs/1409.0473): equation (5) is a weighted average of vectors,
# and the paper that started it all.
#
# **Next:** [01 Scoring](../01_scoring/01_scoring.ipynb), six ways to say how well a key answers a query.

# %% tags=["skip-grading"]
progress()
