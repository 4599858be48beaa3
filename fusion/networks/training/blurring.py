"""Blurred copies of images: what makes pairs with a known answer out of single images."""

import torch
from torch.nn import functional

WEAKEST, STRONGEST = 1.0, 3.0
"""Pixels, standard deviation."""


def blurred(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(n, 1, h, w), each blurred by a Gaussian of a width that is drawn for it."""
    widths = WEAKEST + (STRONGEST - WEAKEST) * torch.rand(len(images), generator=generator)
    radius = round(2.5 * STRONGEST)
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype)
    kernels = torch.exp(-offsets.square() / (2 * widths[:, None].square()))
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).to(images)
    n = len(images)
    planes = functional.pad(images.transpose(0, 1), (radius,) * 4, mode="replicate")
    planes = functional.conv2d(planes, kernels[:, None, :, None], groups=n)
    return functional.conv2d(planes, kernels[:, None, None, :], groups=n).transpose(0, 1)


def patchwork(shape: torch.Size, generator: torch.Generator, patch: int = 16) -> torch.Tensor:
    """(n, 1, h, w) of 0 and 1 in smooth random regions about `patch` pixels wide."""
    n, _, rows, columns = shape
    coarse = torch.rand(n, 1, rows // patch + 2, columns // patch + 2, generator=generator)
    smooth = functional.interpolate(coarse, size=(rows, columns), mode="bicubic", align_corners=True)
    return (smooth > 0.5).to(torch.float32)


def complementary(images: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two copies of each image, each blurred where the other is sharp, and where the first is the sharp one."""
    soft = blurred(images, generator)
    first_sharp = patchwork(images.shape, generator).to(images)
    first = torch.where(first_sharp > 0, images, soft)
    second = torch.where(first_sharp > 0, soft, images)
    return first, second, first_sharp
