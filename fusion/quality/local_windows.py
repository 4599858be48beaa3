"""Sums over windows that lie wholly inside an image, along its last axes.

An image here is a tensor whose last `dimensions` axes are the image: (…, row, column) with two, (…, slice, row,
column) with three; what is before them is a batch, and every image gets its own value. So a stack of slices is
measured slice by slice with `dimensions=2` and as one volume with `dimensions=3`. Everything is differentiable and
keeps dtype and device.
"""

from collections.abc import Sequence

import torch

Image = torch.Tensor
"""(…, row, column) or (…, slice, row, column), in grey levels 0…255 unless said otherwise."""

Values = torch.Tensor
"""(…): one number an image."""


def image_axes(dimensions: int) -> tuple[int, ...]:
    """The axes of one image, counted from the end: (-2, -1) or (-3, -2, -1)."""
    return tuple(range(-dimensions, 0))


def gaussian(size: int, sigma: float) -> tuple[float, ...]:
    """Weights of a Gaussian over `size` samples about their middle, of sum 1; `sigma` in samples."""
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-places.square() / (2 * sigma**2))
    return tuple((weights / weights.sum()).tolist())


def filtered(image: Image, kernel: Sequence[float], dimensions: int) -> Image:
    """The separable correlation with `kernel`; an axis of n becomes one of n - len(kernel) + 1.

    An axis that is shorter than the kernel is taken with as much of the kernel's middle as it holds, so that thin
    volumes and small pictures have a value too.
    """
    for axis in image_axes(dimensions):
        image = _along(image, fitting(kernel, image.shape[axis]), axis)
    return image


def fitting(kernel: Sequence[float], extent: int) -> Sequence[float]:
    """The middle of `kernel`, at most `extent` long and of the same sum; its length stays odd."""
    if len(kernel) <= extent:
        return kernel
    kept = extent if extent % 2 else extent - 1
    start = (len(kernel) - kept) // 2
    middle = kernel[start : start + kept]
    return [weight * sum(kernel) / sum(middle) for weight in middle]


def _along(image: Image, kernel: Sequence[float], axis: int) -> Image:
    kept = image.shape[axis] - len(kernel) + 1
    total = kernel[0] * image.narrow(axis, 0, kept)
    for start, weight in enumerate(kernel[1:], start=1):
        total = torch.add(total, image.narrow(axis, start, kept), alpha=weight)
    return total


def every_second(image: Image, dimensions: int) -> Image:
    """Every second sample along every axis of the image; an axis of 1 stays."""
    for axis in image_axes(dimensions):
        places = torch.arange(0, image.shape[axis], 2, device=image.device)
        image = image.index_select(axis, places)
    return image


def moments(first: Image, second: Image, kernel: Sequence[float], dimensions: int) -> tuple[Image, ...]:
    """Under each window: both means, both variances (at least 0) and the covariance."""
    mean_first, mean_second = (filtered(image, kernel, dimensions) for image in (first, second))
    variance_first = filtered(first * first, kernel, dimensions) - mean_first * mean_first
    variance_second = filtered(second * second, kernel, dimensions) - mean_second * mean_second
    covariance = filtered(first * second, kernel, dimensions) - mean_first * mean_second
    return mean_first, mean_second, variance_first.clamp_min(0), variance_second.clamp_min(0), covariance
