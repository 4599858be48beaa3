"""The CT Image module of a resampled slice (PS3.3 C.8.2.1)."""

from pydicom.dataset import Dataset

from .acquisition import copy_acquisition
from .elements import set_if_missing
from .inputs import EncodeInputs
from .stored_values import StoredValues, hounsfield

PADDING_HU = -2000
"""Outside of the moving image: below every tissue and air, and far from where 16 bits end."""

KEYWORDS = (
    "KVP",
    "ConvolutionKernel",
    "FilterType",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionNumber",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusRoute",
)
"""Of the acquisition. Dose and exposure stay with the original: nobody was exposed for this."""


def ct_values(inputs: EncodeInputs) -> StoredValues:  # noqa: ARG001 - the signature is shared by all modalities
    """Whole Hounsfield units with slope 1."""
    return hounsfield(PADDING_HU)


def add_ct_image(dataset: Dataset, inputs: EncodeInputs, values: StoredValues, index: int) -> None:  # noqa: ARG001
    """Hounsfield units."""
    copy_acquisition(inputs.moving.headers[0], dataset, inputs, KEYWORDS)
    set_if_missing(dataset, KVP=None, AcquisitionNumber=None)
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", values.slope, "HU"
