"""What the subcommands share about talking to a person or to a script.

Results go to stdout: tables for people, or one JSON object on one line. Progress and warnings go to stderr.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from storage.session import Database

from ..errors import NodeError
from ..settings import Settings, load_settings

Config = Annotated[
    Path | None, typer.Option("--config", envvar="DICOMNODE_CONFIG", help="The settings file (TOML).", exists=True)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on one line, the last of stdout.")]

PIPE_COLUMNS = 240
"""A file or a pipe has no width; what is read there is searched for whole identifiers."""

out = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
err = Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_COLUMNS)


def settings_from(config: Path | None) -> Settings:
    """The settings of a command: the file, the environment, the defaults."""
    return load_settings(config)


def ledger_of(settings: Settings) -> Database:
    """The ledger of a node that has run; asking about one that is not there must not make it."""
    own = settings.storage.path / "ledger.sqlite"
    if not settings.database.url and not own.exists():
        raise NodeError(f"there is no ledger at {own}; is --config right? `dicomnode serve` and `migrate` make one")
    return Database(settings.database_url)


def write_json(values: Mapping[str, Any]) -> None:
    """Print the one line that a script reads."""
    sys.stdout.write(json.dumps(values, allow_nan=False, default=str) + "\n")
    sys.stdout.flush()


def warn(sentence: str) -> None:
    """Say something on stderr that a person should know."""
    err.print(f"[yellow]warning:[/] {sentence}", highlight=False)


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A spinner with the step under way, on stderr."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("starting", total=None)
        yield lambda step: progress.update(task, description=step)


Each = Callable[[str, Sequence[str]], Iterator[str]]


@contextlib.contextmanager
def bars() -> Iterator[Each]:
    """Gives what goes through a list under a name, with a bar on stderr for each list."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield lambda name, things: iter(progress.track(things, description=name))
