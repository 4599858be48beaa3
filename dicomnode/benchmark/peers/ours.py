"""The node's own registrars: `auto` twice, the second time for what the engine alone costs, or `deformable` once."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import fusion
from dicomnode.load import load_input
from dicomnode.pipeline import register_pair
from fusion import Volume
from storage.records import Recipe


def main() -> None:
    """Answer the request that the command line names."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    fixed, moving = (load_input(Path(request[role])).volume for role in ("fixed", "moving"))
    answer = deformable(fixed, moving, request["field"]) if request["kind"] == "deformable" else rigid(fixed, moving)
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def rigid(fixed: Volume, moving: Volume) -> dict[str, Any]:
    """Fixed to moving points; the verdict's share of the time is left out."""
    steps: dict[str, float] = {}

    def on_step(step: str) -> None:
        steps[step] = time.process_time()

    for _ in range(2):
        registration, _report = register_pair(fixed, moving, Recipe("benchmark"), None, on_step)
    return {"cpu_s": steps["assess"] - steps["register"], "matrix": registration.transform.matrix.tolist()}


def deformable(fixed: Volume, moving: Volume, path: str) -> dict[str, Any]:
    """Where every fixed voxel's centre goes."""
    began = time.process_time()
    registration = fusion.register(fixed, moving, registrar="deformable")
    spent = time.process_time() - began
    grid = fixed.grid
    field = np.empty((*grid.shape, 3), dtype=np.float32)
    rows, columns = np.meshgrid(*(np.arange(n) for n in grid.shape[1:]), indexing="ij")
    for index in range(grid.shape[0]):
        points = grid.points(np.stack([np.full(rows.shape, index), rows, columns], axis=-1).astype(np.float64))
        field[index] = registration.transform(points) - points
    np.save(path, field)
    return {"cpu_s": spent}


if __name__ == "__main__":
    main()
