"""QIDO-RS (PS3.18 10.6): studies, series and instances that the node may show, as DICOM JSON."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from storage.errors import StorageError
from storage.holdings import KEYS, Level

from ..dicomweb.json_model import attributes_json
from .guard import guarded
from .parts import Parts, WebParts
from .refusals import BadQueryError

router = guarded("dicomweb", prefix="/dicom-web")

LIMIT, MOST = 1000, 10_000
"""Matches of one answer: without a limit of the request, and the most that one may ask for."""

LISTS = ("ModalitiesInStudy", "Modality")
"""Keys beside UIDs whose commas separate values."""

FROM_HEADER: Mapping[Level, tuple[str, ...]] = {
    Level.STUDY: ("StudyID", "ReferringPhysicianName"),
    Level.SERIES: ("SeriesNumber", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
    Level.IMAGE: ("InstanceNumber", "NumberOfFrames", "Rows", "Columns", "BitsAllocated"),
}
"""What PS3.18 Tables 10.6.3-3 to 5 want and no index has: read from the header of the first instance."""

JSON = "application/dicom+json"


@router.get("/studies")
def studies(request: Request, parts: Parts) -> Response:
    """Studies."""
    return _found(request, parts, Level.STUDY, {})


@router.get("/series")
@router.get("/studies/{study}/series")
def series(request: Request, parts: Parts, study: str = "") -> Response:
    """Series of all studies, or of one."""
    return _found(request, parts, Level.SERIES, {"StudyInstanceUID": study})


@router.get("/instances")
@router.get("/studies/{study}/instances")
@router.get("/studies/{study}/series/{series}/instances")
def instances(request: Request, parts: Parts, study: str = "", series: str = "") -> Response:
    """Instances of all studies, of one, or of a series."""
    return _found(request, parts, Level.IMAGE, {"StudyInstanceUID": study, "SeriesInstanceUID": series})


def base_url(request: Request, parts: WebParts) -> str:
    """How the caller reaches this service. Some clients leave the port out of Host; without a proxy it is ours."""
    base, web = request.base_url, parts.settings.web
    if base.port is None and not web.trusted_proxies and (server := request.scope.get("server")):
        base = base.replace(port=server[1])
    return (web.public_url or str(base)).rstrip("/") + "/dicom-web"


def _found(request: Request, parts: WebParts, level: Level, within: Mapping[str, str]) -> Response:
    keys, included, warnings = _asked(request, level)
    keys |= {keyword: [uid] for keyword, uid in within.items() if uid}
    limit, offset = _number(request, "limit", LIMIT), _number(request, "offset", 0)
    limit = min(limit, MOST)
    matches = parts.holdings.find(level, keys, limit + 1, offset)
    if len(matches) > limit:
        warnings.append("There are more results; ask for them with offset")
    base = base_url(request, parts)
    answer = [_described(parts, level, dict(match), included, base) for match in matches[:limit]]
    headers = {"Warning": ", ".join(f'299 dicomnode "{warning}"' for warning in warnings)} if warnings else {}
    return JSONResponse(answer, media_type=JSON, headers=headers)


def _asked(request: Request, level: Level) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Keys to match, keywords to add, and what is to be warned of."""
    keys: dict[str, list[str]] = {}
    included: list[str] = []
    warnings: list[str] = []
    for name, value in request.query_params.multi_items():
        if name == "includefield":
            included += [_keyword(field) for field in value.split(",") if field not in ("", "all")]
        elif name == "fuzzymatching":
            if value == "true":
                warnings.append("Fuzzy matching is not supported; only literal matching has been performed")
        elif name not in ("limit", "offset", "accept", "charset"):
            keyword = _keyword(name)
            if keyword not in KEYS[level]:
                warnings.append(f"{keyword} is not matched at this level")
            elif keyword.endswith("UID") or keyword in LISTS:
                keys.setdefault(keyword, []).extend(value.replace("\\", ",").split(","))
            else:
                keys[keyword] = [value]
    return keys, [keyword for keyword in included if keyword], warnings


def _keyword(name: str) -> str:
    """Of a keyword or of eight hexadecimal digits; attributes within sequences count as their sequence."""
    first = name.partition(".")[0]
    if len(first) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in first):
        return keyword_for_tag(int(first, 16)) or first
    if tag_for_keyword(first) is None:
        raise BadQueryError(f"{name[:64]!r} is no DICOM keyword, tag or parameter of a query")
    return first


def _number(request: Request, name: str, default: int) -> int:
    said = request.query_params.get(name, str(default))
    if not said.isascii() or not said.isdigit() or len(said) > 9:
        raise BadQueryError(f"{name} is a number, not {said[:32]!r}")
    return int(said)


def _described(parts: WebParts, level: Level, match: dict[str, Any], included: list[str], base: str) -> Any:
    url = f"{base}/studies/{match['StudyInstanceUID']}"
    if level is not Level.STUDY:
        url += f"/series/{match['SeriesInstanceUID']}"
    if level is Level.IMAGE:
        url += f"/instances/{match['SOPInstanceUID']}"
    missing = [name for name in (*FROM_HEADER[level], *included) if match.get(name) in (None, "")]
    found = _json_of_header(parts, match, missing) if missing else {}
    found |= attributes_json({name: value for name, value in match.items() if name not in missing})
    found |= attributes_json({"RetrieveURL": url, "InstanceAvailability": "ONLINE"})
    return dict(sorted(found.items()))


def _json_of_header(parts: WebParts, match: Mapping[str, Any], keywords: list[str]) -> dict[str, Any]:
    """These elements of the first instance, in JSON; those that it has."""
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    first = parts.holdings.instances({uid: [match[uid]] for uid in uids if uid in match}, limit=1)
    if not first:
        return {}
    try:
        path = parts.store.path(first[0].stored.digest)
    except StorageError:
        return {}
    tags: list[Any] = [tag_for_keyword(keyword) for keyword in keywords]
    header = dcmread(path, stop_before_pixels=True, specific_tags=[*(tag for tag in tags if tag), 0x00080005])
    header.pop(0x00080005, None)
    return dict(header.to_json_dict(suppress_invalid_tags=True))
