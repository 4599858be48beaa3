"""How far the outlines of two bodies are apart."""

import numpy as np
from scipy import ndimage

from ..geometry.transform import AffineTransform
from .preparation import Prepared

SHOWN = 4000
MARGIN_VOXELS = 1
"""An outline on the border of the field of view is where the image was cut, not where the body ends."""


def contour_distance_mm(fixed: Prepared, moving: Prepared, transform: AffineTransform) -> float:
    """The median distance of the fixed body's outline, moved, from the moving body's; 0 where none is in both views.

    Good to about half a voxel of the body grids.
    """
    edge = fixed.body.numpy() & ~ndimage.binary_erosion(fixed.body.numpy(), border_value=1)
    indices = np.argwhere(edge).astype(np.float64)
    inner = ((indices >= MARGIN_VOXELS) & (indices <= np.array(edge.shape) - 1 - MARGIN_VOXELS)).all(axis=1)
    indices = indices[inner]
    points = fixed.body_grid.points(indices[:: max(1, len(indices) // SHOWN)])
    body = moving.body.numpy()
    outline = body & ~ndimage.binary_erosion(body, border_value=1)
    if not outline.any():
        return 0.0
    distance = ndimage.distance_transform_edt(~outline, sampling=moving.body_grid.spacing_mm)
    places = moving.body_grid.indices(transform(points))
    seen = ((places >= MARGIN_VOXELS) & (places <= np.array(body.shape) - 1 - MARGIN_VOXELS)).all(axis=1)
    if not seen.any():
        return 0.0
    return float(np.median(ndimage.map_coordinates(distance, places[seen].T, order=1)))
