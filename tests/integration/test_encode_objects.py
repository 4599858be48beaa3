"""Every derived object against programs and tables that are not ours."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK
import torch
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomnode.encode import EncodedSeries, EncodeInputs, encode, file_bytes, fused_together
from fusion import Grid, Verdict, Volume, fuse, resample
from fusion.geometry.transform import AffineTransform
from tests.fixtures.derived_case import ALL_OUTPUTS, FRAMES, build_case, grid
from tests.fixtures.iod_tables import iod_errors
from tests.fixtures.real_programs import require_program

pytestmark = pytest.mark.pacs

MODALITIES = ("CT", "MR", "PT", "NM")
KNOWN_FALSE_ERRORS: dict[str, str] = {}
"""dciodvfy's errors that are none, by their text, each with the reason. Nothing that is written here needs one."""

SR_CONTENT_BY_VALUE_TYPE = {
    "ConceptCodeSequence: TagMissing",
    "ContentSequence: TagUnexpected",
    "ContinuityOfContent: TagMissing",
    "GraphicData: TagMissing",
    "GraphicType: TagMissing",
    "MeasuredValueSequence: TagMissing",
    "ReferencedFrameOfReferenceUID: TagMissing",
    "ReferencedSOPSequence: TagMissing",
    "TabulatedValuesSequence: TagMissing",
    "TemporalRangeType: TagMissing",
}
"""The tables list the attributes of all value types for each content item; an item has those of its own."""

STANDARD_EXTENDED_MR = {f"Rescale{part}: TagUnexpected" for part in ("Intercept", "Slope", "Type")}
"""The MR IOD has no Modality LUT; fractions are written with one, and a Real World Value Mapping."""


@cache
def case_of(modality: str, multi_frame: bool = False, turned: bool = False) -> EncodeInputs:
    onto = grid((7, 40, 44), (16.0, 4.2, 3.6), FRAMES["fixed"], turned=True) if turned else None
    return build_case(
        modality, fixed_grid=onto, verdict=Verdict.REVIEW, output_parameters={"fused_multi_frame": multi_frame}
    )


@cache
def series_of(modality: str, multi_frame: bool = False, turned: bool = False) -> dict[tuple[str, str], EncodedSeries]:
    return {(s.kind, s.modality): s for s in encode(case_of(modality, multi_frame, turned))}


def write(folder: Path, series: EncodedSeries) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index, instance in enumerate(series.instances):
        files.append(folder / f"{index:04d}.dcm")
        files[-1].write_bytes(file_bytes(instance))
    return files


def dciodvfy_errors(file: Path) -> list[str]:
    program = require_program("dciodvfy", "dicom3tools")
    run = subprocess.run([program, "-new", str(file)], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    assert lines, "dciodvfy said nothing at all"
    return [line for line in lines if line.startswith("Error") and line not in KNOWN_FALSE_ERRORS]


@pytest.mark.parametrize("turned", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("multi_frame", [False, True], ids=["single", "multi"])
@pytest.mark.parametrize("modality", MODALITIES)
def test_no_object_has_an_error(tmp_path: Path, modality: str, multi_frame: bool, turned: bool) -> None:
    found = series_of(modality, multi_frame, turned)
    assert {kind for kind, _ in found} == set(ALL_OUTPUTS)
    for (kind, own), series in found.items():
        for file in write(tmp_path / f"{kind}_{own}", series)[:: max(1, len(series.instances) - 1)]:
            assert dciodvfy_errors(file) == [], f"{kind} {own}"
        expected = SR_CONTENT_BY_VALUE_TYPE if own == "SR" else set()
        assert set(iod_errors(series.instances[0])) <= expected, f"{kind} {own}"


def test_a_scaled_mr_has_no_error_either(tmp_path: Path) -> None:
    def thousandth(volume: Volume) -> Volume:
        return Volume(volume.voxels / 1000, volume.grid, volume.unit, volume.modality)

    (series,) = encode(build_case("MR", outputs=("registered_series",), change=thousandth))
    assert dciodvfy_errors(write(tmp_path, series)[3]) == []
    assert set(iod_errors(series.instances[3])) == STANDARD_EXTENDED_MR


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_series_that_is_shown_inverted_has_no_error_either(tmp_path: Path, modality: str) -> None:
    def inverted(volume: Volume) -> Volume:
        return replace(volume, inverted_display=True)

    (series,) = encode(build_case(modality, outputs=("registered_series",), change=inverted))
    assert series.instances[3].PhotometricInterpretation == "MONOCHROME1"
    assert dciodvfy_errors(write(tmp_path, series)[3]) == []
    assert not iod_errors(series.instances[3])


@pytest.mark.parametrize(
    ("kind", "own", "spoil"),
    [
        ("spatial_registration", "REG", lambda d: delattr(d, "RegistrationSequence")),
        ("registered_series", "PT", lambda d: delattr(d, "Units")),
        ("fused_colour", "OT", lambda d: delattr(d, "ConversionType")),
        ("parametric_map", "OT", lambda d: delattr(d, "FrameOfReferenceUID")),
    ],
)
def test_the_oracles_notice_what_is_missing(
    tmp_path: Path, kind: str, own: str, spoil: Callable[[Dataset], None]
) -> None:
    file = write(tmp_path, series_of("PT")[kind, own])[0]
    dataset = dcmread(file)
    spoil(dataset)
    dataset.save_as(file)
    assert dciodvfy_errors(file)
    assert iod_errors(dataset)


def test_the_series_of_a_case_are_consistent(tmp_path: Path) -> None:
    """dcentvfy compares what instances of one patient, study and series must have in common."""
    program = require_program("dcentvfy", "dicom3tools")
    files = [str(f) for n, s in enumerate(series_of("PT").values()) for f in write(tmp_path / str(n), s)]
    run = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert [line for line in (run.stdout + run.stderr).splitlines() if "Error" in line] == []


def read_series(files: list[Path]) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    return reader.Execute()


def assert_lies_on(image: SimpleITK.Image, inputs: EncodeInputs) -> None:
    onto = inputs.fixed.grid
    assert image.GetSize() == onto.shape[::-1]
    for index in ((0, 0, 0), (onto.shape[0] - 1, 5, 7), (2, onto.shape[1] - 1, 0)):
        there = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        assert there == pytest.approx(onto.points(np.array(index, dtype=np.float64)), abs=1e-4)


@pytest.mark.parametrize("turned", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_simpleitk_reads_the_registered_series_where_it_lies(tmp_path: Path, modality: str, turned: bool) -> None:
    inputs = case_of(modality, False, turned)
    series = series_of(modality, False, turned)["registered_series", modality]
    image = read_series(write(tmp_path, series))
    assert_lies_on(image, inputs)
    moved = inputs.moving.moved
    assert moved.valid is not None
    error = np.abs(SimpleITK.GetArrayFromImage(image) - moved.voxels.numpy())[moved.valid.numpy()]
    assert error.max() <= float(series.instances[0].get("RescaleSlope", 1)) / 2 * (1 + 1e-4)


@pytest.mark.parametrize("turned", [False, True], ids=["straight", "oblique"])
def test_simpleitk_reads_the_fused_series_where_it_lies(tmp_path: Path, turned: bool) -> None:
    single = write(tmp_path / "single", series_of("PT", False, turned)["fused_colour", "OT"])
    multi = write(tmp_path / "multi", series_of("PT", True, turned)["fused_colour", "OT"])
    assert len(multi) == 1
    first, second = read_series(single), SimpleITK.ReadImage(str(multi[0]))
    assert_lies_on(first, case_of("PT", False, turned))
    assert_lies_on(second, case_of("PT", True, turned))
    assert np.array_equal(SimpleITK.GetArrayFromImage(first), SimpleITK.GetArrayFromImage(second))


def test_highdicom_reads_the_map_and_the_colour_volume(tmp_path: Path) -> None:
    inputs = case_of("PT", True)
    map_file = write(tmp_path / "map", series_of("PT", True)["parametric_map", "OT"])[0]
    volume = highdicom.imread(map_file).get_volume()
    assert volume.frame_of_reference_uid == inputs.fixed.grid.frame_of_reference_uid
    moved = inputs.moving.moved
    found = Volume(torch.from_numpy(np.ascontiguousarray(volume.array, dtype=np.float32)), _grid_of(volume), moved.unit)
    again = resample(found, AffineTransform.identity(), inputs.fixed.grid, interpolation="nearest")
    measured = moved.valid
    assert measured is not None
    assert not measured.all()
    assert torch.allclose(again.voxels[measured], moved.voxels[measured], atol=1e-6)
    assert again.valid is not None
    assert not again.valid[measured.logical_not()].any()
    assert np.isnan(dcmread(map_file).FloatPixelPaddingValue)
    colour = highdicom.imread(write(tmp_path / "colour", series_of("PT", True)["fused_colour", "OT"])[0])
    assert colour.get_volume().spatial_shape == inputs.fixed.grid.shape


def test_what_was_not_measured_is_no_quantity(tmp_path: Path) -> None:
    small = grid((6, 20, 20), (10, 6, 6), FRAMES["moving"])
    inputs = build_case("CT", outputs=("parametric_map",), moving_grid=small)
    (series,) = encode(inputs)
    (file,) = write(tmp_path, series)
    assert dciodvfy_errors(file) == []
    document, valid = dcmread(file), inputs.moving.moved.valid
    assert valid is not None
    assert iod_errors(document) == ()
    heights = [f.PlanePositionSequence[0].ImagePositionPatient[2] for f in document.PerFrameFunctionalGroupsSequence]
    np.testing.assert_array_equal(np.isnan(document.pixel_array[np.argsort(heights)]), ~valid.numpy())
    mapping = document.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    lowest = float(inputs.moving.moved.voxels[valid].min())
    assert mapping.DoubleFloatRealWorldValueFirstValueMapped == pytest.approx(lowest)
    everywhere = replace(inputs.moving.moved, valid=None)
    (whole,) = encode(replace(inputs, moving=replace(inputs.moving, moved=everywhere)))[0].instances
    assert "FloatPixelPaddingValue" not in whole


def _grid_of(volume: highdicom.Volume) -> Grid:
    return Grid(tuple(volume.spatial_shape), volume.affine, FRAMES["fixed"])


def test_the_map_names_the_fixed_series_slice_by_slice() -> None:
    inputs = case_of("PT")
    (document,) = series_of("PT")["parametric_map", "OT"].instances
    frames = document.PerFrameFunctionalGroupsSequence
    assert len(frames) == inputs.fixed.grid.shape[0]
    places = np.array([f.PlanePositionSequence[0].ImagePositionPatient for f in frames], dtype=np.float64)
    for frame, place in zip(frames, places, strict=True):
        uid = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        (header,) = [h for h in inputs.fixed_headers if h.SOPInstanceUID == uid]
        assert place == pytest.approx([float(x) for x in header.ImagePositionPatient], abs=1e-6)


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_the_written_registration_lands_on_the_written_series(tmp_path: Path, modality: str) -> None:
    """Resampled with the inverse of the object's matrix, the source is what the series holds.

    SimpleITK says what that inverse means, by linear interpolation; the series has the interpolation of its modality.
    """
    inputs = case_of(modality)
    (file,) = write(tmp_path / "reg", series_of(modality)["spatial_registration", "REG"])
    document = dcmread(file)
    fixed_item, moving_item = document.RegistrationSequence
    assert document.FrameOfReferenceUID == fixed_item.FrameOfReferenceUID == FRAMES["fixed"]
    assert moving_item.FrameOfReferenceUID == FRAMES["moving"]
    entry = moving_item.MatrixRegistrationSequence[0].MatrixSequence[0]
    assert entry.FrameOfReferenceTransformationMatrixType == "RIGID"
    source_to_registered = np.array(entry.FrameOfReferenceTransformationMatrix, dtype=np.float64).reshape(4, 4)
    rotation = source_to_registered[:3, :3]
    assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-9
    mapping = SimpleITK.AffineTransform(3)
    inverse = AffineTransform(source_to_registered).inverse()
    back = inverse.matrix
    mapping.SetMatrix(back[:3, :3].ravel().tolist())
    mapping.SetTranslation(back[:3, 3].tolist())
    source = _image_of(inputs.moving.volume)
    outside = -1024.0 if modality == "CT" else 0.0
    found = SimpleITK.GetArrayFromImage(
        SimpleITK.Resample(source, _image_of(inputs.fixed), mapping, SimpleITK.sitkLinear, outside)
    )
    series = series_of(modality)["registered_series", modality]
    written = SimpleITK.GetArrayFromImage(read_series(write(tmp_path / "series", series)))
    # The node smooths before it samples more coarsely, SimpleITK does not: compared unsmoothed, and linear.
    moving, onto = inputs.moving.volume, inputs.fixed.grid
    linear = resample(moving, inverse, onto, interpolation="linear", antialias=False)
    valid = inputs.moving.moved.valid
    assert valid is not None
    where = valid.numpy()
    assert where.mean() > 0.3
    scale = float(moving.voxels.max() - moving.voxels.min())
    assert np.abs(found - linear.voxels.numpy())[where].max() < 1e-4 * scale
    step = float(series.instances[0].get("RescaleSlope", 1))
    expected = resample(moving, inverse, onto).voxels.numpy()
    assert np.abs(expected - written)[where].max() <= step / 2 + 1e-4 * scale


def _image_of(volume: Volume) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(volume.voxels.numpy())
    image.SetOrigin(volume.grid.origin_mm.tolist())
    image.SetSpacing(volume.grid.spacing_mm[::-1])
    image.SetDirection(volume.grid.direction[:, ::-1].ravel().tolist())
    return image


def test_a_shared_frame_of_reference_is_not_registered_to_itself() -> None:
    """One Frame of Reference cannot carry two matrices: the moved images are then named one by one only."""
    theirs = grid((15, 32, 32), (10.0, 6.0, 6.0), FRAMES["fixed"])
    outputs = ("spatial_registration",)
    (moved,) = encode(build_case("PT", moving_grid=theirs, outputs=outputs))[0].instances
    assert "FrameOfReferenceUID" not in moved.RegistrationSequence[1]
    still = build_case("PT", moving_grid=theirs, outputs=outputs, transform=AffineTransform.identity())
    (document,) = encode(still)[0].instances
    item = document.RegistrationSequence[1]
    assert item.FrameOfReferenceUID == FRAMES["fixed"]
    assert item.MatrixRegistrationSequence[0].RegistrationTypeCodeSequence[0].CodeValue == "125021"
    assert len(item.ReferencedImageSequence) == len(still.moving.headers)


def test_an_affine_result_says_that_it_is_affine() -> None:
    stretched = AffineTransform(np.diag([1.05, 1.0, 0.97, 1.0]))
    (document,) = encode(build_case("MR", transform=stretched, outputs=("spatial_registration",)))[0].instances
    entry = document.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
    assert entry.FrameOfReferenceTransformationMatrixType == "AFFINE"
    assert float(entry.FrameOfReferenceTransformationMatrix[0]) == pytest.approx(1 / 1.05)


def test_the_report_holds_the_measures_with_their_units(tmp_path: Path) -> None:
    (file,) = write(tmp_path, series_of("PT")["quality_report", "SR"])
    report = highdicom.sr.srread(file)
    (group,) = report.content.get_image_measurement_groups()
    measures = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}
    assert measures["Expected error mm"] == (0.8, "mm")
    assert measures["Error bound mm"] == (1.9, "mm")
    assert measures["Overlap"] == (0.97, "{ratio}")
    text = file.read_bytes().decode("utf-8", "replace")
    assert "the starts agree within 0.3 mm" in text
    assert "finest reconstruction" in text
    assert report.PatientName == "Müller^Jörg"


@pytest.mark.parametrize("modality", ["NM"])
def test_the_nm_series_is_read_with_its_counts(tmp_path: Path, modality: str) -> None:
    inputs = case_of(modality)
    (file,) = write(tmp_path, series_of(modality)["registered_series", modality])
    image = SimpleITK.ReadImage(str(file))
    found = SimpleITK.GetArrayFromImage(image)
    assert found.shape == inputs.fixed.grid.shape
    moved = inputs.moving.moved
    assert moved.valid is not None
    step = float(dcmread(file).get("RescaleSlope", 1))
    assert np.abs(found - moved.voxels.numpy())[moved.valid.numpy()].max() <= step / 2 * (1 + 1e-4)
    assert image.GetSpacing() == pytest.approx(inputs.fixed.grid.spacing_mm[::-1])


def test_all_of_a_plan_as_one_image_has_no_error(tmp_path: Path) -> None:
    pairs = [build_case(modality, moving_study=study) for modality, study in (("PT", "2"), ("MR", "3"))]
    plan = replace(pairs[0].plan, moving=(*pairs[0].plan.moving, *pairs[1].plan.moving))
    pairs = [replace(pair, plan=plan, position=at) for at, pair in enumerate(pairs)]
    fused = fuse(pairs[0].fixed, [pair.moving.moved for pair in pairs], "maximum")
    series = fused_together(pairs, fused)
    assert series.description.startswith("Fused PT+MR+CT")
    others = {one.series_instance_uid for pair in pairs for one in encode(pair)}
    assert series.series_instance_uid not in others
    middle = series.instances[len(series.instances) // 2]
    sources = {str(item.ReferencedSOPClassUID) for item in middle.SourceImageSequence}
    assert len(sources) == 3, "CT, PET and MR are named"
    assert iod_errors(middle) == ()
    assert dciodvfy_errors(write(tmp_path, series)[len(series.instances) // 2]) == []
