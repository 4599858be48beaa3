"""What `fuse` takes out of a folder that it used before: its own results, and nothing else."""

from pathlib import Path

import pytest

from dicomnode.commands.output_folder import numbered, prepare
from dicomnode.errors import NodeError, SettingsError

OWN = (
    "01-registered_series/00001.dcm",
    "01-registered_series/registered.nii.gz",
    "02-fused/fused.nii.gz",
    "03-explanation/saliency.png",
    "03-explanation/class_activation-both.nii.gz",
    "12-quality_report/00001.dcm",
    "transform-01.tfm",
    "report.json",
)
FOREIGN = (
    "01-registered_series/notes.txt",
    "02-slides/00001.dcm",
    "03-explanation/sketch.png",
    "transform.tfm",
    "PET/00001.dcm",
    "report.json.orig",
    "01-registered_series.zip",
)


def fill(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_own_results_go_and_foreign_files_stay(tmp_path: Path) -> None:
    fill(tmp_path, (*OWN, *FOREIGN))
    prepare(tmp_path, [tmp_path / "PET"])
    assert files_in(tmp_path) == set(FOREIGN)
    assert not (tmp_path / "02-fused").exists(), "an own folder that became empty goes too"


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    prepare(tmp_path / "a" / "b", [])
    assert numbered(tmp_path / "a" / "b", 3, "fused").is_dir()


@pytest.mark.parametrize("name", ["01-registered_series", "01-registered_series/00001.dcm", "01-registered_series#1.2"])
def test_an_input_is_never_removed(tmp_path: Path, name: str) -> None:
    fill(tmp_path, OWN)
    with pytest.raises(SettingsError, match="choose another folder"):
        prepare(tmp_path, [tmp_path / name])
    assert files_in(tmp_path) == set(OWN)


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", ("00001.dcm",))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "01-fused").symlink_to(tmp_path / "elsewhere")
    prepare(tmp_path / "out", [])
    assert files_in(tmp_path / "elsewhere") == {"00001.dcm"}


def test_a_file_in_the_place_of_the_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(NodeError, match="cannot be prepared"):
        prepare(tmp_path / "out", [])
