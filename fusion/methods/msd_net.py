"""MSDNet."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class MsdNet(LearnedMethod):
    """Dense encoders with filters of three sizes (`song2019`)."""

    name: ClassVar[str] = "msd_net"
    network: ClassVar[str] = "msd_net"
