"""Trilinear value and gradient at any points: the inner loop of every registrar here.

Each cell of eight voxels is stored as the eight coefficients of its trilinear polynomial, so that a sample is one
contiguous read of 32 bytes and a few multiplications; value and gradient come from the same read.
"""

from dataclasses import dataclass

import torch

from ..types import MaskArray, VoxelArray


@dataclass(frozen=True, slots=True, eq=False)
class CellSampler:
    """Samples one volume at fractional array indices.

    `coefficients` (cells, 8) of 1, x, y, z, xy, xz, yz, xyz with x along the last array axis; `usable` (cells,) is
    False where a corner of the cell was not measured.
    """

    coefficients: torch.Tensor
    usable: torch.Tensor
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, voxels: VoxelArray, valid: MaskArray | None = None) -> "CellSampler":
        """Prepare `voxels` (slice, row, column), at least two along every axis."""
        corner = {
            (k, j, i): voxels[k : voxels.shape[0] - 1 + k, j : voxels.shape[1] - 1 + j, i : voxels.shape[2] - 1 + i]
            for k in (0, 1)
            for j in (0, 1)
            for i in (0, 1)
        }
        base, x, y, z = (corner[c] for c in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)))
        xy, xz, yz, xyz = (corner[c] for c in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)))
        coefficients = torch.stack(
            [
                base,
                x - base,
                y - base,
                z - base,
                xy - x - y + base,
                xz - x - z + base,
                yz - y - z + base,
                xyz - xy - xz - yz + x + y + z - base,
            ],
            dim=-1,
        )
        usable = torch.ones_like(base, dtype=torch.bool)
        if valid is not None:
            whole = valid.to(torch.float32)[None, None]
            usable = -torch.nn.functional.max_pool3d(-whole, 2, stride=1)[0, 0] > 0
        slices, rows, columns = voxels.shape
        return cls(coefficients.reshape(-1, 8).contiguous(), usable.reshape(-1), (slices, rows, columns))

    def locate(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(3, n) fractional indices to cell numbers (n,), fractions (3, n) and whether each is inside (n,).

        Points outside are sent to the nearest cell, so that what is read there is finite; the caller leaves them out.
        """
        last = torch.tensor(self.shape, dtype=indices.dtype, device=indices.device)[:, None] - 1
        inside = ((indices >= 0) & (indices <= last)).all(dim=0)
        clamped = torch.minimum(indices.clamp_min(0), last)
        lower = torch.minimum(clamped.floor(), last - 1)
        number = (lower[0] * (self.shape[1] - 1) + lower[1]) * (self.shape[2] - 1) + lower[2]
        if last.prod() >= 2**24:  # float32 counts exactly only up to here
            whole = lower.to(torch.int64)
            cell = (whole[0] * (self.shape[1] - 1) + whole[1]) * (self.shape[2] - 1) + whole[2]
        else:
            cell = number.to(torch.int64)
        return cell, clamped - lower, inside & self.usable[cell]

    def value(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(3, n) indices to values (n,) and inside (n,)."""
        cell, (z, y, x), inside = self.locate(indices)
        c0, cx, cy, cz, cxy, cxz, cyz, cxyz = self.coefficients.index_select(0, cell).unbind(1)
        value = torch.addcmul(c0, x, torch.addcmul(cx, y, torch.addcmul(cxy, z, cxyz)))
        value = value + y * torch.addcmul(cy, z, cyz)
        return torch.addcmul(value, z, torch.addcmul(cz, x, cxz)), inside

    def value_and_gradient(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(3, n) indices to values (n,), gradients (3, n) per index step, and inside (n,)."""
        cell, (z, y, x), inside = self.locate(indices)
        c0, cx, cy, cz, cxy, cxz, cyz, cxyz = self.coefficients.index_select(0, cell).unbind(1)
        along_yz = torch.addcmul(cyz, x, cxyz)
        along_x = torch.addcmul(cx, z, cxz) + y * torch.addcmul(cxy, z, cxyz)
        along_y = torch.addcmul(cy, x, cxy) + z * along_yz
        along_z = torch.addcmul(cz, x, cxz) + y * along_yz
        value = torch.addcmul(c0, x, along_x) + y * cy
        value = torch.addcmul(value, z, torch.addcmul(cz, y, cyz))
        return value, torch.stack([along_z, along_y, along_x]), inside
