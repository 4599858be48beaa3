"""Whether the moving image would match better if it were its own mirror image.

Two images of one body agree in what tells its sides apart; a mirrored one agrees better with the mirror image of the
body, and images of two people, or of a body without sides, agree with both alike. So the result is reflected, refined,
and compared with what it was over disjoint sets of samples that no refinement has seen: how much of the similarity the
reflected pose keeps (`mirror_ratio`), and how many standard errors the difference is worth (`mirror_margin_ratio`,
positive where the image as it is matches better).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from .objective import INDEPENDENT, Objective, Poses
from .parts import repeated
from .search import COARSE, FINE, MIDDLE, SAME_POSE_MM, Frame, distinct

MIRRORS = ((-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, -1.0))
ASIDE_MM = (-10.0, 0.0, 10.0)
"""The middle of a body is not known better than this."""

ROUGH = replace(COARSE, max_iterations=20)
FINER = replace(FINE, samples=25_000)
CLIMBING_ON = 3

SETS = 24
SET_SAMPLES = 6000
COMPARED = replace(FINE, samples=SETS * SET_SAMPLES, bins=24)
MOST = 1000.0
"""Keeps the measures finite where there is nothing at all."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How the reflected pose compares: its share of the similarity, and the margin of the pose over it."""

    ratio: float
    margin: float

    @property
    def measures(self) -> dict[str, float]:
        """By the names under which a registration carries them."""
        return {"mirror_ratio": self.ratio, "mirror_margin_ratio": self.margin}


def mirrored_of(frame: Frame, result: Poses) -> Mirrored:
    """Compare `result` (one pose) with the best of its reflections."""
    reflected = _refined(frame, _reflections(result))
    # Refined as well: a header's pose is where it is, and would lose by a millimetre what it wins by its sides.
    own = frame.climb(FINER, result).poses
    points = replace(frame, seed=frame.seed + 401).points(COMPARED)
    # Strided, so that each set covers the whole body.
    sets = np.swapaxes(points[: len(points) // SETS * SETS].reshape(-1, SETS, 3), 0, 1)
    objective = frame.objective(COMPARED, sets)
    here, there = (_information(objective, repeated(pose, SETS)) for pose in (own, reflected))
    difference = here - there
    spread = max(float(difference.std(ddof=1)) / np.sqrt(SETS), 1e-12)
    ratio = float(there.mean()) / max(float(here.mean()), 1e-9)
    return Mirrored(min(ratio, MOST), float(np.clip(difference.mean() / spread, -MOST, MOST)))


def _information(objective: Objective, poses: Poses) -> NDArray[np.float64]:
    """(poses,): the similarity above chance, times the share of the body that it was found over.

    Half a trunk always has something that it matches better than the whole does.
    """
    similarity, inside = objective.value(poses)
    information: NDArray[np.float64] = ((similarity - INDEPENDENT) * inside).numpy()
    return information


def _reflections(pose: Poses) -> Poses:
    """The fixed body mirrored in each of three planes near its centre, then put where `pose` puts it."""
    linear, places = [], []
    for mirror in MIRRORS:
        reflection = torch.diag(torch.tensor(mirror, dtype=torch.float64))
        normal = (1 - torch.tensor(mirror, dtype=torch.float64)) / 2
        for aside in ASIDE_MM:
            linear.append(pose.rotation[0] @ reflection)
            places.append(pose.translation_mm[0] + pose.rotation[0] @ (normal * aside))
    return Poses(torch.stack(linear), torch.stack(places), pose.centre_mm)


def _refined(frame: Frame, poses: Poses) -> Poses:
    """The best of them; where a climb slides out of the image, where it began counts as well."""
    candidates = frame.climb(ROUGH, poses).poses.joined(poses)
    told = torch.from_numpy(_information(frame.objective(COARSE), candidates))
    kept = candidates[distinct(candidates, told, frame.body_points, SAME_POSE_MM, CLIMBING_ON)]
    candidates = frame.climb(MIDDLE, kept).poses.joined(kept)
    best = int(np.argmax(_information(frame.objective(MIDDLE), candidates)))
    return frame.climb(FINER, candidates[best : best + 1]).poses
