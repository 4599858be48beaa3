"""In and out: sessions, wrong passwords, and what a login leaves behind."""

import re
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import pytest

from dicomnode.answer.web import WebParts, WebServer
from dicomnode.answer.web.guard import COOKIE
from dicomnode.answer.web.passwords import fits, hashed, is_outdated
from dicomnode.answer.web.throttle import FREE_FAILURES, Throttle
from dicomnode.errors import PeerUnreachableError, SettingsError
from dicomnode.observe.audit_trail import AuditTrail
from dicomnode.settings import AuditSettings, Settings, WebSettings
from storage.errors import AlreadyThereError
from storage.records import Role
from tests.fixtures.orthanc import free_port
from tests.fixtures.pages import PASSWORD, Pages, hash_of


def test_before_there_is_a_user_nothing_is_shown(pages: Pages) -> None:
    answer = pages.visitor().get("/login")
    assert "users add" in answer.text
    assert 'method="post"' not in answer.text


def test_in_and_out(pages: Pages) -> None:
    browser = pages.someone(Role.VIEWER)
    assert browser.get("/").status_code == 200
    token = browser.client.cookies[COOKIE]
    assert browser.post("/logout").headers["location"] == "/login"
    browser.client.cookies.set(COOKIE, token)  # a copy of it is worth nothing either
    assert browser.get("/").status_code == 303


def test_a_planted_token_is_not_the_one_after_the_login(pages: Pages) -> None:
    pages.someone(Role.VIEWER)
    victim = pages.visitor()
    victim.client.cookies.set(COOKIE, "planted")
    answer = victim.log_in("Some viewer")
    assert re.search(rf"{COOKIE}=(?!planted)", answer.headers["set-cookie"])
    assert "HttpOnly" in answer.headers["set-cookie"]
    thief = pages.visitor()
    thief.client.cookies.set(COOKIE, "planted")
    assert thief.get("/").status_code == 303


def test_a_login_ends_by_itself_and_when_it_is_not_used(pages: Pages) -> None:
    pages.someone(Role.VIEWER)
    user, now = pages.parts.people.get("some  VIEWER"), datetime.now(UTC)
    token, _ = pages.parts.sessions.begin(user, "127.0.0.1", now, timedelta(hours=12))
    idle = timedelta(minutes=30)
    assert pages.parts.sessions.get(token, now + timedelta(minutes=29), idle) is not None
    assert pages.parts.sessions.get(token, now + timedelta(minutes=58), idle) is not None
    assert pages.parts.sessions.get(token, now + timedelta(minutes=89), idle) is None
    assert pages.parts.sessions.get(token, now + timedelta(hours=12), timedelta(days=9)) is None


@pytest.mark.parametrize("change", ["password", "role", "removed"])
def test_a_change_of_the_user_ends_every_login(pages: Pages, change: str) -> None:
    browser, people = pages.someone(Role.VIEWER), pages.parts.people
    if change == "password":
        people.set_password("Some viewer", hash_of(PASSWORD))
    elif change == "role":
        people.set_role("Some viewer", Role.REVIEWER)
    else:
        people.remove("Some viewer")
    assert browser.get("/").status_code == 303


def test_another_login_can_be_ended_but_not_somebody_elses(pages: Pages) -> None:
    mine, other = pages.someone(Role.VIEWER), pages.visitor()
    other.log_in("Some viewer")
    foreign = pages.someone(Role.REVIEWER)
    user = pages.parts.people.get("Some viewer")
    newest = pages.parts.sessions.of_user(user.user_id, datetime.now(UTC))[0]
    assert foreign.post(f"/account/logins/{newest.session_id}/end").status_code == 404
    assert other.get("/").status_code == 200
    assert mine.post(f"/account/logins/{newest.session_id}/end").status_code == 303
    assert other.get("/").status_code == 303


def test_wrong_passwords_slow_down(pages: Pages) -> None:
    pages.someone(Role.VIEWER)
    browser = pages.visitor()
    for _ in range(FREE_FAILURES):
        answer = browser.log_in("Some viewer", "wrong")
        assert (answer.status_code, "Name or password are wrong" in answer.text) == (401, True)
    answer = browser.log_in("Some viewer")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert pages.visitor("::1").log_in("Some viewer").status_code == 303, "others are not locked out"


def test_the_wait_doubles_and_is_forgotten() -> None:
    clock = [1000.0]
    throttle = Throttle(lambda: clock[0])
    waits = []
    for _ in range(FREE_FAILURES + 20):
        waits.append(throttle.wait_s("a", "there"))
        throttle.failed("a", "there")
    assert waits[:FREE_FAILURES] == [0.0] * FREE_FAILURES
    assert waits[FREE_FAILURES : FREE_FAILURES + 3] == [2.0, 4.0, 8.0]
    assert max(waits) == 900.0
    assert throttle.wait_s("a", "elsewhere") == 0.0
    clock[0] += 4000
    throttle.failed("a", "there")
    assert throttle.wait_s("a", "there") == 0.0


def test_names_from_one_address_cannot_be_tried_for_ever() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(60):
        throttle.failed(f"name {number}", "there")
    assert throttle.wait_s("another", "there") > 0


def test_passwords() -> None:
    assert fits(PASSWORD, hash_of(PASSWORD))
    assert not fits("another password", hash_of(PASSWORD))
    assert not fits("", "")
    assert not fits("nobody has this password", "")
    assert not fits("x" * 5000, hash_of(PASSWORD))
    assert hash_of(PASSWORD).startswith("$argon2id$")
    assert not is_outdated(hash_of(PASSWORD))
    with pytest.raises(SettingsError, match="12"):
        hashed("too short")


def test_the_last_administrator_stays(pages: Pages) -> None:
    people = pages.parts.people
    people.add("a", Role.ADMINISTRATOR)
    people.add("b", Role.VIEWER)
    with pytest.raises(AlreadyThereError, match="last"):
        people.remove("a")
    with pytest.raises(AlreadyThereError, match="last"):
        people.set_role("A", Role.VIEWER)
    people.remove("b")
    people.remove("a")
    assert not people.any()


def test_logins_are_accounted_for(pages: Pages, tmp_path: object) -> None:
    file = f"{tmp_path}/audit.log"
    pages.parts.audit.__init__(  # type: ignore[misc]
        Settings(audit=AuditSettings(file=file))
    )
    browser = pages.someone(Role.VIEWER)
    pages.visitor().log_in("Some viewer", "wrong")
    browser.post("/logout")
    pages.parts.audit.stopped()
    with open(file, encoding="utf-8") as lines:  # noqa: PTH123 - a path as text
        said = lines.read()
    assert re.findall(r'EventOutcomeIndicator="(\d)".{0,200}csd-code="(11012[23])"', said) == [
        ("0", "110122"),
        ("4", "110122"),
        ("0", "110123"),
    ]
    assert 'UserID="Some viewer"' in said


def test_the_server_answers_and_ends(pages: Pages) -> None:
    sick: list[Exception] = []

    def check() -> None:
        for error in sick:
            raise error

    web = WebSettings(port=free_port())
    settings = pages.parts.settings.model_copy(update={"web": web})
    parts = WebParts(
        settings, pages.parts.database, pages.parts.store, AuditTrail.silent(), {"dicom": check}, {"database": check}
    )
    server = WebServer(parts)
    server.start()
    try:
        assert server.port is not None
        for path, answer in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/login", 200), ("/", 401)):
            connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", path)
            assert connection.getresponse().status == answer, path
            connection.close()
        sick.append(PeerUnreachableError("no association"))
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 503
        connection.close()
        with pytest.raises(SettingsError, match="cannot listen"):
            WebServer(parts).start()
    finally:
        server.stop()
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection("127.0.0.1", web.port, timeout=5).connect()
