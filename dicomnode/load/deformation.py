"""A displacement field read back from a Deformable Spatial Registration (PS3.3 A.39.2, C.20.3)."""

from pathlib import Path

import numpy as np
import torch
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeformableSpatialRegistrationStorage

from fusion.geometry.displacement import DisplacementTransform
from fusion.geometry.transform import AffineTransform
from fusion.volume import Grid

from ..errors import UnreadableFileError


def load_deformation(path: Path) -> DisplacementTransform | None:
    """The map from fixed to moving points, LPS mm; None where the object holds no field.

    Raises `UnreadableFileError` for a field that does not fill its grid.
    """
    dataset = dcmread(path)
    if dataset.SOPClassUID != DeformableSpatialRegistrationStorage:
        return None
    for item in dataset.DeformableRegistrationSequence:
        if "DeformableRegistrationGridSequence" in item:
            return _field(item)
    return None


def _field(item: Dataset) -> DisplacementTransform:
    (described,) = item.DeformableRegistrationGridSequence
    columns, rows, slices = (int(number) for number in described.GridDimensions)
    vectors = np.frombuffer(described.VectorGridData, dtype="<f4")
    if vectors.size != 3 * slices * rows * columns:
        raise UnreadableFileError(f"{vectors.size // 3} vectors do not fill a grid of {columns} x {rows} x {slices}")
    displacement = np.moveaxis(vectors.reshape(slices, rows, columns, 3), -1, 0)
    return DisplacementTransform(
        torch.from_numpy(np.ascontiguousarray(displacement, dtype=np.float32)),
        _grid(described, (slices, rows, columns)),
        after=_matrix(item, "PostDeformationMatrixRegistrationSequence"),
        before=_matrix(item, "PreDeformationMatrixRegistrationSequence"),
    )


def _grid(described: Dataset, shape: tuple[int, int, int]) -> Grid:
    """X of the grid runs along the rows, Z along the cross product (C.20.3.1.3)."""
    orientation = np.array(described.ImageOrientationPatient, dtype=np.float64)
    along_row, along_column = orientation[:3], orientation[3:]
    x_mm, y_mm, z_mm = (float(spacing) for spacing in described.GridResolution)
    affine = np.eye(4)
    affine[:3, 0] = np.cross(along_row, along_column) * z_mm
    affine[:3, 1] = along_column * y_mm
    affine[:3, 2] = along_row * x_mm
    affine[:3, 3] = np.array(described.ImagePositionPatient, dtype=np.float64)
    return Grid(shape, affine, None)


def _matrix(item: Dataset, keyword: str) -> AffineTransform:
    if not item.get(keyword):
        return AffineTransform.identity()
    values = np.array(item[keyword][0].FrameOfReferenceTransformationMatrix, dtype=np.float64)
    return AffineTransform(values.reshape(4, 4))
