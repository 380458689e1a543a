"""What every data set is, once loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

Pair = tuple[str, str]


@dataclass(frozen=True)
class Dataset:
    """Pairs of (source, target) strings in three disjoint parts.

    `train`, `valid` and `test` are lists of pairs. `source_unit` and `target_unit` say what a token is:
    "word" (split at white space) or "char". `options` holds everything that reproduces the data.
    """

    name: str
    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]
    source_language: str
    target_language: str
    source_unit: str = "word"
    target_unit: str = "word"
    options: dict = field(default_factory=dict)

    def part(self, name: str) -> list[Pair]:
        """The pairs of one part; another name than train, valid or test raises ValueError."""
        if name not in ("train", "valid", "test"):
            raise ValueError(f"part must be 'train', 'valid' or 'test', not {name!r}")
        return getattr(self, name)

    def tokens(self, part: str, tokenize: Callable[[str], list[str]] = str.split) -> list[tuple[list[str], list[str]]]:
        """One part as pairs of token lists; `tokenize` is used for the sides whose unit is the word."""
        source = tokenize if self.source_unit == "word" else list
        target = tokenize if self.target_unit == "word" else list
        return [(source(s), target(t)) for s, t in self.part(part)]

    def checksum(self) -> str:
        """SHA-256 of all pairs in order, the same on every machine."""
        digest = hashlib.sha256()
        for part in ("train", "valid", "test"):
            for source, target in self.part(part):
                digest.update(f"{part}\t{source}\t{target}\n".encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part} {len(self.part(part)):,}" for part in ("train", "valid", "test"))
        return f"Dataset({self.name}: {self.source_language} -> {self.target_language}; {sizes})"


PATIENCE = 20_000  # so many draws in a row without a new pair mean that there are no more


def draw_parts(draw: Callable[[], Pair], sizes: tuple[int, int, int], what: str) -> list[list[Pair]]:
    """Calls `draw` until the three parts are full of pairs whose sources are all different.

    Raises ValueError when no new pairs come any more.
    """
    wanted = sum(sizes)
    pairs: dict[str, str] = {}
    in_vain = 0
    while len(pairs) < wanted:
        before = len(pairs)
        pairs.setdefault(*draw())
        in_vain = in_vain + 1 if len(pairs) == before else 0
        if in_vain > PATIENCE:
            raise ValueError(f"{what}: there are fewer than {wanted:,} different pairs, ask for a smaller size")
    items = list(pairs.items())
    first, second = sizes[0], sizes[0] + sizes[1]
    return [items[:first], items[first:second], items[second:]]
