"""English to French sentences from our own grammar."""

from __future__ import annotations

import random
import zlib

from .dataset import Dataset, Pair
from .grammar import Writer

SPLITS = ("random", "length", "unseen")
# One combination of two words in so many is kept for the test of `unseen`.
HELD_OUT = 12
# So many sentences in a row that cannot be used mean that there are no more.
PATIENCE = 5000


def is_held_out(combination: tuple[str, str]) -> bool:
    """Whether `unseen` keeps this combination (adjective and noun, or verb and object) for the test."""
    return zlib.crc32(" + ".join(combination).encode()) % HELD_OUT == 0


def vocabulary(pairs: list[Pair]) -> tuple[set[str], set[str]]:
    """The source words and the target words of some pairs."""
    return ({w for s, _ in pairs for w in s.split()}, {w for _, t in pairs for w in t.split()})


def is_known(pair: Pair, known: tuple[set[str], set[str]]) -> bool:
    """Whether all words of a pair are in the vocabularies."""
    return all(words.issuperset(text.split()) for words, text in zip(known, pair))


def load_sentences(
    size: int = 20_000,
    valid_size: int = 1000,
    test_size: int = 1000,
    split: str = "random",
    max_length: int = 40,
    min_length: int = 3,
    cut: int = 14,
    zipf: float = 1.2,
    seed: int = 0,
) -> Dataset:
    """Lower-case sentences of `min_length` to `max_length` tokens a side, tokens separated by one space.

    `split` is "random", "length" (training and validation up to `cut` tokens a side, test longer) or
    "unseen" (each test sentence has a combination of two words that training never shows, and no unknown
    word). `zipf` is the exponent of the law by which words are drawn: 0 uses all words alike, 2 makes
    most of them rare. The same arguments give the same data everywhere.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    if not 3 <= min_length < max_length <= 40:
        raise ValueError(f"lengths must satisfy 3 <= min_length < max_length <= 40, not {min_length}, {max_length}")
    if not 0 <= zipf <= 2:
        raise ValueError(f"zipf must lie between 0 and 2, not {zipf}")
    if split == "length" and not min_length <= cut < max_length:
        raise ValueError(f"cut must lie between min_length and max_length, not {cut}")
    writer = Writer(random.Random(f"sentences-{seed}"), zipf)
    seen: set[str] = set()
    inside: list[Pair] = []
    outside: list[Pair] = []
    known: tuple[set[str], set[str]] | None = None
    wanted_inside = size + valid_size + (test_size if split == "random" else 0)
    wanted_outside = 0 if split == "random" else test_size
    in_vain = 0
    while in_vain < PATIENCE:
        in_vain += 1
        if len(inside) == wanted_inside:
            if split == "unseen" and known is None:
                known = vocabulary(inside[:size])
                outside = [pair for pair in outside if is_known(pair, known)]
            if len(outside) >= wanted_outside:
                break
        source, target = writer.sentence()
        longest = max(source.count(" "), target.count(" ")) + 1
        shortest = min(source.count(" "), target.count(" ")) + 1
        if shortest < min_length or longest > max_length or source in seen:
            continue
        seen.add(source)
        if split == "random":
            apart = False
        elif split == "length":
            apart = shortest > cut
            if longest > cut and not apart:
                continue
        else:
            apart = any(is_held_out(pair) for pair in writer.pairs)
        if not apart and len(inside) < wanted_inside:
            inside.append((source, target))
            in_vain = 0
        elif apart and (known is None or is_known((source, target), known)):
            outside.append((source, target))
            in_vain = 0
    train, rest = inside[:size], inside[size:]
    test = rest[valid_size:] if split == "random" else outside[:test_size]
    if len(inside) < wanted_inside or len(test) < test_size:
        raise ValueError(
            f"the grammar gave too few sentences for size={size}, valid_size={valid_size}, test_size={test_size} "
            f"with these lengths: ask for fewer"
        )
    options = {
        "size": size,
        "valid_size": valid_size,
        "test_size": test_size,
        "split": split,
        "min_length": min_length,
        "max_length": max_length,
        "cut": cut,
        "zipf": zipf,
        "seed": seed,
    }
    return Dataset("sentences", train, rest[:valid_size], test, "en", "fr", options=options)
