"""Rigid registration by keypoints that both images show."""

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from ...errors import ParameterError
from ...geometry.transform import AffineTransform
from ...volume import Volume
from ..distance import mean_displacement_mm
from ..objective import INDEPENDENT, Poses
from ..placed import Placed
from ..registrar import Registration
from ..rigid import parameters_of, pose_measures
from ..rivals import rivals_of
from ..search import FINE, MIDDLE, SAME_POSE_MM, Frame, gaps_mm
from ..uncertainty import estimate_error, kinds_of
from .keypoints import Edges, keypoints
from .matching import Matches, oriented_matches, upright_matches
from .robust_fit import AGREE_MM, Consensus, consensuses, spread_mm

LEAST_INLIERS = 12
"""Of 300 matches at random up to 8 agree on something: measured on pairs of two bodies."""

MOST_RATIO = 10.0
"""Keeps the measure finite where the chosen motion explains nothing."""

AS_GOOD = 0.95
"""A motion elsewhere that explains the images so nearly as well leaves open which of the two is meant: symmetric bodies
measured 0.99 and more; of five pairs of heads none had one."""

CANDIDATES = 4
"""Motions of each kind of match that the similarity chooses from."""


@dataclass(frozen=True, slots=True)
class FeatureRegistrar:
    """Finds a rigid pose from `points` keypoints of each image, and says how many of them carry it.

    Among the motions on which matches agree, the similarity of the other registrars chooses; with `refine` it also has
    the last word on the pose, from there. Where too few matches agree the pose is handed back as what it is: not
    converged, and with an error as large as the body; where the matches of a symmetric body agree on another motion as
    well, with an error as large as the two are apart. `min_inside` and `seed` are as of `RigidRegistrar`.
    """

    points: int = 1000
    refine: bool = True
    min_inside: float = 0.3
    seed: int = 20_000

    name: ClassVar[str] = "features"
    similarity_name: ClassVar[str] = "normalised mutual information"

    def __post_init__(self) -> None:
        if self.points < LEAST_INLIERS or not 0 < self.min_inside < 1:
            raise ParameterError(
                f"the features registrar needs at least {LEAST_INLIERS} points and a share of samples inside between 0 "
                f"and 1, not points={self.points}, min_inside={self.min_inside}"
            )

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed`; keypoints are found on the CPU."""
        began = time.perf_counter()
        placed = Placed.of(fixed, moving, self.min_inside, self.seed)
        frame = placed.frame
        sampled, other = (moving, fixed) if placed.exchanged else (fixed, moving)
        candidates = self._candidates(sampled, other, frame)
        chosen = Chosen.among(frame, [consensus for _, consensus in candidates], self.refine)
        matches, consensus = candidates[chosen.which] if candidates else NOTHING_AGREES
        carried = consensus.inliers >= LEAST_INLIERS
        result, iterations, rested = Poses.of([consensus.transform], frame.centre_mm), chosen.iterations, True
        if self.refine and carried:
            fine = frame.climb(FINE, chosen.poses[chosen.which : chosen.which + 1])
            result, iterations, rested = fine.poses, iterations + fine.iterations, bool(fine.converged[0])
        rivals = rivals_of(frame, result)
        estimate = estimate_error(frame, result, kinds_of(fixed, moving, frame), placed.exchanged)
        estimate = estimate.beside(rivals, frame.radius_mm)
        inward = result.transform(0)
        transform = placed.outward(inward)
        expected, bound = estimate.expected_mm, estimate.bound_mm
        if not carried:
            # The images cannot tell how wrong a pose is that nothing speaks for; its size is all that is known.
            expected, bound = max(expected, frame.radius_mm), max(bound, 2 * frame.radius_mm)
        elif chosen.ambiguous:
            apart_mm = chosen.runner_up_distance_mm
            expected, bound = max(expected, apart_mm / 2), max(bound, apart_mm)
        return Registration(
            transform=transform,
            registrar=self.name,
            parameters=parameters_of(self),
            similarity_name=self.similarity_name,
            similarity=float(frame.objective(FINE).value(result)[0][0]),
            expected_error_mm=expected,
            error_bound_mm=bound,
            iterations=iterations,
            converged=carried and rested and not chosen.ambiguous,
            seconds=time.perf_counter() - began,
            device=str(fixed.device),
            measures={
                **estimate.measures,
                **rivals.measures,
                **pose_measures(frame, inward, transform),
                **chosen.measures,
                "inlier_ratio": consensus.inliers / max(len(matches), 1),
                "inlier_support_ratio": consensus.inliers / LEAST_INLIERS,
                "refinement_mm": mean_displacement_mm(consensus.transform, inward, frame.body_points),
                "start_spread_mm": (
                    spread_mm(matches, consensus, frame.body_points, self.seed) if carried else frame.radius_mm
                ),
            },
            notes=(_note(matches, consensus, carried), *chosen.notes, *estimate.notes),
            error_map=estimate.error_map,
        )

    def _candidates(self, sampled: Volume, other: Volume, frame: Frame) -> list[tuple[Matches, Consensus]]:
        """Motions by upright and by oriented matches."""
        one, two = (
            Edges.of(volume, prepared.body_points)
            for volume, prepared in ((sampled, frame.fixed), (other, frame.moving))
        )
        points = keypoints(one, self.points), keypoints(two, self.points)
        found = []
        for match in (upright_matches, oriented_matches):
            matches = match(one, two, *points)
            found += [(matches, c) for c in consensuses(matches, CANDIDATES, SAME_POSE_MM, self.seed)]
        return found


NOTHING_AGREES = (
    Matches(np.empty((0, 3)), np.empty((0, 3)), np.empty(0)),
    Consensus(AffineTransform.identity(), np.empty(0, dtype=bool), 0.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Which of the candidates the similarity prefers, all of them where they came to, and the best that lies elsewhere.

    A candidate that too few matches carry is chosen only where all are so.
    """

    which: int
    poses: Poses
    runner_up_ratio: float
    runner_up_distance_mm: float
    iterations: int

    @classmethod
    def among(cls, frame: Frame, found: list[Consensus], refine: bool) -> "Chosen":
        """Compare the motions, each refined at the middle level where `refine` says so."""
        poses = Poses.of([c.transform for c in found or [NOTHING_AGREES[1]]], frame.centre_mm)
        if not found:
            return cls(0, poses, 0.0, 0.0, 0)
        if refine:
            ascent = frame.climb(MIDDLE, poses)
            poses, similarity, iterations = ascent.poses, ascent.similarity, ascent.iterations
        else:
            (similarity, _), iterations = frame.objective(MIDDLE).value(poses), 0
        worth = (similarity - INDEPENDENT).clamp_min(0)
        carried = torch.tensor([c.inliers >= LEAST_INLIERS for c in found])
        which = int(torch.argmax(torch.where(carried, worth + 1, worth)))
        apart = gaps_mm(poses[which : which + 1], poses, frame.body_points)[0]
        elsewhere = torch.where(apart > SAME_POSE_MM, worth, 0.0)
        runner_up = int(torch.argmax(elsewhere))
        ratio = float(elsewhere[runner_up]) / max(float(worth[which]), 1e-9)
        return cls(which, poses, min(ratio, MOST_RATIO), float(apart[runner_up]) if ratio > 0 else 0.0, iterations)

    @property
    def ambiguous(self) -> bool:
        """Whether the matches carry another motion that is as good."""
        return self.runner_up_ratio >= AS_GOOD

    @property
    def notes(self) -> tuple[str, ...]:
        """For people."""
        apart_mm = self.runner_up_distance_mm
        said = f"others agree on as good a motion {apart_mm:.0f} mm away: a symmetric body does not say which is meant"
        return (said,) if self.ambiguous else ()

    @property
    def measures(self) -> dict[str, float]:
        """By the names under which a registration carries them."""
        return {"runner_up_ratio": self.runner_up_ratio, "runner_up_distance_mm": self.runner_up_distance_mm}


def _note(matches: Matches, consensus: Consensus, carried: bool) -> str:
    share = f"{consensus.inliers} of {len(matches)} matches of keypoints agree within {AGREE_MM:.0f} mm"
    return share if carried else f"{share}; at least {LEAST_INLIERS} must, so that the pose says nothing"
