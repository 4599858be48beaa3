"""The files of deploy/ fit the node and each other."""

import json
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

from dicomnode.settings import load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def test_the_settings_of_the_containers_are_valid_and_fit_orthanc() -> None:
    settings = load_settings(DEPLOY / "node.compose.toml")
    orthanc = json.loads((DEPLOY / "orthanc.json").read_text(encoding="utf-8"))
    pacs = settings.peers["pacs"]
    assert (pacs.ae_title, pacs.port) == (orthanc["DicomAet"], orthanc["DicomPort"])
    node = orthanc["DicomModalities"]["fusionnode"]
    assert (node["AET"], node["Port"]) == (settings.node.ae_title, settings.node.port)
    assert pacs.storage_commitment
    assert node["AllowStorageCommitment"]
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    for service in (pacs.host, node["Host"], "database"):
        assert f"\n  {service}:\n" in compose
    for port in (settings.node.port, settings.web.port, orthanc["DicomPort"], orthanc["HttpPort"]):
        assert f'"127.0.0.1:{port}:{port}"' in compose


def test_the_container_holds_what_the_distribution_needs() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {package} ./{package}" in dockerfile
    copied = " ".join(line for line in dockerfile.splitlines() if line.startswith("COPY"))
    for name in ("pyproject.toml", "constraints.txt", "bootstrap.py", project["project"]["readme"]):
        assert name in copied
    assert dockerfile.index("USER dicomnode") < dockerfile.index("CMD")


def test_the_service_runs_a_command_as_a_user_of_its_own(tmp_path: Path) -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd" / "dicomnode.service", encoding="utf-8")
    assert unit["Service"]["User"] == "dicomnode"
    assert unit["Service"]["ExecStart"].endswith("/dicomnode serve")
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not here: Debian package systemd")
    answer = subprocess.run(
        [verify, "verify", str(DEPLOY / "systemd" / "dicomnode.service")], capture_output=True, text=True, check=False
    )
    complaints = [
        line for line in answer.stderr.splitlines() if "dicomnode" in line and "is not executable" not in line
    ]
    assert complaints == []
