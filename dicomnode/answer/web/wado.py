"""WADO-RS (PS3.18 10.4): instances, headers, frames, pictures and bulk data of what the node may show.

Files go out as they lie on the disk, piece by piece. Another transfer syntax is written one instance at a time; where
it cannot be written the part comes as it is stored, and its Content-Type says so.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian

from storage.errors import UnknownRecordError
from storage.holdings import HeldInstance

from ...errors import EncodeError
from ...observe.audit_message import Transfer
from ...send.transcode import possible_syntaxes, write_as
from ..dicomweb.bodies import Part, file_chunks, json_list, multipart, new_boundary
from ..dicomweb.frames import ANY, Frames
from ..dicomweb.json_model import DEFERRED_BYTES, header_json
from ..dicomweb.rendered import FORMATS, LARGEST_SIDE, Look, rendered
from .accepts import Accepts
from .guard import Asking, Visitor, guarded
from .parts import Parts, WebParts
from .qido import JSON, base_url
from .refusals import BadQueryError, NotAcceptableError

router = guarded("dicomweb", prefix="/dicom-web")

DICOM, OCTETS = "application/dicom", "application/octet-stream"
ONE = "/studies/{study}/series/{series}/instances/{instance}"


@router.get("/studies/{study}")
@router.get("/studies/{study}/series/{series}")
@router.get(ONE)
def retrieve(
    request: Request, parts: Parts, asking: Asking, study: str, series: str = "", instance: str = ""
) -> Response:
    """Whole instances: multipart, or one alone where a single part is asked for."""
    held = _held(parts, study, series, instance)
    accepts = Accepts.of(request)
    syntax = accepts.syntax_of(DICOM) or str(ExplicitVRLittleEndian)
    if not accepts.takes(DICOM):
        raise NotAcceptableError(f"instances are given as {DICOM}, in multipart/related or alone")
    _account(parts, asking, held)
    files = (_as_part(parts, one, syntax) for one in held)
    if len(held) == 1 and not accepts.takes_multipart(DICOM):
        content_type, content = next(files)
        return StreamingResponse(content, media_type=content_type)
    return _multipart(files, DICOM)


@router.get("/studies/{study}/metadata")
@router.get("/studies/{study}/series/{series}/metadata")
@router.get(f"{ONE}/metadata")
def metadata(
    request: Request, parts: Parts, asking: Asking, study: str, series: str = "", instance: str = ""
) -> Response:
    """Headers as DICOM JSON; pixels and what else is long by address."""
    held = _held(parts, study, series, instance)
    _account(parts, asking, held)
    base = base_url(request, parts)
    headers = (header_json(parts.store.path(one.stored.digest), f"{_url(base, one)}/bulkdata") for one in held)
    return StreamingResponse(json_list(headers), media_type=JSON)


@router.get(f"{ONE}/frames/{{numbers}}")
def frames(
    request: Request, parts: Parts, asking: Asking, study: str, series: str, instance: str, numbers: str
) -> Response:
    """Frames (the first is 1), compressed as stored where the request accepts that, else uncompressed."""
    held = _held(parts, study, series, instance)
    found, wanted = Frames.of(parts.store.path(held[0].stored.digest)), _numbers(numbers)
    found.check(wanted)
    accepts = Accepts.of(request)
    if not accepts.takes(OCTETS):
        raise NotAcceptableError(f"frames are given as multipart/related of {OCTETS}")
    syntax = accepts.syntax_of(OCTETS) or str(ExplicitVRLittleEndian)
    if syntax == ANY or not found.syntax.is_encapsulated or syntax == found.syntax:
        encoded: Iterable[tuple[str, bytes]] = found.encoded(wanted, syntax)
    else:
        encoded = list(found.encoded(wanted, syntax))  # so that what cannot be decoded is said before the answer begins
    _account(parts, asking, held)
    if len(wanted) == 1 and not accepts.takes_multipart(OCTETS):
        own, data = next(iter(encoded))
        return Response(data, media_type=f"{OCTETS}; transfer-syntax={own}")
    return _multipart(((f"{OCTETS}; transfer-syntax={own}", [data]) for own, data in encoded), OCTETS)


@router.get(f"{ONE}/rendered")
@router.get(f"{ONE}/thumbnail")
@router.get(f"{ONE}/frames/{{number}}/rendered")
@router.get(f"{ONE}/frames/{{number}}/thumbnail")
def picture(
    request: Request, parts: Parts, asking: Asking, study: str, series: str, instance: str, number: int = 1
) -> Response:
    """A frame (without a number the first) as PNG or JPEG, with `window=centre,width`, `viewport=columns,rows`."""
    held = _held(parts, study, series, instance)
    found = Frames.of(parts.store.path(held[0].stored.digest))
    found.check([number])
    media_type = next((name for name in ("image/jpeg", "image/png") if Accepts.of(request).takes(name)), "")
    if media_type not in FORMATS:
        raise NotAcceptableError("pictures are given as image/jpeg or image/png")
    data = rendered(found, number, media_type, _look(request))
    _account(parts, asking, held)
    return Response(data, media_type=media_type)


@router.get(f"{ONE}/bulkdata/{{place:path}}")
def bulk(parts: Parts, asking: Asking, study: str, series: str, instance: str, place: str) -> Response:
    """The value of one element, which `place` leads to: tags, and numbers of items between them."""
    held = _held(parts, study, series, instance)
    path = parts.store.path(held[0].stored.digest)
    header = dcmread(path, defer_size=DEFERRED_BYTES)
    _account(parts, asking, held)
    *above, last = place.split("/")
    raw = _raw(_item(header, above), last)
    syntax = UID(header.file_meta.TransferSyntaxUID)
    plain = getattr(raw, "value", b"") is None and raw.length != 0xFFFFFFFF and not syntax.is_deflated
    if plain and not above and syntax.is_little_endian:
        return _multipart([(OCTETS, file_chunks(path, raw.value_tell, raw.length))], OCTETS)
    if syntax.is_encapsulated and last.upper() == "7FE00010":
        pixels = Frames.of(path)
        found = pixels.encoded(range(1, pixels.count + 1), ANY)
        return _multipart(((f"{OCTETS}; transfer-syntax={own}", [data]) for own, data in found), OCTETS)
    value = _item(header, above)[int(last, 16)].value
    return _multipart([(OCTETS, [value if isinstance(value, bytes) else bytes(value)])], OCTETS)


def _held(parts: WebParts, study: str, series: str, instance: str) -> tuple[HeldInstance, ...]:
    uids = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": instance}
    held = parts.holdings.instances({keyword: [uid] for keyword, uid in uids.items() if uid})
    if not held:
        raise UnknownRecordError("nothing of that name is held, or may be shown")
    return held


def _account(parts: WebParts, asking: Visitor, held: Sequence[HeldInstance]) -> None:
    """The audit trail has who saw what; of a study whose patient is known by its UID."""
    classes = Counter(one.sop_class_uid for one in held)
    parts.audit.acted(asking.name, asking.address, "DICOMweb", Transfer(held[0].study_instance_uid, "", classes), "R")


def _url(base: str, one: HeldInstance) -> str:
    return f"{base}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"


def _multipart(found: Iterable[Part], kind: str) -> Response:
    boundary = new_boundary()
    return StreamingResponse(
        multipart(found, boundary), media_type=f'multipart/related; type="{kind}"; boundary={boundary}'
    )


def _as_part(parts: WebParts, one: HeldInstance, syntax: str) -> Part:
    path, own = parts.store.path(one.stored.digest), UID(one.transfer_syntax_uid)
    if syntax in (ANY, own) or UID(syntax) not in possible_syntaxes(own):
        return f"{DICOM}; transfer-syntax={own}", file_chunks(path)
    copy = Path(tempfile.mkdtemp(prefix="dicomnode-")) / "copy"
    try:
        write_as(path, UID(syntax), copy)
    except EncodeError:
        _remove(copy)
        return f"{DICOM}; transfer-syntax={own}", file_chunks(path)
    return f"{DICOM}; transfer-syntax={syntax}", _once(copy)


def _once(copy: Path) -> Iterator[bytes]:
    try:
        yield from file_chunks(copy)
    finally:
        _remove(copy)


def _remove(copy: Path) -> None:
    copy.unlink(missing_ok=True)
    copy.parent.rmdir()


def _numbers(text: str) -> list[int]:
    if not all(part.isascii() and part.isdigit() for part in text.split(",")):
        raise BadQueryError(f"frames are numbers with commas between them, not {text[:32]!r}")
    return [int(part) for part in text.split(",")]


def _look(request: Request) -> Look:
    try:
        window = [float(part) for part in request.query_params.get("window", "").split(",")[:2] if part]
        size = [int(part) for part in request.query_params.get("viewport", "").split(",")[:2] if part]
        quality = int(request.query_params.get("quality", "90"))
    except ValueError as error:
        raise BadQueryError("window is centre,width, viewport columns,rows, quality 1 to 100") from error
    if request.url.path.endswith("/thumbnail") and not size:
        size = [128, 128]
    if not (len(window) in (0, 2) and len(size) in (0, 2) and 1 <= quality <= 100):
        raise BadQueryError("window is centre,width, viewport columns,rows, quality 1 to 100")
    within = (max(1, min(size[0], LARGEST_SIDE)), max(1, min(size[1], LARGEST_SIDE))) if size else None
    return Look((window[0], window[1]) if window else None, within, quality)


def _item(header: Dataset, above: Sequence[str]) -> Dataset:
    try:
        for tag, number in zip(above[::2], above[1::2], strict=True):
            header = header[int(tag, 16)].value[int(number)]
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise UnknownRecordError("the instance has no such element") from error
    return header


def _raw(item: Dataset, tag: str) -> Any:
    try:
        return item.get_item(int(tag, 16), keep_deferred=True) or item[int(tag, 16)]
    except (KeyError, ValueError, OverflowError) as error:
        raise UnknownRecordError("the instance has no such element") from error
