"""Class activation by gradients (Grad-CAM): which places of a layer's features carried the answer."""

import torch
from torch import nn
from torch.nn import functional

from ...errors import ParameterError


def class_activation(
    network: nn.Module,
    first: torch.Tensor,
    second: torch.Tensor,
    layer: nn.Module | None = None,
    of: torch.Tensor | None = None,
) -> torch.Tensor:
    """(n, 1, row, column): ReLU(Σ_c mean(dy/dF_c) F_c) of `layer` (Selvaraju et al. 2017, `selvaraju2017`, eq. 1, 2).

    y is the sum of the fused image, over `of` where given. `layer` is by default the last convolution but one. A
    layer that sees both images one after the other adds up over both. Raises `ParameterError` where the network has
    no convolution or never calls the layer.
    """
    chosen = layer or _last_features(network)
    seen: list[torch.Tensor] = []

    def remember(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        seen.append(output)

    hook = chosen.register_forward_hook(remember)
    try:
        with torch.enable_grad():
            inputs = first.detach().clone().requires_grad_(), second.detach().clone().requires_grad_()
            fused = network(*inputs)
            explained = fused.sum() if of is None else (fused * of).sum()
            if not seen:
                raise ParameterError("the network never calls the layer that was to be explained")
            gradients = torch.autograd.grad(explained, seen)
    finally:
        hook.remove()
    maps = [
        functional.relu((gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1, keepdim=True))
        for gradient, features in zip(gradients, seen, strict=True)
    ]
    enlarged = [
        functional.interpolate(one, size=first.shape[-2:], mode="bilinear", align_corners=False) for one in maps
    ]
    return torch.stack([one.detach() for one in enlarged]).sum(dim=0)


def _last_features(network: nn.Module) -> nn.Module:
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise ParameterError("class activation needs a network with convolutions")
    return convolutions[-2] if len(convolutions) > 1 else convolutions[0]
