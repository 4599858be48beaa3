"""How far apart two transforms are, in mm over the body rather than in degrees and millimetres."""

import numpy as np

from ..geometry.transform import Transform
from ..types import Points

SHOWN_POINTS = 2000
"""Body points that stand for all: a mean over them is good to some 2 %."""


def thinned(points: Points) -> Points:
    """At most about `SHOWN_POINTS` of `points`, evenly strided."""
    return points[:: max(1, len(points) // SHOWN_POINTS)]


def displacement_mm(a: Transform, b: Transform, points: Points) -> Points:
    """(n,): how far apart `a` and `b` put each of `points`."""
    distance: Points = np.linalg.norm(a(points) - b(points), axis=-1)
    return distance


def mean_displacement_mm(a: Transform, b: Transform, points: Points) -> float:
    """The mean of it."""
    return float(displacement_mm(a, b, points).mean())
