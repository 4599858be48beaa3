"""An input that a person names on the command line: a DICOM folder or file, or an image file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from fusion.volume import Volume
from storage.records import PatientIdentity

from ..errors import NotAVolumeError, UnreadableFileError
from .files import is_image_file, load_file
from .folders import FoundSeries, find_series
from .headers import identity_of, looks_like_dicom
from .series import load_series


@dataclass(frozen=True, slots=True, eq=False)
class LoadedInput:
    """A volume from wherever it came; `headers` and `identity` are there for DICOM only. `name` is for people."""

    volume: Volume
    headers: tuple[Dataset, ...]
    name: str
    identity: PatientIdentity | None


def load_input(path: Path) -> LoadedInput:
    """The volume at `path`: a DICOM folder or file, NIfTI, NRRD or MetaImage.

    A folder with several volumes needs `FOLDER#SeriesInstanceUID`. Raises what `load_series` raises, and
    `NotAVolumeError` with the choices where the folder leaves one.
    """
    folder, uid = _chosen(path)
    if folder.is_dir():
        series = _one_of(folder, uid)
        return _from_dicom(series.files, series.description or folder.name)
    if not folder.is_file():
        raise UnreadableFileError(f"there is no file or folder {folder}")
    if is_image_file(folder):
        return LoadedInput(load_file(folder), (), folder.name, None)
    if looks_like_dicom(folder):
        return _from_dicom((folder,), folder.name)
    raise UnreadableFileError(f"{folder.name} is neither DICOM nor NIfTI, NRRD or MetaImage")


def _chosen(path: Path) -> tuple[Path, str | None]:
    """Folder and Series Instance UID of `FOLDER#UID`; a path that exists is never taken apart."""
    folder, mark, uid = str(path).rpartition("#")
    if path.exists() or not mark:
        return path, None
    return Path(folder), uid


def _from_dicom(files: tuple[Path, ...], name: str) -> LoadedInput:
    loaded = load_series(files)
    return LoadedInput(loaded.volume, loaded.headers, name, identity_of(loaded.headers[0]))


def _one_of(folder: Path, uid: str | None) -> FoundSeries:
    found = find_series(folder)
    if uid is not None:
        named = [one for one in found if one.series_instance_uid == uid]
        if not named:
            raise UnreadableFileError(f"{folder} holds no series {uid}; it holds {_listed(found) or 'no DICOM series'}")
        return named[0]
    if not found:
        raise UnreadableFileError(f"{folder} holds no DICOM series; name a folder of DICOM files or an image file")
    volumes = [one for one in found if not one.no_volume]
    if len(volumes) == 1:
        return volumes[0]
    if volumes:
        choice = f"{folder}#{volumes[0].series_instance_uid}"
        raise NotAVolumeError(f"{folder} holds {len(volumes)} volumes: {_listed(volumes)}. Name one, as in {choice}")
    reasons = "; ".join(f"{_named(one)}: {one.no_volume}" for one in found)
    raise NotAVolumeError(f"{folder} holds no volume. {reasons}")


def _listed(series: Sequence[FoundSeries]) -> str:
    return "; ".join(f"{_named(one)}, {len(one.files)} files" for one in series)


def _named(series: FoundSeries) -> str:
    return f"{series.modality} {series.description!r} ({series.series_instance_uid})"
