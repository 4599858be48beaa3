"""What the surroundings of a keypoint look like, in numbers that survive a change of contrast.

The directions of edges at points all round, each as a tensor that does not know which side is the brighter: the
histograms of oriented gradients that image descriptors are made of (Lowe, IJCV 60(2), 2004, `lowe2004`, section 6), in
their second moments, without the sign that contrasts exchange. Either upright, as the header has the patient, or along
the principal directions of the edges round the keypoint, whose signs are open: then four turns of it are described.
"""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray

from ...geometry.displacement import sampled
from ...types import Points
from .keypoints import ENTRIES, Edges

REACH_MM = 24.0
STEP_MM = 6.0
FIELD_SIGMA = 1.5
"""Voxels over which directions are pooled: half a step."""

FRAME_SIGMA = 4.0
"""Voxels over which the principal directions are taken: 12 mm."""

TURNS = np.array([np.diag(signs) for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))], dtype=np.float64)
"""The turns that leave every axis on its line."""

Descriptors = NDArray[np.float32]
"""(points, numbers), each row of length one."""


def upright(edges: Edges, points: Points) -> Descriptors:
    """(n, numbers) at `points` (n, 3), along the patient's axes."""
    return _described(edges, points, np.broadcast_to(np.eye(3), (len(points), 3, 3)))


def oriented(edges: Edges, points: Points, every_turn: bool) -> Descriptors:
    """(n, numbers) along the principal directions, or (4 · n, numbers) for each of `TURNS` in a row."""
    frames = principal_frames(edges, points)
    if not every_turn:
        return _described(edges, points, frames)
    return np.concatenate([_described(edges, points, frames @ turn) for turn in TURNS])


def principal_frames(edges: Edges, points: Points) -> NDArray[np.float64]:
    """(n, 3, 3): rotations whose columns are the principal directions of the edges, strongest first."""
    _, vectors = np.linalg.eigh(_matrices(_at(edges.smoothed(FRAME_SIGMA), edges, points)))
    frames: NDArray[np.float64] = vectors[:, :, ::-1].copy()
    frames[:, :, 2] *= np.linalg.det(frames)[:, None]
    return frames


def lattice() -> Points:
    """(m, 3) mm: places round a keypoint, within `REACH_MM`."""
    axis = np.arange(-REACH_MM, REACH_MM + 1, STEP_MM)
    cube = np.array(list(itertools.product(axis, repeat=3)))
    inside: Points = cube[np.linalg.norm(cube, axis=1) <= REACH_MM]
    return inside


def _described(edges: Edges, points: Points, frames: NDArray[np.float64]) -> Descriptors:
    places = points[:, None] + np.einsum("nij,mj->nmi", frames, lattice())
    directions = _matrices(_at(edges.smoothed(FIELD_SIGMA), edges, places.reshape(-1, 3)))
    directions = directions.reshape(len(points), -1, 3, 3)
    turned = np.einsum("nji,nmjk,nkl->nmil", frames, directions, frames, optimize=True)
    # The off-diagonal entries stand for two: so that lengths are those of matrices.
    numbers = np.stack([turned[..., i, j] * (1 if i == j else np.sqrt(2)) for i, j in ENTRIES], axis=-1)
    flat = numbers.reshape(len(points), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: Descriptors = (flat / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit


def _at(tensor: torch.Tensor, edges: Edges, points: Points) -> NDArray[np.float64]:
    """(n, 6) of a field (6, …) at `points` (n, 3) LPS mm; nothing outside of it."""
    values: NDArray[np.float64] = sampled(tensor.numpy(), edges.grid.indices(points))
    return values


def _matrices(entries: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 6) to (n, 3, 3)."""
    matrices = np.empty((len(entries), 3, 3))
    for number, (i, j) in enumerate(ENTRIES):
        matrices[:, i, j] = matrices[:, j, i] = entries[:, number]
    return matrices
