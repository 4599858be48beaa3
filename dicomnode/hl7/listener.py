"""MLLP (HL7 Implementation Guide, appendix C): messages come in blocks, each is answered before the next is read.

AA is answered after the ledger has committed; AE says that it did not work and may later; AR that it never will. ADT
events that change nobody's images are accepted and nothing is done.
"""

import asyncio
import ipaddress
import threading
from collections.abc import Callable

import hl7
import structlog
from hl7.mllp import HL7StreamReader, HL7StreamWriter, InvalidBlockError, start_hl7_server

from storage.errors import StorageError

from ..errors import MessageError, SettingsError
from ..network.tls import TlsFiles, server_context
from ..observe.logs import account
from ..observe.metrics import HL7_MESSAGES
from ..settings import Settings
from .messages import MERGE, MOVE, UPDATE, Adt, Issuers, event_of, parse, read

log = structlog.get_logger(__name__)

STARTS_WITHIN_S = 30.0
ACCEPTED, FAILED, REFUSED = "AA", "AE", "AR"


class AdtListener:
    """Listens between `start` and `stop`, in a thread with an event loop of its own. Port 0: it does not."""

    def __init__(self, settings: Settings, apply: Callable[[Adt], int]) -> None:
        self._settings = settings
        self._apply = apply
        self._issuers = Issuers(settings.hl7.issuers, settings.node.patient_id_domain)
        self._senders = [ipaddress.ip_network(each, strict=False) for each in settings.hl7.senders]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._settings.hl7.port

    def start(self, *, any_port: bool = False) -> None:
        """Listen; `any_port` takes a free one. Raises `SettingsError` when the port is taken."""
        if self._settings.hl7.port == 0 and not any_port:
            return
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hl7", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(STARTS_WITHIN_S)
        log.info("listening for HL7", action="hl7_started", port=self.port)

    def stop(self) -> None:
        """Let the message that is being applied end, and read no other."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(STARTS_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = self._server = None

    async def _listen(self) -> None:
        hl7_settings, tls = self._settings.hl7, self._settings.tls
        context = None
        if hl7_settings.tls:
            context = server_context(
                TlsFiles(tls.certificate, tls.key, tls.ca), require_client_certificate=tls.require_client_certificate
            )
        try:
            self._server = await start_hl7_server(
                self._serve, hl7_settings.host, hl7_settings.port, limit=hl7_settings.max_message_bytes, ssl=context
            )
        except OSError as error:
            raise SettingsError(
                f"hl7.host, hl7.port: cannot listen on {hl7_settings.host}:{hl7_settings.port}: {error.strerror}"
            ) from error

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        address = str(writer.get_extra_info("peername")[0])
        try:
            if not self._may_speak(address):
                HL7_MESSAGES.labels("refused").inc()
                log.warning("an HL7 sender was refused", action="hl7_refused", address=address)
                return
            while True:
                block = await asyncio.wait_for(reader.readblock(), self._settings.hl7.idle_timeout_s)
                writer.writeblock(await asyncio.shield(asyncio.to_thread(self._answer, block)))
                await writer.drain()
        except asyncio.IncompleteReadError as error:
            if error.partial:
                log.warning("an HL7 message was cut off", action="hl7_cut_off", address=address)
        except (InvalidBlockError, ValueError, TimeoutError, ConnectionError) as error:
            log.warning("an HL7 connection ended", action="hl7_ended", address=address, error=type(error).__name__)
        finally:
            writer.close()

    def _may_speak(self, address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in self._senders)

    def _answer(self, block: bytes) -> bytes:
        """The acknowledgement of one message, once it is carried out."""
        code, text, message = ACCEPTED, "", None
        try:
            message = parse(block, self._settings.hl7.charset)
            if event_of(message) in (UPDATE, MERGE, MOVE):
                for adt in read(message, self._issuers):
                    self._apply(adt)
        except MessageError as error:
            code, text = REFUSED, str(error)
        except StorageError as error:
            code, text = FAILED, f"the ledger did not take it: {error}"
        except Exception as error:  # noqa: BLE001 - the door: a sender must hear that it did not work
            code, text = FAILED, "an error of the node, which its log names"
            log.error("an HL7 message ended in an error", action="hl7_error", **account(error))  # noqa: TRY400
        HL7_MESSAGES.labels({ACCEPTED: "accepted", FAILED: "failed", REFUSED: "refused"}[code]).inc()
        if code != ACCEPTED:
            log.warning("an HL7 message was not accepted", action="hl7_not_accepted", code=code, error=text)
        return _acknowledgement(message, code, text)


def _acknowledgement(message: hl7.Message | None, code: str, text: str) -> bytes:
    """MSH and MSA; the text, which quotes nothing of the message, in MSA-3."""
    plain = text.translate({ord(each): " " for each in "|^~\\&\r\n"})
    try:
        if message is not None:
            separator = str(message.segment("MSH")[1])
            said = str(message.create_ack(code)).rstrip("\r")
            return f"{said}{separator}{plain}\r".encode() if plain else f"{said}\r".encode()
    except (IndexError, KeyError):  # its header is too short to be answered in kind
        pass
    return f"MSH|^~\\&|||||||ACK||P|2.5\rMSA|{code}||{plain}\r".encode()
