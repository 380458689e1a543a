"""Right implementations of lesson 08's functions, each in another way."""

import itertools
import re
from collections import Counter, defaultdict

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence


def tokenize_regex(text):
    return re.findall(r"(?:[^\W_]|')+|[^\s]", text.lower())


def tokenize_regex_alternation(text):
    return [match.group() for match in re.finditer(r"[^\W_'](?:[^\W_]|')*|'(?:[^\W_]|')*|_|[^\w\s]", text.lower())]


def tokenize_groupby(text):
    def kind(pair):
        index, character = pair
        if character.isalnum() or character == "\u0027":
            return "word"
        return "space" if character.isspace() else index

    groups = itertools.groupby(enumerate(text.lower()), key=kind)
    return ["".join(c for _, c in group) for name, group in groups if name != "space"]


def tokenize_spaces(text):
    spaced = "".join(c if c.isalnum() or c == "'" else f" {c} " for c in text.lower())
    return spaced.split()


def tokenize_positions(text):
    text, tokens, i = text.lower(), [], 0
    while i < len(text):
        j = i
        while j < len(text) and (text[j].isalnum() or text[j] in "'"):
            j += 1
        if j > i:
            tokens.append(text[i:j])
            i = j
        else:
            if text[i].strip():
                tokens.append(text[i])
            i += 1
    return tokens


def tokenize_current(text):
    tokens, current = [], ""
    for c in text.lower() + " ":
        if c.isalnum() or c == "'":
            current += c
            continue
        if current:
            tokens.append(current)
            current = ""
        if not c.isspace():
            tokens.append(c)
    return tokens


def tokenize_words_first(text):
    tokens = []
    for word in text.lower().split():
        tokens.extend(piece for piece in re.split(r"((?:[^\W_]|')+)|(.)", word) if piece)
    return tokens


SPECIALS = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}


def build_vocab_two_sorts(sequences, min_count=1):
    counts = Counter()
    for sequence in sequences:
        counts.update(sequence)
    words = sorted(sorted(counts), key=counts.get, reverse=True)
    return SPECIALS | {w: i for i, w in enumerate((w for w in words if counts[w] >= min_count), start=4)}


def build_vocab_most_common(sequences, min_count=1):
    counts = Counter(sorted(itertools.chain.from_iterable(sequences)))
    words = [w for w, c in counts.most_common() if c >= min_count]
    return {w: i for i, w in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *words])}


def build_vocab_dict(sequences, min_count=1):
    counts = {}
    for sequence in sequences:
        for token in sequence:
            counts[token] = counts.get(token, 0) + 1
    vocab = dict(SPECIALS)
    for _, token in sorted((-count, token) for token, count in counts.items() if count >= min_count):
        vocab[token] = len(vocab)
    return vocab


def build_vocab_levels(sequences, min_count=1):
    counts = defaultdict(int)
    for token in [*itertools.chain(*sequences)]:
        counts[token] += 1
    levels = defaultdict(list)
    for token, count in counts.items():
        levels[count].append(token)
    vocab = dict(SPECIALS)
    for count in sorted(levels, reverse=True):
        if count < min_count:
            break
        for token in sorted(levels[count]):
            vocab[token] = len(vocab)
    return vocab


def build_vocab_numpy(sequences, min_count=1):
    flat = [token for sequence in sequences for token in sequence]
    if not flat:
        return dict(SPECIALS)
    tokens, counts = np.unique(flat, return_counts=True)
    order = np.lexsort((np.arange(len(tokens)), -counts))
    words = [str(tokens[i]) for i in order if counts[i] >= min_count]
    return {**SPECIALS, **dict(zip(words, range(4, 4 + len(words))))}


def build_vocab_another_order(sequences, min_count=1):
    return dict(reversed(build_vocab_dict(sequences, min_count).items()))


def encode_constants(tokens, vocab, bos=False, eos=True):
    return [1] * bos + [vocab.get(token, 3) for token in tokens] + [2] * eos


def encode_marks(tokens, vocab, bos=False, eos=True):
    marked = (["<bos>"] if bos else []) + list(tokens) + (["<eos>"] if eos else [])
    return [vocab[t] if t in vocab else vocab["<unk>"] for t in marked]


def encode_append(tokens, vocab, bos=False, eos=True):
    ids = []
    if bos:
        ids.append(vocab["<bos>"])
    for token in tokens:
        try:
            ids.append(vocab[token])
        except KeyError:
            ids.append(vocab["<unk>"])
    if eos:
        ids.append(vocab["<eos>"])
    return ids


def encode_defaultdict(tokens, vocab, bos=False, eos=True):
    lookup = defaultdict(lambda: vocab["<unk>"], vocab)
    ids = list(map(lookup.__getitem__, tokens))
    if eos:
        ids += [vocab["<eos>"]]
    if bos:
        ids.insert(0, vocab["<bos>"])
    return ids


def encode_generator(tokens, vocab, bos=False, eos=True):
    def ids():
        if bos:
            yield vocab["<bos>"]
        yield from (vocab.get(t, vocab["<unk>"]) for t in tokens)
        if eos:
            yield vocab["<eos>"]

    return list(ids())


def encode_slice(tokens, vocab, bos=False, eos=True):
    everything = [vocab["<bos>"], *(vocab.get(t, vocab["<unk>"]) for t in tokens), vocab["<eos>"]]
    return everything[0 if bos else 1 : len(everything) if eos else len(everything) - 1]


def decode_tolist(ids, vocab):
    ids = ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
    if 2 in ids:
        ids = ids[: ids.index(2)]
    words = dict(zip(vocab.values(), vocab.keys()))
    return [words[i] for i in ids if i > 1]


def decode_takewhile(ids, vocab):
    words = {i: t for t, i in vocab.items()}
    said = itertools.takewhile(lambda i: i != vocab["<eos>"], (int(i) for i in ids))
    return [words[i] for i in said if i not in (vocab["<pad>"], vocab["<bos>"])]


def decode_tensor(ids, vocab):
    ids = torch.as_tensor(ids, dtype=torch.int64)
    ends = (ids == 2).nonzero()
    if len(ends):
        ids = ids[: ends[0, 0]]
    ids = ids[(ids != 0) & (ids != 1)]
    words = {i: t for t, i in vocab.items()}
    return [words[i] for i in ids.tolist()]


def decode_numpy(ids, vocab):
    ids = np.array(ids, dtype=int).ravel()
    before = np.cumsum(ids == 2) == 0
    names = sorted(vocab, key=vocab.get)
    return [names[i] for i in ids[before & (ids > 1)]]


def decode_words_first(ids, vocab):
    words = {i: t for t, i in vocab.items()}
    tokens = [words[int(i)] for i in ids] + ["<eos>"]
    return [t for t in tokens[: tokens.index("<eos>")] if t not in {"<pad>", "<bos>"}]


def decode_item(ids, vocab):
    tokens = []
    for i in ids:
        i = i.item() if hasattr(i, "item") else i
        if i == 2:
            return tokens
        if i in (0, 1):
            continue
        tokens.append(next(t for t, own in vocab.items() if own == i))
    return tokens


def pad_batch_full(sequences, pad_id=0):
    lengths = torch.tensor([len(s) for s in sequences])
    ids = torch.full((len(sequences), max(len(s) for s in sequences)), pad_id)
    for row, s in zip(ids, sequences):
        row[: len(s)] = torch.tensor(s, dtype=torch.int64)
    return ids, lengths


def pad_batch_pad_sequence(sequences, pad_id=0):
    tensors = [torch.tensor(s, dtype=torch.int64) for s in sequences]
    ids = pad_sequence(tensors, batch_first=True, padding_value=pad_id)
    return ids, torch.tensor(list(map(len, sequences)), dtype=torch.long)


def pad_batch_zip_longest(sequences, pad_id=0):
    columns = list(itertools.zip_longest(*sequences, fillvalue=pad_id))
    return torch.tensor(columns).T, torch.tensor([len(s) for s in sequences])


def pad_batch_mask(sequences, pad_id=0):
    lengths = torch.as_tensor([len(s) for s in sequences])
    mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    flat = torch.tensor([i for s in sequences for i in s], dtype=torch.long)
    return torch.full(mask.shape, pad_id).masked_scatter(mask, flat), lengths


def pad_batch_numpy(sequences, pad_id=0):
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    ids = np.full((len(sequences), lengths.max()), pad_id, dtype=np.int64)
    for b, s in enumerate(sequences):
        ids[b, : lengths[b]] = s
    return torch.from_numpy(ids), torch.from_numpy(lengths)


def pad_batch_functional(sequences, pad_id=0):
    longest = max(map(len, sequences))
    rows = [torch.nn.functional.pad(torch.LongTensor(s), (0, longest - len(s)), value=pad_id) for s in sequences]
    return torch.stack(rows), torch.LongTensor([len(s) for s in sequences])


def forcing_narrow(target_ids):
    columns = target_ids.shape[1] - 1
    return target_ids.narrow(1, 0, columns), target_ids.narrow(1, 1, columns)


def forcing_clone(target_ids):
    return target_ids[..., :-1].clone(), target_ids[..., 1:].clone()


def forcing_index(target_ids):
    places = torch.arange(target_ids.shape[1])
    return target_ids.index_select(1, places[:-1]), target_ids.index_select(1, places[1:])


def forcing_unfold(target_ids):
    pairs = target_ids.unfold(1, 2, 1)
    return pairs[..., 0], pairs[..., 1]


def forcing_stack(target_ids):
    columns = target_ids.unbind(1)
    return torch.stack(columns[:-1], 1), torch.stack(columns[1:], 1)


def forcing_roll(target_ids):
    return target_ids[:, :-1], torch.roll(target_ids, -1, dims=1)[:, :-1]


EQUIVALENTS = {
    "tokenize": [
        tokenize_regex,
        tokenize_regex_alternation,
        tokenize_groupby,
        tokenize_spaces,
        tokenize_positions,
        tokenize_current,
        tokenize_words_first,
    ],
    "build_vocab": [
        build_vocab_two_sorts,
        build_vocab_most_common,
        build_vocab_dict,
        build_vocab_levels,
        build_vocab_numpy,
        build_vocab_another_order,
    ],
    "encode": [
        encode_constants,
        encode_marks,
        encode_append,
        encode_defaultdict,
        encode_generator,
        encode_slice,
    ],
    "decode": [decode_tolist, decode_takewhile, decode_tensor, decode_numpy, decode_words_first, decode_item],
    "pad_batch": [
        pad_batch_full,
        pad_batch_pad_sequence,
        pad_batch_zip_longest,
        pad_batch_mask,
        pad_batch_numpy,
        pad_batch_functional,
    ],
    "teacher_forcing": [
        forcing_narrow,
        forcing_clone,
        forcing_index,
        forcing_unfold,
        forcing_stack,
        forcing_roll,
    ],
}
