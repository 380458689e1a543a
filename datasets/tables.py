"""Words that are too few or too particular for a table of their own: names, places, times, ways to call somebody.

The first entries of each list are drawn oftenest.
"""

NAMES = (
    ("paul", "m"), ("marie", "f"), ("thomas", "m"), ("anne", "f"), ("louis", "m"), ("sophie", "f"), ("philippe", "m"),
    ("cécile", "f"), ("hugo", "m"), ("emma", "f"), ("antoine", "m"), ("julie", "f"), ("martin", "m"),
    ("alice", "f"), ("simon", "m"), ("hélène", "f"), ("victor", "m"), ("louise", "f"), ("olivier", "m"),
    ("chloé", "f"), ("lucas", "m"), ("isabelle", "f"), ("henri", "m"), ("nathalie", "f"),
)  # fmt: skip

NUMERALS = (
    ("two", "deux"), ("three", "trois"), ("four", "quatre"), ("five", "cinq"), ("ten", "dix"), ("six", "six"),
    ("seven", "sept"), ("eight", "huit"), ("nine", "neuf"), ("twelve", "douze"), ("twenty", "vingt"),
    ("eleven", "onze"), ("fifteen", "quinze"), ("thirty", "trente"), ("hundred", "cent"),
)[:14]  # fmt: skip

AGES = (
    ("ten", "dix"), ("twelve", "douze"), ("twenty", "vingt"), ("thirty", "trente"), ("forty", "quarante"),
    ("fifty", "cinquante"), ("sixty", "soixante"), ("fifteen", "quinze"), ("sixteen", "seize"),
)  # fmt: skip

# English, French; as the predicate of a person
STATES = (
    ("hungry", "faim"), ("cold", "froid"), ("right", "raison"), ("thirsty", "soif"), ("afraid", "peur"),
    ("wrong", "tort"), ("hot", "chaud"), ("sleepy", "sommeil"), ("lucky", "de =la chance"),
    ("ashamed", "honte"), ("in a hurry", "hâte"),
)[:10]  # fmt: skip

SPORTS = (
    ("tennis", "=le tennis"), ("soccer", "=le football"), ("cards", "=les cartes"), ("chess", "=les échecs"),
    ("basketball", "=le basket"), ("golf", "=le golf"), ("rugby", "=le rugby"), ("hide and seek", "cache - cache"),
)[:7]  # fmt: skip

FREQUENCY = (
    ("often", "souvent"), ("always", "toujours"), ("sometimes", "parfois"), ("rarely", "rarement"),
    ("usually", "habituellement"), ("still", "encore"),
)  # fmt: skip

MANNER = (
    ("well", "bien"), ("slowly", "lentement"), ("quickly", "rapidement"), ("quietly", "doucement"),
    ("badly", "mal"), ("alone", "tout seul"), ("loudly", "fort"), ("together", "ensemble"),
    ("happily", "joyeusement"), ("carefully", "prudemment"), ("calmly", "calmement"), ("nervously", "nerveusement"),
    ("easily", "facilement"), ("elegantly", "élégamment"), ("patiently", "patiemment"),
)  # fmt: skip
MANNER = tuple(pair for pair in MANNER if pair[0] not in ("alone", "together"))

_WEEKDAYS = (
    ("monday", "lundi"), ("saturday", "samedi"), ("sunday", "dimanche"), ("friday", "vendredi"),
    ("tuesday", "mardi"), ("wednesday", "mercredi"), ("thursday", "jeudi"),
)  # fmt: skip
_MONTHS = (
    ("june", "juin"), ("may", "mai"), ("september", "septembre"), ("january", "janvier"), ("july", "juillet"),
    ("december", "décembre"), ("march", "mars"), ("october", "octobre"), ("april", "avril"),
    ("august", "août"), ("november", "novembre"), ("february", "février"),
)  # fmt: skip
_SEASONS = (
    ("in summer", "en été"), ("in winter", "en hiver"), ("in spring", "à =le printemps"), ("in autumn", "en automne"),
)  # fmt: skip
_ON_DAY = tuple((f"on {en}", fr) for en, fr in _WEEKDAYS)
_ON_DAYS = tuple((f"on {en}s", f"=le {fr}") for en, fr in _WEEKDAYS)
_IN_MONTH = tuple((f"in {en}", f"en {fr}") for en, fr in _MONTHS)

_PAST = (
    ("yesterday", "hier"), ("last week", "=la semaine dernière"), ("this morning", "ce matin"),
    ("last night", "hier soir"), *_ON_DAY[:3], ("two days ago", "il y a deux jours"), ("last year", "=le an dernier"),
    ("a week ago", "il y a une semaine"), ("last month", "=le mois dernier"), *_ON_DAY[3:],
    ("ten years ago", "il y a dix ans"), ("last summer", "=le été dernier"), *_IN_MONTH[:6],
    ("three months ago", "il y a trois mois"), ("the day before yesterday", "avant - hier"),
    ("an hour ago", "il y a une heure"), *_IN_MONTH[6:],
)  # fmt: skip
_HABIT = (
    ("every day", "tous =les jours"), *_ON_DAYS[:3], ("every morning", "chaque matin"), ("in the evening", "=le soir"),
    ("every week", "chaque semaine"), *_SEASONS, *_ON_DAYS[3:], ("every year", "chaque année"),
    ("at night", "=la nuit"), ("twice a week", "deux fois par semaine"), ("once a month", "une fois par mois"),
)  # fmt: skip
_FUTURE = (
    ("tomorrow", "demain"), ("next week", "=la semaine prochaine"), ("tonight", "ce soir"),
    ("soon", "bientôt"), ("in two days", "dans deux jours"), ("next year", "=le an prochain"), *_ON_DAY,
    ("this evening", "ce soir"), ("in an hour", "dans une heure"), ("next month", "=le mois prochain"),
    ("in three weeks", "dans trois semaines"), ("the day after tomorrow", "après - demain"),
    ("in five minutes", "dans cinq minutes"), *_IN_MONTH,
)  # fmt: skip
_NOW = (
    ("now", "maintenant"), ("at the moment", "en ce moment"), ("today", "aujourd'hui"),
    ("this week", "cette semaine"), ("this afternoon", "cet après - midi"),
)  # fmt: skip

# by English tense: what may be said of when
TIMES = {
    "pres": _HABIT, "prog": _NOW, "past": _PAST, "fut": _FUTURE, "goingto": _FUTURE, "usedto": _HABIT,
    "pastprog": (("at that moment", "à ce moment - là"), ("this morning", "ce matin"), ("yesterday", "hier")),
}  # fmt: skip

# in, to, French
PLACES = (
    ("at home", "home", "à =la maison"), ("at school", "to school", "à =le école"), ("in bed", "to bed", "à =le lit"),
    ("here", "here", "ici"), ("at work", "to work", "à =le travail"), ("in town", "to town", "en ville"),
    ("at the doctor 's", "to the doctor 's", "chez =le médecin"), ("upstairs", "upstairs", "en haut"),
    ("outside", "outside", "dehors"), ("at the baker 's", "to the baker 's", "chez =le boulanger"),
    ("abroad", "abroad", "à =le étranger"), ("in the country", "to the country", "à =la campagne"),
    ("at the hairdresser 's", "to the hairdresser 's", "chez =le coiffeur"),
    ("in prison", "to prison", "en prison"), ("at the seaside", "to the seaside", "à =le bord de =la mer"),
)  # fmt: skip
PLACES = tuple(place for place in PLACES if place[0] not in ("in bed", "in the country", "upstairs"))

CITIES = (
    ("paris", "paris"), ("london", "londres"), ("lyon", "lyon"), ("rome", "rome"), ("brussels", "bruxelles"),
    ("geneva", "genève"), ("berlin", "berlin"), ("venice", "venise"), ("vienna", "vienne"), ("lisbon", "lisbonne"),
    ("athens", "athènes"), ("moscow", "moscou"), ("warsaw", "varsovie"), ("barcelona", "barcelone"),
)  # fmt: skip

COUNTRIES = (
    ("france", "france", "f"), ("italy", "italie", "f"), ("canada", "canada", "m"), ("spain", "espagne", "f"),
    ("germany", "allemagne", "f"), ("japan", "japon", "m"), ("england", "angleterre", "f"),
    ("portugal", "portugal", "m"), ("china", "chine", "f"), ("belgium", "belgique", "f"), ("brazil", "brésil", "m"),
    ("switzerland", "suisse", "f"), ("egypt", "égypte", "f"), ("mexico", "mexique", "m"), ("norway", "norvège", "f"),
    ("greece", "grèce", "f"), ("ireland", "irlande", "f"), ("denmark", "danemark", "m"),
)  # fmt: skip

# English, French, how they are addressed, gender
VOCATIVES = (
    ("sir", "monsieur", "vous", "m"), ("madam", "madame", "vous", "f"), ("my friend", "mon ami", "tu", "m"),
    ("mom", "maman", "tu", "f"), ("children", "les enfants", "plural", "m"), ("dad", "papa", "tu", "m"),
    ("doctor", "docteur", "vous", "m"), ("my friends", "mes amis", "plural", "m"), ("grandma", "mamie", "tu", "f"),
    ("ladies and gentlemen", "mesdames et messieurs", "plural", "m"), ("girls", "les filles", "plural", "f"),
    ("my son", "mon fils", "tu", "m"), ("your majesty", "votre majesté", "vous", "f"),
    ("gentlemen", "messieurs", "plural", "m"), ("my daughter", "ma fille", "tu", "f"),
    ("grandpa", "papy", "tu", "m"), ("ladies", "mesdames", "plural", "f"), ("boys", "les garçons", "plural", "m"),
    ("officer", "monsieur =le agent", "vous", "m"), ("darling", "ma chérie", "tu", "f"),
)  # fmt: skip

# verb, French verb, what follows each
WEATHER = (
    ("rain", "pleuvoir", "", ""), ("be", "faire", "cold", "froid"), ("snow", "neiger", "", ""),
    ("be", "faire", "hot", "chaud"), ("be", "être", "late", "tard"), ("be", "faire", "dark", "nuit"),
    ("be", "être", "early", "tôt"), ("be", "faire", "windy", "du vent"), ("be", "faire", "sunny", "soleil"),
    ("be", "être", "midnight", "minuit"), ("be", "être", "three o'clock", "trois heures"),
    ("be", "être", "eight o'clock", "huit heures"),
)  # fmt: skip

_EN_ALWAYS = {"french", "english", "german", "italian", "spanish", "american"}
_EN_ALWAYS |= {day + ending for day, _ in _WEEKDAYS for ending in ("", "s")}
_PROPER = {name for name, _ in NAMES}
PROPER_EN = _PROPER | _EN_ALWAYS | {row[0] for row in (*CITIES, *COUNTRIES)} | {month for month, _ in _MONTHS}
PROPER_FR = _PROPER | {row[1] for row in (*CITIES, *COUNTRIES)}
