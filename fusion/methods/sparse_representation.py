"""Fusion of patches by their sparse codes in a learned dictionary."""

from dataclasses import asdict, dataclass

import torch

from ..errors import ParameterError
from ..transforms.learned import learned_tensor
from ..transforms.matching_pursuit import sparse_codes
from ..transforms.patches import covered, joined, patches_of
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused

CHUNK = 2**14
"""Patches that are coded at once."""


@dataclass(frozen=True, slots=True)
class SparseRepresentation:
    """Per patch the image whose code is the larger in L1 norm (`yang2010`), overlaps averaged.

    Patches of 8 × 8 voxels in each slice, every `stride` voxels, without their mean; codes of at most `atoms` atoms of
    a dictionary that K-SVD learned from brain slices (its card lies beside it), by orthogonal matching pursuit up to
    `tolerance`, the root mean square of what may be left. The patch's mean comes from the same image, as there.
    """

    stride: int = 4
    atoms: int = 6
    tolerance: float = 0.01
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= 8:
            raise ParameterError(f"stride lies between 1 and 8, the side of a patch, not at {self.stride}")
        if self.atoms < 1 or self.tolerance < 0:
            raise ParameterError("atoms is at least 1 and tolerance is not negative")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        dictionary = learned_tensor("patch_dictionary").to(fixed.device)
        second = pair.moved_or_fixed
        # Slice by slice: the patches of a slice are many times as large as it is.
        slices = [self._slice(pair.fixed[at, None], second[at, None], dictionary) for at in range(fixed.grid.shape[0])]
        return Fused(
            pair.over_fixed(torch.cat(slices)), fixed.grid, "sparse_representation", asdict(self) | pair.windows
        )

    def _slice(self, first: VoxelArray, second: VoxelArray, dictionary: torch.Tensor) -> VoxelArray:
        side = round(dictionary.shape[0] ** 0.5)
        rows, columns = first.shape[1:]
        whole = covered(first, side, self.stride)
        shape = (1, whole.shape[1], whole.shape[2])
        ours = patches_of(whole, side, self.stride)
        theirs = patches_of(covered(second, side, self.stride), side, self.stride)
        parts = [
            self._patches(ours[start : start + CHUNK], theirs[start : start + CHUNK], dictionary)
            for start in range(0, len(ours), CHUNK)
        ]
        return joined(torch.cat(parts), shape, side, self.stride)[:, :rows, :columns]

    def _patches(self, first: torch.Tensor, second: torch.Tensor, dictionary: torch.Tensor) -> torch.Tensor:
        fused, activity = [], []
        for patches in (first, second):
            mean = patches.mean(dim=1, keepdim=True)
            rest = self.tolerance * patches.shape[1] ** 0.5
            codes = sparse_codes(patches - mean, dictionary, self.atoms, rest)
            fused.append(codes @ dictionary.T + mean)
            activity.append(codes.abs().sum(dim=1, keepdim=True) + 1e-6 * mean)
        return torch.where(activity[1] > activity[0], fused[1], fused[0])
