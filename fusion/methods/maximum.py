"""The brighter of both images."""

from dataclasses import asdict, dataclass

import torch

from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused


@dataclass(frozen=True, slots=True)
class Maximum:
    """Keeps what is bright in either image, such as bone and uptake."""

    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        image = pair.over_fixed(torch.maximum(pair.fixed, pair.moved))
        return Fused(image, fixed.grid, "maximum", asdict(self) | pair.windows)
