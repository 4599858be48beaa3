"""The folder of the demonstration: emptied before each run, and therefore only ever one that it made itself."""

import shutil
from pathlib import Path

from ..errors import NodeError

MARKER = ".dicomnode-demo"
"""In every folder that the demonstration made."""


def prepare(folder: Path, data: Path | None) -> None:
    """Make `folder` and leave nothing in it but the marker.

    Raises `NodeError` where something lies there that the demonstration did not make, where `data` lies there, and
    where the folder cannot be made or emptied.
    """
    if data is not None and data.resolve().is_relative_to(folder.resolve()):
        raise NodeError(
            f"{folder} is emptied before the run and holds the data {data}: choose another folder for --out"
        )
    try:
        if folder.exists() and not folder.is_dir():
            raise NodeError(f"{folder} is not a folder: choose another name for --out")
        if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise NodeError(
                f"{folder} holds files that the demonstration did not make, and it would delete them: "
                "name a new or empty folder with --out, or empty this one yourself"
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).write_text("Made by the demonstration, which deletes everything in here when run again.\n")
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARKER:
                path.unlink()
    except OSError as error:
        raise NodeError(f"{folder} cannot be prepared for the demonstration: {error.strerror}") from error
