"""A displacement field from nothing: all displacements are tried at once, then neighbours are made to agree.

Steinbrücker, Pock and Cremers, ICCV 2009 (`steinbruecker2009`), for images in space Heinrich, Papież, Schnabel and
Handels, WBIR 2014 (`heinrich2014`), and with MIND Siebert et al., IEEE TMI 2024 (`siebert2024`): the cost of every
displacement in a cube is tabled for each node; then the best one per node, drawn by a coupling that grows towards the
smoothed field, and the smoothing take turns. No gradient, so that no local minimum holds it.
"""

from dataclasses import dataclass
from itertools import product

import torch

from .instance_optimisation import Features
from .node_grid import NodeGrid, without_border
from .stiffness import bending, solve

CHUNK_NODES = 8192


@dataclass(frozen=True, slots=True)
class DiscreteSearch:
    """How far is looked (`reach` voxels to either side, every `stride`), and how the neighbours come to agree.

    `couplings` are shares of the table's typical range that a difference of the whole reach between a node's choice
    and the smoothed field costs, one after the other; `smoothing_mm` is the Gaussian between them.
    """

    reach: int = 5
    stride: int = 1
    couplings: tuple[float, ...] = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0)
    smoothing_mm: float = 8.0

    @property
    def labels(self) -> tuple[tuple[int, int, int], ...]:
        """Every displacement that is tried, in voxels."""
        steps = range(-self.reach, self.reach + 1, self.stride)
        return tuple(product(steps, steps, steps))


def coupled_convex(features: Features, nodes: NodeGrid, search: DiscreteSearch) -> torch.Tensor:
    """The field (3, *nodes.shape), mm along the axes of the grid; `nodes.margin` nodes about the image stay zero."""
    costs = cost_table(features, nodes, search)
    labels = torch.tensor(search.labels, dtype=torch.float32, device=costs.device)
    least = costs.amin(dim=1)
    sharpness = costs.mean(dim=1) - least
    typical = float(sharpness.sum(dtype=torch.float64) / (sharpness > 0).sum().clamp_min(1)) + 1e-12
    weight = sharpness / typical
    inner = (slice(None), *(slice(nodes.margin, n - nodes.margin) for n in nodes.shape))
    curvature = torch.zeros((6, *nodes.shape), dtype=torch.float32, device=costs.device)
    curvature[(slice(0, 6, 1), *inner[1:])] = weight.reshape(1, *(n - 2 * nodes.margin for n in nodes.shape))
    curvature[[1, 2, 4]] = 0
    field = nodes.zeros(costs.device)
    for coupling in search.couplings:
        drawn = field[inner].reshape(3, -1).T
        pull = coupling * typical / search.reach**2
        chosen = torch.empty_like(drawn)
        for start in range(0, len(costs), CHUNK_NODES):
            part = slice(start, start + CHUNK_NODES)
            table = torch.addcmul(costs[part], torch.cdist(drawn[part], labels).square(), torch.tensor(pull))
            chosen[part] = labels[table.argmin(dim=1)]
        wanted = nodes.zeros(costs.device)
        wanted[inner] = (chosen - drawn).T.reshape(wanted[inner].shape)
        stiffness = search.smoothing_mm**4
        slope = curvature[:1] * wanted - stiffness * bending(field, nodes.spacing_mm)
        field = field + solve(curvature, slope, stiffness, nodes.spacing_mm)
    return without_border(field * nodes.voxel_mm)


def cost_table(features: Features, nodes: NodeGrid, search: DiscreteSearch) -> torch.Tensor:
    """(nodes inside of the margin, labels): the mean squared difference about each node for each displacement.

    Nodes with nothing of the region about them cost nothing wherever they go.
    """
    step, reach = nodes.step, search.reach
    region = features.compared.to(torch.float32)
    pooled_region = _pooled(region[None], step)
    inner = pooled_region.shape[1:]
    padding = [0, 0] + [reach] * 6
    moving = torch.nn.functional.pad(features.moving, padding)
    counts = torch.nn.functional.pad(features.moving_valid.to(torch.float32), [reach] * 6)
    table = torch.empty((len(search.labels), *inner), dtype=torch.float32, device=region.device)
    extent = features.shape
    for number, label in enumerate(search.labels):
        window = tuple(slice(reach + d, reach + d + n) for d, n in zip(label, extent, strict=True))
        both = region * counts[window]
        difference = (features.fixed - moving[window]).square_().mean(dim=-1).mul_(both)
        summed = _pooled(torch.stack([difference, both]), step)
        summed = torch.nn.functional.avg_pool3d(summed[None], 3, stride=1, padding=1)[0]
        table[number] = summed[0] / summed[1].clamp_min(1e-3)
    return table.reshape(len(search.labels), -1).T.contiguous()


def _pooled(values: torch.Tensor, step: int) -> torch.Tensor:
    """(channels, slice, row, column): means over blocks of `step`³, what is missing at the end counts as zero."""
    missing = [-n % step for n in values.shape[:0:-1]]
    padded = torch.nn.functional.pad(values[None], [part for m in missing for part in (0, m)])
    return torch.nn.functional.avg_pool3d(padded, step)[0]
