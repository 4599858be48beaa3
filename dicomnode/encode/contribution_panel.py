"""The contribution map as pictures: what comes from the fixed image in one colour, from the moved one in another."""

import numpy as np
import torch

from fusion.types import Points
from fusion.volume import Volume

from .label import Picture
from .patient_planes import AXIAL, CORONAL, SAGITTAL, sample

FIXED_COLOUR, MOVED_COLOUR = (255, 176, 64), (64, 176, 255)
"""Orange and blue: told apart by everybody, and no colour table of ours looks like it."""


def contribution_pictures(share: Volume, fused: torch.Tensor, centre: Points, pixels: int) -> tuple[Picture, ...]:
    """Square pictures in the three planes: the fused brightness, tinted by where it comes from.

    `fused` is on the grid of `share`: grey (slice, row, column) in 0…1, or sRGB (slice, row, column, 3) of which the
    mean is taken.
    """
    grey = fused.to("cpu") if fused.ndim == 3 else fused.to("cpu").float().mean(dim=3) / 255
    pictures = []
    for plane in (AXIAL, CORONAL, SAGITTAL):
        points, _ = plane.points(share.grid, centre, pixels)
        of_fixed = np.clip(sample(share.voxels.numpy(), share.grid, points, 1.0), 0, 1)[..., None]
        brightness = sample(grey.numpy(), share.grid, points, 0.0)[..., None]
        tint = of_fixed * FIXED_COLOUR + (1 - of_fixed) * MOVED_COLOUR
        pictures.append(np.rint(np.clip(brightness, 0, 1) * tint).astype(np.uint8))
    return tuple(pictures)
