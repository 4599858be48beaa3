"""The sampler of the inner loop against SciPy's interpolation."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fusion.registration.sampling import CellSampler


@given(
    shape=st.tuples(*(st.integers(2, 9),) * 3),
    seed=st.integers(0, 2**16),
)
def test_values_are_those_of_scipy_and_inside_is_the_range_of_voxel_centres(
    shape: tuple[int, int, int], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    voxels = generator.normal(size=shape).astype(np.float32)
    indices = generator.uniform(-1, np.array(shape), (50, 3)).astype(np.float32)
    indices[0], indices[1] = 0, np.array(shape) - 1
    values, inside = CellSampler.of(torch.from_numpy(voxels)).value(torch.from_numpy(indices.T.copy()))
    expected = ndimage.map_coordinates(voxels, indices.T, order=1, mode="nearest")
    np.testing.assert_allclose(values, expected, atol=1e-5)
    np.testing.assert_array_equal(inside, ((indices >= 0) & (indices <= np.array(shape) - 1)).all(axis=1))


def test_gradients_are_differences_of_values() -> None:
    generator = np.random.default_rng(1)
    sampler = CellSampler.of(torch.from_numpy(generator.normal(size=(6, 7, 8)).astype(np.float32)))
    # The middle of a cell, so that both ends of the difference are in it.
    cells = generator.integers(0, (5, 6, 7), (200, 3)) + generator.uniform(0.3, 0.7, (200, 3))
    at = torch.from_numpy(cells.T.astype(np.float32))
    values, gradient, _ = sampler.value_and_gradient(at)
    torch.testing.assert_close(values, sampler.value(at)[0], atol=1e-5, rtol=0)
    for axis in range(3):
        step = torch.zeros(3, 1)
        step[axis] = 0.1
        difference = (sampler.value(at + step)[0] - sampler.value(at - step)[0]) / 0.2
        torch.testing.assert_close(gradient[axis], difference, atol=2e-4, rtol=0)


def test_a_cell_with_an_invalid_corner_is_outside() -> None:
    valid = torch.ones(4, 4, 4, dtype=torch.bool)
    valid[1, 1, 1] = False
    sampler = CellSampler.of(torch.rand(4, 4, 4), valid)
    _, inside = sampler.value(torch.tensor([[0.5, 1.5, 2.5], [0.5, 1.5, 2.5], [0.5, 1.5, 2.5]]))
    assert inside.tolist() == [False, False, True]
