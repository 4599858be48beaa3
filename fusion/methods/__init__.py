"""Fusion methods, one a file."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .alpha_blend import AlphaBlend
from .average import Average
from .checkerboard import Checkerboard
from .curvelet import Curvelet
from .dwt import Dwt
from .laplacian_pyramid import LaplacianPyramid
from .maximum import Maximum
from .method import Fused, Legend, Method
from .minimum import Minimum
from .msvd import Msvd
from .nsct import Nsct
from .nsst import Nsst
from .pca import Pca
from .swt import Swt
from .weighted_sum import WeightedSum
from .wpd import Wpd

METHODS: Mapping[str, Callable[..., Method]] = MappingProxyType(
    {
        "alpha_blend": AlphaBlend,
        "average": Average,
        "checkerboard": Checkerboard,
        "curvelet": Curvelet,
        "dwt": Dwt,
        "laplacian_pyramid": LaplacianPyramid,
        "maximum": Maximum,
        "minimum": Minimum,
        "msvd": Msvd,
        "nsct": Nsct,
        "nsst": Nsst,
        "pca": Pca,
        "swt": Swt,
        "weighted_sum": WeightedSum,
        "wpd": Wpd,
    }
)
"""Every method by the name that a recipe gives; the parameters are the fields of its class."""

__all__ = ["METHODS", "Fused", "Legend", "Method"]
