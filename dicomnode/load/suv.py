"""Standardised uptake value by body weight, or the reason why there is none.

Follows the vendor-neutral pseudo-code of QIBA (FDG-PET/CT, 2018-06-26). A wrong SUV is worse than none: whatever is
missing, contradicts itself or cannot be believed ends as a reason, and the values stay as they came.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydicom import Dataset

from ..errors import UnreadableFileError
from .clock import date_time, moment
from .headers import FrameHeader, as_number, filled, texts

LEAST_DOSE_BQ, MOST_DOSE_BQ = 1e6, 1e11
"""A dose outside of this was not written in becquerel; megabecquerel happen."""

HEAVIEST_KG = 600.0

DATELESS_HALF_LIFE_S = 4 * 3600.0
"""With a longer half-life patients are imaged days after the injection: its time without its date says too little."""

MOST_HALF_LIVES = 10.0

DECAY_DISAGREEMENT = 0.05
"""Share by which Decay Factor may contradict the reference time before the SUV is given up."""

HALF_LIFE_TOLERANCE = 0.02
HALF_LIVES_S = {
    ("C-111A1", "77004003"): ("F-18", 6586.2),
    ("C-105A1", "40565003"): ("C-11", 1221.8),
    ("C-107A1", "21576001"): ("N-13", 597.9),
    ("C-B1038", "129504001"): ("O-15", 122.2),
    ("C-131A3", "35337001"): ("Ga-68", 4062.6),
    ("C-159A2", "79197006"): ("Rb-82", 76.4),
    ("C-127A2", "3932008"): ("Cu-64", 45723.0),
    ("C-168A4", "63360001"): ("Zr-89", 282276.0),
    ("C-114A5", "40937006"): ("I-124", 360806.0),
}
"""By SRT and SCT code (PS3.16 CID 4020); half-lives of the Decay Data Evaluation Project, seconds."""

GE_CREATOR, GE_SCAN_DATE_TIME = "GEMS_PETD_01", 0x0D
SIEMENS_CREATOR, SIEMENS_DECAY_DATE_TIME = "SIEMENS MED PT", 0x22
PHILIPS_CREATOR, PHILIPS_SUV_FACTOR, PHILIPS_ACTIVITY_FACTOR = "Philips PET Private Group", 0x00, 0x09


class NoSuvError(Exception):
    """Why there is no SUV; ends in `Suv.reason` and goes no further."""


@dataclass(frozen=True, slots=True)
class Suv:
    """What to multiply rescaled values with to get g/ml, or the reason why that is not known."""

    factor: float | None
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Dose:
    """The injection: activity, half-life, and the item of the header that says so."""

    activity_bq: float
    half_life_s: float
    item: Dataset


def suv_of(units: str, headers: Sequence[FrameHeader]) -> Suv:
    """The SUV factor of a series in Units BQML or CNTS, from the headers of all of its frames."""
    try:
        _require_corrections(headers[0])
        if units == "CNTS":
            return _philips(headers)
        return _from_activity(headers)
    except (NoSuvError, UnreadableFileError) as error:
        return Suv(None, str(error))


def _require_corrections(header: FrameHeader) -> None:
    corrected = texts(header.get("CorrectedImage"))
    attenuation = "ATTN" in corrected or texts(header.get("AttenuationCorrected")) == ("YES",)
    decay = "DECY" in corrected or texts(header.get("DecayCorrected")) == ("YES",)
    if not attenuation:
        raise NoSuvError("the images are not corrected for attenuation")
    if not decay:
        raise NoSuvError("the images are not corrected for decay")
    correction = _decay_correction(header)
    stated = not correction and _explicit_reference(header) is not None
    if correction not in ("START", "ADMIN") and not stated:
        raise NoSuvError(f"Decay Correction is {correction or 'empty'}, neither START nor ADMIN")


def _decay_correction(header: FrameHeader) -> str:
    return " ".join(texts(header.get("DecayCorrection")))


def _from_activity(headers: Sequence[FrameHeader]) -> Suv:
    """Weight (g) over the dose as it had decayed when the images' activity refers to it (QIBA steps 1 to 3)."""
    weight = _weight_kg(headers[0])
    dose = _dose(headers[0])
    notes: tuple[str, ...] = ()
    decayed = dose.activity_bq
    if _decay_correction(headers[0]) != "ADMIN":
        reference, notes = _reference_time(headers)
        _check_decay_factor(headers, reference, dose.half_life_s)
        elapsed = (reference - _injected_at(headers[0], dose, reference)).total_seconds()
        if not 0 <= elapsed <= MOST_HALF_LIVES * dose.half_life_s:
            raise NoSuvError(f"{elapsed / 60:.0f} minutes from the injection to the scan cannot be")
        decayed *= 2 ** (-elapsed / dose.half_life_s)
    return Suv(weight * 1000 / decayed, notes=notes)


def _weight_kg(header: FrameHeader) -> float:
    weight = header.number("PatientWeight")
    if weight is None or weight <= 0:
        raise NoSuvError("Patient Weight is missing")
    if weight > HEAVIEST_KG:
        raise NoSuvError(f"a Patient Weight of {weight:g} kg cannot be")
    return weight


def _dose(header: FrameHeader) -> _Dose:
    items = header.get("RadiopharmaceuticalInformationSequence")
    if items is None:
        raise NoSuvError("the radiopharmaceutical is not described")
    if len(items) != 1:
        raise NoSuvError(f"{len(items)} radiopharmaceuticals are described, not one")
    activity = as_number(filled(items[0], "RadionuclideTotalDose"))
    half_life = as_number(filled(items[0], "RadionuclideHalfLife"))
    if activity is None or activity <= 0:
        raise NoSuvError("Radionuclide Total Dose is missing")
    if not LEAST_DOSE_BQ <= activity <= MOST_DOSE_BQ:
        raise NoSuvError(f"a Radionuclide Total Dose of {activity:g} Bq cannot be; it may have been written in MBq")
    if half_life is None or half_life <= 0:
        raise NoSuvError("Radionuclide Half Life is missing")
    _check_half_life(items[0], half_life)
    return _Dose(activity, half_life, items[0])


def _check_half_life(item: Dataset, half_life_s: float) -> None:
    codes = filled(item, "RadionuclideCodeSequence")
    named = None if codes is None else str(filled(codes[0], "CodeValue"))
    for values, (nuclide, true_s) in HALF_LIVES_S.items():
        if named in values and abs(half_life_s / true_s - 1) > HALF_LIFE_TOLERANCE:
            raise NoSuvError(f"Radionuclide Half Life is {half_life_s:g} s, but that of {nuclide} is {true_s:g} s")


def _explicit_reference(header: FrameHeader) -> datetime | None:
    """The time to which decay was corrected, where the header says it outright."""
    timezone = header.get("TimezoneOffsetFromUTC")
    stated = date_time(header.get("DecayCorrectionDateTime"), timezone)
    return stated or date_time(_private(header.dataset, 0x0071, SIEMENS_CREATOR, SIEMENS_DECAY_DATE_TIME), timezone)


def _reference_time(headers: Sequence[FrameHeader]) -> tuple[datetime, tuple[str, ...]]:
    """The time to which START corrected the decay (QIBA step 2)."""
    header = headers[0]
    stated = _explicit_reference(header)
    if stated is not None:
        return stated, ()
    series = moment(header.get("SeriesDate"), header.get("SeriesTime"))
    acquired = [at for at in map(_acquired_at, headers) if at is not None]
    if len(acquired) != len(headers):
        raise NoSuvError("not every image has an acquisition date and time")
    earliest = min(acquired)
    if series is not None and series <= earliest:
        return series, ()
    timezone = header.get("TimezoneOffsetFromUTC")
    scan = date_time(_private(header.dataset, 0x0009, GE_CREATOR, GE_SCAN_DATE_TIME), timezone)
    if scan is not None:
        return scan, ("Series Time is after the acquisition; the scanner's own scan time was taken for the SUV.",)
    return earliest, ("Series Time is after the acquisition; the earliest acquisition time was taken for the SUV.",)


def _acquired_at(header: FrameHeader) -> datetime | None:
    at = moment(header.get("AcquisitionDate"), header.get("AcquisitionTime"))
    if at is not None:
        return at
    timezone = header.get("TimezoneOffsetFromUTC")
    return date_time(header.get("AcquisitionDateTime"), timezone) or date_time(
        header.get("FrameAcquisitionDateTime"), timezone
    )


def _injected_at(header: FrameHeader, dose: _Dose, reference: datetime) -> datetime:
    """Start of the injection: with its date where there is one, else on the day of the scan or the evening before."""
    at = date_time(filled(dose.item, "RadiopharmaceuticalStartDateTime"), header.get("TimezoneOffsetFromUTC"))
    if at is not None:
        return at
    at = moment(reference.strftime("%Y%m%d"), filled(dose.item, "RadiopharmaceuticalStartTime"))
    if at is None:
        raise NoSuvError("the time of the injection is missing")
    if dose.half_life_s > DATELESS_HALF_LIFE_S:
        raise NoSuvError("the date of the injection is missing, and with this half-life it may have been days before")
    return at - timedelta(days=1) if at > reference else at


def _check_decay_factor(headers: Sequence[FrameHeader], reference: datetime, half_life_s: float) -> None:
    """Decay Factor implies a reference time; one that contradicts ours means that one of the two is wrong.

    For a frame of duration D that began at t the factor is exp(λ(t - reference)) · λD / (1 - exp(-λD))
    (PS3.3 C.8.9.4.1.8). Factors of 1 are taken as not filled in.
    """
    rate = math.log(2) / half_life_s
    for header in headers:
        factor, duration_ms = header.number("DecayFactor"), header.number("ActualFrameDuration")
        began = _acquired_at(header)
        if factor is None or factor <= 1 or not duration_ms or duration_ms < 0 or began is None:
            continue
        within = rate * duration_ms / 1000
        expected = math.exp(rate * (began - reference).total_seconds()) * within / -math.expm1(-within)
        if abs(expected / factor - 1) > DECAY_DISAGREEMENT:
            raise NoSuvError(
                f"Decay Factor {factor:g} contradicts the time to which decay seems corrected (expected {expected:.3f})"
            )


def _philips(headers: Sequence[FrameHeader]) -> Suv:
    """Counts of Philips scanners carry their scale in a private group (QIBA step 4)."""
    to_suv = _philips_factor(headers, PHILIPS_SUV_FACTOR)
    if to_suv is not None:
        return Suv(to_suv)
    to_activity = _philips_factor(headers, PHILIPS_ACTIVITY_FACTOR)
    if to_activity is None:
        raise NoSuvError("Units is CNTS and the header carries no scale to activity or SUV")
    suv = _from_activity(headers)
    return Suv(None if suv.factor is None else suv.factor * to_activity, suv.reason, suv.notes)


def _philips_factor(headers: Sequence[FrameHeader], element: int) -> float | None:
    factors = {as_number(_private(header.dataset, 0x7053, PHILIPS_CREATOR, element)) for header in headers}
    if len(factors) > 1:
        raise NoSuvError("the private scale factors differ between the images")
    factor = factors.pop()
    return factor if factor is not None and factor > 0 else None


def _private(dataset: Dataset, group: int, creator: str, element: int) -> Any:
    """A private value by its creator (PS3.5 7.8.1), also where implicit VR left it as bytes; None where absent."""
    try:
        value = dataset.private_block(group, creator)[element].value
    except KeyError:
        return None
    return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else value
