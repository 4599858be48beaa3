"""The mean of all images."""

from dataclasses import asdict, dataclass

from ..transforms.selection import common_base
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Average:
    """The same share of each: noise falls, and so does contrast that only one image has."""

    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        image = aligned.over_fixed(common_base(*aligned.images, base="mean"))
        return Fused(image, fixed.grid, "average", asdict(self) | aligned.windows)
