"""Deformable registrars on a head that was bent in a known way, each in a process of its own on the same files."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fusion import Grid
from fusion.geometry.displacement import DisplacementTransform
from fusion.geometry.transform import AffineTransform

from ..encode import write_image
from ..errors import NodeError
from .pairs import HEAD_NATIVE, load_pair
from .records import Row
from .tools import OURS, Peer
from .trial import rounded
from .warps import WarpedPair, beyond, error_of, warped_pair

CONTRASTS = ("same", "other")
DEFORMABLE_PEERS = ("greedy", "ants", "convexadam")
NOTHING = "no registration"
MARGIN_MM = 6.0


def deformable_jobs(peers: Sequence[Peer], data: Path | None) -> list[tuple[str, Callable[[], Row]]]:
    """What is to be measured, by key."""
    tools = [Peer(OURS, Path(sys.executable)), *(peer for peer in peers if peer.name in DEFORMABLE_PEERS)]
    jobs: list[tuple[str, Callable[[], Row]]] = []
    for contrast in CONTRASTS:
        jobs.append((warp_key(contrast, NOTHING), partial(unregistered, contrast, data)))
        jobs += [(warp_key(contrast, tool.name), partial(warped, contrast, tool, data)) for tool in tools]
    return jobs


def warp_key(contrast: str, tool: str) -> str:
    """The key of a row."""
    return f"deformable/{contrast}/{tool}"


@lru_cache(maxsize=1)
def bent_head(contrast: str, data: Path | None) -> WarpedPair:
    """The T1 head and the same bent by 5 mm in the mean."""
    return warped_pair(load_pair(HEAD_NATIVE, data).fixed, other_contrast=contrast == "other")


def unregistered(contrast: str, data: Path | None) -> Row:
    """How far the warp puts the head: the row that all others are to be better than."""
    return row_of(contrast, NOTHING, asdict(error_of(bent_head(contrast, data), AffineTransform.identity())))


def warped(contrast: str, tool: Peer, data: Path | None) -> Row:
    """Register the bent head with `tool`."""
    pair = bent_head(contrast, data)
    with tempfile.TemporaryDirectory() as folder:
        fixed, moving = Path(folder, "fixed.nii"), Path(folder, "moving.nii")
        write_image(fixed, pair.fixed)
        write_image(moving, pair.moving)
        try:
            field, answer = tool.deformable(fixed, moving, same_contrast=contrast == "same")
        except NodeError as error:
            return {**row_of(contrast, tool.name, {}), "failed": str(error)}
    errors = asdict(error_of(pair, continued(field, pair.fixed.grid)))
    return {**row_of(contrast, tool.name, errors), **rounded(answer.spent)}


def continued(field: NDArray[np.float32], grid: Grid) -> DisplacementTransform:
    """The displacements (slice, row, column, 3), each border's going on beyond it: points lie up to the last voxel."""
    wider = beyond(grid, MARGIN_MM)
    before = [round(place) for place in wider.indices(grid.origin_mm)]
    margins = [(first, n - first - m) for first, n, m in zip(before, wider.shape, grid.shape, strict=True)]
    padded = np.pad(field, [*margins, (0, 0)], mode="edge")
    return DisplacementTransform(torch.from_numpy(np.ascontiguousarray(padded.transpose(3, 0, 1, 2))), wider)


def row_of(contrast: str, tool: str, values: dict[str, float]) -> dict[str, Any]:
    """A row of plain values."""
    key = warp_key(contrast, tool)
    return {"key": key, "experiment": "deformable", "contrast": contrast, "tool": tool, **values}
