"""Data for the lessons: generated pairs of sequences, and real sentences on request.

    from course_datasets import load

    load("numbers", "en", "fr")                    English number words -> French words
    load("numbers", "en", "de")                    English number words -> German characters
    load("dates")                                  dates in 14 languages -> ISO, characters
    load("sentences", size=20_000, split="random") English -> French from a grammar of ours
    load("multi30k", "en", "fr")                   image captions, downloaded once and checked
    load("tatoeba", "fra.txt")                     a file of tab-separated pairs that you have

Each returns a `Dataset` whose `train`, `valid` and `test` are lists of (source, target) strings, and
whose `tokens(part)` gives them as lists of tokens. Generated data depends on the arguments alone.
"""

from __future__ import annotations

from importlib import import_module

from .dataset import Dataset

_LOADERS = {
    "numbers": ("numbers", "load_numbers", "number words, English to French words or German characters"),
    "dates": ("dates", "load_dates", "written dates in 14 languages to ISO, characters"),
    "sentences": ("sentences", "load_sentences", "English to French sentences from a grammar"),
    "multi30k": ("parallel", "load_multi30k", "Multi30k captions in English, French, German (download)"),
    "tatoeba": ("parallel", "load_tatoeba", "a file of tab-separated sentence pairs of yours"),
}

__all__ = ["Dataset", "available", "load", "polish"]


def available() -> dict[str, str]:
    """The names that `load` knows, with one line on each."""
    return {name: line for name, (_, _, line) in _LOADERS.items()}


def load(name: str, *args, **options) -> Dataset:
    """Loads a data set; the arguments are those of `load_<name>` in its module."""
    if name not in _LOADERS:
        raise ValueError(f"name must be one of {', '.join(_LOADERS)}, not {name!r}")
    module, function, _ = _LOADERS[name]
    return getattr(import_module(f".{module}", __name__), function)(*args, **options)


def polish(text: str, language: str) -> str:
    """A tokenized sentence as people write it: polish("l' homme dort .", "fr") is "L'homme dort."."""
    if language not in ("en", "fr"):
        return text
    return import_module({"en": ".english", "fr": ".french"}[language], __name__).polish(text)
