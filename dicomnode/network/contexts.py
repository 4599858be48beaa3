"""The presentation contexts that the node offers, made from the tables of `sop_classes`."""

from collections.abc import Sequence
from typing import Any

from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext

from .sop_classes import STORAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION

__all__ = ["STORAGE_CLASSES", "TRANSFER_SYNTAXES", "SharedContexts", "storage_contexts", "verification_context"]


class SharedContexts(list[PresentationContext]):
    """Contexts that all associations read and none changes.

    pynetdicom copies the acceptor's contexts deeply for each association: some 5000 UIDs, 40 ms.
    Negotiation only reads them (PS3.8 7.1.1.13), so that the copy may be the thing itself.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedContexts":
        return self


def storage_contexts() -> list[PresentationContext]:
    """One context for each storage class, with every transfer syntax."""
    syntaxes = [syntax.uid for syntax in TRANSFER_SYNTAXES]
    return [build_context(storage_class.uid, syntaxes) for storage_class in STORAGE_CLASSES]


def verification_context(transfer_syntaxes: Sequence[str] = ()) -> PresentationContext:
    """The context of C-ECHO (PS3.4 A.4): the uncompressed syntaxes, or those given."""
    uncompressed = [syntax.uid for syntax in TRANSFER_SYNTAXES[:3]]
    return build_context(VERIFICATION.uid, list(transfer_syntaxes) or uncompressed)
