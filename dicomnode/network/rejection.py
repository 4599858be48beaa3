"""Why an association is rejected, in the words of PS3.8 table 9-21 and in ours."""

from dataclasses import dataclass

from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import A_ASSOCIATE


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21), the reason in words, and as it is counted."""

    result: int
    source: int
    reason: int
    words: str
    counted: str

    @property
    def pdu(self) -> bytes:
        """As it is sent."""
        primitive = A_ASSOCIATE()
        primitive.result, primitive.result_source, primitive.diagnostic = self.result, self.source, self.reason
        answer = A_ASSOCIATE_RJ()
        answer.from_primitive(primitive)
        return bytes(answer.encode())


CALLING_AE_TITLE = Rejection(1, 1, 3, "Calling AE title not recognised", "calling_ae_title")
CALLED_AE_TITLE = Rejection(1, 1, 7, "Called AE title not recognised", "called_ae_title")
NOT_FROM_HERE = Rejection(1, 1, 3, "Calling AE title not recognised at this address", "address")
TLS_REQUIRED = Rejection(1, 1, 1, "The peer has to use TLS", "tls")
NOT_THIS_CERTIFICATE = Rejection(1, 1, 1, "The certificate is not the peer's", "certificate")
NO_PLACE = Rejection(2, 3, 2, "Local limit exceeded", "limit")
NO_PLACE_FOR_PEER = Rejection(2, 3, 2, "Local limit of this peer exceeded", "peer_limit")
