"""Attention maps: where the transformers among the networks looked."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


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


def attended_places(network: nn.Module, first: torch.Tensor, second: torch.Tensor) -> dict[str, torch.Tensor]:
    """(n, 1, row, column): how much each place was looked at, in multiples of what all get alike; mean of the layers.

    Under `fixed` and `moved` where a layer was asked once for each image, else under `both`.
    """
    maps = attention_maps(network, first, second)
    again = [name for name in maps if name.endswith(" 2")]
    if again and 2 * len(again) == len(maps):
        groups = {"fixed": [name for name in maps if name not in again], "moved": again}
    else:
        groups = {"both": list(maps)}
    return {
        of: torch.stack([_on_plane(name, maps[name], first) for name in names]).mean(dim=0)
        for of, names in groups.items()
    }


def _on_plane(name: str, weights: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The mean over the queries, times the number of keys, at the places of the keys, enlarged to the plane."""
    count, (height, width) = len(like), like.shape[-2:]
    received = weights.mean(dim=1) * weights.shape[2]
    line = name.rpartition(".")[2].partition(" ")[0]
    if line == "rows":
        places = received.reshape(count, -1, weights.shape[2])
    elif line == "columns":
        places = received.reshape(count, -1, weights.shape[2]).transpose(1, 2)
    else:
        rows = min(
            (n for n in range(1, weights.shape[2] + 1) if weights.shape[2] % n == 0),
            key=lambda n: abs(n * n / weights.shape[2] - height / width),
        )
        places = received.reshape(count, rows, -1)
    return functional.interpolate(places[:, None], size=(height, width), mode="bilinear", align_corners=False)


QUERY = ("query", "key", "value")
