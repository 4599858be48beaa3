"""What a series takes over from its instances: the header of its first slice, and in what they contradict each other.

First is by Instance Number, localisers behind slices, so that a series is the same whatever order it came in. What that
instance leaves empty about the patient is filled in from another; where the others differ, they contradict each other.
"""

import re
import unicodedata
from collections.abc import Callable

from .models import SeriesRow
from .records import InstanceRecord, PatientIdentity

Form = Callable[[str], tuple[str, ...]]
"""Brings a value to the parts that are compared; an empty part contradicts nothing."""


def header_order(instance: InstanceRecord) -> str:
    """Sorts before that of another instance of the series when this one's header is rather the series' own."""
    number = instance.instance_number
    return f"{instance.is_localiser:d}{number is None:d}{(number or 0) + 2**63:020d} {instance.sop_instance_uid}"


def holds_slices(row: SeriesRow) -> bool:
    """Whether anything but localisers has been entered."""
    return row.instance_count > row.localiser_count


def contradictions(row: SeriesRow, instance: InstanceRecord) -> list[str]:
    """What `instance` says otherwise than `row` (loaded with study and patient): names of factors, no values."""
    patient = instance.patient
    factors: tuple[tuple[str, str, str, Form], ...] = (
        ("study", row.study.study_instance_uid, instance.study.study_instance_uid, _plain),
        ("patient ID", row.patient.patient_id, patient.patient_id, _plain),
        ("issuer of the patient ID", row.patient.issuer, patient.issuer, _plain),
        ("name", row.patient_name, patient.name, _name),
        ("birth date", row.patient_birth_date, patient.birth_date, _date),
        ("sex", row.patient_sex, patient.sex, _sex),
    )
    return [
        factor
        for factor, ours, theirs, form in factors
        if any(a and b and a != b for a, b in zip(form(ours), form(theirs), strict=False))
    ]


def filled_in(patient: PatientIdentity, known: PatientIdentity) -> PatientIdentity:
    """`patient`, with what it leaves empty taken from `known`."""
    named = patient if _plain(patient.patient_id)[0] else known
    return PatientIdentity(
        patient_id=named.patient_id,
        issuer=named.issuer,
        name=patient.name or known.name,
        birth_date=patient.birth_date or known.birth_date,
        sex=patient.sex or known.sex,
    )


def _plain(value: str) -> tuple[str, ...]:
    return (value.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8").strip(),)


def _name(value: str) -> tuple[str, ...]:
    """The component groups (PS3.5 6.2.1) without case, padding and trailing delimiters."""
    groups = unicodedata.normalize("NFKC", _plain(value)[0]).casefold().split("=") if value else []
    return tuple("^".join(" ".join(part.split()) for part in group.split("^")).rstrip("^ ") for group in groups)


def _sex(value: str) -> tuple[str, ...]:
    """`O` and anything else is written for "not known" too often to contradict."""
    sex = _plain(value)[0].upper()
    return (sex if sex in ("M", "F") else "",)


def _date(value: str) -> tuple[str, ...]:
    return (re.sub(r"\D", "", value),)
