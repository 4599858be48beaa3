"""STOW-RS (PS3.18 10.5): instances that come over the web are kept as those that a peer sends, each with its answer."""

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import Any

import anyio.from_thread
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from storage.errors import UnavailableError
from storage.records import ReceivedInstance, Role

from ...errors import NotParsableError, PeerRefusedError
from ...prefetch.multipart import boundary_of
from ...prefetch.multipart import parts as parts_of_message
from ...receive.file_format import received_in
from ...receive.outcome import Take
from ...receive.outcome import answer as answer_to
from ...receive.status import DimseStatus
from .guard import Asking, Visitor, guarded
from .parts import Parts
from .qido import JSON, base_url
from .refusals import BadQueryError

router = guarded("dicomweb", Role.REVIEWER, prefix="/dicom-web")

LARGEST_PART = 512 << 20
"""One instance, which is held in memory; a larger one comes by C-STORE."""

LARGEST_BODY = 1 << 40
ANOTHER_STUDY = DimseStatus(0xC409, "PS3.18 I.2.2, Failure: other study", "of another study than the address says")
CANNOT_UNDERSTAND = 0xC000
WARNING = 0xB000


@router.post("/studies", max_body_size=LARGEST_BODY)
@router.post("/studies/{study}", max_body_size=LARGEST_BODY)
def store(request: Request, parts: Parts, asking: Asking, study: str = "") -> Response:
    """Keep each part; what became of it stands in the answer."""
    if parts.take is None:
        raise UnavailableError("nothing is received here")
    content_type = request.headers.get("content-type", "")
    told, base = _Told(), base_url(request, parts)
    most = min(LARGEST_PART, parts.settings.node.max_instance_bytes)
    try:
        for file in parts_of_message(_Body(request), boundary_of(content_type), most):
            _keep(parts.take, bytes(file), asking, study, told, base)
    except PeerRefusedError as error:
        if told.is_empty:
            raise BadQueryError(str(error)) from error
        told.add("", "", DimseStatus(CANNOT_UNDERSTAND, "", str(error)), "")
    finally:
        parts.audit.association_over(asking.name, asking.address)
    return told.response()


class _Body:
    """The body of a request, read from the thread of a route."""

    def __init__(self, request: Request) -> None:
        self._chunks = request.stream().__aiter__()

    def read(self, _amount: int, /) -> bytes:
        """What came next; nothing at the end."""
        return anyio.from_thread.run(self._next)

    async def _next(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return b""


class _Told:
    """The Store Instances Response (PS3.18 Table 10.5.3-1), as it grows."""

    def __init__(self) -> None:
        self._lists: dict[str, list[Dataset]] = {
            "ReferencedSOPSequence": [],
            "FailedSOPSequence": [],
            "OtherFailuresSequence": [],
        }
        self._warned = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing came yet."""
        return not any(self._lists.values())

    def add(self, sop_class_uid: str, sop_instance_uid: str, status: DimseStatus, url: str) -> None:
        """What became of one instance."""
        item = Dataset()
        if sop_instance_uid:
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
        if status.code == 0 or status.code == WARNING:
            if status.code:
                item.WarningReason, self._warned = status.code, True
            else:
                item.RetrieveURL = url
            self._lists["ReferencedSOPSequence"].append(item)
        else:
            item.FailureReason = status.code
            self._lists["FailedSOPSequence" if sop_instance_uid else "OtherFailuresSequence"].append(item)

    def response(self) -> Response:
        """200 when all are kept, 202 when some are or a warning goes with it, 409 when none is (Table 10.5.3-1)."""
        kept = bool(self._lists["ReferencedSOPSequence"])
        failed = len([item for name, items in self._lists.items() for item in items if name[0] != "R"])
        status = HTTPStatus.ACCEPTED if failed or self._warned else HTTPStatus.OK
        said = Dataset()
        for name, items in self._lists.items():
            if items:
                setattr(said, name, items)
        answer: dict[str, Any] = said.to_json_dict()
        return JSONResponse(answer, status_code=status if kept else HTTPStatus.CONFLICT, media_type=JSON)


def _keep(take: Take, file: bytes, asking: Visitor, study: str, told: _Told, base: str) -> None:
    try:
        received = _received(file, asking)
        uids = _uids(file)
    except NotParsableError as error:
        told.add("", "", DimseStatus(CANNOT_UNDERSTAND, "", str(error)), "")
        return
    status = ANOTHER_STUDY if study and uids[0] != study else answer_to(take, lambda: received)
    url = f"{base}/studies/{uids[0]}/series/{uids[1]}/instances/{received.sop_instance_uid}"
    told.add(received.sop_class_uid, received.sop_instance_uid, status, url)


def _received(file: bytes, asking: Visitor) -> ReceivedInstance:
    """As if a peer had sent it whose name no AE title can have."""
    received = received_in(file, datetime.now(UTC))
    return replace(received, calling_ae_title=f"web:{asking.name}", peer_address=asking.address)


def _uids(file: bytes) -> tuple[str, str]:
    """Of study and series."""
    try:
        header = dcmread(
            BytesIO(file), stop_before_pixels=True, specific_tags=["StudyInstanceUID", "SeriesInstanceUID"]
        )
        return str(header.get("StudyInstanceUID", "")), str(header.get("SeriesInstanceUID", ""))
    except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise NotParsableError("the instance cannot be read") from error
