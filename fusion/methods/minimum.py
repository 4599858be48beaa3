"""The darkest of all images."""

from dataclasses import asdict, dataclass
from functools import reduce

import torch

from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Minimum:
    """Keeps what is dark in any image, such as air and fluid."""

    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        image = aligned.over_fixed(reduce(torch.minimum, aligned.images))
        return Fused(image, fixed.grid, "minimum", asdict(self) | aligned.windows)
