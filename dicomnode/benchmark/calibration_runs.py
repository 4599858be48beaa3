"""Registrations with a known answer, on which the estimate of the error is calibrated.

Real pairs in which the moving image is put elsewhere by an exactly known motion, and one of the two images is spoilt:
noise, a bias field, blur, thick slices, a cut field of view, another contrast curve, a stretch. What is stated of the
pairs themselves is good to some millimetres only, so that each pair carries what is open about it (`open_mm`), which
is added to the error in quadrature.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from fusion import Grid, Registration, Volume, register
from fusion.geometry.transform import AffineTransform

from ..load import load_input
from .offsets import CHANGES, generator_of, moved_volume, random_motion
from .pairs import HEADS, PATIENTS, TEMPLATES, TUMOURS, needed, without_frame
from .records import Row
from .target_error import body_points

AVERAGES = ("T1", *TEMPLATES)
AVERAGED, VOLUNTEER = "averages", "volunteer"


@dataclass(frozen=True, slots=True)
class Known:
    """A pair by the names of its images, whom it shows, and what is known of it.

    `stated` False: the truth is where an unspoilt pair is found. Another program finds it elsewhere, by √2 times
    `open_mm` (mean) and `open_p95_mm`: of two that disagree each errs by so much, if neither is better. Where three
    were asked (both pairs of scans without PD) it is the one in the middle. Else the truth is the header's.
    """

    fixed: str
    moving: str
    person: str
    stated: bool = True
    open_mm: float = 0.0
    open_p95_mm: float = 0.0

    @property
    def name(self) -> str:
        """For records."""
        return f"{self.fixed} {self.moving}"


PAIRS: tuple[Known, ...] = (
    *(Known(one, other, AVERAGED) for k, one in enumerate(AVERAGES) for other in AVERAGES[k + 1 :]),
    Known("one T1", "one PD", VOLUNTEER, stated=False, open_mm=0.14, open_p95_mm=0.23),
    Known("one T1", "supine", VOLUNTEER, stated=False, open_mm=0.22, open_p95_mm=0.36),
    Known("supine", "one PD", VOLUNTEER, stated=False, open_mm=0.30, open_p95_mm=0.50),
    Known("supine", "prone", VOLUNTEER, stated=False, open_mm=0.35, open_p95_mm=0.48),
    *(Known(f"{patient} CT", f"{patient} PET", patient) for patient in PATIENTS),
)
"""Averaged heads in one space; one person (by all signs) in four scans; three patients in hybrid examinations."""


@cache
def image(name: str, data: Path | None) -> Volume:
    """An image of the pairs, in a Frame of Reference of its own."""
    folder = needed(data)
    heads = folder / HEADS
    if name == "T1":
        return _file(heads / "tplCT_fixed.nii.gz", "MR")
    if name in TEMPLATES:
        return _file(heads / f"{name}_moving.nii.gz", TEMPLATES[name])
    if name.startswith("one "):
        return _file(heads / f"chrisPD_{'fixed' if name == 'one T1' else 'moving'}.nii.gz", "MR")
    if name in ("supine", "prone"):
        return _file(folder / "mr_positions" / ("HFS_t1" if name == "supine" else "HFP_t1"), "MR")
    patient, _, series = name.partition(" ")
    return without_frame(load_input(folder / TUMOURS / patient / series / "image").volume)


def _file(path: Path, modality: str) -> Volume:
    return replace(without_frame(load_input(path).volume), modality=modality)


def thick(volume: Volume, generator: np.random.Generator) -> Volume:
    """Means over two to four neighbouring slices, about as thick slices show them."""
    factor = int(generator.integers(2, 5))
    if volume.grid.shape[0] < 6 * factor:
        factor = 2
    count = volume.grid.shape[0] // factor
    voxels = volume.voxels[: count * factor].reshape(count, factor, *volume.grid.shape[1:]).mean(dim=1)
    affine = volume.grid.affine.copy()
    affine[:3, 0] *= factor
    affine[:3, 3] = volume.grid.points(np.array(((factor - 1) / 2, 0.0, 0.0)))
    return replace(volume, voxels=voxels.contiguous(), grid=Grid((count, *volume.grid.shape[1:]), affine), valid=None)


def recoloured(volume: Volume, generator: np.random.Generator) -> Volume:
    """The values above the least to a power between 0.4 and 2.5 of their range."""
    low, high = (float(v) for v in torch.aminmax(volume.voxels))
    power = float(np.exp(generator.uniform(-0.9, 0.9)))
    share = ((volume.voxels - low) / max(high - low, 1e-9)).clamp(0, 1)
    return replace(volume, voxels=share**power * (high - low) + low)


def very_noisy(volume: Volume, generator: np.random.Generator) -> Volume:
    """White noise, half to twice the spread of the values, over the whole image."""
    values = volume.voxels
    scale = float(generator.uniform(0.5, 2.0)) * float(values[values > values.mean()].std())
    noise = generator.normal(0, scale, volume.grid.shape).astype(np.float32)
    return replace(volume, voxels=values + torch.from_numpy(noise))


def stretched(volume: Volume, generator: np.random.Generator) -> Volume:
    """Axes scaled by up to 5 % each, as a worn gradient calibration does: a rigid transform cannot follow."""
    scales = 1 + generator.uniform(-0.05, 0.05, 3) * generator.uniform()
    centre = volume.grid.centre_mm
    affine = volume.grid.affine.copy()
    affine[:3] = np.diag(scales) @ affine[:3]
    affine[:3, 3] += centre - np.diag(scales) @ centre
    return replace(volume, grid=Grid(volume.grid.shape, affine))


Spoil = Callable[[Volume, np.random.Generator], Volume]

SPOILT: Mapping[str, Spoil] = MappingProxyType(
    {
        **CHANGES,
        "thick": thick,
        "recoloured": recoloured,
        "very noisy": very_noisy,
        "stretched": stretched,
    }
)
ROUND: tuple[tuple[str, str], ...] = (
    ("none", "as scanned"), ("noisy", "near"), ("stretched", "middle"), ("cut away", "near"), ("very noisy", "near"),
    ("shaded", "middle"), ("thick", "near"), ("blurred", "middle"), ("recoloured", "near"), ("stretched", "near"),
    ("none", "middle"), ("cut away", "middle"), ("very noisy", "middle"),
)  # fmt: skip
"""What is done in the runs of a pair, one after the other, and how far the moving image is put away."""


@dataclass(frozen=True, slots=True)
class Run:
    """One registration: pair, what is spoilt, how far it is put, and which number it has."""

    pair: Known
    change: str
    level: str
    index: int

    @property
    def key(self) -> str:
        """Unique, and the same each time."""
        return "/".join((self.pair.name, self.change, self.level, str(self.index)))


def runs(rounds: int) -> Iterator[Run]:
    """The runs of all pairs by turns, each spoilt in another way, so that any beginning of them is balanced."""
    for index in range(rounds):
        for step in range(len(ROUND)):
            for number, pair in enumerate(PAIRS):
                yield Run(pair, *ROUND[(step + number) % len(ROUND)], index)


@cache
def truth_of(pair: Known, data: Path | None) -> AffineTransform:
    """Fixed to moving points of the images as they are stored."""
    if pair.stated:
        return AffineTransform.identity()
    found = register(image(pair.fixed, data), image(pair.moving, data), "rigid").transform
    return found.affine


def carried_out(run: Run, data: Path | None) -> Row:
    """The signs of a run beside its true error over the body, in mm."""
    pair = run.pair
    truth = truth_of(pair, data)
    sides = [image(pair.fixed, data), image(pair.moving, data)]
    generator = generator_of(pair.name, run.change, run.level, run.index)
    spoilt = int(generator.integers(2))
    before = sides[spoilt].grid
    sides[spoilt] = SPOILT[run.change](sides[spoilt], generator)
    truth = _followed(truth, before, sides[spoilt].grid, spoilt) if run.change == "stretched" else truth
    points = body_points(sides[0], sides[1], truth)
    motion = random_motion(sides[1], run.level, pair.name, run.index)
    found = register(sides[0], moved_volume(sides[1], motion), "rigid")
    apart = np.linalg.norm(found.transform(points) - truth.then(motion)(points), axis=1)
    mean, p95, most = float(apart.mean()), float(np.quantile(apart, 0.95)), float(apart.max())
    return {
        "key": run.key,
        "pair": pair.name,
        "person": pair.person,
        "change": run.change,
        "level": run.level,
        "error_mm": round(float(np.hypot(mean, pair.open_mm)), 3),
        "error_p95_mm": round(float(np.hypot(p95, pair.open_p95_mm)), 3),
        "error_max_mm": round(most, 3),
        **said_of(found),
    }


def said_of(found: Registration) -> Row:
    """What a registration says of itself, for a table."""
    return {
        "similarity": round(found.similarity, 5),
        "converged": int(found.converged),
        **{name: round(value, 4) for name, value in found.measures.items()},
    }


def _followed(truth: AffineTransform, before: Grid, after: Grid, side: int) -> AffineTransform:
    """The truth when one side was stretched: the same voxels show the same tissue."""
    change = AffineTransform(after.affine @ np.linalg.inv(before.affine))
    return truth.then(change) if side else change.inverse().then(truth)
