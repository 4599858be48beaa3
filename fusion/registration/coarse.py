"""Images as the registration network sees them: cubes of 3 mm along the patient's axes, 0…1."""

import numpy as np
import torch

from ..geometry.pyramid import downsample
from ..geometry.resample import resample
from ..geometry.transform import Transform
from ..networks.registration_unet import MULTIPLE, SPACING_MM
from ..types import Points, VoxelArray
from ..volume import Grid, Volume
from .intensity import clip_range

MARGIN_MM = 16.0
"""Air round the body, so that the skin may move and the field fade out."""


def coarse_grid(points: Points, frame_of_reference_uid: str | None = None) -> Grid:
    """A grid round `points` (n, 3) LPS mm, slices along z, rows along y, columns along x; extents as the network asks.

    A point or two far from all others do not count: half a percent at either end is left out.
    """
    low, high = (np.quantile(points, q, axis=0)[::-1] for q in (0.005, 0.995))
    extents = np.ceil((high - low + 2 * MARGIN_MM) / SPACING_MM / MULTIPLE).astype(int) * MULTIPLE
    first = (low + high) / 2 - (extents - 1) / 2 * SPACING_MM
    affine = np.eye(4)
    affine[:3, :3] = SPACING_MM * np.eye(3)[::-1]
    affine[:3, 3] = first[::-1]
    return Grid((int(extents[0]), int(extents[1]), int(extents[2])), affine, frame_of_reference_uid)


def coarse_image(volume: Volume, transform: Transform, grid: Grid) -> VoxelArray:
    """(slice, row, column) in 0…1: `volume` seen through `transform` (fixed to moving) on `grid`; 0 outside of it."""
    finite = torch.isfinite(volume.voxels)
    low, high = clip_range(volume, finite if volume.valid is None else finite & volume.valid)
    small = downsample(volume, SPACING_MM / 2)
    seen = resample(small, transform, grid, interpolation="linear", outside=low)
    return ((seen.voxels - low) / max(high - low, 1e-9)).clamp(0, 1)
