"""How much a transform stretches or folds space at each point: the determinant of its derivative."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..types import Points, VectorField, VoxelArray
from ..volume import Grid
from .displacement import DisplacementTransform, index_vectors
from .transform import PointMap

PERCENTILES = (1.0, 5.0, 50.0, 95.0, 99.0)


@dataclass(frozen=True, slots=True)
class JacobianSummary:
    """The smallest determinant, percentiles by `PERCENTILES`, and the share of voxels at or below zero."""

    smallest: float
    percentiles: tuple[float, ...]
    folded_share: float


def jacobian_of_map(transform: PointMap, points: Points, grid: Grid) -> NDArray[np.float64]:
    """(n,): the determinant at `points` by central differences of half a voxel of `grid` along each of its axes."""
    steps = grid.affine[:3, :3] / 2
    columns = [transform(points + steps[:, axis]) - transform(points - steps[:, axis]) for axis in range(3)]
    determinant: NDArray[np.float64] = np.linalg.det(np.stack(columns, axis=-1)) / np.linalg.det(grid.affine[:3, :3])
    return determinant


def jacobian_map(transform: DisplacementTransform, onto: Grid) -> VoxelArray:
    """The determinant of the whole transform at each voxel centre of `onto`, on the CPU."""
    result = torch.empty(onto.shape, dtype=torch.float32)
    rows, columns = onto.shape[1:]
    axes = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    for number in range(onto.shape[0]):
        index = np.stack([np.full((rows, columns), number), *axes], axis=-1).reshape(-1, 3).astype(np.float64)
        points = onto.points(index)
        result[number] = torch.from_numpy(jacobian_of_map(transform, points, onto).reshape(rows, columns)).float()
    return result


def corner_determinants(displacement: VectorField, grid: Grid) -> torch.Tensor:
    """(8, slice - 1, row - 1, column - 1): the determinant at the corners of each cell of the trilinear field.

    Within a cell each derivative is a mixture of those at its corners; a field whose corners all keep their sign
    folds nowhere that a voxel could show.
    """
    moved = index_vectors(displacement, grid)
    steps = []
    for axis in range(3):
        step = moved.diff(dim=axis + 1)
        step[axis] += 1
        steps.append(step)
    found = []
    for corner in range(8):
        columns = []
        for axis in range(3):
            column = steps[axis]
            for other in range(3):
                if other != axis:
                    high = corner >> other & 1
                    column = column.narrow(other + 1, high, column.shape[other + 1] - 1)
            columns.append(column)
        found.append(determinant(*columns))
    return torch.stack(found)


def determinant(first: torch.Tensor, second: torch.Tensor, third: torch.Tensor) -> torch.Tensor:
    """Of the 3 × 3 matrices with these columns (3, …)."""
    across: torch.Tensor = torch.linalg.cross(second, third, dim=0)
    return (first * across).sum(dim=0)


def summary_of(determinants: torch.Tensor) -> JacobianSummary:
    """Smallest, percentiles and folded share of any determinants."""
    values = determinants.reshape(-1).cpu().numpy()
    return JacobianSummary(
        float(values.min()),
        tuple(float(value) for value in np.percentile(values, PERCENTILES)),
        float((values <= 0).mean()),
    )
