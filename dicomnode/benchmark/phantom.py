"""A generated person in two contrasts: a small head for quick runs, a whole body of clinical size on disk.

Tissues are ellipsoids without symmetry, painted in order in LPS mm round the middle of the head.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import SimpleITK
import torch
from numpy.typing import NDArray
from scipy import ndimage

from fusion import Grid, Unit, Volume
from fusion.geometry.transform import AffineTransform
from fusion.types import Points

CONTRASTS: Mapping[str, Sequence[float]] = MappingProxyType(
    {
        "CT": (-1000.0, 40.0, 900.0, 35.0, 5.0, -800.0, 60.0),
        "MR": (5.0, 420.0, 40.0, 300.0, 90.0, 20.0, 180.0),
    }
)
NOISE: Mapping[str, float] = MappingProxyType({"CT": 10.0, "MR": 9.0})
AIR, SKIN, BONE, BRAIN, FLUID, LUNG, ORGAN = range(7)

Ellipsoid = tuple[int, tuple[float, float, float], tuple[float, float, float]]

BODY: Sequence[Ellipsoid] = (
    (SKIN, (0, 30, -420), (170, 105, 330)),
    (SKIN, (-85, 30, -1050), (75, 80, 480)),
    (SKIN, (85, 35, -1050), (75, 80, 480)),
    (LUNG, (-75, 20, -290), (55, 75, 110)),
    (LUNG, (78, 22, -280), (52, 75, 105)),
    (ORGAN, (-60, 10, -450), (80, 70, 60)),
    (ORGAN, (35, 0, -310), (45, 42, 45)),
    (FLUID, (10, 10, -700), (45, 40, 35)),
    (BONE, (-60, 40, -720), (30, 30, 50)),
    (BONE, (62, 40, -715), (30, 30, 50)),
    (BONE, (-88, 30, -1050), (16, 16, 400)),
    (BONE, (86, 34, -1050), (16, 16, 400)),
)
HEAD: Sequence[Ellipsoid] = (
    (SKIN, (0, 20, -110), (50, 55, 90)),
    (BONE, (0, 60, -350), (17, 18, 420)),
    (SKIN, (0, 0, 0), (74, 92, 84)),
    (SKIN, (4, -94, -22), (14, 18, 20)),
    (BONE, (0, 0, 0), (69, 86, 78)),
    (BRAIN, (0, 0, 0), (64, 79, 72)),
)


def tissues(points: Points, *, head_only: bool = True) -> NDArray[np.uint8]:
    """(…) the tissue at each of the points (…, 3)."""
    parts = [*HEAD] if head_only else [*BODY, *HEAD]
    generator = np.random.default_rng(3)
    for _ in range(40):
        centre, size = generator.uniform(-1, 1, 3) * (38, 50, 44), generator.uniform(5, 16, 3)
        parts.append((int(generator.choice((FLUID, ORGAN, SKIN))), tuple(centre), tuple(size)))
    labels = np.zeros(points.shape[:-1], dtype=np.uint8)
    for tissue, middle, radii in parts:
        labels[(((points - middle) / radii) ** 2).sum(axis=-1) < 1] = tissue
    return labels


def axial_grid(shape: tuple[int, int, int], spacing_mm: Sequence[float], centre_mm: Sequence[float]) -> Grid:
    """Slices towards the head, rows towards the back, columns to the left."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = (*spacing_mm, 1.0)
    affine[:3, 3] = np.asarray(centre_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def small_head(modality: str, moved_by: AffineTransform, seed: int) -> Volume:
    """The head at 3.5 mm; the patient lay moved by `moved_by`."""
    grid = axial_grid((58, 66, 56), (3.5, 3.5, 3.5), (0, 0, -5))
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1).astype(np.float64)
    contrast = np.asarray(CONTRASTS[modality])
    values = ndimage.gaussian_filter(contrast[tissues(moved_by.inverse()(grid.points(indices)))], 0.5)
    values = values + np.random.default_rng(seed).normal(0, NOISE[modality], grid.shape)
    unit = Unit.HU if modality == "CT" else Unit.ARBITRARY
    return Volume(torch.from_numpy(values.astype(np.float32)), grid, unit, modality)


def write_clinical(path: Path, modality: str, grid: Grid, moved_by: AffineTransform, seed: int) -> None:
    """A whole body (CT) or its head (MR) on `grid` as int16 NIfTI, made slab by slab from tissues at 4 mm."""
    generator, contrast = np.random.default_rng(seed), np.asarray(CONTRASTS[modality])
    voxels = np.empty(grid.shape, dtype=np.int16)
    rows, columns = (np.arange(0, n + 4, 4, dtype=np.float64) for n in grid.shape[1:])
    for first in range(0, grid.shape[0], 32):
        last = min(first + 32, grid.shape[0])
        slices = np.arange(first, last + 4, 4, dtype=np.float64)
        places = np.stack(np.meshgrid(slices, rows, columns, indexing="ij"), axis=-1)
        labels = tissues(moved_by.inverse()(grid.points(places)), head_only=modality == "MR")
        coarse = contrast[labels]
        fine = [np.arange(n) / 4 for n in (last - first, *grid.shape[1:])]
        values = _interpolated(coarse, fine)
        values += generator.normal(0, 12, values.shape).astype(np.float32)
        voxels[first:last] = np.clip(np.rint(values), -1024, 3071)
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetOrigin(grid.origin_mm.tolist())
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetDirection(np.ascontiguousarray(grid.direction[:, ::-1]).ravel().tolist())
    SimpleITK.WriteImage(image, str(path))


def _interpolated(coarse: NDArray[np.float64], fine: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Linear interpolation of a lattice at the outer product of fractional indices, axis by axis."""
    values = coarse.astype(np.float32)
    for axis, places in enumerate(fine):
        low = np.minimum(places.astype(int), values.shape[axis] - 2)
        weight = (places - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        values = np.take(values, low, axis) * (1 - weight) + np.take(values, low + 1, axis) * weight
    return values
