"""Two-dimensional pictures as volumes of one slice: PNG, and image files that hold one plane."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 (its own name in every manual)
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fusion.volume import Grid, Volume

from ..errors import NotAVolumeError, UnreadableFileError
from .files import is_image_file
from .inputs import load_input

GREY_MODES = ("1", "L", "I", "I;16", "F")


@dataclass(frozen=True, slots=True, eq=False)
class AlignedImage:
    """A picture or a volume that is to be fused as it lies.

    `colours` are the sRGB triples (row, column, 3) of a coloured picture, whose `volume` is its luma. `eight_bit` says
    that the file held bytes, whose window is 0 … 255. `flat` says that it is a picture, not a volume.
    """

    volume: Volume
    name: str
    colours: NDArray[np.uint8] | None = None
    eight_bit: bool = False
    flat: bool = False


def load_aligned(path: Path) -> AlignedImage:
    """What a person names on the command line: PNG, NIfTI, NRRD, MetaImage, a DICOM folder or file.

    A coloured PNG is read as its ITU-R BT.601 luma, rounded to 8 bits, as the fusion literature does; its transparency
    is left out. Raises `UnreadableFileError` and what `load_input` raises.
    """
    if path.suffix.lower() == ".png":
        return _png(path)
    if path.is_file() and is_image_file(path):
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise UnreadableFileError(f"{path.name} cannot be read as an image") from error
        eight_bit = reader.GetPixelID() == sitk.sitkUInt8
        size = reader.GetSize()
        if reader.GetNumberOfComponents() == 1 and (len(size) == 2 or (len(size) == 3 and size[2] == 1)):
            return _plane(path, eight_bit=eight_bit)
        return AlignedImage(load_input(path).volume, path.name, eight_bit=eight_bit)
    loaded = load_input(path)
    return AlignedImage(loaded.volume, loaded.name)


def _png(path: Path) -> AlignedImage:
    try:
        with Image.open(path) as picture:
            picture.load()
            return _of_picture(picture, path.name)
    except FileNotFoundError as error:
        raise UnreadableFileError(f"there is no file {path}") from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UnreadableFileError(f"{path.name} cannot be read as a picture: {error}") from error


def _of_picture(picture: Image.Image, name: str) -> AlignedImage:
    eight_bit = picture.mode not in ("I", "I;16", "F")
    colours = None
    if picture.mode not in GREY_MODES:
        triples = np.asarray(picture.convert("RGB"))
        colours = triples if (triples != triples[..., :1]).any() else None
    values = np.asarray(picture.convert("L") if eight_bit else picture, dtype=np.float32)
    return AlignedImage(_one_slice(values), name, colours, eight_bit, flat=True)


def _plane(path: Path, *, eight_bit: bool) -> AlignedImage:
    image = sitk.ReadImage(str(path))
    values = sitk.GetArrayFromImage(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise NotAVolumeError(f"{path.name} holds values that are no finite numbers")
    columns_mm, rows_mm = image.GetSpacing()[:2]
    return AlignedImage(
        _one_slice(values.reshape(values.shape[-2:]), (rows_mm, columns_mm)), path.name, None, eight_bit, flat=True
    )


def _one_slice(values: NDArray[np.float32], spacing_mm: tuple[float, float] = (1.0, 1.0)) -> Volume:
    """(row, column) as a volume; a picture's place in a patient is unknown, so it lies at the origin."""
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[3, 3] = 1.0
    affine[1, 1], affine[0, 2] = spacing_mm
    rows, columns = values.shape
    return Volume(torch.from_numpy(np.array(values, dtype=np.float32)[None]), Grid((1, rows, columns), affine))
