"""The fused image's own grey levels: mean, spread, distance from the sources, and what became of the black."""

import torch

from .local_windows import Image, Values, image_axes

BLACK = 0.5
"""Grey levels below this are 0 when rounded: where both sources are below it there is nothing to show."""

LEAST_ERROR = 1e-10


def mean(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Mean grey level of the fused image."""
    return fused.mean(dim=image_axes(dimensions))


def sd(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Standard deviation of the fused image in grey levels (the population's: division by n)."""
    return fused.std(dim=image_axes(dimensions), correction=0)


def psnr(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """10 log₁₀(255² / MSE) in dB with MSE the mean of both sources' mean squared errors; at most 148 dB.

    It is highest for the plain average. Other programs take the fused image's own maximum as the peak, or scale to
    0…1 and leave 255 in the numerator, which adds 48.1 dB.
    """
    axes = image_axes(dimensions)
    error = ((fixed - fused).square().mean(dim=axes) + (moved - fused).square().mean(dim=axes)) / 2
    return 10 * torch.log10(255.0**2 / error.clamp_min(LEAST_ERROR))


def background(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Mean grey level of the fused image where both sources are black (below half a level); 0 is right.

    0 where no voxel is black in both.
    """
    black = (fixed < BLACK) & (moved < BLACK)
    axes = image_axes(dimensions)
    return torch.where(black, fused, 0.0).sum(dim=axes) / black.sum(dim=axes).clamp_min(1)
