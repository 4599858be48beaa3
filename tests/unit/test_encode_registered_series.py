"""The registered series keeps its quantity, its times and its place."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydicom.dataset import Dataset

from dicomnode.encode import EncodeInputs, encode
from dicomnode.encode.nm_image import frames_along_normal
from dicomnode.errors import EncodeError
from fusion import Grid, Unit, Verdict, Volume
from fusion.geometry.transform import AffineTransform
from tests.fixtures.derived_case import FRAMES, build_case, grid

ONLY = ("registered_series",)


def instances_of(inputs: EncodeInputs) -> tuple[Dataset, ...]:
    (series,) = encode(inputs)
    return series.instances


def quantities(instances: tuple[Dataset, ...]) -> np.ndarray:
    stored = [
        np.frombuffer(item.PixelData, "<i2" if item.PixelRepresentation else "<u2").reshape(item.Rows, item.Columns)
        for item in instances
    ]
    slopes = [float(item.get("RescaleSlope", 1)) for item in instances]
    return np.stack([pixels * slope for pixels, slope in zip(stored, slopes, strict=True)])


def with_unit(unit: Unit, **header: object) -> EncodeInputs:
    inputs = build_case("PT", outputs=ONLY, change=lambda v: replace(v, unit=unit))
    for item in inputs.moving.headers:
        for keyword, value in header.items():
            setattr(item, keyword, value)
    return inputs


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_a_voxel_is_within_half_a_written_step_of_what_was_resampled(modality: str) -> None:
    inputs = build_case(modality, outputs=ONLY)
    instances = instances_of(inputs)
    moved = inputs.moving.moved
    assert moved.valid is not None
    step = float(instances[0].get("RescaleSlope", 1))
    error = np.abs(quantities(instances) - moved.voxels.numpy())[moved.valid.numpy()]
    assert error.max() <= step / 2 * (1 + 1e-6)
    assert len({str(item.get("RescaleSlope", "1")) for item in instances}) == 1


def test_a_source_voxel_that_is_sampled_exactly_keeps_its_value() -> None:
    """Fixed voxels are a subset of the moving ones: nothing is interpolated, and half a step is all that is lost."""
    theirs = grid((15, 32, 32), (10.0, 6.0, 6.0), FRAMES["moving"])
    affine = theirs.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [2, 3, 4]
    onto = Grid((10, 20, 20), affine, FRAMES["fixed"])
    inputs = build_case("PT", outputs=ONLY, transform=AffineTransform.identity(), fixed_grid=onto, moving_grid=theirs)
    instances = instances_of(inputs)
    source = inputs.moving.volume.voxels[2:12, 3:23, 4:24].numpy()
    assert np.abs(quantities(instances) - source).max() <= float(instances[0].RescaleSlope) / 2 * (1 + 1e-6)


def test_outside_of_a_moved_ct_is_padding() -> None:
    inputs = build_case("CT", outputs=ONLY, moving_grid=grid((6, 32, 32), (10, 6, 6), FRAMES["moving"]))
    instances = instances_of(inputs)
    valid = inputs.moving.moved.valid
    assert valid is not None
    outside = ~valid.numpy()
    assert outside.any()
    assert set(quantities(instances)[outside].tolist()) == {float(instances[0].PixelPaddingValue)}


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_source_shown_inverted_stays_so_and_keeps_its_values(modality: str) -> None:
    small = grid((6, 32, 32), (10, 6, 6), FRAMES["moving"])
    plain = instances_of(build_case(modality, outputs=ONLY, moving_grid=small))
    inputs = build_case(modality, outputs=ONLY, moving_grid=small, change=lambda v: replace(v, inverted_display=True))
    inverted, valid = instances_of(inputs), inputs.moving.moved.valid
    assert valid is not None
    inside = valid.numpy()
    assert {item.PhotometricInterpretation for item in plain} == {"MONOCHROME2"}
    assert {item.PhotometricInterpretation for item in inverted} == {"MONOCHROME1"}
    assert [item.get("WindowCenter") for item in inverted] == [item.get("WindowCenter") for item in plain]
    np.testing.assert_array_equal(quantities(inverted)[inside], quantities(plain)[inside])
    if modality == "MR":
        dark = float(inverted[0].WindowCenter) + float(inverted[0].WindowWidth) / 2
        assert quantities(inverted)[~inside] == pytest.approx(dark, abs=0.5)


@pytest.mark.parametrize(
    ("unit", "source", "expected"),
    [
        (Unit.SUV_BW, {"Units": "BQML"}, ("GML", "BW")),
        (Unit.SUV_BW, {"Units": "GML", "SUVType": "BW"}, ("GML", "BW")),
        (Unit.SUV_LBM, {"Units": "GML", "SUVType": "LBMJANMA"}, ("GML", "LBMJANMA")),
        (Unit.SUV_BSA, {"Units": "BQML"}, ("CM2ML", "BSA")),
        (Unit.BQ_ML, {"Units": "BQML"}, ("BQML", "")),
        (Unit.PROPORTIONAL_COUNTS, {"Units": "PROPCNTS"}, ("PROPCNTS", "")),
        (Unit.ARBITRARY, {"Units": "CPS"}, ("CPS", "")),
    ],
)
def test_units_are_those_of_the_written_numbers(unit: Unit, source: dict[str, str], expected: tuple[str, str]) -> None:
    item = instances_of(with_unit(unit, **source))[0]
    assert (item.Units, item.get("SUVType", "")) == expected
    assert item.RescaleIntercept == 0


def test_counts_travel_with_the_private_factors_that_make_them_suv() -> None:
    inputs = with_unit(Unit.COUNTS, Units="CNTS")
    for header in inputs.moving.headers:
        header.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0, "DS", "0.000521")
    written = instances_of(inputs)[3].private_block(0x7053, "Philips PET Private Group")
    assert written[0].value == pytest.approx(0.000521)
    converted = replace(inputs, moving=replace(inputs.moving, moved=replace(inputs.moving.moved, unit=Unit.SUV_BW)))
    item = instances_of(converted)[0]
    assert item.Units == "GML"
    with pytest.raises(KeyError):
        item.private_block(0x7053, "Philips PET Private Group")


def test_times_and_decay_are_those_of_the_earliest_bed() -> None:
    inputs = build_case("PT", outputs=ONLY)
    for index, header in enumerate(inputs.moving.headers):
        late = index < 7
        header.AcquisitionTime, header.DecayFactor = ("092000", "1.04") if late else ("091700", "1.01")
        header.FrameReferenceTime = "330000" if late else "150000"
    for item in instances_of(inputs):
        assert (item.SeriesDate, item.SeriesTime) == ("20260110", "091500")
        assert (item.AcquisitionTime, item.DecayFactor, item.FrameReferenceTime) == ("091700", 1.01, 150000)
        assert item.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose == 370000000
        assert item.DecayCorrection == "START"
        assert item.PatientWeight == 71
        assert "PatientPosition" not in item


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ({"SeriesDate": None, "SeriesTime": None}, ("20260109", "235900")),
        ({"SeriesTime": ""}, ("20260109", "235900")),
        ({"SeriesDate": None, "SeriesTime": None, "AcquisitionTime": None}, (None, None)),
        ({"SeriesTime": None, "AcquisitionDate": ""}, ("20260110", None)),
    ],
    ids=str,
)
def test_a_pet_without_series_moment_never_says_now(
    missing: dict[str, str | None], expected: tuple[str | None, str | None]
) -> None:
    inputs = build_case("PT", outputs=ONLY)
    for header in inputs.moving.headers:
        header.AcquisitionDate, header.AcquisitionTime = "20260109", "235900"
        for keyword, value in missing.items():
            delattr(header, keyword) if value is None else setattr(header, keyword, value)
    for item in instances_of(inputs):
        assert (item.get("SeriesDate"), item.get("SeriesTime")) == expected


def test_pet_image_type_is_primary_and_its_slices_are_counted() -> None:
    instances = instances_of(build_case("PT", outputs=ONLY))
    assert list(instances[0].ImageType) == ["DERIVED", "PRIMARY"]
    assert [item.ImageIndex for item in instances] == list(range(1, 13))
    assert {item.NumberOfSlices for item in instances} == {12}


def test_negative_activity_of_the_source_is_not_cut_off() -> None:
    def noisy(volume: Volume) -> Volume:
        generator = torch.Generator().manual_seed(5)
        return replace(volume, voxels=volume.voxels + 0.2 * torch.randn(volume.grid.shape, generator=generator))

    inputs = build_case("PT", outputs=ONLY, change=noisy)
    instances = instances_of(inputs)
    assert instances[0].PixelRepresentation == 1
    assert quantities(instances).min() == pytest.approx(float(inputs.moving.moved.voxels.min()), rel=1e-3)


def test_a_fractional_mr_quantity_is_scaled_and_mapped() -> None:
    inputs = build_case("MR", outputs=ONLY, change=lambda v: replace(v, voxels=v.voxels / 1000))
    item = instances_of(inputs)[6]
    (mapping,) = item.RealWorldValueMappingSequence
    assert mapping.RealWorldValueSlope == float(item.RescaleSlope)
    assert quantities(instances_of(inputs)).max() == pytest.approx(float(inputs.moving.moved.voxels.max()), rel=1e-4)


def test_nothing_is_copied_when_the_series_already_lies_there() -> None:
    onto = grid((6, 16, 16), (10, 8, 8), FRAMES["fixed"])
    there = build_case("PT", transform=AffineTransform.identity(), fixed_grid=onto, moving_grid=onto)
    assert "registered_series" not in {series.kind for series in encode(there)}
    moved = build_case("PT", fixed_grid=onto, moving_grid=onto, outputs=ONLY)
    assert len(encode(moved)) == 1
    elsewhere = Grid(onto.shape, onto.affine, "2.25.999")
    other_frame = build_case(
        "PT", transform=AffineTransform.identity(), fixed_grid=onto, moving_grid=elsewhere, outputs=ONLY
    )
    assert len(encode(other_frame)) == 1


def test_nm_frames_are_stacked_along_the_normal() -> None:
    upwards = grid((6, 20, 20), (10, 8, 8), FRAMES["fixed"])
    affine = upwards.affine.copy()
    affine[:, 3] = [*upwards.points(np.array([5.0, 0, 0])), 1]
    affine[:3, 0] *= -1
    downwards = Grid(upwards.shape, affine, FRAMES["fixed"])
    assert frames_along_normal(upwards).tolist() == list(range(6))
    assert frames_along_normal(downwards).tolist() == list(range(6))[::-1]
    (a,) = instances_of(build_case("NM", fixed_grid=upwards, outputs=ONLY))
    (b,) = instances_of(build_case("NM", fixed_grid=downwards, outputs=ONLY))
    assert a.PixelData == b.PixelData
    assert a.SpacingBetweenSlices == b.SpacingBetweenSlices == 10
    places = [item.DetectorInformationSequence[0].ImagePositionPatient for item in (a, b)]
    assert places[0] == pytest.approx(places[1])


def test_a_modality_without_an_iod_and_a_sheared_grid_are_refused() -> None:
    inputs = build_case("PT", outputs=ONLY)
    other = replace(inputs, moving=replace(inputs.moving, volume=replace(inputs.moving.volume, modality="OT")))
    with pytest.raises(EncodeError, match="'OT'"):
        encode(other)
    affine = inputs.fixed.grid.affine.copy()
    affine[1, 0] = 3.0
    sheared = Grid(inputs.fixed.grid.shape, affine, FRAMES["fixed"])
    with pytest.raises(EncodeError, match="sheared"):
        encode(replace(inputs, fixed=replace(inputs.fixed, grid=sheared)))


def test_a_rejected_registration_yields_the_quality_objects_only() -> None:
    series = encode(build_case("PT", verdict=Verdict.REJECT))
    assert {one.kind for one in series} == {"quality_report"}
    assert sorted(one.modality for one in series) == ["OT", "SR"]


def test_only_the_registered_series_has_the_moving_modality() -> None:
    modalities = [(one.kind, one.modality) for one in encode(build_case("PT"))]
    assert ("registered_series", "PT") in modalities
    assert {modality for kind, modality in modalities if kind != "registered_series"} == {"OT", "REG", "SR"}


def test_unknown_outputs_and_sources_without_headers_are_refused() -> None:
    with pytest.raises(EncodeError, match="no output is called 'film'"):
        encode(build_case(outputs=("film",)))
    inputs = build_case(outputs=ONLY)
    with pytest.raises(EncodeError, match="image files"):
        encode(replace(inputs, moving=replace(inputs.moving, headers=())))


def test_losses_of_a_source_are_inherited() -> None:
    inputs = build_case("CT", outputs=ONLY)
    assert instances_of(inputs)[0].LossyImageCompression == "00"
    inputs.moving.headers[4].LossyImageCompression = "01"
    inputs.moving.headers[4].LossyImageCompressionRatio = "12.5"
    inputs.moving.headers[4].LossyImageCompressionMethod = "ISO_10918_1"
    item = instances_of(inputs)[0]
    assert (item.LossyImageCompression, item.LossyImageCompressionRatio) == ("01", 12.5)
    assert item.LossyImageCompressionMethod == "ISO_10918_1"


def test_the_equipment_of_both_sources_is_named_and_ours_processed() -> None:
    item = instances_of(build_case("PT", outputs=ONLY))[0]
    chain = [
        (entry.PurposeOfReferenceCodeSequence[0].CodeValue, entry.Manufacturer)
        for entry in item.ContributingEquipmentSequence
    ]
    assert chain == [("109101", "Maker of CT"), ("109101", "Maker of PT"), ("109102", "dicomnode")]
    assert item.DerivationCodeSequence[0].CodeValue == "113085"
    assert item.ContentQualification == "RESEARCH"
    assert "measure on the original" in item.ImageComments


def test_a_source_that_was_itself_derived_keeps_its_past() -> None:
    inputs = build_case("PT", outputs=ONLY)
    first = instances_of(inputs)[0]
    again = replace(inputs, moving=replace(inputs.moving, headers=tuple(instances_of(inputs))))
    chain = [
        (entry.PurposeOfReferenceCodeSequence[0].CodeValue, entry.Manufacturer)
        for entry in instances_of(again)[0].ContributingEquipmentSequence
    ]
    assert ("109101", "Maker of PT") in chain
    assert chain.count(("109101", "dicomnode")) == 0
    assert first.Manufacturer == "dicomnode"


def test_sources_of_another_study_are_listed_apart() -> None:
    item = instances_of(build_case("PT", moving_study="2", outputs=ONLY))[6]
    assert [s.StudyInstanceUID for s in item.StudiesContainingOtherReferencedInstancesSequence] == ["2.25.12"]
    named = {source.ReferencedSOPInstanceUID for source in item.SourceImageSequence}
    (elsewhere,) = item.StudiesContainingOtherReferencedInstancesSequence[0].ReferencedSeriesSequence
    assert {entry.ReferencedSOPInstanceUID for entry in elsewhere.ReferencedInstanceSequence} == named
    together = instances_of(build_case("PT", moving_study="1", outputs=ONLY))[6]
    assert "StudiesContainingOtherReferencedInstancesSequence" not in together
    assert len(together.ReferencedSeriesSequence) == 1
