"""What every derived object has: patient, study, series, equipment, SOP common and file meta, unfolded here alone.

Patient and study come from the study in which the results are filed (PS3.3 C.7.1, C.7.2), never from anywhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from fusion.quality.report import Verdict

from ..settings import INSTANCE_CREATOR_UID, OWN_IMPLEMENTATION_UID, OWN_IMPLEMENTATION_VERSION
from .elements import copy_elements, date_of, set_if_missing, text, time_of
from .inputs import EncodedSeries, EncodeInputs
from .uids import derived_uid

FIRST_SERIES_NUMBER = 9000
"""Viewers sort by number: the results come last."""

SERIES_PER_PAIR = 10
BLOCKS = 100
"""Of `SERIES_PER_PAIR` numbers each: up to 9999, four digits, well within IS (PS3.5 6.2)."""

PURPOSE = "NOT FOR DIAGNOSTIC USE"

PATIENT_KEYWORDS = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "QualityControlSubject",
    "OtherPatientIDsSequence",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
)
STUDY_KEYWORDS = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "StudyDescription",
    "StudyID",
    "ProcedureCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientSexNeutered",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "RequestAttributesSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "LongitudinalTemporalInformationModified",
)
BODY_PART_KEYWORDS = ("BodyPartExamined", "Laterality")
UNPAIRED = frozenset(
    {
        "HEAD",
        "NECK",
        "HEADNECK",
        "CHEST",
        "ABDOMEN",
        "PELVIS",
        "CHESTABDOMEN",
        "ABDOMENPELVIS",
        "CHESTABDPELVIS",
        "NECKCHEST",
        "NECKCHESTABDOMEN",
        "NECKCHESTABDPELV",
        "WHOLEBODY",
        "BRAIN",
        "SKULL",
        "FACE",
        "JAW",
        "MAXILLA",
        "NOSE",
        "SPINE",
        "CSPINE",
        "TSPINE",
        "LSPINE",
        "COCCYX",
        "STERNUM",
        "HEART",
        "AORTA",
        "LIVER",
        "SPLEEN",
        "PANCREAS",
        "STOMACH",
        "COLON",
        "PROSTATE",
        "UTERUS",
        "BLADDER",
    }
)
"""Of PS3.16 annex L: parts of which there is one, so that Laterality has nothing to say (C.7.3.1)."""
ZONE_KEYWORD = "TimezoneOffsetFromUTC"


@dataclass(frozen=True, slots=True)
class SeriesIdentity:
    """What tells one derived series from the others. `name` is unique within a pair, `kind` is the recipe's word."""

    kind: str
    name: str
    series_instance_uid: str
    number: int
    modality: str
    sop_class_uid: str
    description: str


def identify(
    inputs: EncodeInputs, name: str, offset: int, modality: str, sop_class_uid: str, what: str, kind: str = ""
) -> SeriesIdentity:
    """Name and number a series; `what` is the beginning of its description."""
    number = _number(inputs.plan.key, inputs.position, offset)
    replaced = f"REPLACES {_number(inputs.replaces, inputs.position, offset)} " if inputs.replaces else ""
    description = describe(f"{replaced}{what}", inputs.verdict)
    uid = derived_uid(inputs, name, "series")
    return SeriesIdentity(kind or name, name, uid, number, modality, sop_class_uid, description)


def _number(plan_key: str, position: int, offset: int) -> int:
    """Which number a series takes: those of one plan never meet, those of two plans of a study once in a hundred.

    The plan's key says where to begin, so that no case has to know of the others; a Series Number need not be unique
    (PS3.3 C.7.3.1).
    """
    return FIRST_SERIES_NUMBER + SERIES_PER_PAIR * ((int(plan_key, 16) + position) % BLOCKS) + offset


def instance_uid(inputs: EncodeInputs, identity: SeriesIdentity, index: int = 0) -> str:
    """The SOP Instance UID of instance `index` of a series."""
    return derived_uid(inputs, identity.name, "instance", index)


def describe(what: str, verdict: Verdict) -> str:
    """The Series Description (LO, 64 characters): what it is, the verdict, and what it is not for."""
    ending = f" [{verdict.value.upper()}] {PURPOSE}"
    return text(what, 64 - len(ending)) + ending


def begin(inputs: EncodeInputs, identity: SeriesIdentity, index: int = 0) -> Dataset:
    """The instance `index` (0-based) of a series, without its content.

    `created_at` is written in the zone that the study's own dates are in (PS3.3 C.12.1.1.8).
    """
    dataset = Dataset()
    copy_elements(inputs.filing_header, dataset, (*PATIENT_KEYWORDS, *STUDY_KEYWORDS, ZONE_KEYWORD))
    set_if_missing(dataset, PatientName="", PatientID="", PatientBirthDate="", PatientSex="", StudyDate="")
    set_if_missing(dataset, StudyTime="", AccessionNumber="", ReferringPhysicianName="", StudyID="")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = UID(identity.sop_class_uid)
    dataset.SOPInstanceUID = UID(instance_uid(inputs, identity, index))
    dataset.InstanceCreatorUID = INSTANCE_CREATOR_UID
    created_at = inputs.created_at.astimezone(zone_of(inputs.filing_header) or inputs.created_at.tzinfo)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date_of(created_at), time_of(created_at)
    dataset.SeriesDate, dataset.SeriesTime = date_of(created_at), time_of(created_at)
    dataset.ContentDate, dataset.ContentTime = date_of(created_at), time_of(created_at)
    dataset.Modality = identity.modality
    dataset.SeriesInstanceUID = UID(identity.series_instance_uid)
    dataset.SeriesNumber = identity.number
    dataset.SeriesDescription = identity.description
    dataset.InstanceNumber = index + 1
    copy_elements(inputs.fixed_headers[0], dataset, BODY_PART_KEYWORDS)
    if str(dataset.get("BodyPartExamined", "") or "") not in UNPAIRED:
        set_if_missing(dataset, Laterality="")  # type 2C: unknown, unless the fixed series says it
    _add_equipment(dataset, inputs)
    dataset.file_meta = _file_meta(dataset)
    return dataset


def finish(identity: SeriesIdentity, instances: Sequence[Dataset]) -> EncodedSeries:
    """The series of `instances`."""
    return EncodedSeries(
        identity.kind,
        identity.series_instance_uid,
        str(instances[0].StudyInstanceUID),
        identity.modality,
        identity.description,
        tuple(instances),
    )


def zone_of(header: Dataset) -> tzinfo | None:
    """The zone of a header's dates and times, where it says so (±HHMM)."""
    offset = str(header.get(ZONE_KEYWORD, "") or "").strip()
    if len(offset) != 5 or offset[0] not in "+-" or not offset[1:].isdigit():
        return None
    distance = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return timezone(-distance if offset[0] == "-" else distance)


def moment_text(moment: datetime) -> str:
    """DT with its offset, which stands for itself whatever zone the object is in."""
    return moment.strftime("%Y%m%d%H%M%S.%f%z")


def _add_equipment(dataset: Dataset, inputs: EncodeInputs) -> None:
    equipment = inputs.equipment
    dataset.Manufacturer = equipment.manufacturer
    dataset.ManufacturerModelName = equipment.model_name
    dataset.SoftwareVersions = equipment.software_versions
    dataset.DeviceSerialNumber = equipment.device_serial_number
    if equipment.station_name:
        dataset.StationName = equipment.station_name
    if equipment.institution_name:
        dataset.InstitutionName = equipment.institution_name


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(OWN_IMPLEMENTATION_UID)
    meta.ImplementationVersionName = OWN_IMPLEMENTATION_VERSION
    return meta
