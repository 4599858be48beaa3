"""From a workstation's C-STORE to the PACS: the node as a process, a real Orthanc, DCMTK as the workstation."""

import json
from collections.abc import Callable

import pytest

from dicomnode.demo.patients import GeneratedPatient
from storage.records import CaseRecord, CaseState
from tests.fixtures.dcmtk import echoscu, storescu
from tests.fixtures.node_process import NodeProcess
from tests.fixtures.orthanc import Orthanc

pytestmark = pytest.mark.pacs

MakeNode = Callable[..., NodeProcess]


def held_once(orthanc: Orthanc, case: CaseRecord) -> None:
    """The PACS holds each derived instance of the case, once, in the study in which the plan files."""
    assert case.result is not None
    for series in case.result.derived:
        wanted = sorted(instance.sop_instance_uid for instance in series.instances)
        assert orthanc.instance_uids(SeriesInstanceUID=series.series_instance_uid) == wanted, series.kind
        (study,) = orthanc.find("Study", StudyInstanceUID=case.plan.file_in_study_uid)
        held = orthanc.find("Series", SeriesInstanceUID=series.series_instance_uid)
        assert [each["ParentStudy"] for each in held] == [study["ID"]], series.kind


def test_two_patients_arrive_at_the_pacs_fused(
    orthanc: Orthanc, make_node: MakeNode, small_pet_ct: GeneratedPatient, small_ct_mr: GeneratedPatient
) -> None:
    node = make_node(orthanc.port, commitment=True)
    orthanc.add_modality("node", "FUSIONNODE", node.port)
    node.start()
    assert "Received Echo Response (Success)" in echoscu(node.port, "FUSIONNODE").stdout
    for patient in (small_pet_ct, small_ct_mr):
        sent = storescu(node.port, "FUSIONNODE", [patient.fixed.folder, patient.moving.folder])
        assert sent.returncode == 0, sent.stdout[-2000:]

    cases = node.await_cases(2, CaseState.DELIVERED)

    assert sorted(case.plan.rule for case in cases) == ["MR on CT", "PT on CT"]
    for case in cases:
        assert case.result is not None
        assert case.result.verdict == "accept", case.result.reports
        kinds = [series.kind for series in case.result.derived]
        assert kinds[:3] == ["registered_series", "fused_colour", "spatial_registration"]
        assert set(kinds[3:]) == {"quality_report"}
        held_once(orthanc, case)

    shown = node.command("cases", "show", cases[0].case_id[:8], "--json")
    assert shown.returncode == 0, shown.stderr
    values = json.loads(shown.stdout.splitlines()[-1])
    assert values["state"] == "delivered"
    assert values["fixed"]["reasons"]
    assert all(choice["reasons"] for choice in values["moving"])
    assert {delivery["state"] for delivery in values["deliveries"]} == {"committed"}
    assert [event["to"] for event in values["events"]][-2:] == ["delivering", "delivered"]

    node.stop()
    log = node.log.read_text()
    for secret in ("Demonstration", "Petra", "19570412", "19490923", "DEMO-0001", "DEMO-0002"):
        assert secret not in log, "a name, a birth date or an identifier reached the log"


def test_a_pacs_that_is_down_for_a_while_loses_nothing(
    orthanc: Orthanc, make_node: MakeNode, small_pet_ct: GeneratedPatient
) -> None:
    node = make_node(orthanc.port, moving=("PT",))
    node.start()
    orthanc.stop()
    storescu(node.port, "FUSIONNODE", [small_pet_ct.fixed.folder, small_pet_ct.moving.folder]).check_returncode()
    node.await_cases(1, CaseState.DELIVERING)
    node.await_log("destination_held")
    listed = json.loads(node.command("cases", "list", "--json").stdout.splitlines()[-1])
    assert any(delivery["last_error"] for delivery in listed["cases"][0]["deliveries"])

    orthanc.start()

    (case,) = node.await_cases(1, CaseState.DELIVERED)
    held_once(orthanc, case)


def test_late_slices_replace_the_case(orthanc: Orthanc, make_node: MakeNode, small_pet_ct: GeneratedPatient) -> None:
    node = make_node(orthanc.port, moving=("PT",))
    node.start()
    early, late = sorted(small_pet_ct.moving.folder.iterdir())[:-4], sorted(small_pet_ct.moving.folder.iterdir())[-4:]
    storescu(node.port, "FUSIONNODE", [small_pet_ct.fixed.folder, *early]).check_returncode()
    (first,) = node.await_cases(1, CaseState.DELIVERED)

    storescu(node.port, "FUSIONNODE", late).check_returncode()

    cases = node.await_cases(2, CaseState.DELIVERED, CaseState.REPLACED)
    (new,) = (case for case in cases if case.state is CaseState.DELIVERED)
    assert new.case_id != first.case_id
    assert len(new.plan.moving[0].sop_instance_uids) == len(early) + len(late)
    assert first.result is not None
    assert new.result is not None
    old_uids = {series.series_instance_uid for series in first.result.derived}
    assert not old_uids & {series.series_instance_uid for series in new.result.derived}


def test_the_ledger_may_be_a_postgresql(
    orthanc: Orthanc, make_node: MakeNode, small_pet_ct: GeneratedPatient, postgresql_url: str
) -> None:
    node = make_node(orthanc.port, moving=("PT",), database_url=postgresql_url)
    node.start()
    storescu(node.port, "FUSIONNODE", [small_pet_ct.fixed.folder, small_pet_ct.moving.folder]).check_returncode()

    (case,) = node.await_cases(1, CaseState.DELIVERED)
    held_once(orthanc, case)
