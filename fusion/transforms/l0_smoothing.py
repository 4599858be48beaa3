"""Smoothing that leaves few but sharp steps: the gradient's L0 norm is made small."""

from math import pi

import torch

from ..types import VoxelArray
from .extension import cropped, fast_length, periodic_extension

EXTENSION = 16
LARGEST_BETA = 1e5
"""Where the splitting ends (`xu2011`)."""


def l0_smoothed(image: VoxelArray, axes: tuple[int, ...], strength: float, growth: float = 2.0) -> VoxelArray:
    """The image that is near to `image` (0…1) and changes in few places along `axes` (`xu2011`).

    `strength` is λ: a step is kept where its square is worth more. `growth` is κ, the factor of β a round: larger is
    faster and coarser.
    """
    if not axes:
        return image.clone()
    shape = tuple(image.shape)
    lengths = tuple(fast_length(shape[axis] + min(EXTENSION, shape[axis] - 1)) for axis in axes)
    smooth = periodic_extension(image, axes, lengths)
    spectrum = torch.fft.rfftn(smooth, dim=axes)
    stiffness = _stiffness(axes, lengths, image)
    beta = 2 * strength
    while beta < LARGEST_BETA:
        kept = _kept_divergence(smooth, axes, strength / beta)
        total = torch.fft.rfftn(kept, dim=axes).mul_(beta).add_(spectrum).div_(1 + beta * stiffness)
        smooth = torch.fft.irfftn(total, s=lengths, dim=axes)
        beta *= growth
    return cropped(smooth, shape)


def _kept_divergence(image: VoxelArray, axes: tuple[int, ...], least: float) -> VoxelArray:
    """The negative divergence of the gradient where its squared length is above `least`; ends are joined."""
    square = torch.zeros_like(image)
    for axis in axes:
        square.add_((image.roll(-1, axis) - image).square_())
    keep = square > least
    divergence = square.zero_()
    for axis in axes:
        step = (image.roll(-1, axis) - image).mul_(keep)
        divergence.add_(step.roll(1, axis)).sub_(step)
    return divergence


def _stiffness(axes: tuple[int, ...], lengths: tuple[int, ...], like: VoxelArray) -> torch.Tensor:
    """The squared response of the differences, over the half spectrum."""
    total = torch.zeros([1] * like.ndim, device=like.device)
    for axis, length in zip(axes, lengths, strict=True):
        of = torch.fft.rfftfreq if axis == axes[-1] else torch.fft.fftfreq
        line = 2 - 2 * torch.cos(2 * pi * of(length, device=like.device))
        total = total + line.reshape([-1 if other == axis else 1 for other in range(like.ndim)])
    return total
