"""Who is let in, and with which presentation contexts: the answer to an A-ASSOCIATE-RQ (PS3.8 9.3.2 to 9.3.4).

pynetdicom's classes read the request, negotiate and write the answer; who may come is said by the settings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from ..settings import OWN_IMPLEMENTATION_UID, OWN_IMPLEMENTATION_VERSION
from .pdu_stream import INVALID_PARAMETER, ProtocolError
from .peer_rules import Caller, PeerRule, PeerRules
from .rejection import CALLED_AE_TITLE, Rejection


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


TakePlace = Callable[[str, int], Rejection | None]
"""Takes a place for the peer of that name, of which there may be so many at once; or says why there is none."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer, and what was agreed on: abstract and transfer syntax by context ID. A place was taken for `peer`."""

    pdu: bytes
    contexts: Mapping[int, tuple[str, str]]
    peer: str


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Judges requests. `called_ae_title` None answers to any name.

    `take_place` is asked last, and a place is taken for each association that is let in.
    """

    called_ae_title: str | None
    rules: PeerRules
    supported: Sequence[PresentationContext]
    max_pdu_bytes: int
    take_place: TakePlace

    def answer(self, request: Request, caller: Caller) -> Accepted | Rejection:
        """Let the peer in, or not. As PS3.8 has it, a wrong name is rejected for good and a full house for now."""
        entered = self.enter(request, caller)
        return entered if isinstance(entered, Rejection) else self._accepted(request, entered.name)

    def enter(self, request: Request, caller: Caller) -> PeerRule | Rejection:
        """Take a place for the peer that the request is from; what it is answered is left to another."""
        rule = self.rules.judge(request.calling_ae_title, caller)
        if isinstance(rule, Rejection):
            return rule
        if self.called_ae_title is not None and request.called_ae_title != self.called_ae_title.strip():
            return CALLED_AE_TITLE
        return self.take_place(rule.name, rule.max_associations) or rule

    def _accepted(self, request: Request, peer: str) -> Accepted:
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
        return Accepted(bytes(answer.encode()), agreed, peer)


def _roles(primitive: Any) -> dict[Any, tuple[bool, bool]]:
    """The roles that the peer proposes, by SOP class (PS3.7 D.3.3.4)."""
    return {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in primitive.user_information
        if hasattr(item, "scu_role")
    }
