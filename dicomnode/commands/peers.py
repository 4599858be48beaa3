"""`send`, `echo` and `find`: this node as a workstation would use a peer."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..errors import NodeError, SettingsError
from ..network.echo import echo as c_echo
from ..network.find import find as c_find
from ..settings import PeerSettings, Settings
from .terminal import Config, Json, err, out, settings_from, warn, write_json

Peer = Annotated[str, typer.Argument(help="A peer of the settings, or AET@host:port.")]
To = Annotated[str, typer.Option("--to", help="A peer of the settings, or AET@host:port.")]
Calling = Annotated[str, typer.Option("--calling", help="Our AE title, unless the one of the settings.")]

ADDRESS = re.compile(r"(?P<ae_title>[^@]{1,16})@(?P<host>[^:]+|\[[^\]]+\]):(?P<port>\d{1,5})")

NAMED_AT_MOST = 3
"""Files that stay behind, in a warning."""


def send(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files or folders.", exists=True)],
    to: To,
    calling: Calling = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Send files by C-STORE; exit code 1 when the peer did not take all of them."""
    from ..send.storage_scu import send_files

    settings = settings_from(config)
    address, calling_ae_title = peer_of(settings, to), calling_ae_title_of(settings, calling)
    files = files_below(paths)
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.perf_counter()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("sending", total=len(files))
        report = send_files(
            address,
            calling_ae_title,
            files,
            on_progress=lambda done, _total: progress.update(task, completed=done),
        )
    seconds = time.perf_counter() - started
    if json:
        write_json({"sent": report.stored, "refused": dict(report.refused), "seconds": round(seconds, 3)})
    else:
        out.print(f"{report.stored} of {len(files)} instances sent in {seconds:.1f} s", highlight=False)
        for uid, status in report.refused.items():
            err.print(f"[red]refused[/] {uid}: {status}", highlight=False)
    if report.refused:
        raise typer.Exit(1)


def echo(peer: Peer, calling: Calling = "", config: Config = None, json: Json = False) -> None:
    """Ask a peer whether it is there (C-ECHO)."""
    settings = settings_from(config)
    address = peer_of(settings, peer)
    seconds = c_echo(address, calling_ae_title_of(settings, calling))
    if json:
        write_json({"ae_title": address.ae_title, "host": address.host, "port": address.port, "seconds": seconds})
    else:
        out.print(f"{address.ae_title} answered in {seconds * 1000:.0f} ms", highlight=False)


def find(
    peer: Peer,
    keys: Annotated[
        list[str] | None, typer.Option("--key", "-k", help="Keyword=value; a keyword alone asks for it.")
    ] = None,
    level: Annotated[str, typer.Option("--level", help="PATIENT, STUDY, SERIES or IMAGE.")] = "STUDY",
    calling: Calling = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Ask a peer what it holds (C-FIND, Study Root; Patient Root at the level PATIENT)."""
    settings = settings_from(config)
    wanted = dict(key.partition("=")[::2] for key in keys or ())
    answers = c_find(peer_of(settings, peer), calling_ae_title_of(settings, calling), level, wanted)
    if json:
        write_json({"answers": answers})
        return
    names = sorted({name for answer in answers for name in answer})
    table = Table(*names)
    for answer in answers:
        table.add_row(*(str(answer.get(name, "")) for name in names))
    out.print(table)


def peer_of(settings: Settings, name: str) -> PeerSettings:
    """The peer that the command line names; `SettingsError` lists what could have been meant."""
    if name in settings.peers:
        return settings.peers[name]
    match = ADDRESS.fullmatch(name)
    if match is None:
        known = ", ".join(sorted(settings.peers)) or "none"
        raise SettingsError(f"{name!r} is no peer of the settings (known: {known}) and not of the form AET@host:port")
    values: dict[str, Any] = match.groupdict()
    return _checked(name, values["ae_title"], host=values["host"].strip("[]"), port=int(values["port"]))


def calling_ae_title_of(settings: Settings, wanted: str) -> str:
    """Our AE title: the wanted one, else that of the settings. Raises `SettingsError` for one that cannot be."""
    return _checked(wanted, wanted).ae_title if wanted else settings.node.ae_title


def _checked(name: str, ae_title: str, **address: Any) -> PeerSettings:
    """A peer by the rules of the settings; what is wrong with the `name` that a person gave is one sentence."""
    try:
        return PeerSettings(ae_title=ae_title, **address)
    except ValidationError as error:
        (problem, *_) = error.errors()
        reason = problem["ctx"]["error"] if problem["type"] == "value_error" else problem["msg"]
        raise SettingsError(f"{name!r}: {problem['loc'][0]}: {reason}") from error


def files_below(paths: Sequence[Path]) -> list[Path]:
    """Every file that was named, and every DICOM file below a named folder, in order; what else lies there is left out.

    Raises `NodeError` for a folder that holds none.
    """
    return [file for path in paths for file in (_dicom_files(path) if path.is_dir() else [path])]


def _dicom_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in files if _holds_an_instance(path)]
    if not found:
        raise NodeError(f"{folder} holds no DICOM file")
    if len(found) < len(files):
        others = [path.name for path in files if path not in set(found)]
        names = ", ".join(others[:NAMED_AT_MOST]) + (", …" if len(others) > NAMED_AT_MOST else "")
        warn(f"{len(others)} of {len(files)} files in {folder} are no DICOM instances and stay behind: {names}")
    return found


def _holds_an_instance(path: Path) -> bool:
    """Whether the file begins as PS3.10 7.1 says and is no directory of files (which is always called so, 8.6)."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM" and path.name.upper() != "DICOMDIR"
    except OSError:
        return True  # sending it says why it cannot be read
