"""Fusion methods, one a file."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .alpha_blend import AlphaBlend
from .average import Average
from .checkerboard import Checkerboard
from .laplacian_pyramid import LaplacianPyramid
from .maximum import Maximum
from .method import Fused, Legend, Method
from .minimum import Minimum
from .weighted_sum import WeightedSum

METHODS: Mapping[str, Callable[..., Method]] = MappingProxyType(
    {
        "alpha_blend": AlphaBlend,
        "average": Average,
        "checkerboard": Checkerboard,
        "laplacian_pyramid": LaplacianPyramid,
        "maximum": Maximum,
        "minimum": Minimum,
        "weighted_sum": WeightedSum,
    }
)
"""Every method by the name that a recipe gives; the parameters are the fields of its class."""

__all__ = ["METHODS", "Fused", "Legend", "Method"]
