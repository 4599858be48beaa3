"""A case from its plan to its deliveries: what a worker records, and what it never does twice."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEGExtended12Bit

from dicomnode.demo.patients import GeneratedPatient
from dicomnode.settings import RecipeSettings
from dicomnode.worker import Worker
from storage.cases import Cases
from storage.errors import UnavailableError, UnknownRecordError
from storage.records import CaseRecord, CaseState, Claim
from storage.session import Database
from tests.fixtures.node_parts import NodeParts


def files_of(patient: GeneratedPatient) -> list[Path]:
    return [*sorted(patient.fixed.folder.iterdir()), *sorted(patient.moving.folder.iterdir())]


def changed_copies(folder: Path, into: Path, change: object) -> list[Path]:
    """Copies of the instances of `folder`, each changed by `change(dataset)`."""
    into.mkdir()
    copies = []
    for path in sorted(folder.iterdir()):
        dataset = dcmread(path)
        change(dataset)  # type: ignore[operator]
        copies.append(into / path.name)
        dataset.save_as(copies[-1])
    return copies


def test_an_accepted_case_is_on_its_way_with_every_output(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient
) -> None:
    node_parts.receive(files_of(small_pet_ct))
    node_parts.schedule()
    assert node_parts.worker().run_once()

    case = node_parts.only_case()
    assert case.state is CaseState.DELIVERING
    assert case.result is not None
    assert case.result.verdict == "accept"
    assert [series.kind for series in case.result.derived][:3] == list(case.plan.recipe.outputs)[:3]
    assert len(node_parts.outbox.of_case(case.case_id)) == len(case.result.derived)
    for series in case.result.derived:
        for instance in series.instances:
            assert node_parts.store.verify(instance.stored.digest)
    assert not node_parts.worker().run_once(), "there was one case"


def test_a_recorded_result_is_sent_again_and_never_computed_again(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient
) -> None:
    """A rerun elsewhere must not put new pixels under UIDs that were sent: the ledger's bytes are the only ones."""
    node_parts.receive(files_of(small_pet_ct))
    node_parts.schedule()
    node_parts.worker().run_once()
    first = node_parts.only_case()
    assert first.result is not None
    for delivery in node_parts.outbox.of_case(first.case_id):
        node_parts.outbox.sent(delivery.delivery_id, "", None)
    objects = set(node_parts.store.digests())

    node_parts.cases.retry(first.case_id, "an operator", "send it again")
    assert node_parts.worker("another machine").run_once()

    again = node_parts.only_case()
    assert again.result == first.result
    assert set(node_parts.store.digests()) == objects, "nothing new was made"
    pending = node_parts.outbox.due(datetime.now(UTC), limit=100)
    assert {d.series.series_instance_uid for d in pending} == {
        series.series_instance_uid for series in first.result.derived
    }


def test_a_second_computation_of_the_same_plan_has_the_same_uids_and_does_not_replace_the_first(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient
) -> None:
    """The worker that lost its lease in the middle computes other bytes (times differ) under the same UIDs."""
    node_parts.receive(files_of(small_pet_ct))
    node_parts.schedule()
    slow = node_parts.cases.claim("slow", 0.0, datetime.now(UTC))
    assert slow is not None
    node_parts.worker("quick").run_once()
    kept = node_parts.only_case()
    worker = node_parts.worker("slow")

    worker._run(slow)

    assert node_parts.only_case().result == kept.result
    assert [event.to_state for event in node_parts.cases.events(kept.case_id)].count(CaseState.DELIVERING) == 1


def test_a_constant_volume_is_rejected_and_says_why(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient, tmp_path: Path
) -> None:
    def erase(dataset: object) -> None:
        dataset.PixelData = np.zeros_like(dataset.pixel_array).tobytes()  # type: ignore[attr-defined]

    empty = changed_copies(small_pet_ct.moving.folder, tmp_path / "empty", erase)
    node_parts.receive([*sorted(small_pet_ct.fixed.folder.iterdir()), *empty])
    node_parts.schedule()
    node_parts.worker().run_once()

    case = node_parts.only_case()
    assert case.state is CaseState.REJECTED
    assert case.result is not None
    assert "constant" in case.result.reports[0]["reasons"][0] or "empty" in case.result.reports[0]["reasons"][0]
    assert {series.kind for series in case.result.derived} == {"quality_report"}
    assert node_parts.outbox.of_case(case.case_id) == ()


def test_pixels_that_nothing_decodes_fail_the_case_once_with_the_reason(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient, tmp_path: Path
) -> None:
    from pydicom.encaps import encapsulate

    def spoil(dataset: object) -> None:
        dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])  # type: ignore[attr-defined]
        dataset["PixelData"].VR = "OB"  # type: ignore[index]
        dataset["PixelData"].is_undefined_length = True  # type: ignore[index]
        dataset.file_meta.TransferSyntaxUID = JPEGExtended12Bit  # type: ignore[attr-defined]

    broken = changed_copies(small_pet_ct.moving.folder, tmp_path / "broken", spoil)
    node_parts.receive([*sorted(small_pet_ct.fixed.folder.iterdir()), *broken])
    node_parts.schedule()
    node_parts.worker().run_once()

    case = node_parts.only_case()
    assert case.state is CaseState.FAILED
    assert "JPEG Extended" in case.error
    assert not node_parts.worker().run_once(), "what cannot be decoded is not tried again"


def test_a_damaged_instance_fails_the_case_and_is_named(node_parts: NodeParts, small_pet_ct: GeneratedPatient) -> None:
    """One bit of a pixel: the file is still a whole DICOM file, and the volume would look right."""
    node_parts.receive(files_of(small_pet_ct))
    node_parts.schedule()
    uid = node_parts.only_case().plan.moving[0].sop_instance_uids[1]
    (instance,) = (
        each
        for each in node_parts.catalogue.instances(node_parts.only_case().plan.moving[0].series_instance_uid)
        if each.sop_instance_uid == uid
    )
    damaged = node_parts.store.path(instance.stored.digest)
    whole = damaged.read_bytes()
    damaged.chmod(0o640)
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    node_parts.worker().run_once()

    case = node_parts.only_case()
    assert case.state is CaseState.FAILED
    assert "CorruptObjectError" in case.error
    assert uid in case.error
    damaged.write_bytes(whole)
    node_parts.cases.retry(case.case_id, "an operator", "restored")
    assert node_parts.worker().run_once()
    assert node_parts.only_case().state is CaseState.DELIVERING


def test_results_are_never_filed_in_another_study_than_planned(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient
) -> None:
    node_parts.receive(files_of(small_pet_ct))
    node_parts.schedule()
    plan = replace(node_parts.only_case().plan, file_in_study_uid="1.2.3.4")
    node_parts.cases.withdraw(node_parts.only_case().case_id, "test", "another study")
    case, _ = node_parts.cases.open(plan, "patient", CaseState.QUEUED, "test", "test")
    node_parts.worker().run_once()

    failed = node_parts.cases.get(case.case_id)
    assert failed.state is CaseState.FAILED
    assert "to be filed in the study 1.2.3.4" in failed.error
    assert failed.result is None


class AwayWhenItFails(Cases):
    """A ledger that is away just when a failure is to be recorded."""

    def fail(self, claim: Claim, error: str, retry_at: datetime | None) -> CaseRecord:  # noqa: ARG002
        raise UnavailableError("the database did not answer")


def test_a_failure_that_cannot_be_recorded_does_not_end_the_worker(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient, tmp_path: Path
) -> None:
    node_parts.receive(files_of(small_pet_ct))
    node_parts.schedule()
    case = node_parts.only_case()
    for instance in node_parts.catalogue.instances(case.plan.fixed.series_instance_uid):
        node_parts.store.path(instance.stored.digest).unlink()
    away = AwayWhenItFails(Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
    brief = node_parts.with_workers(lease_s=0.1)
    worker = Worker(brief, away, node_parts.catalogue, node_parts.store, "test", "cpu")

    assert worker.run_once()

    assert node_parts.only_case().state is CaseState.RUNNING
    time.sleep(0.2)
    assert node_parts.worker().run_once(), "the lease lapsed, and the case is taken up again"
    assert "no object" in node_parts.only_case().error


@pytest.mark.parametrize(("review", "state"), [("hold", CaseState.REVIEW), ("send_flagged", CaseState.DELIVERING)])
def test_what_becomes_of_a_review_is_a_setting(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient, tmp_path: Path, review: str, state: CaseState
) -> None:
    def shift(dataset: object) -> None:  # the patient moved 25 mm between CT and PET
        x, y, z = dataset.ImagePositionPatient  # type: ignore[attr-defined]
        dataset.ImagePositionPatient = [float(x) + 15, float(y) - 20, float(z)]  # type: ignore[attr-defined]

    moved = changed_copies(small_pet_ct.moving.folder, tmp_path / "moved", shift)
    node_parts.receive([*sorted(small_pet_ct.fixed.folder.iterdir()), *moved])
    node_parts.schedule()
    node_parts.worker(settings=node_parts.with_workers(review=review)).run_once()

    case = node_parts.only_case()
    assert case.state is state
    assert case.result is not None
    assert case.result.verdict == "review"
    assert all("REVIEW" in series.description for series in case.result.derived)


def test_a_case_that_takes_its_workers_with_it_is_given_up(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient
) -> None:
    node_parts.receive(files_of(small_pet_ct))
    node_parts.schedule()
    for _ in range(node_parts.settings.workers.max_attempts):
        assert node_parts.cases.claim("doomed", 0.0, datetime.now(UTC)) is not None

    node_parts.worker().run_once()

    case = node_parts.only_case()
    assert case.state is CaseState.FAILED
    assert "given up" in case.error


def test_series_that_were_kept_are_matched_again_when_asked(
    node_parts: NodeParts, small_pet_ct: GeneratedPatient
) -> None:
    """Rules and recipes that came later reach what was there before, without anything being sent again."""
    without = replace(node_parts, settings=node_parts.settings.model_copy(update={"rules": ()}))
    without.receive(files_of(small_pet_ct))
    without.schedule()
    node_parts.schedule()
    assert node_parts.cases.list() == (), "what was matched once is not matched by itself"

    assert node_parts.catalogue.match_again() == 2
    node_parts.schedule()
    first = node_parts.only_case()

    recipe = RecipeSettings(method="average")
    changed = replace(node_parts, settings=node_parts.settings.model_copy(update={"recipes": {"default": recipe}}))
    node_parts.catalogue.match_again(small_pet_ct.moving.series_instance_uid)
    changed.schedule()
    states = {case.plan.recipe.method: case.state for case in node_parts.cases.list()}
    assert states == {first.plan.recipe.method: CaseState.REPLACED, "average": CaseState.QUEUED}
    with pytest.raises(UnknownRecordError):
        node_parts.catalogue.match_again("1.2.3")
