"""Normalised mutual information: closed forms, and its derivative against differences."""

import math

import numpy as np
import pytest
import torch

from fusion.similarity.mutual_information import (
    Windowed,
    by_moving_value,
    joint_histogram,
    normalised_mutual_information,
)

BINS = 16


def similarity(fixed: torch.Tensor, moving: torch.Tensor, inside: torch.Tensor | None = None) -> float:
    everywhere = torch.ones(1, moving.numel(), dtype=torch.bool) if inside is None else inside[None]
    joint = joint_histogram(Windowed.of(fixed[None], BINS), Windowed.of(moving[None], BINS), everywhere, BINS)
    return float(normalised_mutual_information(joint)[0][0])


def on_bins(n: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, BINS, n) / (BINS - 1)).to(torch.float32)


def test_an_image_determines_itself_completely() -> None:
    values = on_bins(20_000, 1)
    assert similarity(values, values) == pytest.approx(2.0, abs=1e-9)


def test_any_one_to_one_recolouring_keeps_it_at_two() -> None:
    values = on_bins(20_000, 1)
    shuffled = torch.from_numpy(np.random.default_rng(2).permutation(BINS) / (BINS - 1)).to(torch.float32)
    recoloured = shuffled[(values * (BINS - 1)).round().to(torch.int64)]
    assert similarity(values, recoloured) == pytest.approx(2.0, abs=1e-9)


def test_independent_images_are_near_one() -> None:
    assert similarity(on_bins(200_000, 1), on_bins(200_000, 2)) == pytest.approx(1.0, abs=1e-3)


def test_a_coarser_copy_has_the_ratio_of_entropies() -> None:
    fixed = on_bins(20_000, 1)
    fine = (fixed * (BINS - 1)).round().to(torch.int64)
    halves = (fine // 8).to(torch.float32)

    def entropy(labels: torch.Tensor) -> float:
        p = np.bincount(labels.to(torch.int64).numpy()) / labels.numel()
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

    # H(F, M) = H(F) when M follows from F.
    expected = (entropy(fine) + entropy(halves)) / entropy(fine)
    assert similarity(fixed, halves) == pytest.approx(expected, abs=1e-6)


def test_samples_outside_do_not_count() -> None:
    fixed, moving = on_bins(5_000, 1), on_bins(5_000, 2)
    inside = torch.arange(5_000) < 2_500
    moving[2_500:] = 0.5
    assert similarity(fixed, moving, inside) == pytest.approx(similarity(fixed[:2_500], moving[:2_500]), abs=1e-9)


def test_a_pose_without_samples_is_finite() -> None:
    nothing = torch.zeros(100, dtype=torch.bool)
    assert math.isfinite(similarity(on_bins(100, 1), on_bins(100, 2), nothing))


def test_poses_of_a_batch_do_not_mix() -> None:
    fixed = Windowed.of(torch.rand(1, 4_000, generator=torch.Generator().manual_seed(1)), BINS)
    moving = torch.rand(3, 4_000, generator=torch.Generator().manual_seed(2))
    inside = torch.ones(3, 4_000, dtype=torch.bool)
    together = joint_histogram(fixed, Windowed.of(moving, BINS), inside, BINS)
    alone = [joint_histogram(fixed, Windowed.of(moving[k : k + 1], BINS), inside[:1], BINS)[0] for k in range(3)]
    assert torch.equal(together, torch.stack(alone))


def test_the_derivative_is_that_of_the_similarity() -> None:
    generator = torch.Generator().manual_seed(3)
    fixed = torch.rand(1, 3_000, generator=generator)
    moving = (0.6 * fixed + 0.4 * torch.rand(1, 3_000, generator=generator)).clamp(0, 1)
    direction = fixed - moving
    inside = torch.ones(1, 3_000, dtype=torch.bool)
    windows = Windowed.of(fixed, BINS)

    def value(step: float) -> float:
        moved = Windowed.of(moving + step * direction / (BINS - 1), BINS)
        return float(normalised_mutual_information(joint_histogram(windows, moved, inside, BINS))[0][0])

    at = Windowed.of(moving, BINS)
    _, slope = normalised_mutual_information(joint_histogram(windows, at, inside, BINS))
    analytic = float((by_moving_value(slope, windows, at, inside, BINS) * direction).sum())
    assert analytic == pytest.approx((value(0.02) - value(-0.02)) / 0.04, rel=0.03)
