"""The learned mixtures: nothing invented, black stays black, the map reproduces the image."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import Volume, fuse
from fusion.errors import ParameterError
from fusion.methods.planes import consistent, fuse_planes
from tests.fixtures.volumes import make_grid, make_volume

UNIT_WINDOWS: dict[str, Any] = {"fixed_window": (0.0, 1.0), "moved_window": (0.0, 1.0)}


def _pair(seed: int = 0, shape: tuple[int, int, int] = (6, 26, 24)) -> tuple[Volume, Volume]:
    """Smooth images in 0…1 with air round them."""
    grid = make_grid(shape, (3.0, 1.0, 1.0))
    images = []
    for k in range(2):
        noise = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(2 * seed + k))
        smooth = torch.nn.functional.avg_pool3d(noise, 3, 1, 1)[0, 0]
        values = ((smooth - 0.3) * 2.5).clamp(0, 1)
        values[:, :4] = 0
        images.append(make_volume(grid, voxels=values))
    return images[0], images[1]


@given(st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_every_voxel_lies_between_its_sources_and_the_map_reproduces_it(seed: int) -> None:
    fixed, moved = _pair(seed)
    fused = fuse(fixed, moved, "bounded", **UNIT_WINDOWS)
    a, b, share = fixed.voxels, moved.voxels, fused.contribution
    assert share is not None
    assert (fused.image >= torch.minimum(a, b)).all()
    assert (fused.image <= torch.maximum(a, b)).all()
    assert (fused.image[(a == 0) & (b == 0)] == 0).all()
    torch.testing.assert_close(share * a + (1 - share) * b, fused.image, rtol=0, atol=1e-6)
    assert share.min() >= 0
    assert share.max() <= 1


def test_exchanged_images_give_the_same_mixture() -> None:
    fixed, moved = _pair()
    there, back = fuse(fixed, moved, "bounded", **UNIT_WINDOWS), fuse(moved, fixed, "bounded", **UNIT_WINDOWS)
    torch.testing.assert_close(there.image, back.image, rtol=0, atol=1e-4)


def test_neither_image_is_copied() -> None:
    fixed, moved = _pair()
    share = fuse(fixed, moved, "bounded", **UNIT_WINDOWS).contribution
    assert share is not None
    signal = torch.maximum(fixed.voxels, moved.voxels) > 0
    assert 0.2 < float(share[signal].mean()) < 0.8


def test_the_fixed_image_is_all_where_the_moved_one_holds_nothing() -> None:
    fixed, moved = _pair()
    valid = torch.ones(fixed.grid.shape, dtype=torch.bool)
    valid[:, 15:] = False
    fused = fuse(fixed, replace(moved, valid=valid), "bounded", **UNIT_WINDOWS)
    assert fused.contribution is not None
    assert (fused.contribution[~valid] == 1).all()
    assert torch.equal(fused.image[~valid], fixed.voxels[~valid])


@given(st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_what_is_shown_beyond_the_sources_is_limited(seed: int) -> None:
    fixed, moved = _pair(seed)
    image = fuse(fixed, moved, "display", lift=0.5, detail=1.0, **UNIT_WINDOWS).image
    lower, upper = torch.minimum(fixed.voxels, moved.voxels), torch.maximum(fixed.voxels, moved.voxels)
    outside = (image < lower - 4 / 255) | (image > upper + 4 / 255)
    assert 0 < float(outside.float().mean()) <= 0.05
    assert (image[upper == 0] == 0).all()


def test_the_pyramid_of_display_alone_is_the_stronger_detail_over_the_brighter_base() -> None:
    fixed, moved = _pair()
    image = fuse(fixed, moved, "display", lift=0.0, detail=0.0, pyramid=1.0, **UNIT_WINDOWS).image
    known = fuse(fixed, moved, "laplacian_pyramid", detail="max_abs", base="max", **UNIT_WINDOWS).image
    lower, upper = (pick(fixed.voxels, moved.voxels) for pick in (torch.minimum, torch.maximum))
    inside = (known > lower) & (known < upper)
    assert inside.float().mean() > 0.2
    torch.testing.assert_close(image[inside], known[inside], rtol=0, atol=1e-5)


def test_display_without_lift_is_bounded_and_parameters_have_a_range() -> None:
    fixed, moved = _pair()
    plain = fuse(fixed, moved, "display", lift=0.0, detail=0.0, pyramid=0.0, **UNIT_WINDOWS).image
    assert torch.equal(plain, fuse(fixed, moved, "bounded", **UNIT_WINDOWS).image)
    for name in ("lift", "detail"):
        with pytest.raises(ParameterError, match=name):
            fuse(fixed, moved, "display", **{name: 1.5})


def test_isotropic_volumes_are_fused_along_every_axis_and_others_by_slice() -> None:
    seen: list[tuple[int, ...]] = []

    def first(one: torch.Tensor, _two: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(one.shape))
        return one

    image = torch.rand(16, 17, 18)
    torch.testing.assert_close(fuse_planes(first, image, image, (1.0, 1.0, 1.0)), image)
    assert [shape[2:] for shape in seen] == [(17, 18), (16, 18), (16, 17)]
    seen.clear()
    fuse_planes(first, image, image, (3.0, 1.0, 1.0))
    assert [shape[2:] for shape in seen] == [(17, 18)]


def test_slices_agree_where_the_sources_do_and_only_there() -> None:
    still = torch.full((9, 4, 4), 0.5)
    flicker = still + 0.1 * torch.tensor([1.0, -1.0] * 4 + [1.0])[:, None, None]
    assert float(consistent(flicker, still, still).diff(dim=0).abs().mean()) < 0.1
    changing = torch.rand(9, 4, 4, generator=torch.Generator().manual_seed(0)).round()
    kept = consistent(changing, changing, changing)
    torch.testing.assert_close(
        kept[1:-1][changing[1:-1] == changing[:-2]].round(), changing[1:-1][changing[1:-1] == changing[:-2]]
    )
