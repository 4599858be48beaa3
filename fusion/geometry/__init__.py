"""Transforms, resampling and pyramids."""

from .pyramid import block_mean, downsample, pyramid
from .resample import resample
from .smoothing import gaussian, smooth
from .transform import AffineTransform, Transform

__all__ = [
    "AffineTransform",
    "Transform",
    "block_mean",
    "downsample",
    "gaussian",
    "pyramid",
    "resample",
    "smooth",
]
