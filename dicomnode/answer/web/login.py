"""In and out. A login makes a new token, so that one that was planted before is worth nothing after."""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from storage.errors import UnknownRecordError
from storage.records import User

from .guard import COOKIE, address_of, visitor_of
from .pages import page
from .parts import Parts, WebParts
from .passwords import fits, hashed, is_outdated
from .refusals import ForbiddenError, TooManyError

log = structlog.get_logger(__name__)

router = APIRouter()

FIRST_WORD_COOKIE = "dicomnode_first_word"
"""Before a login there is no form word: the form repeats a cookie, which another site can neither read nor set."""


@router.get("/login")
def ask(request: Request, parts: Parts, next: str = "/") -> Response:  # noqa: A002 - the query's name
    """The form; who is logged in already goes on."""
    if visitor_of(request) is not None:
        return RedirectResponse(local(next), status_code=HTTPStatus.SEE_OTHER)
    return form(request, parts, next, "")


@router.post("/login")
def enter(
    request: Request,
    parts: Parts,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    first_word: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the field's name
) -> Response:
    """Check name and password; slowly for who fails often."""
    planted = request.cookies.get(FIRST_WORD_COOKIE, "")
    if not planted or not hmac.compare_digest(planted.encode(), first_word.encode()):
        raise ForbiddenError("the form is not one of this page; load it again")
    address = address_of(request)
    if wait_s := parts.throttle.wait_s(name.casefold(), address):
        parts.audit.login(name, address, success=False)
        raise TooManyError(f"too many failed logins; try again in {wait_s:.0f} s", wait_s)
    user = _user_of(parts, name, password)
    if user is None:
        parts.throttle.failed(name.casefold(), address)
        parts.audit.login(name, address, success=False)
        log.warning("a login failed", action="login_failed", address=address)
        return form(request, parts, next, "Name or password are wrong.", HTTPStatus.UNAUTHORIZED)
    parts.throttle.succeeded(name.casefold(), address)
    return let_in(request, parts, user, next)


def form(request: Request, parts: WebParts, onwards: str, sentence: str, status: int = HTTPStatus.OK) -> Response:
    """The page with the form, and the word that it must repeat."""
    word = secrets.token_urlsafe(24)
    response = page(
        request,
        "login.html",
        status=status,
        first_word=word,
        onwards=local(onwards),
        sentence=sentence,
        nobody=not parts.people.any(),
    )
    _set_cookie(request, response, FIRST_WORD_COOKIE, word, timedelta(hours=1))
    return response


def let_in(request: Request, parts: WebParts, user: User, onwards: str) -> Response:
    """Begin a login of `user` and go on to where they were going."""
    lasts, address = timedelta(hours=parts.settings.web.session_hours), address_of(request)
    token, _ = parts.sessions.begin(user, address, datetime.now(UTC), lasts)
    parts.audit.login(user.name, address, success=True)
    log.info("a login", action="login", user=user.name, address=address)
    response = RedirectResponse(local(onwards), status_code=HTTPStatus.SEE_OTHER)
    _set_cookie(request, response, COOKIE, token, lasts)
    response.delete_cookie(FIRST_WORD_COOKIE)
    return response


def local(onwards: str) -> str:
    """A path of this node, whatever was asked for: no login is a way to somebody else's page."""
    parts = urlsplit(onwards)
    is_path = onwards.startswith("/") and not onwards.startswith("//") and "\\" not in onwards
    is_printable = onwards.isprintable() and not any(letter.isspace() for letter in onwards)
    return onwards if is_path and is_printable and not parts.scheme and not parts.netloc else "/"


def _user_of(parts: WebParts, name: str, password: str) -> User | None:
    try:
        user = parts.people.get(name)
    except UnknownRecordError:
        fits(password, "")
        return None
    if not fits(password, user.password_hash):
        return None
    if is_outdated(user.password_hash):
        parts.people.rehash(user.name, hashed(password))
    return user


def _set_cookie(request: Request, response: Response, name: str, value: str, lasts: timedelta) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
