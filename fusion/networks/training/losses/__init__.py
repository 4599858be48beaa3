"""Losses, one a file: functions of image tensors (n, 1, row, column) in 0…1 that give a scalar."""

from .adversarial import least_squares_generator, least_squares_judge
from .gradient import gradient_loss, gradient_magnitude
from .pixel import pixel_loss
from .ssim import ssim, ssim_loss

__all__ = [
    "gradient_loss",
    "gradient_magnitude",
    "least_squares_generator",
    "least_squares_judge",
    "pixel_loss",
    "ssim",
    "ssim_loss",
]
