"""How far off a registration may be, from signs that do not depend on one another.

Each sign moves the result by something that should not matter, refines again and measures how far the answer moved
(mean over the body): other samples, another resolution, the images exchanged. A pose that the images determine well
stays; one that they do not wanders.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.transform import AffineTransform
from .distance import mean_displacement_mm
from .objective import Poses
from .search import FINE, MIDDLE, Frame

SUBSETS = 6
SUBSET_SAMPLES = 10_000
KICK_MM = 3.0
"""How far each subset starts from the result: beyond the error that is tolerated."""

FLOOR_MM = 0.3
"""What no sign sees: interpolation, distortion of the scanners, the skin that moves on the skull."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorEstimate:
    """Mean error over the body, its bound, and the signs they come from."""

    expected_mm: float
    bound_mm: float
    measures: Mapping[str, float]


def estimate_error(frame: Frame, result: Poses) -> ErrorEstimate:
    """Measure the signs at `result` (one pose) and combine them.

    The expected error is the root of the sum of squares of the signs and of `FLOOR_MM`; the bound is twice that and
    at least the largest single sign and a half.
    """
    transform = result.transform(0)
    signs = {
        "sample_spread_mm": _sample_spread(frame, result),
        "resolution_shift_mm": _shift(frame, result, transform),
        "inverse_shift_mm": inverse_shift(frame, transform),
    }
    expected = float(np.sqrt(FLOOR_MM**2 + sum(s**2 for s in signs.values())))
    return ErrorEstimate(expected, max(2 * expected, 1.5 * max(signs.values())), signs)


def _sample_spread(frame: Frame, result: Poses) -> float:
    """Mean distance from the result of poses found from disjoint samples, each started elsewhere."""
    points = frame.fixed.jittered_points(SUBSETS * SUBSET_SAMPLES, frame.seed + 101)
    generator = np.random.default_rng(frame.seed + 102)
    kicks = generator.normal(size=(SUBSETS, 6))
    kicks *= KICK_MM / np.linalg.norm(kicks, axis=1, keepdims=True)
    many = Poses(
        result.rotation.repeat(SUBSETS, 1, 1), result.translation_mm.repeat(SUBSETS, 1), result.centre_mm
    ).turned(torch.from_numpy(kicks[:, :3] / frame.radius_mm), torch.from_numpy(kicks[:, 3:]))
    # Strided, so that each subset covers the whole body.
    subsets = np.swapaxes(points[: len(points) // SUBSETS * SUBSETS].reshape(-1, SUBSETS, 3), 0, 1)
    found = frame.climb(FINE, many, subsets).poses
    transform = result.transform(0)
    return float(
        np.mean([mean_displacement_mm(transform, found.transform(k), frame.body_points) for k in range(SUBSETS)])
    )


def _shift(frame: Frame, result: Poses, transform: AffineTransform) -> float:
    """How far the best pose at the middle resolution is from the result."""
    found = frame.climb(MIDDLE, result).poses.transform(0)
    return mean_displacement_mm(transform, found, frame.body_points)


def inverse_shift(frame: Frame, transform: AffineTransform) -> float:
    """How far the answer moves when the moving image is sampled on its own points and the fixed one interpolated."""
    swapped = Frame.of(frame.moving, frame.fixed, frame.min_inside, frame.seed + 201)
    start = Poses.of([transform.inverse()], swapped.centre_mm)
    found = swapped.climb(FINE, start).poses.transform(0)
    return mean_displacement_mm(transform, found.inverse(), frame.body_points)
