"""The main path of a case: load → register → resample → assess → fuse → encode.

    socket ─▶ receive ─▶ storage ─▶ match ─▶ [ load ─▶ register ─▶ fuse ─▶ assess ─▶ encode ] ─▶ storage ─▶ send ─▶ PACS
                                                              this module

It knows no network and no database: files and a plan come in, DICOM objects and the reports go out. `worker.py`
calls it for a case of the ledger, `cli.py` for files on the command line.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import fusion
from fusion import Fused, QualityReport, Registration, Verdict, Volume
from fusion.geometry.transform import AffineTransform
from fusion.quality.explanation import Explanation, explain, explanation_kinds
from fusion.volume import Unit
from storage.records import FusionPlan, Recipe, SeriesChoice

from .encode import (
    EncodedSeries,
    EncodedVolume,
    EncodeInputs,
    Equipment,
    MovingResult,
    encode,
    fused_together,
    review_volumes,
)
from .errors import MatchError
from .load import LoadedSeries

ACTIVITIES = frozenset({Unit.BQ_ML, Unit.SUV_BW, Unit.SUV_LBM, Unit.SUV_BSA, Unit.SUV_IBW})

Progress = Callable[[str], None]
"""Called with the name of the step that begins."""

OpenSeries = Callable[[SeriesChoice], LoadedSeries]
"""Where the instances of a chosen series come from is the caller's business: the object store, or a folder."""


def silent(_step: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, eq=False)
class PairResult:
    """What became of one moving volume."""

    registration: Registration
    moved: Volume
    fused: Fused
    report: QualityReport
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What carrying out a plan gave: a result per moving series, the series to store, and what to look at."""

    verdict: Verdict
    pairs: tuple[PairResult, ...]
    derived: tuple[EncodedSeries, ...]
    review: tuple[EncodedVolume, ...] = ()


def carry_out(
    plan: FusionPlan,
    open_series: OpenSeries,
    equipment: Equipment,
    created_at: datetime,
    device: str = "cpu",
    progress: Progress = silent,
    replaces: str = "",
    *,
    for_review: bool = False,
) -> Outcome:
    """Carry out `plan`: every moving series is registered to the fixed one, fused with it, judged and encoded.

    `replaces` is the key of the plan whose delivered results these take the place of. `for_review` adds the volumes
    that a person looks at, of a rejected pair as well.
    """
    progress("load")
    fixed, *movings = (open_series(choice) for choice in (plan.fixed, *plan.moving))
    pairs: list[PairResult] = []
    encoded: list[EncodeInputs] = []
    derived: list[EncodedSeries] = []
    review: list[EncodedVolume] = []
    for position, (choice, moving) in enumerate(zip(plan.moving, movings, strict=True)):
        pair = fuse_pair(
            fixed.volume.to(device), moving.volume.to(device), plan.recipe, identity_default(plan, position), progress
        )
        progress("encode")
        inputs = EncodeInputs(
            plan=plan,
            fixed_headers=fixed.headers,
            fixed=fixed.volume,
            moving=MovingResult(
                choice,
                moving.headers,
                moving.volume,
                written_quantity(pair.moved, pair.registration, plan.recipe),
                pair.registration,
                pair.fused,
                pair.report,
                pair.explanations,
            ),
            position=position,
            filing_header=filed_with(plan, (fixed, *movings)).headers[0],
            equipment=equipment,
            created_at=created_at,
            replaces=replaces,
        )
        pairs.append(pair)
        encoded.append(inputs)
        derived.extend(encode(inputs))
        review.extend(review_volumes(inputs) if for_review else ())
    together = fused_with_all(fixed.volume.to(device), pairs, plan.recipe)
    if together is not None:
        derived.append(fused_together(encoded, together))
    return Outcome(verdict_of([pair.report for pair in pairs]), tuple(pairs), tuple(derived), tuple(review))


def fuse_pair(
    fixed: Volume, moving: Volume, recipe: Recipe, identity_is_default: bool | None, progress: Progress = silent
) -> PairResult:
    """Register, judge, resample once and fuse two volumes; the images come back to the CPU."""
    registration, report = register_pair(fixed, moving, recipe, identity_is_default, progress)
    progress("fuse")
    moved = fusion.resample(moving, registration.transform, onto=fixed.grid)
    fused = fusion.fuse(fixed, moved, method=recipe.method, **recipe.method_parameters)
    explanations = () if report.verdict is Verdict.REJECT else explained(fixed, moved, fused, recipe)
    return PairResult(registration, moved.to("cpu"), fused.to("cpu"), report, explanations)


def explained(fixed: Volume, moved: Volume, fused: Fused, recipe: Recipe) -> tuple[Explanation, ...]:
    """The maps that the recipe asks for, where the method that was used has any."""
    if "explanation" not in recipe.outputs or not explanation_kinds(fused.method):
        return ()
    kinds = recipe.output_parameters.get("explanation_kinds", ())
    return explain(fixed, moved, fused.method, kinds, **fused.parameters)


def fused_with_all(fixed: Volume, pairs: Sequence[PairResult], recipe: Recipe) -> Fused | None:
    """All moved volumes with the fixed one, where the recipe asks for it: two or more, none of them rejected."""
    if "fused_together" not in recipe.outputs or len(pairs) < 2:
        return None
    if any(pair.report.verdict is Verdict.REJECT for pair in pairs):
        return None
    moved = [pair.moved.to(fixed.device) for pair in pairs]
    return fusion.fuse(fixed, moved, method=recipe.method, **recipe.method_parameters).to("cpu")


def register_pair(
    fixed: Volume, moving: Volume, recipe: Recipe, identity_is_default: bool | None, progress: Progress = silent
) -> tuple[Registration, QualityReport]:
    """Run the recipe's registrar and judge what it found.

    Unusable voxels (empty, constant) end in a report that rejects, not in an exception: the case then says why. Only
    the registrar `auto` asks whether a shared Frame of Reference is to be believed.
    """
    parameters = dict(recipe.registrar_parameters)
    if recipe.registrar == "auto":
        parameters.setdefault("identity_is_default", identity_is_default)
    progress("register")
    try:
        registration = fusion.register(fixed, moving, registrar=recipe.registrar, **parameters)
    except fusion.UnusableVolumeError as error:
        return fusion.unregistered(recipe.registrar, str(error)), fusion.rejected(str(error))
    progress("assess")
    return registration, fusion.assess(fixed, moving, registration, fusion.Limits(**recipe.gate))


def written_quantity(moved: Volume, registration: Registration, recipe: Recipe) -> Volume:
    """What a registered series may claim: bent, the activity of a voxel is not what was measured there.

    Activity and SUV become proportional counts, unless the recipe insists (`deformed_suv`).
    """
    bent = not isinstance(registration.transform, AffineTransform)
    if not bent or moved.unit not in ACTIVITIES or recipe.output_parameters.get("deformed_suv", False):
        return moved
    return replace(moved, unit=Unit.PROPORTIONAL_COUNTS)


def identity_default(plan: FusionPlan, position: int) -> bool | None:
    """What matching found out about the shared Frame of Reference of this moving series, if it looked."""
    return plan.identity_is_default[position] if position < len(plan.identity_is_default) else None


def filed_with(plan: FusionPlan, loaded: Sequence[LoadedSeries]) -> LoadedSeries:
    """A series of the study in which the results are filed.

    Raises `MatchError` when none is: filed elsewhere, they would be another patient's or nobody's.
    """
    for series in loaded:
        if str(series.headers[0].get("StudyInstanceUID") or "") == plan.file_in_study_uid:
            return series
    raise MatchError(
        f"the results are to be filed in the study {plan.file_in_study_uid}, of which none of the loaded series is; "
        "the series must have changed since the plan was made"
    )


def verdict_of(reports: Sequence[QualityReport]) -> Verdict:
    """Of the case: what all pairs agree on, and otherwise a person decides."""
    verdicts = {report.verdict for report in reports}
    return verdicts.pop() if len(verdicts) == 1 else Verdict.REVIEW


def report_values(registration: Registration, report: QualityReport) -> dict[str, Any]:
    """A result as plain values for JSON: the keys that `register`, `fuse` and the case's record share."""
    return {
        "registrar": registration.registrar,
        "matrix": registration.transform.matrix.tolist(),
        "verdict": report.verdict.value,
        "expected_error_mm": finite(report.expected_error_mm),
        "error_bound_mm": finite(report.error_bound_mm),
        "reasons": list(report.reasons),
        "similarity": finite(report.similarity),
        "similarity_name": report.similarity_name,
        "measures": {name: finite(value) for name, value in report.measures.items()},
        "notes": list(registration.notes),
        "parameters": dict(registration.parameters),
        "iterations": registration.iterations,
        "seconds": round(registration.seconds, 3),
        "device": registration.device,
    }


def finite(value: float) -> float | None:
    """JSON has no infinity: what could not be estimated is null."""
    return float(value) if math.isfinite(value) else None
