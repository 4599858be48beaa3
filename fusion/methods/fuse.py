"""Fusing two aligned volumes by the name of a method."""

from typing import Any

from ..choice import choose
from ..volume import Volume
from . import METHODS, Fused


def fuse(fixed: Volume, moved: Volume, method: str = "alpha_blend", **parameters: Any) -> Fused:
    """`fixed` and `moved` as one image on the grid that they share.

    Raises `UnknownNameError`, `ParameterError`, or `GeometryError` when the two lie on different grids.
    """
    return choose("fusion method", METHODS, method, parameters)(fixed, moved)
