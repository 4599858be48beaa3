"""Attribute matching of queries (PS3.4 C.2.2.2) as conditions on columns."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, true
from sqlalchemy.orm import InstrumentedAttribute

DATES = frozenset({"StudyDate", "PatientBirthDate"})
TIMES = frozenset({"StudyTime"})
NAMES = frozenset({"PatientName"})
NUMBERS = frozenset({"InstanceNumber", "NumberOfFrames"})
LATEST = "235959.999999"

Column = ColumnElement[Any] | InstrumentedAttribute[Any]


def matches(keyword: str, column: Column, values: Sequence[str], *, glob: bool) -> ColumnElement[bool]:
    """Whether `column` matches one of `values`; none, or an empty one, matches all (C.2.2.2.3).

    Single value, list, range of dates and times, wildcard. Names match whatever their case. `glob`: the database has
    GLOB (SQLite), whose LIKE does not tell cases apart.
    """
    if not values or any(value in ("", "*") for value in values):
        return true()
    return or_(*(_one(keyword, column, value, glob=glob) for value in values))


def _one(keyword: str, column: Column, value: str, *, glob: bool) -> ColumnElement[bool]:
    if keyword.endswith("UID"):
        return column == value
    if keyword in NUMBERS:
        return column == int(value) if value.lstrip("+-").isdecimal() else false()
    if keyword in DATES | TIMES and "-" in value:
        return _range(column, value, is_time=keyword in TIMES)
    if keyword in NAMES:
        column, value = func.lower(column), value.rstrip("^").lower()
    return _wildcard(column, value, glob=glob) if "*" in value or "?" in value else column == value


def _range(column: Column, value: str, *, is_time: bool) -> ColumnElement[bool]:
    """From, to, or both (C.2.2.2.5); a time that stops at its minutes means all of that minute."""
    first, _, last = value.replace(":", "").partition("-")
    found = [column != ""]
    if first.strip():
        found.append(column >= first.strip())
    if last := last.strip():
        found.append(column <= (last + LATEST[len(last) :] if is_time else last))
    return and_(*found)


def _wildcard(column: Column, value: str, *, glob: bool) -> ColumnElement[bool]:
    if glob:
        return column.op("GLOB", is_comparison=True)(value.replace("[", "[[]"))
    for sign in "\\%_":
        value = value.replace(sign, f"\\{sign}")
    return column.like(value.replace("*", "%").replace("?", "_"), escape="\\")
