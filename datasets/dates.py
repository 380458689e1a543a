"""Dates as people write them in 14 languages, and in ISO 8601 (Babel, CLDR)."""

from __future__ import annotations

import datetime
import random
import unicodedata

from .dataset import Dataset, draw_parts

LOCALES = {
    "cs": ("cs",),
    "de": ("de",),
    "el": ("el",),
    "en": ("en_US", "en_GB"),
    "es": ("es",),
    "fi": ("fi",),
    "fr": ("fr",),
    "it": ("it",),
    "ja": ("ja",),
    "nl": ("nl",),
    "pl": ("pl",),
    "pt": ("pt",),
    "ru": ("ru",),
    "tr": ("tr",),
}
LANGUAGES = tuple(LOCALES)
STYLES = ("medium", "long", "full")


def write_date(day: datetime.date, locale: str, style: str) -> str:
    """A date in CLDR's style for a locale, composed (NFC), with plain spaces."""
    from babel.dates import format_date

    text = unicodedata.normalize("NFC", format_date(day, format=style, locale=locale))
    return " ".join(text.split())


def load_dates(
    size: int = 10_000,
    valid_size: int = 500,
    test_size: int = 500,
    languages: tuple[str, ...] | list[str] = LANGUAGES,
    first_year: int = 1900,
    last_year: int = 2099,
    seed: int = 0,
) -> Dataset:
    """Written dates, drawn evenly over languages, styles and days; both sides are read by character."""
    unknown = [language for language in languages if language not in LOCALES]
    if unknown or not languages:
        raise ValueError(f"languages must be some of {', '.join(LANGUAGES)}, not {list(languages)}")
    if not 1 <= first_year <= last_year <= 9999:
        raise ValueError(f"years must run from 1 to 9999 in order, not from {first_year} to {last_year}")
    rng = random.Random(f"dates-{seed}")
    first = datetime.date(first_year, 1, 1).toordinal()
    days = datetime.date(last_year, 12, 31).toordinal() - first + 1

    def pick(items):
        return items[int(rng.random() * len(items))]

    def draw():
        day = datetime.date.fromordinal(first + int(rng.random() * days))
        return write_date(day, pick(LOCALES[pick(languages)]), pick(STYLES)), day.isoformat()

    train, valid, test = draw_parts(draw, (size, valid_size, test_size), "dates")
    options = {
        "size": size,
        "valid_size": valid_size,
        "test_size": test_size,
        "languages": tuple(languages),
        "first_year": first_year,
        "last_year": last_year,
        "seed": seed,
    }
    return Dataset("dates", train, valid, test, "written", "iso", "char", "char", options)
