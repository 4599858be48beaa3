"""Convolutional sparse coding: an image as the sum of filters, each convolved with a sparse map."""

import torch


def convolutional_codes(slices: torch.Tensor, filters: torch.Tensor, sparsity: float, iterations: int) -> torch.Tensor:
    """(slices, filters, rows, columns): the maps x of min ½ ‖Σ d ∗ x − s‖² + `sparsity` Σ ‖x‖₁, ends joined.

    `filters` is (filters, side, side). By the alternating direction method of multipliers in the Fourier domain, where
    each frequency is a system of rank one plus the identity (`wohlberg2016`).
    """
    shape = (int(slices.shape[-2]), int(slices.shape[-1]))
    response = filter_response(filters, shape)
    image = torch.fft.rfft2(slices)[:, None]
    penalty = 50 * sparsity + 1
    data = response.conj() * image
    power = penalty + (response.real.square() + response.imag.square()).sum(dim=0)
    sparse = slices.new_zeros((slices.shape[0], filters.shape[0], *shape))
    dual = torch.zeros_like(sparse)
    for _ in range(iterations):
        right = data + penalty * torch.fft.rfft2(sparse - dual)
        # Sherman and Morrison: (ρ + d dᴴ)⁻¹ r = (r − d (dᴴ r) / (ρ + dᴴ d)) / ρ, with d the conjugate response.
        along = (response * right).sum(dim=1, keepdim=True) / power
        maps = torch.fft.irfft2((right - response.conj() * along) / penalty, s=shape)
        dual += maps
        sparse = torch.sign(dual) * (dual.abs() - sparsity / penalty).clamp_(min=0.0)
        dual -= sparse
    return sparse


def convolved(maps: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """(slices, rows, columns): Σ d ∗ x, ends joined."""
    shape = (int(maps.shape[-2]), int(maps.shape[-1]))
    spectrum = (torch.fft.rfft2(maps) * filter_response(filters, shape)).sum(dim=1)
    image: torch.Tensor = torch.fft.irfft2(spectrum, s=shape)
    return image


def filter_response(filters: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """(filters, rows, half the columns): of filters that begin at the first voxel and wrap where they are too long."""
    side = filters.shape[-1]
    padded = filters.new_zeros((filters.shape[0], *shape))
    for row in range(side):
        for column in range(side):
            padded[:, row % shape[0], column % shape[1]] += filters[:, row, column]
    response: torch.Tensor = torch.fft.rfft2(padded)
    return response


def learned_filters(
    slices: torch.Tensor, start: torch.Tensor, sparsity: float, rounds: int, iterations: int
) -> torch.Tensor:
    """Filters of length one in which `slices` are sparse: codes and gradient steps on the filters in turn.

    Each step goes down the squared rest with the length of its curvature's bound, then back to length one (a projected
    gradient, as of `wohlberg2016`, with another solver).
    """
    filters = torch.nn.functional.normalize(start.flatten(1), dim=1).reshape(start.shape)
    shape = (int(slices.shape[-2]), int(slices.shape[-1]))
    side = filters.shape[-1]
    for _ in range(rounds):
        maps = torch.fft.rfft2(convolutional_codes(slices, filters, sparsity, iterations))
        bound = (maps.real.square() + maps.imag.square()).sum(dim=(0, 1)).max()
        image = torch.fft.rfft2(slices)
        for _ in range(10):
            rest = (maps * filter_response(filters, shape)).sum(dim=1) - image
            gradient = torch.fft.irfft2((maps.conj() * rest[:, None]).sum(dim=0), s=shape)[:, :side, :side]
            filters = filters - gradient / bound
            filters = torch.nn.functional.normalize(filters.flatten(1), dim=1).reshape(filters.shape)
    return filters
