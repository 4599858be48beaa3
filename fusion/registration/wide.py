"""The rigid registrar with sixteen times the climbing starts, for patients who may lie in any way."""

from dataclasses import dataclass
from typing import ClassVar

from .rigid import RigidRegistrar


@dataclass(frozen=True, slots=True)
class WideRigidRegistrar(RigidRegistrar):
    """As `RigidRegistrar`, from a denser set of orientations of which nearly all climb."""

    climbing: int = 1024

    name: ClassVar[str] = "rigid-wide"
