"""Where in the body a registration is how far off: the worst place counts, not the average."""

from collections.abc import Mapping

import numpy as np
import torch

from ..geometry.transform import AffineTransform
from ..types import Affine4x4
from ..volume import Unit, Volume
from .calibration import Estimate
from .preparation import Prepared
from .witness import squared_mm

PERCENTILE = 95


def error_map(
    body: Prepared, place: AffineTransform, estimate: Estimate, scatters: Mapping[str, Affine4x4]
) -> tuple[Volume, float]:
    """Expected error in mm on the coarse grid of `body`, and its 95th percentile over the body.

    `place` maps points of `body` to where the `scatters` hold. The pattern is that of the signs, each with its weight
    in the calibration, above the floor; its scale is that of the expected error, which is its mean. Outside of the
    body it is not valid, and zero.
    """
    points = place(body.body_points)
    squared = np.full(len(points), max(estimate.floor_mm, 1e-3) ** 2)
    for name, weight in estimate.weights.items():
        if name in scatters and weight > 0:
            squared += weight * squared_mm(scatters[name], points)
    error = np.sqrt(squared)
    error *= estimate.expected_mm / error.mean()
    voxels = torch.zeros(body.body_grid.shape, dtype=torch.float32)
    inside = body.body.cpu()
    voxels[inside] = torch.from_numpy(error.astype(np.float32))
    image = Volume(voxels, body.body_grid, Unit.ARBITRARY, valid=inside)
    return image, float(np.percentile(error, PERCENTILE))
