"""Sparse codes of many patches at once by orthogonal matching pursuit."""

import torch


def sparse_codes(patches: torch.Tensor, dictionary: torch.Tensor, atoms: int, tolerance: float) -> torch.Tensor:
    """(patches, atoms of the dictionary): at most `atoms` of each row are not zero.

    `patches` is (patches, places), `dictionary` (places, atoms) with columns of length one. The atom that fits the rest
    best is added and all are fitted again (`pati1993`), until the rest is at most `tolerance` long.
    """
    count = patches.shape[0]
    rows = torch.arange(count, device=patches.device)
    gram = dictionary.T @ dictionary
    projections = patches @ dictionary
    codes = torch.zeros_like(projections)
    chosen = torch.empty((count, 0), dtype=torch.int64, device=patches.device)
    open_ = patches.norm(dim=1) > tolerance
    fits = projections
    for _ in range(atoms):
        if not bool(open_.any()):
            break
        fits = fits.abs().scatter(1, chosen, -1.0)
        chosen = torch.cat([chosen, fits.argmax(dim=1, keepdim=True)], dim=1)
        small = gram[chosen[:, :, None], chosen[:, None, :]]
        factor = torch.linalg.cholesky_ex(small + 1e-6 * torch.eye(chosen.shape[1], device=small.device)).L
        fitted = torch.cholesky_solve(projections.gather(1, chosen)[..., None], factor)[..., 0]
        # What was good enough before keeps its codes.
        codes[rows[open_]] = torch.zeros_like(codes[open_]).scatter_(1, chosen[open_], fitted[open_])
        rest = patches - codes @ dictionary.T
        open_ = open_ & (rest.norm(dim=1) > tolerance)
        fits = rest @ dictionary
    return codes
