"""Decides whether a series is whole: by what others say of it, else when its quiet time has ended.

Storage has no "that was all". Where a modality (MPPS) or an archive (IAN) lists the instances, a series is complete as
soon as all of them are here, and waits for those that are not; so it does where its sender counts more (C-FIND), or
where a procedure step goes on. Else it is held to be complete when nothing came for a while and nothing is missing that
its headers announce. Whatever is waited for, the wait ends, and the series is then taken as it is, with a note: what is
announced can be wrong, and a case that waits for ever helps nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from storage.records import AnnouncedSeries, Announcements, InstanceRecord, SeriesHeader, SeriesRecord, StepState

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


NOTHING = Announcements()


@dataclass(frozen=True, slots=True)
class Said:
    """What others say of a series: `count` is how many instances its sender has, `wait_s` how long that is believed."""

    announcements: Announcements = NOTHING
    count: int | None = None
    wait_s: float = 1800


NOTHING_SAID = Said()


def completeness(
    series: SeriesRecord,
    instances: Sequence[InstanceRecord],
    quiet_time_s: float,
    now: datetime,
    said: Said = NOTHING_SAID,
) -> Completeness:
    """Judge `series`, for which nothing came since `series.last_received_at`."""
    found = evidence(series, instances)
    heard = hearsay(instances, said)
    if heard.settles and (found.whole or heard.is_certain):
        return Completeness(True, (*heard.sentences, *found.sentences))
    if not heard.whole:
        until = series.last_received_at + timedelta(seconds=max(said.wait_s, quiet_time_s))
        if now < until:
            return Completeness(False, (*heard.sentences, *found.sentences), until)
        ending = f"nothing came for {max(said.wait_s, quiet_time_s):g} s, so it is taken as it is"
        return Completeness(True, (*heard.sentences, *found.sentences, ending))
    judged = _by_quiet_time(series, found, quiet_time_s, now)
    return replace(judged, evidence=(*heard.sentences, *judged.evidence))


@dataclass(frozen=True, slots=True)
class Hearsay:
    """What others' words come to.

    `whole`: they announce nothing that is not here. `settles`: they list everything, so that nothing need be waited
    for; `is_certain` where the modality itself says so.
    """

    whole: bool
    settles: bool
    is_certain: bool
    sentences: tuple[str, ...]


def hearsay(instances: Sequence[InstanceRecord], said: Said) -> Hearsay:
    """Compare what is here with what others say there is."""
    here = {instance.sop_instance_uid for instance in instances}
    final = [one for one in said.announcements.listed if one.is_final and one.sop_instance_uids]
    sentences = [_about(one, here) for one in final]
    listed = frozenset().union(*(one.sop_instance_uids for one in final))
    whole = listed <= here
    by_modality = [one for one in final if one.state != "available"]
    going_on = said.announcements.in_progress > 0 and not by_modality
    if going_on:
        sentences.append("its procedure step is in progress (MPPS)")
    if said.count is not None:
        enough = len(here) >= said.count
        sentences.append(f"{'all' if enough else 'only'} {len(here)} of {said.count} instances at its sender (C-FIND)")
        whole = whole and enough
    if not whole or going_on:
        return Hearsay(False, False, False, tuple(sentences))
    return Hearsay(True, bool(final), bool(by_modality), tuple(sentences))


def _about(one: AnnouncedSeries, here: set[str]) -> str:
    missing = len(one.sop_instance_uids - here)
    total = len(one.sop_instance_uids)
    ending = "; the step was discontinued" if one.state == StepState.DISCONTINUED else ""
    many = f"all {total}" if not missing else f"only {total - missing} of {total}"
    return f"{many} instances that are listed ({one.kind}, {one.state.lower()}){ending}"


def _by_quiet_time(series: SeriesRecord, found: Evidence, quiet_time_s: float, now: datetime) -> Completeness:
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
