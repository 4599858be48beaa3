"""`register` and `fuse` on real files, as a script would call them."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from tests.fixtures.command_line import Command

pytestmark = pytest.mark.data


def test_a_pair_of_image_files_registers_near_the_truth(
    dicomnode: Command, reference_data: Path, tmp_path: Path
) -> None:
    pairs = reference_data / "registration_pairs"
    out = tmp_path / "t2.tfm"
    answer = dicomnode("register", pairs / "tplT2_fixed.nii.gz", pairs / "tplT2_moving.nii.gz", "--out", out, "--json")
    values = answer.values
    assert len(answer.stdout.splitlines()) == 1
    assert answer.stderr == ""
    assert answer.code == {"accept": 0}.get(values["verdict"], 3)
    assert values["registrar"] == "rigid", "files never share a Frame of Reference"
    matrix = np.array(values["matrix"])
    corners = np.array([[x, y, z, 1] for x in (-70, 70) for y in (-90, 70) for z in (-40, 80)])
    assert np.linalg.norm((corners @ matrix.T - corners)[:, :3], axis=1).mean() < 3.0
    transform = SimpleITK.ReadTransform(str(out))
    for corner in corners[:, :3]:
        np.testing.assert_allclose(transform.TransformPoint(corner.tolist()), (matrix @ [*corner, 1])[:3], atol=1e-6)


def test_image_files_fuse_to_image_files(dicomnode: Command, reference_data: Path, tmp_path: Path) -> None:
    fixed = reference_data / "registration_pairs" / "tplT2_fixed.nii.gz"
    config = tmp_path / "node.toml"
    config.write_text('[recipes.header]\nregistrar = "identity"\nmethod = "average"\n', encoding="utf-8")
    answer = dicomnode(
        "fuse",
        fixed,
        reference_data / "registration_pairs" / "tplT2_moving.nii.gz",
        *("--out", tmp_path / "out", "--recipe", "header", "--config", config, "--json"),
    )
    values = answer.values
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")) == values
    assert "carries no patient" in values["warnings"][0]
    assert "carries no patient" in answer.stderr
    kinds = {output["kind"]: Path(output["path"]) for output in values["outputs"]}
    assert kinds.keys() == {"registered_series", "fused"}
    grid = SimpleITK.ReadImage(str(fixed))
    for path in (kinds["registered_series"] / "registered.nii.gz", kinds["fused"] / "fused.nii.gz"):
        image = SimpleITK.ReadImage(str(path))
        assert image.GetSize() == grid.GetSize()
        np.testing.assert_allclose(image.GetOrigin(), grid.GetOrigin(), atol=1e-4)


def test_ct_and_pet_of_one_patient_become_dicom(dicomnode: Command, reference_data: Path, tmp_path: Path) -> None:
    patient = reference_data / "petctmr_sarcoma" / "STS_001"
    out = tmp_path / "out"
    answer = dicomnode("fuse", patient / "CT", patient / "PET", "--out", out, "--json")
    values = answer.values
    assert answer.code == {"accept": 0}.get(values["verdict"], 3)
    assert values["verdict"] in ("accept", "review")
    assert values["registrar"] == "identity"
    np.testing.assert_array_equal(values["matrix"], np.eye(4))
    kinds = [output["kind"] for output in values["outputs"]]
    assert kinds == ["registered_series", "fused_colour", "spatial_registration", "quality_report", "quality_report"]
    for output in values["outputs"]:
        instances = [pydicom.dcmread(path) for path in sorted(Path(output["path"]).iterdir())]
        assert {str(instance.SeriesInstanceUID) for instance in instances} == {output["series_instance_uid"]}
        assert all("NOT FOR DIAGNOSTIC USE" in instance.SeriesDescription for instance in instances)
    assert SimpleITK.ReadTransform(str(values["transform_file"])).GetDimension() == 3


def test_two_patients_are_refused_unless_somebody_knows_better(
    dicomnode: Command, reference_data: Path, tmp_path: Path
) -> None:
    sarcoma = reference_data / "petctmr_sarcoma"
    fixed, other = sarcoma / "STS_001" / "CT", sarcoma / "STS_002" / "PET"
    refused = dicomnode("fuse", fixed, other, "--out", tmp_path / "out", "--json")
    assert refused.code == 1
    assert "--allow-different-patients" in refused.stderr
    assert refused.stdout == ""
    allowed = dicomnode("fuse", fixed, other, "--out", tmp_path / "out", "--allow-different-patients", "--json")
    values = allowed.values
    assert allowed.code == 3, values["reasons"]
    assert any("patient" in warning for warning in values["warnings"])
    assert "patient" in allowed.stderr


def test_a_constant_moving_series_is_rejected_with_its_quality_objects(
    dicomnode: Command, reference_data: Path, tmp_path: Path
) -> None:
    constant = tmp_path / "PET"
    constant.mkdir()
    for path in (reference_data / "petctmr_sarcoma" / "STS_001" / "PET" / "image").iterdir():
        instance = pydicom.dcmread(path)
        instance.PixelData = np.full((instance.Rows, instance.Columns), 100, dtype=np.uint16).tobytes()
        instance.RescaleSlope = 1
        instance.save_as(constant / path.name)
    fixed = reference_data / "petctmr_sarcoma" / "STS_001" / "CT"
    answer = dicomnode("fuse", fixed, constant, "--out", tmp_path / "out", "--json")
    values = answer.values
    assert answer.code == 3
    assert values["verdict"] == "reject"
    assert np.isfinite(values["matrix"]).all()
    assert {output["kind"] for output in values["outputs"]} == {"quality_report"}


def test_a_folder_without_a_volume_is_1_with_the_reason(
    dicomnode: Command, reference_data: Path, tmp_path: Path
) -> None:
    masks = reference_data / "petctmr_sarcoma" / "STS_001" / "CT" / "mask"
    answer = dicomnode("register", masks, masks, "--out", tmp_path / "t.tfm", "--json")
    assert answer.code == 1
    assert "no volume" in answer.stderr
