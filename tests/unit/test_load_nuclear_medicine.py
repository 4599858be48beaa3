"""Reconstructed NM multi-frame objects built from the standard; SimpleITK reads the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.errors import NotAVolumeError
from dicomnode.load import load_series
from fusion.volume import Unit
from tests.fixtures.dicom_series import assert_same_voxels, code, itk_file, noise, nuclear_medicine


def test_slices_stack_behind_the_first_as_simple_itk_reads_them(tmp_path: Path) -> None:
    path = nuclear_medicine(tmp_path)
    loaded = load_series([path])
    assert loaded.volume.unit is Unit.COUNTS
    assert loaded.volume.modality == "NM"
    assert len(loaded.headers) == 1
    assert_same_voxels(loaded.volume, *itk_file(path))


def test_a_negative_spacing_stacks_them_in_front(tmp_path: Path) -> None:
    """C.8.4.15.1: the sign of Spacing Between Slices is the direction along the normal of the first slice."""
    stored = noise().astype(np.uint16)
    volume = load_series([nuclear_medicine(tmp_path, stored, step_mm=-4.0)]).volume
    np.testing.assert_allclose(volume.grid.points(np.array([4.0, 0, 0])), (-20, -30, 40))
    np.testing.assert_allclose(volume.grid.points(np.array([0.0, 0, 0])), (-20, -30, 24))
    np.testing.assert_array_equal(volume.voxels.numpy(), stored[::-1])


def test_the_slice_vector_says_which_slice_a_frame_is(tmp_path: Path) -> None:
    stored = noise().astype(np.uint16)
    order = [3, 1, 5, 2, 4]
    volume = load_series([nuclear_medicine(tmp_path, stored, SliceVector=order)]).volume
    for number, frame in zip(order, stored, strict=True):
        np.testing.assert_array_equal(volume.voxels[number - 1].numpy(), frame)


@pytest.mark.parametrize("frame_of_reference", [None, ""])
def test_a_frame_of_reference_may_be_missing(frame_of_reference: str | None, tmp_path: Path) -> None:
    volume = load_series([nuclear_medicine(tmp_path, FrameOfReferenceUID=frame_of_reference)]).volume
    assert volume.grid.frame_of_reference_uid is None


def test_a_rescale_is_applied_where_there_is_one(tmp_path: Path) -> None:
    stored = noise().astype(np.uint16)
    volume = load_series([nuclear_medicine(tmp_path, stored, RescaleSlope="0.25", RescaleIntercept="3")]).volume
    np.testing.assert_allclose(volume.voxels.numpy(), stored * 0.25 + 3)


def test_activity_is_known_from_its_units_or_its_real_world_mapping(tmp_path: Path) -> None:
    mapping = Dataset()
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 2.5, 0.0
    mapping.MeasurementUnitsCodeSequence = code("Bq/ml", "UCUM", "Becquerels/milliliter")
    stored = noise().astype(np.uint16)
    mapped = load_series([nuclear_medicine(tmp_path / "a", stored, RealWorldValueMappingSequence=[mapping])]).volume
    named = load_series([nuclear_medicine(tmp_path / "b", stored, Units="BQML", RescaleSlope="2.5")]).volume
    for volume in (mapped, named):
        assert volume.unit is Unit.BQ_ML
        np.testing.assert_allclose(volume.voxels.numpy(), stored * 2.5)


def image_type(kind: str) -> dict[str, Any]:
    return {"ImageType": ["ORIGINAL", "PRIMARY", kind, "EMISSION"]}


def detector(**elements: Any) -> dict[str, Any]:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return {"DetectorInformationSequence": [item]}


PLACE = ["-20", "-30", "40"]
TURN = ["1", "0", "0", "0", "1", "0"]


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        (image_type("TOMO"), "of the kind TOMO; only reconstructed"),
        (image_type("WHOLE BODY"), "of the kind WHOLE BODY"),
        (image_type("STATIC"), "of the kind STATIC"),
        (image_type("DYNAMIC"), "of the kind DYNAMIC"),
        (detector(ImageOrientationPatient=TURN), "leaves its Image Position"),
        (detector(ImagePositionPatient=PLACE), "leaves its Image Position"),
        (detector(ImagePositionPatient=PLACE, ImageOrientationPatient=None), "leaves its Image Position"),
        ({"SpacingBetweenSlices": None}, "direction of its slices is not known"),
        ({"EnergyWindowVector": [1, 1, 2, 2, 2]}, "2 energy windows"),
        (
            {**image_type("RECON GATED TOMO"), "TimeSlotVector": [1, 2, 3, 4, 5]},
            "5 time slots of the heart cycle",
        ),
        ({"SliceVector": [1, 2, 3]}, "5 frames, but its Slice Vector names 3"),
        ({"DetectorInformationSequence": None}, "does not say where each of them lies"),
    ],
)
def test_what_is_no_volume_is_refused_with_the_reason(elements: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(NotAVolumeError, match=reason):
        load_series([nuclear_medicine(tmp_path, **elements)])
