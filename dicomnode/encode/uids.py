"""Deterministic UIDs: the same inputs, recipe and software give the same names, anything else gives others."""

import uuid

from .inputs import EncodeInputs

NAMESPACE = uuid.UUID("5c2be8b0-3f0f-4f0e-9a0e-6a5b3f1c7d21")
"""Ours; with it a version 5 UUID (RFC 9562 5.5) under the root 2.25 needs no registration (PS3.5 B.2)."""


def derived_uid(inputs: EncodeInputs, *names: str | int) -> str:
    """The UID of what `names` tell apart among the results of one moving series."""
    key = [inputs.plan.key, str(inputs.position), inputs.equipment.software_versions, *map(str, names)]
    return f"2.25.{uuid.uuid5(NAMESPACE, '|'.join(key)).int}"
