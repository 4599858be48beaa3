"""`doctor` and `migrate`: is the node well, and is its ledger of this version."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import StorageError
from storage.migrate import current_revision, downgrade, head_revision, upgrade
from storage.objects import ObjectStore
from storage.session import Database

from ..errors import NodeError, SettingsError
from ..network.echo import echo
from ..settings import PeerSettings, RecipeSettings, Settings
from .terminal import Config, Json, ledger_of, out, settings_from, write_json

ORPHAN_AGE_S = 3600.0
"""An object is written before its record: what is young may still get one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of the doctor: what was looked at, whether it is well, and what to do if not."""

    check: str
    good: bool
    detail: str


def doctor(
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every object and check its digest; takes long.")
    ] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Remove what no record names and is older than an hour.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check settings, ledger, object store, disk and peers; exit code 1 when something is wrong."""
    settings = settings_from(config)
    findings = list(examine(settings, verify=verify, sweep=sweep))
    if json:
        write_json({"good": all(f.good for f in findings), "findings": [asdict(f) for f in findings]})
    else:
        table = Table("check", "", "detail")
        for finding in findings:
            table.add_row(finding.check, "[green]good[/]" if finding.good else "[red]wrong[/]", finding.detail)
        out.print(table)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def examine(settings: Settings, *, verify: bool, sweep: bool) -> Iterator[Finding]:
    """Every check, in the order in which a node depends on them."""
    yield _finding(
        "settings", lambda: f"{len(settings.rules)} rules, {len(settings.recipes)} recipes, {len(settings.peers)} peers"
    )
    yield from _recipes(settings)
    if not settings.storage.path.is_dir():
        yield Finding(
            "storage", good=False, detail=f"{settings.storage.path} does not exist; `dicomnode serve` makes it"
        )
        return
    yield _disk(settings)
    yield _finding("ledger", lambda: _ledger(ledger_of(settings)))
    store = ObjectStore(settings.storage.path / "objects", settings.storage.reserve_bytes)
    yield _finding("objects", lambda: _objects(store, verify=verify))
    if sweep:
        yield _finding("sweep", lambda: _swept(store, ledger_of(settings)))
    yield _finding("set aside", lambda: _set_aside(Catalogue(ledger_of(settings))))
    own = PeerSettings(ae_title=settings.node.ae_title, host=settings.node.host, port=settings.node.port)
    yield _finding("node", partial(_answered, own, settings.node.ae_title))
    yield from _peers(settings)


def migrate(
    to: Annotated[str, typer.Option("--to", help="A revision; the newest unless given.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="Go back to the revision instead of up.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Bring the ledger to a revision."""
    if down and to == "head":
        raise SettingsError("say with --to how far down: a revision, or `base` for an empty ledger")
    settings = settings_from(config)
    settings.storage.path.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    before = current_revision(database)
    (downgrade if down else upgrade)(database, to)
    after = current_revision(database)
    if json:
        write_json({"before": before, "after": after, "head": head_revision()})
    else:
        out.print(f"the ledger went from {before or 'nothing'} to {after or 'nothing'}", highlight=False)


def _finding(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, good=True, detail=look())
    except (NodeError, StorageError) as error:
        return Finding(check, good=False, detail=str(error))


def _answered(peer: PeerSettings, calling: str) -> str:
    return f"{peer.ae_title} at {peer.host}:{peer.port} answered in {echo(peer, calling) * 1000:.0f} ms"


def _peers(settings: Settings) -> Iterator[Finding]:
    """Peers to which a rule sends must answer; a scanner that only sends need not listen."""
    destinations = {name for rule in settings.rules for name in rule.destinations}
    for name, peer in settings.peers.items():
        finding = _finding(f"peer {name}", partial(_answered, peer, settings.node.ae_title))
        if not finding.good and name not in destinations:
            finding = Finding(finding.check, good=True, detail="it does not answer, and no rule sends to it")
        yield finding


def _recipes(settings: Settings) -> Iterator[Finding]:
    """A misspelt registrar, method or parameter shows here and not at the first case."""
    for name, recipe in settings.recipes.items():
        yield _finding(f"recipe {name}", partial(_recipe, recipe))


def _recipe(recipe: RecipeSettings) -> str:
    from .fusing import check_recipe

    check_recipe(recipe)
    return f"{recipe.registrar}, {recipe.method} → {', '.join(recipe.outputs)}"


def _disk(settings: Settings) -> Finding:
    free, reserve = shutil.disk_usage(settings.storage.path).free, settings.storage.reserve_bytes
    detail = f"{free / 1e9:.1f} GB free, {reserve / 1e9:.1f} GB kept in reserve"
    if free <= reserve:
        detail += "; instances are refused with 0xA700 until there is room"
    return Finding("disk", good=free > reserve, detail=detail)


def _ledger(database: Database) -> str:
    revision, head = current_revision(database), head_revision()
    if revision != head:
        raise NodeError(
            f"the ledger is at revision {revision or 'none'}, this version needs {head}: run `dicomnode migrate`"
        )
    return f"revision {revision}"


def _objects(store: ObjectStore, *, verify: bool) -> str:
    digests = list(store.digests())
    if not verify:
        return f"{len(digests)} objects; their digests were not checked (--verify)"
    damaged = [digest for digest in digests if not store.verify(digest)]
    if damaged:
        raise NodeError(f"{len(damaged)} of {len(digests)} objects are damaged: {', '.join(damaged[:5])}; restore them")
    return f"{len(digests)} objects, every digest holds"


def _swept(store: ObjectStore, database: Database) -> str:
    catalogue, cases = Catalogue(database), Cases(database)
    removed = store.sweep(lambda digest: catalogue.holds(digest) or cases.holds(digest), ORPHAN_AGE_S)
    return f"{removed} files that no record names were removed"


def _set_aside(catalogue: Catalogue) -> str:
    kept = catalogue.set_aside()
    return f"{len(kept)} versions and conflicts kept aside" if kept else "nothing"
