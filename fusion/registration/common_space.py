"""Two images on one grid of cubes, the moving one placed by an affine start: there a displacement field is sought."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry.resample import resample
from ..geometry.transform import AffineTransform, PointMap
from ..types import MaskArray
from ..volume import Grid, Volume
from .intensity import clip_range
from .preparation import Prepared, prepare

MARGIN_MM = 8.0
"""Round the fixed body; the region of interest itself reaches 12 mm into the air, cut off where the image ends."""


@dataclass(frozen=True, slots=True, eq=False)
class CommonSpace:
    """Both images on `grid`, clipped to where tissue lies and scaled to 0 … 1.

    `region` is both bodies with a margin of air; `fixed_valid` and `moving_valid` say where each was measured.
    """

    fixed: Volume
    moving: Volume
    region: MaskArray
    fixed_valid: MaskArray
    moving_valid: MaskArray
    start: AffineTransform

    @property
    def grid(self) -> Grid:
        """Cubes in the space of the fixed image."""
        return self.fixed.grid

    @property
    def voxel_mm(self) -> float:
        """The edge of a cube."""
        return self.grid.spacing_mm[0]

    def moving_seen_through(self, moving: Volume, transform: PointMap) -> Volume:
        """The original `moving` on the grid once more, this time through `transform`, clipped and scaled."""
        return scaled(resample(moving, transform, self.grid, interpolation="linear"), *_range_of(moving))


def common_space(
    fixed: Volume, moving: Volume, start: AffineTransform, spacing_mm: float, max_voxels: int
) -> CommonSpace:
    """The cubes about the fixed body, `spacing_mm` wide or as wide as `max_voxels` of them demands."""
    prepared, other = prepare(fixed, (), "fixed"), prepare(moving, (), "moving")
    grid = cubes_about(prepared, spacing_mm, max_voxels)
    fixed_image = scaled(resample(fixed, AffineTransform.identity(), grid, interpolation="linear"), *_range_of(fixed))
    moving_image = scaled(resample(moving, start, grid, interpolation="linear"), *_range_of(moving))
    region = _on(grid, prepared, AffineTransform.identity()) | _on(grid, other, start)
    return CommonSpace(
        fixed_image, moving_image, region.to(fixed.device), valid_of(fixed_image), valid_of(moving_image), start
    )


def cubes_about(prepared: Prepared, spacing_mm: float, max_voxels: int) -> Grid:
    """A grid along the fixed axes, made square, round the region of interest but not beyond the field of view."""
    inside = np.argwhere(prepared.region.numpy())
    if not len(inside):
        inside = np.argwhere(np.ones(prepared.body_grid.shape, dtype=bool))
    left, _, right = np.linalg.svd(prepared.grid.direction)
    axes = left @ right
    corners = prepared.body_grid.points(inside.astype(np.float64)) @ axes
    ends = prepared.grid.corners_mm() @ axes
    half = max(prepared.body_grid.spacing_mm) / 2 + MARGIN_MM
    low = np.maximum(corners.min(axis=0) - half, ends.min(axis=0))
    high = np.minimum(corners.max(axis=0) + half, ends.max(axis=0))
    spacing_mm = max(spacing_mm, float((np.prod(high - low) / max_voxels) ** (1 / 3)))
    extents = [max(8, int(np.floor((b - a) / spacing_mm)) + 1) for a, b in zip(low, high, strict=True)]
    affine = np.eye(4, dtype=np.float64)
    affine[:3, :3] = axes * spacing_mm
    # What is left over on both sides is the same.
    affine[:3, 3] = axes @ (low + (high - low - (np.array(extents) - 1) * spacing_mm) / 2)
    return Grid((extents[0], extents[1], extents[2]), affine, prepared.grid.frame_of_reference_uid)


def scaled(volume: Volume, low: float, high: float) -> Volume:
    """`volume` clipped to `low` … `high` and scaled to 0 … 1; what was not measured is 0."""
    voxels = ((volume.voxels - low) / max(high - low, 1e-12)).clamp(0, 1)
    if volume.valid is not None:
        voxels = torch.where(volume.valid, voxels, 0.0)
    return replace(volume, voxels=voxels)


def valid_of(volume: Volume) -> MaskArray:
    """Where the image was measured, as a mask."""
    return torch.ones_like(volume.voxels, dtype=torch.bool) if volume.valid is None else volume.valid


def _range_of(volume: Volume) -> tuple[float, float]:
    valid = torch.isfinite(volume.voxels)
    return clip_range(volume, valid if volume.valid is None else valid & volume.valid)


def _on(grid: Grid, prepared: Prepared, transform: PointMap) -> MaskArray:
    """The region of interest of an image, on the cubes."""
    region = Volume(prepared.region.to(torch.float32), prepared.body_grid)
    return resample(region, transform, grid, interpolation="nearest").voxels > 0
