"""Transforms, resampling and pyramids."""

from .displacement import DisplacementTransform
from .pyramid import block_mean, downsample, pyramid
from .resample import resample
from .smoothing import gaussian, smooth
from .transform import AffineTransform, PointMap, Transform

__all__ = [
    "AffineTransform",
    "DisplacementTransform",
    "PointMap",
    "Transform",
    "block_mean",
    "downsample",
    "gaussian",
    "pyramid",
    "resample",
    "smooth",
]
