"""Instances of several associations that reach disk and index together.

Each association writes its own bytes; whoever comes first then brings what has gathered meanwhile to disk and enters it
in one transaction, for all of them. Nobody waits for a partner: alone, an instance is committed at once.

Only the files are on disk then. Their rows follow with `settle`, some hundred at a time and behind the answers: until
then the store knows what arrived, and whatever a power cut took out of the index is entered again at the next start.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.catalogue import Catalogue
from storage.errors import StorageError
from storage.objects import Arrival, ObjectStore
from storage.records import AddOutcome, InstanceRecord

MOST_AT_ONCE = 64


@dataclass(slots=True)
class _Entry:
    """One instance that waits, and what became of it."""

    arrival: Arrival
    record: InstanceRecord
    due_at: datetime
    outcome: AddOutcome | None = None
    trouble: Exception | None = None

    @property
    def is_through(self) -> bool:
        return self.outcome is not None or self.trouble is not None


class GroupCommit:
    """Callable from any thread. Returns when the instance is durable; raises `StorageError` when it is not."""

    def __init__(self, store: ObjectStore, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._waiting: list[_Entry] = []
        self._unsettled: list[Arrival] = []
        self._gathering = threading.Lock()
        self._committing = threading.Lock()

    def __call__(self, arrival: Arrival, record: InstanceRecord, due_at: datetime) -> AddOutcome:
        entry = _Entry(arrival, record, due_at)
        with self._gathering:
            self._waiting.append(entry)
        with self._committing:
            while not entry.is_through:  # nobody before us took it along
                self._commit(self._gathered())
        if entry.trouble is not None:
            self._store.refuse(arrival)
            raise entry.trouble
        if entry.outcome is None:
            raise StorageError("an instance was neither kept nor refused")
        return entry.outcome

    def settle(self) -> None:
        """Bring the rows of what was answered to disk. Raises `StorageError`; what is left is for the next call."""
        with self._gathering:
            arrivals = list(self._unsettled)
        if arrivals:
            self._catalogue.make_durable()
            self._store.settle(arrivals)
            with self._gathering:
                del self._unsettled[: len(arrivals)]

    def _gathered(self) -> list[_Entry]:
        with self._gathering:
            taken, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        return taken

    def _commit(self, entries: Sequence[_Entry]) -> None:
        try:
            self._store.sync([entry.arrival for entry in entries])
            outcomes = self._catalogue.add_instances([(entry.record, entry.due_at) for entry in entries], durable=False)
        except Exception as error:  # noqa: BLE001 - each association must hear of its own
            if len(entries) == 1:
                entries[0].trouble = error
                return
            for entry in entries:  # one by one: the trouble of one is not that of all
                self._commit([entry])
            return
        with self._gathering:
            self._unsettled += [entry.arrival for entry in entries]
        for entry, outcome in zip(entries, outcomes, strict=True):
            entry.outcome = outcome
