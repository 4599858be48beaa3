"""What a whole command costs in a process of its own: CPU seconds, wall seconds, peak memory."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from fusion.geometry.transform import AffineTransform

from ..encode import write_image
from ..errors import NodeError
from .accounting import Spent, timed
from .offsets import moved_volume, random_motion
from .pairs import HEAD_2MM, HEAD_13M, HEAD_NATIVE, load_pair
from .phantom import axial_grid, write_clinical
from .records import Row
from .tools import LIMIT_S, OURS, Peer
from .trial import rounded

CLINICAL = "512 x 512 x 1200 CT, 256 x 256 x 180 MR"
COMMAND = "dicomnode register"
ENGINE = "ours, engine alone"
IMPORTS = "import torch"

MEASURED = (HEAD_2MM, HEAD_NATIVE, HEAD_13M)
NOT_ACCEPTED = 3

Files = tuple[Path, Path]


def cost_key(pair: str, tool: str) -> str:
    """The key of a row."""
    return f"cost/{pair}/{tool}"


def cost_jobs(
    pairs: Sequence[str], peers: Sequence[Peer], data: Path | None, *, engine: bool
) -> list[tuple[str, Callable[[], Row]]]:
    """What is to be measured, by key: this node's command, its `engine` alone, and `peers`, on the same files."""
    jobs: list[tuple[str, Callable[[], Row]]] = [(cost_key("", IMPORTS), importing)]
    for pair in pairs:
        jobs += [
            (cost_key(pair, tool), partial(cost, pair, tool, None, data)) for tool in (COMMAND, ENGINE)[: 1 + engine]
        ]
        jobs += [(cost_key(pair, peer.name), partial(cost, pair, peer.name, peer, data)) for peer in peers]
    return jobs


def importing() -> Row:
    """What importing torch alone costs: every command pays it."""
    return row("", IMPORTS, timed([sys.executable, "-c", "import torch"], LIMIT_S))


def cost(pair: str, tool: str, peer: Peer | None, data: Path | None) -> Row:
    """Measure `tool` on `pair`, written to files for it."""
    with tempfile.TemporaryDirectory() as folder:
        files = clinical_files(Path(folder)) if pair == CLINICAL else pair_files(pair, data, Path(folder))
        try:
            if tool == COMMAND:
                return row(pair, tool, command(files, Path(folder)))
            asked = peer or Peer(OURS, Path(sys.executable))
            request = {"fixed": files[0], "moving": files[1], "kind": "rigid"}
            values = asked.asked(request, Path(folder))
            return {**row(pair, tool, values["spent"]), "found": values["matrix"]}
        except NodeError as error:
            return {**row(pair, tool, {}), "failed": str(error)}


def command(files: Files, folder: Path) -> Spent:
    """`dicomnode register` as a person runs it; a verdict other than accept is an answer too."""
    words = [sys.executable, "-m", "dicomnode", "register", *files, "--out", folder / "found.tfm", "--json"]
    return timed([str(word) for word in words], LIMIT_S, accepted_codes=(0, NOT_ACCEPTED))


def pair_files(name: str, data: Path | None, folder: Path) -> Files:
    """The pair with its moving image put elsewhere, as uncompressed files."""
    pair = load_pair(name, data)
    motion = random_motion(pair.moving, "middle", "cost", 0)
    write_image(folder / "fixed.nii", pair.fixed)
    write_image(folder / "moving.nii", moved_volume(pair.moving, motion))
    return folder / "fixed.nii", folder / "moving.nii"


def clinical_files(folder: Path) -> Files:
    """A whole body in CT (300 million voxels) and its head in MR, 630 and 24 MB."""
    lay = AffineTransform.rigid((0.1, -0.06, 0.12), (12.0, -20.0, 30.0))
    body = axial_grid((1200, 512, 512), (1.5, 0.9766, 0.9766), (0, 0, -800))
    head = axial_grid((180, 256, 256), (1.0, 1.0, 1.0), (0, 0, -10))
    write_clinical(folder / "ct.nii", "CT", body, AffineTransform.identity(), 1)
    write_clinical(folder / "mr.nii", "MR", head, lay, 2)
    return folder / "ct.nii", folder / "mr.nii"


def row(pair: str, tool: str, spent: Spent | dict[str, float]) -> dict[str, Any]:
    """A row of plain values."""
    costs = asdict(spent) if isinstance(spent, Spent) else spent
    return {"key": cost_key(pair, tool), "experiment": "cost", "pair": pair, "tool": tool, **rounded(costs)}
