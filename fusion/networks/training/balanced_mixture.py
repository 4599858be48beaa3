"""Training of mixture weights: more of both sources than the brighter voxel keeps, none at the other's cost."""

import torch
from torch import nn
from torch.nn import functional

from ...quality.difference_correlation import correlation
from ...quality.edge_transfer import edge_transfer
from ...quality.structural_similarity import ssim
from ...quality.visual_information import pair_vif
from .objective import Objective
from .pairs import Batch

GREY_LEVELS = 255.0

GAINS = {"edges": 10.0, "information": 4.0, "difference": 1.0, "structure": 2.0}
"""What a unit of gain over the brighter voxel is worth: Q^AB/F, VIF, SCD, SSIM."""

FLOORS = {"edges": 10.0, "information": 30.0, "difference": 15.0, "all_difference": 15.0, "structure": 15.0}
"""What it costs when the worse-served source has less than it has in the brighter voxel."""

SLACK = {"structure": 0.003}
"""How much less may go unpunished."""

INVENTED, SOFTNESS = 10.0, 10.0
"""The price of N^AB/F, and over how many grey levels of gradient an edge becomes one that no source has."""


class BalancedMixture(Objective):
    """The network answers with weights; F = w A + (1 - w) B is measured against max(A, B) on the same crop.

    Rewarded are Q^AB/F, VIF, SCD and SSIM; the floor is the worse-served source (the smaller of the two transfers of
    edges, of information and of the two correlations of differences): copying one source loses more there than it wins.
    """

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        weight = network(batch.first, batch.second)
        return self.of(weight * batch.first + (1 - weight) * batch.second, batch)

    def of(self, fused: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss of a fused image (n, 1, h, w) in 0…1."""
        first, second = (image[:, 0] * GREY_LEVELS for image in (batch.first, batch.second))
        ours = measured(first, second, fused[:, 0] * GREY_LEVELS)
        with torch.no_grad():
            theirs = measured(first, second, torch.maximum(first, second))
        loss = torch.zeros_like(ours["edges"])
        for name, worth in GAINS.items():
            loss = loss - worth * (ours[name] - theirs[name])
        for name, cost in FLOORS.items():
            least = f"least_{name}" if f"least_{name}" in ours else name.removeprefix("all_")
            loss = loss + cost * functional.relu(theirs[least] - SLACK.get(name, 0.0) - ours[least])
        return (loss + INVENTED * ours["invented"]).mean()


def measured(first: torch.Tensor, second: torch.Tensor, fused: torch.Tensor) -> dict[str, torch.Tensor]:
    """The measures of fused planes (n, h, w) in grey levels 0…255, one number each (n,)."""
    edges = edge_transfer(first, second, fused)
    strengths = edges.fixed_strength.sum(dim=(1, 2)), edges.moved_strength.sum(dim=(1, 2))
    kept = (
        (edges.of_fixed * edges.fixed_strength).sum(dim=(1, 2)),
        (edges.of_moved * edges.moved_strength).sum(dim=(1, 2)),
    )
    total = (strengths[0] + strengths[1]).clamp_min(1.0)
    lost = (1 - edges.of_fixed) * edges.fixed_strength + (1 - edges.of_moved) * edges.moved_strength
    stronger = edges.fused_strength - torch.maximum(edges.fixed_strength, edges.moved_strength)
    new = torch.where(stronger > 0, torch.tanh(stronger / SOFTNESS), 0.0)
    information = pair_vif(first, fused), pair_vif(second, fused)
    difference = correlation(fused - second, first), correlation(fused - first, second)
    return {
        "edges": (kept[0] + kept[1]) / total,
        "least_edges": torch.minimum(kept[0] / strengths[0].clamp_min(1.0), kept[1] / strengths[1].clamp_min(1.0)),
        "information": information[0].clamp_max(1.1) + information[1].clamp_max(1.1),
        "least_information": torch.minimum(*information),
        "difference": difference[0] + difference[1],
        "least_difference": torch.minimum(*difference),
        "structure": ssim(first, second, fused),
        "invented": (new * lost).sum(dim=(1, 2)) / total,
    }
