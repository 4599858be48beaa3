"""`audit verify`: whether the local audit file is as it was written."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..errors import SettingsError
from ..observe.audit_chain import verify as verify_chain
from .terminal import Config, Json, out, settings_from, write_json

audit_app = typer.Typer(help="What the node has accounted for.", no_args_is_help=True)


@audit_app.callback()
def audit() -> None:
    """What the node has accounted for."""


@audit_app.command()
def verify(
    file: Annotated[
        Path | None, typer.Option("--file", help="An audit file; that of the settings unless given.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check the chain of the audit file; exit code 1 and the number of the line where it breaks."""
    path = file
    if path is None:
        named = settings_from(config).audit.file
        if not named:
            raise SettingsError("audit.file is empty: there is no audit file; name one with --file")
        path = Path(named)
    found = verify_chain(path)
    if json:
        write_json(asdict(found))
    else:
        out.print(f"{found.lines} lines, every one follows from the one before; the last is {found.digest}")
