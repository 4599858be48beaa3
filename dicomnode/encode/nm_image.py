"""A resampled SPECT as one multi-frame NM image, RECON TOMO (PS3.3 C.8.4).

Geometry is in the detector's item: readers disagree about the sign of Spacing Between Slices (C.8.4.15), so frames
are stacked along the normal and the spacing is positive.
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from fusion.display import window_of
from fusion.volume import Grid

from .acquisition import copy_acquisition
from .derived_series import SeriesIdentity, begin
from .elements import copy_elements, decimal, set_if_missing
from .geometry import add_frame_of_reference, orientation, pixel_spacing, slice_position
from .grey_pixels import add_grey_pixels, add_window
from .inputs import EncodeInputs
from .provenance import MEASURE_ON_ORIGINAL, SPATIAL_RESAMPLING, add_derivation, reference
from .real_world_values import add_real_world_values
from .research import add_research_flags
from .sources import moving_sources
from .stored_values import whole_or_scaled

KEYWORDS = (
    "AcquisitionDate",
    "AcquisitionTime",
    "CountsAccumulated",
    "CorrectedImage",
    "EnergyWindowInformationSequence",
    "RadiopharmaceuticalInformationSequence",
    "InterventionDrugInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
    "RotationInformationSequence",
    "TypeOfDetectorMotion",
    "NumberOfEnergyWindows",
    "ActualFrameDuration",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
)
DETECTOR_KEYWORDS = (
    "CollimatorType",
    "CollimatorGridName",
    "FocalDistance",
    "FieldOfViewShape",
    "FieldOfViewDimensions",
    "RadialPosition",
)


def nm_instance(inputs: EncodeInputs, identity: SeriesIdentity) -> Dataset:
    """The whole series in one object."""
    moved, source = inputs.moving.moved, inputs.moving.headers[0]
    order = frames_along_normal(moved.grid)
    values = whole_or_scaled(moved, inputs.moving.volume)
    dataset = begin(inputs, identity)
    copy_acquisition(source, dataset, inputs, KEYWORDS)
    set_if_missing(dataset, CountsAccumulated=None, EnergyWindowInformationSequence=[], NumberOfEnergyWindows=1)
    set_if_missing(dataset, RadiopharmaceuticalInformationSequence=[], PatientOrientationCodeSequence=[])
    set_if_missing(dataset, PatientGantryRelationshipCodeSequence=[], RotationInformationSequence=[])
    dataset.ImageType = ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"]
    add_frame_of_reference(dataset, inputs)
    _add_frames(dataset, moved.grid, order, source)
    add_grey_pixels(dataset, values.of(moved.voxels[order.copy()]), values)
    add_window(dataset, window_of(inputs.moving.volume))
    if not values.is_integer:
        add_real_world_values(dataset, values, moved.unit)
    dataset.ImageComments = MEASURE_ON_ORIGINAL
    contributed = {str(header.SOPInstanceUID): header for group in moving_sources(inputs) for header in group}
    add_derivation(dataset, inputs, (SPATIAL_RESAMPLING,), moving=contributed.values())
    dataset.ReferencedImageSequence = [reference(header) for header in inputs.fixed_headers]
    add_research_flags(dataset, inputs)
    return dataset


def frames_along_normal(grid: Grid) -> np.ndarray:
    """The slices in the order in which their position grows along row × column."""
    normal = np.cross(grid.direction[:, 2], grid.direction[:, 1])
    forwards = float(normal @ grid.direction[:, 0]) > 0
    return np.arange(grid.shape[0]) if forwards else np.arange(grid.shape[0])[::-1]


def _add_frames(dataset: Dataset, grid: Grid, order: np.ndarray, source: Dataset) -> None:
    dataset.NumberOfFrames = dataset.NumberOfSlices = grid.shape[0]
    dataset.FrameIncrementPointer = [Tag("SliceVector")]
    dataset.SliceVector = list(range(1, grid.shape[0] + 1))
    dataset.NumberOfDetectors = dataset.NumberOfRotations = 1
    dataset.PixelSpacing = pixel_spacing(grid)
    dataset.SliceThickness = dataset.SpacingBetweenSlices = decimal(grid.spacing_mm[0])
    detector = Dataset()
    theirs = source.get("DetectorInformationSequence")
    if theirs:
        copy_elements(theirs[0], detector, DETECTOR_KEYWORDS)
    set_if_missing(detector, CollimatorType=None, FocalDistance=None)
    detector.ImageOrientationPatient = orientation(grid)
    detector.ImagePositionPatient = slice_position(grid, int(order[0]))
    dataset.DetectorInformationSequence = Sequence([detector])
