"""A start from pairs of points that a person has set: the same places in both images."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from ..errors import ParameterError
from ..geometry.transform import AffineTransform
from ..types import Points
from .objective import Poses, exponential

LEAST_PAIRS = 3

LEAST_SPREAD_MM = 5.0
"""Root mean square distance from the main line of the points: about a line every turn is as good."""

TURNS_DEG = (0.0, -8.0, 8.0)
"""How far a person may have missed: a centimetre at the rim of a head."""

PointPairs = Sequence[Sequence[Sequence[float]]]
"""Pairs of a fixed and a moving point, LPS mm."""


def points_of(pairs: PointPairs) -> tuple[Points, Points]:
    """(n, 3) fixed and (n, 3) moving points. Raises `ParameterError` for pairs from which no pose follows."""
    try:
        array = np.asarray(pairs, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ParameterError("landmarks are pairs of points of three numbers each, LPS mm") from error
    if array.ndim != 3 or array.shape[1:] != (2, 3) or not np.isfinite(array).all():
        raise ParameterError("landmarks are pairs of points of three finite numbers each, LPS mm")
    if len(array) < LEAST_PAIRS:
        raise ParameterError(f"a pose follows from {LEAST_PAIRS} pairs of points at least, not from {len(array)}")
    for points in (array[:, 0], array[:, 1]):
        sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if sizes[1] / np.sqrt(len(points)) < LEAST_SPREAD_MM:
            raise ParameterError("the landmarks lie in one line, or in one place; set them further apart")
    return array[:, 0], array[:, 1]


def pose_of(pairs: PointPairs) -> AffineTransform:
    """The rigid transform fixed → moving with the least squared distances (Kabsch 1976, `kabsch1976`)."""
    fixed, moving = points_of(pairs)
    middle_fixed, middle_moving = fixed.mean(axis=0), moving.mean(axis=0)
    u, _, vt = np.linalg.svd((fixed - middle_fixed).T @ (moving - middle_moving))
    upright = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    matrix = np.eye(4)
    matrix[:3, :3] = vt.T @ upright @ u.T
    matrix[:3, 3] = middle_moving - matrix[:3, :3] @ middle_fixed
    return AffineTransform(matrix)


def distance_mm(pairs: PointPairs, transform: AffineTransform) -> float:
    """Root mean square distance at which the transform brings the pairs together."""
    fixed, moving = points_of(pairs)
    return float(np.sqrt(((transform(fixed) - moving) ** 2).sum(axis=1).mean()))


def starts_near(pose: AffineTransform, centre_mm: Points) -> tuple[Poses, ...]:
    """The pose itself, first, and small turns of it about the centre."""
    turns = torch.tensor(list(itertools.product(TURNS_DEG, repeat=3)), dtype=torch.float64).deg2rad()
    at = Poses.of([pose] * len(turns), centre_mm)
    return (Poses(exponential(turns) @ at.rotation, at.translation_mm, at.centre_mm),)
