"""Cubes of one and the other image in turn: where edges break at the borders, the registration is off."""

from dataclasses import asdict, dataclass

import torch

from ..errors import ParameterError
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused


@dataclass(frozen=True, slots=True)
class Checkerboard:
    """Cubes of `tile_mm` along each axis, the first of the fixed image."""

    tile_mm: float = 30.0
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        if not 0 < self.tile_mm < float("inf"):
            raise ParameterError(f"tile_mm is positive, not {self.tile_mm}")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        number = torch.zeros((1, 1, 1), dtype=torch.int64, device=fixed.device)
        for axis, spacing_mm in enumerate(fixed.grid.spacing_mm):
            tile = max(1, round(self.tile_mm / spacing_mm))
            along = torch.arange(fixed.grid.shape[axis], device=fixed.device) // tile
            number = number + along.reshape([-1 if other == axis else 1 for other in range(3)])
        image = pair.over_fixed(torch.where(number % 2 == 0, pair.fixed, pair.moved))
        return Fused(image, fixed.grid, "checkerboard", asdict(self) | pair.windows)
