"""ANTs through its Python package: `Rigid`, started with one centre of mass on the other, or `SyN`."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import ants
import numpy as np

SEED = 1


def main() -> None:
    """Answer the request that the command line names."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    fixed, moving = (ants.image_read(request[role]) for role in ("fixed", "moving"))
    kind = "SyN" if request["kind"] == "deformable" else "Rigid"
    began = time.process_time()
    found = ants.registration(fixed, moving, type_of_transform=kind, random_seed=SEED)
    answer: dict[str, Any] = {"cpu_s": time.process_time() - began}
    if request["kind"] == "deformable":
        save_field(fixed, found["fwdtransforms"], request["field"])
    else:
        transform = ants.read_transform(found["fwdtransforms"][0])
        matrix = np.eye(4)
        matrix[:3, 3] = transform.apply_to_point((0.0, 0.0, 0.0))
        for axis in range(3):
            unit = tuple(float(axis == k) for k in range(3))
            matrix[:3, axis] = np.array(transform.apply_to_point(unit)) - matrix[:3, 3]
        answer["matrix"] = matrix.tolist()
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def save_field(fixed: Any, transforms: list[str], path: str) -> None:
    """The displacement of every fixed voxel: the three coordinates as images, resampled by the transforms."""
    composite = ants.apply_transforms(fixed, fixed, transforms, compose=path + "_")
    displacement = ants.image_read(composite).numpy()
    # Index order x, y, z; the vectors of ANTs are LPS, as ITK's are.
    np.save(path, displacement.transpose(2, 1, 0, 3).astype(np.float32))
    Path(composite).unlink()


if __name__ == "__main__":
    main()
