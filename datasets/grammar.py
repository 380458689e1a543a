"""A synchronous grammar: each call of `Writer.sentence` says one thing in English and in French."""

from __future__ import annotations

import random
from dataclasses import replace

from . import english, french
from .lexicon import Adjective, Drawer, Noun, Verb, make_verb
from .phrases import (
    BE,
    BECOME,
    HAVE_STATE,
    NP,
    THERE,
    THERE_IS,
    VP,
    Place,
    Words,
    bare_en,
    gerund_fr,
    imperative_fr,
    infinitive_fr,
    object_en,
    past_infinitive_fr,
    refer,
    say_en,
    say_fr,
    strong_fr,
)
from .tables import (
    AGES,
    CITIES,
    COUNTRIES,
    FREQUENCY,
    MANNER,
    NAMES,
    NUMERALS,
    PLACES,
    SPORTS,
    STATES,
    TIMES,
    VOCATIVES,
    WEATHER,
)

PERSON = frozenset(["person"])
_SHORT_ADJECTIVES = {
    "big", "small", "tall", "old", "young", "pretty", "long", "fat", "large", "sad", "rich", "poor", "easy",
    "happy", "angry", "heavy", "light", "cheap", "fresh", "cold", "hot", "warm", "clean", "dirty", "quiet",
    "loud", "strong", "weak", "brave", "lazy", "shy", "deep", "dark", "narrow", "wide", "dry", "wet", "sweet",
    "soft", "sour", "ripe", "salty", "funny", "fast", "slow", "rare", "kind", "polite", "lonely", "crazy",
    "new", "cruel",
}  # fmt: skip
_NOT_COMPARED = {
    "red", "white", "black", "blue", "green", "yellow", "gray", "brown", "empty", "full", "broken", "french",
    "english", "german", "italian", "spanish", "american", "public", "secret", "national", "local", "guilty",
    "blond", "bald", "married", "foreign", "international", "royal", "legal", "final", "same", "former",
    "round", "real", "false", "magnificent", "delicious", "sick", "wet", "ancient", "little", "bad", "cheap",
    "rural", "own", "dear", "wooden", "hungry",
}  # fmt: skip


def comparative_en(word: str, ending: str = "er") -> Words:
    """bigger, happier, more interesting; with ending "est": biggest, most interesting."""
    if word == "good":
        return ["better" if ending == "er" else "best"]
    if word == "bad":
        return ["worse" if ending == "er" else "worst"]
    if word not in _SHORT_ADJECTIVES:
        return ["more" if ending == "er" else "most", word]
    if word.endswith("e"):
        return [word + ending[1:]]
    if word.endswith("y") and word != "shy":
        return [word[:-1] + "i" + ending]
    if word in ("big", "fat", "sad", "hot", "wet"):
        return [word + word[-1] + ending]
    return [word + ending]


def article(gender: str, plural: bool) -> str:
    """The marked definite article."""
    return "=les" if plural else ("=la" if gender == "f" else "=le")


_OWNER_EN = {"i": "my", "you": "your", "he": "his", "she": "her", "it": "its", "we": "our", "they": "their"}
_OWNER_FR = ("mon ma mes", "ton ta tes", "son sa ses", "notre notre nos", "votre votre vos", "leur leur leurs")


def possessive(owner: NP, gender: str, plural: bool) -> tuple[str, str]:
    """my and mon, her and sa."""
    key = owner.en[0] if owner.pronoun else owner.pronoun_en
    words = _OWNER_FR[owner.form].split()
    return _OWNER_EN[key], words[2 if plural else int(gender == "f")]


class Writer:
    """Draws sentences. After each one, `pairs` holds the combinations of words that it contains."""

    def __init__(self, rng: random.Random, zipf: float = 1.0):
        self.rng = rng
        self.draw = Drawer(rng, zipf)
        self.chance, self.pick, self.weighted = self.draw.chance, self.draw.pick, self.draw.weighted
        self.reset()

    def reset(self) -> None:
        self.mentions: list[NP] = []
        self.names: list[str] = []
        self.pairs: list[tuple[str, str]] = []
        self.address: NP | None = None  # who "you" is
        self.short = self.chance(0.35)  # don't for do not
        self.richness = 0.0

    # ------------------------------------------------------------ noun phrases

    def new_name(self) -> tuple[str, str]:
        """A name (and its gender) that the sentence does not have yet."""
        name, gender = self.draw.zipfian(NAMES)
        if name in self.names:
            name, gender = self.pick([row for row in NAMES if row[0] not in self.names])
        self.names.append(name)
        return name, gender

    def name(self) -> NP:
        name, gender = self.new_name()
        np = NP([name], [name], gender, human=True, single=True)
        self.mentions.append(np)
        return np

    def speaker(self) -> NP:
        return NP(["i"], ["je"], person=1, human=True, pronoun=True)

    def we(self) -> NP:
        return NP(["we"], ["nous"], plural=True, en_plural=True, person=1, human=True, pronoun=True)

    def you(self) -> NP:
        if self.address is None:
            return NP(["you"], ["vous"], person=2, human=True, pronoun=True, formal=True)
        return self.address

    def person_pronoun(self) -> NP:
        """A pronoun of the third person that needs no antecedent."""
        gender = "m" if self.chance(0.5) else "f"
        if self.chance(0.2):
            return NP(["they"], ["ils"], "m", True, True, human=True, pronoun=True)
        np = NP(["he" if gender == "m" else "she"], ["il" if gender == "m" else "elle"], gender, human=True,
                pronoun=True)  # fmt: skip
        self.mentions.append(np)
        return np

    def antecedent(self, human: bool | None = None) -> NP | None:
        """A pronoun for something mentioned, if English makes plain which one; else None."""
        counts: dict[str, int] = {}
        for np in self.mentions:
            counts[np.pronoun_en] = counts.get(np.pronoun_en, 0) + 1
        fit = [
            np
            for np in self.mentions
            if np.single and counts[np.pronoun_en] == 1 and (human is None or np.human == human)
        ]
        return refer(self.pick(fit)) if fit else None

    def adjective(self, noun: Noun, predicate: bool = False) -> Adjective | None:
        adj = self.draw.adjective(noun, predicate)
        if adj is not None:
            self.pairs.append((adj.en + "/" + adj.fr[0], noun.key))
        return adj

    def noun_phrase(
        self,
        classes: frozenset[str] | None = None,
        noun: Noun | None = None,
        owner: NP | None = None,
        depth: int = 0,
        determiner: str | None = None,
        number: str | None = None,
        plain: bool = False,
        generic: bool = False,
        gender: str | None = None,
    ) -> NP:
        """A noun with its determiner, adjectives and complements.

        `owner` is who his or her refers to; `depth` how many clauses may be nested in it; `plain` leaves
        out complements; `generic` translates a bare noun by the definite article ("likes tea").
        """
        noun = noun or self.draw.noun(classes)
        human = "person" in noun.classes
        if determiner == "a" and noun.only:
            determiner = "the"
        if determiner in ("a", "this", "every", "another"):
            number = "s"
        plural = self.chance(0.25) if number is None else number == "p"
        en_plural = noun.only.startswith("p") if noun.only else plural
        plural = noun.only.endswith("p") if noun.only else plural
        cued = gender is not None
        gender = gender or next(iter(noun.fr))
        apposition = None
        if len(noun.fr) == 2 and not cued:
            gender = "m"
            if not plural and not plain and self.chance(0.3):
                apposition, gender = self.new_name()
        forced = "shore" in noun.classes or "treepart" in noun.classes or "political" in noun.classes
        if forced:
            determiner = "the"
            plural = en_plural = False
        kind = determiner or self._determiner_kind(noun, plural, en_plural, owner, generic)
        if apposition and kind not in ("own", "the", "this"):
            kind = "own" if owner is not None else "the"
        if kind == "name's" and (human and "near" not in noun.classes):
            kind = "the"

        before = after = None
        if not noun.only or noun.mass or noun.only == "ss":
            if self.chance(0.3 + self.richness * 0.25):
                adj = self.adjective(noun)
                if adj and self._allowed(adj, kind, noun):
                    before, after = (adj, None) if adj.before else (None, adj)
            if (before or after) and self.chance(0.1 + self.richness * 0.1):
                adj = self.adjective(noun)
                if adj and self._allowed(adj, kind, noun) and not adj.bare:
                    if adj.before and before is None:
                        before = adj
                    elif not adj.before and after is None:
                        after = adj

        possessor = None
        if kind == "name's":
            possessor = self.possessor(owner)
        en_det, fr_det, negated = self._determine(kind, noun, gender, plural, en_plural, before, owner, generic)
        noun_en = (noun.en_plural if en_plural else noun.en).split()
        noun_fr = noun.fr[gender][plural].split()
        en_adj: Words = []
        fr_before: Words = []
        fr_after: Words = []
        if before:
            en_adj.append(before.en)
            form = before.agree(gender, plural)
            marked = gender == "m" and not plural and form in ("beau", "nouveau", "vieux", "fou")
            fr_before = ["=" + form] if marked else form.split()
        if after:
            en_adj.append(after.en)
            fr_after = after.agree(gender, plural).split()
        body_en = en_adj + noun_en
        body_fr = fr_before + noun_fr + fr_after
        tail_en: Words = []
        tail_fr: Words = []
        if apposition:
            tail_en, tail_fr = [apposition], [apposition]
        if possessor is not None:
            en_det = [*possessor.en, "'s"]
            tail_fr = ["de", *possessor.fr]
        np = NP(
            [], [], gender, plural, en_plural, human=human, noun=noun,
            single=kind in ("the", "own", "this", "a", "name's") and not noun.mass and not generic,
            adjectives=tuple(en_adj),
        )  # fmt: skip
        if forced:
            more_en, more_fr = self._forced_complement(noun)
            tail_en += more_en
            tail_fr += more_fr
        elif not plain and not possessor and not generic and kind != "bare" and not apposition:
            more_en, more_fr = self._complement(np, depth, kind)
            tail_en += more_en
            tail_fr += more_fr
        np.en = en_det + body_en + tail_en
        np.fr = fr_det + body_fr + tail_fr
        if negated:
            np.negated = (negated[0] + body_en + tail_en, negated[1] + body_fr + tail_fr)
        self.mentions.append(np)
        return np

    def _allowed(self, adj: Adjective, kind: str, noun: Noun) -> bool:
        if adj.en == "same":
            return kind == "the"
        if adj.en in ("own", "dear"):
            return kind == "own"
        return not (adj.en == "good" and noun.mass and kind == "bare")

    def _determiner_kind(self, noun: Noun, plural: bool, en_plural: bool, owner: NP | None, generic: bool) -> str:
        if generic:
            return (
                "bare" if (noun.mass or (plural and not noun.only)) else self.weighted({"the": 3, "own": 2, "this": 1})
            )
        own = 3.0 if owner is not None else 0.0
        if "near" in noun.classes:
            own *= 3
        if noun.only in ("ps", "pp", "sp"):
            kinds = {"the": 5.0, "own": 1 + own, "these" if noun.only != "sp" else "this": 1.0}
        elif noun.mass:
            kinds = {"the": 4.0, "some": 2.5, "bare": 2.5, "own": own * 0.5, "much": 1.2, "this": 0.7}
        elif noun.only == "ss":
            kinds = {"the": 6.0, "a": 2.0 if "sg" not in noun.classes else 0.0, "own": own * 0.3}
            if "sky" in noun.classes or "weather" in noun.classes or noun.en == "truth":
                kinds = {"the": 1.0}
        elif plural:
            kinds = {"the": 5.0, "some": 2.5, "number": 1.5, "many": 1.5, "own": own, "this": 1.2, "all": 0.7,
                     "name's": 0.6}  # fmt: skip
        else:
            kinds = {"the": 7.0, "a": 4.0, "own": own, "this": 1.3, "every": 0.5, "another": 0.5, "name's": 1.5}
        return self.weighted(kinds)

    def _determine(self, kind, noun, gender, plural, en_plural, before, owner, generic):
        """(English, French, negated pair or None) of a determiner."""
        the = article(gender, plural)
        fem = gender == "f"
        some_fr = ["=de", the] if not (plural and before) else ["=de"]
        if kind == "a":
            indefinite = ["une" if fem else "un"]
            return ["a"], indefinite, (["a"], ["de"])
        if kind == "some":
            return ["some"], some_fr, (["any"], ["de"])
        if kind == "bare":
            return [], ([the] if generic else some_fr), None if generic else (["any"] if noun.mass else [], ["de"])
        if kind == "own":
            owner = owner or self.speaker()
            en, fr = possessive(owner, gender, plural)
            return [en], [fr], None
        if kind in ("this", "these"):
            near = self.chance(0.6)
            word = ("these" if near else "those") if en_plural else ("this" if near else "that")
            return [word], ["ces" if plural else ("cette" if fem else "=ce")], None
        if kind == "every":
            return ["every" if self.chance(0.6) else "each"], ["chaque"], None
        if kind == "another":
            return ["another"], ["une" if fem else "un", "autre"], None
        if kind == "all":
            return ["all", "the"], ["toutes" if fem else "tous", "=les"], None
        if kind == "number":
            if self.chance(0.12):
                return ["both"], ["=les", "deux"], None
            en, fr = self.draw.zipfian(NUMERALS)
            return [en], [fr], None
        if kind == "many":
            en, fr = self.draw.zipfian(
                (("many", "beaucoup de"), ("several", "plusieurs"), ("a few", "quelques"), ("too many", "trop de"),
                 ("most of the", "la plupart de =les"), ("few", "peu de"), ("a lot of", "beaucoup de"))
            )  # fmt: skip
            return en.split(), fr.split(), None
        if kind == "much":
            en, fr = self.draw.zipfian(
                (("a lot of", "beaucoup de"), ("a little", "un peu de"), ("too much", "trop de"),
                 ("enough", "assez de"))
            )  # fmt: skip
            return en.split(), fr.split(), None
        return ["the"], [the], None

    def possessor(self, owner: NP | None) -> NP:
        """Whose: a name, or someone close to the owner."""
        if owner is None or owner.plural or self.chance(0.65):
            name, gender = self.new_name()
            return NP([name], [name], gender, human=True)
        saved = list(self.mentions)
        near = self.noun_phrase(frozenset(["near"]), owner=owner, determiner="own", number="s", plain=True)
        self.mentions = saved
        return near

    def _forced_complement(self, noun: Noun) -> tuple[Words, Words]:
        if "political" in noun.classes:
            adj_en, adj_fr = self.pick((("mayor", "maire"), ("president", "président"), ("king", "roi")))
            return ["of", "the", adj_en], ["de", "=le", adj_fr]
        classes = frozenset(["banked"]) if "shore" in noun.classes else frozenset(["tall_thing"])
        other = self.noun_phrase(classes, determiner="the", number="s", plain=True)
        return ["of", *other.en], ["de", *other.fr]

    def _complement(self, np: NP, depth: int, kind: str) -> tuple[Words, Words]:
        """What follows a noun: of the hotel, with the red hat, in the garden, that paul bought."""
        noun = np.noun
        classes = noun.classes
        options: dict[str, float] = {"none": 6.0 - 2.5 * self.richness}
        if noun.en in ("owner", "director", "king", "queen", "mayor", "president"):
            options["of"] = 4.0
        if "vessel" in classes and kind in ("a", "number", "many", "another"):
            options["content"] = 4.0
        if "part" in classes and kind == "the":
            options["of"] = 5.0
        if "person" in classes and kind in ("the", "a", "this"):
            options["with"] = 0.5
        if classes & {"person", "object", "furniture"} and kind in ("the", "a", "this"):
            options["place"] = 0.5
        if depth > 0 and kind in ("the", "a", "this", "some", "number", "many", "all", "another", "own"):
            options["relative"] = (1.0 + 2.5 * self.richness) * depth
        choice = self.weighted(options)
        if choice == "of":
            if noun.en in ("mayor", "king", "queen", "president"):
                which = frozenset(["settled"])
            elif "part" in classes:
                which = frozenset(["building"])
            else:
                which = frozenset(["shop", "building"])
            other = self.noun_phrase(which, determiner="the", number="s", plain=True)
            return ["of", *other.en], ["de", *other.fr]
        if choice == "content":
            drink = self.draw.noun(frozenset(["drink"]))
            gender = next(iter(drink.fr))
            return ["of", drink.en], ["de", drink.fr[gender][0]]
        if choice == "with":
            return self._feature()
        if choice == "place":
            place = self.place_of_noun("in")
            return place.en, place.fr
        if choice == "relative":
            return self.relative(np, depth - 1)
        return [], []

    def _feature(self) -> tuple[Words, Words]:
        """with the red hat, with blue eyes"""
        if self.chance(0.3):
            en, fr = self.pick((("blue", "bleus"), ("green", "verts"), ("brown", "marron"), ("black", "noirs")))
            return ["with", en, "eyes"], ["à", "=les", "yeux", fr]
        while True:
            noun = self.draw.noun(frozenset(["clothes"]))
            adj = self.adjective(noun)
            if adj and not adj.before and not noun.only and not adj.bare and adj.en not in ("cheap", "clean"):
                break
        gender = next(iter(noun.fr))
        return (
            ["with", "the", adj.en, noun.en],
            ["à", article(gender, False), noun.fr[gender][0], *adj.agree(gender, False).split()],
        )

    def place(self, kind: str = "in", owner: NP | None = None) -> Place:
        """Where something is ("in") or where somebody goes ("to")."""
        choice = self.weighted({"fixed": 2.0, "noun": 5.0, "city": 1.5, "country": 1.0, "chez": 1.0})
        if choice == "fixed":
            en_in, en_to, fr = self.draw.zipfian(PLACES)
            return Place((en_in if kind == "in" else en_to).split(), fr.split())
        if choice == "city":
            en, fr = self.draw.zipfian(CITIES)
            return Place([kind, en], ["à", fr])
        if choice == "country":
            en, fr, gender = self.draw.zipfian(COUNTRIES)
            return Place([kind, en], ["en", fr] if gender == "f" else ["à", "=le", fr])
        if choice == "chez":
            name, _ = self.new_name()
            return Place(["at" if kind == "in" else "to", name, "'s", "house"], ["chez", name])
        return self.place_of_noun(kind, owner)

    def place_of_noun(self, kind: str, owner: NP | None = None) -> Place:
        if kind == "in" and self.chance(0.4):
            en, fr = self.pick(
                (("behind", "derrière"), ("in front of", "devant"), ("near", "près de"), ("next to", "à côté de"),
                 ("under", "sous"), ("far from", "loin de"))
            )  # fmt: skip
            classes = ["tall_thing", "top"] if en == "under" else ["building", "outdoor", "water", "shore"]
            if en != "under" and self.chance(0.15):
                classes = ["shore"]
            number = "s"
        else:
            classes, number = ["building", "outdoor"], "s"
            en = fr = ""
        near = self.noun_phrase(
            frozenset(classes), owner=owner, number=number, plain=True,
            determiner=self.weighted({"the": 6, "a": 1.2, "this": 0.6, "own": 0.6 if owner is not None else 0}),
        )  # fmt: skip
        near.single = near.single and not en
        if not en:
            noun = near.noun
            definite = near.en[0] == "the" and near.en[1:] == [noun.en]
            if noun.en in ("beach", "square", "road", "island", "hill", "mountain"):
                en, fr = ("on" if kind == "in" else "to"), "sur"
            elif kind == "to":
                en, fr = "to", "à" if definite or near.en[0] in ("the",) else "dans"
            elif definite and "building" in noun.classes and "room" not in noun.classes and self.chance(0.5):
                en, fr = "at", "à"
            else:
                en, fr = "in", "dans"
            if kind == "to" and fr == "sur":
                fr = "à" if near.en[0] == "the" and noun.en in ("beach", "mountain") else "sur"
        return Place([*en.split(), *near.en], [*fr.split(), *near.fr])

    # ------------------------------------------------------------ relative clauses

    def relative(self, head: NP, depth: int) -> tuple[Words, Words]:
        noun = head.noun
        options = {"subject": 3.0, "object": 3.0}
        if head.human:
            options |= {"whose": 0.7, "to whom": 0.6}
        if noun.classes & {"settled", "building", "outdoor"}:
            options["where"] = 2.0
        choice = self.weighted(options)
        third = replace(head, en=[], fr=[], negated=None)
        who = "who" if head.human else ("that" if self.chance(0.7) else "which")
        if choice == "subject":
            vp, tenses = self.verb_phrase(third, depth)
            en, fr = self.clause(third, vp, tenses, adverbials=0.15)
            return [who, *en], ["qui", *fr]
        subject = self.subject(0, relative=True)
        if choice == "where":
            while not subject.human:
                subject = self.subject(0, relative=True)
            vp, tenses = self._vp_somewhere(subject)
            en, fr = self.clause(subject, vp, tenses, adverbials=0.0)
            return ["where", *en], ["où", *fr]
        if choice == "whose":
            possessed = self.draw.noun(frozenset(["near", "pet"]))
            gender = next(iter(possessed.fr))
            np = NP([possessed.en], [article(gender, False), possessed.fr[gender][0]], gender,
                    human="person" in possessed.classes, noun=possessed)  # fmt: skip
            vp, tenses = self.verb_phrase(np, 0)
            en, fr = self.clause(np, vp, tenses, adverbials=0.1)
            return ["whose", *en], ["dont", *fr]
        if choice == "to whom":
            verb = self.draw.verb(None, ("d",))
            direct = self.object_of(verb, subject, 0)
            if direct.pronoun:
                direct = self.noun_phrase(verb.object, owner=subject, plain=True)
            vp = VP(verb, direct)
            en, fr = self.clause(subject, vp, "event", adverbials=0.0)
            return ["to", "whom", *en], ["à", "qui", *fr]
        verb = self.draw.verb(PERSON, ("t", "de"), noun.classes)
        if verb is None or "place!" in verb.notes or "wallplace" in verb.notes:
            verb = self.draw.verb(PERSON, ("t",), noun.classes)
        if verb is None:
            vp, tenses = self.verb_phrase(third, depth)
            en, fr = self.clause(third, vp, tenses, adverbials=0.1)
            return [who, *en], ["qui", *fr]
        self.pairs.append((verb.key, noun.key))
        vp = VP(verb, no_object=True, relative_gap=head.agreement if verb.frame == "t" else None)
        if "place!" in verb.notes:
            vp.place = self.place_of_noun("in")
        en, fr = self.clause(subject, vp, "state" if verb.stative else "event", adverbials=0.15)
        zero = self.chance(0.6 if subject.pronoun else 0.3)
        link = [] if zero else [("whom" if self.chance(0.3) else "that") if head.human else "that"]
        return [*link, *en], ["dont" if verb.frame == "de" else "que", *fr]

    # ------------------------------------------------------------ subjects and objects

    def subject(self, depth: int, relative: bool = False, classes: frozenset[str] | None = None) -> NP:
        kinds = {"name": 2.0, "noun": 5.0, "i": 1.0, "we": 0.6, "he": 1.2, "you": 0.0}
        if self.address is not None:
            kinds["you"] = 2.5
        if not relative:
            kinds |= {"and": 0.4, "thing": 1.0, "animal": 0.8}
        choice = self.weighted(kinds)
        if choice == "name":
            return self.name()
        if choice == "i":
            return self.speaker()
        if choice == "we":
            return self.we()
        if choice == "he":
            return self.person_pronoun()
        if choice == "you":
            return self.you()
        if choice == "and":
            return self.coordinate()
        wanted = PERSON
        if choice == "animal":
            wanted = frozenset(["animal"])
        elif choice == "thing":
            wanted = self.pick(
                (frozenset(["event"]), frozenset(["vehicle"]), frozenset(["object"]), frozenset(["building"]),
                 frozenset(["food"]), frozenset(["text"]), frozenset(["furniture", "part"]), frozenset(["outdoor"]),
                 frozenset(["abstract"]))
            )  # fmt: skip
        if relative:
            return self.noun_phrase(wanted, owner=None, plain=True, determiner=self.weighted({"the": 3, "own": 2}))
        if wanted == PERSON and not self.chance(0.75):
            return self.noun_phrase(wanted, depth=depth, determiner="own", owner=self.speaker())
        return self.noun_phrase(wanted, depth=depth)

    def coordinate(self) -> NP:
        """Two people; the masculine wins."""
        one, two = self.name(), self.name()
        if one.en == two.en or self.chance(0.4):
            two = self.noun_phrase(frozenset(["near"]), owner=one, determiner="own", number="s", plain=True)
        self.mentions = [m for m in self.mentions if m is not one and m is not two]
        gender = "f" if one.gender == two.gender == "f" else "m"
        np = NP([*one.en, "and", *two.en], [*one.fr, "et", *two.fr], gender, True, True, human=True, single=True)
        self.mentions.append(np)
        return np

    def object_of(self, verb: Verb, subject: NP, depth: int, pronouns: float = 0.2) -> NP:
        """Something that the verb can be done to."""
        human = "person" in verb.object
        if self.chance(pronouns):
            if human and self.chance(0.6):
                np = self.pick((self.speaker, self.person_pronoun, self.person_pronoun, self.we, self.you))()
                same = np.person == subject.person and (np.person < 3)
                if not same and not (np.person == 2 and self.address is None):
                    return np
            np = self.antecedent()
            if np is not None and np.noun is not None and np.noun.classes & verb.object and np.en != subject.en:
                return np
        if human and len(verb.object) == 1 and self.chance(0.35):
            return self.name()
        generic = verb.en.base in ("love", "like", "hate", "prefer") or verb.key == "be/avoir"
        noun = self.draw.noun(verb.object)
        self.pairs.append((verb.key, noun.key))
        owner = subject if subject.human else None
        if "clothes" in noun.classes and "jewel" not in noun.classes and owner is not None and self.chance(0.2):
            return self.noun_phrase(noun=noun, owner=owner, depth=depth, determiner="own", generic=generic)
        return self.noun_phrase(noun=noun, owner=owner, depth=depth, generic=generic)

    def quantity(self, noun: Noun) -> NP:
        """three of them, a lot of them: en ... trois"""
        gender = next(iter(noun.fr))
        if self.chance(0.7):
            en, fr = self.draw.zipfian(NUMERALS)
            return NP([en, "of", "them"], [], gender, True, True, quantity=[fr])
        en, fr, = self.pick((("many", "beaucoup"), ("several", "plusieurs")))  # fmt: skip
        return NP([en, "of", "them"], [], gender, True, True, quantity=[fr])

    # ------------------------------------------------------------ verb phrases

    def verb_phrase(self, subject: NP, depth: int, kinds: dict[str, float] | None = None) -> tuple[VP, str]:
        """(verb phrase, how its tense is drawn: "event", "state" or "be")."""
        if subject.human:
            kinds = kinds or {
                "i": 2.2, "t": 5.0, "a": 0.9, "de": 1.0, "d": 1.8, "be": 1.8, "have": 0.7, "body": 0.5,
                "sport": 0.4, "go": 1.6, "infinitive": 1.6 * (depth >= 0), "job": 0.4, "compare": 0.5,
                "passive": 0.2, "miss": 0.0,
            }  # fmt: skip
            classes = PERSON
        else:
            classes = subject.noun.classes if subject.noun else frozenset(["object"])
            kinds = {"be": 2.5, "compare": 0.8, "i": 2.0, "t": 1.0, "passive": 2.0}
        for _ in range(8):
            made = getattr(self, f"_vp_{self.weighted(kinds)}")(subject, classes, depth)
            if made is not None:
                return made
        return self._vp_where(subject)

    def _manner(self, verb: Verb) -> tuple[str, str] | None:
        if "manner" in verb.notes and self.chance(0.3):
            return self.draw.zipfian(MANNER)
        return None

    def _vp_i(self, subject, classes, depth):
        verb = self.draw.verb(classes, ("i",))
        if verb is None:
            return None
        vp = VP(verb, manner=self._manner(verb))
        if "place" in verb.notes and self.chance(0.5):
            vp.place = self.place("in", subject)
        if "clock" in verb.notes and self.chance(0.6):
            hour_en, hour_fr = self.pick(NUMERALS[:9])
            vp.tail = (["at", hour_en], ["à", hour_fr, "heures"])
        return vp, "event"

    def _vp_t(self, subject, classes, depth):
        verb = self.draw.verb(classes, ("t",))
        if verb is None:
            return None
        vp = VP(verb, self.object_of(verb, subject, depth))
        if "place!" in verb.notes or ("wallplace" in verb.notes and self.chance(0.6)):
            if "wallplace" in verb.notes:
                vp.place = Place(["on", "the", "wall"], ["à", "=le", "mur"])
            else:
                top = self.noun_phrase(frozenset(["top", "box"]), determiner="the", number="s", plain=True)
                en, fr = ("on", "sur") if "top" in top.noun.classes else ("in", "dans")
                vp.place = Place([en, *top.en], [fr, *top.fr])
        elif not verb.stative and subject.human and self.chance(0.1):
            vp.place = self.place("in", subject)
        return vp, "state" if verb.stative else "event"

    def _vp_a(self, subject, classes, depth):
        verb = self.draw.verb(classes, ("a", "a0", "p:dans"))
        if verb is None:
            return None
        return VP(verb, self.object_of(verb, subject, depth, 0.25)), "state" if verb.stative else "event"

    def _vp_de(self, subject, classes, depth):
        verb = self.draw.verb(classes, ("de",))
        if verb is None:
            return None
        return VP(verb, self.object_of(verb, subject, depth, 0.25)), "state" if verb.stative else "event"

    def _vp_d(self, subject, classes, depth):
        verb = self.draw.verb(classes, ("d", "d", "df") if self.chance(0.25) else ("d",))
        if verb is None:
            return None
        direct = self.object_of(verb, subject, 0, 0.35)
        if not direct.pronoun and direct.person == 3 and self.chance(0.08):
            direct = NP(["it"], ["le"], pronoun=True)
        if self.chance(0.45):
            indirect = self.pick((self.speaker, self.person_pronoun, self.person_pronoun, self.we, self.you))()
            if (indirect.person == subject.person and indirect.person < 3) or (
                indirect.person == 2 and self.address is None
            ):
                indirect = self.name()
        elif self.chance(0.5):
            indirect = self.name()
        else:
            indirect = self.noun_phrase(PERSON, owner=subject, plain=True)
        double = verb.frame == "d" and not direct.pronoun and len(indirect.en) <= 3 and self.chance(0.5)
        double = double and verb.en.base not in ("explain", "return")
        return VP(verb, direct, indirect, double), "event"

    def _predicate(self, noun: Noun | None, human: bool) -> tuple[Adjective, Words, Words] | None:
        """An adjective, perhaps with very or too, for a predicate."""
        if human or noun is None:
            adj = self.draw.zipfian(
                self.draw._list("adjective", "person", lambda a: "person" in a.classes and not a.bare, _adjectives)
            )
        else:
            adj = self.adjective(noun, predicate=True)
        if adj is None:
            return None
        degree = self.weighted({"": 6, "very": 2, "too": 1, "so": 0.5})
        if adj.en in _NOT_COMPARED:
            degree = ""
        words = {"": "", "very": "très", "too": "trop", "so": "si"}
        return adj, ([degree] if degree else []), ([words[degree]] if degree else [])

    def _vp_be(self, subject, classes, depth):
        if subject.human and self.chance(0.25):
            if self.chance(0.25):
                years = self.pick(AGES)
                vp = VP(HAVE_STATE, predicate=([years[0], "years", "old"], lambda g, n: [years[1], "ans"]))
                return vp, "be"
            en, fr = self.draw.zipfian(STATES)
            very = self.chance(0.2) and en in ("hungry", "thirsty", "cold", "hot", "sleepy", "afraid")
            words = (["very"] if very else []) + en.split()
            return VP(HAVE_STATE, predicate=(words, lambda g, n: (["très"] if very else []) + fr.split())), "be"
        found = self._predicate(subject.noun, subject.human)
        if found is None or found[0].en in subject.adjectives:
            return self._vp_where(subject)
        adj, en, fr = found
        verb = BECOME if subject.human and self.chance(0.06) and adj.en in _BECOMING else BE
        vp = VP(verb, predicate=([*en, adj.en], lambda g, n: fr + adj.agree(g, n == "p").split()))
        if verb is BE and self.chance(0.1):
            second = self._predicate(subject.noun, subject.human)
            if second and second[0].fr != adj.fr and not second[1] and not en:
                other = second[0]
                vp.predicate = (
                    [adj.en, "and", other.en],
                    lambda g, n: [*adj.agree(g, n == "p").split(), "et", *other.agree(g, n == "p").split()],
                )
        return vp, "be" if verb is BE else "event"

    def _vp_somewhere(self, subject):
        """Something done at a place that is not said."""
        while True:
            vp, kind = self.verb_phrase(subject, 0, {"t": 3, "i": 2})
            if not vp.verb.stative and not vp.verb.notes & {"place!", "wallplace"}:
                vp.place = None
                return vp, kind

    def _vp_where(self, subject):
        place = self.place_of_noun("in")
        return VP(BE, place=place), "be"

    def _vp_have(self, subject, classes, depth):
        verb = next(v for v in _verbs() if v.key == "have/avoir")
        noun = self.draw.noun(verb.object)
        self.pairs.append((verb.key, noun.key))
        if not noun.only and not noun.mass and self.chance(0.15):
            return VP(verb, self.quantity(noun)), "state"
        kind = None if noun.mass else self.weighted({"a": 4, "some": 1.5, "number": 1.5, "many": 1})
        number = "s" if kind == "a" else "p"
        if noun.only in ("ps", "sp", "pp", "ss"):
            kind, number = ("this" if noun.only == "sp" else ("these" if noun.only != "ss" else "the")), None
            if noun.mass:
                kind = None
        np = self.noun_phrase(noun=noun, owner=None, depth=depth, determiner=kind, number=number)
        return VP(verb, np), "state"

    def _vp_body(self, subject, classes, depth):
        if self.chance(0.4):
            noun = self.draw.noun(frozenset(["sore"]))
            gender = next(iter(noun.fr))
            plural = noun.en in ("eye", "ear", "tooth", "knee", "shoulder", "foot")
            word = noun.en_plural if plural else noun.en
            owner = possessive(subject, gender, plural)[0]
            fr = ["mal", "à", article(gender, plural), noun.fr[gender][plural]]
            en = ["a", "pain", "in", owner, word]
            have = make_verb("have", "avoir", "be", notes="s")
            return VP(have, predicate=(en, lambda g, n: fr)), "state"
        en, fr, wanted = self.pick((("wash", "se laver", "washed"), ("break", "se casser", "limb"),
                                    ("hurt", "se blesser", "limb_at")))  # fmt: skip
        noun = self.draw.noun(frozenset(["limb" if wanted.startswith("limb") else "washed"]))
        gender = next(iter(noun.fr))
        plural = wanted == "washed" and noun.en not in ("chest",)
        owner = possessive(subject, gender, plural)[0]
        en_plural = plural or (subject.plural and noun.en not in ("nose", "head"))
        word = noun.en_plural if en_plural else noun.en
        fr_words = [article(gender, plural), noun.fr[gender][plural]]
        if wanted == "limb_at":
            verb = make_verb(en, fr, "be", "person")
            return VP(verb, predicate=([owner, word], lambda g, n: ["à", *fr_words])), "event"
        verb = make_verb(en, fr, "be", "person", notes="indirect")
        return VP(verb, predicate=([owner, word], lambda g, n: fr_words)), "event"

    def _vp_sport(self, subject, classes, depth):
        en, fr = self.draw.zipfian(SPORTS)
        verb = make_verb("play", "jouer", "be", "person")
        vp = VP(verb, predicate=(en.split(), lambda g, n: ["à", *fr.split()]))
        if self.chance(0.3):
            other = self.name()
            vp.tail = (["with", *other.en], ["avec", *other.fr])
        return vp, "event"

    def _vp_go(self, subject, classes, depth):
        en, fr, be, after_en, after_fr = self.draw.zipfian(
            (
                ("go", "aller", True, "", ""), ("live", "habiter", False, "in", ""), 
                ("come", "venir", True, "from", ""),
                ("return", "retourner", True, "", ""), ("walk", "aller", True, "", "à pied"),
                ("drive", "aller", True, "", "en voiture"), ("arrive", "arriver", True, "in", ""),
                ("stay", "rester", True, "in", ""),
            )
        )  # fmt: skip
        verb = make_verb(en, fr, "go", "person", notes="be" if be else "")
        if en == "live":
            verb = make_verb(en, fr, "go", "person", notes="s,live")
        if en == "come":
            if self.chance(0.5):
                city_en, city_fr = self.draw.zipfian(CITIES)
                return VP(verb, place=Place(["from", city_en], ["de", city_fr])), "event"
            near = self.noun_phrase(frozenset(["settled", "building"]), determiner="the", number="s", plain=True)
            return VP(verb, place=Place(["from", *near.en], ["de", *near.fr])), "event"
        place = self.place("in" if after_en else "to", subject)
        while en == "live" and place.en[0] == "under":
            place = self.place("in", subject)
        vp = VP(verb, place=Place(place.en, [*place.fr, *after_fr.split()]))
        if en in ("go", "return", "walk") and not after_fr and self.chance(0.25):
            other = (
                self.name()
                if self.chance(0.6)
                else self.noun_phrase(frozenset(["near"]), owner=subject, determiner="own", plain=True)
            )
            vp.tail = (["with", *other.en], ["avec", *other.fr])
        return vp, "state" if en == "live" else "event"

    def _vp_infinitive(self, subject, classes, depth):
        frame = self.weighted({"inf": 5.0, "modal": 2.5, "ing": 1.0, "order": 1.5})
        verb = self.draw.clause_verb(frame)
        controller = subject
        indirect = None
        if frame == "order":
            indirect = (
                self.person_pronoun()
                if self.chance(0.4)
                else (self.name() if self.chance(0.5) else self.noun_phrase(PERSON, owner=subject, plain=True))
            )
            controller = indirect
        inner, _ = self.verb_phrase(
            controller, -1,
            {"i": 2.0, "t": 5.0, "a": 1.0, "de": 0.6, "d": 1.8, "go": 1.5, "sport": 0.5},
        )  # fmt: skip
        vp = VP(verb, indirect=indirect, infinitive=inner)
        return vp, {"modal": "modal", "inf": "state" if verb.stative else "event"}.get(frame, "event")

    def _vp_job(self, subject, classes, depth):
        noun = self.draw.noun(frozenset(["job"]))
        gender = subject.gender if subject.gender in noun.fr else None
        if gender is None:
            return None
        plural = subject.plural or (subject.en_plural and not subject.formal)
        en = [noun.en_plural] if plural else ["a", noun.en]
        verb = BECOME if self.chance(0.3) else BE
        fr = noun.fr[gender][plural].split()
        return VP(verb, predicate=(en, lambda g, n: fr)), "be" if verb is BE else "event"

    def _vp_compare(self, subject, classes, depth):
        found = self._predicate(subject.noun, subject.human)
        if found is None or found[0].en in (*_NOT_COMPARED, *subject.adjectives):
            return None
        adj = found[0]
        kind = self.weighted({"er": 4, "as": 2, "less": 1})
        if subject.human:
            other = self.name() if self.chance(0.5) else self.noun_phrase(PERSON, owner=subject, plain=True)
        else:
            other = self.noun_phrase(noun=subject.noun, plain=True, owner=self.speaker(), number="s",
                                     determiner=self.weighted({"own": 1, "this": 1}))  # fmt: skip
        if other.en == subject.en:
            return None
        than = ["que", *strong_fr(other)]
        if kind == "er":
            start_en, start_fr = [*comparative_en(adj.en), "than"], "plus"
        elif kind == "as":
            start_en, start_fr = ["as", adj.en, "as"], "aussi"
        else:
            start_en, start_fr = ["less", adj.en, "than"], "moins"

        def predicate(gender: str, number: str) -> Words:
            if kind == "er" and adj.better:
                return [adj.better_form(gender, number == "p"), *than]
            return [start_fr, *adj.agree(gender, number == "p").split(), *than]

        return VP(BE, predicate=([*start_en, *object_en(other)], predicate)), "be"

    def _vp_passive(self, subject, classes, depth):
        noun = subject.noun
        wanted = noun.classes if noun is not None else PERSON
        verb = self.draw.verb(PERSON, ("t",), wanted)
        if verb is None or verb.stative or verb.tail or "place!" in verb.notes or "nopassive" in verb.notes:
            return None
        if noun is not None:
            self.pairs.append((verb.key, noun.key))
        form = french.participle(verb.fr)
        en = [verb.en.participle, *([verb.particle] if verb.particle else [])]
        tail_en: Words = []
        tail_fr: Words = []
        if self.chance(0.6):
            agent = self.name() if self.chance(0.4) else self.noun_phrase(PERSON, plain=True)
            tail_en, tail_fr = ["by", *object_en(agent)], ["par", *strong_fr(agent)]
        vp = VP(_PASSIVE, predicate=([*en, *tail_en],
                                     lambda g, n: [french.participle_agreement(form, g, n), *tail_fr]))  # fmt: skip
        return vp, "passive"

    # ------------------------------------------------------------ clauses

    def tense(self, kind: str) -> str:
        if kind in ("be", "state"):
            return self.weighted({"pres": 6, "past": 4, "fut": 1, "usedto": 0.5 if kind == "state" else 0.2,
                                  "cond": 0.1})  # fmt: skip
        if kind == "modal":
            return self.weighted({"pres": 5, "past": 2, "fut": 1})
        if kind == "passive":
            return self.weighted({"past": 5, "fut": 2, "perf": 2, "pres": 0.3})
        return self.weighted({"pres": 3, "prog": 2.5, "past": 5, "perf": 1.5, "pastprog": 1, "fut": 2, "goingto": 0.9,
                              "just": 0.5, "usedto": 0.5, "pluperf": 0.2})  # fmt: skip

    def clause(
        self,
        subject: NP,
        vp: VP,
        kind: str,
        tense: str | None = None,
        adverbials: float = 0.4,
        negation: float = 0.14,
        question: str | None = None,
    ) -> tuple[Words, Words]:
        """A finite clause in both languages, with its tense, negation and adverbs drawn here."""
        given = tense is not None
        tense = tense or self.tense(kind)
        if vp.verb.en.base == "must" and tense not in ("pres", "subj"):
            if given:
                vp = replace(vp, verb=HAVE_TO)
            else:
                tense = "pres"
        if vp.verb.en.base == "can" and tense in ("prog", "perf", "pastprog", "goingto", "just", "pluperf", "usedto"):
            tense = "pres"
        if vp.verb.stative and tense in ("prog", "pastprog", "just", "goingto", "pluperf", "perf") and not given:
            tense = "pres"
        word = None
        if self.chance(negation) and not subject.elsewhere:
            word = self._negation(subject, vp, tense)
        if subject.elsewhere:
            word = "subject"
        vp = replace(vp)
        direct = vp.direct
        if word in ("rien", "personne"):
            vp.direct = NP(["nothing" if word == "rien" else "nobody"], [])
        elif word == "only" and direct is not None and direct.negated is None and direct.pronoun:
            word = "not"
        front_en: Words = []
        front_fr: Words = []
        settled = tense in ("pres", "past", "perf", "fut") and kind in ("event", "state", "be")
        if not word and settled and self.chance(0.1):
            vp.frequency = self._frequency(tense)
        timeless = "live" in vp.verb.notes or word in ("never", "no longer") or (vp.frequency and tense == "pres")
        if self.chance(adverbials) and tense in TIMES and not timeless:
            en, fr = self.draw.zipfian(TIMES[tense])
            en_words, fr_words = en.split(), fr.split()
            if self.chance(0.35) and question is None and not subject.elsewhere and not given:
                front_en, front_fr = [*en_words, ","], [*fr_words, ","]
                if subject.en == [] or vp.relative_gap or vp.no_object:
                    front_en = front_fr = []
            else:
                vp.tail = (vp.tail[0] + en_words, vp.tail[1] + fr_words)
        elif (
            not given and kind in ("event", "state") and vp.verb.frame in ("i", "go") and tense == "pres"
            and ("place" in vp.verb.notes or "live" in vp.verb.notes) and self.chance(0.25)
            and not question and not word
        ):  # fmt: skip
            # has lived here for ten years: habite ici depuis dix ans
            tense = "since"
            vp.frequency = None
            en, fr = self._duration()
            vp.tail = (vp.tail[0] + en, vp.tail[1] + fr)
        if question is not None:
            en = say_en(vp, subject, tense, word, True, self.short)
            return en, say_fr(vp, subject, tense, word)
        en = say_en(vp, subject, tense, word, False, self.short)
        return front_en + en, front_fr + say_fr(vp, subject, tense, word)

    def _frequency(self, tense: str) -> tuple[str, str]:
        if tense == "perf":
            return ("already", "déjà")
        if tense == "fut":
            return self.pick(FREQUENCY[:2])
        return self.draw.zipfian(FREQUENCY if tense == "pres" else FREQUENCY[:-1])

    def _duration(self) -> tuple[Words, Words]:
        en, fr = self.pick(NUMERALS[:9])
        unit_en, unit_fr = self.pick((("years", "ans"), ("days", "jours"), ("months", "mois"), ("weeks", "semaines"),
                                      ("hours", "heures")))  # fmt: skip
        return ["for", en, unit_en], ["depuis", fr, unit_fr]

    def _negation(self, subject: NP, vp: VP, tense: str) -> str | None:
        base = vp.verb.en.base
        if tense in ("usedto", "just", "since", "pluperf") or (base == "have" and "to" in vp.verb.tail):
            return None
        options = {"not": 6.0}
        if base != "must" and base != "can":
            if tense in ("pres", "past", "fut", "perf"):
                options["never"] = 2.0
            if tense == "pres":
                options["no longer"] = 1.5
            if tense == "perf":
                options["not yet"] = 3.0
        direct = vp.direct
        plain = vp.verb.frame == "t" and not vp.verb.particle and direct is not None and not vp.no_object
        if plain and tense in ("pres", "past", "fut") and not vp.place:
            if direct.noun and not direct.pronoun and not direct.quantity and direct.en[0] not in (
                "every", "each", "all", "both", "too", "most", "few"
            ):  # fmt: skip
                options["only"] = 1.2
            if "person" not in vp.verb.object and not vp.manner and base not in ("have",):
                options["rien"] = 1.0
            if "person" in vp.verb.object and not vp.verb.tail:
                options["personne"] = 1.0
        quantified = direct is not None and direct.en and direct.en[0] in _QUANTIFIERS
        if quantified and direct.negated is None:
            return None
        word = self.weighted(options)
        if word == "not" and direct is not None and direct.quantity is not None:
            return None
        return word

    def simple(self, depth: int = 0, tense: str | None = None, adverbials: float = 0.4) -> tuple[Words, Words, NP]:
        """(English, French, subject) of one clause."""
        if tense is None and self.chance(0.05):
            return self._nobody(depth)
        if tense is None and self.chance(0.04):
            return self._misses()
        if self.chance(0.07):
            return self._cued(tense)
        subject = self.subject(depth)
        vp, kind = self.verb_phrase(subject, depth)
        en, fr = self.clause(subject, vp, kind, tense=tense, adverbials=adverbials)
        return en, fr, subject

    def _cued(self, tense: str | None) -> tuple[Words, Words, NP]:
        """the singer left with her brother: la chanteuse est partie avec son frère"""
        while True:
            noun = self.draw.noun(PERSON)
            if len(noun.fr) == 2:
                break
        subject = self.noun_phrase(
            noun=noun, number="s", plain=True, determiner=self.weighted({"the": 5, "a": 2, "this": 1}),
            gender="f" if self.chance(0.5) else "m",
        )  # fmt: skip
        vp, kind = self.verb_phrase(subject, 0, {"i": 3, "t": 3, "go": 2, "sport": 1, "a": 0.5})
        if vp.place is not None and vp.place.en[:1] == ["at"]:
            vp.place = None
        with_en, with_fr = (["with"], ["avec"])
        if self.chance(0.3):
            vehicle = self.draw.noun(frozenset(["driven"]))
            other = self.noun_phrase(noun=vehicle, owner=subject, determiner="own", number="s", plain=True)
            with_en, with_fr = ["in"], ["dans"]
        else:
            other = self.noun_phrase(frozenset(["near", "pet"]), owner=subject, determiner="own", plain=True)
        vp.tail = ([*with_en, *other.en], [*with_fr, *other.fr])
        en, fr = self.clause(subject, vp, kind, tense=tense, adverbials=0.15, negation=0.05)
        return en, fr, subject

    def _nobody(self, depth: int) -> tuple[Words, Words, NP]:
        human = self.chance(0.75)
        subject = NP(["nobody"], ["personne"], human=True, elsewhere=True)
        if not human:
            subject = NP(["nothing"], ["rien"], elsewhere=True, noun=None)
            adj = self.pick(("easy", "important", "interesting", "strange"))
            word = next(a for a in _adjectives() if a.en == adj)
            vp, kind = VP(BE, predicate=([word.en], lambda g, n: [word.agree("m", False)])), "be"
        else:
            vp, kind = self.verb_phrase(
                subject, depth, {"i": 1.5, "t": 4, "a": 1, "de": 1, "go": 1, "be": 1, "have": 1}
            )
        en, fr = self.clause(subject, vp, kind)
        return en, fr, subject

    def _misses(self) -> tuple[Words, Words, NP]:
        """paul misses his sister: sa sœur manque à paul"""
        one = self.weighted({"name": 3, "i": 1, "he": 1, "noun": 2})
        if one == "name":
            who = self.name()
        elif one == "i":
            who = self.speaker()
        elif one == "he":
            who = self.person_pronoun()
        else:
            who = self.noun_phrase(PERSON, plain=True)
        if self.chance(0.5):
            missed = self.noun_phrase(frozenset(["near", "pet"]), owner=who, determiner="own", plain=True)
        elif self.chance(0.5):
            missed = self.name()
            while missed.en == who.en:
                missed = self.name()
        else:
            missed = self.noun_phrase(frozenset(["settled", "near"]), owner=who, plain=True)
        tense = self.weighted({"pres": 4, "past": 2, "fut": 2})
        word = self.weighted({"": 6, "not": 1, "no longer": 0.5}) or None
        if tense != "pres" and word == "no longer":
            word = None
        degree = None
        english_vp = VP(make_verb("miss", "manquer", "t", notes="s"), NP(object_en(missed), []))
        french_vp = VP(make_verb("miss", "manquer", "t", notes="s"), indirect=who)
        if not word and self.chance(0.4):
            degree = (["a", "lot"], "beaucoup")
            english_vp.tail = (degree[0], [])
            french_vp.manner = ("", degree[1])
        subject_fr = missed
        en = say_en(english_vp, who, tense, word, False, self.short)
        return en, say_fr(french_vp, subject_fr, tense, word), who

    # ------------------------------------------------------------ sentences

    def sentence(self) -> tuple[str, str]:
        """One pair of lower-case sentences, tokens separated by spaces."""
        self.reset()
        self.richness = self.weighted({0.0: 2.5, 0.4: 3, 1.0: 3})
        depth = {0.0: 0, 0.4: 1, 1.0: 2}[self.richness]
        kind = self.weighted({
            "simple": 6.0, "because": 3.0, "when": 1.2, "coordination": 3.0, "address": 2.6, "says": 2.6,
            "question": 1.8, "if": 1.6, "after": 1.4, "there is": 0.8, "weather": 0.5, "superlative": 0.8,
            "although": 0.9, "wishes": 0.9, "cleft": 0.5, "then": 1.2, "exclamation": 0.0,
        })  # fmt: skip
        en, fr = getattr(self, "_" + kind.replace(" ", "_"))(depth)
        en = english.join(en)
        fr = french.join(fr)
        return " ".join(en), " ".join(fr)

    def _simple(self, depth):
        en, fr, _ = self.simple(depth)
        return [*en, "."], [*fr, "."]

    def _pronoun_clause(self, depth: int, past: bool = False) -> tuple[Words, Words]:
        """A clause about something that the sentence has mentioned."""
        subject = self.antecedent()
        if subject is None or not self.chance(0.8):
            en, fr, _ = self.simple(max(depth - 1, 0), adverbials=0.2)
            return en, fr
        vp, kind = self.verb_phrase(subject, max(depth - 1, 0))
        return self.clause(subject, vp, kind, adverbials=0.2)

    def _because(self, depth):
        en, fr, _ = self.simple(depth, adverbials=0.2)
        link = self.weighted({"because": 4, "but": 2.5, "so": 0.8})
        second = self._pronoun_clause(depth)
        if link == "because":
            return [*en, "because", *second[0], "."], [*fr, "parce", "que", *second[1], "."]
        word = {"but": "mais", "so": "donc"}[link]
        return [*en, ",", link, *second[0], "."], [*fr, ",", word, *second[1], "."]

    def _when(self, depth):
        """when he arrives , she will ...: quand il arrivera , elle ..."""
        future = self.chance(0.5)
        one = self.subject(0)
        vp, kind = self.verb_phrase(one, 0)
        if future:
            en = say_en(vp, one, "pres")
            fr = say_fr(vp, one, "fut")
            two = self.antecedent(human=True) or self.subject(0)
            vp2, kind2 = self.verb_phrase(two, 0)
            en2, fr2 = self.clause(two, vp2, kind2, tense="fut", adverbials=0.0)
        else:
            while kind == "passive":
                vp, kind = self.verb_phrase(one, 0)
            background = "pastprog" if kind == "event" and not vp.verb.stative else "past"
            en, fr = say_en(vp, one, background), say_fr(vp, one, background)
            two = self.antecedent(human=True) or self.subject(0)
            vp2, kind2 = self.verb_phrase(two, 0)
            en2, fr2 = self.clause(two, vp2, kind2, tense="past", adverbials=0.0)
        when_en, when_fr = ("while", "pendant que") if not future and self.chance(0.4) else ("when", "quand")
        if self.chance(0.5):
            return [when_en, *en, ",", *en2, "."], [*when_fr.split(), *fr, ",", *fr2, "."]
        return [*en2, when_en, *en, "."], [*fr2, *when_fr.split(), *fr, "."]

    def _coordination(self, depth):
        """One subject, two or three verbs; or two clauses."""
        subject = self.subject(depth)
        count = 3 if self.chance(0.15) else 2
        tense = self.weighted({"past": 4, "fut": 1.5, "pres": 2.5})
        en: Words = []
        fr: Words = []
        for number in range(count):
            vp, _ = self.verb_phrase(subject, max(depth - 1, 0) if number else depth)
            part_en = say_en(vp, subject, tense)
            part_fr = say_fr(vp, subject, tense)
            if number:
                part_en = part_en[len(subject.en) :]
                part_fr = part_fr[len(subject.fr) :]
                last = number == count - 1
                part_en = (["and"] if last else [","]) + part_en
                again = subject.fr if subject.pronoun else []
                part_fr = (["et"] if last else [","]) + again + part_fr
            en += part_en
            fr += part_fr
        return [*en, "."], [*fr, "."]

    def _says(self, depth):
        """paul said that marie was tired"""
        subject = self.subject(0)
        if not subject.human:
            subject = self.name()
        verb = self.draw.clause_verb("that", "wh") if self.chance(0.85) else self.draw.clause_verb("that!")
        vp = VP(verb)
        past = self.chance(0.4)
        inner_subject = self.antecedent(human=True) if self.chance(0.4) else None
        inner_subject = inner_subject or self.subject(depth)
        inner, kind = self.verb_phrase(inner_subject, max(depth - 1, 0))
        if verb.frame == "wh":
            return self._indirect_question(subject, vp, inner_subject, inner, kind, past)
        if verb.frame == "that!":
            tense = "cond" if past else "fut"
        elif past:
            stative = inner.verb.stative or kind in ("be", "modal")
            tense = self.weighted({"past": 4, "cond": 2} if stative else {"pluperf": 3, "cond": 3, "pastprog": 2})
            if kind == "passive" and tense == "pastprog":
                tense = "pluperf"
        else:
            tense = None
        if inner.verb.en.base == "must" and tense:
            tense = "pres" if not past else "past"
            if past:
                inner.verb = HAVE_TO
        if inner.verb.en.base == "can" and tense in ("pluperf", "pastprog"):
            tense = "past"
        en2, fr2 = self.clause(inner_subject, inner, kind, tense=tense, adverbials=0.0 if tense else 0.15)
        main_en, main_fr = self.clause(
            subject, vp, "state" if verb.stative else "event", tense="past" if past else "pres",
            adverbials=0.0, negation=0.0,
        )  # fmt: skip
        that = [] if self.chance(0.35) and verb.en.base in ("say", "think", "know", "believe", "hope") else ["that"]
        return [*main_en, *that, *en2, "."], [*main_fr, "que", *fr2, "."]

    def _indirect_question(self, subject, vp, inner_subject, inner, kind, past):
        word_en, word_fr = self.draw.zipfian(
            (("whether", "si"), ("why", "pourquoi"), ("when", "quand"), ("where", "où"), ("how", "comment"))
        )
        if word_en in ("where", "how", "when"):
            while not inner_subject.human:
                inner_subject = self.subject(0)
            inner, kind = self._vp_somewhere(inner_subject)
        tense = ("past" if past else None) if word_en != "when" else ("past" if past else "fut")
        if past and not inner.verb.stative:
            tense = "pluperf" if word_en != "when" else "cond"
        if kind == "modal" or inner.verb.en.base == "must":
            tense = "pres" if not past else "past"
            if inner.verb.en.base == "must" and past:
                inner.verb = HAVE_TO
        en2, fr2 = self.clause(inner_subject, inner, kind, tense=tense, adverbials=0.0, negation=0.05)
        negation = "not" if self.chance(0.35) and vp.verb.en.base in ("know", "understand") else None
        tense = "past" if past else "pres"
        en = say_en(vp, subject, tense, negation, False, self.short)
        fr = say_fr(vp, subject, tense, negation)
        return [*en, word_en, *en2, "."], [*fr, word_fr, *fr2, "."]

    def _if(self, depth):
        one, two = self.subject(0), None
        vp, _ = self.verb_phrase(one, 0)
        two = self.antecedent(human=True) if self.chance(0.6) else None
        two = two or self.subject(0)
        vp2, kind2 = self.verb_phrase(two, max(depth - 1, 0))
        shape = self.weighted({"real": 4, "unreal": 3, "past": 1.5})
        if vp.verb.en.base == "must":
            vp = VP(HAVE_TO, infinitive=vp.infinitive)
        if vp2.verb.en.base in ("must", "can"):
            shape = "real"
        if shape == "real":
            en, fr = say_en(vp, one, "pres"), say_fr(vp, one, "pres")
            en2, fr2 = self.clause(two, vp2, kind2, tense="fut", adverbials=0.0)
        elif shape == "unreal":
            en, fr = say_en(vp, one, "past"), say_fr(vp, one, "usedto")
            en2, fr2 = self.clause(two, vp2, kind2, tense="cond", adverbials=0.0)
        else:
            if vp.verb.en.base == "can":
                vp = replace(vp.infinitive)
            en, fr = say_en(vp, one, "pluperf"), say_fr(vp, one, "pluperf")
            en2, fr2 = self.clause(two, vp2, kind2, tense="condperf", adverbials=0.0)
        if self.chance(0.65):
            return ["if", *en, ",", *en2, "."], ["si", *fr, ",", *fr2, "."]
        return [*en2, "if", *en, "."], [*fr2, "si", *fr, "."]

    def _after(self, depth):
        """after eating , before leaving , without looking , while singing: one subject"""
        subject = self.subject(depth)
        if not subject.human:
            subject = self.name()
        first, _ = self.verb_phrase(
            subject, 0, {"i": 2.0, "t": 4.0, "a": 0.8, "de": 0.6, "d": 1.5, "go": 1.2, "sport": 0.5}
        )
        vp, kind = self.verb_phrase(subject, depth)
        kinds = {"after": 2, "before": 2, "without": 1.5, "while": 1.5, "in order to": 1.5}
        link = self.weighted(kinds)
        tense = self.weighted({"past": 4, "fut": 2, "pres": 2})
        if vp.verb.en.base == "must":
            tense = "pres"
        en, fr = self.clause(subject, vp, kind, tense=tense, adverbials=0.0, negation=0.05)
        if link == "in order to":
            more = ["to", *bare_en(first)], ["pour", *infinitive_fr(first, subject)]
            return [*en, *more[0], "."], [*fr, *more[1], "."]
        negative = link == "without"
        part_en = [link, *bare_en(first, "ing", negative)]
        if link == "after":
            part_fr = ["après", *past_infinitive_fr(first, subject)]
        elif link == "before":
            part_fr = ["avant", "de", *infinitive_fr(first, subject)]
        elif link == "without":
            part_fr = ["sans", *infinitive_fr(first, subject, negative=True)]
        else:
            part_fr = gerund_fr(first, subject)
        if self.chance(0.4) and link != "without":
            return [*part_en, ",", *en, "."], [*part_fr, ",", *fr, "."]
        return [*en, *part_en, "."], [*fr, *part_fr, "."]

    def _although(self, depth):
        one = self.subject(0)
        vp, _ = self.verb_phrase(one, 0)
        two = self.antecedent(human=True) if self.chance(0.6) else None
        two = two or self.subject(0)
        vp2, kind2 = self.verb_phrase(two, max(depth - 1, 0))
        if vp.verb.en.base == "must":
            vp = replace(vp.infinitive)
        en, fr = say_en(vp, one, "pres"), say_fr(vp, one, "subj")
        en2, fr2 = self.clause(two, vp2, kind2, adverbials=0.1)
        if self.chance(0.5):
            return ["although", *en, ",", *en2, "."], ["bien", "que", *fr, ",", *fr2, "."]
        return [*en2, ",", "although", *en, "."], [*fr2, ",", "bien", "que", *fr, "."]

    def _wishes(self, depth):
        """paul wants marie to leave: paul veut que marie parte; it is important that ..."""
        other = self.subject(0)
        while not other.human:
            other = self.subject(0)
        vp, _ = self.verb_phrase(other, depth, {"i": 2.0, "t": 4.0, "a": 0.8, "de": 0.6, "d": 1.8, "go": 1.2})
        if self.chance(0.7):
            subject = self.name() if self.chance(0.5) else self.noun_phrase(PERSON)
            if subject.en == other.en:
                subject = self.we()
                if other.person == 1:
                    subject = self.person_pronoun()
            if other.pronoun and other.person == 3:
                subject = self.name()
            want = VP(make_verb("want", "vouloir", "i", notes="s"))
            tense = self.weighted({"pres": 3, "past": 1.5})
            negation = "not" if self.chance(0.25) else None
            en = say_en(want, subject, tense, negation, False, self.short)
            fr = say_fr(want, subject, tense, negation)
            return (
                [*en, *object_en(other), "to", *bare_en(vp), "."],
                [*fr, "que", *say_fr(vp, other, "subj"), "."],
            )
        lead_en, lead_fr = self.pick(
            (("it is important that", "il est important que"), ("it is necessary that", "il faut que"),
             ("it is possible that", "il est possible que"), ("it is a pity that", "c'est dommage que"))
        )  # fmt: skip
        return (
            [*lead_en.split(), *say_en(vp, other, "pres"), "."],
            [*lead_fr.replace("c'est", "ce est").split(), *say_fr(vp, other, "subj"), "."],
        )

    def _then(self, depth):
        """paul took the key and put it on the table"""
        subject = self.subject(0)
        if not subject.human:
            subject = self.name()
        verbs = [self.draw.verb(PERSON, ("t",)) for _ in range(2)]
        for _ in range(20):
            noun = self.draw.noun(verbs[0].object)
            second = self.draw.verb(PERSON, ("t", "d"), noun.classes & frozenset(
                ["object", "clothes", "text", "food", "vehicle", "vessel", "box", "toy", "small", "animal"]
            ))  # fmt: skip
            if second and second.key != verbs[0].key and not verbs[0].stative and not second.stative:
                break
            verbs[0] = self.draw.verb(PERSON, ("t",))
        else:
            return self._simple(depth)
        self.pairs += [(verbs[0].key, noun.key), (second.key, noun.key)]
        first_np = self.noun_phrase(noun=noun, owner=subject, plain=not self.chance(0.3),
                                    determiner=self.weighted({"the": 3, "a": 2, "own": 2, "this": 1}))  # fmt: skip
        tense = self.weighted({"past": 5, "fut": 1.5, "pres": 1})
        vp = VP(verbs[0], first_np)
        if "place!" in verbs[0].notes:
            vp.place = self.place_of_noun("in")
        again = refer(first_np)
        vp2 = VP(second, again)
        if second.frame == "d":
            vp2.indirect = self.name() if self.chance(0.6) else self.noun_phrase(PERSON, owner=subject, plain=True)
            if self.chance(0.3):
                vp2.indirect = self.person_pronoun()
        if "place!" in second.notes:
            top = self.noun_phrase(frozenset(["top", "box"]), determiner="the", number="s", plain=True)
            en, fr = ("on", "sur") if "top" in top.noun.classes else ("in", "dans")
            vp2.place = Place([en, *top.en], [fr, *top.fr])
        en, fr = say_en(vp, subject, tense), say_fr(vp, subject, tense)
        en2 = say_en(vp2, subject, tense)[len(subject.en) :]
        fr2 = say_fr(vp2, subject, tense)[len(subject.fr) :]
        then = (["then"], ["puis"]) if self.chance(0.2) else (["and"], ["et"])
        if then[0] == ["then"]:
            en, fr = [*en, ","], [*fr, ","]
            then = (["then"], ["puis"])
        repeat = subject.fr if subject.pronoun else []
        return [*en, *then[0], *en2, "."], [*fr, *then[1], *repeat, *fr2, "."]

    def _there_is(self, depth):
        plural = self.chance(0.5)
        np = self.noun_phrase(
            self.pick((PERSON, frozenset(["animal"]), frozenset(["object"]), frozenset(["food"]),
                       frozenset(["drink"]), frozenset(["building"]))),
            determiner=None, number="p" if plural else "s", depth=depth, plain=True,
        )  # fmt: skip
        noun = np.noun
        if np.negated is None or noun.only not in ("", "ss"):
            np = self.noun_phrase(noun=noun if not noun.only else None,
                                  classes=frozenset(["animal"]), determiner="some" if plural else "a",
                                  number="p" if plural else "s", depth=depth, plain=True)  # fmt: skip
        place = self.place_of_noun("in")
        tense = self.weighted({"pres": 4, "past": 2, "fut": 1})
        negation = self.weighted({"": 4, "not": 1.2, "no longer": 0.3}) or None
        if tense != "pres" and negation == "no longer":
            negation = None
        dummy = NP(["there"], ["il"], plural=False, en_plural=np.en_plural)
        words_en = np.negated[0] if negation and np.negated else np.en
        words_fr = np.negated[1] if negation and np.negated else np.fr
        vp = VP(THERE_IS, place=THERE, predicate=([*words_en, *place.en], lambda g, n: [*words_fr, *place.fr]))
        en = say_en(replace(vp, place=None), dummy, tense, negation, False, self.short)
        fr = say_fr(vp, dummy, tense, negation)
        return [*en, "."], [*fr, "."]

    def _weather(self, depth):
        base_en, fr_inf, words_en, words_fr = self.draw.zipfian(WEATHER)
        verb = make_verb(base_en, fr_inf, "be", notes="s" if base_en == "be" else "")
        subject = NP(["it"], ["il"])
        vp = VP(verb, predicate=(words_en.split(), lambda g, n: words_fr.split()))
        kind = "be" if base_en == "be" else "event"
        en, fr = self.clause(subject, vp, kind, tense=self.weighted(
            {"pres": 2, "past": 2, "fut": 1} if kind == "be" else {"prog": 2, "past": 1, "fut": 2, "pastprog": 1}
        ), adverbials=0.5)  # fmt: skip
        if self.chance(0.4):
            second, second_fr, _ = self.simple(depth, adverbials=0.0)
            return [*en, ",", "and", *second, "."], [*fr, ",", "et", *second_fr, "."]
        return [*en, "."], [*fr, "."]

    def _superlative(self, depth):
        """the most beautiful town in the country"""
        for _ in range(10):
            classes = self.pick((PERSON, frozenset(["building"]), frozenset(["outdoor"]), frozenset(["animal"]),
                                 frozenset(["text"]), frozenset(["event"]), frozenset(["vehicle"]),
                                 frozenset(["object"])))  # fmt: skip
            noun = self.draw.noun(classes)
            adj = self.adjective(noun)
            if adj and not adj.bare and adj.en not in _NOT_COMPARED and not noun.only and not adj.better:
                break
        else:
            return self._simple(depth)
        gender = next(iter(noun.fr))
        the = article(gender, False)
        best = comparative_en(adj.en, "est")
        form = adj.agree(gender, False).split()
        word = noun.fr[gender][0].split()
        np_en = ["the", *best, *noun.en.split()]
        if adj.before and form[0] in ("beau", "nouveau", "vieux"):
            form = ["=" + form[0]]
        np_fr = [the, "plus", *form, *word] if adj.before else [the, *word, the.lstrip("="), "plus", *form]
        where = self.weighted({"": 2, "of": 3})
        if where:
            group = self.noun_phrase(frozenset(["settled"]), determiner="the", number="s", plain=True)
            np_en += ["on" if group.noun.en == "island" else "in", *group.en]
            np_fr += ["de", *group.fr]
        np = NP(np_en, np_fr, gender, human=False, noun=noun, single=False)
        if self.chance(0.5):
            subject = self.name() if classes == PERSON else self.noun_phrase(
                noun=noun, plain=True, number="s",
                determiner=self.weighted({"this": 3, "own": 1}), owner=self.speaker(),
            )  # fmt: skip
            if classes == PERSON and subject.gender != gender:
                subject.gender = gender
                names = [name for name, sex in NAMES if sex == gender and name not in self.names]
                subject.en = subject.fr = [self.pick(names)]
            vp = VP(BE, predicate=(np.en, lambda g, n: np.fr))
            tense = self.weighted({"pres": 4, "past": 1})
            return [*say_en(vp, subject, tense), "."], [*say_fr(vp, subject, tense), "."]
        verb = self.draw.verb(PERSON, ("t",), noun.classes)
        if verb is None or "place!" in verb.notes:
            return self._simple(depth)
        self.pairs.append((verb.key, noun.key))
        subject = self.subject(0)
        while not subject.human:
            subject = self.subject(0)
        en, fr = self.clause(subject, VP(verb, np), "state" if verb.stative else "event", adverbials=0.2, negation=0.0)
        return [*en, "."], [*fr, "."]

    def _cleft(self, depth):
        """it is paul who broke the glass: c'est paul qui a cassé le verre"""
        subject = self.name() if self.chance(0.6) else self.noun_phrase(PERSON, number="s", plain=True)
        third = replace(subject, en=[], fr=[])
        vp, kind = self.verb_phrase(third, depth)
        en, fr = self.clause(third, vp, kind, adverbials=0.2, negation=0.05)
        return ["it", "is", *subject.en, "who", *en, "."], ["ce", "est", *subject.fr, "qui", *fr, "."]

    # ------------------------------------------------------------ talking to somebody

    def _choose_address(self) -> tuple[Words, Words]:
        """Sets who "you" is, and gives how they are called."""
        if self.chance(0.4):
            name, gender = self.new_name()
            self.address = NP(["you"], ["tu"], gender, person=2, human=True, pronoun=True)
            return [name], [name]
        en, fr, kind, gender = self.draw.zipfian(VOCATIVES)
        if kind == "tu":
            self.address = NP(["you"], ["tu"], gender, person=2, human=True, pronoun=True)
        elif kind == "vous":
            self.address = NP(["you"], ["vous"], gender, person=2, human=True, pronoun=True, formal=True)
        else:
            self.address = NP(["you"], ["vous"], gender, True, True, person=2, human=True, pronoun=True)
        return en.split(), fr.split()

    def _address(self, depth):
        call_en, call_fr = self._choose_address()
        kind = self.weighted({"statement": 3, "question": 2.5, "command": 3})
        if kind == "command":
            en, fr = self._command(depth)
            mark = "." if self.chance(0.5) else "!"
        elif kind == "question":
            en, fr = self._yes_no(self.you(), depth)
            mark = "?"
        else:
            subject = self.you()
            vp, how = self.verb_phrase(subject, depth)
            en, fr = self.clause(subject, vp, how, adverbials=0.25)
            mark = "."
        if self.chance(0.5):
            return [*call_en, ",", *en, mark], [*call_fr, ",", *fr, mark]
        return [*en, ",", *call_en, mark], [*fr, ",", *call_fr, mark]

    def _command(self, depth):
        subject = self.you()
        vp, _ = self.verb_phrase(subject, depth, {"i": 1.5, "t": 4.0, "a": 0.8, "de": 0.5, "d": 3.0, "go": 0.8})
        tries = 0
        while (vp.verb.stative or vp.verb.fixed or vp.verb.frame in ("de", "a0", "p:dans")
               or vp.verb.fr in ("mourir", "venir", "arriver")) and tries < 10:  # fmt: skip
            vp, _ = self.verb_phrase(subject, depth, {"i": 1.5, "t": 4.0, "d": 3.0})
            tries += 1
        if vp.verb.stative:
            vp = VP(make_verb("wait", "attendre"))
        negation = self.chance(0.3)
        en = (["don't"] if self.short else ["do", "not"]) if negation else []
        return [*en, *bare_en(vp, negative=negation)], imperative_fr(vp, subject, negation)

    def _yes_no(self, subject: NP, depth: int) -> tuple[Words, Words]:
        vp, kind = self.verb_phrase(subject, depth)
        tense = self.tense(kind)
        if tense == "usedto":
            tense = "past"
        if vp.verb.en.base == "must":
            tense = "pres"
        en, fr = self.clause(subject, vp, kind, tense=tense, adverbials=0.25, negation=0.08, question="")
        return en, ["est", "-", "ce", "que", *fr]

    def _question(self, depth):
        if self.chance(0.5):
            self._choose_address()
            self.address = None
        kind = self.weighted({"yes": 3, "wh": 3, "who": 1.5, "what": 2, "how many": 1, "which": 1})
        if kind == "yes":
            en, fr = self._yes_no(self.subject(depth), depth)
            return [*en, "?"], [*fr, "?"]
        if kind == "who":
            subject = NP(["who"], ["qui"], human=True, pronoun=False)
            vp, how = self.verb_phrase(subject, depth, {"i": 1, "t": 4, "d": 2, "de": 1, "a": 1, "go": 1})
            en, fr = self.clause(subject, vp, how, adverbials=0.2, negation=0.0)
            if en[0] != "who":
                comma = en.index(",")
                en, fr = en[comma + 1 :], fr[fr.index(",") + 1 :]
            return [*en, "?"], [*fr, "?"]
        subject = self.subject(0)
        while not subject.human:
            subject = self.subject(0)
        if kind == "wh":
            word_en, word_fr = self.draw.zipfian((("where", "où"), ("why", "pourquoi"), ("when", "quand"),
                                                  ("how", "comment")))  # fmt: skip
            vp, how = self.verb_phrase(subject, 0, {"i": 2, "t": 4, "d": 1.5, "a": 0.5})
            if word_en == "where":
                vp, how = self._vp_somewhere(subject)
            tense = self.tense(how)
            if tense in ("usedto", "just", "perf") or (word_en == "when" and tense in ("prog", "pres")):
                tense = "past"
            en, fr = self.clause(subject, vp, how, tense=tense, adverbials=0.0, negation=0.0, question="")
            return [word_en, *en, "?"], [word_fr, "est", "-", "ce", "que", *fr, "?"]
        verb = self.draw.verb(PERSON, ("t",))
        while "person" in verb.object or "place!" in verb.notes or not verb.object:
            verb = self.draw.verb(PERSON, ("t",))
        vp = VP(verb, no_object=True)
        how = "state" if verb.stative else "event"
        tense = self.weighted({"pres": 2, "past": 3, "fut": 1})
        if kind == "what":
            en, fr = self.clause(subject, vp, how, tense=tense, adverbials=0.2, negation=0.0, question="")
            return ["what", *en, "?"], ["que", "est", "-", "ce", "que", *fr, "?"]
        noun = self.draw.noun(verb.object)
        while noun.only or noun.mass:
            noun = self.draw.noun(verb.object)
            if noun.mass:
                verb = self.draw.verb(PERSON, ("t",), frozenset(["object"]))
                vp = VP(verb, no_object=True)
        self.pairs.append((verb.key, noun.key))
        gender = next(iter(noun.fr))
        many = kind == "how many"
        vp.relative_gap = (gender, "p" if many else "s")
        en, fr = self.clause(subject, vp, how, tense=tense, adverbials=0.1, negation=0.0, question="")
        word = noun.fr[gender][many].split()
        if many:
            return ["how", "many", *noun.en_plural.split(), *en, "?"], \
                ["combien", "de", *word, "est", "-", "ce", "que", *fr, "?"]  # fmt: skip
        which = "quelle" if gender == "f" else "quel"
        return ["which", *noun.en.split(), *en, "?"], [which, *word, "est", "-", "ce", "que", *fr, "?"]


_PASSIVE = make_verb("be", "être", "be")
HAVE_TO = make_verb("have to", "devoir", "inf", notes="s")
_QUANTIFIERS = {"every", "each", "all", "both", "several", "many", "few", "too", "most", "another", "a"}
_BECOMING = {"rich", "famous", "old", "angry", "sad", "happy", "sick", "crazy", "jealous", "strong", "nervous"}


def _adjectives():
    from .lexicon import adjectives

    return adjectives()


def _verbs():
    from .lexicon import verbs

    return verbs()
