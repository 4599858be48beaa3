"""From a stack of slices to voxels on a regular orthogonal grid.

Slices that follow each other straight and evenly are taken as they are. A tilted gantry shifts each slice within its
plane, and steps may be unequal: then slices are shifted back and interpolated along the normal, both linearly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusion.types import Affine4x4
from fusion.volume import Grid

from .geometry import Stack

DRIFT_MM = 0.1
"""Slices that shift within their plane by less than this over the whole stack do so by rounding of the header."""

UNEVEN_MM = 0.05
UNEVEN_SHARE = 0.02
"""Positions may stray from even steps by this much, or by this share of a step, before slices are interpolated."""

WEIGHT_TOLERANCE = 1e-4
"""An interpolation weight below this takes nothing from the neighbour, whether that is valid or not."""


@dataclass(frozen=True, slots=True, eq=False)
class Regular:
    """Voxels (slice, row, column) float32, which of them were measured, and their grid."""

    voxels: NDArray[np.float32]
    valid: NDArray[np.bool_]
    grid: Grid
    notes: tuple[str, ...] = ()


def regular_from(
    voxels: NDArray[np.float32],
    valid: NDArray[np.bool_],
    stack: Stack,
    outside: float,
    frame_of_reference_uid: str | None,
) -> Regular:
    """The slices of `stack`, in its order, on a regular orthogonal grid; `outside` fills what nobody measured."""
    offsets = _offsets_mm(stack)
    straight = float(np.ptp(offsets, axis=0).max()) <= DRIFT_MM
    if straight and _even(stack):
        step = float(np.ptp(stack.distances_mm)) / (len(stack.frames) - 1)
        grid = Grid(voxels.shape, _affine(stack, stack.positions.mean(axis=0), step, voxels.shape[0]))
        return Regular(voxels, valid, Grid(grid.shape, grid.affine, frame_of_reference_uid))
    notes: list[str] = []
    origin = stack.positions.mean(axis=0)
    if not straight:
        voxels, valid, origin = _straightened(voxels, valid, stack, outside)
        notes.append(_tilt_note(stack))
    step = float(np.ptp(stack.distances_mm)) / (len(stack.frames) - 1)
    if not _even(stack):
        voxels, valid, step = _evened(voxels, valid, stack, outside)
        steps = np.diff(stack.distances_mm)
        notes.append(
            f"Slices were {steps.min():.2f} to {steps.max():.2f} mm apart; "
            f"they were interpolated linearly to even steps of {step:.2f} mm."
        )
    affine = _affine(stack, origin, step, voxels.shape[0])
    return Regular(voxels, valid, Grid(voxels.shape, affine, frame_of_reference_uid), tuple(notes))


def _offsets_mm(stack: Stack) -> NDArray[np.float64]:
    """(n, 2): where each slice begins within the plane, along the row index and the column index."""
    centred = stack.positions - stack.positions.mean(axis=0)
    offsets: NDArray[np.float64] = np.stack([centred @ stack.column, centred @ stack.row], axis=1)
    return offsets


def _even(stack: Stack) -> bool:
    distances = stack.distances_mm
    even = np.linspace(distances[0], distances[-1], len(distances))
    step = float(even[1] - even[0])
    return float(np.abs(distances - even).max()) <= max(UNEVEN_MM, UNEVEN_SHARE * step)


def _affine(stack: Stack, within_plane: NDArray[np.float64], step: float, count: int) -> Affine4x4:
    """Array index to LPS; `within_plane` is any point of the line on which the first voxels of the slices lie."""
    distances = stack.distances_mm
    middle = (distances[0] + distances[-1]) / 2
    line = within_plane - (within_plane @ stack.normal) * stack.normal
    affine = np.eye(4)
    affine[:3, 0] = stack.normal * step
    affine[:3, 1] = stack.column * stack.spacing_mm[0]
    affine[:3, 2] = stack.row * stack.spacing_mm[1]
    affine[:3, 3] = line + stack.normal * (middle - step * (count - 1) / 2)
    return affine


def _tilt_note(stack: Stack) -> str:
    way = stack.positions[-1] - stack.positions[0]
    angle = np.degrees(np.arccos(np.clip(way @ stack.normal / np.linalg.norm(way), -1, 1)))
    return (
        f"The slices do not follow each other along their normal (gantry tilt, {angle:.1f} degrees); "
        "each was shifted back within its plane by linear interpolation."
    )


def _straightened(
    voxels: NDArray[np.float32], valid: NDArray[np.bool_], stack: Stack, outside: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """Every slice on one canvas that is large enough for all, and where the canvas begins."""
    offsets = _offsets_mm(stack) / np.array(stack.spacing_mm)
    begin = offsets.min(axis=0)
    shifts = offsets - begin
    rows, columns = (
        int(n) + int(np.ceil(most - 1e-6)) for n, most in zip(voxels.shape[1:], shifts.max(0), strict=True)
    )
    canvas = np.full((len(voxels), rows, columns), outside, dtype=np.float32)
    measured = np.zeros(canvas.shape, dtype=np.bool_)
    for number, (down, right) in enumerate(shifts):
        image, mask = _shifted(voxels[number], valid[number], float(down), rows)
        image, mask = _shifted(image.T, mask.T, float(right), columns)
        canvas[number] = np.where(mask.T, image.T, np.float32(outside))
        measured[number] = mask.T
    start_mm = begin * np.array(stack.spacing_mm)
    origin = stack.positions.mean(axis=0) + start_mm[0] * stack.column + start_mm[1] * stack.row
    return canvas, measured, origin


def _shifted(
    image: NDArray[np.float32], mask: NDArray[np.bool_], shift: float, length: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The image moved by `shift` >= 0 rows onto `length` rows; a row is measured where both that it is between are."""
    padded = np.zeros((length + 1, image.shape[1]), dtype=np.float32)
    inside = np.zeros(padded.shape, dtype=np.bool_)
    whole = int(np.floor(shift + WEIGHT_TOLERANCE))
    part = np.float32(max(0.0, shift - whole))
    take = min(image.shape[0], length - whole)
    padded[1 + whole : 1 + whole + take] = image[:take]
    inside[1 + whole : 1 + whole + take] = mask[:take]
    if part <= WEIGHT_TOLERANCE:
        return padded[1:], inside[1:]
    moved: NDArray[np.float32] = (1 - part) * padded[1:] + part * padded[:-1]
    return moved, inside[1:] & inside[:-1]


def _evened(
    voxels: NDArray[np.float32], valid: NDArray[np.bool_], stack: Stack, outside: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], float]:
    """Slices at even steps between the first and the last, and the step.

    The lower quartile of the steps keeps the finer part of a stack as fine as it was. What is further from every
    slice than a slice is thick was not measured.
    """
    distances = stack.distances_mm
    steps = np.diff(distances)
    extent = float(distances[-1] - distances[0])
    count = max(2, round(extent / float(np.quantile(steps, 0.25))) + 1)
    step = extent / (count - 1)
    thickness = np.array([frame.thickness_mm or 0.0 for frame in stack.frames])
    reach = np.maximum(thickness, stack.usual_step_mm) / 2 * 1.01
    even = np.empty((count, *voxels.shape[1:]), dtype=np.float32)
    measured = np.empty(even.shape, dtype=np.bool_)
    for number in range(count):
        at = float(distances[0]) + number * step
        low = int(np.clip(np.searchsorted(distances, at, side="right") - 1, 0, len(distances) - 2))
        weight = np.float32(np.clip((at - distances[low]) / (distances[low + 1] - distances[low]), 0, 1))
        mask = _both(valid[low], valid[low + 1], float(weight))
        if np.all(np.abs(distances - at) > reach):
            mask = np.zeros_like(mask)
        even[number] = np.where(mask, (1 - weight) * voxels[low] + weight * voxels[low + 1], np.float32(outside))
        measured[number] = mask
    return even, measured, step


def _both(low: NDArray[np.bool_], high: NDArray[np.bool_], weight: float) -> NDArray[np.bool_]:
    if weight <= WEIGHT_TOLERANCE:
        return low
    if weight >= 1 - WEIGHT_TOLERANCE:
        return high
    return low & high
