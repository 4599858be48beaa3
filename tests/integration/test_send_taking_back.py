"""Results that are withdrawn or replaced: a note to every peer that may have them, and deletion where it can be had."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, KeyObjectSelectionDocumentStorage

from dicomnode.encode.derived_series import identify
from dicomnode.send.outbox import Sender
from dicomnode.settings import NodeSettings, PeerSettings, Settings
from storage.records import CaseState, Delivery, DeliveryState, Rejection
from tests.fixtures.deliveries import Ledger
from tests.fixtures.derived_case import build_case
from tests.fixtures.orthanc import Orthanc
from tests.fixtures.real_programs import require_program
from tests.fixtures.slices import write_slices
from tests.fixtures.small_pacs import SmallPacs

BOTH = (CTImageStorage, KeyObjectSelectionDocumentStorage)


def later(seconds: float = 1) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def sender(ledger: Ledger, **peers: PeerSettings) -> Sender:
    node = NodeSettings(ae_title="NODE", dimse_timeout_s=20, acse_timeout_s=20)
    return Sender(Settings(node=node, peers=peers), ledger.outbox, ledger.store)


def note_of(ledger: Ledger, case: str) -> Delivery:
    (note,) = [one for one in ledger.outbox.of_case(case) if one.is_note]
    return note


def note_file(ledger: Ledger, case: str) -> Path:
    (instance,) = note_of(ledger, case).series.instances
    return ledger.store.path(instance.stored.digest)


def named_in(note: Dataset) -> set[str]:
    """What the evidence names, which must be what the content names (PS3.3 C.17.2)."""
    evidence = {
        str(reference.ReferencedSOPInstanceUID)
        for study in note.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    content = {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in note.ContentSequence
        if item.ValueType in ("IMAGE", "COMPOSITE")
    }
    assert evidence == content
    return evidence


def test_a_withdrawn_case_is_taken_back_at_its_peer(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start(BOTH)
    files = write_slices(tmp_path / "series")
    case = ledger.deliver(files, "pacs")
    sends = sender(ledger, pacs=small_pacs.peer())
    sends.run_once(later())
    results = set(small_pacs.stored)
    small_pacs.stop()

    ledger.cases.withdraw(case, "Dr Who", "wrong side", Rejection.SAFETY)
    sends.run_once(later())
    assert note_of(ledger, case).state is DeliveryState.PENDING, "the peer is down, and is asked again"
    small_pacs.start(BOTH)
    sends.run_once(later(3600))
    sends.run_once(later(7200))
    assert note_of(ledger, case).state is DeliveryState.DONE
    assert ledger.state(case) is CaseState.WITHDRAWN
    (note_uid,) = set(small_pacs.stored) - results

    note = dcmread(note_file(ledger, case))
    assert note.SOPInstanceUID == note_uid
    assert named_in(note) == results
    title = note.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113037", "DCM")
    assert title.CodeMeaning == "Rejected for Patient Safety Reasons"
    assert note.ContentSequence[0].TextValue == "WITHDRAWN: wrong side"
    assert note.StudyInstanceUID == dcmread(files[0]).StudyInstanceUID
    assert note.SeriesDescription.startswith("WITHDRAWN ")
    arrivals = len(small_pacs.arrivals)
    sends.run_once(later(9000))
    assert len(small_pacs.arrivals) == arrivals, "it is said once"


def test_the_note_is_whole_by_the_standard(ledger: Ledger, tmp_path: Path) -> None:
    program = require_program("dciodvfy", "dicom3tools")
    case = ledger.deliver(write_slices(tmp_path / "series"), "pacs")
    ledger.cases.replace(case, "other series or instances serve better now", "scheduler")
    sender(ledger, pacs=PeerSettings(ae_title="PACS", port=1)).run_once(later())
    said = subprocess.run([program, "-new", note_file(ledger, case)], capture_output=True, text=True, check=False)
    assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []
    title = dcmread(note_file(ledger, case)).ConceptNameCodeSequence[0]
    assert title.CodeValue == Rejection.QUALITY


def test_nobody_is_told_of_what_nobody_got(ledger: Ledger, tmp_path: Path) -> None:
    case = ledger.deliver(write_slices(tmp_path / "series"))
    ledger.cases.withdraw(case, "Dr Who", "not needed")
    sender(ledger).run_once(later())
    assert ledger.outbox.of_case(case) == ()
    silent = ledger.deliver(write_slices(tmp_path / "other"), "pacs", case="2")
    ledger.cases.withdraw(silent, "Dr Who", "not needed")
    sender(ledger, pacs=PeerSettings(ae_title="PACS", port=1, rejection_notes=False)).run_once(later())
    assert not [one for one in ledger.outbox.of_case(silent) if one.is_note]
    assert ledger.outbox.notes_due() == ()


def test_a_damaged_result_keeps_no_note_and_no_delivery_waiting(
    ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
) -> None:
    small_pacs.start(BOTH)
    files = write_slices(tmp_path / "series")
    damaged = ledger.deliver(files, "pacs")
    lost = ledger.deliver(write_slices(tmp_path / "lost", 1), "pacs", case="2")
    other = ledger.deliver(write_slices(tmp_path / "other"), "pacs", case="3")
    for case, count in ((damaged, 1), (lost, 1)):
        for instance in ledger.outbox.of_case(case)[0].series.instances[:count]:
            place = ledger.store.path(instance.stored.digest)
            place.chmod(0o600)
            place.write_bytes(b"no DICOM")
        ledger.cases.withdraw(case, "Dr Who", "not needed")
    sender(ledger, pacs=small_pacs.peer()).run_once(later())
    assert note_of(ledger, damaged).state is DeliveryState.DONE, "the next of its instances says of whom it is"
    assert not [one for one in ledger.outbox.of_case(lost) if one.is_note]
    assert ledger.state(other) is CaseState.DELIVERED
    assert ledger.outbox.notes_due() == ()


def test_a_note_that_was_refused_too_often_is_sent_again_by_a_person(ledger: Ledger, tmp_path: Path) -> None:
    case = ledger.deliver(write_slices(tmp_path / "series"), "pacs")
    ledger.cases.withdraw(case, "Dr Who", "not needed")
    sender(ledger, pacs=PeerSettings(ae_title="PACS", port=1)).run_once(later())
    ledger.outbox.give_up(note_of(ledger, case).delivery_id, "refused")
    ledger.cases.retry(case, "Dr Who", "the archive was repaired")
    assert note_of(ledger, case).state is DeliveryState.PENDING
    results = [one.state for one in ledger.outbox.of_case(case) if not one.is_note]
    assert results == [DeliveryState.FAILED], "what was given up stays given up"


def test_new_results_say_what_they_replace(ledger: Ledger, tmp_path: Path) -> None:
    old = ledger.deliver(write_slices(tmp_path / "1"), "pacs", case="1")
    between = ledger.deliver(write_slices(tmp_path / "2"), case="2")
    new = ledger.deliver(write_slices(tmp_path / "3"), "pacs", case="3")
    assert ledger.cases.predecessor(new) == ""
    ledger.cases.replace(old, "late slices", "scheduler", by=between)
    ledger.cases.replace(between, "late slices", "scheduler", by=new)
    assert ledger.cases.predecessor(new) == old, "the one between was never sent"
    assert ledger.cases.get(old).replaced_by == between

    inputs = build_case("PT")
    before = identify(inputs, "fused_colour", 2, "OT", CTImageStorage, "PT on CT fused")
    after = identify(
        replace(inputs, replaces=inputs.plan.key), "fused_colour", 2, "OT", CTImageStorage, "PT on CT fused"
    )
    assert after.description.startswith(f"REPLACES {before.number} PT on CT fused [")
    assert len(after.description) <= 64
    assert after.description.endswith("NOT FOR DIAGNOSTIC USE")


@pytest.mark.pacs
def test_orthanc_deletes_by_its_own_interface_and_not_by_dicomweb(
    ledger: Ledger, orthanc: Orthanc, tmp_path: Path
) -> None:
    files = write_slices(tmp_path / "series")
    address: dict[str, Any] = {"ae_title": orthanc.ae_title, "port": orthanc.port}
    by_dicomweb = PeerSettings(**address, delete="dicomweb", dicomweb_url=f"{orthanc.url}/dicom-web")
    case = ledger.deliver(files, "pacs")
    sender(ledger, pacs=by_dicomweb).run_once(later())
    results = set(orthanc.instance_uids())
    ledger.cases.withdraw(case, "Dr Who", "not needed")
    sender(ledger, pacs=by_dicomweb).run_once(later())
    note = note_of(ledger, case)
    assert note.state is DeliveryState.DONE
    assert note.last_error == "the peer does not delete: DELETE was answered with 405"
    assert results < set(orthanc.instance_uids()), "the results and the note are there"

    again = ledger.deliver(files, "pacs", case="2")
    ledger.cases.withdraw(again, "Dr Who", "not needed")
    by_orthanc = PeerSettings(**address, delete="orthanc", orthanc_url=orthanc.url)
    sender(ledger, pacs=by_orthanc).run_once(later())
    (kept,) = note_of(ledger, again).series.instances
    left = set(orthanc.instance_uids())
    assert note_of(ledger, again).state is DeliveryState.DONE
    assert kept.sop_instance_uid in left
    assert not results & left


def test_a_peer_that_cannot_delete_now_is_asked_again(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start(BOTH)
    peer = small_pacs.peer(delete="orthanc", orthanc_url="http://127.0.0.1:9")
    case = ledger.deliver(write_slices(tmp_path / "series"), "pacs")
    sender(ledger, pacs=peer).run_once(later())
    ledger.cases.withdraw(case, "Dr Who", "not needed")
    sender(ledger, pacs=peer).run_once(later())
    note = note_of(ledger, case)
    assert note.state is DeliveryState.PENDING
    assert "was not answered" in note.last_error
    assert note.attempts == 1
