"""The objects of a real patient: headers as scanners and archives wrote them."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

import fusion
from dicomnode.encode import EncodedSeries, EncodeInputs, Equipment, MovingResult, encode, file_bytes
from dicomnode.load import LoadedSeries, load_series
from fusion import QualityReport, Registration, Verdict
from fusion.geometry.transform import AffineTransform
from storage.records import FusionPlan, Recipe, SeriesChoice
from tests.fixtures.derived_case import ALL_OUTPUTS, CREATED_AT
from tests.fixtures.iod_tables import iod_errors
from tests.fixtures.real_programs import require_program

pytestmark = [
    pytest.mark.data,
    pytest.mark.pacs,
    pytest.mark.filterwarnings("ignore:The value length:UserWarning"),  # the archive's own Study ID
]

OF_THE_ARCHIVE = "</StudyID(0020,0010)[1]> - Value invalid for this VR [SH]"
"""This archive's Study ID has 17 letters where 16 are allowed. It stays as it is: another would part the results from
the study in which they are filed."""


@cache
def loaded(folder: Path) -> LoadedSeries:
    files = [file for file in sorted(folder.rglob("*.dcm")) if "RTSTRUCT" not in _modality(file)]
    return load_series(files)


def _modality(file: Path) -> str:
    return str(dcmread(file, specific_tags=["Modality"]).Modality)


def choice_of(series: LoadedSeries) -> SeriesChoice:
    first = series.headers[0]
    return SeriesChoice(
        str(first.SeriesInstanceUID),
        str(first.StudyInstanceUID),
        series.volume.modality,
        str(first.FrameOfReferenceUID),
        tuple(str(header.SOPInstanceUID) for header in series.headers),
    )


def case_of(patient: Path, moving_name: str) -> EncodeInputs:
    """Registered by the Frame of Reference that they share."""
    fixed, moving = loaded(patient / "CT"), loaded(patient / moving_name)
    registration = Registration(AffineTransform.identity(), "identity", {}, "none", 1.0, 1.0, 2.0, 0, True, 0.0, "cpu")
    moved = fusion.resample(moving.volume, registration.transform, fixed.volume.grid)
    report = QualityReport(Verdict.REVIEW, ("a test",), 1.0, 2.0, "none", 1.0)
    chosen = choice_of(moving)
    plan = FusionPlan(
        choice_of(fixed), (chosen,), Recipe("test", outputs=ALL_OUTPUTS), "test", choice_of(fixed).study_instance_uid
    )
    result = MovingResult(
        chosen, moving.headers, moving.volume, moved, registration, fusion.fuse(fixed.volume, moved), report
    )
    equipment = Equipment("dicomnode", "DICOM fusion node", "0.1.0", "0")
    return EncodeInputs(plan, fixed.headers, fixed.volume, result, 0, fixed.headers[0], equipment, CREATED_AT)


@pytest.fixture(params=["PET", "MR_T1"])
def real_case(request: pytest.FixtureRequest, reference_data: Path) -> EncodeInputs:
    return case_of(reference_data / "petctmr_sarcoma" / "STS_001", request.param)


def written(folder: Path, series: EncodedSeries) -> Iterator[Path]:
    folder.mkdir()
    for index, instance in enumerate(series.instances):
        file = folder / f"{index:04d}.dcm"
        file.write_bytes(file_bytes(instance))
        yield file


def test_real_headers_make_objects_without_errors(tmp_path: Path, real_case: EncodeInputs) -> None:
    program = require_program("dciodvfy", "dicom3tools")
    for number, series in enumerate(encode(real_case)):
        file = list(written(tmp_path / str(number), series))[len(series.instances) // 2]
        run = subprocess.run([program, "-new", str(file)], capture_output=True, text=True, check=False)
        errors = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]
        assert [line for line in errors if OF_THE_ARCHIVE not in line] == [], series.kind
        if series.modality != "SR":
            assert iod_errors(series.instances[0]) == ("StudyID: InvalidValue",), series.kind


def test_the_registered_series_is_read_on_the_fixed_grid_with_its_quantity(
    tmp_path: Path, real_case: EncodeInputs
) -> None:
    series = next(one for one in encode(real_case) if one.kind == "registered_series")
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in written(tmp_path / "series", series)])
    image, grid = reader.Execute(), real_case.fixed.grid
    assert image.GetSize() == grid.shape[::-1]
    last = image.TransformIndexToPhysicalPoint([int(n - 1) for n in grid.shape[::-1]])
    assert last == pytest.approx(grid.points(np.array(grid.shape, dtype=np.float64) - 1), abs=1e-3)
    moved = real_case.moving.moved
    assert moved.valid is not None
    error = np.abs(SimpleITK.GetArrayFromImage(image) - moved.voxels.numpy())[moved.valid.numpy()]
    assert error.max() <= float(series.instances[0].get("RescaleSlope", 1)) / 2 * (1 + 1e-4)
    if real_case.moving.volume.modality == "PT":
        assert {(item.Units, item.SUVType) for item in series.instances} == {("GML", "BW")}


def test_another_moment_changes_no_name(real_case: EncodeInputs) -> None:
    later = replace(real_case, created_at=datetime(2027, 1, 1, tzinfo=UTC))
    outputs = Recipe("test", outputs=("spatial_registration",))
    first, second = (
        encode(replace(case, plan=replace(case.plan, recipe=outputs)))[0].instances[0] for case in (real_case, later)
    )
    assert first.SOPInstanceUID == second.SOPInstanceUID
    assert first.ContentDate != second.ContentDate
