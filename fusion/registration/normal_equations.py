"""What the features say about the displacement of each node: the normal equations of their squared differences.

With features F of the fixed and M of the moving image, both on one grid, the error of a displacement u is the sum of
|F(x) - M(x + u(x))|² over the voxels x of a region. A Gauss-Newton step needs, for each node of u, the sum over the
voxels about it of g·gᵀ and of g·(F - M), where g is the gradient of M. The CPU runs a fused kernel; this module has
the same in plain torch, for every other device and as what the kernel is tested against.
"""

from dataclasses import dataclass

import torch

from ..geometry.displacement import identity_indices
from .node_grid import NodeGrid

CHUNK_VOXELS = 400_000
TERMS = 10
"""g·gᵀ as zz, zy, zx, yy, yx, xx; g·(F - M) as z, y, x; (F - M)²; each a mean over channels, summed over voxels."""

ROWS, COLUMNS = (0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """Sums over the voxels about each node, (10, slice, row, column), and how many voxels were summed up, (1, …)."""

    sums: torch.Tensor
    count: torch.Tensor

    @property
    def curvature(self) -> torch.Tensor:
        """(6, …): g·gᵀ per voxel of the node's block, in 1/mm²."""
        return self.sums[:6]

    @property
    def slope(self) -> torch.Tensor:
        """(3, …): g·(F - M), in 1/mm: downhill."""
        return self.sums[6:9]

    @property
    def error(self) -> float:
        """The mean squared difference of the features over what was compared."""
        return float(self.sums[9].sum(dtype=torch.float64) / self.count.sum(dtype=torch.float64).clamp_min(1))


def normal_equations(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    region: torch.Tensor,
    moving_valid: torch.Tensor,
    displacement: torch.Tensor,
    nodes: NodeGrid,
) -> Equations:
    """The normal equations at `displacement` (3, *nodes.shape), mm along the axes of the grid.

    `fixed` and `moving` are (slice, row, column, channels) on one grid, `region` (slice, row, column) bool says where
    the fixed image is compared, `moving_valid` the same where the moving one was measured. Points that leave the
    moving grid, or lie nearest to an unmeasured voxel of it, are left out.
    """
    if fixed.device.type == "cpu":
        from .normal_equations_cpu import fused_sums

        return Equations(*fused_sums(fixed, moving, region, moving_valid, displacement, nodes))
    return reference_equations(fixed, moving, region, moving_valid, displacement, nodes)


def reference_equations(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    region: torch.Tensor,
    moving_valid: torch.Tensor,
    displacement: torch.Tensor,
    nodes: NodeGrid,
) -> Equations:
    """The same in plain torch."""
    chosen = torch.nonzero(region.reshape(-1))[:, 0]
    here = identity_indices(region.shape, region.device).reshape(3, -1)
    moved = (here.reshape(3, *region.shape) + nodes.at_voxels(displacement) / nodes.voxel_mm).reshape(3, -1)
    owner = nodes.owner_of_voxels(region.device).reshape(-1)
    sums = torch.zeros((TERMS + 1, nodes.count), dtype=torch.float32, device=region.device)
    channels = fixed.shape[-1]
    for part in torch.split(chosen, CHUNK_VOXELS):
        inside, value, gradient = _value_and_gradient(moving, moving_valid, moved[:, part], nodes.voxel_mm)
        difference = (fixed.reshape(-1, channels)[part] - value) * inside[:, None]
        gradient = gradient * inside[None, :, None]
        terms = [(gradient[i] * gradient[j]).mean(dim=1) for i, j in zip(ROWS, COLUMNS, strict=True)]
        terms += [(gradient[i] * difference).mean(dim=1) for i in range(3)]
        terms += [difference.square().mean(dim=1), inside]
        sums.index_add_(1, owner[part], torch.stack(terms))
    shaped = sums.reshape(TERMS + 1, *nodes.shape)
    return Equations(shaped[:TERMS], shaped[TERMS:])


def _value_and_gradient(
    moving: torch.Tensor, moving_valid: torch.Tensor, indices: torch.Tensor, voxel_mm: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Trilinear at (3, n): inside (n,) 0 or 1, values (n, channels), gradients (3, n, channels) per mm."""
    shape = torch.tensor(moving.shape[:3], device=indices.device)
    last = (shape - 1).to(indices.dtype)[:, None]
    inside = ((indices >= 0) & (indices <= last)).all(dim=0)
    clamped = torch.minimum(indices.clamp_min(0), last)
    near = (clamped + 0.5).floor().long()
    nearest = (near[0] * moving.shape[1] + near[1]) * moving.shape[2] + near[2]
    inside = (inside & moving_valid.reshape(-1)[nearest]).to(torch.float32)
    lower = torch.minimum(clamped.floor(), last - 1)
    z, y, x = (clamped - lower).unsqueeze(-1).unbind(0)
    low = lower.long()
    base = (low[0] * moving.shape[1] + low[1]) * moving.shape[2] + low[2]
    flat = moving.reshape(-1, moving.shape[3])
    steps = moving.shape[1] * moving.shape[2], moving.shape[2], 1
    corner = [
        flat[base + (n >> 2 & 1) * steps[0] + (n >> 1 & 1) * steps[1] + (n & 1) * steps[2]].float() for n in range(8)
    ]
    along_x = [torch.lerp(corner[n], corner[n + 1], x) for n in (0, 2, 4, 6)]
    step_x = [corner[n + 1] - corner[n] for n in (0, 2, 4, 6)]
    along_y = [torch.lerp(along_x[n], along_x[n + 1], y) for n in (0, 2)]
    step_y = [along_x[n + 1] - along_x[n] for n in (0, 2)]
    value = torch.lerp(along_y[0], along_y[1], z)
    slope_x = torch.lerp(torch.lerp(step_x[0], step_x[1], y), torch.lerp(step_x[2], step_x[3], y), z)
    gradient = torch.stack([along_y[1] - along_y[0], torch.lerp(step_y[0], step_y[1], z), slope_x])
    return inside, value, gradient / voxel_mm
