"""The note that takes results back: a Key Object Selection whose title says why (IHE RAD TF-3 4.66, IOCM).

Titles are those of CID 7011. What is superseded, because slices came late or a better partner did, is of the right
patient and merely not good enough: Rejected for Quality Reasons (113001). Results of an identity that was corrected are
those of a wrong worklist entry, for which corrected ones follow: Incorrect Modality Worklist Entry (113038). Rejected
for Patient Safety Reasons (113037) is a person's to say; Data Retention Policy Expired (113039) is not about wrong
results.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, timedelta, timezone
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from storage.records import CaseState, DerivedInstance, DerivedSeries, NoteDue, Rejection

from ..network.sop_classes import IMAGE_CLASSES
from ..settings import INSTANCE_CREATOR_UID, OWN_IMPLEMENTATION_UID, OWN_IMPLEMENTATION_VERSION

KIND = "rejection_note"
KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
NAMESPACE = uuid.UUID("0b6ac5a3-6f0e-4a57-8f0c-7f7f0f2f9a55")
"""Ours; with it a version 5 UUID under the root 2.25 needs no registration (PS3.5 B.2)."""

TITLES: Mapping[Rejection, str] = {
    Rejection.QUALITY: "Rejected for Quality Reasons",
    Rejection.SAFETY: "Rejected for Patient Safety Reasons",
    Rejection.WORKLIST: "Incorrect Modality Worklist Entry",
}

FROM_RESULT = (
    *("SpecificCharacterSet", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("OtherPatientIDsSequence", "TypeOfPatientID", "IssuerOfPatientIDQualifiersSequence"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence"),
    *("ReferringPhysicianName", "StudyID", "StudyDescription", "PatientAge", "TimezoneOffsetFromUTC"),
    *("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber"),
    *("StationName", "InstitutionName"),
)
"""What the note has in common with the results that it takes back: they are of one study."""

REQUIRED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber"),
    *("ReferringPhysicianName", "StudyID", "Manufacturer"),
)
"""Type 2: there, if need be without a value."""

LAST_OF_BLOCK = 10
"""The number after those of the results' own block."""


def rejection_note(due: NoteDue, result: Dataset) -> Dataset:
    """The note, always the same for the same case; `result` is the header of one of its instances."""
    dataset = Dataset()
    for keyword in FROM_RESULT:
        if keyword in result:
            dataset[keyword] = result[keyword]
    for keyword in REQUIRED:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    moment = due.at.astimezone(_zone(result))
    what = "REPLACED" if due.state is CaseState.REPLACED else "WITHDRAWN"
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(KEY_OBJECT_SELECTION), UID(_uid(due, "instance"))
    dataset.InstanceCreatorUID = INSTANCE_CREATOR_UID
    dataset.InstanceCreationDate = dataset.SeriesDate = dataset.ContentDate = moment.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.SeriesTime = dataset.ContentTime = moment.strftime("%H%M%S.%f")
    dataset.Modality, dataset.SeriesInstanceUID = "KO", UID(_uid(due, "series"))
    dataset.SeriesNumber = int(result.get("SeriesNumber") or 0) // LAST_OF_BLOCK * LAST_OF_BLOCK
    dataset.InstanceNumber = 1
    dataset.SeriesDescription = f"{what} {due.case_id[:8]}: do not use its results"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = _evidence(due.series)
    _add_content(dataset, due, f"{what}: {due.cause}")
    dataset.file_meta = _file_meta(dataset)
    return dataset


def file_bytes(note: Dataset) -> bytes:
    """The note as a DICOM file (PS3.10)."""
    buffer = BytesIO()
    dcmwrite(buffer, note, enforce_file_format=True)
    return buffer.getvalue()


def _add_content(dataset: Dataset, due: NoteDue, reason: str) -> None:
    """TID 2010: the title, why, and what is taken back."""
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = [_code(due.rejection.value, TITLES[due.rejection])]
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    dataset.ContentTemplateSequence = [template]
    why = Dataset()
    why.RelationshipType, why.ValueType, why.TextValue = "CONTAINS", "TEXT", reason.replace("\\", "/")
    why.ConceptNameCodeSequence = [_code("113012", "Key Object Description")]
    dataset.ContentSequence = [why, *map(_taken_back, _instances(due.series))]


def _taken_back(instance: DerivedInstance) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "IMAGE" if instance.sop_class_uid in IMAGE_CLASSES else "COMPOSITE"
    item.ReferencedSOPSequence = [_reference(instance)]
    return item


def _evidence(series: Iterable[DerivedSeries]) -> list[Dataset]:
    """Every instance, by study and series (PS3.3 C.17.2)."""
    studies: dict[str, list[Dataset]] = {}
    for one in series:
        item = Dataset()
        item.SeriesInstanceUID = one.series_instance_uid
        item.ReferencedSOPSequence = [_reference(instance) for instance in one.instances]
        studies.setdefault(one.study_instance_uid, []).append(item)
    evidence = []
    for uid, items in studies.items():
        study = Dataset()
        study.StudyInstanceUID, study.ReferencedSeriesSequence = uid, items
        evidence.append(study)
    return evidence


def _instances(series: Iterable[DerivedSeries]) -> Iterable[DerivedInstance]:
    return (instance for one in series for instance in one.instances)


def _reference(instance: DerivedInstance) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _uid(due: NoteDue, name: str) -> str:
    return f"2.25.{uuid.uuid5(NAMESPACE, f'{due.case_id}|{due.state}|{name}').int}"


def _zone(result: Dataset) -> timezone:
    """The zone in which the results are dated."""
    offset = str(result.get("TimezoneOffsetFromUTC") or "").strip()
    if len(offset) != 5 or offset[0] not in "+-" or not offset[1:].isdigit():
        return UTC
    distance = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return timezone(-distance if offset[0] == "-" else distance)


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(OWN_IMPLEMENTATION_UID)
    meta.ImplementationVersionName = OWN_IMPLEMENTATION_VERSION
    return meta
