"""MCFNet."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class McfNet(LearnedMethod):
    """Shrunken inputs met again at every level of the decoder (`liang2019`)."""

    name: ClassVar[str] = "mcf_net"
    network: ClassVar[str] = "mcf_net"
