"""Links lead somewhere, and commands, options, keys and values in the pages exist."""

import itertools
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import typer

from dicomnode.cli import app
from dicomnode.encode import write_image
from dicomnode.observe import metrics
from dicomnode.settings import Settings
from fusion.geometry.transform import AffineTransform
from storage.records import CaseState
from tests.fixtures.command_line import Command
from tests.fixtures.derived_case import grid, head

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").glob("*.md"))]
LINK = re.compile(r"\[[^\]]+\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
SPOKEN = re.compile(r"`(dicomnode [a-z][^`]*)`")

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def commands_of(text: str) -> list[list[str]]:
    """Every `dicomnode …` line of the code blocks, and every one that the text speaks of."""
    lines = [line for kind, block in BLOCK.findall(text) if kind in ("", "sh") for line in block.splitlines()]
    found = [line.split("#")[0] for line in lines if re.match(r"\s*(\$ )?(\S*/)?dicomnode [a-z]", line)]
    return [shlex.split(line)[1:] for line in [*found, *SPOKEN.findall(text)] if line.strip()]


@page
def test_links_lead_to_files(path: Path) -> None:
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


@page
def test_commands_and_their_options_exist(path: Path) -> None:
    for words in commands_of(path.read_text(encoding="utf-8")):
        command: Any = typer.main.get_command(app)
        while words and hasattr(command, "commands"):
            if words[0] not in command.commands:
                assert (command.name, words[0][0]) == ("cases", "-"), words
                break
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in (*parameter.opts, "--help")}
        for word in words:
            if re.match(r"--?[a-z]", word):
                assert word.partition("=")[0] in known, f"{command.name} has no {word}"


@page
def test_settings_in_the_examples_are_valid(path: Path) -> None:
    for kind, block in BLOCK.findall(path.read_text(encoding="utf-8")):
        if kind == "toml":
            values = tomllib.loads(block)
            peers: dict[str, Any] = {
                name: {"ae_title": "X"} for rule in values.get("rules", ()) for name in rule["destinations"]
            }
            recipes: dict[str, Any] = {rule["recipe"]: {} for rule in values.get("rules", ()) if "recipe" in rule}
            values["peers"] = peers | values.get("peers", {})
            values["recipes"] = recipes | values.get("recipes", {})
            Settings.model_validate(values)


def test_every_state_has_a_line_in_troubleshooting() -> None:
    text = (ROOT / "docs" / "administrators" / "troubleshooting.md").read_text(encoding="utf-8")
    assert {state.value for state in CaseState} <= set(re.findall(r"`([a-z]+)`", text))


def test_every_metric_that_is_explained_is_counted() -> None:
    text = (ROOT / "docs" / "administrators" / "installation.md").read_text(encoding="utf-8")
    source = Path(metrics.__file__).read_text(encoding="utf-8")
    variables = dict(re.findall(r'^([A-Z_]+) = \w+\(\s*"(dicomnode_[a-z_]+)"', source, flags=re.MULTILINE))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dicomnode").rglob("*.py"))
    counted = {name for variable, name in variables.items() if re.search(rf"\b{variable}\.", code)}
    assert set(re.findall(r"`(dicomnode_[a-z_]+)`", text)) == counted


def rows_of(text: str, head: str) -> list[str]:
    """The first cells of the table whose head line begins with `head`."""
    lines = text.split(head)[1].splitlines()[2:]
    return [line.split("|")[1].strip(" `") for line in itertools.takewhile(lambda line: line.startswith("|"), lines)]


def test_the_keys_of_the_json_are_those_of_the_page(dicomnode: Command, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "scientists" / "files.md").read_text(encoding="utf-8")
    constant = SimpleITK.GetImageFromArray(np.full((4, 4, 4), 3.0, dtype=np.float32))
    SimpleITK.WriteImage(constant, str(tmp_path / "a.nii.gz"))
    registered = dicomnode("register", "a.nii.gz", "a.nii.gz", "--out", "t.tfm", "--json").values
    assert rows_of(page, "| key | meaning |") == list(registered)
    fused = dicomnode("fuse", "a.nii.gz", "a.nii.gz", "--out", "o", "--json").values
    assert rows_of(page, "| key of `fuse` | meaning |") == [key for key in fused if key not in registered]


def test_the_python_of_the_pages_runs_and_both_ways_to_resample_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onto = grid((24, 40, 36), (7.0, 4.5, 4.5), None)
    write_image(tmp_path / "fixed.nii.gz", head("CT", onto, AffineTransform.identity()))
    write_image(
        tmp_path / "moving.nii.gz", head("MR", onto, AffineTransform.rigid((0.02, 0.03, -0.05), (4.0, 3.0, 5.0)))
    )
    for name in ("python.md", "files.md"):
        (block,) = [
            block
            for kind, block in BLOCK.findall((ROOT / "docs" / "scientists" / name).read_text(encoding="utf-8"))
            if kind == "python"
        ]
        names: dict[str, Any] = {}
        exec(compile(block, name, "exec"), names)
    theirs = SimpleITK.GetArrayFromImage(names["moved"])
    ours = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("moved.nii.gz"))
    inside = (slice(4, -4),) * 3
    assert np.abs(theirs[inside] - ours[inside]).max() < 0.02 * np.ptp(ours)
