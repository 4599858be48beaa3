"""What arrived and from whom."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from storage.records import SeriesState
from storage.series_listing import SeriesListing
from storage.set_aside import SetAside

from ...match import explain
from .guard import guarded
from .pages import Paging, page
from .parts import Parts

router = guarded("series")


@router.get("/series")
def listing(
    request: Request,
    parts: Parts,
    q: Annotated[str, Query(max_length=100)] = "",
    state: SeriesState | None = None,
    conflicts: bool = False,
    at: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """The list, the latest first."""
    paging = Paging(at)
    lines, paging.total = SeriesListing(parts.database).page(
        q, state, with_set_aside=conflicts, offset=paging.offset, limit=paging.size
    )
    values = {"q": q, "state": state.value if state else "", "conflicts": "true" if conflicts else ""}
    query = urlencode({name: value for name, value in values.items() if value})
    template = "series_table.html" if "hx-request" in request.headers else "series.html"
    return page(request, template, lines=lines, paging=paging, text=q, state=state, conflicts=conflicts, query=query)


@router.get("/series/{series_instance_uid}")
def show(request: Request, series_instance_uid: str, parts: Parts) -> Response:
    """One series: what it says, why it is held to be complete, why nothing is fused with it, and its cases."""
    series = parts.catalogue.series(series_instance_uid)
    waiting: tuple[str, ...] = ()
    if series.state is SeriesState.COMPLETE and not series.header.own_output:
        candidates = parts.catalogue.series_of_patient_id(series.patient.patient_id)
        waiting = explain(series, candidates, parts.settings)
    aside = [one for one in SetAside(parts.database).list() if one.series_instance_uid == series_instance_uid]
    return page(
        request,
        "one_series.html",
        series=series,
        waiting=waiting,
        cases=parts.cases.of_series(series_instance_uid),
        aside=aside,
    )
