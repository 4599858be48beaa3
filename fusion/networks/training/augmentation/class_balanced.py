"""Every kind of pair is seen equally often, however many there are of it."""

from collections.abc import Sequence

import torch


def balanced_indices(classes: Sequence[object], count: int, generator: torch.Generator) -> list[int]:
    """`count` indices into `classes`: first the class, all alike, then one of its members."""
    members: dict[object, list[int]] = {}
    for index, name in enumerate(classes):
        members.setdefault(name, []).append(index)
    groups = list(members.values())
    drawn = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    chosen = [groups[int(share * len(groups))] for share in drawn[:, 0].tolist()]
    return [group[int(share * len(group))] for group, share in zip(chosen, drawn[:, 1].tolist(), strict=True)]
