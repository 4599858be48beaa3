"""Instances of several associations that reach disk and index together.

Each association writes and publishes its own bytes, since the disk brings several directories to itself at a time;
whoever comes first then enters what has gathered meanwhile, for all of them, in one transaction. Nobody waits for a
partner: alone, an instance is committed at once.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.catalogue import Catalogue
from storage.errors import StorageError
from storage.objects import ObjectStore, Staged
from storage.records import AddOutcome, InstanceRecord

MOST_AT_ONCE = 64


@dataclass(slots=True)
class _Entry:
    """One instance that waits, and what became of it."""

    staged: Staged
    record: InstanceRecord
    due_at: datetime
    outcome: AddOutcome | None = None
    trouble: Exception | None = None

    @property
    def is_settled(self) -> bool:
        return self.outcome is not None or self.trouble is not None


class GroupCommit:
    """Callable from any thread. Returns when the instance is durable; raises `StorageError` when it is not."""

    def __init__(self, store: ObjectStore, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._waiting: list[_Entry] = []
        self._gathering = threading.Lock()
        self._committing = threading.Lock()

    def __call__(self, staged: Staged, record: InstanceRecord, due_at: datetime) -> AddOutcome:
        self._publish(staged)
        entry = _Entry(staged, record, due_at)
        with self._gathering:
            self._waiting.append(entry)
        with self._committing:
            while not entry.is_settled:  # nobody before us took it along
                self._commit(self._gathered())
        if entry.trouble is not None:
            raise entry.trouble
        if entry.outcome is None:
            raise StorageError("an instance was neither kept nor refused")
        return entry.outcome

    def _publish(self, staged: Staged) -> None:
        try:
            self._store.publish([staged])
        except BaseException:
            self._store.discard(staged)
            raise

    def _gathered(self) -> list[_Entry]:
        with self._gathering:
            taken, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        return taken

    def _commit(self, entries: Sequence[_Entry]) -> None:
        try:
            outcomes = self._catalogue.add_instances([(entry.record, entry.due_at) for entry in entries])
        except Exception as error:  # noqa: BLE001 - each association must hear of its own
            if len(entries) == 1:
                entries[0].trouble = error
                self._store.discard(entries[0].staged)
                return
            for entry in entries:  # one by one: the trouble of one is not that of all
                self._commit([entry])
            return
        for entry, outcome in zip(entries, outcomes, strict=True):
            entry.outcome = outcome
