"""How a case came out: the true error of the generated patients, and what the PACS must hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from fusion.geometry.transform import AffineTransform
from storage.records import CaseRecord, CaseState

from ..load import load_series
from .patients import GeneratedPatient

LARGEST_TRUE_ERROR_MM = 2.0
BODY_ABOVE_HU = -300.0


@dataclass(frozen=True, slots=True)
class TrueError:
    """How far the registration is from the truth, over the voxels of the body."""

    mean_mm: float
    max_mm: float


@dataclass(frozen=True, slots=True)
class Check:
    """How a case came out, in a word or two, with a sentence for each thing amiss or that a person should know."""

    good: bool
    outcome: str
    sentences: tuple[str, ...]


def true_errors_mm(case: CaseRecord, patients: Sequence[GeneratedPatient]) -> TrueError | None:
    """The error of the case's transform where the truth is known."""
    patient = next((p for p in patients if p.moving.series_instance_uid in case.plan.series_instance_uids), None)
    if patient is None or case.result is None:
        return None
    found = AffineTransform(np.array(case.result.reports[0]["matrix"]))
    fixed = load_series(sorted(patient.fixed.folder.iterdir())).volume
    body = np.argwhere(fixed.voxels.numpy() > BODY_ABOVE_HU)[::97].astype(np.float64)
    points = fixed.grid.points(body)
    errors = np.linalg.norm(found(points) - patient.truth(points), axis=-1)
    return TrueError(float(errors.mean()), float(errors.max()))


def check_case(
    case: CaseRecord, fetched: Mapping[str, Sequence[Dataset]], truth: TrueError | None, *, generated: bool
) -> Check:
    """The generated patients must be accepted and accurate.

    Of real ones nobody knows the truth, so that no outcome calls them right: they arrive, or are rejected for a reason.
    """
    if case.result is None:
        return Check(False, "no result", (f"no result: {case.state.value} {case.error}",))
    if not generated and case.state is CaseState.REJECTED:
        return Check(True, "rejected", (f"rejected: {case.result.reports[0]['reasons'][0]}",))
    wrong = []
    if generated and case.result.verdict != "accept":
        wrong.append(f"the verdict is {case.result.verdict}: {'; '.join(case.result.reports[0]['reasons'])}")
    if generated and (truth is None or truth.mean_mm > LARGEST_TRUE_ERROR_MM):
        wrong.append(f"the true error is above {LARGEST_TRUE_ERROR_MM} mm")
    if case.state is not CaseState.DELIVERED:
        wrong.append(f"the case is {case.state.value}")
    wrong += _missing(case, fetched)
    if generated:
        return Check(not wrong, "wrong" if wrong else "right", tuple(wrong))
    arrived = "arrived" if case.result.verdict == "accept" else "arrived, approved unseen"
    return Check(not wrong, "did not arrive" if wrong else arrived, tuple(wrong))


def _missing(case: CaseRecord, fetched: Mapping[str, Sequence[Dataset]]) -> list[str]:
    """Every derived instance must be at the PACS, in the study in which the plan files, once."""
    sentences = []
    for series in case.result.derived if case.result else ():
        held = [
            instance
            for instance in fetched.get(series.kind, ())
            if instance.SeriesInstanceUID == series.series_instance_uid
        ]
        uids = {str(instance.SOPInstanceUID) for instance in held}
        wanted = {instance.sop_instance_uid for instance in series.instances}
        if uids != wanted or len(held) != len(wanted):
            sentences.append(f"{series.kind}: {len(uids & wanted)} of {len(wanted)} instances are at the PACS")
        if any(instance.StudyInstanceUID != case.plan.file_in_study_uid for instance in held):
            sentences.append(f"{series.kind} is filed in another study than the plan says")
    kinds = {series.kind for series in case.result.derived} if case.result else set()
    sentences += [f"no {kind} was made" for kind in case.plan.recipe.outputs if kind not in kinds]
    return sentences
