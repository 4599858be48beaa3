"""Quantities of real patients and seconds of their cases, as the tables of docs/benchmark.md.

One case by default; DICOMNODE_BENCHMARK=full runs everything (a minute) and appends the tables to the file that
DICOMNODE_BENCHMARK_REPORT names. Registration is measured by `dicomnode benchmark register`.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dicomnode.benchmark.contours import read_contours
from dicomnode.benchmark.stages import STAGES, StageClock
from tests.fixtures.tumour_contours import uptake
from tests.fixtures.written_quantities import PATIENTS, TUMOURS, fuse_folders, read_quantities

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.data,
    pytest.mark.filterwarnings("ignore:The value length:UserWarning"),  # the archive's own Study ID
]

FULL = os.environ.get("DICOMNODE_BENCHMARK") == "full"


def test_quantities_and_seconds(reference_data: Path, tmp_path: Path) -> None:
    quantities, seconds = [], []
    for patient in PATIENTS if FULL else PATIENTS[:1]:
        images = reference_data / TUMOURS / patient
        for moving in ("PET", "MR_T1") if FULL else ("PET",):
            clock = StageClock()
            _, written = fuse_folders(
                images / "CT" / "image", images / moving / "image", tmp_path / patient / moving, on_step=clock
            )
            clock.stop()
            seconds.append((f"{patient} CT–{moving.removesuffix('_T1')}", *clock.line()))
            if moving == "PET":
                quantities.append((patient, *tumour_line(images, written)))
    show("Seconds", ("pair", *STAGES, "whole"), seconds)
    head = ("patient", "ml", "SUVmean", "after", "", "SUVmax", "after", "", "ml ≥ ½ SUVmax", "after", "")
    show("PET on CT, inside the tumour's contours, before and after", head, quantities)


def tumour_line(images: Path, written: Path) -> list[str]:
    contours = read_contours(images / "PET" / "mask" / "RS.dcm")
    before, after = (
        uptake(q.values, q.grid, contours)
        for q in (read_quantities(images / "PET" / "image"), read_quantities(written))
    )
    cells = [f"{before.volume_ml:.1f}"]
    for a, b, digits in (
        (before.mean, after.mean, 3),
        (before.maximum, after.maximum, 2),
        (before.half_maximum_ml, after.half_maximum_ml, 2),
    ):
        cells += [f"{a:.{digits}f}", f"{b:.{digits}f}", f"{100 * (b / a - 1):+.1f} %"]
    return cells


def show(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """A Markdown table, on the terminal and in the report."""
    rows = [head, ["---"] * len(head), *lines]
    text = f"\n### {title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
    print(text)
    if target := os.environ.get("DICOMNODE_BENCHMARK_REPORT"):
        with Path(target).open("a", encoding="utf-8") as report:
            report.write(text)
