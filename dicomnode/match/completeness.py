"""Decides whether a series is whole when its quiet time has ended.

DICOM has no "that was all": a series is held to be complete when nothing came for a while and nothing that its headers
announce is missing. Where something seems to be missing, it is given a longer time, and is then taken as it is, with a
note: an announced count can be wrong, and a case that waits for ever helps nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.records import InstanceRecord, SeriesHeader, SeriesRecord

from .extent import extent_of, slices_of
from .headers import MANY_FRAMES, number, text

GRACE_FACTOR = 3
"""How many quiet times a series that seems incomplete is waited for."""

EVERYTHING = "NumberOfSeriesRelatedInstances"
"""The one count that includes localisers."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is, what is announced, and what the positions say, in sentences."""

    whole: bool
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether the series is to be taken as complete now, why, and else when to look again."""

    complete: bool
    evidence: tuple[str, ...]
    look_again_at: datetime | None = None


def completeness(
    series: SeriesRecord, instances: Sequence[InstanceRecord], quiet_time_s: float, now: datetime
) -> Completeness:
    """Judge `series`, for which nothing came since `series.last_received_at`."""
    found = evidence(series, instances)
    quiet_until = series.last_received_at + timedelta(seconds=quiet_time_s)
    grace_until = series.last_received_at + timedelta(seconds=quiet_time_s * GRACE_FACTOR)
    if now < quiet_until:
        return Completeness(False, ("its quiet time has not ended",), quiet_until)
    if not found.whole and now < grace_until:
        return Completeness(False, found.sentences, grace_until)
    waited = quiet_time_s if found.whole else quiet_time_s * GRACE_FACTOR
    ending = "" if found.whole else ", so it is taken as it is"
    return Completeness(True, (*found.sentences, f"nothing came for {waited:g} s{ending}"))


def evidence(series: SeriesRecord, instances: Sequence[InstanceRecord]) -> Evidence:
    """Compare what there is with what the headers announce and with the slice positions; localisers are left out."""
    slices = slices_of(instances)
    present = len(slices)
    sentences, whole = [], True
    if announcement := announced(series.header):
        count, source = announcement
        if source == EVERYTHING:
            present = len(instances)
        whole = present >= count
        sentences.append(f"{'all' if whole else 'only'} {present} of {count} instances ({source})")
        if present > count:
            sentences[-1] = f"{present} instances, {count} were announced ({source})"
    elif series.header.sop_class_uid in MANY_FRAMES:
        frames = sum(instance.number_of_frames for instance in slices)
        sentences.append(f"{present} multi-frame instance{'s'[: present != 1]} with {frames} frames")
    else:
        sentences.append(f"{present} instances, no count announced")
    if left_out := len(instances) - len(slices):
        sentences.append(f"{left_out} localiser{'s'[: left_out != 1]} left out")
    extent = extent_of(slices)
    if extent.missing:
        whole = False
        seem = "slice seems" if extent.missing == 1 else "slices seem"
        sentences.append(f"{extent.missing} {seem} to be missing between the others")
    elif extent.spacing_mm is not None:
        sentences.append(f"no gaps between slices of {extent.spacing_mm:.3g} mm")
    return Evidence(whole, tuple(sentences))


def announced(header: SeriesHeader) -> tuple[int, str] | None:
    """How many instances the headers announce, and where.

    NumberOfSeriesRelatedInstances comes from a query at the source. NumberOfSlices of a PET series counts one time
    slice and one gate (PS3.3 C.8.9.1.1.5 and .9).
    """
    for keyword in (EVERYTHING, "InConcatenationTotalNumber"):
        if (count := _count(header, keyword)) is not None:
            return count, keyword
    if header.sop_class_uid in MANY_FRAMES:
        return None
    if header.modality == "PT" and (slices := _count(header, "NumberOfSlices")) is not None:
        return slices * _repetitions(header), "NumberOfSlices"
    if (count := _count(header, "ImagesInAcquisition")) is not None:
        return count, "ImagesInAcquisition"
    return None


def _repetitions(header: SeriesHeader) -> int:
    counted = {
        "DYNAMIC": ("NumberOfTimeSlices",),
        "GATED": ("NumberOfRRIntervals", "NumberOfTimeSlots"),
    }.get(text(header, "SeriesType"), ())
    product = 1
    for keyword in counted:
        product *= _count(header, keyword) or 1
    return product


def _count(header: SeriesHeader, keyword: str) -> int | None:
    value = number(header, keyword)
    return int(value) if value is not None and value >= 1 else None
