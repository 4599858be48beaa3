"""An encrypted connection from which something was read that is to be read again, and whose certificate it shows."""

import contextlib
import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """A certificate that was checked: the common name of its subject, and its SHA-256 in lower case hexadecimal."""

    common_name: str
    fingerprint: str

    def is_one_of(self, wanted: Iterable[str]) -> bool:
        """Whether its common name or, as `sha256:…`, its fingerprint is among `wanted`."""
        return any(name in (self.common_name, f"sha256:{self.fingerprint}") for name in wanted)


class TlsConnection(ssl.SSLSocket):
    """TLS sockets cannot be looked into (no MSG_PEEK); what was read is put back instead."""

    _unread = b""

    def put_back(self, data: bytes) -> None:
        """The next reads return `data` first."""
        self._unread = data + self._unread

    def pending(self) -> int:
        """Bytes that can be read without waiting."""
        return len(self._unread) + super().pending()

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        if not self._unread:
            return super().recv(buflen, flags)
        part, self._unread = self._unread[:buflen], self._unread[buflen:]
        return part

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        if not self._unread:
            return super().recv_into(buffer, nbytes, flags)
        with memoryview(buffer).cast("B") as view:
            part = self.recv(min(len(view), nbytes or len(view)))
            view[: len(part)] = part
        return len(part)

    def shutdown(self, how: int) -> None:
        """Also of what was never connected: pynetdicom closes a socket only when this did not fail."""
        with contextlib.suppress(OSError):
            super().shutdown(how)

    @property
    def certificate(self) -> PeerCertificate | None:
        """The peer's, when it showed one."""
        encoded = self.getpeercert(binary_form=True)
        if not encoded:
            return None
        subject: Any = (self.getpeercert() or {}).get("subject", ())
        names = [str(value) for part in subject for key, value in part if key == "commonName"]
        return PeerCertificate(names[-1] if names else "", hashlib.sha256(encoded).hexdigest())

    def say_goodbye(self) -> None:
        """Send the closing alert without waiting for the peer's (RFC 8446 6.1)."""
        with contextlib.suppress(OSError, ValueError):
            self.settimeout(0)
            self.unwrap()
