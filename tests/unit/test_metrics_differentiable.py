"""The metrics that networks are trained on, against other programs, plain NumPy and closed forms."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage, signal, stats
from skimage import metrics as skimage_metrics

from fusion.quality.difference_correlation import cc, scd, scd_min
from fusion.quality.edge_artefacts import nabf
from fusion.quality.edge_transfer import q_min, qabf
from fusion.quality.structural_similarity import ms_ssim, pair_ssim, ssim
from fusion.quality.visual_information import pair_vif, vif, vif_min, viff

Array = NDArray[np.float64]
SHAPE = (72, 80)
LEARNED_FROM = {"qabf": qabf, "q_min": q_min, "vif": vif, "vif_min": vif_min, "scd": scd, "scd_min": scd_min}
EVERY = LEARNED_FROM | {"ssim": ssim, "ms_ssim": ms_ssim, "cc": cc, "nabf": nabf, "viff": viff}

every_metric = pytest.mark.parametrize("metric", EVERY.values(), ids=EVERY)


def picture(seed: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    """Smooth blobs with a black border, 0…255, float64."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2.0)
    image = np.clip(128 + 400 * noise, 0, 255)
    image[..., :6, :] = 0
    return torch.from_numpy(image)


A, B = picture(1), picture(2)
F = 0.6 * A + 0.3 * B


def test_ssim_is_that_of_scikit_image() -> None:
    for source in (A, B):
        expected = skimage_metrics.structural_similarity(
            source.numpy(), F.numpy(), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        assert float(pair_ssim(source, F)) == pytest.approx(expected, abs=1e-9)
    assert float(ssim(A, B, F)) == pytest.approx(float(pair_ssim(A, F) + pair_ssim(B, F)) / 2)


def test_ssim_of_a_volume_is_that_of_scikit_image() -> None:
    volume, other = picture(3, (16, 20, 24)), picture(4, (16, 20, 24))
    expected = skimage_metrics.structural_similarity(
        volume.numpy(), other.numpy(), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert float(pair_ssim(volume, other, dimensions=3)) == pytest.approx(expected, abs=1e-9)


def test_ms_ssim_of_constant_images_is_the_luminance_alone() -> None:
    dark, bright = torch.full((176, 176), 50.0).double(), torch.full((176, 176), 100.0).double()
    c1 = 2.55**2
    luminance = (2 * 50 * 100 + c1) / (50**2 + 100**2 + c1)
    assert float(ms_ssim(dark, dark, bright)) == pytest.approx(luminance**0.1333, abs=1e-4)
    assert float(ms_ssim(A, A, A)) == pytest.approx(1.0)


def plain_vifp(source: Array, fused: Array) -> float:
    """Straight from the formula, window by window with SciPy."""
    part = whole = 0.0
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        window = np.outer(*[signal.windows.gaussian(size, size / 5)] * 2)
        window /= window.sum()

        def under(image: Array, window: Array = window) -> Array:
            return np.asarray(signal.convolve2d(image, window, mode="valid"))

        if scale > 1:
            source, fused = under(source)[::2, ::2], under(fused)[::2, ::2]
        mean_x, mean_f = under(source), under(fused)
        var_x = np.maximum(under(source**2) - mean_x**2, 0)
        var_f = np.maximum(under(fused**2) - mean_f**2, 0)
        cov = under(source * fused) - mean_x * mean_f
        flat = (var_x < 1e-10) | (var_f < 1e-10)
        gain = np.where(flat, 0, cov / (var_x + 1e-10))
        rest = np.where(flat | (gain < 0), var_f, var_f - gain * cov)
        gain = np.maximum(gain, 0)
        part += float(np.log10(1 + gain**2 * var_x / (np.maximum(rest, 1e-10) + 2)).sum())
        whole += float(np.log10(1 + var_x / 2).sum())
    return part / whole


def test_vif_is_the_sum_of_the_formula_over_both_sources() -> None:
    first, second = plain_vifp(A.numpy(), F.numpy()), plain_vifp(B.numpy(), F.numpy())
    assert float(vif(A, B, F)) == pytest.approx(first + second, abs=1e-6)
    assert float(vif_min(A, B, F)) == pytest.approx(min(first, second), abs=1e-6)
    assert float(pair_vif(A, A)) == pytest.approx(1.0, abs=1e-6)


def test_viff_of_one_image_with_itself_is_one_and_halved_contrast_loses() -> None:
    # The gains of both sources agree, and with g = 1 nothing is lost.
    assert float(viff(A, A, A)) == pytest.approx(1.0, abs=1e-6)
    assert float(viff(A, A, A / 2)) < 0.9
    # The source that came through worse stands for both.
    assert float(viff(A, B, A)) == pytest.approx(float(viff(B, B, A)), rel=0.5)
    assert float(viff(A, B, A)) < float(viff(A, A, A)) / 2


Edges = dict[str, tuple[Array, Array]]


def plain_edges(a: Array, b: Array, f: Array, scale: float = 1.0) -> Edges:
    """Length and angle of SciPy's Sobel gradient, the angle by atan."""
    edges = {}
    for name, image in (("a", a), ("b", b), ("f", f)):
        y, x = (ndimage.sobel(image, axis, mode="nearest") / scale for axis in (0, 1))
        edges[name] = (np.hypot(x, y), np.arctan(y / np.where(x == 0, 1e-300, x)))
    return edges


def plain_alike(edges: Edges, name: str) -> tuple[Array, Array]:
    (g, angle), (g_f, angle_f) = edges[name], edges["f"]
    strength = np.minimum(g, g_f) / np.maximum(np.maximum(g, g_f), 1e-300)
    return strength, np.abs(np.abs(angle - angle_f) - np.pi / 2) / (np.pi / 2)


def plain_qabf(a: Array, b: Array, f: Array) -> tuple[float, float]:
    """Q^AB/F and the smaller share."""
    edges = plain_edges(a, b, f)

    def kept(name: str) -> Array:
        strength, alike = plain_alike(edges, name)
        return np.asarray(0.9994 / (1 + np.exp(-15 * (strength - 0.5))) * 0.9879 / (1 + np.exp(-22 * (alike - 0.8))))

    g_a, g_b = edges["a"][0], edges["b"][0]
    first, second = (kept("a") * g_a).sum(), (kept("b") * g_b).sum()
    return (first + second) / (g_a.sum() + g_b.sum()), min(first / g_a.sum(), second / g_b.sum())


def plain_nabf(a: Array, b: Array, f: Array) -> float:
    """N^AB/F with Kumar's constants, voxel by voxel."""
    edges = plain_edges(a, b, f, scale=8)
    ratios = {name: plain_alike(edges, name) for name in "ab"}
    invented = whole = 0.0
    for place in np.ndindex(a.shape):
        strengths = {name: edges[name][0][place] for name in "abf"}
        for name in "ab":
            strength, alike = (part[place] for part in ratios[name])
            weight = strengths[name] ** 1.5 if strengths[name] >= 2 else 0.001
            kept = 0.9999 / (1 + np.exp(-19 * (strength - 0.5))) * 0.9995 / (1 + np.exp(-22 * (alike - 0.5)))
            whole += float(weight)
            if strengths["f"] > max(strengths["a"], strengths["b"]):
                invented += (1 - np.sqrt(kept)) * weight
    return float(invented / whole)


def test_edges_are_those_of_the_formula() -> None:
    sharpened = (2.0 * A - 1.0 * torch.from_numpy(ndimage.gaussian_filter(A.numpy(), 1.0))).clamp(0, 255)
    for fused in (F, sharpened, torch.maximum(A, B)):
        whole, least = plain_qabf(A.numpy(), B.numpy(), fused.numpy())
        assert float(qabf(A, B, fused)) == pytest.approx(whole, abs=1e-5)
        assert float(q_min(A, B, fused)) == pytest.approx(least, abs=1e-5)
        assert float(nabf(A, B, fused)) == pytest.approx(plain_nabf(A.numpy(), B.numpy(), fused.numpy()), abs=1e-7)
    assert float(nabf(A, B, sharpened)) > 20 * float(nabf(A, B, torch.maximum(A, B)))
    assert float(nabf(A, B, A)) == 0


def test_edges_of_a_stack_of_equal_slices_are_those_of_one_slice() -> None:
    a, b, f = (image.expand(5, *SHAPE) for image in (A, B, F))
    assert float(qabf(a, b, f, 3)) == pytest.approx(float(qabf(A, B, F)), abs=1e-9)


def test_scd_is_the_sum_of_two_correlations() -> None:
    a, b, f = (image.numpy().ravel() for image in (A, B, F))
    first, second = stats.pearsonr(f - b, a).statistic, stats.pearsonr(f - a, b).statistic
    assert float(scd(A, B, F)) == pytest.approx(first + second)
    assert float(scd_min(A, B, F)) == pytest.approx(min(first, second))
    assert float(cc(A, B, F)) == pytest.approx((stats.pearsonr(a, f).statistic + stats.pearsonr(b, f).statistic) / 2)
    assert float(scd(A, B, A + B)) == pytest.approx(2.0)
    assert float(scd_min(A, B, A)) == 0.0


@every_metric
def test_the_slices_of_a_stack_are_measured_one_by_one(metric: object) -> None:
    assert callable(metric)
    stack = [torch.stack([image, image.flip(0), torch.zeros_like(image)]) for image in (A, B, F)]
    together = metric(*stack)
    assert together.shape == (3,)
    for number in range(3):
        torch.testing.assert_close(together[number], metric(*(image[number] for image in stack)))
    assert together.isfinite().all()


@every_metric
@pytest.mark.parametrize("dimensions", [2, 3])
def test_it_can_be_trained_on(metric: object, dimensions: int) -> None:
    assert callable(metric)
    a, b, f = (picture(seed, (5, 24, 22)).float() for seed in (1, 2, 3))
    a[:, :8], b[:, :8], f[:, :8] = 0, 0, 0  # flat places are where derivatives break
    f.requires_grad_()
    metric(a, b, f, dimensions).sum().backward()
    assert f.grad is not None
    assert f.grad.isfinite().all()
    assert f.grad.abs().sum() > 0


@every_metric
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (9, 1)])
def test_tiny_and_constant_images_have_a_value(metric: object, shape: tuple[int, int]) -> None:
    assert callable(metric)
    constant, other = torch.full(shape, 7.0).double(), picture(1, (20, 12))[5 : 5 + shape[0], : shape[1]]
    for a, b, f in ((constant, constant, constant), (constant, other, other), (other, constant, constant)):
        assert metric(a, b, f).isfinite()
