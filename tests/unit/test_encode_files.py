"""Transforms and volumes as files for other programs."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from dicomnode.encode import write_image, write_transform
from dicomnode.errors import EncodeError
from fusion import Grid
from tests.fixtures.derived_case import build_case, grid


@pytest.mark.parametrize("ending", [".tfm", ".txt", ".h5"])
def test_itk_reads_the_transform_from_fixed_to_moving(tmp_path: Path, ending: str) -> None:
    registration = build_case(outputs=()).moving.registration
    write_transform(tmp_path / f"found{ending}", registration)
    read = SimpleITK.ReadTransform(str(tmp_path / f"found{ending}"))
    for point in [(0.0, 0.0, 0.0), (10.0, -20.0, 30.0)]:
        assert read.TransformPoint(point) == pytest.approx(registration.transform(np.array(point)), abs=1e-9)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_simpleitk_reads_the_volume_where_it_lies(tmp_path: Path, ending: str) -> None:
    volume = build_case("CT", fixed_grid=grid((5, 12, 9), (7, 3, 2), None, turned=True), outputs=()).fixed
    write_image(tmp_path / f"volume{ending}", volume)
    image = SimpleITK.ReadImage(str(tmp_path / f"volume{ending}"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), volume.voxels.numpy())
    for index in [(0, 0, 0), (4, 11, 8), (2, 3, 7)]:
        there = image.TransformIndexToPhysicalPoint(index[::-1])
        assert there == pytest.approx(volume.grid.points(np.array(index, dtype=np.float64)), abs=1e-4)


def test_nibabel_reads_the_nifti_in_ras(tmp_path: Path) -> None:
    volume = build_case("CT", fixed_grid=grid((5, 12, 9), (7, 3, 2), None, turned=True), outputs=()).fixed
    write_image(tmp_path / "volume.nii.gz", volume)
    image = nibabel.load(tmp_path / "volume.nii.gz")
    place = image.affine @ [8, 3, 2, 1]
    expected = volume.grid.points(np.array([2.0, 3, 8])) * [-1, -1, 1]
    assert place[:3] == pytest.approx(expected, abs=1e-3)


def test_other_endings_and_folders_that_are_not_there_are_refused(tmp_path: Path) -> None:
    inputs = build_case(outputs=())
    with pytest.raises(EncodeError, match="ends in"):
        write_transform(tmp_path / "found.mat", inputs.moving.registration)
    with pytest.raises(EncodeError, match="ends in"):
        write_image(tmp_path / "volume.png", inputs.fixed)
    with pytest.raises(EncodeError, match="cannot be written"):
        write_transform(tmp_path / "nowhere" / "found.tfm", inputs.moving.registration)
    with pytest.raises(EncodeError, match="cannot be written"):
        write_image(tmp_path / "nowhere" / "volume.mha", inputs.fixed)


def test_a_sheared_volume_is_no_file(tmp_path: Path) -> None:
    volume = build_case(outputs=()).fixed
    affine = volume.grid.affine.copy()
    affine[1, 0] = 4
    sheared = type(volume)(volume.voxels, Grid(volume.grid.shape, affine), volume.unit)
    with pytest.raises(EncodeError, match="sheared"):
        write_image(tmp_path / "volume.nii", sheared)
