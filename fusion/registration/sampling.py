"""Trilinear value and gradient at any points: the plain form of the inner loop of every registrar here.

The eight corners of a cell are gathered from the voxels themselves: the volume is held once.
"""

import math
from dataclasses import dataclass

import torch

from ..types import MaskArray, VoxelArray

EXACT_COUNT = 2**24
"""float32 counts exactly only up to here."""


@dataclass(frozen=True, slots=True, eq=False)
class CellSampler:
    """Samples one volume at fractional array indices.

    `voxels` (slice, row, column), contiguous, at least two along every axis; not a number where nothing was measured,
    which makes every cell unusable that has such a corner.
    """

    voxels: VoxelArray

    @classmethod
    def of(cls, voxels: VoxelArray, valid: MaskArray | None = None) -> "CellSampler":
        """Prepare `voxels` (slice, row, column)."""
        if valid is not None:
            voxels = torch.where(valid, voxels, math.nan)
        return cls(voxels.contiguous())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns."""
        slices, rows, columns = self.voxels.shape
        return slices, rows, columns

    @property
    def device(self) -> torch.device:
        """Where the voxels are."""
        return self.voxels.device

    def locate(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(3, n) fractional indices to first corners (n,), fractions (3, n) and whether each is inside (n,).

        Points outside are sent to the nearest cell, so that what is read there is finite; the caller leaves them out.
        """
        last = torch.tensor(self.shape, dtype=indices.dtype, device=indices.device)[:, None] - 1
        inside = ((indices >= 0) & (indices <= last)).all(dim=0)
        clamped = torch.minimum(indices.clamp_min(0), last)
        lower = torch.minimum(clamped.floor(), last - 1)
        counted = lower if self.voxels.numel() < EXACT_COUNT else lower.to(torch.int64)
        corner = ((counted[0] * self.shape[1] + counted[1]) * self.shape[2] + counted[2]).to(torch.int64)
        return corner, clamped - lower, inside

    def taper(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(3, n) indices to weights (n,), rising from 0 on a face to 1 a voxel inside, and their gradients (3, n).

        A sample that came or went at a stroke would make a step in the similarity, and steps stop a climb.
        """
        last = torch.tensor(self.shape, dtype=indices.dtype, device=indices.device)[:, None] - 1
        nearest, face = torch.cat([indices, last - indices]).min(dim=0)
        partly = (nearest >= 0) & (nearest < 1)
        gradient = torch.zeros_like(indices).scatter_(0, (face % 3)[None], torch.where(face < 3, 1.0, -1.0)[None])
        return nearest.clamp(0, 1), gradient * partly

    def _edges(self, corner: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The four corners with the lower column, and the steps to their neighbours along it."""
        flat, columns = self.voxels.reshape(-1), self.shape[2]
        firsts, steps = [], []
        for offset in (0, columns, self.shape[1] * columns, (self.shape[1] + 1) * columns):
            first = flat.index_select(0, corner + offset)
            firsts.append(first)
            steps.append(flat.index_select(0, corner + (offset + 1)) - first)
        return firsts, steps

    def value(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(3, n) indices to values (n,) and inside (n,); 0 where not measured."""
        values, _, inside = self.value_and_gradient(indices)
        return values, inside

    def value_and_gradient(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(3, n) indices to values (n,), gradients (3, n) per index step, and inside (n,); 0 where not measured."""
        corner, (z, y, x), inside = self.locate(indices)
        (v00, v01, v10, v11), (x00, x01, x10, x11) = self._edges(corner)
        near, far = torch.addcmul(v00, x, x00), torch.addcmul(v10, x, x10)
        near_y, far_y = torch.addcmul(v01, x, x01) - near, torch.addcmul(v11, x, x11) - far
        near, far = torch.addcmul(near, y, near_y), torch.addcmul(far, y, far_y)
        value = torch.lerp(near, far, z)
        along_x = torch.lerp(torch.lerp(x00, x01, y), torch.lerp(x10, x11, y), z)
        gradient = torch.stack([far - near, torch.lerp(near_y, far_y, z), along_x])
        measured = torch.isfinite(value)
        return torch.where(measured, value, 0.0), torch.where(measured, gradient, 0.0), inside & measured
