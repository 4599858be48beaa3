"""Whether a registration may be shown without a person having looked at it.

A wrong registration that is accepted is the worst that can happen; a good one that is put up for review costs a
minute. So every rule can only make the verdict worse, and what is not measured is not trusted.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..geometry.transform import AffineTransform
from ..registration.calibration import CALIBRATION
from ..registration.registrar import Registration
from ..registration.rivals import MAX_FAR_RIVAL_RATIO, MAX_NEAR_RIVAL_RATIO, MIN_RIVALS_COMPARED_RATIO
from ..registration.usable import unusable_reason
from ..volume import Volume
from .report import QualityReport, Verdict

MAX_CREDIBLE_SHIFT_MM = 2000.0
"""No two scans of one patient lie further apart than a patient is long."""

MAX_RUNNER_UP_RATIO = 0.8
"""A second placement that is nearly as good: which of the two is right, the images do not say. Heads measured 0.2 to
0.5, pieces of a thigh 0.7 to 0.99."""

CREDIBLE_VOLUME_RATIO = (0.5, 2.0)
"""What a stretch may make of the volume of a body: beyond lies no wrong scale, but a match that ran away."""

CLEAR_MOTION = 2.0
"""Motion is called so when it is this many times as large as what the images leave open; else it is a doubt."""

MAX_SAMPLE_SPREAD_MM = 2.0
"""Starts 3 mm off that come back no nearer than this did not come back at all."""

MAX_UNSEEN_MOTION_MM = 3.3
"""Where motion is known no better than this, its absence was not seen. With uptake 2.4 mm of it are the floor."""

MAX_FLIPPED_RIVAL_RATIO = 1.0
"""Of a header that is verified, for half turns: a search has compared all orientations itself."""

MAX_MIRROR_RATIO = 0.985
"""What the reflected pose may keep of the similarity. Measured: single heads 0.5 to 0.8, averaged ones, whose sides are
nearly alike, 0.92 to 0.975; two people 1.00 to 1.02; mirrored voxels 1.02 and more."""

MIRRORED_RATIO = 1.01
MIRRORED_MARGIN = 8.0
"""In standard errors: from here on an image that matches better mirrored does not do so by chance. Mirrored heads
measured -20 and less."""

SIDED_MARGIN = 4.0
"""From here on a body shows its sides. True heads measured 25 and more; a nearly symmetric trunk in uptake 6 to 9,
and -6 to -9 mirrored."""

MAX_STRETCH_GAIN = 0.06
"""Measured: pairs of one head 0.003 to 0.03, one head stretched by 3 to 8 % 0.15 to 0.66, different heads 0.15 and
more."""

MAX_STRETCH_GAIN_NUCLEAR = 0.2
"""Blurred uptake grows into its surroundings, so that a stretch gains up to 0.12 within one patient."""

MIN_STRETCH_MM = 0.8
"""Less than this is distortion of the scanners."""

OF_EVERY_REGISTRATION = frozenset(
    {
        "overlap_ratio",
        "header_rotation_deg",
        "header_shift_mm",
        "near_rival_ratio",
        "near_rival_distance_mm",
        "far_rival_ratio",
        "flipped_rival_ratio",
        "rivals_compared_ratio",
        "mirror_ratio",
        "mirror_margin_ratio",
        "expected_error_high_mm",
        "uptake_images_ratio",
        "sample_spread_mm",
        "stretch_mm",
        "stretch_gain_ratio",
    }
)
OF_A_VERIFIED_HEADER = frozenset({"motion_mm", "motion_uncertainty_mm"})
OF_A_SEARCH = frozenset({"runner_up_ratio", "runner_up_distance_mm", "start_spread_mm"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Where acceptance ends.

    `max_expected_error_mm` is for the upper end of the mean error over the body, `max_error_bound_mm` for the bound of
    its 95th percentile; `min_overlap` is the share of the smaller body that both images must show.
    """

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

    registration: Registration
    measures: dict[str, float]
    limits: Limits

    def measure(self, name: str, otherwise: float) -> float:
        """A measure, or `otherwise`, which is as bad as can be, where the registrar does not have it."""
        return self.measures.get(name, otherwise)


def assess(fixed: Volume, moving: Volume, registration: Registration, limits: Limits | None = None) -> QualityReport:
    """Judge `registration` by every rule; the worst verdict holds and its reason comes first."""
    limits = limits or Limits()
    for role, volume in (("fixed", fixed), ("moving", moving)):
        reason = unusable_reason(volume)
        if reason is not None:
            return rejected(f"the {role} image cannot be used: {reason}")
    return judged(registration, limits)


def judged(registration: Registration, limits: Limits) -> QualityReport:
    """The verdict on a registration of usable volumes, from what it says of itself alone."""
    if not _credible(registration):
        return rejected(
            "the registration diverged: its result is not a finite placement that keeps the patient's shape"
        )
    measures = dict(registration.measures)
    evidence = Evidence(registration, measures, limits)
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
    if not all(math.isfinite(n) for n in numbers) or not _keeps_the_body(registration):
        return False
    return registration.measures.get("header_shift_mm", 0.0) <= MAX_CREDIBLE_SHIFT_MM


def _keeps_the_body(registration: Registration) -> bool:
    """Rigid; or neither mirrored nor squashed, where the registrar says that it stretches, and by how much."""
    low, high = CREDIBLE_VOLUME_RATIO
    return registration.transform.is_rigid or low <= registration.measures.get("volume_ratio", 0.0) <= high


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


def _unmeasured(e: Evidence) -> Finding | None:
    """A registration is judged by a search or by a verified header, each with all of its measures."""
    kind = OF_A_VERIFIED_HEADER if OF_A_VERIFIED_HEADER & e.measures.keys() else OF_A_SEARCH
    needed = OF_EVERY_REGISTRATION | kind
    if _is_bent(e):
        needed -= {"expected_error_high_mm"}
    missing = sorted(needed - e.measures.keys())
    if not missing:
        return None
    return Finding(Verdict.REVIEW, f"not everything that the verdict needs was measured: {', '.join(missing)} missing")


def _bent(e: Evidence) -> Finding | None:
    """The estimate of the error was calibrated on poses; that of a field is a guess from its two directions."""
    if not _is_bent(e):
        return None
    return Finding(Verdict.REVIEW, "a bent registration is not calibrated: look at it")


def _is_bent(e: Evidence) -> bool:
    return not isinstance(e.registration.transform, AffineTransform)


def _rivals(e: Evidence) -> Finding | None:
    near, far = e.measure("near_rival_ratio", math.inf), e.measure("far_rival_ratio", math.inf)
    if far > MAX_FAR_RIVAL_RATIO:
        why = f"placements 20 to 60 mm away match {100 * far:.0f} % as well"
    elif near >= MAX_NEAR_RIVAL_RATIO:
        distance = e.measure("near_rival_distance_mm", math.inf)
        why = f"a placement {distance:.0f} mm away matches {100 * near:.0f} % as well"
    elif "motion_mm" in e.measures and e.measure("flipped_rival_ratio", math.inf) >= MAX_FLIPPED_RIVAL_RATIO:
        why = "turned half round they match as well; check the side"
    elif e.measure("rivals_compared_ratio", 0.0) < MIN_RIVALS_COMPARED_RATIO:
        why = "they share too little to compare this placement with others"
    else:
        return None
    return Finding(Verdict.REVIEW, f"{_cannot_confirm(e)}: {why}")


def _blind(e: Evidence) -> Finding | None:
    spread, open_mm = e.measure("sample_spread_mm", math.inf), e.measure("motion_uncertainty_mm", 0.0)
    if spread <= MAX_SAMPLE_SPREAD_MM and open_mm <= MAX_UNSEEN_MOTION_MM:
        return None
    return Finding(
        Verdict.REVIEW,
        f"{_cannot_confirm(e)}: the best match wanders by {max(spread, open_mm):.1f} mm when looked at again",
    )


def _cannot_confirm(e: Evidence) -> str:
    what = "shared coordinates" if "motion_mm" in e.measures else "placement that was found"
    return f"the images cannot confirm the {what}"


def _motion(e: Evidence) -> Finding | None:
    if "motion_mm" not in e.measures:
        return None
    motion, known_to = e.measures["motion_mm"], e.measure("motion_uncertainty_mm", math.inf)
    if motion <= e.limits.max_expected_error_mm:
        return None
    if "header_corrected_mm" in e.measures:
        by = e.measures["header_corrected_mm"]
        return Finding(
            Verdict.REVIEW,
            f"the patient seems to have moved between the acquisitions: the shared coordinates were corrected by "
            f"{by:.1f} mm",
        )
    seen = f"the images match better {motion:.1f} mm away from where their shared coordinates put them"
    if motion > CLEAR_MOTION * known_to:
        return Finding(Verdict.REVIEW, f"the patient seems to have moved between the acquisitions: {seen}")
    return Finding(Verdict.REVIEW, f"{_cannot_confirm(e)}: {seen}, but that is known to {known_to:.1f} mm only")


def _converged(e: Evidence) -> Finding | None:
    if e.registration.converged:
        return None
    return Finding(Verdict.REVIEW, "the search had not come to rest when its steps were used up")


def _expected(e: Evidence) -> Finding | None:
    error, limit = e.registration.expected_error_mm, e.limits.max_expected_error_mm
    most = max(error, e.measure("expected_error_high_mm", error))
    if most <= limit:
        return None
    if error > limit:
        reason = f"the estimated mean error of {error:.1f} mm is above the limit of {limit:.1f} mm"
    else:
        reason = f"the mean error may be {most:.1f} mm (estimated {error:.1f} mm), above the limit of {limit:.1f} mm"
    return Finding(Verdict.REVIEW, reason)


def _bound(e: Evidence) -> Finding | None:
    bound, limit = e.registration.error_bound_mm, e.limits.max_error_bound_mm
    if bound <= limit:
        return None
    return Finding(Verdict.REVIEW, f"the bound of the error, {bound:.1f} mm, is above the limit of {limit:.1f} mm")


def _ambiguous(e: Evidence) -> Finding | None:
    if not OF_A_SEARCH & e.measures.keys():
        return None
    ratio = e.measure("runner_up_ratio", math.inf)
    if ratio <= MAX_RUNNER_UP_RATIO:
        return None
    distance = e.measure("runner_up_distance_mm", math.inf)
    return Finding(
        Verdict.REVIEW,
        f"ambiguous: another placement, {distance:.0f} mm away, matches {100 * ratio:.0f} % as well as the best",
    )


def _stretch(e: Evidence) -> Finding | None:
    gain, stretch = e.measure("stretch_gain_ratio", math.inf), e.measure("stretch_mm", math.inf)
    nuclear = e.measure("uptake_images_ratio", 0.0) > 0
    if gain <= (MAX_STRETCH_GAIN_NUCLEAR if nuclear else MAX_STRETCH_GAIN) or stretch <= MIN_STRETCH_MM:
        return None
    return Finding(
        Verdict.REVIEW,
        f"the bodies differ in size or shape: the images match {100 * gain:.0f} % better when one is stretched by "
        f"{stretch:.1f} mm; check that both are of one patient",
    )


def _mirrored(e: Evidence) -> Finding | None:
    ratio, margin = e.measure("mirror_ratio", math.inf), e.measure("mirror_margin_ratio", -math.inf)
    if ratio >= MIRRORED_RATIO and -math.inf < margin <= -MIRRORED_MARGIN:
        if any(rule(e) is not None for rule in (_motion, _rivals, _blind)):
            # What confirms no placement cannot tell sides either: a mirrored piece of a limb slides to a better match.
            return Finding(
                Verdict.REVIEW,
                f"the images match better when one of them is mirrored ({100 * (ratio - 1):.0f} %), and confirm "
                "neither placement: check the side",
            )
        return Finding(
            Verdict.REJECT,
            f"the images match better when one of them is mirrored ({100 * (ratio - 1):.0f} %): left and right are "
            "exchanged in one of them",
        )
    if ratio <= MAX_MIRROR_RATIO and margin >= SIDED_MARGIN:
        return None
    return Finding(
        Verdict.REVIEW,
        f"mirrored, the images match {100 * ratio:.0f} % as well: they show no sides, or not one patient's; check the "
        "side and the patient",
    )


def _domain(e: Evidence) -> Finding | None:
    unseen = CALIBRATION.unseen(e.measures)
    if not unseen:
        return None
    return Finding(
        Verdict.REVIEW,
        "outside of what the estimate of the error was calibrated on: "
        + ", ".join(f"{name.replace('_', ' ')} {e.measures[name]:.3g}" for name in unseen),
    )


RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    _overlap,
    _header,
    _bent,
    _unmeasured,
    _motion,
    _rivals,
    _blind,
    _mirrored,
    _stretch,
    _ambiguous,
    _expected,
    _bound,
    _domain,
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
