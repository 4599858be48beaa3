"""Methods that part base and detail, remove noise, or decide by features and classes: what each is for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.filters import threshold_otsu

from fusion import Volume, fuse
from fusion.methods.nsst_mi import shrunk, threshold
from fusion.methods.pca import principal_weights
from fusion.transforms.band_information import shared_information
from fusion.transforms.box import box_mean, box_sum, radii_of
from fusion.transforms.canonical import canonical_forms
from fusion.transforms.classes import class_limits, classes_of
from fusion.transforms.fractional_difference import adjoint_difference, difference, weights
from fusion.transforms.fractional_variation import denoised
from fusion.transforms.gaussian import gaussian
from fusion.transforms.guided import guided
from fusion.transforms.l0_smoothing import l0_smoothed
from fusion.transforms.noise import noise_of
from tests.fixtures.volumes import make_grid, make_volume

UNIT = {"fixed_window": (0, 1), "moved_window": (0, 1)}


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def volume(voxels: torch.Tensor) -> Volume:
    a, b, c = voxels.shape
    return make_volume(make_grid((a, b, c), (1.0, 1.0, 1.0)), voxels=voxels)


def steps(shape: tuple[int, int, int] = (1, 32, 32)) -> torch.Tensor:
    """Two flat halves, 0.2 and 0.8."""
    image = torch.full(shape, 0.2)
    image[:, :, shape[2] // 2 :] = 0.8
    return image


@given(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)), st.integers(0, 12))
def test_boxes_are_those_of_the_reference(shape: tuple[int, int, int], radius: int) -> None:
    image = noise(shape)
    ones = np.ones(shape)
    size = 2 * radius + 1
    total = ndimage.uniform_filter(image.numpy().astype(np.float64), size, mode="constant") * size**3
    count = ndimage.uniform_filter(ones, size, mode="constant") * size**3
    np.testing.assert_allclose(box_sum(image, (radius,) * 3).numpy(), total, atol=1e-4)
    np.testing.assert_allclose(box_mean(image, (radius,) * 3).numpy(), total / count, atol=1e-5)


def test_radii_are_as_long_in_mm_along_every_axis() -> None:
    assert radii_of(6, (20, 64, 64), (3.0, 1.0, 1.0)) == (2, 6, 6)
    assert radii_of(6, (1, 64, 64), (0.1, 1.0, 1.0)) == (0, 6, 6)


def test_the_gaussian_is_that_of_the_reference() -> None:
    image = noise((1, 24, 30))
    ones = np.ones((24, 30))
    expected = ndimage.gaussian_filter(image[0].numpy().astype(np.float64), 5.0, mode="constant", radius=5)
    expected /= ndimage.gaussian_filter(ones, 5.0, mode="constant", radius=5)
    np.testing.assert_allclose(gaussian(image, 5.0, (0, 5, 5))[0].numpy(), expected, atol=1e-5)


def test_the_guided_filter_keeps_edges_of_the_guide_and_fits_a_line() -> None:
    edge = steps()
    smooth = guided(edge, edge + 0.05 * noise((1, 32, 32)), (0, 4, 4), 1e-3)
    assert (smooth[:, :, 16] - smooth[:, :, 15]).min() > 0.4
    assert smooth[:, :, :12].std() < 0.02
    guide = noise((4, 12, 12), 1)
    # An image that is a line of the guide passes as it is.
    torch.testing.assert_close(guided(guide, 3 * guide + 2, (1, 3, 3), 1e-8), 3 * guide + 2, rtol=0, atol=1e-3)


def test_guided_weights_take_each_part_from_the_image_that_has_it() -> None:
    wave = 0.3 * torch.sin(torch.arange(64.0) * 1.5)[None, :, None].expand(1, 64, 64)
    left = torch.arange(64)[None, None, :] < 32
    first, second = torch.where(left, 0.5 + wave, 0.5), torch.where(left, 0.5, 0.5 + wave)
    fused = fuse(volume(first), volume(second), "guided_filter", **UNIT).image
    torch.testing.assert_close(fused[:, :, 12:20], first[:, :, 12:20], rtol=0, atol=0.03)
    torch.testing.assert_close(fused[:, :, 44:52], second[:, :, 44:52], rtol=0, atol=0.03)


def test_l0_smoothing_flattens_ripples_and_keeps_steps() -> None:
    edge = steps((1, 32, 48))
    smooth = l0_smoothed(edge + 0.03 * noise((1, 32, 48)), (1, 2), 0.01)
    assert (smooth[:, :, 24] - smooth[:, :, 23]).mean() > 0.5
    assert smooth[:, :, 2:20].std() < 0.012
    steps_left = ((smooth.diff(dim=2).abs() > 1e-2).float().mean()).item()
    assert steps_left < 0.06
    assert torch.equal(l0_smoothed(edge, (), 0.01), edge)


@pytest.mark.parametrize("order", [1.0, 1.3, 1.8])
def test_the_adjoint_is_the_adjoint(order: float) -> None:
    for axis, shape in ((0, (5, 4)), (1, (3, 17)), (1, (3, 1))):
        x, y = noise(shape, 1).double(), noise(shape, 2).double()
        there = (difference(x, axis, order) * y).sum()
        back = (x * adjoint_difference(y, axis, order)).sum()
        torch.testing.assert_close(there, back)
        assert difference(torch.ones(shape), axis, order).abs().max() < 1e-6


def test_the_first_order_is_the_usual_difference() -> None:
    assert weights(1.0)[:2] == (1.0, -1.0)
    assert not any(weights(1.0)[2:])
    # (−1)^k C(1.5, k)
    assert weights(1.5)[:4] == pytest.approx((1.0, -1.5, 0.375, 0.0625))


@pytest.mark.parametrize("order", [1.0, 1.2])
def test_variation_removes_noise_and_keeps_slopes_and_steps(order: float) -> None:
    ramp = torch.linspace(0.1, 0.6, 40)[None, :, None].expand(1, 40, 40) + (torch.arange(40) >= 20) * 0.3
    sigma = 0.05
    dirty = ramp + sigma * noise((1, 40, 40))
    assert noise_of(dirty) == pytest.approx(sigma, rel=0.15)
    clean = denoised(dirty, order, 1 / sigma, 80)
    assert (clean - ramp).square().mean() < 0.25 * (dirty - ramp).square().mean()
    assert (clean[:, :, 22] - clean[:, :, 17]).mean() > 0.2
    # Each slice by itself.
    torch.testing.assert_close(
        denoised(torch.cat([dirty, ramp]), order, 1 / sigma, 5)[:1], denoised(dirty, order, 1 / sigma, 5)
    )


def test_noise_is_measured_where_something_is() -> None:
    image = torch.zeros(2, 64, 64)
    image[:, :24, :24] = 0.5 + 0.04 * noise((2, 24, 24))
    assert noise_of(image) == pytest.approx(0.04, rel=0.2)
    assert noise_of(torch.zeros(3, 8, 8)) == 0
    assert noise_of(torch.zeros(3, 1, 8)) == 0


def test_noisy_images_are_cleaner_when_they_are_denoised_first() -> None:
    truth = steps((1, 48, 48))
    first, second = (volume((truth + 0.06 * noise((1, 48, 48), seed)).clamp(0, 1)) for seed in (1, 2))
    clean, raw = (fuse(first, second, name, **UNIT).image for name in ("fotgv", "nsct"))
    assert (clean - truth).square().mean() < 0.5 * (raw - truth).square().mean()


def test_shrinking_takes_noise_and_leaves_what_stands_out() -> None:
    band = 0.1 * noise((1, 64, 64))
    band[0, 10, 10] = 5.0
    small = shrunk(band, threshold(band, 1.0))
    assert small.square().sum() - small[0, 10, 10] ** 2 < 0.6 * (band.square().sum() - 25)
    assert small[0, 10, 10] > 4.5
    assert threshold(torch.zeros(2, 3), 1.0) == 0
    assert torch.equal(shrunk(band, 0.0), band)


def test_shared_information_is_one_for_the_same_and_near_zero_for_independent_bands() -> None:
    a, b = noise((1, 200, 200), 1), noise((1, 200, 200), 2)
    assert shared_information(a, a) == pytest.approx(1, abs=1e-6)
    assert shared_information(a, -2 * a) == pytest.approx(1, abs=1e-6)
    assert shared_information(a, b) < 0.02
    assert shared_information(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)) == 1


@given(st.integers(0, 50))
def test_the_principal_weight_is_that_of_the_leading_eigenvector(seed: int) -> None:
    a, b = noise((3, 8, 8), seed), noise((3, 8, 8), seed + 100)
    first, second = 2 * a + 0.3 * b, b + 0.5 * a
    vectors = np.linalg.eigh(np.cov(first.flatten().numpy().astype(float), second.flatten().numpy().astype(float)))[1]
    expected = abs(vectors[0, 1]) / np.abs(vectors[:, 1]).sum()
    assert principal_weights((first, second))[0] == pytest.approx(expected, abs=1e-5)
    three = (first, second, a)
    vectors = np.linalg.eigh(np.cov(np.stack([image.flatten().numpy().astype(float) for image in three])))[1]
    assert principal_weights(three) == pytest.approx(np.abs(vectors[:, 2]) / np.abs(vectors[:, 2]).sum(), abs=1e-4)


def test_an_image_that_varies_more_weighs_more() -> None:
    a = noise((2, 20, 20))
    assert principal_weights((3 * a, a)) == pytest.approx([0.75, 0.25], abs=1e-4)
    assert principal_weights((torch.ones(4), torch.zeros(4))) == [0.5, 0.5]
    assert principal_weights((torch.ones(0), torch.zeros(0))) == [0.5, 0.5]


def test_canonical_correlations_are_those_of_the_definition() -> None:
    """The form of the first image, summed over samples, is the sum of 1 − ρ²: checked by a regression."""
    shared = noise((1, 4000), 1)
    first = torch.cat([shared + 0.5 * noise((1, 4000), 2), noise((2, 4000), 3)])
    second = torch.cat([noise((1, 4000), 4), 2 * shared + 0.3 * noise((1, 4000), 5)])
    ours, theirs = canonical_forms(first, second)
    x, y = ((part - part.mean(1, keepdim=True)).double().numpy() for part in (first, second))
    product = np.linalg.solve(x @ x.T, x @ y.T) @ np.linalg.solve(y @ y.T, y @ x.T)
    squares = np.sort(np.linalg.eigvals(product).real)[::-1][:2]
    assert float(theirs.of(list(second)).mean()) == pytest.approx(2 - squares.sum(), rel=1e-3)
    # What is not paired with any direction of the other image is not counted.
    assert float(ours.of(list(first)).mean()) == pytest.approx(2 - squares.sum(), rel=1e-3)
    mixed = torch.tensor([[1.0, 2, 0], [0, 1, 3], [1, 0, 1]]) @ first + 5
    again, _ = canonical_forms(mixed, second)
    torch.testing.assert_close(again.of(list(mixed)), ours.of(list(first)), rtol=1e-3, atol=1e-4)


def test_two_classes_part_where_otsu_does() -> None:
    image = torch.cat([0.2 + 0.05 * noise((1, 40, 40)), 0.7 + 0.08 * noise((1, 40, 40), 1)]).clamp(0, 1)
    (limit,) = class_limits(image, 2)
    # Between the two hills a threshold may lie anywhere: it is the same parting that counts.
    assert ((image > limit) != (image > threshold_otsu(image.numpy(), nbins=256))).float().mean() < 2e-3
    assert class_limits(torch.zeros(1, 3, 3), 4) == [1.0, 1.0, 1.0]
    levels = torch.tensor([0.0, 0.25, 0.5, 1.0]).repeat_interleave(50)
    assert classes_of(levels, class_limits(levels, 4))[::50].tolist() == [0, 1, 2, 3]


def test_the_higher_class_is_shown() -> None:
    first, second = torch.zeros(1, 40, 40), torch.zeros(1, 40, 40)
    first[:, :20] = 0.4
    first[:, 5:10, 5:10] = 0.9  # bright in the first image
    second[:, :20] = 0.5
    second[:, 12:18, 20:30] = 1.0  # a lesion in the second
    fused = fuse(volume(first), volume(second), "decision_map", classes=3, radius=0, **UNIT).image
    assert torch.equal(fused[:, 12:18, 20:30], second[:, 12:18, 20:30])
    assert torch.equal(fused[:, 5:10, 5:10], first[:, 5:10, 5:10])
    torch.testing.assert_close(fused[:, :5], torch.full((1, 5, 40), 0.45))
    assert not fused[:, 20:].any()


@settings(max_examples=5)
@given(st.integers(0, 100))
def test_l0_base_and_detail_give_an_image_back_when_it_is_fused_with_itself(seed: int) -> None:
    image = (0.5 + 0.2 * noise((6, 10, 12), seed)).clamp(0, 1)
    fused = fuse(volume(image), volume(image), "l0_base_detail", **UNIT).image
    torch.testing.assert_close(fused, image, rtol=0, atol=1e-5)
