"""Canonical correlation of the features of two images."""

from dataclasses import dataclass

import torch

RIDGE = 1e-6
"""A direction with less than this share of a standardised feature's variance says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticForm:
    """(x − mean)ᵀ matrix (x − mean) of a feature vector x; float64 on the CPU."""

    mean: torch.Tensor
    matrix: torch.Tensor

    def of(self, features: list[torch.Tensor]) -> torch.Tensor:
        """The form's value per voxel, never negative."""
        total = torch.zeros_like(features[0])
        for i, ours in enumerate(features):
            row = torch.zeros_like(ours)
            for j, theirs in enumerate(features):
                row.add_(theirs - float(self.mean[j]), alpha=float(self.matrix[i, j]))
            total.add_(row.mul_(ours - float(self.mean[i])))
        return total.clamp_(min=0.0)


def canonical_forms(first: torch.Tensor, second: torch.Tensor) -> tuple[QuadraticForm, QuadraticForm]:
    """For each image the sum of (1 − ρ²) z² over its canonical variates z, as a form of its features.

    `first` and `second` are (features, samples). z are the pairs of directions of the largest correlation ρ, then of
    the largest among those uncorrelated with them, and so on (`hotelling1936`).
    """
    ours, theirs = first.double().cpu(), second.double().cpu()
    means = ours.mean(dim=1, keepdim=True), theirs.mean(dim=1, keepdim=True)
    ours, theirs = ours - means[0], theirs - means[1]
    roots = _inverse_root(ours @ ours.T / ours.shape[1]), _inverse_root(theirs @ theirs.T / theirs.shape[1])
    left, correlation, right = torch.linalg.svd(
        roots[0].T @ (ours @ theirs.T / ours.shape[1]) @ roots[1], full_matrices=False
    )
    own = (1 - correlation.square()).clamp(min=0.0)
    return (
        QuadraticForm(means[0].flatten(), roots[0] @ left * own @ left.T @ roots[0].T),
        QuadraticForm(means[1].flatten(), roots[1] @ right.T * own @ right @ roots[1].T),
    )


def _inverse_root(covariance: torch.Tensor) -> torch.Tensor:
    """The inverse square root; nothing along directions in which the standardised features do not vary."""
    spread = covariance.diagonal().clamp(min=0.0).sqrt()
    scale = torch.where(spread > RIDGE, 1 / spread.clamp(min=RIDGE), 0.0)
    values, vectors = torch.linalg.eigh(covariance * scale * scale[:, None])
    roots = torch.where(values > RIDGE, values.clamp(min=RIDGE).rsqrt(), 0.0)
    # Any root serves, as long as root · root' is the inverse: root' · feature is white.
    root: torch.Tensor = scale[:, None] * (vectors * roots @ vectors.T)
    return root
