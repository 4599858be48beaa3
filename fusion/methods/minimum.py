"""The darker of both images."""

from dataclasses import asdict, dataclass

import torch

from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused


@dataclass(frozen=True, slots=True)
class Minimum:
    """Keeps what is dark in either image, such as air and fluid."""

    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        image = pair.over_fixed(torch.minimum(pair.fixed, pair.moved))
        return Fused(image, fixed.grid, "minimum", asdict(self) | pair.windows)
