"""What the commands say to somebody who mistypes, and to a script."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from dicomnode.cli import app
from dicomnode.commands.ledger import cases_app
from tests.fixtures.command_line import Command

COMMANDS = [
    [command.name or str(command.callback.__name__).replace("_", "-")]
    for command in app.registered_commands
    if command.callback
]
COMMANDS += [["cases"], *([["cases", name] for name in ("list", "show", "approve", "reject", "retry", "withdraw")])]


def image(folder: Path, name: str, voxels: np.ndarray | None = None) -> Path:
    path = folder / name
    values = np.random.default_rng(1).normal(size=(8, 8, 8)) if voxels is None else voxels
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values.astype(np.float32)), str(path))
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(dicomnode: Command, command: list[str]) -> None:
    answer = dicomnode(*command, "--help")
    assert answer.code == 0
    assert re.search(rf"Usage: .*{' '.join(command)} \[OPTIONS\]", answer.stdout)


def test_the_commands_are_those_of_the_tables(dicomnode: Command) -> None:
    assert len(cases_app.registered_commands) == len(COMMANDS) - len(app.registered_commands) - 1
    listed = dicomnode("--help").stdout
    for command in COMMANDS:
        assert command[0] in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Usage"),
        (["fussion"], "No such command"),
        (["register", "a", "b"], "--out"),
        (["register", "a", "b", "--out", "t.tfm", "--registrar", "rigd"], "known are affine, auto"),
        (["register", "a", "b", "--out", "t.tfm", "--device", "tpu"], "'tpu'"),
        (["fuse", "a", "--out", "o"], "moving"),
        (["fuse", "a", "b", "--out", "o", "--recipe", "fast"], "'fast'; known are default"),
        (["serve", "--config", "none.toml"], "none.toml"),
        (["echo", "pacs"], "AET@host:port"),
        (["echo", "PACS@localhost:99999"], "'PACS@localhost:99999': port"),
        (["echo", "PA\\CS@localhost:104"], "no backslash"),
        (["echo", "PACS@localhost:104", "--calling", "FAR_TOO_LONG_A_TITLE"], "1 to 16 characters"),
        (["find", "PACS@localhost:99999"], "'PACS@localhost:99999': port"),
        (["find", "PACS@localhost:104", "--calling", "A\\B"], "no backslash"),
        (["find", "PACS@localhost:104", "-k", "PatientIdent=1"], "'PatientIdent'"),
        (["send", ".", "--to", "PACS@localhost:99999"], "'PACS@localhost:99999': port"),
        (["send", ".", "--to", "PA\\CS@localhost:104"], "no backslash"),
        (["register", "a", "b", "--out", "t.xyz"], "t.xyz: a transform file ends in .tfm"),
        (["register", "a", "b", "--out", "none/t.tfm"], "there is no folder none"),
        (["train", "ifcnn", "--data", ".", "--out", "none/w.safetensors"], "there is no folder none"),
        (["train", "ifcnn", "--data", ".", "--out", "w.json"], "w.json: weights are a .safetensors file"),
        (["find", "PACS@localhost:104", "--level", "FRAME"], "PATIENT, STUDY, SERIES, IMAGE"),
        (["cases", "list", "--state", "done"], "'delivered'"),
        (["cases", "approve", "abc"], "--reason"),
        (["migrate", "--down"], "--to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_2_and_says_what_is_right(dicomnode: Command, arguments: list[str], words: str) -> None:
    answer = dicomnode(*arguments)
    assert answer.code == 2
    assert words in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
    if answer.stderr.startswith("dicomnode:"):
        assert len(answer.stderr.strip().splitlines()) == 1


def test_wrong_settings_are_2_and_every_command_says_so(dicomnode: Command, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text("[node]\nprot = 104\n", encoding="utf-8")
    for command in (["serve"], ["work"], ["doctor"], ["cases"], ["series"], ["migrate"], ["echo", "X@h:1"]):
        answer = dicomnode(*command, "--config", config)
        assert answer.code == 2, command
        assert "node.prot" in answer.stderr


def test_a_misspelt_parameter_of_a_recipe_is_2(dicomnode: Command, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        '[recipes.x]\nmethod = "alpha_blend"\nmethod_parameters = { opacty = 0.5 }\nregistrar = "identity"\n',
        encoding="utf-8",
    )
    fixed, moving = image(tmp_path, "a.nii.gz"), image(tmp_path, "b.nii.gz")
    answer = dicomnode("fuse", fixed, moving, "--out", tmp_path / "o", "--recipe", "x", "--config", config)
    assert answer.code == 2
    assert "'opacty'" in answer.stderr
    assert "opacity" in answer.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.nii.gz", None, "no file or folder"),
        ("letter.txt", b"Dear colleague", "letter.txt is neither DICOM nor"),
        ("broken.nii.gz", b"\x1f\x8b\x08 cut short", "broken.nii.gz"),
        ("broken.nrrd", b"NRRD0004\ntype: float\n", "broken.nrrd"),
        ("cut.dcm", bytes(128) + b"DICM\x02\x00", "cut.dcm"),
    ],
)
def test_an_unreadable_input_is_1_with_a_sentence_that_names_it(
    dicomnode: Command, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    good, bad = image(tmp_path, "good.nii.gz"), tmp_path / name
    if content is not None:
        bad.write_bytes(content)
    for arguments in (
        ["register", good, bad, "--out", tmp_path / "t.tfm", "--json"],
        ["fuse", bad, good, "--out", tmp_path / "o", "--json"],
    ):
        answer = dicomnode(*arguments)
        assert answer.code == 1
        assert words in answer.stderr
        assert name in answer.stderr
        assert len(answer.stderr.strip().splitlines()) == 1
        assert answer.stdout == ""


def test_an_empty_folder_is_1(dicomnode: Command, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    answer = dicomnode("register", tmp_path / "nothing", tmp_path / "nothing", "--out", tmp_path / "t.tfm")
    assert answer.code == 1
    assert "holds no DICOM series" in answer.stderr


def test_a_folder_without_a_dicom_file_cannot_be_sent(dicomnode: Command, tmp_path: Path) -> None:
    for name, content in (("README", b"read me"), ("DICOMDIR", bytes(128) + b"DICM")):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    answer = dicomnode("send", tmp_path / "folder", "--to", "PACS@localhost:1")
    assert answer.code == 1
    assert answer.stderr == f"dicomnode: {tmp_path / 'folder'} holds no DICOM file\n"


def test_a_constant_volume_is_3_with_every_key(dicomnode: Command, tmp_path: Path) -> None:
    fixed = image(tmp_path, "a.nii.gz")
    constant = image(tmp_path, "b.nii.gz", np.full((8, 8, 8), 7.0))
    out = tmp_path / "t.tfm"
    answer = dicomnode("register", fixed, constant, "--out", out, "--json")
    assert answer.code == 3
    values = answer.values
    assert values["verdict"] == "reject"
    assert values["transform_file"] == str(out)
    assert out.is_file()
    assert np.isfinite(values["matrix"]).all()
    promised = ("registrar", "expected_error_mm", "error_bound_mm", "similarity", "seconds", "device")
    assert set(promised) <= values.keys()
    assert "constant" in " ".join(values["reasons"])
    table = dicomnode("register", fixed, constant, "--out", out)
    assert table.code == 3
    assert "reject" in table.stdout


def test_the_installed_command_and_the_module_are_the_same(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("dicomnode")
    for command in ([script], [sys.executable, "-m", "dicomnode"]):
        answer = subprocess.run([*command, "cases"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert answer.returncode == 1
        assert re.fullmatch(r"dicomnode: there is no ledger at dicomnode-data/ledger.sqlite.*\n", answer.stderr)
        assert list(tmp_path.iterdir()) == []
