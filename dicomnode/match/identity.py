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

PLACEHOLDER_DATES = frozenset({"19000101", "18000101", "18991230", "19010101", "19700101", "00010101", "99991231"})
"""Birth dates that programs write for "unknown"."""

PLACEHOLDER_NAMES = frozenset(
    {"ANON", "ANONYM", "ANONYMOUS", "ANONYMIZED", "ANONYMISED", "UNKNOWN", "NONAME", "NO NAME"}
)
"""Names that programs write for "unknown"."""

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
    if normalised_id(a) != normalised_id(b):
        return IdentityVerdict(Sameness.DIFFERENT, "the patient IDs differ", agreeing, disagreeing)
    issuers = {a.issuer.strip(), b.issuer.strip()}
    if len(issuers) > 1 and "" not in issuers:
        return IdentityVerdict(
            Sameness.DIFFERENT, "the patient IDs were issued by different domains", agreeing, disagreeing
        )
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
    return digits if plausible and digits not in PLACEHOLDER_DATES else ""


def normalised_name(value: str) -> dict[str, str]:
    """The alphabetic and the ideographic group of a person name (PS3.5 6.2.1), each where it is present."""
    groups = unicodedata.normalize("NFKC", value).upper().split("=")
    named = {
        kind: "^".join(" ".join(component.split()) for component in group.split("^")).rstrip("^ ")
        for kind, group in zip(("alphabetic", "ideographic"), groups, strict=False)
    }
    return {kind: name for kind, name in named.items() if name.strip("^ ") and not _is_placeholder(name)}


def _is_placeholder(name: str) -> bool:
    return name.replace("^", " ").strip() in PLACEHOLDER_NAMES


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
