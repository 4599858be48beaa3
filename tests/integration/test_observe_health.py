"""Health and metrics over HTTP."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from dicomnode.errors import PeerUnreachableError
from dicomnode.observe.health import HealthServer
from dicomnode.observe.metrics import CASES, INSTANCES_RECEIVED


class Sickness:
    """A check that fails while `error` is set."""

    error: Exception | None = None

    def __call__(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def sickness() -> Sickness:
    return Sickness()


@pytest.fixture
def server(sickness: Sickness) -> Iterator[HealthServer]:
    health = HealthServer("127.0.0.1", 0, {"dicom": sickness, "database": lambda: None})
    health.start()
    yield health
    health.stop()


def get(server: HealthServer, path: str) -> tuple[int, str, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read().decode()
    connection.close()
    return found


def test_health_is_that_of_its_checks(server: HealthServer, sickness: Sickness) -> None:
    status, content_type, body = get(server, "/health")
    assert (status, content_type) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "checks": {"dicom": "ok", "database": "ok"}}
    sickness.error = PeerUnreachableError("no association with NODE@127.0.0.1:104")
    status, _, body = get(server, "/health")
    assert status == 503
    assert json.loads(body)["checks"]["dicom"].startswith("PeerUnreachableError: no association")
    sickness.error = ValueError("Marked^Patient")
    assert "Marked" not in get(server, "/health")[2]


def test_metrics_are_what_was_counted(server: HealthServer) -> None:
    INSTANCES_RECEIVED.labels("new").inc()
    CASES.labels("queued").set(3)
    status, content_type, body = get(server, "/metrics")
    assert (status, content_type.split(";")[0]) == (200, "text/plain")
    assert 'dicomnode_instances_received_total{outcome="new"}' in body
    assert 'dicomnode_cases{state="queued"} 3.0' in body


def test_nothing_else_is_there(server: HealthServer) -> None:
    assert get(server, "/etc/passwd")[0] == 404
