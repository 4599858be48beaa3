"""Registration errors, quantities and seconds on the reference images, as the tables of docs/benchmark.md.

One small case of each by default; DICOMNODE_BENCHMARK=full runs everything (minutes) and appends the tables to the file
that DICOMNODE_BENCHMARK_REPORT names.
"""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dicomnode.load import load_input
from fusion.geometry.transform import AffineTransform
from tests.benchmarks.independent_registration import independently_registered
from tests.benchmarks.registration_cases import (
    HEAD_OFFSETS,
    ONE_SUBJECT,
    PAIRS,
    SERIES_OFFSETS,
    TEMPLATES,
    Case,
    Row,
    body_points,
    consensus_cases,
    head_cases,
    run,
    sarcoma_cases,
    strangers,
)
from tests.fixtures.tumour_contours import read_contours, uptake
from tests.fixtures.written_quantities import PATIENTS, TUMOURS, fuse_folders, read_quantities

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.data,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore:The value length:UserWarning"),  # the archive's own Study ID
]

STEPS = ("load", "register", "assess", "fuse", "encode")

FULL = os.environ.get("DICOMNODE_BENCHMARK") == "full"
full_only = pytest.mark.skipif(not FULL, reason="minutes: only with DICOMNODE_BENCHMARK=full")


def test_sarcoma_patients_with_a_known_offset(reference_data: Path, tmp_path: Path) -> None:
    patients, offsets = (PATIENTS, SERIES_OFFSETS) if FULL else (PATIENTS[:1], ())
    show_errors("Patients, with a known offset", sarcoma_cases(reference_data, tmp_path, patients, offsets))


def test_averaged_heads_with_a_known_offset(reference_data: Path) -> None:
    names, offsets = (TEMPLATES, HEAD_OFFSETS) if FULL else (TEMPLATES[-1:], HEAD_OFFSETS[:1])
    show_errors("Averaged heads, with a known offset", head_cases(reference_data, names, offsets))


@full_only
def test_heads_of_one_person_against_another_program(reference_data: Path) -> None:
    show_errors("One person, against another program", consensus_cases(reference_data))


@full_only
def test_strangers_are_never_accepted(reference_data: Path) -> None:
    show_errors("Two people", strangers(reference_data))


def show_errors(title: str, cases: Iterable[Case]) -> None:
    """Run, show, and then hold that nothing wrong was accepted."""
    rows = [run(case) for case in cases]
    head = ("pair", "offset", "registrar", "mean mm", "p95 mm", "expected mm", "bound mm", "verdict", "s")
    show(title, head, [line(row) for row in rows])
    wrong = [f"{row.pair}, {row.offset}: {row.mean_mm:.2f} mm" for row in rows if row.falsely_accepted]
    assert wrong == []


def line(row: Row) -> tuple[str, ...]:
    known = row.errors is not None
    return (
        row.pair,
        row.offset,
        row.registrar,
        f"{row.mean_mm:.2f}" if known else "–",
        f"{row.p95_mm:.2f}" if known else "–",
        f"{row.expected_mm:.2f}",
        f"{row.bound_mm:.2f}" + ("" if not known or row.p95_mm <= row.bound_mm else " ✗"),
        row.verdict if row.verdict == "accept" else f"{row.verdict}: {row.reason.split(';')[0].split(':')[0][:60]}",
        f"{row.seconds:.1f}",
    )


@full_only
def test_how_far_another_program_is(reference_data: Path) -> None:
    """Mean distances over the body between three answers: the identity, ours and SimpleITK's."""
    lines = []
    for name in (*TEMPLATES, ONE_SUBJECT):
        fixed, moving = (load_input(reference_data / PAIRS / f"{name}_{r}.nii.gz").volume for r in ("fixed", "moving"))
        identity = AffineTransform.identity()
        ours = run(Case(name, "", fixed, moving, identity)).found
        theirs = [independently_registered(fixed, moving, from_masses=start) for start in (False, True)]
        points = body_points(fixed)
        pairs = ((ours, identity), (theirs[0], identity), (ours, theirs[0]), (theirs[0], theirs[1]))
        apart = [float(np.linalg.norm(a(points) - b(points), axis=1).mean()) for a, b in pairs]
        lines.append((name, *(f"{distance:.2f}" for distance in apart)))
    head = ("pair", "ours – identity", "SimpleITK – identity", "ours – SimpleITK", "SimpleITK from two starts")
    show("Another program's opinion, mean mm over the body", head, lines)


def test_quantities_and_seconds(reference_data: Path, tmp_path: Path) -> None:
    quantities, seconds = [], []
    for patient in PATIENTS if FULL else PATIENTS[:1]:
        images = reference_data / TUMOURS / patient
        for moving in ("PET", "MR_T1") if FULL else ("PET",):
            clock = StepClock()
            _, written = fuse_folders(
                images / "CT" / "image", images / moving / "image", tmp_path / patient / moving, on_step=clock
            )
            seconds.append((f"{patient} CT–{moving.removesuffix('_T1')}", *clock.line()))
            if moving == "PET":
                quantities.append((patient, *tumour_line(images, written)))
    show("Seconds", ("pair", *STEPS, "whole"), seconds)
    head = ("patient", "ml", "SUVmean", "after", "", "SUVmax", "after", "", "ml ≥ ½ SUVmax", "after", "")
    show("PET on CT, inside the tumour's contours, before and after", head, quantities)


class StepClock:
    """Seconds of each step of the pipeline; encoding includes writing the files."""

    def __init__(self) -> None:
        self._began: list[tuple[str, float]] = []

    def __call__(self, step: str) -> None:
        self._began.append((step, time.perf_counter()))

    def line(self) -> list[str]:
        """One cell a step, and the sum."""
        ends = [when for _, when in self._began[1:]] + [time.perf_counter()]
        spent = dict.fromkeys(STEPS, 0.0)
        for (step, began), end in zip(self._began, ends, strict=True):
            spent[step] += end - began
        return [f"{one:.1f}" for one in (*spent.values(), sum(spent.values()))]


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
