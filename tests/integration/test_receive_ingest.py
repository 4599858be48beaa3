"""Taking an instance without any network: what is kept of it, and that order and repetition do not matter."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicomnode.errors import NotParsableError
from dicomnode.receive.ingest import Ingest
from dicomnode.settings import (
    INSTANCE_CREATOR_UID,
    OWN_IMPLEMENTATION_UID,
    OWN_MANUFACTURER,
    OWN_MODEL_NAME,
    NodeSettings,
    Settings,
)
from storage.catalogue import Catalogue
from storage.errors import StorageFullError, UnavailableError
from storage.migrate import upgrade
from storage.objects import ObjectStore
from storage.records import AddOutcome, InstanceRecord, ReceivedInstance, SeriesState
from storage.session import Database
from tests.fixtures.dicom_peer import EXPLICIT, encoded, sample_dataset, with_pixels

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)


class Memory:
    """A store, a catalogue, and the way into both."""

    def __init__(self, folder: Path, **node: Any) -> None:
        self.database = Database(f"sqlite:///{folder / 'ledger.sqlite'}")
        upgrade(self.database)
        self.objects = ObjectStore(folder / "objects")
        self.catalogue = Catalogue(self.database)
        self.take = Ingest(self.objects, self.catalogue, Settings(node=NodeSettings(**node)))

    def only(self, sop_instance_uid: str) -> InstanceRecord:
        (series,) = self.catalogue.list_series()
        (instance,) = self.catalogue.instances(series.series_instance_uid)
        assert instance.sop_instance_uid == sop_instance_uid
        return instance


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path, time_zone="Europe/Berlin")
    yield memory
    memory.database.dispose()


def received(dataset: Dataset, **changes: Any) -> ReceivedInstance:
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


def test_the_record_says_what_the_header_says(memory: Memory) -> None:
    dataset = with_pixels(sample_dataset(BodyPartExamined="HEAD", StudyDescription="PET/CT", SeriesNumber=4))
    assert memory.take(received(dataset)) is AddOutcome.NEW
    record = memory.only(dataset.SOPInstanceUID)
    assert (record.patient.patient_id, record.patient.issuer) == ("MARKED-ID", "LOCAL")
    assert (record.patient.name, record.patient.birth_date, record.patient.sex) == ("Marked^Patient", "19310203", "F")
    assert (record.study.study_instance_uid, record.study.description) == (dataset.StudyInstanceUID, "PET/CT")
    assert (record.series.body_part, record.series.series_number, record.series.modality) == ("HEAD", "4", "CT")
    assert record.series.frame_of_reference_uid == dataset.FrameOfReferenceUID
    assert record.series.acquired_at == datetime(2024, 5, 17, 8, 20, 30, 500000, UTC)
    assert (record.instance_number, record.number_of_frames, record.position) == (7, 1, 33.5)
    assert not record.series.own_output


def test_the_series_is_due_after_its_quiet_time(memory: Memory) -> None:
    memory.take(received(with_pixels(sample_dataset())))
    (series,) = memory.catalogue.list_series()
    assert series.state is SeriesState.RECEIVING
    assert series.due_at == NOON + timedelta(seconds=30)


def test_the_file_says_who_wrote_it_and_is_the_same_whoever_sends(memory: Memory) -> None:
    instance = received(with_pixels(sample_dataset()))
    assert memory.take(instance) is AddOutcome.NEW
    later = replace(instance, calling_ae_title="OTHER", received_at=NOON + timedelta(days=1))
    assert memory.take(later) is AddOutcome.DUPLICATE
    (digest,) = memory.objects.digests()
    file = pydicom.dcmread(BytesIO(memory.objects.read(digest)))
    assert file.file_meta.ImplementationClassUID == OWN_IMPLEMENTATION_UID
    assert "SourceApplicationEntityTitle" not in file.file_meta


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({"InstanceCreatorUID": INSTANCE_CREATOR_UID}, True),
        ({"Manufacturer": OWN_MANUFACTURER, "ManufacturerModelName": OWN_MODEL_NAME}, True),
        ({"Manufacturer": OWN_MANUFACTURER, "ManufacturerModelName": "Scanner"}, False),
        ({"InstanceCreatorUID": "1.2.3"}, False),
    ],
)
def test_what_this_node_made_is_known_again(memory: Memory, changes: dict[str, Any], own: bool) -> None:
    dataset = with_pixels(sample_dataset(**changes))
    memory.take(received(dataset))
    assert memory.only(dataset.SOPInstanceUID).series.own_output is own


def test_the_pixel_digest_is_that_of_the_pixels_alone(memory: Memory) -> None:
    dataset = with_pixels(sample_dataset())
    instance = received(dataset)
    memory.take(instance)
    before = memory.only(dataset.SOPInstanceUID).pixel_digest
    dataset.SeriesDescription = "renamed"
    assert memory.take(received(dataset)) is AddOutcome.VERSION
    (aside,) = memory.catalogue.set_aside()
    assert aside.pixel_digest == before != ""
    dataset.PixelData = bytes(len(dataset.PixelData))
    assert memory.take(received(dataset)) is AddOutcome.CONFLICT


@pytest.mark.parametrize(
    ("image_type", "is_localiser"),
    [
        (["ORIGINAL", "PRIMARY", "LOCALIZER"], True),
        (["ORIGINAL", "PRIMARY", "localizer ", "CT_SOM5 TOP"], True),
        ("SCOUT", True),
        (["ORIGINAL", "PRIMARY", "AXIAL"], False),
        (None, False),
    ],
)
def test_a_localiser_is_known_by_its_image_type(memory: Memory, image_type: Any, is_localiser: bool) -> None:
    dataset = with_pixels(sample_dataset(ImageType=image_type))
    memory.take(received(dataset))
    assert memory.only(dataset.SOPInstanceUID).is_localiser is is_localiser


def test_what_fails_leaves_nothing_visible(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = received(with_pixels(sample_dataset()))

    def failing(error: Exception) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            raise error

        return fail

    monkeypatch.setattr(memory.objects, "arrive", failing(StorageFullError("full")))
    with pytest.raises(StorageFullError):
        memory.take(instance)
    monkeypatch.undo()
    assert list(memory.objects.digests()) == []
    monkeypatch.setattr(memory.catalogue, "add_instances", failing(UnavailableError("away")))
    with pytest.raises(UnavailableError):
        memory.take(instance)
    monkeypatch.undo()
    assert memory.catalogue.list_series() == ()
    with pytest.raises(NotParsableError):
        memory.take(replace(instance, dataset=instance.dataset[:-1]))
    assert memory.catalogue.list_series() == ()
    assert memory.take(instance) is AddOutcome.NEW


@pytest.fixture(scope="module")
def shared_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    memory = Memory(tmp_path_factory.mktemp("memory"))
    yield memory
    memory.database.dispose()


@settings(max_examples=25)
@given(arrivals=st.permutations(range(4)).flatmap(lambda once: st.permutations([*once, 1, 2])))
def test_order_and_repetition_do_not_matter(shared_memory: Memory, arrivals: list[int]) -> None:
    study_instance_uid, series_instance_uid = generate_uid(), generate_uid()
    instances = [
        received(
            with_pixels(
                sample_dataset(
                    StudyInstanceUID=study_instance_uid,
                    SeriesInstanceUID=series_instance_uid,
                    InstanceNumber=number,
                    ImagePositionPatient=[0, 0, -number],
                )
            )
        )
        for number in range(4)
    ]
    outcomes = [shared_memory.take(instances[number]) for number in arrivals]
    kept = shared_memory.catalogue.instances(series_instance_uid)
    assert [instance.position for instance in kept] == [-3.0, -2.0, -1.0, 0.0]
    assert outcomes.count(AddOutcome.NEW) == 4
    assert outcomes.count(AddOutcome.DUPLICATE) == 2
