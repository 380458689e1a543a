"""Checks of lesson 08: from text to batches."""

import re
from collections import Counter
from itertools import chain, pairwise

import numpy as np
import torch

from autograder.exercise import Exercise, case

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
WORDS = ("the", "cat", "sees", "a", "bird", "Anna", "DOG", "under", "tree", "I", "Paul", "sleeps", "here", "old")


def some_words(rng, n):
    return [str(word) for word in rng.choice(WORDS, size=n)]


def pick(rng, *choices):
    return choices[int(rng.integers(len(choices)))]


# ---------------------------------------------------------------------------------------------- tokenize

tokenize = Exercise("tokenize", lesson="08_sequences")

tokenize.hints = (
    "Lower-case first. Then walk through the characters and ask of each: does it belong to a word, is it white space, "
    "or is it something else?",
    'A character belongs to a word if `c.isalnum() or c == "\'"`. It extends the last token if the character before '
    "it belonged to a word, too; otherwise it starts a new token.",
    "With a regular expression: find all `(?:[^\\W_]|')+|[^\\s]`. `\\w` alone would accept the underscore.",
)


@tokenize.reference
def _(text):
    return re.findall(r"(?:[^\W_]|')+|\S", text.lower())


@tokenize.aspect("words and marks", points=1)
def _(rng):
    yield case("a sentence", " ".join(some_words(rng, 5)) + ".")
    yield case("a question with a comma", f"{' '.join(some_words(rng, 3))}, {' '.join(some_words(rng, 2))}?")
    yield case(
        "marks in a row",
        f"{some_words(rng, 1)[0]}... {some_words(rng, 1)[0]}?! (yes)",
    ).because("each mark is a token on its own")
    yield case("a dash inside a word", f"a well-{some_words(rng, 1)[0]} house; twenty-{pick(rng, 'one', 'two')}")
    yield case("upper case throughout", " ".join(some_words(rng, 4)).upper() + "!")
    yield case("upper case and marks in a row", f"{some_words(rng, 1)[0].title()}?! No... SNAKE__{pick(rng, 'X', 'Y')}")


@tokenize.aspect("apostrophes and digits", points=1)
def _(rng):
    word = some_words(rng, 1)[0]
    yield case("apostrophes inside words", f"{word} doesn't see Paul's {pick(rng, 'o', 'a')}'clock")
    yield case("apostrophes at the edges", f"'tis the dogs' {word}").because("an apostrophe belongs to its run")
    yield case("apostrophes alone", f"{word} ' and '' end").because("a run may consist of apostrophes only")
    number = int(rng.integers(10, 10_000))
    yield case("numbers", f"{number} birds and {number + 1}.")
    yield case("digits and letters together", f"room B{number}a, {number}th").because("letters and digits share a run")
    yield case("a decimal number", f"{number}.{int(rng.integers(10))} or {number},5").because(
        "a point is neither a letter nor a digit"
    )


@tokenize.aspect("every script, every sign", points=1)
def _(rng):
    word = some_words(rng, 1)[0]
    yield case("accented letters", f"{word} Élève, À NOËL! garçon naïve")
    yield case("other scripts", f"{pick(rng, 'МОСКВА', 'Анна')} 東京 {word} {pick(rng, 'μικρό', 'καλό')}; Ñandú")
    yield case("a sharp s", f"{word} Straße, {pick(rng, 'groß', 'Fuß')}").because("`str.lower` leaves ß as it is")
    yield case("the curly apostrophe", f"l\u2019été {word} c\u2019est").because("U+2019 is not the apostrophe U+0027")
    yield case("an underscore", f"snake_{word} _x_ a__b").because("an underscore is neither a letter nor a digit")
    yield case("signs", f"5€ + 10% = #{word} @home «{word}» 🙂")
    yield case("digits of other kinds", f"{word} m² 2½ {pick(rng, '٣٤', '४२')}").because(
        "`str.isalnum` accepts all of these"
    )
    yield case("other quotes", f"`{word}` ´a´ “b” ‘c’ rock\u2018n\u2019roll").because("only U+0027 belongs to words")


@tokenize.aspect("white space", points=1)
def _(rng):
    first, second, third = some_words(rng, 3)
    yield case("several spaces, at both ends too", f"  {first}   {second} .  ")
    yield case("tabs and line ends", f"{first}\t{second}\n{third}\r\n{first}")
    yield case("a space that does not break", f"{first}\u00a0! {second}\u00a0? {third}\u2003{first}").because(
        "U+00A0 and U+2003 are white space, too"
    )
    yield case("an empty text", "")
    yield case("only white space", pick(rng, " \n ", "\t \t", "   "))
    yield case("one character", pick(rng, "a", "Q", "7"))


@tokenize.misconception(
    "splits at white space only", hint="A mark is a token of its own: `end.` must become `end` and `.`."
)
def _(text):
    return text.lower().split()


@tokenize.misconception("does not lower-case", hint='"The" and "the" should be one token: use `text.lower()`.')
def _(text):
    return re.findall(r"(?:[^\W_]|')+|\S", text)


@tokenize.misconception(
    "the underscore counts as a letter",
    hint=r"`\w` in a regular expression accepts `_`. `str.isalnum` does not: write `[^\W_]`.",
)
def _(text):
    return re.findall(r"[\w']+|\S", text.lower())


@tokenize.misconception("apostrophes end a word", hint="\"don't\" is one token: let `'` (U+0027) belong to words.")
def _(text):
    return re.findall(r"[^\W_]+|\S", text.lower())


@tokenize.misconception(
    "the curly apostrophe counts as an apostrophe",
    hint="Only U+0027 belongs to words. The curly one, U+2019, is a token on its own.",
)
def _(text):
    return re.findall(r"(?:[^\W_]|['\u2019])+|\S", text.lower())


@tokenize.misconception("only the letters a to z count", hint="`é`, `ж` and `東` are letters, too: ask `str.isalnum`.")
def _(text):
    return re.findall(r"[a-z0-9']+|\S", text.lower())


@tokenize.misconception(
    "marks in a row are one token", hint='"..." is three tokens: only letters, digits and `\'` run.'
)
def _(text):
    return re.findall(r"(?:[^\W_]|')+|(?:[^\w\s']|_)+", text.lower())


@tokenize.misconception("marks are dropped", hint="Marks are tokens, too; only white space is dropped.")
def _(text):
    return re.findall(r"(?:[^\W_]|')+", text.lower())


@tokenize.misconception(
    "only the space is white space", hint="Tabs, line ends and U+00A0 are white space: ask `str.isspace`."
)
def _(text):
    return re.findall(r"(?:[^\W_]|')+|[^ ]", text.lower())


@tokenize.misconception("digits do not belong to words", hint="`b2` is one token, and so is `42`: use `str.isalnum`.")
def _(text):
    return re.findall(r"(?:[^\W\d_]|')+|\S", text.lower())


@tokenize.misconception("letters and digits are separate runs", hint="`b2` is one run: letters and digits mix freely.")
def _(text):
    return re.findall(r"(?:[^\W\d_]|')+|\d+|\S", text.lower())


@tokenize.misconception(
    "apostrophes count only between letters",
    hint="An apostrophe at the edge of a run belongs to the run: `'tis`, `dogs'`.",
)
def _(text):
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*|\S", text.lower())


@tokenize.misconception("folds the case", hint="`str.casefold` turns `ß` into `ss`. Use `str.lower`.")
def _(text):
    return re.findall(r"(?:[^\W_]|')+|\S", text.casefold())


@tokenize.misconception("dashes belong to words", hint="`well-known` is three tokens: `-` is neither letter nor digit.")
def _(text):
    return re.findall(r"(?:[^\W_]|')+(?:-(?:[^\W_]|')+)*|\S", text.lower())


@tokenize.misconception("points belong to numbers", hint="`3.5` is three tokens: `.` is neither letter nor digit.")
def _(text):
    return re.findall(r"\d+(?:[.,]\d+)+|(?:[^\W_]|')+|\S", text.lower())


# ------------------------------------------------------------------------------------------- build_vocab

build_vocab = Exercise("build_vocab", lesson="08_sequences")

build_vocab.hints = (
    "Two jobs: count all tokens of all sequences, then put them in order. `collections.Counter` counts.",
    "Sort by two things at once: `sorted(tokens, key=lambda t: (-counts[t], t))`.",
    "Start with the four special tokens and give each word the number `len(vocab)` as it comes.",
)


def corpus(rng, counts):
    """Sequences in which the tokens occur so often, in random order."""
    tokens = [token for token, count in counts.items() for _ in range(count)]
    tokens = [tokens[i] for i in rng.permutation(len(tokens))]
    cuts = np.sort(rng.integers(0, len(tokens) + 1, size=max(2, len(tokens) // 4)))
    bounds = [0, *cuts.tolist(), len(tokens)]
    return [tokens[start:stop] for start, stop in pairwise(bounds) if stop > start]


def new_words(rng, n):
    """n different words of 1 to 4 letters, in random order."""
    words = {}
    while len(words) < n:
        words["".join(rng.choice(list("abcdexyz"), size=int(rng.integers(1, 5))))] = None
    return list(words)


@build_vocab.reference
def _(sequences, min_count=1):
    flat = sorted(token for sequence in sequences for token in sequence)
    counts = [(flat.count(token), token) for token in dict.fromkeys(flat)]
    kept = [token for count in range(len(flat), 0, -1) for n, token in counts if n == count >= min_count]
    return {token: number for number, token in enumerate([*SPECIALS, *kept])}


@build_vocab.aspect("by falling count", points=1)
def _(rng):
    words = new_words(rng, 5)
    yield case("counts all different", corpus(rng, dict(zip(words, (9, 7, 4, 2, 1)))))
    yield case("one long sequence", [[*chain.from_iterable(corpus(rng, dict(zip(new_words(rng, 4), (5, 3, 2, 1)))))]])
    word, other, third = new_words(rng, 3)
    yield case(
        "often in one sequence, once in many",
        [[word] * 5, [other, third], [other], [third, other, word]],
    ).because("every occurrence counts, not every sequence")


@build_vocab.aspect("ties in alphabetical order", points=1)
def _(rng):
    yield case("all once", corpus(rng, dict.fromkeys(new_words(rng, 8), 1)))
    yield case("two levels", corpus(rng, dict(zip(new_words(rng, 9), (3, 3, 3, 3, 1, 1, 1, 1, 1)))))
    words = sorted(new_words(rng, 4), reverse=True)
    yield case("first seen last in the alphabet", [words, words])
    yield case("words that begin alike", [["abc", "ab", "b", "abcd", "a", pick(rng, "abd", "aab", "ba")]])


@build_vocab.aspect("min_count", points=1)
def _(rng):
    words = new_words(rng, 8)
    sequences = corpus(rng, dict(zip(words, (6, 5, 4, 3, 3, 2, 1, 1))))
    yield case("at least 3", sequences, 3).because("a token that occurs exactly min_count times stays")
    yield case("at least 2, by keyword", sequences, min_count=2)
    yield case("at least 1", sequences, min_count=1)
    yield case("more than any", corpus(rng, dict(zip(words, (2, 2, 1)))), 5).because(
        "only the four special tokens stay"
    )


@build_vocab.aspect("any sequences", points=1)
def _(rng):
    words = new_words(rng, 3)
    yield case("empty sequences among them", [[], [words[0]], [], [words[1], words[0]]])
    yield case("no sequence at all", [])
    yield case("marks and numbers", [[".", "cat", "."], ["7", ".", "cat"], [words[2], "'s", "cat", "7", "."]])
    yield case("many words", corpus(rng, {word: 1 + int(rng.integers(6)) for word in new_words(rng, 40)}))


def _vocab(words):
    return {token: number for number, token in enumerate([*SPECIALS, *words])}


def _counts(sequences, min_count):
    counts = Counter(token for sequence in sequences for token in sequence)
    return {token: count for token, count in counts.items() if count >= min_count}


def _ordered(sequences, min_count):
    counts = _counts(sequences, min_count)
    return sorted(counts, key=lambda token: (-counts[token], token))


@build_vocab.misconception(
    "ties in the order of first occurrence",
    hint="`Counter.most_common` leaves ties in the order in which they were first seen. Sort by (-count, token).",
)
def _(sequences, min_count=1):
    counts = _counts(sequences, min_count)
    return _vocab(sorted(counts, key=lambda token: -counts[token]))


@build_vocab.misconception(
    "ties in reverse alphabetical order",
    hint="`reverse=True` turns both orders around. Sort by (-count, token), not reversed.",
)
def _(sequences, min_count=1):
    counts = _counts(sequences, min_count)
    return _vocab(sorted(counts, key=lambda token: (counts[token], token), reverse=True))


@build_vocab.misconception(
    "alphabetical, whatever the counts", hint="The count comes first, the alphabet decides ties."
)
def _(sequences, min_count=1):
    return _vocab(sorted(_counts(sequences, min_count)))


@build_vocab.misconception(
    "in the order of first occurrence", hint="Sort the words: by falling count, then by alphabet."
)
def _(sequences, min_count=1):
    return _vocab(_counts(sequences, min_count))


@build_vocab.misconception(
    "the rarest first", hint="The most frequent word gets the smallest number: negate the count."
)
def _(sequences, min_count=1):
    counts = _counts(sequences, min_count)
    return _vocab(sorted(counts, key=lambda token: (counts[token], token)))


@build_vocab.misconception(
    "min_count itself is too few", hint="`at least min_count` includes min_count: compare with `>=`."
)
def _(sequences, min_count=1):
    return _vocab(_ordered(sequences, min_count + 1))


@build_vocab.misconception("min_count is ignored", hint="Leave out words that occur less than min_count times.")
def _(sequences, min_count=1):
    return _vocab(_ordered(sequences, 1))


@build_vocab.misconception(
    "a word counts once in a sequence", hint="Count every occurrence: do not make a `set` of a sequence first."
)
def _(sequences, min_count=1):
    return _vocab(_ordered([sorted(set(sequence)) for sequence in sequences], min_count))


@build_vocab.misconception(
    "no special tokens", hint="`<pad>`, `<bos>`, `<eos>` and `<unk>` take the ids 0 to 3; words start at 4."
)
def _(sequences, min_count=1):
    return {token: number for number, token in enumerate(_ordered(sequences, min_count))}


@build_vocab.misconception(
    "the special tokens are not in the dictionary", hint="Words start at 4, and the four special tokens are keys, too."
)
def _(sequences, min_count=1):
    return {token: number for number, token in enumerate(_ordered(sequences, min_count), 4)}


@build_vocab.misconception("the special tokens come last", hint="The special tokens have the ids 0 to 3.")
def _(sequences, min_count=1):
    return {token: number for number, token in enumerate([*_ordered(sequences, min_count), *SPECIALS])}


@build_vocab.misconception(
    "the special tokens in another order", hint="`<pad>` 0, `<bos>` 1, `<eos>` 2, `<unk>` 3, in this order."
)
def _(sequences, min_count=1):
    words = ["<pad>", "<unk>", "<bos>", "<eos>", *_ordered(sequences, min_count)]
    return {token: number for number, token in enumerate(words)}


@build_vocab.misconception("from id to token", hint="The keys are the tokens, the values their ids.")
def _(sequences, min_count=1):
    return dict(enumerate([*SPECIALS, *_ordered(sequences, min_count)]))


@build_vocab.misconception(
    "the letters are counted", hint="A sequence is a list of tokens: one loop over sequences, one over their tokens."
)
def _(sequences, min_count=1):
    return _vocab(_ordered([list(" ".join(sequence)) for sequence in sequences], min_count))


# ------------------------------------------------------------------------------------------------ encode

encode = Exercise("encode", lesson="08_sequences")

encode.hints = (
    "Three parts: perhaps a `<bos>`, the id of each token, perhaps an `<eos>`.",
    '`vocab.get(token, default)` looks up and never fails. The default is `vocab["<unk>"]`.',
    'Return `[vocab["<bos>"]] * bos + ids + [vocab["<eos>"]] * eos`, which is a list.',
)


def small_vocab(rng, n=8):
    words = new_words(rng, n)
    return words, _vocab(words)


@encode.reference
def _(tokens, vocab, bos=False, eos=True):
    ids = [1] if bos else []
    for token in tokens:
        ids.append(vocab.get(token, 3))
    return [*ids, 2] if eos else ids


def some(rng, words, n):
    return [words[i] for i in rng.integers(0, len(words), size=n)]


@encode.aspect("ids and the end", points=1)
def _(rng):
    words, vocab = small_vocab(rng)
    yield case("known words", some(rng, words, 5), vocab).because("`<eos>` ends it unless told not to")
    yield case("each word once", words, vocab)
    yield case("no words", [], vocab).because("only `<eos>` is left")


@encode.aspect("unknown words", points=1)
def _(rng):
    words, vocab = small_vocab(rng)
    unknown = [word.upper() for word in words[:2]]
    yield case("one unknown", [words[0], unknown[0], words[1]], vocab)
    yield case("only unknown", [*unknown, unknown[0]], vocab)
    yield case("unknown, first and last", [unknown[1], *some(rng, words, 2), unknown[0]], vocab, True, False)


@encode.aspect("bos and eos", points=1)
def _(rng):
    words, vocab = small_vocab(rng)
    tokens = some(rng, words, 4)
    yield case("both", tokens, vocab, bos=True)
    yield case("neither", tokens, vocab, eos=False)
    yield case("bos only", tokens, vocab, bos=True, eos=False)
    yield case("eos only, by position", tokens, vocab, False, True)
    yield case("bos only, by position", tokens, vocab, True, False)
    yield case("no words, both", [], vocab, bos=True, eos=True)
    yield case("no words, neither", [], vocab, bos=False, eos=False)


@encode.misconception("unknown words are left out", hint="An unknown word becomes `<unk>`: its place stays.")
def _(tokens, vocab, bos=False, eos=True):
    return [1] * bos + [vocab[token] for token in tokens if token in vocab] + [2] * eos


@encode.misconception(
    "an unknown word is an error", hint='`vocab[token]` raises KeyError. Use `vocab.get(token, vocab["<unk>"])`.'
)
def _(tokens, vocab, bos=False, eos=True):
    return [1] * bos + [vocab[token] for token in tokens] + [2] * eos


@encode.misconception("an unknown word becomes padding", hint="0 is `<pad>`; an unknown word is `<unk>`, 3.")
def _(tokens, vocab, bos=False, eos=True):
    return [1] * bos + [vocab.get(token, 0) for token in tokens] + [2] * eos


@encode.misconception(
    "an unknown word gets a new id", hint="The vocabulary stays as it is: an unknown word becomes `<unk>`."
)
def _(tokens, vocab, bos=False, eos=True):
    return [1] * bos + [vocab.setdefault(token, len(vocab)) for token in tokens] + [2] * eos


@encode.misconception("never an eos", hint="`<eos>` is put behind unless `eos=False`.")
def _(tokens, vocab, bos=False, eos=True):
    return [1] * bos + [vocab.get(token, 3) for token in tokens]


@encode.misconception("always an eos", hint="With `eos=False` there is no `<eos>`.")
def _(tokens, vocab, bos=False, eos=True):
    return [1] * bos + [vocab.get(token, 3) for token in tokens] + [2]


@encode.misconception("never a bos", hint="With `bos=True`, `<bos>` comes first.")
def _(tokens, vocab, bos=False, eos=True):
    return [vocab.get(token, 3) for token in tokens] + [2] * eos


@encode.misconception("always a bos", hint="`<bos>` comes only with `bos=True`.")
def _(tokens, vocab, bos=False, eos=True):
    return [1] + [vocab.get(token, 3) for token in tokens] + [2] * eos


@encode.misconception("bos and eos are exchanged", hint="`<bos>` begins, `<eos>` ends.")
def _(tokens, vocab, bos=False, eos=True):
    return [2] * bos + [vocab.get(token, 3) for token in tokens] + [1] * eos


@encode.misconception("the parameters in another order", hint="The order of the parameters is tokens, vocab, bos, eos.")
def _(tokens, vocab, eos=True, bos=False):
    return [1] * bos + [vocab.get(token, 3) for token in tokens] + [2] * eos


@encode.misconception("it returns a tensor", hint="A list of int is wanted; `pad_batch` makes the tensor.")
def _(tokens, vocab, bos=False, eos=True):
    return torch.tensor([1] * bos + [vocab.get(token, 3) for token in tokens] + [2] * eos, dtype=torch.int64)


# ------------------------------------------------------------------------------------------------ decode

decode = Exercise("decode", lesson="08_sequences")

decode.hints = (
    "You need the dictionary the other way around: from id to token.",
    "Walk through the ids; `int(i)` makes a Python number of a tensor's element. Break at `<eos>`, skip `<pad>` and "
    "`<bos>`.",
    "`words = {i: token for token, i in vocab.items()}`, then a loop with `if i == 2: break` and "
    "`if i not in (0, 1): tokens.append(words[i])`.",
)


@decode.reference
def _(ids, vocab):
    tokens = []
    for number in np.asarray(ids, dtype=np.int64).tolist():
        token = next(token for token, own in vocab.items() if own == number)
        if number == 2:
            return tokens
        tokens += [] if number in (0, 1) else [token]
    return tokens


def some_ids(rng, n, low=4, high=12):
    return rng.integers(low, high, size=n).tolist()


@decode.aspect("tokens from a list", points=1)
def _(rng):
    _, vocab = small_vocab(rng)
    yield case("words and an end", [*some_ids(rng, 4), 2], vocab)
    yield case("no end", some_ids(rng, 5), vocab)
    yield case("with unknown words", [3, *some_ids(rng, 2), 3, 3, *some_ids(rng, 1), 2], vocab).because(
        "`<unk>` is kept"
    )
    yield case("nothing", [], vocab)
    yield case("only an end", [2], vocab)


@decode.aspect("the end", points=1)
def _(rng):
    _, vocab = small_vocab(rng)
    first, second = some_ids(rng, 3), some_ids(rng, 3)
    yield case("words after the end", [*first, 2, *second], vocab).because("it stops at the first `<eos>`")
    yield case("an end, padding, another end", [*first, 2, 0, 0, second[0], 2], vocab)
    yield case("filled with ends", [*first, 2, 2, 2], vocab)
    yield case("the end comes first", [2, *first], vocab)


@decode.aspect("padding and begin", points=1)
def _(rng):
    _, vocab = small_vocab(rng)
    a, b, c = some_ids(rng, 3)
    yield case("bos, words, padding", [1, a, b, 2, 0, 0], vocab)
    yield case("padding between words", [a, 0, b, 0, 0, c, 2], vocab).because("`<pad>` is dropped and does not stop it")
    yield case("padding on the left", [0, 0, 1, a, b], vocab)
    yield case("bos between words", [1, a, 1, b, c], vocab).because("`<bos>` is dropped wherever it stands")
    yield case("only padding", [0, 0, 0], vocab)


@decode.aspect("tensors", points=1)
def _(rng):
    _, vocab = small_vocab(rng)
    a, b, c = some_ids(rng, 3)
    yield case("a row of a batch", torch.tensor([1, a, 3, b, 2, 0]), vocab)
    yield case("a strided row", torch.tensor([[a, 9], [0, 9], [b, 9], [2, 9], [c, 9]])[:, 0], vocab)
    yield case("one element", torch.tensor([a]), vocab)


def _decoded(ids, vocab, stop=(2,), drop=(0, 1)):
    words = {number: token for token, number in vocab.items()}
    tokens = []
    for number in map(int, ids):
        if number in stop:
            break
        if number not in drop:
            tokens.append(words[number])
    return tokens


@decode.misconception(
    "eos is dropped, but it goes on", hint="`<eos>` must stop the loop (`break`), not just be skipped."
)
def _(ids, vocab):
    return _decoded(ids, vocab, stop=(), drop=(0, 1, 2))


@decode.misconception("eos is kept", hint="Stop before `<eos>` is appended.")
def _(ids, vocab):
    tokens = _decoded(ids, vocab)
    return [*tokens, "<eos>"] if 2 in [int(i) for i in ids] else tokens


@decode.misconception("padding is kept", hint="`<pad>` is dropped.")
def _(ids, vocab):
    return _decoded(ids, vocab, drop=(1,))


@decode.misconception("bos is kept", hint="`<bos>` is dropped.")
def _(ids, vocab):
    return _decoded(ids, vocab, drop=(0,))


@decode.misconception("bos is dropped only at the start", hint="Drop `<bos>` wherever it stands.")
def _(ids, vocab):
    ids = [int(i) for i in ids]
    return _decoded(ids[1:] if ids[:1] == [1] else ids, vocab, drop=(0,))


@decode.misconception("unknown words are dropped", hint="`<unk>` stays: the reader should see that there was a word.")
def _(ids, vocab):
    return _decoded(ids, vocab, drop=(0, 1, 3))


@decode.misconception("padding stops it", hint="Only `<eos>` stops; `<pad>` is skipped.")
def _(ids, vocab):
    return _decoded(ids, vocab, stop=(0, 2))


@decode.misconception("nothing is dropped and nothing stops", hint="Stop at `<eos>`, skip `<pad>` and `<bos>`.")
def _(ids, vocab):
    return _decoded(ids, vocab, stop=(), drop=())


@decode.misconception(
    "it stops at the last eos", hint="The first `<eos>` ends the sentence; what comes after was never said."
)
def _(ids, vocab):
    ids = [int(i) for i in ids]
    last = max((i for i, number in enumerate(ids) if number == 2), default=len(ids))
    return _decoded(ids[:last], vocab, stop=(), drop=(0, 1, 2))


@decode.misconception(
    "an element of a tensor is looked up as it is",
    hint="A tensor's element is a tensor, which no dictionary finds: `int(i)` or `ids.tolist()`.",
)
def _(ids, vocab):
    words = {number: token for token, number in vocab.items()}
    tokens = []
    for number in ids:
        if number == 2:
            break
        if number not in (0, 1):
            tokens.append(words[number])
    return tokens


@decode.misconception("it returns one string", hint="Return the list of tokens, not joined.")
def _(ids, vocab):
    return " ".join(_decoded(ids, vocab))


# --------------------------------------------------------------------------------------------- pad_batch

pad_batch = Exercise("pad_batch", lesson="08_sequences", returns=("ids", "lengths"))

pad_batch.hints = (
    "First find the lengths and their maximum, then fill each row up to it.",
    "`row + [pad_id] * (longest - len(row))` fills a list. Say `dtype=torch.int64` when you make the tensors.",
    "The lengths are `len(sequence)`, known before padding; do not count them from the padded ids.",
)


@pad_batch.reference
def _(sequences, pad_id=0):
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad_id, dtype=torch.int64)
    for b, sequence in enumerate(sequences):
        for t, number in enumerate(sequence):
            ids[b, t] = number
    return ids, torch.tensor([*map(len, sequences)], dtype=torch.int64)


def ragged(rng, *lengths, low=4):
    return [rng.integers(low, 50, size=n).tolist() for n in lengths]


@pad_batch.aspect("a rectangle", points=1)
def _(rng):
    yield case("three lengths", ragged(rng, 2, 5, 3))
    yield case("the longest comes first", ragged(rng, 6, 1, 4, 2))
    yield case("all equally long", ragged(rng, 3, 3))
    yield case("a batch of one", ragged(rng, 4))
    yield case("many", ragged(rng, *rng.integers(1, 9, size=12).tolist()))


@pad_batch.aspect("pad_id", points=1)
def _(rng):
    other = int(rng.integers(51, 99))
    yield case("another pad_id", ragged(rng, 2, 4, 1), other)
    yield case("by keyword", ragged(rng, 1, 3), pad_id=other)
    yield case("a negative one", ragged(rng, 3, 1, 2), -100)


@pad_batch.aspect("lengths are the sequences' own", points=1)
def _(rng):
    a, b, c = some_ids(rng, 3)
    yield case("the padding id at the end", [[a, b, 0, 0], [c], [a, 0, b]]).because("a sequence may contain pad_id")
    yield case("another pad_id inside", [[a, 7, b], [7, 7], [c]], 7)
    yield case("only the padding id", [[0, 0], [a, b, c]])
    yield case("equal rows, other lengths", [[a], [a, 0], [a, 0, 0]])


@pad_batch.aspect("empty sequences", points=1)
def _(rng):
    yield case("one in the middle", ragged(rng, 3, 0, 2))
    yield case("the first and the last", ragged(rng, 0, 4, 1, 0))
    yield case("next to another pad_id", ragged(rng, 0, 2), 9).because("an empty sequence becomes a row of padding")


def _padded(sequences, pad_id=0, longest=None):
    longest = max(map(len, sequences)) if longest is None else longest
    rows = [sequence[:longest] + [pad_id] * (longest - len(sequence)) for sequence in sequences]
    return torch.tensor(rows, dtype=torch.int64), torch.tensor([*map(len, sequences)])


@pad_batch.misconception(
    "lengths counted from the padded ids",
    hint="A sequence may contain pad_id. Take the lengths before padding: `len(sequence)`.",
)
def _(sequences, pad_id=0):
    ids, _ = _padded(sequences, pad_id)
    return ids, (ids != pad_id).sum(1)


@pad_batch.misconception("padding on the left", hint="Fill up on the right, behind the sequence.")
def _(sequences, pad_id=0):
    ids, lengths = _padded([sequence[::-1] for sequence in sequences], pad_id)
    return ids.flip(1), lengths


@pad_batch.misconception("pad_id is ignored", hint="Fill with pad_id, which is 0 only by default.")
def _(sequences, pad_id=0):
    return _padded(sequences)


@pad_batch.misconception("all lengths are T", hint="Each length is its own sequence's: `len(sequence)`.")
def _(sequences, pad_id=0):
    ids, lengths = _padded(sequences, pad_id)
    return ids, torch.full_like(lengths, ids.shape[1])


@pad_batch.misconception("as wide as the first sequence", hint="T is the greatest of the lengths, not the first.")
def _(sequences, pad_id=0):
    return _padded(sequences, pad_id, len(sequences[0]))


@pad_batch.misconception("as wide as the shortest sequence", hint="Nothing is cut off: T is the greatest length.")
def _(sequences, pad_id=0):
    return _padded(sequences, pad_id, min(map(len, sequences)))


@pad_batch.misconception("one column too many", hint="T is the greatest length: the longest row has no padding.")
def _(sequences, pad_id=0):
    return _padded(sequences, pad_id, max(map(len, sequences)) + 1)


@pad_batch.misconception("sorted by length", hint="The rows stay in the order in which they came.")
def _(sequences, pad_id=0):
    return _padded(sorted(sequences, key=len, reverse=True), pad_id)


@pad_batch.misconception("a mask instead of lengths", hint="The second result is `(B,)`: one length for each row.")
def _(sequences, pad_id=0):
    ids, lengths = _padded(sequences, pad_id)
    return ids, torch.arange(ids.shape[1]) < lengths[:, None]


@pad_batch.misconception("time first", hint="The batch comes first: ids are `(B, T)`.")
def _(sequences, pad_id=0):
    ids, lengths = _padded(sequences, pad_id)
    return ids.T, lengths


@pad_batch.misconception("floating ids", hint="Ids and lengths are whole numbers: `dtype=torch.int64`.")
def _(sequences, pad_id=0):
    ids, lengths = _padded(sequences, pad_id)
    return ids.float(), lengths


@pad_batch.misconception(
    "empty sequences are left out", hint="An empty sequence becomes a row of padding, of length 0."
)
def _(sequences, pad_id=0):
    return _padded([sequence for sequence in sequences if sequence], pad_id)


@pad_batch.misconception(
    "lists instead of tensors", hint="Make tensors of both: `torch.tensor(..., dtype=torch.int64)`."
)
def _(sequences, pad_id=0):
    ids, lengths = _padded(sequences, pad_id)
    return ids.tolist(), lengths.tolist()


# --------------------------------------------------------------------------------------- teacher_forcing

teacher_forcing = Exercise("teacher_forcing", lesson="08_sequences", returns=("decoder_input", "decoder_target"))

teacher_forcing.hints = (
    "Both results are slices of the same tensor. Which axis is time?",
    "`x[:, a:b]` takes columns a to b - 1 of every row.",
    "All but the last column is `target_ids[:, :-1]`; all but the first is `target_ids[:, 1:]`.",
)


@teacher_forcing.reference
def _(target_ids):
    rows = target_ids.tolist()
    return torch.tensor([row[:-1] for row in rows]), torch.tensor([row[1:] for row in rows])


def target_rows(rng, *lengths):
    rows = [[1, *some_ids(rng, n - 2), 2] for n in lengths]
    return torch.tensor([row + [0] * (max(lengths) - len(row)) for row in rows])


@teacher_forcing.aspect("input and target", points=1)
def _(rng):
    yield case("two rows", target_rows(rng, 5, 5))
    yield case("more rows than columns", target_rows(rng, *[3] * 6))
    yield case("as many rows as columns", target_rows(rng, 4, 4, 4, 4))


@teacher_forcing.aspect("padded rows", points=1)
def _(rng):
    yield case("three lengths", target_rows(rng, 3, 6, 4)).because("a short row's `<eos>` is read like any token")
    yield case("very short rows", target_rows(rng, 2, 7, 2, 3))
    yield case("padded further", torch.cat([target_rows(rng, 4, 3), torch.zeros(2, 2, dtype=torch.int64)], dim=1))
    inside = target_rows(rng, 6, 6)
    inside[0, 2] = 0
    yield case("a padding id inside", inside)


@teacher_forcing.aspect("small batches", points=1)
def _(rng):
    yield case("a batch of one", target_rows(rng, 5))
    yield case("two columns", target_rows(rng, 2, 2, 2)).because("one column is left of each, `(B, 1)`")
    yield case("one row, two columns", target_rows(rng, 2))


@teacher_forcing.misconception("exchanged", hint="The input comes first, and it starts with `<bos>`.")
def _(target_ids):
    return target_ids[:, 1:], target_ids[:, :-1]


@teacher_forcing.misconception(
    "cuts rows instead of columns", hint="Time is the second axis: slice `[:, ...]`; the first axis is the batch."
)
def _(target_ids):
    return target_ids[:-1], target_ids[1:]


@teacher_forcing.misconception("the input keeps the last column", hint="Both results have T - 1 columns.")
def _(target_ids):
    return target_ids, target_ids[:, 1:]


@teacher_forcing.misconception(
    "the target is the input", hint="The target is shifted by one, or the decoder could simply copy what it reads."
)
def _(target_ids):
    return target_ids[:, :-1], target_ids[:, :-1]


@teacher_forcing.misconception(
    "the first column comes around", hint="`torch.roll` brings `<bos>` to the end. Cut the columns off instead."
)
def _(target_ids):
    return target_ids, torch.roll(target_ids, -1, dims=1)


@teacher_forcing.misconception(
    "the last word of each row is cut, not the last column",
    hint="Only the last column goes. The `<eos>` of a short row stays in the input; the loss ignores what follows.",
)
def _(target_ids):
    inputs = target_ids.masked_fill(target_ids == 2, 0)
    return inputs[:, :-1], target_ids[:, 1:]


@teacher_forcing.misconception("another bos in front", hint="The rows start with `<bos>` already.")
def _(target_ids):
    begin = torch.ones_like(target_ids[:, :1])
    return torch.cat([begin, target_ids[:, :-1]], dim=1), target_ids


@teacher_forcing.misconception("axes of size one are dropped", hint="Keep both axes, also for one row or one column.")
def _(target_ids):
    return target_ids[:, :-1].squeeze(), target_ids[:, 1:].squeeze()


@teacher_forcing.misconception("lists instead of tensors", hint="Slice the tensor: the results are tensors.")
def _(target_ids):
    return target_ids[:, :-1].tolist(), target_ids[:, 1:].tolist()
