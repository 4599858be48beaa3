"""How one image lies to another."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..errors import ParameterError, UnknownNameError
from ..volume import Volume
from .automatic import AutomaticRegistrar
from .identity import IdentityRegistrar
from .registrar import Registrar, Registration
from .rigid import RigidRegistrar

REGISTRARS: Mapping[str, Callable[..., Registrar]] = MappingProxyType(
    {
        "auto": AutomaticRegistrar,
        "rigid": RigidRegistrar,
        "identity": IdentityRegistrar,
    }
)


def register(fixed: Volume, moving: Volume, registrar: str = "auto", **parameters: object) -> Registration:
    """Find how `moving` lies to `fixed` with an entry of `REGISTRARS`.

    Raises `UnknownNameError`, `ParameterError` for a parameter that the registrar does not have, and
    `UnusableVolumeError` for an empty or constant volume.
    """
    try:
        make = REGISTRARS[registrar]
    except KeyError:
        raise UnknownNameError("registrar", registrar, REGISTRARS) from None
    try:
        chosen = make(**parameters)
    except TypeError as error:
        raise ParameterError(f"registrar {registrar!r}: {error}") from error
    return chosen(fixed, moving)


__all__ = [
    "REGISTRARS",
    "AutomaticRegistrar",
    "IdentityRegistrar",
    "Registrar",
    "Registration",
    "RigidRegistrar",
    "register",
]
