"""Fusing aligned volumes by the name of a method."""

from collections.abc import Sequence
from typing import Any, cast

from ..choice import choose
from ..errors import ParameterError
from ..volume import Volume
from . import METHODS, SEVERAL, Fused
from .defaults import AUTO, default_method
from .method import SeveralMethod


def fuse(fixed: Volume, moved: Volume | Sequence[Volume], method: str = AUTO, **parameters: Any) -> Fused:
    """`fixed` and `moved`, one volume or several, as one image on the grid that they share.

    `auto` is the method that `default_method` names for the modalities; it takes windows only. Raises
    `UnknownNameError`, `ParameterError` (also for several moved volumes where the method is not in `SEVERAL`), or
    `GeometryError` when they lie on different grids.
    """
    all_moved = [moved] if isinstance(moved, Volume) else list(moved)
    if not all_moved:
        raise ParameterError("there is nothing to fuse the fixed image with")
    name = default_method(fixed.modality, *(each.modality for each in all_moved)) if method == AUTO else method
    chosen = choose("fusion method", METHODS, name, parameters)
    if len(all_moved) == 1:
        return chosen(fixed, all_moved[0])
    if name not in SEVERAL:
        raise ParameterError(f"{name!r} fuses two images; several at once: {', '.join(sorted(SEVERAL))}")
    return cast("SeveralMethod", chosen)(fixed, *all_moved)
