"""A fixed share of each image."""

from dataclasses import asdict, dataclass

import torch

from ..errors import ParameterError
from ..transforms.selection import common_base
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """`fixed_weight` (0…1) of the fixed image and the rest of the moved one, of several in equal parts."""

    fixed_weight: float = 0.6
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        if not 0 <= self.fixed_weight <= 1:
            raise ParameterError(f"fixed_weight lies between 0 and 1, not at {self.fixed_weight}")

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        image = aligned.over_fixed(
            torch.lerp(common_base(*aligned.images[1:], base="mean"), aligned.images[0], self.fixed_weight)
        )
        return Fused(image, fixed.grid, "weighted_sum", asdict(self) | aligned.windows)
