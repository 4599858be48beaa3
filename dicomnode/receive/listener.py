"""The listening socket: each connection is looked at and served directly, or handed to pynetdicom untouched.

What decides is the request itself, which is looked at and left in the socket (MSG_PEEK): whoever serves it reads it as
if nobody had.
"""

import contextlib
import itertools
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from pynetdicom import AE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from ..network.acceptance import Request
from ..network.pdu_stream import A_ASSOCIATE_RQ, HEAD, MAX_CONTROL_BYTES, ProtocolError
from .direct_scp import DirectScp
from .places import Places

log = structlog.get_logger()

BACKLOG = 1024
"""Connections that wait to be let in. The library's five are filled by one busy workstation."""

MAX_CONNECTIONS = 2000
"""Each has a thread; who opens more of them at once means no good."""

SETTLED_S = 1.0
"""How long a connection may take over what should have come already."""

TIMEVAL = struct.Struct("@ll")

MakeDirect = Callable[[Places], DirectScp]


class Listener(ThreadedAssociationServer):  # type: ignore[misc]
    """Accepts connections in a thread of its own, and serves each in one."""

    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(
        self,
        entity: AE,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        handlers: list[tuple[Any, ...]],
        make_direct: MakeDirect | None,
        handed_on: frozenset[str],
    ) -> None:
        """Classes of `handed_on` are pynetdicom's; the rest is served directly where `make_direct` is given."""
        self.places = Places(entity.maximum_associations, lambda: len(self.active_associations))
        self.direct = None if make_direct is None else make_direct(self.places)
        self.handed_on = handed_on
        self.numbers = itertools.count(1)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(entity, address, entity.ae_title, contexts, evt_handlers=handlers, request_handler=_Handler)

    @property
    def busy(self) -> int:
        """How many associations there are, whoever serves them."""
        return self.places.taken + len(self.active_associations)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - as in socketserver
        """Whether there is a thread to spare."""
        with self._lock:
            if len(self._open) < MAX_CONNECTIONS:
                return True
        log.warning("too many connections", action="connection_refused", peer_address=str(client_address[0]))
        return False

    @contextlib.contextmanager
    def holding(self, connection: socket.socket) -> Iterator[None]:
        """Know a connection as long as it is served."""
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def shutdown(self) -> None:
        """Let nobody in any more; who is in goes on."""
        socketserver.BaseServer.shutdown(self)  # the library's own expects to have been started by its entity
        self.server_close()

    def cut(self) -> None:
        """End every association at once."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for association in self.active_associations:
            association.abort()


class _Handler(RequestHandler):  # type: ignore[misc]
    """One connection."""

    server: Listener

    def handle(self) -> None:
        direct = self.server.direct
        if direct is None:
            super().handle()
            return
        connection: socket.socket = self.request
        wait_at_most(connection, self.ae.acse_timeout)
        asked = _looked_at(connection)
        if asked is not None and asked.abstract_syntaxes & self.server.handed_on:
            wait_at_most(connection, 0)
            super().handle()
            return
        with self.server.holding(connection):
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wait_at_most(connection, SETTLED_S if asked is None else direct.idle_timeout_s)
            direct.serve(connection, str(self.client_address[0]), next(self.server.numbers))


def wait_at_most(connection: socket.socket, seconds: float | None) -> None:
    """Bound each read and write; cheaper than Python's own time-out, which asks the system twice. 0: no bound."""
    whole, part = divmod(seconds or 0, 1)
    value = TIMEVAL.pack(int(whole), int(part * 1e6))
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


def _looked_at(connection: socket.socket) -> Request | None:
    """The request, left in the socket; None when it is none, which whoever serves it will find."""
    try:
        head = connection.recv(HEAD.size, socket.MSG_PEEK | socket.MSG_WAITALL)
        if len(head) < HEAD.size:
            return None
        kind, length = HEAD.unpack(head)
        if kind != A_ASSOCIATE_RQ or length > MAX_CONTROL_BYTES:
            return None
        whole = _peeked(connection, HEAD.size + length)
        return None if whole is None else Request.of(whole)
    except (OSError, ProtocolError):
        return None


def _peeked(connection: socket.socket, wanted: int) -> bytes | None:
    """All of it, or None: a request longer than the socket's buffer never lies there whole."""
    deadline = time.monotonic() + SETTLED_S
    while time.monotonic() < deadline:
        there = connection.recv(wanted, socket.MSG_PEEK | socket.MSG_WAITALL)
        if len(there) == wanted:
            return there
        if not there:
            return None
        time.sleep(0.01)
    return None
