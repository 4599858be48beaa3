"""`support-bundle`: what somebody who helps needs to know about a node, and nothing about a patient.

The parts are made without patients' data. As a second line, whatever the ledger knows of patients (names, identifiers,
birth dates, descriptions) is looked for in every part and blotted out: a log may be anybody's.
"""

import json as text_of
import os
import platform
import re
import shutil
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from http.client import HTTPException
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any

import typer

from storage.census import census, failures, identities
from storage.errors import StorageError
from storage.migrate import current_revision, head_revision
from storage.session import Database

from ..errors import NodeError
from ..settings import Settings
from .terminal import Config, Json, ledger_of, out, settings_from, steps, write_json
from .upkeep import examine

TAIL_BYTES = 1 << 20
"""Of a log the end tells what happened; more would be read by nobody."""

SHORTEST = 4
"""A shorter text stands in too many places for a reason of its own."""

BLOT = "[patient]"
REMOVED = "[removed]"
SECRET = re.compile(r"password|secret|token|authorization|api_?key|credential|webhook")
USER_INFO = re.compile(r"(?<=://)[^/@\s\"]+@|(?<=password=)[^&\s\"]+")


def support_bundle(
    file: Annotated[Path, typer.Option("--out", help="The ZIP file to write.")],
    log: Annotated[Path | None, typer.Option("--log", help="A log of the node, of which the end is put in.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Put what somebody who helps needs to know into one file: no secrets, nothing about a patient."""
    settings = settings_from(config)
    with steps() as progress:
        parts = collect(settings, log, progress)
        progress("blotting out")
        parts = blotted(parts, known_of_patients(settings))
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, content in parts.items():
                bundle.writestr(name, content)
    if json:
        write_json({"file": str(file), "parts": sorted(parts)})
    else:
        out.print(f"{file}: {', '.join(sorted(parts))}; look through it before you give it away", highlight=False)


def collect(settings: Settings, log: Path | None, progress: Callable[[str], None]) -> dict[str, str]:
    """Every part by its name, as text."""
    makers: dict[str, Callable[[], str]] = {
        "versions.json": lambda: _json(versions()),
        "settings.json": lambda: _json(without_secrets(settings)),
        "doctor.json": lambda: _json([asdict(finding) for finding in examine(settings)]),
        "ledger.json": lambda: _json(ledger_values(ledger_of(settings))),
        "disk.json": lambda: _json(disk_values(settings)),
        "metrics.txt": lambda: metrics_of(settings),
    }
    if log is not None:
        makers["log.txt"] = lambda: tail(log)
    parts = {}
    for name, make in makers.items():
        progress(name)
        try:
            parts[name] = make()
        except (NodeError, StorageError, OSError) as error:  # what is broken is why somebody asks for help
            parts[name] = f"{type(error).__name__}: {error}\n"
    return parts


def versions() -> dict[str, Any]:
    """The machine and what is installed here."""
    return {
        "made_at": datetime.now(UTC).isoformat(),
        "python": sys.version,
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "distributions": {each.name: each.version for each in sorted(distributions(), key=lambda one: one.name)},
    }


def without_secrets(settings: Settings) -> Any:
    """The settings as plain values; what lets somebody in is not among them."""
    return _without_secrets(settings.model_dump(mode="json"))


def _without_secrets(values: Any, name: str = "") -> Any:
    if isinstance(values, Mapping):
        return {key: _without_secrets(value, str(key)) for key, value in values.items()}
    if isinstance(values, list):
        return [_without_secrets(value, name) for value in values]
    if not isinstance(values, str) or not values:
        return values
    return REMOVED if SECRET.search(name.lower()) else USER_INFO.sub(REMOVED, values)


def ledger_values(database: Database) -> dict[str, Any]:
    """Its revision, how much it holds in which state, and the kinds of errors."""
    return {
        "database": "sqlite" if database.is_sqlite else "postgresql",
        "revision": current_revision(database),
        "newest_revision": head_revision(),
        "rows": census(database),
        "failures": failures(database),
    }


def disk_values(settings: Settings) -> dict[str, Any]:
    """How much room there is, and how many files wait to be settled."""
    path = settings.storage.path
    usage = shutil.disk_usage(path)
    waiting = {name: len(list((path / "objects" / name).glob("*"))) for name in ("incoming", "arrived")}
    return {"total": usage.total, "free": usage.free, "reserve": settings.storage.reserve_bytes, "files": waiting}


def metrics_of(settings: Settings) -> str:
    """What the running node has counted."""
    web = settings.web
    if not web.port:
        return "web.port is 0: nothing is counted for others\n"
    if web.certificate:
        return "the pages are served over HTTPS: fetch /metrics by the name in the certificate\n"
    try:
        with urllib.request.urlopen(f"http://{web.host}:{web.port}/metrics", timeout=10) as response:
            return str(response.read().decode())
    except (OSError, HTTPException) as error:
        return f"the node does not answer at {web.host}:{web.port}: {error}\n"


def tail(log: Path) -> str:
    """The last whole lines of a log, at most a mebibyte."""
    size = log.stat().st_size
    with log.open("rb") as opened:
        opened.seek(max(0, size - TAIL_BYTES))
        text = opened.read(TAIL_BYTES).decode(errors="replace")
    return text if size <= TAIL_BYTES else text.partition("\n")[2]


def known_of_patients(settings: Settings) -> set[str]:
    """Every text by which the ledger knows somebody; of a name also its parts."""
    try:
        return set(_parts(identities(ledger_of(settings))))
    except (NodeError, StorageError):
        return set()  # without a ledger there is nobody it knows, and the doctor's part says so


def _parts(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield text
        yield text.replace("^", " ")
        yield from re.split(r"[\^=]", text)
        if re.fullmatch(r"\d{8}", text):
            yield f"{text[:4]}-{text[4:6]}-{text[6:]}"


def blotted(parts: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """The parts with every known text of some length blotted out where it stands as a word, in any case."""
    cleaned = dict(parts)
    for text in sorted({each.strip() for each in known}, key=len, reverse=True):
        if len(text) < SHORTEST:
            continue
        for name, content in cleaned.items():
            if text.lower() in content.lower():
                cleaned[name] = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", BLOT, content, flags=re.IGNORECASE)
    return cleaned


def _json(values: Any) -> str:
    return text_of.dumps(values, indent=2, default=str, allow_nan=False) + "\n"
