"""Reads the plain values that a series brought from its headers, whatever form they were kept in.

`SeriesHeader.attributes` holds JSON values by DICOM keyword: a text, a number, or a list of either. The functions here
give them one form each. Nothing here decides anything.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from storage.records import SeriesHeader

MANY_FRAMES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
        "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
        "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
        "1.2.840.10008.5.1.4.1.1.20",  # NM
    }
)
"""Storage classes of which one instance can hold a whole volume."""


def texts(header: SeriesHeader, keyword: str) -> tuple[str, ...]:
    """The values of an attribute, trimmed, in capitals; empty when it is absent."""
    value = header.attributes.get(keyword)
    if value is None:
        return ()
    parts = value.split("\\") if isinstance(value, str) else value if _is_list(value) else [value]
    return tuple(text for part in parts if (text := str(part).strip().upper()))


def text(header: SeriesHeader, keyword: str) -> str:
    """The first value of an attribute, in capitals, or an empty text."""
    return next(iter(texts(header, keyword)), "")


def numbers(header: SeriesHeader, keyword: str) -> tuple[float, ...]:
    """The finite numbers among the values of an attribute."""
    found = []
    for value in texts(header, keyword):
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            found.append(number)
    return tuple(found)


def number(header: SeriesHeader, keyword: str) -> float | None:
    """The first number of an attribute."""
    return next(iter(numbers(header, keyword)), None)


WORD = re.compile(r"[^\W_]+|\+")


def words(*spoken: str) -> str:
    """Free text as capital words between single spaces, so that a pattern can ask for whole words.

    >>> words("[WB_NoAC] Body")
    ' WB NOAC BODY '
    """
    return f" {' '.join(WORD.findall(' '.join(spoken).upper()))} "


def spoken(header: SeriesHeader) -> str:
    """What people wrote about the series: description and protocol."""
    return words(header.description, *texts(header, "ProtocolName"))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
