"""The files of deploy/ fit the node and each other."""

import json
import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from dicomnode.observe import metrics
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


def test_the_dashboard_shows_metrics_and_labels_that_there_are() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "dicomnode.json").read_text(encoding="utf-8"))
    counted = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    labels = {metric.name: set(each._labelnames) for each in counted for metric in each.describe()}
    shown = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            (series,) = re.findall(r"dicomnode_[a-z0-9_]+", target["expr"])
            name = re.sub(r"_(total|bucket|count|sum)$", "", series)
            assert name in labels, series
            shown.add(name)
            grouped = re.findall(r"by \(([a-z_, ]+)\)", target["expr"])
            assert set(", ".join(grouped).split(", ")) - {""} <= labels[name] | {"le"}, target["expr"]
            assert set(re.findall(r"{{([a-z_]+)}}", target["legendFormat"])) <= labels[name]
    assert shown == set(labels), "what is counted is shown"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
