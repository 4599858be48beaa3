"""The folder in which `fuse` puts its results: what an earlier run left there goes before a new one writes."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..encode import OF_ALL, OUTPUTS
from ..encode.explanation import MEANINGS as EXPLANATIONS
from ..errors import NodeError, SettingsError

REPORT = "report.json"
FUSED = "fused"
"""Of image files; those of DICOM are called as the outputs of a recipe."""

KINDS = "|".join(sorted((*OUTPUTS, *OF_ALL, FUSED)))
OWN_FOLDER = re.compile(rf"\d{{2,}}-({KINDS})")
OWN_FILE = re.compile(rf"transform-\d{{2,}}\.tfm|{re.escape(REPORT)}")
MAPS = "|".join(sorted(EXPLANATIONS))
OWN_RESULT = re.compile(
    rf"\d{{5,}}\.dcm|(registered|fused|fused-together)\.nii\.gz|({MAPS})(\.png|-(fixed|moved|both)\.nii\.gz)"
)


def numbered(folder: Path, number: int, kind: str) -> Path:
    """The folder of result `number`, which is there afterwards."""
    place = folder / f"{number:02d}-{kind}"
    place.mkdir(exist_ok=True)
    return place


def prepare(folder: Path, inputs: Sequence[Path]) -> None:
    """Make `folder`, and take out of it what an earlier run wrote; other files stay, wherever they lie.

    Raises `SettingsError` where an input is such a result, `NodeError` where something cannot be made or removed.
    """
    places = [place for place in _own(folder, OWN_FOLDER) if place.is_dir()]
    for path in inputs:
        named = path if path.exists() else Path(str(path).rpartition("#")[0])  # FOLDER#SeriesInstanceUID
        if any(named.resolve().is_relative_to(place.resolve()) for place in places):
            raise SettingsError(f"{path} is a result in {folder}, which is replaced: choose another folder for --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place in places:
            for result in list(_own(place, OWN_RESULT)):
                result.unlink()
            if not any(place.iterdir()):
                place.rmdir()
        for file in list(_own(folder, OWN_FILE)):
            file.unlink()
    except OSError as error:
        raise NodeError(f"{folder} cannot be prepared for the results: {error.strerror}") from error


def _own(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    """What is called as our own; never through a link."""
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if pattern.fullmatch(path.name) and not path.is_symlink())
