"""Whether this machine's clock is right, as far as can be told without a time server: by the clocks of others."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from storage.census import server_time
from storage.session import Database

from ..errors import NodeError
from ..settings import Settings

MOST_S = 5.0
"""Pairs are found within hours and leases last a minute; what is further off is no rounding of a Date header."""

ASK_S = 5.0


@dataclass(frozen=True, slots=True)
class Offset:
    """How far another clock is ahead of ours; `uncertain_s` is what asking took, and the resolution of the answer."""

    whose: str
    seconds: float
    uncertain_s: float


def check_clock(settings: Settings, database: Database) -> str:
    """What was compared with what came out. Raises `NodeError` when another clock is more than 5 s off ours."""
    offsets = list(compare(settings, database))
    if not offsets:
        return (
            "compared with nothing: the ledger is a file here, and no peer answers over HTTP; "
            "see that the system's time service runs"
        )
    said = "; ".join(f"{one.whose} is {one.seconds:+.1f} s (± {one.uncertain_s:.1f} s) from ours" for one in offsets)
    if any(abs(one.seconds) - one.uncertain_s > MOST_S for one in offsets):
        raise NodeError(
            f"{said}; more than {MOST_S:g} s: set the clock of whoever is wrong, and let a time service run"
        )
    return said


def compare(settings: Settings, database: Database) -> Iterator[Offset]:
    """The database server's clock, and those of peers that have an address on the web."""
    began = datetime.now(UTC)
    if (theirs := server_time(database)) is not None:
        yield _offset("the clock of the database", began, theirs, timedelta(0))
    for name, peer in settings.peers.items():
        for url in filter(None, (peer.dicomweb_url, peer.orthanc_url)):
            began = datetime.now(UTC)
            if (theirs := _date_of(url)) is not None:
                yield _offset(f"the clock of {name}", began, theirs + timedelta(seconds=0.5), timedelta(seconds=0.5))
                break


def _offset(whose: str, began: datetime, theirs: datetime, resolution: timedelta) -> Offset:
    took = datetime.now(UTC) - began
    seconds = (theirs - (began + took / 2)).total_seconds()
    return Offset(whose, seconds, (took / 2 + resolution).total_seconds())


def _date_of(url: str) -> datetime | None:
    """The Date header of whatever the server answers (RFC 9110 6.6.1), also when it refuses."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the settings take http and https only
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as response:  # noqa: S310
            said = response.headers.get("Date", "")
    except urllib.error.HTTPError as error:
        said = error.headers.get("Date", "")
    except (OSError, HTTPException, ValueError):
        return None
    try:
        return parsedate_to_datetime(said).astimezone(UTC)
    except (ValueError, TypeError):
        return None
