"""English to French sentences from our own grammar."""

from __future__ import annotations

import random
import zlib

from .dataset import Dataset, Pair
from .grammar import Writer

SPLITS = ("random", "length", "unseen")
# One combination of two words in so many is kept for the test of `unseen`.
HELD_OUT = 12


def is_held_out(combination: tuple[str, str]) -> bool:
    """Whether `unseen` keeps this combination (adjective and noun, or verb and object) for the test."""
    return zlib.crc32(" + ".join(combination).encode()) % HELD_OUT == 0


def load_sentences(
    size: int = 20_000,
    valid_size: int = 1000,
    test_size: int = 1000,
    split: str = "random",
    max_length: int = 40,
    min_length: int = 3,
    cut: int = 14,
    zipf: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """Lower-case sentences of `min_length` to `max_length` tokens a side, tokens separated by one space.

    `split` is "random", "length" (training and validation up to `cut` tokens a side, test longer) or
    "unseen" (each test sentence has a combination of two words that training never shows, and no unknown
    word). `zipf` is the exponent of the law by which words are drawn: 0 uses all words alike, 1.5 makes
    most of them rare. The same arguments give the same data everywhere.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    if not 3 <= min_length < max_length <= 40:
        raise ValueError(f"lengths must satisfy 3 <= min_length < max_length <= 40, not {min_length}, {max_length}")
    if split == "length" and not min_length <= cut < max_length:
        raise ValueError(f"cut must lie between min_length and max_length, not {cut}")
    writer = Writer(random.Random(f"sentences-{seed}"), zipf)
    seen: set[str] = set()
    inside: list[Pair] = []
    outside: list[Pair] = []
    known: tuple[set[str], set[str]] = (set(), set())
    wanted_inside = size + valid_size + (test_size if split == "random" else 0)
    wanted_outside = 0 if split == "random" else test_size
    limit = 60 * (wanted_inside + wanted_outside) + 10_000
    for _ in range(limit):
        if len(inside) == wanted_inside and len(outside) >= wanted_outside:
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
        if apart:
            if len(outside) < 3 * wanted_outside + 100:
                outside.append((source, target))
        elif len(inside) < wanted_inside:
            inside.append((source, target))
    train, rest = inside[:size], inside[size:]
    if split != "random":
        for source, target in train:
            known[0].update(source.split())
            known[1].update(target.split())
        if split == "unseen":
            outside = [
                (s, t) for s, t in outside if known[0].issuperset(s.split()) and known[1].issuperset(t.split())
            ]
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
