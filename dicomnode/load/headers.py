"""Reading instances, and asking a frame for an attribute wherever its object keeps it.

Real headers break rules. They are read as they are; `tolerating` counts what had to be forgiven, for the notes.
"""

import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from storage.records import PatientIdentity

from ..errors import UnreadableFileError

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
READ_FAILURES = (
    InvalidDicomError,
    AttributeError,
    BytesLengthException,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises on bytes that are no whole data set; it has no common class for it."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameHeader:
    """One frame's view of its instance: its own functional groups, then the shared ones, then the data set."""

    dataset: Dataset
    shared: Dataset | None = None
    per_frame: Dataset | None = None

    def get(self, keyword: str) -> Any:
        """The value of `keyword`, or None where it is absent or empty."""
        for groups in (self.per_frame, self.shared):
            value = None if groups is None else _within_groups(groups, keyword)
            if value is not None:
                return value
        return filled(self.dataset, keyword)

    def number(self, keyword: str) -> float | None:
        """The (first) value of `keyword` as a number."""
        return as_number(self.get(keyword))

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """The values of `keyword`, where there are `count` of them and all are numbers."""
        return as_numbers(self.get(keyword), count)


def _within_groups(groups: Dataset, keyword: str) -> Any:
    try:
        items = [group.value[0] for group in groups if group.VR == "SQ" and not group.tag.is_private and group.value]
    except READ_FAILURES as error:
        raise UnreadableFileError(f"the functional groups cannot be read: {type(error).__name__}") from error
    for item in items:
        value = filled(item, keyword)
        if value is not None:
            return value
    return None


def filled(dataset: Dataset, keyword: str) -> Any:
    """The value of `keyword` in `dataset`, or None where it is absent or empty.

    Raises `UnreadableFileError` naming the keyword where the bytes are no value of its type: to read on without, say, a
    rescale would make numbers wrong.
    """
    try:
        value = dataset.get(keyword)
    except READ_FAILURES as error:
        raise UnreadableFileError(f"{keyword} cannot be read: {type(error).__name__}") from error
    if value is None or (isinstance(value, str | bytes | MultiValue | Sequence) and len(value) == 0):
        return None
    return value


def as_number(value: Any) -> float | None:
    """The (first) value as a number, or None."""
    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if len(value) else None
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None


def as_numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """The values as numbers, where there are `count` of them."""
    if not isinstance(value, MultiValue | list | tuple) or len(value) != count:
        return None
    try:
        return tuple(float(item) for item in value)
    except (TypeError, ValueError):
        return None


def texts(value: Any) -> tuple[str, ...]:
    """A code string of any multiplicity as trimmed upper-case texts."""
    if value is None:
        return ()
    items = value if isinstance(value, MultiValue | list | tuple) else (value,)
    return tuple(str(item).strip().upper() for item in items)


def looks_like_dicom(path: Path) -> bool:
    """Whether the file begins as PS3.10 says, or as a data set that was written without the preamble."""
    with path.open("rb") as file:
        start = file.read(132)
    return start[128:] == b"DICM" or start[:2] in (b"\x08\x00", b"\x02\x00")


def read_instance(path: Path, *, pixels: bool = True) -> Dataset:
    """One instance as it lies in a file.

    Raises `UnreadableFileError` when it is absent, no DICOM or no data set.
    """
    try:
        if not looks_like_dicom(path):
            raise UnreadableFileError(f"{path.name} is not a DICOM file")
        dataset = dcmread(path, force=True, stop_before_pixels=not pixels)
        _name_transfer_syntax(dataset)
        if filled(dataset, "SOPInstanceUID") is None:
            raise UnreadableFileError(f"{path.name} holds no DICOM instance")
    except OSError as error:
        raise UnreadableFileError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except READ_FAILURES as error:
        raise UnreadableFileError(f"{path.name} is not a whole DICOM file: {error}") from error
    return dataset


def read_instances(paths: Sequence[Path]) -> list[Dataset]:
    """The instances of one series, each file read once."""
    if not paths:
        raise UnreadableFileError("there are no files to read")
    return [read_instance(path) for path in paths]


def _name_transfer_syntax(dataset: Dataset) -> None:
    """A data set without file meta information is native; its encoding shows in how it was parsed."""
    if "TransferSyntaxUID" in dataset.file_meta:
        return
    implicit, little = dataset.original_encoding
    native = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else native


def without_pixels(dataset: Dataset) -> Dataset:
    """The same data set with its pixel data taken out (in place: the bytes are the bulk of the memory)."""
    for keyword in PIXEL_KEYWORDS:
        if keyword in dataset:
            del dataset[keyword]
    return dataset


def identity_of(dataset: Dataset) -> PatientIdentity:
    """Who the header says it is."""

    def text(keyword: str) -> str:
        value = filled(dataset, keyword)
        return "" if value is None else str(value)

    return PatientIdentity(
        patient_id=text("PatientID"),
        issuer=text("IssuerOfPatientID"),
        name=text("PatientName"),
        birth_date=text("PatientBirthDate"),
        sex=text("PatientSex"),
    )


_one_at_a_time = RLock()
"""Python keeps its warning filters for the whole process; loads that overlapped would leave each other's behind."""


@contextmanager
def tolerating(notes: list[str]) -> Iterator[None]:
    """Read on where a header breaks the rules; afterwards one of `notes` says so, without the values."""
    with _one_at_a_time, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    count = len({str(warning.message) for warning in caught})
    if count:
        notes.append(f"{count} irregularities of the headers were tolerated; their values were read as they stand.")
