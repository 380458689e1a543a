"""Checks of lesson 12: beam search, what it scores by, and BLEU."""

import itertools
import math
from collections import Counter

import numpy as np
import torch

from autograder import props
from autograder.exercise import Exercise, Prop, case

# ----------------------------------------------------------------------------------------- length_penalty

length_penalty = Exercise("length_penalty", lesson="12_beam_search")

length_penalty.hints = (
    "It is one line; mind the brackets.",
    "The power is taken of the whole fraction, not of the upper part only.",
    "`((5 + length) / 6) ** alpha`",
)


@length_penalty.reference
def _(length, alpha):
    return math.exp(alpha * (math.log(5 + length) - math.log(6)))


@length_penalty.aspect("values", points=2)
def _(rng):
    yield case("length 1", 1, 0.7).tolerance(1e-6).because("(5 + 1) / 6 is 1, to any power")
    yield case("alpha 0", int(rng.integers(2, 30)), 0.0).tolerance(1e-6).because("with alpha 0 nothing is penalized")
    yield case("alpha 1", int(rng.integers(2, 30)), 1.0).tolerance(1e-6)
    for length in rng.integers(2, 40, size=4).tolist():
        yield case(f"length {length}", length, float(rng.uniform(0.2, 1.5))).tolerance(1e-6)
    yield case("alpha as an int", int(rng.integers(2, 30)), 2).tolerance(1e-6)
    yield case("by name", length=int(rng.integers(2, 30)), alpha=0.6).tolerance(1e-6)


@length_penalty.misconception("the raw length", hint="Not length ** alpha: 5 is added and the sum divided by 6.")
def _(length, alpha):
    return float(length**alpha)


@length_penalty.misconception("the 6 is outside of the power", hint="The power is taken of the fraction.")
def _(length, alpha):
    return (5 + length) ** alpha / 6


@length_penalty.misconception("6 plus length", hint="5 + length in the upper part, 6 in the lower: length 1 gives 1.")
def _(length, alpha):
    return ((6 + length) / 6) ** alpha


@length_penalty.misconception("divided by 5", hint="The lower part is 5 + 1 = 6.")
def _(length, alpha):
    return ((5 + length) / 5) ** alpha


@length_penalty.misconception("times alpha", hint="alpha is a power, not a factor.")
def _(length, alpha):
    return (5 + length) / 6 * alpha


@length_penalty.misconception("alpha is ignored", hint="Raise the fraction to the power alpha.")
def _(length, alpha):
    return (5 + length) / 6


@length_penalty.misconception("a whole division", hint="`/` divides; `//` drops the fraction.")
def _(length, alpha):
    return float(((5 + length) // 6) ** alpha)


@length_penalty.misconception("upside down", hint="(5 + length) is above, 6 below.")
def _(length, alpha):
    return (6 / (5 + length)) ** alpha


@length_penalty.misconception("the logarithm", hint="The penalty itself is wanted: score = log P / penalty.")
def _(length, alpha):
    return alpha * math.log((5 + length) / 6)


@length_penalty.misconception("the arguments in the other order", hint="length comes first.")
def _(length, alpha):
    return ((5 + alpha) / 6) ** length


# --------------------------------------------------------------------------------------- coverage_penalty

coverage_penalty = Exercise("coverage_penalty", lesson="12_beam_search")

coverage_penalty.hints = (
    "How much attention did each source token get in all? That is a sum over the target axis, the first one.",
    "A source token that got 1 or more costs nothing: `.clamp(max=1)` before the logarithm. Then sum over the source.",
    "0 times -inf is NaN: with beta 0 return 0. Otherwise `beta * attention.sum(0).clamp(max=1).log().sum()`.",
)


@coverage_penalty.reference
def _(attention, beta):
    if beta == 0:
        return 0.0
    total = 0.0
    for column in attention.T.tolist():
        got = min(math.fsum(column), 1.0)
        total += math.log(got) if got > 0 else -math.inf
    return beta * total


def looks(rng, targets, sources, dtype="float64"):
    """Attention weights, rows that sum to 1."""
    weights = rng.dirichlet(np.full(sources, 0.7), size=targets) + 1e-3
    return torch.tensor(weights / weights.sum(1, keepdims=True), dtype=getattr(torch, dtype))


@coverage_penalty.aspect("values", points=2)
def _(rng):
    beta = float(rng.uniform(0.1, 0.9))
    yield case("three words, four source tokens", looks(rng, 3, 4), beta).because("a sum above 1 counts as 1")
    yield case("as many words as source tokens", looks(rng, 4, 4), beta)
    yield case("more words than source tokens", looks(rng, 9, 3), beta)
    yield case("one word", looks(rng, 1, 5), beta)
    yield case("one source token", looks(rng, 3, 1), beta).because("it got 3, which counts as 1, and log 1 is 0")
    yield case("everything covered", torch.eye(4, dtype=torch.float64)[rng.permutation(4)], beta)
    yield case("beta 1", looks(rng, 3, 6), 1.0)
    yield case("a large beta", looks(rng, 2, 6), 7.0)
    yield case("weights that do not add up to 1", 0.3 * looks(rng, 3, 4), beta)
    yield case("by name", attention=looks(rng, 3, 5), beta=0.2)
    yield case("float32", looks(rng, 3, 5, "float32"), 0.5)


@coverage_penalty.aspect("a source token that got nothing", points=1)
def _(rng):
    empty = looks(rng, 3, 4)
    empty[:, int(rng.integers(4))] = 0.0
    yield case("beta above 0", empty, 0.2).because("log 0 is -inf: what was never looked at is never translated")
    yield case("beta 0", empty, 0.0).because("with beta 0 coverage does not count, and 0 times -inf would be NaN")
    yield case("beta 0, nothing empty", looks(rng, 3, 4), 0.0)
    yield case("beta 0 as an int", empty, 0)
    yield case("all zeros", torch.zeros(2, 3, dtype=torch.float64), 0.5)
    yield case("a little is not nothing", torch.full((2, 3), 1e-30, dtype=torch.float64), 0.5)


@coverage_penalty.misconception("the sum over the source", hint="Sum over the target axis first: `attention.sum(0)`.")
def _(attention, beta):
    return beta * attention.sum(1).clamp(max=1).log().sum() if beta else 0.0


@coverage_penalty.misconception("no limit at 1", hint="min(sum, 1): more than full attention earns nothing extra.")
def _(attention, beta):
    return beta * attention.sum(0).log().sum() if beta else 0.0


@coverage_penalty.misconception("the logarithm of every weight", hint="One logarithm for each source token.")
def _(attention, beta):
    return beta * attention.log().sum() if beta else 0.0


@coverage_penalty.misconception("at least 1 instead of at most 1", hint="`min(sum, 1)` is `.clamp(max=1)`.")
def _(attention, beta):
    return beta * attention.sum(0).clamp(min=1).log().sum()


@coverage_penalty.misconception("no logarithm", hint="The logarithm of each covered share is summed.")
def _(attention, beta):
    return beta * attention.sum(0).clamp(max=1).sum()


@coverage_penalty.misconception("the mean over the source", hint="A sum over source tokens, not a mean.")
def _(attention, beta):
    return beta * attention.sum(0).clamp(max=1).log().mean() if beta else 0.0


@coverage_penalty.misconception("the mean over the target", hint="Sum the weights over the target: a mean is never 1.")
def _(attention, beta):
    return beta * attention.mean(0).clamp(max=1).log().sum() if beta else 0.0


@coverage_penalty.misconception("the sign turned around", hint="The penalty is at most 0: it is added to the score.")
def _(attention, beta):
    return -beta * attention.sum(0).clamp(max=1).log().sum() if beta else 0.0


@coverage_penalty.misconception("beta is ignored", hint="Multiply by beta.")
def _(attention, beta):
    return attention.sum(0).clamp(max=1).log().sum() if beta else 0.0


@coverage_penalty.misconception("NaN at beta 0", hint="0 times -inf is NaN. With beta 0 the penalty is 0.")
def _(attention, beta):
    return beta * attention.sum(0).clamp(max=1).log().sum()


@coverage_penalty.misconception(
    "a small number instead of nothing", hint="A source token that got nothing costs -inf: no clamp from below."
)
def _(attention, beta):
    return beta * attention.sum(0).clamp(1e-9, 1).log().sum()


# ---------------------------------------------------------------------------------------------- beam_step

beam_step = Exercise("beam_step", lesson="12_beam_search", returns=("scores", "beam_index", "token"), seconds=10.0)

beam_step.hints = (
    "There are K * V ways to go on. Give each its score first: the hypothesis' so far plus that of the token. Which "
    "axis must `scores` get so that it is added to its own row?",
    "`torch.topk` on the flattened `(K * V,)`, with k = min(beam_size, K * V), gives scores and places, best first.",
    "A place is beam * V + token: `beam_index = place // V`, `token = place % V`.",
)


@beam_step.reference
def _(log_probs, scores, beam_size):
    """All ways to go on as a sorted list."""
    ways = [
        (float(scores[k] + log_probs[k, v]), -k, -v)
        for k in range(log_probs.shape[0])
        for v in range(log_probs.shape[1])
    ]
    best = sorted(ways, reverse=True)[:beam_size]
    totals, beams, tokens = zip(*best)
    return torch.tensor(totals, dtype=scores.dtype), -torch.tensor(beams), -torch.tensor(tokens)


def consistent(case, value):
    """Where scores tie, any order will do: each place must have its score, and none may come twice."""
    given = {**dict(zip(("log_probs", "scores", "beam_size"), case.args)), **case.kwargs}
    log_probs, before, size = given["log_probs"].numpy(), given["scores"].numpy(), given["beam_size"]
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return "It did not return (scores, beam_index, token)."
    scores, beams, tokens = value
    ways = before[:, None] + log_probs
    count = min(size, ways.size)
    if any(getattr(part, "shape", None) != (count,) for part in value):
        return "Each of the three has one entry for each of the min(beam_size, K * V) best."
    if scores.dtype != ways.dtype or beams.dtype != np.int64 or tokens.dtype != np.int64:
        return "The scores have the dtype of the inputs, beam_index and token are int64."
    best = np.sort(ways.ravel())[::-1][:count]
    rtol = 1e-5 if ways.dtype == np.float32 else 1e-10
    if not np.allclose(scores, best, rtol=rtol, atol=rtol):
        return "The scores are not the best ones, best first."
    if min(beams.min(), tokens.min()) < 0 or beams.max() >= ways.shape[0] or tokens.max() >= ways.shape[1]:
        return "There is no such beam or token."
    if not np.allclose(ways[beams, tokens], scores, rtol=rtol, atol=rtol):
        return "A score is not that of its beam and token."
    if len(set(zip(beams.tolist(), tokens.tolist()))) != count:
        return "The same beam and token come twice."
    return None


def ways_on(rng, beams, words, dtype="float64"):
    """log_probs (K, V) and scores (K,), in no order."""
    log_probs = torch.tensor(1.5 * rng.normal(size=(beams, words)), dtype=getattr(torch, dtype)).log_softmax(-1)
    return log_probs, torch.tensor(-rng.gamma(2.0, 0.7, size=beams), dtype=log_probs.dtype)


@beam_step.aspect("values", points=2)
def _(rng):
    yield case("three beams, five words", *ways_on(rng, 3, 5), 3)
    yield case("as many beams as words", *ways_on(rng, 4, 4), 4)
    yield case("more beams than words", *ways_on(rng, 6, 3), 6)
    yield case("many words", *ways_on(rng, 4, 50), 4)
    log_probs, scores = ways_on(rng, 3, 6)
    scores[:] = torch.tensor([-9.0, -0.1, -8.0])[rng.permutation(3)].double()
    yield case("one beam is far ahead", log_probs, scores, 3).because("all of the best may come from one beam")
    log_probs, scores = ways_on(rng, 3, 6)
    log_probs[:, 1:] -= 12.0
    yield case("one word is far ahead", log_probs.log_softmax(-1), scores, 3)
    yield case("scores near -300", log_probs, scores - 300.0, 4).because("scores are logarithms: exp would give 0")
    log_probs, scores = ways_on(rng, 2, 5)
    yield case("by name", log_probs=log_probs, scores=scores, beam_size=2)
    yield case("scores above zero", log_probs, scores + 5.0, 3).because("only their sum with log_probs matters")


@beam_step.aspect("other numbers of beams", points=1)
def _(rng):
    yield case("the first step: one beam", *ways_on(rng, 1, 6), 3)
    yield case("fewer are wanted than there are", *ways_on(rng, 5, 4), 2)
    yield case("only the best is wanted", *ways_on(rng, 3, 4), 1)
    yield case("more are wanted than there are beams", *ways_on(rng, 2, 5), 7)
    yield case("more are wanted than there are words", *ways_on(rng, 3, 4), 9)
    yield case("all are wanted", *ways_on(rng, 3, 4), 12)
    yield case("more are wanted than exist", *ways_on(rng, 2, 3), 10).because("there are only K * V = 6 ways to go on")
    yield case("one beam, more than exist", *ways_on(rng, 1, 4), 6)
    yield case("one word", *ways_on(rng, 3, 1), 2)
    yield case("one of each", *ways_on(rng, 1, 1), 4)


@beam_step.aspect("probability zero, ties", points=1)
def _(rng):
    log_probs, scores = ways_on(rng, 3, 4)
    scores[int(rng.integers(3))] = -torch.inf
    yield case("a beam of probability zero", log_probs, scores, 3)
    log_probs, scores = ways_on(rng, 2, 4)
    log_probs[0, 1:] = log_probs[1, :2] = -torch.inf
    yield case("words of probability zero", log_probs, scores, 3)
    yield (
        case("too few of a probability above zero", log_probs, scores, 6)
        .judged_by(consistent)
        .because("min(beam_size, K * V) come back, with a score of -inf where nothing better is left")
    )
    level = torch.full((2, 3), -math.log(3.0), dtype=torch.float64)
    yield case("equal scores", level, torch.zeros(2).double(), 4).judged_by(consistent)
    yield case("equal scores in one beam", level, torch.tensor([-1.0, -9.0]).double(), 3).judged_by(consistent)


@beam_step.aspect("dtype and purity", points=1, purity=True)
def _(rng):
    yield case("float32", *ways_on(rng, 3, 5, "float32"), 4)
    yield case("float32, more than exist", *ways_on(rng, 2, 2, "float32"), 5)
    yield case("float64, the same shape", *ways_on(rng, 3, 5), 4)


def chosen(ways, beam_size):
    """The right thing, for the misconceptions: best first of (K, V)."""
    best, places = ways.flatten().topk(min(beam_size, ways.numel()))
    return best, places // ways.shape[1], places % ways.shape[1]


@beam_step.misconception("the scores so far are left out", hint="Add to each row the score of its hypothesis.")
def _(log_probs, scores, beam_size):
    return chosen(log_probs, beam_size)


@beam_step.misconception(
    "the scores are only used to choose", hint="Return the new scores: those so far plus the token's."
)
def _(log_probs, scores, beam_size):
    _, beams, tokens = chosen(log_probs + scores[:, None], beam_size)
    return log_probs[beams, tokens], beams, tokens


@beam_step.misconception("logarithms multiplied", hint="Probabilities are multiplied, and so logarithms are *added*.")
def _(log_probs, scores, beam_size):
    return chosen(log_probs * scores[:, None], beam_size)


@beam_step.misconception(
    "probabilities added", hint="P(hypothesis and token) is the product of the two; its logarithm is the sum of theirs."
)
def _(log_probs, scores, beam_size):
    return chosen((log_probs.exp() + scores.exp()[:, None]).log(), beam_size)


@beam_step.misconception(
    "a detour by probabilities", hint="exp(-800) is 0 in a computer. Stay with logarithms and add."
)
def _(log_probs, scores, beam_size):
    best, beams, tokens = chosen(log_probs.float().exp() * scores.float().exp()[:, None], beam_size)
    return best.log().to(scores.dtype), beams, tokens


@beam_step.misconception(
    "the scores are added to the columns",
    hint="`scores` belong to the rows: `scores[:, None] + log_probs`. Without that axis they are added to the words.",
)
def _(log_probs, scores, beam_size):
    return chosen(log_probs + scores, beam_size)


@beam_step.misconception("divided by K", hint="A place in the flat `(K * V,)` is beam * V + token: divide by V.")
def _(log_probs, scores, beam_size):
    ways = log_probs + scores[:, None]
    best, places = ways.flatten().topk(min(beam_size, ways.numel()))
    return best, places // len(scores), places % len(scores)


@beam_step.misconception("beam and token swapped", hint="Return (scores, beam_index, token), in this order.")
def _(log_probs, scores, beam_size):
    best, beams, tokens = chosen(log_probs + scores[:, None], beam_size)
    return best, tokens, beams


@beam_step.misconception("the place instead of the token", hint="The token is the place modulo V.")
def _(log_probs, scores, beam_size):
    best, beams, tokens = chosen(log_probs + scores[:, None], beam_size)
    return best, beams, tokens + beams * log_probs.shape[1]


@beam_step.misconception(
    "the best of each beam", hint="All K * V ways compete: the best two may come from one beam, and none from another."
)
def _(log_probs, scores, beam_size):
    best, tokens = (log_probs + scores[:, None]).max(-1)
    best, beams = best.topk(min(beam_size, len(best)))
    return best, beams, tokens[beams]


@beam_step.misconception("worst first", hint="The best come first: `topk`, or sort with `descending=True`.")
def _(log_probs, scores, beam_size):
    return tuple(part.flip(0) for part in chosen(log_probs + scores[:, None], beam_size))


@beam_step.misconception("the worst are kept", hint="A larger logarithm is a larger probability: keep the largest.")
def _(log_probs, scores, beam_size):
    worst, beams, tokens = chosen(-(log_probs + scores[:, None]), beam_size)
    return -worst, beams, tokens


@beam_step.misconception("sorted by beam", hint="Best first, from whichever beam they come.")
def _(log_probs, scores, beam_size):
    best, beams, tokens = chosen(log_probs + scores[:, None], beam_size)
    order = (beams * log_probs.shape[1] + tokens).argsort()
    return best[order], beams[order], tokens[order]


@beam_step.misconception("never more than V", hint="There are K * V ways to go on, so k = min(beam_size, K * V).")
def _(log_probs, scores, beam_size):
    return chosen(log_probs + scores[:, None], min(beam_size, log_probs.shape[1]))


@beam_step.misconception(
    "never more than K", hint="In the first step there is one beam, and beam_size of its words are wanted."
)
def _(log_probs, scores, beam_size):
    return chosen(log_probs + scores[:, None], min(beam_size, log_probs.shape[0]))


@beam_step.misconception(
    "topk with more than there is", hint="`topk` fails if k is larger than K * V: take k = min(beam_size, K * V)."
)
def _(log_probs, scores, beam_size):
    ways = log_probs + scores[:, None]
    best, places = ways.flatten().topk(beam_size)
    return best, places // ways.shape[1], places % ways.shape[1]


@beam_step.misconception("always float32", hint="Keep the dtype of the inputs.")
def _(log_probs, scores, beam_size):
    return chosen((log_probs + scores[:, None]).float(), beam_size)


@beam_step.misconception("the input is changed", hint="`log_probs += ...` changes the caller's tensor: make a new one.")
def _(log_probs, scores, beam_size):
    log_probs += scores[:, None]
    return chosen(log_probs, beam_size)


@beam_step.misconception(
    "log_probs are normalized again", hint="They are log-probabilities already, and need not sum to one here."
)
def _(log_probs, scores, beam_size):
    return chosen((log_probs + scores[:, None]).flatten().log_softmax(0).reshape(log_probs.shape), beam_size)


@beam_step.misconception(
    "what has probability zero is dropped", hint="min(beam_size, K * V) come back, even if some score -inf."
)
def _(log_probs, scores, beam_size):
    best, beams, tokens = chosen(log_probs + scores[:, None], beam_size)
    alive = best > -torch.inf
    return best[alive], beams[alive], tokens[alive]


# -------------------------------------------------------------------------------------------- beam_search

beam_search = Exercise("beam_search", lesson="12_beam_search", seconds=10.0)

beam_search.hints = (
    "Get beam_size 1 right first: it must be greedy. Then keep, for each hypothesis: its tokens, its log P, whether it "
    "is finished, and its row of the state.",
    "After choosing, everything follows its hypothesis: tokens, finished flags and every tensor of the state, by "
    "`tensor[beam_index]`. For tuples in tuples write a small function that calls itself.",
    "A finished hypothesis competes by its log P, unchanged: give it exactly one way to go on, `log_probs[finished] = "
    "-inf; log_probs[finished, eos_id] = 0`, and do not append a token to it.",
    "The length penalty comes last: `score = log_p / length_penalty(len(tokens), alpha)`, drop what is -inf, sort.",
)


@beam_search.reference
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0, apart=None):
    """Each hypothesis by itself, with a state of its own. apart: None is returned where two competing scores are
    nearer than this."""

    def too_near(scores):
        return apart is not None and any(a - b < apart for a, b in itertools.pairwise(scores))

    kept = [([], 0.0, state)]
    for _ in range(max_len):
        if all(tokens and tokens[-1] == eos_id for tokens, _, _ in kept):
            break
        pool = []
        for tokens, log_p, own in kept:
            if tokens and tokens[-1] == eos_id:
                pool.append((tokens, log_p, own))
                continue
            log_probs, after = step(torch.tensor(tokens[-1:] or [bos_id]), own)
            more = [log_p + float(x) for x in log_probs[0]]
            pool += [([*tokens, v], total, after) for v, total in enumerate(more) if total > -math.inf]
        pool.sort(key=lambda hypothesis: hypothesis[1], reverse=True)
        if too_near([log_p for _, log_p, _ in pool[: beam_size + 1]]):
            return None
        kept = pool[:beam_size]
    found = [(tokens, log_p / ((5 + len(tokens)) / 6) ** alpha) for tokens, log_p, _ in kept]
    found.sort(key=lambda pair: pair[1], reverse=True)
    return None if too_near([score for _, score in found]) else found


@beam_search.property
def tokens_are_ints(case, value):
    if all(type(token) is int or isinstance(token, np.integer) for tokens, _ in value for token in tokens):
        return None
    return "The tokens are no ints: a tensor's numbers come out with `.tolist()` or `int(...)`."


ROWS = 23
APART = 1e-4


def searching(rng, beam_size, max_len, alpha=None, *, wanted=lambda found: True, **options):
    """A step, a state of one row, bos_id, eos_id, beam_size, max_len and perhaps alpha: drawn again until no two
    hypotheses that compete have (nearly) the same score, since ties are left open, and what comes out is as wanted."""
    last = () if alpha is None else (alpha,)
    while True:
        args = *drawn(rng, **options), beam_size, max_len, *last
        table = args[0].data["table"].double()
        found = beam_search.oracle(props.build(Prop("history_step", table=table)), *args[1:], apart=APART)
        if found and wanted(found):
            return args


def drawn(rng, state="tensor", vocab_size=6, bos_id=1, eos_id=2, ends=0.5, dtype="float64", rows=ROWS, zero=0.0):
    """A step, its first state, bos_id and eos_id. ends: how much eos is favored. zero: the share of impossible words,
    the most probable one always being possible."""
    logits = 1.3 * rng.normal(size=(rows, vocab_size, vocab_size))
    logits[..., eos_id] += ends
    impossible = (rng.random(logits.shape) < zero) & (logits < logits.max(-1, keepdims=True))
    table = torch.tensor(np.where(impossible, -np.inf, logits)).log_softmax(-1).to(getattr(torch, dtype))
    return Prop("history_step", table=table), start(rng, state, table.dtype), bos_id, eos_id


def start(rng, kind, dtype):
    """The state before the first step, first axis 1."""
    a, b, c, d = (torch.tensor(rng.integers(0, ROWS, size=(1, *shape))) for shape in ((), (), (2,), (2, 3)))
    kinds = {
        "tensor": a,
        "matrix": c,
        "cube": d.to(dtype),
        "floats": c.to(dtype),
        "tuple": (a, b),
        "one": (c,),
        "three": (a, c.to(dtype), d),
        "nested": ((a, (b.to(dtype), d)), c),
        "deep": (((c,), a), b),
    }
    return kinds[kind]


@beam_search.aspect("tokens and scores", points=2)
def _(rng):
    yield case("a beam of two", *searching(rng, 2, 8))
    yield case("a beam of three", *searching(rng, 3, 8))
    yield case("a beam of four", *searching(rng, 4, 10))
    yield case("other bos and eos", *searching(rng, 3, 8, bos_id=4, eos_id=0))
    yield case("bos and eos are the last words", *searching(rng, 3, 8, bos_id=5, eos_id=4))
    yield case("bos and eos are the same", *searching(rng, 3, 8, bos_id=2, eos_id=2)).because(
        "bos is only read; the eos that a hypothesis says ends it"
    )
    yield case("hypotheses that end late", *searching(rng, 3, 14, ends=-1.0))
    yield case("hypotheses that end soon", *searching(rng, 4, 8, ends=2.0)).because(
        "a finished hypothesis competes, unchanged, with what the others become"
    )
    step, state, bos_id, eos_id, beam_size, max_len = searching(rng, 3, 7)
    keywords = {"bos_id": bos_id, "eos_id": eos_id, "beam_size": beam_size, "max_len": max_len, "alpha": 0.5}
    yield case("by name", step, state, **keywords)
    yield case("many words", *searching(rng, 5, 8, vocab_size=30, ends=1.5, rows=5))
    for number in range(4):
        yield case(f"a longer search, {number + 1}", *searching(rng, 4, 12, ends=0.3))


@beam_search.aspect("narrow and wide", points=1)
def _(rng):
    for state in ("tensor", "tuple"):
        yield case(f"beam_size 1, {state}", *searching(rng, 1, 8, state=state)).because("a beam of one is greedy")
    yield case("more beams than words", *searching(rng, 7, 6, vocab_size=4))
    yield case(
        "more beams than there are hypotheses", *searching(rng, 50, 3, vocab_size=3, ends=0.0, rows=199)
    ).because("with a beam as wide as the space it is exact")
    yield case("all hypotheses", *searching(rng, 200, 4, vocab_size=4, ends=0.0, rows=499))
    yield case("two words", *searching(rng, 3, 6, vocab_size=2, bos_id=0, eos_id=1))


@beam_search.aspect("the end", points=2)
def _(rng):
    yield case("max_len 1", *searching(rng, 3, 1)).because("there are max_len tokens, bos not counted")
    yield case("max_len 2", *searching(rng, 3, 2))
    late = searching(rng, 3, 5, ends=-0.5, wanted=lambda found: {t[-1] == 2 for t, _ in found} == {True, False})
    yield case("some are not finished", *late).because("after max_len tokens all kept hypotheses are returned")
    yield case("none is finished", *searching(rng, 3, 4, ends=-40.0))
    soon = searching(rng, 3, 12, ends=1.5, wanted=lambda found: len({len(t) for t, _ in found}) == 3)
    yield case("finished at different times", *soon).because("it goes on until all kept hypotheses are finished")
    at_once = searching(rng, 4, 9, ends=0.8, wanted=lambda found: {1, 4} <= {min(len(t), 4) for t, _ in found})
    yield case("one is finished at once", *at_once).because("[eos] is a hypothesis like any other")
    for number in range(3):
        yield case(f"cut in the middle, {number + 1}", *searching(rng, 4, 4 + number, ends=0.2))


@beam_search.aspect("the state follows its hypothesis", points=2)
def _(rng):
    yield case("a matrix", *searching(rng, 3, 8, state="matrix"))
    yield case("floating, three axes", *searching(rng, 3, 8, state="cube"))
    yield case("a tuple of tensors", *searching(rng, 3, 8, state="tuple"))
    yield case("a tuple of one", *searching(rng, 3, 8, state="one"))
    yield case("a tuple of three", *searching(rng, 4, 8, state="three"))
    yield case("tuples in a tuple", *searching(rng, 3, 8, state="nested"))
    yield case("tuples in the first place", *searching(rng, 4, 8, state="deep"))
    for state in ("tensor", "tuple", "nested"):
        yield case(f"a longer search, {state}", *searching(rng, 4, 12, state=state, ends=0.0))


@beam_search.aspect("the length penalty", points=1)
def _(rng):
    yield case("alpha 0, given", *searching(rng, 3, 8, 0.0))
    yield case("alpha 0.6", *searching(rng, 3, 10, 0.6))
    yield case("alpha 1, by name", *searching(rng, 4, 10), alpha=1.0)
    alpha = float(rng.uniform(1.5, 2.5))

    def reordered(found):
        sums = [score * ((5 + len(tokens)) / 6) ** alpha for tokens, score in found]
        return sums != sorted(sums, reverse=True)

    for number in range(3):
        args = searching(rng, 4, 10, alpha, ends=0.6, wanted=reordered)
        yield case(f"the penalty changes the order, {number + 1}", *args).because(
            "hypotheses are kept by log P, and in the end sorted by log P / length penalty"
        )
    yield case("not all are finished", *searching(rng, 4, 4, 1.5, ends=-0.5))


@beam_search.aspect("probability zero", points=1)
def _(rng):
    reason = "a hypothesis of probability zero is never returned, even if fewer than beam_size are left"
    yield case("one way only", *searching(rng, 3, 5, zero=1.0)).because(reason)
    yield case("one way only, with a tuple", *searching(rng, 4, 4, 0.7, zero=1.0, state="tuple")).because(reason)
    few = searching(rng, 6, 4, zero=0.8, ends=0.0, wanted=lambda found: 1 < len(found) < 6)
    yield case("fewer ways than beams", *few).because(reason)
    yield case("some words are impossible", *searching(rng, 3, 8, zero=0.4)).because(reason)
    yield case("a word that is almost impossible", *searching(rng, 40, 2, ends=-900.0, rows=199)).because(
        "a small probability is not zero"
    )


@beam_search.aspect("dtype and purity", points=1, purity=True)
def _(rng):
    yield case("float32", *searching(rng, 3, 8, dtype="float32")).tolerance(1e-5)
    yield case("float32, a tuple", *searching(rng, 3, 8, dtype="float32", state="three"), 1.0).tolerance(1e-5)
    yield case("float64", *searching(rng, 3, 8))


def pick(state, index):
    """The rows of every tensor in a state."""
    return tuple(pick(item, index) for item in state) if isinstance(state, tuple) else state[index]


def extensions(tokens, log_p, row, eos_id, finished):
    """(log P, tokens) of all that a hypothesis can become; finished says what happens after an eos."""
    if tokens[-1:] == [eos_id] and finished != "grow":
        grown = [*tokens, eos_id] if finished == "padded" else tokens
        return [(log_p + row[eos_id] if finished == "charged" else log_p, grown)]
    ways = [(log_p + x, [*tokens, v]) for v, x in enumerate(row)]
    return [max(ways)] if finished == "one each" and tokens else ways


def search(
    step,
    state,
    bos_id,
    eos_id,
    beam_size,
    max_len,
    *,
    finished="compete",
    follow=pick,
    carry=True,
    stop=all,
    worth=lambda log_p, tokens: log_p,
    impossible=False,
    copies=1,
):
    """Beam search with one thing changed: the kept hypotheses as (tokens, log P)."""
    first, kept, aside = state, [([], 0.0)] * copies, []
    for _ in range(max_len):
        rows = torch.zeros(len(kept), dtype=torch.int64) if not carry or not kept[0][0] else None
        state = state if rows is None else pick(first, rows)
        last = torch.tensor([(tokens or [bos_id])[-1] for tokens, _ in kept])
        log_probs, state = step(last, state)
        pool = [
            (log_p, tokens, beam)
            for beam, ((old, before), row) in enumerate(zip(kept, log_probs.tolist()))
            for log_p, tokens in extensions(old, before, row, eos_id, finished)
            if impossible or log_p > -math.inf
        ]
        pool.sort(key=lambda way: worth(way[0], way[1]), reverse=True)
        if finished == "aside":
            aside += [(tokens, log_p) for log_p, tokens, _ in pool[:beam_size] if tokens[-1] == eos_id]
            pool = [way for way in pool if way[1][-1] != eos_id][:beam_size]
        elif finished == "narrower":
            pool = pool[: beam_size - len(aside)]
            aside += [(tokens, log_p) for log_p, tokens, _ in pool if tokens[-1] == eos_id]
            pool = [way for way in pool if way[1][-1] != eos_id]
        kept = [(tokens, log_p) for log_p, tokens, _ in pool[:beam_size]]
        if len(aside) >= beam_size or not kept or (stop and stop(tokens[-1] == eos_id for tokens, _ in kept)):
            break
        state = follow(state, torch.tensor([beam for *_, beam in pool[:beam_size]]))
    return aside + kept if len(aside) < beam_size else aside


def scored(kept, alpha, length=len, sort=True):
    """(tokens, log P / length penalty), best first."""
    found = [(tokens, log_p / ((5 + length(tokens)) / 6) ** alpha) for tokens, log_p in kept]
    return sorted(found, key=lambda pair: pair[1], reverse=True) if sort else found


def wrong_search(name, hint, **options):
    """A misconception: `search` with these options."""

    @beam_search.misconception(name, hint)
    def wrong(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
        return scored(search(step, state, bos_id, eos_id, beam_size, max_len, **options), alpha)[:beam_size]


def stays(state, index):
    """The rows keep their places, as many as are needed."""
    if isinstance(state, tuple):
        return tuple(stays(item, index) for item in state)
    return state[torch.arange(len(index)).clamp(max=len(state) - 1)]


def first_follows(state, index):
    return (pick(state[0], index), *stays(state[1:], index)) if isinstance(state, tuple) else state[index]


def flat_follows(state, index):
    return tuple(item[index] for item in state) if isinstance(state, tuple) else state[index]


wrong_search(
    "the state does not follow its hypothesis",
    "Row i of the state must be that of the hypothesis which i continues: index every tensor by beam_index.",
    follow=stays,
)
wrong_search(
    "only the first tensor of the state follows",
    "A state may be a tuple: index *every* tensor in it by beam_index.",
    follow=first_follows,
)
wrong_search(
    "tuples in tuples are not expected",
    "A state may be a tuple that holds tuples: a small function that calls itself goes down to the tensors.",
    follow=flat_follows,
)
wrong_search("every step starts from the first state", "Hand on the state that the step returned.", carry=False)
wrong_search(
    "finished hypotheses keep growing",
    "After its eos a hypothesis is finished: nothing is added to it any more.",
    finished="grow",
)
wrong_search(
    "finished hypotheses are filled with eos",
    "A finished hypothesis stays as it is, with one eos at its end.",
    finished="padded",
)
wrong_search(
    "finished hypotheses pay on",
    "A finished hypothesis keeps its log P: add 0, not the model's log-probability of eos after eos.",
    finished="charged",
)
wrong_search(
    "finished hypotheses are set aside",
    "A finished hypothesis keeps its place in the beam, and competes there with the extensions of the others.",
    finished="aside",
)
wrong_search(
    "finished hypotheses make the beam narrower",
    "A finished hypothesis competes at every step: extensions that are more probable push it out of the beam.",
    finished="narrower",
)
wrong_search(
    "each hypothesis takes its best word",
    "All extensions of all hypotheses compete: two of the best may come from the same hypothesis.",
    finished="one each",
)
wrong_search("it stops at the first eos", "Go on until *all* kept hypotheses are finished.", stop=any)
wrong_search(
    "the beam starts with copies",
    "At first there is one hypothesis, not beam_size equal ones: they would stay equal for ever. Start with one row, "
    "or give the others a score of -inf.",
    copies=3,
)
wrong_search(
    "hypotheses of probability zero",
    "What has a log P of -inf is never returned, even if fewer than beam_size are left.",
    impossible=True,
)
wrong_search("the worst are kept", "The most probable are kept: the largest log P.", worth=lambda log_p, tokens: -log_p)
wrong_search(
    "the mean log-probability decides",
    "The most probable are kept, by the sum of the log-probabilities. The length comes in only at the end.",
    worth=lambda log_p, tokens: log_p / len(tokens),
)


@beam_search.misconception(
    "the penalty decides which are kept",
    hint="During the search the most probable are kept, by log P alone. The penalty comes last.",
)
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    worth = lambda log_p, tokens: log_p / ((5 + len(tokens)) / 6) ** alpha  # noqa: E731
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len, worth=worth), alpha)


@beam_search.misconception("the raw length as penalty", hint="Divide by ((5 + length) / 6) ** alpha.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    kept = search(step, state, bos_id, eos_id, beam_size, max_len)
    return scored(kept, alpha, length=lambda tokens: 6 * len(tokens) - 5)


@beam_search.misconception("the score is not normalized", hint="The score is log P / length_penalty(length, alpha).")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len), 0.0)


@beam_search.misconception("sorted by log P", hint="Sort by the score: after the division, not before.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha, sort=False)


@beam_search.misconception("multiplied by the penalty", hint="The score is log P *divided* by the length penalty.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len), -alpha)


@beam_search.misconception("bos counts in the length", hint="length = len(tokens), and bos is not among them.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha, length=lambda tokens: len(tokens) + 1)


@beam_search.misconception("the eos does not count in the length", hint="length = len(tokens), the eos included.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    kept = search(step, state, bos_id, eos_id, beam_size, max_len)
    return scored(kept, alpha, length=lambda tokens: len(tokens) - (tokens[-1] == eos_id))


@beam_search.misconception("the eos is cut off", hint="tokens include the eos that ended them.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return [(tokens[:-1] if tokens[-1] == eos_id else tokens, score) for tokens, score in found]


@beam_search.misconception("bos is part of the tokens", hint="tokens start after bos, which is only read.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return [([bos_id, *tokens], score) for tokens, score in found]


@beam_search.misconception("tokens as tensors", hint="tokens are ints: `.tolist()` makes them of a tensor.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return [([torch.tensor(token) for token in tokens], score) for tokens, score in found]


@beam_search.misconception("one tensor of tokens", hint="tokens are a list of ints: `.tolist()` makes it of a tensor.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return [(torch.tensor(tokens), score) for tokens, score in found]


@beam_search.misconception("the best only", hint="Return all kept hypotheses, as a list of (tokens, score).")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)[:1]


@beam_search.misconception("the best pair without a list", hint="Return a list of (tokens, score), best first.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)[0]


@beam_search.misconception(
    "the unfinished are left out", hint="After max_len tokens all kept hypotheses are returned, finished or not."
)
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return [pair for pair in found if pair[0][-1] == eos_id]


@beam_search.misconception("the finished come first", hint="Best score first, whether finished or not.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return sorted(found, key=lambda pair: pair[0][-1] != eos_id)


@beam_search.misconception("worst first", hint="Best first: sort with `reverse=True`.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)[::-1]


@beam_search.misconception("the score first", hint="Each pair is (tokens, score).")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return [pair[::-1] for pair in scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)]


@beam_search.misconception("probabilities as scores", hint="The score is log P / length penalty, a logarithm.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return [(tokens, math.exp(score)) for tokens, score in found]


@beam_search.misconception("the sign of the score turned around", hint="The score is log P / penalty, at most 0.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    found = scored(search(step, state, bos_id, eos_id, beam_size, max_len), alpha)
    return [(tokens, -score) for tokens, score in found]


@beam_search.misconception("one step too few", hint="max_len tokens may be said, and bos is not one of them.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max(1, max_len - 1)), alpha)


@beam_search.misconception("one step too many", hint="At most max_len tokens, not max_len + 1.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, eos_id, beam_size, max_len + 1), alpha)


@beam_search.misconception("eos is always 2", hint="Compare with eos_id.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, bos_id, 2, beam_size, max_len), alpha)


@beam_search.misconception("bos is always 1", hint="Start with bos_id.")
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    return scored(search(step, state, 1, eos_id, beam_size, max_len), alpha)


@beam_search.misconception(
    "a beam as wide as the vocabulary at most", hint="beam_size may be larger than V: k = min(beam_size, K * V)."
)
def _(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    size = beam_size

    def watching(tokens, state):
        nonlocal size
        log_probs, state = step(tokens, state)
        size = min(beam_size, log_probs.shape[1])
        return log_probs, state

    watching(torch.tensor([bos_id]), state)
    return scored(search(watching, state, bos_id, eos_id, size, max_len), alpha)


# --------------------------------------------------------------------------------------------------- bleu

bleu = Exercise("bleu", lesson="12_beam_search")

bleu.hints = (
    "Corpus BLEU adds up first and divides last: over all sentences, matches and counts for each order, and two "
    "lengths. Only then come the precisions.",
    "`Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))` counts n-grams. For the references take "
    "the larger count of each n-gram: `Counter | Counter`; clip with `Counter & Counter`.",
    "The reference length: `min((abs(len(r) - len(h)), len(r)) for r in refs)[1]`. It takes the closest, the shorter "
    "on a tie.",
    "`brevity = 1 if c >= r else exp(1 - r / c)`; the answer is `100 * brevity * exp(mean(log(matches / total)))`, and "
    "0.0 as soon as an order has no match.",
)


def ngrams(tokens, n):
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


@bleu.reference
def _(hypotheses, references, max_n=4):
    """From Papineni et al. (2002), with plain counting."""
    precisions = []
    for n in range(1, max_n + 1):
        matched = total = 0
        for hypothesis, several in zip(hypotheses, references):
            found = ngrams(hypothesis, n)
            total += len(found)
            for gram in set(found):
                allowed = max(ngrams(reference, n).count(gram) for reference in several)
                matched += min(found.count(gram), allowed)
        if matched == 0:
            return 0.0
        precisions.append(matched / total)
    length = sum(len(hypothesis) for hypothesis in hypotheses)
    closest = sum(
        sorted((abs(len(r) - len(h)), len(r)) for r in several)[0][1] for h, several in zip(hypotheses, references)
    )
    brevity = 1.0 if length >= closest else math.exp(1.0 - closest / length)
    return 100.0 * brevity * math.prod(precisions) ** (1.0 / max_n)


WORDS = "the a cat dog sat on mat red ran to big and".split()


def translations(rng, n, references=1, lengths=(5, 12), noise=0.25, lean=0):
    """n hypotheses and their references: a sentence, and others that differ from it here and there. lean: how much
    longer (or, below 0, shorter) than the hypotheses the references are."""
    hypotheses, all_references = [], []
    for _ in range(n):
        # Few words, so that n-grams are repeated.
        sentence = rng.choice(WORDS[: int(rng.integers(4, 12))], size=int(rng.integers(*lengths))).tolist()
        hypotheses.append(sentence)
        all_references.append([])
        for _ in range(references):
            other = [str(rng.choice(WORDS)) if rng.random() < noise else word for word in sentence]
            extra = lean + int(rng.integers(-1, 2))
            other = other[:extra] if extra < 0 else other + rng.choice(WORDS, size=extra).tolist()
            all_references[-1].append(other)
    return hypotheses, all_references


@bleu.aspect("one reference", points=2)
def _(rng):
    yield case("four sentences", *translations(rng, 4))
    yield case("long sentences", *translations(rng, 3, lengths=(15, 25)))
    yield case("one sentence", *translations(rng, 1, lengths=(9, 12), noise=0.1))
    hypotheses, _ = translations(rng, 3)
    yield case("perfect", hypotheses, [[list(h)] for h in hypotheses]).because("equal translations score 100")
    yield case("sentences of very different lengths", *_mixed(rng))
    for number in range(2):
        yield case(f"six sentences, {number + 1}", *translations(rng, 6, noise=0.35))


def _mixed(rng):
    short, long = translations(rng, 3, lengths=(4, 6), noise=0.6), translations(rng, 2, lengths=(14, 20), noise=0.1)
    return short[0] + long[0], short[1] + long[1]


@bleu.aspect("clipping", points=1)
def _(rng):
    word = str(rng.choice(WORDS))
    yield case(
        "one word again and again", [[word] * 7], [[["the", word, "sits", "here", word, "now", "so"]]], 1
    ).because("it stands twice in the reference, so two of seven count")
    again = [word] * 6
    yield case("repeated too often", [again + WORDS], [[again[:3] + WORDS + WORDS[:3]]])
    half = [[word, word, "x", "y"], ["z", word, "x"]]
    yield case("two references share the word", [[word, word, word, "x"]], [half], 1).because(
        "the largest count in one reference is 2; counts of several references are not added"
    )
    yield case("clipped in each sentence", [[word], [word] * 4], [[[word] * 4], [[word]]], 1).because(
        "what one sentence lacks, another cannot lend it"
    )


@bleu.aspect("several references", points=1)
def _(rng):
    yield case("two each", *translations(rng, 4, references=2, noise=0.3))
    yield case("four each", *translations(rng, 3, references=4, noise=0.4))
    hypotheses, references = translations(rng, 4, references=3, noise=0.3)
    yield case("one, two and three", hypotheses, [several[: 1 + i % 3] for i, several in enumerate(references)])
    yield case("the second is the right one", [WORDS[:6]], [[WORDS[6:], WORDS[:6]]])
    yield case("halves of two references", [WORDS[:8]], [[[*WORDS[:5], "x", "y", "z"], ["x", "y", *WORDS[3:9]]]])


@bleu.aspect("the brevity penalty", points=2)
def _(rng):
    yield case("too short", *translations(rng, 4, lean=3))
    yield case("too long", *translations(rng, 4, lengths=(8, 13), lean=-3)).because(
        "being too long costs precision only"
    )
    yield case("as long as the reference", [WORDS[:6]], [[[*WORDS[:4], "x", "y"]]])
    yield case("one too short, one too long", [WORDS[:5], WORDS], [[WORDS[:9]], [WORDS[:8]]]).because(
        "lengths are added up over all sentences before they are compared"
    )
    yield case("a tie, shorter first", [WORDS[:7]], [[WORDS[:5], WORDS[:9]]]).because("5 and 9 are equally close to 7")
    yield case("a tie, longer first", [WORDS[:7]], [[WORDS[:9], WORDS[:5]]]).because("5 and 9 are equally close to 7")
    yield case("the closest is longer", [WORDS[:7]], [[WORDS[:4], WORDS[:8], WORDS]]).because("8 is closest to 7")
    yield case("the closest is shorter", [WORDS[:7]], [[WORDS[:6], WORDS, WORDS[:10]]]).because("6 is closest to 7")
    yield case("closest sentence by sentence", [WORDS[:5], WORDS[:9]], [[WORDS[:7], WORDS], [WORDS[:10], WORDS[:5]]])
    yield case("much too short", [WORDS[:4]], [[WORDS]])
    yield case("several references, short", *translations(rng, 4, references=3, lean=3))


@bleu.aspect("max_n", points=1)
def _(rng):
    for max_n in (1, 2, 3, 5):
        yield case(f"max_n {max_n}", *translations(rng, 4, lengths=(9, 14), noise=0.1), max_n)
    yield case("max_n by name", *translations(rng, 3, lengths=(7, 11)), max_n=2)


@bleu.aspect("no match, nothing there", points=1)
def _(rng):
    yield case("no word in common", [WORDS[:5]], [[WORDS[5:]]]).because("an order without a match makes it 0.0")
    yield case("no four words in a row", [WORDS[:8]], [[[*WORDS[:3], "x", *WORDS[4:7], "y"]]]).because(
        "nothing is smoothed: the fourth order has no match"
    )
    yield case("only short sentences", [WORDS[:3], WORDS[4:7]], [[WORDS[:3]], [WORDS[4:7]]]).because(
        "there is no 4-gram, so none that matches"
    )
    yield case("short sentences, max_n 3", [WORDS[:3], WORDS[4:7]], [[WORDS[:3]], [WORDS[4:8]]], 3)
    hypotheses, references = translations(rng, 3, noise=0.1, lengths=(8, 12))
    yield case("an empty hypothesis", [*hypotheses, []], [*references, [WORDS[:6]]]).because(
        "it has no n-grams, but its reference counts in the length"
    )
    yield case("an empty hypothesis comes first", [[], *hypotheses], [[WORDS[:6], WORDS[:3]], *references])
    yield case("only empty hypotheses", [[], []], [[WORDS[:4]], [WORDS[2:5]]])
    yield case("an empty reference among others", [WORDS[:6]], [[[], [*WORDS[:5], "x", "y"]]])
    yield case("an empty reference is the closest", [WORDS[:4]], [[[], [*WORDS[:4], *WORDS[6:]]]]).because(
        "0 is closer to 4 than 10 is"
    )
    yield case("words that run together", [["ab", "c", "d", "e"]], [[["a", "bc", "d", "e"]]], 2).because(
        "ab c and a bc are different bigrams"
    )
    yield case("capitals", [["The", "cat", "sat"]], [[["the", "cat", "sat"]]], 2).because(
        "tokens are compared as they are"
    )


@bleu.aspect("unequal numbers", points=1)
def _(rng):
    hypotheses, references = translations(rng, 3)
    yield case("a reference too few", hypotheses, references[:-1]).raises(ValueError)
    yield case("a hypothesis too few", hypotheses[:-1], references).raises(ValueError)
    yield case("equal numbers", hypotheses, references)
    yield case("more references than hypotheses, for one", hypotheses[:1], [[*references[0], *references[1]]]).because(
        "one hypothesis may have any number of references"
    )


def loose_bleu(
    hypotheses,
    references,
    max_n=4,
    *,
    orders=None,
    clip=lambda found, several: found & several,
    merge=lambda several: _union(several),
    closest=lambda h, several: min((abs(len(r) - len(h)), len(r)) for r in several)[1],
    brevity=lambda c, r: 1.0 if c >= r else math.exp(1 - r / c),
    mean=lambda precisions: math.prod(precisions) ** (1 / len(precisions)),
    smooth=lambda matched, total, n: (matched, total),
    empty=0.0,
    strict=True,
    gram=tuple,
    scale=100.0,
):
    """Corpus BLEU with one thing changed."""
    if strict and len(hypotheses) != len(references):
        raise ValueError("unequal numbers")
    precisions = []
    for n in orders or range(1, max_n + 1):
        matched = total = 0
        for h, several in zip(hypotheses, references):
            found = Counter(map(gram, ngrams(h, n)))
            matched += clip(found, merge([Counter(map(gram, ngrams(r, n))) for r in several])).total()
            total += found.total()
        matched, total = smooth(matched, total, n)
        if matched == 0 or total == 0:
            if empty is None:
                continue
            return empty
        precisions.append(matched / total)
    length = sum(map(len, hypotheses))
    reference = sum(closest(h, several) for h, several in zip(hypotheses, references))
    return scale * brevity(length, reference) * mean(precisions) if precisions and length else 0.0


def _union(counters):
    both = Counter()
    for counter in counters:
        both |= counter
    return both


def wrong_bleu(name, hint, **options):
    """A misconception: `loose_bleu` with these options."""

    @bleu.misconception(name, hint)
    def wrong(hypotheses, references, max_n=4):
        return loose_bleu(hypotheses, references, max_n, **options)


wrong_bleu(
    "no clipping",
    "An n-gram counts at most as often as it stands in a reference, however often it is repeated: `min` or `&`.",
    clip=lambda found, several: Counter({gram: count for gram, count in found.items() if gram in several}),
)
wrong_bleu(
    "each n-gram counts once",
    "Count n-grams with their repetitions, up to the count in the reference.",
    clip=lambda found, several: Counter(set(found) & set(several)),
)
wrong_bleu(
    "no brevity penalty",
    "Without it, a translation of a few sure words would win: multiply by exp(1 - r / c) where c < r.",
    brevity=lambda c, r: 1.0,
)
wrong_bleu(
    "long translations are rewarded",
    "The brevity penalty is never above 1: min(1, exp(1 - r / c)).",
    brevity=lambda c, r: math.exp(1 - r / c),
)
wrong_bleu(
    "the brevity penalty upside down",
    "exp(1 - r / c), with c the length of the hypotheses and r that of the references.",
    brevity=lambda c, r: 1.0 if c >= r else math.exp(1 - c / r),
)
wrong_bleu(
    "the brevity penalty without exp",
    "The penalty is exp(1 - r / c), not c / r.",
    brevity=lambda c, r: min(1.0, c / r),
)
wrong_bleu(
    "the penalty on the long side",
    "It is the short translation that is penalized: c < r.",
    brevity=lambda c, r: 1.0 if c <= r else math.exp(1 - c / r),
)
wrong_bleu(
    "the arithmetic mean of the precisions",
    "The mean is geometric: exp of the mean of the logarithms.",
    mean=lambda precisions: sum(precisions) / len(precisions),
)
wrong_bleu(
    "the product without the root",
    "The mean is geometric: take the root of order max_n of the product.",
    mean=math.prod,
)
wrong_bleu("a number from 0 to 1", "BLEU is told on the scale 0 to 100 here.", scale=1.0)
wrong_bleu(
    "smoothed",
    "Nothing is smoothed here: the counts are used as they are.",
    smooth=lambda matched, total, n: (matched + (n > 1), total + (n > 1)),
)
wrong_bleu(
    "an order without a match is smoothed",
    "An order without a match makes the whole 0.0.",
    smooth=lambda matched, total, n: (matched or 0.1, total),
)
wrong_bleu("an order without a match is skipped", "An order without a match makes the whole 0.0.", empty=None)
wrong_bleu(
    "the counts of the references added up",
    "For each n-gram take the largest count in any one reference: `Counter | Counter`.",
    merge=lambda several: sum(several, Counter()),
)
wrong_bleu(
    "the smallest count over the references",
    "For each n-gram take the largest count in any one reference: `|`, not `&`.",
    merge=lambda several: Counter({g: min(c[g] for c in several) for g in several[0]}),
)
wrong_bleu(
    "the shortest reference",
    "The length that counts is that of the reference closest in length to the hypothesis.",
    closest=lambda h, several: min(map(len, several)),
)
wrong_bleu(
    "the longest reference",
    "The length that counts is that of the reference closest in length to the hypothesis.",
    closest=lambda h, several: max(map(len, several)),
)
wrong_bleu(
    "the mean length of the references",
    "The length that counts is that of the reference closest in length to the hypothesis.",
    closest=lambda h, several: sum(map(len, several)) / len(several),
)
wrong_bleu(
    "the length of the first reference",
    "The length that counts is that of the reference closest in length to the hypothesis.",
    closest=lambda h, several: len(several[0]),
)
wrong_bleu(
    "the first of equally close lengths",
    "On a tie the shorter length counts, wherever it stands.",
    closest=lambda h, several: min((abs(len(r) - len(h)), i, len(r)) for i, r in enumerate(several))[2],
)
wrong_bleu(
    "the longer of equally close lengths",
    "On a tie the shorter length counts.",
    closest=lambda h, several: -min((abs(len(r) - len(h)), -len(r)) for r in several)[1],
)
wrong_bleu(
    "unequal numbers go unnoticed",
    "`zip` stops at the shorter list. Compare the lengths first, and raise ValueError.",
    strict=False,
)
wrong_bleu("words are glued together", "`ab c` and `a bc` are two bigrams: keep n-grams as tuples.", gram="".join)
wrong_bleu(
    "capitals do not count", "Compare tokens as they are given.", gram=lambda words: tuple(w.lower() for w in words)
)


@bleu.misconception("max_n is ignored", hint="Orders 1 to max_n, and the root of order max_n.")
def _(hypotheses, references, max_n=4):
    return loose_bleu(hypotheses, references)


@bleu.misconception("only the longest n-grams", hint="All orders from 1 to max_n count.")
def _(hypotheses, references, max_n=4):
    return loose_bleu(hypotheses, references, orders=[max_n])


@bleu.misconception("one order too few", hint="`range(1, max_n + 1)`: max_n itself counts, too.")
def _(hypotheses, references, max_n=4):
    return loose_bleu(hypotheses, references, orders=range(1, max_n))


@bleu.misconception(
    "the mean of the sentences' BLEU",
    hint="Corpus BLEU adds up matches, counts and lengths over all sentences, and computes once at the end.",
)
def _(hypotheses, references, max_n=4):
    if len(hypotheses) != len(references):
        raise ValueError("unequal numbers")
    scores = [loose_bleu([h], [several], max_n) for h, several in zip(hypotheses, references)]
    return sum(scores) / len(scores)


@bleu.misconception(
    "one long text",
    hint="N-grams do not reach over the end of a sentence, and each sentence is clipped by its own references.",
)
def _(hypotheses, references, max_n=4):
    if len(hypotheses) != len(references):
        raise ValueError("unequal numbers")
    count = min(map(len, references))
    joined = [[word for several in references for word in several[i]] for i in range(count)]
    return loose_bleu([[word for h in hypotheses for word in h]], [joined], max_n)


@bleu.misconception("only the first reference", hint="Each hypothesis has a list of references: use them all.")
def _(hypotheses, references, max_n=4):
    return loose_bleu(hypotheses, [several[:1] for several in references], max_n)


@bleu.misconception(
    "recall instead of precision", hint="Divide by the number of n-grams in the hypotheses, not in the references."
)
def _(hypotheses, references, max_n=4):
    totals = [sum(len(ngrams(several[0], n)) for several in references) for n in range(1, max_n + 1)]
    return loose_bleu(hypotheses, references, max_n, smooth=lambda matched, total, n: (matched, totals[n - 1]))


@bleu.misconception("hypotheses and references swapped", hint="hypotheses come first.")
def _(hypotheses, references, max_n=4):
    if len(hypotheses) != len(references):
        raise ValueError("unequal numbers")
    return loose_bleu([several[0] for several in references], [[h] for h in hypotheses], max_n)


@bleu.misconception(
    "nothing is done about empty sums", hint="A hypothesis may be empty or shorter than n: look before you divide."
)
def _(hypotheses, references, max_n=4):
    if len(hypotheses) != len(references):
        raise ValueError("unequal numbers")
    precisions = []
    for n in range(1, max_n + 1):
        found = [Counter(ngrams(h, n)) for h in hypotheses]
        known = [_union([Counter(ngrams(r, n)) for r in several]) for several in references]
        matched = sum((a & b).total() for a, b in zip(found, known))
        precisions.append(matched / sum(counter.total() for counter in found))
    if min(precisions) == 0:
        return 0.0
    c = sum(map(len, hypotheses))
    r = sum(min((abs(len(r) - len(h)), len(r)) for r in several)[1] for h, several in zip(hypotheses, references))
    return 100 * min(1.0, math.exp(1 - r / c)) * math.prod(precisions) ** (1 / max_n)
