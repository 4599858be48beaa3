"""Points that two images of one body both show: where edges of three directions meet.

The measure is that of Förstner and Gülch (ISPRS Intercommission Workshop, Interlaken, 1987, `foerstner1987`) in three
dimensions: 1 / tr(S⁻¹) of the structure tensor S, large where a patch is fixed in every direction. The gradients enter
with their length made nearly one, so that a faint edge in one contrast counts as much as the bright one of another, and
as g gᵀ, so that it does not matter which side is the brighter.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ...geometry.smoothing import gaussian
from ...geometry.transform import AffineTransform
from ...types import MaskArray, Points, VoxelArray
from ...volume import Grid, Volume
from ..coarse import coarse_image

SPACING_MM = 3.0
MARGIN_MM = 9.0
GRADIENT_SIGMA = 1.0
"""Voxels: the noise of a voxel is no edge."""

CORNER_SIGMA = 1.0
NEIGHBOURS = 3
"""A keypoint is the best within a cube of so many voxels. With 2 voxels and 5 neighbours there were a sixth as many
keypoints, and 8 right matches instead of 97 between a T1 and a PD of one head."""

FAINT_SHARE = 0.6
"""Gradients below this share of the body's mean count the less the fainter they are; all of noise is below it."""

ENTRIES = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The directions of edges on a grid of cubes along the patient's axes.

    `tensor` (6, slice, row, column): the entries xx, yy, zz, xy, xz, yz of g gᵀ / (|g|² + faint²), from 0 to 1.
    """

    tensor: torch.Tensor
    grid: Grid
    body: MaskArray

    @classmethod
    def of(cls, volume: Volume, body_points: Points) -> "Edges":
        """Of `volume`, about the points (n, 3) of its body."""
        grid = cube_grid(body_points)
        image = coarse_image(volume, AffineTransform.identity(), grid).cpu()
        body = _about(body_points, grid)
        z, y, x = torch.gradient(gaussian(image, (GRADIENT_SIGMA,) * 3))
        gradient = torch.stack([x, y, z])
        squared = gradient.square().sum(dim=0)
        faint = FAINT_SHARE * float(squared[body].sqrt().mean())
        products = torch.stack([gradient[i] * gradient[j] for i, j in ENTRIES])
        return cls(products / (squared + faint**2 + 1e-12), grid, body)

    def smoothed(self, sigma: float) -> torch.Tensor:
        """(6, slice, row, column): the tensor under a Gaussian of `sigma` voxels."""
        return torch.stack([gaussian(entry, (sigma, sigma, sigma)) for entry in self.tensor])


def keypoints(edges: Edges, count: int) -> Points:
    """(at most `count`, 3) LPS mm: the best points of the body, best first."""
    corner = cornerness(edges.smoothed(CORNER_SIGMA))
    best = functional.max_pool3d(corner[None, None], NEIGHBOURS, stride=1, padding=NEIGHBOURS // 2)[0, 0]
    found = torch.nonzero((corner == best) & edges.body & (corner > 0))
    order = torch.argsort(corner[tuple(found.T)], descending=True, stable=True)[:count]
    return edges.grid.points(found[order].numpy().astype(np.float64))


def cornerness(tensor: torch.Tensor) -> VoxelArray:
    """(6, …) to (…): det S / tr adj S, which is 1 / tr(S⁻¹)."""
    xx, yy, zz, xy, xz, yz = tensor
    adjugate = (yy * zz - yz**2, xx * zz - xz**2, xx * yy - xy**2)
    determinant = xx * adjugate[0] - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)
    trace = adjugate[0] + adjugate[1] + adjugate[2]
    corner: VoxelArray = (determinant / (trace + 1e-9)).clamp_min(0)
    return corner


def cube_grid(points: Points, spacing_mm: float = SPACING_MM) -> Grid:
    """Cubes about `points` (n, 3): slices along z, rows along y, columns along x."""
    low, high = points.min(axis=0)[::-1] - MARGIN_MM, points.max(axis=0)[::-1] + MARGIN_MM
    extents = np.maximum(np.ceil((high - low) / spacing_mm).astype(int) + 1, NEIGHBOURS)
    affine = np.eye(4)
    affine[:3, :3] = spacing_mm * np.eye(3)[::-1]
    affine[:3, 3] = low[::-1]
    return Grid((int(extents[0]), int(extents[1]), int(extents[2])), affine)


def _about(points: Points, grid: Grid) -> MaskArray:
    """Where the body is, from points of it that lie no more than two voxels apart."""
    mask = torch.zeros(grid.shape)
    index = np.clip(np.rint(grid.indices(points)).astype(int), 0, np.array(grid.shape) - 1)
    mask[tuple(index.T)] = 1
    return functional.max_pool3d(mask[None, None], 5, stride=1, padding=2)[0, 0] > 0
