"""Pages from templates. Jinja escapes whatever is put into them; nothing is marked as safe."""

import re
from dataclasses import dataclass
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

PAGES = (
    ("/", "Cases", "viewer"),
    ("/series", "Received", "viewer"),
    ("/outbox", "Outbox", "viewer"),
    ("/rules", "Rules", "viewer"),
    ("/node", "Node", "viewer"),
    ("/users", "Users", "administrator"),
)
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
    environment.filters |= {"name": name, "date": date, "number": number}
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


def name(value: str) -> str:
    """A person name as one reads it: family name first, without empty parts (PS3.5 6.2.1)."""
    alphabetic = value.partition("=")[0]
    return ", ".join(part for part in (" ".join(one.split()) for one in alphabetic.split("^")) if part)


def date(value: str) -> str:
    """A DICOM date with its parts apart; whatever else it is stays as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if re.fullmatch(r"[0-9]{8}", value) else value


def number(value: object) -> str:
    """Four digits are enough to read."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def millimetres(value: float | None) -> str:
    """Tenths of a millimetre; a question mark for what could not be estimated."""
    return "?" if value is None else f"{value:.1f} mm"


@dataclass(slots=True)
class Paging:
    """Which page of a list (`at`, from 1 on), and of how many lines."""

    at: int
    total: int = 0
    size: int = 50

    @property
    def offset(self) -> int:
        """How many lines are on the pages before."""
        return (self.at - 1) * self.size

    @property
    def first(self) -> int:
        """The number of the first line, 0 where there is none."""
        return self.offset + 1 if self.total > self.offset else 0

    @property
    def last(self) -> int:
        """The number of the last line."""
        return min(self.offset + self.size, self.total)


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
