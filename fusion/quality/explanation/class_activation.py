"""Class activation by gradients (Grad-CAM): which places of a layer's features carried the answer."""

import torch
from torch import nn
from torch.nn import functional

from ...errors import ParameterError
from .relevance import ACTIVATIONS


def class_activation(
    network: nn.Module,
    first: torch.Tensor,
    second: torch.Tensor,
    layer: nn.Module | None = None,
    of: torch.Tensor | None = None,
) -> torch.Tensor:
    """(n, 1, row, column): ReLU(Σ_c mean(dy/dF_c) F_c) of `layer` (Selvaraju et al. 2017, `selvaraju2017`, eq. 1, 2).

    y is the sum of the fused image, over `of` where given. `layer` is by default the last convolution but one, or
    the first before it whose map is not empty; features are taken after its activation. A layer that sees both images
    one after the other adds up over both. Raises `ParameterError` where the network has no convolution or never calls
    the layer.
    """
    candidates = [layer] if layer is not None else _layers(network, first, second)
    found = _map(network, candidates[0], first, second, of)
    for earlier in candidates[1:]:
        if float(found.max()) > 0:
            break
        found = _map(network, earlier, first, second, of)
    return found


def _map(
    network: nn.Module, layer: nn.Module, first: torch.Tensor, second: torch.Tensor, of: torch.Tensor | None
) -> torch.Tensor:
    seen: list[torch.Tensor] = []

    def remember(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        seen.append(output)

    hook = layer.register_forward_hook(remember)
    try:
        with torch.enable_grad(), torch.autograd.graph.allow_mutation_on_saved_tensors():
            inputs = first.detach().clone().requires_grad_(), second.detach().clone().requires_grad_()
            fused = network(*inputs)
            explained = fused.sum() if of is None else (fused * of).sum()
            if not seen:
                raise ParameterError("the network never calls the layer that was to be explained")
            gradients = torch.autograd.grad(explained, seen, allow_unused=True)
    finally:
        hook.remove()
    total = torch.zeros_like(first)
    for gradient, features in zip(gradients, seen, strict=True):
        if gradient is not None:
            one = functional.relu((gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1, keepdim=True))
            total += functional.interpolate(one, size=first.shape[-2:], mode="bilinear", align_corners=False).detach()
    return total


def _layers(network: nn.Module, first: torch.Tensor, second: torch.Tensor) -> list[nn.Module]:
    """Convolutions from the last but one back, in the order of the calls: judges of a trained pair never are called.

    In place of each the activation that follows it at once, if one does.
    """
    called: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, _inputs, _output: called.append(module))
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, *ACTIVATIONS))
    ]
    try:
        with torch.no_grad():
            network(first, second)
    finally:
        for hook in hooks:
            hook.remove()
    if not called:
        raise ParameterError("class activation needs a network with convolutions")
    followed = zip(called, [*called[1:], called[0]], strict=True)
    features: list[nn.Module] = [
        after if isinstance(after, ACTIVATIONS) else module
        for module, after in followed
        if isinstance(module, nn.Conv2d)
    ]
    order = list(dict.fromkeys(reversed(features)))
    return order[1:] or order
