"""A volume or a fused image as NIfTI, NRRD or MetaImage."""

from pathlib import Path

import numpy as np
import SimpleITK

from fusion.methods.method import Fused
from fusion.volume import Volume

from ..errors import EncodeError
from .geometry import require_orthogonal

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


def write_image(path: Path, volume: Volume | Fused) -> None:
    """Write voxels (float32) or colours (uint8 triples) to `path`; the ending decides the format.

    Raises `EncodeError` for another ending, for a sheared grid and when the file cannot be written.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise EncodeError(f"{path.name}: an image file ends in {', '.join(SUFFIXES)}")
    require_orthogonal(volume.grid)
    grid = volume.grid
    if isinstance(volume, Fused):
        image = SimpleITK.GetImageFromArray(volume.image.cpu().numpy(), isVector=volume.is_colour)
    else:
        image = SimpleITK.GetImageFromArray(volume.voxels.cpu().numpy())
    image.SetOrigin(grid.origin_mm.tolist())
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetDirection(np.ascontiguousarray(grid.direction[:, ::-1]).ravel().tolist())
    try:
        SimpleITK.WriteImage(image, str(path), useCompression=path.name.lower().endswith(".nrrd"))
    except RuntimeError as error:
        raise EncodeError(f"the image cannot be written to {path}: is the folder there and writable?") from error
