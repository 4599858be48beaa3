"""Users and the keys of scripts, for administrators."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from storage.records import Role

from .guard import AREAS, Asking, Visitor, guarded
from .pages import page
from .parts import Parts, WebParts
from .passwords import hashed
from .refusals import WrongRequestError

router = guarded("users", Role.ADMINISTRATOR)

PRINTED = r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]*$"
Name = Annotated[str, Form(min_length=1, max_length=100, pattern=PRINTED)]
Password = Annotated[str, Form(max_length=1000)]


@router.get("/users")
def show(request: Request, parts: Parts) -> Response:
    """Everybody, and every key."""
    return _page(request, parts, "")


@router.post("/users")
def add(name: Name, role: Annotated[Role, Form()], parts: Parts, asking: Asking, password: Password = "") -> Response:
    """A new user; without a password only an identity provider can let them in."""
    parts.people.add(name, role, hashed(password) if password else "")
    return _told(parts, asking, f"user {name!r} added as {role.value}")


@router.post("/users/{name}/role")
def set_role(name: str, role: Annotated[Role, Form()], parts: Parts, asking: Asking) -> Response:
    """Another role; they have to log in again."""
    parts.people.set_role(name, role)
    return _told(parts, asking, f"user {name!r} is now {role.value}")


@router.post("/users/{name}/password")
def set_password(name: str, password: Password, parts: Parts, asking: Asking) -> Response:
    """Another password; they have to log in again."""
    parts.people.set_password(name, hashed(password))
    return _told(parts, asking, f"user {name!r} has another password")


@router.post("/users/{name}/remove")
def remove(name: str, parts: Parts, asking: Asking) -> Response:
    """Take the user away."""
    parts.people.remove(name)
    return _told(parts, asking, f"user {name!r} removed")


@router.post("/keys")
def add_key(
    request: Request,
    name: Name,
    role: Annotated[Role, Form()],
    parts: Parts,
    asking: Asking,
    scopes: Annotated[list[str] | None, Form()] = None,
    days: Annotated[int, Form(ge=0, le=3650)] = 365,
) -> Response:
    """A new key, whose secret is on the page that answers and nowhere after."""
    wanted = check_scopes(scopes or [])
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    secret, _ = parts.keys.add(name, role, wanted, asking.name, expires_at)
    parts.audit.acted(asking.name, asking.address, f"key {name!r} made: {role.value}, {', '.join(wanted)}", action="E")
    return _page(request, parts, secret)


@router.post("/keys/{name}/remove")
def remove_key(name: str, parts: Parts, asking: Asking) -> Response:
    """From now on it opens nothing."""
    parts.keys.remove(name)
    return _told(parts, asking, f"key {name!r} removed")


def check_scopes(scopes: list[str]) -> list[str]:
    """The areas, each once. Raises `WrongRequestError`."""
    unknown = sorted(set(scopes) - (set(AREAS) - {"own"}))
    if unknown or not scopes:
        raise WrongRequestError(f"a key is for one or more of {', '.join(sorted(set(AREAS) - {'own'}))}")
    return sorted(set(scopes))


def _page(request: Request, parts: WebParts, secret: str) -> Response:
    areas = {name: meaning for name, meaning in AREAS.items() if name != "own"}
    return page(
        request, "users.html", users=parts.people.list(), keys=parts.keys.list(), roles=Role, areas=areas, secret=secret
    )


def _told(parts: WebParts, asking: Visitor, what: str) -> Response:
    parts.audit.acted(asking.name, asking.address, what, action="E")
    return RedirectResponse("/users", status_code=HTTPStatus.SEE_OTHER)
