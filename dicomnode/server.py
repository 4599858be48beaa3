"""The one application entity that listens, put together from the handlers of those who receive.

Imports no torch. The engines run elsewhere.
"""

import threading
import time
from contextlib import suppress

import structlog
from pynetdicom import AE

from storage.catalogue import Catalogue
from storage.objects import ObjectStore
from storage.outbox import Outbox

from .errors import PeerRefusedError, SettingsError
from .network import acceptor_events, set_library_globals
from .network.acceptance import Doorkeeper
from .network.application_entity import Limits, make_acceptor
from .network.contexts import SharedContexts, storage_contexts, verification_context
from .network.echo import echo
from .observe.health import HealthServer
from .receive import storage_scp
from .receive.direct_scp import DirectScp
from .receive.ingest import Ingest
from .receive.listener import Listener
from .receive.places import Places
from .send import storage_commitment
from .settings import PeerSettings, Settings

log = structlog.get_logger()

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to find what listens there
POLL_S = 0.05

LARGEST_PDU_BYTES = 16 << 20
"""What "any length" comes to: a PDU is held in memory."""


class Server:
    """Receives between `start` and `stop`; with [web].port set, answers for its health over HTTP as well."""

    def __init__(self, settings: Settings, store: ObjectStore, catalogue: Catalogue, outbox: Outbox) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._outbox = outbox
        self._store = store
        self._take = Ingest(store, catalogue, settings)
        self._entity: AE | None = None
        self._listener: Listener | None = None
        self._health: HealthServer | None = None

    @property
    def port(self) -> int:
        """Where it listens; the one that was found when the settings say 0."""
        return self._settings.node.port if self._listener is None else int(self._listener.server_address[1])

    @property
    def health_port(self) -> int | None:
        """Where health and metrics are served, if anywhere."""
        return None if self._health is None else self._health.port

    def start(self) -> None:
        """Listen. Returns when a C-ECHO to ourselves was answered; raises `SettingsError` when the port is taken."""
        node = self._settings.node
        set_library_globals()
        self._entity = make_acceptor(node, self._settings.peers)
        storage_commitment.add_contexts(self._entity)
        stored = [verification_context(), *storage_contexts()]
        handlers = [
            *acceptor_events.handlers(),
            *storage_scp.handlers(self._take),
            *storage_commitment.handlers(self._outbox, self._settings.sending),
        ]
        try:
            self._listener = Listener(
                self._entity,
                (node.host, node.port),
                SharedContexts([*stored, *self._entity.supported_contexts]),
                handlers,
                None if node.receiver == "pynetdicom" else self._direct,
                frozenset(str(context.abstract_syntax) for context in self._entity.supported_contexts),
            )
        except OSError as error:
            raise SettingsError(
                f"node.host, node.port: cannot listen on {node.host}:{node.port}: {error.strerror}"
            ) from error
        threading.Thread(target=self._listener.serve_forever, name="listener", daemon=True).start()
        try:
            self.echo()
            self._serve_health()
        except BaseException:
            self.stop(drain_s=0)
            raise
        log.info("listening", action="server_started", ae_title=node.ae_title, host=node.host, port=self.port)

    def stop(self, drain_s: float = 10) -> None:
        """Let nobody in any more, wait up to `drain_s` for who is in, then abort the rest."""
        if self._health is not None:
            self._health.stop()
            self._health = None
        if self._listener is None or self._entity is None:
            return
        listener, self._listener = self._listener, None
        listener.shutdown()
        deadline = time.monotonic() + drain_s
        while listener.busy and time.monotonic() < deadline:
            time.sleep(POLL_S)
        listener.cut()
        log.info("no longer listening", action="server_stopped")

    def _direct(self, places: Places) -> DirectScp:
        """What serves most associations, with the rules and limits of the settings."""
        node = self._settings.node
        known = {node.ae_title.strip(), *(peer.ae_title.strip() for peer in self._settings.peers.values())}
        max_pdu_bytes = min(node.max_pdu_bytes or LARGEST_PDU_BYTES, LARGEST_PDU_BYTES)
        doorkeeper = Doorkeeper(
            called_ae_title=node.ae_title if node.require_called_ae_title else None,
            calling_ae_titles=None if node.accept_unknown_peers else frozenset(known),
            supported=[verification_context(), *storage_contexts()],
            max_pdu_bytes=max_pdu_bytes,
            take_place=places.take,
        )
        return DirectScp(
            doorkeeper=doorkeeper,
            places=places,
            take=self._take,
            scratch=self._store.scratch,
            own_ae_title=node.ae_title,
            max_pdu_bytes=max_pdu_bytes,
            max_instance_bytes=node.max_instance_bytes,
            idle_timeout_s=node.network_timeout_s,
        )

    def echo(self) -> float:
        """Seconds that a C-ECHO to ourselves takes. Raises `PeerError`."""
        node = self._settings.node
        ourselves = PeerSettings(ae_title=node.ae_title, host=EVERY_ADDRESS.get(node.host, node.host), port=self.port)
        return echo(ourselves, node.ae_title, limits=Limits.of(node))

    def _answers(self) -> None:
        """Whether anybody is at home: a refusal because every place is taken is an answer."""
        with suppress(PeerRefusedError):
            self.echo()

    def _serve_health(self) -> None:
        web = self._settings.web
        if web.port == 0:
            return
        checks = {"dicom": self._answers, "database": self._catalogue.next_due_at}
        try:
            self._health = HealthServer(web.host, web.port, checks)
        except OSError as error:
            raise SettingsError(
                f"web.host, web.port: cannot listen on {web.host}:{web.port}: {error.strerror}"
            ) from error
        self._health.start()
