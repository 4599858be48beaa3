"""What a derived image keeps of the acquisition of its source."""

from collections.abc import Collection

from pydicom.dataset import Dataset

from .derived_series import zone_of
from .elements import copy_elements
from .inputs import EncodeInputs
from .time_zone import shift_times


def copy_acquisition(source: Dataset, dataset: Dataset, inputs: EncodeInputs, keywords: Collection[str]) -> None:
    """Copy the attributes; their dates and times are rewritten in the zone of the study in which `dataset` is filed."""
    copy_elements(source, dataset, keywords)
    shift_times(dataset, keywords, zone_of(source), zone_of(inputs.filing_header))
