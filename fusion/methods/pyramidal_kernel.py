"""A network of pyramidal kernels."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class PyramidalKernel(LearnedMethod):
    """Kernels of four sizes in every layer (`reddy2021`)."""

    name: ClassVar[str] = "pyramidal_kernel"
    network: ClassVar[str] = "pyramidal_kernel"
