"""The header's own transform, verified: both images are said to share their coordinates, and are asked whether so."""

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import ParameterError
from ..geometry.transform import AffineTransform
from ..volume import Volume
from .calibration import Estimate
from .distance import mean_displacement_mm
from .objective import Poses
from .preparation import prepare
from .registrar import Registration
from .rigid import parameters_of, pose_measures
from .rivals import rivals_of
from .search import FINE, MIDDLE, SPACINGS_MM, Frame
from .uncertainty import ErrorEstimate, estimate_error, kinds_of, mapped
from .usable import require_usable
from .witness import scatter_of

USUAL_MOTION_MM = 1.5
"""How far a patient moves between the acquisitions of one examination, as a standard deviation."""

UNSEEN_SHARE = 0.25
LEAST_SHARE = 0.3
MOST_OPEN = 1.3
"""The mean length of a vector whose spread is known lies within these shares of it in nine of ten cases."""


@dataclass(frozen=True, slots=True)
class IdentityRegistrar:
    """Takes the header's word for the transform, and measures how far the image content disagrees.

    The pose is refined from the identity: `motion_mm` is how far it goes (mean over the body). It is evidence of motion
    only as far as it exceeds how well the images determine a pose at all, which is measured, too; and where they show
    nothing, its absence is no evidence of anything: that is for the rivals to tell.
    """

    seed: int = 20_000

    name: ClassVar[str] = "identity"
    similarity_name: ClassVar[str] = "normalised mutual information"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ParameterError(f"the seed of the identity registrar is not negative, not {self.seed}")

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Verify that `moving` lies to `fixed` as the headers say."""
        began = time.perf_counter()
        require_usable(fixed, "fixed")
        require_usable(moving, "moving")
        moving = moving.to(fixed.device)
        known, other = prepare(fixed, SPACINGS_MM, "fixed"), prepare(moving, SPACINGS_MM, "moving")
        frame = Frame.of(known, other, 0.05, self.seed)
        identity = AffineTransform.identity()
        start = Poses.of([identity], frame.centre_mm)
        middle = frame.climb(MIDDLE, start)
        fine = frame.climb(FINE, middle.poses)
        refined = fine.poses.transform(0)
        motion_mm = mean_displacement_mm(identity, refined, frame.body_points)
        estimate = estimate_error(frame, fine.poses, kinds_of(fixed, moving, frame))
        seen = remaining_error(motion_mm, estimate.expected_mm)
        left = after_looking(frame, identity, refined, estimate, seen)
        return Registration(
            transform=identity,
            registrar=self.name,
            parameters=parameters_of(self),
            similarity_name=self.similarity_name,
            similarity=float(frame.objective(FINE).value(start)[0][0]),
            expected_error_mm=left.expected_mm,
            error_bound_mm=left.bound_mm,
            iterations=middle.iterations + fine.iterations,
            converged=True,
            seconds=time.perf_counter() - began,
            device=str(fixed.device),
            measures={
                **left.measures,
                **rivals_of(frame, start).measures,
                **pose_measures(frame, identity, identity),
                "motion_mm": motion_mm,
                "motion_uncertainty_mm": estimate.expected_mm,
            },
            notes=left.notes,
            error_map=left.error_map,
        )


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left open of the header's transform: the shift that is to be expected, and its spread, in mm."""

    shift_mm: float
    open_mm: float
    unseen_mm: float

    @property
    def expected_mm(self) -> float:
        """Both together."""
        return float(np.hypot(self.shift_mm, self.open_mm))

    @property
    def bound_mm(self) -> float:
        """Grows also with what the images cannot show: the prior alone bounds nothing."""
        return self.shift_mm + 2 * self.open_mm + self.unseen_mm


def remaining_error(motion_mm: float, uncertainty_mm: float) -> Remaining:
    """What is open about the header's transform, from the motion that is seen and how well it is seen.

    Bayes' rule for a normal prior of `USUAL_MOTION_MM` and a normal measurement: what is seen counts by how much
    sharper it is than the prior, and what then remains open is added.
    """
    prior, seen = USUAL_MOTION_MM**2, uncertainty_mm**2
    return Remaining(
        motion_mm * prior / (prior + seen),
        float(np.sqrt(prior * seen / (prior + seen))),
        UNSEEN_SHARE * uncertainty_mm,
    )


def after_looking(
    frame: Frame, identity: AffineTransform, refined: AffineTransform, estimate: ErrorEstimate, left: Remaining
) -> ErrorEstimate:
    """The estimate for the header's transform: that of the refined pose, less sharp, about where it would lie."""
    whole = Estimate(
        expected_mm=left.expected_mm,
        low_mm=left.open_mm * LEAST_SHARE,
        high_mm=left.shift_mm + MOST_OPEN * left.open_mm,
        bound_mm=left.bound_mm,
        floor_mm=left.open_mm,
        weights={"motion": 1.0},
    )
    # As much of the motion as is to be expected, in the same direction everywhere.
    share = left.shift_mm / max(mean_displacement_mm(identity, refined, frame.body_points), 1e-9)
    motion = share**2 * scatter_of(identity, [refined])
    return mapped(
        frame, identity, whole, {"motion": motion}, exchanged=False, measures=estimate.measures, notes=estimate.notes
    )
