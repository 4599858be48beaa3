"""Where a pose comes to rest when only a half of the body is looked at.

Halves of one body that want different places disagree about it by what no rigid pose can follow (distortion, breath,
another contrast at another place); the error of the whole is of that size, also where all of it together wanders by
nothing. That is a cross-validation over the body in blocks (Roberts et al., Ecography 40 (2017) 913-929,
`roberts2017`): leaving out samples at random only measures noise.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.transform import AffineTransform
from .objective import Poses
from .search import FINE, Frame, Stage

SAMPLES = 24_000
SEED = 103


def by_halves(frame: Frame, result: Poses, stage: Stage) -> list[AffineTransform]:
    """The poses found from the half before and the half behind the middle of each of three axes, begun at `result`."""
    points = replace(frame, seed=frame.seed + SEED).points(replace(FINE, samples=SAMPLES))
    behind = points > np.median(points, axis=0)
    halves = [points[side] for axis in range(3) for side in (behind[:, axis], ~behind[:, axis])]
    found = frame.climb(stage, repeated(result, len(halves)), as_many(halves)).poses
    return [found.transform(k) for k in range(len(halves))]


def as_many(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(parts, n, 3): as many points of each, spread evenly over it."""
    count = min(len(part) for part in parts)
    return np.stack([part[np.linspace(0, len(part) - 1, count).astype(int)] for part in parts])


def repeated(pose: Poses, count: int) -> Poses:
    """`count` times the same pose."""
    return Poses(pose.rotation.repeat(count, 1, 1), pose.translation_mm.repeat(count, 1), pose.centre_mm)
