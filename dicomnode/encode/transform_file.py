"""A registration as an ITK transform file, in ITK's direction: fixed points to moving points, LPS mm."""

from pathlib import Path

import numpy as np
import SimpleITK

from fusion.geometry.displacement import DisplacementTransform
from fusion.geometry.transform import AffineTransform
from fusion.registration.registrar import Registration
from fusion.types import Affine4x4

from ..errors import EncodeError
from .geometry import require_orthogonal

SUFFIXES = (".tfm", ".txt", ".h5", ".hdf5")


def write_transform(path: Path, registration: Registration) -> None:
    """Write the transform of `registration` to `path`: `.tfm` or `.txt` is text, `.h5` or `.hdf5` is HDF5.

    One that is not affine becomes a composite with a displacement field, which is many times smaller as HDF5.

    Raises `EncodeError` for another ending, for a transform that ITK has no form for, and when the file cannot be
    written.
    """
    write_map(path, registration.transform)


def write_map(path: Path, transform: object) -> None:
    """`write_transform` for a transform that no registration of now has found."""
    refuse_other_endings(path)
    itk = itk_transform(transform)
    try:
        SimpleITK.WriteTransform(itk, str(path))
    except RuntimeError as error:
        raise EncodeError(f"the transform cannot be written to {path}: is the folder there and writable?") from error


def itk_transform(transform: object) -> SimpleITK.Transform:
    """The same map for ITK. Raises `EncodeError` for a transform that is neither affine nor a displacement field."""
    if isinstance(transform, AffineTransform):
        return _affine(transform.matrix)
    if not isinstance(transform, DisplacementTransform):
        raise EncodeError(f"ITK has no form for a {type(transform).__name__}")
    field = SimpleITK.DisplacementFieldTransform(field_image(transform))
    # ITK applies the last one first.
    return SimpleITK.CompositeTransform([_affine(transform.after.matrix), field, _affine(transform.before.matrix)])


def field_image(transform: DisplacementTransform) -> SimpleITK.Image:
    """The displacements, x, y and z in mm, as a float64 vector image. Raises `EncodeError` for a sheared grid."""
    grid = transform.grid
    require_orthogonal(grid)
    vectors = np.moveaxis(transform.displacement.cpu().numpy(), 0, -1).astype(np.float64)
    image = SimpleITK.GetImageFromArray(vectors, isVector=True)
    image.SetOrigin(grid.origin_mm.tolist())
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetDirection(np.ascontiguousarray(grid.direction[:, ::-1]).ravel().tolist())
    return image


def _affine(matrix: Affine4x4) -> SimpleITK.AffineTransform:
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def refuse_other_endings(path: Path) -> None:
    """Raise `EncodeError` unless the name says which kind of transform file it is."""
    if path.suffix.lower() not in SUFFIXES:
        raise EncodeError(f"{path.name}: a transform file ends in {', '.join(SUFFIXES)}")
