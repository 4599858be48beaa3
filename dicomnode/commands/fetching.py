"""`fetch`: have a peer send a study or series, to the node or into a folder; and what prefetch needs of the rest."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from storage.records import PatientIdentity, ReceivedInstance

from ..errors import NodeError, SettingsError
from ..match import Sameness, same_patient
from ..network.association import Limits
from ..prefetch import dicomweb
from ..prefetch.retrieve import get, move
from ..prefetch.taking import Brought, Take, Way
from ..receive.file_format import part10_file, received_in
from ..receive.outcome import Take as Keep
from ..receive.outcome import answer
from ..settings import Settings
from .peers import Calling, Peer, calling_ae_title_of, peer_of
from .terminal import Config, Json, err, out, settings_from, write_json


def fetch(
    peer: Peer,
    study: Annotated[str, typer.Option("--study", help="Study Instance UID.")],
    series: Annotated[str, typer.Option("--series", help="Series Instance UID; the whole study unless given.")] = "",
    by: Annotated[Way, typer.Option("--by", help="C-MOVE, C-GET, or WADO-RS at the peer's dicomweb_url.")] = Way.MOVE,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="With move: the AE title that gets it, which the peer knows; the node's unless given."
        ),
    ] = "",
    folder: Annotated[Path | None, typer.Option("--out", help="With get and dicomweb: where the files go.")] = None,
    calling: Calling = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Have a peer send a study or series; exit code 1 when not everything came."""
    settings = settings_from(config)
    if (folder is None) is not (by is Way.MOVE):
        raise SettingsError("--out goes with --by get and --by dicomweb; what is moved goes to an AE title (--to)")
    brought = _fetched(
        settings, peer, {"StudyInstanceUID": study, "SeriesInstanceUID": series}, by, to, folder, calling
    )
    if json:
        write_json({"came": brought.came, "failed": brought.failed, "reason": brought.reason})
    else:
        out.print(f"{brought.came} instances came", highlight=False)
        if brought.failed:
            err.print(f"[red]{brought.failed} did not:[/] {brought.reason}", highlight=False)
    if brought.failed or not brought.came:
        raise typer.Exit(1)


def _fetched(
    settings: Settings, name: str, keys: dict[str, str], by: Way, to: str, folder: Path | None, calling: str
) -> Brought:
    peer, limits = peer_of(settings, name), Limits.of(settings.node)
    calling_ae_title = calling_ae_title_of(settings, calling)
    columns = (TextColumn("fetching"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("fetching", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if folder is None:
            there = to or settings.node.ae_title
            return move(peer, calling_ae_title, keys, there, limits=limits, on_progress=tell)
        take = _into(folder)
        if by is Way.GET:
            return get(peer, calling_ae_title, keys, take, limits=limits, on_progress=tell)
        if not peer.dicomweb_url:
            raise SettingsError(f"{name!r} has no dicomweb_url in the settings")
        study, series = keys["StudyInstanceUID"], keys["SeriesInstanceUID"]
        most_bytes = settings.node.max_instance_bytes
        return dicomweb.bring(peer, study, series, take, file_in, most_bytes=most_bytes, limits=limits)


def _into(folder: Path) -> Take:
    """Writes each instance as a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NodeError(f"{folder} cannot be made: {error.strerror}") from error

    def take(received: ReceivedInstance) -> int:
        name = "".join(char for char in received.sop_instance_uid if char.isdigit() or char == ".")
        (folder / f"{name or 'unnamed'}.dcm").write_bytes(part10_file(received))
        return 0

    return take


def status_of_taking(keep: Keep, received: ReceivedInstance) -> int:
    """The status with which the node would have answered a C-STORE of it."""
    return answer(keep, lambda: received).code


def file_in(file: bytes) -> ReceivedInstance:
    """The instance that a DICOM file holds. Raises `NotParsableError`."""
    return received_in(file, datetime.now(UTC))


def why_not_one_patient(a: PatientIdentity, b: PatientIdentity) -> str:
    """Empty when matching would hold the two to be one patient."""
    verdict = same_patient(a, b)
    return "" if verdict.sameness is Sameness.MATCH else verdict.reason
