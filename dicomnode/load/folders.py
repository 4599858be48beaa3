"""What a folder holds: its DICOM files by series, from their headers alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset

from ..errors import LoadError, UnreadableFileError
from . import non_volumes
from .frames import frames_of
from .geometry import stack_of
from .headers import filled, read_instance, tolerating

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """One series of a folder.

    `no_volume` is the reason why its instances are no volume as far as their headers tell, and empty where they may
    be one.
    """

    series_instance_uid: str
    study_instance_uid: str
    modality: str
    description: str
    files: tuple[Path, ...]
    no_volume: str = ""


def find_series(folder: Path) -> tuple[FoundSeries, ...]:
    """Every DICOM series below `folder`, in the order of modality, description and UID.

    Files that are no DICOM are left out and counted in the log. Raises `UnreadableFileError` when there is no such
    folder.
    """
    if not folder.is_dir():
        raise UnreadableFileError(f"{folder} is not a folder")
    headers: dict[str, list[tuple[Path, Dataset]]] = {}
    ignored = 0
    notes: list[str] = []
    with tolerating(notes):
        for path in _files(folder):
            header = _header(path)
            if header is None:
                ignored += 1
                continue
            headers.setdefault(str(header.SeriesInstanceUID), []).append((path, header))
        found = [_found(uid, members) for uid, members in headers.items()]
    _log.debug("a folder was read", action="folder_read", series=len(found), files_ignored=ignored, tolerated=notes)
    return tuple(sorted(found, key=lambda one: (one.modality, one.description, one.series_instance_uid)))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _header(path: Path) -> Dataset | None:
    """The header, or None where the file is no DICOM instance of a series (a DICOMDIR is none)."""
    try:
        header = read_instance(path, pixels=False)
        return header if filled(header, "SeriesInstanceUID") is not None else None
    except UnreadableFileError:
        return None


def _found(uid: str, members: Sequence[tuple[Path, Dataset]]) -> FoundSeries:
    headers = [header for _, header in members]
    first = headers[0]
    return FoundSeries(
        series_instance_uid=uid,
        study_instance_uid=str(filled(first, "StudyInstanceUID") or ""),
        modality=str(filled(first, "Modality") or ""),
        description=str(filled(first, "SeriesDescription") or ""),
        files=tuple(path for path, _ in members),
        no_volume=_why_no_volume(headers),
    )


def _why_no_volume(headers: Sequence[Dataset]) -> str:
    """The reason as far as headers tell; whether slices at one place are equal, only their pixels can say."""
    try:
        kept, _ = non_volumes.without_localisers(headers)
        slices = [headers[index] for index in kept]
        non_volumes.refuse_non_volumes(slices)
        stack_of(frames_of(slices), lambda _one, _other: True)
    except LoadError as error:
        return str(error)
    return ""
