"""Folders of aligned planes.

FOLDER/<kind>-<kind>/<kind>/<case><three digits of the slice>.png, the same name for both kinds.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image

from fusion.networks.training import TrainingPair

from ..errors import UnreadableFileError

KINDS: Mapping[str, str] = MappingProxyType({"CT": "CT", "MRI": "MR", "PET": "PT", "SPECT": "NM"})
"""Names of folders, and what DICOM calls them."""

SLICE_DIGITS = 3


def read_pairs(folder: Path) -> Iterator[TrainingPair]:
    """Every pair below `folder`, in the order of its names; colours as their BT.601 luma, in 0…1.

    Raises `UnreadableFileError` where there is none, or where a plane has no partner of its size.
    """
    groups = [path for path in sorted(folder.glob("*-*")) if path.is_dir()]
    if not groups:
        raise UnreadableFileError(f"{folder} holds no folder such as CT-MRI with aligned planes")
    for group in groups:
        first, _, second = group.name.partition("-")
        for path in sorted((group / first).glob("*.png")):
            partner = group / second / path.name
            if not partner.is_file():
                raise UnreadableFileError(f"{partner} is missing beside {path}")
            planes = _grey(path), _grey(partner)
            if planes[0].shape != planes[1].shape:
                raise UnreadableFileError(f"{path} and {partner} are of different size")
            kinds = KINDS.get(first, "OT"), KINDS.get(second, "OT")
            yield TrainingPair(*planes, kinds, path.stem[:-SLICE_DIGITS])


def _grey(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("L"), dtype=np.float32) / 255)
