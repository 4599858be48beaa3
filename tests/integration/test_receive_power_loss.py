"""A power cut at any moment, simulated: only what was brought to disk before it is there afterwards.

Each time the store is synced a copy of it is made, and each time the database is; a cut goes back to those copies, with
names on the disk whose bytes never came to it. The index may have kept more of itself than it had to, or less.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomnode.receive.ingest import Ingest
from dicomnode.receive.settling import take_up
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.objects import Arrival, ObjectStore
from storage.records import AddOutcome, ReceivedInstance
from storage.session import Database
from tests.fixtures.dicom_peer import encoded, receiver_settings, sample_dataset, with_pixels


@cache
def empty_ledger() -> bytes:
    """A file with all its tables."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/ledger.sqlite")
        upgrade(database)
        database.dispose()  # the last connection brings the write-ahead log in
        return (Path(folder) / "ledger.sqlite").read_bytes()


class Disk:
    """A node's store and ledger, and what of them would outlive a power cut."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.saved = folder / "live", folder / "saved"
        for path in (self.folder, self.saved):
            path.mkdir()
        (self.folder / "ledger.sqlite").write_bytes(empty_ledger())
        self._open()
        self._save("objects")
        self._save_ledger()

    def _open(self) -> None:
        self.database = Database(f"sqlite:///{self.folder / 'ledger.sqlite'}")
        self.store, self.catalogue = ObjectStore(self.folder / "objects"), Catalogue(self.database)
        self.take = Ingest(self.store, self.catalogue, receiver_settings(self.folder))
        sync = self.store.sync

        def saved(arrivals: Sequence[Arrival]) -> None:
            sync(arrivals)
            self._save("objects")

        self.store.sync = saved  # type: ignore[method-assign]

    def settle(self) -> None:
        self.take.settle()
        self._save_ledger()

    def cut(self, *, index_kept: bool, half_written: bool) -> None:
        """The power goes and comes back. Names may be on the disk before the bytes are."""
        names = [path for path in (self.folder / "objects").rglob("*") if path.is_file()]
        self.database.dispose()
        if not index_kept:
            for path in self.folder.glob("ledger.sqlite*"):
                path.unlink()
            for path in self.saved.glob("ledger.sqlite*"):
                shutil.copy(path, self.folder)
        live = [path.relative_to(self.folder) for path in names]
        shutil.rmtree(self.folder / "objects")
        shutil.copytree(self.saved / "objects", self.folder / "objects")
        for path in live if half_written else ():
            if not (self.folder / path).exists() and path.parent.name != "incoming":
                (self.folder / path).write_bytes(b"half")
        self._open()
        take_up(self.store, self.catalogue, self.take)

    def arrive_without_sync(self, instance: ReceivedInstance) -> None:
        """What was being received when the power went."""
        self.store.arrive(instance.calling_ae_title, b"never acknowledged", bytes(instance.dataset))

    def _save(self, name: str) -> None:
        shutil.rmtree(self.saved / name, ignore_errors=True)
        shutil.copytree(self.folder / name, self.saved / name)

    def _save_ledger(self) -> None:
        for path in self.saved.glob("ledger.sqlite*"):
            path.unlink()
        for path in self.folder.glob("ledger.sqlite*"):
            shutil.copy(path, self.saved)


@contextmanager
def a_disk() -> Iterator[Disk]:
    """In memory where there is such a folder: what a disk keeps is simulated, and a real one would only be slow."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        disk = Disk(Path(folder))
        yield disk
        disk.database.dispose()


def instance(number: int) -> ReceivedInstance:
    dataset = sample_dataset(StudyInstanceUID="1.2.3", SeriesInstanceUID=f"1.2.3.{number % 2}", InstanceNumber=number)
    dataset.SOPInstanceUID = f"1.2.3.4.{number}"
    one = encoded(with_pixels(dataset))
    who = ("WORKSTATION", "NODE", "127.0.0.1", datetime.now(UTC))
    return ReceivedInstance(one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid, one.dataset, *who)


def check(disk: Disk, acknowledged: dict[str, bytes]) -> None:
    visible = {
        record.sop_instance_uid: disk.store.read(record.stored.digest)
        for series in disk.catalogue.list_series()
        for record in disk.catalogue.instances(series.series_instance_uid)
    }
    assert visible.keys() == acknowledged.keys()
    assert all(visible[uid].endswith(dataset) for uid, dataset in acknowledged.items())
    assert all(disk.store.verify(digest) for digest in disk.store.digests())
    assert disk.store.unsettled() == ()


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(st.sampled_from(["take", "take", "settle", "cut"]), min_size=2, max_size=6),
    index_kept=st.booleans(),
    half_written=st.booleans(),
)
def test_what_was_acknowledged_outlives_a_power_cut(steps: list[str], index_kept: bool, half_written: bool) -> None:
    with a_disk() as disk:
        run(disk, steps, index_kept=index_kept, half_written=half_written)


def run(disk: Disk, steps: list[str], *, index_kept: bool, half_written: bool) -> None:
    acknowledged: dict[str, bytes] = {}
    for number, step in enumerate([*steps, "cut"]):
        one = instance(number)
        if step == "take":
            assert disk.take(one) is AddOutcome.NEW
            acknowledged[one.sop_instance_uid] = bytes(one.dataset)
        elif step == "settle":
            disk.settle()
        else:
            disk.arrive_without_sync(one)
            disk.cut(index_kept=index_kept, half_written=half_written)
            check(disk, acknowledged)
            disk.settle()
            disk._save("objects")
            disk._save_ledger()


def test_without_the_journal_the_index_would_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation loses what it must: a test that cannot fail would prove nothing."""
    with a_disk() as disk:
        disk.take(instance(1))
        monkeypatch.setattr(ObjectStore, "unsettled", lambda _: ())
        disk.cut(index_kept=False, half_written=True)
        assert disk.catalogue.list_series() == ()
