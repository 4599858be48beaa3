"""Messages as JSON to a URL, signed: HMAC-SHA256 of time and body under a secret that both sides know.

    Dicomnode-Signature: t=1767225600,v1=<hexadecimal>      of   b"1767225600." + body

The time is part of what is signed, so that who records a message cannot send it again later.
"""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request

from ..errors import PeerRefusedError, PeerUnreachableError
from ..settings import NotifySettings
from .message import Message

SIGNATURE = "Dicomnode-Signature"


class Webhook:
    """One POST."""

    name = "webhook"

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings

    def __call__(self, message: Message) -> None:
        """Send it. Raises `PeerError` unless the answer is 2xx; redirects are not followed."""
        body = json.dumps(message.values).encode()
        headers = {"Content-Type": "application/json"}
        if self._settings.webhook_secret:
            headers[SIGNATURE] = signature(self._settings.webhook_secret, int(time.time()), body)
        request = urllib.request.Request(self._settings.webhook, body, headers, method="POST")  # noqa: S310
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=self._settings.timeout_s):
                pass
        except urllib.error.HTTPError as error:
            raise PeerRefusedError(f"the webhook answered {error.code}") from error
        except OSError as error:
            raise PeerUnreachableError(f"the webhook cannot be reached: {error}") from error


def signature(secret: str, at: int, body: bytes) -> str:
    """The header's value."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        """Whoever answers with another place gets nothing there."""
