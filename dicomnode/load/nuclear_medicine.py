"""Where the frames of a reconstructed NM multi-frame image lie (PS3.3 C.8.4.9, C.8.4.15)."""

import numpy as np
from pydicom import Dataset

from fusion.types import Points

from ..errors import NotAVolumeError
from .headers import as_number, as_numbers, filled, texts

RECONSTRUCTIONS = ("RECON TOMO", "RECON GATED TOMO")
ONE_OF_EACH = (
    ("EnergyWindowVector", "energy windows"),
    ("DetectorVector", "detectors"),
    ("RRIntervalVector", "R-R intervals"),
    ("TimeSlotVector", "time slots of the heart cycle"),
    ("PhaseVector", "phases"),
    ("RotationVector", "rotations"),
    ("TimeSliceVector", "time slices"),
)


def refusal(dataset: Dataset) -> str | None:
    """Why this NM instance is no volume, or None."""
    kinds = texts(filled(dataset, "ImageType"))
    kind = kinds[2] if len(kinds) > 2 else "not said"
    if kind not in RECONSTRUCTIONS:
        return f"the NM image is of the kind {kind}; only reconstructed slices (RECON TOMO) are a volume"
    for keyword, things in ONE_OF_EACH:
        values = set(_vector(dataset, keyword))
        if len(values) > 1:
            return f"the NM image mixes {len(values)} {things}; send one reconstruction a series"
    return None


def places(dataset: Dataset) -> tuple[Points, Points, list[Points]]:
    """Row cosines, column cosines and the position of each frame.

    The slices lie along the normal (row × column) at Spacing Between Slices, whose sign is the direction
    (C.8.4.15.1); the Slice Vector says which slice a frame is. Raises `NotAVolumeError` where the header leaves one
    of these empty, as type 2 lets it: a guess could turn the patient round.
    """
    detector = dataset.DetectorInformationSequence[0]
    orientation = as_numbers(filled(detector, "ImageOrientationPatient"), 6)
    position = as_numbers(filled(detector, "ImagePositionPatient"), 3)
    spacing = as_number(filled(dataset, "SpacingBetweenSlices"))
    if orientation is None or position is None:
        raise NotAVolumeError("the NM image leaves its Image Position or Image Orientation (Patient) empty")
    if not spacing:
        raise NotAVolumeError("the NM image has no Spacing Between Slices: the direction of its slices is not known")
    row, column = np.array(orientation[:3], dtype=np.float64), np.array(orientation[3:], dtype=np.float64)
    step = np.cross(row, column) * spacing
    count = int(as_number(filled(dataset, "NumberOfFrames")) or 1)
    slices = _vector(dataset, "SliceVector") or tuple(range(1, count + 1))
    if len(slices) != count:
        raise NotAVolumeError(f"the NM image has {count} frames, but its Slice Vector names {len(slices)}")
    origin = np.array(position, dtype=np.float64)
    return row, column, [origin + (number - 1) * step for number in slices]


def _vector(dataset: Dataset, keyword: str) -> tuple[int, ...]:
    value = filled(dataset, keyword)
    if value is None:
        return ()
    items = [value] if isinstance(value, int) else list(value)
    numbers = as_numbers(items, len(items))
    if numbers is None:
        raise NotAVolumeError(f"the {keyword} of the NM image does not hold numbers")
    return tuple(int(number) for number in numbers)
