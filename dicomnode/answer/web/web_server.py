"""uvicorn in a thread of the node: takes connections between `start` and `stop`."""

import socket
import ssl
import threading
import time

import structlog
import uvicorn

from ...errors import SettingsError
from ...settings import WebSettings
from .app import make_app
from .parts import WebParts

log = structlog.get_logger(__name__)

START_S = 30.0
DRAIN_S = 5
"""How long answers under way may take at a stop."""


class WebServer:
    """Serves the application; nothing where the settings give no port."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._port: int | None = None

    @property
    def port(self) -> int | None:
        """Where it listens, if anywhere."""
        return self._port

    def start(self) -> None:
        """Listen. Raises `SettingsError` when the address is taken or the certificate cannot be used."""
        web = self._parts.settings.web
        if web.port == 0:
            return
        listening = _bound(web)
        self._port = int(listening.getsockname()[1])
        config = uvicorn.Config(
            make_app(self._parts),
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            timeout_graceful_shutdown=DRAIN_S,
            proxy_headers=bool(web.trusted_proxies),
            forwarded_allow_ips=list(web.trusted_proxies),
            ssl_certfile=web.certificate or None,
            ssl_keyfile=web.key or None,
            h11_max_incomplete_event_size=64 << 10,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            listening.close()
            raise SettingsError(f"web.certificate, web.key: {error}") from error
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="web", daemon=True
        )
        self._thread.start()
        self._wait_until_it_answers()
        log.info("pages are served", action="web_started", host=web.host, port=self._port)

    def stop(self) -> None:
        """Take no more connections, let answers end, but not for ever."""
        self._parts.closing.set()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_S
        while self._server is not None and self._thread is not None and not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise SettingsError("web: the pages cannot be served; the log says why")
            time.sleep(0.02)


def _bound(web: WebSettings) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(web.host, web.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=128)
    except OSError as error:
        raise SettingsError(f"web.host, web.port: cannot listen on {web.host}:{web.port}: {error.strerror}") from error
