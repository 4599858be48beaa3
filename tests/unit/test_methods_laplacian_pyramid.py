import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusion import fuse
from fusion.methods.laplacian_pyramid import compose, decompose, expand, reduce
from tests.fixtures.volumes import make_grid, make_volume

EXTENT = st.integers(1, 21)
SPACING = st.floats(0.3, 8.0)


@given(st.tuples(EXTENT, EXTENT, EXTENT), st.tuples(SPACING, SPACING, SPACING), st.integers(1, 6))
def test_what_is_taken_apart_goes_together_again(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], levels: int
) -> None:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(3))
    details, base = decompose(image, levels, spacing_mm)
    torch.testing.assert_close(compose(details, base), image, rtol=0, atol=1e-5)
    assert len(details) <= levels


@pytest.mark.parametrize("detail", ["max_abs", "energy"])
@pytest.mark.parametrize("base", ["mean", "max"])
def test_an_image_fused_with_itself_comes_back(detail: str, base: str) -> None:
    volume = make_volume(make_grid((9, 33, 40), (4.0, 1.0, 1.0)))
    window = (-400, 400)
    image = fuse(
        volume, volume, "laplacian_pyramid", detail=detail, base=base, fixed_window=window, moved_window=window
    ).image
    torch.testing.assert_close(image, ((volume.voxels + 400) / 800).clamp(0, 1), rtol=0, atol=1e-5)


def test_reduce_and_expand_are_those_of_burt_and_adelson() -> None:
    line = torch.tensor([1.0, 5.0, 2.0, 8.0, 3.0, 7.0]).reshape(1, 1, 6)
    weights = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    padded = torch.tensor([1.0, 1.0, 1.0, 5.0, 2.0, 8.0, 3.0, 7.0, 7.0, 7.0])
    expected = torch.stack([(padded[i : i + 5] * weights).sum() for i in (0, 2, 4)])
    torch.testing.assert_close(reduce(line, 2).flatten(), expected)
    coarse = torch.tensor([2.0, 4.0, 9.0]).reshape(1, 3, 1)
    grown = expand(coarse, 1, 6).flatten()
    torch.testing.assert_close(grown, torch.tensor([(2 + 12 + 4) / 8, 3, (2 + 24 + 9) / 8, 6.5, (4 + 54 + 9) / 8, 9.0]))
    assert expand(coarse, 1, 5).flatten().tolist() == grown[:5].tolist()
    flat = torch.full((5, 6, 7), 2.5)
    torch.testing.assert_close(expand(reduce(flat, 0), 0, 5), flat)


def test_thick_slices_wait_until_the_others_have_caught_up() -> None:
    details, base = decompose(torch.rand(16, 64, 64), 4, (4.0, 1.0, 1.0))
    assert [axes for _, axes in details] == [(1, 2), (1, 2), (0, 1, 2), (0, 1, 2)]
    assert base.shape == (4, 4, 4)


def test_detail_of_both_images_survives() -> None:
    grid = make_grid((8, 64, 64), (1.0, 1.0, 1.0))
    rows = torch.arange(64.0)[None, :, None].expand(grid.shape)
    columns = torch.arange(64.0)[None, None, :].expand(grid.shape)
    left = torch.where(columns < 32, 0.5 + 0.4 * torch.sin(rows * 1.5), 0.5)
    right = torch.where(columns >= 32, 0.5 + 0.4 * torch.sin(rows * 1.5), 0.5)
    windows = {"fixed_window": (0, 1), "moved_window": (0, 1)}
    fixed, moved = make_volume(grid, voxels=left), make_volume(grid, voxels=right)
    fused = fuse(fixed, moved, "laplacian_pyramid", **windows).image
    mean = fuse(fixed, moved, "average", **windows).image
    for half in (fused[:, :, 4:28], fused[:, :, 36:60]):
        assert half.std() > 0.9 * left[:, :, 4:28].std()
    assert mean[:, :, 4:28].std() < 0.6 * left[:, :, 4:28].std()
