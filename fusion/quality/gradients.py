"""How much the fused image changes from voxel to voxel; noise and halos count as much as anatomy."""

import torch

from .local_windows import Image, Values, image_axes


def sf(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Spatial frequency: the root of the summed mean squared differences along each axis (`eskicioglu1995`, eq. 7).

    Means are over the differences there are; some programs divide by the number of voxels. In three dimensions the
    slices' differences are a third term, whatever their distance in mm.
    """
    total = torch.zeros(fused.shape[: fused.ndim - dimensions], dtype=fused.dtype, device=fused.device)
    for axis in image_axes(dimensions):
        if fused.shape[axis] > 1:
            total = total + fused.diff(dim=axis).square().mean(dim=image_axes(dimensions))
    return total.sqrt()


def ag(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Average gradient: the mean of √((Δx² + Δy²) / 2) by forward differences, over all but the last row and column.

    In three dimensions √((Δx² + Δy² + Δz²) / 3). Others use Sobel's or leave out the division.
    """
    squares = []
    for axis in image_axes(dimensions):
        change = fused.diff(dim=axis) if fused.shape[axis] > 1 else torch.zeros_like(fused)
        for other in image_axes(dimensions):
            if other != axis and fused.shape[other] > 1:
                change = change.narrow(other, 0, fused.shape[other] - 1)
        squares.append(change.square())
    return (torch.stack(squares).sum(dim=0) / dimensions).sqrt().mean(dim=image_axes(dimensions))
