"""The cases: the list a page at a time, and one case with its plan, every reason, its outputs and its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from storage.case_listing import CaseFilter, CaseListing
from storage.errors import UnknownRecordError
from storage.records import CaseRecord, CaseState, SeriesChoice, SeriesRecord
from storage.transitions import TRANSITIONS

from .guard import Asking, guarded
from .pages import Paging, page
from .parts import Parts, WebParts

router = guarded("cases")

GROUPS = (
    ("waits for a person", (CaseState.REVIEW, CaseState.QUARANTINED, CaseState.FAILED)),
    ("queue", (CaseState.WAITING, CaseState.QUEUED, CaseState.RUNNING)),
)
"""States that one asks for together."""


@router.get("/")
def listing(
    request: Request,
    parts: Parts,
    state: Annotated[list[CaseState] | None, Query()] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    order: str = "newest",
    at: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """The list; htmx asks for the table alone."""
    cases = CaseListing(parts.database)
    wanted = CaseFilter(tuple(state or ()), q, oldest_first=order == "oldest")
    paging = Paging(at)
    lines, paging.total = cases.page(wanted, paging.offset, paging.size)
    counts = cases.counts()
    groups = [(label, states, sum(counts[state] for state in states)) for label, states in GROUPS]
    alone = "hx-request" in request.headers
    return page(
        request,
        "cases_table.html" if alone else "cases.html",
        lines=lines,
        paging=paging,
        counts=counts,
        wanted=wanted,
        groups=groups,
        query=_query(wanted),
    )


@router.get("/cases/{case_id}")
def show(request: Request, case_id: str, parts: Parts, asking: Asking) -> Response:
    """One case."""
    record = parts.cases.get(case_id)
    return page(
        request,
        "case.html",
        case=record,
        pairs=pairs_of(record),
        sources=[(title, choice, series_of(parts, choice)) for title, choice in choices_of(record)],
        deliveries=parts.outbox.of_case(record.case_id),
        events=parts.cases.events(record.case_id),
        others=_others(parts, record),
        offers=offers_of(record) if asking.may("reviewer") else (),
        recipes=sorted(parts.settings.recipes),
    )


@router.get("/cases/{case_id}/history")
def history(request: Request, case_id: str, parts: Parts) -> Response:
    """The event log and the state, for a page that watches."""
    record = parts.cases.get(case_id)
    return page(
        request,
        "case_history.html",
        case=record,
        events=parts.cases.events(record.case_id),
        deliveries=parts.outbox.of_case(record.case_id),
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """One moving series of a case: its report, and which volumes there are to look at."""

    position: int
    choice: SeriesChoice
    report: dict[str, Any]
    kinds: tuple[str, ...]


def pairs_of(record: CaseRecord) -> tuple[Pair, ...]:
    """The pairs of a case that has a result."""
    if record.result is None:
        return ()
    return tuple(
        Pair(
            position,
            choice,
            dict(report),
            tuple(volume.kind for volume in record.result.review if volume.position == position),
        )
        for position, (choice, report) in enumerate(zip(record.plan.moving, record.result.reports, strict=True))
    )


def choices_of(record: CaseRecord) -> list[tuple[str, SeriesChoice]]:
    """The series of the plan, with what each is in it."""
    return [("fixed", record.plan.fixed), *(("moving", choice) for choice in record.plan.moving)]


def series_of(parts: WebParts, choice: SeriesChoice) -> SeriesRecord | None:
    """The series as it was received; None when it is no longer held."""
    try:
        return parts.catalogue.series(choice.series_instance_uid)
    except UnknownRecordError:
        return None


def offers_of(record: CaseRecord) -> tuple[str, ...]:
    """What a person can decide about the case now."""
    onwards = TRANSITIONS[record.state]
    in_review = record.state is CaseState.REVIEW
    offers = {
        "approve": in_review,
        "reject": in_review or record.state is CaseState.QUARANTINED,
        "retry": record.state in (CaseState.FAILED, CaseState.QUARANTINED, CaseState.DELIVERED, CaseState.DELIVERING),
        "withdraw": CaseState.WITHDRAWN in onwards,
        "rerun": record.state is not CaseState.QUARANTINED
        and (CaseState.REPLACED in onwards or record.state is CaseState.REJECTED),
    }
    return tuple(name for name, offered in offers.items() if offered)


def _others(parts: WebParts, record: CaseRecord) -> Sequence[CaseRecord]:
    """Other cases of the same fixed series, the newest first: what this one replaced or was replaced by."""
    found = parts.cases.of_series(record.plan.fixed.series_instance_uid)
    return [one for one in found if one.case_id != record.case_id][:10]


def _query(wanted: CaseFilter) -> str:
    """The filter as it stands in an address, without the page."""
    values = [("state", state.value) for state in wanted.states]
    values += [("q", wanted.text)] if wanted.text else []
    values += [("order", "oldest")] if wanted.oldest_first else []
    return urlencode(values)
