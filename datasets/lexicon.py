"""The words of the grammar, read from the tables in `lexicon/`, and drawn with a Zipf-like law."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path

from . import english, french

FOLDER = Path(__file__).parent / "lexicon"
# A class that stands for several others.
BROAD = {"thing": ("object", "furniture", "vehicle", "building", "part")}


@dataclass(frozen=True)
class Noun:
    en: str
    en_plural: str
    fr: dict[str, tuple[str, str]] = field(hash=False)  # gender -> (singular, plural)
    classes: frozenset[str] = field(hash=False)
    mass: bool = False
    only: str = ""  # "sp": always singular in English and plural in French, and so on

    @property
    def key(self) -> str:
        """What tells two nouns of one spelling apart."""
        return f"{self.en}/{next(iter(self.fr.values()))[0]}"


@dataclass(frozen=True)
class Adjective:
    en: str
    fr: tuple[str, str, str, str]  # masculine singular, feminine singular, masculine plural, feminine plural
    before: bool
    classes: frozenset[str] = field(hash=False)
    bare: bool = False  # only beside a noun: no "is former", no "very wooden"
    better: str = ""  # an irregular French comparative

    def agree(self, gender: str, plural: bool) -> str:
        return self.fr[(gender == "f") + 2 * plural]

    def better_form(self, gender: str, plural: bool) -> str:
        """The irregular comparative, agreed: meilleur, meilleures; pire, pires."""
        form = self.better if gender == "m" or self.better.endswith("e") else self.better + "e"
        return form + "s" * plural


@dataclass(frozen=True)
class Verb:
    en: english.VerbForms
    particle: str  # "on" in "turn on": a pronoun goes before it
    tail: tuple[str, ...]  # what follows the verb in English: ("at",) in "look at"
    fr: str  # infinitive
    fixed: tuple[str, ...]  # what follows it: ("peur",) in "avoir peur"
    reflexive: bool
    auxiliary: str
    frame: str
    subject: frozenset[str] = field(default=frozenset(), hash=False)
    object: frozenset[str] = field(default=frozenset(), hash=False)
    notes: frozenset[str] = field(default=frozenset(), hash=False)
    link: str = ""  # the preposition before an infinitive

    @property
    def stative(self) -> bool:
        return "s" in self.notes

    @property
    def key(self) -> str:
        return f"{self.en.base}/{self.fr}"


def _rows(name: str) -> list[list[str]]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    width = len(lines[0].split("\t"))
    return [(line.split("\t") + [""] * width)[:width] for line in lines[1:]]


def _set(text: str) -> frozenset[str]:
    names = [name for name in text.split(",") if name]
    return frozenset(part for name in names for part in BROAD.get(name, (name,)))


def _notes(text: str) -> dict[str, str]:
    return {key: value for key, _, value in (note.partition("=") for note in text.split(",") if note)}


def _noun(row: list[str]) -> Noun:
    en, fr, gender, classes, note = row
    notes = _notes(note)
    fr_plural = notes.get("french_plural")
    only = notes.get("only", "ss" if "sg" in notes or "mass" in notes else "")
    forms = {}
    for letter, form in zip(gender, fr.split("/")):
        forms[letter] = (form, fr_plural or (form if only.endswith("p") else french.plural(form)))
    en_plural = en if only.startswith("p") else notes.get("plural", english.plural(en))
    return Noun(en, en_plural, forms, _set(classes), "mass" in notes, only)


def _adjective(row: list[str]) -> Adjective:
    en, masculine, feminine, place, classes, note = row
    notes = _notes(note)
    feminine = feminine or french.feminine(masculine)
    if "invariable" in notes:
        forms = (masculine,) * 4
    else:
        forms = (masculine, feminine, french.plural(masculine), french.plural(feminine))
    return Adjective(en, forms, place == "before", _set(classes), "bare" in notes, notes.get("better", ""))


def make_verb(
    en: str, fr: str, frame: str = "i", subject: str = "", objects: str = "", notes: str = "", link: str = ""
) -> Verb:
    """A verb from its spelling: "turn+on" (a particle), "look at"; "se lever", "avoir peur"."""
    head, _, particle = en.partition("+")
    base, *tail = head.split()
    reflexive = fr.startswith(("se ", "s'"))
    infinitive, *fixed = fr.removeprefix("se ").removeprefix("s'").split()
    auxiliary = "être" if reflexive or "be" in notes.split(",") else "avoir"
    return Verb(
        english.forms(base),
        particle,
        tuple(tail),
        infinitive,
        tuple(fixed),
        reflexive,
        auxiliary,
        frame,
        _set(subject),
        _set(objects),
        _set(notes),
        link,
    )


@cache
def nouns() -> tuple[Noun, ...]:
    return tuple(_noun(row) for row in _rows("nouns.tsv"))


@cache
def adjectives() -> tuple[Adjective, ...]:
    return tuple(_adjective(row) for row in _rows("adjectives.tsv"))


@cache
def verbs() -> tuple[Verb, ...]:
    return tuple(make_verb(*row) for row in _rows("verbs.tsv"))


@cache
def clause_verbs() -> tuple[Verb, ...]:
    """Verbs that take a clause, a question or an infinitive."""
    return tuple(
        make_verb(en, fr, frame, "person", "", notes, link) for en, fr, frame, link, notes in _rows("clause_verbs.tsv")
    )


class Drawer:
    """Draws words: the k-th of a list has probability proportional to (k + 3) ** -zipf."""

    def __init__(self, rng: random.Random, zipf: float):
        self.rng = rng
        self.zipf = zipf
        self._lists: dict = {}

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, items):
        """One of the items, evenly."""
        return items[int(self.rng.random() * len(items))]

    def weighted(self, table: dict):
        """A key of the table, with probability proportional to its value."""
        point = self.rng.random() * sum(table.values())
        for key, weight in table.items():
            point -= weight
            if point < 0:
                return key
        return key

    def zipfian(self, items):
        """One of the items, the first ones oftenest."""
        return items[min(bisect_right(self._sums(len(items)), self.rng.random()), len(items) - 1)]

    def _sums(self, size: int) -> list[float]:
        if size not in self._lists:
            weights = [(rank + 3.0) ** -self.zipf for rank in range(size)]
            total = sum(weights)
            self._lists[size] = [weight / total for weight in accumulate(weights)]
        return self._lists[size]

    def _list(self, kind: str, key, test, items) -> list:
        if (kind, key) not in self._lists:
            self._lists[kind, key] = [item for item in items() if test(item)]
        return self._lists[kind, key]

    def noun(self, classes: frozenset[str]) -> Noun:
        found = self._list("noun", classes, lambda noun: noun.classes & classes, nouns)
        return self.zipfian(found)

    def adjective(self, noun: Noun, predicate: bool = False) -> Adjective | None:
        """An adjective that suits the noun (`predicate`: one that can follow to be), or None."""
        found = self._list(
            "adjective",
            (noun.classes, predicate),
            lambda adj: adj.classes & noun.classes and not (predicate and adj.bare),
            adjectives,
        )
        return self.zipfian(found) if found else None

    def verb(self, subject: frozenset[str] | None, frames: tuple[str, ...], objects=None) -> Verb | None:
        """A verb of one of the frames whose subject (and object) may be of these classes, or None."""
        found = self._list(
            "verb",
            (subject, frames, objects),
            lambda verb: (
                verb.frame in frames
                and (subject is None or verb.subject & subject)
                and (objects is None or verb.object & objects)
            ),
            verbs,
        )
        return self.zipfian(found) if found else None

    def clause_verb(self, *frames: str) -> Verb:
        return self.zipfian(self._list("clause", frames, lambda verb: verb.frame in frames, clause_verbs))
