"""Real series of several makers and encodings: each loads as its reference says, or is refused with the reason."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name in every manual)

from dicomnode.errors import LoadError, NotAVolumeError, UndecodableError
from dicomnode.load import find_series, load_series
from dicomnode.load.headers import read_instance
from dicomnode.load.pixels import decoded
from fusion.volume import Unit
from tests.fixtures.dicom_series import assert_same_voxels, itk_file, itk_series, nifti

pytestmark = pytest.mark.data

WITH_NIFTI = {
    "formats/ge/anatomical/001": (4, 256, 256),
    "formats/ge/anatomical/001_implicit": (4, 256, 256),
    "formats/generic/anatomical/001": (4, 256, 256),
    "formats/generic/anatomical/001_implicit": (4, 256, 256),
    "formats/generic/anatomical/002_non_isotropic": (4, 28, 64),
    "formats/generic/compressed/001": (4, 256, 256),
    "formats/generic/compressed_j2k/001": (4, 256, 256),
    "formats/generic/compressed_jpeg/001": (4, 256, 256),
    "formats/generic/compressed_jpegls/001": (4, 256, 256),
    "formats/generic/compressed_rle/001": (4, 256, 256),
    "formats/hitachi/anatomical/001": (4, 64, 64),
    "formats/hitachi/anatomical/001_implicit": (4, 64, 64),
    "formats/hyperfine/anatomical/001": (8, 138, 112),
    "formats/philips_enhanced/anatomical/001": (8, 256, 256),
    "formats/philips_enhanced/anatomical/001_implicit": (8, 256, 256),
    "formats/siemens_multiframe/anatomical/001": (8, 256, 256),
}
WITHOUT_NIFTI = {
    "formats/siemens_xa_enhanced/5_anat-T1w_acq-tfl": (96, 128, 128),
    "mr_positions/HFP_t1": (35, 256, 256),
    "mr_positions/HFS_t1": (35, 256, 256),
    "petctmr_sarcoma/STS_001/CT/image": (59, 202, 198),
    "petctmr_sarcoma/STS_001/MR_T1/image": (59, 158, 174),
    "petctmr_sarcoma/STS_001/PET/image": (59, 43, 41),
    "petctmr_sarcoma/STS_002/CT/image": (48, 143, 161),
    "petctmr_sarcoma/STS_002/MR_T1/image": (35, 90, 115),
    "petctmr_sarcoma/STS_002/PET/image": (48, 27, 30),
    "petctmr_sarcoma/STS_003/CT/image": (51, 158, 154),
    "petctmr_sarcoma/STS_003/MR_T1/image": (47, 138, 121),
    "petctmr_sarcoma/STS_003/PET/image": (51, 30, 29),
}
RESAMPLED = {
    "ct_gantry_tilt/GE": "gantry tilt, 18.5 degrees",
    "formats/failing/sliceincrement/001": "5.00 to 10.00 mm apart",
}
REFUSED = {
    "formats/failing/notavolume/001": r"4 different images at 1 of 1 places, told apart by their acquisitions",
    "formats/failing/slicecount/001": r"2 slices are no volume",
    "formats/ge/anatomical/001_single_slice": r"1 slice is no volume",
    "formats/generic/rgb/001": r"in colour",
    "formats/philips_enhanced_small": r"2 different images at 32 of 32 places, .* frame types .*FIELD_MAP",
    "formats/wg04/CT": r"1 slice is no volume",
    "formats/wg04/MR": r"1 slice is no volume",
    "formats/wg04/NM": r"Secondary Captures",
}


def images(folder: Path) -> list[Path]:
    """Files of the series in a folder; those of `wg04/XX` are the XX of all its encodings, each a series."""
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.endswith(".gz"))


def test_every_reference_series_is_in_one_of_the_tables(reference_data: Path) -> None:
    def folders() -> Iterator[str]:
        for top in ("formats", "ct_gantry_tilt", "mr_positions", "petctmr_sarcoma"):
            for path in (reference_data / top).rglob("*"):
                if path.is_file() and not path.name.endswith(".gz") and path.parent.name != "mask":
                    name = str(path.parent.relative_to(reference_data))
                    yield f"formats/wg04/{path.name[:2]}" if "wg04" in name else name

    assert set(folders()) == {*WITH_NIFTI, *WITHOUT_NIFTI, *RESAMPLED, *REFUSED}


@pytest.mark.parametrize("folder", WITH_NIFTI)
def test_it_loads_as_the_reference_nifti_beside_it(folder: str, reference_data: Path) -> None:
    files = images(reference_data / folder)
    reference = reference_data / f"{folder}_ground_truth.nii.gz"
    loaded = load_series(files)
    assert loaded.volume.voxels.shape == WITH_NIFTI[folder]
    assert loaded.volume.notes == ()
    assert len(loaded.headers) == len(files)
    assert_same_voxels(loaded.volume, *nifti(reference))


@pytest.mark.parametrize("folder", WITHOUT_NIFTI)
def test_it_loads_as_simple_itk_reads_it(folder: str, reference_data: Path) -> None:
    files = images(reference_data / folder)
    loaded = load_series(files)
    assert loaded.volume.voxels.shape == WITHOUT_NIFTI[folder]
    assert loaded.volume.notes == ()
    assert_same_voxels(loaded.volume, *(itk_file(files[0]) if len(files) == 1 else itk_series(files)))


@pytest.mark.parametrize("folder", RESAMPLED)
def test_tilt_and_unequal_steps_are_resampled_and_said(folder: str, reference_data: Path) -> None:
    volume = load_series(images(reference_data / folder)).volume
    assert RESAMPLED[folder] in " ".join(volume.notes)
    assert volume.valid is not None
    direction = volume.grid.direction
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("folder", REFUSED)
def test_it_is_refused_with_the_reason(folder: str, reference_data: Path) -> None:
    if "wg04" in folder:
        series = [[path] for path in sorted((reference_data / "formats/wg04").glob(f"*/{Path(folder).name}*"))]
    else:
        series = [images(reference_data / folder)]
    assert series
    for files in series:
        with pytest.raises(NotAVolumeError, match=REFUSED[folder]):
            load_series(files)


def test_the_tilted_head_is_where_its_slices_say(reference_data: Path) -> None:
    """Every source voxel, at the place that its own header gives, has its own value in the volume."""
    files = images(reference_data / "ct_gantry_tilt/GE")
    volume = load_series(files).volume
    assert volume.valid is not None
    image = sitk.GetImageFromArray(volume.voxels.numpy())
    image.SetSpacing(volume.grid.spacing_mm[::-1])
    image.SetOrigin(volume.grid.origin_mm.tolist())
    image.SetDirection(volume.grid.direction[:, ::-1].ravel().tolist())
    differences = []
    for path in files:
        header = read_instance(path)
        values = decoded(header)[0][::32, ::32].astype(np.float64)
        row, column = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
        spacing = float(header.PixelSpacing[0])
        rows, columns = np.mgrid[0:512:32, 0:512:32]
        places = (
            np.array(header.ImagePositionPatient, dtype=float)
            + rows[..., None] * spacing * column
            + columns[..., None] * spacing * row
        )
        soft = np.abs(values) < 80
        for place, value in zip(places[soft], values[soft], strict=True):
            index = np.rint(volume.grid.indices(place)).astype(int)
            if bool(volume.valid[tuple(index)]) and image.TransformPhysicalPointToIndex(place.tolist())[0] >= 0:
                differences.append(float(volume.voxels[tuple(index)]) - value)
    assert len(differences) > 500
    # Brain lies on brain: where slices are 1 to 7 mm thick, neighbours differ by noise, and by no offset.
    assert abs(float(np.median(differences))) < 1.5
    assert float(np.median(np.abs(differences))) < 12


@pytest.mark.parametrize("number", ["001", "002", "003"])
def test_a_pet_that_is_suv_already_is_left_alone(number: str, reference_data: Path) -> None:
    loaded = load_series(images(reference_data / f"petctmr_sarcoma/STS_{number}/PET/image"))
    assert loaded.volume.unit is Unit.SUV_BW
    assert len({float(header.RescaleSlope) for header in loaded.headers}) > 10
    assert 5 < float(loaded.volume.voxels.max()) < 40


def test_ct_and_pet_of_one_examination_share_their_frame_of_reference(reference_data: Path) -> None:
    folder = reference_data / "petctmr_sarcoma/STS_001"
    ct, pet = (load_series(images(folder / name / "image")).volume for name in ("CT", "PET"))
    assert ct.unit is Unit.HU
    assert ct.grid.frame_of_reference_uid == pet.grid.frame_of_reference_uid is not None


@pytest.mark.parametrize("image", ["CT1", "MR1", "MR4", "NM1"])
def test_lossless_encodings_decode_to_one_image(image: str, reference_data: Path) -> None:
    folder = reference_data / "formats/wg04"
    arrays = [
        decoded(read_instance(folder / syntax / f"{image}_{syntax}")) for syntax in ("J2KR", "JLSL", "JPLL", "RLE")
    ]
    assert arrays[0].max() > arrays[0].min()
    for other in arrays[1:]:
        np.testing.assert_array_equal(arrays[0], other)


@pytest.mark.parametrize("image", ["MR1", "MR4", "NM1"])
def test_what_nothing_decodes_is_named(image: str, reference_data: Path) -> None:
    dataset = read_instance(reference_data / "formats/wg04/JPLY" / f"{image}_JPLY")
    with pytest.raises(UndecodableError, match=re.escape("JPEG Extended (Process 2 and 4)")):
        decoded(dataset)


def test_a_folder_lists_its_images_and_contours(reference_data: Path) -> None:
    found = find_series(reference_data / "petctmr_sarcoma/STS_001")
    assert [(one.modality, len(one.files)) for one in found if not one.no_volume] == [
        ("CT", 59),
        ("MR", 59),
        ("PT", 59),
    ]
    contours = [one for one in found if one.modality == "RTSTRUCT"]
    assert [one.no_volume for one in contours] == ["RT Structure Set Storage is not an image"] * 3


def test_errors_of_loading_have_one_root() -> None:
    assert issubclass(NotAVolumeError, LoadError)
    assert issubclass(UndecodableError, LoadError)
