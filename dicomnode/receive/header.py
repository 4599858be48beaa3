"""What a header says, as plain values: tolerant of what real devices write, silent about what it cannot read.

Functional groups are looked into, so that an enhanced multi-frame image answers like a classic one (PS3.3 C.7.6.16).
"""

import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag

from storage.records import EncodedBytes

from ..errors import NotParsableError
from .framing import Element, frame

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
GROUP_TAGS = frozenset(TAGS[keyword] for keyword in GROUPS)
CHARACTER_SET = TAGS["SpecificCharacterSet"]

Value = str | int | float | list[str | int | float]


class Header:
    """The elements ahead of the pixel data, read by keyword."""

    def __init__(
        self,
        encoded: EncodedBytes,
        *,
        explicit: bool,
        little_endian: bool,
        elements: Mapping[int, Element] | None = None,
    ) -> None:
        """`elements` is where they lie, for who knows it already. Raises `NotParsableError`."""
        if elements is None:
            elements = frame(encoded, explicit=explicit, little_endian=little_endian, deflated=False).elements
        self._encoded = encoded
        self._elements = elements
        self._explicit = explicit
        self._little_endian = little_endian
        self._character_set = self._value(CHARACTER_SET)
        self._groups = () if GROUP_TAGS.isdisjoint(elements) else tuple(_groups(self._whole()))

    def has(self, keyword: str) -> bool:
        """Whether the element is there, with or without a value."""
        return TAGS.get(keyword) in self._elements

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

    def _top(self, keyword: str) -> "_Decoded":
        """The value on top: of what the slices of a series have in common, only the first one's is decoded."""
        tag = TAGS.get(keyword)
        if tag is None or tag not in self._elements:
            return NOTHING
        value = self._value(tag)
        if len(value) > MAX_REMEMBERED_BYTES:
            return self._decoded(tag, keyword)
        key = (tag, self._elements[tag].vr, value, self._little_endian, self._character_set)
        decoded = REMEMBERED.get(key)
        if decoded is None:
            decoded = _plain_ascii(self._elements[tag].vr, value) or self._decoded(tag, keyword)
            if len(REMEMBERED) >= MAX_REMEMBERED:
                REMEMBERED.clear()
            REMEMBERED[key] = decoded
        return decoded

    def _value(self, tag: int) -> bytes:
        """As it was sent; empty when it is not there."""
        element = self._elements.get(tag)
        return b"" if element is None else bytes(self._encoded[element.start : element.stop])

    def _decoded(self, tag: int, keyword: str) -> "_Decoded":
        value = self._value(tag)
        vr = self._elements[tag].vr.decode("ascii") or None
        raw = RawDataElement(
            BaseTag(tag),
            vr,
            len(value),
            value,
            0,
            not self._explicit,
            self._little_endian,  # as the library reads it
        )
        dataset = Dataset({raw.tag: raw})
        dataset.set_original_encoding(not self._explicit, self._little_endian, _encodings(self._character_set))
        return _Decoded.of(_get(dataset, keyword))

    def _whole(self) -> Dataset:
        """Everything, read by the library: for what lies in sequences."""
        try:
            return read_dataset(
                BytesIO(self._encoded),
                is_implicit_VR=not self._explicit,
                is_little_endian=self._little_endian,
                specific_tags=WANTED_TAGS,
            )
        except (*UNREADABLE, OSError) as error:
            raise NotParsableError("the header cannot be read") from error


@lru_cache(maxsize=64)
def _encodings(character_set: bytes) -> list[str]:
    """Of a Specific Character Set as it was sent: what the library decodes text with (PS3.3 C.12.1.1.2)."""
    names = character_set.decode("ascii", "replace").rstrip("\0 ").split("\\")
    try:
        return convert_encodings([name.strip() for name in names])
    except UNREADABLE:
        return convert_encodings(None)


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
NUMBERS: Mapping[bytes, type[int] | type[float]] = {b"IS": int, b"DS": float}
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def _plain_ascii(vr: bytes, value: bytes) -> _Decoded | None:
    """What differs from slice to slice, UIDs and decimal numbers, without the library; None for it to look at."""
    if vr == b"UI" and b"\\" not in value:
        uid = value.decode("ascii", "replace").strip("\0 ")
        return _Decoded(uid, uid or None)
    number = NUMBERS.get(vr)
    if number is None:
        return None
    texts = [text.strip(" ") for text in value.decode("ascii", "replace").split("\\")]
    try:
        numbers = [number(text) for text in texts if NUMBER.fullmatch(text)]
    except ValueError:  # a fraction where a whole number must be
        return None
    if len(numbers) != len(texts) or not all(map(math.isfinite, numbers)):
        return None
    return _Decoded("\\".join(texts), [*numbers] if len(numbers) > 1 else numbers[0])


REMEMBERED: dict[tuple[Any, ...], _Decoded] = {}
"""Decoded values by all they depend on. Threads may decode one twice; nothing else can go wrong between them."""

MAX_REMEMBERED = 2048
MAX_REMEMBERED_BYTES = 256


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
