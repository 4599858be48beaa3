"""The MR Image module of a resampled slice (PS3.3 C.8.3.1).

The IOD has no Modality LUT. Integer sources keep slope 1 and need none; a fractional quantity is written with
Rescale Slope as a Standard Extended attribute, which readers apply, and with a Real World Value Mapping, which the
standard provides for (C.7.6.16.2.11).
"""

from pydicom.dataset import Dataset

from .acquisition import copy_acquisition
from .elements import copy_elements, set_if_missing
from .inputs import EncodeInputs
from .real_world_values import add_real_world_values
from .stored_values import StoredValues, whole_or_scaled

KEYWORDS = (
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "MRAcquisitionType",
    "SequenceName",
    "AngioFlag",
    "RepetitionTime",
    "EchoTime",
    "EchoTrainLength",
    "ImagingFrequency",
    "ImagedNucleus",
    "EchoNumbers",
    "MagneticFieldStrength",
    "FlipAngle",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionNumber",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusRoute",
)


CONDITIONAL = ("InversionTime", "TriggerTime")
"""Type 2C: an empty one would say that the condition holds."""


def mr_values(inputs: EncodeInputs) -> StoredValues:
    """The source's integers where it has some."""
    return whole_or_scaled(inputs.moving.moved, inputs.moving.volume)


def add_mr_image(dataset: Dataset, inputs: EncodeInputs, values: StoredValues, index: int) -> None:  # noqa: ARG001
    """How the original was acquired; a multi-frame original has that elsewhere, and its slices say research mode."""
    source = inputs.moving.headers[0]
    copy_acquisition(source, dataset, inputs, KEYWORDS)
    copy_elements(source, dataset, [keyword for keyword in CONDITIONAL if source.get(keyword) is not None])
    set_if_missing(dataset, ScanningSequence="RM", SequenceVariant="NONE", ScanOptions=None, MRAcquisitionType=None)
    set_if_missing(dataset, EchoTime=None, EchoTrainLength=None, RepetitionTime=None)
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    if not values.is_integer:
        add_real_world_values(dataset, values, inputs.moving.moved.unit)
