"""`/health` and `/metrics` over HTTP: whether the node answers, and what it has counted.

The checks are handed in, so that this module knows neither the network nor the database.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .logs import describe

Check = Callable[[], object]
"""Returns when all is well, raises when it is not."""


def run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """For each check "ok" or what is wrong."""
    results: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever fails is what is asked for
            results[name] = describe(error)
        else:
            results[name] = "ok"
    return results


class HealthServer:
    """Serves in a thread of its own between `start` and `stop`; `port` is the bound one when 0 was asked for."""

    def __init__(self, host: str, port: int, checks: Mapping[str, Check]) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler_for(checks))
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler_for(checks: Mapping[str, Check]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Two pages, no state."""

        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/health":
                results = run_checks(checks)
                good = all(result == "ok" for result in results.values())
                body = json.dumps({"status": "ok" if good else "failing", "checks": results}).encode()
                self._answer(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body)
            elif self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"here are /health and /metrics\n")

        def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is Python's
            """Nobody reads a line for each probe."""

    return Handler
