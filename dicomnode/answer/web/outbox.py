"""Destinations, and what is on its way to them."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from storage.delivery_listing import DeliveryListing
from storage.records import DeliveryState

from .guard import guarded
from .pages import Paging, page
from .parts import Parts

router = guarded("node")


@router.get("/outbox")
def listing(
    request: Request,
    parts: Parts,
    state: DeliveryState | None = None,
    destination: Annotated[str, Query(max_length=100)] = "",
    at: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """How every destination stands, and the deliveries, the newest first."""
    paging = Paging(at)
    deliveries = DeliveryListing(parts.database)
    lines, paging.total = deliveries.page(state, destination, paging.offset, paging.size)
    values = {"state": state.value if state else "", "destination": destination}
    query = urlencode({name: value for name, value in values.items() if value})
    return page(
        request,
        "outbox_table.html" if "hx-request" in request.headers else "outbox.html",
        lines=lines,
        paging=paging,
        counts=deliveries.counts(),
        state=state,
        destination=destination,
        query=query,
    )
