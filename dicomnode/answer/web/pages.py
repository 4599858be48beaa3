"""Pages from templates. Jinja escapes whatever is put into them; nothing is marked as safe."""

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from storage.switches import PAUSE

from .guard import visitor_of
from .parts import parts_of

HERE = Path(__file__).parent

PAGES = (("/", "Cases", "viewer"),)
"""What the bar on top leads to: path, label, and the role that it needs."""


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"age": age, "moment": moment, "mm": millimetres}
    return environment


def age(since: datetime, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that says enough."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - since).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(value: datetime | None) -> str:
    """Date and time, UTC."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def millimetres(value: float | None) -> str:
    """Tenths of a millimetre; a question mark for what could not be estimated."""
    return "?" if value is None else f"{value:.1f} mm"


ENVIRONMENT = _environment()


def page(request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """The template with `values`, who is asking, and whether the node is paused."""
    parts, visitor = parts_of(request), visitor_of(request)
    common = {
        "visitor": visitor,
        "form_word": visitor.form_word if visitor else "",
        "pause": parts.switches.get(PAUSE) if visitor else None,
        "node": parts.settings.node,
        "pages": PAGES,
        "here": request.url.path,
        "now": datetime.now(UTC),
        "status": HTTPStatus(status),
    }
    text = ENVIRONMENT.get_template(template).render(**common, **values)
    return HTMLResponse(text, status_code=status)
