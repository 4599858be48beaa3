"""Nobody is forgotten: a real mail server and a real webhook hear what waits, once, and again when it still does."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from dicomnode.notify import Notifier
from dicomnode.settings import NotifySettings, Settings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.notices import Notices
from storage.outbox import Outbox
from storage.records import CaseState
from storage.session import Database
from tests.fixtures.orthanc import free_port
from tests.fixtures.stored_records import case_result, derived_series, fusion_plan

SECRET = "between us"


@dataclass
class Hook:
    """A webhook that remembers."""

    status: int = 204
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def values(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]


@dataclass
class MailBox:
    """A mail server that keeps what it is handed."""

    port: int = 0
    mails: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        self.mails.append(envelope.content.decode())
        return "250 kept"


@pytest.fixture
def hook() -> Iterator[Hook]:
    told = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if told.status < 300:
                told.heard.append((self.headers["Dicomnode-Signature"], body))
            self.send_response(told.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mail_box() -> Iterator[MailBox]:
    box = MailBox()
    box.port = free_port()  # the controller greets the port that it was told, and cannot be told any
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


@dataclass
class Told:
    """A ledger with a notifier."""

    database: Database
    now: datetime
    settings: NotifySettings

    def look(self, **later: float) -> None:
        """One look of a notifier that was just started, `later`."""
        self.now += timedelta(**later)
        notifier = Notifier(
            Settings(notify=self.settings),
            Notices(self.database),
            Cases(self.database),
            Catalogue(self.database),
            Outbox(self.database),
        )
        notifier.run_once(self.now)

    def put_up_for_review(self, name: str = "a") -> str:
        """A case that waits for a person."""
        cases = Cases(self.database)
        cases.open(fusion_plan(name), f"patient {name}", CaseState.QUEUED, "matched", "scheduler")
        claim = cases.claim("worker", 60, datetime.now(UTC))
        assert claim is not None
        result = case_result(derived_series(), verdict="review")
        return cases.record_result(claim, result, CaseState.REVIEW, "verdict review", ()).case_id


@pytest.fixture
def told(tmp_path: Path, hook: Hook) -> Iterator[Told]:
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(database)
    settings = NotifySettings(webhook=hook.url, webhook_secret=SECRET)
    yield Told(database, datetime.now(UTC) + timedelta(seconds=1), settings)
    database.dispose()


def test_a_case_is_told_once_reminded_of_and_then_forgotten(told: Told, hook: Hook) -> None:
    case_id = told.put_up_for_review()
    told.look()
    told.look(hours=1)
    (values,) = hook.values
    (matter,) = values["matters"]
    assert (matter["kind"], matter["subject"]) == ("review", case_id)
    assert "patient" not in json.dumps(values), "nothing names whose images they are"

    told.look(hours=24)
    assert len(hook.heard) == 2, "it still waits"
    Cases(told.database).reject(case_id, "Dr Who", "the wrong side")
    told.look(days=2)
    assert len(hook.heard) == 2, "it does not wait any more"


def test_a_signature_proves_who_says_it(told: Told, hook: Hook) -> None:
    told.put_up_for_review()
    told.look()
    ((said, body),) = hook.heard
    at, _, proof = said.partition(",v1=")
    expected = hmac.new(SECRET.encode(), f"{at.removeprefix('t=')}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(proof, expected)


@pytest.mark.parametrize("status", [500, 302])
def test_what_a_webhook_did_not_take_it_is_told_again(told: Told, hook: Hook, status: int) -> None:
    told.put_up_for_review()
    hook.status = status
    told.look()
    assert hook.heard == []
    hook.status = 200
    told.look(seconds=30)
    assert len(hook.heard) == 1


def test_quiet_time_delays_and_loses_nothing(told: Told, hook: Hook) -> None:
    told.now = told.now.replace(hour=23, minute=0) + timedelta(days=1)
    told.settings = told.settings.model_copy(update={"quiet": "22:00-06:00"})
    told.put_up_for_review()
    told.look()
    assert hook.heard == []
    told.look(hours=7, minutes=1)
    assert len(hook.heard) == 1


def test_the_summary_comes_once_a_day_with_all_that_is_open(told: Told, hook: Hook) -> None:
    told.now = told.now.replace(hour=8, minute=0) + timedelta(days=1)
    told.settings = told.settings.model_copy(update={"summary_at": "07:00", "at_once": ()})
    told.put_up_for_review("a")
    told.put_up_for_review("b")
    told.look()
    told.look(hours=3)
    assert [(len(values["matters"]), values["summary"]) for values in hook.values] == [(2, True)]
    told.look(hours=20)
    assert [len(values["matters"]) for values in hook.values] == [2, 2]


def test_a_mail_says_it_to_people(told: Told, mail_box: MailBox) -> None:
    told.settings = NotifySettings(
        mail_to=("a@hospital.example", "b@hospital.example"),
        mail_from="fusion@hospital.example",
        smtp_host="127.0.0.1",
        smtp_port=mail_box.port,
        smtp_tls="none",
    )
    case_id = told.put_up_for_review()
    told.look()
    (mail,) = mail_box.mails
    assert "Subject: [FUSIONNODE] 1 matter waits" in mail
    assert "a@hospital.example, b@hospital.example" in mail
    assert case_id[:8] in mail
    assert "waits for a person" in mail


def test_a_mail_server_that_is_down_delays(told: Told, mail_box: MailBox) -> None:
    down = NotifySettings(
        mail_to=("a@hospital.example",),
        mail_from="fusion@hospital.example",
        smtp_host="127.0.0.1",
        smtp_port=1,
        smtp_tls="none",
    )
    told.settings = down
    told.put_up_for_review()
    told.look()
    told.settings = down.model_copy(update={"smtp_port": mail_box.port})
    told.look(seconds=30)
    assert len(mail_box.mails) == 1
