"""C-STORE and C-ECHO straight off the socket: what most peers want, without a library's work on every fragment.

An association is served here unless it proposes a service that pynetdicom carries out for the node. Both give the same
answers (PS3.7 9.3.1, 9.3.5; PS3.8 9.3).
"""

import contextlib
import socket
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from storage.records import ReceivedInstance

from ..errors import UidMismatchError
from ..network.acceptance import Accepted, Doorkeeper, Request
from ..network.command_set import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_STORE_RQ,
    COMMAND,
    LAST,
    RESPONSE,
    UNRECOGNISED_OPERATION,
    Command,
    response_pdu,
)
from ..network.pdu_stream import (
    A_ABORT,
    A_ASSOCIATE_RQ,
    A_RELEASE_RQ,
    HEAD,
    INVALID_PARAMETER,
    P_DATA_TF,
    RELEASE_RP,
    UNEXPECTED_PDU,
    PduStream,
    ProtocolError,
    abort_pdu,
)
from ..network.peer_rules import Caller
from ..network.rejection import Rejection
from ..observe.audit_trail import AuditTrail
from ..observe.metrics import ASSOCIATIONS, REFUSALS
from .arriving import Arriving, Scratch
from .outcome import Take, answer
from .places import Places

log = structlog.get_logger()

PDV_HEAD = struct.Struct(">LBB")
"""Length of context ID, message control header and fragment; context ID; message control header."""

MAX_COMMAND_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class DirectScp:
    """What every association needs; `serve` one by one, from as many threads as there are associations."""

    doorkeeper: Doorkeeper
    places: Places
    take: Take
    audit: AuditTrail
    scratch: Scratch
    own_ae_title: str
    max_pdu_bytes: int
    max_instance_bytes: int
    idle_timeout_s: float

    def serve(self, connection: socket.socket, caller: Caller, number: int) -> None:
        """Serve one association to its end; the connection is the caller's to close."""
        stream = PduStream(connection, self.max_pdu_bytes)
        association = _Association(self, connection, stream, caller, number)
        outcome, reason = "aborted", ""
        try:
            outcome = association.run()
        except ProtocolError as error:
            reason = str(error)
            with contextlib.suppress(OSError):
                connection.sendall(abort_pdu(error.reason))
        except (EOFError, TimeoutError, BlockingIOError) as error:
            reason = str(error) if isinstance(error, EOFError) else f"silent for {self.idle_timeout_s:g} s"
            with contextlib.suppress(OSError):
                connection.sendall(abort_pdu(0, by_provider=False))
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            association.arriving.clear()
            association.leave()
        association.ended(outcome, reason)

    def reject(
        self, connection: socket.socket, caller: Caller, number: int, request: Request, rejection: Rejection
    ) -> None:
        """Say no to a request that lies unread, for whoever would have served it."""
        association = _Association(self, connection, PduStream(connection, 0), caller, number, request)
        association.rejected(rejection)
        with contextlib.suppress(OSError, EOFError, ProtocolError):
            association.stream.next()  # a connection that is closed with something unread loses its answer
            connection.sendall(rejection.pdu)
        association.ended("rejected", "")


@dataclass(slots=True)
class _Association:
    """One peer, from its request to its end."""

    scp: DirectScp
    connection: socket.socket
    stream: PduStream
    caller: Caller
    number: int
    request: Request | None = None
    accepted: Accepted | None = None
    arriving: Arriving = field(init=False)
    command_bytes: bytearray = field(default_factory=bytearray)
    command: Command | None = None
    context_id: int = 0
    has_left: bool = False

    def __post_init__(self) -> None:
        self.arriving = Arriving(self.scp.scratch, self.scp.max_instance_bytes)

    def run(self) -> str:
        """How it ended: rejected, released or aborted."""
        kind, body = self.stream.next()
        if kind != A_ASSOCIATE_RQ:
            raise ProtocolError("an association begins with its request", UNEXPECTED_PDU)
        self.request = Request.of(HEAD.pack(kind, len(body)) + bytes(body))
        said = self.scp.doorkeeper.answer(self.request, self.caller)
        if isinstance(said, Rejection):
            self.rejected(said)
            self.connection.sendall(said.pdu)
            return "rejected"
        self.accepted = said  # before the answer: its place is given back also when that reaches nobody
        self.connection.sendall(said.pdu)
        self._level()("association accepted", action="association_accepted", **self._who())
        while True:
            kind, body = self.stream.next()
            if kind == P_DATA_TF:
                self._fragments(body)
            elif kind == A_RELEASE_RQ:
                self.leave()  # before the answer: who has it may come back at once
                self.connection.sendall(RELEASE_RP)
                return "released"
            elif kind == A_ABORT:
                return "aborted"
            else:
                raise ProtocolError(f"a PDU of type {kind:02X} has no place here", UNEXPECTED_PDU)

    def rejected(self, rejection: Rejection) -> None:
        """Log and count why."""
        log.warning("association rejected", action="association_rejected", reason=rejection.words, **self._who())
        REFUSALS.labels(rejection.counted).inc()
        self.scp.audit.refused(self._who()["calling_ae_title"], self.caller.address, rejection.words)

    def leave(self) -> None:
        """Give the place back, once."""
        if self.accepted is not None and not self.has_left:
            self.has_left = True
            self.scp.places.give_back(self.accepted.peer)

    def ended(self, outcome: str, reason: str) -> None:
        """Log and count how it ended; a connection that never asked for anything is only noted."""
        if self.request is None:
            log.info("connection without association", action="connection_dropped", reason=reason, **self._who())
            return
        ASSOCIATIONS.labels(outcome).inc()
        self.scp.audit.association_over(self.request.calling_ae_title, self.caller.address)
        if outcome == "released":
            self._level()("association released", action="association_released", **self._who())
        elif outcome == "aborted":
            log.warning("association aborted", action="association_aborted", reason=reason, **self._who())

    def _fragments(self, body: memoryview) -> None:
        """The presentation data values of one PDU (PS3.8 9.3.5.1)."""
        at = 0
        while at < len(body):
            if at + PDV_HEAD.size > len(body):
                raise ProtocolError("a presentation data value is cut short", INVALID_PARAMETER)
            length, context_id, control = PDV_HEAD.unpack_from(body, at)
            end = at + 4 + length
            if length < 2 or end > len(body):
                raise ProtocolError("a presentation data value does not fit its PDU", INVALID_PARAMETER)
            with body[at + PDV_HEAD.size : end] as fragment:
                self._fragment(context_id, control, fragment)
            at = end

    def _fragment(self, context_id: int, control: int, fragment: memoryview) -> None:
        if self.accepted is None or context_id not in self.accepted.contexts:
            raise ProtocolError(f"no presentation context {context_id} was agreed on", INVALID_PARAMETER)
        if control & COMMAND:
            self._command_fragment(context_id, control, fragment)
            return
        if self.command is None or context_id != self.context_id:
            raise ProtocolError("a data set came without its command", UNEXPECTED_PDU)
        self.arriving.add(fragment)
        if control & LAST:
            self._carry_out()

    def _command_fragment(self, context_id: int, control: int, fragment: memoryview) -> None:
        if self.command is not None:
            raise ProtocolError("a command came where a data set must", UNEXPECTED_PDU)
        if len(self.command_bytes) + len(fragment) > MAX_COMMAND_BYTES:
            raise ProtocolError("a command set is longer than any can be", INVALID_PARAMETER)
        self.command_bytes += fragment
        self.context_id = context_id
        if control & LAST:
            self.command = Command.of(self.command_bytes)
            if not self.command.has_data_set:
                self._carry_out()

    def _carry_out(self) -> None:
        command = self.command
        if command is None:
            return
        if command.field == C_STORE_RQ:
            self._store(command)
        elif command.field == C_ECHO_RQ:
            self._answer(command, 0x0000)
        elif command.field != C_CANCEL_RQ and not command.field & RESPONSE:
            self._answer(command, UNRECOGNISED_OPERATION)
        self.command = None
        del self.command_bytes[:]
        self.arriving.clear()

    def _store(self, command: Command) -> None:
        with structlog.contextvars.bound_contextvars(
            association=str(self.number),
            calling_ae_title=self._who()["calling_ae_title"],
            sop_instance_uid=command.sop_instance_uid,
        ):
            status = answer(self.scp.take, lambda: self._received(command))
        self._answer(command, status.code, status.comment)

    def _received(self, command: Command) -> ReceivedInstance:
        sop_class_uid, transfer_syntax_uid = (
            ("", "") if self.accepted is None else self.accepted.contexts[self.context_id]
        )
        if command.sop_class_uid != sop_class_uid:
            raise UidMismatchError("the SOP class of the command is not that of its presentation context")
        return ReceivedInstance(
            sop_class_uid=sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            dataset=self.arriving.whole(),
            calling_ae_title=self._who()["calling_ae_title"],
            called_ae_title=self._who()["called_ae_title"],
            peer_address=self.caller.address,
            received_at=datetime.now(UTC),
        )

    def _answer(self, command: Command, status: int, comment: str = "") -> None:
        self.connection.sendall(response_pdu(self.context_id, command, status, comment))

    def _who(self) -> dict[str, str]:
        request = self.request
        return {
            "association": str(self.number),
            "calling_ae_title": "" if request is None else request.calling_ae_title,
            "called_ae_title": "" if request is None else request.called_ae_title,
            "peer_address": self.caller.address,
        }

    def _level(self) -> structlog.types.WrappedLogger:
        ours = self.request is not None and self.request.calling_ae_title == self.scp.own_ae_title
        return log.debug if ours else log.info
