"""A fused picture of one slice as PNG, in grey or with the hue of a coloured source."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusion.methods.method import Fused

from ..errors import EncodeError

LUMA = np.array((0.299, 0.587, 0.114))
"""ITU-R BT.601, section 2.5.1: what red, green and blue weigh."""


def write_picture(path: Path, fused: Fused, colours: NDArray[np.uint8] | None = None) -> None:
    """Write one slice as 8-bit grey PNG, or in colour: that of a colour method, or the chroma of `colours`.

    `colours` (row, column, 3) is a coloured source. Its chroma is added to the fused grey as far as the result stays
    within 0 … 255, so that the luma, rounded, is the fused value within one level. Raises `EncodeError` for more than
    one slice, for another size, and where the file cannot be written.
    """
    if fused.image.shape[0] != 1:
        raise EncodeError(f"a picture has one slice, not {fused.image.shape[0]}; write .nii.gz, .nrrd or .mha")
    image = fused.image[0].cpu().numpy()
    if fused.is_colour:
        pixels = image
    else:
        grey = np.rint(np.clip(image.astype(np.float64), 0.0, 1.0) * 255)
        pixels = grey.astype(np.uint8) if colours is None else coloured(grey, colours)
    try:
        Image.fromarray(pixels).save(path, format="PNG")
    except OSError as error:
        raise EncodeError(f"the picture cannot be written to {path}: is the folder there and writable?") from error


def coloured(grey: NDArray[np.float64], colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(row, column, 3): luma `grey` (0 … 255), and as much of the chroma of `colours` as is within gamut."""
    if grey.shape != colours.shape[:2]:
        raise EncodeError(f"the colours are {colours.shape[:2]} pixels and the fused picture {grey.shape}")
    chroma = colours - (colours @ LUMA)[..., None]
    room = np.where(chroma > 0, 255 - grey[..., None], grey[..., None])
    # A channel without chroma leaves all of it; the others end where the first one reaches black or full.
    share = np.where(chroma == 0, 1.0, room / np.where(chroma == 0, 1.0, np.abs(chroma))).min(axis=-1, keepdims=True)
    mixed = grey[..., None] + np.clip(share, 0.0, 1.0) * chroma
    return np.asarray(np.rint(np.clip(mixed, 0, 255)), dtype=np.uint8)
