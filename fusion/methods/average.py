"""The mean of both images."""

from dataclasses import asdict, dataclass

from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused


@dataclass(frozen=True, slots=True)
class Average:
    """Half of each: noise falls, and so does contrast that only one image has."""

    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        image = pair.over_fixed((pair.fixed + pair.moved) / 2)
        return Fused(image, fixed.grid, "average", asdict(self) | pair.windows)
