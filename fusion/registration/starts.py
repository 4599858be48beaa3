"""Where a search begins: orientations times ways to lay the two bodies over each other."""

import itertools

import numpy as np
import torch

from ..types import Points
from .objective import Poses, exponential
from .preparation import Prepared

NEAR_TURNS_DEG = (-40.0, -20.0, 0.0, 20.0, 40.0)
"""Head tilt and couch position: what positioning on the table changes, about each patient axis."""

SLIDE_STEP_MM = 35.0
"""Step of the positions tried where one body is much larger than the other: half of the capture range measured on
heads at the coarsest level."""

MAX_SLIDES = 60


def near_rotations() -> torch.Tensor:
    """(n, 3, 3): orientations up to some 50 degrees from the header's."""
    turns = np.radians([t for t in itertools.product(NEAR_TURNS_DEG, repeat=3) if np.linalg.norm(t) <= 50])
    return exponential(torch.from_numpy(turns))


def far_rotations() -> torch.Tensor:
    """(n, 3, 3): the 24 ways to lay a box (all flips among them), each alone and tilted by 25 degrees."""
    cube = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0:
                cube.append(matrix)
    tilts = np.radians([(0, 0, 0), *(25.0 * s * np.eye(3)[a] for a in range(3) for s in (-1, 1))])
    return torch.cat([exponential(torch.from_numpy(tilts)) @ torch.from_numpy(m) for m in cube])


def overlays(fixed: Prepared, moving: Prepared, centre_mm: Points) -> Points:
    """(n, 3) LPS mm: where the centre of the fixed body may lie in the moving image.

    Where the header says; centre of mass on centre of mass; centre of field of view on centre of field of view; and,
    where one body is much longer than the other, every place along it.
    """
    bodies = [p.body_points for p in (fixed, moving)]
    moving_centre = bodies[1].mean(axis=0)
    candidates = [centre_mm, moving_centre, moving.grid.centre_mm + centre_mm - fixed.grid.centre_mm]
    low, high = (np.array([np.quantile(b, q, axis=0) for b in bodies]) for q in (0.01, 0.99))
    surplus = (high[1] - low[1]) - (high[0] - low[0])
    slides = [
        np.arange(-k, k + 1) * SLIDE_STEP_MM for k in np.floor(np.abs(surplus) / 2 / SLIDE_STEP_MM).astype(int).tolist()
    ]
    middle = (low[1] + high[1]) / 2 + centre_mm - (low[0] + high[0]) / 2
    grid = np.array(list(itertools.product(*slides)))
    stride = -(-len(grid) // MAX_SLIDES)
    return np.concatenate([np.array(candidates), middle + grid[::stride]])


def starts(fixed: Prepared, moving: Prepared, centre_mm: Points) -> Poses:
    """Every orientation over every overlay, the header's own pose first."""
    places = torch.from_numpy(overlays(fixed, moving, centre_mm))
    rotations = torch.cat([torch.eye(3, dtype=torch.float64)[None], near_rotations(), far_rotations()])
    count = len(places)
    return Poses(
        rotations.repeat_interleave(count, dim=0),
        places.repeat(len(rotations), 1),
        torch.from_numpy(np.asarray(centre_mm)),
    )
