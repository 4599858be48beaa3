"""Rows that follow their files to disk: behind the answers while the node runs, from the files at the next start."""

import threading
from dataclasses import replace

import structlog

from storage.catalogue import Catalogue
from storage.errors import StorageError
from storage.objects import ObjectStore

from ..errors import ReceiveError
from .file_format import received_in
from .ingest import Ingest

log = structlog.get_logger()

EVERY_S = 1.0


class Settling:
    """Between `start` and `stop`, rows are brought to disk once a second, without anybody waiting for it."""

    def __init__(self, store: ObjectStore, catalogue: Catalogue, take: Ingest) -> None:
        self._store = store
        self._catalogue = catalogue
        self._take = take
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Enter again what a crash may have taken out of the index, before anybody is let in. Raises `StorageError`."""
        take_up(self._store, self._catalogue, self._take)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="settling", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Settle what is left."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._settle()
        self._settle()

    def _settle(self) -> None:
        try:
            self._take.settle()
        except (StorageError, OSError) as error:  # it stays in the journal
            log.warning("rows cannot be brought to disk yet", action="settling_failed", error=str(error))


def take_up(store: ObjectStore, catalogue: Catalogue, take: Ingest) -> None:
    """Enter everything that arrived and whose row is not certain, the oldest first. Most rows will be there."""
    arrivals = store.unsettled()
    for arrival in sorted(arrivals, key=lambda each: store.put_at(each.stored.digest)):
        digest = arrival.stored.digest
        try:
            received = received_in(store.read(digest), store.put_at(digest))
            outcome = take.again(arrival.stored, replace(received, calling_ae_title=arrival.origin), take.quiet_time)
        except ReceiveError as error:  # an older release kept it
            log.warning("what arrived cannot be entered", action="arrival_left", digest=digest, reason=str(error))
            continue
        log.info("what arrived was entered", action="arrival_entered", digest=digest, outcome=outcome.value)
    catalogue.make_durable()
    store.settle(arrivals)
