"""Layer-wise relevance: the answer shared out among the pixels of the sources, layer by layer."""

import torch
from torch import nn

from .saliency import input_gradients

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh)
STABLE = 1e-6


def relevance(
    network: nn.Module, first: torch.Tensor, second: torch.Tensor, of: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Relevance of both images' pixels, with sign (Bach et al. 2015, `bach2015`, eq. 56, ε → 0).

    By its equal, input times gradient with f(z)/z in place of every activation's slope (Ancona et al. 2018,
    `ancona2018`, proposition 1). Without biases, and for the layers that are modules, it adds up to the answer; biases
    and the half that a sigmoid answers to nothing keep what they add.
    """

    def straightened(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        (z,) = inputs
        away = torch.where(z >= 0, z.clamp_min(STABLE), z.clamp_max(-STABLE))
        # What an activation answers to nothing is nobody's: like a bias it keeps its share.
        rest = 0.5 if isinstance(module, nn.Sigmoid) else 0.0
        return rest + z * ((output - rest) / away).detach()

    hooks = [
        module.register_forward_hook(straightened) for module in network.modules() if isinstance(module, ACTIVATIONS)
    ]
    try:
        one, two = input_gradients(network, first, second, of)
    finally:
        for hook in hooks:
            hook.remove()
    return one * first, two * second
