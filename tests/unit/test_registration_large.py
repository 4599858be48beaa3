"""A large volume is read slab by slab, and is the same as if it had been read whole."""

import numpy as np
import pytest
import torch

from fusion.errors import UnusableVolumeError
from fusion.registration import kinds, large, preparation
from fusion.registration.levels import shrunk
from fusion.registration.preparation import REACH_MM, Level
from fusion.registration.sampling import CellSampler
from fusion.volume import Volume
from tests.fixtures.two_contrast_head import MR_T1, head
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


def test_a_large_level_is_cut_down_to_what_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = make_grid((60, 70, 50), (2.0, 2.0, 3.0))
    voxels = torch.rand(grid.shape, generator=torch.Generator().manual_seed(2))
    level, points = Level(CellSampler.of(voxels), grid), grid.points(np.array([[8.0, 30.0, 20.0], [12.0, 44.0, 26.0]]))
    assert level.about(points) is level, "small ones stay as they are"
    monkeypatch.setattr(preparation, "LARGE_VOXELS", 1000)
    cut = level.about(points)
    assert cut.sampler.shape == (28, 45, 27), "from 0 to 27, 15 to 59 and 10 to 36"
    margin = np.array([[0.0, -REACH_MM, 0.0], [0.0, REACH_MM, REACH_MM]])
    for near in (points, points + margin):
        there, here = (
            side.sampler.value(torch.from_numpy(side.grid.indices(near).T.astype(np.float32))) for side in (level, cut)
        )
        torch.testing.assert_close(here[0], there[0], atol=1e-4, rtol=0)
        assert here[1].all()


def test_a_large_body_is_as_fine_as_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = preparation.prepare(head(MR_T1, grid=make_grid((60, 70, 60), (3.0, 3.0, 3.0))), (3.0,))
    whole = kinds.fineness(prepared)
    monkeypatch.setattr(preparation, "LARGE_VOXELS", 1000)
    monkeypatch.setattr(kinds, "LARGE_VOXELS", 1000)
    monkeypatch.setattr(kinds, "MIDDLE_MM", 60.0)
    assert kinds.fineness(prepared) == pytest.approx(whole, rel=0.25)
