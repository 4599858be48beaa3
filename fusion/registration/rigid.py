"""Rigid registration by normalised mutual information, from many starts and at several resolutions."""

import time
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from ..errors import ParameterError
from ..geometry.transform import AffineTransform
from ..volume import Volume
from .distance import mean_displacement_mm
from .landmarks import PointPairs, distance_mm, points_of, pose_of, starts_near
from .objective import Poses
from .overlap import overlap_share
from .preparation import Prepared, prepare
from .registrar import Registration
from .rivals import rivals_of
from .search import SPACINGS_MM, Found, Frame, search
from .starts import starts
from .uncertainty import estimate_error, kinds_of
from .usable import require_usable

EXCHANGE_BELOW = 0.6
"""Where the moving body is smaller than this share of the fixed one, it is the one that is sampled: the samples of a
whole body are too thin over a head."""

MANY = 256
"""From so many climbing starts on, the orientations that are looked at are denser, so that there are enough of them."""

AS_GOOD = 0.97
"""A refined start worth this much of the best is taken to have reached the same answer; how far it is, counts."""


@dataclass(frozen=True, slots=True)
class RigidRegistrar:
    """Finds three rotations and three translations, wherever the patient lay.

    `climbing` starts are refined of the thousand or so that are looked at; `min_inside` is the share of the smaller
    body's samples that must fall inside the other field of view; `seed` fixes the samples. With `landmarks`, pairs of a
    fixed and a moving point in LPS mm, the search begins at the pose that they say and looks around it only.
    """

    climbing: int = 64
    min_inside: float = 0.3
    seed: int = 20_000
    landmarks: PointPairs = ()

    name: ClassVar[str] = "rigid"
    similarity_name: ClassVar[str] = "normalised mutual information"

    def __post_init__(self) -> None:
        if self.landmarks:
            points_of(self.landmarks)
        if self.climbing < 1 or not 0 < self.min_inside < 1:
            raise ParameterError(
                f"the rigid registrar climbs from at least one start and needs a share of samples inside between 0 "
                f"and 1, not climbing={self.climbing}, min_inside={self.min_inside}"
            )

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed`; the result is on the CPU, the work where the voxels of `fixed` are."""
        began = time.perf_counter()
        require_usable(fixed, "fixed")
        require_usable(moving, "moving")
        moving = moving.to(fixed.device)
        sampled, other = prepare(fixed, SPACINGS_MM, "fixed"), prepare(moving, SPACINGS_MM, "moving")
        exchanged = other.body_volume_ml < EXCHANGE_BELOW * sampled.body_volume_ml
        if exchanged:
            sampled, other = other, sampled
        frame = Frame.of(sampled, other, self.min_inside, self.seed)
        groups = self._starts(sampled, other, frame, exchanged=exchanged)
        found = search(frame, groups, self.climbing)
        rivals = rivals_of(frame, found.poses[:1])
        estimate = estimate_error(frame, found.poses[:1], kinds_of(fixed, moving, frame), exchanged)
        estimate = estimate.beside(rivals, frame.radius_mm)
        inward = found.poses.transform(0)
        transform = inward.inverse() if exchanged else inward
        return Registration(
            transform=transform,
            registrar=self.name,
            parameters=parameters_of(self),
            similarity_name=self.similarity_name,
            similarity=float(found.similarity[0]),
            expected_error_mm=estimate.expected_mm,
            error_bound_mm=estimate.bound_mm,
            iterations=found.iterations,
            converged=found.converged,
            seconds=time.perf_counter() - began,
            device=str(fixed.device),
            measures={
                **estimate.measures,
                **rivals.measures,
                **search_measures(frame, found),
                **pose_measures(frame, inward, transform),
            },
            notes=(*estimate.notes, *self._said_of_landmarks(transform)),
            error_map=estimate.error_map,
        )

    def _starts(self, sampled: Prepared, other: Prepared, frame: Frame, *, exchanged: bool) -> tuple[Poses, ...]:
        if not self.landmarks:
            return starts(sampled, other, frame.centre_mm, dense=self.climbing > MANY)
        wanted = pose_of(self.landmarks)
        return starts_near(wanted.inverse() if exchanged else wanted, frame.centre_mm)

    def _said_of_landmarks(self, transform: AffineTransform) -> tuple[str, ...]:
        if not self.landmarks:
            return ()
        apart = distance_mm(self.landmarks, transform)
        return (f"begun at {len(self.landmarks)} landmarks, which it brings together within {apart:.1f} mm",)


def parameters_of(registrar: Any) -> dict[str, Any]:
    """The provenance entry of a registrar: its fields."""
    return asdict(registrar)


def pose_measures(frame: Frame, inward: AffineTransform, transform: AffineTransform) -> dict[str, float]:
    """What the pose itself says: turn and shift against the header, and how much of the bodies overlaps."""
    return {
        "header_rotation_deg": transform.rotation_angle_deg,
        "header_shift_mm": mean_displacement_mm(inward, AffineTransform.identity(), frame.body_points),
        "overlap_ratio": overlap_share(frame.fixed, frame.moving, inward),
    }


def search_measures(frame: Frame, found: Found) -> dict[str, float]:
    """What the search says: whether the starts agree, and how near the next best, different pose comes."""
    close = [
        mean_displacement_mm(found.poses.transform(0), found.poses.transform(k), frame.body_points)
        for k in range(1, len(found.poses))
        if float(found.worth[k]) > AS_GOOD
    ]
    return {
        "start_agreement_ratio": found.agreeing / found.climbed,
        "start_spread_mm": max(close, default=0.0),
        "runner_up_ratio": found.runner_up_ratio,
        "runner_up_distance_mm": found.runner_up_distance_mm,
    }
