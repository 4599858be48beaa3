"""What a header says, as plain values: tolerant of what real devices write, silent about what it cannot read.

Functional groups are looked into, so that an enhanced multi-frame image answers like a classic one (PS3.3 C.7.6.16).
"""

import math
import struct
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence

from ..errors import NotParsableError

UNREADABLE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError, struct.error)
"""What pydicom raises on a value that is not what its VR says; OverflowError and UnicodeError are among these."""

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "ImageType": ("ImageType", "FrameType"),
    "Units": ("Units",),
    "CorrectedImage": ("CorrectedImage",),
    "DecayCorrection": ("DecayCorrection",),
    "SeriesType": ("SeriesType",),
    "SequenceName": ("SequenceName", "PulseSequenceName"),
    "ScanningSequence": ("ScanningSequence", "EchoPulseSequence"),
    "SequenceVariant": ("SequenceVariant",),
    "ScanOptions": ("ScanOptions",),
    "MRAcquisitionType": ("MRAcquisitionType",),
    "EchoTime": ("EchoTime", "EffectiveEchoTime"),
    "RepetitionTime": ("RepetitionTime",),
    "InversionTime": ("InversionTime", "InversionTimes"),
    "EchoTrainLength": ("EchoTrainLength",),
    "FlipAngle": ("FlipAngle",),
    "ContrastBolusAgent": ("ContrastBolusAgent",),
    "ProtocolName": ("ProtocolName",),
    "ConvolutionKernel": ("ConvolutionKernel",),
    "Rows": ("Rows",),
    "Columns": ("Columns",),
    "PixelSpacing": ("PixelSpacing",),
    "SliceThickness": ("SliceThickness",),
    "SpacingBetweenSlices": ("SpacingBetweenSlices",),
    "ImagesInAcquisition": ("ImagesInAcquisition",),
    "NumberOfSlices": ("NumberOfSlices",),
    "NumberOfFrames": ("NumberOfFrames",),
    "NumberOfTimeSlices": ("NumberOfTimeSlices",),
    "TemporalPositionIdentifier": ("TemporalPositionIdentifier",),
    "NumberOfTemporalPositions": ("NumberOfTemporalPositions",),
    "TriggerTime": ("TriggerTime",),
    "ImageOrientationPatient": ("ImageOrientationPatient",),
    "PatientPosition": ("PatientPosition",),
    "Manufacturer": ("Manufacturer",),
    "ManufacturerModelName": ("ManufacturerModelName",),
    "StationName": ("StationName",),
    "DeviceSerialNumber": ("DeviceSerialNumber",),
    "InstitutionName": ("InstitutionName",),
    "AcquisitionNumber": ("AcquisitionNumber",),
    "AcquisitionDate": ("AcquisitionDate",),
    "AcquisitionTime": ("AcquisitionTime",),
    "AcquisitionDateTime": ("AcquisitionDateTime",),
    "SeriesDate": ("SeriesDate",),
    "SeriesTime": ("SeriesTime",),
    "ReconstructionMethod": ("ReconstructionMethod",),
    "AttenuationCorrectionMethod": ("AttenuationCorrectionMethod",),
    "NumberOfRRIntervals": ("NumberOfRRIntervals",),
    "NumberOfTimeSlots": ("NumberOfTimeSlots",),
    "InConcatenationTotalNumber": ("InConcatenationTotalNumber",),
    "DiffusionBValue": ("DiffusionBValue",),
    "BodyPartExamined": ("BodyPartExamined",),
    "BurnedInAnnotation": ("BurnedInAnnotation",),
    "DerivationDescription": ("DerivationDescription",),
}
"""What choosing a series needs: the keyword it is kept under, and the elements that may hold it, best first."""

IDENTIFYING = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyID"),
    *("Modality", "SeriesNumber", "SeriesDescription", "FrameOfReferenceUID", "InstanceNumber", "InstanceCreatorUID"),
    *("ImagePositionPatient", "ContentDate", "ContentTime", "TimezoneOffsetFromUTC", "PixelDataProviderURL"),
    *("BitsAllocated", "SamplesPerPixel", "PhotometricInterpretation"),
)
GROUPS = (
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DetectorInformationSequence",
    "MRDiffusionSequence",
    "ContrastBolusAgentSequence",
)
TAGS = {
    keyword: tag
    for keyword in (*IDENTIFYING, *GROUPS, *(name for names in ATTRIBUTES.values() for name in names))
    if (tag := tag_for_keyword(keyword)) is not None
}
WANTED_TAGS = list(TAGS.values())

Value = str | int | float | list[str | int | float]


class Header:
    """The elements ahead of the pixel data, read by keyword."""

    def __init__(self, encoded: bytes, *, explicit: bool, little_endian: bool) -> None:
        try:
            self._dataset = read_dataset(
                BytesIO(encoded),
                is_implicit_VR=not explicit,
                is_little_endian=little_endian,
                specific_tags=WANTED_TAGS,
            )
        except (*UNREADABLE, OSError) as error:
            raise NotParsableError("the header cannot be read") from error

    def has(self, keyword: str) -> bool:
        """Whether the element is there, with or without a value."""
        return keyword in self._dataset

    def text(self, keyword: str) -> str:
        """The value as text without padding; empty when there is none or it cannot be read."""
        value = _get(self._dataset, keyword)
        if isinstance(value, MultiValue):
            return "\\".join(_clean(item) for item in value)
        return "" if value is None else _clean(value)

    def number(self, keyword: str) -> int | None:
        """The first value as a whole number."""
        values = self.numbers(keyword)
        return int(values[0]) if values else None

    def numbers(self, *keywords: str) -> tuple[float, ...]:
        """The values of the first of `keywords` that has numbers; functional groups are looked into."""
        value = self._find(keywords)
        values = value if isinstance(value, list) else [value]
        numbers = tuple(item for item in values if isinstance(item, int | float))
        return numbers if len(numbers) == len(values) else ()

    def attributes(self) -> dict[str, Any]:
        """Those of `ATTRIBUTES` that are there, as plain JSON values."""
        found = {name: self._find(keywords) for name, keywords in ATTRIBUTES.items()}
        return {name: value for name, value in found.items() if value is not None}

    def found_text(self, *keywords: str) -> str:
        """The first of `keywords` that has a value, as text; functional groups are looked into."""
        value = self._find(keywords)
        return "" if value is None else str(value[0] if isinstance(value, list) else value)

    def _find(self, keywords: tuple[str, ...]) -> Value | None:
        for dataset in _places(self._dataset):
            for keyword in keywords:
                value = _plain(_get(dataset, keyword))
                if value is not None:
                    return value
        return None


def _places(dataset: Dataset) -> Iterator[Dataset]:
    """Where an attribute of the image may stand: on top, in the shared groups, in the first frame's."""
    yield dataset
    for name in GROUPS:
        groups = _get(dataset, name)
        if isinstance(groups, DicomSequence) and groups:
            yield groups[0]
            yield from _inner(groups[0])


def _inner(group: Dataset) -> Iterator[Dataset]:
    for element in group:
        if element.VR == "SQ" and element.value:
            yield element.value[0]
            yield from _inner(element.value[0])


def _get(dataset: Dataset, keyword: str) -> Any:
    tag = TAGS.get(keyword)
    if tag is not None and tag not in dataset.keys():  # noqa: SIM118 - the library's own test makes a tag first
        return None
    try:
        return dataset.get(keyword)
    except UNREADABLE:
        return None


def _plain(value: Any) -> Value | None:
    if value is None or isinstance(value, DicomSequence | bytes):
        return None
    if isinstance(value, MultiValue):
        items = [_plain_one(item) for item in value]
        return [item for item in items if item is not None] or None
    return _plain_one(value)


def _plain_one(value: Any) -> str | int | float | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _clean(value) or None


def _clean(value: Any) -> str:
    """Text that any database takes: no NUL, no half of a surrogate pair, no padding."""
    return str(value).replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
