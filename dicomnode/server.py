"""The one application entity that listens, put together from the handlers of those who receive.

Imports no torch. The engines run elsewhere.
"""

import threading
import time
from contextlib import suppress

import structlog
from pynetdicom import AE

from storage.catalogue import Catalogue
from storage.commitments import Commitments
from storage.objects import ObjectStore
from storage.outbox import Outbox

from .errors import PeerRefusedError, SettingsError
from .network import acceptor_events, set_library_globals
from .network.acceptance import Doorkeeper
from .network.application_entity import Limits, make_acceptor
from .network.contexts import SharedContexts, storage_contexts, verification_context
from .network.echo import echo
from .network.ourselves import ourselves
from .network.peer_rules import PeerRules, open_doors
from .network.tls import ServerTls, TlsFiles
from .observe.audit_trail import AuditTrail
from .receive import announcements, storage_scp
from .receive.direct_scp import DirectScp
from .receive.ingest import Ingest
from .receive.listener import Listener
from .receive.outcome import Take
from .receive.places import Places
from .receive.second_look import SecondLook
from .receive.settling import Settling
from .send import storage_commitment
from .send.commitment_reports import CommitmentReports
from .send.commitment_scp import CommitmentScp
from .settings import Settings

log = structlog.get_logger()

POLL_S = 0.05

LARGEST_PDU_BYTES = 16 << 20
"""What "any length" comes to: a PDU is held in memory."""


class Server:
    """Receives between `start` and `stop`."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        catalogue: Catalogue,
        outbox: Outbox,
        audit: AuditTrail | None = None,
        commitments: Commitments | None = None,
    ) -> None:
        """Without `commitments` peers cannot ask what the node holds."""
        self._audit = audit or AuditTrail.silent()
        self._settings = settings
        self._catalogue = catalogue
        self._outbox = outbox
        self._store = store
        keep = Ingest(store, catalogue, settings, self._audit.kept)
        self._settling = Settling(store, catalogue, keep)
        self._take = SecondLook(keep, store, catalogue.aside)
        self._commitments = commitments
        self._reports = None if commitments is None else CommitmentReports(settings, commitments, catalogue, store)
        self._entity: AE | None = None
        self._places = Places(settings.node.max_associations)
        self._plain: Listener | None = None
        self._encrypted: Listener | None = None

    @property
    def port(self) -> int:
        """Where it listens without TLS; the port that was found when the settings say 0."""
        return self._port_of(self._plain, self._settings.node.port)

    @property
    def tls_port(self) -> int:
        """Where it listens with TLS, likewise."""
        return self._port_of(self._encrypted, self._settings.node.tls_port)

    @property
    def take(self) -> Take:
        """Keeps an instance that came another way as one that was sent here."""
        return self._take

    @property
    def busy(self) -> int:
        """How many associations there are."""
        return self._places.taken

    @staticmethod
    def _port_of(listener: Listener | None, wanted: int) -> int:
        return wanted if listener is None else int(listener.server_address[1])

    def start(self) -> None:
        """Listen. Returns when a C-ECHO to ourselves was answered; raises `SettingsError` when the port is taken."""
        node = self._settings.node
        set_library_globals()
        for door in open_doors(node, self._settings.peers):
            log.warning(door, action="open_door")
        self._entity = make_acceptor(node, self._settings.peers)
        storage_commitment.add_contexts(self._entity)
        announcements.add_contexts(self._entity)
        self._settling.start()
        try:
            if node.plain:
                self._plain = self._listen(self._entity, node.port, "port")
            if node.tls:
                self._encrypted = self._listen(self._entity, node.tls_port, "tls_port", self._tls())
            self.echo()
            if self._reports is not None:
                self._reports.start()
        except BaseException:
            self.stop(drain_s=0)
            raise
        log.info("listening", action="server_started", ae_title=node.ae_title, host=node.host, **self._ports())

    def stop(self, drain_s: float = 10) -> None:
        """Let nobody in any more, wait up to `drain_s` for who is in, then abort the rest."""
        self._take.close()
        listeners = [listener for listener in (self._plain, self._encrypted) if listener is not None]
        self._plain = self._encrypted = None
        if not listeners:
            self._settling.stop()
            return
        for listener in listeners:
            listener.shutdown()
        if self._reports is not None:
            self._reports.stop()
        deadline = time.monotonic() + drain_s
        while self._places.taken and time.monotonic() < deadline:
            time.sleep(POLL_S)
        for listener in listeners:
            listener.cut()
        self._settling.stop()
        log.info("no longer listening", action="server_stopped")

    def _ports(self) -> dict[str, int]:
        ports = {"port": self.port} if self._plain is not None else {}
        return ports | ({"tls_port": self.tls_port} if self._encrypted is not None else {})

    def _listen(self, entity: AE, port: int, key: str, tls: ServerTls | None = None) -> Listener:
        """One listening socket with a thread of its own."""
        node = self._settings.node
        served_directly = node.receiver == "direct"
        handlers = [
            *acceptor_events.handlers(),
            *storage_scp.handlers(self._take),
            *announcements.handlers(self._catalogue.announcements),
            *storage_commitment.handlers(self._outbox, self._settings.sending),
        ]
        if self._commitments is not None and self._reports is not None:
            handlers += CommitmentScp(self._settings.peers, self._commitments, self._reports).handlers()
        by_library = entity.supported_contexts
        try:
            listener = Listener(
                entity,
                (node.host, port),
                SharedContexts([verification_context(), *storage_contexts(), *by_library]),
                handlers,
                self._direct(),
                frozenset(str(context.abstract_syntax) for context in by_library) if served_directly else None,
                tls,
            )
        except OSError as error:
            raise SettingsError(
                f"node.host, node.{key}: cannot listen on {node.host}:{port}: {error.strerror}"
            ) from error
        threading.Thread(target=listener.serve_forever, name=f"listener-{key}", daemon=True).start()
        return listener

    def _own_files(self) -> TlsFiles:
        tls = self._settings.tls
        return TlsFiles(tls.certificate, tls.key, tls.ca)

    def _tls(self) -> ServerTls:
        required = self._settings.tls.require_client_certificate
        return ServerTls(self._own_files(), require_client_certificate=required)

    def _direct(self) -> DirectScp:
        """What serves most associations, with the rules and limits of the settings."""
        node = self._settings.node
        max_pdu_bytes = min(node.max_pdu_bytes or LARGEST_PDU_BYTES, LARGEST_PDU_BYTES)
        doorkeeper = Doorkeeper(
            called_ae_title=node.ae_title if node.require_called_ae_title else None,
            rules=PeerRules.of(node, self._settings.peers),
            supported=[verification_context(), *storage_contexts()],
            max_pdu_bytes=max_pdu_bytes,
            take_place=self._places.take,
        )
        return DirectScp(
            doorkeeper=doorkeeper,
            places=self._places,
            take=self._take,
            audit=self._audit,
            scratch=self._store.scratch,
            own_ae_title=node.ae_title,
            max_pdu_bytes=max_pdu_bytes,
            max_instance_bytes=node.max_instance_bytes,
            idle_timeout_s=node.network_timeout_s,
        )

    def echo(self) -> float:
        """Seconds that a C-ECHO to ourselves takes. Raises `PeerError`."""
        own = ourselves(self._settings, self.port, self.tls_port)
        return echo(own, self._settings.node.ae_title, limits=Limits.of(self._settings.node))

    def is_at_home(self) -> None:
        """Raises `PeerError` when nobody answers; a refusal because every place is taken is an answer."""
        with suppress(PeerRefusedError):
            self.echo()
