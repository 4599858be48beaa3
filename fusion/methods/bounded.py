"""A learned mixture of both images that invents nothing: every fused voxel lies between its two sources."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from ..networks.weights import load_network
from ..types import VoxelArray
from ..volume import Volume
from .inputs import AlignedPair, WindowChoice, WindowChoices, aligned_images, aligned_pair, one_window
from .joint_mixture import joint_mixture, joint_shares
from .method import Fused

NETWORK = "mixture_weights"


@dataclass(frozen=True, slots=True)
class Bounded:
    """F = w A + (1 - w) B with one weight a voxel in 0…1, from the network `mixture_weights`.

    So no grey level is invented, air that is black in both stays black, and `contribution` (w) says where each voxel
    comes from. The weight follows the evidence at five scales; exchanging the images exchanges the weights.
    """

    experimental: ClassVar[bool] = False

    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        """Fuse `moved` with `fixed`. Raises `UnusableWeightsError` where the network is not trained."""
        if further:
            return self._joint(fixed, (moved, *further))
        pair = aligned_pair(fixed, moved, self.fixed_window, one_window(self.moved_window))
        share = share_of_fixed(pair, fixed.grid.spacing_mm)
        image = pair.over_fixed(mixture(pair.fixed, pair.moved, share))
        return Fused(image, fixed.grid, "bounded", asdict(self) | pair.windows, contribution=share)

    def _joint(self, fixed: Volume, moved: Sequence[Volume]) -> Fused:
        aligned = aligned_images(fixed, moved, self.fixed_window, self.moved_window)
        shares = joint_shares(aligned.images, fixed.grid.spacing_mm, NETWORK)
        image = aligned.over_fixed(joint_mixture(aligned.images, shares))
        return Fused(image, fixed.grid, "bounded", asdict(self) | aligned.windows, contribution=shares[0])


def share_of_fixed(pair: AlignedPair, spacing_mm: tuple[float, float, float]) -> VoxelArray:
    """The weight of the fixed image, 0…1; 1 where the moved one holds nothing."""
    network = load_network(NETWORK, pair.fixed.device)
    with torch.no_grad():
        share: VoxelArray = network(pair.fixed[None, None], pair.moved_or_fixed[None, None], spacing_mm)[0, 0]
    return share if pair.shown is None else torch.where(pair.shown, share, 1.0)


def mixture(fixed: VoxelArray, moved: VoxelArray, share: VoxelArray) -> VoxelArray:
    """`share` of the fixed and the rest of the moved image; rounding never leaves the range of the two."""
    mixed, end = torch.lerp(moved, fixed, share), torch.minimum(fixed, moved)
    if mixed.requires_grad:  # an explanation asks for slopes: nothing may be overwritten
        return torch.minimum(torch.maximum(mixed, end), torch.maximum(fixed, moved))
    torch.maximum(mixed, end, out=mixed)
    torch.maximum(fixed, moved, out=end)
    return torch.minimum(mixed, end, out=mixed)
