"""What the images themselves say for a pose: it must match clearly better than any other one round about.

An estimate of the error says how far a pose moves when it is refined again; where there is nothing to see it need not
move at all. So the similarity at the pose is set against that of displaced poses, its rivals: near ones, that a wrong
pose would lose against, far ones, that show how alike these images are by chance, and those that are turned half
round, as they would be if a header named the wrong side (`mirror` looks at mirrored ones). All are looked at with
samples that no refinement has seen. The pose itself is looked at off its exact place, by less than a voxel: on equal
grids, interpolation alone makes the exact place look better than it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from .objective import INDEPENDENT, Objective, Poses
from .search import FINE, Frame

STAGE = replace(FINE, samples=8000, bins=24)
"""Few samples, and so fewer bins: as many a bin as elsewhere, or chance alone would make all poses look alike."""

NEAR_MM = (5.0, 10.0, 16.0)
NEAR_DIRECTIONS = 14
FAR_MM = (20.0, 60.0)
FAR_COUNT = 48
FLIPS = ((-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, -1.0, -1.0))
FLIP_ASIDE_MM = (-8.0, 0.0, 8.0)
JITTERS = 4
MAX_JITTER_MM = 2.0
"""At most this far off its place in each direction, however large the voxels: less than the nearest rival."""

MAX_NEAR_RIVAL_RATIO = 1.0
"""No pose moved by 5 to 16 mm may match as well as the one that is judged. Pairs of one patient that lie right measured
0.8 to 0.97; true shifts of 4 to 8 mm in noisy PET 1.03 and more, noise 1.1 and more."""

MAX_FAR_RIVAL_RATIO = 0.85
"""How well poses 20 to 60 mm away match is what these images owe to chance and to mere size. Pairs that lie right
measured 0.1 to 0.8, noise 1.2 and more."""

MIN_RIVALS_COMPARED_RATIO = 0.25
"""Fewer far poses than this inside the field of view show nothing."""

NOTHING_SEEN = 1e-9
NO_EVIDENCE = 10.0
"""A ratio beyond which it does not matter how bad it is; keeps the measures finite where there is nothing at all."""


@dataclass(frozen=True, slots=True)
class Rivals:
    """How near the best other poses come to the pose (1: as good), and which share of the far ones was compared."""

    near_ratio: float
    near_distance_mm: float
    far_ratio: float
    flipped_ratio: float
    compared_ratio: float

    @property
    def confirm(self) -> bool:
        """Whether the images show that it lies here rather than elsewhere."""
        return (
            self.near_ratio < MAX_NEAR_RIVAL_RATIO
            and self.far_ratio <= MAX_FAR_RIVAL_RATIO
            and self.compared_ratio >= MIN_RIVALS_COMPARED_RATIO
        )

    @property
    def measures(self) -> Mapping[str, float]:
        """By the names under which a registration carries them."""
        return {
            "near_rival_ratio": self.near_ratio,
            "near_rival_distance_mm": self.near_distance_mm,
            "far_rival_ratio": self.far_ratio,
            "flipped_rival_ratio": self.flipped_ratio,
            "rivals_compared_ratio": self.compared_ratio,
        }


def rivals_of(frame: Frame, pose: Poses) -> Rivals:
    """Compare one pose with its rivals: moved, and turned about the centre of the body by as many mm."""
    objective = replace(frame, seed=frame.seed + 301).objective(STAGE)
    generator = np.random.default_rng(frame.seed + 302)
    jitter_mm = np.minimum(np.array(frame.moving.levels[STAGE.level].grid.spacing_mm).max() / 2, MAX_JITTER_MM)
    half = generator.uniform(-jitter_mm, jitter_mm, (JITTERS // 2, 3))
    jitters = np.concatenate([half, -half])
    moves = np.concatenate([mm * directions(NEAR_DIRECTIONS) for mm in NEAR_MM])
    turns = np.concatenate([mm * np.concatenate([np.eye(3), -np.eye(3)]) for mm in NEAR_MM]) / frame.radius_mm
    near = _moved(pose, moves).joined(_moved(pose, np.zeros_like(turns), turns))
    far = _moved(pose, directions(FAR_COUNT) * generator.uniform(*FAR_MM, (FAR_COUNT, 1)))

    here = max(float(_seen(objective, pose, jitters)[0]) - INDEPENDENT, NOTHING_SEEN)
    near_value = _seen(objective, near, jitters)
    far_value, far_inside = objective.value(far)
    exact = max(float(objective.value(pose)[0][0]) - INDEPENDENT, here)  # the flipped ones are looked at no worse
    flipped_value, _ = objective.value(_flipped(pose))
    best = int(torch.argmax(near_value))
    distances = np.concatenate([np.linalg.norm(moves, axis=1), np.linalg.norm(turns, axis=1) * frame.radius_mm])
    return Rivals(
        near_ratio=min((float(near_value[best]) - INDEPENDENT) / here, NO_EVIDENCE),
        near_distance_mm=float(distances[best]),
        far_ratio=min((float(far_value.max()) - INDEPENDENT) / here, NO_EVIDENCE),
        flipped_ratio=min((float(flipped_value.max()) - INDEPENDENT) / exact, NO_EVIDENCE),
        compared_ratio=float((far_inside >= frame.min_inside).to(torch.float64).mean()),
    )


def _flipped(pose: Poses) -> Poses:
    """The body turned half round about its centre in three ways, each also a little aside, for no body is symmetric."""
    aside = torch.cartesian_prod(*[torch.tensor(FLIP_ASIDE_MM, dtype=torch.float64)] * 3)
    linear = torch.stack([torch.diag(torch.tensor(signs, dtype=torch.float64)) for signs in FLIPS])
    many = _moved(pose, np.zeros((len(FLIPS) * len(aside), 3)))
    return many.followed(linear.repeat_interleave(len(aside), 0), aside.repeat(len(FLIPS), 1))


def _seen(objective: Objective, poses: Poses, jitters_mm: NDArray[np.float64]) -> torch.Tensor:
    """(poses,): the mean similarity round about each pose."""
    still = torch.zeros(len(poses), 3, dtype=torch.float64)
    shifts = torch.from_numpy(jitters_mm)
    values = [objective.value(poses.turned(still, shift.expand(len(poses), 3)))[0] for shift in shifts]
    return torch.stack(values).mean(dim=0)


def directions(count: int) -> NDArray[np.float64]:
    """(count, 3): unit vectors spread evenly over the sphere, along a spiral; none lies along an axis of a grid."""
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (1 + np.sqrt(5)) * np.arange(count) + 0.3
    across = np.sqrt(1 - height**2)
    spiral: NDArray[np.float64] = np.stack([across * np.cos(angle), across * np.sin(angle), height], axis=1)
    return spiral


def _moved(pose: Poses, moves_mm: NDArray[np.float64], turns_rad: NDArray[np.float64] | None = None) -> Poses:
    turns = np.zeros_like(moves_mm) if turns_rad is None else turns_rad
    count = len(moves_mm)
    many = Poses(pose.rotation.repeat(count, 1, 1), pose.translation_mm.repeat(count, 1), pose.centre_mm)
    return many.turned(torch.from_numpy(turns), torch.from_numpy(moves_mm))
