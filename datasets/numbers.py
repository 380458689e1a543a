"""Number words: English to French words, or to German characters (num2words)."""

from __future__ import annotations

import random
import re
from functools import cache

from .dataset import Dataset, draw_parts

HIGHEST = 999_999


@cache
def spell(number: int, language: str) -> str:
    """A number from 0 to 999,999 in words; in English and French, hyphens and commas become spaces."""
    from num2words import num2words

    if not 0 <= number <= HIGHEST:
        raise ValueError(f"number must be between 0 and {HIGHEST}, not {number}")
    text = num2words(number, lang=language)
    return text if language == "de" else " ".join(re.split(r"[\s,-]+", text))


def load_numbers(
    source: str = "en",
    target: str = "fr",
    size: int = 8000,
    valid_size: int = 500,
    test_size: int = 500,
    max_digits: int = 6,
    seed: int = 0,
) -> Dataset:
    """Numbers whose count of digits is drawn evenly from 1 to `max_digits`, each number once.

    With `target="fr"` both sides are words; with `target="de"` the target is read by character.
    """
    if source != "en":
        raise ValueError(f"numbers are read in English: source must be 'en', not {source!r}")
    if target not in ("fr", "de"):
        raise ValueError(f"target must be 'fr' or 'de', not {target!r}")
    if not 1 <= max_digits <= 6:
        raise ValueError(f"max_digits must be between 1 and 6, not {max_digits}")
    rng = random.Random(f"numbers-{seed}")

    def draw():
        digits = 1 + int(rng.random() * max_digits)
        low = 0 if digits == 1 else 10 ** (digits - 1)
        number = low + int(rng.random() * (10**digits - low))
        return spell(number, "en"), spell(number, target)

    train, valid, test = draw_parts(draw, (size, valid_size, test_size), "numbers")
    options = {
        "size": size,
        "valid_size": valid_size,
        "test_size": test_size,
        "max_digits": max_digits,
        "seed": seed,
    }
    unit = "char" if target == "de" else "word"
    return Dataset("numbers", train, valid, test, "en", target, "word", unit, options)
