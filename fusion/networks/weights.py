"""Trained weights: safetensors files in the package, each beside its card.

Nothing is unpickled: a weight file can hold numbers and nothing that runs.
"""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import safetensors.torch
import torch
from torch import nn

from ..errors import UnknownNameError, UnusableWeightsError
from . import NETWORKS
from .loading import with_weights

LARGEST_BYTES = 4 * 2**20
"""Of one file of weights; all together at most `LARGEST_TOGETHER`."""

LARGEST_TOGETHER = 30 * 2**20

FOLDER = "trained"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of trained weights, for people: the JSON file beside them."""

    network: str
    data: str
    split: str
    recipe: dict[str, Any]
    seed: int
    steps: int
    hardware: str
    seconds: float
    metrics: dict[str, Any]
    licence: str
    known_failures: str
    smaller_than_in_the_paper: str
    parameters: int

    def to_json(self) -> str:
        """The card's file."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def weight_bytes(network: nn.Module) -> bytes:
    """The weights as a safetensors file."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    content: bytes = safetensors.torch.save(tensors)
    return content


def trained_names() -> tuple[str, ...]:
    """The networks whose weights are in the package."""
    folder = files(__package__).joinpath(FOLDER)
    if not folder.is_dir():
        return ()
    names = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors")))


def load_network(name: str, device: torch.device | str = "cpu") -> nn.Module:
    """The trained network, ready for use; loaded once for each device. Nobody may change it.

    Raises `UnknownNameError` for a network that is not there and `UnusableWeightsError` for weights that do not fit.
    """
    return _load(name, str(device))


@lru_cache(maxsize=64)
def _load(name: str, device: str) -> nn.Module:
    if name not in NETWORKS:
        raise UnknownNameError("network", name, NETWORKS)
    network = NETWORKS[name].untrained(seed=0)
    path = files(__package__).joinpath(FOLDER, f"{name}.safetensors")
    if not path.is_file():
        raise UnusableWeightsError(f"the network {name!r} has no trained weights; `dicomnode train {name}` makes them")
    return with_weights(network, path.read_bytes()).to(device)


def card_of(name: str) -> Card:
    """The card of trained weights. Raises `UnusableWeightsError` where there is none."""
    path = files(__package__).joinpath(FOLDER, f"{name}.json")
    if not path.is_file():
        raise UnusableWeightsError(f"the network {name!r} has no card")
    return Card(**json.loads(path.read_text(encoding="utf-8")))
