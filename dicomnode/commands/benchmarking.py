"""What `benchmark register` and `benchmark case` do. Imports the engines; `benchmark.py` holds the signatures."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..benchmark.environments import cache_folder, known_peers
from ..benchmark.records import Records
from ..benchmark.registering import PARTS, Plan, Say, measure
from ..benchmark.report import values_of, write_page
from ..benchmark.stages import StageClock
from ..demo.patients import ct_mr_patient
from ..errors import SettingsError
from ..settings import Settings
from .fusing import fuse_files
from .terminal import err, steps, warn

RECORDS = "records.jsonl"
COARSER = 2.5
"""The generated case of size 1 has so much larger voxels."""

CT_DATE, MR_DATE = "20260301", "20260303"


def measure_registration(
    folder: Path,
    peers: Sequence[str],
    parts: Sequence[str],
    data: Path | None,
    environments: Path | None,
    *,
    full: bool,
) -> dict[str, Any]:
    """Measure what the records in `folder` lack, then write page and pictures there; what a script wants to know.

    Raises `SettingsError` for an unknown peer or part.
    """
    refuse_unknown("peer", peers, known_peers())
    refuse_unknown("part", parts, PARTS)
    if full and (data is None or not data.is_dir()):
        raise SettingsError(f"the full benchmark needs the reference images, which are not at {data}: name --data")
    records = Records(folder / RECORDS)
    plan = Plan(full, data, environments or cache_folder(), tuple(peers), tuple(parts) or PARTS)
    with saying() as say:
        measure(plan, records, say, warn)
    page, pictures = write_page(records, folder)
    paths = {"page": str(page), "pictures": [str(path) for path in pictures], "records": str(folder / RECORDS)}
    return {**values_of(records), **paths}


def refuse_unknown(kind: str, names: Sequence[str], known: Sequence[str] | dict[str, Any]) -> None:
    """Raise `SettingsError` for the first name that is not known."""
    for name in names:
        if name not in known:
            raise SettingsError(f"no {kind} of the benchmark is called {name!r}; known are {', '.join(known)}")


@contextmanager
def saying() -> Iterator[Say]:
    """Where the run is: a spinner on a terminal, else a line a measurement."""
    with steps() as progress:

        def say(key: str, number: int, count: int) -> None:
            progress(f"{number + 1} of {count}: {key}")
            if not err.is_terminal:
                err.print(f"{number + 1} of {count}: {key}", highlight=False)

        yield say


def measure_case(fixed: Path | None, moving: Path | None, *, full: bool) -> dict[str, Any]:
    """Fuse two DICOM folders, generated ones unless named: what each stage cost, and the verdict."""
    if (fixed is None) != (moving is None):
        raise SettingsError("name both --fixed and --moving, or neither")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if fixed is None or moving is None:
            patient = ct_mr_patient(place, CT_DATE, MR_DATE, 1.0 if full else COARSER)
            fixed, moving = patient.fixed.folder, patient.moving.folder
        clock = StageClock()
        with steps() as progress:

            def step(name: str) -> None:
                progress(name)
                clock(name)

            report = fuse_files(
                (fixed, moving), place / "out", "default", Settings(), "cpu", step, allow_different_patients=False
            )
            clock.stop()
    stages = [asdict(stage) for stage in clock.stages.values()]
    return {"stages": stages, "verdict": report["verdict"], "outputs": len(report["outputs"])}
