"""convexAdam with MIND-SSC and its default parameters: deformable only, both images on one grid."""

import json
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
import torch
from convexAdam.convex_adam_MIND import convex_adam_pt


def main() -> None:
    """Answer the request that the command line names."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    images = [torch.from_numpy(nibabel.load(request[role]).get_fdata()).float() for role in ("fixed", "moving")]
    began = time.process_time()
    voxels = convex_adam_pt(*images, device=torch.device("cpu"), dtype=torch.float32)
    spent = time.process_time() - began
    fixed = SimpleITK.ReadImage(request["fixed"])
    axes = np.array(fixed.GetDirection()).reshape(3, 3) * np.array(fixed.GetSpacing())
    # Steps along the x, y and z index of the file become LPS mm.
    np.save(request["field"], (voxels @ axes.T).transpose(2, 1, 0, 3).astype(np.float32))
    Path(request["answer"]).write_text(json.dumps({"cpu_s": spent}), encoding="utf-8")


if __name__ == "__main__":
    main()
