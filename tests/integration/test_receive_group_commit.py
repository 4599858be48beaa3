"""Instances of many associations at once: each gets its own answer, and what was answered is there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dicomnode.receive.ingest import Ingest
from storage.catalogue import Catalogue
from storage.errors import UnavailableError
from storage.objects import ObjectStore
from storage.records import AddOutcome, InstanceRecord, ReceivedInstance
from storage.session import Database
from tests.fixtures.dicom_peer import encoded, receiver_settings, sample_dataset, with_pixels

MANY = 24


class Slow(Catalogue):
    """Counts the transactions, and refuses instances of one name."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.batches: list[int] = []
        self.refused = ""

    def add_instances(self, instances: Any, *, durable: bool = True) -> list[AddOutcome]:
        self.batches.append(len(instances))
        self._refuse([instance for instance, _ in instances])
        return super().add_instances(instances, durable=durable)

    def _refuse(self, instances: list[InstanceRecord]) -> None:
        if self.refused in {instance.sop_instance_uid for instance in instances}:
            raise UnavailableError("not this one")


@pytest.fixture
def catalogue(any_database_url: str) -> Iterator[Slow]:
    from storage.migrate import upgrade

    database = Database(any_database_url)
    upgrade(database)
    yield Slow(database)
    database.dispose()


def received(series: Any, number: int) -> ReceivedInstance:
    series.SOPInstanceUID = f"1.2.3.{number}"
    series.InstanceNumber = number
    instance = encoded(with_pixels(series))
    return ReceivedInstance(
        instance.sop_class_uid,
        instance.sop_instance_uid,
        instance.transfer_syntax_uid,
        instance.dataset,
        "WORKSTATION",
        "NODE",
        "127.0.0.1",
        datetime.now(UTC),
    )


def test_many_at_once_are_entered_in_fewer_transactions(tmp_path: Path, catalogue: Slow) -> None:
    store = ObjectStore(tmp_path / "objects")
    take = Ingest(store, catalogue, receiver_settings(tmp_path))
    series = [sample_dataset(), sample_dataset()]
    instances = [received(series[k % 2], k) for k in range(MANY)]
    with ThreadPoolExecutor(MANY) as pool:
        outcomes = list(pool.map(take, [*instances, *instances[:4]]))
    assert sorted(outcomes) == [AddOutcome.DUPLICATE] * 4 + [AddOutcome.NEW] * MANY
    assert sum(catalogue.batches) == MANY + 4
    assert len(catalogue.batches) < MANY
    for dataset in series:
        kept = catalogue.instances(dataset.SeriesInstanceUID)
        assert len(kept) == MANY / 2
        assert all(store.verify(instance.stored.digest) for instance in kept)
    assert sum(record.instance_count for record in catalogue.list_series()) == MANY


def test_the_trouble_of_one_is_not_that_of_the_others(tmp_path: Path, catalogue: Slow) -> None:
    store = ObjectStore(tmp_path / "objects")
    take = Ingest(store, catalogue, receiver_settings(tmp_path))
    dataset = sample_dataset()
    instances = [received(dataset, k) for k in range(MANY)]
    catalogue.refused = instances[5].sop_instance_uid

    def outcome(instance: ReceivedInstance) -> AddOutcome | str:
        try:
            return take(instance)
        except UnavailableError as error:
            return str(error)

    with ThreadPoolExecutor(MANY) as pool:
        outcomes = list(pool.map(outcome, instances))
    assert outcomes.pop(5) == "not this one"
    assert set(outcomes) == {AddOutcome.NEW}
    assert len(catalogue.instances(dataset.SeriesInstanceUID)) == MANY - 1
    assert not list((tmp_path / "objects" / "incoming").iterdir())
