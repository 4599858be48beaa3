"""Feature mutual information (FMI), window by window."""

import torch

from .edge_transfer import safe_root, sobel, sum_of_squares
from .local_windows import Image, Values

WINDOW = 3
WINDOWS_AT_ONCE = 4096
"""The joint distribution of a window is 81 numbers: they are made for so many windows at a time."""

LEAST = 1e-9


def fmi(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Mean over all 3 × 3 windows of I(A; F) / (H(A) + H(F)) + I(B; F) / (H(B) + H(F)): 0 … 1, higher is better.

    Haghighat, Aghagolzadeh and Seyedarabi 2011 (`haghighat2011`) in the local form of Haghighat and Razian 2014
    (`haghighat2014`). The feature is the length of the Sobel gradient. In a window the feature, stretched to 0…1 and
    divided by its sum, is a distribution over the nine places in reading order. Two of them are joined as between
    independence and the Fréchet bound, so that the joint one has their correlation. A window in which both
    are equal counts as 1. Programs differ in feature (edge, DCT, wavelet, none); only values of one feature compare.

    The reading order has no like in three dimensions: a volume is always measured slice by slice, `dimensions=3`
    gives the mean over the slices.
    """
    lead = fused.shape[: fused.ndim - dimensions]
    flat = [image.detach().to(torch.float32).reshape(-1, *image.shape[-2:]) for image in (fixed, moved, fused)]
    values = torch.stack([_of_slice(*slices) for slices in zip(*flat, strict=True)])
    return values.to(fused.dtype).reshape(*lead, -1).mean(dim=-1)


def _of_slice(fixed: Image, moved: Image, fused: Image) -> Values:
    first, second, of_fused = (
        _distributions(safe_root(sum_of_squares(sobel(image, 2)))) for image in (fixed, moved, fused)
    )
    shared = [_of_windows(source, of_fused) for source in (first, second)]
    return ((shared[0] + shared[1]) / 2).to(fused.dtype)


def _of_windows(source: torch.Tensor, fused: torch.Tensor) -> Values:
    """The mean over all windows; those in which both are equal, such as the background, are 1 without a calculation."""
    different = (source != fused).any(dim=1).nonzero()[:, 0]
    total = torch.tensor(float(source.shape[0] - different.shape[0]), dtype=torch.float64, device=source.device)
    for chosen in torch.split(different, WINDOWS_AT_ONCE):
        total = total + _shared(source[chosen], fused[chosen]).sum()
    return total / source.shape[0]


def _distributions(feature: Image) -> torch.Tensor:
    """(windows, places): each window's feature as a distribution; windows that reach over the border are left out."""
    rows, columns = min(WINDOW, feature.shape[0]), min(WINDOW, feature.shape[1])
    windows = feature.unfold(0, rows, 1).unfold(1, columns, 1).reshape(-1, rows * columns)
    lowest, highest = windows.amin(dim=1, keepdim=True), windows.amax(dim=1, keepdim=True)
    stretched = torch.where(highest > lowest, (windows - lowest) / (highest - lowest).clamp_min(LEAST), 1.0)
    return stretched / stretched.sum(dim=1, keepdim=True)


def _shared(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(windows,): twice the mutual information over the summed entropies."""
    marginals = torch.special.entr(first).sum(dim=1) + torch.special.entr(second).sum(dim=1)
    joint = torch.special.entr(_joint(first, second)).sum(dim=(1, 2))
    share = torch.where(marginals > LEAST, 2 * (marginals - joint) / marginals.clamp_min(LEAST), 1.0)
    return share.clamp(0, 1)


def _joint(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(windows, places, places): a mixture of independence and the bound that the correlation points to."""
    independent = first[:, :, None] * second[:, None, :]
    row, column = first.cumsum(dim=1)[:, :, None], second.cumsum(dim=1)[:, None, :]
    places = torch.arange(first.shape[1], dtype=first.dtype, device=first.device)
    spread = _spread(first, places) * _spread(second, places)
    wanted = _pearson(first, second)
    mixed = independent
    for bound, chosen in ((torch.minimum(row, column), wanted >= 0), ((row + column - 1).clamp_min(0), wanted < 0)):
        # Hoeffding: the covariance of a joint distribution is the sum of what it exceeds independence by.
        reach = (bound - row * column).sum(dim=(1, 2)) / spread.clamp_min(LEAST)
        share = torch.where(reach.abs() > LEAST, wanted / reach, 0.0).clamp(0, 1)[:, None, None]
        density = bound.diff(dim=1, prepend=torch.zeros_like(bound[:, :1]))
        density = density.diff(dim=2, prepend=torch.zeros_like(bound[:, :, :1])).clamp_min(0)
        mixed = torch.where(chosen[:, None, None], share * density + (1 - share) * independent, mixed)
    return mixed


def _spread(distribution: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    centre = (distribution * places).sum(dim=1, keepdim=True)
    return (distribution * (places - centre).square()).sum(dim=1).sqrt()


def _pearson(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    first, second = (part - part.mean(dim=1, keepdim=True) for part in (first, second))
    scale = (first.square().sum(dim=1) * second.square().sum(dim=1)).sqrt()
    return torch.where(scale > LEAST, (first * second).sum(dim=1) / scale.clamp_min(LEAST), 0.0)
