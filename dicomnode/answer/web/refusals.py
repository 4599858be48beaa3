"""What a route raises when it does not do what was asked, and how each error is said: one table.

A browser gets a page, a script (or htmx) a sentence.
"""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from storage.errors import (
    AlreadyThereError,
    IllegalTransitionError,
    StorageError,
    StorageFullError,
    UnavailableError,
    UnknownRecordError,
)

from ...errors import NodeError, PeerError, UndecodableError
from ...observe.logs import account
from .headers import headers_for

log = structlog.get_logger(__name__)


class RefusalError(NodeError):
    """A request was refused."""


class NotLoggedInError(RefusalError):
    """Nobody who is known asks."""


class ForbiddenError(RefusalError):
    """Who asks may not."""


class WrongRequestError(RefusalError):
    """What was sent makes no sense; the sentence says what would."""


class BadQueryError(RefusalError):
    """A parameter of a query makes no sense (PS3.18 8.7.4)."""


class NotAcceptableError(RefusalError):
    """What is asked for is not written in any form that the request accepts."""


class TooManyError(RefusalError):
    """Too often; `wait_s` says when again."""

    def __init__(self, sentence: str, wait_s: float) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


STATUSES: Mapping[type[Exception], HTTPStatus] = {
    NotLoggedInError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    WrongRequestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    BadQueryError: HTTPStatus.BAD_REQUEST,
    NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    UndecodableError: HTTPStatus.NOT_ACCEPTABLE,
    UnknownRecordError: HTTPStatus.NOT_FOUND,
    AlreadyThereError: HTTPStatus.CONFLICT,
    IllegalTransitionError: HTTPStatus.CONFLICT,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    PeerError: HTTPStatus.BAD_GATEWAY,
    StorageError: HTTPStatus.INTERNAL_SERVER_ERROR,
    NodeError: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def status_of(error: Exception) -> HTTPStatus:
    """The status of the nearest class in the table."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def add_refusals(app: FastAPI) -> None:
    """Have every error of ours said by the table."""
    for kind in (NodeError, StorageError):
        app.add_exception_handler(kind, _say)
    app.add_exception_handler(HTTPException, _say_status)
    app.add_exception_handler(RequestValidationError, _say_wrong)
    app.add_exception_handler(Exception, _say_unexpected)


def wants_page(request: Request) -> bool:
    """Whether a browser shows the answer as a page of its own."""
    return "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers


def _say(request: Request, error: Exception) -> Response:
    if isinstance(error, NotLoggedInError):
        return _to_login(request)
    response = answer(request, status_of(error), str(error))
    if isinstance(error, TooManyError):
        response.headers["Retry-After"] = str(int(error.wait_s) + 1)
    return response


def _say_status(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    response = answer(request, HTTPStatus(status), HTTPStatus(status).phrase.lower())
    response.headers.update(headers or {})
    return response


def _say_wrong(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in problems)
    return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, said)


def _say_unexpected(request: Request, error: Exception) -> Response:
    log.error("a request ended in an error", action="web_error", path=request.url.path, **account(error))
    response = answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the node itself; its log says more")
    response.headers.update(dict(headers_for(request.scope)))  # this answer is made outside of the door
    return response


def answer(request: Request, status: HTTPStatus, sentence: str) -> Response:
    """The sentence, as a page or as JSON."""
    if wants_page(request):
        from .pages import page

        return page(request, "refusal.html", status=status, sentence=sentence)
    return JSONResponse({"error": sentence}, status_code=status)


def _to_login(request: Request) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if wants_page(request) and request.method == "GET" and "authorization" not in request.headers:
        return RedirectResponse(f"/login?next={quote(here, safe='')}", status_code=HTTPStatus.SEE_OTHER)
    response = JSONResponse({"error": "log in first"}, status_code=HTTPStatus.UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = "Bearer"
    if "hx-request" in request.headers:
        response.headers["HX-Redirect"] = "/login"
    return response
