"""The own account: where one is logged in, and out."""

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from storage.errors import UnknownRecordError

from .guard import COOKIE, Asking, Visitor, guarded
from .pages import page
from .parts import Parts, WebParts
from .refusals import ForbiddenError

router = guarded("own")


@router.get("/account")
def show(request: Request, parts: Parts, asking: Asking) -> Response:
    """Every login of this person."""
    return page(request, "account.html", logins=parts.sessions.of_user(_person(asking), datetime.now(UTC)))


@router.post("/account/logins/{session_id}/end")
def end(session_id: int, parts: Parts, asking: Asking) -> Response:
    """End another login of one's own."""
    mine = parts.sessions.of_user(_person(asking), datetime.now(UTC))
    if session_id not in {login.session_id for login in mine}:
        raise UnknownRecordError("no such login of yours")
    parts.sessions.end(session_id)
    return RedirectResponse("/account", status_code=HTTPStatus.SEE_OTHER)


@router.post("/logout")
def leave(parts: Parts, asking: Asking) -> Response:
    """End this login."""
    _end_own(parts, asking)
    response = RedirectResponse("/login", status_code=HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE)
    return response


def _end_own(parts: WebParts, asking: Visitor) -> None:
    if asking.login is not None:
        parts.sessions.end(asking.login.session_id)
        parts.audit.logout(asking.name, asking.address)


def _person(asking: Visitor) -> int:
    if asking.user is None:
        raise ForbiddenError("a key has no account")
    return asking.user.user_id
