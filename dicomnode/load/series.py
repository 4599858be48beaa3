"""From the files of one series to a Volume: the main path.

Headers are read, non-volumes refused, slices put in their places, pixels decoded and rescaled to what they mean, and
laid on a regular grid. Whatever was tolerated, left out or left unchanged on the way is in the volume's notes.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydicom import Dataset

from fusion.volume import Unit, Volume

from .frames import Frame, frames_of
from .geometry import Stack, stack_of
from .headers import filled, read_instances, tolerating, without_pixels
from .non_volumes import refuse_non_volumes, refuse_without_pixels, without_localisers
from .pixels import decoded, is_monochrome1, is_shown_inverted, lossy_note
from .regular_grid import regular_from
from .units import Quantity, quantity_of
from .values import LOWEST_HU, padding_of, rescale_of

AIR_HU = -1024.0


@dataclass(frozen=True, slots=True, eq=False)
class LoadedSeries:
    """A volume and the headers that it came from.

    `headers` are in slice order, without pixel data, one for each instance that is in the volume (a multi-frame
    series has one). Slices of the volume are counted by its grid: they are not one to one where it was resampled.
    """

    volume: Volume
    headers: tuple[Dataset, ...]


def load_series(files: Sequence[Path]) -> LoadedSeries:
    """The volume that the files of one series hold.

    Raises `NotAVolumeError` with the reason, `UndecodableError` naming the transfer syntax, `UnreadableFileError`
    naming the file.
    """
    notes: list[str] = []
    with tolerating(notes):
        datasets = read_instances(files)
        kept, left_out = without_localisers(datasets)
        datasets = [datasets[index] for index in kept]
        refuse_non_volumes(datasets)
        refuse_without_pixels(datasets)
        stack = stack_of(frames_of(datasets), _same_image(datasets))
        modality = str(filled(datasets[0], "Modality") or "OT")
        quantity = quantity_of(modality, [frame.header for frame in stack.frames])
        outside = AIR_HU if quantity.unit is Unit.HU else 0.0
        voxels, valid = _voxels(datasets, stack, quantity, outside)
        frame_of_reference = filled(datasets[0], "FrameOfReferenceUID")
        regular = regular_from(
            voxels, valid, stack, outside, None if frame_of_reference is None else str(frame_of_reference)
        )
        headers = _headers_in_order(datasets, stack)
        uids = tuple(str(header.SOPInstanceUID) for header in headers)
        notes += [*left_out, *stack.notes, *regular.notes, *quantity.notes, *_image_notes(headers)]
    volume = Volume(
        voxels=torch.from_numpy(regular.voxels),
        grid=regular.grid,
        unit=quantity.unit,
        modality=modality,
        valid=None if regular.valid.all() else torch.from_numpy(regular.valid),
        source_uids=uids,
        notes=tuple(notes),
        inverted_display=is_shown_inverted(modality, headers),
    )
    return LoadedSeries(volume, headers)


def _same_image(datasets: Sequence[Dataset]) -> Callable[[Frame, Frame], bool]:
    """Says whether two frames hold the same values; a multi-frame object is decoded once, not once for each pair."""

    @lru_cache(maxsize=2)
    def stored(instance: int) -> NDArray[Any]:
        return decoded(datasets[instance])

    def same(one: Frame, other: Frame) -> bool:
        first, second = (rescale_of(frame.header)(stored(frame.instance)[frame.number]) for frame in (one, other))
        return np.array_equal(first, second)

    return same


def _voxels(
    datasets: Sequence[Dataset], stack: Stack, quantity: Quantity, outside: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values in the order of the stack, and where they were measured. Each instance is decoded once."""
    first = datasets[stack.frames[0].instance]
    shape = (len(stack.frames), int(first.Rows), int(first.Columns))
    voxels, valid = np.empty(shape, dtype=np.float32), np.ones(shape, dtype=np.bool_)
    slices_of: dict[int, list[int]] = {}
    for number, frame in enumerate(stack.frames):
        slices_of.setdefault(frame.instance, []).append(number)

    def fill(instance: int) -> None:
        stored = decoded(datasets[instance])
        padding = padding_of(datasets[instance], stored)
        for number in slices_of[instance]:
            frame = stack.frames[number]
            values = rescale_of(frame.header)(stored[frame.number])
            measured = np.isfinite(values)
            if padding is not None:
                measured &= ~padding[frame.number]
            if quantity.unit is Unit.HU:
                measured &= values >= LOWEST_HU
            voxels[number] = np.where(measured, values * np.float32(quantity.factor), np.float32(outside))
            valid[number] = measured

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(fill, slices_of))
    return voxels, valid


def _headers_in_order(datasets: Sequence[Dataset], stack: Stack) -> tuple[Dataset, ...]:
    order = dict.fromkeys(frame.instance for frame in stack.frames)
    return tuple(without_pixels(datasets[instance]) for instance in order)


def _image_notes(headers: Sequence[Dataset]) -> list[str]:
    notes = {note for note in map(lossy_note, headers) if note is not None}
    if any(is_monochrome1(header) for header in headers):
        notes.add("The images are displayed inverted (MONOCHROME1); their values are kept, they are what was measured.")
    return sorted(notes)
