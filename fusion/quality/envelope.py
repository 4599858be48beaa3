"""Grey levels that no source has: the share of voxels outside of the sources' envelope."""

import torch

from .local_windows import Image, Values, image_axes

TOLERANCE = 4.0
"""Grey levels: what rounding and a display can hide."""


EXACT = 0.01
"""Grey levels: float32 arithmetic on 0…1 is good to a thousandth of a level."""


def ooe(fixed: Image, moved: Image, fused: Image, dimensions: int = 2, tolerance: float = TOLERANCE) -> Values:
    """Share of voxels with F outside of [min(A, B) - tolerance, max(A, B) + tolerance]: 0 … 1, 0 is best.

    0 at tolerance 0 means that every voxel is a mixture of its two sources: nothing was invented. Values of the 8-bit
    literature are rounded first; here nothing is rounded. `EXACT` is added to the tolerance: 8-bit images in
    0…1 that are four levels apart are so only up to the rounding of float32.
    """
    allowed = tolerance + EXACT
    outside = (fused < torch.minimum(fixed, moved) - allowed) | (fused > torch.maximum(fixed, moved) + allowed)
    return outside.to(torch.float64).mean(dim=image_axes(dimensions))


def ooe_exact(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """`ooe` at tolerance 0, but for the rounding of float32 (`EXACT`)."""
    return ooe(fixed, moved, fused, dimensions, 0.0)
