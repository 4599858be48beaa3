"""Whether a registration may be shown without a person having looked at it.

A wrong registration that is accepted is the worst that can happen; a good one that is put up for review costs a
minute. So every rule can only make the verdict worse, and what is not measured is not trusted.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..registration.registrar import Registration
from ..registration.uncertainty import NUCLEAR
from ..registration.usable import unusable_reason
from ..volume import Volume
from .report import QualityReport, Verdict

MAX_CREDIBLE_SHIFT_MM = 2000.0
"""No two scans of one patient lie further apart than a patient is long."""

MAX_RUNNER_UP_RATIO = 0.8
"""A second placement that is nearly as good: which of the two is right, the images do not say. Heads measured 0.2 to
0.5, pieces of a thigh 0.7 to 0.99."""

CLEAR_MOTION = 2.0
"""Motion is clear when it is this many times as large as what the images leave open."""

CLEAR_MOTION_GAIN = 0.1
"""… or when the images match by this much better there: below 0.05 for real pairs that lie right, even where they hold
little to see, and above 0.12 for the same pairs 6 mm off."""

MAX_STRETCH_GAIN = 0.06
"""Measured: pairs of one head 0.003 to 0.03, one head stretched by 3 to 8 % 0.15 to 0.66, different heads 0.15 and
more."""

MAX_STRETCH_GAIN_NUCLEAR = 0.2
"""Blurred uptake grows into its surroundings, so that a stretch gains up to 0.12 within one patient."""

MIN_STRETCH_MM = 0.8
"""Less than this is distortion of the scanners."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where acceptance ends. `min_overlap` is the share of the smaller body that both images must show."""

    max_expected_error_mm: float = 2.5
    max_error_bound_mm: float = 5.0
    max_header_rotation_deg: float = 45.0
    min_overlap: float = 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's objection."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the rules look at."""

    fixed: Volume
    moving: Volume
    registration: Registration
    measures: dict[str, float]
    limits: Limits

    def measure(self, name: str, otherwise: float) -> float:
        """A measure, or `otherwise` where the registrar does not have it."""
        return self.measures.get(name, otherwise)


def assess(fixed: Volume, moving: Volume, registration: Registration, limits: Limits | None = None) -> QualityReport:
    """Judge `registration` by every rule; the worst verdict holds and its reason comes first."""
    limits = limits or Limits()
    for role, volume in (("fixed", fixed), ("moving", moving)):
        reason = unusable_reason(volume)
        if reason is not None:
            return rejected(f"the {role} image cannot be used: {reason}")
    if not _credible(registration):
        return rejected("the registration diverged: its result is not a finite, rigid placement of the patient")
    measures = dict(registration.measures)
    evidence = Evidence(fixed, moving, registration, measures, limits)
    findings = [f for f in (rule(evidence) for rule in RULES) if f is not None]
    findings.sort(key=lambda f: f.verdict is not Verdict.REJECT)
    verdict = findings[0].verdict if findings else Verdict.ACCEPT
    reasons = tuple(f.reason for f in findings) or (_why_accepted(evidence),)
    return QualityReport(
        verdict,
        reasons,
        registration.expected_error_mm,
        registration.error_bound_mm,
        registration.similarity_name,
        registration.similarity,
        measures,
    )


def rejected(reason: str) -> QualityReport:
    """A verdict without a registration, such as for an empty volume; the errors are unknown, said as not-a-number."""
    return QualityReport(Verdict.REJECT, (reason,), math.nan, math.nan, "", math.nan)


def _credible(registration: Registration) -> bool:
    numbers = (
        registration.similarity,
        registration.expected_error_mm,
        registration.error_bound_mm,
        *registration.measures.values(),
    )
    if not all(math.isfinite(n) for n in numbers) or not registration.transform.is_rigid:
        return False
    return registration.measures.get("header_shift_mm", 0.0) <= MAX_CREDIBLE_SHIFT_MM


def _overlap(e: Evidence) -> Finding | None:
    overlap = e.measure("overlap_ratio", 0.0)
    if overlap >= e.limits.min_overlap:
        return None
    reason = f"only {100 * overlap:.0f} % of the body is in both images; {100 * e.limits.min_overlap:.0f} % are needed"
    return Finding(Verdict.REJECT, reason)


def _header(e: Evidence) -> Finding | None:
    angle = e.measure("header_rotation_deg", e.registration.transform.rotation_angle_deg)
    if angle <= e.limits.max_header_rotation_deg:
        return None
    return Finding(
        Verdict.REVIEW,
        f"header contradicted, check the side: the best match turns the image {angle:.0f} degrees against its header",
    )


def _motion(e: Evidence) -> Finding | None:
    motion, uncertainty = e.measure("motion_mm", 0.0), e.measure("motion_uncertainty_mm", 0.0)
    clear = motion > CLEAR_MOTION * uncertainty or e.measure("motion_gain_ratio", 0.0) > CLEAR_MOTION_GAIN
    if motion <= e.limits.max_expected_error_mm or not clear:
        return None
    return Finding(
        Verdict.REVIEW,
        f"the patient seems to have moved between the acquisitions: the images match better {motion:.1f} mm away from "
        f"where their shared coordinates put them (known to {uncertainty:.1f} mm)",
    )


def _converged(e: Evidence) -> Finding | None:
    if e.registration.converged:
        return None
    return Finding(Verdict.REVIEW, "the search had not come to rest when its steps were used up")


def _expected(e: Evidence) -> Finding | None:
    error, limit = e.registration.expected_error_mm, e.limits.max_expected_error_mm
    if error <= limit:
        return None
    return Finding(Verdict.REVIEW, f"the estimated mean error of {error:.1f} mm is above the limit of {limit:.1f} mm")


def _bound(e: Evidence) -> Finding | None:
    bound, limit = e.registration.error_bound_mm, e.limits.max_error_bound_mm
    if bound <= limit:
        return None
    return Finding(Verdict.REVIEW, f"the bound of the error, {bound:.1f} mm, is above the limit of {limit:.1f} mm")


def _ambiguous(e: Evidence) -> Finding | None:
    ratio = e.measure("runner_up_ratio", 0.0)
    if ratio <= MAX_RUNNER_UP_RATIO:
        return None
    distance = e.measure("runner_up_distance_mm", 0.0)
    return Finding(
        Verdict.REVIEW,
        f"ambiguous: another placement, {distance:.0f} mm away, matches {100 * ratio:.0f} % as well as the best",
    )


def _stretch(e: Evidence) -> Finding | None:
    gain, stretch = e.measure("stretch_gain_ratio", 0.0), e.measure("stretch_mm", 0.0)
    nuclear = bool(NUCLEAR & {e.fixed.modality, e.moving.modality})
    if gain <= (MAX_STRETCH_GAIN_NUCLEAR if nuclear else MAX_STRETCH_GAIN) or stretch <= MIN_STRETCH_MM:
        return None
    return Finding(
        Verdict.REVIEW,
        f"the bodies differ in size or shape: the images match {100 * gain:.0f} % better when one is stretched by "
        f"{stretch:.1f} mm; check that both are of one patient",
    )


RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    _overlap,
    _header,
    _motion,
    _stretch,
    _ambiguous,
    _expected,
    _bound,
    _converged,
)


def _why_accepted(e: Evidence) -> str:
    r = e.registration
    reason = f"estimated mean error {r.expected_error_mm:.1f} mm (bound {r.error_bound_mm:.1f} mm)"
    if "motion_mm" in e.measures:
        return f"{reason}; the images match within {e.measures['motion_mm']:.1f} mm of their shared coordinates"
    if "start_spread_mm" in e.measures:
        return f"{reason}; the best starts agree within {e.measures['start_spread_mm']:.1f} mm"
    return reason
