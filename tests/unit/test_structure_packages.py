"""What is installed under our names, what is pinned, and who imports what at start-up."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from dicomnode import cli
from dicomnode.errors import NodeError

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", cli.OWN_PACKAGES)
def test_each_of_our_names_is_owned_by_us_alone(name: str) -> None:
    assert set(packages_distributions().get(name, ())) <= {"dicomnode"}
    cli.refuse_foreign_packages()


def test_a_foreign_owner_of_a_name_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "packages_distributions", lambda: {"storage": ["dicomnode", "someone-elses-storage"]})
    with pytest.raises(NodeError, match="someone-elses-storage"):
        cli.refuse_foreign_packages()


def test_the_wheel_holds_exactly_our_packages_and_is_never_uploaded() -> None:
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(cli.OWN_PACKAGES)
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]
    for name in cli.OWN_PACKAGES:
        assert not (ROOT / "tests" / name).exists(), "it would hide the package"


def test_the_constraints_are_pins_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line), line
        assert not re.match(r"(?i)(nvidia|triton|cuda|torchvision)", line), line
    assert "torch==2.13.0" in lines
    assert len({line.partition("==")[0].lower() for line in lines}) == len(lines)


def test_every_dependency_is_pinned() -> None:
    def plain(requirement: str) -> str:
        return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")

    pinned = {plain(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()}
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    assert {plain(requirement) for requirement in wanted} <= pinned


@pytest.mark.parametrize(
    "modules",
    ["dicomnode.cli", "dicomnode.server, dicomnode.scheduler, dicomnode.send.outbox, dicomnode.receive.storage_scp"],
)
def test_the_receiving_processes_import_no_torch(modules: str) -> None:
    code = f"import sys, {modules}; print([name for name in ('torch', 'SimpleITK', 'fusion') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"
