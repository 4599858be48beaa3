"""TLS as BCP 195 asks for it (RFC 9325; PS3.15 B.10, non-downgrading): 1.2 and 1.3, ephemeral keys, sealed records.

Certificates and keys are PEM files. They are looked at before each connection, so that a renewed certificate is in use
at once and nothing has to be started again.
"""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog

from ..errors import SettingsError
from .tls_connection import TlsConnection

log = structlog.get_logger()

CIPHERS = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256")
    for signature in ("ECDSA", "RSA")
)
"""What TLS 1.2 may use: RFC 9325 4.2, which are the suites of PS3.15 B.10 with elliptic curves. 1.3 has no others."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Our certificate with its key, and the authorities whose certificates are believed; empty: there is none."""

    certificate: str
    key: str
    ca: str

    @property
    def state(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when one of the files does."""
        return tuple(_state_of(name) for name in (self.certificate, self.key, self.ca) if name)


def server_context(files: TlsFiles, *, require_client_certificate: bool) -> ssl.SSLContext:
    """For connections that peers open. Raises `SettingsError` when a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # who resumed a session would not be checked again
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    _harden(context, files)
    if files.ca:
        context.load_verify_locations(cadata=_leaf(files.certificate))  # who has our key is us
        context.verify_mode = ssl.CERT_OPTIONAL
    if require_client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(files: TlsFiles, *, check_host: bool) -> ssl.SSLContext:
    """For connections that we open. Raises `SettingsError` when a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context, files)
    context.check_hostname = check_host
    return context


class ServerTls:
    """The context for the next connection; made anew when a file has changed."""

    def __init__(self, files: TlsFiles, *, require_client_certificate: bool) -> None:
        """Raises `SettingsError` when a file cannot be used."""
        self._files = files
        self._require = require_client_certificate
        self._lock = threading.Lock()
        self._state = files.state
        self._context = server_context(files, require_client_certificate=require_client_certificate)

    @property
    def context(self) -> ssl.SSLContext:
        """As the files are now; as they were, while they cannot be used."""
        state = self._files.state
        with self._lock:
            if state != self._state:
                self._state = state
                self._renew()
            return self._context

    def _renew(self) -> None:
        try:
            self._context = server_context(self._files, require_client_certificate=self._require)
        except SettingsError as error:
            log.warning("changed certificates cannot be used", action="certificates_kept", reason=str(error))
        else:
            log.info("certificates were read again", action="certificates_renewed")


def _harden(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.sslsocket_class = TlsConnection
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a peer's own certificate may be named instead of its CA's
    try:
        if files.certificate:
            context.load_cert_chain(files.certificate, files.key or None)
        if files.ca:
            context.load_verify_locations(files.ca)
    except OSError as error:  # an SSLError is one
        names = ", ".join(name for name in (files.certificate, files.key, files.ca) if name)
        raise SettingsError(f"tls: one of {names} cannot be used: {error.strerror or type(error).__name__}") from error


def _leaf(name: str) -> str:
    """The first certificate of a file: those after it are its issuers'."""
    end = "-----END CERTIFICATE-----"
    return Path(name).read_text(encoding="ascii", errors="replace").partition(end)[0] + end


def _state_of(name: str) -> tuple[int, int, int]:
    try:
        found = Path(name).stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
