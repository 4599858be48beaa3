"""Displacement fields from images: known warps are found, in any contrast, without folds, and the same both ways."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from dicomnode.benchmark.warps import error_of, remapped, smooth_warp
from fusion import ParameterError, Registration, Verdict, Volume, assess, register
from fusion.geometry import DisplacementTransform, gaussian, resample
from fusion.geometry.jacobian import jacobian_of_map
from fusion.geometry.transform import AffineTransform
from fusion.registration import contrast
from fusion.registration.common_space import common_space
from fusion.registration.contrast import NAMES
from fusion.registration.coupled_convex import DiscreteSearch, coupled_convex
from fusion.registration.deformable import features_of, fields_from, to_lps
from fusion.registration.field_search import both_ways, nodes_of
from fusion.registration.instance_optimisation import Features
from fusion.registration.node_grid import NodeGrid
from fusion.registration.normal_equations import normal_equations, reference_equations
from fusion.registration.stiffness import bending, solve, weighed
from fusion.similarity.cross_correlation import local_correlation
from fusion.similarity.mind import CHANNELS, mind_ssc, pairs
from fusion.types import Points
from tests.fixtures.volumes import make_grid

GRID = make_grid((44, 52, 48), (3.0, 3.0, 3.0), centre_mm=(4.0, -6.0, 2.0))
COARSE = {"start": "header", "spacing_mm": 3.0}


@cache
def tissue() -> Volume:
    """A ball full of structure of some 12 mm, in air."""
    noise = torch.randn(GRID.shape, generator=torch.Generator().manual_seed(4))
    values = gaussian(noise, [2.0] * 3)
    values = 0.5 + 0.18 * values / values.std()
    index = np.moveaxis(np.indices(GRID.shape), 0, -1).astype(np.float64)
    distance = np.linalg.norm(GRID.points(index) - GRID.centre_mm, axis=-1)
    inside = torch.from_numpy(np.clip((54 - distance) / 6, 0, 1).astype(np.float32))
    return Volume(values.clamp(0.15, 1) * inside, GRID, modality="MR")


@cache
def body() -> Points:
    index = np.argwhere(tissue().voxels.numpy() > 0.1)[::37]
    return GRID.points(index.astype(np.float64))


@cache
def warp() -> DisplacementTransform:
    return smooth_warp(GRID, body(), np.random.default_rng(8), 18.0, 4.0)


@cache
def moved(other_contrast: bool, turn: bool = False) -> Volume:
    image = resample(tissue(), warp(), GRID)
    values = remapped(image.voxels.clamp(0, 1)) if other_contrast else 0.7 * image.voxels
    noise = torch.randn(GRID.shape, generator=torch.Generator().manual_seed(5)) * 0.01
    grid = make_grid(GRID.shape, GRID.spacing_mm, centre_mm=(50.0, 0.0, -20.0)) if turn else GRID
    return Volume(values + noise, grid, modality="MR")


@cache
def found(other_contrast: bool) -> Registration:
    return register(tissue(), moved(other_contrast), "deformable", **COARSE)


def errors(registration: Registration) -> Points:
    distance: Points = np.linalg.norm(warp()(registration.transform(body())) - body(), axis=1)
    return distance


@pytest.mark.parametrize(("other_contrast", "limit_mm"), [(False, 0.9), (True, 1.9)])
def test_a_known_warp_is_found_without_folds_and_the_same_both_ways(other_contrast: bool, limit_mm: float) -> None:
    before = np.linalg.norm(warp()(body()) - body(), axis=1)
    assert before.mean() == pytest.approx(4.0, abs=0.2)
    result = found(other_contrast)
    assert errors(result).mean() < limit_mm
    assert jacobian_of_map(result.transform, body(), GRID).min() > 0
    assert result.similarity_name == NAMES["mind" if other_contrast else "lncc"]
    assert result.measures["jacobian_smallest_ratio"] >= 0.1
    assert result.measures["folded_ratio"] == 0
    assert result.measures["inverse_consistency_mm"] < 0.6
    back = result.transform.inverse()(result.transform(body()))
    assert np.linalg.norm(back - body(), axis=1).mean() < 0.6


def test_exchanged_images_give_the_inverse() -> None:
    back = register(moved(False), tissue(), "deformable", **COARSE)
    there_and_back = back.transform(found(False).transform(body())) - body()
    assert np.linalg.norm(there_and_back, axis=1).mean() < 0.9


def test_contrasts_wrongly_taken_for_one_are_noticed_by_the_two_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrast, "SAME_CONTRAST", -1.0)
    result = register(tissue(), moved(True), "deformable", **COARSE)
    assert result.similarity_name == NAMES["mind"]
    assert errors(result).mean() < 1.9
    chosen = register(tissue(), moved(True), "deformable", similarity="lncc", **COARSE)
    assert chosen.similarity_name == NAMES["lncc"]
    assert chosen.expected_error_mm > 10


def test_one_contrast_is_one_only_within_a_modality() -> None:
    still = AffineTransform.identity()
    same = common_space(tissue(), moved(False), still, 3.0, 10**6)
    assert contrast.chosen_similarity("auto", same)[0] == "lncc"
    as_ct = replace(moved(False), modality="CT")
    assert contrast.chosen_similarity("auto", common_space(tissue(), as_ct, still, 3.0, 10**6))[0] == "mind"
    other = common_space(tissue(), moved(True), still, 3.0, 10**6)
    assert contrast.local_likeness(other) < contrast.SAME_CONTRAST < contrast.local_likeness(same)


def test_the_verdict_on_a_field_is_review_and_says_why() -> None:
    report = assess(tissue(), moved(False), found(False))
    assert report.verdict is not Verdict.ACCEPT
    assert "a bent registration is not calibrated: look at it" in report.reasons
    assert not any("expected_error_high_mm" in reason for reason in report.reasons)


def test_the_affine_start_is_part_of_the_transform() -> None:
    away = AffineTransform.rigid((0.0, 0.0, 0.0), (46.0, 6.0, -22.0))
    space = common_space(tissue(), moved(False, turn=True), away, 3.0, 10**6)
    features = features_of(space, "lncc")
    fields = both_ways(features, 4.0)
    transform = DisplacementTransform(to_lps(fields.forward, space.grid), fields.nodes.grid(space.grid), after=away)
    error = warp()(transform(body()) - (46.0, 6.0, -22.0)) - body()
    assert np.linalg.norm(error, axis=1).mean() < 1.0


def test_a_start_from_elsewhere_is_kept_and_refined() -> None:
    space = common_space(tissue(), moved(False), AffineTransform.identity(), 3.0, 10**6)
    features = features_of(space, "lncc")
    nodes = nodes_of(features, 3)
    truth = warp().inverse()
    start = fields_from(space, nodes, truth)
    as_transform = DisplacementTransform(to_lps(start[0], space.grid), nodes.grid(space.grid))
    assert np.linalg.norm(as_transform(body()) - truth(body()), axis=1).mean() < 0.3
    fields = both_ways(features, 4.0, (nodes, *start))
    refined = DisplacementTransform(to_lps(fields.forward, space.grid), fields.nodes.grid(space.grid))
    assert np.linalg.norm(refined(body()) - truth(body()), axis=1).mean() < 0.8


def small_features(seed: int = 1) -> tuple[Features, NodeGrid]:
    generator = torch.Generator().manual_seed(seed)
    image = gaussian(torch.randn((16, 18, 17), generator=generator), [1.5] * 3)
    region, valid, other = (torch.rand(image.shape, generator=generator) > 0.2 for _ in range(3))
    features = Features(mind_ssc(image), mind_ssc(image.roll(1, 0)), region, valid, other, 1.5)
    return features, NodeGrid((16, 18, 17), 1.5, 3, 2)


def test_the_compiled_sums_are_those_of_the_plain_form() -> None:
    features, nodes = small_features()
    field = torch.randn((3, *nodes.shape), generator=torch.Generator().manual_seed(2))
    arguments = (features.fixed, features.moving, features.compared, features.moving_valid, field, nodes)
    fast, plain = normal_equations(*arguments), reference_equations(*arguments)
    assert float(plain.count.sum()) > 500
    torch.testing.assert_close(fast.count, plain.count)
    torch.testing.assert_close(fast.sums, plain.sums, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_slope_is_the_derivative_of_the_error(axis: int) -> None:
    """Away from borders, where voxels drop out of the sum; a whole field moved by a hundredth of a voxel."""
    image = gaussian(torch.randn((16, 18, 17), generator=torch.Generator().manual_seed(11)), [1.5] * 3)
    fixed, moving = image[..., None], image.roll(1, 1)[..., None].contiguous()
    inner = torch.zeros(image.shape, dtype=torch.bool)
    inner[4:-4, 4:-4, 4:-4] = True
    nodes = NodeGrid((16, 18, 17), 1.5, 3, 2)
    field = 0.4 * torch.randn((3, *nodes.shape), generator=torch.Generator().manual_seed(12))
    little = torch.zeros_like(field)
    little[axis] = 0.015
    whole = torch.ones_like(inner)

    def error(displacement: torch.Tensor) -> float:
        sums = normal_equations(fixed, moving, inner, whole, displacement, nodes).sums
        return float(sums[9].sum(dtype=torch.float64))

    slope = float(normal_equations(fixed, moving, inner, whole, field, nodes).slope[axis].sum(dtype=torch.float64))
    difference = (error(field + little) - error(field - little)) / 0.03
    assert -2 * slope == pytest.approx(difference, rel=0.03)


def test_the_step_solves_the_system() -> None:
    generator = torch.Generator().manual_seed(6)
    factors = torch.randn((3, 3, 9, 10, 11), generator=generator)
    matrices = torch.einsum("ikabc,jkabc->ijabc", factors, factors)
    curvature = torch.stack([matrices[i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))])
    slope = torch.randn((3, 9, 10, 11), generator=generator)
    step = solve(curvature, slope, 50.0, 2.0)
    left = weighed(curvature, step) + 50.0 * bending(step, 2.0) - slope
    inner = (slice(None), slice(1, -1), slice(1, -1), slice(1, -1))
    assert float(left[inner].norm()) < 0.15 * float(slope[inner].norm())
    assert float(step[:, 0].abs().max()) == 0


def test_all_displacements_are_tried() -> None:
    """A shift by two voxels, which no gradient at this noise would cross, is found by the table."""
    image = torch.randn((24, 24, 24), generator=torch.Generator().manual_seed(7))
    features = mind_ssc(image)
    whole = torch.ones(image.shape, dtype=torch.bool)
    pair = Features(features, features.roll((2, -2, 0), (0, 1, 2)).contiguous(), whole, whole, whole, 2.0)
    nodes = NodeGrid((24, 24, 24), 2.0, 4, 3)
    field = coupled_convex(pair, nodes, DiscreteSearch(reach=2, smoothing_mm=3.0))
    middle = field[:, 5:7, 5:7, 5:7].mean(dim=(1, 2, 3))
    torch.testing.assert_close(middle, torch.tensor([4.0, -4.0, 0.0]), atol=0.8, rtol=0)


def test_the_descriptor_forgets_the_contrast_and_keeps_the_shape() -> None:
    assert len(pairs()) == CHANNELS
    assert all(sum((a - b) ** 2 for a, b in zip(start, end, strict=True)) == 2 for start, end, _ in pairs())
    image = gaussian(torch.randn((12, 13, 14), generator=torch.Generator().manual_seed(9)), [1.0] * 3)
    features = mind_ssc(image)
    assert features.shape == (12, 13, 14, CHANNELS)
    assert float(features.max()) == 1.0
    assert float(features.min()) >= 0
    torch.testing.assert_close(mind_ssc(3.0 - 2.0 * image), features, atol=1e-4, rtol=0)
    flat = mind_ssc(image, noise=1e6)
    assert float(flat.min()) > 0.99


def test_local_correlation_is_one_for_the_same_contrast_under_a_bias() -> None:
    image = gaussian(torch.randn((20, 20, 20), generator=torch.Generator().manual_seed(3)), [1.0] * 3)
    bias = torch.linspace(0.8, 1.2, 20)[:, None, None]
    same = local_correlation(image, 5 * image * bias + 2, [2.0] * 3)
    other = local_correlation(image, -image, [2.0] * 3)
    assert float(same.median()) > 0.85
    assert float(other.median()) < -0.85


def test_parameters_that_mean_nothing_are_refused() -> None:
    for wrong in ({"start": "nowhere"}, {"similarity": "nmi"}, {"stiffness_mm": 0.0}, {"max_voxels": 10}):
        with pytest.raises(ParameterError, match="deformable registrar"):
            register(tissue(), tissue(), "deformable", **wrong)


def test_the_error_of_a_warp_is_measured_where_it_is_known() -> None:
    from dicomnode.benchmark.warps import WarpedPair

    pair = WarpedPair(tissue(), moved(False), warp(), body())
    assert error_of(pair, warp().inverse()).mean_mm < 0.1
    nothing = error_of(pair, AffineTransform.identity())
    assert nothing.mean_mm == pytest.approx(4.0, abs=0.2)
    assert nothing.folded_share == 0
