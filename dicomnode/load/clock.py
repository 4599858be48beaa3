"""Dates and times of headers as datetimes of the instance's own clock (PS3.5 6.2: DA, TM, DT and their old forms)."""

import re
from datetime import datetime, timedelta
from typing import Any

DATE = re.compile(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})$")
TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?$")
DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)(?P<offset>[+-]\d{4})?$")
OFFSET = re.compile(r"([+-])(\d{2})(\d{2})$")


def moment(date: Any, time: Any) -> datetime | None:
    """DA and TM together, or None where either is absent or cannot be read."""
    day = DATE.match(str(date or "").strip())
    clock = TIME.match(str(time or "").strip())
    if day is None or clock is None:
        return None
    year, month, date_of_month = (int(part) for part in day.groups())
    hours, minutes, seconds = (int(part or 0) for part in clock.groups()[:3])
    fraction = int((clock[4] or "0").ljust(6, "0"))
    try:
        # Without a zone on purpose: the clock of the instance, on which only differences are taken.
        return datetime(year, month, date_of_month, hours, minutes, min(seconds, 59), fraction)  # noqa: DTZ001
    except ValueError:
        return None


def date_time(value: Any, timezone: Any) -> datetime | None:
    """A complete DT on the clock that `timezone`, the instance's Timezone Offset From UTC, describes.

    A DT with an offset of its own is converted. None where the DT is not complete to the hour, or carries an offset
    while the instance names none: how it relates to the instance's other times is then not known.
    """
    match = DATE_TIME.match(str(value or "").strip())
    if match is None:
        return None
    at = moment(match[1], match[2])
    own = _offset(match["offset"])
    if at is None or own is None:
        return at if match["offset"] is None else None
    here = _offset(timezone)
    return None if here is None else at - own + here


def _offset(value: Any) -> timedelta | None:
    match = OFFSET.match(str(value or "").strip())
    if match is None:
        return None
    sign = -1 if match[1] == "-" else 1
    return sign * timedelta(hours=int(match[2]), minutes=int(match[3]))
