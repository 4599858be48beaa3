"""Pairs of patient records with the errors that occur, generated: whose they are is known, because we made them up.

People first, then what registration desks, consoles and other hospitals make of them. Nothing here knows how matching
decides. What no header can tell is left out: a study that was taken under the whole record of somebody else.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from storage.records import PatientIdentity

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "en": ("SMITH", "JONES", "TAYLOR", "BROWN", "WILLIAMS", "WILSON", "JOHNSON", "DAVIES", "PATEL", "ROBINSON", "WRIGHT", "THOMPSON", "EVANS", "WALKER", "WHITE", "ROBERTS", "GREEN", "HALL", "WOOD", "JACKSON", "CLARKE", "O'BRIEN", "MCDONALD", "SMITH-JONES"),
    "de": ("MÜLLER", "SCHMIDT", "SCHNEIDER", "FISCHER", "WEBER", "MEYER", "WAGNER", "BECKER", "SCHULZ", "HOFFMANN", "SCHÄFER", "KOCH", "BAUER", "RICHTER", "KLEIN", "WOLF", "SCHRÖDER", "NEUMANN", "SCHWARZ", "ZIMMERMANN", "BRAUN", "KRÜGER", "WEIß"),
    "fr": ("MARTIN", "BERNARD", "DUBOIS", "THOMAS", "ROBERT", "RICHARD", "PETIT", "DURAND", "LEROY", "MOREAU", "SIMON", "LAURENT", "LEFÈVRE", "MICHEL", "GARCIA", "DAVID", "BERTRAND", "ROUX", "VINCENT", "FOURNIER", "MOREL", "GIRARD", "ANDRÉ"),
    "pl": ("NOWAK", "KOWALSKI", "WIŚNIEWSKI", "WÓJCIK", "KOWALCZYK", "KAMIŃSKI", "LEWANDOWSKI", "ZIELIŃSKI", "SZYMAŃSKI", "WOŹNIAK"),
    "ja": ("SATO=佐藤", "SUZUKI=鈴木", "TAKAHASHI=高橋", "TANAKA=田中", "WATANABE=渡辺", "ITO=伊藤", "YAMAMOTO=山本"),
    "ru": ("ИВАНОВ", "СМИРНОВ", "КУЗНЕЦОВ", "ПОПОВ", "ВАСИЛЬЕВ", "ПЕТРОВ", "СОКОЛОВ", "МИХАЙЛОВ", "НОВИКОВ", "ФЁДОРОВ"),
}  # fmt: skip
"""By how common they are, the commonest first."""

SYLLABLES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "en": (("ASH", "BRAD", "COL", "DUN", "EAST", "FAIR", "GLAD", "HAR", "KEN", "LANG", "MAR", "NOR", "OAK", "PEN", "RUTH", "STAN", "THORN", "WAT"),
           ("BOUR", "BER", "DEN", "FOR", "GROV", "HAM", "LING", "MAN", "NING", "SHAW", "STON", "WICK", "WOR"), ("", "BY", "FIELD", "LEY", "TON", "WELL")),
    "de": (("ACKER", "BRÜN", "DIET", "EBER", "FRÜH", "GÖT", "HAGEN", "KÖL", "LIND", "MÖR", "NIEDER", "OBER", "REIN", "STEIN", "TRÄN", "VOLL", "WALD", "ZÜL"),
           ("BACH", "BAUM", "BERG", "BÖCK", "FELD", "HAUS", "HÖF", "MANN", "MEIER", "MÜL", "STÄDT", "WÄL"), ("", "ER", "LER", "INGER")),
    "fr": (("BEAU", "BON", "CHÂTE", "CLER", "DEL", "FON", "GIR", "HAUT", "LAF", "MAL", "MONT", "PRÉ", "ROCHE", "SAU", "TRÉ", "VAL"),
           ("BERT", "CAMP", "FORT", "GEL", "LARD", "MAND", "RIV", "SEAU", "TAIN", "VIL"), ("", "EAU", "IER", "ON", "ÈRE")),
    "pl": (("BAR", "CZAR", "DĄB", "GŁO", "JAN", "KAR", "ŁUK", "MAŚ", "OL", "PIĄ", "SOK", "ŚWI", "WRÓ", "ŻUR"),
           ("CZ", "EK", "KOW", "L", "OW", "SZ", "TOW"), ("SKI", "ICZ", "AK", "IŃSKI")),
}  # fmt: skip
"""Of which the many rarer family names are made."""

GIVEN: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {"M": ("JOHN", "DAVID", "MICHAEL", "PAUL", "PETER", "JAMES", "MARK", "ROBERT", "THOMAS", "GEORGE"),
           "F": ("MARY", "SUSAN", "MARGARET", "SARAH", "PATRICIA", "ELIZABETH", "ANN", "ANNE", "JANE", "EMMA")},
    "de": {"M": ("HANS", "PETER", "WOLFGANG", "KLAUS", "JÜRGEN", "MICHAEL", "THOMAS", "ANDREAS", "STEFAN", "JÖRG"),
           "F": ("URSULA", "MARIA", "RENATE", "INGRID", "SABINE", "PETRA", "KARIN", "ANNA", "HANNE", "JANA")},
    "fr": {"M": ("JEAN", "PIERRE", "MICHEL", "ANDRÉ", "PHILIPPE", "RENÉ", "LOUIS", "ALAIN", "JACQUES", "FRANÇOIS"),
           "F": ("MARIE", "JEANNE", "FRANÇOISE", "MONIQUE", "CATHERINE", "NATHALIE", "ISABELLE", "SYLVIE", "ANNE", "HÉLÈNE")},
    "pl": {"M": ("JAN", "ANDRZEJ", "PIOTR", "KRZYSZTOF", "STANISŁAW", "TOMASZ", "PAWEŁ"),
           "F": ("ANNA", "MARIA", "KATARZYNA", "MAŁGORZATA", "AGNIESZKA", "BARBARA", "EWA")},
    "ja": {"M": ("TARO=太郎", "HIROSHI=浩", "KENJI=健二", "TAKASHI=隆"), "F": ("HANAKO=花子", "YOKO=洋子", "KEIKO=恵子")},
    "ru": {"M": ("АЛЕКСАНДР", "СЕРГЕЙ", "ДМИТРИЙ", "АНДРЕЙ", "АЛЕКСЕЙ"),
           "F": ("ЕЛЕНА", "ОЛЬГА", "НАТАЛЬЯ", "АННА", "ТАТЬЯНА")},
}  # fmt: skip

SHARES = {"en": 34, "de": 30, "fr": 18, "pl": 8, "ja": 5, "ru": 5}
UMLAUTS = str.maketrans({"Ä": "AE", "Ö": "OE", "Ü": "UE", "ß": "SS"})
PLAIN = str.maketrans("ÄÖÜÈÉÊÇŁŃŚŹÓĘĄĆ", "AOUEEECLNSZOEAC")
CYRILLIC = str.maketrans(
    {"А": "A", "Б": "B", "В": "V", "Г": "G", "Д": "D", "Е": "E", "Ё": "E", "З": "Z", "И": "I", "Й": "Y", "К": "K",
     "Л": "L", "М": "M", "Н": "N", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ф": "F", "Х": "KH",
     "Ц": "TS", "Ь": "", "Ю": "YU", "Я": "YA"}
)  # fmt: skip
NEIGHBOURS = {
    "A": "SQ",
    "E": "WR",
    "I": "UO",
    "O": "IP",
    "N": "BM",
    "R": "ET",
    "S": "AD",
    "T": "RY",
    "M": "N",
    "L": "K",
}
UNKNOWN_DATES = ("19000101", "18000101", "19010101", "18581117", "19700101", "11111111", "99991231", "00000000")
ISSUERS = ("CITY", "UNIVERSITY", "ST-MARY", "COUNTY")
NAMELESS = ("", "^", "UNKNOWN", "ANONYMOUS", "NN^NN", "XXX^XXX", "UNKNOWN^MALE", "UNKNOWN^FEMALE", "DOE^JOHN",
            "DOE^JANE", "NOTFALL^PATIENT", "TRAUMA^ALPHA", "TEST^PATIENT", "UNBEKANNT", "NO NAME", "UNIDENTIFIED")  # fmt: skip
NUMBERLESS = ("0", "000000", "999999", "UNKNOWN", "ANON", "NONE", "TEST", "1", "123456", "N/A")
FIRST_BIRTH = date(1925, 1, 1)
LIVES_DAYS = 34_000


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records, whether they are of one person, and what happened to them."""

    a: PatientIdentity
    b: PatientIdentity
    one_person: bool
    what: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as the first hospital knows them."""

    family: str
    given: str
    middle: str
    born: date
    sex: str
    number: int
    issuer: str
    tongue: str


Change = Callable[[random.Random, Person, PatientIdentity], PatientIdentity]


def pairs(count: int, seed: int) -> list[Pair]:
    """So many pairs, one half of one person each, the other of two."""
    chance = random.Random(seed)
    made = []
    for k in range(count):
        table = OF_ONE if k % 2 == 0 else OF_TWO
        what = chance.choices(list(table), [share for share, _ in table.values()])[0]
        make = table[what][1]
        a, b = make(chance, somebody(chance))
        if chance.random() < 0.5:
            a, b = b, a
        made.append(Pair(a, b, one_person=table is OF_ONE, what=what))
    return made


def somebody(chance: random.Random) -> Person:
    """A person drawn by how common names are."""
    tongue = chance.choices(list(SHARES), list(SHARES.values()))[0]
    sex = chance.choice("MF")
    return Person(
        family=_family(chance, tongue),
        given=_common(chance, GIVEN[tongue][sex]),
        middle=_common(chance, GIVEN[tongue][sex]).partition("=")[0] if chance.random() < 0.25 else "",
        born=FIRST_BIRTH + timedelta(days=chance.randrange(LIVES_DAYS)),
        sex=sex,
        number=chance.randrange(100_000, 3_000_000),
        issuer=ISSUERS[0] if chance.random() < 0.8 else chance.choice(ISSUERS[1:]),
        tongue=tongue,
    )


def _family(chance: random.Random, tongue: str) -> str:
    """One of the commonest names, which a fifth has, or one of the many."""
    if tongue in SYLLABLES and chance.random() < 0.8:
        return "".join(chance.choice(part) for part in SYLLABLES[tongue])
    return _common(chance, FAMILIES[tongue])


def _common(chance: random.Random, names: tuple[str, ...]) -> str:
    """The k-th name is borne by a share of 1/(k+2)."""
    return chance.choices(names, [1 / (k + 2) for k in range(len(names))])[0]


def record(person: Person) -> PatientIdentity:
    """The person as registered well."""
    family, given = person.family.split("="), person.given.split("=")
    groups = [f"{f}^{g}" for f, g in zip(family, given, strict=False)]
    if person.middle:
        groups[0] += f"^{person.middle}"
    return PatientIdentity(str(person.number), person.issuer, "=".join(groups), f"{person.born:%Y%m%d}", person.sex)


def _changed(*changes: Change) -> Callable[[random.Random, Person], tuple[PatientIdentity, PatientIdentity]]:
    def make(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
        there = here = record(person)
        for change in changes:
            there = change(chance, person, there)
        return here, there

    return make


def _as_it_is(_chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return known


def _written_otherwise(chance: random.Random, person: Person, known: PatientIdentity) -> PatientIdentity:
    """The same name as another device writes it."""
    name = known.name
    forms: list[Callable[[str], str]] = [
        str.lower,
        str.title,
        lambda text: text + "^^^",
        lambda text: f" {text} ",
        lambda text: text.replace("^", " ^ "),
        lambda text: (
            "=".join([f"{text.split('=')[0]}^^DR", *text.split("=")[1:]]) if not person.middle else text.lower()
        ),
        lambda text: text.replace(f"^{person.middle}", f"^{person.middle[0]}") if person.middle else text.title(),
        lambda text: text.replace(f"^{person.middle}", "") if person.middle else text.title(),
    ]
    return replace(known, name=chance.choice(forms)(name))


def _name_typed_wrong(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, name=_typo(chance, known.name))


def _typo(chance: random.Random, text: str) -> str:
    """One slip of the fingers in the letters or digits of a text."""
    places = [k for k, char in enumerate(text) if char.isalnum() and (k + 1 < len(text))]
    k = chance.choice(places)
    slip = chance.randrange(4)
    if slip == 0 and text[k + 1].isalnum() and text[k] != text[k + 1]:
        return text[:k] + text[k + 1] + text[k] + text[k + 2 :]
    if slip == 1:
        return text[:k] + text[k + 1 :]
    if slip == 2:
        return text[: k + 1] + text[k:]
    char = text[k]
    other = (
        str((int(char) + chance.randrange(1, 10)) % 10)
        if char.isdecimal()
        else chance.choice(NEIGHBOURS.get(char, "EAN"))
    )
    return text[:k] + other + text[k + 1 :]


def _married(chance: random.Random, person: Person, known: PatientIdentity) -> PatientIdentity:
    family = _family(chance, person.tongue)
    while family == person.family:
        family = _family(chance, person.tongue)
    new = replace(person, family=family)
    if chance.random() < 0.3 and "=" not in family:
        new = replace(person, family=f"{person.family}-{family}")
    return replace(known, name=record(new).name)


def _letters_of_another_set(_chance: random.Random, person: Person, known: PatientIdentity) -> PatientIdentity:
    """As a device without the character set writes it: transliterated, cut to one group, or by plain letters."""
    name = known.name
    if person.tongue == "ru":
        for letters, latin in (("ЖУ", "ZHU"), ("Ч", "CH"), ("Ш", "SH"), ("Ы", "Y"), ("Ж", "ZH")):
            name = name.replace(letters, latin)
        return replace(known, name=name.translate(CYRILLIC))
    if person.tongue == "ja":
        alphabetic, ideographic = name.split("=")
        return replace(
            known, name=_chance.choice((alphabetic, f"={ideographic}", f"{alphabetic}={ideographic}=よみ^かた"))
        )
    latin = name.translate(UMLAUTS) if _chance.random() < 0.5 else name.replace("ß", "SS").translate(PLAIN)
    return replace(known, name=latin)


def _without_birth_date(_chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, birth_date="")


def _with_unknown_birth_date(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, birth_date=chance.choice(UNKNOWN_DATES))


def _birth_date_typed_wrong(chance: random.Random, person: Person, known: PatientIdentity) -> PatientIdentity:
    born = person.born
    if born.day <= 12 and born.day != born.month and chance.random() < 0.5:
        return replace(known, birth_date=f"{born.year}{born.day:02d}{born.month:02d}")
    shift = chance.choice((1, -1, 10, -10, 30, 365, -3652))
    return replace(known, birth_date=f"{born + timedelta(days=shift):%Y%m%d}")


def _birth_date_in_another_form(_chance: random.Random, person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, birth_date=f"{person.born:%Y.%m.%d}")


def _without_issuer(_chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, issuer="")


def _sex_not_said(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, sex=chance.choice(("", "O")))


def _sex_wrong(_chance: random.Random, person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, sex="F" if person.sex == "M" else "M")


def _id_written_otherwise(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    number = known.patient_id
    return replace(
        known, patient_id=chance.choice((f" {number}", f"{number} ", f"00{number}", f"{number[:3]}-{number[3:]}"))
    )


def _id_typed_wrong(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, patient_id=_typo(chance, known.patient_id))


def _id_empty(_chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, patient_id="")


def _merged(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    """Registered twice; the second number was merged away later, and this study still has it."""
    return replace(known, patient_id=str(chance.randrange(100_000, 3_000_000)))


def _of_another_house(chance: random.Random, person: Person, known: PatientIdentity) -> PatientIdentity:
    issuer = chance.choice([one for one in ISSUERS if one != person.issuer])
    return replace(known, issuer=issuer, patient_id=str(chance.randrange(1_000, 900_000)))


def _nameless(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    return replace(known, name=chance.choice(NAMELESS))


def _emergency(chance: random.Random, _person: Person, known: PatientIdentity) -> PatientIdentity:
    """Brought in unconscious: a number of its own, no name, no date; merged later."""
    number = f"E{chance.randrange(1000, 9999)}"
    return replace(known, patient_id=number, name=chance.choice(NAMELESS[6:13]), birth_date="19000101")


OF_ONE: Mapping[str, tuple[float, Callable[[random.Random, Person], tuple[PatientIdentity, PatientIdentity]]]] = {
    "registered well twice": (38.0, _changed(_as_it_is)),
    "the name written otherwise": (9.0, _changed(_written_otherwise)),
    "a typing error in the name": (6.0, _changed(_name_typed_wrong)),
    "a new name by marriage": (4.0, _changed(_married)),
    "another character set": (6.0, _changed(_letters_of_another_set)),
    "no birth date": (5.0, _changed(_without_birth_date)),
    "a placeholder for the birth date": (3.0, _changed(_with_unknown_birth_date)),
    "a typing error in the birth date": (3.0, _changed(_birth_date_typed_wrong)),
    "the birth date in the retired form": (1.5, _changed(_birth_date_in_another_form)),
    "no birth date, and the name written otherwise": (2.0, _changed(_without_birth_date, _written_otherwise)),
    "no birth date, and a typing error in the name": (1.0, _changed(_without_birth_date, _name_typed_wrong)),
    "no birth date, and a new name": (0.5, _changed(_without_birth_date, _married)),
    "no issuer": (4.0, _changed(_without_issuer)),
    "the sex not said": (3.0, _changed(_sex_not_said)),
    "the sex wrong": (1.0, _changed(_sex_wrong)),
    "no name, or a placeholder": (1.5, _changed(_nameless)),
    "the ID written otherwise": (2.5, _changed(_id_written_otherwise)),
    "a typing error in the ID": (2.0, _changed(_id_typed_wrong)),
    "a typing error in ID and name": (0.3, _changed(_id_typed_wrong, _name_typed_wrong)),
    "two numbers, merged later": (3.0, _changed(_merged)),
    "another hospital's number": (2.0, _changed(_of_another_house)),
    "two numbers, and a new name": (0.3, _changed(_merged, _married)),
    "no ID": (0.7, _changed(_id_empty)),
    "an emergency, merged later": (0.7, _changed(_emergency)),
}
"""What happened to the second record, and how often in a hundred."""


def _strangers(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    return record(person), record(somebody(chance))


def _twin(chance: random.Random, person: Person) -> Person:
    """Born the same day into the same family; the next number at the desk."""
    sex = person.sex if chance.random() < 0.7 else chance.choice("MF")
    given = chance.choice([name for name in GIVEN[person.tongue][sex] if name != person.given])
    return replace(person, given=given, sex=sex, number=person.number + 1, middle="")


def _twins(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    return record(person), record(_twin(chance, person))


def _twins_under_one_number(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    return record(person), replace(record(_twin(chance, person)), patient_id=str(person.number))


def _unnamed_twins(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    """Newborns under the mother's number, told apart by a letter."""
    letters = chance.sample("AB", 2)
    known = record(replace(person, given="BABY", middle=""))
    family = known.name.split("^")[0]
    return replace(known, name=f"{family}^BABY {letters[0]}"), replace(known, name=f"{family}^BABY {letters[1]}")


def _number_used_again(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    other = replace(somebody(chance), number=person.number, issuer=person.issuer)
    return record(person), record(other)


def _used_again(*changes: Change) -> Callable[[random.Random, Person], tuple[PatientIdentity, PatientIdentity]]:
    def make(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
        a, b = _number_used_again(chance, person)
        for change in changes:
            b = change(chance, person, b)
        return a, b

    return make


def _two_nobodies(chance: random.Random, _person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    """Two unknown people under one stopgap number and name, as phantoms, tests and emergencies are."""
    name, number = chance.choice(NAMELESS), chance.choice(NUMBERLESS)
    birth_date = chance.choice(("", *UNKNOWN_DATES))
    sex = "M" if name.endswith("^MALE") else ""
    known = PatientIdentity(number, ISSUERS[0], name, birth_date, sex)
    return known, replace(known, birth_date=chance.choice((birth_date, "")), name=chance.choice((name, name.lower())))


def _two_houses_one_number(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    other = replace(somebody(chance), number=person.number, issuer=chance.choice(ISSUERS))
    forgets = chance.random() < 0.5
    return record(person), replace(record(other), issuer="" if forgets else other.issuer)


def _namesakes(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    other = replace(
        person,
        number=chance.randrange(100_000, 3_000_000),
        born=person.born + timedelta(days=chance.randrange(1, 9000)),
    )
    return record(person), record(other)


def _namesakes_of_one_day(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    return record(person), record(replace(person, number=chance.randrange(100_000, 3_000_000)))


def _parent_and_child(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    child = replace(person, born=person.born + timedelta(days=chance.randrange(7000, 14_000)), number=person.number)
    return record(person), record(child)


def _numbers_apart_by_a_slip(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    other = record(replace(somebody(chance), issuer=person.issuer))
    return record(person), replace(other, patient_id=_typo(chance, str(person.number)))


def _two_without_number(chance: random.Random, person: Person) -> tuple[PatientIdentity, PatientIdentity]:
    return replace(record(person), patient_id=""), replace(record(somebody(chance)), patient_id="")


OF_TWO: Mapping[str, tuple[float, Callable[[random.Random, Person], tuple[PatientIdentity, PatientIdentity]]]] = {
    "strangers": (25.0, _strangers),
    "twins": (10.0, _twins),
    "twins under one number": (6.0, _twins_under_one_number),
    "newborn twins under the mother's number": (3.0, _unnamed_twins),
    "a number used again": (12.0, _number_used_again),
    "a number used again, no birth date": (6.0, _used_again(_without_birth_date)),
    "a number used again, a placeholder for the birth date": (5.0, _used_again(_with_unknown_birth_date)),
    "a number used again, no name": (3.0, _used_again(_nameless)),
    "a number used again, neither name nor birth date": (3.0, _used_again(_nameless, _with_unknown_birth_date)),
    "two unknown people under a stopgap": (5.0, _two_nobodies),
    "one number in two hospitals": (8.0, _two_houses_one_number),
    "namesakes": (5.0, _namesakes),
    "namesakes born on one day": (2.0, _namesakes_of_one_day),
    "parent and child of one name under one number": (2.0, _parent_and_child),
    "numbers apart by a typing error": (4.0, _numbers_apart_by_a_slip),
    "two without a number": (1.0, _two_without_number),
}
"""Likewise for two people."""
