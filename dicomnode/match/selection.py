"""Chooses which series of one modality serves, and says why the others do not.

Only series without an obstacle (see `serving`) come here. The criteria are asked in the order of `CRITERIA`; the first
in which two series differ decides, and is the reason that the plan keeps.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.records import InstanceRecord, SeriesRecord

from .attenuation import Attenuation, AttenuationVerdict, attenuation_of
from .extent import Extent, extent_of, one_phase, slices_of
from .headers import number, numbers, spoken, text, texts
from .sequences import Sequence as MrSequence
from .sequences import SequenceKind, sequence_of
from .serving import is_derived

Instances = Callable[[str], Sequence[InstanceRecord]]
"""Gives the instances of a series."""

COVERAGE_STEP_MM = 10
"""Coverages that differ by less are equal: reconstructions of one acquisition end at slightly different slices."""

SHARP_KERNELS = ("LUNG", "BONE", "EDGE", "ULTRA", "SHARP", "DETAIL", "FC3", "FC5", "FC8", "YB", "YC", "YD")
SHARP_LETTERS = frozenset({"D", "E", "L"})
SHARPEST_SOFT_KERNEL = 59
"""Kernels that raise noise and edges, by their beginning, or Philips' letters; Siemens numbers them (B70f, Br64), and
they are sharp above this."""


SHARP_WORDS = re.compile(
    r" (?:LUNGE?|BONE(?:PLUS)?|KNOCHEN|EDGE|ULTRA|SHARP|DETAIL|Y[CD]|FC[358]\d|[BHUI][LR]?(?:6[0-9]|[7-9]\d)[FSH]?) "
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series with what is known of it; `instances` is one phase of it."""

    series: SeriesRecord
    instances: tuple[InstanceRecord, ...]
    extent: Extent
    phases: int
    attenuation: AttenuationVerdict | None
    sequence: MrSequence | None
    behind_original: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """The series that serves, the instances of it that do, and why."""

    series: SeriesRecord
    instances: tuple[InstanceRecord, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Criterion:
    """`rank` gives smaller values to what serves better; `say` tells about the one that lost."""

    rank: Callable[[Candidate], Any]
    say: Callable[[Candidate], str]


def select(candidates: Sequence[SeriesRecord], instances: Instances) -> Selection:
    """The best of `candidates` (at least one). Their order does not matter."""
    known = [_look_at(series, instances) for series in candidates]
    originals = [one for one in known if not is_derived(one.series)]
    known = [replace(one, behind_original=any(_stands_for(other, one) for other in originals)) for one in known]
    best, *others = sorted(known, key=lambda one: [criterion.rank(one) for criterion in CRITERIA])
    return Selection(best.series, best.instances, (*_why(best), *(_why_not(one, best) for one in others)))


def name_of(series: SeriesRecord) -> str:
    """How reasons call a series."""
    number_ = f" {series.header.series_number}" if series.header.series_number else ""
    said = f" “{series.header.description}”" if series.header.description else ""
    return f"{series.header.modality} series{number_}{said} ({series.series_instance_uid})"


def _look_at(series: SeriesRecord, instances: Instances) -> Candidate:
    held = slices_of(instances(series.series_instance_uid))
    used = one_phase(held)
    modality = series.header.modality
    return Candidate(
        series=series,
        instances=used,
        extent=_measure(series, used),
        phases=extent_of(held).phases,
        attenuation=attenuation_of(series.header) if modality in {"PT", "NM"} else None,
        sequence=sequence_of(series.header) if modality == "MR" else None,
    )


def _measure(series: SeriesRecord, used: Sequence[InstanceRecord]) -> Extent:
    """The extent by positions; of a multi-frame object by its announced spacing, where it says one."""
    extent = extent_of(used)
    spacing = number(series.header, "SpacingBetweenSlices") or number(series.header, "SliceThickness")
    if extent.spacing_mm is not None or not spacing:
        return extent
    return replace(extent, spacing_mm=abs(spacing), coverage_mm=abs(spacing) * extent.images)


def _stands_for(original: Candidate, one: Candidate) -> bool:
    """Whether `one` is DERIVED of the acquisition of which `original` shows as much."""
    if not is_derived(one.series) or _acquisition(original) != _acquisition(one):
        return False
    return (original.extent.coverage_mm or 0) > (one.extent.coverage_mm or 0) - COVERAGE_STEP_MM


def _acquisition(one: Candidate) -> tuple[str, ...]:
    """What reconstructions of one acquisition share."""
    header = one.series.header
    return (
        one.series.study.study_instance_uid,
        header.frame_of_reference_uid,
        text(header, "AcquisitionNumber"),
        str(one.attenuation.state if one.attenuation else ""),
        str(one.sequence.kind if one.sequence else ""),
    )


def _why(best: Candidate) -> tuple[str, ...]:
    reasons = [f"{name_of(best.series)}: {best.extent.sentence}"]
    if best.attenuation:
        reasons.append(f"it is {best.attenuation.state}: {best.attenuation.evidence}")
    if best.sequence:
        reasons.append(f"its sequence is {best.sequence.kind}: {best.sequence.evidence}")
    if is_derived(best.series):
        reasons.append("Image Type says DERIVED, and no ORIGINAL series of the same acquisition is here")
    if best.phases > 1:
        reasons.append(f"of its {best.phases} phases the last is used")
    if best.extent.missing:
        reasons.append(f"{best.extent.missing} slices seem to be missing between the others")
    return tuple(reasons)


def _why_not(one: Candidate, best: Candidate) -> str:
    for criterion in CRITERIA:
        if criterion.rank(one) != criterion.rank(best):
            return f"not {name_of(one.series)}: {criterion.say(one)}"
    return f"not {name_of(one.series)}"


def _attenuation_rank(one: Candidate) -> int:
    return list(Attenuation).index(one.attenuation.state) if one.attenuation else 0


def _attenuation_said(one: Candidate) -> str:
    return f"{one.attenuation.state} ({one.attenuation.evidence})" if one.attenuation else ""


def _sequence_rank(one: Candidate) -> int:
    return list(SequenceKind).index(one.sequence.kind) if one.sequence else 0


def _sequence_said(one: Candidate) -> str:
    return f"{one.sequence.kind} ({one.sequence.evidence})" if one.sequence else ""


def _is_moving_picture(one: Candidate) -> bool:
    return one.phases > 1 or text(one.series.header, "SeriesType") in {"DYNAMIC", "GATED"}


def _has_sharp_kernel(one: Candidate) -> bool:
    kernels = texts(one.series.header, "ConvolutionKernel")
    if not kernels:  # then the description may name it
        return bool(SHARP_WORDS.search(spoken(one.series.header)))
    for kernel in kernels:
        digits = "".join(char for char in kernel if char.isdigit())[:2]
        siemens = kernel[0] in "BHUIQ" and digits and not kernel.startswith("BONE")
        named = kernel.startswith(SHARP_KERNELS) or kernel in SHARP_LETTERS
        if int(digits) > SHARPEST_SOFT_KERNEL if siemens else named:
            return True
    return False


def _pixel_spacing(one: Candidate) -> float:
    return round(min(numbers(one.series.header, "PixelSpacing"), default=99.0), 2)


def _series_number(one: Candidate) -> int:
    digits = one.series.header.series_number.strip()
    return int(digits) if digits.isdecimal() else 2**31


CRITERIA: tuple[Criterion, ...] = (
    Criterion(_attenuation_rank, _attenuation_said),
    Criterion(_sequence_rank, _sequence_said),
    Criterion(_is_moving_picture, lambda one: f"it has {one.phases} phases" if one.phases > 1 else "it is gated"),
    Criterion(lambda one: one.behind_original, lambda _: "DERIVED, and an ORIGINAL of the same acquisition is here"),
    Criterion(
        lambda one: -round((one.extent.coverage_mm or 0) / COVERAGE_STEP_MM),
        lambda one: f"it covers less, {one.extent.coverage_mm or 0:.0f} mm",
    ),
    Criterion(_has_sharp_kernel, lambda _: "its reconstruction kernel is a sharp one"),
    Criterion(
        lambda one: round(one.extent.spacing_mm or 99, 1),
        lambda one: f"its slices are farther apart, {one.extent.spacing_mm or 99:.3g} mm",
    ),
    Criterion(_pixel_spacing, lambda one: f"its pixels are coarser, {_pixel_spacing(one):g} mm"),
    Criterion(lambda one: -one.extent.images, lambda one: f"it has fewer images, {one.extent.images}"),
    Criterion(
        lambda one: -(number(one.series.header, "AcquisitionNumber") or 0),
        lambda _: "an earlier acquisition of the same",
    ),
    Criterion(_series_number, lambda _: "equal in everything else, with a higher series number"),
    Criterion(lambda one: one.series.series_instance_uid, lambda _: "equal in everything"),
)
"""Best first: right quantity and contrast, one still volume, originals, coverage, soft tissue, then fineness."""
