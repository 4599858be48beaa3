"""A large volume is read slab by slab, and is the same as if it had been read whole."""

import numpy as np
import pytest
import torch

from fusion.errors import UnusableVolumeError
from fusion.registration import large
from fusion.registration.levels import shrunk
from fusion.volume import Volume
from tests.fixtures.volumes import make_grid


@pytest.mark.parametrize("slices", [48, 53])
def test_slabs_together_are_the_whole(slices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = make_grid((slices, 11, 13), (1.0, 0.9, 0.8))
    voxels = torch.rand(grid.shape, generator=torch.Generator().manual_seed(1))
    voxels[7, 3, 4] = torch.nan
    volume = Volume(voxels, grid)
    assert large.read_in_slabs(volume, 2.0, "fixed") is volume, "small ones stay as they are"
    monkeypatch.setattr(large, "LARGE_VOXELS", 1000)
    read = large.read_in_slabs(volume, 2.0, "fixed")
    finite = torch.isfinite(voxels)
    whole, valid, expected = shrunk(torch.where(finite, voxels, 0.0), finite, grid, 2.0)
    torch.testing.assert_close(read.voxels, whole)
    assert read.valid is not None
    assert torch.equal(read.valid, valid)
    np.testing.assert_allclose(read.grid.affine, expected.affine)


def test_beyond_the_limit_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "MAX_VOXELS", 1000)
    grid = make_grid((20, 11, 13), (1.0, 1.0, 1.0))
    with pytest.raises(UnusableVolumeError, match=r"moving image.*crop it"):
        large.read_in_slabs(Volume(torch.zeros(grid.shape), grid), 2.0, "moving")
