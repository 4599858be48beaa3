"""`dicomnode export`: a case of the ledger as a folder that names nobody and can still be loaded."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from dicomnode.demo.patients import GeneratedPatient
from dicomnode.load import load_series
from storage.records import CaseState
from tests.fixtures.command_line import Command
from tests.fixtures.iod_tables import iod_errors
from tests.fixtures.node_parts import NodeParts


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(f'[storage]\npath = "{tmp_path}"\nreserve_bytes = 0\n', encoding="utf-8")
    return path


@pytest.fixture
def case_id(node_parts: NodeParts, small_pet_ct: GeneratedPatient) -> str:
    """A finished case of the generated patient."""
    node_parts.receive([*sorted(small_pet_ct.fixed.folder.iterdir()), *sorted(small_pet_ct.moving.folder.iterdir())])
    node_parts.schedule()
    assert node_parts.worker().run_once()
    case = node_parts.only_case()
    assert case.state is CaseState.DELIVERING
    return case.case_id


def marks_of(patient: GeneratedPatient) -> list[bytes]:
    header = dcmread(min(patient.fixed.folder.iterdir()))
    return [str(header[keyword].value).encode() for keyword in ("PatientName", "PatientID", "StudyInstanceUID")]


def test_a_case_leaves_without_names_and_loads_again(
    dicomnode: Command, config: Path, case_id: str, node_parts: NodeParts, small_pet_ct: GeneratedPatient
) -> None:
    key = config.parent / "research.key"
    asked = ("export", case_id[:8], "--deidentify", "--format", "both", "--dates", "shift", "--keep-characteristics")
    answer = dicomnode(
        *asked, "--key", key, "--out", config.parent / "given", "--as", "ana", "--config", config, "--json"
    )
    assert answer.code == 0, answer.stderr
    (written,) = answer.values["cases"]
    folder = Path(written["folder"])

    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for mark in marks_of(small_pet_ct):
            assert mark not in content, path
            assert mark.decode() not in str(path)
    assert sum(path.is_file() for path in folder.rglob("*")) == written["files"]
    assert any("quality_report" in sentence for sentence in written["left_out"]), "its pages hold writing"

    before, after = (
        load_series(sorted(place.iterdir())).volume for place in (small_pet_ct.moving.folder, folder / "moving_1")
    )
    np.testing.assert_array_equal(after.voxels, before.voxels)
    assert after.unit is before.unit, "weight and times are kept, so that SUV still is"
    for instance in (folder / "registered_series_1").iterdir():
        assert iod_errors(dcmread(instance)) == ()

    case = node_parts.only_case()
    assert case.result is not None
    found = SimpleITK.ReadTransform(str(folder / "transform_1.tfm"))
    matrix = np.array(case.result.reports[0]["matrix"])
    point = np.array([10.0, -20.0, 30.0])
    np.testing.assert_allclose(found.TransformPoint(point.tolist()), matrix[:3, :3] @ point + matrix[:3, 3], atol=1e-6)
    registered = SimpleITK.ReadImage(str(folder / "registered_1.nii.gz"))
    assert registered.GetSize() == SimpleITK.ReadImage(str(folder / "fixed.nii.gz")).GetSize()
    assert json.loads((folder / "case.json").read_text())["verdict"] == "accept"

    event = node_parts.cases.events(case.case_id)[-1]
    assert (event.actor, event.to_state) == ("ana", CaseState.DELIVERING)
    assert "exported" in event.cause
    again = dicomnode(*asked, "--key", key, "--out", config.parent / "given", "--config", config)
    assert again.code == 1
    assert "is there already" in again.stderr


def test_nothing_leaves_with_names_on_it(dicomnode: Command, config: Path, case_id: str) -> None:
    answer = dicomnode("export", case_id[:8], "--out", config.parent / "given", "--config", config)
    assert answer.code == 2
    assert "--deidentify" in answer.stderr
    assert not (config.parent / "given").exists()
