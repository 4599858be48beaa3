"""Patches coded sparsely by a learned auto-encoder; the more active code is kept.

After the sparse autoencoder features of Vu et al. (`vu2017`): one hidden layer, a penalty on its mean
activity (Ng, CS294A lecture notes, 2011, `ng2011`, eq. 8: the Kullback-Leibler divergence from a small target).
"""

import torch
from torch import nn


class SparseAutoencoder(nn.Module):
    """Overlapping patches of `patch` x `patch` pixels, `codes` sigmoid units each.

    Defining block: codes held sparse by `sparsity_penalty`, and fused unit by unit: a patch takes the code of the
    image whose code is the stronger (L1 norm). Patch means are set aside and averaged by strength.
    """

    def __init__(self, patch: int = 8, codes: int = 128) -> None:
        super().__init__()
        self.patch = patch
        self.encoder = nn.Linear(patch * patch, codes)
        self.decoder = nn.Linear(codes, patch * patch)

    def codes(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches (…, p²) without their means to codes (…, k) in 0…1."""
        return torch.sigmoid(self.encoder(patches))

    def patches(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes to patches (…, p²)."""
        patches: torch.Tensor = self.decoder(codes)
        return patches

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w); the order of the inputs does not matter."""
        stride = max(self.patch // 4, 1)
        padded, size = _padded(torch.cat([first, second]), self.patch, stride)
        columns = nn.functional.unfold(padded, self.patch, stride=stride).transpose(1, 2)
        means = columns.mean(dim=2, keepdim=True)
        codes = self.codes(columns - means)
        rest = self.codes(torch.zeros_like(columns[:1, :1]))
        strength = (codes - rest).abs().sum(dim=2, keepdim=True)
        n = len(first)
        stronger = strength[:n] >= strength[n:]
        chosen = torch.where(stronger, codes[:n], codes[n:])
        mean = torch.maximum(means[:n], means[n:])
        fused = (self.patches(chosen) + mean).transpose(1, 2)
        total = nn.functional.fold(fused, size, self.patch, stride=stride)
        count = nn.functional.fold(torch.ones_like(fused), size, self.patch, stride=stride)
        rows, columns_there = first.shape[-2:]
        return (total / count)[..., :rows, :columns_there].clamp(0, 1)


def sparsity_penalty(codes: torch.Tensor, target: float = 0.05) -> torch.Tensor:
    """Kullback-Leibler divergence of each unit's mean activity from `target`, added over the units."""
    mean = codes.flatten(0, -2).mean(dim=0).clamp(1e-4, 1 - 1e-4)
    return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()


def _padded(image: torch.Tensor, patch: int, stride: int) -> tuple[torch.Tensor, tuple[int, int]]:
    """Enlarged at the end of each axis, so that patches cover every pixel."""
    sizes = [max(patch, patch + -(-(extent - patch) // stride) * stride) for extent in image.shape[-2:]]
    missing = [size - extent for size, extent in zip(sizes, image.shape[-2:], strict=True)]
    padded = nn.functional.pad(image, (0, missing[1], 0, missing[0]), mode="replicate")
    return padded, (sizes[0], sizes[1])
