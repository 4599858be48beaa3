"""Feature-level fusion: weights from the canonical correlation of local features."""

from dataclasses import asdict, dataclass

import torch

from ..errors import ParameterError
from ..transforms.box import box_mean, radii_of
from ..transforms.canonical import canonical_forms
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused

SAMPLES = 1_000_000
"""Correlations are read from evenly spaced voxels, about this many."""


@dataclass(frozen=True, slots=True)
class Cca:
    """A mixture of both images whose weights come from their features, not from single voxels.

    Features of each voxel (brightness, its mean and deviation over a box, its slope) are turned into canonical
    variates, the directions in which the two images' features go together (`sun2005`). What an image's
    variates have of their own, 1 − ρ² of each squared variate, is its activity; its smoothed share is the weight.
    Fused as a mixture, so that no level arises that neither image has. `radius` is in voxels of the finest axis.
    """

    radius: int = 3
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        if self.radius < 1:
            raise ParameterError(f"radius is at least 1, not {self.radius}")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        second = pair.moved_or_fixed
        share = self._share(pair.fixed, second, fixed.grid.spacing_mm)
        image = pair.over_fixed(torch.lerp(second, pair.fixed, share))
        return Fused(image, fixed.grid, "cca", asdict(self) | pair.windows)

    def _share(self, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]) -> VoxelArray:
        near, wide = (radii_of(radius, first.shape, spacing_mm) for radius in (1, self.radius))
        stride = max(1, first.numel() // SAMPLES)
        forms = canonical_forms(
            *(torch.stack([one.reshape(-1)[::stride] for one in features(image, wide)]) for image in (first, second))
        )
        ours, theirs = (
            box_mean(form.of(features(image, wide)), near) for form, image in zip(forms, (first, second), strict=True)
        )
        total = ours + theirs
        return torch.where(total > 0, ours / torch.where(total > 0, total, 1.0), 0.5)


def features(image: VoxelArray, radii: tuple[int, ...]) -> list[VoxelArray]:
    """Per voxel: brightness, its mean and its deviation over a box, and the length of its gradient."""
    mean = box_mean(image, radii)
    deviation = box_mean(image.square(), radii).sub_(mean.square()).clamp_(min=0.0).sqrt_()
    slope = torch.zeros_like(image)
    for axis, extent in enumerate(image.shape):
        if extent > 1:
            slope.narrow(axis, 0, extent - 1).add_(image.diff(dim=axis).square_())
    return [image, mean, deviation, slope.sqrt_()]
