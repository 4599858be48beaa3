"""The restore drill: a node with a case, a backup while it runs, the loss of everything, and what comes back."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from dicomnode.demo.patients import GeneratedPatient
from dicomnode.network.sop_classes import STORAGE_CLASSES
from dicomnode.send.outbox import Sender
from dicomnode.settings import load_settings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import current_revision, downgrade, head_revision, upgrade
from storage.objects import ObjectStore
from storage.outbox import Outbox
from storage.records import CaseState
from storage.session import Database
from tests.fixtures.command_line import Command
from tests.fixtures.node_parts import NodeParts
from tests.fixtures.small_pacs import SmallPacs
from tests.fixtures.stored_records import instance_record


@dataclass
class Site:
    """A node's place: its settings file, the folder of its objects, and its database."""

    home: Path
    config: Path
    url: str

    def parts(self) -> NodeParts:
        """What works there, opened anew."""
        settings = load_settings(self.config)
        database = Database(self.url)
        store = ObjectStore(settings.storage.path / "objects")
        return NodeParts(settings, store, Catalogue(database), Cases(database), Outbox(database))

    def lose_everything(self) -> None:
        """The disk and the database are gone."""
        shutil.rmtree(self.home / "data")
        if not self.url.startswith("sqlite"):
            with Database(self.url).connection() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))


def site_of(home: Path, url: str, port: int) -> Site:
    home.mkdir()
    config = home / "node.toml"
    config.write_text(
        f'[node]\nport = 1\n[storage]\npath = "{home / "data"}"\nreserve_bytes = 0\n[database]\nurl = "{url}"\n'
        f'[matching]\nquiet_time_s = 1\n[peers.pacs]\nae_title = "SMALLPACS"\nport = {port}\n'
        '[[rules]]\nname = "PT on CT"\nfixed = "CT"\nmoving = ["PT"]\ndestinations = ["pacs"]\n',
        encoding="utf-8",
    )
    (home / "data").mkdir()
    upgrade(Database(url))
    return Site(home, config, url)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A node without cases, on SQLite."""
    return site_of(tmp_path / "node", f"sqlite:///{tmp_path / 'node' / 'data' / 'ledger.sqlite'}", 1)


def findings(dicomnode: Command, site: Site) -> dict[str, dict[str, object]]:
    answer = dicomnode("doctor", "--verify", "--json", "--config", site.config)
    return {finding["check"]: finding for finding in answer.values["findings"]}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.pacs)])
def test_the_drill(
    request: pytest.FixtureRequest,
    kind: str,
    tmp_path: Path,
    small_pet_ct: GeneratedPatient,
    small_pacs: SmallPacs,
    dicomnode: Command,
) -> None:
    small_pacs.start([each.uid for each in STORAGE_CLASSES])
    at = tmp_path / "node" / "data" / "ledger.sqlite"
    url = f"sqlite:///{at}" if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    site = site_of(tmp_path / "node", url, small_pacs.port)
    parts = site.parts()
    parts.receive([*sorted(small_pet_ct.fixed.folder.iterdir()), *sorted(small_pet_ct.moving.folder.iterdir())])
    parts.schedule()
    assert parts.worker().run_once()
    Sender(parts.settings, parts.outbox, parts.store).run_once(datetime.now(UTC))
    case = parts.only_case()
    assert case.state is CaseState.DELIVERED
    before = {uid: arrival.dataset for uid, arrival in small_pacs.stored.items()}
    assert before
    small_pacs.stored.clear()
    digests = list(parts.store.digests())

    made = dicomnode("backup", "--to", tmp_path / "backup", "--json", "--config", site.config)
    assert made.code == 0, made.stderr
    assert made.values["new_objects"] == made.values["objects"] == len(digests)
    site.lose_everything()
    back = dicomnode("restore", "--from", tmp_path / "backup", "--json", "--config", site.config)
    assert back.code == 0, back.stderr

    found = findings(dicomnode, site)
    assert found["ledger"]["good"], found
    assert found["objects"]["good"], found
    assert found["objects"]["detail"] == f"{len(digests)} objects, every digest holds"
    again = site.parts()
    assert again.only_case() == case
    again.cases.retry(case.case_id, "an operator", "send it again")
    assert again.worker().run_once()
    Sender(again.settings, again.outbox, again.store).run_once(datetime.now(UTC))
    assert {uid: arrival.dataset for uid, arrival in small_pacs.stored.items()} == before
    assert list(again.store.digests()) == digests, "nothing new was made"


def test_what_came_after_the_backup_is_entered_again(
    site: Site, tmp_path: Path, small_pet_ct: GeneratedPatient, dicomnode: Command
) -> None:
    parts = site.parts()
    parts.receive(sorted(small_pet_ct.fixed.folder.iterdir()))
    assert dicomnode("backup", "--to", tmp_path / "backup", "--config", site.config).code == 0
    parts.receive(sorted(small_pet_ct.moving.folder.iterdir()))
    kept = [parts.store.put_at(digest) for digest in parts.store.digests()]

    refused = dicomnode("restore", "--from", tmp_path / "backup", "--config", site.config)
    assert refused.code == 1
    assert "--overwrite" in refused.stderr
    back = dicomnode("restore", "--from", tmp_path / "backup", "--overwrite", "--json", "--config", site.config)

    assert back.code == 0, back.stderr
    slices = len(list(small_pet_ct.moving.folder.iterdir()))
    assert back.values["reindexed"].startswith(f"{slices} received objects were entered again")
    again = site.parts()
    again.schedule()
    assert again.only_case().state is CaseState.QUEUED
    assert [again.store.put_at(digest) for digest in again.store.digests()] == kept


def test_a_second_backup_copies_only_what_is_new_and_sees_damage(
    site: Site, tmp_path: Path, small_pet_ct: GeneratedPatient, dicomnode: Command
) -> None:
    parts = site.parts()
    files = sorted(small_pet_ct.fixed.folder.iterdir())
    parts.receive(files[:3])
    folder = tmp_path / "backup"
    assert dicomnode("backup", "--to", folder, "--config", site.config).code == 0
    parts.receive(files[3:5])
    second = dicomnode("backup", "--to", folder, "--link", "--json", "--config", site.config)
    assert second.values["new_objects"] == 2
    assert len(list(folder.glob("ledger-*"))) == 1
    assert json.loads((folder / "manifest.json").read_text())["revision"] == head_revision()
    linked = sum(path.stat().st_nlink > 1 for path in (folder / "objects").glob("??/*"))
    assert linked == 2

    copied = next(path for path in (folder / "objects").glob("??/*") if path.stat().st_nlink == 1)
    copied.chmod(0o640)
    copied.write_bytes(bytes([copied.read_bytes()[0] ^ 1]) + copied.read_bytes()[1:])
    mended = dicomnode("backup", "--to", folder, "--verify", "--json", "--config", site.config)
    assert (mended.code, mended.values["new_objects"]) == (0, 1)

    lost, damaged = list(parts.store.digests())[:2]
    shutil.rmtree(folder / "objects")
    parts.store.path(lost).unlink()
    place = parts.store.path(damaged)
    place.chmod(0o640)
    place.write_bytes(b"no image")
    partial = dicomnode("backup", "--to", folder, "--json", "--config", site.config)
    assert partial.code == 1
    assert (partial.values["missing"], partial.values["damaged"]) == ([lost], [damaged])
    assert partial.values["new_objects"] == 3


def test_a_backup_while_rows_come_in_is_whole(site: Site, tmp_path: Path, dicomnode: Command) -> None:
    parts = site.parts()
    stop = threading.Event()
    begun = threading.Event()

    def receive() -> None:
        number = 0
        while not stop.is_set() and number < 5000:
            number += 1
            stored = parts.store.put(f"object {number}".encode())
            parts.catalogue.add_instance(instance_record(number, stored=stored), datetime.now(UTC))
            begun.set()

    writer = threading.Thread(target=receive)
    writer.start()
    assert begun.wait(60)
    try:
        made = dicomnode("backup", "--to", tmp_path / "backup", "--json", "--config", site.config)
    finally:
        stop.set()
        writer.join()
    assert made.code == 0, made.stderr
    assert made.values["missing"] == []
    ledger = Catalogue(Database(f"sqlite:///{tmp_path / 'backup' / made.values['ledger']}"))
    held = ledger.instances("1.2.3.4")
    assert len(held) >= made.values["objects"] > 0
    store = ObjectStore(tmp_path / "backup" / "objects")
    assert all(store.verify(each.stored.digest) for each in held)


def edit(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        values = json.loads((folder / "manifest.json").read_text())
        change(values)
        (folder / "manifest.json").write_text(json.dumps(values))

    return apply


def spoil_the_ledger(folder: Path) -> None:
    (ledger,) = folder.glob("ledger-*")
    ledger.write_bytes(ledger.read_bytes()[:-1] + b"\1")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "none that was finished"),
        (edit(lambda values: values.update(revision="9999_from_tomorrow")), "does not know"),
        (edit(lambda values: values.update(format=99)), "format 99"),
        (edit(lambda values: values.update(database="postgresql")), "the backup is of postgresql"),
        (edit(lambda values: values.pop("ledger")), "cannot be read"),
        (spoil_the_ledger, "missing or damaged"),
    ],
)
def test_what_is_no_backup_of_this_node_changes_nothing(
    site: Site, tmp_path: Path, dicomnode: Command, spoil: Callable[[Path], None], said: str
) -> None:
    assert dicomnode("backup", "--to", tmp_path / "backup", "--config", site.config).code == 0
    spoil(tmp_path / "backup")
    shutil.rmtree(site.home / "data")
    answer = dicomnode("restore", "--from", tmp_path / "backup", "--config", site.config)
    assert answer.code == 1
    assert said in answer.stderr
    assert list((site.home / "data").glob("*")) == []


def test_the_backup_of_an_older_version_is_migrated(site: Site, tmp_path: Path, dicomnode: Command) -> None:
    database = Database(site.url)
    downgrade(database, "-1")
    assert dicomnode("backup", "--to", tmp_path / "backup", "--config", site.config).code == 0
    database.dispose()
    site.lose_everything()
    assert dicomnode("restore", "--from", tmp_path / "backup", "--config", site.config).code == 0
    assert current_revision(Database(site.url)) == head_revision()
