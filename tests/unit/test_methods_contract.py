"""What holds for every entry of METHODS."""

import json
import math
from dataclasses import asdict, fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import METHODS, Unit, Volume, fuse
from fusion.display import window_of
from fusion.errors import GeometryError, ParameterError, UnknownNameError
from fusion.methods import Fused
from tests.fixtures.volumes import make_grid, make_volume

GRID = make_grid((7, 30, 26), (5.0, 1.0, 1.0), rotation_vector_rad=(0.1, 0.2, 0.3), frame_of_reference_uid="1.2.3")
FIXED = make_volume(GRID, seed=1, unit=Unit.HU, modality="CT", scale=300)
MOVED = make_volume(GRID, seed=2, unit=Unit.SUV_BW, modality="PT", scale=1.5, offset=2)

SMALL = make_grid((3, 11, 9), (1.0, 1.0, 1.0))

SYMMETRIC = (
    "average",
    "cca",
    "convolutional_sparse",
    "curvelet",
    "decision_map",
    "dwt",
    "fotgv",
    "guided_filter",
    "l0_base_detail",
    "laplacian_pyramid",
    "maximum",
    "minimum",
    "msvd",
    "nsct",
    "nsst",
    "nsst_mi",
    "pca",
    "sparse_representation",
    "swt",
    "wpd",
)
"""Methods that do not ask which image is the fixed one."""

MIXTURES = ("average", "cca", "checkerboard", "decision_map", "maximum", "minimum", "pca", "weighted_sum")
"""Methods whose voxels lie between those of the two images."""

every_method = pytest.mark.parametrize("name", sorted(METHODS))


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _grey(volume: Volume) -> torch.Tensor:
    return window_of(volume).apply(volume.voxels)


def _shows_fixed(fused: Fused, fixed: Volume, where: torch.Tensor) -> bool:
    grey = _grey(fixed)
    if fused.is_colour:
        return torch.equal(
            fused.image[where], (grey * 255).round().to(torch.uint8)[..., None].expand(-1, -1, -1, 3)[where]
        )
    return torch.equal(fused.image[where], grey[where])


@every_method
def test_the_image_is_what_it_says(name: str) -> None:
    fused = fuse(FIXED, MOVED, name)
    assert fused.grid is FIXED.grid
    assert fused.method == name
    if fused.is_colour:
        assert fused.image.shape == (*GRID.shape, 3)
        assert fused.image.dtype == torch.uint8
        assert fused.legend
    else:
        assert fused.image.shape == GRID.shape
        assert fused.image.dtype == torch.float32
        assert fused.image.isfinite().all()
        assert fused.image.min() >= 0
        assert fused.image.max() <= 1
    assert fused.image.float().std() > 0


@every_method
def test_the_same_input_gives_the_same_image_and_stays_as_it_was(name: str) -> None:
    fixed, moved = (replace(volume, voxels=volume.voxels.clone()) for volume in (FIXED, MOVED))
    first = fuse(fixed, moved, name)
    assert torch.equal(first.image, fuse(fixed, moved, name).image)
    assert torch.equal(fixed.voxels, FIXED.voxels)
    assert torch.equal(moved.voxels, MOVED.voxels)


@every_method
def test_parameters_are_a_record_from_which_the_image_can_be_made_again(name: str) -> None:
    method = METHODS[name]()
    fused = method(FIXED, MOVED)
    assert set(fused.parameters) == {field.name for field in fields(method)} == set(asdict(method))
    again = fuse(FIXED, MOVED, name, **json.loads(json.dumps(fused.parameters)))
    assert torch.equal(again.image, fused.image)
    window = window_of(MOVED)
    assert fused.parameters["moved_window"] == [window.lower, window.upper]


@every_method
def test_where_the_moved_image_holds_nothing_the_fixed_one_is_shown(name: str) -> None:
    valid = torch.ones(GRID.shape, dtype=torch.bool)
    valid[:, :12] = False
    spoilt = MOVED.voxels.clone()
    spoilt[:, :12] = 1e6
    spoilt[3, 20, 20] = math.nan
    moved = replace(MOVED, voxels=spoilt, valid=valid)
    fused = fuse(FIXED, moved, name)
    assert _shows_fixed(fused, FIXED, ~valid)
    assert _shows_fixed(fused, FIXED, spoilt.isnan())
    assert not _shows_fixed(fused, FIXED, valid)


@every_method
@pytest.mark.parametrize("value", [0.0, 40.0, -1e6, math.nan, math.inf])
def test_constant_and_empty_images_are_fused_without_nan(name: str, value: float) -> None:
    varied = make_volume(SMALL, seed=1, unit=Unit.HU, modality="CT", scale=300)
    constant = make_volume(SMALL, voxels=torch.full(SMALL.shape, value), modality="MR")
    for fixed, moved in ((varied, constant), (constant, varied), (constant, constant)):
        fused = fuse(fixed, moved, name)
        assert fused.image.float().isfinite().all()


@every_method
def test_where_nothing_was_measured_at_all_the_fixed_image_is_shown(name: str) -> None:
    fixed = make_volume(SMALL, seed=1, unit=Unit.HU, modality="CT", scale=300)
    nothing = make_volume(SMALL, seed=2, valid=torch.zeros(SMALL.shape, dtype=torch.bool))
    assert _shows_fixed(fuse(fixed, nothing, name), fixed, torch.ones(SMALL.shape, dtype=torch.bool))


@every_method
def test_an_affine_change_of_values_and_window_changes_nothing(name: str) -> None:
    # Multiples of 1/256, so that neither side is rounded.
    first, second = ((torch.rand(SMALL.shape, generator=_seeded(seed)) * 256).floor() / 256 for seed in (1, 2))
    before = fuse(
        make_volume(SMALL, voxels=first),
        make_volume(SMALL, voxels=second),
        name,
        fixed_window=(0.125, 0.875),
        moved_window=(0.0, 1.0),
    )
    after = fuse(
        make_volume(SMALL, voxels=first * 4 - 2),
        make_volume(SMALL, voxels=second * 1024 + 64),
        name,
        fixed_window=(-1.5, 1.5),
        moved_window=(64, 1088),
    )
    torch.testing.assert_close(after.image, before.image, rtol=0, atol=0 if before.is_colour else 1e-6)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_it_does_not_matter_which_image_is_fixed(name: str) -> None:
    first, second = (make_volume(SMALL, voxels=torch.rand(SMALL.shape, generator=_seeded(seed))) for seed in (1, 2))
    windows = {"fixed_window": (0, 1), "moved_window": (0, 1)}
    one, other = fuse(first, second, name, **windows).image, fuse(second, first, name, **windows).image
    # Where both coefficients are nearly as strong, rounding decides; a weight of 0.45 would be an error of 0.03.
    assert (one - other).abs().mean() < 2e-3


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_invent_no_level(name: str) -> None:
    first, second = (torch.rand(SMALL.shape, generator=_seeded(seed)) for seed in (1, 2))
    windows = {"fixed_window": (0, 1), "moved_window": (0, 1)}
    image = fuse(make_volume(SMALL, voxels=first), make_volume(SMALL, voxels=second), name, **windows).image
    assert (image >= torch.minimum(first, second) - 1e-6).all()
    assert (image <= torch.maximum(first, second) + 1e-6).all()


@every_method
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 33, 47), (2, 3, 5), (40, 1, 9)])
def test_thin_and_odd_volumes_are_fused(name: str, shape: tuple[int, int, int]) -> None:
    grid = make_grid(shape)
    fused = fuse(make_volume(grid, modality="MR"), make_volume(grid, seed=1, modality="PT"), name)
    assert tuple(fused.image.shape[:3]) == shape
    assert fused.image.float().isfinite().all()


@every_method
def test_volumes_on_different_grids_are_refused(name: str) -> None:
    with pytest.raises(GeometryError, match="one grid"):
        fuse(FIXED, make_volume(make_grid((7, 30, 26), (5.0, 1.0, 1.0))), name)


@every_method
def test_a_misspelt_parameter_is_named(name: str) -> None:
    with pytest.raises(ParameterError, match=r"'opacty'.*fixed_window"):
        fuse(FIXED, MOVED, name, opacty=0.3)


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"'alfa_blend'.*alpha_blend.*weighted_sum"):
        fuse(FIXED, MOVED, "alfa_blend")


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("alpha_blend", "opacity", 1.5),
        ("alpha_blend", "threshold", -0.1),
        ("alpha_blend", "opacity", "much"),
        ("checkerboard", "tile_mm", 0),
        ("laplacian_pyramid", "levels", 0),
        ("laplacian_pyramid", "detail", "sharp"),
        ("laplacian_pyramid", "base", "median"),
        ("weighted_sum", "fixed_weight", 2),
        ("average", "fixed_window", [5, 5]),
        ("average", "moved_window", "bowel"),
    ],
)
def test_a_parameter_out_of_range_is_refused(name: str, parameter: str, value: object) -> None:
    with pytest.raises(ParameterError):
        fuse(FIXED, MOVED, name, **{parameter: value})


def test_an_unknown_colour_table_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"hot_iron"):
        fuse(FIXED, MOVED, colour_table="hot_irn")


@every_method
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_what_the_cpu_gives(name: str) -> None:
    on_cpu = fuse(FIXED, MOVED, name).image.float()
    on_cuda = fuse(FIXED.to("cuda"), MOVED.to("cuda"), name).image
    assert on_cuda.is_cuda
    error = (on_cuda.cpu().float() - on_cpu).abs()
    if on_cpu.ndim == 4:
        # A rounding apart in brightness is one of 255 steps in colour.
        assert error.max() <= 1
    else:
        # Where two coefficients are nearly as strong, rounding decides which one is taken.
        assert (error > 1e-4).float().mean() < 0.05
        assert error.mean() < 1e-3


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.0, 1.0))
def test_rules_do_their_sums(seed: int, weight: float) -> None:
    fixed, moved = make_volume(GRID, seed=seed), make_volume(GRID, seed=seed + 1)
    windows = {"fixed_window": (-200, 200), "moved_window": (-100, 300)}
    a, b = ((fixed.voxels + 200) / 400).clamp(0, 1), ((moved.voxels + 100) / 400).clamp(0, 1)
    for name, expected in (
        ("average", (a + b) / 2),
        ("maximum", torch.maximum(a, b)),
        ("minimum", torch.minimum(a, b)),
    ):
        torch.testing.assert_close(fuse(fixed, moved, name, **windows).image, expected, rtol=0, atol=1e-6)
    summed = fuse(fixed, moved, "weighted_sum", fixed_weight=weight, **windows).image
    torch.testing.assert_close(summed, weight * a + (1 - weight) * b, rtol=0, atol=1e-6)


def test_a_checkerboard_has_tiles_of_the_size_asked_for() -> None:
    grid = make_grid((4, 8, 8), (5.0, 2.0, 2.0))
    black = make_volume(grid, voxels=torch.zeros(grid.shape))
    white = make_volume(grid, voxels=torch.ones(grid.shape))
    image = fuse(black, white, "checkerboard", tile_mm=8.0, fixed_window=(0, 1), moved_window=(0, 1)).image
    first_row = torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1])
    assert torch.equal(image[0, 0], first_row)
    assert torch.equal(image[0, :, 0], first_row)
    assert torch.equal(image[:, 0, 0], torch.tensor([0.0, 0, 1, 1]))


def test_the_colour_bar_of_the_blend_has_the_quantity_at_its_ends() -> None:
    (legend,) = fuse(FIXED, MOVED, "alpha_blend", colour_table="pet", moved_window=(0, 10)).legend
    assert (legend.colour_table, legend.lower, legend.upper) == ("pet", 0.0, 10.0)
    assert (legend.unit, legend.label) == ("g/ml{SUVbw}", "PT")
