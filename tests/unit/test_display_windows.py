import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusion import fuse
from fusion.display import CT_WINDOWS, Window, chosen_window, window_of
from fusion.errors import ParameterError
from fusion.volume import Unit, Volume
from tests.fixtures.volumes import make_grid, make_volume

GRID = make_grid((10, 40, 40))


def _body(level: float, unit: Unit, modality: str, hot: float = 0.0) -> Volume:
    """Air at 0, a box of noise about `level`, and a few voxels of `hot`."""
    noise = torch.rand(GRID.shape, generator=torch.Generator().manual_seed(1))
    voxels = torch.zeros(GRID.shape)
    voxels[:, 10:30, 10:30] = level * (0.5 + noise[:, 10:30, 10:30])
    if hot:
        voxels[5, 20, 20:22] = hot
    return make_volume(GRID, voxels=voxels, unit=unit, modality=modality)


def test_ct_is_shown_as_soft_tissue() -> None:
    assert window_of(make_volume(unit=Unit.HU, modality="CT")) == Window(-160.0, 240.0)


def test_suv_starts_at_0_and_reaches_5_at_least() -> None:
    assert window_of(_body(1.0, Unit.SUV_BW, "PT")) == Window(0.0, 5.0)
    window = window_of(_body(8.0, Unit.SUV_BW, "PT"))
    assert window.lower == 0
    assert 10 < window.upper <= 12


@pytest.mark.parametrize(("unit", "modality"), [(Unit.BQ_ML, "PT"), (Unit.COUNTS, "NM"), (Unit.ARBITRARY, "MR")])
def test_a_few_hot_voxels_do_not_darken_the_body(unit: Unit, modality: str) -> None:
    plain, hot = window_of(_body(1000.0, unit, modality)), window_of(_body(1000.0, unit, modality, hot=1e6))
    assert plain.lower == 0
    assert 1300 < plain.upper <= 1500
    assert hot.upper == pytest.approx(plain.upper, rel=0.02)


def test_what_is_not_valid_or_not_finite_is_not_counted() -> None:
    volume = _body(1000.0, Unit.ARBITRARY, "MR")
    spoilt = volume.voxels.clone()
    spoilt[:, :5] = 1e9
    spoilt[0, 20, 20] = math.nan
    valid = torch.ones(GRID.shape, dtype=torch.bool)
    valid[:, :5] = False
    window = window_of(make_volume(GRID, voxels=spoilt, modality="MR", valid=valid))
    assert window.upper == pytest.approx(window_of(volume).upper, rel=0.01)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0, 1e12, math.nan])
@pytest.mark.parametrize("modality", ["MR", "PT", "NM", "OT"])
def test_an_empty_or_constant_volume_has_a_window(value: float, modality: str) -> None:
    volume = make_volume(GRID, voxels=torch.full(GRID.shape, value), modality=modality)
    shown = window_of(volume).apply(volume.voxels)
    assert shown.isfinite().all()


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.lists(st.floats(-1e7, 1e7), min_size=1))
def test_a_window_keeps_the_order_and_yields_0_to_1(lower: float, share: float, values: list[float]) -> None:
    width = share * max(1.0, abs(lower))  # wider than float32 rounds
    window = Window(lower, lower + width)
    shown = window.apply(torch.tensor(sorted(values)))
    assert (shown.diff() >= 0).all()
    assert shown.min() >= 0
    assert shown.max() <= 1
    ends = window.apply(torch.tensor([lower - width, lower + 2 * width, math.nan, math.inf, -math.inf]))
    assert ends.tolist() == [0, 1, 0, 1, 0]


def test_a_person_may_choose() -> None:
    ct, mr = make_volume(unit=Unit.HU, modality="CT"), make_volume(modality="MR")
    assert chosen_window(ct, "brain") == CT_WINDOWS["brain"] == Window(0.0, 80.0)
    assert chosen_window(mr, [1, 2]) == Window(1.0, 2.0)
    assert chosen_window(mr, None) == window_of(mr)


@pytest.mark.parametrize(("wanted", "says"), [("bowel", "soft_tissue"), ("brain", "HU"), ((1, 2, 3), "two values")])
def test_a_window_that_does_not_fit_is_refused(wanted: str | tuple[float, ...], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        chosen_window(make_volume(modality="MR"), wanted)


@pytest.mark.parametrize(("lower", "upper"), [(1, 1), (2, 1), (math.nan, 1), (0, math.inf)])
def test_a_window_has_a_width(lower: float, upper: float) -> None:
    with pytest.raises(ParameterError, match="lower"):
        Window(lower, upper)


@pytest.mark.parametrize("wanted", [None, "brain", (10.0, 60.0)])
def test_an_inverted_volume_is_shown_as_the_negative_of_its_numbers(wanted: str | tuple[float, float] | None) -> None:
    volume = make_volume(GRID, unit=Unit.HU, modality="CT")
    plain = chosen_window(volume, wanted)
    inverted = chosen_window(replace(volume, inverted_display=True), wanted)
    assert (inverted.black, inverted.white) == (plain.upper, plain.lower) == (plain.white, plain.black)
    torch.testing.assert_close(inverted.apply(volume.voxels), 1 - plain.apply(volume.voxels))
    assert inverted.apply(torch.tensor([math.nan, math.inf, -math.inf])).tolist() == [0, 0, 1]


def test_an_inverted_image_fuses_to_the_same_picture_as_its_negative() -> None:
    """Numbers turned round and shown turned round: what is seen is the original; the colour bar says the numbers."""
    shown = [_body(1000.0, Unit.ARBITRARY, "MR")]
    shown.append(replace(shown[0], voxels=3000.0 - shown[0].voxels, inverted_display=True))
    base = make_volume(GRID, voxels=shown[0].voxels.flip(0), modality="MR")
    windows = ((0.0, 1500.0), (1500.0, 3000.0))
    plain, turned = (
        fuse(base, volume, "alpha_blend", moved_window=window) for volume, window in zip(shown, windows, strict=True)
    )
    assert (plain.image.int() - turned.image.int()).abs().max() <= 1
    assert (turned.legend[0].lower, turned.legend[0].upper) == (3000.0, 1500.0)
    below = [
        fuse(volume, base, "alpha_blend", fixed_window=window).image
        for volume, window in zip(shown, windows, strict=True)
    ]
    assert (below[0].int() - below[1].int()).abs().max() <= 1
