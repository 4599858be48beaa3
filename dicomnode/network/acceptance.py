"""Who is let in, and with which presentation contexts: the answer to an A-ASSOCIATE-RQ (PS3.8 9.3.2 to 9.3.4).

pynetdicom's classes read the request, negotiate and write the answer; who may come is said by the settings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from ..settings import OWN_IMPLEMENTATION_UID, OWN_IMPLEMENTATION_VERSION
from .pdu_stream import INVALID_PARAMETER, ProtocolError


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21), and the reason in words."""

    result: int
    source: int
    reason: int
    words: str

    @property
    def pdu(self) -> bytes:
        """As it is sent."""
        primitive = A_ASSOCIATE()
        primitive.result, primitive.result_source, primitive.diagnostic = self.result, self.source, self.reason
        answer = A_ASSOCIATE_RJ()
        answer.from_primitive(primitive)
        return bytes(answer.encode())


CALLING_AE_TITLE = Rejection(1, 1, 3, "Calling AE title not recognised")
CALLED_AE_TITLE = Rejection(1, 1, 7, "Called AE title not recognised")
NO_PLACE = Rejection(2, 3, 2, "Local limit exceeded")
NO_REASON = Rejection(1, 1, 1, "No reason given")


@dataclass(frozen=True, slots=True)
class Request:
    """What a peer proposes."""

    calling_ae_title: str
    called_ae_title: str
    primitive: Any

    @classmethod
    def of(cls, encoded: bytes) -> "Request":
        """Decode a whole A-ASSOCIATE-RQ PDU. Raises `ProtocolError` when it is none."""
        pdu = A_ASSOCIATE_RQ()
        try:
            pdu.decode(encoded)
            primitive = pdu.to_primitive()
            return cls(str(primitive.calling_ae_title).strip(), str(primitive.called_ae_title).strip(), primitive)
        except Exception as error:  # the decoder raises whatever its parts raise on bytes of any kind
            raise ProtocolError("the association request cannot be read", INVALID_PARAMETER) from error

    @property
    def abstract_syntaxes(self) -> frozenset[str]:
        """The SOP classes that are proposed."""
        return frozenset(
            str(context.abstract_syntax) for context in self.primitive.presentation_context_definition_list
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer, and what was agreed on: abstract and transfer syntax by context ID."""

    pdu: bytes
    contexts: Mapping[int, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Judges requests. `calling_ae_titles` None lets everybody in, `called_ae_title` None answers to any name.

    `take_place` is asked last, and says whether there was a place for the association that is let in.
    """

    called_ae_title: str | None
    calling_ae_titles: frozenset[str] | None
    supported: Sequence[PresentationContext]
    max_pdu_bytes: int
    take_place: Callable[[], bool]

    def answer(self, request: Request) -> Accepted | Rejection:
        """Let the peer in, or not. As PS3.8 has it, a wrong name is rejected for good and a full house for now."""
        if self.calling_ae_titles is not None and request.calling_ae_title not in self.calling_ae_titles:
            return CALLING_AE_TITLE
        if self.called_ae_title is not None and request.called_ae_title != self.called_ae_title.strip():
            return CALLED_AE_TITLE
        if not self.take_place():
            return NO_PLACE
        return self._accepted(request)

    def _accepted(self, request: Request) -> Accepted:
        primitive = request.primitive
        results, roles = negotiate_as_acceptor(
            primitive.presentation_context_definition_list, self.supported, _roles(primitive)
        )
        length = MaximumLengthNotification()
        length.maximum_length_received = self.max_pdu_bytes
        implementation = ImplementationClassUIDNotification()
        implementation.implementation_class_uid = OWN_IMPLEMENTATION_UID
        version = ImplementationVersionNameNotification()
        version.implementation_version_name = OWN_IMPLEMENTATION_VERSION
        primitive.presentation_context_definition_results_list = results
        primitive.result, primitive.result_source = 0, 1
        primitive.user_information = [length, implementation, version, *roles]
        answer = A_ASSOCIATE_AC()
        answer.from_primitive(primitive)
        agreed = {
            int(context.context_id): (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in results
            if context.result == 0
        }
        return Accepted(bytes(answer.encode()), agreed)


def _roles(primitive: Any) -> dict[Any, tuple[bool, bool]]:
    """The roles that the peer proposes, by SOP class (PS3.7 D.3.3.4)."""
    return {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in primitive.user_information
        if hasattr(item, "scu_role")
    }
