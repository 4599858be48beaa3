"""`backup` and `restore`: ledger and objects into a folder while the node runs, and back.

The folder holds the newest copy of the ledger, every object that was ever copied, and `manifest.json`, which is written
last: a backup that was interrupted leaves the one before it whole.
"""

import json as text_of
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from storage.dumps import Kind, copy_out, digest_of, is_empty, kind_of, named_digests, put_back
from storage.errors import CorruptObjectError, UnknownRecordError
from storage.migrate import current_revision, knows, upgrade
from storage.objects import ObjectStore, objects_below
from storage.session import Database

from ..errors import BackupError, PeerError
from ..network.echo import echo
from ..network.ourselves import ourselves
from ..settings import Settings
from .terminal import Config, Each, Json, bars, ledger_of, out, settings_from, warn, write_json
from .upkeep import reindexed

FORMAT = 1
MANIFEST = "manifest.json"
ENDINGS: Mapping[Kind, str] = {Kind.SQLITE: "sqlite", Kind.POSTGRESQL: "dump"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `objects` is how many the ledger of that moment named."""

    format: int
    made_at: str
    version: str
    revision: str
    database: Kind
    ledger: str
    ledger_sha256: str
    objects: int


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of objects: copied now, here before, damaged where they come from."""

    new: int
    known: int
    damaged: tuple[str, ...]


def backup(
    to: Annotated[Path, typer.Option("--to", help="The folder of the backup; what it holds already is not redone.")],
    link: Annotated[
        bool, typer.Option("--link", help="Hard links where the folder is on the same disk: quick, and no second copy.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what the folder holds already, too, and replace what is damaged.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Copy ledger and objects into a folder while the node runs; exit code 1 when something is missing or damaged."""
    settings = settings_from(config)
    with bars() as each:
        manifest, copied, missing = make_backup(settings, to, each, link=link, verify=verify)
    _tell_damage(copied, missing)
    if json:
        values = {**asdict(manifest), "new_objects": copied.new, "damaged": list(copied.damaged), "missing": missing}
        write_json(values)
    else:
        out.print(
            f"{to}: the ledger at revision {manifest.revision}, {copied.new} new objects, {copied.known} kept before",
            highlight=False,
        )
    if copied.damaged or missing:
        raise typer.Exit(1)


def restore(
    origin: Annotated[Path, typer.Option("--from", help="The folder of the backup.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Put the older ledger in the place of the one that is here.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Bring a backup back while the node is stopped; received objects that are newer than it are entered again."""
    settings = settings_from(config)
    with bars() as each:
        manifest, copied, missing, entered = bring_back(settings, origin, each, overwrite=overwrite)
    _tell_damage(copied, missing)
    if json:
        values = {**asdict(manifest), "new_objects": copied.new, "damaged": list(copied.damaged), "missing": missing}
        write_json(values | {"reindexed": entered})
    else:
        out.print(f"restored the backup of {manifest.made_at}: {copied.new} objects; {entered}", highlight=False)
    if copied.damaged or missing:
        raise typer.Exit(1)


def make_backup(
    settings: Settings, folder: Path, each: Each, *, link: bool, verify: bool
) -> tuple[Manifest, Copied, list[str]]:
    """The ledger first and then the objects, so that all that the ledger names is in the backup; and what is not."""
    database = ledger_of(settings)
    revision = current_revision(database)
    if revision is None:
        raise BackupError("the ledger has no tables yet: there is nothing to keep")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now, kind = datetime.now(UTC), kind_of(database)
    named = named_digests(database)  # before the copy, which then names them all
    ledger = folder / f"ledger-{now:%Y%m%dT%H%M%S%fZ}.{ENDINGS[kind]}"
    copy_out(database, ledger)
    copied = copy_objects(_objects_of(settings), ObjectStore(folder / "objects"), each, link=link, check=verify)
    missing = sorted(named - {file.name for file in objects_below(folder / "objects")} - set(copied.damaged))
    manifest = Manifest(
        FORMAT, now.isoformat(), version("dicomnode"), revision, kind, ledger.name, digest_of(ledger), len(named)
    )
    _publish(folder, manifest)
    return manifest, copied, missing


def bring_back(
    settings: Settings, folder: Path, each: Each, *, overwrite: bool
) -> tuple[Manifest, Copied, list[str], str]:
    """The objects first, then the ledger, then records for received objects that it does not know."""
    manifest = read_manifest(folder)
    database = Database(settings.database_url)
    ledger = folder / manifest.ledger
    _refuse_what_cannot_be(settings, manifest, ledger, database)
    if not overwrite and not (is_empty(database) and not any(objects_below(_objects_of(settings)))):
        raise BackupError(
            f"{settings.storage.path} or its ledger is not empty; --overwrite puts the backup's ledger in the place of "
            "the one that is here, and adds its objects"
        )
    store = ObjectStore(_objects_of(settings), settings.storage.reserve_bytes)
    copied = copy_objects(folder / "objects", store, each, link=False, check=True)
    put_back(database, ledger)
    upgrade(database)
    entered = reindexed(settings, store, database, datetime.now(UTC))  # nobody is receiving
    missing = sorted(named_digests(database) - set(store.digests()) - set(copied.damaged))
    database.dispose()
    return manifest, copied, missing, entered


def copy_objects(root: Path, into: ObjectStore, each: Each, *, link: bool, check: bool) -> Copied:
    """Every object below `root` into a store; the digest of each that is new is checked, with `check` of all."""
    new = known = 0
    damaged = []
    for digest in each("objects", [file.name for file in objects_below(root)]):
        try:
            is_new = into.adopt(root / digest[:2] / digest, digest, link=link, check=check)
        except CorruptObjectError:
            damaged.append(digest)
        except UnknownRecordError:  # swept since it was listed: nothing names it
            continue
        else:
            new, known = new + is_new, known + (not is_new)
    into.sync(())
    return Copied(new, known, tuple(damaged))


def read_manifest(folder: Path) -> Manifest:
    """What the backup in `folder` says of itself. Raises `BackupError`."""
    try:
        values = text_of.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**{**values, "database": Kind(values["database"])})
    except FileNotFoundError as error:
        raise BackupError(f"{folder} holds no {MANIFEST}: it is no backup, or none that was finished") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder / MANIFEST} cannot be read; take an earlier backup") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{folder} is a backup of format {manifest.format}; this version reads {FORMAT}")
    return manifest


def _refuse_what_cannot_be(settings: Settings, manifest: Manifest, ledger: Path, database: Database) -> None:
    if manifest.database is not kind_of(database):
        raise BackupError(f"the backup is of {manifest.database}, and database.url names {kind_of(database)}")
    if not ledger.is_file() or digest_of(ledger) != manifest.ledger_sha256:
        raise BackupError(f"{ledger} is missing or damaged; take an earlier backup")
    if not knows(manifest.revision):
        raise BackupError(
            f"the backup's ledger is at revision {manifest.revision}, which this version does not know: "
            f"install {manifest.version} or newer"
        )
    try:
        echo(ourselves(settings, settings.node.port, settings.node.tls_port), settings.node.ae_title)
    except PeerError:
        return
    raise BackupError("the node is running; stop it first")


def _publish(folder: Path, manifest: Manifest) -> None:
    """From now on this is the backup; ledgers of earlier ones go."""
    temporary = folder / f"{MANIFEST}.unfinished"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text_of.dumps(asdict(manifest), indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MANIFEST)
    for older in folder.glob("ledger-*"):
        if older.name != manifest.ledger:
            older.unlink()


def _objects_of(settings: Settings) -> Path:
    return settings.storage.path / "objects"


def _tell_damage(copied: Copied, missing: Sequence[str]) -> None:
    for digests, what in ((copied.damaged, "are damaged and were left out"), (missing, "are named and not there")):
        if digests:
            warn(f"{len(digests)} objects {what}: {', '.join(digests[:5])}")
