"""The rules, and what one would fuse in what the node holds: matching is a pure function, so it can be tried."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import ValidationError

from storage.errors import UnknownRecordError
from storage.records import CaseState, SeriesRecord, SeriesState

from ...match import MatchDecision, match
from ...settings import RuleSettings, Settings
from .guard import guarded
from .pages import page
from .parts import Parts, WebParts
from .refusals import WrongRequestError

router = guarded("node")

MOST_SERIES = 500
LONGEST_S = 5.0
"""A dry run looks at the latest series until it has seen so many, or for so long, and says how far it came."""

MODALITIES = ("CT", "MR", "PT", "NM")


@dataclass(frozen=True, slots=True)
class Would:
    """What a rule would make: the decision, whose it is, and where a case of that plan stands already."""

    decision: MatchDecision
    patient: SeriesRecord
    standing: CaseState | None


@router.get("/rules")
def show(request: Request, parts: Parts) -> Response:
    """The rules of the settings, and a form to try one."""
    return page(
        request,
        "rules.html",
        rules=parts.settings.rules,
        recipes=parts.settings.recipes,
        modalities=MODALITIES,
    )


@router.get("/rules/dry-run")
def dry_run(
    request: Request,
    parts: Parts,
    fixed: str,
    moving: Annotated[list[str], Query()],
    window_hours: float = 72,
    body_part: Annotated[str, Query(max_length=64)] = "",
    recipe: Annotated[str, Query(max_length=100)] = "default",
    name: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """What the rule would make of the latest series; nothing is changed."""
    settings = _with_rule(
        parts.settings,
        {
            "name": name or "dry run",
            "fixed": fixed,
            "moving": moving,
            "window_hours": window_hours,
            "body_part": body_part,
            "recipe": recipe,
        },
    )
    found, looked, complete = _would(parts, settings)
    return page(request, "dry_run.html", found=found, looked=looked, complete=complete)


def _with_rule(settings: Settings, values: dict[str, Any]) -> Settings:
    try:
        rule = RuleSettings.model_validate(values)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
        raise WrongRequestError(f"no such rule: {said}") from error
    if rule.recipe not in settings.recipes:
        raise WrongRequestError(f"no recipe {rule.recipe!r}; there are {', '.join(sorted(settings.recipes))}")
    kept = next((one for one in settings.rules if one.name == rule.name), None)
    destinations = kept.destinations if kept else ()
    return settings.model_copy(update={"rules": (rule.model_copy(update={"destinations": destinations}),)})


def _would(parts: WebParts, settings: Settings) -> tuple[list[Would], int, bool]:
    """What the rule makes of the latest series, how many were looked at, and whether those were all."""
    rule = settings.rules[0]
    latest = parts.catalogue.list_series(MOST_SERIES, SeriesState.COMPLETE)
    began, looked = time.monotonic(), 0
    found: dict[str, Would] = {}
    for series in latest:
        if time.monotonic() - began > LONGEST_S:
            break
        looked += 1
        if series.header.own_output or series.header.modality not in (rule.fixed, *rule.moving):
            continue
        candidates = parts.catalogue.series_of_patient_id(series.patient.patient_id)
        for decision in match(series, candidates, parts.catalogue.instances, settings).decisions:
            if decision.plan.key not in found:
                found[decision.plan.key] = Would(decision, series, _standing(parts, decision.plan.key))
    return list(found.values()), looked, looked == len(latest) < MOST_SERIES


def _standing(parts: WebParts, key: str) -> CaseState | None:
    try:
        return parts.cases.get(key).state
    except UnknownRecordError:
        return None
