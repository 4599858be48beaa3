"""The application, put together from its routers."""

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from . import (
    account,
    cases,
    deciding,
    live,
    login,
    node_page,
    outbox,
    probes,
    qido,
    received,
    review_files,
    rules,
    stow,
    users,
    wado,
)
from .door import Door
from .guard import check_routes
from .pages import HERE
from .parts import WebParts
from .refusals import add_refusals

ROUTERS: tuple[APIRouter, ...] = (
    probes.router,
    login.router,
    cases.router,
    deciding.router,
    review_files.router,
    live.router,
    received.router,
    outbox.router,
    rules.router,
    node_page.router,
    users.router,
    account.router,
    qido.router,
    wado.router,
    stow.router,
)
"""One a file; the order matters only where two would answer the same path."""

LARGEST_FORM_BYTES = 1 << 20
"""A route that takes more says so by its own `max_body_size`."""


def make_app(parts: WebParts) -> FastAPI:
    """The application. Raises `RuntimeError` when a route does not say who may use it."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, max_body_size=LARGEST_FORM_BYTES)
    app.state.parts = parts
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    add_refusals(app)
    app.add_middleware(Door, plain_http=parts.settings.web.plain_http)
    check_routes(app)
    return app
