"""FW-Net."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class FwNet(LearnedMethod):
    """Two U-Nets in the shape of a W; the code between them is the image (`fan2019`)."""

    name: ClassVar[str] = "fw_net"
    network: ClassVar[str] = "fw_net"
