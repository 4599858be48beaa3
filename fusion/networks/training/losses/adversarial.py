"""The least-squares game of a generator and its judge (Mao et al., ICCV 2017, `mao2017`, eq. 9, labels 0 and 1)."""

import torch


def least_squares_judge(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """What a judge minimises: scores of real images near 1, of made ones near 0."""
    return ((real - 1).square().mean() + made.square().mean()) / 2


def least_squares_generator(made: torch.Tensor) -> torch.Tensor:
    """What the generator minimises: scores of its images near 1."""
    return (made - 1).square().mean()
