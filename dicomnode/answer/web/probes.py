"""`/healthz`, `/readyz` and `/metrics`: for those who watch over the node. Without a login, and nobody's data."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ...observe.health import Check, run_checks
from .parts import Parts

router = APIRouter()


@router.get("/healthz")
def alive(parts: Parts) -> Response:
    """Whether to start the node again would help: 200, or 503 with what is wrong."""
    return _answer(parts.live)


@router.get("/readyz")
@router.get("/health", include_in_schema=False)
def ready(parts: Parts) -> Response:
    """Whether to send something to the node now would work."""
    return _answer({**parts.live, **parts.ready})


@router.get("/metrics")
def counted() -> Response:
    """Everything that was counted, for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _answer(checks: Mapping[str, Check]) -> Response:
    results = run_checks(checks)
    good = all(result == "ok" for result in results.values())
    return JSONResponse(
        {"status": "ok" if good else "failing", "checks": results},
        status_code=HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE,
    )
