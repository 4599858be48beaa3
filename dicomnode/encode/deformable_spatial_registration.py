"""A displacement field as a Deformable Spatial Registration object (PS3.3 A.39.2, C.20.3).

It runs the other way round than a Spatial Registration: from *registered* (fixed) coordinates to *source* (moving)
ones, first the matrix before, then the offset of the grid, then the matrix after (C.20.3.1.1). That is the direction in
which images are resampled.
"""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeformableSpatialRegistrationStorage

from fusion.geometry.displacement import DisplacementTransform
from fusion.volume import Grid

from ..errors import EncodeError
from .derived_series import begin, finish, identify
from .elements import code, decimals, millimetres, text
from .geometry import add_frame_of_reference, frame_of_reference_uid, require_orthogonal
from .inputs import EncodedSeries, EncodeInputs
from .provenance import add_common_instances, add_equipment_chain, reference
from .uids import derived_uid

KIND = "spatial_registration"
SERIES_OFFSET = 3
IDENTITY = ("125021", "DCM", "Frame of Reference Identity")
CONTENT_BASED = ("125024", "DCM", "Image Content-based Alignment")


def deformable_spatial_registration(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """One object: the fixed images unmoved, the moving images through the grid.

    Raises `EncodeError` for a sheared grid, and for a field that does not lie in the space of the fixed image.
    """
    transform = inputs.moving.registration.transform
    if not isinstance(transform, DisplacementTransform):
        raise EncodeError("a deformable registration is written of a displacement field only")
    what = f"{inputs.moving.volume.modality} to {inputs.fixed.modality} deformation"
    identity = identify(inputs, KIND, SERIES_OFFSET, "REG", DeformableSpatialRegistrationStorage, what)
    dataset = begin(inputs, identity)
    add_frame_of_reference(dataset, inputs)
    dataset.ContentLabel = f"{inputs.moving.volume.modality}_TO_{inputs.fixed.modality}"
    dataset.ContentDescription = text(f"{what}, {inputs.verdict.value}", 64)
    dataset.ContentCreatorName = None
    dataset.ContentQualification = "RESEARCH"
    dataset.DeformableRegistrationSequence = Sequence([_moving_item(inputs, transform), _fixed_item(inputs)])
    add_common_instances(dataset, (*inputs.fixed_headers, *inputs.moving.headers))
    add_equipment_chain(dataset, inputs)
    return (finish(identity, [dataset]),)


def _fixed_item(inputs: EncodeInputs) -> Dataset:
    item = Dataset()
    item.SourceFrameOfReferenceUID = frame_of_reference_uid(inputs)
    item.ReferencedImageSequence = Sequence([reference(header) for header in inputs.fixed_headers])
    item.FrameOfReferenceTransformationComment = "Fixed images"
    item.RegistrationTypeCodeSequence = Sequence([code(*IDENTITY)])
    return item


def _moving_item(inputs: EncodeInputs, transform: DisplacementTransform) -> Dataset:
    if not np.allclose(transform.before.matrix, np.eye(4), rtol=0, atol=1e-9):
        # The standard does not say whether such a grid is placed before or after the first matrix.
        raise EncodeError("a displacement field behind an affine map cannot be written: compose it into fixed space")
    theirs = inputs.moving.volume.grid.frame_of_reference_uid
    item = Dataset()
    item.SourceFrameOfReferenceUID = theirs or derived_uid(inputs, "moving frame of reference")
    item.ReferencedImageSequence = Sequence([reference(header) for header in inputs.moving.headers])
    item.FrameOfReferenceTransformationComment = text(
        f"{inputs.moving.registration.registrar}, expected error {millimetres(inputs.moving.report.expected_error_mm)}",
        64,
    )
    item.RegistrationTypeCodeSequence = Sequence([code(*CONTENT_BASED)])
    item.DeformableRegistrationGridSequence = Sequence([_grid_item(transform)])
    item.PostDeformationMatrixRegistrationSequence = Sequence([_matrix_item(transform)])
    return item


def _matrix_item(transform: DisplacementTransform) -> Dataset:
    item = Dataset()
    item.FrameOfReferenceTransformationMatrix = decimals(transform.after.matrix)
    item.FrameOfReferenceTransformationMatrixType = "RIGID" if transform.after.is_rigid else "AFFINE"
    return item


def _grid_item(transform: DisplacementTransform) -> Dataset:
    """The vectors, x running fastest; a grid whose slices run against its rows and columns is turned over."""
    grid, vectors = right_handed(transform.grid, np.moveaxis(transform.displacement.cpu().numpy(), 0, -1))
    require_orthogonal(grid)
    slices, rows, columns = grid.shape
    item = Dataset()
    item.ImagePositionPatient = decimals(grid.origin_mm)
    item.ImageOrientationPatient = decimals(np.concatenate([grid.direction[:, 2], grid.direction[:, 1]]))
    item.GridDimensions = [columns, rows, slices]
    item.GridResolution = [float(spacing) for spacing in grid.spacing_mm[::-1]]
    item.VectorGridData = np.ascontiguousarray(vectors, dtype="<f4").tobytes()
    return item


def right_handed(grid: Grid, vectors: NDArray[np.float32]) -> tuple[Grid, NDArray[np.float32]]:
    """Both with slices along the cross product of rows and columns, which is all that the object can say."""
    direction = grid.direction
    if float(np.cross(direction[:, 2], direction[:, 1]) @ direction[:, 0]) > 0:
        return grid, vectors
    affine = grid.affine.copy()
    affine[:3, 3] = grid.points(np.array([grid.shape[0] - 1, 0, 0], dtype=np.float64))
    affine[:3, 0] *= -1
    return Grid(grid.shape, affine, grid.frame_of_reference_uid), vectors[::-1]
