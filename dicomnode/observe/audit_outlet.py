"""Where audit messages go: each place has a queue and a thread, so that a slow one holds up nobody."""

import queue
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from .logs import describe
from .metrics import AUDIT_LOST

log = structlog.get_logger()

BATCH = 100
LONGEST_WAIT_S = 30.0
LAST_WORDS_S = 3.0
"""How long a stop waits for what is still queued."""

Write = Callable[[Sequence[str]], None]
"""Takes messages, or raises `OSError`."""


class Outlet:
    """Hands messages on in order. What does not fit in its queue, or is left at the end, is counted as lost."""

    def __init__(self, name: str, write: Write, size: int) -> None:
        self._name = name
        self._write = write
        self._queue: queue.Queue[str] = queue.Queue(size)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"audit-{name}", daemon=True)
        self._thread.start()

    def put(self, message: str) -> None:
        """Never waits."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            AUDIT_LOST.labels(self._name).inc()

    def stop(self) -> None:
        """Hand on what is queued, but not for ever."""
        deadline = time.monotonic() + LAST_WORDS_S
        self._stopping.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        AUDIT_LOST.labels(self._name).inc(self._queue.qsize())

    def _run(self) -> None:
        while batch := self._next():
            wait_s = 0.5
            while not self._written(batch):
                if self._stopping.wait(wait_s):
                    AUDIT_LOST.labels(self._name).inc(len(batch))
                    return
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _next(self) -> list[str]:
        """What is queued, as much of it as goes at once; empty at the end."""
        batch: list[str] = []
        while not batch and not (self._stopping.is_set() and self._queue.empty()):
            try:
                batch.append(self._queue.get(timeout=0.2))
            except queue.Empty:
                continue
        while batch and len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    def _written(self, batch: Sequence[str]) -> bool:
        try:
            self._write(batch)
        except OSError as error:
            log.warning("audit messages wait", action="audit_waits", place=self._name, error=describe(error))
            return False
        return True
