"""Says when a series was acquired, as precisely as its headers do.

A date without a time is a whole day. Comparing two moments gives the smallest gap that the headers allow.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from storage.records import SeriesRecord

from .headers import text

DAY = timedelta(days=1)
STAND_INS = (time(0), time(12))


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """From the earliest to the latest time that it can have been (UTC)."""

    earliest: datetime
    latest: datetime

    def gap(self, other: "Moment") -> timedelta:
        """The smallest distance of the two."""
        return max(self.earliest - other.latest, other.earliest - self.latest, timedelta(0))


def moment_of(series: SeriesRecord, zone: ZoneInfo) -> Moment | None:
    """When `series` was acquired: acquisition, else series, else study date and time; `None` when nothing is said.

    Exactly noon or midnight is what stands where only the date is known.
    """
    acquired_at = series.header.acquired_at
    if acquired_at is not None:
        local = acquired_at.astimezone(zone)
        if local.time() not in STAND_INS:
            return Moment(acquired_at.astimezone(UTC), acquired_at.astimezone(UTC))
        midnight = local.replace(hour=0).astimezone(UTC)
        return Moment(midnight, midnight + DAY)
    header = series.header
    for date_text, time_text in (
        (text(header, "AcquisitionDate"), text(header, "AcquisitionTime")),
        (text(header, "SeriesDate"), text(header, "SeriesTime")),
        (series.study.study_date, series.study.study_time),
    ):
        start, at = _parse(date_text, "", zone), _parse(date_text, time_text, zone)
        if at is not None and time_text.strip():
            return Moment(at, at)
        if start is not None:
            return Moment(start, start + DAY)
    return None


def _parse(date_text: str, time_text: str, zone: ZoneInfo) -> datetime | None:
    """A DA and a TM (also the retired forms `YYYY.MM.DD` and `HH:MM:SS`); a partial time begins its hour or minute."""
    digits = date_text.strip().replace(".", "").replace("-", "")[:8]
    clock = time_text.strip().replace(":", "").split(".")[0][:6].ljust(6, "0")
    try:
        return datetime.strptime(digits + clock, "%Y%m%d%H%M%S").replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None
