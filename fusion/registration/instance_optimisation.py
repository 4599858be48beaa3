"""The displacement field of one pair, refined by Gauss-Newton steps from any start.

Minimised over the nodes of a field u is ½ Σ |F(x) - M(x + u(x))|² + ½ κ L⁴ Σ |Δu|²: features as far as they determine
u, bending for the rest. L, in mm, is the length over which a neighbourhood of typical structure is smoothed; κ is that
typical structure, the mean of how well the features determine a displacement, so that L means the same for every
contrast, noise and voxel size.
"""

from dataclasses import dataclass

import torch

from .node_grid import NodeGrid, without_border
from .normal_equations import Equations, normal_equations
from .stiffness import bending, solve

LARGEST_STEP = 1.0
"""Voxels: beyond that the gradient of the features says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Both images' features on one grid of cubes, (slice, row, column, channels) float32.

    `region` (slice, row, column) bool is what the registration is about, `fixed_valid` and `moving_valid` say where
    each image was measured.
    """

    fixed: torch.Tensor
    moving: torch.Tensor
    region: torch.Tensor
    fixed_valid: torch.Tensor
    moving_valid: torch.Tensor
    voxel_mm: float

    def exchanged(self) -> "Features":
        """Fixed and moving in each other's place."""
        return Features(self.moving, self.fixed, self.region, self.moving_valid, self.fixed_valid, self.voxel_mm)

    @property
    def compared(self) -> torch.Tensor:
        """Where the fixed image has something to say."""
        return self.region & self.fixed_valid

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the grid."""
        slices, rows, columns = self.fixed.shape[:3]
        return slices, rows, columns


def refined(
    features: Features, nodes: NodeGrid, start: torch.Tensor, *, stiffness_mm: float, iterations: int
) -> torch.Tensor:
    """The field (3, *nodes.shape), mm along the axes of the grid, after `iterations` steps from `start`."""
    field, compared = start, features.compared
    for _ in range(iterations):
        equations = normal_equations(features.fixed, features.moving, compared, features.moving_valid, field, nodes)
        field = field + step_of(equations, field, nodes, stiffness_mm)
    return field


def step_of(equations: Equations, field: torch.Tensor, nodes: NodeGrid, stiffness_mm: float) -> torch.Tensor:
    """One Gauss-Newton step at `field`."""
    per_node = 1 / nodes.step**3
    curvature, slope = equations.curvature * per_node, equations.slope * per_node
    trace = (curvature[0] + curvature[3] + curvature[5]) / 3
    typical = float(trace.sum(dtype=torch.float64) / (trace > 0).sum().clamp_min(1))
    stiffness = typical * stiffness_mm**4
    step = solve(curvature, slope - stiffness * bending(field, nodes.spacing_mm), stiffness, nodes.spacing_mm)
    length = step.square().sum(dim=0).sqrt()
    limit = LARGEST_STEP * nodes.voxel_mm
    return without_border(step * (limit / length.clamp_min(limit)))
