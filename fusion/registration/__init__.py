"""How one image lies to another."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..choice import choose
from ..volume import Volume
from .affine import AffineRegistrar
from .automatic import AutomaticRegistrar
from .deformable import DeformableRegistrar
from .features import FeatureRegistrar
from .identity import IdentityRegistrar
from .learned import LearnedRegistrar
from .registrar import Registrar, Registration, unregistered
from .rigid import RigidRegistrar
from .wide import WideRigidRegistrar

REGISTRARS: Mapping[str, Callable[..., Registrar]] = MappingProxyType(
    {
        "auto": AutomaticRegistrar,
        "rigid": RigidRegistrar,
        "rigid-wide": WideRigidRegistrar,
        "affine": AffineRegistrar,
        "deformable": DeformableRegistrar,
        "features": FeatureRegistrar,
        "learned": LearnedRegistrar,
        "identity": IdentityRegistrar,
    }
)


def register(fixed: Volume, moving: Volume, registrar: str = "auto", **parameters: object) -> Registration:
    """Find how `moving` lies to `fixed` with an entry of `REGISTRARS`.

    Raises `UnknownNameError`, `ParameterError` for a parameter that the registrar does not have, and
    `UnusableVolumeError` for an empty or constant volume.
    """
    return choose("registrar", REGISTRARS, registrar, parameters)(fixed, moving)


__all__ = [
    "REGISTRARS",
    "AffineRegistrar",
    "AutomaticRegistrar",
    "DeformableRegistrar",
    "FeatureRegistrar",
    "IdentityRegistrar",
    "LearnedRegistrar",
    "Registrar",
    "Registration",
    "RigidRegistrar",
    "WideRigidRegistrar",
    "register",
    "unregistered",
]
