"""English morphology: verb forms, plurals, a or an."""

from __future__ import annotations

from dataclasses import dataclass

from .tables import PROPER_EN

VOWELS = "aeiou"
_SILENT_H = ("hour", "honest", "honor")
_CONSONANT_SOUND = ("uni", "use", "usu", "europ", "one", "uk")


def plural(noun: str) -> str:
    """The regular plural of a noun; of a phrase, that of its last word."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def article(following: str) -> str:
    """a or an, for the word that follows."""
    if following.startswith(_SILENT_H):
        return "an"
    return "an" if following[0] in VOWELS and not following.startswith(_CONSONANT_SOUND) else "a"


@dataclass(frozen=True)
class VerbForms:
    base: str
    third: str
    past: str
    participle: str
    ing: str


_DOUBLED = {
    "stop", "cut", "put", "run", "swim", "win", "sit", "get", "forget", "begin", "hug", "chat", "shut", "hit",
    "dig", "drop", "grab", "plan", "rob", "rub", "skip", "set", "let", "beg", "hop", "admit", "prefer", "spin",
    "step", "jog", "regret", "forbid",
}  # fmt: skip


def third_person(base: str) -> str:
    """he gives, he watches, he tries."""
    if base in ("have", "be"):
        return {"have": "has", "be": "is"}[base]
    if base.endswith("o"):
        return base + "es"
    return plural(base)


def ing(base: str) -> str:
    """giving, lying, running."""
    if base in _DOUBLED:
        return base + base[-1] + "ing"
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")) and base != "be":
        return base[:-1] + "ing"
    return base + "ing"


def past(base: str) -> str:
    """The regular past: waited, tried, stopped, danced."""
    if base in _DOUBLED:
        return base + base[-1] + "ed"
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in VOWELS:
        return base[:-1] + "ied"
    return base + "ed"


_IRREGULAR = {
    base: (simple, participle)
    for base, simple, participle in (
        line.split()
        for line in """
        be was been
        bear bore born
        become became become
        begin began begun
        bite bit bitten
        break broke broken
        bring brought brought
        build built built
        burn burned burned
        buy bought bought
        catch caught caught
        choose chose chosen
        come came come
        cut cut cut
        do did done
        draw drew drawn
        drink drank drunk
        drive drove driven
        eat ate eaten
        fall fell fallen
        feed fed fed
        feel felt felt
        fight fought fought
        find found found
        fly flew flown
        forbid forbade forbidden
        forget forgot forgotten
        forgive forgave forgiven
        freeze froze frozen
        get got gotten
        give gave given
        go went gone
        grow grew grown
        hang hung hung
        have had had
        hear heard heard
        hide hid hidden
        hit hit hit
        hold held held
        hurt hurt hurt
        keep kept kept
        know knew known
        lead led led
        leave left left
        lend lent lent
        let let let
        lie lied lied
        light lit lit
        lose lost lost
        make made made
        mean meant meant
        meet met met
        pay paid paid
        put put put
        read read read
        ride rode ridden
        ring rang rung
        run ran run
        say said said
        see saw seen
        sell sold sold
        send sent sent
        set set set
        sew sewed sewn
        shine shone shone
        show showed shown
        sing sang sung
        sink sank sunk
        sit sat sat
        sleep slept slept
        speak spoke spoken
        spend spent spent
        steal stole stolen
        swim swam swum
        take took taken
        teach taught taught
        tell told told
        think thought thought
        throw threw thrown
        understand understood understood
        wake woke woken
        wear wore worn
        win won won
        write wrote written
        """.strip().splitlines()
    )
}


def forms(base: str) -> VerbForms:
    """All forms of a one-word verb."""
    simple, participle = _IRREGULAR.get(base) or (past(base), past(base))
    return VerbForms(base, third_person(base), simple, participle, ing(base))


def join(tokens: list[str]) -> list[str]:
    """Chooses between a and an (written "a" in the input)."""
    return [
        article(tokens[place + 1]) if token == "a" and place + 1 < len(tokens) else token
        for place, token in enumerate(tokens)
    ]


def polish(text: str) -> str:
    """Tokens joined by spaces, written as people do: "i know paul 's car ." -> "I know Paul's car."."""
    words = text.split()
    for place, word in enumerate(words):
        month = word not in ("may", "march") or words[place - 1 : place] == ["in"]
        if (word in PROPER_EN and month) or word == "i":
            words[place] = word.capitalize()
    text = " ".join(words)
    for mark in (",", ".", "?", "!", "'s"):
        text = text.replace(f" {mark}", mark)
    return text[:1].upper() + text[1:]
