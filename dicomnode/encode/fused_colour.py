"""The fused image as Secondary Capture with geometry: for looking, in every viewer.

A single-frame series by default, which everything displays; one multi-frame True Color object when the recipe wants
it, which travels much faster (PS3.3 A.8.1, A.8.5).
"""

from collections.abc import Iterator

import numpy as np
import torch
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage, SecondaryCaptureImageStorage

from fusion.volume import Grid

from .colour_pixels import add_colour_pixels
from .derived_series import PURPOSE, begin, finish, identify
from .elements import decimal, text
from .geometry import (
    add_frame_of_reference,
    add_plane,
    orientation,
    patient_orientation,
    pixel_spacing,
    require_orthogonal,
    slice_position,
)
from .inputs import EncodedSeries, EncodeInputs
from .label import Picture, label_of
from .provenance import PIXEL_ADDITION, SPATIAL_RESAMPLING, add_derivation
from .research import add_research_flags
from .sources import fixed_sources, moving_sources

KIND = "fused_colour"
SERIES_OFFSET = 2
DERIVATION = (SPATIAL_RESAMPLING, PIXEL_ADDITION)
IMAGE_TYPE = ["DERIVED", "SECONDARY", "FUSION"]


def fused_colour(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """The fused series. Raises `EncodeError` for a sheared fixed grid."""
    require_orthogonal(inputs.fixed.grid)
    if inputs.plan.recipe.output_parameters.get("fused_multi_frame", False):
        return (_multi_frame(inputs),)
    return (_single_frames(inputs),)


def _what(inputs: EncodeInputs) -> str:
    return f"Fused {inputs.moving.volume.modality}+{inputs.fixed.modality}"


def _single_frames(inputs: EncodeInputs) -> EncodedSeries:
    identity = identify(inputs, KIND, SERIES_OFFSET, "OT", SecondaryCaptureImageStorage, _what(inputs))
    grid = inputs.fixed.grid
    instances = []
    sources = zip(pictures(inputs), fixed_sources(inputs), moving_sources(inputs), strict=True)
    for index, (picture, fixed, moving) in enumerate(sources):
        dataset = begin(inputs, identity, index)
        add_description(dataset, inputs)
        add_plane(dataset, grid, index)
        add_colour_pixels(dataset, picture)
        add_derivation(dataset, inputs, DERIVATION, fixed=fixed, moving=moving)
        instances.append(dataset)
    return finish(identity, instances)


def _multi_frame(inputs: EncodeInputs) -> EncodedSeries:
    sop_class_uid = MultiFrameTrueColorSecondaryCaptureImageStorage
    identity = identify(inputs, KIND, SERIES_OFFSET, "OT", sop_class_uid, _what(inputs))
    dataset = begin(inputs, identity)
    add_description(dataset, inputs)
    add_colour_pixels(dataset, np.stack(list(pictures(inputs))))
    _add_functional_groups(dataset, inputs.fixed.grid)
    contributed = {str(header.SOPInstanceUID): header for group in moving_sources(inputs) for header in group}
    add_derivation(dataset, inputs, DERIVATION, fixed=inputs.fixed_headers, moving=contributed.values())
    return finish(identity, [dataset])


def pictures(inputs: EncodeInputs) -> Iterator[Picture]:
    """The slices as 8-bit sRGB, labelled where the recipe wants it."""
    fused = inputs.moving.fused
    label = label_of(inputs) if _labelled(inputs) else None
    for voxels in fused.image:
        picture = voxels if fused.is_colour else (voxels.clamp(0, 1) * 255).round().to(torch.uint8)[..., None]
        rgb = np.ascontiguousarray(picture.expand(*picture.shape[:2], 3).cpu().numpy())
        yield rgb if label is None else label.on(rgb)


def _labelled(inputs: EncodeInputs) -> bool:
    return bool(inputs.plan.recipe.output_parameters.get("label_pixels", True))


def add_description(dataset: Dataset, inputs: EncodeInputs) -> None:
    """What the object says about itself beside its pixels, and its Frame of Reference."""
    dataset.ImageType = IMAGE_TYPE
    dataset.ConversionType = "WSD"
    dataset.PatientOrientation = patient_orientation(inputs.fixed.grid)
    dataset.ImageComments = text(f"{PURPOSE}. For looking, not for measuring: {inputs.moving.fused.method}.", 1024)
    add_frame_of_reference(dataset, inputs)
    add_research_flags(dataset, inputs, burned_in=_labelled(inputs))


def _add_functional_groups(dataset: Dataset, grid: Grid) -> None:
    """Pixel Measures, Plane Orientation and Plane Position: all that the IOD admits (A.8.5.4)."""
    measures, plane = Dataset(), Dataset()
    measures.PixelSpacing = pixel_spacing(grid)
    measures.SliceThickness = measures.SpacingBetweenSlices = decimal(grid.spacing_mm[0])
    plane.ImageOrientationPatient = orientation(grid)
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([plane])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for index in range(grid.shape[0]):
        position, frame = Dataset(), Dataset()
        position.ImagePositionPatient = slice_position(grid, index)
        frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.NumberOfFrames = grid.shape[0]
    dataset.FrameIncrementPointer = [Tag("PerFrameFunctionalGroupsSequence")]  # C.7.6.6.1.2
