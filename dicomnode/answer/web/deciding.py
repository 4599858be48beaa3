"""What a person decides about a case: with a reason, under their name, in the case's event log and the audit trail."""

import json
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Form, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from storage.errors import IllegalTransitionError
from storage.records import CaseRecord, CaseState, FusionPlan, Recipe, Role
from storage.transitions import TRANSITIONS

from ...observe.audit_message import Transfer
from ...send.deliveries import deliveries_of
from .cases import series_of
from .guard import Asking, Visitor, guarded
from .parts import Parts, WebParts
from .refusals import WrongRequestError

router = guarded("cases", Role.REVIEWER)

Reason = Annotated[str, Form(min_length=3, max_length=500)]

LEAST_PAIRS, MOST_PAIRS = 3, 50

Millimetres = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
Point = tuple[Millimetres, Millimetres, Millimetres]


class PointPair(BaseModel):
    """The same place in both images, LPS mm, each in its own coordinates."""

    model_config = ConfigDict(extra="forbid")

    fixed: Point
    moving: Point


@router.post("/cases/{case_id}/approve")
def approve(case_id: str, reason: Reason, parts: Parts, asking: Asking) -> Response:
    """Send a case that waits for review."""
    record = parts.cases.get(case_id)
    deliveries = deliveries_of(record.plan, record.result, parts.settings) if record.result else ()
    return _told(parts, asking, parts.cases.approve(record.case_id, deliveries, asking.name, reason), "approve", reason)


@router.post("/cases/{case_id}/reject")
def reject(case_id: str, reason: Reason, parts: Parts, asking: Asking) -> Response:
    """End a case that waits for review or is quarantined."""
    return _told(parts, asking, parts.cases.reject(case_id, asking.name, reason), "reject", reason)


@router.post("/cases/{case_id}/retry")
def retry(case_id: str, reason: Reason, parts: Parts, asking: Asking) -> Response:
    """Run a failed or quarantined case, or send again what could not be delivered."""
    return _told(parts, asking, parts.cases.retry(case_id, asking.name, reason), "retry", reason)


@router.post("/cases/{case_id}/withdraw")
def withdraw(case_id: str, reason: Reason, parts: Parts, asking: Asking) -> Response:
    """Give the case up."""
    return _told(parts, asking, parts.cases.withdraw(case_id, asking.name, reason), "withdraw", reason)


@router.post("/cases/{case_id}/rerun")
def rerun(
    case_id: str,
    reason: Reason,
    recipe: Annotated[str, Form(max_length=100)],
    parts: Parts,
    asking: Asking,
    landmarks: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    """Another plan of the same series takes the place of this case: by another recipe, or from point pairs."""
    record = parts.cases.get(case_id)
    plan = another_plan(record.plan, _recipe(parts, recipe), point_pairs(landmarks), asking.name, reason)
    if plan.key == record.plan.key:
        raise WrongRequestError("the recipe is the one of this case and there are no landmarks: nothing would change")
    ends = CaseState.REPLACED in TRANSITIONS[record.state]
    if not ends and record.state is not CaseState.REJECTED:
        raise IllegalTransitionError(f"a case that is {record.state} cannot be run otherwise; see the one after it")
    if record.state is CaseState.QUARANTINED:
        raise IllegalTransitionError("the identity is in doubt: settle that first, by retry or reject")
    opened, is_new = parts.cases.open(plan, record.patient_key, CaseState.QUEUED, f"rerun: {reason}", asking.name)
    if not is_new and opened.state is CaseState.REPLACED:
        raise IllegalTransitionError("this recipe and these landmarks were tried before; see the other cases")
    if ends:
        cause = f"rerun as {opened.case_id[:8]}: {reason}"
        parts.cases.replace(record.case_id, cause, asking.name, by=opened.case_id)
    return _told(parts, asking, opened, f"rerun of {record.case_id}", reason)


def another_plan(
    plan: FusionPlan, recipe: Recipe, landmarks: tuple[PointPair, ...], actor: str, reason: str
) -> FusionPlan:
    """The same series under another recipe; with point pairs the rigid registrar begins where they say."""
    reasons = (*plan.reasons, f"rerun by {actor} with the recipe {recipe.name!r}: {reason}")
    if landmarks:
        pairs = [[list(pair.fixed), list(pair.moving)] for pair in landmarks]
        parameters: dict[str, Any] = {"landmarks": pairs}
        recipe = replace(recipe, registrar="rigid", registrar_parameters=parameters)
        reasons += (f"the search begins at {len(landmarks)} point pairs that {actor} set",)
    return replace(plan, recipe=recipe, reasons=reasons)


def point_pairs(text: str) -> tuple[PointPair, ...]:
    """The pairs of the form: a JSON list of {"fixed": [x, y, z], "moving": [x, y, z]}. Raises `WrongRequestError`."""
    if not text.strip():
        return ()
    try:
        pairs = TypeAdapter(tuple[PointPair, ...]).validate_python(json.loads(text), strict=False)
    except (ValueError, ValidationError) as error:
        raise WrongRequestError("landmarks are a list of pairs of points in mm") from error
    if not LEAST_PAIRS <= len(pairs) <= MOST_PAIRS:
        raise WrongRequestError(f"a pose takes {LEAST_PAIRS} to {MOST_PAIRS} pairs of points, not {len(pairs)}")
    return pairs


def _recipe(parts: WebParts, name: str) -> Recipe:
    if name not in parts.settings.recipes:
        raise WrongRequestError(f"no recipe {name!r}; there are {', '.join(sorted(parts.settings.recipes))}")
    return parts.settings.recipes[name].recipe(name)


def _told(parts: WebParts, asking: Visitor, record: CaseRecord, what: str, reason: str) -> Response:
    parts.audit.acted(asking.name, asking.address, f"{what} case {record.case_id}: {reason}", about(parts, record))
    return RedirectResponse(f"/cases/{record.case_id}", status_code=HTTPStatus.SEE_OTHER)


def about(parts: WebParts, record: CaseRecord) -> Transfer:
    """Whose objects the case is about, for the audit trail."""
    series = series_of(parts, record.plan.fixed)
    derived = record.result.derived if record.result else ()
    counts: dict[str, int] = {}
    for instance in (instance for one in derived for instance in one.instances):
        counts[instance.sop_class_uid] = counts.get(instance.sop_class_uid, 0) + 1
    return Transfer(record.plan.file_in_study_uid, series.patient.patient_id if series else "", counts)
