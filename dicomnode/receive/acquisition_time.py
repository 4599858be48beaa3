"""When an image was acquired, as an aware time in UTC (PS3.5 6.2 DA, TM, DT; PS3.3 C.12.1.1.8)."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from .header import Header

DATE = re.compile(r"(\d{4})[.:]?(\d{2})[.:]?(\d{2})$")
TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?$")
DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?$")
OFFSET = re.compile(r"([+-])(\d{2})(\d{2})$")
NOON = "120000"
"""Stands in for an absent time: no acquisition of that day is further away than half a day."""

FALLBACKS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("ContentDate", "ContentTime"),
    ("StudyDate", "StudyTime"),
)
"""The nearer to the acquisition the better."""


def acquired_at(header: Header, local: tzinfo) -> datetime | None:
    """The acquisition's time, or the nearest to it that the header has; `local` holds where no zone is written."""
    zone = parse_offset(header.text("TimezoneOffsetFromUTC")) or local
    moment = parse_date_time(header.found_text("AcquisitionDateTime", "FrameAcquisitionDateTime"), zone)
    for date, time in FALLBACKS:
        if moment is None:
            moment = combine(header.text(date), header.text(time), zone)
    return moment


def parse_date_time(text: str, zone: tzinfo) -> datetime | None:
    """A DT of at least a whole date."""
    match = DATE_TIME.match(text)
    if match is None:
        return None
    return combine(match[1], match[2] or "", parse_offset(match[3] or "") or zone)


def combine(date: str, time: str, zone: tzinfo) -> datetime | None:
    """A DA and a TM in `zone`, in UTC; None when the date is none."""
    day = DATE.match(date)
    clock = TIME.match(time) or TIME.match(NOON)
    if day is None or clock is None:
        return None
    year, month, day_of_month = (int(part) for part in day.groups())
    hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
    second = min(second, 59)  # a leap second has the 60
    microsecond = int((clock[4] or "").ljust(6, "0"))
    try:
        moment = datetime(year, month, day_of_month, hour, minute, second, microsecond, tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_offset(text: str) -> timezone | None:
    """`&ZZXX` of a DT or of Timezone Offset From UTC."""
    match = OFFSET.match(text)
    if match is None:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-size if match[1] == "-" else size) if size < timedelta(hours=24) else None
