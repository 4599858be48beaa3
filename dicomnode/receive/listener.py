"""The listening socket: each connection is looked at and served directly, or handed to pynetdicom untouched.

What decides is the request itself, which is looked at and left in the socket: whoever serves it reads it as if nobody
had. Whether the peer may come in is judged here for both.
"""

import contextlib
import itertools
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import structlog
from pynetdicom import AE, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from ..network.acceptance import Request
from ..network.pdu_stream import UNEXPECTED_PDU, abort_pdu
from ..network.peer_rules import Caller
from ..network.rejection import Rejection
from ..network.tls import ServerTls
from ..network.tls_connection import TlsConnection
from ..observe.metrics import REFUSALS
from .direct_scp import DirectScp
from .first_look import SETTLED_S, looked_at, wait_at_most

log = structlog.get_logger()

BACKLOG = 1024
"""Connections that wait to be let in. The library's five are filled by one busy workstation."""

MAX_CONNECTIONS = 2000
"""Each has a thread; who opens more of them at once means no good."""


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
        direct: DirectScp,
        handed_on: frozenset[str] | None,
        tls: ServerTls | None = None,
    ) -> None:
        """Classes of `handed_on` are pynetdicom's, None: all; the rest is served directly."""
        self.direct = direct
        self.handed_on = handed_on
        self.tls = tls
        self.numbers = itertools.count(1)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(entity, address, entity.ae_title, contexts, evt_handlers=handlers, request_handler=_Handler)

    @property
    def busy(self) -> int:
        """How many associations there are, whoever serves them."""
        return self.direct.places.taken

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - as in socketserver
        """Whether there is a thread to spare."""
        with self._lock:
            if len(self._open) < MAX_CONNECTIONS:
                return True
        log.warning("too many connections", action="connection_refused", peer_address=str(client_address[0]))
        REFUSALS.labels("connections").inc()
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
            if isinstance(connection, TlsConnection):
                connection.say_goodbye()
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
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # under TLS's feet: its thread may be reading
        for association in self.active_associations:
            association.abort()


class _Handler(RequestHandler):  # type: ignore[misc]
    """One connection."""

    server: Listener
    request: socket.socket

    def handle(self) -> None:
        address = str(self.client_address[0])
        try:
            connection = self._wrapped()
        except OSError:  # it was gone before we came to it
            self.request.close()
            return
        with self.server.holding(connection):
            self.request = connection
            try:
                caller = self._caller(connection, address)
            except OSError as error:
                self._not_understood(address, error)
                return
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection, caller)

    def _wrapped(self) -> socket.socket:
        """The connection, under TLS where that is spoken here; nothing is read yet."""
        if self.server.tls is None:
            return self.request
        return self.server.tls.context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)

    def _caller(self, connection: socket.socket, address: str) -> Caller:
        """Who is there; under TLS after the handshake, which may take as long as an association request."""
        local = str(connection.getsockname()[0])
        if not isinstance(connection, TlsConnection):
            return Caller(address, local)
        connection.settimeout(self.ae.acse_timeout)
        connection.do_handshake()
        return Caller(address, local, encrypted=True, certificate=connection.certificate)

    def _not_understood(self, address: str, error: OSError) -> None:
        """A connection without TLS, or with a certificate that is not believed."""
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or type(error).__name__
        log.warning("no TLS connection", action="handshake_failed", peer_address=address, reason=str(reason))
        REFUSALS.labels("handshake").inc()
        self.server.direct.audit.refused("", address, f"no TLS connection: {reason}")

    def _serve(self, connection: socket.socket, caller: Caller) -> None:
        direct = self.server.direct
        wait_at_most(connection, self.ae.acse_timeout)
        asked = looked_at(connection)
        if asked is not None and self._is_handed_on(asked):
            self._hand_on(connection, caller, asked)
        elif asked is None and self.server.handed_on is None:
            with contextlib.suppress(OSError):
                connection.sendall(abort_pdu(UNEXPECTED_PDU))
        else:
            wait_at_most(connection, SETTLED_S if asked is None else direct.idle_timeout_s)
            direct.serve(connection, caller, next(self.server.numbers))

    def _is_handed_on(self, asked: Request) -> bool:
        handed_on = self.server.handed_on
        return handed_on is None or bool(asked.abstract_syntaxes & handed_on)

    def _hand_on(self, connection: socket.socket, caller: Caller, asked: Request) -> None:
        """Let pynetdicom serve who may come in, and wait for the end of it."""
        direct = self.server.direct
        entered = direct.doorkeeper.enter(asked, caller)
        if isinstance(entered, Rejection):
            direct.reject(connection, caller, next(self.server.numbers), asked, entered)
            return
        association = self._create_association()
        association.peer_name = entered.name  # by the settings, for handlers that ask who it is
        try:
            wait_at_most(connection, 0)
            evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
            association.start()
            association.join()
        finally:
            direct.places.give_back(entered.name)
            direct.audit.association_over(asked.calling_ae_title, caller.address, association.ident)
