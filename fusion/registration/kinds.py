"""What an image shows, as far as errors depend on it: anatomy with its edges, or uptake.

A DICOM series says its modality. An image file does not; it is judged by how fine it is: blurred by 6 mm, an image of
uptake stays nearly what it was. Averaged PET and SPECT heads lose 23 and 25 % of their contrast (standard deviation of
what is taken away, over that of the image), averaged CT and MR heads 46 to 52 %, single ones 60 to 75 %.
"""

from enum import StrEnum

import numpy as np
import torch

from ..geometry.smoothing import gaussian
from ..volume import Volume
from .large import LARGE_VOXELS
from .preparation import Prepared

NUCLEAR = frozenset({"PT", "NM"})
ANATOMICAL = frozenset({"CT", "MR"})
BLUR_MM = 6.0
LEAST_LOSS_OF_ANATOMY = 0.35
LOOKED_AT = 20_000
MIDDLE_MM = 80.0


class ImageKind(StrEnum):
    """What the errors of a registration depend on."""

    ANATOMY = "anatomy"
    UPTAKE = "uptake"


def kind_of(volume: Volume, prepared: Prepared) -> ImageKind:
    """By the modality; where none is said, by how fine the image is."""
    if volume.modality in NUCLEAR:
        return ImageKind.UPTAKE
    if volume.modality in ANATOMICAL or fineness(prepared) >= LEAST_LOSS_OF_ANATOMY:
        return ImageKind.ANATOMY
    return ImageKind.UPTAKE


def assumption(volume: Volume, kind: ImageKind) -> str | None:
    """A sentence for people, where the kind was guessed."""
    if volume.modality in NUCLEAR | ANATOMICAL:
        return None
    looks = "as blurred as uptake" if kind is ImageKind.UPTAKE else "as fine as anatomy"
    return f"an image without a modality was taken for {kind.value}: it is {looks}"


def fineness(prepared: Prepared) -> float:
    """The share of the contrast within the body that a blur of `BLUR_MM` takes away, at the finest level."""
    level, points = prepared.levels[-1], prepared.jittered_points(prepared.interior, LOOKED_AT, 0)
    if level.sampler.voxels.numel() >= LARGE_VOXELS:
        # A whole body is judged by its middle: blurring all of it would take more memory than the search.
        points = points[(np.abs(points - np.median(points, axis=0)) <= MIDDLE_MM).all(axis=1)]
        level = level.about(points)
    voxels = level.sampler.voxels
    valid = torch.isfinite(voxels)
    filled = torch.where(valid, voxels, 0.0)
    rest = filled - gaussian(filled, [BLUR_MM / spacing for spacing in level.grid.spacing_mm], valid)
    indices = np.rint(level.grid.indices(points)).astype(int)
    z, y, x = np.clip(indices, 0, np.array(level.grid.shape) - 1).T
    inside = valid[z, y, x]
    contrast = float(filled[z, y, x][inside].std())
    return float(rest[z, y, x][inside].std()) / max(contrast, 1e-9)
