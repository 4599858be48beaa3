"""Folders, files and image files as a person names them."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name in every manual)
from pydicom import dcmread

from dicomnode.errors import NotAVolumeError, UnreadableFileError
from dicomnode.load import find_series, load_input
from fusion.volume import Unit
from storage.records import PatientIdentity
from tests.fixtures.dicom_series import assert_same_voxels, classic_series, itk_file, nifti, noise, nuclear_medicine


def test_a_folder_with_one_volume_is_that_volume(tmp_path: Path) -> None:
    classic_series(tmp_path / "deep" / "below")
    (tmp_path / "readme.txt").write_text("no image")
    loaded = load_input(tmp_path)
    assert loaded.volume.unit is Unit.HU
    assert loaded.name == "CT made for a test"
    assert len(loaded.headers) == 5
    assert loaded.identity == PatientIdentity("P1", "SITE", "Marked^Patient")


def test_what_is_no_volume_beside_it_does_not_matter(tmp_path: Path) -> None:
    classic_series(tmp_path / "ct")
    classic_series(
        tmp_path / "scout", noise((1, 6, 6)), SeriesInstanceUID="1.2.9", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    assert load_input(tmp_path).volume.grid.shape == (5, 12, 10)


def test_several_volumes_are_named_with_the_way_to_choose(tmp_path: Path) -> None:
    classic_series(tmp_path / "ct", SeriesInstanceUID="1.2.7")
    nuclear_medicine(tmp_path / "nm", SeriesInstanceUID="1.2.8")
    with pytest.raises(NotAVolumeError, match="2 volumes") as caught:
        load_input(tmp_path)
    assert f"{tmp_path}#1.2.7" in str(caught.value)
    assert "NM 'NM made for a test' (1.2.8), 1 files" in str(caught.value)
    assert load_input(Path(f"{tmp_path}#1.2.8")).volume.modality == "NM"
    with pytest.raises(UnreadableFileError, match=r"no series 1\.2\.6; it holds CT"):
        load_input(Path(f"{tmp_path}#1.2.6"))


def test_a_folder_name_may_hold_the_mark_itself(tmp_path: Path) -> None:
    classic_series(tmp_path / "scan#3")
    assert load_input(tmp_path / "scan#3").volume.modality == "CT"


def test_a_folder_without_a_volume_says_why(tmp_path: Path) -> None:
    classic_series(tmp_path, noise((2, 6, 6)))
    with pytest.raises(NotAVolumeError, match=r"holds no volume. CT .*: 2 slices are no volume"):
        load_input(tmp_path)


def test_a_multi_frame_file_is_a_volume(tmp_path: Path) -> None:
    assert load_input(nuclear_medicine(tmp_path)).volume.unit is Unit.COUNTS


def test_what_is_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(UnreadableFileError, match="neither DICOM nor NIfTI"):
        load_input(tmp_path / "letter.txt")
    with pytest.raises(UnreadableFileError, match="holds no DICOM series"):
        load_input(tmp_path)
    with pytest.raises(UnreadableFileError, match="there is no file or folder"):
        load_input(tmp_path / "gone")


def test_series_are_found_by_their_headers(tmp_path: Path) -> None:
    ct = classic_series(tmp_path / "a", SeriesInstanceUID="1.2.7")
    nuclear_medicine(tmp_path / "b", SeriesInstanceUID="1.2.8", ImageType=["ORIGINAL", "PRIMARY", "STATIC"])
    (tmp_path / "DICOMDIR.txt").write_text("not DICOM")
    first, second = find_series(tmp_path)
    assert (first.series_instance_uid, first.modality, first.study_instance_uid) == ("1.2.7", "CT", "1.2.3")
    assert (sorted(first.files), first.no_volume) == (sorted(ct), "")
    assert "STATIC" in second.no_volume
    with pytest.raises(UnreadableFileError, match="is not a folder"):
        find_series(ct[0])


def written(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Path:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.2, 1.5, 3.0))
    image.SetOrigin((-20.0, 30.0, 40.0))
    image.SetDirection((0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6))
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_image_files_hold_what_their_writer_put_there(suffix: str, tmp_path: Path) -> None:
    values = noise().astype(np.float32)
    path = written(tmp_path / f"image{suffix}", values)
    loaded = load_input(path)
    assert (loaded.headers, loaded.identity, loaded.name) == ((), None, path.name)
    assert loaded.volume.grid.frame_of_reference_uid is None
    np.testing.assert_array_equal(loaded.volume.voxels.numpy(), values)
    assert_same_voxels(loaded.volume, *itk_file(path))


def test_a_nifti_lies_where_nibabel_puts_it(tmp_path: Path) -> None:
    """Its RAS becomes LPS: the one place where a sign would turn the patient round."""
    path = written(tmp_path / "image.nii.gz", noise().astype(np.float32))
    assert_same_voxels(load_input(path).volume, *nifti(path))


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_handedness_is_kept(flip: tuple[int, int, int], tmp_path: Path) -> None:
    path = tmp_path / "image.nii"
    affine = np.diag([*(2.0 * np.array(flip)), 1.0])
    nibabel.save(nibabel.Nifti1Image(noise((6, 7, 8)).astype(np.float32), affine), path)
    assert_same_voxels(load_input(path).volume, *nifti(path))


def test_numbers_that_are_none_were_not_measured(tmp_path: Path) -> None:
    values = noise().astype(np.float32)
    values[1, 2, 3] = np.nan
    volume = load_input(written(tmp_path / "image.mha", values)).volume
    assert volume.valid is not None
    assert np.argwhere(~volume.valid.numpy()).tolist() == [[1, 2, 3]]
    assert float(volume.voxels[1, 2, 3]) == 0.0


def test_images_that_are_no_volume_are_refused(tmp_path: Path) -> None:
    flat, moving, colour, broken = (tmp_path / f"{name}.nii" for name in ("flat", "moving", "colour", "broken"))
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 6), np.float32), np.eye(4)), flat)
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 6, 6, 3), np.float32), np.eye(4)), moving)
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((6, 6, 6, 3), np.uint8), isVector=True), str(colour))
    broken.write_bytes(b"no image at all")
    with pytest.raises(NotAVolumeError, match=r"dimensions|too thin"):
        load_input(flat)
    with pytest.raises(NotAVolumeError, match="4 dimensions"):
        load_input(moving)
    with pytest.raises(NotAVolumeError, match="not one number a voxel"):
        load_input(colour)
    with pytest.raises(UnreadableFileError, match="cannot be read as an image"):
        load_input(broken)


def test_a_fourth_dimension_of_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "image.nii"
    nibabel.save(nibabel.Nifti1Image(noise((6, 7, 8)).reshape(6, 7, 8, 1), np.eye(4)), path)
    assert load_input(path).volume.grid.shape == (8, 7, 6)


def test_headers_keep_what_encoding_needs(tmp_path: Path) -> None:
    files = classic_series(tmp_path)
    header = load_input(tmp_path).headers[0]
    assert header.PatientName == dcmread(files[0]).PatientName
    assert header.file_meta.TransferSyntaxUID == dcmread(files[0]).file_meta.TransferSyntaxUID
