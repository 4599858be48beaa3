"""Fusion methods, one a file."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .alpha_blend import AlphaBlend
from .average import Average
from .bounded import Bounded
from .cca import Cca
from .checkerboard import Checkerboard
from .convolutional_sparse import ConvolutionalSparse
from .curvelet import Curvelet
from .decision_map import DecisionMap
from .dense_fuse import DenseFuse
from .display import Display
from .dwt import Dwt
from .fotgv import Fotgv
from .guided_filter import GuidedFilter
from .l0_base_detail import L0BaseDetail
from .laplacian_pyramid import LaplacianPyramid
from .maximum import Maximum
from .method import Fused, Legend, Method
from .minimum import Minimum
from .msvd import Msvd
from .nsct import Nsct
from .nsst import Nsst
from .nsst_mi import NsstMi
from .pca import Pca
from .published import PUBLISHED
from .sparse_representation import SparseRepresentation
from .swt import Swt
from .weighted_sum import WeightedSum
from .wpd import Wpd

METHODS: Mapping[str, Callable[..., Method]] = MappingProxyType(
    {
        "alpha_blend": AlphaBlend,
        "average": Average,
        "bounded": Bounded,
        "cca": Cca,
        "checkerboard": Checkerboard,
        "convolutional_sparse": ConvolutionalSparse,
        "curvelet": Curvelet,
        "decision_map": DecisionMap,
        "dense_fuse": DenseFuse,
        "display": Display,
        "dwt": Dwt,
        "fotgv": Fotgv,
        "guided_filter": GuidedFilter,
        "l0_base_detail": L0BaseDetail,
        "laplacian_pyramid": LaplacianPyramid,
        "maximum": Maximum,
        "minimum": Minimum,
        "msvd": Msvd,
        "nsct": Nsct,
        "nsst": Nsst,
        "nsst_mi": NsstMi,
        "pca": Pca,
        "sparse_representation": SparseRepresentation,
        "swt": Swt,
        "weighted_sum": WeightedSum,
        "wpd": Wpd,
        **PUBLISHED,
    }
)
"""Every method by the name that a recipe gives; the parameters are the fields of its class."""

SEVERAL = frozenset(
    {
        *(
            "average",
            "bounded",
            "curvelet",
            "dwt",
            "fotgv",
            "l0_base_detail",
            "laplacian_pyramid",
            "maximum",
            "minimum",
        ),
        *("msvd", "nsct", "nsst", "pca", "swt", "weighted_sum", "wpd"),
    }
)
"""The methods that fuse more than two images at once."""

__all__ = ["METHODS", "SEVERAL", "Fused", "Legend", "Method"]
