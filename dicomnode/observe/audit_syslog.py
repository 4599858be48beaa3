"""Audit messages to a syslog server: RFC 5424, over TLS (RFC 5425), TCP (RFC 6587) or UDP (RFC 5426)."""

import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ..errors import SettingsError

PORTS = {"tls": 6514, "tcp": 601, "udp": 514}
PRIORITY = 10 * 8 + 5
"""Security and authorization messages, notice (PS3.15 A.6)."""

MESSAGE_ID = "DICOM+RFC3881"
WAIT_S = 10.0


class Syslog:
    """Connects when there is something to say. `url` is tls://host:port, tcp:// or udp://."""

    def __init__(self, url: str, ca: str = "", certificate: str = "", key: str = "") -> None:
        """Raises `SettingsError` for an address or files that cannot be used."""
        self._scheme, self._host, self._port = address_of(url)
        self._connection: socket.socket | None = None
        self._context = _context(ca, certificate, key) if self._scheme == "tls" else None

    def __call__(self, messages: Sequence[str]) -> None:
        """Send; raises `OSError` when the server does not take it, after which the next call connects again."""
        try:
            connection = self._connected()
            for message in messages:
                line = formatted(message)
                connection.sendall(line if self._scheme == "udp" else str(len(line)).encode() + b" " + line)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

    def _connected(self) -> socket.socket:
        if self._connection is not None:
            return self._connection
        if self._scheme == "udp":
            family, kind, number, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
            connection = socket.socket(family, kind, number)
            connection.connect(address)
        else:
            connection = socket.create_connection((self._host, self._port), timeout=WAIT_S)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_hostname=self._host)
        self._connection = connection
        return connection


def address_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises `SettingsError`."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in PORTS or not host:
        raise SettingsError(f"audit.syslog: {url!r} is no address such as tls://syslog.hospital.example:6514")
    return scheme, host, port or PORTS[scheme]


def formatted(message: str) -> bytes:
    """One message of RFC 5424, which begins with a byte order mark as UTF-8 has to."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{PRIORITY}>1 {now} {socket.gethostname() or '-'} dicomnode {os.getpid()} {MESSAGE_ID} - "
    return head.encode("ascii", "replace") + b"\xef\xbb\xbf" + message.encode()


def _context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except OSError as error:
        raise SettingsError(f"audit.syslog_ca: certificates cannot be used: {error.strerror}") from error
    return context
