import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fusion.errors import ParameterError
from fusion.geometry import block_mean, downsample, gaussian, pyramid, smooth
from fusion.volume import Grid
from tests.fixtures.volumes import grids, make_grid, make_volume, smooth_field


@given(grids(24), st.floats(0.5, 20.0))
def test_the_spacing_is_the_one_asked_for_and_the_extent_is_covered(grid: Grid, spacing_mm: float) -> None:
    coarse = downsample(make_volume(grid), spacing_mm)
    for before, after, count, size in zip(
        grid.spacing_mm, coarse.grid.spacing_mm, coarse.grid.shape, grid.size_mm, strict=True
    ):
        if before * 1.1 >= spacing_mm:
            assert after == pytest.approx(before)
        elif count > 1:
            # Whole voxels in a fixed extent: the fewer they are, the less it can be exact.
            assert 1 / (1.15 + 1 / count) < after / spacing_mm < 1.15 + 1 / count
        assert size - 1e-6 <= count * after < size + after * (1 + 1e-9)
    assert np.allclose(coarse.grid.direction, grid.direction)
    assert coarse.voxels.isfinite().all()


def test_whole_blocks_are_plain_means() -> None:
    volume = make_volume(make_grid((4, 6, 8), (2.0, 1.0, 1.0)))
    coarse = downsample(volume, 2.0)
    assert coarse.grid.shape == (4, 3, 4)
    assert coarse.grid.spacing_mm == pytest.approx((2.0, 2.0, 2.0))
    np.testing.assert_allclose(coarse.grid.centre_mm, volume.grid.centre_mm, atol=1e-12)
    means = volume.voxels.reshape(4, 3, 2, 4, 2).mean(dim=(2, 4))
    torch.testing.assert_close(coarse.voxels, means)


@pytest.mark.parametrize("spacing_mm", [1.3, 2.0, 2.7, 4.4])
def test_values_stay_where_they_are(spacing_mm: float) -> None:
    grid = make_grid((30, 61, 47), (2.0, 1.0, 1.0), rotation_vector_rad=(0.1, 0.3, -0.2), centre_mm=(40, -30, 900))
    coarse = downsample(make_volume(grid, voxels=smooth_field(grid)), spacing_mm)
    inner = tuple(slice(2, -2) for _ in range(3))
    # Shifted by half a coarse voxel the field would be off by about 0.15.
    assert (coarse.voxels - smooth_field(coarse.grid))[inner].abs().max() < 0.06


def test_a_block_is_the_mean_of_its_valid_voxels() -> None:
    voxels = torch.tensor([[[1.0, 9.0, 3.0, 9.0, 9.0, 9.0, 7.0]]])
    valid = torch.tensor([[[True, False, True, False, False, False, True]]])
    coarse = block_mean(make_volume(make_grid((1, 1, 7)), voxels=voxels), (1, 1, 2))
    assert coarse.voxels.flatten().tolist() == [5.0, 6.0, 9.0, 7.0]
    assert coarse.valid is None
    masked = block_mean(make_volume(make_grid((1, 1, 7)), voxels=voxels, valid=valid), (1, 1, 2))
    assert masked.voxels.flatten().tolist() == [1.0, 3.0, 0.0, 7.0]
    assert masked.valid is not None
    assert masked.valid.flatten().tolist() == [True, True, False, True]


def test_a_pyramid_is_made_from_the_original() -> None:
    volume = make_volume(make_grid((20, 30, 40), (1.0, 1.0, 1.0)))
    coarse, fine = pyramid(volume, (4.0, 1.0))
    assert fine.voxels is volume.voxels
    assert torch.equal(coarse.voxels, downsample(volume, 4.0).voxels)


@pytest.mark.parametrize("spacing_mm", [0.0, -1.0, math.nan, math.inf])
def test_a_spacing_is_positive(spacing_mm: float) -> None:
    with pytest.raises(ParameterError, match="positive"):
        downsample(make_volume(), spacing_mm)


def test_smoothing_is_scipys_inside() -> None:
    voxels = make_volume(make_grid((14, 20, 24))).voxels
    ours = gaussian(voxels, (1.0, 2.0, 0.0))
    theirs = ndimage.gaussian_filter(voxels.numpy().astype(np.float64), (1.0, 2.0, 0.0), truncate=3.0)
    inner = (slice(4, -4), slice(7, -7))
    torch.testing.assert_close(ours[inner], torch.from_numpy(theirs).float()[inner], rtol=1e-4, atol=1e-3)


def test_smoothing_darkens_no_border_and_keeps_what_is_invalid() -> None:
    voxels = torch.full((5, 6, 7), 3.0)
    valid = torch.ones_like(voxels, dtype=torch.bool)
    valid[2, 3, :4] = False
    voxels[~valid] = math.nan
    result = gaussian(voxels, (1.0, 1.5, 2.0), valid)
    torch.testing.assert_close(result[valid], torch.full_like(result[valid], 3.0))
    assert result[~valid].isnan().all()
    torch.testing.assert_close(gaussian(torch.full((5, 6, 7), 3.0), (9.0, 9.0, 9.0)), torch.full((5, 6, 7), 3.0))


def test_smoothing_counts_in_mm() -> None:
    voxels = torch.zeros(31, 31, 31)
    voxels[15, 15, 15] = 1.0
    result = smooth(make_volume(make_grid((31, 31, 31), (3.0, 1.0, 1.5)), voxels=voxels), 3.0).voxels
    for axis, spacing_mm in enumerate((3.0, 1.0, 1.5)):
        profile = result.sum(dim=tuple(other for other in range(3) if other != axis))
        places = (torch.arange(31.0) - 15) * spacing_mm
        # A Gaussian cut at three standard deviations is 1.3 % narrower.
        assert float((profile * places**2).sum().sqrt()) == pytest.approx(3.0, rel=0.03)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_what_the_cpu_gives() -> None:
    volume = make_volume(make_grid((30, 40, 50)), scale=1.0)
    for spacing_mm in (3.0, 4.1):
        on_cuda = downsample(volume.to("cuda"), spacing_mm).to("cpu")
        torch.testing.assert_close(downsample(volume, spacing_mm).voxels, on_cuda.voxels, rtol=0, atol=1e-5)
