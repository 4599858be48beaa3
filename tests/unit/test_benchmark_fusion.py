"""The fusion benchmark: rows, ranks, tables and pictures; its own figures are measured by the command."""

import json
from pathlib import Path

import pytest
from PIL import Image

from dicomnode.benchmark.fusion_cases import atlas_cases, cube_of, generated_cases, stacked_case
from dicomnode.benchmark.fusion_lesions import lesions, measure_lesions
from dicomnode.benchmark.fusion_tables import mean_ranks, page
from dicomnode.benchmark.records import Records
from fusion.networks.training.case_split import validation_cases
from fusion.quality import METRICS
from tests.fixtures.command_line import Command


def test_a_small_run_is_recorded_and_not_done_again(dicomnode: Command, tmp_path: Path) -> None:
    arguments = ("benchmark", "fuse", "--out", "o", "--methods", "minimum,alpha_blend", "--json")
    values = dicomnode(*arguments).values
    assert list(values["pairs"]) == ["CT-MR", "PET-MR"]
    found = values["pairs"]["CT-MR"]
    assert list(found) == ["copy A", "copy B", "average", "maximum", "LPmax", "LP_RE", "minimum"]
    assert found["maximum"]["OOE0"] == found["maximum"]["background"] == 0
    assert found["copy A"]["SCDmin"] <= 0 < found["maximum"]["SCDmin"]
    assert found["copy B"]["VIFmin"] < found["average"]["VIFmin"]
    text = Path(values["page"]).read_text(encoding="utf-8")
    assert "*copy A*" in text
    assert "**LP_RE**" in text
    for picture in values["pictures"]:
        with Image.open(picture) as sheet:
            assert sheet.size[0] > 0
    before = (tmp_path / "o" / "records.jsonl").read_bytes()
    assert dicomnode(*arguments).values["pairs"] == values["pairs"]
    assert (tmp_path / "o" / "records.jsonl").read_bytes() == before
    costs = [json.loads(line) for line in before.splitlines() if b'"cost/' in line]
    assert {row["method"] for row in costs} == {"average", "maximum", "LPmax", "LP_RE", "minimum", "alpha_blend"}


def test_generated_sources_show_a_head_before_black() -> None:
    for case in generated_cases(48):
        for image in (case.fixed.voxels[0], case.moved.voxels[0]):
            corners = image[:6, :6], image[:6, -6:], image[-6:, :6], image[-6:, -6:]
            assert max(float(corner.mean()) for corner in corners) < 10
            assert float(image[18:30, 18:30].mean()) > 50
            assert 0 <= float(image.min()) < float(image.max()) <= 255


def test_ranks_count_from_the_better_end_and_share_ties() -> None:
    kept = {"first": (0.7, 0.0), "second": (0.6, 0.1), "third": (0.6, 0.2)}
    rows = [
        {
            "key": f"quality/p/1/{name}",
            "pair": "p",
            "case": "1",
            "method": name,
            "metrics": dict.fromkeys(METRICS, 1.0) | {"Qabf": edges, "Nabf": invented},
        }
        for name, (edges, invented) in kept.items()
    ]
    assert mean_ranks(rows, ("Qabf", "Nabf"), list(kept)) == {"first": 1.0, "second": 2.25, "third": 2.75}
    assert page(rows).startswith("## Mean ranks")


@pytest.mark.parametrize(
    ("extra", "said"), [(("--methods", "maxmum"), "maximum"), (("--size", "full", "--data", "nowhere"), "--data")]
)
def test_what_is_missing_is_named(dicomnode: Command, extra: tuple[str, ...], said: str) -> None:
    answer = dicomnode("benchmark", "fuse", "--out", "o", *extra)
    assert answer.code == 2
    assert said in answer.stderr


@pytest.mark.data
def test_only_cases_that_no_training_saw_are_measured(reference_data: Path) -> None:
    cases = list(atlas_cases(reference_data, 3))
    assert [case.pair for case in cases] == ["CT-MRI"] * 3 + ["PET-MRI"] * 3 + ["SPECT-MRI"] * 3
    assert {case.name[:-3] for case in cases} <= validation_cases()
    for case in cases:
        assert case.fixed.grid.shape == case.moved.grid.shape == (1, 256, 256)
        assert float(case.fixed.voxels.max()) > 100
    stack = stacked_case(reference_data)
    assert stack.fixed.grid.shape == (17, 256, 256)


def test_the_worst_patient_stands_for_all_tumours() -> None:
    kept = {"STS_001": (0.9, 0.1), "STS_002": (0.4, 0.3)}
    rows = [
        {"key": f"lesion/{patient}/CT-PET/maximum", "patient": patient, "pair": "CT-PET", "method": "maximum"}
        | {"kept": share, "flicker": flicker, "steps": 1.0}
        for patient, (share, flicker) in kept.items()
    ]
    assert "| **maximum** | 0.400 | 0.300 | 1.000 |" in page(rows)


@pytest.mark.data
def test_a_tumours_contrast_is_measured_on_its_own_contours(reference_data: Path, tmp_path: Path) -> None:
    records = Records(tmp_path / "records.jsonl")
    pair = next(case for case in lesions(reference_data) if (case.patient, case.pair) == ("STS_003", "CT-PET"))
    measure_lesions([pair], (), records, lambda _: None)
    rows = {str(row["method"]): row for row in records}
    # The tumour takes up more than what surrounds it, and is denser; the average keeps the mean of both contrasts.
    fixed, moved, fused = rows["average"]["contrasts"]
    assert 0 < fixed < moved
    assert fused == pytest.approx((fixed + moved) / 2, abs=1e-3)
    assert rows["average"]["flicker"] == rows["maximum"]["flicker"] == 0
    assert rows["average"]["kept"] == pytest.approx(fused / moved, abs=1e-3)


def test_a_cube_repeats_its_slices() -> None:
    case = generated_cases(48)[0]
    cube = cube_of(case)
    assert cube.fixed.grid.shape == (48, 48, 48)
    assert (cube.moved.voxels[17] == case.moved.voxels[0]).all()
