"""A registration as an ITK transform file, in ITK's direction: fixed points to moving points, LPS mm."""

from pathlib import Path

import SimpleITK

from fusion.registration.registrar import Registration

from ..errors import EncodeError

SUFFIXES = (".tfm", ".txt", ".h5", ".hdf5")


def write_transform(path: Path, registration: Registration) -> None:
    """Write the transform of `registration` to `path`: `.tfm` or `.txt` is text, `.h5` or `.hdf5` is HDF5.

    Raises `EncodeError` for another ending and when the file cannot be written.
    """
    refuse_other_endings(path)
    matrix = registration.transform.matrix
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    try:
        SimpleITK.WriteTransform(transform, str(path))
    except RuntimeError as error:
        raise EncodeError(f"the transform cannot be written to {path}: is the folder there and writable?") from error


def refuse_other_endings(path: Path) -> None:
    """Raise `EncodeError` unless the name says which kind of transform file it is."""
    if path.suffix.lower() not in SUFFIXES:
        raise EncodeError(f"{path.name}: a transform file ends in {', '.join(SUFFIXES)}")
