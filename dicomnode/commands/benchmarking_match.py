"""The work of `benchmark match`."""

from collections import Counter
from pathlib import Path
from typing import Any

from ..benchmark.match_page import page
from ..benchmark.matching import (
    SMALL_PAIRS,
    SMALL_STUDIES,
    WHOLE_PAIRS,
    WHOLE_STUDIES,
    PatientTable,
    StudyTable,
    measure_patients,
    measure_studies,
    values_of,
)

SEEDS = (1,)
"""Of the whole measurement; the small one has the first."""


def measure_matching(folder: Path | None, *, whole: bool) -> dict[str, Any]:
    """Measure; with a folder, write the page there."""
    seeds = SEEDS if whole else SEEDS[:1]
    patients, studies = PatientTable(), StudyTable()
    for seed in seeds:
        _add(patients, measure_patients(WHOLE_PAIRS if whole else SMALL_PAIRS, seed))
        found = measure_studies(WHOLE_STUDIES if whole else SMALL_STUDIES, seed)
        studies.studies += found.studies
        studies.right += found.right
        studies.explained += found.explained
        studies.wrong += found.wrong
    values = values_of(patients, studies, seeds)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "match.md").write_text(page(values), encoding="utf-8")
        values["page"] = str(folder / "match.md")
    return values


def _add(into: PatientTable, more: PatientTable) -> None:
    for rows, others in ((into.of_one, more.of_one), (into.of_two, more.of_two)):
        for what, counted in others.items():
            rows.setdefault(what, Counter()).update(counted)
    into.without_reason += more.without_reason
