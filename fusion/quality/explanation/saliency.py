"""Saliency: how much the answer moves when a pixel of a source moves."""

import torch
from torch import nn

Answer = torch.Tensor
"""(n, 1, row, column), bool or weights: which part of the fused image is to be explained; None is all of it."""


def saliency(
    network: nn.Module, first: torch.Tensor, second: torch.Tensor, of: Answer | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """|d ΣF / dA| and |d ΣF / dB| (Simonyan, Vedaldi and Zisserman 2014, `simonyan2014`, section 3), over `of`."""
    gradients = input_gradients(network, first, second, of)
    return gradients[0].abs(), gradients[1].abs()


def input_gradients(
    network: nn.Module, first: torch.Tensor, second: torch.Tensor, of: Answer | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The derivatives of ΣF by A and by B, with their signs."""
    with torch.enable_grad(), torch.autograd.graph.allow_mutation_on_saved_tensors():
        inputs = first.detach().clone().requires_grad_(), second.detach().clone().requires_grad_()
        fused = network(*inputs)
        explained = fused.sum() if of is None else (fused * of).sum()
        one, two = torch.autograd.grad(explained, inputs)
    return one, two
