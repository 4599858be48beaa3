"""What reaches the log: our sentences and identifiers; never a value that a library or an exception quotes."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from dicomnode.errors import NotParsableError
from dicomnode.observe import account, configure_logs, describe

MARK = "Marked^Patient"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """JSON lines at the most talkative level; everything is put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, warnings.showwarning, threading.excepthook
    stream = io.StringIO()
    configure_logs("debug", json_lines=True, stream=stream)
    yield stream
    root.handlers[:], root.level, warnings.showwarning, threading.excepthook = before
    structlog.reset_defaults()


def fail() -> None:
    try:
        int(MARK)
    except ValueError as error:
        raise NotParsableError("the element (0010,0010) is wrong") from error


def test_a_line_has_its_sentence_fields_and_bound_identifiers(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(association="17"):
        structlog.get_logger().info("instance kept", action="instance_kept", sop_instance_uid="1.2.3")
    line = json.loads(lines.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "instance kept",
        "level": "info",
        "action": "instance_kept",
        "sop_instance_uid": "1.2.3",
        "association": "17",
    }


def test_exceptions_are_told_by_type_and_place(lines: io.StringIO) -> None:
    try:
        fail()
    except NotParsableError:
        structlog.get_logger().exception("it failed")
    line = json.loads(lines.getvalue())
    assert line["error"] == "NotParsableError: the element (0010,0010) is wrong <- ValueError"
    assert any(place.endswith(" fail") for place in line["trace"])
    assert MARK not in lines.getvalue()


def test_libraries_cannot_quote_a_value(lines: io.StringIO) -> None:
    logging.getLogger("pydicom").warning("Invalid value for VR PN: %s", MARK)
    logging.getLogger("pynetdicom.acse").info("(0010,0010) PN [%s]", MARK)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = sys.modules["dicomnode.observe.logs"]._log_warning
        warnings.warn(f"Invalid value for VR PN: {MARK}", UserWarning, stacklevel=1)
    try:
        int(MARK)
    except ValueError as error:
        logging.getLogger("pynetdicom.events").exception(error)  # noqa: TRY401 - as pynetdicom does
    assert MARK not in lines.getvalue()
    events = [json.loads(line)["event"] for line in lines.getvalue().splitlines()]
    assert events == ["a library warned", "ValueError"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_told_without_its_words(lines: io.StringIO) -> None:
    hook = threading.excepthook
    thread = threading.Thread(target=int, args=(MARK,), name="doomed")
    configure_logs("debug", json_lines=True, stream=lines)
    thread.start()
    thread.join()
    threading.excepthook = hook
    line = json.loads(lines.getvalue())
    assert (line["thread"], line["error"]) == ("doomed", "ValueError")


def test_a_pynetdicom_warning_is_formatted(lines: io.StringIO) -> None:
    logging.getLogger("pynetdicom.dul").warning("%d bytes", 12)
    assert json.loads(lines.getvalue())["event"] == "12 bytes"


def test_the_level_is_obeyed() -> None:
    stream = io.StringIO()
    configure_logs("warning", stream=stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()
    structlog.reset_defaults()


def test_an_account_needs_no_configuration() -> None:
    with pytest.raises(NotParsableError) as failure:
        fail()
    assert MARK not in str(account(failure.value))
    assert describe(FileNotFoundError(2, "No such file", "/x")) == "FileNotFoundError: No such file"
