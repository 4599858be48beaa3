"""From an affine start to a displacement field and its inverse: both directions, coarse to fine, made consistent."""

from dataclasses import dataclass

import torch

from ..geometry.displacement import inverted, then_field
from ..geometry.unfolding import unfolded
from ..volume import Grid
from .coupled_convex import DiscreteSearch, coupled_convex
from .instance_optimisation import Features, refined
from .node_grid import NodeGrid

MARGIN_MM = 30.0
"""Of nodes about the image over which the field fades out."""


@dataclass(frozen=True, slots=True)
class FieldStage:
    """One resolution: features pooled over `pooling`³ voxels, a node every `step` of those, and how many steps.

    `stiffness` is the length of smoothing as a multiple of what the registrar asks for.
    """

    pooling: int
    step: int
    stiffness: float
    iterations: int


STAGES = (
    FieldStage(4, 1, 2.0, 15),
    FieldStage(2, 2, 1.25, 12),
    FieldStage(1, 3, 1.0, 6),
)
START = DiscreteSearch(reach=3, stride=1, smoothing_mm=7.0)
START_POOLING, START_STEP = 4, 2
LAST_ITERATIONS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """A field, its inverse, and by how much both directions differed before they were made to agree.

    Each is (3, *nodes.shape), in mm along the axes of the grid.
    """

    nodes: NodeGrid
    forward: torch.Tensor
    backward: torch.Tensor
    apart: torch.Tensor


def nodes_of(features: Features, step: int) -> NodeGrid:
    """Nodes every `step` voxels with the margin about them."""
    margin = max(2, round(MARGIN_MM / (features.voxel_mm * step)))
    return NodeGrid(features.shape, features.voxel_mm, step, margin)


def pooled(features: Features, factor: int) -> Features:
    """Means over blocks of `factor`³ voxels: coarser, smoother, and seen from further away."""
    if factor == 1:
        return features

    def images(values: torch.Tensor) -> torch.Tensor:
        channels_first = values.permute(3, 0, 1, 2)[None]
        means = torch.nn.functional.avg_pool3d(channels_first, factor, ceil_mode=True, count_include_pad=False)
        return means[0].permute(1, 2, 3, 0).contiguous()

    def region(mask: torch.Tensor) -> torch.Tensor:
        share = mask.to(torch.float32)[None, None]
        means = torch.nn.functional.avg_pool3d(share, factor, ceil_mode=True, count_include_pad=False)
        return means[0, 0] >= 0.5

    return Features(
        images(features.fixed),
        images(features.moving),
        region(features.region),
        region(features.fixed_valid),
        region(features.moving_valid),
        features.voxel_mm * factor,
    )


def both_ways(
    features: Features, stiffness_mm: float, start: tuple[NodeGrid, torch.Tensor, torch.Tensor] | None = None
) -> Fields:
    """The field that both directions agree on.

    `start` is a node grid with a field and its inverse, from another registrar; without it the discrete search is the
    start.
    """
    if start is None:
        coarse = pooled(features, START_POOLING)
        nodes = nodes_of(coarse, START_STEP)
        fields = [coupled_convex(side, nodes, START) for side in (coarse, coarse.exchanged())]
    else:
        nodes, *fields = start
    for stage in STAGES:
        level = pooled(features, stage.pooling)
        finer = nodes_of(level, stage.step)
        fields = [
            refined(
                side,
                finer,
                finer.taken_from(nodes, field),
                stiffness_mm=stage.stiffness * stiffness_mm,
                iterations=stage.iterations,
            )
            for side, field in zip((level, level.exchanged()), fields, strict=True)
        ]
        nodes = finer
    return agreed(nodes, fields[0], fields[1])


def refined_again(features: Features, found: Fields, stiffness_mm: float) -> Fields:
    """`found` followed by what features of the moving image, taken after it was moved, still ask for."""
    zero = found.nodes.zeros(features.fixed.device)
    more = [
        refined(side, found.nodes, zero, stiffness_mm=stiffness_mm, iterations=LAST_ITERATIONS)
        for side in (features, features.exchanged())
    ]
    rest = agreed(found.nodes, more[0], more[1])
    grid = axes_grid(found.nodes)
    whole, _ = unfolded(then_field(rest.forward, found.forward, grid), grid)
    return Fields(found.nodes, whole, inverted(whole, grid), found.apart)


def agreed(nodes: NodeGrid, forward: torch.Tensor, backward: torch.Tensor) -> Fields:
    """The mean of a field and of the inverse of the one that goes the other way, without folds, and its inverse."""
    grid = axes_grid(nodes)
    forward, _ = unfolded(forward, grid)
    backward, _ = unfolded(backward, grid)
    other = inverted(backward, grid)
    mean, _ = unfolded((forward + other) / 2, grid)
    return Fields(nodes, mean, inverted(mean, grid), other - forward)


def axes_grid(nodes: NodeGrid) -> Grid:
    """The nodes in coordinates along their own axes: there mm along the axes are mm in space."""
    affine = torch.eye(4, dtype=torch.float64).numpy()
    affine[:3, :3] *= nodes.spacing_mm
    return Grid(nodes.shape, affine)
