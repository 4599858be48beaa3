from typing import Any

import numpy as np
import pytest
import torch
from pydicom.pixels.processing import apply_color_lut

from fusion.display import COLOUR_TABLES, blend
from fusion.errors import ParameterError

WELL_KNOWN = ("hot_iron", "pet", "hot_metal_blue", "pet_20_step", "spring", "summer", "fall", "winter")


@pytest.mark.parametrize(("number", "name"), list(enumerate(WELL_KNOWN, start=1)))
def test_palettes_are_those_of_the_standard(number: int, name: str) -> None:
    # By UID (PS3.6 table A-1): by name, pydicom 3.0.2 has Fall and Winter exchanged.
    indices = np.arange(256, dtype=np.uint8).reshape(1, 256)
    expected = apply_color_lut(indices, palette=f"1.2.840.10008.1.5.{number}")[0]
    np.testing.assert_array_equal(COLOUR_TABLES[name], expected)


@pytest.mark.parametrize("name", sorted(COLOUR_TABLES))
def test_tables_have_256_colours_and_cannot_be_changed(name: str) -> None:
    table = COLOUR_TABLES[name]
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1


def test_grey_rises_and_its_inverse_falls() -> None:
    np.testing.assert_array_equal(COLOUR_TABLES["grey"][:, 1], np.arange(256))
    np.testing.assert_array_equal(COLOUR_TABLES["inverse_grey"], COLOUR_TABLES["grey"][::-1])


def _blended(grey: float, overlay: float, **how: Any) -> list[int]:
    full = torch.ones(1, 1, 1)
    colours: list[int] = blend(full * grey, full * overlay, COLOUR_TABLES["hot_iron"], **how).flatten().tolist()
    return colours


def test_the_mix_is_the_weighted_sum_of_stored_values() -> None:
    assert _blended(0.4, 1.0, opacity=0.5) == [178, 178, 178]
    assert _blended(0.4, 0.5, opacity=0.25) == [round(0.75 * 102 + 0.25 * v) for v in (255, 0, 0)]
    assert _blended(1.0, 1.0, opacity=0.0) == [255, 255, 255]
    assert _blended(0.0, 1.0, opacity=1.0) == [255, 255, 255]


def test_the_overlay_fades_out_at_its_lower_end() -> None:
    assert _blended(0.6, 0.1, threshold=0.1, ramp=0.2) == [153, 153, 153]
    halfway = _blended(0.6, 0.2, threshold=0.1, ramp=0.2, opacity=1.0)
    table = COLOUR_TABLES["hot_iron"][round(0.2 * 255)]
    assert halfway == [round((153 + int(v)) / 2) for v in table]
    assert _blended(0.6, 0.05, threshold=0.1, ramp=0.0) == [153, 153, 153]


def test_where_nothing_is_shown_the_grey_image_stays() -> None:
    grey, overlay = torch.rand(3, 4, 5), torch.ones(3, 4, 5)
    shown = torch.zeros(3, 4, 5, dtype=torch.bool)
    shown[1] = True
    image = blend(grey, overlay, COLOUR_TABLES["pet"], shown=shown)
    assert image.dtype == torch.uint8
    expected = grey.mul(255).round().to(torch.uint8)[..., None].expand(-1, -1, -1, 3)
    assert torch.equal(image[~shown], expected[~shown])
    assert not torch.equal(image[shown], expected[shown])


@pytest.mark.parametrize("name", ["opacity", "threshold", "ramp"])
def test_shares_lie_between_0_and_1(name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        _blended(0.5, 0.5, **{name: 1.5})
