"""Enhanced CT, MR and PET objects built from the standard; highdicom and SimpleITK read the same."""

import warnings
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom import Sequence as DicomSequence

from dicomnode.errors import NotAVolumeError
from dicomnode.load import load_series
from fusion.volume import Unit
from tests.fixtures.dicom_series import (
    AXIAL,
    OBLIQUE,
    assert_same_voxels,
    code,
    enhanced,
    itk_file,
    noise,
    radiopharmaceutical,
)

RESCALES = [(1.0 + 0.25 * k, -100.0 * k) for k in range(5)]


def by_highdicom(path: Path) -> tuple[NDArray[np.float64], NDArray[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        volume = highdicom.imread(str(path)).get_volume(apply_real_world_transform=False)
    return np.asarray(volume.affine), np.asarray(volume.array)


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE])
@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_frames_lie_and_count_as_highdicom_reads_them(
    modality: str, orientation: tuple[float, ...], tmp_path: Path
) -> None:
    path = enhanced(tmp_path, modality=modality, orientation=orientation, rescales=RESCALES)
    loaded = load_series([path])
    assert len(loaded.headers) == 1
    assert loaded.volume.modality == modality
    assert_same_voxels(loaded.volume, *by_highdicom(path))


def test_simple_itk_agrees_where_all_frames_share_a_rescale(tmp_path: Path) -> None:
    path = enhanced(tmp_path, orientation=OBLIQUE, rescales=[(2.0, -1024.0)] * 5)
    loaded = load_series([path])
    assert loaded.volume.unit is Unit.HU
    assert_same_voxels(loaded.volume, *itk_file(path))


def test_frames_in_any_order_are_sorted_by_their_place(tmp_path: Path) -> None:
    positions = [(0.0, 0.0, 2.5 * k) for k in (3, 0, 4, 1, 2)]
    path = enhanced(tmp_path, positions=positions)
    assert_same_voxels(load_series([path]).volume, *by_highdicom(path))


def test_groups_that_all_frames_share_hold_for_each(tmp_path: Path) -> None:
    def without_own(_number: int, frame: Dataset) -> None:
        del frame.PixelValueTransformationSequence

    common = Dataset()
    common.RescaleSlope, common.RescaleIntercept, common.RescaleType = "3", "-1000", "HU"
    stored = noise().astype(np.uint16)
    path = enhanced(
        tmp_path,
        stored,
        each_frame=without_own,
        shared={"PixelValueTransformationSequence": DicomSequence([common])},
    )
    volume = load_series([path]).volume
    np.testing.assert_array_equal(volume.voxels.numpy()[::-1], stored * 3.0 - 1000)


def test_one_frame_an_object_makes_a_series_too(tmp_path: Path) -> None:
    stored = noise().astype(np.uint16)
    files = [
        enhanced(tmp_path, stored[k : k + 1], "MR", positions=[(0.0, 0.0, 4.0 * k)], name=f"{k}.dcm") for k in range(5)
    ]
    loaded = load_series(files)
    np.testing.assert_array_equal(loaded.volume.voxels.numpy(), stored)
    assert len(loaded.headers) == 5


def test_several_stacks_over_one_another_are_refused_by_what_differs(tmp_path: Path) -> None:
    def temporal(number: int, frame: Dataset) -> None:
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + number // 3

    positions = [(0.0, 0.0, 2.5 * (k % 3)) for k in range(6)]
    path = enhanced(tmp_path, noise((6, 6, 6)).astype(np.uint16), "MR", positions=positions, each_frame=temporal)
    with pytest.raises(NotAVolumeError, match=r"2 different images at 3 of 3 places, .* points in time"):
        load_series([path])


def test_stacks_in_two_orientations_are_refused(tmp_path: Path) -> None:
    def turned(number: int, frame: Dataset) -> None:
        item = Dataset()
        item.ImageOrientationPatient = list(AXIAL) if number < 3 else [0, 1, 0, 0, 0, -1]
        frame.PlaneOrientationSequence = DicomSequence([item])
        frame.FrameContentSequence[0].StackID = str(1 + number // 3)

    path = enhanced(tmp_path, noise((6, 6, 6)).astype(np.uint16), "MR", each_frame=turned)
    with pytest.raises(NotAVolumeError, match="2 orientations"):
        load_series([path])


def test_frames_without_groups_are_refused(tmp_path: Path) -> None:
    def each(number: int, frame: Dataset) -> None:
        if number == 4:
            del frame.PlanePositionSequence

    with pytest.raises(NotAVolumeError, match="no Image Position"):
        load_series([enhanced(tmp_path, each_frame=each)])


def quantity(slope: float, ucum: str) -> dict[str, Any]:
    item = Dataset()
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, 0.0
    item.MeasurementUnitsCodeSequence = code(ucum, "UCUM", ucum)
    return {"shared": {"RealWorldValueMappingSequence": DicomSequence([item])}}


ENHANCED_PET = {
    "AttenuationCorrected": "YES",
    "DecayCorrected": "YES",
    "DecayCorrectionDateTime": "20260112100000",
    "PatientWeight": "70",
}


def injection() -> DicomSequence:
    return radiopharmaceutical(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20260112090000")


def test_an_enhanced_pet_in_activity_becomes_suv(tmp_path: Path) -> None:
    """The object names the time to which decay was corrected; nothing has to be inferred."""
    stored = noise().astype(np.uint16)
    elements: dict[str, Any] = {**ENHANCED_PET, "RadiopharmaceuticalInformationSequence": injection()}
    volume = load_series([enhanced(tmp_path, stored, "PT", **quantity(2.0, "Bq/ml"), **elements)]).volume
    factor = 70_000 / (370e6 * 0.5 ** (3600 / 6586.2))
    assert volume.unit is Unit.SUV_BW
    np.testing.assert_allclose(volume.voxels.numpy()[::-1], stored * 2.0 * factor, rtol=1e-6)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("AttenuationCorrected", "not corrected for attenuation"),
        ("DecayCorrected", "not corrected for decay"),
        ("DecayCorrectionDateTime", "Decay Correction is empty"),
        ("PatientWeight", "Patient Weight is missing"),
    ],
)
def test_an_enhanced_pet_with_something_missing_stays_activity(missing: str, reason: str, tmp_path: Path) -> None:
    elements: dict[str, Any] = {**ENHANCED_PET, "RadiopharmaceuticalInformationSequence": injection(), missing: None}
    volume = load_series([enhanced(tmp_path, modality="PT", **quantity(2.0, "Bq/ml"), **elements)]).volume
    assert volume.unit is Unit.BQ_ML
    assert any(reason in note for note in volume.notes)


def test_an_enhanced_pet_that_is_suv_already_is_left_alone(tmp_path: Path) -> None:
    stored = noise().astype(np.uint16)
    elements: dict[str, Any] = {**ENHANCED_PET, "RadiopharmaceuticalInformationSequence": injection()}
    volume = load_series([enhanced(tmp_path, stored, "PT", **quantity(0.01, "g/ml{SUVbw}"), **elements)]).volume
    assert volume.unit is Unit.SUV_BW
    np.testing.assert_allclose(volume.voxels.numpy()[::-1], stored * 0.01, rtol=1e-6)


def test_a_real_world_mapping_beside_a_ct_rescale_is_not_applied(tmp_path: Path) -> None:
    stored = noise().astype(np.uint16)
    volume = load_series([enhanced(tmp_path, stored, rescales=[(1.0, -1024.0)] * 5, **quantity(9.0, "Bq/ml"))]).volume
    np.testing.assert_array_equal(volume.voxels.numpy()[::-1], stored - 1024.0)
