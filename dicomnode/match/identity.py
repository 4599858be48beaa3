"""Tells whether two headers speak of one patient.

The key is (issuer, patient ID). It is confirmed by a second factor: birth date or name must agree, and nothing that
both sides state may disagree; sex can only veto. Whatever is left open is a doubt, for a person to settle. The reasons
name the factors and never their values.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from storage.records import PatientIdentity, SeriesRecord

PLACEHOLDER_DATES = frozenset({"19000101", "19010101", "19700101", "19110911", "99991231"})
"""Birth dates that programs and people write for "unknown"."""

FIRST_YEAR = "1900"
"""Nobody who is examined was born before; what says so is a placeholder (18991230, 18581117, 11111111)."""

PLACEHOLDER_NAME = re.compile(
    r"AN+ONYM\w*|ANON|UN-?KNOWN\w*|UNBEKANNT\w*|INCONNU\w*|DESCONOCID\w*|SCONOSCIUT\w*|UNIDENTIFIED|NO ?NAME|NAMENLOS"
    r"|NOTFALL\w*|EMERGENCY|URGENCE|TRAUMA|TEST\w*|PHANTOM\w*|PATIENT|NN|N N|X{2,}|Z{3,}|NONE|MALE|FEMALE"
    r"|(?:JOHN|JANE) DOE|DOE (?:JOHN|JANE)"
)
"""Names, or family names, that programs and people write for "unknown"."""

PLACEHOLDER_ID = re.compile(
    r"(.)\1*|0*(?:1234|12345|123456|1234567|12345678)"
    r"|UN-?KNOWN|AN+ONYM\w*|ANON|NONE|N/?A|NIL|NULL|TEST\w*|PHANTOM\w*"
)
"""Patient IDs that stand for none: a repeated sign, counting, or a word. Many people share them."""

PREFIX = 3
"""Its place among the components of a name."""

VETOING_SEXES = frozenset({"M", "F"})
"""`O` and anything else is written for "not known" too often to contradict."""


class Sameness(StrEnum):
    """Whether two identities are one patient."""

    MATCH = "match"
    DOUBT = "doubt"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class IdentityVerdict:
    """The answer, its reason, and the factors that decided."""

    sameness: Sameness
    reason: str
    agreeing: tuple[str, ...] = ()
    disagreeing: tuple[str, ...] = ()


def same_patient(a: PatientIdentity, b: PatientIdentity) -> IdentityVerdict:
    """Compare two identities. The order does not matter."""
    agreeing, disagreeing = _factors(a, b)
    if not (normalised_id(a) and normalised_id(b)):
        return IdentityVerdict(Sameness.DIFFERENT, "an empty patient ID never matches", agreeing, disagreeing)
    issuers = {a.issuer.strip(), b.issuer.strip()}
    if apart := _kept_apart(a, b, issuers):
        if disagreeing or agreeing != ("birth date", "name") or not (telling_birth_date(a) and telling_birth_date(b)):
            return IdentityVerdict(Sameness.DIFFERENT, apart, agreeing, disagreeing)
        reason = f"{apart}, but birth date and name agree: merged, typed wrong, or two people of one name"
        return IdentityVerdict(Sameness.DOUBT, reason, agreeing, ("patient ID",))
    if _is_stopgap(a):
        reason = "the patient IDs are equal, but stand for none: many people share such an ID"
        return IdentityVerdict(Sameness.DOUBT, reason, agreeing, disagreeing)
    if disagreeing:
        reason = f"the patient IDs are equal, but {_and(disagreeing)} disagree"
        return IdentityVerdict(Sameness.DOUBT, reason, agreeing, disagreeing)
    if len(issuers) > 1:
        reason = "the patient IDs are equal, but only one names its issuer"
        return IdentityVerdict(Sameness.DOUBT, reason, agreeing, disagreeing)
    if not agreeing:
        reason = "the patient IDs are equal, but neither birth date nor name is there to confirm them"
        return IdentityVerdict(Sameness.DOUBT, reason, agreeing, disagreeing)
    return IdentityVerdict(Sameness.MATCH, f"patient ID, issuer and {_and(agreeing)} agree", agreeing, disagreeing)


def telling_birth_date(identity: PatientIdentity) -> str:
    """The birth date by which to look for a person under another ID, or nothing where it and the name tell too little.

    Too little are a name of one word, and the first of January, which is written where only the year is known.
    """
    born = normalised_birth_date(identity.birth_date)
    whole = any(
        len(re.split(r"[\^ ]+", name.strip("^ "))) > 1 or (kind == "ideographic" and len(name) > 1)
        for kind, name in normalised_name(identity.name).items()
    )
    return "" if born.endswith("0101") or not whole else born


def _kept_apart(a: PatientIdentity, b: PatientIdentity, issuers: set[str]) -> str:
    """How the IDs differ, if they do."""
    if normalised_id(a) != normalised_id(b):
        return "the patient IDs differ"
    if len(issuers) > 1 and "" not in issuers:
        return "the patient IDs were issued by different domains"
    return ""


def _is_stopgap(identity: PatientIdentity) -> bool:
    return bool(PLACEHOLDER_ID.fullmatch(normalised_id(identity).upper()))


def patient_of_both(a: SeriesRecord, b: SeriesRecord) -> IdentityVerdict:
    """`same_patient`, in doubt also where the slices of one of the series contradict each other."""
    verdict = same_patient(a.patient, b.patient)
    torn = [
        f"the slices of the {one.header.modality} series contradict each other about {_and(one.contradictions)}"
        for one in (a, b)
        if one.contradictions
    ]
    if not torn or verdict.sameness is Sameness.DIFFERENT:
        return verdict
    reasons = [*torn, verdict.reason] if verdict.sameness is Sameness.DOUBT else torn
    return IdentityVerdict(Sameness.DOUBT, "; ".join(reasons), verdict.agreeing, verdict.disagreeing)


def patient_key(identity: PatientIdentity) -> str:
    """One name for issuer and ID that tells neither: the key under which cases of a patient exclude each other."""
    return hashlib.sha256(f"{identity.issuer.strip()}\x1f{normalised_id(identity)}".encode()).hexdigest()


def normalised_id(identity: PatientIdentity) -> str:
    """The ID without padding. Case and leading zeros are part of it."""
    return identity.patient_id.strip(" \x00\t\r\n")


def normalised_birth_date(value: str) -> str:
    """Eight digits, or nothing for an absent, impossible or placeholder date. `YYYY.MM.DD` is the retired form."""
    digits = re.sub(r"[.\-/\s]", "", value)
    plausible = re.fullmatch(r"[12]\d{3}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", digits)
    return digits if plausible and digits >= FIRST_YEAR and digits not in PLACEHOLDER_DATES else ""


def normalised_name(value: str) -> dict[str, str]:
    """The alphabetic and the ideographic group of a person name (PS3.5 6.2.1), each where it is present.

    A prefix, the fourth component, is left out: a title tells nobody from another.
    """
    groups = unicodedata.normalize("NFKC", value).upper().split("=")
    named = {
        kind: _without_prefix([" ".join(component.split()) for component in group.split("^")])
        for kind, group in zip(("alphabetic", "ideographic"), groups, strict=False)
    }
    return {kind: name for kind, name in named.items() if name.strip("^ ") and not _is_placeholder(name)}


def _without_prefix(components: list[str]) -> str:
    return "^".join("" if number == PREFIX else part for number, part in enumerate(components)).rstrip("^ ")


def _is_placeholder(name: str) -> bool:
    """As a whole, or by its family name: Unknown^Male, Test^Patient."""
    family = name.split("^")[0]
    whole = " ".join(name.replace("^", " ").split())
    return bool(PLACEHOLDER_NAME.fullmatch(whole) or PLACEHOLDER_NAME.fullmatch(family))


def _factors(a: PatientIdentity, b: PatientIdentity) -> tuple[tuple[str, ...], tuple[str, ...]]:
    agreeing: list[str] = []
    disagreeing: list[str] = []
    dates = normalised_birth_date(a.birth_date), normalised_birth_date(b.birth_date)
    if all(dates):
        (agreeing if dates[0] == dates[1] else disagreeing).append("birth date")
    names = normalised_name(a.name), normalised_name(b.name)
    shared = names[0].keys() & names[1].keys()
    if shared:
        agree = all(names[0][kind] == names[1][kind] for kind in shared)
        (agreeing if agree else disagreeing).append("name")
    if {a.sex.strip().upper(), b.sex.strip().upper()} == VETOING_SEXES:
        disagreeing.append("sex")
    return tuple(agreeing), tuple(disagreeing)


def _and(factors: tuple[str, ...]) -> str:
    return " and ".join(factors)
