"""Correlations: of the fused image with its sources, and of what one source added with that source."""

import torch

from .local_windows import Image, Values, image_axes


def scd(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Sum of the correlations of differences: r(F - B, A) + r(F - A, B), -2 … 2; higher is better.

    What is left of F without one source should look like the other (Aslantas and Bendes 2015, `aslantas2015`, eq. 1
    to 3). r is Pearson's; a constant side counts as 0, so a copy of one source gets only r(A - B, A). Differentiable.
    """
    return correlation(fused - moved, fixed, dimensions) + correlation(fused - fixed, moved, dimensions)


def scd_min(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """The smaller of r(F - B, A) and r(F - A, B): a copy of one source has 0 or less. Differentiable."""
    return torch.minimum(correlation(fused - moved, fixed, dimensions), correlation(fused - fixed, moved, dimensions))


def cc(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Mean of Pearson's r(A, F) and r(B, F). Some programs subtract the mean of A from B by mistake. Differentiable."""
    return (correlation(fixed, fused, dimensions) + correlation(moved, fused, dimensions)) / 2


def correlation(first: Image, second: Image, dimensions: int = 2) -> Values:
    """Pearson's r over the image, -1 … 1; 0 where one side is constant."""
    axes = image_axes(dimensions)
    first, second = (image - image.mean(dim=axes, keepdim=True) for image in (first, second))
    squares = first.square().sum(dim=axes) * second.square().sum(dim=axes)
    some = squares > 0
    return torch.where(some, (first * second).sum(dim=axes) / torch.where(some, squares, 1.0).sqrt(), 0.0)
