"""Fusion by weights that follow the edges of the images: guided filtering."""

from dataclasses import asdict, dataclass

import torch

from ..errors import ParameterError
from ..transforms.axes import working_axes
from ..transforms.box import box_mean, radii_of
from ..transforms.gaussian import gaussian
from ..transforms.guided import guided
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused

BASE_RADIUS = 15
SALIENCY_RADIUS = 5
SALIENCY_SIGMA = 5.0


@dataclass(frozen=True, slots=True)
class GuidedFilter:
    """Base and detail of each image, weighted where the image is the more salient one (`li2013`).

    The base is a mean over 31 voxels. Saliency is the size of the Laplacian, smoothed; a map of where each image wins
    is filtered with that image as the guide, widely for the base (`base_radius`, `base_epsilon`) and narrowly for the
    detail (`detail_radius`, `detail_epsilon`). Radii are in voxels of the finest axis and as long in mm along the
    others.
    """

    base_radius: int = 45
    base_epsilon: float = 0.3
    detail_radius: int = 7
    detail_epsilon: float = 1e-6
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        if min(self.base_radius, self.detail_radius) < 1:
            raise ParameterError("radii are at least 1")
        if min(self.base_epsilon, self.detail_epsilon) <= 0:
            raise ParameterError("epsilons are positive")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        image = pair.over_fixed(self._fuse(pair.fixed, pair.moved_or_fixed, fixed.grid.spacing_mm))
        return Fused(image, fixed.grid, "guided_filter", asdict(self) | pair.windows)

    def _fuse(self, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]) -> VoxelArray:
        wins = _where_first_wins(first, second, spacing_mm)
        # sum of w (base) and of w (detail), image by image, so that only one image's layers are held.
        fused = torch.zeros_like(first)
        layers = ((self.base_radius, self.base_epsilon), (self.detail_radius, self.detail_epsilon))
        for at, (radius, epsilon) in enumerate(layers):
            radii = radii_of(radius, first.shape, spacing_mm)
            ours = guided(first, wins, radii, epsilon).clamp_(0.0, 1.0)
            theirs = guided(second, 1 - wins, radii, epsilon).clamp_(0.0, 1.0)
            share = _share(ours, theirs)
            for image, sign in ((first, 1.0), (second, -1.0)):
                base = box_mean(image, radii_of(BASE_RADIUS, first.shape, spacing_mm))
                layer = base if at == 0 else image - base
                fused.add_(layer * share if sign > 0 else layer * (1 - share))
        return fused


def _share(ours: VoxelArray, theirs: VoxelArray) -> VoxelArray:
    """Ours of both, a half where neither weighs anything."""
    total = ours + theirs
    return torch.where(total > 0, ours / torch.where(total > 0, total, 1.0), 0.5)


def _where_first_wins(first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]) -> VoxelArray:
    """One where the first is the more salient, a half where both are the same."""
    ours, theirs = (_saliency(image, spacing_mm) for image in (first, second))
    return (ours > theirs).float().add_((ours == theirs).float(), alpha=0.5)


def _saliency(image: VoxelArray, spacing_mm: tuple[float, float, float]) -> VoxelArray:
    laplacian = torch.zeros_like(image)
    for axis in working_axes(image.shape, spacing_mm, least=2):
        step = image.diff(dim=axis)
        extent = image.shape[axis]
        laplacian.narrow(axis, 0, extent - 1).add_(step)
        laplacian.narrow(axis, 1, extent - 1).sub_(step)
    return gaussian(laplacian.abs_(), SALIENCY_SIGMA, radii_of(SALIENCY_RADIUS, image.shape, spacing_mm))
