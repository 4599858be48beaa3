"""Colour tables of 256 entries: the well-known palettes of the standard, and grey.

The data lie in `well_known_palettes.json`, keyed by what their SOP Instance UID means in PS3.6 table A-1. (pydicom
3.0.2 has Fall and Winter exchanged when they are asked for by name.)
"""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

ColourTable: TypeAlias = NDArray[np.uint8]
"""(256, 3): sRGB, read-only."""

ENTRIES = 256


def _well_known() -> dict[str, ColourTable]:
    text = files(__package__).joinpath("well_known_palettes.json").read_text(encoding="utf-8")
    palettes: dict[str, dict[str, Any]] = json.loads(text)["palettes"]
    return {
        name: _frozen([_channel(entry, colour) for colour in ("red", "green", "blue")])
        for name, entry in palettes.items()
    }


def _channel(entry: Mapping[str, Any], colour: str) -> Sequence[int]:
    if colour in entry:
        return bytes.fromhex(entry[colour])
    return _expanded(entry[f"segmented_{colour}"])


def _expanded(segments: Sequence[int]) -> list[int]:
    """Discrete (0) and linear (1) segments to values (PS3.3 C.7.9.2.1 and C.7.9.2.2)."""
    values: list[int] = []
    position = 0
    while position < len(segments):
        kind, length = segments[position : position + 2]
        position += 2
        if kind == 0:
            values += segments[position : position + length]
            position += length
        else:
            end = segments[position]
            start = values[-1]
            values += [round(start + (end - start) * step / length) for step in range(1, length + 1)]
            position += 1
    return values


def _frozen(channels: Sequence[Sequence[int]]) -> ColourTable:
    table = np.array([list(channel) for channel in channels], dtype=np.uint8).T.copy()
    table.setflags(write=False)
    return table


COLOUR_TABLES: Mapping[str, ColourTable] = MappingProxyType(
    {
        **_well_known(),
        "grey": _frozen([range(ENTRIES)] * 3),
        "inverse_grey": _frozen([range(ENTRIES - 1, -1, -1)] * 3),
    }
)
