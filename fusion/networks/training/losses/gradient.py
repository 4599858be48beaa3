"""How far the edges of an image are from those that it should have."""

import torch
from torch.nn import functional


def gradient_magnitude(image: torch.Tensor) -> torch.Tensor:
    """Sobel magnitude (n, 1, h, w); the edge of the image is continued."""
    along = image.new_tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]) / 4
    kernels = torch.stack([along, along.T])[:, None]
    both = functional.conv2d(functional.pad(image, (1, 1, 1, 1), mode="replicate"), kernels)
    return (both.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()


def gradient_loss(fused: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference from the stronger gradient of both sources, pixel by pixel."""
    wanted = torch.maximum(gradient_magnitude(first), gradient_magnitude(second))
    return (gradient_magnitude(fused) - wanted).abs().mean()
