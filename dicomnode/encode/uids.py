"""Deterministic UIDs: the same inputs, recipe and software give the same names, anything else gives others.

The node keeps the first result of a plan for ever, so that the plan tells results apart. Nothing keeps that of a plan
of files: there, what came out is part of the names, or other pixels could appear under an old one (another device,
another number of threads).
"""

import hashlib
import uuid

from .inputs import EncodeInputs

NAMESPACE = uuid.UUID("5c2be8b0-3f0f-4f0e-9a0e-6a5b3f1c7d21")
"""Ours; with it a version 5 UUID (RFC 9562 5.5) under the root 2.25 needs no registration (PS3.5 B.2)."""


def derived_uid(inputs: EncodeInputs, *names: str | int) -> str:
    """The UID of what `names` tell apart among the results of one moving series."""
    key = [inputs.plan.key, str(inputs.position), inputs.equipment.software_versions, *map(str, names)]
    if inputs.plan.content_digest:
        key.append(_result_digest(inputs))
    return f"2.25.{uuid.uuid5(NAMESPACE, '|'.join(key)).int}"


def _result_digest(inputs: EncodeInputs) -> str:
    """SHA-256 over the transform, and the report that is drawn beside the pixels."""
    result = hashlib.sha256(inputs.moving.registration.transform.digest_bytes())
    result.update(repr(inputs.moving.report).encode())
    return result.hexdigest()
