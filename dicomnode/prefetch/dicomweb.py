"""QIDO-RS and WADO-RS (PS3.18 10.6, 10.4): what an origin server holds, and its instances as they are kept there."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode

from pydicom.datadict import keyword_for_tag

from storage.records import ReceivedInstance

from ..errors import PeerRefusedError, PeerUnreachableError, ReceiveError
from ..network.association import Limits
from ..network.tls import TlsFiles, client_context
from ..settings import PeerSettings
from .multipart import boundary_of, parts
from .taking import Brought, Take, is_kept

INSTANCES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Each instance as a file, in the transfer syntax in which it is kept (PS3.18 8.7.3.5.2)."""

MOST_ANSWER_BYTES = 64 << 20

Unpack = Callable[[bytes], ReceivedInstance]
"""Takes a DICOM file apart."""

DEFAULT_LIMITS = Limits()


def search(
    peer: PeerSettings,
    path: str,
    keys: Mapping[str, str],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> list[dict[str, str]]:
    """QIDO-RS: what matches below `path` (such as "studies"), by DICOM keyword; keys without a value are asked for."""
    wanted = [(keyword, value) for keyword, value in keys.items() if value]
    wanted += [("includefield", keyword) for keyword, value in keys.items() if not value]
    with _answer(peer, f"{path}?{urlencode(wanted)}", "application/dicom+json", limits) as response:
        body = response.read(MOST_ANSWER_BYTES)
    if not body.strip():
        return []  # 204 No Content
    try:
        return [_plain(found) for found in json.loads(body)]
    except (ValueError, AttributeError, TypeError) as error:
        raise PeerRefusedError(f"{peer.dicomweb_url} answered the query with what is no DICOM JSON") from error


def bring(
    peer: PeerSettings,
    study_instance_uid: str,
    series_instance_uid: str,
    take: Take,
    unpack: Unpack,
    *,
    most_bytes: int,
    limits: Limits = DEFAULT_LIMITS,
) -> Brought:
    """WADO-RS: every instance of the study, or of the series; `take` keeps each. Raises `PeerError`."""
    path = f"studies/{quote(study_instance_uid)}"
    if series_instance_uid:
        path += f"/series/{quote(series_instance_uid)}"
    came = failed = 0
    reason = ""
    with _answer(peer, path, INSTANCES, limits) as response:
        for file in parts(response, boundary_of(response.headers.get("Content-Type", "")), most_bytes):
            try:
                kept = is_kept(take(unpack(bytes(file))))
            except ReceiveError as error:
                kept, reason = False, str(error)
            came, failed = came + kept, failed + (not kept)
    return Brought(came, failed, reason or (f"{failed} instances could not be kept" if failed else ""))


@contextmanager
def _answer(peer: PeerSettings, path: str, accept: str, limits: Limits) -> Iterator[Any]:
    """The response to a GET. Raises `PeerUnreachableError`, or `PeerRefusedError` for a status of error."""
    url = f"{peer.dicomweb_url.rstrip('/')}/{path}"
    headers = {"Accept": accept}
    if peer.dicomweb_authorization:
        headers["Authorization"] = peer.dicomweb_authorization
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the settings take http and https only
    try:
        with urllib.request.urlopen(request, timeout=limits.network_timeout_s, context=_tls(peer)) as response:  # noqa: S310
            yield response
    except urllib.error.HTTPError as error:
        with error:
            raise PeerRefusedError(f"{peer.dicomweb_url} answered {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise PeerUnreachableError(f"{peer.dicomweb_url} did not answer: {type(error).__name__}") from error


def _tls(peer: PeerSettings) -> ssl.SSLContext | None:
    if not peer.dicomweb_url.startswith("https:"):
        return None
    if not peer.tls_ca:
        return ssl.create_default_context()
    return client_context(TlsFiles(peer.tls_certificate, peer.tls_key, peer.tls_ca), check_host=peer.tls_check_host)


def _plain(found: Mapping[str, Any]) -> dict[str, str]:
    """One match of DICOM JSON (PS3.18 F.2) by keyword; a backslash joins several values."""
    plain = {}
    for tag, element in found.items():
        keyword = keyword_for_tag(int(tag, 16))
        if keyword and element.get("vr") != "SQ":
            plain[keyword] = "\\".join(_text(value) for value in element.get("Value", ()))
    return plain


def _text(value: Any) -> str:
    """A person name is an object of its groups (PS3.18 F.2.2)."""
    if isinstance(value, dict):
        groups = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value)
