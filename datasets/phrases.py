"""Noun phrases, and verb phrases said in both languages at once.

A phrase holds English and French side by side. French is a list of marked tokens (see `french.join`):
"=le" is an article, "le" a pronoun.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from . import french
from .lexicon import Noun, Verb, make_verb

Words = list[str]

# ---------------------------------------------------------------- noun phrases


@dataclass
class NP:
    """A noun phrase: its words, and what others must agree with."""

    en: Words
    fr: Words
    gender: str = "m"
    plural: bool = False  # in French
    en_plural: bool = False
    person: int = 3
    human: bool = False
    pronoun: bool = False
    formal: bool = False  # "you" said with vous to one person
    negated: tuple[Words, Words] | None = None  # what it becomes as the object of a negated verb
    noun: Noun | None = None
    quantity: Words | None = None  # "three of them": en ... trois
    adjectives: tuple[str, ...] = ()
    elsewhere: bool = False  # "nobody", "nothing": French ne without pas
    single: bool = False  # can be referred to again

    @property
    def agreement(self) -> tuple[str, str]:
        return self.gender, "p" if self.plural else "s"

    @property
    def form(self) -> int:
        """The place of the French verb form: je, tu, il, nous, vous, ils."""
        if self.formal:
            return 4
        return self.person - 1 + 3 * self.plural

    @property
    def pronoun_en(self) -> str:
        """he, she, it or they, by which English refers to it."""
        if self.en_plural:
            return "they"
        if not self.human:
            return "it"
        return "she" if self.gender == "f" else "he"


def object_en(np: NP) -> Words:
    if not np.pronoun:
        return np.en
    return [{"i": "me", "he": "him", "she": "her", "we": "us", "they": "them"}.get(np.en[0], np.en[0])]


def strong_fr(np: NP) -> Words:
    """A noun phrase behind a French preposition: pour lui, avec moi."""
    if not np.pronoun:
        return np.fr
    words = ("moi", "toi", "elle" if np.gender == "f" else "lui", "nous", "vous",
             "elles" if np.gender == "f" else "eux")  # fmt: skip
    return [words[np.form]]


def clitic(np: NP, role: str) -> str:
    """The weak pronoun for a direct ("d") or indirect ("i") object."""
    if np.person == 3:
        if role == "i":
            return "leur" if np.plural else "lui"
        return "les" if np.plural else ("la" if np.gender == "f" else "le")
    return ("me", "te", "", "nous", "vous")[np.form]


REFLEXIVE = ("me", "te", "se", "nous", "vous", "se")
_RANK = {"me": 1, "te": 1, "se": 1, "nous": 1, "vous": 1, "le": 2, "la": 2, "les": 2, "lui": 3, "leur": 3,
         "y": 4, "en": 5}  # fmt: skip


def refer(np: NP) -> NP:
    """The pronoun that takes up a noun phrase of the third person."""
    fr = ("elle" if np.gender == "f" else "il") + ("s" if np.plural else "")
    return NP([np.pronoun_en], [fr], np.gender, np.plural, np.en_plural, 3, np.human, pronoun=True, noun=np.noun)


# ---------------------------------------------------------------- verb phrases


@dataclass
class Place:
    en: Words
    fr: Words
    is_there: bool = False  # said with y


THERE = Place(["there"], [], True)


@dataclass
class VP:
    """A verb and all that belongs to it, but its subject, tense and negation."""

    verb: Verb
    direct: NP | None = None
    indirect: NP | None = None
    double: bool = False  # "gives him a book", not "gives a book to him"
    place: Place | None = None
    manner: tuple[str, str] | None = None
    frequency: tuple[str, str] | None = None
    infinitive: VP | None = None
    tail: tuple[Words, Words] = field(default_factory=lambda: ([], []))  # clauses, times
    predicate: tuple[Words, object] | None = None  # French: a function of (gender, number)
    relative_gap: tuple[str, str] | None = None  # agreement with a direct object that stands before
    no_object: bool = False
    short_object: Words | None = None  # rien


BE = make_verb("be", "être", "be", notes="s")
HAVE_STATE = make_verb("be", "avoir", "be", notes="s")
BECOME = make_verb("become", "devenir", "be", notes="be")
THERE_IS = make_verb("be", "avoir", "be", notes="s")
_HAVE = {"1s": "have", "3s": "has", "p": "have"}
_BE = {"1s": "am", "3s": "is", "p": "are"}
_WAS = {"1s": "was", "3s": "was", "p": "were"}
_DO = {"1s": "do", "3s": "does", "p": "do"}
_SHORT = {
    ("do", "not"): "don't", ("does", "not"): "doesn't", ("did", "not"): "didn't", ("is", "not"): "isn't",
    ("are", "not"): "aren't", ("was", "not"): "wasn't", ("were", "not"): "weren't", ("has", "not"): "hasn't",
    ("have", "not"): "haven't", ("had", "not"): "hadn't", ("will", "not"): "won't",
    ("would", "not"): "wouldn't", ("can", "not"): "can't", ("could", "not"): "couldn't",
}  # fmt: skip

# English negation word, French second part
NEGATIONS = {
    "not": ("not", ["pas"]),
    "never": ("never", ["jamais"]),
    "no longer": ("no longer", ["plus"]),
    "not yet": ("not", ["pas", "encore"]),
    "only": (None, ["que"]),
    "subject": (None, []),  # nobody, nothing as subject
    "rien": (None, ["rien"]),
    "personne": (None, ["personne"]),
}


def _agreement_en(subject: NP) -> str:
    if subject.person == 2 or subject.en_plural:
        return "p"
    return "1s" if subject.person == 1 else "3s"


def english_verb(verb: Verb, subject: NP, tense: str, supported: bool) -> tuple[Words, Words]:
    """(auxiliaries, main verb) of a finite verb; `supported` asks for do (questions, negation)."""
    forms, agreement = verb.en, _agreement_en(subject)
    if forms.base == "can":
        if tense == "fut":
            return ["will"], ["be", "able", "to"]
        return ["could" if tense in ("past", "cond") else "can"], []
    if forms.base == "must":
        return ["must"], []
    if forms.base == "be" and tense in ("pres", "past", "subj"):
        return [(_WAS if tense == "past" else _BE)[agreement]], []
    if tense in ("pres", "subj", "past"):
        if supported:
            return ["did" if tense == "past" else _DO[agreement]], [forms.base]
        present = forms.third if agreement == "3s" else forms.base
        return [], [forms.past if tense == "past" else present]
    return {
        "prog": ([_BE[agreement]], [forms.ing]),
        "pastprog": ([_WAS[agreement]], [forms.ing]),
        "usedto": ([], ["used", "to", forms.base]),
        "perf": ([_HAVE[agreement]], [forms.participle]),
        "since": ([_HAVE[agreement]], [forms.participle] if verb.stative else ["been", forms.ing]),
        "pluperf": (["had"], [forms.participle]),
        "fut": (["will"], [forms.base]),
        "goingto": ([_BE[agreement]], ["going", "to", forms.base]),
        "just": ([_HAVE[agreement]], ["just", forms.participle]),
        "cond": (["would"], [forms.base]),
        "condperf": (["would"], ["have", forms.participle]),
    }[tense]


def _objects_en(vp: VP, negative: bool) -> Words:
    """What follows the English verb."""
    verb = vp.verb
    out = list(verb.tail)
    particle = [verb.particle] if verb.particle else []
    direct = vp.direct
    if vp.no_object:
        direct = None
    indirect = object_en(vp.indirect) if vp.indirect else None
    words: Words = []
    if direct is not None:
        if negative and direct.negated:
            words = direct.negated[0]
        elif direct.quantity is not None:
            words = [*direct.en]
        else:
            words = object_en(direct)
    if particle:
        light = direct is None or direct.pronoun
        out += words + particle if light and direct is not None else particle + words
        words = []
    if verb.frame == "order":
        out += indirect or []
    elif vp.double and indirect:
        out += indirect + words
    else:
        out += words
        if indirect:
            out += ["from" if verb.frame == "df" else "to", *indirect]
    if vp.predicate:
        out += vp.predicate[0]
    if vp.infinitive:
        inner = vp.infinitive
        if verb.frame == "ing":
            out += [inner.verb.en.ing]
        elif verb.frame == "order":
            out += ["to", inner.verb.en.base]
        else:
            out += [inner.verb.en.base]
        out += _objects_en(inner, negative)
    if vp.manner:
        out.append(vp.manner[0])
    if vp.place:
        out += vp.place.en
    return out + vp.tail[0]


def say_en(
    vp: VP, subject: NP, tense: str, negation: str | None = None, question: bool = False, short: bool = False
) -> Words:
    """An English clause. In a question the auxiliary comes first."""
    word = NEGATIONS[negation][0] if negation else None
    supported = question or word == "not"
    auxiliaries, main = english_verb(vp.verb, subject, tense, supported)
    negative = negation in ("not", "never", "no longer", "not yet", "subject")
    rest: Words = []
    if word:
        if short and word == "not" and auxiliaries and (auxiliaries[0], "not") in _SHORT and not question:
            auxiliaries = [_SHORT[auxiliaries[0], "not"], *auxiliaries[1:]]
        else:
            rest += word.split()
    if negation == "not yet":
        rest.append("yet")
    if vp.frequency:
        rest.append(vp.frequency[0])
    objects = _objects_en(vp, negative)
    if negation == "only":
        objects = ["only", *objects] if not vp.verb.tail else [*vp.verb.tail, "only", *objects[len(vp.verb.tail) :]]
    start = [*auxiliaries, *subject.en] if question else [*subject.en, *auxiliaries]
    if auxiliaries == ["can"] and rest[:1] == ["not"] and not question:
        start[-1] = "cannot"
        rest = rest[1:]
    return [*start, *rest, *main, *objects]


def bare_en(vp: VP, form: str = "base", negative: bool = False) -> Words:
    """The infinitive, the form in -ing or the imperative, without "to"."""
    return [getattr(vp.verb.en, form), *_objects_en(vp, negative)]


# ---- French


def _pronouns(vp: VP, subject: NP) -> tuple[list[str], tuple[str, str] | None]:
    """The weak pronouns before a verb, and the agreement of a direct object before the participle."""
    verb, words, agreement = vp.verb, [], vp.relative_gap
    if verb.reflexive:
        words.append(REFLEXIVE[subject.form])
    direct = None if vp.no_object else vp.direct
    if direct is not None:
        if direct.quantity is not None:
            words.append("en")
        elif direct.pronoun:
            if verb.frame == "a":
                words.append(clitic(direct, "i") if direct.human else "y")
            elif verb.frame in ("a0", "p:dans"):
                words += [] if direct.human else ["y"]
            elif verb.frame == "de":
                words += [] if direct.human else ["en"]
            else:
                words.append(clitic(direct, "d"))
                agreement = direct.agreement
    if vp.indirect is not None and vp.indirect.pronoun:
        words.append(clitic(vp.indirect, "i"))
    if vp.place is not None and vp.place.is_there:
        words.append("y")
    return sorted(words, key=_RANK.__getitem__), agreement


def _link(frame: str) -> Words:
    if frame in ("a", "a0"):
        return ["à"]
    return {"de": ["de"], "p:dans": ["dans"]}.get(frame, [])


def _after_verb(vp: VP, subject: NP, negative: bool) -> Words:
    """What follows the French verb (or its participle)."""
    verb = vp.verb
    out: Words = []
    if verb.fixed:
        if "agree" in verb.notes:
            out.append(french.participle_agreement(verb.fixed[0], *subject.agreement))
        else:
            out += verb.fixed
    if vp.manner:
        out.append(vp.manner[1])
    direct = None if vp.no_object else vp.direct
    if direct is not None:
        if direct.quantity is not None:
            out += direct.quantity
        elif direct.pronoun:
            if direct.human and verb.frame in ("a0", "de"):
                out += _link(verb.frame) + strong_fr(direct)
        else:
            words = direct.negated[1] if negative and direct.negated else direct.fr
            out += _link(verb.frame) + words
    if vp.predicate:
        out += vp.predicate[1](*subject.agreement)
    if vp.indirect is not None and not vp.indirect.pronoun:
        out += ["à", *vp.indirect.fr]
    if vp.infinitive:
        controller = vp.indirect if verb.frame == "order" else subject
        out += ([verb.link] if verb.link else []) + infinitive_fr(vp.infinitive, controller, negative=negative)
    if vp.place and not vp.place.is_there:
        out += vp.place.fr
    return out + vp.tail[1]


def infinitive_fr(vp: VP, subject: NP, negation: bool = False, negative: bool = False) -> Words:
    """ne pas le lui donner"""
    clitics, _ = _pronouns(vp, subject)
    before = ["ne", "pas"] if negation else []
    return [*before, *clitics, vp.verb.fr, *_after_verb(vp, subject, negation or negative)]


def past_infinitive_fr(vp: VP, subject: NP) -> Words:
    """avoir mangé, être partie, s' être levé"""
    clitics, agreement = _pronouns(vp, subject)
    participle = _participle(vp, subject, agreement)
    return [*clitics, vp.verb.auxiliary, participle, *_after_verb(vp, subject, False)]


def gerund_fr(vp: VP, subject: NP) -> Words:
    """en le lisant"""
    clitics, _ = _pronouns(vp, subject)
    return ["en", *clitics, french.gerund(vp.verb.fr), *_after_verb(vp, subject, False)]


def _participle(vp: VP, subject: NP, agreement: tuple[str, str] | None) -> str:
    verb = vp.verb
    form = french.participle(verb.fr)
    if verb.auxiliary == "être" and "indirect" not in verb.notes:
        return french.participle_agreement(form, *subject.agreement)
    if agreement and verb.frame not in ("a", "a0", "de"):
        return french.participle_agreement(form, *agreement)
    return form


_SIMPLE = {
    "pres": "present", "prog": "present", "since": "present", "pastprog": "imperfect", "usedto": "imperfect",
    "fut": "future", "cond": "conditional", "subj": "subjunctive",
}  # fmt: skip
_COMPOUND = {"perf": "present", "past": "present", "pluperf": "imperfect", "condperf": "conditional"}


def say_fr(vp: VP, subject: NP, tense: str, negation: str | None = None, bare: bool = False) -> Words:
    """A French clause; `bare` leaves the subject out."""
    verb = vp.verb
    ne, second = ([], []) if not negation else (["ne"], NEGATIONS[negation][1])
    if subject.elsewhere:
        ne = ["ne"]
        second = [] if not negation else second
    negative = negation in ("not", "never", "no longer", "not yet", "subject") or subject.elsewhere
    frequency = [vp.frequency[1]] if vp.frequency else []
    late = second if second in (["que"], ["personne"]) else []
    early = [] if late else second
    start = [] if bare else list(subject.fr)
    if tense in ("goingto", "just"):
        light = make_verb("go", "aller" if tense == "goingto" else "venir")
        form = french.conjugate(light.fr, "present")[subject.form]
        link = ["de"] if tense == "just" else []
        return [*start, *ne, form, *early, *frequency, *link, *infinitive_fr(vp, subject, negative=negative)]
    clitics, agreement = _pronouns(vp, subject)
    if tense == "past" and verb.stative:
        tense = "usedto"
    after = [*late, *_after_verb(vp, subject, negative)]
    if late == ["personne"]:
        after = _after_verb(replace(vp, direct=None), subject, negative)
        place = len(verb.fixed) + bool(vp.manner)
        after[place:place] = [*_link(verb.frame), "personne"]
    elif late == ["que"]:
        place = len(verb.fixed)
        after = _after_verb(vp, subject, negative)
        after.insert(place + bool(vp.manner), "que")
    if tense in _SIMPLE:
        form = french.conjugate(verb.fr, _SIMPLE[tense])[subject.form]
        return [*start, *ne, *clitics, form, *early, *frequency, *after]
    form = french.conjugate(verb.auxiliary, _COMPOUND[tense])[subject.form]
    participle = _participle(vp, subject, agreement)
    return [*start, *ne, *clitics, form, *early, *frequency, participle, *after]


def imperative_fr(vp: VP, subject: NP, negation: bool = False) -> Words:
    """donne - le - moi, ne le lui donne pas, lève - toi"""
    person = ("1s", "2s", "3s", "1p", "2p", "3p")[subject.form]
    form = french.imperative(vp.verb.fr, person)
    clitics, _ = _pronouns(vp, subject)
    after = _after_verb(vp, subject, negation)
    if negation:
        return ["ne", *clitics, form, "pas", *after]
    clitics = sorted(clitics, key=lambda word: (word not in ("le", "la", "les"), word in ("y", "en")))
    strong = {"me": "moi", "te": "toi"}
    clitics = ["-" + strong.get(word, word) for word in clitics]
    if clitics in (["-y"], ["-en"]) and person == "2s" and form[-1] in "ea":
        form += "s"
    return [form, *clitics, *after]
