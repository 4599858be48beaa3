"""Classic and multi-frame objects as one list of frames, each with its place in space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from fusion.types import Points

from ..errors import NotAVolumeError
from . import nuclear_medicine
from .headers import FrameHeader, as_number, filled


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image plane: whose it is and where it lies (PS3.3 C.7.6.2.1.1).

    `instance` counts the data sets that were handed in, `number` the frames within one. `position` is the centre of
    its first voxel; `row` points along a row (growing column index), `column` down a column (growing row index), as
    the header writes them; `spacing_mm` is the distance between rows, then between columns.
    """

    header: FrameHeader
    instance: int
    number: int
    position: Points
    row: Points
    column: Points
    spacing_mm: tuple[float, float]
    thickness_mm: float | None


def frames_of(datasets: Sequence[Dataset]) -> list[Frame]:
    """Every frame of every instance. Raises `NotAVolumeError` where a frame's place is not known."""
    return [frame for index, dataset in enumerate(datasets) for frame in _frames_of_instance(index, dataset)]


def _frames_of_instance(index: int, dataset: Dataset) -> list[Frame]:
    if filled(dataset, "PerFrameFunctionalGroupsSequence") is not None:
        return _multi_frame(index, dataset)
    if filled(dataset, "Modality") == "NM" and filled(dataset, "DetectorInformationSequence") is not None:
        return _nuclear_medicine(index, dataset)
    if (as_number(filled(dataset, "NumberOfFrames")) or 1) > 1:
        raise NotAVolumeError("an instance holds several frames, but does not say where each of them lies")
    return [_frame(FrameHeader(dataset), index, 0)]


def _multi_frame(index: int, dataset: Dataset) -> list[Frame]:
    """Enhanced objects: functional groups of the frame, else shared ones (PS3.3 C.7.6.16)."""
    shared_sequence = filled(dataset, "SharedFunctionalGroupsSequence")
    shared = None if shared_sequence is None else shared_sequence[0]
    groups = dataset.PerFrameFunctionalGroupsSequence
    if len(groups) != (as_number(filled(dataset, "NumberOfFrames")) or 1):
        raise NotAVolumeError(f"an instance has functional groups for {len(groups)} frames and another count of frames")
    return [_frame(FrameHeader(dataset, shared, item), index, number) for number, item in enumerate(groups)]


def _nuclear_medicine(index: int, dataset: Dataset) -> list[Frame]:
    header = FrameHeader(dataset, shared=None, per_frame=None)
    row, column, positions = nuclear_medicine.places(dataset)
    spacing = _pixel_spacing(header)
    thickness = header.number("SliceThickness")
    return [
        Frame(header, index, number, position, row, column, spacing, thickness)
        for number, position in enumerate(positions)
    ]


def _frame(header: FrameHeader, index: int, number: int) -> Frame:
    position = header.numbers("ImagePositionPatient", 3)
    orientation = header.numbers("ImageOrientationPatient", 6)
    if position is None or orientation is None:
        raise NotAVolumeError("an image has no Image Position or Image Orientation (Patient): its place is not known")
    return Frame(
        header,
        index,
        number,
        np.array(position, dtype=np.float64),
        np.array(orientation[:3], dtype=np.float64),
        np.array(orientation[3:], dtype=np.float64),
        _pixel_spacing(header),
        header.number("SliceThickness"),
    )


def _pixel_spacing(header: FrameHeader) -> tuple[float, float]:
    spacing = header.numbers("PixelSpacing", 2)
    if spacing is None or min(spacing) <= 0:
        raise NotAVolumeError("an image has no Pixel Spacing: its size in millimetres is not known")
    return spacing[0], spacing[1]
