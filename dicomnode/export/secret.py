"""The secret from which pseudonyms, UIDs and shifts of dates are derived: who has it can link exports, nobody else."""

import os
import secrets
from pathlib import Path

from ..errors import ExportError

SECRET_BYTES = 32


def read_or_make_secret(path: Path | None) -> bytes:
    """The secret in the file at `path`, which is made for its owner alone where there is none; without one, a new one.

    Raises `ExportError` for a file that is too short or cannot be used.
    """
    if path is None:
        return secrets.token_bytes(SECRET_BYTES)
    try:
        secret = path.read_bytes() if path.exists() else _made(path)
    except OSError as error:
        raise ExportError(f"the key file {path} cannot be used: {error.strerror}") from error
    if len(secret) < SECRET_BYTES:
        raise ExportError(f"the key file {path} has {len(secret)} bytes and needs {SECRET_BYTES}; name another")
    return secret


def _made(path: Path) -> bytes:
    secret = secrets.token_bytes(SECRET_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    return secret
