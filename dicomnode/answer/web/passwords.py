"""Passwords: argon2id (RFC 9106), with the library's parameters of the day; older hashes are renewed at login."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ...errors import SettingsError

SHORTEST = 12
LONGEST = 1000

_HASHER = PasswordHasher()
_PLACES = threading.Semaphore(2)
"""Each takes 64 MiB and a core: as many logins at once as anybody likes would be a way to stop the node."""

NOBODY = _HASHER.hash("nobody has this password")
"""Checked where there is no such user, so that the time of the answer does not tell."""


def hashed(password: str) -> str:
    """What to keep of it. Raises `SettingsError` for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise SettingsError(f"a password has {SHORTEST} to {LONGEST} characters")
    return _HASHER.hash(password)


def fits(password: str, password_hash: str) -> bool:
    """Whether it is the password of that hash; an empty hash fits none, and takes as long."""
    if len(password) > LONGEST:
        return False
    with _PLACES:
        try:
            return _HASHER.verify(password_hash or NOBODY, password) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)
