"""Where a search begins: orientations times ways to lay the two bodies over each other."""

import itertools

import numpy as np
import torch

from ..types import Points
from .objective import Poses, exponential
from .preparation import Prepared

NEAR_TURNS_DEG = (-40.0, -20.0, 0.0, 20.0, 40.0)
"""Head tilt and couch position: what positioning on the table changes, about each patient axis."""

SLIDE_STEP_MM = 25.0
"""Step of the positions tried where one body is much larger than the other: within the reach of the coarsest level."""

MAX_SLIDES = 400


def near_rotations(limit_deg: float = 50.0) -> torch.Tensor:
    """(n, 3, 3): orientations up to `limit_deg` from the header's."""
    turns = np.radians([t for t in itertools.product(NEAR_TURNS_DEG, repeat=3) if np.linalg.norm(t) <= limit_deg])
    return exponential(torch.from_numpy(turns))


def far_rotations(dense: bool = False) -> torch.Tensor:
    """(n, 3, 3): the 24 ways to lay a box (all flips among them), each alone and tilted by 25 degrees.

    Tilts are about the axes; where `dense`, about the diagonals of the box as well.
    """
    cube = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0:
                cube.append(matrix)
    tilts = [np.zeros(3), *(25.0 * s * np.eye(3)[a] for a in range(3) for s in (-1, 1))]
    if dense:
        tilts += [25.0 / np.sqrt(3) * np.array(corner) for corner in itertools.product((-1.0, 1.0), repeat=3)]
    return torch.cat([exponential(torch.from_numpy(np.radians(tilts))) @ torch.from_numpy(m) for m in cube])


def overlays(fixed: Prepared, moving: Prepared, centre_mm: Points) -> Points:
    """(3, 3) LPS mm: where the centre of the fixed body may lie in the moving image.

    Where the header says; centre of mass on centre of mass; centre of field of view on centre of field of view.
    """
    fields = moving.grid.centre_mm + centre_mm - fixed.grid.centre_mm
    return np.array([centre_mm, moving.body_points.mean(axis=0), fields])


def slides(fixed: Prepared, moving: Prepared, centre_mm: Points) -> Points:
    """(n, 3) LPS mm: places of the fixed centre all along a moving body that is much larger; none where it is not."""
    bodies = [p.body_points for p in (fixed, moving)]
    low, high = (np.array([np.quantile(b, q, axis=0) for b in bodies]) for q in (0.01, 0.99))
    surplus = np.abs((high[1] - low[1]) - (high[0] - low[0])) / 2
    if surplus.max() < SLIDE_STEP_MM:
        return np.empty((0, 3))
    step = SLIDE_STEP_MM
    while np.prod(2 * np.floor(surplus / step) + 1) > MAX_SLIDES:
        step *= 1.2
    axes = [np.arange(-k, k + 1) * step for k in np.floor(surplus / step).astype(int).tolist()]
    middle = (low[1] + high[1]) / 2 + centre_mm - (low[0] + high[0]) / 2
    places: Points = middle + np.array(list(itertools.product(*axes)))
    return places


def starts(fixed: Prepared, moving: Prepared, centre_mm: Points, *, dense: bool = False) -> tuple[Poses, ...]:
    """Groups of starts, each of which deserves its own climbers; the header's own pose comes first.

    Every orientation over every overlay; and, for bodies of different extent, nearly upright along the larger one.
    `dense` looks at more orientations.
    """
    turns = torch.cat([torch.eye(3, dtype=torch.float64)[None], near_rotations(), far_rotations(dense)])
    along = slides(fixed, moving, centre_mm)
    groups = [_each_over(turns, overlays(fixed, moving, centre_mm), centre_mm)]
    if len(along):
        groups.append(_each_over(near_rotations(limit_deg=20), along, centre_mm))
    return tuple(groups)


def _each_over(rotations: torch.Tensor, places_mm: Points, centre_mm: Points) -> Poses:
    return Poses(
        rotations.repeat_interleave(len(places_mm), dim=0),
        torch.from_numpy(places_mm).repeat(len(rotations), 1),
        torch.from_numpy(np.asarray(centre_mm)),
    )
