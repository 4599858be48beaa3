"""What the registration network is trained on: the images of a folder, the generated patients, and random shapes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from dicomnode.errors import NodeError
from dicomnode.load import load_input
from dicomnode.phantom.anatomy import BODY_PARTS, NAMES, TISSUES, noise_at, tissues_at
from fusion import Volume
from fusion.errors import FusionError
from fusion.geometry.transform import AffineTransform
from fusion.networks.registration_training import Anatomy, random_shapes
from fusion.registration.coarse import coarse_grid, coarse_image
from fusion.registration.preparation import prepare
from fusion.types import VoxelArray
from fusion.volume import Grid

MODALITIES = ("CT", "MR")
"""Those that show anatomy all over; uptake alone says too little about where tissue lies."""

SHAPES = 8
HALF_EXTENT_MM = {"HEAD": (92.0, 116.0, 116.0), "CHEST": (188.0, 124.0, 120.0)}


def anatomies(folder: Path, seed: int) -> list[Anatomy]:
    """Every volume below `folder` (a folder of DICOM or an image file), those of one Frame of Reference together.

    Added are the generated head and chest and `SHAPES` random shapes. What cannot be read is left out.
    """
    by_frame: dict[str, list[Volume]] = {}
    for number, volume in enumerate(_volumes(folder)):
        by_frame.setdefault(volume.grid.frame_of_reference_uid or str(number), []).append(volume)
    generator = torch.Generator().manual_seed(seed)
    generated = [generated_anatomy(part) for part in BODY_PARTS]
    shapes = [random_shapes(generator) for _ in range(SHAPES)]
    return [*(_together(volumes) for volumes in by_frame.values()), *generated, *shapes]


def _volumes(folder: Path) -> Iterator[Volume]:
    places = sorted({path.parent if path.suffix == ".dcm" else path for path in folder.rglob("*") if path.is_file()})
    for place in places:
        try:
            volume = load_input(place).volume
        except NodeError:
            continue
        if volume.modality in (*MODALITIES, "OT"):
            yield volume


def _together(volumes: Sequence[Volume]) -> Anatomy:
    """On the grid of the first; that others lie on it to the voxel is not known."""
    try:
        grid = coarse_grid(prepare(volumes[0], ()).body_points)
    except FusionError:
        grid = coarse_grid(volumes[0].grid.corners_mm())
    images = tuple(coarse_image(volume, AffineTransform.identity(), grid) for volume in volumes)
    return Anatomy(images, exact=len(images) == 1)


def generated_anatomy(part: str) -> Anatomy:
    """CT and T1 of a generated body part, from its formula."""
    reach = np.array(HALF_EXTENT_MM[part])
    grid = coarse_grid(np.stack([-reach, reach]))
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1).astype(np.float64)
    points = grid.points(indices)
    labels = tissues_at(part, points)
    texture = noise_at(points, scale_mm=9.0, seed=5)
    images = []
    for name, spread in (("hu", 60.0), ("t1_signal", 0.5)):
        values = np.array([getattr(TISSUES[tissue], name) for tissue in NAMES])[labels]
        values = values + spread * np.array([TISSUES[tissue].texture for tissue in NAMES])[labels] * texture
        images.append(_scaled(torch.from_numpy(values.astype(np.float32)), grid))
    return Anatomy(tuple(images))


def _scaled(values: VoxelArray, grid: Grid) -> VoxelArray:
    return coarse_image(Volume(values, grid), AffineTransform.identity(), grid)
