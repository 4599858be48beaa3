"""The measurements on a registration as Comprehensive 3D SR, TID 1500 (PS3.16).

The standard has no concepts for the quality of a registration: they are coded in a scheme of our own, which the
object declares.
"""

import math
from collections.abc import Iterator
from typing import Any

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage

from ..settings import INSTANCE_CREATOR_UID
from .derived_series import SeriesIdentity, begin, finish, identify, instance_uid
from .elements import copy_elements, put, text
from .inputs import EncodedSeries, EncodeInputs
from .provenance import add_equipment_chain
from .uids import derived_uid

NAME = "measurement_report"
SERIES_OFFSET = 5
SCHEME = "99DICOMNODE"
UNITS = {"_mm": ("mm", "mm"), "_deg": ("deg", "deg"), "_s": ("s", "s"), "_percent": ("%", "%")}
"""UCUM code and meaning by the ending of a measure's name; all else is a ratio."""


def measurement_report(inputs: EncodeInputs, kind: str) -> EncodedSeries:
    """One report with one group of measurements: the registration of this pair."""
    what = f"{inputs.pair} registration measures"
    identity = identify(inputs, NAME, SERIES_OFFSET, "SR", Comprehensive3DSRStorage, what, kind)
    dataset = begin(inputs, identity)
    for keyword in ("BodyPartExamined", "Laterality"):  # the SR Document Series has neither (C.17.1)
        dataset.pop(keyword, None)
    for element in _document(inputs, identity):
        if element.tag not in dataset:
            put(dataset, element)
    add_equipment_chain(dataset, inputs)
    return finish(identity, [dataset])


def _document(inputs: EncodeInputs, identity: SeriesIdentity) -> Dataset:
    equipment = inputs.equipment
    scheme = CodingSchemeIdentificationItem(
        designator=SCHEME, name="Registration quality of the DICOM fusion node", responsible_organization="dicomnode"
    )
    document: Dataset = Comprehensive3DSR(
        evidence=[_evidence(header) for header in (*inputs.fixed_headers, *inputs.moving.headers)],
        content=_content(inputs),
        series_instance_uid=identity.series_instance_uid,
        series_number=identity.number,
        sop_instance_uid=instance_uid(inputs, identity),
        instance_number=1,
        manufacturer=equipment.manufacturer,
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[scheme],
        content_date=inputs.created_at.date(),
    )
    return document


def _evidence(header: Dataset) -> Dataset:
    """What highdicom reads of an instance that is referred to; patient and study are written by `begin`."""
    result = Dataset()
    copy_elements(header, result, ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"))
    result.PatientName = result.PatientID = result.PatientBirthDate = result.PatientSex = ""
    result.StudyDate = result.StudyTime = result.StudyID = result.AccessionNumber = ""
    return result


def _content(inputs: EncodeInputs) -> MeasurementReport:
    equipment = inputs.equipment
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=INSTANCE_CREATOR_UID,
            name=equipment.station_name or equipment.model_name,
            manufacturer_name=equipment.manufacturer,
            model_name=equipment.model_name,
            serial_number=equipment.device_serial_number,
        ),
    )
    report, verdict = inputs.moving.report, inputs.verdict.value
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derived_uid(inputs, "registration"), identifier=f"{inputs.pair} registration"
        ),
        measurements=list(_measurements(inputs)),
        qualitative_evaluations=[
            QualitativeEvaluation(name=_own("VERDICT", "Verdict"), value=_own(verdict.upper(), verdict.capitalize()))
        ],
    )
    for reason in (*report.reasons, *inputs.plan.reasons, *inputs.moving.choice.reasons):
        group[0].ContentSequence.append(
            TextContentItem(
                name=_own("REASON", "Reason"), value=reason, relationship_type=RelationshipTypeValues.CONTAINS
            )
        )
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=CodedConcept("363679005", "SCT", "Imaging procedure"),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _measurements(inputs: EncodeInputs) -> Iterator[Measurement]:
    report, registration = inputs.moving.report, inputs.moving.registration
    algorithm = AlgorithmIdentification(
        name=registration.registrar,
        version=inputs.equipment.software_versions,
        parameters=[text(f"{name}={value}", 1024) for name, value in registration.parameters.items()] or None,
    )
    measures = {
        "expected_error_mm": report.expected_error_mm,
        "error_bound_mm": report.error_bound_mm,
        f"similarity {report.similarity_name}": report.similarity,
        **report.measures,
    }
    for name, value in measures.items():
        if math.isfinite(value):
            yield Measurement(name=_concept(name), value=float(value), unit=_unit(name), algorithm_id=algorithm)


def _concept(name: str) -> CodedConcept:
    words = name.replace("_", " ")
    return _own(name.replace(" ", "_").upper(), words[0].upper() + words[1:])


def _own(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, SCHEME, text(meaning, 64))


def _unit(name: str) -> Any:
    for ending, (value, meaning) in UNITS.items():
        if name.endswith(ending):
            return CodedConcept(value, "UCUM", meaning)
    return CodedConcept("{ratio}", "UCUM", "ratio")
