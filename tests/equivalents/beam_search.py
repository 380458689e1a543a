"""Right implementations of lesson 12's functions, each in another way."""

import heapq
import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import torch


def penalty_product(length, alpha):
    return (5 + length) ** alpha / 6**alpha


def penalty_power(length, alpha):
    return math.pow((5.0 + length) / 6.0, alpha)


def penalty_numpy(length, alpha):
    return np.power((5 + length) / 6, alpha)


def penalty_logarithm(length, alpha):
    return math.exp(alpha * math.log1p((length - 1) / 6))


def penalty_tensor(length, alpha):
    return ((5 + torch.tensor(length, dtype=torch.float64)) / 6) ** alpha


def penalty_item(length, alpha):
    return torch.tensor((5 + length) / 6).pow(alpha).item()


def coverage_where(attention, beta):
    covered = attention.sum(dim=0).clamp(max=1).log().sum()
    return torch.where(torch.tensor(beta) == 0, torch.zeros_like(covered), beta * covered)


def coverage_minimum(attention, beta):
    if beta == 0:
        return attention.new_zeros(())
    return beta * torch.minimum(attention.sum(0), attention.new_ones(())).log().sum()


def coverage_loop(attention, beta):
    if not beta:
        return 0.0
    total = 0.0
    for j in range(attention.shape[1]):
        got = min(float(attention[:, j].sum()), 1.0)
        if got == 0.0:
            return -math.inf
        total += math.log(got)
    return beta * total


def coverage_product(attention, beta):
    return beta * torch.einsum("ts->s", attention).clamp_max(1).log().sum().item() if beta != 0 else 0


def coverage_numpy(attention, beta):
    if beta == 0:
        return 0.0
    with np.errstate(divide="ignore"):
        return beta * np.log(np.minimum(attention.numpy().sum(axis=0), 1)).sum()


def coverage_xlogy(attention, beta):
    return torch.xlogy(torch.as_tensor(beta, dtype=attention.dtype), attention.sum(0).clamp(max=1)).sum()


def step_topk(log_probs, scores, beam_size):
    total = scores.unsqueeze(1) + log_probs
    best, places = torch.topk(total.reshape(-1), min(beam_size, total.numel()))
    return best, torch.div(places, log_probs.size(1), rounding_mode="floor"), places.remainder(log_probs.size(1))


def step_sort(log_probs, scores, beam_size):
    ordered, places = (log_probs.T + scores).T.flatten().sort(descending=True)
    beams, tokens = np.unravel_index(places[:beam_size].numpy(), tuple(log_probs.shape))
    return ordered[:beam_size], torch.tensor(beams), torch.tensor(tokens)


def step_two_stages(log_probs, scores, beam_size):
    """The best of each beam first, then the best of these."""
    k, v = log_probs.shape
    values, tokens = (log_probs + scores.view(k, 1)).topk(min(beam_size, v), dim=1)
    beams = torch.arange(k)[:, None].expand_as(tokens)
    best, places = values.flatten().topk(min(beam_size, values.numel()))
    return best, beams.flatten()[places], tokens.flatten()[places]


def step_heap(log_probs, scores, beam_size):
    k, v = log_probs.shape
    total = [[s + x for x in row] for s, row in zip(scores.tolist(), log_probs.double().tolist())]
    best = heapq.nlargest(min(beam_size, k * v), itertools.product(range(k), range(v)), key=lambda p: total[p[0]][p[1]])
    beams, tokens = (torch.tensor(part) for part in zip(*best))
    return (scores[:, None] + log_probs)[beams, tokens], beams, tokens


def step_argmax(log_probs, scores, beam_size):
    """The best again and again, each crossed out after it was taken."""
    total = log_probs + scores[:, None]
    left = torch.ones_like(total, dtype=torch.bool)
    best, beams, tokens = [], [], []
    for _ in range(min(beam_size, total.numel())):
        highest = total[left].max()
        beam, token = ((total == highest) & left).nonzero()[0].tolist()
        left[beam, token] = False
        best.append(highest)
        beams.append(beam)
        tokens.append(token)
    return torch.stack(best), torch.tensor(beams), torch.tensor(tokens)


def step_argsort(log_probs, scores, beam_size):
    total = torch.add(log_probs, scores.reshape(-1, 1))
    order = total.flatten().argsort(descending=True, stable=True)[: min(beam_size, total.numel())]
    beams = torch.arange(len(scores)).repeat_interleave(log_probs.shape[1])
    tokens = torch.arange(log_probs.shape[1]).repeat(len(scores))
    return total.flatten()[order], beams[order], tokens[order]


def rows(state, index):
    if isinstance(state, tuple):
        return tuple(rows(item, index) for item in state)
    return state.index_select(0, index)


def penalty(length, alpha):
    return ((5 + length) / 6) ** alpha


def search_batched(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    """All in tensors: finished rows may only say eos, for free; tokens grow as a matrix and are cut in the end."""
    tokens = torch.empty(1, 0, dtype=torch.int64)
    last = torch.tensor([bos_id])
    scores, finished = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.bool)
    for _ in range(max_len):
        log_probs, state = step(last, state)
        free = torch.full_like(log_probs[:1], -torch.inf)
        free[0, eos_id] = 0
        log_probs = torch.where(finished[:, None], free, log_probs)
        scores, beams, last = step_topk(log_probs.double(), scores, beam_size)
        tokens = torch.cat([tokens[beams], last[:, None]], dim=1)
        finished = finished[beams] | (last == eos_id)
        state = rows(state, beams)
        if finished.all():
            break
    found = []
    for score, row in zip(scores.tolist(), tokens.tolist()):
        if score > -math.inf:
            row = row[: row.index(eos_id) + 1] if eos_id in row else row
            found.append((row, score / penalty(len(row), alpha)))
    return sorted(found, key=lambda pair: -pair[1])


def search_lists(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    """Hypotheses as lists; the step is called for the unfinished ones only."""
    alive, done = [([], 0.0)], []
    while alive and max_len > 0:
        max_len -= 1
        last = torch.tensor([tokens[-1] if tokens else bos_id for tokens, _ in alive])
        log_probs, state = step(last, state)
        pool = [(log_p, -1, None, tokens) for tokens, log_p in done]
        for beam, (tokens, log_p) in enumerate(alive):
            pool += [(log_p + p, beam, v, tokens) for v, p in enumerate(log_probs[beam].tolist())]
        pool = heapq.nlargest(beam_size, (way for way in pool if way[0] != -math.inf), key=lambda way: way[0])
        done = [(tokens, p) for p, _, v, tokens in pool if v is None]
        done += [([*tokens, v], p) for p, _, v, tokens in pool if v == eos_id]
        more = [(beam, [*tokens, v], p) for p, beam, v, tokens in pool if v is not None and v != eos_id]
        alive = [(tokens, p) for _, tokens, p in more]
        if more:
            state = rows(state, torch.tensor([beam for beam, _, _ in more]))
    found = [(tokens, p / penalty(len(tokens), alpha)) for tokens, p in done + alive]
    return sorted(found, key=lambda pair: pair[1], reverse=True)


def search_full_width(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    """beam_size rows from the start, all but the first at -inf; always max_len steps."""
    state = rows(state, torch.zeros(beam_size, dtype=torch.int64))
    last = torch.full((beam_size,), bos_id)
    scores = torch.full((beam_size,), -torch.inf, dtype=torch.float64)
    scores[0] = 0.0
    hypotheses = [[] for _ in range(beam_size)]
    for _ in range(max_len):
        log_probs, state = step(last, state)
        total = scores[:, None] + log_probs.double()
        for beam, tokens in enumerate(hypotheses):
            if tokens and tokens[-1] == eos_id:
                total[beam] = -torch.inf
                total[beam, eos_id] = scores[beam]
        scores, places = total.flatten().topk(beam_size)
        beams, last = places // total.shape[1], places % total.shape[1]
        hypotheses = [
            hypotheses[b] if hypotheses[b][-1:] == [eos_id] else [*hypotheses[b], v]
            for b, v in zip(beams.tolist(), last.tolist())
        ]
        state = rows(state, beams)
    found = [(s / penalty(len(t), alpha), t) for s, t in zip(scores.tolist(), hypotheses) if not math.isinf(s)]
    return [(tokens, score) for score, tokens in sorted(found, key=lambda pair: pair[0], reverse=True)]


def search_single(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    """One call of step for each hypothesis; states are handed from parent to child."""
    kept = [(0.0, (), state)]
    for _ in range(max_len):
        if all(eos_id in tokens for _, tokens, _ in kept):
            break
        nxt = []
        for log_p, tokens, own in kept:
            if eos_id in tokens:
                nxt.append((log_p, tokens, own))
            else:
                log_probs, new = step(torch.tensor([tokens[-1] if tokens else bos_id]), own)
                nxt.extend((log_p + p, (*tokens, v), new) for v, p in enumerate(log_probs.flatten().tolist()))
        nxt.sort(key=lambda entry: -entry[0])
        kept = [entry for entry in nxt[:beam_size] if entry[0] > -math.inf]
    found = [(list(tokens), log_p / penalty(len(tokens), alpha)) for log_p, tokens, _ in kept]
    found.sort(key=lambda pair: pair[1])
    found.reverse()
    return found


def search_backpointers(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    """Keeps only pointers to the step before, and walks back in the end."""
    last, scores = torch.tensor([bos_id]), torch.zeros(1, dtype=torch.float64)
    ended = torch.zeros(1, dtype=torch.bool)
    trail = []
    while len(trail) < max_len and not bool(ended.all()):
        log_probs, state = step(last, state)
        log_probs = log_probs.double().clone()
        log_probs[ended] = -torch.inf
        log_probs[ended, eos_id] = 0.0
        scores, beams, last = step_argsort(log_probs, scores, beam_size)
        possible = scores > -torch.inf
        scores, beams, last = scores[possible], beams[possible], last[possible]
        trail.append((beams, last, ended[beams]))
        ended = ended[beams] | (last == eos_id)
        state = rows(state, beams)
    results = []
    for row, score in enumerate(scores.tolist()):
        tokens, place = [], row
        for beams, words, before in reversed(trail):
            if not before[place]:
                tokens.insert(0, int(words[place]))
            place = int(beams[place])
        results.append((tokens, score / penalty(len(tokens), alpha)))
    results.sort(key=lambda result: result[1], reverse=True)
    return results


def search_recursive(step, state, bos_id, eos_id, beam_size, max_len, alpha=0.0):
    """A function that calls itself for the next step; repeated rows for finished hypotheses stay in the batch."""

    def go(kept, state, left):
        if left == 0 or all(finished for _, _, finished in kept):
            return kept
        log_probs, state = step(torch.tensor([tokens[-1] for tokens, _, _ in kept]), state)
        pool = []
        for beam, (tokens, log_p, finished) in enumerate(kept):
            if finished:
                pool.append((log_p, beam, tokens, True))
            else:
                for v in range(log_probs.shape[1]):
                    p = log_p + log_probs[beam, v].item()
                    if p != -math.inf:
                        pool.append((p, beam, [*tokens, v], v == eos_id))
        pool = sorted(pool, key=lambda way: way[0])[::-1][:beam_size]
        index = torch.tensor([beam for _, beam, _, _ in pool])
        return go([(tokens, p, finished) for p, _, tokens, finished in pool], rows(state, index), left - 1)

    kept = go([([bos_id], 0.0, False)], state, max_len)
    pairs = [(tokens[1:], log_p / penalty(len(tokens) - 1, alpha)) for tokens, log_p, _ in kept]
    return sorted(pairs, key=lambda pair: pair[1], reverse=True)


def grams(tokens, n):
    return Counter(zip(*(tokens[i:] for i in range(n))))


def bleu_counters(hypotheses, references, max_n=4):
    if len(hypotheses) != len(references):
        raise ValueError(f"references has {len(references)} entries, expected {len(hypotheses)}")
    matches, totals, c, r = [0] * max_n, [0] * max_n, 0, 0
    for hypothesis, several in zip(hypotheses, references):
        c += len(hypothesis)
        r += min((len(ref) for ref in several), key=lambda length: (abs(length - len(hypothesis)), length))
        for n in range(max_n):
            most = Counter()
            for ref in several:
                most |= grams(ref, n + 1)
            matches[n] += sum((grams(hypothesis, n + 1) & most).values())
            totals[n] += max(len(hypothesis) - n, 0)
    if not all(matches):
        return 0.0
    logs = [math.log(m) - math.log(t) for m, t in zip(matches, totals)]
    return 100 * math.exp(min(0.0, 1 - r / c) + sum(logs) / max_n)


def bleu_fractions(hypotheses, references, max_n=4):
    if len(hypotheses) > len(references) or len(hypotheses) < len(references):
        raise ValueError("numbers differ")
    product = Fraction(1)
    for n in range(1, max_n + 1):
        hits, count = 0, 0
        for h, several in zip(hypotheses, references):
            for gram, often in grams(h, n).items():
                hits += min(often, max(grams(r, n)[gram] for r in several))
                count += often
        if hits == 0:
            return 0.0
        product *= Fraction(hits, count)
    c = sum(len(h) for h in hypotheses)
    r = sum(
        sorted((len(x) for x in several), key=lambda k: abs(k - len(h) + 0.1))[0]
        for h, several in _pairs(hypotheses, references)
    )
    return 100.0 * float(product) ** (1 / max_n) * (math.exp(1 - r / c) if c < r else 1.0)


def _pairs(hypotheses, references):
    return list(zip(hypotheses, references, strict=True))


def bleu_numpy(hypotheses, references, max_n=4):
    pairs = _pairs(hypotheses, references)  # zip(strict=True) raises ValueError
    table = np.zeros((2, max_n))
    lengths = np.zeros(2)
    for h, several in pairs:
        sizes = np.array(sorted(len(r) for r in several))
        lengths += len(h), sizes[np.abs(sizes - len(h)).argmin()]
        for n in range(1, max_n + 1):
            ours = grams(h, n)
            theirs = [grams(r, n) for r in several]
            table[0, n - 1] += sum(min(k, max(t[g] for t in theirs)) for g, k in ours.items())
            table[1, n - 1] += ours.total()
    if (table[0] == 0).any():
        return 0.0
    brevity = np.exp(min(0, 1 - lengths[1] / lengths[0]))
    return float(100 * brevity * np.exp(np.log(table[0] / table[1]).mean()))


def bleu_sacre(hypotheses, references, max_n=4):
    """sacrebleu's own, on made-up words without spaces."""
    from sacrebleu.metrics import BLEU

    if len(hypotheses) != len(references):
        raise ValueError("numbers differ")
    number = {}
    line = lambda tokens: " ".join(f"w{number.setdefault(token, len(number))}" for token in tokens)  # noqa: E731
    most = max(len(several) for several in references)
    streams = [[line(s[i]) if i < len(s) else None for s in references] for i in range(most)]
    metric = BLEU(tokenize="none", smooth_method="none", max_ngram_order=max_n, force=True)
    return metric.corpus_score([line(h) for h in hypotheses], streams).score


def bleu_removal(hypotheses, references, max_n=4):
    """Clipping by taking each matched n-gram out of a copy."""
    if len(references) != len(hypotheses):
        raise ValueError("unequal")
    score = 0.0
    for n in range(1, max_n + 1):
        right = wrong = 0
        for h, several in zip(hypotheses, references):
            best = {}
            for ref in several:
                for g, k in grams(ref, n).items():
                    best[g] = max(best.get(g, 0), k)
            left = [g for g, k in best.items() for _ in range(k)]
            for g in zip(*(h[i:] for i in range(n))):
                if g in left:
                    left.remove(g)
                    right += 1
                else:
                    wrong += 1
        if not right:
            return 0.0
        score += math.log2(right / (right + wrong)) / max_n
    c = r = 0
    for h, several in zip(hypotheses, references):
        c += len(h)
        best_length = len(several[0])
        for ref in several[1:]:
            distance, so_far = abs(len(ref) - len(h)), abs(best_length - len(h))
            if distance < so_far or (distance == so_far and len(ref) < best_length):
                best_length = len(ref)
        r += best_length
    return 100 * 2**score * (1.0 if c > r else math.exp(1 - r / c))


def bleu_torch(hypotheses, references, max_n=4):
    if len(hypotheses) != len(references):
        raise ValueError("unequal")
    right, total = torch.zeros(max_n).double(), torch.zeros(max_n).double()
    for h, several in zip(hypotheses, references):
        for n in range(1, max_n + 1):
            ours = grams(h, n)
            total[n - 1] += ours.total()
            right[n - 1] += sum(min(ours[g], max(grams(r, n)[g] for r in several)) for g in ours)
    if right.min() == 0:
        return 0.0
    c = sum(map(len, hypotheses))
    r = sum(min(((len(x) - len(h)) ** 2, len(x)) for x in several)[1] for h, several in zip(hypotheses, references))
    precision = torch.exp((right / total).log().mean()).item()
    return 100 * min(1.0, math.exp(1 - r / c)) * precision


EQUIVALENTS = {
    "length_penalty": [
        penalty_product,
        penalty_power,
        penalty_numpy,
        penalty_logarithm,
        penalty_tensor,
        penalty_item,
    ],
    "coverage_penalty": [
        coverage_where,
        coverage_minimum,
        coverage_loop,
        coverage_product,
        coverage_numpy,
        coverage_xlogy,
    ],
    "beam_step": [step_topk, step_sort, step_two_stages, step_heap, step_argmax, step_argsort],
    "beam_search": [
        search_batched,
        search_lists,
        search_full_width,
        search_single,
        search_backpointers,
        search_recursive,
    ],
    "bleu": [bleu_counters, bleu_fractions, bleu_numpy, bleu_sacre, bleu_removal, bleu_torch],
}
