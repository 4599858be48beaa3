"""The PET modules of a resampled slice (PS3.3 C.8.9), with everything that a receiver needs to trust the quantity.

Units are those of the voxels that are written: a volume that was converted to SUV says GML, so that nobody converts
it again. Times are the source's, never now: they are what an activity refers to (C.8.9.1.1.2). A resampled slice
mixes bed positions, so all slices carry the times and the decay factor of the earliest one, which belong together.
"""

from collections.abc import Mapping

from pydicom.dataset import Dataset

from fusion.volume import Unit

from .acquisition import copy_acquisition
from .elements import set_if_missing
from .inputs import EncodeInputs
from .stored_values import StoredValues, scaled

KEYWORDS = (
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "ReconstructionDiameter",
    "CollimatorType",
    "ConvolutionKernel",
    "CorrectedImage",
    "EnergyWindowRangeSequence",
    "CountsSource",
    "RandomsCorrectionMethod",
    "AttenuationCorrectionMethod",
    "DecayCorrection",
    "ReconstructionMethod",
    "ScatterCorrectionMethod",
    "RadiopharmaceuticalInformationSequence",
    "InterventionDrugInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
    "ActualFrameDuration",
    "FrameReferenceTime",
    "DecayFactor",
)

UNITS: Mapping[Unit, tuple[str, str]] = {
    Unit.SUV_BW: ("GML", "BW"),
    Unit.SUV_LBM: ("GML", "LBM"),
    Unit.SUV_BSA: ("CM2ML", "BSA"),
    Unit.SUV_IBW: ("GML", "IBW"),
    Unit.BQ_ML: ("BQML", ""),
    Unit.COUNTS: ("CNTS", ""),
    Unit.PROPORTIONAL_COUNTS: ("PROPCNTS", ""),
    Unit.ARBITRARY: ("NONE", ""),
}
"""Units (C.8.9.1.1.3) and SUV Type of what the voxels hold."""

PRIVATE_QUANTITIES = (
    (0x7053, "Philips PET Private Group", (0x00, 0x09)),
    (0x0009, "GEMS_PETD_01", (0x0D,)),
    (0x0071, "SIEMENS MED PT", (0x22,)),
)
"""Group, creator and elements that turn counts or Bq/ml into SUV: factors of Philips, decay reference of the others."""


def pet_values(inputs: EncodeInputs) -> StoredValues:
    """One slope for the series; the intercept is always zero (C.8.9.4.1.4)."""
    return scaled(inputs.moving.moved, inputs.moving.volume)


def add_pet_image(dataset: Dataset, inputs: EncodeInputs, values: StoredValues, index: int) -> None:
    """PET series, isotope, orientation and image."""
    moving = inputs.moving
    source = min(moving.headers, key=_acquired)
    del dataset.SeriesDate, dataset.SeriesTime  # now
    copy_acquisition(source, dataset, inputs, KEYWORDS)
    _settle_series_moment(dataset)
    set_if_missing(dataset, CollimatorType=None, CorrectedImage=None, CountsSource="EMISSION", DecayCorrection="NONE")
    set_if_missing(dataset, RadiopharmaceuticalInformationSequence=[], PatientOrientationCodeSequence=[])
    set_if_missing(dataset, PatientGantryRelationshipCodeSequence=[], ActualFrameDuration=None)
    set_if_missing(dataset, AcquisitionDate="", AcquisitionTime="", FrameReferenceTime="0", DecayFactor="1")
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    whole_body = str((source.get("SeriesType") or [""])[0]) == "WHOLE BODY"
    dataset.SeriesType = ["WHOLE BODY" if whole_body else "STATIC", "IMAGE"]
    dataset.NumberOfSlices, dataset.ImageIndex = moving.moved.grid.shape[0], index + 1
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", values.slope
    _add_units(dataset, source, moving.moved.unit)
    if dataset.PatientOrientationCodeSequence and "PatientPosition" in dataset:
        del dataset.PatientPosition  # only one of the two may say how the patient lay (C.7.3.1.1.2)


def _settle_series_moment(dataset: Dataset) -> None:
    """A source without its Series Date and Time: those of the acquisition where both are known, else none."""
    if dataset.get("SeriesDate") and dataset.get("SeriesTime"):
        return
    acquired = dataset.get("AcquisitionDate"), dataset.get("AcquisitionTime")
    if all(acquired):
        dataset.SeriesDate, dataset.SeriesTime = acquired


def _add_units(dataset: Dataset, source: Dataset, unit: Unit) -> None:
    units, suv_type = UNITS[unit]
    if unit is Unit.ARBITRARY:
        units = str(source.get("Units") or units)
    if str(source.get("Units", "")) == units:
        suv_type = str(source.get("SUVType", "") or suv_type)
        _copy_private_quantities(source, dataset)
    dataset.Units = units
    if suv_type:
        dataset.SUVType = suv_type


def _copy_private_quantities(source: Dataset, dataset: Dataset) -> None:
    for group, creator, offsets in PRIVATE_QUANTITIES:
        try:
            theirs = source.private_block(group, creator)
        except KeyError:
            continue
        for offset in offsets:
            if offset in theirs:
                element = theirs[offset]
                ours = dataset.private_block(group, creator, create=True)
                ours.add_new(offset, element.VR, element.value)


def _acquired(header: Dataset) -> tuple[str, str]:
    return str(header.get("AcquisitionDate", "") or ""), str(header.get("AcquisitionTime", "") or "")
