"""Pictures of what came back: a sheet of the fused series, and the quality page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from pydicom.dataset import Dataset

TILE = 340
LABEL_EDGE = 5
"""The soft edges of the label's letters let the slice through: two pixels to each side go too."""


def fused_sheet(instances: Sequence[Dataset]) -> Image.Image:
    """Four axial slices, a coronal and a sagittal reformat of a colour series of single frames."""
    ordered = sorted(instances, key=_height)
    volume = np.stack([instance.pixel_array for instance in ordered])
    between = abs(_height(ordered[-1]) - _height(ordered[0])) / max(len(ordered) - 1, 1)
    row_mm, column_mm = (float(value) for value in ordered[0].PixelSpacing)
    slices = [int(len(ordered) * share) for share in (0.3, 0.45, 0.6, 0.75)]
    tiles = [_tile(volume[index], row_mm, column_mm) for index in slices]
    volume = _without_label(volume)
    tiles.append(_tile(volume[::-1, volume.shape[1] // 2], between, column_mm))
    tiles.append(_tile(volume[::-1, :, volume.shape[2] // 2], between, row_mm))
    sheet = Image.new("RGB", (3 * TILE, 2 * TILE))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, ((place % 3) * TILE, (place // 3) * TILE))
    return sheet


def write_previews(folder: Path, name: str, fetched: Mapping[str, Sequence[Dataset]]) -> list[Path]:
    """PNG files of the fused series and the quality page, where there are such; `fetched` is by kind of output."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    if fetched.get("fused_colour"):
        written.append(folder / f"{name}-fused.png")
        fused_sheet(fetched["fused_colour"]).save(written[-1])
    for instance in fetched.get("quality_report", ()):
        if "PixelData" in instance:
            written.append(folder / f"{name}-quality.png")
            Image.fromarray(instance.pixel_array).save(written[-1])
    return written


def _without_label(volume: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Black where every slice shows the same: in a reformat the burned-in label would become a plank."""
    same = (volume == volume[0]).all(axis=0).all(axis=-1) & volume[0].any(axis=-1)
    edged = Image.fromarray(same).convert("L").filter(ImageFilter.MaxFilter(LABEL_EDGE))
    return np.where(np.asarray(edged, dtype=bool)[..., None], np.uint8(0), volume)


def _height(instance: Dataset) -> float:
    row, column = np.array(instance.ImageOrientationPatient, dtype=float).reshape(2, 3)
    return float(np.cross(row, column) @ np.array(instance.ImagePositionPatient, dtype=float))


def _tile(picture: NDArray[np.uint8], row_mm: float, column_mm: float) -> Image.Image:
    height, width = picture.shape[0] * row_mm, picture.shape[1] * column_mm
    scale = TILE / max(height, width)
    shrunk = Image.fromarray(picture).resize((max(int(width * scale), 1), max(int(height * scale), 1)))
    tile = Image.new("RGB", (TILE, TILE))
    tile.paste(shrunk, ((TILE - shrunk.width) // 2, (TILE - shrunk.height) // 2))
    return tile
