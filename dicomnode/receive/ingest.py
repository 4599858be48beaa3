"""Take one instance: check that it is whole and is what the command says, keep its bytes, enter it in the index.

Knows nothing of associations: a door hands over a `ReceivedInstance`. When the call returns, bytes and row are durable;
when it raises, nothing is visible.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from storage.catalogue import Catalogue
from storage.errors import UnknownRecordError
from storage.objects import ObjectStore
from storage.records import AddOutcome, InstanceRecord, ReceivedInstance, StoredObject

from ..errors import MissingIdentifierError, NotParsableError, UidMismatchError
from ..network.sop_classes import DEFLATED_SYNTAXES, EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from ..settings import Settings
from .file_format import file_head
from .framing import Framing, frame
from .group_commit import GroupCommit
from .header import Header
from .instance_record import instance_record
from .pixels import check_pixels

UID_FORM = re.compile(r"[0-9]+(\.[0-9]+)*")
MAX_UID_LENGTH = 64

OnKept = Callable[[InstanceRecord], None]


class Ingest:
    """Callable with each instance that was received. Raises `ReceiveError`, or `StorageError` from the memory."""

    def __init__(
        self, store: ObjectStore, catalogue: Catalogue, settings: Settings, on_kept: OnKept | None = None
    ) -> None:
        """`on_kept` hears of each instance that was taken, in the thread that handed it over."""
        self._on_kept = on_kept
        self._store = store
        self._catalogue = catalogue
        self._commit = GroupCommit(store, catalogue)
        self.quiet_time = timedelta(seconds=settings.matching.quiet_time_s)
        self._domain = settings.node.patient_id_domain
        self._domains = {
            peer.ae_title: peer.patient_id_domain for peer in settings.peers.values() if peer.patient_id_domain
        }
        self._local = ZoneInfo(settings.node.time_zone)

    def __call__(self, received: ReceivedInstance) -> AddOutcome:
        header, framing = checked(received)
        arrival = self._store.arrive(received.calling_ae_title, file_head(received), received.dataset)
        try:
            record = self._record(received, header, framing, arrival.stored)
        except BaseException:
            self._store.refuse(arrival)
            raise
        outcome = self._commit(arrival, record, received.received_at + self.quiet_time)
        if self._on_kept is not None:
            self._on_kept(record)
        return outcome

    def settle(self) -> None:
        """Bring the rows of what was taken to disk. Raises `StorageError`; whoever calls it may try again."""
        self._commit.settle()

    def again(
        self, stored: StoredObject, received: ReceivedInstance, quiet_time: timedelta = timedelta()
    ) -> AddOutcome:
        """Enter an instance whose bytes are already kept as `stored`; its quiet time is over, or is `quiet_time`.

        Who sent it is not in its file: it is taken to be who sent the other instances of its series, where there are
        such and nobody knows better, since that says who issued a Patient ID without issuer.
        """
        return self._catalogue.add_instance(self.described(stored, received), received.received_at + quiet_time)

    def described(self, stored: StoredObject, received: ReceivedInstance) -> InstanceRecord:
        """What the index would keep of it. Raises `ReceiveError`."""
        header, framing = checked(received)
        if not received.calling_ae_title:
            with suppress(UnknownRecordError):
                source = self._catalogue.series(header.text("SeriesInstanceUID")).source_ae_title
                received = replace(received, calling_ae_title=source)
        return self._record(received, header, framing, stored)

    def _record(
        self, received: ReceivedInstance, header: Header, framing: Framing, stored: StoredObject
    ) -> InstanceRecord:
        return instance_record(
            received,
            header,
            framing,
            stored,
            domain=self._domains.get(received.calling_ae_title, self._domain),
            local=self._local,
        )


def checked(received: ReceivedInstance) -> tuple[Header, Framing]:
    """What the data set holds. Raises `ReceiveError` unless it is whole and is what the command says."""
    explicit = received.transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN
    little_endian = received.transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN
    framing = frame(
        received.dataset,
        explicit=explicit,
        little_endian=little_endian,
        deflated=received.transfer_syntax_uid in DEFLATED_SYNTAXES,
    )
    header = Header(
        bytes(framing.body[: framing.header_end]),
        explicit=explicit,
        little_endian=little_endian,
        elements=framing.elements,
    )
    _check_identifiers(received, header)
    check_pixels(received.sop_class_uid, received.transfer_syntax_uid, header, framing)
    return header, framing


def _check_identifiers(received: ReceivedInstance, header: Header) -> None:
    said = {"SOPClassUID": received.sop_class_uid, "SOPInstanceUID": received.sop_instance_uid}
    for keyword in (*said, "StudyInstanceUID", "SeriesInstanceUID"):
        uid = header.text(keyword)
        if not uid:
            raise MissingIdentifierError(f"{keyword} is absent or empty")
        if not UID_FORM.fullmatch(uid) or len(uid) > MAX_UID_LENGTH:
            raise NotParsableError(f"{keyword} is no UID")
        if uid != said.get(keyword, uid):
            raise UidMismatchError(f"{keyword} of the data set is not that of the command")
