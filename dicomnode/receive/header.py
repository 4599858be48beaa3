"""What a header says, as plain values: tolerant of what real devices write, silent about what it cannot read.

Functional groups are looked into, so that an enhanced multi-frame image answers like a classic one (PS3.3 C.7.6.16).
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence

from storage.records import EncodedBytes

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

    def __init__(self, encoded: EncodedBytes, *, explicit: bool, little_endian: bool) -> None:
        try:
            self._dataset = read_dataset(
                BytesIO(encoded),
                is_implicit_VR=not explicit,
                is_little_endian=little_endian,
                specific_tags=WANTED_TAGS,
            )
        except (*UNREADABLE, OSError) as error:
            raise NotParsableError("the header cannot be read") from error
        self._character_set = _encoded(self._dataset, TAGS["SpecificCharacterSet"])

    def has(self, keyword: str) -> bool:
        """Whether the element is there, with or without a value."""
        return keyword in self._dataset

    def text(self, keyword: str) -> str:
        """The value as text without padding; empty when there is none or it cannot be read."""
        return self._top(keyword).text

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
        for keyword in keywords:
            value = self._top(keyword).plain
            if value is not None:
                return value
        for dataset in self._groups:
            for keyword in keywords:
                value = _plain(_get(dataset, keyword))
                if value is not None:
                    return value
        return None

    @cached_property
    def _groups(self) -> tuple[Dataset, ...]:
        return tuple(_groups(self._dataset))

    def _top(self, keyword: str) -> "_Decoded":
        """The value on top: of what the slices of a series have in common, only the first one's is decoded."""
        tag = TAGS.get(keyword)
        if tag is None or tag not in self._dataset.keys():  # noqa: SIM118 - the library's own test makes a tag first
            return NOTHING
        raw = self._dataset.get_item(tag)
        if not isinstance(raw, RawDataElement) or raw.value is None or len(raw.value) > MAX_REMEMBERED_BYTES:
            return _Decoded.of(_get(self._dataset, keyword))
        key = (tag, raw.VR, raw.value, raw.is_little_endian, self._character_set)
        decoded = REMEMBERED.get(key)
        if decoded is None:
            decoded = _Decoded.of(_get(self._dataset, keyword))
            if len(REMEMBERED) >= MAX_REMEMBERED:
                REMEMBERED.clear()
            REMEMBERED[key] = decoded
        return decoded


@dataclass(frozen=True, slots=True)
class _Decoded:
    """One value, as text and as plain JSON."""

    text: str
    plain: Value | None

    @classmethod
    def of(cls, value: Any) -> "_Decoded":
        if isinstance(value, MultiValue):
            text = "\\".join(_clean(item) for item in value)
        else:
            text = "" if value is None else _clean(value)
        return cls(text, _plain(value))


NOTHING = _Decoded("", None)
REMEMBERED: dict[tuple[Any, ...], _Decoded] = {}
"""Decoded values by all they depend on. Threads may decode one twice; nothing else can go wrong between them."""

MAX_REMEMBERED = 2048
MAX_REMEMBERED_BYTES = 256


def _encoded(dataset: Dataset, tag: int) -> bytes | str | None:
    """A value as it was sent."""
    if tag not in dataset.keys():  # noqa: SIM118 - as above
        return None
    element = dataset.get_item(tag)
    return element.value if isinstance(element, RawDataElement) else str(element.value)


def _groups(dataset: Dataset) -> Iterator[Dataset]:
    """Where an attribute of the image may stand but for on top: in the shared groups, in the first frame's."""
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
