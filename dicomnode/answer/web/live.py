"""Server-sent events: a word whenever something in the ledger has changed, so that pages fetch their tables again."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from storage.case_listing import CaseListing
from storage.errors import StorageError
from storage.switches import PAUSE

from .guard import guarded
from .parts import Parts, WebParts

router = guarded("cases")

EVERY_S = 1.0
AT_LEAST_EVERY_S = 20.0
"""Ages on the page grow also when nothing happens; and a proxy closes what says nothing."""


@router.get("/live")
async def live(request: Request, parts: Parts) -> StreamingResponse:
    """Events until the browser goes away."""
    return StreamingResponse(_events(request, parts), media_type="text/event-stream")


async def _events(request: Request, parts: WebParts) -> AsyncIterator[str]:
    yield "retry: 3000\n\n"
    seen = await run_in_threadpool(STAMPS.of, parts)
    told = time.monotonic()
    while not parts.closing.is_set() and not await request.is_disconnected():
        await asyncio.sleep(EVERY_S)
        stamp = await run_in_threadpool(STAMPS.of, parts)
        if stamp != seen or time.monotonic() - told > AT_LEAST_EVERY_S:
            seen, told = stamp, time.monotonic()
            yield "event: ledger\ndata: changed\n\n"


class _Stamps:
    """The state of the ledger in one value, asked for once a second however many pages are open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = 0.0
        self._value: Any = None
        self._of: WebParts | None = None

    def of(self, parts: WebParts) -> Any:
        """The latest; the one before where the ledger does not answer."""
        with self._lock:
            if self._of is not parts or time.monotonic() - self._at > EVERY_S / 2:
                try:
                    self._value = (CaseListing(parts.database).stamp(), parts.switches.get(PAUSE))
                except StorageError:
                    return self._value
                self._at, self._of = time.monotonic(), parts
            return self._value


STAMPS = _Stamps()
