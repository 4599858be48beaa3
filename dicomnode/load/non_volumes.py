"""Instances that are no slices of a volume, and the reason for each."""

import re
import unicodedata
from collections.abc import Sequence

from pydicom import Dataset

from ..errors import NotAVolumeError
from . import nuclear_medicine
from .headers import PIXEL_KEYWORDS, as_number, filled, texts

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""The class itself and the prefix of its multi-frame kin (PS3.6)."""

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")

IMAGE_TYPES = {
    "LOCALIZER": "a localiser",
    "SCOUT": "a localiser",
    "PROJECTION IMAGE": "a projection",
    "SCREEN SAVE": "a picture of the screen",
    "SCREEN CAPTURE": "a picture of the screen",
    "MOSAIC": "a mosaic, many slices tiled into one image",
}
ONE_OF_EACH = (
    ("SeriesInstanceUID", "series"),
    ("FrameOfReferenceUID", "Frames of Reference"),
    ("Modality", "modalities"),
)
ONE_WHERE_STATED = (
    ("PatientID", "patients"),
    ("IssuerOfPatientID", "issuers of the patient ID"),
    ("PatientName", "patient names"),
    ("PatientBirthDate", "birth dates of the patient"),
    ("PatientSex", "sexes of the patient"),
    ("StudyInstanceUID", "studies"),
)
"""A slice may be silent about these, but no two may differ; case and empty name components make no difference."""
LOCALISERS = ("LOCALIZER", "SCOUT")


def without_localisers(datasets: Sequence[Dataset]) -> tuple[list[int], list[str]]:
    """Indices of the instances that are no localisers, and a note where some were left out."""
    kept = [i for i, dataset in enumerate(datasets) if not set(LOCALISERS) & set(texts(filled(dataset, "ImageType")))]
    if len(kept) in (0, len(datasets)):
        return list(range(len(datasets))), []
    return kept, [f"Localiser images of the series, {len(datasets) - len(kept)} in number, were left out."]


def refuse_non_volumes(datasets: Sequence[Dataset]) -> None:
    """Raise `NotAVolumeError` with the reason when an instance is no slice of a volume."""
    for dataset in datasets:
        reason = refusal(dataset)
        if reason is not None:
            raise NotAVolumeError(reason)
    for keyword, thing in ONE_OF_EACH:
        count = len({filled(dataset, keyword) for dataset in datasets})
        if count > 1:
            raise NotAVolumeError(f"the images are of {count} {thing}, not of one")
    for keyword, thing in ONE_WHERE_STATED:
        count = len({stated for dataset in datasets if (stated := _stated(dataset, keyword))})
        if count > 1:
            raise NotAVolumeError(f"the images are of {count} {thing}, not of one")


def _stated(dataset: Dataset, keyword: str) -> str:
    """The value in a form that can be compared; of a name its first group that is there (PS3.5 6.2.1)."""
    value = str(filled(dataset, keyword) or "").strip()
    if keyword == "PatientBirthDate":
        return re.sub(r"\D", "", value)
    if keyword != "PatientName":
        return value
    groups = [group.rstrip("^ ") for group in unicodedata.normalize("NFKC", value).casefold().split("=")]
    return next((" ".join(group.split()) for group in groups if group), "")


def refusal(dataset: Dataset) -> str | None:
    """Why this instance is no part of a volume, or None. Its pixel data need not have been read."""
    sop_class = str(filled(dataset, "SOPClassUID") or "")
    if not as_number(filled(dataset, "Rows")) or not as_number(filled(dataset, "Columns")):
        return f"{_kind(dataset)} is not an image"
    if (as_number(filled(dataset, "SamplesPerPixel")) or 1) != 1 or "PALETTE" in str(
        filled(dataset, "PhotometricInterpretation")
    ):
        return "the images are in colour: their numbers are for looking at and measure nothing"
    if sop_class == SECONDARY_CAPTURE or sop_class.startswith(SECONDARY_CAPTURE + "."):
        return "the images are Secondary Captures: their numbers are for looking at and measure nothing"
    if sop_class in SEGMENTATIONS:
        return "a segmentation holds labels and is not an image of the patient"
    return _refused_type(dataset)


def _refused_type(dataset: Dataset) -> str | None:
    kinds = texts(filled(dataset, "ImageType"))
    for word, thing in IMAGE_TYPES.items():
        if word in kinds:
            return f"Image Type says {word}: {thing} is no volume"
    if "REPROJECTION" in texts(filled(dataset, "SeriesType")):
        return "Series Type says REPROJECTION: projections are no volume"
    if filled(dataset, "Modality") == "NM" and "PerFrameFunctionalGroupsSequence" not in dataset:
        return nuclear_medicine.refusal(dataset)
    return None


def refuse_without_pixels(datasets: Sequence[Dataset]) -> None:
    """Raise `NotAVolumeError` when an instance came without its pixel data."""
    for dataset in datasets:
        if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
            raise NotAVolumeError(f"{_kind(dataset)} holds no pixel data")


def _kind(dataset: Dataset) -> str:
    uid = filled(dataset, "SOPClassUID")
    return "the instance" if uid is None else str(getattr(uid, "name", uid))
