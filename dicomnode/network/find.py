"""C-FIND (PS3.4 C.4.1): what a peer holds, as plain values."""

from collections.abc import Callable, Mapping

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from ..errors import PeerRefusedError, PeerUnreachableError, SettingsError
from ..settings import PeerSettings
from .association import Limits, open_association

PENDING = (0xFF00, 0xFF01)
"""Statuses with a match (PS3.4 C.4.1.1.4)."""

RETURN_KEYS: Mapping[str, tuple[str, ...]] = {
    "PATIENT": ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    "STUDY": (
        "PatientID",
        "PatientName",
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "StudyDescription",
        "ModalitiesInStudy",
        "NumberOfStudyRelatedInstances",
    ),
    "SERIES": (
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SeriesNumber",
        "Modality",
        "SeriesDescription",
        "NumberOfSeriesRelatedInstances",
    ),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber"),
}
"""What is asked for at each level beside the keys of the caller."""


def find(
    peer: PeerSettings,
    calling_ae_title: str,
    level: str,
    keys: Mapping[str, str],
    *,
    limits: Limits | None = None,
    on_query: Callable[[str, bytes], None] = lambda _sop_class, _query: None,
) -> list[dict[str, str]]:
    """Matches at `level` (PATIENT, STUDY, SERIES, IMAGE), by DICOM keyword; a backslash joins several values.

    `keys` are keywords and what they must match (wildcards and ranges as the peer understands them; empty: any).
    Study Root is asked, Patient Root at the level PATIENT and of peers that know nothing else. `on_query` hears the
    SOP class and the encoded identifier of what is asked. Raises `SettingsError` for a level or keyword that does not
    exist, `PeerError` when the peer does not answer.
    """
    identifier = _identifier(level, keys)
    # Study Root knows no level of patients (PS3.4 C.6.2).
    models = [PatientRootQueryRetrieveInformationModelFind]
    if level != "PATIENT":
        models.insert(0, StudyRootQueryRetrieveInformationModelFind)
    contexts = [build_context(model) for model in models]
    with open_association(peer, calling_ae_title, contexts, limits=limits or Limits()) as association:
        accepted = {context.abstract_syntax for context in association.accepted_contexts}
        model = next(model for model in models if model in accepted)
        on_query(str(model), encode(identifier, is_implicit_vr=True, is_little_endian=True) or b"")
        return _matches(association, identifier, model, f"{peer.ae_title}@{peer.host}:{peer.port}")


def _identifier(level: str, keys: Mapping[str, str]) -> Dataset:
    if level not in RETURN_KEYS:
        raise SettingsError(f"{level!r} is no level of a query; levels are {', '.join(RETURN_KEYS)}")
    identifier = Dataset()
    if not all(value.isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = level
    for keyword in dict.fromkeys((*RETURN_KEYS[level], *keys)):
        if tag_for_keyword(keyword) is None:
            raise SettingsError(f"{keyword!r} is no DICOM keyword; write it as PatientID or StudyDate")
        setattr(identifier, keyword, keys.get(keyword, ""))
    return identifier


def _matches(association: Association, identifier: Dataset, model: str, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for answer, match in association.send_c_find(identifier, model):
        if "Status" not in answer:
            raise PeerUnreachableError(f"{name} did not answer the query to its end")
        if answer.Status in PENDING and match is not None:
            found.append(_plain(match))
        elif answer.Status not in (0, *PENDING):
            raise PeerRefusedError(f"{name} answered the query with 0x{answer.Status:04X}")
    return found


def _plain(match: Dataset) -> dict[str, str]:
    match.decode()
    return {
        element.keyword: _text(element.value)
        for element in match
        if element.VR != "SQ" and element.keyword not in ("", "SpecificCharacterSet", "QueryRetrieveLevel")
    }


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return "\\".join(str(part) for part in value)  # type: ignore[attr-defined]
    return str(value)
