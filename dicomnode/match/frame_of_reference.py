"""Says whether a shared Frame of Reference is to be believed.

Equal UIDs mean equal coordinates only within one examination on one table. A UID that appears on other days or on
other scanners was copied by software, and says what somebody made of the images, not how the patient lay.
"""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from storage.records import SeriesRecord

from .headers import text
from .moments import moment_of

LONGEST_EXAMINATION = timedelta(hours=3)
"""A patient does not stay on the table for longer."""


@dataclass(frozen=True, slots=True)
class SharedFrame:
    """Whether identity is the default transform (verified in any case), and why or why not."""

    identity_is_default: bool
    reason: str


def shared_frame(fixed: SeriesRecord, moving: SeriesRecord, zone: ZoneInfo) -> SharedFrame:
    """Compare the Frames of Reference of two series and what their examinations have in common."""
    frame = fixed.header.frame_of_reference_uid
    if not frame or frame != moving.header.frame_of_reference_uid:
        return SharedFrame(False, "another Frame of Reference: to be registered")
    times = moment_of(fixed, zone), moment_of(moving, zone)
    if times[0] and times[1] and times[0].gap(times[1]) > LONGEST_EXAMINATION:
        hours = times[0].gap(times[1]).total_seconds() / 3600
        apart = f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} h"
        return SharedFrame(
            False,
            f"the same Frame of Reference, but acquired {apart} apart, so not in one examination: to be registered",
        )
    if _equipment(fixed) != _equipment(moving) and _equipment(fixed) and _equipment(moving):
        return SharedFrame(False, "the same Frame of Reference, but from different scanners: to be registered")
    if fixed.study.study_instance_uid == moving.study.study_instance_uid or (
        _equipment(fixed) and times[0] is not None and times[1] is not None
    ):
        return SharedFrame(
            True, "the same Frame of Reference from one examination: identity is the default, to be verified"
        )
    return SharedFrame(
        False, "the same Frame of Reference, but nothing shows that it was one examination: to be registered"
    )


def _equipment(series: SeriesRecord) -> str:
    """The scanner, as far as it is named. Serial numbers differ between the two halves of some hybrids."""
    return text(series.header, "ManufacturerModelName")
