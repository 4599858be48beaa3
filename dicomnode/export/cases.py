"""One case as a folder: its inputs, its results and the transform between them, with a description for programs.

    <out>/<patient>/<case>/case.json
                          /fixed/000001.dcm …      or  fixed.nii.gz
                          /moving_1/…                  moving_1.nii.gz
                          /registered_series_1/…       registered_1.nii.gz, transform_1.tfm (deformable: .h5)

Every name in it is a pseudonym. What cannot be de-identified is left out and said.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from fusion.geometry.transform import AffineTransform
from storage.records import CaseRecord, CaseResult, DerivedSeries, SeriesChoice

from ..encode import write_image, write_map
from ..errors import ExportError
from ..load import load_deformation, load_series
from .deidentify import Deidentifier
from .formats import ImageFormat
from .pseudonyms import Pseudonyms

REGISTERED = "registered_series"
REGISTRATION = "spatial_registration"
REJECT = "reject"
"""The verdict of a pair of which nothing but a report was made."""


OpenSeries = Callable[[SeriesChoice | DerivedSeries], Sequence[Path]]
"""The files of a series, checked; where they lie is the caller's business."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExportedCase:
    """Where a case went, what was written, and what was left out and why."""

    folder: Path
    files: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One series of the case: what it is here, and for which moving series (0: the fixed one)."""

    name: str
    series: SeriesChoice | DerivedSeries
    modality: str
    position: int
    is_input: bool


@dataclass(slots=True)
class _Tally:
    files: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def export_case(
    case: CaseRecord,
    open_series: OpenSeries,
    deidentify: Deidentifier,
    formats: ImageFormat,
    out: Path,
    progress: Progress,
) -> ExportedCase:
    """Write the case below `out`. Raises `ExportError` for a case without a result, and where it was written before."""
    if case.result is None:
        raise ExportError(f"the case {case.case_id[:8]} is {case.state.value} and has no result yet")
    folder = _folder_of(case, deidentify.pseudonyms, out)
    tally = _Tally()
    parts = list(_parts(case, case.result))
    for part in parts:
        progress(part.name)
        if formats in (ImageFormat.DICOM, ImageFormat.BOTH):
            _write_dicom(part, open_series, deidentify, case.patient_key, folder, tally)
        if formats in (ImageFormat.NIFTI, ImageFormat.BOTH):
            _write_nifti(part, open_series(part.series), case.result.reports, folder, tally)
    left_out = tuple(f"{count} of {reason}" for reason, count in sorted(tally.left_out.items()))
    told = _description(case, case.result, parts, deidentify, left_out)
    (folder / "case.json").write_text(json.dumps(told, indent=2) + "\n")
    return ExportedCase(folder, tally.files + 1, left_out)


def _folder_of(case: CaseRecord, pseudonyms: Pseudonyms, out: Path) -> Path:
    folder = out / pseudonyms.patient(case.patient_key) / pseudonyms.case(case.case_id)
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise ExportError(f"{folder} is there already; name another --out, or remove it") from error
    except OSError as error:
        raise ExportError(f"{folder} cannot be made: {error.strerror}") from error
    return folder


def _parts(case: CaseRecord, result: CaseResult) -> Iterator[_Part]:
    yield _Part("fixed", case.plan.fixed, case.plan.fixed.modality, 0, is_input=True)
    for position, choice in enumerate(case.plan.moving, start=1):
        yield _Part(f"moving_{position}", choice, choice.modality, position, is_input=True)
    made = [n for n, report in enumerate(result.reports, start=1) if report["verdict"] != REJECT]
    seen: Counter[str] = Counter()
    for series in result.derived:
        # Of each kind there is one for each pair that was not rejected, in their order; reports there are of all.
        position = made[seen[series.kind]] if seen[series.kind] < len(made) else 0
        seen[series.kind] += 1
        yield _Part(f"{series.kind}_{seen[series.kind]}", series, series.modality, position, is_input=False)


def _write_dicom(
    part: _Part, open_series: OpenSeries, deidentify: Deidentifier, patient_key: str, folder: Path, tally: _Tally
) -> None:
    description = f"{part.name} {part.modality}" + ("" if part.is_input else " NOT FOR DIAGNOSTIC USE")
    for number, path in enumerate(open_series(part.series), start=1):
        dataset: Dataset = dcmread(path)
        try:
            cleaned = deidentify(dataset, patient_key, description)
        except ExportError as error:
            tally.left_out[f"{part.name}: {error}"] += 1
            continue
        place = folder / part.name / f"{number:06d}.dcm"
        place.parent.mkdir(exist_ok=True)
        cleaned.save_as(place, enforce_file_format=True)
        tally.files += 1


def _write_nifti(
    part: _Part, files: Sequence[Path], reports: Sequence[Mapping[str, Any]], folder: Path, tally: _Tally
) -> None:
    """Voxels as they are loaded: HU, SUV, counts. A transform maps fixed points to moving points, LPS mm."""
    if part.is_input:
        write_image(folder / f"{part.name}.nii.gz", load_series(files).volume)
    elif part.name.startswith(REGISTERED):
        write_image(folder / f"registered_{part.position}.nii.gz", load_series(files).volume)
    elif part.name.startswith(REGISTRATION):
        field = load_deformation(files[0])
        matrix = np.array(reports[part.position - 1]["matrix"], dtype=np.float64)
        ending = "tfm" if field is None else "h5"
        write_map(folder / f"transform_{part.position}.{ending}", field or AffineTransform(matrix))
    else:
        tally.left_out[f"{part.name}: no NIfTI is made of it"] += 1
        return
    tally.files += 1


def _description(
    case: CaseRecord, result: CaseResult, parts: Sequence[_Part], deidentify: Deidentifier, left_out: Sequence[str]
) -> dict[str, Any]:
    """What the case was, without a name, a UID or a date of the hospital's."""
    told = ("verdict", "registrar", "expected_error_mm", "error_bound_mm", "similarity", "similarity_name", "matrix")
    return {
        "patient": deidentify.pseudonyms.patient(case.patient_key),
        "recipe": {"registrar": case.plan.recipe.registrar, "method": case.plan.recipe.method},
        "verdict": result.verdict,
        "registrations": [{key: report.get(key) for key in told} for report in result.reports],
        "matrix_convention": "4x4, fixed points to moving points, DICOM patient coordinates (LPS), mm",
        "parts": [{"name": part.name, "modality": part.modality, "moving": part.position or None} for part in parts],
        "dates": deidentify.dates.value,
        "patient_characteristics": "kept" if deidentify.keep_characteristics else "removed",
        "faces": "not removed: heads can be recognised in CT and MR",
        "left_out": list(left_out),
    }
