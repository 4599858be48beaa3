"""From a header to the record that is kept of an instance."""

import hashlib
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from storage.records import (
    InstanceRecord,
    PatientIdentity,
    ReceivedInstance,
    SeriesHeader,
    StoredObject,
    StudyHeader,
)

from ..settings import INSTANCE_CREATOR_UID, OWN_MANUFACTURER, OWN_MODEL_NAME
from .acquisition_time import acquired_at
from .framing import Framing
from .header import Header

LOCALISERS = frozenset({"LOCALIZER", "SCOUT"})


def instance_record(
    received: ReceivedInstance,
    header: Header,
    framing: Framing,
    stored: StoredObject,
    *,
    domain: str,
    local: tzinfo,
) -> InstanceRecord:
    """What the index keeps.

    `domain` issues a Patient ID that names no issuer; `local` is the zone of a time that names none.
    """
    attributes = header.attributes()
    return InstanceRecord(
        sop_instance_uid=received.sop_instance_uid,
        sop_class_uid=received.sop_class_uid,
        transfer_syntax_uid=received.transfer_syntax_uid,
        stored=stored,
        pixel_digest=_pixel_digest(framing),
        patient=PatientIdentity(
            patient_id=header.text("PatientID"),
            issuer=header.text("IssuerOfPatientID") or domain,
            name=header.text("PatientName"),
            birth_date=header.text("PatientBirthDate"),
            sex=header.text("PatientSex"),
        ),
        study=StudyHeader(
            study_instance_uid=header.text("StudyInstanceUID"),
            study_date=header.text("StudyDate"),
            study_time=header.text("StudyTime"),
            accession_number=header.text("AccessionNumber"),
            description=header.text("StudyDescription"),
        ),
        series=SeriesHeader(
            series_instance_uid=header.text("SeriesInstanceUID"),
            modality=header.text("Modality"),
            sop_class_uid=received.sop_class_uid,
            frame_of_reference_uid=header.text("FrameOfReferenceUID"),
            series_number=header.text("SeriesNumber"),
            description=header.text("SeriesDescription"),
            body_part=header.text("BodyPartExamined"),
            acquired_at=acquired_at(header, local),
            own_output=is_our_own(header),
            attributes=attributes,
        ),
        source_ae_title=received.calling_ae_title,
        received_at=received.received_at,
        instance_number=header.number("InstanceNumber"),
        number_of_frames=header.number("NumberOfFrames") or 1,
        position=_position(header),
        is_localiser=_is_localiser(attributes),
    )


def _pixel_digest(framing: Framing) -> str:
    if framing.pixels is None:
        return ""
    return hashlib.sha256(memoryview(framing.body)[framing.pixels]).hexdigest()


def is_our_own(header: Header) -> bool:
    """Whether a node of this kind made the instance."""
    made_by = (header.text("Manufacturer"), header.text("ManufacturerModelName"))
    return header.text("InstanceCreatorUID") == INSTANCE_CREATOR_UID or made_by == (OWN_MANUFACTURER, OWN_MODEL_NAME)


def _is_localiser(attributes: Mapping[str, Any]) -> bool:
    """Image Type value 3 of CT and MR (PS3.3 C.8.2.1.1.1, C.8.3.1.1.1); some devices write SCOUT."""
    kinds = attributes.get("ImageType", [])
    return not LOCALISERS.isdisjoint(str(kind).upper() for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _position(header: Header) -> float | None:
    """Image Position (Patient) along the slice normal, mm, of a classic image (PS3.3 C.7.6.2.1.1)."""
    if not header.has("ImagePositionPatient"):
        return None
    origin = header.numbers("ImagePositionPatient")
    orientation = header.numbers("ImageOrientationPatient")
    if len(origin) != 3 or len(orientation) != 6:
        return None
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    return sum(along * at for along, at in zip(normal, origin, strict=True))
