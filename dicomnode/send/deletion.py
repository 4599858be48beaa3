"""Asking a peer over HTTP to delete a series that was taken back; the standard has no service for it.

`dicomweb` is DELETE on the series' DICOMweb resource: some archives have it, Orthanc (DICOMweb 1.7) answers with 405.
`orthanc` is Orthanc's own interface.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from storage.records import DerivedSeries

from ..errors import PeerUnreachableError
from ..settings import PeerSettings

TIMEOUT_S = 60.0
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})

Deletion = Callable[[PeerSettings, DerivedSeries], str]
"""What the peer said against it, or ""; raises `PeerUnreachableError` when a later try can help."""


def by_dicomweb(peer: PeerSettings, series: DerivedSeries) -> str:
    """DELETE {dicomweb_url}/studies/{study}/series/{series}."""
    place = f"studies/{series.study_instance_uid}/series/{series.series_instance_uid}"
    headers = {"Authorization": peer.dicomweb_authorization} if peer.dicomweb_authorization else {}
    return _answer("DELETE", f"{peer.dicomweb_url.rstrip('/')}/{place}", headers=headers)[0]


def by_orthanc(peer: PeerSettings, series: DerivedSeries) -> str:
    """Orthanc's identifier of the series is asked for, then it is deleted."""
    root = peer.orthanc_url.rstrip("/")
    refusal, found = _answer("POST", f"{root}/tools/lookup", series.series_instance_uid.encode())
    if refusal:
        return refusal
    for one in found or []:
        if one.get("Type") == "Series" and (refusal := _answer("DELETE", f"{root}/series/{one['ID']}")[0]):
            return refusal
    return ""


def not_at_all(_peer: PeerSettings, _series: DerivedSeries) -> str:
    """The note is all that is said."""
    return ""


DELETIONS: Mapping[str, Deletion] = MappingProxyType(
    {"none": not_at_all, "dicomweb": by_dicomweb, "orthanc": by_orthanc}
)
"""By `peers.NAME.delete`."""


def _answer(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, Any]:
    """What speaks against it, and the JSON of the answer, if it is any."""
    request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310 - the scheme is checked by the settings
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - likewise
            answer = response.read()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in GONE:
                return "", None
            if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR and error.code != HTTPStatus.NOT_IMPLEMENTED:
                raise PeerUnreachableError(f"{method} {url} was answered with {error.code}") from error
            return f"the peer does not delete: {method} was answered with {error.code}", None
    except OSError as error:
        raise PeerUnreachableError(f"{method} {url} was not answered: {error}") from error
    return "", json.loads(answer) if answer.startswith((b"[", b"{")) else None
