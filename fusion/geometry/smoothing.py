"""Gaussian low-pass that takes nothing from voxels in which nothing was measured."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from ..types import MaskArray, VoxelArray
from ..volume import Volume

TRUNCATE_SIGMAS = 3.0
"""Where the kernel ends: beyond three standard deviations lie 0.3 % of it, spread over the rest by normalisation."""

LEAST_SIGMA_VOXELS = 0.15
"""Narrower than this the sampled kernel's neighbours weigh less than 1e-9 and the pass is left out."""

LEAST_WEIGHT = 1e-6
"""A voxel with less measured weight under the kernel than this keeps its own value."""


def smooth(volume: Volume, sigma_mm: float) -> Volume:
    """`volume` under an isotropic Gaussian of `sigma_mm`; `valid` stays as it is."""
    sigmas = [sigma_mm / spacing for spacing in volume.grid.spacing_mm]
    voxels = gaussian(volume.voxels, sigmas, volume.valid)
    return replace(volume, voxels=voxels)


def gaussian(voxels: VoxelArray, sigmas_voxels: Sequence[float], valid: MaskArray | None = None) -> VoxelArray:
    """`voxels` under a separable Gaussian, one standard deviation per axis in voxels; 0 leaves an axis as it is.

    Normalised convolution (Knutsson and Westin 1993, `knutsson1993`, with a constant basis): the weighted sum is
    divided by the sum of the weights that fell on valid voxels inside of the array, so that neither the border nor
    unmeasured voxels pull the result towards zero. Invalid voxels keep their value.
    """
    if not any(sigma >= LEAST_SIGMA_VOXELS for sigma in sigmas_voxels):
        return voxels
    if valid is None:
        for axis, sigma in enumerate(sigmas_voxels):
            ones = torch.ones(voxels.shape[axis], device=voxels.device)
            shape = [-1 if other == axis else 1 for other in range(voxels.ndim)]
            voxels = _convolve(voxels, axis, sigma).div(_convolve(ones, 0, sigma).reshape(shape))
        return voxels
    weight = valid.to(voxels.dtype)
    total = torch.where(valid, voxels, 0.0)
    for axis, sigma in enumerate(sigmas_voxels):
        total = _convolve(total, axis, sigma)
        weight = _convolve(weight, axis, sigma)
    return torch.where(valid & (weight > LEAST_WEIGHT), total / weight.clamp(min=LEAST_WEIGHT), voxels)


def _convolve(values: torch.Tensor, axis: int, sigma: float) -> torch.Tensor:
    """Weighted sum of shifted copies along one axis; zero outside. Two arrays at a time, whatever the kernel."""
    if sigma < LEAST_SIGMA_VOXELS:
        return values
    extent = values.shape[axis]
    kernel = _kernel(sigma)
    radius = len(kernel) // 2
    result = values * kernel[radius]
    for shift in range(1, min(radius, extent - 1) + 1):
        weight = kernel[radius + shift]
        result.narrow(axis, 0, extent - shift).add_(values.narrow(axis, shift, extent - shift), alpha=weight)
        result.narrow(axis, shift, extent - shift).add_(values.narrow(axis, 0, extent - shift), alpha=weight)
    return result


def _kernel(sigma: float) -> list[float]:
    """The sampled Gaussian with sum 1, odd length."""
    radius = max(1, math.ceil(TRUNCATE_SIGMAS * sigma))
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]
