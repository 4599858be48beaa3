"""Writing a grid: the Frame of Reference and the plane of each slice (PS3.3 C.7.4.1, C.7.6.2)."""

import numpy as np
from pydicom.dataset import Dataset

from fusion.volume import Grid

from ..errors import EncodeError
from .elements import decimal, decimals
from .inputs import EncodeInputs
from .uids import derived_uid

ORTHOGONAL_TOLERANCE = 1e-4
"""Cosine between two axes above which parallel square-cornered planes cannot describe the grid (about 0.006°)."""


def frame_of_reference_uid(inputs: EncodeInputs) -> str:
    """The fixed image's, or one of ours when it has none."""
    return inputs.fixed.grid.frame_of_reference_uid or derived_uid(inputs, "frame of reference")


def add_frame_of_reference(dataset: Dataset, inputs: EncodeInputs) -> None:
    """Results lie in the space of the fixed image."""
    dataset.FrameOfReferenceUID = frame_of_reference_uid(inputs)
    dataset.PositionReferenceIndicator = str(inputs.fixed_headers[0].get("PositionReferenceIndicator", "") or "")


def require_orthogonal(grid: Grid) -> None:
    """Raise `EncodeError` for a sheared grid, which no stack of slices can describe."""
    off_axis = np.abs(grid.direction.T @ grid.direction - np.eye(3)).max()
    if off_axis > ORTHOGONAL_TOLERANCE:
        raise EncodeError(
            f"the fixed grid is sheared (cosine {off_axis:.2g} between its axes): resample it onto an orthogonal grid"
        )


def orientation(grid: Grid) -> list[str]:
    """Image Orientation (Patient): along the columns' index (a row), then along the rows' index (a column)."""
    return decimals(np.concatenate([grid.direction[:, 2], grid.direction[:, 1]]))


def slice_position(grid: Grid, index: int) -> list[str]:
    """Image Position (Patient) of slice `index`."""
    return decimals(grid.points(np.array([index, 0, 0], dtype=np.float64)))


def pixel_spacing(grid: Grid) -> list[str]:
    """Between rows, then between columns."""
    return decimals(grid.spacing_mm[1:])


def add_plane(dataset: Dataset, grid: Grid, index: int) -> None:
    """The Image Plane module of slice `index`."""
    dataset.ImageOrientationPatient = orientation(grid)
    dataset.ImagePositionPatient = slice_position(grid, index)
    dataset.PixelSpacing = pixel_spacing(grid)
    dataset.SliceThickness = decimal(grid.spacing_mm[0])
    dataset.SpacingBetweenSlices = decimal(grid.spacing_mm[0])
    normal = np.cross(grid.direction[:, 2], grid.direction[:, 1])
    dataset.SliceLocation = decimal(float(normal @ grid.points(np.array([index, 0, 0], dtype=np.float64))))


def patient_orientation(grid: Grid) -> list[str]:
    """Patient Orientation: the anatomical direction of a row and of a column (PS3.3 C.7.6.1.1.1)."""
    return [_letters(grid.direction[:, 2]), _letters(grid.direction[:, 1])]


def _letters(direction: np.ndarray) -> str:
    names = [("L", "R"), ("P", "A"), ("H", "F")]
    order = np.argsort(-np.abs(direction), kind="stable")
    return "".join(names[axis][0 if direction[axis] > 0 else 1] for axis in order if abs(direction[axis]) > 0.1)
