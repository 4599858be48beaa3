"""What a person looks at when a case is reviewed: a few small volumes, made once beside the results.

They are coarse enough to travel and to be drawn by a browser, and made of what the engines saw, so that who reviews
judges this registration and not another calculation of it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from fusion.display.windows import window_of
from fusion.geometry.smoothing import gaussian
from fusion.types import Affine4x4, VoxelArray
from fusion.volume import Grid, Unit, Volume

from .inputs import EncodeInputs
from .nifti import nifti_bytes

MOST_VOXELS = 8 << 20
MOST_ALONG = 256
"""Of a volume for looking: 16 MB, and a texture that every browser can hold."""

EDGE_SHARE = 0.92
"""Gradients larger than this share of all that are not zero count as edges."""

EDGE_SIGMA_VOXELS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVolume:
    """One of them: of which moving series (`position`), what it shows (`kind`), and the bytes of a .nii.gz file."""

    position: int
    kind: str
    data: bytes


def review_volumes(inputs: EncodeInputs) -> tuple[EncodedVolume, ...]:
    """The volumes of one pair; those that it does not have are left out."""
    return tuple(
        EncodedVolume(inputs.position, kind, data) for kind, make in KINDS.items() if (data := make(inputs)) is not None
    )


def _fixed(inputs: EncodeInputs) -> bytes:
    return _scalar(inputs.fixed)


def _moving(inputs: EncodeInputs) -> bytes:
    return _scalar(inputs.moving.volume)


def _moved(inputs: EncodeInputs) -> bytes:
    return _scalar(inputs.moving.moved)


def _fused(inputs: EncodeInputs) -> bytes:
    fused = inputs.moving.fused
    image = fused.image.float() if fused.is_colour else fused.image * 255.0
    smaller, affine = coarser(image, fused.grid)
    return nifti_bytes(smaller.clamp(0, 255).round().to(torch.uint8).numpy(), affine, window=(0.0, 255.0))


def _edges(inputs: EncodeInputs) -> bytes:
    moved = inputs.moving.moved
    window = window_of(moved)
    shown = ((moved.voxels - window.black) / (window.white - window.black)).clamp(0, 1)
    smaller, affine = coarser(shown, moved.grid)
    return nifti_bytes(edges_of(smaller).to(torch.uint8).numpy(), affine, window=(0.0, 1.0))


def _error(inputs: EncodeInputs) -> bytes | None:
    map_ = inputs.moving.registration.error_map
    if map_ is None:
        return None
    volume = map_.to("cpu")
    if volume.valid is not None:
        volume = replace(volume, voxels=torch.where(volume.valid, volume.voxels, 0.0))
    highest = max(float(volume.voxels.max()), 1e-3)
    return _encoded(volume.voxels, volume.grid, (0.0, highest), (0.0, highest))


KINDS: Mapping[str, Callable[[EncodeInputs], bytes | None]] = {
    "fixed": _fixed,
    "moving": _moving,
    "moved": _moved,
    "fused": _fused,
    "edges": _edges,
    "error": _error,
}
"""`moving` lies where its header says, `error` on the grid of the estimate, the others on the fixed grid."""


def coarser(voxels: torch.Tensor, grid: Grid) -> tuple[torch.Tensor, Affine4x4]:
    """`voxels` (slice, row, column[, channel]) as means of blocks, as few as needed, and the affine of those."""
    factors = [math.ceil(extent / MOST_ALONG) for extent in grid.shape]
    while math.prod(extent // factor for extent, factor in zip(grid.shape, factors, strict=True)) > MOST_VOXELS:
        sizes = [spacing * factor for spacing, factor in zip(grid.spacing_mm, factors, strict=True)]
        factors[sizes.index(min(sizes))] += 1
    factors = [min(factor, extent) for factor, extent in zip(factors, grid.shape, strict=True)]
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.points((np.array(factors, dtype=np.float64) - 1) / 2)
    affine[:3, :3] = affine[:3, :3] * factors
    kept = [extent // factor * factor for extent, factor in zip(grid.shape, factors, strict=True)]
    trimmed = voxels[: kept[0], : kept[1], : kept[2]].float()
    blocks = [n for extent, factor in zip(kept, factors, strict=True) for n in (extent // factor, factor)]
    return trimmed.reshape(*blocks, *voxels.shape[3:]).mean(dim=(1, 3, 5)), affine


def edges_of(voxels: VoxelArray) -> torch.Tensor:
    """Where the gradient is steep and steepest along its main axis: one voxel wide, bool."""
    smooth = gaussian(voxels.clone(), (EDGE_SIGMA_VOXELS,) * 3)
    parts = [_difference(smooth, axis) for axis in range(3)]
    steepness = torch.stack(parts).square().sum(0).sqrt()
    main = torch.stack(parts).abs().argmax(0)
    ridge = torch.zeros_like(steepness, dtype=torch.bool)
    for axis in range(3):
        before, after = steepness.roll(1, axis), steepness.roll(-1, axis)
        ridge |= (main == axis) & (steepness >= before) & (steepness > after)
    steep = steepness[steepness > 1e-4]
    if not len(steep):
        return ridge & False
    sample = steep[:: max(1, len(steep) // 1_000_000)]
    return ridge & (steepness > torch.quantile(sample, EDGE_SHARE))


def _difference(voxels: VoxelArray, axis: int) -> torch.Tensor:
    """Central differences; zero at the ends, where there is nothing beyond."""
    result = torch.zeros_like(voxels)
    inner = voxels.shape[axis] - 2
    if inner > 0:
        after, before = voxels.narrow(axis, 2, inner), voxels.narrow(axis, 0, inner)
        result.narrow(axis, 1, inner).copy_((after - before) / 2)
    return result


def _scalar(volume: Volume) -> bytes:
    window = window_of(volume)
    smaller, affine = coarser(volume.voxels, volume.grid)
    slices, rows, columns = smaller.shape
    within = replace(volume.grid, shape=(slices, rows, columns), affine=affine)
    if volume.unit is Unit.HU:
        return _encoded(smaller, within, (window.black, window.white), (-32768.0, 32767.0))
    return _encoded(smaller, within, (window.black, window.white), (float(smaller.min()), float(smaller.max())))


def _encoded(voxels: VoxelArray, grid: Grid, window: tuple[float, float], limits: tuple[float, float]) -> bytes:
    """int16 over `limits`; over the whole range of int16 a voxel is its number."""
    low, high = limits
    slope = max((high - low) / 65535.0, 1e-12)
    intercept = low + 32768.0 * slope
    stored = ((voxels - intercept) / slope).nan_to_num().round().clamp(-32768, 32767).to(torch.int16)
    return nifti_bytes(stored.numpy(), grid.affine, scale=(slope, intercept), window=window)
