"""A training that was interrupted: everything that it needs to go on as if it had not been."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import safetensors
import safetensors.torch
import torch

from ...errors import ParameterError

KEY = "training"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """After `step` steps: parameters, moments of the optimisers and the best so far, by name, in `tensors`.

    `held_out` are the cases that the training did not see, sorted: to go on with others would validate on seen ones.

    Nothing random is kept: what a step draws follows from the seed and its number.
    """

    network: str
    seed: int
    held_out: tuple[str, ...]
    step: int
    best_step: int
    best_validation: float
    seconds: float
    tensors: Mapping[str, torch.Tensor]

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        facts = {name: getattr(self, name) for name in _FACTS}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        content: bytes = safetensors.torch.save(tensors, metadata={KEY: json.dumps(facts)})
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> "TrainingState":
        """From such a file. Raises `ParameterError` for anything else."""
        try:
            tensors = safetensors.torch.load(content)
            length = int.from_bytes(content[:8], "little")
            facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][KEY])
            return cls(**facts | {"held_out": tuple(facts["held_out"])}, tensors=tensors)
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
            raise ParameterError("the file holds no training that could be resumed") from error


_FACTS = ("network", "seed", "held_out", "step", "best_step", "best_validation", "seconds")
