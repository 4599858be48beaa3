"""Decision-level fusion: each image is classified on its own, and a rule on the classes says which one is shown."""

from dataclasses import asdict, dataclass

import torch

from ..errors import ParameterError
from ..transforms.box import box_mean, radii_of
from ..transforms.classes import class_limits, classes_of
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused


@dataclass(frozen=True, slots=True)
class DecisionMap:
    """Tissue maps of both images by k-means of the brightness, combined voxel by voxel.

    The rule: the image that puts the voxel into the higher of its own `classes` (0 is its darkest, background) is
    shown; where both put it into the same class, both are, half each. The map of decisions is smoothed over `radius`
    voxels of the finest axis (a vote of the neighbours) and blends the images, so that no level arises that neither
    has.
    """

    classes: int = 4
    radius: int = 1
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        if not 2 <= self.classes <= 16:
            raise ParameterError(f"classes lies between 2 and 16, not at {self.classes}")
        if self.radius < 0:
            raise ParameterError(f"radius is not negative, as {self.radius} is")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        second = pair.moved_or_fixed
        votes = torch.sign(self._classes(pair.fixed) - self._classes(second)).float().add_(1).div_(2)
        share = box_mean(votes, radii_of(self.radius, second.shape, fixed.grid.spacing_mm)).clamp_(0.0, 1.0)
        image = pair.over_fixed(torch.lerp(second, pair.fixed, share))
        return Fused(image, fixed.grid, "decision_map", asdict(self) | pair.windows)

    def _classes(self, image: VoxelArray) -> torch.Tensor:
        return classes_of(image, class_limits(image, self.classes)).to(torch.int8)
