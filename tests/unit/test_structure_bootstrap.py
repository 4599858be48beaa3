"""What stands behind the two commands reaches whom it is meant for. No environment is made here."""

import subprocess
import sys
from typing import Any

import pytest

import bootstrap


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that bootstrap would run, in order; each of them succeeds."""
    ran: list[list[str]] = []

    def call(command: list[Any], **_: Any) -> int:
        ran.append([str(word) for word in command])
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setattr(bootstrap, "make_environment", lambda **_: None)
    return ran


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", *arguments])
    return bootstrap.main()


def test_the_demonstration_gets_its_options(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> None:
    assert run(monkeypatch, "demo", "--data", "DIR", "--out", "there") == 0
    assert commands[-1][1:] == ["-m", "dicomnode.demo", "--data", "DIR", "--out", "there"]


def test_tests_come_after_the_linters_and_get_what_is_left(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    assert run(monkeypatch, "test", "-k", "geometry") == 0
    assert [command[0].rsplit("/", 1)[-1] for command in commands[:4]] == ["ruff", "ruff", "mypy", "lint-imports"]
    assert commands[-1][-4:] == ["-m", "not slow", "-k", "geometry"]


def test_the_slow_suites_are_a_step_of_their_own(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> None:
    assert run(monkeypatch, "test", "--slow") == 0
    (only,) = commands
    assert only[-2:] == ["-m", "slow and not benchmark"]


def test_the_first_failure_ends_it(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> None:
    succeed = subprocess.call

    def fail(command: list[Any], **options: Any) -> int:
        return succeed(command, **options) + 3

    monkeypatch.setattr(subprocess, "call", fail)
    assert run(monkeypatch, "test") == 3
    assert len(commands) == 1


def test_setup_takes_nothing_more(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> None:
    with pytest.raises(SystemExit) as leaving:
        run(monkeypatch, "setup", "--fast")
    assert leaving.value.code == 2
    assert commands == []
