"""NIfTI, NRRD and MetaImage files as volumes: SimpleITK reads, the affine becomes array order, LPS."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 (its own name in every manual)
import torch

from fusion.volume import Grid, Unit, Volume

from ..errors import NotAVolumeError, UnreadableFileError
from .geometry import FEWEST_SLICES

IMAGE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


def is_image_file(path: Path) -> bool:
    """Whether the name is one of a file that holds a whole volume."""
    return path.name.lower().endswith(IMAGE_SUFFIXES)


def load_file(path: Path) -> Volume:
    """The volume in a file. It names no unit and no Frame of Reference: those stay unknown.

    Raises `UnreadableFileError` for what is no image, `NotAVolumeError` for one that is not 3-D and scalar.
    """
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableFileError(f"{path.name} cannot be read as an image: {_last_line(error)}") from error
    image = _three_dimensional(image, path)
    # A view: what was read of a large file and the voxels made of it are all that is held at a time.
    values = sitk.GetArrayViewFromImage(image).astype(np.float32)
    valid = None
    if not all(np.isfinite(plane).all() for plane in values):
        measured = np.isfinite(values)
        values[~measured] = 0
        valid = torch.from_numpy(measured)
    return Volume(
        voxels=torch.from_numpy(values),
        grid=_grid(image),
        unit=Unit.ARBITRARY,
        modality="OT",
        valid=valid,
        notes=() if valid is None else ("Voxels that hold no finite number were marked as not measured.",),
    )


def _three_dimensional(image: sitk.Image, path: Path) -> sitk.Image:
    if image.GetNumberOfComponentsPerPixel() != 1 or image.GetPixelID() in (
        sitk.sitkComplexFloat32,
        sitk.sitkComplexFloat64,
    ):
        raise NotAVolumeError(f"{path.name} holds colours, vectors or complex numbers, not one number a voxel")
    size = image.GetSize()
    if len(size) == 4 and size[3] == 1:
        image = image[:, :, :, 0]
    elif len(size) != 3:
        raise NotAVolumeError(f"{path.name} has {len(size)} dimensions ({' x '.join(map(str, size))}), not three")
    if min(image.GetSize()) < FEWEST_SLICES:
        raise NotAVolumeError(f"{path.name} is {' x '.join(map(str, size))} voxels: too thin for a volume")
    return image


def _grid(image: sitk.Image) -> Grid:
    """ITK counts x, y, z in LPS; the array counts slice (z), row (y), column (x)."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = (direction * np.array(image.GetSpacing()))[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    columns, rows, slices = image.GetSize()
    return Grid((slices, rows, columns), affine)


def _last_line(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "unknown reason"
