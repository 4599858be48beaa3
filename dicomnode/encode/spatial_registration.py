"""The transform as a Spatial Registration object (PS3.3 A.39.1, C.20.2).

Its matrices map *source* coordinates to *registered* ones: moving to fixed, the inverse of the transform with which
the moving image was resampled (C.20.2.1.1; PS3.17 O.1).
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SpatialRegistrationStorage

from fusion.geometry.displacement import DisplacementTransform
from fusion.geometry.transform import AffineTransform
from fusion.types import Affine4x4

from .deformable_spatial_registration import (
    CONTENT_BASED,
    IDENTITY,
    KIND,
    SERIES_OFFSET,
    deformable_spatial_registration,
)
from .derived_series import begin, finish, identify
from .elements import code, decimals, millimetres, text
from .geometry import add_frame_of_reference, frame_of_reference_uid
from .inputs import EncodedSeries, EncodeInputs
from .provenance import add_common_instances, add_equipment_chain, reference


def spatial_registration(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """One object: the fixed images with the identity, the moving images with the matrix.

    A registration that bends is written as a Deformable Spatial Registration.
    """
    if isinstance(inputs.moving.registration.transform, DisplacementTransform):
        return deformable_spatial_registration(inputs)
    what = f"{inputs.moving.volume.modality} to {inputs.fixed.modality} transform"
    identity = identify(inputs, KIND, SERIES_OFFSET, "REG", SpatialRegistrationStorage, what)
    dataset = begin(inputs, identity)
    add_frame_of_reference(dataset, inputs)
    dataset.ContentLabel = f"{inputs.moving.volume.modality}_TO_{inputs.fixed.modality}"
    dataset.ContentDescription = text(f"{what}, {inputs.verdict.value}", 64)
    dataset.ContentCreatorName = None
    dataset.ContentQualification = "RESEARCH"
    dataset.RegistrationSequence = Sequence([_fixed_item(inputs), _moving_item(inputs)])
    add_common_instances(dataset, (*inputs.fixed_headers, *inputs.moving.headers))
    add_equipment_chain(dataset, inputs)
    return (finish(identity, [dataset]),)


def registration_matrix(transform: AffineTransform) -> tuple[Affine4x4, str]:
    """The matrix from moving to fixed coordinates, and its type (C.20.2.1.1).

    A rigid one is made orthonormal again before it is written: products of float64 matrices drift.
    """
    matrix = transform.inverse().matrix.copy()
    if not transform.is_rigid:
        return matrix, "AFFINE"
    left, _, right = np.linalg.svd(matrix[:3, :3])
    matrix[:3, :3] = left @ right
    return matrix, "RIGID"


def _fixed_item(inputs: EncodeInputs) -> Dataset:
    item = Dataset()
    item.FrameOfReferenceUID = frame_of_reference_uid(inputs)
    item.ReferencedImageSequence = Sequence([reference(header) for header in inputs.fixed_headers])
    item.MatrixRegistrationSequence = Sequence([_matrix_registration(np.eye(4), "RIGID", IDENTITY, "Fixed images")])
    return item


def _moving_item(inputs: EncodeInputs) -> Dataset:
    """The moving images; not by a Frame of Reference that is the fixed one where the matrix says otherwise."""
    matrix, kind = registration_matrix(inputs.moving.registration.transform.affine)
    theirs = inputs.moving.volume.grid.frame_of_reference_uid
    shared = theirs == frame_of_reference_uid(inputs)
    unmoved = bool(np.allclose(matrix, np.eye(4), rtol=0, atol=1e-9))
    item = Dataset()
    if theirs and (unmoved or not shared):
        item.FrameOfReferenceUID = theirs
    item.ReferencedImageSequence = Sequence([reference(header) for header in inputs.moving.headers])
    method = IDENTITY if shared and unmoved else CONTENT_BASED
    comment = text(
        f"{inputs.moving.registration.registrar}, expected error {millimetres(inputs.moving.report.expected_error_mm)}",
        64,
    )
    item.MatrixRegistrationSequence = Sequence([_matrix_registration(matrix, kind, method, comment)])
    return item


def _matrix_registration(matrix: Affine4x4, kind: str, method: tuple[str, str, str], comment: str) -> Dataset:
    entry = Dataset()
    entry.FrameOfReferenceTransformationMatrixType = kind
    entry.FrameOfReferenceTransformationMatrix = decimals(matrix)
    item = Dataset()
    item.FrameOfReferenceTransformationComment = comment
    item.RegistrationTypeCodeSequence = Sequence([code(*method)])
    item.MatrixSequence = Sequence([entry])
    return item
