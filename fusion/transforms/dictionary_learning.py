"""Learning a dictionary in which patches are sparse."""

import torch

from .matching_pursuit import sparse_codes

TOLERANCE = 0.05
"""Length of the rest at which a patch counts as explained, while learning."""


def cosine_dictionary(side: int, atoms_a_side: int) -> torch.Tensor:
    """(side², atoms_a_side²): products of cosines of more frequencies than places; where learning starts."""
    place = torch.arange(side, dtype=torch.float64)[:, None]
    line = torch.cos(place * torch.arange(atoms_a_side) * torch.pi / atoms_a_side)
    line[:, 1:] -= line[:, 1:].mean(dim=0)
    atoms = torch.einsum("ik,jl->ijkl", line, line).reshape(side * side, -1)
    return torch.nn.functional.normalize(atoms, dim=0).float()


def learned_dictionary(
    patches: torch.Tensor, start: torch.Tensor, atoms: int, rounds: int, *, seed: int = 0
) -> torch.Tensor:
    """K-SVD (`aharon2006`): codes by matching pursuit, then every atom by the leading singular vector of its rest.

    `patches` is (patches, places) without their means, `start` (places, atoms). An atom that nobody uses is replaced
    by the patch that is explained worst. The first atom stays: it is the constant one.
    """
    dictionary = start.clone()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(rounds):
        codes = sparse_codes(patches, dictionary, atoms, TOLERANCE)
        rest = patches - codes @ dictionary.T
        for at in range(1, dictionary.shape[1]):
            users = codes[:, at].nonzero()[:, 0]
            if len(users) == 0:
                worst = int(rest.norm(dim=1).argmax())
                dictionary[:, at] = torch.nn.functional.normalize(patches[worst], dim=0)
                rest[worst] = 0
                continue
            part = rest[users] + codes[users, at, None] * dictionary[None, :, at]
            # One round of the power method: the atom as it was is a good start (approximate K-SVD).
            atom = part.T @ (part @ dictionary[:, at])
            size = atom.norm()
            if float(size) > 0:
                dictionary[:, at] = atom / size
            codes[users, at] = part @ dictionary[:, at]
            rest[users] = part - codes[users, at, None] * dictionary[None, :, at]
        dictionary = _without_twins(dictionary, patches, generator)
    return dictionary


def _without_twins(dictionary: torch.Tensor, patches: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Of two atoms that are nearly the same the later one is replaced by some patch."""
    alike = torch.triu((dictionary.T @ dictionary).abs(), diagonal=1).max(dim=0).values
    for at in (alike > 0.99).nonzero()[:, 0].tolist():
        some = int(torch.randint(len(patches), (1,), generator=generator))
        dictionary[:, at] = torch.nn.functional.normalize(patches[some], dim=0)
    return dictionary
