"""C-STORE to a peer: one association for a series, transfer-syntax fallback, a status for each instance.

It knows files and peers; what is to be sent again, and when, is the outbox's.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID
from pynetdicom import _config, build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS, code_to_category

from ..errors import EncodeError, PeerUnreachableError
from ..network.association import MAX_CONTEXTS, Limits, open_association
from ..settings import PeerSettings
from .transcode import known_transfer_syntax, possible_syntaxes, write_as

# A file that travels in its own syntax goes out as the bytes that it is, piece by piece.
_config.STORE_SEND_CHUNKED_DATASET = True

DEFAULT_LIMITS = Limits()

TRIES = 2
"""Associations that may be lost over one instance before it counts as refused: some peers abort over one object."""

LOST_IN_A_ROW = 4
"""Associations lost without one answer in between after which no more is sent for now."""

logger = structlog.get_logger()

Associate = Callable[[Sequence[PresentationContext]], AbstractContextManager[Association]]


class Outcome(StrEnum):
    """What became of one instance at the peer."""

    STORED = "stored"
    WARNED = "warned"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One instance and the peer's answer. `status` is None where it could not be sent or no answer came."""

    path: Path
    sop_instance_uid: str
    outcome: Outcome
    status: int | None
    message: str = ""
    transfer_syntax_uid: str = ""

    @property
    def stored(self) -> bool:
        """Whether the peer has it; a warning says so too (PS3.4 B.2.3)."""
        return self.outcome is not Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class SendReport:
    """What the peer said to each instance, in the order of sending. `interrupted`: it was told to stop half-way."""

    instances: tuple[InstanceStatus, ...]
    interrupted: bool = False

    @property
    def refused(self) -> Mapping[str, str]:
        """Why, by SOP Instance UID (by path for what is no DICOM file)."""
        return {
            status.sop_instance_uid or str(status.path): status.message
            for status in self.instances
            if not status.stored
        }

    @property
    def stored(self) -> int:
        """How many instances the peer has taken, with a warning or without."""
        return sum(status.stored for status in self.instances)

    @property
    def complete(self) -> bool:
        """Whether the peer has everything."""
        return not self.interrupted and all(status.stored for status in self.instances)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    path: Path
    sop_class_uid: UID
    sop_instance_uid: UID
    transfer_syntax_uid: UID
    possible: tuple[UID, ...]

    @property
    def contexts(self) -> frozenset[tuple[UID, UID]]:
        return frozenset((self.sop_class_uid, syntax) for syntax in self.possible)

    def refused(self, message: str) -> InstanceStatus:
        return InstanceStatus(self.path, self.sop_instance_uid, Outcome.REFUSED, None, message)


def send_files(
    peer: PeerSettings,
    calling_ae_title: str,
    files: Sequence[Path],
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] = lambda: False,
) -> SendReport:
    """Send DICOM files to `peer`, in their order, over as few associations as the contexts allow.

    `on_progress` is told how many have been dealt with, of how many. An instance that the peer refuses does not stop
    the others. Where the association keeps being lost after some answers, the rest counts as refused. Raises
    `PeerUnreachableError` or `PeerRefusedError` when there is no association, or when it keeps being lost and nothing
    was answered; sending again what arrived is harmless.
    """
    wanted = tuple(known_transfer_syntax(name) for name in peer.transfer_syntaxes)
    statuses: list[InstanceStatus] = []

    def note(status: InstanceStatus) -> None:
        statuses.append(status)
        on_progress(len(statuses), len(files))

    outgoing: list[_Outgoing] = []
    for path in files:
        described = _describe(path, wanted)
        if isinstance(described, _Outgoing):
            outgoing.append(described)
        else:
            note(described)
    associate = partial(open_association, peer, calling_ae_title, limits=limits)
    finished = all(_send_batch(associate, batch, note, should_stop) for batch in _batches(outgoing))
    return SendReport(tuple(statuses), interrupted=not finished)


def _describe(path: Path, wanted: Sequence[UID]) -> _Outgoing | InstanceStatus:
    try:
        meta = read_file_meta_info(path)
        sop_class, uid, own = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID
    except (OSError, InvalidDicomError, AttributeError) as error:
        return InstanceStatus(path, "", Outcome.REFUSED, None, f"{path} is no DICOM file: {error}")
    return _Outgoing(path, sop_class, uid, own, possible_syntaxes(own, wanted))


def _batches(outgoing: Sequence[_Outgoing]) -> Iterator[list[_Outgoing]]:
    """Instances in their order, cut where one association would need too many contexts."""
    batch: list[_Outgoing] = []
    contexts: set[tuple[UID, UID]] = set()
    for instance in outgoing:
        if batch and len(contexts | instance.contexts) > MAX_CONTEXTS:
            yield batch
            batch, contexts = [], set()
        batch.append(instance)
        contexts |= instance.contexts
    if batch:
        yield batch


def _contexts_of(batch: Iterable[_Outgoing]) -> list[PresentationContext]:
    """One context for each SOP class and syntax: in a shared one the peer would choose the syntax for all."""
    pairs = dict.fromkeys((instance.sop_class_uid, syntax) for instance in batch for syntax in instance.possible)
    return [build_context(sop_class, syntax) for sop_class, syntax in pairs]


def _send_batch(
    associate: Associate,
    batch: Sequence[_Outgoing],
    note: Callable[[InstanceStatus], None],
    should_stop: Callable[[], bool],
) -> bool:
    """Whether it came to the end; false when it was told to stop."""
    waiting = deque(instance for instance in batch if instance.possible)
    for instance in batch:
        if not instance.possible:
            note(instance.refused(f"none of the peer's transfer syntaxes can carry {instance.transfer_syntax_uid}"))
    lost, answered = 0, False
    while waiting:
        with associate(_contexts_of(waiting)) as association:
            while waiting:
                if should_stop():
                    return False
                status = _send_one(association, waiting[0])
                if status is None:
                    break
                lost = 0
                answered = answered or status.status is not None
                waiting.popleft()
                note(status)
        if waiting:
            lost += 1
            _carry_on_after_loss(lost, answered, waiting, note)
    return True


def _carry_on_after_loss(
    lost: int, answered: bool, waiting: deque[_Outgoing], note: Callable[[InstanceStatus], None]
) -> None:
    logger.warning("The association was lost", action="association_lost", instances_waiting=len(waiting))
    if lost >= LOST_IN_A_ROW and not answered:
        raise PeerUnreachableError(f"{lost} associations ended without an answer; {len(waiting)} instances wait")
    if lost >= LOST_IN_A_ROW:
        while waiting:
            note(waiting.popleft().refused(f"not sent: the peer ended {lost} associations in a row"))
    elif lost % TRIES == 0:
        note(waiting.popleft().refused(f"the peer ended the association over it, {TRIES} times"))


def _send_one(association: Association, instance: _Outgoing) -> InstanceStatus | None:
    """The peer's answer, or None when the association ended before one came."""
    accepted = {
        context.transfer_syntax[0]
        for context in association.accepted_contexts
        if context.abstract_syntax == instance.sop_class_uid
    }
    reason = "the peer accepts its SOP class in no transfer syntax that was proposed"
    for syntax in (syntax for syntax in instance.possible if syntax in accepted):
        if syntax == instance.transfer_syntax_uid:
            return _store(association, instance, instance.path, syntax)
        with TemporaryDirectory(prefix="dicomnode-send-") as folder:
            copy = Path(folder, "copy.dcm")
            try:
                write_as(instance.path, syntax, copy)
            except EncodeError as error:
                reason = str(error)
            else:
                return _store(association, instance, copy, syntax)
    return instance.refused(reason)


def _store(association: Association, instance: _Outgoing, path: Path, syntax: UID) -> InstanceStatus | None:
    if not association.is_established:
        return None
    try:
        answer = association.send_c_store(path)
    except RuntimeError:  # it ended between the question above and the call
        return None
    if "Status" not in answer:
        return None
    code = int(answer.Status)
    return InstanceStatus(
        instance.path, instance.sop_instance_uid, _outcome(code), code, _explain(code, answer), syntax
    )


def _outcome(code: int) -> Outcome:
    category = code_to_category(code)
    if category == "Success":
        return Outcome.STORED
    return Outcome.WARNED if category == "Warning" else Outcome.REFUSED


def _explain(code: int, answer: Dataset) -> str:
    """The status in words with the peer's comment (PS3.7 C), empty for success."""
    if code == 0:
        return ""
    category, meaning = STORAGE_SERVICE_CLASS_STATUS.get(code, (code_to_category(code), ""))
    comment = str(answer.get("ErrorComment", ""))
    return ": ".join(part for part in (f"0x{code:04X} {category}", meaning, comment) if part)
