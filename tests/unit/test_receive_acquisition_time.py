"""Acquisition times: the best element there is, in the zone that the header or the node names."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.receive.acquisition_time import acquired_at, combine, parse_date_time, parse_offset
from dicomnode.receive.header import Header
from tests.fixtures.dicom_peer import EXPLICIT, encode_dataset, sample_dataset

BERLIN = ZoneInfo("Europe/Berlin")


def acquired(**changes: Any) -> datetime | None:
    encoded = encode_dataset(sample_dataset(**changes), EXPLICIT)
    return acquired_at(Header(encoded, explicit=True, little_endian=True), BERLIN)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, datetime(2024, 5, 17, 8, 20, 30, 500000, UTC)),
        ({"TimezoneOffsetFromUTC": "-0500"}, datetime(2024, 5, 17, 15, 20, 30, 500000, UTC)),
        ({"AcquisitionDateTime": "20240517112233.25"}, datetime(2024, 5, 17, 9, 22, 33, 250000, UTC)),
        ({"AcquisitionDateTime": "20240517112233+0930"}, datetime(2024, 5, 17, 1, 52, 33, tzinfo=UTC)),
        ({"AcquisitionDate": None, "SeriesDate": "20240101", "SeriesTime": "10"}, datetime(2024, 1, 1, 9, tzinfo=UTC)),
        ({"AcquisitionDate": ""}, datetime(2024, 5, 17, 8, 15, tzinfo=UTC)),
        ({"AcquisitionTime": None}, datetime(2024, 5, 17, 10, tzinfo=UTC)),
        ({"AcquisitionTime": "235960"}, datetime(2024, 5, 17, 21, 59, 59, tzinfo=UTC)),
        ({"AcquisitionDate": "20240230"}, datetime(2024, 5, 17, 8, 15, tzinfo=UTC)),
        ({"AcquisitionDate": None, "StudyDate": None}, None),
    ],
)
def test_the_best_time_there_is(changes: dict[str, Any], expected: datetime | None) -> None:
    assert acquired(**changes) == expected


@given(
    moment=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - the zone is added below
    minutes=st.integers(-14 * 60, 14 * 60),
)
def test_what_was_written_is_read(moment: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    aware = moment.replace(tzinfo=zone)
    text = aware.strftime("%Y%m%d%H%M%S.%f").rjust(21, "0")
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    assert parse_date_time(text + offset, BERLIN) == aware
    assert combine(text[:8], text[8:], zone) == aware
    assert parse_offset(offset) == zone


@given(date=st.text(max_size=10), time=st.text(max_size=10))
def test_nonsense_is_no_time(date: str, time: str) -> None:
    moment = combine(date, time, UTC)
    assert moment is None or moment.tzinfo is UTC
