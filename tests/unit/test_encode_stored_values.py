"""Quantities as 16-bit integers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.encode.stored_values import hounsfield, scaled, whole_or_scaled
from dicomnode.errors import EncodeError
from fusion import Unit, Volume
from tests.fixtures.derived_case import grid

quantities = st.lists(st.floats(0, 1e7, width=32), min_size=2, max_size=40)
signed_quantities = st.lists(st.floats(-1e5, 1e5, width=32), min_size=2, max_size=40)


def volume(values: list[float]) -> Volume:
    voxels = torch.tensor(values, dtype=torch.float32).reshape(1, 1, -1)
    return Volume(voxels, grid((1, 1, len(values)), (1, 1, 1), None), Unit.SUV_BW, "PT")


@given(quantities)
def test_a_stored_activity_is_within_half_a_written_step(values: list[float]) -> None:
    moved = volume(values)
    stored = scaled(moved, moved)
    read = stored.of(moved.voxels).astype(np.float64) * float(stored.slope)
    assert np.abs(read - moved.voxels.numpy()).max() <= float(stored.slope) / 2 * (1 + 1e-9)
    assert len(stored.slope) <= 16
    assert not stored.signed


@given(signed_quantities)
def test_negative_values_of_the_source_survive(values: list[float]) -> None:
    moved = volume(values)
    stored = scaled(moved, moved)
    read = stored.of(moved.voxels).astype(np.float64) * float(stored.slope)
    assert np.abs(read - moved.voxels.numpy()).max() <= float(stored.slope) / 2 * (1 + 1e-9)


def test_an_undershoot_of_interpolation_becomes_no_negative_activity() -> None:
    source, moved = volume([0.0, 5.0]), volume([-0.4, 5.0])
    stored = scaled(moved, source)
    assert stored.of(moved.voxels).ravel().tolist() == [0, 65535]


def test_an_empty_volume_has_a_slope_that_divides() -> None:
    empty = volume([0.0, 0.0])
    assert scaled(empty, empty).of(empty.voxels).tolist() == [[[0, 0]]]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=40))
def test_hounsfield_units_neither_wrap_nor_become_padding(values: list[float]) -> None:
    moved = volume(values)
    stored = hounsfield(-2000).of(moved.voxels).astype(np.float64)
    expected = np.clip(np.rint(moved.voxels.numpy().astype(np.float64)), -1999, 32767)
    assert np.array_equal(stored, expected)


def test_what_was_not_measured_is_padding() -> None:
    moved = volume([10.0, 20.0])
    valid = torch.tensor([[[True, False]]])
    assert hounsfield(-2000).of(moved.voxels, valid).tolist() == [[[10, -2000]]]


@given(st.lists(st.integers(0, 4095), min_size=2, max_size=30))
def test_integers_of_the_source_are_stored_as_they_are(values: list[int]) -> None:
    moved = volume([float(value) for value in [*values, 1]])
    stored = whole_or_scaled(moved, moved)
    assert stored.is_integer
    assert stored.of(moved.voxels).ravel().tolist() == [*values, 1]


def test_integers_that_do_not_fit_are_scaled() -> None:
    moved = volume([0.0, 400000.0])
    stored = whole_or_scaled(moved, moved)
    assert not stored.is_integer
    assert stored.of(moved.voxels).max() <= 65535


def test_fractions_are_scaled() -> None:
    moved = volume([0.0, 0.25, 0.5])
    assert not whole_or_scaled(moved, moved).is_integer


def test_values_that_are_not_finite_are_refused() -> None:
    moved = volume([0.0, float("nan")])
    with pytest.raises(EncodeError, match="finite"):
        scaled(moved, moved)
