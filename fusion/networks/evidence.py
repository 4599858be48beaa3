"""Evidence for one image against another, on planes and volumes alike: odd in their order, and even.

Images are (n, 1, …) in 0…1 with two or three axes after the channel. Differences along an axis are divided by its
spacing in units of the finest, so that a gradient means the same in all directions.
"""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch.nn import functional

Axes: TypeAlias = tuple[int, ...]

ODD = ("difference", "brighter", "smooth_difference", "steeper", "richer", "detail")
"""Features that change sign when the images change places."""

EVEN = (
    "sum",
    "distance",
    "steepness",
    "steeper_either_way",
    "richness",
    "richer_either_way",
    "parallel",
    "detail_of_both",
    "brighter_is_steeper",
    "brighter_is_richer",
)
"""Features that do not."""

SMALL = 0.02
"""Gradients and contrasts below this count as none."""

LEAST_EXTENT = 4
"""An axis shorter than this is not halved."""


def evidence(first: torch.Tensor, second: torch.Tensor, spacing: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """`EVEN` and `ODD` features (n, features, …) of two images."""
    both = torch.cat([first, second], dim=1)
    active = tuple(axis for axis, extent in enumerate(both.shape[2:]) if extent > 1)
    finest = min((spacing[axis] for axis in active), default=1.0)
    near = tuple(axis for axis in active if spacing[axis] < 2 * finest)
    smooth = blurred(both, near)
    detail = both - smooth
    contrast = (blurred(both.square(), near) - smooth.square()).clamp_min(0)
    richness = (contrast + 1e-6).sqrt()
    gradients = [difference(both, axis) * (finest / spacing[axis]) for axis in active]
    # As if there were two axes: a volume has no stronger edges than its planes.
    squares = sum((part.square() for part in gradients), torch.zeros_like(both)) * (2 / max(len(active), 1))
    steepness = (squares + 1e-6).sqrt()
    along = sum((part[:, :1] * part[:, 1:] for part in gradients), torch.zeros_like(first)) * (2 / max(len(active), 1))
    parallel = along / (steepness[:, :1] * steepness[:, 1:])
    brighter = torch.tanh(8 * (first - second))
    steeper, richer = _against(steepness), _against(richness)
    odd = [
        first - second,
        brighter,
        smooth[:, :1] - smooth[:, 1:],
        steeper,
        richer,
        4 * (detail[:, :1] - detail[:, 1:]),
    ]
    even = [
        first + second - 0.5,
        (first - second).abs(),
        4 * steepness.sum(dim=1, keepdim=True),
        steeper.abs(),
        4 * richness.sum(dim=1, keepdim=True),
        richer.abs(),
        parallel,
        4 * detail.abs().sum(dim=1, keepdim=True),
        brighter * steeper,
        brighter * richer,
    ]
    return torch.cat(even, dim=1), torch.cat(odd, dim=1)


def difference(image: torch.Tensor, axis: int) -> torch.Tensor:
    """Half the difference of both neighbours along one of the image's axes; the edge is continued."""
    axis += 2
    extent = image.shape[axis]
    padded = torch.cat([image.narrow(axis, 0, 1), image, image.narrow(axis, extent - 1, 1)], dim=axis)
    return (padded.narrow(axis, 2, extent) - padded.narrow(axis, 0, extent)) / 2


def blurred(image: torch.Tensor, axes: Axes) -> torch.Tensor:
    """Weights 1, 2, 1 along `axes` of the image; the edge is continued."""
    for axis in axes:
        place = axis + 2
        extent = image.shape[place]
        padded = torch.cat([image.narrow(place, 0, 1), image, image.narrow(place, extent - 1, 1)], dim=place)
        image = (padded.narrow(place, 0, extent) + padded.narrow(place, 2, extent)) / 4 + image / 2
    return image


def halving_axes(shape: Sequence[int], spacing: Sequence[float]) -> Axes:
    """The axes that are halved next: those as fine as the finest; coarser ones wait until the others caught up."""
    able = [axis for axis, extent in enumerate(shape) if extent >= LEAST_EXTENT]
    finest = min((spacing[axis] for axis in able), default=1.0)
    return tuple(axis for axis in able if spacing[axis] < 2**0.5 * finest)


def halved(image: torch.Tensor, axes: Axes) -> torch.Tensor:
    """Means of two along `axes`; an odd end is its own mean."""
    kernel = [2 if axis in axes else 1 for axis in range(image.ndim - 2)]
    pool = functional.avg_pool2d if len(kernel) == 2 else functional.avg_pool3d
    return pool(image, kernel, ceil_mode=True, count_include_pad=False)


def enlarged(image: torch.Tensor, axes: Axes, shape: Sequence[int]) -> torch.Tensor:
    """Twice as many along `axes`, linearly between neighbours, then cut to `shape`."""
    for axis in axes:
        place = axis + 2
        extent = image.shape[place]
        padded = torch.cat([image.narrow(place, 0, 1), image, image.narrow(place, extent - 1, 1)], dim=place)
        before, after = padded.narrow(place, 0, extent), padded.narrow(place, 2, extent)
        pairs = torch.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], dim=place + 1)
        image = pairs.flatten(place, place + 1).narrow(place, 0, shape[axis])
    return image


def _against(strength: torch.Tensor) -> torch.Tensor:
    """(first - second) / (first + second) with a floor: -1…1."""
    return (strength[:, :1] - strength[:, 1:]) / (strength.sum(dim=1, keepdim=True) + SMALL)
