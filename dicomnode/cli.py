"""The `dicomnode` command: what each subcommand is called, and what its exit code means.

Exit codes: 0 done or accepted, 3 a verdict other than accept, 2 wrong usage or settings, 1 failure.
"""

import logging
import sys
from importlib.metadata import packages_distributions

import typer

from storage.errors import StorageError

from .commands import (
    aligned,
    audit,
    backup,
    benchmark,
    conflicts,
    conformance,
    exporting,
    fetching,
    files,
    identity,
    ledger,
    node,
    peers,
    support,
    train,
    upkeep,
    users,
)
from .errors import NodeError, SettingsError
from .network import set_library_globals
from .observe.logs import configure_logs

app = typer.Typer(
    name="dicomnode",
    help="Pairs, registers and fuses CT, MR, PET and SPECT series, and sends derived series back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(node.serve)
app.command()(node.work)
app.command()(files.fuse)
app.command()(files.register)
app.command()(aligned.blend)
app.command()(aligned.metrics)
app.command()(peers.send)
app.command()(peers.echo)
app.command()(peers.find)
app.command()(fetching.fetch)
app.add_typer(ledger.cases_app, name="cases")
app.command()(ledger.series)
app.add_typer(conflicts.conflicts_app, name="conflicts")
app.add_typer(identity.identity_app, name="identity")
app.command()(exporting.export)
app.add_typer(users.users_app, name="users")
app.add_typer(audit.audit_app, name="audit")
app.add_typer(benchmark.benchmark_app, name="benchmark")
app.command()(upkeep.doctor)
app.command()(upkeep.migrate)
app.command()(support.support_bundle)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(conformance.conformance)
app.command()(train.train)

OWN_PACKAGES = ("dicomnode", "fusion", "storage")


def main() -> None:
    """Run the command line; every error of ours is a sentence on stderr and an exit code."""
    try:
        refuse_foreign_packages()
        set_library_globals()
        quieten()
        app()
    except SettingsError as error:
        _leave(error, 2)
    except (NodeError, StorageError) as error:
        _leave(error, 1)


def refuse_foreign_packages() -> None:
    """A node must not run somebody else's `storage`: the three names are generic, and one exists on public indexes."""
    owners = packages_distributions()
    for name in OWN_PACKAGES:
        foreign = set(owners.get(name, ())) - {"dicomnode"}
        if foreign:
            raise NodeError(
                f"the package {name!r} is also installed by {', '.join(sorted(foreign))}; "
                "uninstall that, or give the node an environment of its own"
            )


def quieten() -> None:
    """Our own sentences say what went wrong; `serve` and `work` set up their logs by the settings."""
    configure_logs("warning")
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)


def _leave(error: Exception, code: int) -> None:
    typer.echo(f"dicomnode: {error}", err=True)
    sys.exit(code)
