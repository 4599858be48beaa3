"""Weights into a network, from the bytes of a safetensors file."""

import safetensors
import safetensors.torch
from torch import nn

from ..errors import UnusableWeightsError


def with_weights(network: nn.Module, content: bytes) -> nn.Module:
    """`network` with the weights of a safetensors file, not to be trained further.

    Raises `UnusableWeightsError` when the file is none or its tensors are another network's.
    """
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except (safetensors.SafetensorError, RuntimeError, ValueError) as error:
        raise UnusableWeightsError("the weights do not fit the network") from error
    return network.eval().requires_grad_(requires_grad=False)
