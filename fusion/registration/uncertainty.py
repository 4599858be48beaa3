"""How far off a registration may be, and where, from signs that do not depend on one another.

Each sign moves the result by something that should not matter, refines again and measures how far the answer moved
over the body: other samples, a half of the body alone (`parts`), the outline taken in and the detail left out, the
images exchanged, edges or a blur instead of
values, a stretch; and the curvature of the similarity says how far its own
noise may move the maximum (Huber, Proc. 5th Berkeley Symp. 1 (1967) 221-233, `huber1967`: H⁻¹SH⁻¹). A pose that the
images determine well stays; one that they do not wanders. What the signs together mean in mm is calibrated on known
truths (`calibration`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry.transform import AffineTransform
from ..similarity.gradient_field import edge_strength
from ..types import Affine4x4, Points
from ..volume import Volume
from .blur import blurred
from .calibration import CALIBRATION, Estimate
from .contour import contour_distance_mm
from .error_map import error_map
from .kinds import NUCLEAR, ImageKind, assumption, kind_of
from .mirror import mirrored_of
from .objective import INDEPENDENT, Poses
from .optimise import AFFINE, RIGID
from .parts import by_halves, repeated
from .preparation import Level, Prepared
from .rivals import Rivals
from .sampling import CellSampler
from .search import FINE, MIDDLE, WITH_OUTLINE, Frame
from .witness import mean_mm, scatter_of

__all__ = ["NUCLEAR", "ErrorEstimate", "Kinds", "estimate_error", "kinds_of"]

SUBSETS = 6
SUBSET_SAMPLES = 10_000
KICK_MM = 3.0
"""How far each subset starts from the result: beyond the error that is tolerated."""

OTHER_SAMPLES = 25_000
NUDGED = replace(FINE, first_step_mm=0.5)
"""For refinements that begin at the result."""

SLOPE_SETS = 24
SLOPE_SAMPLES = 3000
CURVATURE_STEP_MM = 0.5
FLAT_MM = 3.0
LEAST_CURVATURE = 1e-6
"""Of NMI per mm²: flatter is no maximum, and its place unknown."""

MOST_MM = 30.0
"""A sign beyond this says "anywhere"; keeps the measures finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """What the two images show, and what was assumed for it."""

    fixed: ImageKind
    moving: ImageKind
    notes: tuple[str, ...] = ()

    @property
    def uptake(self) -> int:
        """How many of the two show uptake."""
        return [self.fixed, self.moving].count(ImageKind.UPTAKE)


@dataclass(frozen=True, slots=True, eq=False)
class ErrorEstimate:
    """Mean error over the body with its interval, the bound of the 95th percentile, the signs, and the map.

    `scatters` are the 4 × 4 matrices of the signs that are places (see `witness`), from sampled to other points.
    """

    expected_mm: float
    low_mm: float
    high_mm: float
    bound_mm: float
    measures: Mapping[str, float]
    error_map: Volume
    scatters: Mapping[str, Affine4x4] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def beside(self, rivals: Rivals, radius_mm: float) -> "ErrorEstimate":
        """The same where the images confirm the placement; else with no end within the body: it may lie anywhere."""
        if rivals.confirm:
            return self
        high, bound = max(self.high_mm, radius_mm), max(self.bound_mm, 2 * radius_mm)
        return replace(self, high_mm=high, bound_mm=bound, measures={**self.measures, "expected_error_high_mm": high})


def kinds_of(fixed: Volume, moving: Volume, frame: Frame) -> Kinds:
    """The kinds of a pair; `frame.fixed` may have been made of either (`Placed.exchanged`)."""
    one, other = (frame.fixed, frame.moving) if frame.fixed.grid is fixed.grid else (frame.moving, frame.fixed)
    kinds = kind_of(fixed, one), kind_of(moving, other)
    said = (assumption(volume, kind) for volume, kind in zip((fixed, moving), kinds, strict=True))
    return Kinds(*kinds, tuple(dict.fromkeys(note for note in said if note)))


def estimate_error(frame: Frame, result: Poses, kinds: Kinds, exchanged: bool = False) -> ErrorEstimate:
    """Measure the signs at `result` (one pose) and say what they mean in mm.

    The map lies on the coarse body grid of the fixed image, which is `frame.moving` where the roles are `exchanged`.
    """
    transform = result.transform(0)
    stretched, gain = _stretched(frame, result)
    witnesses = {
        "sample_spread": _by_samples(frame, result),
        "half_spread": by_halves(frame, result, NUDGED),
        "outline_shift": [frame.climb(MIDDLE, result).poses.transform(0)],
        "inverse_shift": [_by_exchange(frame, transform)],
        "edge_shift": [_by(_edges_of, frame, result)],
        "blur_shift": [_by(partial(blurred, level=FINE.level), frame, result)],
    }
    scatters = {name: scatter_of(transform, seen) for name, seen in witnesses.items()}
    scatters["curvature_error"] = _limited(_by_curvature(frame, result), frame.body_points)
    # As far as a rigid pose could follow it.
    scatters["stretch"] = scatter_of(stretched[0], [stretched[1]])
    signs = {f"{name}_mm": min(mean_mm(scatter, frame.body_points), MOST_MM) for name, scatter in scatters.items()}
    signs["contour_distance_mm"] = contour_distance_mm(frame.fixed, frame.moving, transform)
    mirrored = mirrored_of(frame, result)
    estimate = CALIBRATION.estimate(signs, kinds.uptake)
    return mapped(
        frame,
        transform,
        estimate,
        scatters,
        exchanged,
        {
            **signs,
            "stretch_gain_ratio": gain,
            "uptake_images_ratio": kinds.uptake / 2,
            "body_radius_mm": frame.radius_mm,
            "voxel_mm": max(*frame.fixed.grid.spacing_mm, *frame.moving.grid.spacing_mm),
            **mirrored.measures,
        },
        kinds.notes,
    )


def mapped(
    frame: Frame,
    transform: AffineTransform,
    estimate: Estimate,
    scatters: Mapping[str, Affine4x4],
    exchanged: bool,
    measures: Mapping[str, float],
    notes: tuple[str, ...],
) -> ErrorEstimate:
    """An estimate with its map over the body, whose mean is the expected error."""
    body = frame.moving if exchanged else frame.fixed
    place = transform.inverse() if exchanged else AffineTransform.identity()
    image, p95_mm = error_map(body, place, estimate, scatters)
    return ErrorEstimate(
        estimate.expected_mm,
        estimate.low_mm,
        estimate.high_mm,
        max(estimate.bound_mm, p95_mm),
        {
            **measures,
            "expected_error_low_mm": estimate.low_mm,
            "expected_error_high_mm": estimate.high_mm,
            "error_map_p95_mm": p95_mm,
        },
        image,
        scatters,
        notes,
    )


def _by_samples(frame: Frame, result: Poses) -> list[AffineTransform]:
    """Poses found from disjoint samples, each started elsewhere."""
    points = replace(frame, seed=frame.seed + 101).points(replace(FINE, samples=SUBSETS * SUBSET_SAMPLES))
    generator = np.random.default_rng(frame.seed + 102)
    kicks = generator.normal(size=(SUBSETS, 6))
    kicks *= KICK_MM / np.linalg.norm(kicks, axis=1, keepdims=True)
    many = repeated(result, SUBSETS).turned(
        torch.from_numpy(kicks[:, :3] / frame.radius_mm), torch.from_numpy(kicks[:, 3:])
    )
    # Strided, so that each subset covers the whole body.
    subsets = np.swapaxes(points[: len(points) // SUBSETS * SUBSETS].reshape(-1, SUBSETS, 3), 0, 1)
    found = frame.climb(FINE, many, subsets).poses
    return [found.transform(k) for k in range(SUBSETS)]


def _by_exchange(frame: Frame, transform: AffineTransform) -> AffineTransform:
    """The answer when the moving image is sampled on its own points and the fixed one interpolated."""
    swapped = Frame.of(frame.moving, frame.fixed, frame.min_inside, frame.seed + 201)
    start = Poses.of([transform.inverse()], swapped.centre_mm)
    return swapped.climb(replace(FINE, samples=50_000), start).poses.transform(0).inverse()


def _by(seen: Callable[[Prepared], Prepared], frame: Frame, result: Poses) -> AffineTransform:
    """The answer when something else of both images is compared than their values."""
    body = frame.body_points
    fixed, moving = _near(frame.fixed, body), _near(frame.moving, result.transform(0)(body))
    other = replace(frame, fixed=seen(fixed), moving=seen(moving))
    return other.climb(replace(NUDGED, samples=OTHER_SAMPLES), result).poses.transform(0)


def _near(prepared: Prepared, body: Points) -> Prepared:
    """Of a very large image only what the climb may see: what is made of it takes several times its memory."""
    levels = list(prepared.levels)
    levels[FINE.level] = levels[FINE.level].about(body)
    return replace(prepared, levels=tuple(levels))


def _edges_of(prepared: Prepared) -> Prepared:
    level = prepared.levels[FINE.level]
    strength = edge_strength(level.sampler.voxels, level.grid.spacing_mm)
    levels = list(prepared.levels)
    levels[FINE.level] = Level(CellSampler.of(strength), level.grid)
    return replace(prepared, levels=tuple(levels))


def _by_curvature(frame: Frame, result: Poses) -> Affine4x4:
    """The scatter of a maximum with this curvature and this noise of the slopes."""
    radius = frame.radius_mm
    points = replace(frame, seed=frame.seed + 104).points(replace(FINE, samples=SLOPE_SETS * SLOPE_SAMPLES))
    sets = np.swapaxes(points[: len(points) // SLOPE_SETS * SLOPE_SETS].reshape(-1, SLOPE_SETS, 3), 0, 1)
    slopes = _slopes(frame, repeated(result, SLOPE_SETS), sets)
    noise = np.cov(slopes.T) / SLOPE_SETS
    steps = CURVATURE_STEP_MM * np.concatenate([np.eye(6), -np.eye(6)])
    around = repeated(result, 12).turned(torch.from_numpy(steps[:, :3] / radius), torch.from_numpy(steps[:, 3:]))
    ahead = _slopes(frame, around, points[::4])
    curvature = -(ahead[:6] - ahead[6:]) / (2 * CURVATURE_STEP_MM)
    values, axes = np.linalg.eigh((curvature + curvature.T) / 2)
    inverse = (axes / np.maximum(values, LEAST_CURVATURE)) @ axes.T
    covariance = inverse @ noise @ inverse
    sizes, directions = np.linalg.eigh(covariance)
    moves = np.sqrt(np.clip(sizes, 0, MOST_MM**2)) * directions
    several = repeated(result, 6).turned(
        torch.from_numpy(moves.T[:, :3].copy() / radius), torch.from_numpy(moves.T[:, 3:].copy())
    )
    return 6 * scatter_of(result.transform(0), [several.transform(k) for k in range(6)])


def _limited(scatter: Affine4x4, points: Points) -> Affine4x4:
    """No more than `FLAT_MM`: a flat maximum says that its place is unknown, not how far it may be."""
    scale: Affine4x4 = scatter * min(1.0, FLAT_MM / max(mean_mm(scatter, points), 1e-9)) ** 2
    return scale


def _slopes(frame: Frame, poses: Poses, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(poses, 6): the derivatives of the similarity by turns (in mm at the radius of the body) and shifts."""
    _, moment, force = frame.objective(FINE, points).value_and_gradient(poses)
    turns = torch.einsum("pij,gij->pg", moment, RIGID / frame.radius_mm)
    return torch.cat([turns, force], dim=1).numpy()


def _stretched(frame: Frame, result: Poses) -> tuple[tuple[AffineTransform, AffineTransform], float]:
    """The pose with the outline, the same allowed to stretch and shear, and by what share the similarity gains."""
    rigid = frame.climb(WITH_OUTLINE, result)
    stretched = frame.climb(WITH_OUTLINE, rigid.poses, generators=AFFINE)
    before, after = (float(s.similarity[0]) - INDEPENDENT for s in (rigid, stretched))
    return (rigid.poses.transform(0), stretched.poses.transform(0)), after / max(before, 1e-9) - 1
