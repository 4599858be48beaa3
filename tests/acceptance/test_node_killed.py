"""kill -9 of the node at every stage of a case: afterwards the case completes, and the PACS holds each result once."""

import subprocess
import time
from collections.abc import Callable

import pytest

from dicomnode.demo.patients import GeneratedPatient
from storage.records import CaseRecord, CaseState
from tests.acceptance.test_node_delivers import held_once
from tests.fixtures.dcmtk import storescu
from tests.fixtures.node_process import NodeProcess
from tests.fixtures.orthanc import Orthanc
from tests.fixtures.real_programs import require_program

pytestmark = [pytest.mark.pacs, pytest.mark.slow]

STAGES = [
    ("instance_kept",),
    ("series_completed",),
    ("case_opened",),
    ("case_started",),
    ("case_step", '"load"'),
    ("case_step", '"register"'),
    ("case_step", '"fuse"'),
    ("case_step", '"encode"'),
    ("case_computed",),
    ("series_sent",),
    ("commitment_reported",),
]


@pytest.mark.parametrize("marks", STAGES, ids=lambda marks: "-".join(marks).replace('"', ""))
def test_a_killed_node_takes_up_where_it_was(
    marks: tuple[str, ...], orthanc: Orthanc, make_node: Callable[..., NodeProcess], small_pet_ct: GeneratedPatient
) -> None:
    node = make_node(orthanc.port, commitment=True, moving=("PT",))
    orthanc.add_modality("node", "FUSIONNODE", node.port)
    node.start()
    folders = [small_pet_ct.fixed.folder, small_pet_ct.moving.folder]
    command = [require_program("storescu", "dcmtk"), "+sd", "-aec", "FUSIONNODE", "127.0.0.1", str(node.port)]
    workstation = subprocess.Popen([*command, *map(str, folders)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    node.await_log(*marks)
    node.kill()
    cut_off = workstation.wait(60) != 0
    node.start()
    if cut_off:  # a workstation whose association broke sends again
        storescu(node.port, "FUSIONNODE", folders).check_returncode()

    case = the_delivered_one(node)
    assert case.result is not None
    assert case.result.verdict == "accept"
    held_once(orthanc, case)


def test_killed_again_and_again(
    orthanc: Orthanc, make_node: Callable[..., NodeProcess], small_pet_ct: GeneratedPatient
) -> None:
    node = make_node(orthanc.port, moving=("PT",))
    node.start()
    storescu(node.port, "FUSIONNODE", [small_pet_ct.fixed.folder, small_pet_ct.moving.folder]).check_returncode()
    for seconds in (0.7, 1.9, 3.1, 4.3):
        time.sleep(seconds)
        node.kill()
        node.start()

    held_once(orthanc, the_delivered_one(node))


def the_delivered_one(node: NodeProcess) -> CaseRecord:
    """When all is at rest. A series that was cut off may first have been taken for whole; its case then gave way."""
    cases = node.await_cases(1, CaseState.DELIVERED, CaseState.REPLACED)
    (delivered,) = (case for case in cases if case.state is CaseState.DELIVERED)
    return delivered
