"""A slice of the review volumes as a PNG, for browsers without WebGL: drawn here, with numpy alone."""

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PLANES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""World axes (x to the left, y to the back, z to the head; LPS) that lie across, down and along a slice."""

MODES = ("fixed", "moved", "overlay", "fused", "contours", "checkerboard", "error")

LONGEST_EDGE = 640
SQUARES = 8
MOST_KEPT = 12
"""Volumes in memory: about those of two pairs, 16 MB each."""

HOT = np.array([[0, 0, 0], [140, 10, 0], [230, 90, 0], [255, 190, 60], [255, 255, 230]], dtype=np.float64)
ERROR = np.array([[30, 60, 160], [40, 150, 120], [240, 220, 60], [220, 60, 40]], dtype=np.float64)

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A volume for looking at: voxels (slice, row, column[, 3]), index to LPS mm, what is black and white."""

    voxels: NDArray[Any]
    affine: Floats
    scale: tuple[float, float]
    window: tuple[float, float]

    def shown(self, points: Floats) -> Floats:
        """Values in 0…1 (colours: triples) at LPS points (…, 3), nearest voxel; NaN outside."""
        inverse = np.linalg.inv(self.affine)
        indices = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.int64)
        extent = np.array(self.voxels.shape[:3])
        inside = ((indices >= 0) & (indices < extent)).all(axis=-1)
        safe = np.where(inside[..., None], indices, 0)
        values = self.voxels[safe[..., 0], safe[..., 1], safe[..., 2]] * self.scale[0] + self.scale[1]
        low, high = self.window
        values = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
        return np.where(inside if values.ndim == inside.ndim else inside[..., None], values, np.nan)


def picture(paths: Mapping[str, Path], *, plane: str, mode: str, at: float, opacity: float, before: bool) -> bytes:
    """The slice at `at` (0 to 1 along its axis) of the fixed volume's field of view, right on the left."""
    fixed = looked(paths["fixed"])
    points = _points(fixed, plane, at)
    kind = "moving" if before else "moved"
    drawn = _drawn({name: looked(path) for name, path in paths.items()}, points, mode, kind, opacity)
    image = Image.fromarray((np.nan_to_num(drawn) * 255).round().astype(np.uint8), "RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _drawn(volumes: Mapping[str, Looked], points: Floats, mode: str, kind: str, opacity: float) -> Floats:
    grey = _grey(volumes["fixed"].shown(points))
    if mode == "fixed":
        return grey
    if mode == "fused" and "fused" in volumes:
        return _grey(volumes["fused"].shown(points))
    if mode == "contours" and "edges" in volumes:
        edge = np.nan_to_num(volumes["edges"].shown(points)) > 0.5
        return np.where(edge[..., None], np.array([1.0, 0.75, 0.1]), grey)
    if mode == "error" and "error" in volumes:
        error = np.nan_to_num(volumes["error"].shown(points))
        return _over(grey, _coloured(error, ERROR), np.where(error > 0, opacity, 0.0))
    moved = volumes[kind].shown(points)
    if mode == "moved":
        return _grey(moved)
    if mode == "checkerboard":
        rows, columns = np.indices(moved.shape)
        edge = max(moved.shape) / SQUARES
        odd = ((rows // edge + columns // edge) % 2).astype(bool)
        return np.where(odd[..., None], _grey(moved), grey)
    shown = np.nan_to_num(moved)
    return _over(grey, _coloured(shown, HOT), opacity * np.minimum(1.0, 4 * shown))


def _points(fixed: Looked, plane: str, at: float) -> Floats:
    """(rows, columns, 3) LPS mm: square pixels of a slice over the box around the volume."""
    extent = np.array(fixed.voxels.shape[:3]) - 1
    corners = np.array([[a, b, c] for a in (0, extent[0]) for b in (0, extent[1]) for c in (0, extent[2])], dtype=float)
    world = corners @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
    low, high = world.min(axis=0), world.max(axis=0)
    across, down, along = PLANES[plane]
    size = high - low
    pixel = max(size[across], size[down], 1.0) / LONGEST_EDGE
    columns, rows = (max(2, round(size[axis] / pixel)) for axis in (across, down))
    points = np.empty((rows, columns, 3))
    points[..., across] = np.linspace(low[across], high[across], columns)[None, :]
    ends = (high[down], low[down]) if down == 2 else (low[down], high[down])  # the head is on top
    points[..., down] = np.linspace(*ends, rows)[:, None]
    points[..., along] = low[along] + at * size[along]
    return points


def looked(path: Path) -> Looked:
    """The volume of the file, kept for the next slice. Named by content, so that it never is another's."""
    return _read(path)


@lru_cache(maxsize=MOST_KEPT)
def _read(path: Path) -> Looked:
    data = gzip.decompress(path.read_bytes())
    header = np.frombuffer(data, dtype="<f4", count=88)
    columns, rows, slices = (int(n) for n in np.frombuffer(data, dtype="<i2", count=3, offset=42))
    kind = int(np.frombuffer(data, dtype="<i2", count=1, offset=70)[0])
    start = int(header[27])
    scale = (float(header[28]), float(header[29]))
    window = (float(header[32]), float(header[31]))
    to_ras = np.vstack([header[70:82].reshape(3, 4).astype(np.float64), [0, 0, 0, 1]])
    shape: tuple[int, ...] = (slices, rows, columns)
    types = {2: "u1", 4: "<i2", 128: "u1"}
    if kind == 128:
        shape = (*shape, 3)
    voxels = np.frombuffer(data, dtype=types[kind], offset=start).reshape(shape)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ to_ras
    affine[:, :3] = affine[:, 2::-1]  # columns first in the file, slices first here
    return Looked(voxels, affine, scale, window)


def _grey(values: Floats) -> Floats:
    return np.repeat(values[..., None], 3, axis=-1) if values.ndim == 2 else values


def _coloured(values: Floats, table: Floats) -> Floats:
    places = np.linspace(0, 1, len(table))
    return np.stack([np.interp(values, places, table[:, channel]) for channel in range(3)], axis=-1) / 255


def _over(ground: Floats, colour: Floats, share: Floats) -> Floats:
    share = np.asarray(share)[..., None]
    return np.nan_to_num(ground) * (1 - share) + colour * share
