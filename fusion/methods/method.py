"""What a fusion method is, and what it hands back."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, replace
from typing import Any, ClassVar, Protocol

import torch

from ..volume import Grid, Volume


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """A fused image on the grid of the fixed one; for looking, not for measuring.

    `image` is (slice, row, column) float32 in 0…1 for a grey method, or (slice, row, column, 3) uint8 sRGB for a
    colour method. `legend` says what the colours mean: the label, lower and upper end and unit of each layer that
    has a colour bar. `contribution`, where the method mixes its inputs voxel by voxel, is the share of the fixed image
    (slice, row, column) float32 in 0…1: what a fused voxel is made of.
    """

    image: torch.Tensor
    grid: Grid
    method: str
    parameters: Mapping[str, Any]
    legend: tuple["Legend", ...] = ()
    contribution: torch.Tensor | None = None

    @property
    def is_colour(self) -> bool:
        """Whether voxels are sRGB triples."""
        return self.image.ndim == 4

    def to(self, device: torch.device | str) -> "Fused":
        """The same image on `device`."""
        contribution = None if self.contribution is None else self.contribution.to(device)
        return replace(self, image=self.image.to(device), contribution=contribution)


@dataclass(frozen=True, slots=True)
class Legend:
    """One colour bar: the colour table's name and the quantity at its two ends."""

    colour_table: str
    lower: float
    upper: float
    unit: str
    label: str


class SeveralMethod(Protocol):
    """A method that fuses any number of aligned volumes."""

    def __call__(self, fixed: Volume, moved: Volume, /, *further: Volume) -> Fused:
        """Fuse all of `moved` and `further` with `fixed`."""
        ...


class Method(Protocol):
    """Fuses two aligned volumes, those of the table `SEVERAL` more.

    A method is a frozen dataclass whose fields are its parameters. Both volumes lie on the same grid (else
    `GeometryError`). A call keeps the geometry, changes no input, is deterministic, and yields no NaN, also for an
    empty or constant input.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __call__(self, fixed: Volume, moved: Volume, /) -> Fused:
        """Fuse `moved` with `fixed`."""
        ...
