"""Objects of the store that no record names: what they are, and how received ones get their records back.

The ledger is the index of the objects; where an older one was restored, it is made whole again from them.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from storage.errors import CorruptObjectError, UnknownRecordError
from storage.objects import ObjectStore
from storage.records import AddOutcome, StoredObject

from ..errors import ReceiveError
from .file_format import part10_file, received_in
from .ingest import Ingest, checked
from .instance_record import is_our_own

log = structlog.get_logger()

GZIP = 16
"""Added to the size of the window, it makes zlib expect gzip (RFC 1952)."""
NIFTI_HEADER_BYTES, NIFTI_MAGIC_AT = 348, 344


class Origin(StrEnum):
    """Where an object came from, by its bytes alone."""

    RECEIVED = "received"
    DERIVED = "derived"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What became of the objects that no record named. `unknown` are their digests."""

    outcomes: Counter[AddOutcome]
    derived: int
    unknown: tuple[str, ...]


def unnamed(store: ObjectStore, is_named: Callable[[str], bool], before: datetime) -> Iterator[str]:
    """Objects that no record names and that nobody put since `before`: younger ones may still get their record."""
    for digest in store.digests():
        try:
            if not is_named(digest) and store.put_at(digest) < before:
                yield digest
        except UnknownRecordError:  # swept since it was listed
            continue


def origin_of(store: ObjectStore, digest: str) -> Origin:
    """Whether the node received or made the object; UNKNOWN when it is damaged or no whole DICOM file.

    Own outputs that a PACS sent back were received: their file meta information is what `part10_file` writes.
    """
    try:
        file = store.read(digest)
        if _is_review_volume(file):
            return Origin.DERIVED
        received = received_in(file, store.put_at(digest))
        header, _ = checked(received)
    except (ReceiveError, CorruptObjectError):
        return Origin.UNKNOWN
    made_here = is_our_own(header) and part10_file(received) != file
    return Origin.DERIVED if made_here else Origin.RECEIVED


def _is_review_volume(file: bytes) -> bool:
    """What a worker makes for the review page: NIfTI-1 in gzip, which no peer can send."""
    try:
        header = zlib.decompressobj(wbits=zlib.MAX_WBITS | GZIP).decompress(file, NIFTI_HEADER_BYTES)
    except zlib.error:
        return False
    return header[NIFTI_MAGIC_AT:] == b"n+1\0"


def reindex(store: ObjectStore, take: Ingest, is_named: Callable[[str], bool], before: datetime) -> Reindexed:
    """Enter every received object that no record names, the oldest first, so that the first of a name is in use."""
    outcomes: Counter[AddOutcome] = Counter()
    derived, unknown = 0, []
    for digest in sorted(unnamed(store, is_named, before), key=lambda each: (store.put_at(each), each)):
        origin = origin_of(store, digest)
        if origin is Origin.RECEIVED:
            file = store.read(digest)
            outcome = take.again(StoredObject(digest, len(file)), received_in(file, store.put_at(digest)))
            log.info("an object was entered again", action="object_reindexed", digest=digest, outcome=outcome.value)
            outcomes[outcome] += 1
        elif origin is Origin.DERIVED:
            derived += 1
        else:
            unknown.append(digest)
    return Reindexed(outcomes, derived, tuple(unknown))
