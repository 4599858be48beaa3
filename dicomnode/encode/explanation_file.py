"""Explanations as files: a picture of each kind, and each map as float32 NIfTI on the fixed grid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fusion.methods.method import Fused
from fusion.quality.explanation import Explanation

from ..errors import EncodeError
from .explanation import map_of
from .explanation_panel import Shown, explanation_pictures, shown, slice_picture
from .image_file import write_image
from .label import Picture

PIXELS = 360


def write_explanations(folder: Path, stem: str, maps: Sequence[Explanation], fused: Fused) -> list[dict[str, str]]:
    """Write `<stem><kind>.png` and `<stem><kind>-<source>.nii.gz`; what was written, with its kind.

    Raises `EncodeError` for a sheared grid and when a file cannot be written.
    """
    written = []
    for kind in shown(maps):
        path = folder / f"{stem}{kind.kind}.png"
        try:
            Image.fromarray(_picture(kind, fused)).save(path, format="PNG")
        except OSError as error:
            raise EncodeError(f"the picture cannot be written to {path}: is the folder there and writable?") from error
        written.append({"kind": kind.kind, "path": str(path)})
    for one in maps:
        path = folder / f"{stem}{one.kind}-{one.of}.nii.gz"
        write_image(path, map_of(one))
        written.append({"kind": one.kind, "path": str(path)})
    return written


def _picture(kind: Shown, fused: Fused) -> Picture:
    """The slice itself, of a volume three planes through its middle."""
    if fused.grid.shape[0] == 1:
        return slice_picture(kind, fused.image)
    return np.concatenate(explanation_pictures(kind, fused.image, fused.grid.centre_mm, PIXELS), axis=1)
