"""What came under a name that was taken: told apart by what it says, not by how it is encoded.

The catalogue sets other bytes aside at once, durably. Here both are compared: the same in another transfer syntax is
dropped again and answered as Success; other headers are a version, other pixels a conflict, and the answer says so.
"""

import hashlib
from collections.abc import Callable

import structlog

from storage.errors import UnknownRecordError
from storage.objects import ObjectStore
from storage.records import AddOutcome, ReceivedInstance, SetAsideInstance
from storage.set_aside import SetAside

from .comparer import Comparer
from .file_format import file_head
from .outcome import Taken

TOO_MANY = 3
"""So many differing elements are named in an answer; `dicomnode conflicts` names all."""

log = structlog.get_logger()


class SecondLook:
    """Callable with each instance that was received, around whatever keeps it."""

    def __init__(self, keep: Callable[[ReceivedInstance], AddOutcome], store: ObjectStore, set_aside: SetAside) -> None:
        self._keep = keep
        self._store = store
        self._set_aside = set_aside
        self._compare = Comparer()

    def __call__(self, received: ReceivedInstance) -> Taken:
        outcome = self._keep(received)
        if outcome not in (AddOutcome.VERSION, AddOutcome.CONFLICT):
            return Taken(outcome)
        digest = _digest(received)
        found = [each for each in self._set_aside.list(received.sop_instance_uid) if each.stored.digest == digest]
        if not found:  # meanwhile another association has found the same bytes to say the same, or they are in use
            return Taken(AddOutcome.DUPLICATE)
        one = found[0]
        if one.differences is None:
            return self._judged(one)
        return Taken(one.reason, _comment(one.reason, one.differences))

    def close(self) -> None:
        """End the process that compares."""
        self._compare.close()

    def _judged(self, one: SetAsideInstance) -> Taken:
        if one.in_use is None:
            return Taken(one.reason)
        try:
            put_at = self._store.put_at(one.stored.digest)
            found = self._compare(self._store.path(one.in_use.digest), self._store.path(one.stored.digest))
        except UnknownRecordError:  # the bytes in use are gone: what came is kept, and nobody can say how it differs
            return Taken(one.reason)
        if found is None:
            return Taken(one.reason)
        if found.is_none:
            if self._set_aside.forget(one):
                self._store.remove(one.stored.digest, put_at)
            log.info(
                "the same instance came in another encoding",
                action="instance_transcoded",
                series_instance_uid=one.series_instance_uid,
            )
            return Taken(AddOutcome.DUPLICATE)
        # Pixels that nothing here decodes are equal only where their bytes are.
        same = one.reason is AddOutcome.VERSION if found.pixels is None else found.pixels
        reason = AddOutcome.VERSION if same else AddOutcome.CONFLICT
        self._set_aside.judge(one, reason, found.tags)
        log.warning(
            "an instance was set aside",
            action="instance_set_aside",
            reason=reason.value,
            series_instance_uid=one.series_instance_uid,
            differences=list(found.tags),
        )
        return Taken(reason, _comment(reason, found.tags))


def _digest(received: ReceivedInstance) -> str:
    digest = hashlib.sha256(file_head(received))
    digest.update(received.dataset)
    return digest.hexdigest()


def _comment(reason: AddOutcome, tags: tuple[str, ...]) -> str:
    """An Error Comment, which is cut at 64 characters: the names of elements, never their values."""
    if reason is not AddOutcome.VERSION or not tags:
        return ""
    more = f" +{len(tags) - TOO_MANY}" if len(tags) > TOO_MANY else ""
    return f"Header differs: {', '.join(tags[:TOO_MANY])}{more}"
