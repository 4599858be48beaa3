"""greedy: normalised mutual information, rigid; or its diffeomorphic mode. Its matrices and warps are RAS mm."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK

TO_LPS = np.diag((-1.0, -1.0, 1.0, 1.0))


def main() -> None:
    """Answer the request that the command line names."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        run = deformable if request["kind"] == "deformable" else rigid
        answer = run(request, Path(folder))
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def rigid(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Fixed to moving points."""
    start = ["-ia-image-centers", "-search", "1000", "any", "20"] if request["wide"] else ["-ia-image-centers"]
    images = ["-i", request["fixed"], request["moving"]]
    matrix = folder / "matrix.mat"
    words = ["-d", "3", *images, "-a", "-dof", "6", "-m", "NMI", "-n", "100x50x10", *start, "-o", str(matrix)]
    spent = execute(words, request["executable"])
    return {"cpu_s": spent, "matrix": (TO_LPS @ np.loadtxt(matrix) @ TO_LPS).tolist()}


def deformable(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The warp is a displacement of fixed voxels in physical space, which an image file carries as LPS or RAS."""
    metric = ["-m", "NCC", "2x2x2"] if request["same_contrast"] else ["-m", "NMI"]
    warp = folder / "warp.nii.gz"
    images = ["-i", request["fixed"], request["moving"]]
    words = ["-d", "3", *images, *metric, "-n", "100x50x20", "-o", str(warp)]
    spent = execute(words, request["executable"])
    # ITK's reader turns the vectors of a NIfTI file with the intent of a displacement from RAS to LPS.
    np.save(request["field"], SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(warp))).astype(np.float32))
    return {"cpu_s": spent}


def execute(words: list[str], executable: str | None) -> float:
    """Run the program on PATH, or the Python package that holds the same; CPU seconds of the second."""
    began = time.process_time()
    if executable:
        subprocess.run([executable, *words], check=True, stdout=sys.stderr)
        return time.process_time() - began
    from picsl_greedy import Greedy3D

    began = time.process_time()
    Greedy3D().execute(" ".join(words[2:]))
    return time.process_time() - began


if __name__ == "__main__":
    main()
