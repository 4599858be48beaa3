"""Mean squared difference."""

import torch


def pixel_loss(image: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The mean of the squared differences."""
    return (image - wanted).square().mean()
