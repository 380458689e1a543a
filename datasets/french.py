"""French morphology: conjugation, agreement, plurals, and joining words (elision, contraction).

Forms follow Bescherelle, "La conjugaison pour tous" (Hatier, 2012), and Grevisse, "Le bon usage".
"""

from __future__ import annotations

import unicodedata
from functools import cache

from .tables import PROPER_FR

PERSONS = ("1s", "2s", "3s", "1p", "2p", "3p")
TENSES = ("present", "imperfect", "future", "conditional", "subjunctive")

# Words that begin with an aspirated h (or behave so): no elision, no liaison form before them.
ASPIRATED = {
    "hache", "haie", "hamster", "hangar", "haricot", "haricots", "harpe", "harpes", "hasard", "haut", "haute",
    "hautes", "hauts", "hauteur", "hiboux", "hibou", "héros", "honte", "honteuse", "honteux", "huit", "hors",
    "homard", "homards", "hurle", "onze", "oui", "yaourt",
}  # fmt: skip


def starts_with_vowel(word: str) -> bool:
    """Whether the word takes elision before it: "homme", "œuf", "y", but not "haricot", "onze"."""
    if word in ASPIRATED or not word:
        return False
    if word == "y":
        return True
    letter = unicodedata.normalize("NFD", word.lower())[0]
    return letter in "aeiouhœæ"


# ---------------------------------------------------------------- nouns and adjectives

_OU_X = {"bijou", "caillou", "chou", "genou", "hibou", "joujou", "pou"}
_PLAIN_AL = {"bal", "festival", "carnaval", "banal", "final", "natal", "naval", "fatal"}


def plural(word: str) -> str:
    """The regular plural of a noun or of a masculine adjective."""
    if word[-1] in "sxz":
        return word
    if word.endswith(("eau", "eu")) and word not in ("pneu", "bleu"):
        return word + "x"
    if word in _OU_X:
        return word + "x"
    if word.endswith("al") and word not in _PLAIN_AL:
        return word[:-1] + "ux"
    return word + "s"


def feminine(adjective: str) -> str:
    """The regular feminine of an adjective or participle."""
    for ending, replacement in (
        ("eux", "euse"), ("if", "ive"), ("er", "ère"), ("eil", "eille"), ("el", "elle"), ("en", "enne"),
        ("on", "onne"), ("eau", "elle"), ("teur", "trice"), ("et", "ette"),
    ):  # fmt: skip
        if adjective.endswith(ending):
            return adjective[: -len(ending)] + replacement
    return adjective if adjective.endswith("e") else adjective + "e"


def participle_agreement(participle: str, gender: str, number: str) -> str:
    """A past participle agreed: gender "m" or "f", number "s" or "p"."""
    form = participle
    if gender == "f":
        form = {"dû": "due", "mû": "mue"}.get(form, form + "e")
    if number == "p" and not form.endswith(("s", "x")):
        form += "s"
    return form


# ---------------------------------------------------------------- verbs

_ENDINGS = {
    "imperfect": ("ais", "ais", "ait", "ions", "iez", "aient"),
    "future": ("ai", "as", "a", "ons", "ez", "ont"),
    "subjunctive": ("e", "es", "e", "ions", "iez", "ent"),
}

# infinitive ending -> (present, participle, future stem, subjunctive stems or None)
_IRREGULAR: dict[str, tuple[str, str, str, str | None]] = {
    "être": ("suis es est sommes êtes sont", "été", "ser", "sois sois soit soyons soyez soient"),
    "avoir": ("ai as a avons avez ont", "eu", "aur", "aie aies ait ayons ayez aient"),
    "aller": ("vais vas va allons allez vont", "allé", "ir", "aille ailles aille allions alliez aillent"),
    "faire": ("fais fais fait faisons faites font", "fait", "fer",
              "fasse fasses fasse fassions fassiez fassent"),
    "dire": ("dis dis dit disons dites disent", "dit", "dir", None),
    "interdire": ("interdis interdis interdit interdisons interdisez interdisent", "interdit", "interdir", None),
    "lire": ("lis lis lit lisons lisez lisent", "lu", "lir", None),
    "écrire": ("écris écris écrit écrivons écrivez écrivent", "écrit", "écrir", None),
    "décrire": ("décris décris décrit décrivons décrivez décrivent", "décrit", "décrir", None),
    "rire": ("ris ris rit rions riez rient", "ri", "rir", None),
    "sourire": ("souris souris sourit sourions souriez sourient", "souri", "sourir", None),
    "voir": ("vois vois voit voyons voyez voient", "vu", "verr", "voie voies voie voyions voyiez voient"),
    "croire": ("crois crois croit croyons croyez croient", "cru", "croir",
               "croie croies croie croyions croyiez croient"),
    "boire": ("bois bois boit buvons buvez boivent", "bu", "boir",
              "boive boives boive buvions buviez boivent"),
    "prendre": ("prends prends prend prenons prenez prennent", "pris", "prendr",
                "prenne prennes prenne prenions preniez prennent"),
    "mettre": ("mets mets met mettons mettez mettent", "mis", "mettr", None),
    "battre": ("bats bats bat battons battez battent", "battu", "battr", None),
    "venir": ("viens viens vient venons venez viennent", "venu", "viendr",
              "vienne viennes vienne venions veniez viennent"),
    "tenir": ("tiens tiens tient tenons tenez tiennent", "tenu", "tiendr",
              "tienne tiennes tienne tenions teniez tiennent"),
    "partir": ("pars pars part partons partez partent", "parti", "partir", None),
    "sortir": ("sors sors sort sortons sortez sortent", "sorti", "sortir", None),
    "dormir": ("dors dors dort dormons dormez dorment", "dormi", "dormir", None),
    "sentir": ("sens sens sent sentons sentez sentent", "senti", "sentir", None),
    "servir": ("sers sers sert servons servez servent", "servi", "servir", None),
    "mentir": ("mens mens ment mentons mentez mentent", "menti", "mentir", None),
    "fuir": ("fuis fuis fuit fuyons fuyez fuient", "fui", "fuir", "fuie fuies fuie fuyions fuyiez fuient"),
    "ouvrir": ("ouvre ouvres ouvre ouvrons ouvrez ouvrent", "ouvert", "ouvrir", None),
    "offrir": ("offre offres offre offrons offrez offrent", "offert", "offrir", None),
    "couvrir": ("couvre couvres couvre couvrons couvrez couvrent", "couvert", "couvrir", None),
    "souffrir": ("souffre souffres souffre souffrons souffrez souffrent", "souffert", "souffrir", None),
    "cueillir": ("cueille cueilles cueille cueillons cueillez cueillent", "cueilli", "cueiller", None),
    "bouillir": ("bous bous bout bouillons bouillez bouillent", "bouilli", "bouillir", None),
    "savoir": ("sais sais sait savons savez savent", "su", "saur",
               "sache saches sache sachions sachiez sachent"),
    "connaître": ("connais connais connaît connaissons connaissez connaissent", "connu", "connaîtr", None),
    "paraître": ("parais parais paraît paraissons paraissez paraissent", "paru", "paraîtr", None),
    "naître": ("nais nais naît naissons naissez naissent", "né", "naîtr", None),
    "pouvoir": ("peux peux peut pouvons pouvez peuvent", "pu", "pourr",
                "puisse puisses puisse puissions puissiez puissent"),
    "vouloir": ("veux veux veut voulons voulez veulent", "voulu", "voudr",
                "veuille veuilles veuille voulions vouliez veuillent"),
    "devoir": ("dois dois doit devons devez doivent", "dû", "devr",
               "doive doives doive devions deviez doivent"),
    "recevoir": ("reçois reçois reçoit recevons recevez reçoivent", "reçu", "recevr",
                 "reçoive reçoives reçoive recevions receviez reçoivent"),
    "courir": ("cours cours court courons courez courent", "couru", "courr", None),
    "mourir": ("meurs meurs meurt mourons mourez meurent", "mort", "mourr",
               "meure meures meure mourions mouriez meurent"),
    "vivre": ("vis vis vit vivons vivez vivent", "vécu", "vivr", None),
    "suivre": ("suis suis suit suivons suivez suivent", "suivi", "suivr", None),
    "uire": ("uis uis uit uisons uisez uisent", "uit", "uir", None),
    "aindre": ("ains ains aint aignons aignez aignent", "aint", "aindr", None),
    "eindre": ("eins eins eint eignons eignez eignent", "eint", "eindr", None),
    "oindre": ("oins oins oint oignons oignez oignent", "oint", "oindr", None),
    "résoudre": ("résous résous résout résolvons résolvez résolvent", "résolu", "résoudr", None),
    "pleuvoir": ("pleus pleus pleut pleuvons pleuvez pleuvent", "plu", "pleuvr", None),
    "plaire": ("plais plais plaît plaisons plaisez plaisent", "plu", "plair", None),
    "asseoir": ("assieds assieds assied asseyons asseyez asseyent", "assis", "assiér", None),
    "envoyer": ("envoie envoies envoie envoyons envoyez envoient", "envoyé", "enverr",
                "envoie envoies envoie envoyions envoyiez envoient"),
}  # fmt: skip
_DOUBLING = ("appeler", "rappeler", "jeter", "rejeter", "épeler")
# longest first
_BY_LENGTH = sorted(_IRREGULAR, key=lambda ending: (-len(ending), ending))


# What may stand before an irregular verb; the stems in -indre and -uire take any prefix.
_PREFIXES = {"", "re", "de", "dé", "dis", "ap", "com", "en", "par", "per", "pro", "sur", "sou", "ob", "con", "pour",
             "main", "ac", "ré", "é", "entre"}  # fmt: skip
_OPEN = ("uire", "aindre", "eindre", "oindre")


def _irregular_ending(infinitive: str) -> str | None:
    """The verb of the table that the infinitive is built on, or None."""
    for ending in _BY_LENGTH:
        prefix = infinitive.removesuffix(ending)
        if prefix != infinitive and (prefix in _PREFIXES or ending in _OPEN):
            return ending
    return None


def _accented(stem: str) -> str:
    """The stem of a verb in -er before a silent e: lev -> lèv, préfér -> préfèr."""
    cut = max(stem.rfind("e"), stem.rfind("é"))
    return stem[:cut] + "è" + stem[cut + 1 :]


def _er_stems(infinitive: str) -> tuple[str, str, str]:
    """(stem before a silent e, other stem, future stem) of a verb in -er."""
    stem = infinitive[:-2]
    if infinitive in _DOUBLING:
        strong = stem + stem[-1]
        return strong, stem, strong + "er"
    if stem.endswith(("oy", "uy", "ay")):
        strong = stem[:-1] + "i"
        return strong, stem, strong + "er"
    vowel = stem.rstrip("bcdfghjklmnpqrstvxz")
    consonants = len(stem) - len(vowel)
    if stem.endswith(("gu", "qu")):
        vowel, consonants = stem[:-2], 1
    if vowel.endswith("e") and consonants == 1:
        return _accented(stem), stem, _accented(stem) + "er"
    if vowel.endswith("é") and consonants >= 1:
        return _accented(stem), stem, infinitive
    return stem, stem, infinitive


def _soft(stem: str, ending: str) -> str:
    """Joins stem and ending, keeping c and g soft before a and o: mangeons, lançait."""
    if ending[0] in "aoâ":
        if stem.endswith("g"):
            return stem + "e" + ending
        if stem.endswith("c"):
            return stem[:-1] + "ç" + ending
    return stem + ending


@cache
def conjugate(infinitive: str, tense: str) -> tuple[str, ...]:
    """Six forms (je, tu, il, nous, vous, ils) of a simple tense. No reflexive pronoun.

    `tense` is one of TENSES; another one raises ValueError.
    """
    if tense not in TENSES:
        raise ValueError(f"tense must be one of {', '.join(TENSES)}, not {tense!r}")
    ending = _irregular_ending(infinitive)
    if ending is not None:
        return _conjugate_irregular(infinitive, ending, tense)
    if infinitive.endswith("er"):
        strong, weak, future = _er_stems(infinitive)
        if tense == "present":
            return (
                strong + "e",
                strong + "es",
                strong + "e",
                _soft(weak, "ons"),
                weak + "ez",
                strong + "ent",
            )
        if tense == "imperfect":
            return tuple(_soft(weak, end) for end in _ENDINGS["imperfect"])
        if tense == "subjunctive":
            stems = (strong, strong, strong, weak, weak, strong)
            return tuple(_soft(s, end) for s, end in zip(stems, _ENDINGS["subjunctive"]))
    elif infinitive.endswith("ir"):
        stem, future = infinitive[:-1], infinitive
        long = stem + "ss"
        present = (stem + "s", stem + "s", stem + "t", long + "ons", long + "ez", long + "ent")
    elif infinitive.endswith("re"):
        stem = long = infinitive[:-2]
        future = infinitive[:-1]
        third = stem if stem[-1] in "dt" else stem + "t"
        present = (stem + "s", stem + "s", third, stem + "ons", stem + "ez", stem + "ent")
    else:
        raise ValueError(f"{infinitive!r} is not an infinitive that this table knows")
    if tense == "present":
        return present
    if tense == "imperfect":
        return tuple(long + end for end in _ENDINGS["imperfect"])
    if tense == "subjunctive":
        return tuple(long + end for end in _ENDINGS["subjunctive"])
    return tuple(future + end for end in _ENDINGS["future" if tense == "future" else "imperfect"])


def _conjugate_irregular(infinitive: str, ending: str, tense: str) -> tuple[str, ...]:
    prefix = infinitive[: -len(ending)]
    present, _, future, subjunctive = _IRREGULAR[ending]
    forms = present.split()
    if tense == "present":
        return tuple(prefix + form for form in forms)
    if tense in ("future", "conditional"):
        return tuple(prefix + future + end for end in _ENDINGS["future" if tense == "future" else "imperfect"])
    weak = "ét" if ending == "être" else forms[3][:-3]
    if tense == "imperfect":
        return tuple(prefix + _soft(weak, end) for end in _ENDINGS["imperfect"])
    if subjunctive:
        return tuple(prefix + form for form in subjunctive.split())
    stem = forms[5][:-3]
    return tuple(prefix + stem + end for end in _ENDINGS["subjunctive"])


@cache
def participle(infinitive: str) -> str:
    """The past participle, masculine singular."""
    ending = _irregular_ending(infinitive)
    if ending is not None:
        return infinitive[: -len(ending)] + _IRREGULAR[ending][1]
    return infinitive[:-2] + {"er": "é", "ir": "i", "re": "u"}[infinitive[-2:]]


@cache
def gerund(infinitive: str) -> str:
    """The form in -ant."""
    known = {"être": "étant", "avoir": "ayant", "savoir": "sachant"}
    return known.get(infinitive) or _soft_ant(conjugate(infinitive, "present")[3])


def _soft_ant(first_plural: str) -> str:
    return first_plural[:-3] + "ant"


@cache
def imperative(infinitive: str, person: str) -> str:
    """The imperative for person "2s", "1p" or "2p"."""
    known = {
        "être": ("sois", "soyons", "soyez"),
        "avoir": ("aie", "ayons", "ayez"),
        "savoir": ("sache", "sachons", "sachez"),
    }
    place = ("2s", "1p", "2p").index(person)
    if infinitive in known:
        return known[infinitive][place]
    form = conjugate(infinitive, "present")[PERSONS.index(person)]
    return form[:-1] if person == "2s" and form.endswith(("es", "as")) else form


# ---------------------------------------------------------------- joining words

_ELIDED = {
    "le": "l'", "la": "l'", "je": "j'", "me": "m'", "te": "t'", "se": "s'", "de": "d'", "ne": "n'", "que": "qu'",
    "lorsque": "lorsqu'", "puisque": "puisqu'", "jusque": "jusqu'",
}  # fmt: skip
_BEFORE_VOWEL = {
    "ma": "mon", "ta": "ton", "sa": "son", "=ce": "cet", "=beau": "bel", "=nouveau": "nouvel",
    "=vieux": "vieil", "=fou": "fol",
}  # fmt: skip


def join(tokens: list[str]) -> list[str]:
    """Applies elision and contraction to a list of words.

    Marks in the input: "=le", "=les" are articles (they contract with de and à, the pronouns do not),
    "=la" likewise; "=de" is the de of a partitive or plural indefinite article, which vanishes with its
    article after de; "=ce" the determiner; "=beau", "=nouveau", "=vieux" adjectives before their noun;
    "-le" and the like are pronouns behind an imperative, and become the tokens "-", "le".
    """
    words: list[str] = []
    skip = 0
    for place, token in enumerate(tokens):
        if skip:
            skip -= 1
        elif token == "=de" and words and words[-1] == "de":
            skip = 1 if tokens[place + 1 : place + 2] and tokens[place + 1].startswith("=") else 0
        else:
            words.append("de" if token == "=de" else token)
    out: list[str] = []
    for place, word in enumerate(words):
        following = words[place + 1].lstrip("=") if place + 1 < len(words) else ""
        vowel = starts_with_vowel(following)
        bare = word.lstrip("=")
        if word in _BEFORE_VOWEL:
            word = _BEFORE_VOWEL[word] if vowel else bare
        elif bare in _ELIDED and vowel:
            word = _ELIDED[bare]
        elif bare == "si" and following in ("il", "ils"):
            word = "s'"
        elif bare == "ce" and following[:1] in ("e", "é"):
            word = "c'"
        elif word in ("=le", "=les"):
            if out and out[-1] in ("de", "à"):
                word = {"de=le": "du", "à=le": "au", "de=les": "des", "à=les": "aux"}[out.pop() + word]
            else:
                word = bare
        elif word.startswith("-") and len(word) > 1:
            out.append("-")
            word = word[1:]
        else:
            word = bare
        out.append(word)
    return out


def polish(text: str) -> str:
    """Tokens joined by spaces, written as people write French: "l' homme ." -> "L'homme."."""
    words = text.split()
    for place, word in enumerate(words):
        # se marie is a verb
        if word in PROPER_FR and not (word == "marie" and words[place - 1 : place] in (["se"], ["me"], ["te"])):
            words[place] = word.capitalize()
    text = " ".join(words)
    for mark in (",", "."):
        text = text.replace(f" {mark}", mark)
    text = text.replace("' ", "'").replace(" - ", "-")
    return text[:1].upper() + text[1:]
