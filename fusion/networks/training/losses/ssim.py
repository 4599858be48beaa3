"""Structural similarity as a loss (Wang et al., IEEE TIP 13(4), 2004, `wang2004`, eq. 13), range 0…1."""

import torch
from torch.nn import functional

RADIUS, SIGMA = 5, 1.5
C1, C2 = 0.01**2, 0.03**2


def ssim(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The map (n, 1, h, w), Gaussian windows of 11 x 11; the edge is continued."""
    means = [_smoothed(image) for image in (first, second)]
    products = (first * first, second * second, first * second)
    expected = (means[0] * means[0], means[1] * means[1], means[0] * means[1])
    one, two, joint = (_smoothed(product) - mean for product, mean in zip(products, expected, strict=True))
    luminance = (2 * expected[2] + C1) / (expected[0] + expected[1] + C1)
    return luminance * (2 * joint + C2) / (one + two + C2)


def ssim_loss(image: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """1 less the mean similarity."""
    return 1 - ssim(image, wanted).mean()


def _smoothed(image: torch.Tensor) -> torch.Tensor:
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-offsets.square() / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(image, (RADIUS,) * 4, mode="replicate")
    rows = functional.conv2d(padded, kernel[None, None, :, None])
    return functional.conv2d(rows, kernel[None, None, None, :])
