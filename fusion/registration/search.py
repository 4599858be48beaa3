"""The way from many starts to one pose: coarse for all of them, finer for fewer."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry.transform import AffineTransform
from ..types import Points
from ..volume import Grid
from .distance import thinned
from .objective import INDEPENDENT, Objective, Poses
from .optimise import RIGID, Ascent, ascend
from .preparation import Prepared


@dataclass(frozen=True, slots=True)
class Stage:
    """One resolution of the search: which level, how many samples and bins, how far steps go, how many go on."""

    level: int
    samples: int
    bins: int
    first_step_mm: float
    tolerance_mm: float
    max_iterations: int
    kept: int
    interior: bool = False


COARSE = Stage(level=0, samples=2500, bins=16, first_step_mm=8.0, tolerance_mm=0.4, max_iterations=30, kept=8)
MIDDLE = Stage(level=1, samples=15_000, bins=24, first_step_mm=3.0, tolerance_mm=0.05, max_iterations=40, kept=3)
FINE = Stage(2, 100_000, 32, first_step_mm=1.0, tolerance_mm=0.01, max_iterations=40, kept=3, interior=True)

HILLS = replace(MIDDLE, samples=10_000, tolerance_mm=0.2, max_iterations=25)
ROUGH = replace(FINE, samples=25_000, tolerance_mm=0.05, max_iterations=15)
"""Both levels for hills of which all but one are false: those have no sharp top, and take the most steps."""

MAY_WIN = 0.8
"""A hill of so much of the best one's worth is looked at with all samples."""

WITH_OUTLINE = replace(FINE, interior=False, samples=40_000)
"""The finest level with the skin: it tells sides apart, where the interior tells millimetres."""

SPACINGS_MM = (8.0, 4.0, 2.0)

FACE_MM = 2.0
"""One voxel of the finest level: samples nearer than this to a face of either field of view say nothing at the end.
There the weight of a sample changes with the pose, which draws images that end in one plane apart, by 0.2 mm."""

LEAST_INNER_SHARE = 0.5
"""Of the samples: where more lie at a face, as in a thin slab, all of them are kept."""

HEADER_TRUST = 0.9
"""What a pose that contradicts the header's orientation keeps of its similarity when poses are compared. True flips of
heads differ from false ones by a factor of two and more; near ties are settled by the header."""

FAR_TURN_DEG = 45.0

SAME_POSE_MM = 6.0
"""Poses nearer than this (mean over the body) at the coarse level climb the same hill."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A pair made ready, with the centre about which its poses turn and the seed of its samples."""

    fixed: Prepared
    moving: Prepared
    body_points: Points
    centre_mm: Points
    min_inside: float
    seed: int
    _made: dict[tuple[int, int, int, bool], Objective] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, fixed: Prepared, moving: Prepared, min_inside: float, seed: int) -> "Frame":
        """The frame of a pair; poses turn about the centre of the fixed body."""
        points = fixed.body_points
        return cls(fixed, moving, thinned(points), points.mean(axis=0), min_inside, seed)

    @property
    def radius_mm(self) -> float:
        """Root mean square distance of the body from the centre."""
        return float(np.sqrt(((self.body_points - self.centre_mm) ** 2).sum(axis=1).mean()))

    def points(self, stage: Stage) -> Points:
        """The fixed points at which a stage samples."""
        mask = self.fixed.interior if stage.interior else self.fixed.region
        return self.fixed.jittered_points(mask, stage.samples, self.seed + stage.level)

    def objective(self, stage: Stage, points: Points | None = None) -> Objective:
        """The similarity at a stage, at its own points (made once) or at `points`."""
        if points is not None:
            return self._objective(stage, points)
        key = (stage.level, stage.samples, stage.bins, stage.interior)
        if key not in self._made:
            self._made[key] = self._objective(stage, self.points(stage))
        return self._made[key]

    def _objective(self, stage: Stage, points: Points) -> Objective:
        return Objective.at(
            points,
            self.centre_mm,
            self.fixed.levels[stage.level],
            self.moving.levels[stage.level],
            bins=stage.bins,
            min_inside=self.min_inside,
        )

    def climb(
        self, stage: Stage, poses: Poses, points: Points | None = None, generators: torch.Tensor = RIGID
    ) -> Ascent:
        """Refine `poses` at a stage."""
        return ascend(
            self.objective(stage, points),
            poses,
            radius_mm=self.radius_mm,
            first_step_mm=stage.first_step_mm,
            tolerance_mm=stage.tolerance_mm,
            max_iterations=stage.max_iterations,
            generators=generators,
        )

    def inner_points(self, stage: Stage, pose: AffineTransform) -> Points:
        """(n, 3) LPS mm: the points of a stage that under `pose` are off the faces of both fields of view."""
        points = self.points(stage)
        fixed, moving = (side.levels[stage.level].grid for side in (self.fixed, self.moving))
        inner = _off_faces(fixed, points) & _off_faces(moving, pose(points))
        return points[inner] if inner.mean() >= LEAST_INNER_SHARE else points

    def settle(self, pose: Poses, generators: torch.Tensor = RIGID) -> Ascent:
        """The last climb, of one pose, without the samples at the faces; its similarity is that of all samples."""
        ended = self.climb(FINE, pose, self.inner_points(FINE, pose.transform(0)), generators)
        similarity, _ = self.objective(FINE).value(ended.poses)
        return replace(ended, similarity=similarity)


def _off_faces(grid: Grid, points: Points) -> NDArray[np.bool_]:
    """(n,): which points lie at least `FACE_MM` within the outermost voxel centres of a grid."""
    indices = grid.indices(points)
    margin = FACE_MM / np.array(grid.spacing_mm)
    off = (indices >= margin) & (indices <= np.array(grid.shape) - 1 - margin)
    return np.asarray(off.all(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The refined poses, best first, with their similarities.

    `worth`, relative to the best, is by what they are ordered; `runner_up_ratio` is that of the best pose on another
    hill, `runner_up_distance_mm` away; `agreeing` of the `climbed` starts came to the best at the coarse level.
    """

    poses: Poses
    similarity: torch.Tensor
    worth: torch.Tensor
    runner_up_ratio: float
    runner_up_distance_mm: float
    agreeing: int
    climbed: int
    iterations: int
    converged: bool


def search(frame: Frame, groups: Sequence[Poses], climbing: int) -> Found:
    """Climb from the `climbing` best starts of each group at the coarse level, then from ever fewer at finer ones.

    Neighbouring starts are thinned, so that the ones that climb are different; the first of all always climbs.
    """
    objective = frame.objective(COARSE)
    chosen = groups[0][:1]
    for starts in groups:
        value, _ = objective.value(starts)
        chosen = chosen.joined(starts[distinct(starts, value, frame.body_points, SAME_POSE_MM * 2, climbing)])
    coarse = frame.climb(COARSE, chosen)
    kept = distinct(coarse.poses, coarse.similarity, frame.body_points, SAME_POSE_MM, COARSE.kept)
    best = coarse.poses[kept[:1]]
    near = gaps_mm(best, coarse.poses, frame.body_points)[0] < SAME_POSE_MM

    middle = frame.climb(HILLS, coarse.poses[kept])
    hills = distinct(middle.poses, middle.similarity, frame.body_points, SAME_POSE_MM / 2, MIDDLE.kept)
    ended, similarity, worth, iterations = _by_worth(frame, middle.poses[hills])
    last = frame.settle(ended[:1])
    poses, worth = last.poses.joined(ended[1:]), worth / worth[0].clamp_min(1e-9)
    apart = gaps_mm(poses[:1], poses, frame.body_points)[0]
    others = torch.nonzero(apart > SAME_POSE_MM / 2)[:, 0]
    runner_up = int(others[0]) if len(others) else None
    return Found(
        poses,
        torch.cat([last.similarity, similarity[1:]]),
        worth,
        0.0 if runner_up is None else float(worth[runner_up]),
        0.0 if runner_up is None else float(apart[runner_up]),
        int(near.sum()),
        len(chosen),
        coarse.iterations + middle.iterations + iterations + last.iterations,
        bool(last.converged[0]),
    )


def _by_worth(frame: Frame, hills: Poses) -> tuple[Poses, torch.Tensor, torch.Tensor, int]:
    """The hills climbed at the finest level, the most worth first, with similarity and worth; and the steps taken.

    With all samples only those climb that may win.
    """
    rough = frame.climb(ROUGH, hills)
    poses, iterations = rough.poses, rough.iterations
    similarity, worth = _worth(frame, poses)
    near = torch.nonzero(worth > MAY_WIN * worth.max())[:, 0]
    if len(near) > 1:
        fine = frame.climb(FINE, poses[near])
        poses.rotation[near], poses.translation_mm[near] = fine.poses.rotation, fine.poses.translation_mm
        iterations += fine.iterations
        similarity, worth = _worth(frame, poses)
    order = torch.argsort(worth, descending=True, stable=True)
    return poses[order], similarity[order], worth[order], iterations


def _worth(frame: Frame, poses: Poses) -> tuple[torch.Tensor, torch.Tensor]:
    """(poses,) each: the similarity, and with that of the outline the worth, less where the header says no."""
    interior, _ = frame.objective(FINE).value(poses)
    outline, _ = frame.objective(WITH_OUTLINE).value(poses)
    worth = (interior - INDEPENDENT) + (outline - INDEPENDENT)
    cosine = (poses.rotation.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2
    return interior, torch.where(cosine < np.cos(np.radians(FAR_TURN_DEG)), HEADER_TRUST * worth, worth).clamp_min(0)


def gaps_mm(some: Poses, others: Poses, points: Points) -> torch.Tensor:
    """(some, others): root mean square distance over `points` between each two poses.

    It follows from the mean m and the covariance LLᵀ of the points: |ΔR L|² + |ΔR m + Δt|². So each pose is a place
    in twelve dimensions, and the gap of two is how far apart they lie there.
    """
    centred = torch.from_numpy(points) - some.centre_mm
    mean = centred.mean(dim=0)
    sizes, axes = torch.linalg.eigh((centred - mean).T @ (centred - mean) / len(centred))
    root = axes * sizes.clamp_min(0).sqrt()

    def places(poses: Poses) -> torch.Tensor:
        return torch.cat([(poses.rotation @ root).flatten(1), poses.rotation @ mean + poses.translation_mm], dim=1)

    return torch.cdist(places(some), places(others), compute_mode="donot_use_mm_for_euclid_dist")


def distinct(poses: Poses, similarity: torch.Tensor, points: Points, apart_mm: float, count: int) -> torch.Tensor:
    """Indices of the `count` best poses of which no two are nearer than `apart_mm`, best first."""
    order = torch.argsort(similarity, descending=True, stable=True)[: 12 * count]
    gaps = gaps_mm(poses[order], poses[order], points)
    chosen: list[int] = []
    for k in range(len(order)):
        if len(chosen) == count:
            break
        if not chosen or float(gaps[k, chosen].min()) >= apart_mm:
            chosen.append(k)
    return order[torch.tensor(chosen)]
