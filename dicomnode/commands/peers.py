"""`send`, `echo` and `find`: this node as a workstation would use a peer."""

import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..errors import SettingsError
from ..network.echo import echo as c_echo
from ..network.find import find as c_find
from ..settings import PeerSettings, Settings
from .terminal import Config, Json, err, out, settings_from, write_json

Peer = Annotated[str, typer.Argument(help="A peer of the settings, or AET@host:port.")]
To = Annotated[str, typer.Option("--to", help="A peer of the settings, or AET@host:port.")]
Calling = Annotated[str, typer.Option("--calling", help="Our AE title, unless the one of the settings.")]

ADDRESS = re.compile(r"(?P<ae_title>[^@]{1,16})@(?P<host>[^:]+|\[[^\]]+\]):(?P<port>\d{1,5})")


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
    files = files_below(paths)
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.perf_counter()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("sending", total=len(files))
        report = send_files(
            peer_of(settings, to),
            calling or settings.node.ae_title,
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
    seconds = c_echo(address, calling or settings.node.ae_title)
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
    answers = c_find(peer_of(settings, peer), calling or settings.node.ae_title, level, wanted)
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
    return PeerSettings(ae_title=values["ae_title"], host=values["host"].strip("[]"), port=int(values["port"]))


def files_below(paths: list[Path]) -> list[Path]:
    """Every file that was named or lies below a named folder, in order."""
    return [
        file
        for path in paths
        for file in (sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path])
    ]
