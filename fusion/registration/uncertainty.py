"""How far off a registration may be, from signs that do not depend on one another.

Each sign moves the result by something that should not matter, refines again and measures how far the answer moved
(mean over the body): other samples, the outline taken in and the detail left out, the images exchanged. A pose that
the images determine well stays; one that they do not wanders. The last sign lets the moving image stretch as well: one
patient's bones do not, another patient's head must.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry.transform import AffineTransform
from ..volume import Volume
from .distance import mean_displacement_mm
from .objective import INDEPENDENT, Poses
from .optimise import AFFINE
from .search import FINE, MIDDLE, WITH_OUTLINE, Frame

SUBSETS = 6
SUBSET_SAMPLES = 10_000
KICK_MM = 3.0
"""How far each subset starts from the result: beyond the error that is tolerated."""

FLOOR_MM = 0.3
"""What no sign sees: interpolation, distortion of the scanners, the skin that moves on the skull."""

NUCLEAR_FLOOR_MM = 2.4
"""The same where one image shows uptake: it need not end where anatomy does, and no refinement from other samples sees
that. On averaged PET and SPECT heads the error was 1.9 to 3.1 mm with every sign below 1 mm."""

NUCLEAR = frozenset({"PT", "NM"})

STRETCHED_SHARE = 0.5
"""How much of the displacement by a stretch counts as error: a rigid fit to a stretched body errs by about half of it
where the images pull, and by all of it nowhere."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorEstimate:
    """Mean error over the body, its bound, and the signs they come from."""

    expected_mm: float
    bound_mm: float
    measures: Mapping[str, float]


def floor_of(fixed: Volume, moving: Volume) -> float:
    """The least error that is claimed for a pair, in mm."""
    return NUCLEAR_FLOOR_MM if NUCLEAR & {fixed.modality, moving.modality} else FLOOR_MM


def estimate_error(frame: Frame, result: Poses, floor_mm: float) -> ErrorEstimate:
    """Measure the signs at `result` (one pose) and combine them.

    The expected error is the root of the sum of squares of `floor_mm`, the three signs and the counted share of the
    stretch; the bound is twice that, or one and a half times the largest of them.
    """
    transform = result.transform(0)
    signs = {
        "sample_spread_mm": _sample_spread(frame, result),
        "outline_shift_mm": _outline_shift(frame, result, transform),
        "inverse_shift_mm": _inverse_shift(frame, transform),
    }
    stretch_mm, gain = _stretch(frame, result)
    parts = [floor_mm, *signs.values(), STRETCHED_SHARE * stretch_mm]
    expected = float(np.linalg.norm(parts))
    measures = {**signs, "stretch_mm": stretch_mm, "stretch_gain_ratio": gain}
    return ErrorEstimate(expected, max(2 * expected, 1.5 * max(parts)), measures)


def _sample_spread(frame: Frame, result: Poses) -> float:
    """Mean distance from the result of poses found from disjoint samples, each started elsewhere."""
    points = replace(frame, seed=frame.seed + 101).points(replace(FINE, samples=SUBSETS * SUBSET_SAMPLES))
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


def _outline_shift(frame: Frame, result: Poses, transform: AffineTransform) -> float:
    """How far the best pose is when the body's outline counts and fine detail does not."""
    found = frame.climb(MIDDLE, result).poses.transform(0)
    return mean_displacement_mm(transform, found, frame.body_points)


def _inverse_shift(frame: Frame, transform: AffineTransform) -> float:
    """How far the answer moves when the moving image is sampled on its own points and the fixed one interpolated."""
    swapped = Frame.of(frame.moving, frame.fixed, frame.min_inside, frame.seed + 201)
    start = Poses.of([transform.inverse()], swapped.centre_mm)
    found = swapped.climb(FINE, start).poses.transform(0)
    return mean_displacement_mm(transform, found.inverse(), frame.body_points)


def _stretch(frame: Frame, result: Poses) -> tuple[float, float]:
    """How far the body moves when the pose may stretch and shear, and by what share the similarity gains by it."""
    rigid = frame.climb(WITH_OUTLINE, result)
    stretched = frame.climb(WITH_OUTLINE, rigid.poses, generators=AFFINE)
    moved_mm = mean_displacement_mm(rigid.poses.transform(0), stretched.poses.transform(0), frame.body_points)
    before, after = (float(s.similarity[0]) - INDEPENDENT for s in (rigid, stretched))
    return moved_mm, after / max(before, 1e-9) - 1
