"""Rows that follow their files to disk: the journal of names is entered again after a crash, and soon empty."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dicomnode.receive.ingest import Ingest
from dicomnode.receive.settling import Settling, take_up
from storage.catalogue import Catalogue
from storage.errors import UnavailableError
from storage.migrate import upgrade
from storage.objects import ObjectStore
from storage.records import AddOutcome, ReceivedInstance, SeriesState
from storage.session import Database
from tests.fixtures.dicom_peer import Receiver, encoded, receiver_settings, sample, sample_dataset, send, with_pixels


class Parts:
    """A store, a ledger, and the way into both."""

    def __init__(self, folder: Path, url: str) -> None:
        self.database = Database(url)
        upgrade(self.database)
        self.store, self.catalogue = ObjectStore(folder / "objects"), Catalogue(self.database)
        self.take = Ingest(self.store, self.catalogue, receiver_settings(folder))


@pytest.fixture
def parts(tmp_path: Path, any_database_url: str) -> Iterator[Parts]:
    parts = Parts(tmp_path, any_database_url)
    yield parts
    parts.database.dispose()


def received(number: int, series: object = None) -> ReceivedInstance:
    dataset = sample_dataset() if series is None else series
    dataset.SOPInstanceUID = f"1.2.3.{number}"  # type: ignore[attr-defined]
    one = encoded(with_pixels(dataset))  # type: ignore[arg-type]
    who = ("WORKSTATION", "NODE", "127.0.0.1", datetime.now(UTC))
    return ReceivedInstance(one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid, one.dataset, *who)


def test_what_the_index_lost_is_entered_again_with_its_sender(parts: Parts, tmp_path: Path, database_url: str) -> None:
    series = sample_dataset()
    instances = [received(number, series) for number in range(3)]
    assert [parts.take(instance) for instance in instances] == [AddOutcome.NEW] * 3
    lost = Parts(tmp_path, f"{database_url}-another")  # as if a power cut had taken the commits
    take_up(lost.store, lost.catalogue, lost.take)
    (found,) = lost.catalogue.list_series()
    assert (found.source_ae_title, found.instance_count, found.state) == ("WORKSTATION", 3, SeriesState.RECEIVING)
    assert found.due_at is not None
    assert found.due_at > datetime.now(UTC)
    assert lost.store.unsettled() == ()
    lost.database.dispose()


def test_what_the_index_kept_is_not_entered_twice(parts: Parts) -> None:
    parts.take(received(1))
    before = parts.catalogue.list_series()
    take_up(parts.store, parts.catalogue, parts.take)
    assert parts.catalogue.list_series() == before
    assert parts.store.unsettled() == ()


def test_names_go_when_the_rows_are_on_disk(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.take(received(1))

    def fail() -> None:
        raise UnavailableError("away")

    settling = Settling(parts.store, parts.catalogue, parts.take)
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(parts.catalogue, "make_durable", fail)
        settling._settle()
    assert logs[0]["action"] == "settling_failed"
    assert len(parts.store.unsettled()) == 1
    settling.start()
    assert parts.store.unsettled() == ()
    parts.take(received(2))
    settling.stop()
    assert parts.store.unsettled() == ()


def test_a_refused_instance_leaves_nothing(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(parts.store, "sync", fail)
        with pytest.raises(UnavailableError):
            parts.take(received(1))
    assert parts.store.unsettled() == ()
    assert list(parts.store.digests()) == []
    assert parts.take(received(1)) is AddOutcome.NEW


def test_an_arrival_that_cannot_be_entered_is_left_in_the_store(parts: Parts) -> None:
    arrival = parts.store.arrive("WORKSTATION", b"what an older release kept")
    with capture_logs() as logs:
        take_up(parts.store, parts.catalogue, parts.take)
    assert [line["action"] for line in logs] == ["arrival_left"]
    assert parts.store.read(arrival.stored.digest) == b"what an older release kept"
    assert parts.store.unsettled() == ()


def test_a_node_settles_while_it_runs(receiver: Receiver) -> None:
    assert send(receiver.port, sample(), sample()) == [0, 0]
    deadline = time.monotonic() + 30
    while receiver.objects.unsettled() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert receiver.objects.unsettled() == ()
