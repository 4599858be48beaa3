"""Quiet time and signatures."""

import hashlib
import hmac
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.errors import SettingsError
from dicomnode.notify.notifier import is_quiet
from dicomnode.notify.webhook import signature
from dicomnode.settings import NotifySettings, load_settings

MINUTES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@pytest.mark.parametrize(
    ("at", "quiet", "expected"),
    [
        (time(23), "22:00-06:00", True),
        (time(5, 59), "22:00-06:00", True),
        (time(6), "22:00-06:00", False),
        (time(12), "11:30-12:30", True),
        (time(12, 30), "11:30-12:30", False),
        (time(12), "", False),
    ],
)
def test_quiet_time_may_reach_over_midnight(at: time, quiet: str, expected: bool) -> None:
    assert is_quiet(at, quiet) is expected


@given(MINUTES, MINUTES, MINUTES)
def test_every_time_is_in_a_span_or_in_the_one_that_is_left(at: time, begin: time, end: time) -> None:
    if begin != end:
        assert is_quiet(at, f"{begin:%H:%M}-{end:%H:%M}") is not is_quiet(at, f"{end:%H:%M}-{begin:%H:%M}")


def test_a_signature_is_what_its_page_says() -> None:
    expected = hmac.new(b"secret", b'1767225600.{"a": 1}', hashlib.sha256).hexdigest()
    assert signature("secret", 1767225600, b'{"a": 1}') == f"t=1767225600,v1={expected}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('quiet = "22-6"', "22:00-06:00"),
        ('summary_at = "7:00"', "07:00"),
        ('mail_to = ["a@b.example"]', "smtp_host"),
        ('webhook = "ftp://b.example"', "https://"),
    ],
)
def test_wrong_settings_say_what_is_allowed(tmp_path_factory: pytest.TempPathFactory, line: str, said: str) -> None:
    path = tmp_path_factory.mktemp("notify") / "node.toml"
    path.write_text(f"[notify]\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        load_settings(path)


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(NotifySettings(smtp_password="hidden", webhook_secret="hidden"))
