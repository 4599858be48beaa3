"""Fusion of detail layers by convolutional sparse coding."""

from dataclasses import asdict, dataclass
from typing import Literal

import torch

from ..errors import ParameterError
from ..transforms.box import box_mean
from ..transforms.convolutional_codes import convolutional_codes, convolved
from ..transforms.extension import cropped, fast_length, periodic_extension
from ..transforms.learned import learned_tensor
from ..transforms.selection import check_rules, common_base
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused

SMOOTHNESS = 5.0
"""Weight of the squared gradient in the base (`liu2016`)."""

SLAB_VOXELS = 2**17
"""Slices that are coded at once; each needs several times as many values as there are filters."""


@dataclass(frozen=True, slots=True)
class ConvolutionalSparse:
    """Base and detail of each slice; the detail's codes of the larger activity, a common base (`liu2016`).

    The base is the image with a weight on its squared gradient, the detail the rest, coded by filters that were
    learned from brain slices (their card lies beside them): `sparsity` and `iterations` are those of the coding.
    Activity is the L1 norm over the filters, averaged over `radius` voxels; the filters give the fused detail from the
    chosen codes.
    """

    sparsity: float = 0.01
    iterations: int = 20
    radius: int = 3
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        check_rules(1, "max_abs", self.base)
        if self.sparsity <= 0 or self.iterations < 1 or self.radius < 0:
            raise ParameterError("sparsity is positive, iterations is at least 1 and radius is not negative")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        filters = learned_tensor("convolutional_filters").to(fixed.device)
        second = pair.moved_or_fixed
        slab = max(1, SLAB_VOXELS // (fixed.grid.shape[1] * fixed.grid.shape[2]))
        parts = [
            self._slab(pair.fixed[start : start + slab], second[start : start + slab], filters)
            for start in range(0, fixed.grid.shape[0], slab)
        ]
        return Fused(pair.over_fixed(torch.cat(parts)), fixed.grid, "convolutional_sparse", asdict(self) | pair.windows)

    def _slab(self, first: VoxelArray, second: VoxelArray, filters: torch.Tensor) -> VoxelArray:
        shape = tuple(first.shape)
        lengths = tuple(fast_length(shape[axis] + min(16, shape[axis] - 1)) for axis in (1, 2))
        bases, codes, activity = [], [], []
        for image in (first, second):
            whole = periodic_extension(image, (1, 2), lengths)
            bases.append(_smooth(whole))
            codes.append(convolutional_codes(whole - bases[-1], filters, self.sparsity, self.iterations))
            activity.append(box_mean(codes[-1].abs().sum(dim=1), (0, self.radius, self.radius)))
        chosen = torch.where((activity[1] > activity[0])[:, None], codes[1], codes[0])
        return cropped(convolved(chosen, filters).add_(common_base(*bases, base=self.base)), shape)


def _smooth(slices: VoxelArray) -> VoxelArray:
    """Minimises ‖b − s‖² + `SMOOTHNESS` ‖∇b‖², in the Fourier domain."""
    rows, columns = slices.shape[1:]
    row = 2 - 2 * torch.cos(2 * torch.pi * torch.fft.fftfreq(rows, device=slices.device))
    column = 2 - 2 * torch.cos(2 * torch.pi * torch.fft.rfftfreq(columns, device=slices.device))
    spectrum = torch.fft.rfft2(slices) / (1 + SMOOTHNESS * (row[:, None] + column))
    base: VoxelArray = torch.fft.irfft2(spectrum, s=(rows, columns))
    return base
