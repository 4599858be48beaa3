"""The volumes that a case is reviewed by: as files for the viewer, and as pictures where a browser cannot draw them."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import FileResponse

from storage.errors import UnknownRecordError
from storage.records import StoredObject

from .deciding import about
from .guard import Asking, guarded
from .parts import Parts, WebParts
from .refusals import WrongRequestError
from .slices import MODES, PLANES, picture

router = guarded("cases")

KEPT_BY_BROWSER = {"Cache-Control": "private, max-age=3600, immutable"}
"""They never change; the cache is the person's own."""


@router.get("/cases/{case_id}/volumes/{position}/{kind}.nii.gz")
def volume(case_id: str, position: int, kind: str, parts: Parts, asking: Asking) -> Response:
    """One volume as compressed NIfTI."""
    record = parts.cases.get(case_id)
    stored = _volumes(parts, record.case_id, position).get(kind)
    if stored is None:
        raise UnknownRecordError(f"the case has no volume {kind!r} of the moving series {position}")
    if kind == "fixed":
        said = f"review of case {record.case_id}"
        parts.audit.acted(asking.name, asking.address, said, about(parts, record), action="R")
    return FileResponse(parts.store.path(stored.digest), media_type="application/gzip", headers=KEPT_BY_BROWSER)


@router.get("/cases/{case_id}/slices/{position}.png")
def slices(
    case_id: str,
    position: int,
    parts: Parts,
    plane: str = "axial",
    mode: str = "overlay",
    at: Annotated[float, Query(ge=0, le=1)] = 0.5,
    opacity: Annotated[float, Query(ge=0, le=1)] = 0.5,
    *,
    before: bool = False,
) -> Response:
    """One slice as a picture."""
    if plane not in PLANES or mode not in MODES:
        raise WrongRequestError(f"plane is one of {', '.join(PLANES)}, mode one of {', '.join(MODES)}")
    found = _volumes(parts, parts.cases.get(case_id).case_id, position)
    paths = {kind: parts.store.path(stored.digest) for kind, stored in found.items()}
    if "fixed" not in paths:
        raise UnknownRecordError("this case has no volumes to look at")
    data = picture(paths, plane=plane, mode=mode, at=at, opacity=opacity, before=before)
    return Response(data, media_type="image/png", headers=KEPT_BY_BROWSER)


def _volumes(parts: WebParts, case_id: str, position: int) -> Mapping[str, StoredObject]:
    result = parts.cases.get(case_id).result
    if result is None:
        raise UnknownRecordError("the case has no result yet")
    return {volume.kind: volume.stored for volume in result.review if volume.position == position}
