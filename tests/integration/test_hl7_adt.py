"""ADT over a real socket: what the patient administration says is in the ledger when it has its AA."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from dicomnode.demo.patients import GeneratedPatient
from dicomnode.hl7.admission import admission_id
from dicomnode.hl7.changes import Changes
from dicomnode.hl7.listener import AdtListener
from dicomnode.hl7.messages import Adt
from dicomnode.settings import Hl7Settings, Settings
from storage.catalogue import Catalogue
from storage.errors import UnavailableError
from storage.records import CaseState, SeriesRecord
from tests.fixtures.node_parts import NodeParts

START, END = b"\x0b", b"\x1c\r"


@pytest.fixture
def listening() -> Iterator[Callable[..., AdtListener]]:
    """Starts listeners on free ports, and stops them."""
    started: list[AdtListener] = []

    def start(apply: Callable[[Adt], int], **changes: object) -> AdtListener:
        settings = Settings(hl7=Hl7Settings.model_validate(changes))
        listener = AdtListener(settings, apply)
        listener.start(any_port=True)
        started.append(listener)
        return listener

    yield start
    for listener in started:
        listener.stop()


def asked(port: int, *blocks: bytes) -> list[bytes]:
    """The answers to messages on one connection; fewer where it was closed."""
    answers: list[bytes] = []
    with suppress(ConnectionResetError), closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as peer:
        for block in blocks:
            peer.sendall(block)
            answer = b""
            while not answer.endswith(END):
                received = peer.recv(4096)
                if not received:
                    return answers
                answer += received
            answers.append(answer.strip(START + END))
    return answers


def adt(event: str, pid: str, mrg: str = "") -> bytes:
    segments = [f"MSH|^~\\&|HIS|HOSP|NODE|RAD|20260110||ADT^{event}|M1|P|2.5", f"PID|||{pid}"]
    return START + "\r".join([*segments, *([f"MRG|{mrg}"] if mrg else [])]).encode() + b"\r" + END


def applying(parts: NodeParts) -> Changes:
    def admission(series: SeriesRecord) -> str:
        return admission_id(parts.catalogue, parts.store, series)

    return Changes(parts.catalogue, admission)


def only_patient(catalogue: Catalogue) -> SeriesRecord:
    series = catalogue.list_series()
    assert len({one.patient for one in series}) == 1
    return series[0]


@pytest.fixture
def queued(node_parts: NodeParts, small_pet_ct: GeneratedPatient) -> NodeParts:
    """A patient with a case that waits to be run."""
    files: list[Path] = [*small_pet_ct.fixed.folder.iterdir(), *small_pet_ct.moving.folder.iterdir()]
    node_parts.receive(sorted(files))
    node_parts.schedule()
    assert node_parts.only_case().state is CaseState.QUEUED
    return node_parts


def test_a_merge_gives_the_images_to_the_surviving_patient(
    queued: NodeParts, listening: Callable[..., AdtListener]
) -> None:
    before = only_patient(queued.catalogue).patient
    merge = adt("A40", f"SURVIVOR^^^{before.issuer}||{before.name}", f"{before.patient_id}^^^{before.issuer}")

    answers = asked(listening(applying(queued)).port, merge, merge)

    assert all(b"MSA|AA|M1" in answer for answer in answers)
    assert len(answers) == 2
    assert only_patient(queued.catalogue).patient.patient_id == "SURVIVOR"
    assert queued.only_case().state is CaseState.WITHDRAWN
    queued.schedule()
    assert {case.state for case in queued.cases.list()} == {CaseState.WITHDRAWN, CaseState.QUEUED}


def test_a_correction_counts_and_another_spelling_does_not(
    queued: NodeParts, listening: Callable[..., AdtListener]
) -> None:
    patient = only_patient(queued.catalogue).patient
    port = listening(applying(queued)).port
    who = f"{patient.patient_id}^^^{patient.issuer}"

    (answer,) = asked(port, adt("A08", f"{who}||{patient.name.lower()}^^||{patient.birth_date}"))
    assert b"MSA|AA" in answer
    assert queued.only_case().state is CaseState.QUEUED

    (answer,) = asked(port, adt("A08", f"{who}||New^Name||{patient.birth_date}"))
    assert b"MSA|AA" in answer
    assert only_patient(queued.catalogue).patient.name == "New^Name"
    assert queued.only_case().state is CaseState.WITHDRAWN


def test_a_moved_account_takes_its_studies_along(queued: NodeParts, listening: Callable[..., AdtListener]) -> None:
    series = only_patient(queued.catalogue)
    account = series.study.accession_number or admission_id(queued.catalogue, queued.store, series)
    assert account
    prior = f"{series.patient.patient_id}^^^{series.patient.issuer}"
    port = listening(applying(queued)).port

    asked(port, adt("A44", f"OTHER^^^{series.patient.issuer}||Other^One", f"{prior}||NOTHING"))
    assert only_patient(queued.catalogue).patient == series.patient
    asked(port, adt("A44", f"OTHER^^^{series.patient.issuer}||Other^One", f"{prior}||{account}"))
    moved = {one.patient.patient_id for one in queued.catalogue.list_series() if one.study == series.study}
    assert moved == {"OTHER"}


def test_each_failure_has_its_answer(listening: Callable[..., AdtListener]) -> None:
    def down(_adt: Adt) -> int:
        raise UnavailableError("the database did not answer")

    port = listening(down).port
    good, admitted = adt("A40", "1^^^A||X", "2^^^A"), adt("A01", "1^^^A||X")
    refused, failed, ignored, garbage = asked(port, adt("A40", "1^^^A||X"), good, admitted, START + b"no message" + END)
    assert b"MSA|AR|M1|A40 needs" in refused
    assert b"MSA|AE|M1" in failed
    assert b"MSA|AA|M1" in ignored
    assert b"MSA|AR" in garbage


def test_who_may_not_speak_is_cut_off_and_so_is_what_is_too_long(listening: Callable[..., AdtListener]) -> None:
    heard: list[Adt] = []

    def hear(said: Adt) -> int:
        heard.append(said)
        return 0

    good = adt("A40", "1^^^A||X", "2^^^A")
    assert asked(listening(hear, senders=["192.0.2.1"]).port, good) == []
    assert asked(listening(hear, max_message_bytes=1024).port, START + b"MSH|" * 1000 + END) == []
    assert asked(listening(hear).port, b"GET / HTTP/1.1\r\n\r\n" + END) == []
    assert heard == []
