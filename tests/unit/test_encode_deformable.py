"""A registration that bends, written for ITK and as DICOM, and applied again by others."""

import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from scipy.ndimage import map_coordinates

from dicomnode.encode import EncodeInputs, encode, file_bytes, write_transform
from dicomnode.encode.transform_file import itk_transform
from dicomnode.errors import EncodeError
from dicomnode.pipeline import written_quantity
from fusion import Grid, Unit
from fusion.geometry.displacement import DisplacementTransform
from fusion.geometry.transform import AffineTransform
from storage.records import Recipe
from tests.fixtures.derived_case import MOVE, build_case, grid
from tests.fixtures.displacements import bent
from tests.fixtures.iod_tables import iod_errors
from tests.fixtures.real_programs import require_program

NODES = grid((14, 20, 18), (12.0, 12.0, 12.0), None, turned=True)
FLIP = np.diag([-1.0, 1.0, 1.0, 1.0])
FLIP[0, 3] = NODES.shape[0] - 1
MIRRORED = Grid(NODES.shape, NODES.affine @ FLIP)
"""Slices run against the cross product of rows and columns."""


def points(count: int = 200) -> NDArray[np.float64]:
    return np.random.default_rng(5).uniform(-80, 80, (count, 3))


@cache
def bent_case(nodes: Grid = NODES, outputs: tuple[str, ...] = ("spatial_registration",)) -> EncodeInputs:
    return build_case("PT", transform=bent(nodes, after=MOVE), outputs=outputs)


@pytest.mark.parametrize("ending", [".tfm", ".h5"])
@pytest.mark.parametrize("nodes", [NODES, MIRRORED], ids=["right", "left"])
def test_itk_maps_points_as_we_do(tmp_path: Path, ending: str, nodes: Grid) -> None:
    registration = bent_case(nodes, ()).moving.registration
    write_transform(tmp_path / f"found{ending}", registration)
    read = SimpleITK.ReadTransform(str(tmp_path / f"found{ending}"))
    theirs = np.array([read.TransformPoint(point) for point in points()])
    ours = registration.transform(points())
    assert np.linalg.norm(ours - MOVE(points()), axis=1).max() > 3, "the field is felt"
    assert np.abs(ours - theirs).max() < 1e-4


def test_a_matrix_before_the_field_is_written_too() -> None:
    both = replace(bent(NODES), before=MOVE, after=MOVE.inverse())
    read = itk_transform(both)
    theirs = np.array([read.TransformPoint(point) for point in points()])
    assert np.abs(both(points()) - theirs).max() < 1e-4


def test_the_object_has_no_error(tmp_path: Path) -> None:
    (series,) = encode(bent_case())
    (document,) = series.instances
    assert document.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.3"
    assert not iod_errors(document)
    file = tmp_path / "deformable.dcm"
    file.write_bytes(file_bytes(document))
    program = require_program("dciodvfy", "dicom3tools")
    run = subprocess.run([program, "-new", str(file)], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    assert lines, "dciodvfy said nothing at all"
    assert [line for line in lines if line.startswith("Error")] == []
    spoilt = dcmread(file)
    del spoilt.DeformableRegistrationSequence[0].DeformableRegistrationGridSequence[0].GridDimensions
    assert iod_errors(spoilt)


def applied(item: Dataset, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Registered to source coordinates, as C.20.3.1.1 says, by another interpolator than ours."""
    field = item.DeformableRegistrationGridSequence[0]
    columns, rows, slices = field.GridDimensions
    vectors = np.frombuffer(field.VectorGridData, dtype="<f4").reshape(slices, rows, columns, 3)
    along_row, along_column = np.array(field.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    axes = np.stack([along_row, along_column, np.cross(along_row, along_column)], axis=1) * field.GridResolution
    index = np.linalg.solve(axes, (at - np.array(field.ImagePositionPatient, dtype=np.float64)).T)
    offset = np.stack([map_coordinates(vectors[..., k], index[::-1], order=1, cval=0.0) for k in range(3)], axis=1)
    after = np.array(
        item.PostDeformationMatrixRegistrationSequence[0].FrameOfReferenceTransformationMatrix, dtype=np.float64
    ).reshape(4, 4)
    assert "PreDeformationMatrixRegistrationSequence" not in item
    return np.asarray((at + offset) @ after[:3, :3].T + after[:3, 3])


@pytest.mark.parametrize("nodes", [NODES, MIRRORED], ids=["right", "left"])
def test_read_back_and_applied_the_object_lands_where_the_registration_does(nodes: Grid) -> None:
    inputs = bent_case(nodes)
    (document,) = encode(inputs)[0].instances
    moving, fixed = document.DeformableRegistrationSequence
    assert document.FrameOfReferenceUID == fixed.SourceFrameOfReferenceUID == inputs.fixed.grid.frame_of_reference_uid
    assert moving.SourceFrameOfReferenceUID == inputs.moving.volume.grid.frame_of_reference_uid
    assert len(moving.ReferencedImageSequence) == len(inputs.moving.headers)
    expected = inputs.moving.registration.transform(points())
    assert np.abs(applied(moving, points()) - expected).max() < 1e-3


def test_a_field_behind_a_matrix_is_no_such_object() -> None:
    inputs = bent_case()
    behind = replace(bent(NODES), before=MOVE)
    registration = replace(inputs.moving.registration, transform=behind)
    with pytest.raises(EncodeError, match="behind an affine map"):
        encode(replace(inputs, moving=replace(inputs.moving, registration=registration)))


def test_the_jacobian_is_a_map_on_the_fixed_grid_and_of_an_affine_result_none() -> None:
    inputs = bent_case(outputs=("jacobian",))
    (document,) = encode(inputs)[0].instances
    shape = inputs.fixed.grid.shape
    pixels = np.frombuffer(document.FloatPixelData, dtype="<f4").reshape(shape)
    transform = inputs.moving.registration.transform
    centre = inputs.fixed.grid.points(np.array([[6.0, 24.0, 22.0]]))
    step = 1e-3 * np.eye(3)
    derivative = (transform(centre + step) - transform(centre - step)) / 2e-3
    places = [
        float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
        for frame in document.PerFrameFunctionalGroupsSequence
    ]
    height = inputs.fixed.grid.points(np.array([6.0, 0, 0]))[2]
    middle = pixels[int(np.abs(np.array(places) - height).argmin())]
    assert middle[24, 22] == pytest.approx(np.linalg.det(derivative), abs=0.1)
    assert pixels.min() > 0
    assert pixels.std() > 0.02
    assert encode(build_case("PT", outputs=("jacobian",))) == ()


def test_a_bent_pet_claims_no_suv_unless_the_recipe_insists() -> None:
    inputs = bent_case()
    moved, registration = inputs.moving.moved, inputs.moving.registration
    assert moved.unit is Unit.SUV_BW
    modest, insisting = Recipe("modest"), Recipe("insisting", output_parameters={"deformed_suv": True})
    written = written_quantity(moved, registration, modest)
    assert written.unit is Unit.PROPORTIONAL_COUNTS
    assert torch.equal(written.voxels, moved.voxels)
    assert written_quantity(moved, registration, insisting).unit is Unit.SUV_BW
    rigid = replace(registration, transform=AffineTransform.identity())
    assert written_quantity(moved, rigid, modest).unit is Unit.SUV_BW

    case = replace(bent_case(outputs=("registered_series",)), moving=replace(inputs.moving, moved=written))
    case = replace(case, plan=replace(case.plan, recipe=replace(case.plan.recipe, outputs=("registered_series",))))
    instance = encode(case)[0].instances[0]
    assert instance.Units == "PROPCNTS"
    assert "SUVType" not in instance


def test_a_result_that_bends_has_names_of_its_own() -> None:
    first, second = (bent(NODES, after=MOVE, seed=seed).digest_bytes() for seed in (1, 2))
    assert first != second
    assert isinstance(bent(NODES, seed=1), DisplacementTransform)
