"""An older ledger beside a newer store: nothing received is swept, and its records come back from its bytes."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicomnode.commands.upkeep import Finding, examine
from dicomnode.demo.patients import GeneratedPatient
from dicomnode.errors import NotParsableError
from dicomnode.receive.file_format import part10_file, received_in
from dicomnode.receive.ingest import Ingest
from dicomnode.receive.reindex import Origin, origin_of
from dicomnode.scheduler import Scheduler
from dicomnode.settings import DatabaseSettings, PeerSettings, Settings, StorageSettings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.objects import ObjectStore
from storage.records import AddOutcome, ReceivedInstance
from storage.session import Database
from tests.fixtures.dicom_peer import EXPLICIT, encoded, sample_dataset, with_pixels
from tests.fixtures.node_parts import NodeParts

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Restored:
    """A store whose ledger is a new, empty one."""

    settings: Settings
    store: ObjectStore
    catalogue: Catalogue
    cases: Cases

    def take(self, received: ReceivedInstance) -> AddOutcome:
        return Ingest(self.store, self.catalogue, self.settings)(received)

    def doctor(self, **flags: bool) -> Finding:
        (name,) = flags
        (finding,) = (each for each in examine(self.settings, **flags) if each.check == name)
        return finding

    def age(self) -> None:
        """Two hours go by; what was put first stays the oldest."""
        for digest in self.store.digests():
            put = self.store.put_at(digest).timestamp() - 7200
            os.utime(self.store.path(digest), (put, put))


@pytest.fixture
def restored(tmp_path: Path, node_parts: NodeParts) -> Iterator[Restored]:
    """Beside `node_parts`: the same store and settings, another ledger."""
    url = f"sqlite:///{tmp_path / 'older.sqlite'}"
    settings = node_parts.settings.model_copy(
        update={
            "storage": StorageSettings(path=tmp_path, reserve_bytes=0),
            "database": DatabaseSettings(url=url),
            "peers": {"ct": PeerSettings(ae_title="CTSCANNER", patient_id_domain="CLINIC")},
        }
    )
    database = Database(url)
    upgrade(database)
    yield Restored(settings, node_parts.store, Catalogue(database), Cases(database))
    database.dispose()


def sent(dataset: Any, **changes: Any) -> ReceivedInstance:
    instance = encoded(dataset)
    values: dict[str, Any] = {
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "transfer_syntax_uid": EXPLICIT,
        "dataset": instance.dataset,
        "calling_ae_title": "SCANNER",
        "called_ae_title": "NODE",
        "peer_address": "127.0.0.1",
        "received_at": NOON,
    }
    return ReceivedInstance(**values | changes)


def test_a_sweep_beside_an_older_ledger_takes_results_only_and_reindex_brings_the_rest_back(
    node_parts: NodeParts, restored: Restored, small_pet_ct: GeneratedPatient
) -> None:
    node_parts.receive([*small_pet_ct.fixed.folder.iterdir(), *small_pet_ct.moving.folder.iterdir()])
    node_parts.schedule()
    node_parts.worker().run_once()
    case = node_parts.only_case()
    assert case.result is not None
    results = {one.stored.digest for series in case.result.derived for one in series.instances}
    results |= {volume.stored.digest for volume in case.result.review}
    received = set(restored.store.digests()) - results
    assert {origin_of(restored.store, digest) for digest in results} == {Origin.DERIVED}
    restored.age()

    swept = restored.doctor(sweep=True)
    assert not swept.good
    assert f"{len(received)} received objects: `dicomnode doctor --reindex`" in swept.detail
    assert set(restored.store.digests()) == received

    done = restored.doctor(reindex=True)
    assert done.good, done.detail
    assert f"{len(received)} received objects were entered again, 0 of them set aside" in done.detail
    for uid in case.plan.series_instance_uids:
        before, after = node_parts.catalogue.series(uid), restored.catalogue.series(uid)
        assert (after.header, after.study, after.patient) == (before.header, before.study, before.patient)
        assert [one.stored for one in restored.catalogue.instances(uid)] == [
            one.stored for one in node_parts.catalogue.instances(uid)
        ]
    Scheduler(restored.settings, restored.catalogue, restored.cases).run_once(datetime.now(UTC))
    (again,) = restored.cases.list()
    assert again.plan.key == case.plan.key, "due now, whole and matched as before"
    assert restored.doctor(reindex=True).detail.startswith("0 received objects")
    assert restored.doctor(sweep=True) == Finding("sweep", good=True, detail="0 leftovers were removed")


def test_an_own_output_that_a_pacs_sent_back_was_received(
    node_parts: NodeParts, restored: Restored, small_pet_ct: GeneratedPatient
) -> None:
    node_parts.receive([*small_pet_ct.fixed.folder.iterdir(), *small_pet_ct.moving.folder.iterdir()])
    node_parts.schedule()
    node_parts.worker().run_once()
    result = node_parts.only_case().result
    assert result is not None
    ours = received_in(restored.store.read(result.derived[0].instances[0].stored.digest), NOON)
    assert restored.take(replace(ours, calling_ae_title="PACS")) is AddOutcome.NEW
    (instance,) = restored.catalogue.instances(result.derived[0].series_instance_uid)
    assert instance.series.own_output
    assert origin_of(restored.store, instance.stored.digest) is Origin.RECEIVED


def test_of_two_of_one_name_the_first_that_came_is_in_use_again(node_parts: NodeParts, restored: Restored) -> None:
    dataset = with_pixels(sample_dataset())
    take = Ingest(node_parts.store, node_parts.catalogue, restored.settings)
    take(sent(dataset))
    (first,) = node_parts.store.digests()
    restored.age()
    dataset.SeriesDescription = "renamed"
    assert take(sent(dataset)) is AddOutcome.VERSION
    restored.age()

    assert restored.doctor(reindex=True).detail.startswith("2 received objects were entered again, 1 of them set aside")
    (instance,) = restored.catalogue.instances(dataset.SeriesInstanceUID)
    assert instance.stored.digest == first
    assert [one.reason for one in restored.catalogue.set_aside()] == [AddOutcome.VERSION]


def test_the_rest_of_a_series_came_from_who_sent_its_beginning(node_parts: NodeParts, restored: Restored) -> None:
    """Who sent an instance is in no file, and says who issued its Patient ID."""
    slices = [with_pixels(sample_dataset(SeriesInstanceUID="1.2.3", InstanceNumber=n)) for n in (1, 2)]
    for dataset in slices:
        dataset.StudyInstanceUID = slices[0].StudyInstanceUID
    restored.take(sent(slices[0], calling_ae_title="CTSCANNER"))
    Ingest(node_parts.store, node_parts.catalogue, restored.settings)(sent(slices[1], calling_ae_title="CTSCANNER"))
    restored.age()

    assert restored.doctor(reindex=True).good
    series = restored.catalogue.series("1.2.3")
    assert (series.instance_count, series.patient.issuer, series.contradictions) == (2, "CLINIC", ())
    assert {one.source_ae_title for one in restored.catalogue.instances("1.2.3")} == {"CTSCANNER"}


def test_what_is_being_received_is_left_to_who_receives_it(node_parts: NodeParts, restored: Restored) -> None:
    node_parts.store.put(part10_file(sent(with_pixels(sample_dataset()))))
    assert restored.doctor(reindex=True).detail.startswith("0 received objects")
    assert restored.doctor(sweep=True).good
    assert restored.catalogue.list_series() == ()


def test_what_nobody_can_read_is_named_and_left_alone(restored: Restored) -> None:
    junk = restored.store.put(b"no DICOM file").digest
    damaged = restored.store.put(part10_file(sent(with_pixels(sample_dataset())))).digest
    restored.store.path(damaged).chmod(0o640)
    restored.store.path(damaged).write_bytes(b"x")
    restored.age()
    for flag in ("reindex", "sweep"):
        finding = restored.doctor(**{flag: True})
        assert not finding.good
        assert "2 objects without a record are damaged or no DICOM files" in finding.detail
        assert junk in finding.detail
        assert damaged in finding.detail
    assert set(restored.store.digests()) == {junk, damaged}


def test_left_over_temporary_files_are_swept(tmp_path: Path, restored: Restored) -> None:
    left = tmp_path / "objects" / "incoming" / "left"
    left.write_bytes(b"half an object")
    os.utime(left, (time.time() - 7200,) * 2)
    assert restored.doctor(sweep=True) == Finding("sweep", good=True, detail="1 leftovers were removed")
    assert not left.exists()


def test_a_file_is_taken_apart_as_it_was_put_together() -> None:
    instance = sent(with_pixels(sample_dataset()))
    file = part10_file(instance)
    assert dcmread(BytesIO(file)).SOPInstanceUID == instance.sop_instance_uid
    nameless = replace(instance, calling_ae_title="", called_ae_title="", peer_address="")
    assert received_in(file, NOON) == nameless
    assert part10_file(nameless) == file


@pytest.mark.parametrize("length", [0, 100, 131, 132, 140, 143, 144, 150, 200])
def test_half_a_file_is_none(length: int) -> None:
    file = part10_file(sent(with_pixels(sample_dataset())))
    with pytest.raises(NotParsableError):
        received_in(file[:length], NOON + timedelta(seconds=1))
