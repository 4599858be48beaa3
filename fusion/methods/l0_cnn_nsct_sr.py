"""Fusion of base and detail: the detail by a network, the base by contourlets and sparse codes."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from torch import nn

from ..transforms.axes import working_axes
from ..transforms.contourlet import contourlet_bands
from ..transforms.fourier_frame import fuse_frame
from ..transforms.l0_smoothing import l0_smoothed
from ..transforms.selection import stronger
from ..types import VoxelArray
from ..volume import Grid, Volume
from .learned_bands import LearnedBands, band_weighting
from .sparse_representation import SparseRepresentation

STRENGTH = 0.02
STAGES = (2, 2)


@dataclass(frozen=True, slots=True)
class L0CnnNsctSr(LearnedBands):
    """L0 smoothing parts base and detail; a Siamese network weighs the details, NSCT with SR fuses the bases.

    Shibu and Priyadharsini 2021 (`shibu2021`): the low band of the base by sparse representation, its directional bands
    by the larger energy.
    """

    name: ClassVar[str] = "l0_cnn_nsct_sr"
    network: ClassVar[str] = "siamese_weight_map"

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        axes = working_axes(tuple(first.shape), spacing_mm)
        ours, theirs = (l0_smoothed(image, axes, STRENGTH) for image in (first, second))
        detail = band_weighting(network)(first - ours, second - theirs)
        rule = partial(stronger, detail="energy")
        return detail + fuse_frame([ours, theirs], axes, contourlet_bands(STAGES), rule, _sparse, tight=True)


def _sparse(first: VoxelArray, second: VoxelArray) -> VoxelArray:
    """Low bands by their sparse codes."""
    grid = Grid((first.shape[0], first.shape[1], first.shape[2]), np.eye(4))
    lower = float(min(first.detach().min(), second.detach().min()))
    upper = max(float(max(first.detach().max(), second.detach().max())), lower + 1e-6)
    method = SparseRepresentation(fixed_window=(lower, upper), moved_window=(lower, upper))
    fused = method(Volume(first.contiguous(), grid), Volume(second.contiguous(), grid)).image
    return fused * (upper - lower) + lower
