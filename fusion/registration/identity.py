"""The header's own transform, verified: both images are said to share their coordinates, and are asked whether so."""

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import ParameterError
from ..geometry.transform import AffineTransform
from ..volume import Volume
from .distance import mean_displacement_mm
from .objective import Poses
from .preparation import prepare
from .registrar import Registration
from .rigid import parameters_of, pose_measures
from .rivals import rivals_of
from .search import FINE, MIDDLE, SPACINGS_MM, Frame
from .uncertainty import estimate_error, kinds_of
from .usable import require_usable

USUAL_MOTION_MM = 1.5
"""How far a patient moves between the acquisitions of one examination, as a standard deviation."""

UNSEEN_SHARE = 0.25


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
        expected, bound = remaining_error(motion_mm, estimate.expected_mm)
        return Registration(
            transform=identity,
            registrar=self.name,
            parameters=parameters_of(self),
            similarity_name=self.similarity_name,
            similarity=float(frame.objective(FINE).value(start)[0][0]),
            expected_error_mm=expected,
            error_bound_mm=bound,
            iterations=middle.iterations + fine.iterations,
            converged=True,
            seconds=time.perf_counter() - began,
            device=str(fixed.device),
            measures={
                **estimate.measures,
                **rivals_of(frame, start).measures,
                **pose_measures(frame, identity, identity),
                "motion_mm": motion_mm,
                "motion_uncertainty_mm": estimate.expected_mm,
            },
        )


def remaining_error(motion_mm: float, uncertainty_mm: float) -> tuple[float, float]:
    """Expected error of the header's transform and its bound, from the motion seen and how well it is seen.

    Bayes' rule for a normal prior of `USUAL_MOTION_MM` and a normal measurement: what is seen counts by how much
    sharper it is than the prior, and what then remains open is added. The bound also grows with what the images cannot
    show: the prior alone bounds nothing.
    """
    prior, seen = USUAL_MOTION_MM**2, uncertainty_mm**2
    shift = motion_mm * prior / (prior + seen)
    open_mm = float(np.sqrt(prior * seen / (prior + seen)))
    return float(np.hypot(shift, open_mm)), shift + 2 * open_mm + UNSEEN_SHARE * uncertainty_mm
