import importlib
import math
from dataclasses import dataclass

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name in every manual)
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import interpolate

from fusion import resample
from fusion.errors import GeometryError, ParameterError
from fusion.geometry.monotone import refined
from fusion.geometry.resample import antialias_sigmas
from fusion.geometry.transform import AffineTransform
from fusion.types import Points
from fusion.volume import Grid, Unit
from tests.fixtures.volumes import (
    grids,
    make_grid,
    make_volume,
    rigid_transforms,
    sitk_image,
    sitk_reference,
    sitk_transform,
    smooth_field,
)

IDENTITY = AffineTransform.identity()
OUTSIDE = -77.0


@given(grids(), st.integers(0, 100))
def test_resampling_onto_its_own_grid_changes_no_bit(grid: Grid, seed: int) -> None:
    volume = make_volume(grid, seed=seed)
    for interpolation in ("linear", "nearest"):
        same = resample(volume, IDENTITY, grid, interpolation=interpolation)
        assert torch.equal(same.voxels, volume.voxels)
        assert same.valid is not None
        assert same.valid.all()


@given(grids(), rigid_transforms(), st.integers(0, 100))
def test_a_moved_frame_changes_no_bit_when_the_grid_moves_along(
    grid: Grid, transform: AffineTransform, seed: int
) -> None:
    volume = make_volume(grid, seed=seed)
    elsewhere = Grid(grid.shape, transform.inverse().matrix @ grid.affine)
    assert torch.equal(resample(volume, transform, elsewhere).voxels, volume.voxels)


@pytest.mark.parametrize(
    ("interpolation", "oracle"), [("linear", sitk.sitkLinear), ("nearest", sitk.sitkNearestNeighbor)]
)
@settings(max_examples=40)
@given(moving=grids(16), onto=grids(16), transform=rigid_transforms(8.0), near=st.booleans())
def test_simpleitk_resamples_to_the_same(
    interpolation: str, oracle: int, moving: Grid, onto: Grid, transform: AffineTransform, near: bool
) -> None:
    if near:  # else most pairs do not meet at all
        affine = onto.affine.copy()
        affine[:3, 3] += transform.inverse()(moving.centre_mm) - onto.centre_mm
        onto = Grid(onto.shape, affine)
    volume = make_volume(moving, scale=1.0)
    ours = resample(volume, transform, onto, interpolation=interpolation, antialias=False, outside=OUTSIDE)
    theirs = torch.from_numpy(
        sitk.GetArrayFromImage(
            sitk.Resample(sitk_image(volume), sitk_reference(onto), sitk_transform(transform), oracle, OUTSIDE)
        )
    )
    assert ours.valid is not None
    indices = moving.indices(transform(onto.points(_all_indices(onto))))
    # Exactly half-way and exactly on the border rounding decides, here and there.
    decided = torch.from_numpy((np.abs(indices - np.round(indices)) < 0.5 - 1e-5).all(-1))
    assert torch.equal(ours.valid[decided], (theirs != OUTSIDE)[decided])
    difference = (ours.voxels - theirs).abs()[decided]
    assert difference.numel() == 0 or float(difference.max()) <= 1e-5 * 8


def test_simpleitk_agrees_on_a_large_oblique_grid() -> None:
    moving = make_grid(
        (24, 512, 512), (2.5, 0.7, 0.7), rotation_vector_rad=(0.1, -0.2, 0.05), centre_mm=(10, -150, 900)
    )
    onto = make_grid((8, 500, 480), (5.0, 0.8, 0.75), rotation_vector_rad=(-0.02, 0.1, 0.0), centre_mm=(5, -140, 905))
    transform = AffineTransform.rigid((0.02, -0.01, 0.3), (4, 3, -2), moving.centre_mm.tolist())
    volume = make_volume(moving, scale=1.0)
    ours = resample(volume, transform, onto, antialias=False, outside=OUTSIDE)
    theirs = sitk.GetArrayFromImage(
        sitk.Resample(sitk_image(volume), sitk_reference(onto), sitk_transform(transform), sitk.sitkLinear, OUTSIDE)
    )
    assert ours.valid is not None
    assert np.array_equal(ours.valid.numpy(), theirs != OUTSIDE)
    assert 0.3 < ours.valid.float().mean() < 1
    assert np.abs(ours.voxels.numpy() - theirs).max() <= 1e-5 * np.ptp(theirs[theirs != OUTSIDE])


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (2, 0, 1)])
def test_parallel_axes_give_what_the_general_sum_gives(axes: tuple[int, int, int]) -> None:
    volume = make_volume(make_grid((9, 10, 11), (2.0, 1.0, 1.5)))
    order = [*axes, 3]
    affine = volume.grid.affine[:, order] @ np.diag([0.7, -0.9, 1.3, 1.0])
    affine[:3, 3] = volume.grid.centre_mm - affine[:3, :3] @ np.array([4.0, 5.0, 3.0])
    onto = Grid((9, 11, 7), affine)
    turned = AffineTransform.rigid((1e-9, 0, 0), (0, 0, 0))  # not parallel in the eyes of the shortcut

    @dataclass(frozen=True)
    class General:
        def __call__(self, points: Points) -> Points:
            return turned(points)

    fast = resample(volume, IDENTITY, onto, antialias=False)
    general = resample(volume, General(), onto, antialias=False)
    assert torch.equal(fast.valid, general.valid)  # type: ignore[arg-type]
    torch.testing.assert_close(fast.voxels, general.voxels, rtol=0, atol=1e-4)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = make_volume(make_grid((20, 9, 8)))
    onto = make_grid((17, 10, 9), rotation_vector_rad=(0.2, 0.1, 0.4))
    whole = resample(volume, IDENTITY, onto)
    monkeypatch.setattr(importlib.import_module("fusion.geometry.resample"), "CHUNK_VOXELS", 1)
    assert torch.equal(resample(volume, IDENTITY, onto).voxels, whole.voxels)


def test_what_the_result_says_about_itself() -> None:
    volume = make_volume(make_grid(), unit=Unit.SUV_BW, modality="PT")
    onto = make_grid((4, 5, 6), frame_of_reference_uid="1.2.840.1")
    before = volume.voxels.clone()
    result = resample(volume, IDENTITY, onto)
    assert result.grid is onto
    assert (result.unit, result.modality) == (Unit.SUV_BW, "PT")
    assert (result.source_uids, result.notes) == (volume.source_uids, volume.notes)
    assert torch.equal(volume.voxels, before)


@pytest.mark.parametrize(("unit", "nothing"), [(Unit.HU, -1024.0), (Unit.SUV_BW, 0.0), (Unit.ARBITRARY, 0.0)])
def test_outside_is_what_means_nothing(unit: Unit, nothing: float) -> None:
    volume = make_volume(make_grid((3, 3, 3)), unit=unit, offset=500.0)
    far = resample(volume, AffineTransform.rigid((0, 0, 0), (1000, 0, 0)), volume.grid)
    assert far.valid is not None
    assert not far.valid.any()
    assert (far.voxels == nothing).all()


def test_half_a_voxel_beyond_the_outer_centres_is_inside() -> None:
    volume = make_volume(make_grid((1, 1, 4), (1.0, 1.0, 2.0)), voxels=torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]))
    for shift_mm, expected in ((-1.0, 1.0), (-1.01, OUTSIDE), (7.0, 4.0), (7.01, OUTSIDE), (1.0, 1.5)):
        onto = Grid((1, 1, 1), volume.grid.affine)
        transform = AffineTransform.rigid((0, 0, 0), (shift_mm, 0, 0))
        assert resample(volume, transform, onto, outside=OUTSIDE).voxels.item() == expected


@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e30])
def test_invalid_voxels_do_not_bleed(poison: float) -> None:
    voxels = torch.full((7, 7, 7), 5.0)
    voxels[3, 3, 3] = poison
    valid = None if not math.isfinite(poison) else voxels == 5.0
    grid = make_grid((7, 7, 7), (1.0, 1.0, 1.0))
    volume = make_volume(grid, voxels=voxels, valid=valid)
    for onto in (
        make_grid((13, 13, 13), (0.5, 0.5, 0.5)),
        make_grid((3, 3, 3), (2.0, 2.0, 2.0)),
        make_grid((7, 7, 7), (1.0, 1.0, 1.0), rotation_vector_rad=(0.3, 0.2, 0.1)),
        grid,
    ):
        result = resample(volume, IDENTITY, onto, outside=OUTSIDE)
        assert result.valid is not None
        assert not result.valid[tuple(n // 2 for n in onto.shape)]
        torch.testing.assert_close(result.voxels[result.valid], torch.full_like(result.voxels[result.valid], 5.0))
        assert (result.voxels[~result.valid] == OUTSIDE).all()
    same = resample(volume, IDENTITY, grid)
    assert int((~same.valid).sum()) == 1  # type: ignore[operator]


def test_only_coarser_axes_are_smoothed() -> None:
    fine = make_grid((20, 20, 20), (3.0, 1.0, 1.0))
    assert antialias_sigmas(fine, IDENTITY, make_grid((5, 9, 9), (3.0, 0.5, 1.0))) == (0.0, 0.0, 0.0)
    sigmas = antialias_sigmas(fine, IDENTITY, make_grid((5, 9, 9), (6.0, 3.0, 1.0)))
    per_voxel = 1 / (2 * math.sqrt(2 * math.log(2)))
    assert sigmas == pytest.approx((per_voxel * math.sqrt(3), per_voxel * math.sqrt(8), 0.0))


def test_sigmas_follow_the_axes_through_a_turn() -> None:
    fine = make_grid((20, 20, 20), (4.0, 1.0, 1.0))
    quarter = AffineTransform.rigid((math.pi / 2, 0, 0), (0, 0, 0))  # slices of onto run along rows of fine
    slices, rows, columns = antialias_sigmas(fine, quarter, make_grid((5, 20, 20), (4.0, 1.0, 1.0)))
    assert (slices, columns) == (0.0, 0.0)
    assert rows == pytest.approx(math.sqrt(15) / (2 * math.sqrt(2 * math.log(2))))


def test_down_sampling_does_not_alias() -> None:
    grid = make_grid((4, 4, 240), (1.0, 1.0, 1.0))
    # 0.4 cycles a voxel: on every third voxel it would show as a slow wave of full height.
    wave = torch.cos(2 * math.pi * 0.4 * torch.arange(240.0)).expand(4, 4, 240).contiguous()
    onto = make_grid((4, 4, 80), (1.0, 1.0, 3.0))  # hits voxels at their centres
    aliased = resample(make_volume(grid, voxels=wave), IDENTITY, onto, antialias=False).voxels.std()
    smoothed = resample(make_volume(grid, voxels=wave), IDENTITY, onto).voxels[..., 3:-3].std()
    assert aliased > 0.5
    assert smoothed < 0.02 * aliased


def test_a_known_field_is_sampled_at_the_right_place() -> None:
    moving = make_grid((40, 48, 44), (1.5, 1.2, 1.2), rotation_vector_rad=(0.1, 0.2, -0.1))
    onto = make_grid((12, 14, 10), (2.0, 2.0, 2.0), rotation_vector_rad=(-0.2, 0.1, 0.3))
    transform = AffineTransform.rigid((0.1, -0.05, 0.2), (3, -2, 1))
    result = resample(make_volume(moving, voxels=smooth_field(moving)), transform, onto, antialias=False)
    assert result.valid is not None
    truth = smooth_field(Grid(onto.shape, transform.matrix @ onto.affine))
    assert result.valid.float().mean() > 0.9
    # Linear interpolation of sin(x/9): at most h²/8 · f'' a direction.
    assert (result.voxels - truth).abs()[result.valid].max() < 0.02


def test_a_transform_that_is_not_affine_is_followed_point_by_point() -> None:
    moving = make_grid((30, 40, 40), (1.0, 1.0, 1.0))
    onto = make_grid((10, 12, 14), (1.0, 1.0, 1.0))

    def bend(points: Points) -> Points:
        shift = [2 * np.sin(points[..., 1] / 20), 0 * points[..., 0], points[..., 0] / 50]
        bent: Points = points + np.stack(shift, axis=-1)
        return bent

    result = resample(make_volume(moving, voxels=smooth_field(moving)), bend, onto)
    indices = onto.points(_all_indices(onto))
    x, y, z = np.moveaxis(bend(indices), -1, 0)
    truth = torch.from_numpy((np.sin(x / 9) + np.cos(y / 11) + np.sin(z / 13 + 1)).astype(np.float32))
    assert result.valid is not None
    assert result.valid.all()
    assert (result.voxels - truth).abs().max() < 0.01


def test_a_transform_to_nowhere_is_refused() -> None:
    volume = make_volume()
    with pytest.raises(GeometryError, match="not finite"):
        resample(volume, lambda points: points * np.nan, volume.grid)


def test_monotone_is_the_cubic_that_scipy_has_at_half_steps() -> None:
    """PCHIP of SciPy has the same slopes on a regular grid, but for its ends."""
    values = torch.from_numpy(np.random.default_rng(5).normal(size=(12, 1, 1)).astype(np.float32))
    halves = np.arange(1.0, 10.01, 0.5)
    expected = interpolate.PchipInterpolator(np.arange(12), values[:, 0, 0].numpy())(halves)
    np.testing.assert_allclose(refined(values, 2)[2:21, 0, 0].numpy(), expected, atol=1e-5)


@given(st.integers(0, 2**16))
@settings(max_examples=20)
def test_monotone_keeps_what_it_hits_and_invents_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    field = generator.normal(size=(5, 6, 7)).astype(np.float32)
    pet = make_volume(make_grid((5, 6, 7), (3.0, 4.0, 4.0)), voxels=torch.from_numpy(field), modality="PT")
    fine = make_grid((13, 16, 19), (1.0, 4 / 3, 4 / 3))
    moved = resample(pet, IDENTITY, fine)
    assert torch.equal(moved.voxels[::3, ::3, ::3], pet.voxels)
    low = -torch.nn.functional.max_pool3d(-pet.voxels[None], 2, 1)[0]
    high = torch.nn.functional.max_pool3d(pet.voxels[None], 2, 1)[0]
    inside = moved.voxels[:12, :15, :18].reshape(4, 3, 5, 3, 6, 3).permute(0, 2, 4, 1, 3, 5).flatten(3)
    assert bool((inside >= low[..., None] - 1e-6).all())
    assert bool((inside <= high[..., None] + 1e-6).all())


def test_a_small_hot_lesion_loses_less_of_its_mean() -> None:
    """A Gaussian lesion on 4 mm voxels: of what "linear" loses at its top, "monotone" keeps the better part."""
    coarse, fine = make_grid((15, 15, 15), (4.0, 4.0, 4.0)), make_grid((57, 57, 57), (1.0, 1.0, 1.0))
    points = coarse.points(np.stack(list(np.indices(coarse.shape)), -1).astype(np.float64))
    uptake = np.exp(-((points - coarse.centre_mm) ** 2).sum(-1) / (2 * 5.0**2)).astype(np.float32)
    pet = make_volume(coarse, voxels=torch.from_numpy(uptake), modality="PT")
    places = fine.points(np.stack(list(np.indices(fine.shape)), -1).astype(np.float64))
    distance = np.linalg.norm(places - coarse.centre_mm, axis=-1)
    truth = float(np.exp(-(distance[distance < 6] ** 2) / (2 * 5.0**2)).mean())
    means = {}
    for name in ("linear", "monotone"):
        moved = resample(pet, IDENTITY, fine, interpolation=name)
        means[name] = float(moved.voxels.numpy()[distance < 6].mean())
    assert means["linear"] < means["monotone"] < truth
    assert truth - means["monotone"] < 0.6 * (truth - means["linear"])


def test_an_unknown_interpolation_is_refused() -> None:
    volume = make_volume()
    with pytest.raises(ParameterError, match="cubic"):
        resample(volume, IDENTITY, volume.grid, interpolation="cubic")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_what_the_cpu_gives() -> None:
    volume = make_volume(make_grid((30, 40, 50)), scale=1.0)
    onto = make_grid((20, 20, 20), (4.0, 2.0, 1.0), rotation_vector_rad=(0.2, 0.1, 0.4))
    on_cpu = resample(volume, IDENTITY, onto)
    on_cuda = resample(volume.to("cuda"), IDENTITY, onto).to("cpu")
    assert torch.equal(on_cpu.valid, on_cuda.valid)  # type: ignore[arg-type]
    torch.testing.assert_close(on_cpu.voxels, on_cuda.voxels, rtol=0, atol=1e-5)


def _all_indices(grid: Grid) -> np.ndarray:
    return np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1).astype(np.float64)
