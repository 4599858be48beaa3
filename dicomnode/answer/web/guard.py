"""Who may do what, in one place: every route names an area and a role, and nothing is open that does not say so.

A person comes with the cookie of a login, a script with `Authorization: Bearer KEY`. What a login sends to change
something carries the login's form word, in the field `form_word` or the header `X-Form-Word`; a browser adds the
cookie by itself, the word it does not. A key needs none, since nothing adds it by itself.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.concurrency import run_in_threadpool

from storage.records import ApiKey, Role, User, WebSession

from .parts import WebParts, parts_of
from .refusals import ForbiddenError, NotLoggedInError

COOKIE = "dicomnode_login"
FORM_WORD = "form_word"
FORM_WORD_HEADER = "x-form-word"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

AREAS = {
    "cases": "cases, their results and decisions",
    "series": "what was received",
    "dicomweb": "QIDO-RS, WADO-RS, STOW-RS",
    "node": "peers, rules, outbox, the pause switch",
    "users": "users and keys",
    "own": "the own account",
}
"""The scopes that a key can have; `own` belongs to people alone."""

OPEN_TO_ALL = frozenset(
    {"/healthz", "/readyz", "/health", "/metrics", "/login", "/static", "/login/oidc", "/login/oidc/back"}
)
"""What is answered without a login: the probes, the way in, and the files that it is drawn with."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking: a person who has logged in, or a key."""

    name: str
    role: Role
    address: str
    login: WebSession | None = None
    key: ApiKey | None = None

    @property
    def form_word(self) -> str:
        """What the forms of this login carry."""
        return self.login.form_word if self.login else ""

    @property
    def user(self) -> User | None:
        """The person, unless it is a key."""
        return self.login.user if self.login else None

    def may(self, role: str) -> bool:
        """Whether to offer what needs `role`."""
        return self.role.covers(Role(role))


@dataclass(frozen=True, slots=True)
class Allow:
    """The rule of a route: this role at least and, for a key, this area among its scopes."""

    role: Role
    area: str

    async def __call__(self, request: Request) -> None:
        """Let the request in, or raise `NotLoggedInError` or `ForbiddenError`."""
        visitor = await run_in_threadpool(visitor_of, request)
        if visitor is None:
            raise NotLoggedInError("log in first")
        if visitor.key is not None and self.area not in visitor.key.scopes:
            raise ForbiddenError(f"the key {visitor.key.name!r} is not for the area {self.area!r}")
        if not visitor.role.covers(self.role):
            raise ForbiddenError(f"this needs the role {self.role.value}; {visitor.name} is {visitor.role.value}")
        if visitor.login is not None and request.method not in READING:
            await _check_form_word(request, visitor.login)


def guarded(area: str, role: Role = Role.VIEWER, prefix: str = "") -> APIRouter:
    """A router whose routes all need `role` at least; a route that needs more says so with `needs`."""
    if area not in AREAS:
        raise ValueError(f"{area!r} is no area; there are {', '.join(AREAS)}")
    return APIRouter(prefix=prefix, dependencies=[Depends(Allow(role, area))])


def needs(role: Role, area: str) -> Any:
    """For `dependencies` of a route that needs more than its router."""
    return Depends(Allow(role, area))


def visitor_of(request: Request) -> Visitor | None:
    """Who is asking, looked up once a request; None for nobody who is known."""
    if not hasattr(request.state, "visitor"):
        request.state.visitor = _look_up(request, parts_of(request))
    found: Visitor | None = request.state.visitor
    return found


def _whoever(request: Request) -> Visitor:
    visitor = visitor_of(request)
    if visitor is None:
        raise NotLoggedInError("log in first")
    return visitor


Asking = Annotated[Visitor, Depends(_whoever)]
"""An argument of a route: who is asking."""


def address_of(request: Request) -> str:
    """The address that the request comes from."""
    return request.client.host if request.client else ""


def routes_of(app: FastAPI) -> tuple[RouteContext, ...]:
    """Every route of the application, those of its routers included."""
    return tuple(iter_route_contexts(app.routes))


def rules_of(route: RouteContext) -> tuple[Allow, ...]:
    """Every rule that a route is under."""
    dependant = getattr(route, "dependant", None)
    return tuple(_rules_in(dependant)) if isinstance(dependant, Dependant) else ()


def check_routes(app: FastAPI) -> None:
    """Raises `RuntimeError` for a route that does not say who may use it."""
    for route in routes_of(app):
        if route.path not in OPEN_TO_ALL and not rules_of(route):
            raise RuntimeError(f"the route {route.path!r} does not say who may use it; make its router with `guarded`")


def _rules_in(dependant: Dependant) -> Iterator[Allow]:
    if isinstance(dependant.call, Allow):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _rules_in(inner)


def _look_up(request: Request, parts: WebParts) -> Visitor | None:
    now, address = datetime.now(UTC), address_of(request)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        key = parts.keys.get(secret.strip(), now)
        return None if key is None else Visitor(f"key:{key.name}", key.role, address, key=key)
    token = request.cookies.get(COOKIE, "")
    if not token:
        return None
    idle = timedelta(minutes=parts.settings.web.idle_minutes)
    login = parts.sessions.get(token, now, idle)
    return None if login is None else Visitor(login.user.name, login.user.role, address, login=login)


async def _check_form_word(request: Request, login: WebSession) -> None:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError("the form came from another site")
    said = request.headers.get(FORM_WORD_HEADER, "")
    if not said and request.headers.get("content-type", "").startswith(FORMS):
        field = (await request.form()).get(FORM_WORD, "")
        said = field if isinstance(field, str) else ""
    if not hmac.compare_digest(said.encode(), login.form_word.encode()):
        raise ForbiddenError("the form is not one of this login; load the page again")
