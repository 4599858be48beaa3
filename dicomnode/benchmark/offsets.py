"""How a moving image is put elsewhere, and what else is done to it, each time the same for the same seed."""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from scipy import ndimage

from fusion import Grid, Volume
from fusion.geometry.transform import AffineTransform

from .target_error import body_mask

SEED = 2026

LEVELS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"as scanned": (0.0, 0.0), "near": (10.0, 20.0), "middle": (30.0, 40.0), "far": (90.0, 80.0), "flip": (10.0, 20.0)}
)
"""Each component of the rotation vector is within so many degrees, each of the shift within so many mm; "flip" turns
by 180 degrees about one axis after the other on top of that."""

CUT_SHARE = 0.3


def generator_of(*names: str | int) -> np.random.Generator:
    """The random numbers that belong to these names."""
    return np.random.default_rng([SEED, zlib.crc32("/".join(map(str, names)).encode())])


def random_motion(moving: Volume, level: str, pair: str, index: int) -> AffineTransform:
    """The motion of the patient between the scans, about the middle of the moving image."""
    turn_deg, shift_mm = LEVELS[level]
    generator = generator_of(pair, level, index)
    turn = np.radians(generator.uniform(-turn_deg, turn_deg, 3))
    shift = generator.uniform(-shift_mm, shift_mm, 3)
    centre = moving.grid.centre_mm.tolist()
    motion = AffineTransform.rigid(turn.tolist(), shift.tolist(), centre)
    if level == "flip":
        half = [math.pi if axis == index % 3 else 0.0 for axis in range(3)]
        return AffineTransform.rigid(half, (0.0, 0.0, 0.0), centre).then(motion)
    return motion


def moved_volume(volume: Volume, motion: AffineTransform) -> Volume:
    """The volume as if the patient had been moved: not one voxel changes, and the truth is exact."""
    return replace(volume, grid=Grid(volume.grid.shape, motion.matrix @ volume.grid.affine))


Change = Callable[[Volume, np.random.Generator], Volume]


def cut_away(volume: Volume, generator: np.random.Generator) -> Volume:
    """30 % of the body's extent removed at one end of one axis."""
    axis, from_start = int(generator.integers(3)), bool(generator.integers(2))
    body = np.flatnonzero(body_mask(volume).any(axis=tuple(k for k in range(3) if k != axis)))
    first, last = int(body[0]), int(body[-1]) + 1
    cut = round(CUT_SHARE * (last - first))
    kept = [slice(None)] * 3
    kept[axis] = slice(first + cut, None) if from_start else slice(0, last - cut)
    return cropped(volume, (kept[0], kept[1], kept[2]))


def cropped(volume: Volume, kept: tuple[slice, slice, slice]) -> Volume:
    """A part of the volume, where it was."""
    starts = [part.indices(n)[0] for part, n in zip(kept, volume.grid.shape, strict=True)]
    voxels = volume.voxels[kept].contiguous()
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.points(np.array(starts, dtype=np.float64))
    grid = Grid((voxels.shape[0], voxels.shape[1], voxels.shape[2]), affine, volume.grid.frame_of_reference_uid)
    valid = None if volume.valid is None else volume.valid[kept].contiguous()
    return replace(volume, voxels=voxels, grid=grid, valid=valid)


def noisy(volume: Volume, generator: np.random.Generator) -> Volume:
    """White noise of a fifth of the body's range on top."""
    values = volume.voxels.numpy()
    low, high = np.percentile(values[body_mask(volume)], (5, 95))
    noise = generator.normal(0, 0.2 * (high - low), values.shape).astype(np.float32)
    return replace(volume, voxels=torch.from_numpy(values + noise))


def shaded(volume: Volume, generator: np.random.Generator) -> Volume:
    """A smooth field between about 0.6 and 1.4 multiplies what is above the smallest value, as a surface coil does."""
    coarse = ndimage.gaussian_filter(generator.normal(size=(9, 9, 9)), 2)
    coarse *= 0.4 / np.abs(coarse).max()
    factors = [n / 9 for n in volume.grid.shape]
    field = 1 + ndimage.zoom(coarse, factors, order=1, mode="nearest", grid_mode=True)
    values = volume.voxels.numpy()
    least = float(values.min())
    return replace(volume, voxels=torch.from_numpy(((values - least) * field + least).astype(np.float32)))


def blurred(volume: Volume, _generator: np.random.Generator) -> Volume:
    """A point spread 6 mm wide more than before."""
    sigmas = [2.5 / spacing for spacing in volume.grid.spacing_mm]
    values = ndimage.gaussian_filter(volume.voxels.numpy(), sigmas)
    return replace(volume, voxels=torch.from_numpy(values.astype(np.float32)))


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "none": lambda volume, _generator: volume,
        "cut away": cut_away,
        "noisy": noisy,
        "shaded": shaded,
        "blurred": blurred,
    }
)
