"""Heads bent in a known way: what deformable registrars are measured with.

A smooth random warp: Gaussian noise, low-passed, scaled to a mean length over the head. The moving image is the fixed
one seen through the warp, with the same contrast (under a bias field) or another one (remapped without order), and
with noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from fusion.geometry import PointMap, gaussian, resample
from fusion.geometry.displacement import DisplacementTransform, millimetre_vectors
from fusion.geometry.jacobian import jacobian_of_map
from fusion.geometry.transform import AffineTransform
from fusion.registration.preparation import prepare
from fusion.types import Points
from fusion.volume import Grid, Volume

SPACING_MM = 1.5
SIGMA_MM = 16.0
MEAN_MM = 5.0
POINTS = 20_000
NOISE = 0.02
"""Standard deviation, of the range of values that the head has."""

BIAS = 0.3
"""The bias field runs between 1 - BIAS and 1 + BIAS."""

REMAPPED: Sequence[tuple[float, float]] = (
    (0.0, 0.0), (0.08, 0.1), (0.22, 0.85), (0.4, 0.35), (0.55, 0.7), (0.75, 0.2), (1.0, 0.95),
)  # fmt: skip
"""Old value and new value: neither rising nor falling, air stays dark."""


@dataclass(frozen=True, slots=True, eq=False)
class WarpedPair:
    """A fixed image, the same seen through `warp` (moving to fixed points), and points (n, 3) of the head."""

    fixed: Volume
    moving: Volume
    warp: DisplacementTransform
    points: Points


@dataclass(frozen=True, slots=True)
class WarpError:
    """|warp(T(x)) - x| over the points in mm, and the Jacobian determinant of T there."""

    mean_mm: float
    p95_mm: float
    max_mm: float
    folded_share: float
    min_jacobian: float


def warped_pair(
    volume: Volume,
    *,
    other_contrast: bool,
    seed: int = 1,
    spacing_mm: float = SPACING_MM,
    sigma_mm: float = SIGMA_MM,
    mean_mm: float = MEAN_MM,
) -> WarpedPair:
    """Bend `volume` (a head), sampled at `spacing_mm`."""
    generator = np.random.default_rng(seed)
    source = resample(volume, AffineTransform.identity(), evenly_spaced(volume.grid, spacing_mm))
    source = replace(source, valid=None)
    points = prepare(source, ()).body_points
    warp = smooth_warp(source.grid, points, generator, sigma_mm, mean_mm)
    bent = resample(source, warp, source.grid)
    low, high = (float(np.quantile(source.voxels.numpy(), q)) for q in (0.001, 0.999))
    values = ((bent.voxels - low) / (high - low)).clamp(0, 1.2)
    values = remapped(values) if other_contrast else values * bias_field(source.grid, generator)
    noise = torch.from_numpy(generator.normal(0, NOISE, source.grid.shape).astype(np.float32))
    moving = replace(bent, voxels=(values + noise).float(), valid=None)
    chosen = generator.permutation(len(points))[:POINTS]
    jitter = generator.uniform(-2, 2, (len(chosen), 3))
    return WarpedPair(source, moving, warp, points[chosen] + jitter)


def smooth_warp(
    grid: Grid, head: Points, generator: np.random.Generator, sigma_mm: float, mean_mm: float
) -> DisplacementTransform:
    """Noise under a Gaussian of `sigma_mm`, of mean length `mean_mm` over `head`.

    It goes on beyond the field of view, so that it can be undone up to the border.
    """
    grid = beyond(grid, 2 * sigma_mm)
    noise = torch.from_numpy(generator.normal(size=(3, *grid.shape)).astype(np.float32))
    sigmas = [sigma_mm / spacing for spacing in grid.spacing_mm]
    ones = torch.ones(grid.shape, dtype=torch.bool)
    field = torch.stack([gaussian(part, sigmas, ones) for part in noise])
    warp = DisplacementTransform(millimetre_vectors(field, grid), grid)
    length = float(np.linalg.norm(warp.displacement_at(head), axis=1).mean())
    return DisplacementTransform(warp.displacement * (mean_mm / length), grid)


def error_of(pair: WarpedPair, found: PointMap) -> WarpError:
    """How far `found` (fixed to moving points) is from undoing the warp."""
    error = np.linalg.norm(pair.warp(found(pair.points)) - pair.points, axis=1)
    jacobian = jacobian_of_map(found, pair.points, pair.fixed.grid)
    return WarpError(
        float(error.mean()),
        float(np.quantile(error, 0.95)),
        float(error.max()),
        float((jacobian <= 0).mean()),
        float(jacobian.min()),
    )


def evenly_spaced(grid: Grid, spacing_mm: float) -> Grid:
    """The field of view of `grid` in cubes."""
    extents = [max(3, round(size / spacing_mm)) for size in grid.size_mm]
    affine = grid.affine.copy()
    affine[:3, :3] = grid.direction * spacing_mm
    first = (np.array([spacing_mm / spacing for spacing in grid.spacing_mm]) - 1) / 2
    affine[:3, 3] = grid.points(first)
    return Grid((extents[0], extents[1], extents[2]), affine, grid.frame_of_reference_uid)


def beyond(grid: Grid, margin_mm: float) -> Grid:
    """`grid` with further voxels on every side."""
    margins = [math.ceil(margin_mm / spacing) for spacing in grid.spacing_mm]
    affine = grid.affine.copy()
    affine[:3, 3] = grid.points(-np.array(margins, dtype=np.float64))
    slices, rows, columns = (n + 2 * margin for n, margin in zip(grid.shape, margins, strict=True))
    return Grid((slices, rows, columns), affine, grid.frame_of_reference_uid)


def remapped(values: torch.Tensor) -> torch.Tensor:
    """Values 0 … 1 in another contrast, whose order is another."""
    old, new = np.array(REMAPPED).T
    return torch.from_numpy(np.interp(values.numpy(), old, new).astype(np.float32))


def bias_field(grid: Grid, generator: np.random.Generator) -> torch.Tensor:
    """A smooth factor about 1, as a coil has it."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape), indexing="ij")
    weights = generator.normal(size=3)
    weights /= np.abs(weights).sum()
    slope = sum(weight * axis for weight, axis in zip(weights, axes, strict=True))
    return torch.from_numpy((1 + BIAS * slope).astype(np.float32))
