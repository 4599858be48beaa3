"""One line an event, on standard error: a sentence, an action, identifiers; never what a header says of a patient.

Not to log such values is the duty of each caller. This module keeps the libraries to it: their loggers are held to
what cannot quote a value, warnings and foreign exceptions are told by type and place without their text.
"""

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]

LIBRARY_LEVELS: dict[str, int] = {
    "pynetdicom": logging.WARNING,  # below, it prints identifiers of requests
    "pydicom": logging.CRITICAL,  # its warnings and errors quote the value that they are about
    "highdicom": logging.CRITICAL,
    "apscheduler": logging.WARNING,
    "alembic": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "PIL": logging.WARNING,
    "matplotlib": logging.WARNING,
}

OWN_PACKAGES = ("dicomnode", "fusion", "storage")
"""Exceptions of these say nothing of a patient; the text of any other may."""

log = structlog.get_logger("dicomnode")


def configure_logs(level: Level = "info", *, json_lines: bool = False, stream: TextIO | None = None) -> None:
    """Send everything that is logged to `stream` (standard error), as text for a person or as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_exceptions,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    output = stream or sys.stderr
    renderer: Processor = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=output.isatty())
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, floor in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(floor)
    warnings.showwarning = _log_warning
    threading.excepthook = _log_thread


def _log_warning(
    message: Warning | str,  # noqa: ARG001 - it may quote a value
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the signature is Python's
    line: str | None = None,  # noqa: ARG001
) -> None:
    log.debug("a library warned", action="warning", category=category.__name__, place=f"{_short(filename)}:{lineno}")


def _log_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "?"
    log.error("a thread ended by an exception", action="thread_failed", thread=name, exc_info=args.exc_value)


def _tell_exceptions(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what went wrong, and where, in place of a traceback."""
    record = event.get("_record")
    said = record.msg if isinstance(record, logging.LogRecord) else event.get("event")
    if isinstance(said, BaseException):
        event["event"] = describe(said)
    error = _exception_of(event.pop("exc_info", None))
    if error is not None:
        event.update(account(error))
    return event


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def account(error: BaseException) -> dict[str, object]:
    """What went wrong and where, as fields of a line; safe to log also where `configure_logs` was never called."""
    return {"error": describe(error), "trace": list(_places(error.__traceback__))}


def describe(error: BaseException) -> str:
    """The exception and its causes, each by type; with its text only where that is ours or the system's."""
    parts: list[str] = []
    link: BaseException | None = error
    while link is not None:
        parts.append(_describe_one(link))
        link = link.__cause__
    return " <- ".join(parts)


def _describe_one(error: BaseException) -> str:
    name = type(error).__name__
    if type(error).__module__.split(".")[0] in OWN_PACKAGES:
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return name


def _places(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace):
        yield f"{_short(frame.filename)}:{frame.lineno} {frame.name}"


def _short(filename: str) -> str:
    return "/".join(Path(filename).parts[-3:])
