"""What can go wrong in the memory.

StorageError
├── UnknownRecordError   no row or object of that name
├── AlreadyThereError    the name is taken, or what is there must stay
├── IllegalTransitionError   a case cannot go from this state to that one
├── StaleClaimError      the lease was lost and somebody else carries on
├── CorruptObjectError   bytes that no longer have their digest
├── StorageFullError     the disk has no room; a later try can help
└── UnavailableError     the database or the disk did not answer; a later try can help
"""

from typing import ClassVar


class StorageError(Exception):
    """The memory failed."""

    retry_helps: ClassVar[bool] = False


class UnknownRecordError(StorageError):
    """Nothing of that name is held."""


class AlreadyThereError(StorageError):
    """The name is taken, or what is there must stay."""


class IllegalTransitionError(StorageError):
    """The table of transitions does not lead there."""


class StaleClaimError(StorageError):
    """The lease on the case was lost; whoever holds it now carries on."""


class CorruptObjectError(StorageError):
    """The bytes no longer have the digest that names them."""


class StorageFullError(StorageError):
    """There is no room left on the disk."""

    retry_helps = True


class UnavailableError(StorageError):
    """The database or the disk did not answer."""

    retry_helps = True
