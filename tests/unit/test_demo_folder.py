"""The demonstration empties the folder of an earlier run, and no other."""

from pathlib import Path

import pytest
from rich.console import Console

from dicomnode.demo.folder import MARKER, prepare
from dicomnode.demo.run import Demonstration
from dicomnode.errors import NodeError


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("there", [False, True])
def test_a_new_or_empty_folder_is_made_and_emptied_the_next_time(tmp_path: Path, there: bool) -> None:
    out, elsewhere = tmp_path / "deep" / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept.dcm").write_text("kept")
    if there:
        out.mkdir(parents=True)
    prepare(out, None)
    (out / "sent" / "patient").mkdir(parents=True)
    (out / "node.log").write_text("earlier")
    (out / "link").symlink_to(elsewhere)
    prepare(out, elsewhere)
    assert names_in(out) == {MARKER}
    assert names_in(elsewhere) == {"kept.dcm"}


def test_a_folder_of_somebody_else_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(NodeError, match=rf"{tmp_path} holds files .* --out"):
        Demonstration(tmp_path, None, Console(quiet=True)).run()
    assert names_in(tmp_path) == {".git", "thesis.txt"}


def test_data_in_the_folder_are_never_deleted(tmp_path: Path) -> None:
    prepare(tmp_path / "out", None)
    sent = tmp_path / "out" / "sent"
    sent.mkdir()
    with pytest.raises(NodeError, match="holds the data"):
        prepare(tmp_path / "out", sent)
    assert sent.is_dir()


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(NodeError, match="is not a folder"):
        prepare(tmp_path / "out", None)
    with pytest.raises(NodeError, match="cannot be prepared"):
        prepare(tmp_path / "out" / "below", None)
