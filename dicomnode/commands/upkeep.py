"""`doctor` and `migrate`: is the node well, and is its ledger of this version."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import StorageError
from storage.migrate import current_revision, downgrade, head_revision, upgrade
from storage.objects import ObjectStore
from storage.records import AddOutcome
from storage.session import Database

from ..errors import NodeError, SettingsError
from ..network.echo import echo
from ..network.ourselves import ourselves
from ..receive.ingest import Ingest
from ..receive.reindex import Origin, origin_of, unnamed
from ..receive.reindex import reindex as reindex_objects
from ..settings import PeerSettings, RecipeSettings, Settings
from .clock import check_clock
from .terminal import Config, Json, ledger_of, out, settings_from, write_json

ORPHAN_AGE_S = 3600.0
"""Results are written before their record: what is young may still get one."""

BEING_RECEIVED_S = 60.0
"""A received instance has its record long before."""


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
    reindex: Annotated[
        bool, typer.Option("--reindex", help="Enter received objects again that the ledger does not know.")
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Remove leftovers of an hour ago: temporary files, results without a record."),
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check settings, ledger, object store, disk and peers; exit code 1 when something is wrong."""
    settings = settings_from(config)
    findings = list(examine(settings, verify=verify, reindex=reindex, sweep=sweep))
    if json:
        write_json({"good": all(f.good for f in findings), "findings": [asdict(f) for f in findings]})
    else:
        table = Table("check", "", "detail")
        for finding in findings:
            table.add_row(finding.check, "[green]good[/]" if finding.good else "[red]wrong[/]", finding.detail)
        out.print(table)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def examine(
    settings: Settings, *, verify: bool = False, reindex: bool = False, sweep: bool = False
) -> Iterator[Finding]:
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
    yield _finding("clock", lambda: check_clock(settings, ledger_of(settings)))
    store = ObjectStore(settings.storage.path / "objects", settings.storage.reserve_bytes)
    yield _finding("objects", lambda: _objects(store, verify=verify))
    if reindex:
        yield _finding("reindex", lambda: reindexed(settings, store, ledger_of(settings), _ago(BEING_RECEIVED_S)))
    if sweep:
        yield _finding("sweep", lambda: _swept(store, ledger_of(settings)))
    yield _finding("set aside", lambda: _set_aside(Catalogue(ledger_of(settings))))
    yield _finding("quarantine", lambda: _held(Catalogue(ledger_of(settings))))
    own = ourselves(settings, settings.node.port, settings.node.tls_port)
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


def reindexed(settings: Settings, store: ObjectStore, database: Database, before: datetime) -> str:
    """Enter what was received before and has no record, and say so. Raises `NodeError` for what nobody can read."""
    take = Ingest(store, Catalogue(database), settings)
    done = reindex_objects(store, take, _is_named(database), before)
    aside = done.outcomes[AddOutcome.VERSION] + done.outcomes[AddOutcome.CONFLICT]
    said = f"{done.outcomes.total()} received objects were entered again, {aside} of them set aside"
    if done.derived:
        said += f"; {done.derived} results without a record are left to --sweep"
    if done.unknown:
        raise NodeError(f"{said}; {_unknown(done.unknown)}")
    return said


def _swept(store: ObjectStore, database: Database) -> str:
    """Only what is certainly ours to remove goes: what was received stays, and so does what nobody can read."""
    is_named = _is_named(database)
    found: dict[Origin, list[str]] = {origin: [] for origin in Origin}
    for digest in unnamed(store, is_named, _ago(BEING_RECEIVED_S)):
        found[origin_of(store, digest)].append(digest)
    leftovers = set(found[Origin.DERIVED])
    removed = store.sweep(lambda digest: digest not in leftovers or is_named(digest), ORPHAN_AGE_S)
    said = f"{removed} leftovers were removed"
    if received := found[Origin.RECEIVED]:
        said += f"; the ledger does not know {len(received)} received objects: `dicomnode doctor --reindex` enters them"
    if unknown := found[Origin.UNKNOWN]:
        said += f"; {_unknown(unknown)}"
    if received or unknown:
        raise NodeError(said)
    return said


def _is_named(database: Database) -> Callable[[str], bool]:
    catalogue, cases = Catalogue(database), Cases(database)
    return lambda digest: catalogue.holds(digest) or cases.holds(digest)


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _unknown(digests: Sequence[str]) -> str:
    return (
        f"{len(digests)} objects without a record are damaged or no DICOM files and were left alone: "
        f"{', '.join(digests[:5])}; restore them from a backup or take them out by hand"
    )


def _held(catalogue: Catalogue) -> str:
    held = catalogue.quarantine.list()
    return f"{len(held)} series contradict their study or themselves: `dicomnode identity list`" if held else "nothing"


def _set_aside(catalogue: Catalogue) -> str:
    kept = catalogue.set_aside()
    conflicts = sum(one.reason is AddOutcome.CONFLICT for one in kept)
    if not kept:
        return "nothing"
    versions = len(kept) - conflicts
    return f"{versions} versions and {conflicts} conflicts kept aside: `dicomnode conflicts list --versions`"
