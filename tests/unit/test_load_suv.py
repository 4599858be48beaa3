"""SUV by closed form, and every doubt that leaves the values as they came."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from dicomnode.load import load_series
from fusion.volume import Unit, Volume
from tests.fixtures.dicom_series import PET, classic_series, code, noise, pet_series, radiopharmaceutical

DOSE_BQ, HALF_LIFE_S, WEIGHT_G = 370e6, 6586.2, 70_000.0
HOUR_S = 3600.0


def factor(elapsed_s: float) -> float:
    """Of the SUV by body weight: 1 Bq/ml over the injected activity per gram as it has decayed by then."""
    return float(WEIGHT_G / (DOSE_BQ * 0.5 ** (elapsed_s / HALF_LIFE_S)))


def loaded(folder: Path, **elements: Any) -> Volume:
    return load_series(pet_series(folder, **elements)).volume


def assert_suv(volume: Volume, expected_factor: float) -> None:
    assert volume.unit is Unit.SUV_BW
    np.testing.assert_allclose(volume.voxels.numpy(), noise().astype(np.float64) * expected_factor, rtol=1e-6)


def assert_unchanged(volume: Volume, reason: str, unit: Unit = Unit.BQ_ML) -> None:
    assert volume.unit is unit
    np.testing.assert_array_equal(volume.voxels.numpy(), noise())
    assert any(reason in note for note in volume.notes), volume.notes


def test_start_decays_the_dose_from_injection_to_series_time(tmp_path: Path) -> None:
    assert_suv(loaded(tmp_path), factor(HOUR_S))


def test_a_series_may_begin_before_its_first_acquisition(tmp_path: Path) -> None:
    assert_suv(loaded(tmp_path, SeriesTime="095500"), factor(HOUR_S - 300))


def test_later_beds_still_refer_to_the_beginning(tmp_path: Path) -> None:
    def bed(number: int, dataset: Dataset) -> None:
        dataset.AcquisitionTime = f"10{3 * number:02d}00"

    assert_suv(loaded(tmp_path, each=bed), factor(HOUR_S))


def test_admin_takes_the_dose_as_it_was_given(tmp_path: Path) -> None:
    assert_suv(loaded(tmp_path, DecayCorrection="ADMIN"), factor(0))


def test_each_slice_has_its_own_slope(tmp_path: Path) -> None:
    def slope(number: int, dataset: Dataset) -> None:
        dataset.RescaleSlope = f"{0.5 + 0.25 * number}"

    volume = loaded(tmp_path, each=slope)
    slopes = (0.5 + 0.25 * np.arange(5))[:, None, None]
    np.testing.assert_allclose(volume.voxels.numpy(), noise() * slopes * factor(HOUR_S), rtol=1e-6)


def test_the_injection_may_lie_before_midnight(tmp_path: Path) -> None:
    volume = loaded(
        tmp_path,
        SeriesTime="003000",
        AcquisitionTime="003000",
        RadiopharmaceuticalInformationSequence=radiopharmaceutical(RadiopharmaceuticalStartTime="233000.000"),
    )
    assert_suv(volume, factor(HOUR_S))


def test_a_complete_start_date_time_comes_before_the_time_alone(tmp_path: Path) -> None:
    injected = radiopharmaceutical(
        RadiopharmaceuticalStartTime="010000", RadiopharmaceuticalStartDateTime="20260112083000.000000"
    )
    assert_suv(loaded(tmp_path, RadiopharmaceuticalInformationSequence=injected), factor(1.5 * HOUR_S))


def test_a_start_date_time_alone_is_enough(tmp_path: Path) -> None:
    injected = radiopharmaceutical(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20260112080000")
    assert_suv(loaded(tmp_path, RadiopharmaceuticalInformationSequence=injected), factor(2 * HOUR_S))


def test_time_zones_are_brought_together(tmp_path: Path) -> None:
    injected = radiopharmaceutical(
        RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20260112080000+0000"
    )
    volume = loaded(tmp_path, TimezoneOffsetFromUTC="+0100", RadiopharmaceuticalInformationSequence=injected)
    assert_suv(volume, factor(HOUR_S))


def test_a_series_time_after_the_acquisition_gives_way_to_the_scanner_s_private_time(tmp_path: Path) -> None:
    def ge(_number: int, dataset: Dataset) -> None:
        dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20260112093000.00")

    volume = loaded(tmp_path, SeriesTime="120000", each=ge)
    assert_suv(volume, factor(0.5 * HOUR_S))
    assert any("own scan time" in note for note in volume.notes)


def test_else_to_the_earliest_acquisition(tmp_path: Path) -> None:
    def bed(number: int, dataset: Dataset) -> None:
        dataset.AcquisitionTime = f"10{20 - 3 * number:02d}00"

    volume = loaded(tmp_path, SeriesTime="120000", each=bed)
    assert_suv(volume, factor(HOUR_S + 8 * 60))
    assert any("earliest acquisition" in note for note in volume.notes)


def test_a_stated_decay_correction_time_is_taken_as_it_is(tmp_path: Path) -> None:
    def siemens(_number: int, dataset: Dataset) -> None:
        dataset.private_block(0x0071, "SIEMENS MED PT", create=True).add_new(0x22, "DT", "20260112094500")

    assert_suv(loaded(tmp_path, each=siemens), factor(0.75 * HOUR_S))


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"PatientWeight": None}, "Patient Weight is missing"),
        ({"PatientWeight": "0"}, "Patient Weight is missing"),
        ({"PatientWeight": "70000"}, "70000 kg cannot be"),
        ({"CorrectedImage": ["NORM", "DECY"]}, "not corrected for attenuation"),
        ({"CorrectedImage": ["NORM", "ATTN"]}, "not corrected for decay"),
        ({"CorrectedImage": None}, "not corrected for attenuation"),
        ({"DecayCorrection": "NONE"}, "Decay Correction is NONE"),
        ({"DecayCorrection": None}, "Decay Correction is empty"),
        ({"RadiopharmaceuticalInformationSequence": None}, "radiopharmaceutical is not described"),
        ({"AcquisitionTime": None}, "acquisition date and time"),
    ],
)
def test_what_is_missing_or_cannot_be_leaves_activity_unchanged(
    elements: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    assert_unchanged(loaded(tmp_path, **elements), reason)


@pytest.mark.parametrize(
    ("injection", "reason"),
    [
        ({"RadionuclideTotalDose": None}, "Total Dose is missing"),
        ({"RadionuclideTotalDose": "370"}, "written in MBq"),
        ({"RadionuclideHalfLife": None}, "Half Life is missing"),
        ({"RadiopharmaceuticalStartTime": None}, "time of the injection is missing"),
        ({"RadiopharmaceuticalStartDateTime": "20260112140000"}, "-240 minutes from the injection"),
        ({"RadiopharmaceuticalStartDateTime": "20260111090000"}, "1500 minutes from the injection"),
        (
            {"RadionuclideHalfLife": "109.77", "RadionuclideCodeSequence": code("C-111A1", "SRT", "18F")},
            "that of F-18 is 6586.2 s",
        ),
        ({"RadionuclideHalfLife": "282276"}, "date of the injection is missing"),
        (
            {"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20260112090000+0000"},
            "time of the injection is missing",
        ),
    ],
)
def test_an_injection_that_cannot_be_believed_leaves_activity_unchanged(
    injection: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    item = radiopharmaceutical(**injection)
    assert_unchanged(loaded(tmp_path, RadiopharmaceuticalInformationSequence=item), reason)


def test_two_injections_leave_activity_unchanged(tmp_path: Path) -> None:
    items = [*radiopharmaceutical(), *radiopharmaceutical(RadiopharmaceuticalStartTime="091500")]
    volume = loaded(tmp_path, RadiopharmaceuticalInformationSequence=items)
    assert_unchanged(volume, "2 radiopharmaceuticals")


def test_a_decay_factor_that_agrees_confirms_the_reference(tmp_path: Path) -> None:
    rate = np.log(2) / HALF_LIFE_S

    def bed(number: int, dataset: Dataset) -> None:
        began = 180.0 * number
        within = rate * 180.0
        dataset.AcquisitionTime = f"10{3 * number:02d}00"
        dataset.ActualFrameDuration = "180000"
        dataset.DecayFactor = f"{np.exp(rate * began) * within / (1 - np.exp(-within)):.8g}"

    assert_suv(loaded(tmp_path, each=bed), factor(HOUR_S))


def test_a_decay_factor_that_contradicts_the_series_time_takes_the_suv_away(tmp_path: Path) -> None:
    """Decay was corrected over half an hour more than Series Time says: 17 % of SUV."""
    rate = np.log(2) / HALF_LIFE_S
    within = rate * 180
    decay = np.exp(rate * 1800) * within / (1 - np.exp(-within))
    volume = loaded(tmp_path, ActualFrameDuration="180000", DecayFactor=f"{decay:.8g}")
    assert_unchanged(volume, "contradicts the time")


@pytest.mark.parametrize(
    ("suv_type", "unit"),
    [
        (None, Unit.SUV_BW),
        ("BW", Unit.SUV_BW),
        ("LBM", Unit.SUV_LBM),
        ("LBMJANMA", Unit.SUV_LBM),
        ("IBW", Unit.SUV_IBW),
    ],
)
def test_gml_is_not_converted_twice(suv_type: str | None, unit: Unit, tmp_path: Path) -> None:
    volume = loaded(tmp_path, Units="GML", SUVType=suv_type)
    assert volume.unit is unit
    np.testing.assert_array_equal(volume.voxels.numpy(), noise())
    assert volume.notes == ()


def test_body_surface_has_its_own_units(tmp_path: Path) -> None:
    assert loaded(tmp_path, Units="CM2ML", SUVType="BSA").unit is Unit.SUV_BSA


@pytest.mark.parametrize(
    ("units", "unit"),
    [("PROPCNTS", Unit.PROPORTIONAL_COUNTS), ("MGMINML", Unit.ARBITRARY), (None, Unit.ARBITRARY)],
)
def test_other_units_pass_unchanged_with_the_reason(units: str | None, unit: Unit, tmp_path: Path) -> None:
    assert_unchanged(loaded(tmp_path, Units=units), f"Units is {units or 'empty'}", unit)


def test_slices_of_different_units_are_left_alone(tmp_path: Path) -> None:
    def units(number: int, dataset: Dataset) -> None:
        dataset.Units = "BQML" if number else "CNTS"

    assert_unchanged(loaded(tmp_path, each=units), "different Units", Unit.ARBITRARY)


def philips(**elements: float) -> Any:
    def each(_number: int, dataset: Dataset) -> None:
        dataset.private_block(0x7053, "Another Creator", create=True).add_new(0x00, "DS", "999")
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, value in elements.items():
            block.add_new(int(element[1:], 16), "DS", f"{value:g}")

    return each


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_philips_counts_have_a_private_suv_factor(syntax: Any, tmp_path: Path) -> None:
    written = {} if syntax is None else {"syntax": syntax}
    volume = loaded(tmp_path, Units="CNTS", each=philips(x00=0.0005), **written)
    assert_suv(volume, 0.0005)


def test_or_a_private_activity_factor(tmp_path: Path) -> None:
    volume = loaded(tmp_path, Units="CNTS", each=philips(x00=0, x09=2.5))
    assert_suv(volume, 2.5 * factor(HOUR_S))


def test_counts_without_either_stay_counts(tmp_path: Path) -> None:
    assert_unchanged(loaded(tmp_path, Units="CNTS"), "no scale to activity", Unit.COUNTS)


def test_private_factors_that_differ_between_slices_are_not_trusted(tmp_path: Path) -> None:
    def each(number: int, dataset: Dataset) -> None:
        philips(x00=0.001 * (number + 1))(number, dataset)

    assert_unchanged(loaded(tmp_path, Units="CNTS", each=each), "differ between the images", Unit.COUNTS)


def test_a_ct_has_no_suv(tmp_path: Path) -> None:
    elements = {**PET, "RadiopharmaceuticalInformationSequence": radiopharmaceutical()}
    assert load_series(classic_series(tmp_path, **elements)).volume.unit is Unit.HU
