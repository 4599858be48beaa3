"""The guided filter: a local linear model of one image by another."""

from collections.abc import Sequence

from ..types import VoxelArray
from .box import box_mean


def guided(guide: VoxelArray, image: VoxelArray, radii: Sequence[int], epsilon: float) -> VoxelArray:
    """`image` smoothed along the edges of `guide` (`he2013`), boxes of `radii`.

    Per box a line a · guide + b is fitted; `epsilon` (in the guide's squared unit) draws a towards zero. A voxel gets
    the mean over all boxes that hold it. The cost does not depend on the radii.
    """
    mean_guide, mean_image = box_mean(guide, radii), box_mean(image, radii)
    slope = box_mean(guide * image, radii).sub_(mean_guide * mean_image)
    slope.div_(box_mean(guide.square(), radii).sub_(mean_guide.square()).clamp_(min=0.0).add_(epsilon))
    offset = mean_image.sub_(mean_guide.mul_(slope))
    del mean_guide
    return box_mean(slope, radii).mul_(guide).add_(box_mean(offset, radii))
