"""What a registrar is, and what it hands back."""

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, Protocol

from ..geometry.transform import AffineTransform, Transform
from ..volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """The transform that was found, and what is known about how good it is.

    `transform` maps fixed to moving points (LPS mm). `similarity` is the value of `similarity_name` at the result,
    larger is better. `measures` hold the independent signs of trouble that the gate judges, by name and in mm,
    degrees or ratios as the name says. `expected_error_mm` is the registrar's own estimate of the mean target
    registration error over the body, `error_bound_mm` of its 95th percentile (upper bound), `error_map` where in the
    body it is how large: mm on a coarse grid of the fixed body, valid within it. `notes` are for people.
    """

    transform: Transform
    registrar: str
    parameters: Mapping[str, Any]
    similarity_name: str
    similarity: float
    expected_error_mm: float
    error_bound_mm: float
    iterations: int
    converged: bool
    seconds: float
    device: str
    measures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error_map: Volume | None = None


class Registrar(Protocol):
    """Finds how the moving image lies to the fixed one.

    A registrar is a frozen dataclass whose fields are its parameters, so that `asdict` of it is the provenance
    entry. A call never moves `fixed`, never changes a voxel of either, gives the same answer for the same input on
    the same device, and raises `UnusableVolumeError` for an empty or constant volume.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed`."""
        ...


def unregistered(registrar: str, reason: str) -> Registration:
    """The record of a pair that could not be registered at all: the header's transform, trusted by nobody."""
    return Registration(
        transform=AffineTransform.identity(),
        registrar=registrar,
        parameters={},
        similarity_name="none",
        similarity=0.0,
        expected_error_mm=math.inf,
        error_bound_mm=math.inf,
        iterations=0,
        converged=False,
        seconds=0.0,
        device="none",
        notes=(reason,),
    )
