"""The learned mixture with more contrast where both images show something: for looking."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from ..errors import ParameterError
from ..types import VoxelArray
from ..volume import Volume
from .bounded import mixture, share_of_fixed
from .inputs import WindowChoice, aligned_pair
from .laplacian_pyramid import compose, decompose
from .method import Fused

TOLERANCE = 3.9 / 255
"""How far a voxel may leave the range of its sources: just under four of 255 grey levels."""

BEYOND = 0.045
"""The share of voxels that may go further."""

SAMPLES = 1_000_000
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Display:
    """The mixture of `bounded` and, to the share `pyramid`, the stronger details of both over their brighter base.

    Added are `lift` times the darker source and `detail` times the stronger detail: where both images are bright the
    fused one is brighter than either, and edges are steeper. At most 4.5 % of the voxels leave the range of their
    sources by more than four of 255 grey levels; air that is black in both stays black. `contribution` is the share
    of the fixed image in the mixture alone.
    """

    experimental: ClassVar[bool] = False

    lift: float = 0.1
    detail: float = 0.05
    pyramid: float = 0.7
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        for name in ("lift", "detail", "pyramid"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} is 0 to 1, not {getattr(self, name)}")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        """Fuse `moved` with `fixed`. Raises `UnusableWeightsError` where the network is not trained."""
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        share = share_of_fixed(pair, fixed.grid.spacing_mm)
        first, second = pair.fixed, pair.moved_or_fixed
        image = mixture(first, second, share)
        if self.detail > 0 or self.pyramid > 0:
            stronger, brighter = _stronger_detail(first, second, fixed.grid.spacing_mm)
            image.mul_(1 - self.pyramid).add_(brighter, alpha=self.pyramid)
            image.add_(stronger, alpha=self.detail + self.pyramid)
        lower, upper = torch.minimum(first, second), torch.maximum(first, second)
        image.add_(lower, alpha=self.lift)
        return Fused(
            pair.over_fixed(_limited(image, lower, upper)),
            fixed.grid,
            "display",
            asdict(self) | pair.windows,
            contribution=share,
        )


def _stronger_detail(
    first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
) -> tuple[VoxelArray, VoxelArray]:
    """What a Laplacian pyramid keeps of the stronger detail of both, and their brighter base (`burt1983`)."""
    details, base = decompose(first, LEVELS, spacing_mm)
    others, other_base = decompose(second, LEVELS, spacing_mm)
    chosen = [(torch.where(b.abs() > a.abs(), b, a), axes) for (a, axes), (b, _) in zip(details, others, strict=True)]
    nothing = [(torch.zeros_like(detail), axes) for detail, axes in chosen]
    return compose(chosen, torch.zeros_like(base)), compose(nothing, torch.maximum(base, other_base))


def _limited(image: VoxelArray, lower: VoxelArray, upper: VoxelArray) -> VoxelArray:
    """`image` no further outside of `lower` to `upper` than `TOLERANCE`, but for the `BEYOND` that are furthest.

    Those keep what they exceed the last of the others by, so that there is no step between both kinds.
    """
    beyond = torch.maximum(lower - image, image - upper).clamp_min_(0)
    beyond[upper <= 0] = 0
    sampled = beyond.reshape(-1)[:: max(1, -(-beyond.numel() // SAMPLES))]
    limit = max(float(torch.quantile(sampled, 1 - BEYOND)), TOLERANCE)
    allowed = beyond.clamp(max=TOLERANCE) + (beyond - limit).clamp_min_(0)
    return torch.minimum(torch.maximum(image, lower - allowed), upper + allowed)
