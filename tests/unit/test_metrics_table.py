"""The other metrics, the table, and how volumes are measured."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from skimage import measure as skimage_measure
from skimage import metrics as skimage_metrics

from fusion.errors import GeometryError, ParameterError, UnknownNameError
from fusion.quality import METRICS, lesion_contrast, measure
from fusion.quality.entropy import fi, fs, mi, nmi
from fusion.quality.feature_information import fmi

Array = NDArray[np.float64]
RANDOM = np.random.default_rng(7)


def steps(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Grey levels of a coarse pattern, whole numbers as in an 8-bit file, with a black corner."""
    pattern = np.random.default_rng(seed).integers(0, 256, size=shape).astype(np.float64)
    pattern = np.repeat(np.repeat(pattern, 3, axis=-1), 3, axis=-2)[..., : shape[-2], : shape[-1]]
    pattern[..., :8, :8] = 0
    return torch.from_numpy(pattern)


A, B = steps((3, 21, 24), 1), steps((3, 21, 24), 2)
F = (0.5 * A + 0.5 * B).round()
UNIT = (A / 255, B / 255, F / 255)


def plain_mi(first: Array, second: Array) -> float:
    joint, _, _ = np.histogram2d(first.ravel(), second.ravel(), bins=256, range=((-0.5, 255.5), (-0.5, 255.5)))
    joint = joint / joint.sum()
    apart = joint.sum(1)[:, None] * joint.sum(0)[None]
    some = joint > 0
    return float((joint[some] * np.log2(joint[some] / apart[some])).sum())


def test_entropy_and_shared_information_are_those_of_the_histograms() -> None:
    a, b, f = (image[0].numpy() for image in (A, B, F))
    entropy = {name: skimage_measure.shannon_entropy(image) for name, image in (("a", a), ("b", b), ("f", f))}
    first, second = plain_mi(a, f), plain_mi(b, f)
    values = measure(UNIT[0][0], UNIT[1][0], UNIT[2][0])
    assert values["EN"] == pytest.approx(entropy["f"], abs=1e-9)
    assert values["MI"] == values["FF"] == pytest.approx(first + second, abs=1e-9)
    normalised = 2 * (first / (entropy["a"] + entropy["f"]) + second / (entropy["b"] + entropy["f"]))
    assert values["NMI"] == pytest.approx(normalised, abs=1e-9)
    assert values["FS"] == pytest.approx(2 - abs(first / (first + second) - 0.5), abs=1e-9)
    assert values["FI"] == pytest.approx(first / second, abs=1e-9)
    assert float(mi(A, B, A)[0]) == pytest.approx(entropy["a"] + plain_mi(b, a), abs=1e-9)


def test_information_of_constants_has_a_value() -> None:
    grey = torch.full((4, 4), 9.0).double()
    assert [float(metric(grey, grey, grey)) for metric in (mi, nmi, fs, fi)] == [0, 0, 2, 0]


def test_brightness_and_gradients_are_those_of_numpy() -> None:
    a, b, f = (image[0].numpy() for image in (A, B, F))
    values = measure(UNIT[0][0], UNIT[1][0], UNIT[2][0])
    assert values["mean"] == pytest.approx(f.mean())
    assert values["SD"] == pytest.approx(f.std())
    dy, dx = np.diff(f, axis=0), np.diff(f, axis=1)
    assert values["SF"] == pytest.approx(math.sqrt((dy**2).mean() + (dx**2).mean()))
    assert values["AG"] == pytest.approx(np.sqrt((dy[:, :-1] ** 2 + dx[:-1] ** 2) / 2).mean())
    error = (skimage_metrics.mean_squared_error(a, f) + skimage_metrics.mean_squared_error(b, f)) / 2
    assert values["PSNR"] == pytest.approx(10 * math.log10(255**2 / error))


def test_what_lies_outside_of_the_sources_is_counted() -> None:
    low, high = torch.full((1, 10, 10), 100.0), torch.full((1, 10, 10), 110.0)
    fused = torch.full((1, 10, 10), 105.0)
    fused[0, 0] = 112.0
    fused[0, 1, :5] = 95.0
    values = measure(low / 255, high / 255, fused / 255, ("OOE", "OOE0"))
    assert values["OOE"] == pytest.approx(0.05)
    assert values["OOE0"] == pytest.approx(0.15)


def test_a_lifted_background_is_seen() -> None:
    lifted = F + 12
    values = measure(A / 255, B / 255, lifted / 255, ("background",))
    assert values["background"] == pytest.approx(12.0)
    assert measure(*UNIT, ("background",))["background"] == 0


def plain_fmi(a: Array, f: Array) -> float:
    """Window by window in loops, the joint distribution cell by cell."""

    def feature(image: Array) -> Array:
        padded = np.pad(image, 1, mode="edge")
        rows, columns = image.shape
        part = [[padded[i : i + rows, j : j + columns] for j in range(3)] for i in range(3)]
        y = sum(w * (part[2][j] - part[0][j]) for j, w in enumerate((1, 2, 1)))
        x = sum(w * (part[i][2] - part[i][0]) for i, w in enumerate((1, 2, 1)))
        return np.asarray(np.hypot(x, y))

    def distribution(window: Array) -> Array:
        spread = window.max() - window.min()
        window = (window - window.min()) / spread if spread else np.ones_like(window)
        return np.asarray(window.ravel() / window.sum())

    def moments(p: Array) -> tuple[float, float]:
        k = np.arange(9)
        return float((p * k).sum()), math.sqrt(float((p * k**2).sum() - (p * k).sum() ** 2))

    first, second = feature(a), feature(f)
    scores = []
    for y in range(a.shape[0] - 2):
        for x in range(a.shape[1] - 2):
            p, q = distribution(first[y : y + 3, x : x + 3]), distribution(second[y : y + 3, x : x + 3])
            if np.array_equal(p, q):
                scores.append(1.0)
                continue
            rho = 0.0 if p.std() < 1e-12 or q.std() < 1e-12 else float(np.corrcoef(p, q)[0, 1])
            c, d = np.cumsum(p), np.cumsum(q)
            bound = np.minimum.outer(c, d) if rho >= 0 else np.maximum(np.add.outer(c, d) - 1, 0)
            padded = np.pad(bound, ((1, 0), (1, 0)))
            density = np.maximum(padded[1:, 1:] - padded[:-1, 1:] - padded[1:, :-1] + padded[:-1, :-1], 0)
            (mean_p, sd_p), (mean_q, sd_q) = moments(p), moments(q)
            k = np.arange(9)
            reach = (float((density * np.outer(k, k)).sum()) - mean_p * mean_q) / max(sd_p * sd_q, 1e-12)
            share = min(max(rho / reach, 0), 1) if abs(reach) > 1e-12 else 0.0
            joint = share * density + (1 - share) * np.outer(p, q)
            apart = stats.entropy(p) + stats.entropy(q)
            together = -(joint[joint > 0] * np.log(joint[joint > 0])).sum()
            scores.append(min(max(2 * (apart - together) / apart, 0), 1) if apart > 1e-12 else 1.0)
    return float(np.mean(scores))


def test_feature_information_is_that_of_the_loops() -> None:
    a, b = (torch.from_numpy(RANDOM.uniform(0, 255, (12, 13))) for _ in range(2))
    a[:, :5] = 0
    f = torch.maximum(a, b)
    expected = (plain_fmi(a.numpy(), f.numpy()) + plain_fmi(b.numpy(), f.numpy())) / 2
    assert float(fmi(a, b, f)) == pytest.approx(expected, abs=1e-4)
    assert float(fmi(a, a, a)) == pytest.approx(1.0)


def test_steps_between_slices_that_no_source_takes_are_flicker() -> None:
    assert measure(A / 255, B / 255, torch.maximum(A, B) / 255, ("flicker",))["flicker"] == 0
    assert measure(UNIT[0][0], UNIT[1][0], UNIT[2][0], ("flicker",))["flicker"] == 0
    still = torch.full((4, 6, 6), 100.0)
    blinking = still + torch.tensor([0.0, 10, 0, 10])[:, None, None]
    assert measure(still / 255, still / 255, blinking / 255, ("flicker",))["flicker"] == pytest.approx(10.0, abs=1e-4)


def test_a_lesion_that_is_mixed_with_grey_loses_half() -> None:
    lesion = torch.zeros((3, 20, 20), dtype=torch.bool)
    lesion[1, 8:12, 8:12] = True
    hot = torch.where(lesion, 200.0, 40.0)
    flat = torch.full_like(hot, 90.0)
    contrast = lesion_contrast(flat, hot, (hot + flat) / 2, lesion)
    assert (contrast.fixed, contrast.moved, contrast.fused) == (0, 160, 80)
    assert contrast.kept_of_better == contrast.kept_of_moved == 0.5
    assert contrast.kept_of_fixed is None
    assert lesion_contrast(flat, hot, 255 - hot, lesion).kept_of_moved == -1
    with pytest.raises(ParameterError, match="mask"):
        lesion_contrast(flat, hot, hot, torch.zeros_like(lesion))


@pytest.mark.parametrize("name", METRICS)
def test_a_stack_has_the_mean_of_its_slices_and_a_value_of_its_own(name: str) -> None:
    whole = measure(*UNIT, (name,))[name]
    if not METRICS[name].across:
        each = [measure(a, b, f, (name,))[name] for a, b, f in zip(*UNIT, strict=True)]
        assert whole == pytest.approx(float(np.mean(each)), abs=1e-9)
    assert math.isfinite(measure(*UNIT, (name,), dimensions=3)[name])


@pytest.mark.parametrize("name", METRICS)
def test_copies_and_better_images_are_ranked_as_the_table_says(name: str) -> None:
    values = [measure(A / 255, B / 255, image / 255, (name,))[name] for image in (F, F.flip(-1))]
    if METRICS[name].better == "higher" and name not in ("SD", "SF", "AG"):
        assert values[0] >= values[1]
    if METRICS[name].better == "lower":
        assert values[0] <= values[1]


def test_wrong_requests_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"'QABF'.*Qabf"):
        measure(*UNIT, ("QABF",))
    with pytest.raises(GeometryError, match="one shape"):
        measure(A, B, F[0])
    with pytest.raises(ParameterError, match="2 or 3"):
        measure(*UNIT, dimensions=1)


def test_four_grey_levels_are_within_the_envelope_and_five_are_not_whatever_float32_makes_of_them() -> None:
    levels = torch.arange(0.0, 240.0).reshape(1, 12, 20)
    sources = levels / 255
    assert measure(sources, sources, (levels + 4) / 255, ["OOE"]) == {"OOE": 0.0}
    assert measure(sources, sources, (levels + 5) / 255, ["OOE"]) == {"OOE": 1.0}
