"""Every error has a status, every status its clause."""

import inspect

import pytest

import dicomnode.errors
import storage.errors
from dicomnode.errors import MissingIdentifierError, NotParsableError, OutOfResourcesError, UidMismatchError
from dicomnode.receive.status import OUTCOMES, STATUSES, status_of
from storage.errors import StorageFullError, UnavailableError
from storage.records import AddOutcome

ERRORS = [
    member
    for module in (dicomnode.errors, storage.errors)
    for _, member in inspect.getmembers(module, inspect.isclass)
    if issubclass(member, Exception)
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_of_the_trees_is_a_failure_with_a_clause(error: type[Exception]) -> None:
    status = status_of(error("the disk"))
    assert status.code not in (0x0000, 0xB000)
    assert status.clause.startswith(("PS3.4", "PS3.7"))
    assert status.comment


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotParsableError, 0xC000),
        (MissingIdentifierError, 0xC001),
        (UidMismatchError, 0xA900),
        (OutOfResourcesError, 0xA700),
        (StorageFullError, 0xA700),
        (UnavailableError, 0xA700),
        (ZeroDivisionError, 0x0110),
    ],
)
def test_the_codes(error: type[Exception], code: int) -> None:
    assert status_of(error("x")).code == code


def test_a_later_try_is_suggested_exactly_where_it_can_help() -> None:
    """0xA7xx is what senders try again."""
    for error in STATUSES:
        if error is not Exception:
            assert (STATUSES[error].code == 0xA700) == getattr(error, "retry_helps", False), error


def test_what_is_not_ours_is_not_quoted() -> None:
    assert "Marked" not in status_of(ValueError("Marked^Patient")).comment


def test_every_outcome_has_a_status() -> None:
    assert OUTCOMES.keys() == set(AddOutcome)
    kept = {outcome: status.code for outcome, status in OUTCOMES.items()}
    assert kept[AddOutcome.NEW] == kept[AddOutcome.DUPLICATE] == 0
    assert kept[AddOutcome.VERSION] == kept[AddOutcome.CONFLICT] == 0xB000
