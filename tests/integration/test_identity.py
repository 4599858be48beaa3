"""Series that contradict their study are held; a merge, a move or a release settles it, and cases follow."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.load import with_patient
from dicomnode.scheduler import Scheduler
from dicomnode.settings import MatchingSettings, RuleSettings, Settings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import IllegalTransitionError, UnknownRecordError
from storage.interventions import Interventions
from storage.migrate import upgrade
from storage.outbox import Outbox
from storage.records import AddOutcome, CaseRecord, CaseResult, CaseState, InstanceRecord, PatientIdentity, Rejection
from storage.session import Database
from tests.fixtures.command_line import Command
from tests.fixtures.dicom_peer import Receiver, associated, encoded, sample_dataset, store, with_pixels
from tests.fixtures.dicom_series import classic_series
from tests.fixtures.series_records import ADA, RECEIVED, ct, pet
from tests.fixtures.stored_records import derived_series

QUIET_S = 30.0
EMERGENCY = PatientIdentity("ER-7", "HOSPITAL", "UNKNOWN^MALE", "", "")
BABBAGE = PatientIdentity("1791", "HOSPITAL", "BABBAGE^CHARLES", "17911226", "M")
PETCT = RuleSettings(name="petct", fixed="CT", moving=("PT",), destinations=())


@dataclass
class Node:
    """A ledger and its scheduler, with a clock that the test moves."""

    database: Database
    catalogue: Catalogue
    cases: Cases
    scheduler: Scheduler
    now: datetime = RECEIVED

    def receive(self, *instances: InstanceRecord, patient: PatientIdentity | None = None) -> list[AddOutcome]:
        outcomes = []
        for instance in instances:
            self.now += timedelta(milliseconds=20)
            arrived = replace(instance, received_at=self.now, patient=patient or instance.patient)
            outcomes.append(self.catalogue.add_instance(arrived, self.now + timedelta(seconds=QUIET_S)))
        return outcomes

    def wait(self) -> None:
        self.now += timedelta(seconds=QUIET_S)
        self.scheduler.run_once(self.now)

    def live(self) -> list[CaseRecord]:
        gone = (CaseState.WITHDRAWN, CaseState.REPLACED)
        return [case for case in self.cases.list() if case.state not in gone]

    def deliver(self) -> str:
        """Carry out the one live case and have its result sent to the PACS."""
        claim = self.cases.claim("worker", 60, datetime.now(UTC))
        assert claim is not None
        series = derived_series()
        result = CaseResult("accept", (), (series,))
        self.cases.record_result(claim, result, CaseState.ACCEPTED, "good", [("pacs", series)])
        return claim.case.case_id


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(database)
    settings = Settings(rules=(PETCT,), matching=MatchingSettings(quiet_time_s=QUIET_S))
    catalogue, cases = Catalogue(database), Cases(database)
    yield Node(database, catalogue, cases, Scheduler(settings, catalogue, cases))
    database.dispose()


def test_a_series_of_another_patient_in_the_study_is_held_until_it_is_released(node: Node) -> None:
    assert set(node.receive(*ct(slices=5).instances)) == {AddOutcome.NEW}
    outcomes = node.receive(*pet(slices=5).instances, patient=replace(ADA, birth_date="19151211"))
    assert set(outcomes) == {AddOutcome.QUARANTINED}, "every slice is answered with the warning"
    node.wait()
    series = node.catalogue.series("1.3.2")
    assert series.held_for == ("its study says another birth date",)
    assert node.cases.list() == ()
    ((uid, reasons, _),) = node.catalogue.quarantine.list()
    assert (uid, reasons) == ("1.3.2", series.held_for)

    node.catalogue.quarantine.release("1.3.2", "Dr Who", "a typing error")
    assert node.catalogue.quarantine.list() == ()
    node.wait()
    (case,) = node.cases.list()
    assert case.state is CaseState.QUARANTINED, "the two still differ; that is for the case"
    with pytest.raises(IllegalTransitionError, match="not in quarantine"):
        node.catalogue.quarantine.release("1.3.2", "Dr Who", "again")
    with pytest.raises(UnknownRecordError):
        node.catalogue.quarantine.release("1.9.9", "Dr Who", "none")


def test_a_series_that_goes_on_as_another_patient_is_held_and_stays_released(node: Node) -> None:
    *most, late, last = pet(slices=7).instances
    assert set(node.receive(*most)) == {AddOutcome.NEW}
    other = replace(ADA, name="BABBAGE^CHARLES")
    assert node.receive(late, patient=other) == [AddOutcome.QUARANTINED]
    node.wait()
    assert node.catalogue.series("1.3.2").held_for == ("its slices differ in name",)
    node.catalogue.quarantine.release("1.3.2", "Dr Who", "it is one patient")
    assert node.receive(last, patient=other) == [AddOutcome.NEW], "what a person accepted is accepted"
    assert node.catalogue.series("1.3.2").contradictions == ()


def test_the_same_series_under_another_study_is_held(node: Node) -> None:
    first, second, *_ = ct(slices=5).instances
    node.receive(first)
    moved = replace(second, study=replace(second.study, study_instance_uid="1.2.777"))
    assert node.receive(moved) == [AddOutcome.QUARANTINED]
    assert node.catalogue.series("1.3.1").held_for == ("its slices differ in study",)


def test_a_merge_releases_and_matches_what_came_under_a_provisional_id(node: Node) -> None:
    """A PACS that reconciles an emergency patient while the study is on its way."""
    node.receive(*ct(slices=5).instances, patient=EMERGENCY)
    outcomes = node.receive(*pet(slices=5).instances)
    assert set(outcomes) == {AddOutcome.QUARANTINED}
    node.wait()
    assert node.cases.list() == ()
    changed = node.catalogue.identities.merge(EMERGENCY, replace(ADA, name="", sex=""), "ADT", "A40")
    assert changed.series_instance_uids == ("1.3.1",)
    assert node.catalogue.series("1.3.1").patient == ADA, "what the message left out is known of the surviving one"
    node.catalogue.quarantine.release("1.3.2", "ADT", "A40")
    node.wait()
    (case,) = node.cases.list()
    assert case.state is CaseState.QUEUED
    assert case.plan.content_digest != ""

    late = replace(ct("1.3.7", slices=4).instances[0])
    assert node.receive(late, patient=EMERGENCY) == [AddOutcome.NEW], "what comes later is the surviving patient's too"
    assert node.catalogue.series("1.3.7").patient.patient_id == ADA.patient_id
    assert node.catalogue.series("1.3.7").corrected


def test_a_merge_of_the_held_series_ends_its_quarantine(node: Node) -> None:
    node.receive(*ct(slices=5).instances)
    node.receive(*pet(slices=5).instances, patient=EMERGENCY)
    changed = node.catalogue.identities.merge(EMERGENCY, ADA, "ADT", "A40")
    assert changed.released == ("1.3.2",)
    node.wait()
    (case,) = node.cases.list()
    assert case.state is CaseState.QUEUED
    kinds = [entry.kind for entry in Interventions(node.database).list()]
    assert kinds == ["patient merged", "series released"]
    with pytest.raises(UnknownRecordError, match="itself"):
        node.catalogue.identities.merge(ADA, replace(ADA, patient_id=" 4711 "), "ADT", "A40")


def test_a_moved_study_takes_its_results_back_and_makes_new_ones(node: Node) -> None:
    node.receive(*ct(slices=5).instances, *pet(slices=5).instances)
    node.wait()
    early = node.deliver()
    changed = node.catalogue.identities.move("1.2.1", BABBAGE, "Dr Who", "wrong patient chosen")
    assert set(changed.series_instance_uids) == {"1.3.1", "1.3.2"}
    assert changed.withdrawn == (early,)
    withdrawn = node.cases.get(early)
    assert withdrawn.state is CaseState.WITHDRAWN
    event = node.cases.events(early)[-1]
    assert (event.actor, event.cause) == ("Dr Who", "study moved: wrong patient chosen")
    (due,) = Outbox(node.database).notes_due()
    assert (due.case_id, due.rejection) == (early, Rejection.WORKLIST)

    node.wait()
    (late,) = node.live()
    assert late.plan.series_instance_uids == withdrawn.plan.series_instance_uids
    assert late.case_id != early
    assert late.patient_key != withdrawn.patient_key
    assert node.cases.predecessor(late.case_id) == early, "the new results say what they replace"
    assert node.catalogue.series("1.3.1").patient == BABBAGE
    more = ct(slices=6).instances[-1]
    assert node.receive(more) == [AddOutcome.NEW]
    assert node.catalogue.series("1.3.1").contradictions == ()
    with pytest.raises(UnknownRecordError):
        node.catalogue.identities.move("1.2.888", BABBAGE, "Dr Who", "none")


def test_the_partner_of_a_moved_study_is_matched_again(node: Node) -> None:
    node.receive(*ct(slices=5, study="1.2.10").instances, *pet(slices=5, study="1.2.20").instances)
    node.wait()
    (early,) = node.live()
    node.catalogue.identities.move("1.2.20", BABBAGE, "Dr Who", "wrong patient")
    assert node.catalogue.unmatched_series() != ()
    node.wait()
    assert node.live() == []
    assert node.cases.get(early.case_id).state is CaseState.WITHDRAWN
    node.receive(*ct("1.3.30", slices=5, study="1.2.30").instances, patient=BABBAGE)
    node.wait()
    (late,) = node.live()
    assert late.plan.series_instance_uids == ("1.3.30", "1.3.2")


def test_what_is_made_of_corrected_images_names_the_right_patient(tmp_path: Path) -> None:
    path = classic_series(tmp_path, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg", OtherPatientIDs="X")[
        0
    ]
    header = dcmread(path, stop_before_pixels=True)
    (named,) = with_patient([header], PatientIdentity("77", "CLINIC", "Ÿberall^Žofie", "19800229", "F"))
    assert (named.PatientID, named.IssuerOfPatientID, named.PatientBirthDate) == ("77", "CLINIC", "19800229")
    assert str(named.PatientName) == "Ÿberall^Žofie"
    assert "OtherPatientIDs" not in named
    assert header.PatientID == "P1", "the header itself stays as it came"
    named.save_as(tmp_path / "named.dcm", enforce_file_format=True)
    assert str(dcmread(tmp_path / "named.dcm").PatientName) == "Ÿberall^Žofie"


def test_the_sender_is_warned(receiver: Receiver) -> None:
    first = with_pixels(sample_dataset())
    other = with_pixels(sample_dataset())
    other.StudyInstanceUID = first.StudyInstanceUID
    other.SOPInstanceUID, other.SeriesInstanceUID, other.PatientID = "1.2.3.99.1", "1.2.3.99", "SOMEBODY"
    instances = [encoded(first), encoded(other)]
    with associated(receiver.port, instances) as association:
        answers = [store(association, instance) for instance in instances]
    assert [answer.Status for answer in answers] == [0x0000, 0xB000]
    assert answers[1].ErrorComment == "Kept in quarantine: contradicts its study or patient"


def test_the_commands(node: Node, tmp_path: Path, dicomnode: Command) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f'[node]\npatient_id_domain = "HOSPITAL"\n[storage]\npath = "{tmp_path}"\nreserve_bytes = 0\n')
    node.receive(*ct(slices=5).instances)
    node.receive(*pet(slices=5).instances, patient=EMERGENCY)
    (held,) = dicomnode("identity", "--json", "--config", config).values["quarantined"]
    assert held["series_instance_uid"] == "1.3.2"
    assert "its study says another patient ID" in held["reasons"]
    listed = dicomnode("series", "--json", "--config", config).values["series"]
    assert [one["quarantined"] != [] for one in listed] == [True, False]
    said = dicomnode("identity", "merge", "ER-7", "4711", "--reason", "A40", "--json", "--config", config).values
    assert (said["series"], said["released"], said["withdrawn_cases"]) == (["1.3.2"], ["1.3.2"], [])
    moved = dicomnode(
        "identity", "move", "1.2.1", "1791", "--name", "BABBAGE^CHARLES", "--reason", "wrong patient", "--json",
        "--config", config,
    )  # fmt: skip
    assert set(moved.values["series"]) == {"1.3.1", "1.3.2"}
    entries = dicomnode("identity", "log", "--json", "--config", config).values["interventions"]
    assert [entry["kind"] for entry in entries] == ["study moved", "patient merged", "series released"]
    assert "BABBAGE" not in str(entries)
    refused = dicomnode("identity", "release", "1.3.2", "--reason", "none", "--config", config)
    assert (refused.code, "not in quarantine" in refused.stderr) == (1, True)
