"""One registration of the benchmark: which pair, put where, changed how, by which tool; and the row that came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusion import Volume
from fusion.geometry.transform import AffineTransform

from ..errors import NodeError
from .offsets import CHANGES, generator_of, moved_volume, random_motion
from .pairs import Pair, load_pair
from .records import Row
from .target_error import body_points
from .tools import Tool

WIDE_LEVELS = ("far", "flip")


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be done; `key` names it in the records."""

    experiment: str
    pair: str
    tool: str
    level: str = "as scanned"
    index: int = 0
    change: str = "none"

    @property
    def key(self) -> str:
        """Unique, and the same in every run."""
        return "/".join((self.experiment, self.pair, self.tool, self.level, self.change, str(self.index)))


def carry_out(trial: Trial, tool: Tool, data: Path | None) -> Row:
    """Register the pair of `trial` by `tool`: a row of plain values, with `failed` where there was no answer."""
    pair = load_pair(trial.pair, data)
    motion = random_motion(pair.moving, trial.level, pair.name, trial.index)
    fixed, moving = changed(pair, trial)
    row: dict[str, Any] = {
        "key": trial.key,
        "experiment": trial.experiment,
        "pair": trial.pair,
        "tool": trial.tool,
        "level": trial.level,
        "index": trial.index,
        "change": trial.change,
        "motion": motion.matrix.tolist(),
    }
    try:
        answer = tool.rigid(fixed, moved_volume(moving, motion), wide=trial.level in WIDE_LEVELS)
    except NodeError as error:
        return {**row, "found": None, "failed": str(error)}
    found = None if answer.transform is None else answer.transform.matrix.tolist()
    return {**row, "found": found, **rounded(answer.spent), **answer.said}


def changed(pair: Pair, trial: Trial) -> tuple[Volume, Volume]:
    """The pair with one of its sides changed, by turns."""
    generator = generator_of(pair.name, trial.change, trial.index)
    change = CHANGES[trial.change]
    if trial.change != "none" and trial.index % 2:
        return change(pair.fixed, generator), pair.moving
    return pair.fixed, change(pair.moving, generator)


def pair_row(name: str, data: Path | None) -> Row:
    """What tables need of a pair: points of its body and the truth that is stated."""
    pair = load_pair(name, data)
    points = body_points(pair.fixed, pair.moving, pair.stated)
    return {
        "key": pair_key(name),
        "experiment": "pair",
        "pair": name,
        "patient": pair.patient,
        "modalities": [pair.fixed.modality, pair.moving.modality],
        "voxels": [int(np.prod(volume.grid.shape)) for volume in (pair.fixed, pair.moving)],
        "stated": pair.stated.matrix.tolist(),
        "known_from": pair.known_from,
        "by_consensus": pair.by_consensus,
        "points": np.round(points, 2).tolist(),
    }


def pair_key(name: str) -> str:
    """The key of a pair's own row."""
    return f"pair/{name}"


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Milliseconds and kilobytes are as much as a clock is worth."""
    return {name: round(value, 3) for name, value in values.items()}


def transform_of(matrix: Any) -> AffineTransform:
    """A transform as it lies in a row."""
    return AffineTransform(np.array(matrix, dtype=np.float64))
