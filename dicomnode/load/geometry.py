"""From frames in any order to one stack along their common normal.

Slices are sorted by Image Position projected on the normal, never by Instance Number or Slice Location. What makes
no single stack (mixed orientations, the same place imaged twice, missing slices) is refused with the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusion.types import Points

from ..errors import NotAVolumeError
from .frames import Frame
from .headers import texts

ORIENTATION_TOLERANCE = 2e-3
"""Direction cosines of one series differ by rounding (three decimals are seen) and by nothing else."""

PIXEL_SPACING_TOLERANCE_MM = 1e-3

SAME_POSITION_MM = 0.01
"""Slices closer than this are the same place: positions are written to hundredths at least."""

FEWEST_SLICES = 3

GAP_FACTOR = 1.5
"""A step of more than this many usual steps (or slice thicknesses, if those are larger) has a slice missing."""

WIDEST_GAP = 3.5
"""In usual steps: up to two neighbouring slices may be missing before the series is refused."""

MOST_MISSING = 0.25
"""Share of the slices that may be missing in all."""

INTERLEAVED = 0.2
"""Lower over upper quartile of the steps: scans with thin and thick parts stay above 0.3, interleaved stacks below."""

TOLD_APART_BY: tuple[tuple[str, str], ...] = (
    ("StackID", "stacks"),
    ("ImageType", "image types"),
    ("FrameType", "frame types"),
    ("ComplexImageComponent", "complex components"),
    ("TemporalPositionIdentifier", "points in time"),
    ("TemporalPositionIndex", "points in time"),
    ("FrameReferenceTime", "points in time"),
    ("TriggerTime", "trigger times"),
    ("NominalCardiacTriggerDelayTime", "trigger times"),
    ("DiffusionBValue", "b-values"),
    ("EchoTime", "echo times"),
    ("EffectiveEchoTime", "echo times"),
    ("EchoNumbers", "echoes"),
    ("InversionTime", "inversion times"),
    ("FlipAngle", "flip angles"),
    ("ConvolutionKernel", "reconstruction kernels"),
    ("AcquisitionNumber", "acquisitions"),
    ("AcquisitionTime", "acquisition times"),
    ("FrameAcquisitionDateTime", "acquisition times"),
    ("ContentTime", "content times"),
)
"""What may tell two images of one place apart, the most telling first."""


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Frames in ascending order along `normal`, which is row × column (unit vectors, perpendicular)."""

    frames: tuple[Frame, ...]
    row: Points
    column: Points
    spacing_mm: tuple[float, float]
    notes: tuple[str, ...] = ()

    @property
    def normal(self) -> Points:
        """Unit vector along which the slices follow each other."""
        normal: Points = np.cross(self.row, self.column)
        return normal

    @property
    def positions(self) -> Points:
        """(n, 3): centre of each slice's first voxel."""
        return np.array([frame.position for frame in self.frames])

    @property
    def distances_mm(self) -> Points:
        """(n,): position of each slice along the normal, ascending."""
        distances: Points = self.positions @ self.normal
        return distances

    @property
    def usual_step_mm(self) -> float:
        """The median distance between neighbours."""
        return float(np.median(np.diff(self.distances_mm)))


def stack_of(frames: Sequence[Frame], same_image: Callable[[Frame, Frame], bool]) -> Stack:
    """The one stack that the frames make.

    `same_image` says whether two frames at one place hold the same values. Raises `NotAVolumeError` with the reason
    when there is no stack, or more than one.
    """
    row, column = _one_orientation(frames)
    spacing = _one_lattice(frames)
    ordered = sorted(frames, key=lambda frame: (float(frame.position @ np.cross(row, column)), frame.instance))
    unique, notes = _without_duplicates(ordered, np.cross(row, column), same_image)
    if len(unique) < FEWEST_SLICES:
        slices = "1 slice is" if len(unique) == 1 else f"{len(unique)} slices are"
        raise NotAVolumeError(f"{slices} no volume; at least {FEWEST_SLICES} slices at different places are needed")
    stack = Stack(tuple(unique), row, column, spacing)
    _refuse_interleaved(stack)
    notes += _gaps(stack)
    return Stack(stack.frames, row, column, spacing, tuple(notes))


def _one_orientation(frames: Sequence[Frame]) -> tuple[Points, Points]:
    """The common row and column directions, made perpendicular and of unit length."""
    cosines = np.array([[*frame.row, *frame.column] for frame in frames])
    groups: list[Points] = []
    for line in cosines:
        if not any(np.abs(line - group).max() <= ORIENTATION_TOLERANCE for group in groups):
            groups.append(line)
    if len(groups) > 1:
        raise NotAVolumeError(
            f"the images lie in {len(groups)} orientations, as localisers and reformats do; a volume has one"
        )
    row, column = cosines[:, :3].mean(axis=0), cosines[:, 3:].mean(axis=0)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > 1e-2 or abs(row @ column) > 1e-2:
        raise NotAVolumeError("Image Orientation (Patient) does not hold two perpendicular directions")
    row = row / lengths[0]
    column = column - (column @ row) * row
    return row, column / np.linalg.norm(column)


def _one_lattice(frames: Sequence[Frame]) -> tuple[float, float]:
    sizes = {(frame.header.get("Rows"), frame.header.get("Columns")) for frame in frames}
    if len(sizes) > 1:
        named = ", ".join(f"{rows} x {columns}" for rows, columns in sorted(sizes, key=str))
        raise NotAVolumeError(f"the images have different sizes: {named}")
    spacings = np.array([frame.spacing_mm for frame in frames])
    if np.ptp(spacings, axis=0).max() > PIXEL_SPACING_TOLERANCE_MM:
        raise NotAVolumeError("the images have different Pixel Spacing")
    rows, columns = np.median(spacings, axis=0)
    return float(rows), float(columns)


def _without_duplicates(
    ordered: Sequence[Frame], normal: Points, same_image: Callable[[Frame, Frame], bool]
) -> tuple[list[Frame], list[str]]:
    groups: list[list[Frame]] = []
    for frame in ordered:
        if groups and float((frame.position - groups[-1][0].position) @ normal) <= SAME_POSITION_MM:
            groups[-1].append(frame)
        else:
            groups.append([frame])
    crowded = [group for group in groups if len(group) > 1]
    if not crowded:
        return [group[0] for group in groups], []
    different = [group for group in crowded if not all(same_image(group[0], other) for other in group[1:])]
    if different:
        raise NotAVolumeError(_why_several(different, len(groups)))
    dropped = sum(len(group) - 1 for group in crowded)
    said = "1 slice that was" if dropped == 1 else f"{dropped} slices that were"
    return [group[0] for group in groups], [f"{said} there twice, with equal voxels, counts once."]


def _why_several(groups: Sequence[Sequence[Frame]], places: int) -> str:
    most = max(len(group) for group in groups)
    for keyword, things in TOLD_APART_BY:
        values = {_label(frame.header.get(keyword)) for group in groups for frame in group}
        apart = all(len({_label(frame.header.get(keyword)) for frame in group}) == len(group) for group in groups)
        if apart and len(values) > 1:
            shown = ", ".join(sorted(values)[:4]) + (", …" if len(values) > 4 else "")
            return (
                f"the series holds up to {most} different images at {len(groups)} of {places} places, "
                f"told apart by their {things} ({shown}); one volume has one image at each place"
            )
    return f"the series holds up to {most} different images at {len(groups)} of {places} places, with no order to them"


def _label(value: Any) -> str:
    return "none" if value is None else " ".join(texts(value))


def _refuse_interleaved(stack: Stack) -> None:
    """Two stacks with a small offset between them look like one with steps that alternate."""
    steps = np.diff(stack.distances_mm)
    low, high = np.quantile(steps, (0.25, 0.75))
    if low < INTERLEAVED * high:
        raise NotAVolumeError(
            f"the slices are {steps.min():.2f} to {steps.max():.2f} mm apart in turn, "
            "as when several stacks lie over one another; one volume is one stack"
        )


def _gaps(stack: Stack) -> list[str]:
    """What to say of missing slices; raises `NotAVolumeError` where too many are."""
    distances, usual = stack.distances_mm, stack.usual_step_mm
    gaps = [
        (float(low), float(high))
        for low, high, before, after in zip(
            distances[:-1], distances[1:], stack.frames[:-1], stack.frames[1:], strict=True
        )
        if high - low > GAP_FACTOR * max(usual, before.thickness_mm or 0.0, after.thickness_mm or 0.0)
    ]
    if not gaps:
        return []
    named = "; ".join(f"{low:.1f} to {high:.1f} mm" for low, high in gaps[:5]) + ("; …" if len(gaps) > 5 else "")
    missing = sum(max(1, round((high - low) / usual) - 1) for low, high in gaps)
    widest = max(high - low for low, high in gaps)
    if widest > WIDEST_GAP * usual or missing > MOST_MISSING * len(stack.frames):
        raise NotAVolumeError(
            f"{missing} or so slices are missing where the usual step is {usual:.2f} mm: along the normal {named}"
        )
    return [
        f"About {missing} slices are missing (along the normal {named}); what lies there is marked as not measured."
    ]
