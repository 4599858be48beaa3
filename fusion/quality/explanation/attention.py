"""Attention maps: where the transformers among the networks looked."""

from typing import Any

import torch
from torch import nn


def attention_maps(network: nn.Module, first: torch.Tensor, second: torch.Tensor) -> dict[str, torch.Tensor]:
    """For each attention layer that was asked, by its name, the weights (sequences, queries, keys), mean of the heads.

    Rows add up to 1. A layer that is asked several times has its name and a number. Empty where there is no attention.
    """
    maps: dict[str, torch.Tensor] = {}
    hooks = []

    def asked(module: nn.MultiheadAttention, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        query, key, value = (kwargs.get(name, inputs[k] if k < len(inputs) else None) for k, name in enumerate(QUERY))
        _, weights = nn.MultiheadAttention.forward(module, query, key, value, need_weights=True)  # type: ignore[arg-type]
        name = names[module]
        count = sum(other == name or other.startswith(f"{name} ") for other in maps)
        if weights is not None:
            maps[f"{name} {count + 1}" if count else name] = weights.detach()

    names = {module: name for name, module in network.named_modules() if isinstance(module, nn.MultiheadAttention)}
    # The fast path of a transformer layer in evaluation calls no attention module; with gradients it is not taken.
    try:
        hooks = [module.register_forward_pre_hook(asked, with_kwargs=True) for module in names]
        with torch.enable_grad():
            network(first.detach().clone().requires_grad_(), second)
    finally:
        for hook in hooks:
            hook.remove()
    return maps


QUERY = ("query", "key", "value")
