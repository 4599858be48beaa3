"""What the peer is told: one table from error, and from outcome, to DIMSE status."""

from collections.abc import Mapping
from typing import NamedTuple

from storage.errors import StorageError, StorageFullError, UnavailableError
from storage.records import AddOutcome

from ..errors import (
    MissingIdentifierError,
    NodeError,
    NotParsableError,
    OutOfResourcesError,
    ReceiveError,
    UidMismatchError,
)


class DimseStatus(NamedTuple):
    """A status code, the clause that gives it its meaning, and the Error Comment that goes with it."""

    code: int
    clause: str
    comment: str


OUT_OF_RESOURCES = DimseStatus(0xA700, "PS3.4 B.2.3, Refused: Out of Resources", "Out of resources, try again later")
DOES_NOT_MATCH = DimseStatus(0xA900, "PS3.4 B.2.3, Error: Data Set does not match SOP Class", "")
CANNOT_UNDERSTAND = DimseStatus(0xC000, "PS3.4 B.2.3, Error: Cannot understand", "")
IDENTIFIER_MISSING = DimseStatus(0xC001, "PS3.4 B.2.3, Error: Cannot understand", "")
PROCESSING_FAILURE = DimseStatus(0x0110, "PS3.7 Annex C, 0110H Processing failure", "The node failed; see its log")

STATUSES: Mapping[type[Exception], DimseStatus] = {
    NotParsableError: CANNOT_UNDERSTAND,
    MissingIdentifierError: IDENTIFIER_MISSING,
    UidMismatchError: DOES_NOT_MATCH,
    OutOfResourcesError: OUT_OF_RESOURCES,
    ReceiveError: CANNOT_UNDERSTAND,
    StorageFullError: OUT_OF_RESOURCES,
    UnavailableError: OUT_OF_RESOURCES,
    StorageError: PROCESSING_FAILURE,
    NodeError: PROCESSING_FAILURE,
    Exception: PROCESSING_FAILURE,
}
"""The most special class of an error decides."""

SUCCESS = DimseStatus(0x0000, "PS3.4 B.2.3, Success", "")

OUTCOMES: Mapping[AddOutcome, DimseStatus] = {
    AddOutcome.NEW: SUCCESS,
    AddOutcome.DUPLICATE: SUCCESS,
    AddOutcome.QUARANTINED: DimseStatus(
        0xB000,
        "PS3.4 B.2.3, Warning: Coercion of Data Elements",
        "Kept in quarantine: contradicts its study or patient",
    ),
    AddOutcome.VERSION: DimseStatus(
        0xB000, "PS3.4 B.2.3, Warning: Coercion of Data Elements", "Kept aside: header differs from what was sent first"
    ),
    AddOutcome.CONFLICT: DimseStatus(
        0xB000, "PS3.4 B.2.3, Warning: Coercion of Data Elements", "Kept aside: pixels differ from what was sent first"
    ),
}


def status_of(error: Exception) -> DimseStatus:
    """The status of `error`; the comment is its own text where the table has none (our texts name no patient)."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    return status if status.comment else status._replace(comment=str(error))
