"""Edges: how many of the sources' came through the fusion (Q^AB/F)."""

from dataclasses import dataclass

import torch

from .local_windows import Image, Values, image_axes

STRENGTH = (0.9994, 15.0, 0.5)
ORIENTATION = (0.9879, 22.0, 0.8)
"""Γ, -κ and σ of the sigmoids of Xydeas and Petrović 2000 (`xydeas2000`)."""

SMOOTH, DIFFERENCE = (1.0, 2.0, 1.0), (-1.0, 0.0, 1.0)
"""Sobel: smoothed across, differenced along."""


def qabf(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Q^AB/F, the share of edges that came through: 0 … 0.975 (the sigmoids' end), higher is better.

    Σ(Q^AF g_A + Q^BF g_B) / Σ(g_A + g_B), where g is the Sobel gradient's length,
    Q^XF = Γg/(1 + e^(κg(G - σg))) · Γα/(1 + e^(κα(A - σα))), G the smaller over the larger of g_X and g_F, and
    A = 1 - angle between both edges / 90° (Xydeas and Petrović 2000, `xydeas2000`, eq. 1 to 10, L = 1). The literature
    differs in the border (here the edge value goes on, so that a border is no edge) and in the angle: edges have no
    sign here, so 180° apart is the same edge. Three-dimensional Sobel gradients with `dimensions=3`. No edge at all
    is 0. Differentiable.
    """
    transfer = edge_transfer(fixed, moved, fused, dimensions)
    kept = total(transfer.of_fixed * transfer.fixed_strength + transfer.of_moved * transfer.moved_strength, dimensions)
    return ratio(kept, total(transfer.fixed_strength + transfer.moved_strength, dimensions))


def q_min(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """The smaller of Σ Q^AF g_A / Σ g_A and Σ Q^BF g_B / Σ g_B: edges of the worse-served source. Differentiable."""
    transfer = edge_transfer(fixed, moved, fused, dimensions)
    of_fixed, of_moved = (
        ratio(total(kept * strength, dimensions), total(strength, dimensions))
        for kept, strength in (
            (transfer.of_fixed, transfer.fixed_strength),
            (transfer.of_moved, transfer.moved_strength),
        )
    )
    return torch.minimum(of_fixed, of_moved)


@dataclass(frozen=True, slots=True, eq=False)
class EdgeTransfer:
    """At every voxel: Q^AF and Q^BF, and the gradients' lengths."""

    of_fixed: Image
    of_moved: Image
    fixed_strength: Image
    moved_strength: Image
    fused_strength: Image


def edge_transfer(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> EdgeTransfer:
    """The map behind `qabf` and `q_min`; same shape as the images."""
    edges = [sobel(image, dimensions) for image in (fixed, moved, fused)]
    strengths = [safe_root(sum_of_squares(edge)) for edge in edges]
    return EdgeTransfer(
        _preserved(edges[0], strengths[0], edges[2], strengths[2]),
        _preserved(edges[1], strengths[1], edges[2], strengths[2]),
        *strengths,
    )


def sobel(image: Image, dimensions: int) -> list[Image]:
    """The gradient's components along the axes of the image; the border value goes on."""
    padded = image
    for axis in image_axes(dimensions):
        extent = padded.shape[axis]
        padded = torch.cat([padded.narrow(axis, 0, 1), padded, padded.narrow(axis, extent - 1, 1)], dim=axis)
    components = []
    for along in image_axes(dimensions):
        component = padded
        for axis in image_axes(dimensions):
            kernel = DIFFERENCE if axis == along else SMOOTH
            extent = component.shape[axis] - 2
            before, middle, after = (component.narrow(axis, start, extent) for start in range(3))
            component = after - before if kernel is DIFFERENCE else before + 2 * middle + after
        components.append(component)
    return components


def sum_of_squares(components: list[Image]) -> Image:
    """The squared length of a vector at every voxel."""
    return torch.stack(components).square().sum(dim=0)


def safe_root(squares: Image) -> Image:
    """The root, with derivative 0 instead of infinite at 0."""
    some = squares > 0
    return torch.where(some, torch.where(some, squares, 1.0).sqrt(), 0.0)


def _preserved(source: list[Image], source_strength: Image, fused: list[Image], fused_strength: Image) -> Image:
    """Q^XF at every voxel."""
    strength = ratio(torch.minimum(source_strength, fused_strength), torch.maximum(source_strength, fused_strength))
    return sigmoid(strength, *STRENGTH) * sigmoid(alike(source, fused), *ORIENTATION)


def alike(first: list[Image], second: list[Image]) -> Image:
    """1 where both edges run the same way, 0 where they are square to each other."""
    return 1 - _angle(first, second) / (torch.pi / 2)


def _angle(first: list[Image], second: list[Image]) -> Image:
    """Between two lines, 0 … π/2; by sine and cosine, which is exact also for lines that agree."""
    cosine = torch.stack([a * b for a, b in zip(first, second, strict=True)]).sum(dim=0).abs()
    count = len(first)
    crossed = [first[i] * second[j] - first[j] * second[i] for i in range(count) for j in range(i + 1, count)]
    sine = safe_root(sum_of_squares(crossed))
    some = (sine > 0) | (cosine > 0)
    return torch.atan2(torch.where(some, sine, 0.0), torch.where(some, cosine, 1.0))


def sigmoid(value: Image, top: float, slope: float, middle: float) -> Image:
    """`top` / (1 + e^(-`slope` (value - `middle`)))."""
    return top * torch.sigmoid(slope * (value - middle))


def total(image: Image, dimensions: int) -> Values:
    """The sum over each image."""
    return image.sum(dim=image_axes(dimensions))


def ratio(part: Values, whole: Values) -> Values:
    """0 where there is no edge at all."""
    some = whole > 0
    return torch.where(some, part / torch.where(some, whole, 1.0), 0.0)
