"""Dictionaries and filters that were learned here: safetensors files in the package, each beside its card."""

from functools import lru_cache
from importlib.resources import files

import safetensors.torch
import torch

FOLDER = "learned_tensors"


@lru_cache
def learned_tensor(name: str) -> torch.Tensor:
    """The tensor `values` of the file called `name`, on the CPU; its card is the JSON file of the same name."""
    content = files(__package__).joinpath(FOLDER, f"{name}.safetensors").read_bytes()
    values: torch.Tensor = safetensors.torch.load(content)["values"]
    return values
