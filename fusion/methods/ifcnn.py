"""IFCNN, with the rule as a parameter."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ..errors import ParameterError
from ..networks.ifcnn import Ifcnn as IfcnnNetwork
from ..networks.ifcnn import Rule
from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class Ifcnn(LearnedMethod):
    """Features of shared layers joined element by element: `rule` is max, sum or mean (`zhang2020ifcnn`).

    The weights were trained with the maximum; the other rules use the same layers, as in the paper.
    """

    name: ClassVar[str] = "ifcnn"
    network: ClassVar[str] = "ifcnn"

    rule: Rule = "max"

    def __post_init__(self) -> None:
        if self.rule not in ("max", "sum", "mean"):
            raise ParameterError(f"rule is max, sum or mean, not {self.rule!r}")

    def fuse(self, network: nn.Module, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if not isinstance(network, IfcnnNetwork):
            raise TypeError("the network is not IFCNN")
        return network.fuse(first, second, self.rule)
