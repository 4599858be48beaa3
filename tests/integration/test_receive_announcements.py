"""MPPS and availability notifications over a real association, and a real Orthanc's count: when a series is whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import InstanceAvailabilityNotification, ModalityPerformedProcedureStep

from dicomnode.receive.source_count import SourceCount
from dicomnode.scheduler import Scheduler
from dicomnode.send.storage_scu import send_files
from dicomnode.settings import MatchingSettings, NodeSettings, PeerSettings, Settings
from storage.cases import Cases
from storage.records import SeriesState
from storage.session import Database
from tests.fixtures.dicom_peer import NODE, WORKSTATION, Receiver, encoded, sample_dataset, send, with_pixels
from tests.fixtures.orthanc import Orthanc
from tests.fixtures.slices import write_slices

STUDY, SERIES = "1.2.5", "1.2.5.1"
QUIET_S = 30.0


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@contextmanager
def talking(receiver: Receiver) -> Iterator[Association]:
    entity = AE(WORKSTATION)
    entity.add_requested_context(ModalityPerformedProcedureStep)
    entity.add_requested_context(InstanceAvailabilityNotification)
    association = entity.associate("127.0.0.1", receiver.port, ae_title=NODE)
    assert association.is_established
    assert len(association.accepted_contexts) == 2
    yield association
    association.release()


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def references(*numbers: int, **more: str) -> list[Dataset]:
    return [
        item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=f"{SERIES}.{number}", **more)
        for number in numbers
    ]


def step(status: str = "IN PROGRESS", *numbers: int) -> Dataset:
    said = item(PerformedProcedureStepStatus=status, Modality="CT", PerformedProcedureStepID="1")
    said.ScheduledStepAttributesSequence = [item(StudyInstanceUID=STUDY)]
    said.PerformedSeriesSequence = performed(*numbers)
    return said


def performed(*numbers: int) -> list[Dataset]:
    if not numbers:
        return []
    listed = references(*numbers)
    return [
        item(SeriesInstanceUID=SERIES, ReferencedImageSequence=listed[:-1],
             ReferencedNonImageCompositeSOPInstanceSequence=listed[-1:])
    ]  # fmt: skip


def begin(association: Association, uid: str | None, said: Dataset) -> Dataset:
    answer: Dataset = association.send_n_create(said, ModalityPerformedProcedureStep, uid)[0]
    return answer


def go_on(association: Association, uid: str, **said: Any) -> Dataset:
    answer: Dataset = association.send_n_set(item(**said), ModalityPerformedProcedureStep, uid)[0]
    return answer


def notify(association: Association, *numbers: int, availability: str = "ONLINE") -> Dataset:
    listed = references(*numbers, InstanceAvailability=availability, RetrieveAETitle="PACS")
    said = item(StudyInstanceUID=STUDY, ReferencedPerformedProcedureStepSequence=[])
    said.ReferencedSeriesSequence = [item(SeriesInstanceUID=SERIES, ReferencedSOPSequence=listed)]
    answer: Dataset = association.send_n_create(said, InstanceAvailabilityNotification, "1.2.5.900")[0]
    return answer


def receive(receiver: Receiver, *numbers: int) -> None:
    for number in numbers:
        dataset = with_pixels(sample_dataset(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, InstanceNumber=number))
        dataset.SOPInstanceUID = f"{SERIES}.{number}"
        dataset.ImagePositionPatient = [0, 0, 3 * number]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.Modality = "CT"
        assert send(receiver.port, encoded(dataset)) == [0x0000]


@pytest.fixture
def scheduler(receiver: Receiver) -> Iterator[Callable[[float], None]]:
    """One round of the timers so many seconds from now."""
    database = Database(receiver.settings.database_url)
    settings = Settings(matching=MatchingSettings(quiet_time_s=QUIET_S, announced_wait_s=600))
    timers = Scheduler(settings, receiver.catalogue, Cases(database))
    yield lambda seconds: timers.run_once(later(seconds))
    timers.stop()
    database.dispose()


def state(receiver: Receiver) -> tuple[SeriesState, tuple[str, ...]]:
    series = receiver.catalogue.series(SERIES)
    return series.state, series.evidence


def test_a_completed_step_ends_the_wait_at_once(receiver: Receiver, scheduler: Callable[[float], None]) -> None:
    with talking(receiver) as association:
        assert begin(association, "1.2.5.800", step()).Status == 0x0000
        receive(receiver, 1, 2, 3)
        scheduler(1)
        assert state(receiver)[0] is SeriesState.RECEIVING
        ended = go_on(
            association,
            "1.2.5.800",
            PerformedProcedureStepStatus="COMPLETED",
            PerformedSeriesSequence=performed(1, 2, 3),
        )
        assert ended.Status == 0x0000
    scheduler(2)
    assert state(receiver)[0] is SeriesState.COMPLETE
    assert state(receiver)[1][0] == "all 3 instances that are listed (MPPS, completed)"


def test_a_series_waits_for_what_its_step_lists_but_not_for_ever(
    receiver: Receiver, scheduler: Callable[[float], None]
) -> None:
    receive(receiver, 1, 2)
    with talking(receiver) as association:
        begin(association, "1.2.5.800", step())
        scheduler(QUIET_S + 1)
        assert state(receiver)[0] is SeriesState.RECEIVING, "the step goes on"
        sets = {"PerformedProcedureStepStatus": "COMPLETED", "PerformedSeriesSequence": performed(1, 2, 3)}
        go_on(association, "1.2.5.800", **sets)
    scheduler(2 * QUIET_S + 5)
    assert state(receiver)[0] is SeriesState.RECEIVING
    scheduler(700)
    complete, evidence = state(receiver)
    assert complete is SeriesState.COMPLETE
    assert evidence[0] == "only 2 of 3 instances that are listed (MPPS, completed)"
    assert evidence[-1] == "nothing came for 600 s, so it is taken as it is"


def test_the_last_slice_ends_the_wait(receiver: Receiver, scheduler: Callable[[float], None]) -> None:
    receive(receiver, 1, 2)
    with talking(receiver) as association:
        assert notify(association, 1, 2, 3).Status == 0x0000
    scheduler(1)
    assert state(receiver)[0] is SeriesState.RECEIVING
    receive(receiver, 3)
    scheduler(2)
    assert state(receiver)[0] is SeriesState.COMPLETE
    assert state(receiver)[1][0] == "all 3 instances that are listed (IAN, available)"


def test_what_is_unavailable_is_not_waited_for(receiver: Receiver, scheduler: Callable[[float], None]) -> None:
    receive(receiver, 1, 2)
    with talking(receiver) as association:
        notify(association, 3, availability="UNAVAILABLE")
    scheduler(QUIET_S + 1)
    assert state(receiver)[0] is SeriesState.COMPLETE


def test_a_discontinued_step_lists_what_there_is(receiver: Receiver, scheduler: Callable[[float], None]) -> None:
    receive(receiver, 1, 2)
    with talking(receiver) as association:
        begin(association, "1.2.5.800", step())
        sets = {"PerformedProcedureStepStatus": "DISCONTINUED", "PerformedSeriesSequence": performed(1, 2)}
        assert go_on(association, "1.2.5.800", **sets).Status == 0x0000
    scheduler(1)
    assert state(receiver)[0] is SeriesState.COMPLETE
    assert state(receiver)[1][0].endswith("; the step was discontinued")


def test_steps_are_answered_as_the_standard_says(receiver: Receiver) -> None:
    with talking(receiver) as association:
        assert begin(association, "1.2.5.801", step("COMPLETED")).Status == 0x0106
        without_study = step()
        del without_study.ScheduledStepAttributesSequence
        assert begin(association, "1.2.5.801", without_study).Status == 0x0120
        assert begin(association, "1.2.5.801", step()).Status == 0x0000
        assert begin(association, "1.2.5.801", step()).Status == 0x0111
        assert begin(association, None, step()).Status == 0x0000, "the node names a step that comes without a name"
        assert go_on(association, "1.2.5.802", PerformedProcedureStepStatus="COMPLETED").Status == 0x0112
        assert go_on(association, "1.2.5.801", PerformedProcedureStepStatus="DONE").Status == 0x0106
        assert go_on(association, "1.2.5.801", PerformedProcedureStepStatus="COMPLETED").Status == 0x0120
        assert go_on(association, "1.2.5.801", PerformedProcedureStepStatus="DISCONTINUED").Status == 0x0000
        assert begin(association, "1.2.5.804", step("IN PROGRESS", 1, 2)).Status == 0x0000
        assert go_on(association, "1.2.5.804", PerformedProcedureStepStatus="COMPLETED").Status == 0x0000
        refused = go_on(association, "1.2.5.801", PerformedProcedureStepStatus="IN PROGRESS")
        assert (refused.Status, refused.ErrorID) == (0x0110, 0xA710)
        empty = Dataset()
        empty.StudyInstanceUID = STUDY
        answer, _ = association.send_n_create(empty, InstanceAvailabilityNotification, "1.2.5.901")
        assert answer.Status == 0x0120
        assert association.send_n_create(step(), ModalityPerformedProcedureStep, "1.2.5.803")[0].Status == 0x0000


@pytest.mark.pacs
def test_the_sender_is_asked_how_many_there_are(receiver: Receiver, orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_slices(tmp_path / "series", 4)
    address: dict[str, Any] = {"ae_title": orthanc.ae_title, "port": orthanc.port}
    send_files(PeerSettings(**address), "NODE", files)
    orthanc.add_modality("node", NODE, receiver.port)
    settings = Settings(
        node=NodeSettings(ae_title="NODE"),
        peers={"pacs": PeerSettings(**address, count_by_find=True)},
        matching=MatchingSettings(quiet_time_s=QUIET_S, announced_wait_s=600),
    )
    sent_by = PeerSettings(ae_title=NODE, port=receiver.port)
    assert send_files(sent_by, WORKSTATION, files[:3]).complete
    (series,) = receiver.catalogue.list_series()
    counts = SourceCount(settings)
    assert not counts.asks(series), "who sent it is no peer that can be asked"
    series = replace(series, source_ae_title=orthanc.ae_title)
    while counts.asks(series):
        pass
    assert counts.answer(series) == 4
    counts.close()
