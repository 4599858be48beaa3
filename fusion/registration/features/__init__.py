"""Registration by keypoints: where they are, what they look like, which belong together, and what they agree on."""

from .registrar import FeatureRegistrar

__all__ = ["FeatureRegistrar"]
