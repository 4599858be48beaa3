"""Which keypoint of one image belongs to which of the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...types import Points
from .descriptors import TURNS, oriented, upright
from .keypoints import Edges

MOST_MATCHES = 300


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """`fixed` and `moving` points (n, 3) LPS mm that belong together, most alike first; `likeness` (n,) up to 1."""

    fixed: Points
    moving: Points
    likeness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.likeness)


def upright_matches(fixed: Edges, moving: Edges, fixed_points: Points, moving_points: Points) -> Matches:
    """Both patients as their headers have them: surer where neither is turned by more than some 25 degrees."""
    likeness = upright(fixed, fixed_points) @ upright(moving, moving_points).T
    return mutual(likeness, fixed_points, moving_points)


def oriented_matches(fixed: Edges, moving: Edges, fixed_points: Points, moving_points: Points) -> Matches:
    """However the patients lie."""
    one = oriented(fixed, fixed_points, every_turn=False)
    turns = oriented(moving, moving_points, every_turn=True).reshape(len(TURNS), len(moving_points), -1)
    likeness = np.max([one @ turn.T for turn in turns], axis=0)
    return mutual(likeness, fixed_points, moving_points)


def mutual(likeness: NDArray[np.float32], fixed: Points, moving: Points) -> Matches:
    """Pairs in which each is the other's most alike: (fixed, moving) likeness to at most `MOST_MATCHES` matches."""
    if 0 in likeness.shape:
        return Matches(np.empty((0, 3)), np.empty((0, 3)), np.empty(0))
    partner = likeness.argmax(axis=1)
    own = np.arange(len(fixed))
    kept = own[likeness.argmax(axis=0)[partner] == own]
    order = kept[np.argsort(-likeness[kept, partner[kept]], kind="stable")][:MOST_MATCHES]
    return Matches(fixed[order], moving[partner[order]], likeness[order, partner[order]].astype(np.float64))
