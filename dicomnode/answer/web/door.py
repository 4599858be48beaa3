"""The door of the application: who is answered at all. Plain ASGI, so that long answers are not held up."""

import ipaddress

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .guard import OPEN_TO_ALL
from .headers import headers_for

PROBES = frozenset(path for path in OPEN_TO_ALL if not path.startswith(("/login", "/static")))


class Door:
    """Adds the headers, and refuses pages, and so passwords, over a plain connection."""

    def __init__(self, app: ASGIApp, *, plain_http: bool) -> None:
        self._app = app
        self._plain_http = plain_http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in headers_for(scope):
                    headers.setdefault(name, value)
            await send(message)

        if scope["path"] not in PROBES and not (self._plain_http or _is_private(scope)):
            said = "pages are answered over HTTPS, or on this machine; see web.certificate in the settings"
            await JSONResponse({"error": said}, status_code=403)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _is_private(scope: Scope) -> bool:
    """Whether nobody between can listen: encrypted, or from this machine."""
    return scope["scheme"] == "https" or is_loopback((scope.get("client") or ("",))[0])


def is_loopback(address: str) -> bool:
    """Whether the address is this machine's own."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
