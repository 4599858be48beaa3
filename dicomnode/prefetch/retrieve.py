"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3): a peer sends a study or series to us, or to another."""

from collections.abc import Callable, Mapping
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from ..errors import PeerRefusedError, PeerUnreachableError, SettingsError
from ..network.association import Limits, open_association
from ..network.sop_classes import IMAGE_CLASSES, REFERENCING_SYNTAXES, STORAGE_CLASSES, TRANSFER_SYNTAXES
from ..settings import PeerSettings
from .taking import Brought, Take, received_from

PENDING = 0xFF00
COALESCED = 0xB000
"""Some sub-operations failed (PS3.4 C.4.2.1.5)."""

UNIQUE_KEYS: Mapping[str, str] = {
    "StudyInstanceUID": "STUDY",
    "SeriesInstanceUID": "SERIES",
    "SOPInstanceUID": "IMAGE",
}
"""The level of a retrieval is that of its lowest unique key."""

UNCOMPRESSED = 3
"""So many of the transfer syntaxes come first and are uncompressed."""

MOST_SYNTAXES = 40
"""In one presentation context: DCMTK does not answer a request with more than fifty. The rarest come last."""

OnProgress = Callable[[int, int], None]

DEFAULT_LIMITS = Limits()


def move(
    peer: PeerSettings,
    calling_ae_title: str,
    keys: Mapping[str, str],
    destination: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    on_progress: OnProgress = lambda _done, _all: None,
) -> Brought:
    """Have `peer` send what `keys` name to the AE `destination`, which it must know.

    `keys` are unique keys (StudyInstanceUID, …), with PatientID for peers that speak Patient Root only. `on_progress`
    hears how many sub-operations are done, of how many. Raises `PeerError`, `SettingsError` for keys that name nothing.
    """
    roots = (StudyRootQueryRetrieveInformationModelMove, PatientRootQueryRetrieveInformationModelMove)
    identifier = retrieval(keys)
    contexts = [build_context(root) for root in roots]
    with open_association(peer, calling_ae_title, contexts, limits=limits) as association:
        answers = association.send_c_move(identifier, destination, _agreed(association, roots))
        return _followed(answers, f"{peer.ae_title}@{peer.host}:{peer.port}", on_progress)


def get(
    peer: PeerSettings,
    calling_ae_title: str,
    keys: Mapping[str, str],
    take: Take,
    *,
    limits: Limits = DEFAULT_LIMITS,
    on_progress: OnProgress = lambda _done, _all: None,
) -> Brought:
    """Have `peer` send what `keys` name over this association; `take` keeps each instance. Raises as `move` does."""
    roots = (StudyRootQueryRetrieveInformationModelGet, PatientRootQueryRetrieveInformationModelGet)
    identifier = retrieval(keys)
    storage = storage_contexts_to_get()
    contexts = [build_context(root) for root in roots] + storage

    def on_store(event: Any) -> int:
        request, context = event.request, event.context
        return take(
            received_from(
                peer,
                calling_ae_title,
                str(request.AffectedSOPClassUID),
                str(request.AffectedSOPInstanceUID),
                str(context.transfer_syntax),
                event.encoded_dataset(include_meta=False),
            )
        )

    with open_association(
        peer,
        calling_ae_title,
        contexts,
        limits=limits,
        ext_neg=[build_role(str(context.abstract_syntax), scp_role=True) for context in storage],
        evt_handlers=[(evt.EVT_C_STORE, on_store)],
    ) as association:
        answers = association.send_c_get(identifier, _agreed(association, roots))
        return _followed(answers, f"{peer.ae_title}@{peer.host}:{peer.port}", on_progress)


def storage_contexts_to_get() -> list[PresentationContext]:
    """Every storage class, compressed only where there are pixels: peers drop requests that are too large for them."""
    images = [syntax.uid for syntax in TRANSFER_SYNTAXES if syntax.uid not in REFERENCING_SYNTAXES][:MOST_SYNTAXES]
    others = [syntax.uid for syntax in TRANSFER_SYNTAXES[:UNCOMPRESSED]]
    return [
        build_context(storage_class.uid, images if storage_class.uid in IMAGE_CLASSES else others)
        for storage_class in STORAGE_CLASSES
    ]


def retrieval(keys: Mapping[str, str]) -> Dataset:
    """The identifier of a retrieval. Raises `SettingsError` unless it names a study, a series or an instance."""
    levels = [level for keyword, level in UNIQUE_KEYS.items() if keys.get(keyword)]
    unknown = set(keys) - {*UNIQUE_KEYS, "PatientID"}
    if unknown or "STUDY" not in levels:
        raise SettingsError(
            f"a retrieval names StudyInstanceUID, and with it SeriesInstanceUID or SOPInstanceUID, not {sorted(keys)}"
        )
    identifier = Dataset()
    identifier.QueryRetrieveLevel = levels[-1]
    for keyword, value in keys.items():
        if value:
            setattr(identifier, keyword, value)
    return identifier


def _agreed(association: Any, roots: tuple[str, str]) -> str:
    """Study Root where the peer accepts it."""
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    for root in roots:
        if root in accepted:
            return root
    raise PeerRefusedError("the peer lets nobody retrieve: it accepted no Study Root and no Patient Root")


def _followed(answers: Any, name: str, on_progress: OnProgress) -> Brought:
    done = failed = 0
    for answer, _ in answers:
        if "Status" not in answer:
            raise PeerUnreachableError(f"{name} did not send to the end")
        done = max(done, _count(answer, "Completed") + _count(answer, "Warning"))
        failed = max(failed, _count(answer, "Failed"))
        if answer.Status == PENDING:
            on_progress(done + failed, done + failed + _count(answer, "Remaining"))
        elif answer.Status not in (0, COALESCED):
            comment = str(answer.get("ErrorComment", "") or "")
            said = f": {comment}" if comment else ""
            raise PeerRefusedError(f"{name} refused to send with 0x{answer.Status:04X}{said}")
    return Brought(done, failed, f"{failed} instances could not be sent" if failed else "")


def _count(answer: Dataset, which: str) -> int:
    return int(answer.get(f"NumberOf{which}Suboperations", 0) or 0)
