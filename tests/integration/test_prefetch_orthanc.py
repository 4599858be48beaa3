"""A partner that has not come is found at a real Orthanc, confirmed, and fetched in each of the three ways."""

import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicomnode.commands.fetching import file_in, status_of_taking, why_not_one_patient
from dicomnode.prefetch import Prefetcher
from dicomnode.receive.file_format import part10_file
from dicomnode.scheduler import Scheduler
from storage.cases import Cases
from storage.fetches import Fetches
from storage.outbox import Outbox
from storage.records import CaseState, FetchState, ReceivedInstance
from tests.fixtures.command_line import Command
from tests.fixtures.dicom_peer import EXPLICIT, Encoded, Receiver, encoded, sample_dataset, send, with_pixels
from tests.fixtures.orthanc import Orthanc, free_port

pytestmark = pytest.mark.pacs

PT = "1.2.840.10008.5.1.4.1.1.128"
WAYS = pytest.mark.parametrize("way", ["move", "get", "dicomweb"])
SLICES = 4


def slices(sop_class: str, **changes: Any) -> list[Encoded]:
    """A series of one examination."""
    given = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()} | changes
    datasets = [
        sample_dataset(sop_class, InstanceNumber=k + 1, ImagePositionPatient=[0.0, 0.0, 3.0 * k], **given)
        for k in range(SLICES)
    ]
    return [encoded(with_pixels(one), EXPLICIT) for one in datasets]


def pet(**changes: Any) -> list[Encoded]:
    return slices(PT, **{"Modality": "PT", "SeriesDescription": "PET AC", "Units": "BQML", **changes})


def file_of(instance: Encoded) -> bytes:
    """The instance as a file."""
    return part10_file(
        ReceivedInstance(
            instance.sop_class_uid,
            instance.sop_instance_uid,
            instance.transfer_syntax_uid,
            instance.dataset,
            "",
            "",
            "",
            datetime.now(UTC),
        )
    )


def upload(orthanc: Orthanc, series: Sequence[Encoded]) -> None:
    for instance in series:
        request = urllib.request.Request(f"{orthanc.url}/instances", data=file_of(instance), method="POST")
        urllib.request.urlopen(request, timeout=60).close()


@dataclass
class Node:
    """A node that receives, matches and fetches; nothing of it runs by itself."""

    receiver: Receiver
    cases: Cases
    fetches: Fetches
    scheduler: Scheduler
    prefetcher: Prefetcher

    def later(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)

    def fetch(self) -> None:
        """Match what is here, fetch what is missing, match again."""
        self.scheduler.run_once(self.later())
        self.prefetcher.run_once(self.later())
        self.scheduler.run_once(self.later())


def prefetcher_of(receiver: Receiver) -> Prefetcher:
    database = receiver.catalogue._database
    return Prefetcher(
        receiver.settings,
        Fetches(database),
        receiver.catalogue,
        Cases(database),
        Outbox(database),
        is_same=why_not_one_patient,
        take=partial(status_of_taking, receiver.server.take),
        unpack=file_in,
        audit=receiver.audit,
    )


def node_beside(start: Callable[..., Receiver], orthanc: Orthanc, way: str, **more: Any) -> Node:
    receiver = start(
        peers={
            "workstation": {"ae_title": "WORKSTATION"},
            "pacs": {
                "ae_title": orthanc.ae_title,
                "port": orthanc.port,
                "prefetch": way,
                "dicomweb_url": f"{orthanc.url}/dicom-web",
            },
        },
        prefetch={"delay_s": 0, "first_retry_s": 1},
        rules=[{"name": "petct", "fixed": "CT", "moving": ["PT"], "prefetch_from": ["pacs"]}],
        **more,
    )
    orthanc.add_modality("node", "NODE", receiver.port)
    database = receiver.catalogue._database
    cases, fetches = Cases(database), Fetches(database)
    scheduler = Scheduler(receiver.settings, receiver.catalogue, cases, fetches)
    return Node(receiver, cases, fetches, scheduler, prefetcher_of(receiver))


@WAYS
def test_the_missing_partner_is_fetched_and_nothing_else(
    start_receiver: Callable[..., Receiver], orthanc: Orthanc, way: str, tmp_path: Path
) -> None:
    file = tmp_path / "audit.log"
    node = node_beside(start_receiver, orthanc, way, audit={"file": str(file)})
    study = generate_uid()
    partner = pet(StudyInstanceUID=study)
    upload(orthanc, partner)
    upload(orthanc, pet(StudyInstanceUID=study, SeriesDescription="PET on CT NOT FOR DIAGNOSTIC USE"))
    upload(orthanc, pet(PatientName="Other^Patient", PatientBirthDate="19320203"))  # the ID of somebody else
    send(node.receiver.port, *slices("1.2.840.10008.5.1.4.1.1.2"))
    node.fetch()

    (fetch,) = node.fetches.list()
    assert (fetch.state, fetch.attempts) == (FetchState.ARRIVED, 0)
    here = node.receiver.instances()
    assert {instance.sop_instance_uid for instance in partner} <= set(here)
    assert len(here) == 2 * SLICES
    for instance in partner:
        assert here[instance.sop_instance_uid].source_ae_title == orthanc.ae_title
    (case,) = node.cases.list()
    assert case.state is CaseState.QUEUED
    assert "was fetched from pacs: rule 'petct' misses PT" in node.cases.events(case.case_id)[0].cause
    assert "disagree" in node.cases.events(case.case_id)[0].cause  # why the other study was not

    node.fetch()
    assert [one.fetch_id for one in node.fetches.list()] == [fetch.fetch_id]
    node.receiver.audit.stopped()
    told = file.read_text(encoding="utf-8")
    assert told.count('csd-code="110112"') >= 2  # the queries
    assert "Marked" not in told


@WAYS
def test_killed_after_the_search_the_next_start_brings_it(
    start_receiver: Callable[..., Receiver], orthanc: Orthanc, way: str
) -> None:
    node = node_beside(start_receiver, orthanc, way)
    upload(orthanc, pet())
    send(node.receiver.port, *slices("1.2.840.10008.5.1.4.1.1.2"))
    node.scheduler.run_once(node.later())
    (wanted,) = node.fetches.due(node.later(), 10)
    node.prefetcher._step(wanted, node.later())
    (found,) = node.fetches.list()
    assert found.state is FetchState.FETCHING
    assert found.series

    prefetcher_of(node.receiver).run_once(node.later())
    assert node.fetches.list()[0].state is FetchState.ARRIVED
    assert len(node.receiver.instances()) == 2 * SLICES


def test_what_is_not_there_yet_is_asked_for_again_with_patience(
    start_receiver: Callable[..., Receiver], orthanc: Orthanc
) -> None:
    node = node_beside(start_receiver, orthanc, "move")
    send(node.receiver.port, *slices("1.2.840.10008.5.1.4.1.1.2"))
    node.fetch()
    (fetch,) = node.fetches.list()
    assert (fetch.state, fetch.attempts) == (FetchState.WANTED, 1)
    assert "holds no such study" in fetch.reason
    assert fetch.next_attempt_at is not None
    upload(orthanc, pet())
    node.prefetcher.run_once(fetch.next_attempt_at - timedelta(milliseconds=1))
    assert node.fetches.list()[0].attempts == 1  # not before its time
    node.prefetcher.run_once(fetch.next_attempt_at)
    assert node.fetches.list()[0].state is FetchState.ARRIVED


def test_a_pacs_that_is_away_is_asked_again_and_given_up_at_last(start_receiver: Callable[..., Receiver]) -> None:
    receiver = start_receiver(
        peers={
            "workstation": {"ae_title": "WORKSTATION"},
            "pacs": {"ae_title": "PACS", "port": free_port(), "prefetch": "get"},
        },
        prefetch={"delay_s": 0, "first_retry_s": 1, "max_attempts": 2},
        rules=[{"name": "petct", "fixed": "CT", "moving": ["PT"], "prefetch_from": ["pacs"]}],
    )
    fetches = Fetches(receiver.catalogue._database)
    scheduler = Scheduler(receiver.settings, receiver.catalogue, Cases(receiver.catalogue._database), fetches)
    send(receiver.port, *slices("1.2.840.10008.5.1.4.1.1.2"))
    now = datetime.now(UTC) + timedelta(hours=1)
    scheduler.run_once(now)
    prefetcher = prefetcher_of(receiver)
    assert prefetcher.run_once(now) == 1
    assert prefetcher.run_once(now + timedelta(hours=2)) == 1
    (fetch,) = fetches.list()
    assert (fetch.state, fetch.attempts) == (FetchState.FAILED, 2)
    assert "no association" in fetch.reason
    assert prefetcher.run_once(now + timedelta(days=2)) == 0


def test_a_partner_that_comes_by_itself_is_not_fetched(
    start_receiver: Callable[..., Receiver], orthanc: Orthanc
) -> None:
    node = node_beside(start_receiver, orthanc, "move")
    send(node.receiver.port, *slices("1.2.840.10008.5.1.4.1.1.2"))
    node.scheduler.run_once(node.later())
    send(node.receiver.port, *pet())
    node.scheduler.run_once(node.later())
    node.prefetcher.run_once(node.later())
    (fetch,) = node.fetches.list()
    assert fetch.state is FetchState.ARRIVED
    assert "came by itself" in fetch.reason


def test_no_more_studies_a_day_than_may(start_receiver: Callable[..., Receiver], orthanc: Orthanc) -> None:
    node = node_beside(start_receiver, orthanc, "get")
    upload(orthanc, pet())
    send(node.receiver.port, *slices("1.2.840.10008.5.1.4.1.1.2"))
    node.scheduler.run_once(node.later())
    strict = node.receiver.settings.model_copy(
        update={"prefetch": node.receiver.settings.prefetch.model_copy(update={"max_per_day": 1})}
    )
    node.prefetcher._settings = strict
    now = node.later()
    node.prefetcher.run_once(now)
    assert node.fetches.studies_since("pacs", now - timedelta(days=1)) == 1
    second = {"PatientID": "SECOND-ID", "PatientName": "Second^One", "PatientBirthDate": "19500505"}
    upload(orthanc, pet(**second))
    send(node.receiver.port, *slices("1.2.840.10008.5.1.4.1.1.2", **second))
    node.scheduler.run_once(node.later())
    node.prefetcher.run_once(now + timedelta(minutes=1))
    assert [one.reason for one in node.fetches.list() if "max_per_day" in one.reason]
    node.prefetcher.run_once(now + timedelta(days=2))
    assert {one.state for one in node.fetches.list()} == {FetchState.ARRIVED}


@WAYS
def test_the_command_fetches(
    dicomnode: Command, start_receiver: Callable[..., Receiver], orthanc: Orthanc, way: str, tmp_path: Path
) -> None:
    study = generate_uid()
    partner = pet(StudyInstanceUID=study)
    upload(orthanc, partner)
    config = tmp_path / "node.toml"
    config.write_text(
        f'[node]\nae_title = "NODE"\n[storage]\npath = "{tmp_path}"\n[peers.pacs]\nae_title = "{orthanc.ae_title}"\n'
        f'port = {orthanc.port}\ndicomweb_url = "{orthanc.url}/dicom-web"\n'
    )
    common = ("fetch", "pacs", "--study", study, "--by", way, "--config", str(config), "--json")
    if way == "move":
        receiver = start_receiver(
            peers={"workstation": {"ae_title": "WORKSTATION"}, "pacs": {"ae_title": orthanc.ae_title}}
        )
        orthanc.add_modality("node", "NODE", receiver.port)
        answer = dicomnode(*common)
        assert set(receiver.instances()) == {instance.sop_instance_uid for instance in partner}
    else:
        answer = dicomnode(*common, "--out", str(tmp_path / "out"))
        files = [dcmread(path) for path in sorted((tmp_path / "out").iterdir())]
        assert {str(one.SOPInstanceUID) for one in files} == {instance.sop_instance_uid for instance in partner}
        assert all(isinstance(one, Dataset) and one.pixel_array.shape == (4, 6) for one in files)
    assert (answer.code, answer.values["came"], answer.values["failed"]) == (0, SLICES, 0)
    assert dicomnode("fetch", "pacs", "--study", "1.2.3.4", "--by", "move", "--out", "x").code == 2
