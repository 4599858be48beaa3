"""The first page: how many cases are where, and the newest of them."""

from fastapi import Request, Response

from storage.records import CaseState

from .guard import guarded
from .pages import page
from .parts import Parts

router = guarded("cases")


@router.get("/")
def show(request: Request, parts: Parts) -> Response:
    """The counts of the states."""
    counts = {state: parts.cases.count(state) for state in CaseState}
    return page(request, "overview.html", counts=counts)
