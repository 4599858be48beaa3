"""What an export consists of."""

from enum import StrEnum


class ImageFormat(StrEnum):
    """What is written."""

    DICOM = "dicom"
    NIFTI = "nifti"
    BOTH = "both"


class Dates(StrEnum):
    """What becomes of dates and times."""

    REMOVE = "remove"
    SHIFT = "shift"
