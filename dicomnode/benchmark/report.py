"""The page and the pictures of a run, made from its records alone."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .findings import Findings
from .goals import GOALS, goals
from .plots import draw
from .records import Records
from .tables import TABLES

PAGE = "register.md"

HOW = """
The moving image is put elsewhere by writing a random rigid motion into its header: not one voxel changes, and the
truth is exact. The error is the distance between where the found and the true transform put points of the fixed body,
as far as it lies in the moving image. **A failure** is a mean of 2.5 mm or more, or 5 mm anywhere. The truth of a
pair as scanned is the examination's own where both images are of one; for averaged heads and heads that were scanned
apart it is the consensus of ANTs, greedy and elastix, never with the tool itself in it. Their own spread stands
beside it; where it is above 1 mm the stated truth is used. A consensus shares the bias of its members. Peers run as
processes of their own on the same NIfTI files, one thread each; CPU seconds are those of the process and its
children. Ours is measured in the same way under "Cost" and "Deformable", elsewhere inside of one process.
"""

PICTURES = {
    "error_against_time": "Error against time, pairs as scanned",
    "success_against_misalignment": "Success against misalignment",
    "estimated_against_true": "The error that is expected against the true one; the band is ±30 %",
}


def write_page(records: Records, folder: Path) -> tuple[Path, Sequence[Path]]:
    """Write the page and its pictures to `folder`."""
    found = Findings(list(records))
    pictures = draw(found, folder)
    text = f"# Registration, side by side\n\n{machine()}\n{HOW}{goals(found)}"
    for path in pictures:
        text += f"\n![{PICTURES[path.stem]}]({path.name})\n"
    text += "".join(make(found) for make in TABLES)
    page = folder / PAGE
    page.write_text(text, encoding="utf-8")
    return page, pictures


def machine() -> str:
    """What it was measured on."""
    names = ("torch", "numba", "numpy", "SimpleITK")
    return f"{cpu_model()}, Python {platform.python_version()}, " + ", ".join(
        f"{name} {version(name)}" for name in names
    )


def cpu_model() -> str:
    """The processor's name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def values_of(records: Records) -> dict[str, Any]:
    """What a script wants to know: each goal, what was measured and whether it was reached."""
    found = Findings(list(records))
    reached = {}
    for goal in GOALS:
        value = goal.measured(found)
        if value is not None:
            reached[goal.what] = {"goal": goal.wanted, "measured": value[0], "reached": value[1]}
    return {"rows": len(found.rows), "failed": [row["key"] for row in found.failed], "goals": reached}
