"""An ADT message as what it means here: whose data changed, who was merged into whom, what was moved to whom.

HL7 v2.3.1 to 2.8, chapter 3; the fields are those of IHE Patient Information Reconciliation (RAD TF-2 4.12). Nothing
here is logged: every field names a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import hl7

from storage.records import PatientIdentity

from ..errors import MessageError

CHARSETS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "GB 18030-2000": "gb18030",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}
"""HL7 table 0211: what MSH-18 says, and Python's name for it."""

Separators = tuple[str, str, str]
"""Of repetitions, components and subcomponents."""

UPDATE, MERGE, MOVE = "A08", "A40", "A44"


@dataclass(frozen=True, slots=True)
class Adt:
    """One message. `prior` and `account` are there for merges and moves."""

    event: str
    control_id: str
    sender: str
    patient: PatientIdentity = field(repr=False)
    prior: PatientIdentity | None = field(default=None, repr=False)
    account: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Issuers:
    """Assigning authorities of HL7 as issuers of DICOM. Where none are named, an authority is its own issuer."""

    of_authority: Mapping[str, str]
    default: str

    def identity(self, repetitions: str, separators: Separators) -> tuple[str, str]:
        """ID and issuer of a CX field: of its repetitions the first whose authority is known here."""
        repeat, component, part = separators
        found = []
        for repetition in repetitions.split(repeat):
            components = [*repetition.split(component), "", "", "", ""]
            found.append((components[0].strip(), components[3].split(part)[0].strip()))
        for patient_id, authority in found:
            if patient_id and authority in self.of_authority:
                return patient_id, self.of_authority[authority]
        if self.of_authority and all(authority for _, authority in found):
            return "", ""
        patient_id, authority = found[0]
        return patient_id, ("" if self.of_authority else authority) or self.default


def parse(block: bytes, charset: str) -> hl7.Message:
    """The message in an MLLP block. Raises `MessageError` for what is none."""
    try:
        message = hl7.parse(block.decode("latin-1"))
        said = _field(message, "MSH", 18).partition("~")[0].strip().upper()
        return hl7.parse(block.decode(CHARSETS.get(said, charset)))
    except (hl7.HL7Exception, KeyError, IndexError, UnicodeDecodeError, LookupError) as error:
        raise MessageError(f"it is no HL7 v2 message that can be read: {type(error).__name__}") from error


def event_of(message: hl7.Message) -> str:
    """Such as A40; empty where it is no ADT message."""
    kind, event, *_ = [*_field(message, "MSH", 9).split(_separators(message)[1]), "", ""]
    return event if kind == "ADT" else ""


def read(message: hl7.Message, issuers: Issuers) -> tuple[Adt, ...]:
    """What the message says; a merge may name several patients, each a PID segment with the MRG after it.

    Raises `MessageError` naming the field that is missing.
    """
    event = event_of(message)
    separators = _separators(message)
    found: list[Adt] = []
    patient: PatientIdentity | None = None
    for segment in message:
        name = str(segment[0])
        if name == "PID":
            patient = _patient(segment, issuers, separators)
            if event == UPDATE:
                found.append(_adt(message, event, patient))
        elif name == "MRG" and patient is not None and event in (MERGE, MOVE):
            prior_id, issuer = issuers.identity(_text(segment, 1), separators)
            account = _text(segment, 3).split(separators[1])[0].strip()
            if not prior_id:
                raise MessageError("MRG-1 names no former patient of an authority that is known here")
            if event == MOVE and not account:
                raise MessageError("MRG-3 names no account whose studies are to be moved")
            found.append(_adt(message, event, patient, PatientIdentity(prior_id, issuer), account))
    if not found:
        raise MessageError(f"{event} needs {'a PID segment' if event == UPDATE else 'PID and MRG segments'}")
    return tuple(found)


def _adt(
    message: hl7.Message, event: str, patient: PatientIdentity, prior: PatientIdentity | None = None, account: str = ""
) -> Adt:
    return Adt(event, _field(message, "MSH", 10), _field(message, "MSH", 3), patient, prior, account)


def _patient(segment: hl7.Segment, issuers: Issuers, separators: Separators) -> PatientIdentity:
    patient_id, issuer = issuers.identity(_text(segment, 3), separators)
    if not patient_id:
        raise MessageError("PID-3 names no patient ID of an authority that is known here (hl7.issuers)")
    birth_date = _text(segment, 7)[:8]
    sex = _text(segment, 8).strip().upper()
    return PatientIdentity(
        patient_id,
        issuer,
        _name(_text(segment, 5), separators),
        birth_date if birth_date.isdigit() else "",
        sex if sex in ("M", "F", "O") else "",
    )


def _name(xpn: str, separators: Separators) -> str:
    """DICOM writes prefix before suffix (PS3.5 6.2.1), HL7 the other way round (XPN)."""
    repeat, component, part = separators
    components = [*xpn.split(repeat)[0].split(component), "", "", "", "", ""]
    family, given, middle, suffix, prefix = (each.split(part)[0].strip() for each in components[:5])
    return f"{family}^{given}^{middle}^{prefix}^{suffix}".rstrip("^")


def _separators(message: hl7.Message) -> Separators:
    """As MSH-2 says."""
    encoding = f"{_field(message, 'MSH', 2)}^~\\&"[:4]
    return encoding[1], encoding[0], encoding[3]


def _field(message: hl7.Message, segment: str, number: int) -> str:
    return _text(message.segment(segment), number)


def _text(segment: hl7.Segment, number: int) -> str:
    return str(segment[number]) if number < len(segment) else ""
