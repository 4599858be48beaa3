"""The nodes on which a displacement field is known, laid over a grid of voxels."""

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.displacement import pulled
from ..volume import Grid


@dataclass(frozen=True, slots=True)
class NodeGrid:
    """Nodes at the centres of blocks of `step`³ voxels, and `margin` further ones on every side.

    The voxels have `voxel_mm` along each of their three axes, which are at right angles. Displacements on the nodes
    are in mm along those axes, trilinear in between, and zero on the outermost nodes.
    """

    voxels: tuple[int, int, int]
    voxel_mm: float
    step: int
    margin: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Nodes along each axis."""
        slices, rows, columns = (-(-n // self.step) + 2 * self.margin for n in self.voxels)
        return slices, rows, columns

    @property
    def count(self) -> int:
        """All nodes."""
        return int(np.prod(self.shape))

    @property
    def spacing_mm(self) -> float:
        """Between neighbouring nodes."""
        return self.step * self.voxel_mm

    def grid(self, voxels: Grid) -> Grid:
        """The nodes as a grid in space."""
        first = np.full(3, (self.step - 1) / 2 - self.margin * self.step)
        affine = voxels.affine.copy()
        affine[:3, 3] = voxels.points(first)
        affine[:3, :3] *= self.step
        return Grid(self.shape, affine, voxels.frame_of_reference_uid)

    def zeros(self, device: torch.device) -> torch.Tensor:
        """(3, *shape): nothing moves."""
        return torch.zeros((3, *self.shape), dtype=torch.float32, device=device)

    def positions(self, voxel_indices: torch.Tensor, axis: int) -> torch.Tensor:
        """Fractional node indices of voxel indices along an axis."""
        del axis
        return (voxel_indices - (self.step - 1) / 2) / self.step + self.margin

    def at_voxels(self, displacement: torch.Tensor) -> torch.Tensor:
        """(3, *shape) on the nodes to (3, *voxels)."""
        for axis, extent in enumerate(self.voxels):
            position = self.positions(torch.arange(extent, device=displacement.device, dtype=torch.float32), axis)
            lower = position.floor().long().clamp(0, self.shape[axis] - 2)
            share = (position - lower).reshape([-1 if a == axis else 1 for a in range(3)])
            below = displacement.index_select(axis + 1, lower)
            displacement = torch.lerp(below, displacement.index_select(axis + 1, lower + 1), share)
        return displacement

    def owner_of_voxels(self, device: torch.device) -> torch.Tensor:
        """(*voxels): the flat number of the node in whose block each voxel lies."""
        owner = torch.zeros((1, 1, 1), dtype=torch.int64, device=device)
        for axis, extent in enumerate(self.voxels):
            node = torch.arange(extent, device=device) // self.step + self.margin
            owner = owner * self.shape[axis] + node.reshape([-1 if a == axis else 1 for a in range(3)])
        return owner

    def taken_from(self, other: "NodeGrid", displacement: torch.Tensor) -> torch.Tensor:
        """`displacement` of `other`, laid over the same space, on these nodes; zero beyond the other's border."""
        ratio = self.voxel_mm / other.voxel_mm
        axes = []
        for axis, extent in enumerate(self.shape):
            node = torch.arange(extent, device=displacement.device, dtype=torch.float32)
            voxel = (node - self.margin) * self.step + (self.step - 1) / 2
            # Grids of two resolutions share their outer corner, not their first centre.
            axes.append(other.positions((voxel + 0.5) * ratio - 0.5, axis))
        indices = torch.stack(torch.meshgrid(*axes, indexing="ij"))
        last = torch.tensor(other.shape, device=displacement.device).reshape(3, 1, 1, 1) - 1
        inside = ((indices >= 0) & (indices <= last)).all(dim=0)
        return without_border(pulled(displacement, indices) * inside)


def without_border(displacement: torch.Tensor) -> torch.Tensor:
    """The same with zeros on the outermost nodes."""
    inner = torch.zeros_like(displacement)
    inner[:, 1:-1, 1:-1, 1:-1] = displacement[:, 1:-1, 1:-1, 1:-1]
    return inner
