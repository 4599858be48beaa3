"""Real patients, from their files through receiving to plans."""

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.receive.ingest import Ingest
from dicomnode.scheduler import Scheduler
from dicomnode.settings import MatchingSettings, RuleSettings, Settings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.objects import ObjectStore
from storage.records import CaseRecord, CaseState, ReceivedInstance
from storage.session import Database

pytestmark = pytest.mark.data

RULES = (
    RuleSettings(name="petct", fixed="CT", moving=("PT",), window_hours=720),
    RuleSettings(name="all", fixed="CT", moving=("PT", "MR"), window_hours=720),
    RuleSettings(name="narrow", fixed="CT", moving=("MR",), window_hours=24),
)
NOW = datetime(2024, 3, 10, 8, 0, tzinfo=UTC)
META = 132
"""Preamble and prefix; then the group length element, whose value counts what follows it (PS3.10 7.1)."""


def received(path: Path, at: datetime) -> ReceivedInstance:
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, META + 8)
    header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID", "SOPClassUID"])
    return ReceivedInstance(
        sop_class_uid=header.SOPClassUID,
        sop_instance_uid=header.SOPInstanceUID,
        transfer_syntax_uid=header.file_meta.TransferSyntaxUID,
        dataset=data[META + 12 + length :],
        calling_ae_title="SCANNER",
        called_ae_title="FUSIONNODE",
        peer_address="127.0.0.1",
        received_at=at,
    )


def cases_of(folders: list[Path], tmp_path: Path) -> tuple[CaseRecord, ...]:
    """What the node makes of every file in `folders`, RT structure sets among them."""
    configured = Settings(rules=RULES, matching=MatchingSettings(quiet_time_s=5))
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(database)
    catalogue, cases = Catalogue(database), Cases(database)
    ingest = Ingest(ObjectStore(tmp_path / "objects"), catalogue, configured)
    files = [path for folder in folders for path in sorted(folder.rglob("*.dcm"))]
    for number, path in enumerate(files):
        ingest(received(path, NOW + timedelta(milliseconds=number)))
    Scheduler(configured, catalogue, cases).run_once(NOW + timedelta(minutes=5))
    found = cases.list()
    database.dispose()
    return found


@pytest.mark.parametrize(("patient", "slices"), [("STS_001", 59), ("STS_002", 48)])
def test_pet_ct_and_mr_of_one_patient(reference_data: Path, tmp_path: Path, patient: str, slices: int) -> None:
    found = {case.plan.rule: case for case in cases_of([reference_data / "petctmr_sarcoma" / patient], tmp_path)}
    assert found.keys() == {"petct", "all"}, "the MR was acquired more than a day before"
    assert all(case.state is CaseState.QUEUED for case in found.values())
    plan = found["all"].plan
    assert [choice.modality for choice in (plan.fixed, *plan.moving)] == ["CT", "PT", "MR"]
    assert len(plan.fixed.sop_instance_uids) == slices
    assert plan.identity_is_default == (True, False)
    said = {choice.modality: " | ".join(choice.reasons) for choice in plan.moving}
    assert "Corrected Image lists ATTN and Units are GML" in said["PT"]
    assert "Image Type says DERIVED" in said["PT"]
    assert "its sequence is T1: the description says T1" in said["MR"]
    assert "days apart, so not in one examination" in said["MR"]
    assert len({plan.file_in_study_uid, plan.fixed.study_instance_uid}) == 1


def test_two_patients_make_no_pair(reference_data: Path, tmp_path: Path) -> None:
    root = reference_data / "petctmr_sarcoma"
    assert cases_of([root / "STS_001" / "CT", root / "STS_002" / "PET"], tmp_path) == ()
