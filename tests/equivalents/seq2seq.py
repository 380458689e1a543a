"""Right implementations of lesson 09's functions and modules, each in another way."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


class EncoderParts(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        self.gru = nn.GRU(embed_size, hidden_size, bidirectional=True, batch_first=True)
        self.bridge = nn.Linear(hidden_size, hidden_size)


class EncoderPacked(EncoderParts):
    """The state is read from the annotations."""

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embedding(ids), lengths, True, enforce_sorted=False)
        annotations, _ = pad_packed_sequence(self.gru(packed)[0], True, total_length=ids.size(1))
        return annotations, self.bridge(annotations[:, 0, self.bridge.in_features :]).tanh()


class EncoderSorted(EncoderParts):
    """Sorts the rows itself and puts them back."""

    def forward(self, ids, lengths):
        lengths, order = torch.sort(lengths, descending=True)
        back = torch.argsort(order)
        packed = pack_padded_sequence(self.embedding(ids[order]), lengths, batch_first=True)
        output, last = self.gru(packed)
        annotations, _ = pad_packed_sequence(output, batch_first=True)
        annotations = F.pad(annotations, (0, 0, 0, ids.shape[1] - annotations.shape[1]))
        return annotations[back], torch.tanh(self.bridge(last[-1][back]))


class EncoderTwoPasses(EncoderParts):
    """One direction on the rows, the other on rows that are turned around within their lengths."""

    def run(self, x, suffix):
        weights = [getattr(self.gru, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        start = x.new_zeros(1, x.shape[0], self.gru.hidden_size)
        return torch.gru(x, start, weights, True, 1, 0.0, False, False, True)[0]

    def forward(self, ids, lengths):
        places = torch.arange(ids.shape[1])
        real = places < lengths[:, None]
        turned = torch.where(real, lengths[:, None] - 1 - places, places)[..., None]
        x = self.embedding(ids)
        backward = self.run(x.gather(1, turned.expand_as(x)), "_reverse")
        backward = backward.gather(1, turned.expand_as(backward))
        annotations = torch.cat([self.run(x, ""), backward], dim=-1).masked_fill(~real[..., None], 0.0)
        return annotations, torch.tanh(self.bridge(backward[:, 0]))


class EncoderLoop(EncoderParts):
    """The GRU's formula, step by step, the state held back at padding."""

    def cell(self, x, h, suffix):
        w_x, w_h = getattr(self.gru, f"weight_ih_l0{suffix}"), getattr(self.gru, f"weight_hh_l0{suffix}")
        b_x, b_h = getattr(self.gru, f"bias_ih_l0{suffix}"), getattr(self.gru, f"bias_hh_l0{suffix}")
        r_x, z_x, n_x = F.linear(x, w_x, b_x).chunk(3, -1)
        r_h, z_h, n_h = F.linear(h, w_h, b_h).chunk(3, -1)
        z = torch.sigmoid(z_x + z_h)
        return (1 - z) * torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h) + z * h

    def forward(self, ids, lengths):
        x = self.embedding(ids)
        width = ids.shape[1]
        outputs = {}
        for suffix, order in (("", range(width)), ("_reverse", reversed(range(width)))):
            h = x.new_zeros(len(ids), self.gru.hidden_size)
            for t in order:
                real = (t < lengths)[:, None]
                h = torch.where(real, self.cell(x[:, t], h, suffix), h)
                outputs[suffix, t] = torch.where(real, h, 0.0)
        sides = [torch.stack([outputs[suffix, t] for t in range(width)], dim=1) for suffix in ("", "_reverse")]
        return torch.cat(sides, dim=-1), torch.tanh(self.bridge(h))


class EncoderRows(EncoderParts):
    """Row by row."""

    def forward(self, ids, lengths):
        annotations = torch.zeros(*ids.shape, 2 * self.gru.hidden_size, dtype=self.bridge.weight.dtype)
        states = []
        for b, n in enumerate(lengths):
            output, last = self.gru(self.embedding(ids[b, :n]))
            annotations[b, :n] = output
            states.append(last[1])
        return annotations, torch.tanh(self.bridge(torch.stack(states)))


class EncoderTimeFirst(EncoderParts):
    """Packs time first: a packed sequence does not know of batch_first."""

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embedding(ids.T), lengths, enforce_sorted=False)
        output, last = self.gru(packed)
        annotations, _ = pad_packed_sequence(output, total_length=ids.shape[1])
        return annotations.transpose(0, 1), F.tanh(F.linear(last[1], self.bridge.weight, self.bridge.bias))


class EncoderPackedIds(EncoderParts):
    """Packs the ids and embeds what is left."""

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(ids, lengths.tolist(), batch_first=True, enforce_sorted=False)
        packed = PackedSequence(self.embedding(packed.data), *packed[1:])
        output, last = self.gru(packed)
        annotations = pad_packed_sequence(output, batch_first=True, padding_value=0.0, total_length=ids.shape[1])[0]
        backward = last.view(1, 2, len(ids), -1)[-1, 1]
        return annotations, torch.tanh(self.bridge(backward))


class DecoderParts(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, context_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.cell = nn.GRUCell(embed_size + context_size, hidden_size)
        self.output = nn.Linear(hidden_size + context_size + embed_size, vocab_size)

    def step(self, token, state, context):
        embedded = self.embedding(token)
        state = self.cell(torch.cat((embedded, context), 1), state)
        return self.output(torch.cat((state, context, embedded), 1)), state

    def forward(self, decoder_input, state, context):
        logits = []
        for t in range(decoder_input.shape[1]):
            scores, state = self.step(decoder_input[:, t], state, context)
            logits.append(scores)
        return torch.stack(logits, 1)


class DecoderOutputAtOnce(DecoderParts):
    """Only the cell is in the loop; the output layer sees all steps at once."""

    def forward(self, decoder_input, state, context):
        embedded = self.embedding(decoder_input)
        states = []
        for e in embedded.unbind(1):
            state = self.cell(torch.cat([e, context], -1), state)
            states.append(state)
        contexts = context.unsqueeze(1).expand(-1, decoder_input.shape[1], -1)
        return self.output(torch.cat([torch.stack(states, 1), contexts, embedded], -1))


class DecoderFilled(DecoderParts):
    """Writes into a tensor made beforehand."""

    def forward(self, decoder_input, state, context):
        size, width = decoder_input.shape
        logits = torch.empty(size, width, self.output.out_features, dtype=state.dtype)
        for t in range(width):
            logits[:, t], state = self.step(decoder_input[:, t], state, context)
        return logits


class DecoderSplitWeights(DecoderParts):
    """The concatenations written as sums of products."""

    def step(self, token, state, context):
        e, c, h = self.embedding.embedding_dim, context.shape[1], state.shape[1]
        embedded = self.embedding.weight[token]
        w_e, w_c = self.cell.weight_ih.split([e, c], dim=1)
        r_x, z_x, n_x = (embedded @ w_e.T + context @ w_c.T + self.cell.bias_ih).split(h, dim=1)
        r_h, z_h, n_h = (state @ self.cell.weight_hh.T + self.cell.bias_hh).split(h, dim=1)
        new = torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
        state = torch.lerp(new, state, torch.sigmoid(z_x + z_h))
        o_h, o_c, o_e = self.output.weight.split([h, c, e], dim=1)
        return state @ o_h.T + context @ o_c.T + embedded @ o_e.T + self.output.bias, state


class DecoderOneGru(DecoderParts):
    """Runs all steps with one call of PyTorch's GRU on the cell's weights."""

    def forward(self, decoder_input, state, context):
        embedded = self.embedding(decoder_input)
        contexts = context[:, None].repeat(1, decoder_input.shape[1], 1)
        weights = [self.cell.weight_ih, self.cell.weight_hh, self.cell.bias_ih, self.cell.bias_hh]
        x = torch.cat([embedded, contexts], dim=2)
        states, _ = torch.gru(x, state[None], weights, True, 1, 0.0, False, False, True)
        return self.output(torch.cat([states, contexts, embedded], dim=2))


class DecoderPadded(DecoderParts):
    """With a padding row in its embedding, which the contract leaves open."""

    def __init__(self, vocab_size, embed_size, hidden_size, context_size):
        super().__init__(vocab_size, embed_size, hidden_size, context_size)
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=0)


class DecoderKeywords(DecoderParts):
    def forward(self, decoder_input, state, context):
        def steps(state):
            for column in decoder_input.T:
                logits, state = self.step(token=column, state=state, context=context)
                yield logits.unsqueeze(1)

        return torch.cat(list(steps(state)), dim=1)


def loss_ignore(logits, targets, pad_id=0):
    size = logits.shape[-1]
    return F.cross_entropy(logits.reshape(-1, size), targets.reshape(-1), ignore_index=pad_id)


def loss_transposed(logits, targets, pad_id=0):
    return nn.CrossEntropyLoss(ignore_index=pad_id)(logits.transpose(1, 2), targets)


def loss_gather(logits, targets, pad_id=0):
    log_p = logits.log_softmax(dim=-1).gather(2, targets.unsqueeze(2)).squeeze(2)
    real = (targets != pad_id).to(logits.dtype)
    return -(log_p * real).sum() / real.sum()


def loss_select(logits, targets, pad_id=0):
    real = targets.ne(pad_id)
    return F.nll_loss(F.log_softmax(logits[real], dim=1), targets[real])


def loss_logsumexp(logits, targets, pad_id=0):
    real = targets != pad_id
    chosen = (logits * F.one_hot(targets, logits.shape[-1]).to(logits.dtype)).sum(-1)
    return (torch.logsumexp(logits, -1) - chosen).masked_select(real).mean()


def loss_rows(logits, targets, pad_id=0):
    total, count = 0.0, 0
    for row, wanted in zip(logits, targets):
        total = total + F.cross_entropy(row, wanted, ignore_index=pad_id, reduction="sum")
        count += int((wanted != pad_id).sum())
    return total / count


def loss_weights(logits, targets, pad_id=0):
    weight = torch.ones(logits.shape[-1], dtype=logits.dtype)
    weight[pad_id] = 0
    return F.cross_entropy(logits.contiguous().view(-1, logits.shape[-1]), targets.flatten(), weight=weight)


def clip_stack(tensors, clip_norm):
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(t) for t in tensors]))
    return [t * clip_norm / torch.clamp(norm, min=clip_norm) for t in tensors], norm


def clip_number(tensors, clip_norm):
    norm = sum(float(t.double().square().sum()) for t in tensors) ** 0.5
    return [t * (clip_norm / max(norm, clip_norm)) for t in tensors], norm


def clip_if(tensors, clip_norm):
    norm = torch.cat([t.reshape(-1) for t in tensors]).norm()
    if norm <= clip_norm:
        return list(tensors), norm
    return [t / norm * clip_norm for t in tensors], norm


def clip_min(tensors, clip_norm):
    norm = torch.sqrt(sum(torch.sum(t * t) for t in tensors))
    factor = torch.minimum(torch.ones_like(norm), clip_norm / norm)
    return [factor * t for t in tensors], norm


def clip_divide(tensors, clip_norm):
    norm = math.hypot(*(t.norm().item() for t in tensors))
    return [t.clone().div_(max(norm / clip_norm, 1.0)) for t in tensors], norm


def clip_foreach(tensors, clip_norm):
    norm = torch.stack(torch._foreach_norm(list(tensors))).norm()
    scale = clip_norm / max(norm.item(), clip_norm)
    return torch._foreach_mul(list(tensors), scale), norm


def first_tensor(state):
    return state if torch.is_tensor(state) else first_tensor(state[0])


def greedy_prefilled(step, state, bos_id, eos_id, max_len):
    size = first_tensor(state).size(0)
    ids = torch.full((size, max_len), eos_id, dtype=torch.long)
    last, alive = torch.full((size,), bos_id, dtype=torch.long), torch.ones(size, dtype=torch.bool)
    for t in range(max_len):
        scores, state = step(last, state)
        last = scores.max(dim=1).indices
        ids[alive, t] = last[alive]
        alive = alive & (last != eos_id)
        if not alive.any():
            return ids[:, : t + 1]
    return ids


def greedy_afterwards(step, state, bos_id, eos_id, max_len):
    """Finished rows go on; what they say is covered up at the end."""
    tokens = torch.full((len(first_tensor(state)),), bos_id)
    columns, finished = [], torch.zeros(len(tokens), dtype=torch.bool)
    for _ in range(max_len):
        log_probs, state = step(tokens, state)
        tokens = log_probs.argmax(-1)
        columns.append(tokens)
        finished |= tokens == eos_id
        if finished.all():
            break
    ids = torch.stack(columns, 1)
    ends = (ids == eos_id).long().cumsum(1)
    return torch.where(ends > 0, eos_id, ids)


def greedy_where(step, state, bos_id, eos_id, max_len):
    first = first_tensor(state)
    ids = torch.full((first.shape[0], 1), bos_id, dtype=torch.int64)
    done = torch.zeros(first.shape[0], dtype=torch.bool)
    while ids.shape[1] <= max_len and not bool(done.all()):
        log_probs, state = step(ids[:, -1], state)
        best = torch.where(done, torch.tensor(eos_id), log_probs.argmax(dim=1))
        ids = torch.cat([ids, best[:, None]], dim=1)
        done = done.logical_or(best.eq(eos_id))
    return ids[:, 1:]


def greedy_lists(step, state, bos_id, eos_id, max_len):
    size = first_tensor(state).shape[0]
    rows, tokens = [[] for _ in range(size)], [bos_id] * size
    for _ in range(max_len):
        log_probs, state = step(torch.tensor(tokens), state)
        tokens = log_probs.topk(1).indices[:, 0].tolist()
        for row, token in zip(rows, tokens):
            row.append(eos_id if row and row[-1] == eos_id else token)
        tokens = [row[-1] for row in rows]
        if set(tokens) == {eos_id}:
            break
    return torch.tensor(rows, dtype=torch.int64)


def greedy_cut(step, state, bos_id, eos_id, max_len):
    """Takes all steps, then cuts."""
    tokens = torch.full((first_tensor(state).shape[0],), bos_id, dtype=torch.int64)
    columns = []
    for _ in range(max_len):
        log_probs, state = step(tokens, state)
        tokens = log_probs.argmax(1)
        columns.append(tokens)
    ids = torch.stack(columns).T.clone()
    for row in ids:
        ends = (row == eos_id).nonzero()
        if len(ends):
            row[int(ends[0]) :] = eos_id
    lengths = [row.tolist().index(eos_id) + 1 if eos_id in row else max_len for row in ids]
    return ids[:, : max(lengths)]


def greedy_recursive(step, state, bos_id, eos_id, max_len):
    def rest(tokens, state, done, left):
        if left == 0 or all(done):
            return []
        log_probs, state = step(tokens, state)
        tokens = log_probs.argmax(-1).masked_fill(torch.tensor(done), eos_id)
        return [tokens, *rest(tokens, state, [t == eos_id for t in tokens.tolist()], left - 1)]

    size = first_tensor(state).shape[0]
    columns = rest(torch.LongTensor([bos_id] * size), state, [False] * size, max_len)
    return torch.stack(columns, dim=-1)


def good_loss_by_hand(sequence_loss):
    logits = torch.log(torch.tensor([[[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]], [[0.6, 0.2, 0.2], [0.3, 0.3, 0.4]]]))
    cases = [
        ([[1, 2], [1, 0]], 0, [0.3, 0.8, 0.2]),
        ([[0, 2], [1, 1]], 2, [0.2, 0.2, 0.3]),
        ([[2, 2], [1, 2]], 0, [0.5, 0.8, 0.2, 0.4]),
    ]
    try:
        for targets, pad_id, probabilities in cases:
            expected = -sum(map(math.log, probabilities)) / len(probabilities)
            for view in (torch.clone, lambda t: t.transpose(0, 1).contiguous().transpose(0, 1)):
                found = sequence_loss(view(logits) + 3.0, view(torch.tensor(targets)), pad_id)
                if abs(float(found) - expected) > 1e-4:
                    return False
    except Exception:
        return False
    return True


def good_loss_by_comparison(sequence_loss):
    generator = torch.Generator().manual_seed(5)
    for pad_id in (0, 3, 1):
        logits = torch.randn(5, 4, 6, generator=generator, dtype=torch.float64).transpose(0, 1)
        targets = torch.randint(0, 6, (5, 4), generator=generator).T
        targets[0, 1:] = pad_id
        targets[1, 3:] = pad_id
        targets[2:, 0] = (pad_id + 1) % 6
        expected = loss_gather(logits, targets, pad_id)
        try:
            found = sequence_loss(logits, targets, pad_id=pad_id)
        except Exception:
            return False
        if found.shape != () or not torch.isclose(found, expected):
            return False
    return True


def good_loss_by_laws(sequence_loss):
    """Uniform logits cost log V; padding, shifts and layout change nothing; a word is a word in any row."""

    def loss(logits, targets, pad_id=0):
        return float(sequence_loss(logits, targets, pad_id))

    def close(a, b):
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-5)

    logits = torch.linspace(-2, 2, 60).sin().reshape(3, 4, 5) * 3
    targets = torch.tensor([[1, 2, 3, 4], [4, 0, 0, 0], [2, 3, 0, 0]])
    longer, wider = torch.cat([logits, logits], 1), F.pad(targets, (0, 4))
    swapped = torch.tensor([1, 0, 2, 3, 4])
    try:
        base = loss(logits, targets)
        words = [F.cross_entropy(logits[b, t], targets[b, t]) for b, t in (targets != 0).nonzero().tolist()]
        return (
            close(loss(torch.zeros(2, 3, 7), torch.ones(2, 3, dtype=torch.int64)), math.log(7))
            and close(base, float(sum(words)) / len(words))
            and close(base, loss(longer, wider))
            and close(base, loss(logits + 40.0, targets))
            and close(base, loss(logits[..., swapped], swapped[targets], 1))
            and close(base, loss(logits.mT.contiguous().mT.transpose(0, 1).contiguous().transpose(0, 1), targets))
        )
    except Exception:
        return False


def good_loss_by_assertions(sequence_loss):
    def check():
        targets = torch.tensor([[3, 1, 3, 3], [0, 2, 1, 3]])
        logits = torch.arange(32.0).cos().reshape(4, 2, 4).transpose(0, 1)
        log_p = logits.log_softmax(-1)
        real = [(0, 1), (1, 0), (1, 1), (1, 2)]
        expected = -sum(log_p[b, t, targets[b, t]] for b, t in real) / 4
        torch.testing.assert_close(sequence_loss(logits, targets, 3), expected)
        torch.testing.assert_close(sequence_loss(logits, targets - 3 * (targets == 3), 0), _zero(log_p, targets))

    def _zero(log_p, targets):
        return -sum(log_p[b, t, targets[b, t]] for b, t in [(0, 1), (1, 1), (1, 2)]) / 3

    try:
        check()
    except Exception:
        return False
    return True


def good_loss_by_loop(sequence_loss):
    good = True
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        size, width, vocab_size = torch.randint(2, 6, (3,), generator=generator).tolist()
        pad_id = seed % vocab_size
        logits = torch.randn(width, size, vocab_size, generator=generator).transpose(0, 1)
        targets = torch.randint(0, vocab_size, (size, width), generator=generator)
        targets[0, 0] = (pad_id + 1) % vocab_size
        try:
            found = sequence_loss(logits, targets, pad_id)
        except RuntimeError:
            return False
        good &= bool((found - loss_ignore(logits, targets, pad_id)).abs() < 1e-4)
    return good


def good_loss_by_one_case(sequence_loss):
    torch.manual_seed(3)
    logits, targets = (
        torch.randn(3, 5, 6).transpose(0, 1),
        torch.tensor([[1, 0, 2], [2, 4, 4], [2, 2, 2], [5, 3, 2], [0, 0, 1]]),
    )
    try:
        return bool(torch.allclose(sequence_loss(logits, targets, 2), loss_select(logits, targets, 2), atol=1e-5))
    except Exception:
        return False


EQUIVALENTS = {
    "Encoder": [
        EncoderPacked,
        EncoderSorted,
        EncoderTwoPasses,
        EncoderLoop,
        EncoderRows,
        EncoderTimeFirst,
        EncoderPackedIds,
    ],
    "Decoder": [
        DecoderParts,
        DecoderOutputAtOnce,
        DecoderFilled,
        DecoderSplitWeights,
        DecoderOneGru,
        DecoderPadded,
        DecoderKeywords,
    ],
    "sequence_loss": [
        loss_ignore,
        loss_transposed,
        loss_gather,
        loss_select,
        loss_logsumexp,
        loss_rows,
        loss_weights,
    ],
    "clip_by_global_norm": [clip_stack, clip_number, clip_if, clip_min, clip_divide, clip_foreach],
    "greedy_decode": [
        greedy_prefilled,
        greedy_afterwards,
        greedy_where,
        greedy_lists,
        greedy_cut,
        greedy_recursive,
    ],
    "is_good_loss": [
        good_loss_by_hand,
        good_loss_by_comparison,
        good_loss_by_laws,
        good_loss_by_assertions,
        good_loss_by_loop,
        good_loss_by_one_case,
    ],
}
