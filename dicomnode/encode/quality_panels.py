"""The pictures of the quality page: checkerboard and contours of the pair in three planes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from fusion.display import COLOUR_TABLES, Window, window_of
from fusion.types import Points
from fusion.volume import Volume

from .contribution import share_of_fixed
from .contribution_panel import contribution_pictures
from .explanation_panel import colours_of, explanation_pictures, shown
from .inputs import EncodeInputs
from .label import Picture
from .patient_planes import AXIAL, CORONAL, SAGITTAL, sample, sample_mask

PLANES = (AXIAL, CORONAL, SAGITTAL)
TILES = 8
EMISSION_TABLE = "hot_iron"
CONTOURS: Mapping[str, Sequence[tuple[float, tuple[int, int, int]]]] = {
    "CT": ((0.05, (0, 220, 255)), (0.95, (255, 210, 0))),
    "MR": ((0.12, (0, 220, 255)), (0.55, (255, 210, 0))),
    "PT": ((0.2, (0, 220, 255)), (0.5, (255, 210, 0))),
}
"""Levels of the moved image's contours as shares of its window, by modality, with their colours: for CT the skin and
the bone, for MR the head and its bright tissue, for emission a low and a middle level."""
SAMPLES = 500_000
ERROR_TABLE = "hot_iron"
ERROR_OPACITY = 0.6

Row = tuple[str, tuple[Picture, ...]]
"""A caption and a picture in each plane."""


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """The rows of pictures with their captions, and the size of a pixel in each of the three planes."""

    rows: tuple[Row, ...]
    mm_per_pixel: tuple[float, ...]


def panels_of(inputs: EncodeInputs, pixels: int) -> Panels:
    """Square pictures of `pixels` × `pixels`, through the middle of what the moved image shows."""
    fixed, moved = inputs.fixed, inputs.moving.moved
    fixed_window, moved_window = window_of(fixed), window_of(moved)
    centre = middle_of(moved, moved_window)
    boards, outlines, scales = [], [], []
    for plane in PLANES:
        points, mm_per_pixel = plane.points(fixed.grid, centre, pixels)
        below, above = shares(fixed, fixed_window, points), shares(moved, moved_window, points)
        boards.append(checkerboard(grey(below), shown_alone(above, moved.modality)))
        outlines.append(outlined(grey(below), above, measured(moved, points), moved.modality))
        scales.append(mm_per_pixel)
    levels = "lower level cyan, upper level yellow"
    pair = f"{fixed.modality} and {moved.modality}"
    rows: list[Row] = [
        (f"Checkerboard of {pair}", tuple(boards)),
        (f"Contours of {moved.modality} on {fixed.modality}: {levels}", tuple(outlines)),
    ]
    if inputs.moving.registration.error_map is not None:
        rows.append(error_row(inputs.moving.registration.error_map.to("cpu"), fixed, centre, pixels))
    share = share_of_fixed(inputs)
    if share is not None:
        caption = f"Where the fused image comes from: {fixed.modality} orange, {moved.modality} blue"
        rows.append((caption, contribution_pictures(share, inputs.moving.fused.image, centre, pixels)))
    for kind in shown(inputs.moving.explanations):
        caption = f"{kind.kind.replace('_', ' ').capitalize()} of {inputs.moving.fused.method}: "
        caption += colours_of(kind, fixed.modality, moved.modality)
        rows.append((caption, explanation_pictures(kind, inputs.moving.fused.image, centre, pixels)))
    return Panels(tuple(rows), tuple(scales))


def error_row(error: Volume, fixed: Volume, centre: Points, pixels: int) -> Row:
    """The expected error in colour over the fixed image, from zero to its largest value."""
    highest = float(error.voxels.max())
    window, below = Window(0.0, max(highest, 1e-3)), window_of(fixed)
    pictures = []
    for plane in PLANES:
        points, _ = plane.points(fixed.grid, centre, pixels)
        base = grey(shares(fixed, below, points))
        share = shares(error, window, points)
        coloured = COLOUR_TABLES[ERROR_TABLE][np.rint(share * 255).astype(np.uint8)]
        mixed = np.rint(base * (1 - ERROR_OPACITY) + coloured * ERROR_OPACITY).astype(np.uint8)
        inside = sample_mask(error.valid.numpy(), error.grid, points) if error.valid is not None else share > 0
        pictures.append(np.where(inside[..., None], mixed, base))
    return f"Expected error, from 0 (dark) to {highest:.1f} mm (bright)", tuple(pictures)


def middle_of(volume: Volume, window: Window) -> Points:
    """LPS mm of the centre of mass of what the window shows; the centre of the grid when it shows nothing."""
    stride = max(1, round((volume.voxels.numel() / SAMPLES) ** (1 / 3)))
    weight = window.apply(volume.voxels[::stride, ::stride, ::stride])
    if volume.valid is not None:
        weight = weight * volume.valid[::stride, ::stride, ::stride]
    total = float(weight.sum(dtype=torch.float64))
    if total <= 0:
        return volume.grid.centre_mm
    index = [
        float((weight.sum(dim=[d for d in range(3) if d != axis], dtype=torch.float64) * torch.arange(n)).sum()) / total
        for axis, n in enumerate(weight.shape)
    ]
    return volume.grid.points(np.array(index, dtype=np.float64) * stride)


def shares(volume: Volume, window: Window, points: Points) -> NDArray[np.float32]:
    """The volume at `points` as shares of its window, black outside."""
    voxels = volume.voxels
    if window.inverted and volume.valid is not None:
        voxels = torch.where(volume.valid, voxels, window.black)
    plane = sample(voxels.numpy(), volume.grid, points, window.black)
    return window.apply(torch.from_numpy(plane)).numpy()


def grey(share: NDArray[np.float32]) -> Picture:
    """Shares as grey levels."""
    return np.repeat(np.rint(share * 255).astype(np.uint8)[..., None], 3, axis=-1)


def shown_alone(share: NDArray[np.float32], modality: str) -> Picture:
    """Emission in colour, anatomy in grey."""
    if modality not in ("PT", "NM"):
        return grey(share)
    coloured: Picture = COLOUR_TABLES[EMISSION_TABLE][np.rint(share * 255).astype(np.uint8)]
    return coloured


def checkerboard(first: Picture, second: Picture) -> Picture:
    """Tiles of both in turn: edges must run on from tile to tile."""
    rows, columns = (np.arange(n) * TILES // n for n in first.shape[:2])
    odd = (rows[:, None] + columns[None, :]) % 2 == 1
    return np.where(odd[..., None], second, first)


def measured(volume: Volume, points: Points) -> NDArray[np.bool_]:
    """Where the volume was measured, a little inside its border: the field of view's own edge is no contour."""
    if volume.valid is None:
        return np.ones(points.shape[:-1], dtype=bool)
    plane = sample_mask(volume.valid.numpy(), volume.grid, points)
    return np.asarray(binary_erosion(plane, iterations=3, border_value=1))


def outlined(below: Picture, share: NDArray[np.float32], where: NDArray[np.bool_], modality: str) -> Picture:
    """Contours of the moved image, two pixels wide, over the fixed one."""
    picture = below.copy()
    for level, colour in CONTOURS.get(modality, CONTOURS["PT"]):
        inside = share >= level
        edge = inside & ~binary_erosion(inside, iterations=2, border_value=1)
        picture[edge & where] = colour
    return picture
