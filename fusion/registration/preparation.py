"""An image made ready for registration: cleaned, scaled to 0 … 1, at several resolutions, with its body."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import UnusableVolumeError
from ..types import Affine4x4, MaskArray, Points, VoxelArray
from ..volume import Grid, Volume
from .body import body_mask, body_threshold
from .intensity import IntensityScale, clip_range, is_hounsfield, slabs, some_of
from .large import LARGE_VOXELS, read_in_slabs
from .levels import shrunk
from .sampling import CellSampler

FINEST_MM = 2.0
"""What a search looks at last; nothing finer of a large volume is read."""

BODY_SPACING_MM = 4.0
BODY_MARGIN_MM = 12.0
"""Air round the skin belongs to the region of interest: without it nothing marks the contour."""

SKIN_MM = 6.0
"""What is left out at the finest level. The outline is where modalities differ most (blurred uptake, chemical shift,
skin pressed by coils): on real pairs it draws the pose by up to 5 mm where only one side of the body is in view."""

MIN_INTERIOR_SHARE = 0.2
"""A thinner body than this is all skin; then the whole region is used."""

MIN_BODY_VOXELS = 64
"""Of the body's grid, 4 ml: less than this are specks of noise or metal in air, and nothing to register."""

REACH_MM = 30.0
"""Farther than this no refinement of a result goes."""

COUCH_GAP_MM = 4.0
"""One voxel of the body mask: partial volume at the skin stays."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One resolution: the scaled voxels behind a sampler, and the way from LPS mm to array indices."""

    sampler: CellSampler
    grid: Grid

    @property
    def indices_from_points(self) -> Affine4x4:
        """(4, 4): LPS mm to array indices."""
        return np.asarray(np.linalg.inv(self.grid.affine), dtype=np.float64)

    def about(self, points: Points) -> "Level":
        """A large level cut down to `REACH_MM` round `points` (n, 3) LPS mm; any other as it is."""
        voxels, grid = self.sampler.voxels, self.grid
        if voxels.numel() < LARGE_VOXELS:
            return self
        indices, margin = grid.indices(points), REACH_MM / np.array(grid.spacing_mm)
        last = np.array(grid.shape) - 2
        low = np.clip(np.floor(indices.min(axis=0) - margin), 0, last).astype(int)
        high = np.clip(np.ceil(indices.max(axis=0) + margin), low + 1, last + 1).astype(int)
        part = voxels[low[0] : high[0] + 1, low[1] : high[1] + 1, low[2] : high[2] + 1]
        affine = grid.affine.copy()
        affine[:3, 3] = grid.points(low.astype(np.float64))
        slices, rows, columns = part.shape
        return Level(CellSampler.of(part), Grid((slices, rows, columns), affine, grid.frame_of_reference_uid))


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What registration needs of one volume.

    `body`, `region` (the body and a margin of air) and `interior` (the body without its skin) lie on `body_grid`, on
    the CPU.
    """

    grid: Grid
    levels: tuple[Level, ...]
    body: MaskArray
    region: MaskArray
    interior: MaskArray
    body_grid: Grid
    device: torch.device

    @property
    def body_points(self) -> Points:
        """(n, 3) LPS mm: voxel centres of the body."""
        return self.body_grid.points(np.argwhere(self.body.numpy()).astype(np.float64))

    @property
    def body_volume_ml(self) -> float:
        """How much of the field of view the body fills."""
        return float(self.body.sum()) * float(np.prod(self.body_grid.spacing_mm)) / 1000

    def jittered_points(self, mask: MaskArray, count: int, seed: int) -> Points:
        """(about `count`, 3) LPS mm: points of a mask on `body_grid`, evenly spread, off every grid (no grid effects).

        The generator is local and seeded: no global state, the same points every time.
        """
        generator = np.random.default_rng(seed)
        inside = np.flatnonzero(mask.numpy())
        # One voxel of every so many, in their order: evenly spread, and what lies together is read together.
        drawn = inside[((np.arange(count) + generator.random(count)) * (len(inside) / count)).astype(np.int64)]
        voxels = np.stack(np.unravel_index(drawn, mask.shape), axis=1)
        jittered = voxels + generator.uniform(-0.5, 0.5, (count, 3))
        return self.body_grid.points(np.clip(jittered, 0, np.array(self.body_grid.shape) - 1))


def prepare(volume: Volume, spacings_mm: Sequence[float], role: str = "given") -> Prepared:
    """Make `volume` ready at the resolutions `spacings_mm`; voxels stay on its device, its own are not changed.

    Raises `UnusableVolumeError` that names the `role` (fixed, moving) of a volume without a body, or beyond what fits.
    """
    field, device = volume.grid, volume.device
    volume = read_in_slabs(volume, FINEST_MM, role)
    valid = torch.isfinite(volume.voxels)
    if volume.valid is not None:
        valid &= volume.valid
    (low, high), hounsfield, read = clip_range(volume, valid), is_hounsfield(volume), volume.grid
    clipped = torch.where(valid, volume.voxels, low).clamp_(low, high)
    del volume  # what was read of a large one is not needed beside the copy

    coarse, coarse_valid, body_grid = shrunk(clipped, valid, read, BODY_SPACING_MM)
    threshold = body_threshold(some_of(coarse, coarse_valid), hounsfield)
    body = body_mask(coarse, body_grid, threshold)
    if int(body.sum()) < MIN_BODY_VOXELS:
        raise UnusableVolumeError(f"the {role} image cannot be registered: it holds nothing that looks like a body")
    if hounsfield:
        _remove_couch(clipped, body, body_grid, low)
        coarse, _, _ = shrunk(clipped, valid, read, BODY_SPACING_MM)
    region = _with_margin(body, body_grid, BODY_MARGIN_MM) & coarse_valid.cpu()
    scale = IntensityScale.of(some_of(coarse, region.to(coarse.device)), low, high)

    levels = []
    for spacing_mm in spacings_mm:
        voxels, whole, grid = shrunk(clipped, valid, read, spacing_mm)
        levels.append(_level(scale(voxels), whole, grid))
    interior = ~_with_margin(~body, body_grid, SKIN_MM) & coarse_valid.cpu()
    if float(interior.sum()) < MIN_INTERIOR_SHARE * float(body.sum()):
        interior = region
    return Prepared(field, tuple(levels), body, region, interior, body_grid, device)


def _level(voxels: VoxelArray, valid: MaskArray, grid: Grid) -> Level:
    return Level(CellSampler.of(voxels, None if bool(valid.all()) else valid), grid)


def _with_margin(body: MaskArray, grid: Grid, margin_mm: float) -> MaskArray:
    grown = body.to(torch.float32)[None, None]
    for axis, spacing in enumerate(grid.spacing_mm):
        # One axis after the other: a box of any size for the price of three lines.
        reach = [round(margin_mm / spacing) if a == axis else 0 for a in range(3)]
        widths = [2 * r + 1 for r in reach]
        grown = torch.nn.functional.max_pool3d(grown, widths, stride=1, padding=reach)
    return grown[0, 0] > 0


def _remove_couch(voxels: VoxelArray, body: MaskArray, grid: Grid, air: float) -> None:
    """CT shows the couch and the head holder, no other modality does: what is not near the body becomes air, in place.

    Every voxel takes the answer of the nearest one of the coarser `grid`.
    """
    near = _with_margin(body, grid, COUCH_GAP_MM).to(voxels.device)
    places = [torch.arange(n, device=voxels.device) * m // n for n, m in zip(voxels.shape, near.shape, strict=True)]
    for part in slabs(voxels):
        away = ~near[places[0][part]][:, places[1]][:, :, places[2]]
        voxels[part].masked_fill_(away, air)
