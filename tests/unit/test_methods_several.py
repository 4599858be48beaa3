"""More than two images at once, and the method that goes with the modalities."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dicomnode import pipeline
from dicomnode.commands.fusing import check_recipe
from dicomnode.errors import SettingsError
from dicomnode.settings import RecipeSettings
from fusion import METHODS, Verdict, Volume, fuse
from fusion.errors import ParameterError
from fusion.methods import SEVERAL
from fusion.methods.defaults import default_method
from fusion.methods.joint_mixture import joint_shares
from storage.records import Recipe
from tests.fixtures.command_line import Command
from tests.fixtures.volumes import make_grid, make_volume

WINDOWS: dict[str, Any] = {"fixed_window": (0.0, 1.0), "moved_window": (0.0, 1.0)}
SHAPE = (3, 18, 20)
ANY_ORDER = sorted(SEVERAL - {"weighted_sum"})


def volume(seed: int) -> Volume:
    return make_volume(make_grid(SHAPE), voxels=torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)))


A, B, C = (volume(seed) for seed in (1, 2, 3))


@pytest.mark.parametrize("name", sorted(SEVERAL - {"fotgv"}))  # which removes the noise
def test_three_images_of_one_are_that_image(name: str) -> None:
    image = fuse(A, [A, A], name, **WINDOWS).image
    torch.testing.assert_close(image, A.voxels, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ANY_ORDER)
def test_the_order_of_several_images_does_not_matter(name: str) -> None:
    one, other = fuse(A, [B, C], name, **WINDOWS).image, fuse(C, [A, B], name, **WINDOWS).image
    assert (one - other).abs().mean() < 3e-3
    assert (one - fuse(A, B, name, **WINDOWS).image).abs().mean() > 1e-3, "the third image is in it"


@pytest.mark.parametrize("name", ["average", "bounded", "maximum", "minimum", "pca", "weighted_sum"])
def test_mixtures_of_several_invent_no_level(name: str) -> None:
    images = torch.stack([each.voxels for each in (A, B, C)])
    fused = fuse(A, [B, C], name, **WINDOWS).image
    assert (fused >= images.amin(0) - 1e-6).all()
    assert (fused <= images.amax(0) + 1e-6).all()


def test_rules_of_several_do_their_sums() -> None:
    a, b, c = (each.voxels for each in (A, B, C))
    for name, expected in (
        ("average", (a + b + c) / 3),
        ("maximum", torch.maximum(torch.maximum(a, b), c)),
        ("minimum", torch.minimum(torch.minimum(a, b), c)),
        ("weighted_sum", 0.6 * a + 0.2 * b + 0.2 * c),
    ):
        torch.testing.assert_close(fuse(A, [B, C], name, **WINDOWS).image, expected, rtol=0, atol=1e-6)


def test_the_joint_mixture_of_two_is_the_mixture() -> None:
    share = fuse(A, B, "bounded", **WINDOWS).contribution
    ours, theirs = joint_shares((A.voxels, B.voxels), A.grid.spacing_mm, "mixture_weights")
    assert share is not None
    torch.testing.assert_close(ours, share, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours + theirs, torch.ones(SHAPE))
    fused = fuse(A, [B, C], "bounded", **WINDOWS)
    assert fused.contribution is not None
    assert 0 <= fused.contribution.min() <= fused.contribution.max() <= 1


def test_the_fixed_image_stands_in_where_a_moved_one_holds_nothing() -> None:
    valid = torch.ones(SHAPE, dtype=torch.bool)
    valid[:, :9] = False
    fused = fuse(A, [B, replace(C, valid=valid)], "maximum", **WINDOWS).image
    torch.testing.assert_close(fused[~valid], torch.maximum(A.voxels, B.voxels)[~valid])
    nothing = replace(B, valid=torch.zeros_like(valid))
    shown = fuse(A, [nothing, replace(C, valid=valid)], "average", **WINDOWS).image
    assert torch.equal(shown[~valid], A.voxels[~valid])


def test_each_moved_image_may_have_its_window() -> None:
    other = replace(C, voxels=C.voxels * 100)
    fused = fuse(A, [B, other], "average", fixed_window=(0, 1), moved_window=[[0, 1], [0, 100]])
    torch.testing.assert_close(fused.image, fuse(A, [B, C], "average", **WINDOWS).image, rtol=0, atol=1e-6)
    assert fused.parameters["moved_window"] == [[0.0, 1.0], [0.0, 100.0]]
    with pytest.raises(ParameterError, match="3 windows for 2"):
        fuse(A, [B, C], "average", moved_window=[[0, 1]] * 3)


@pytest.mark.parametrize("name", sorted(set(METHODS) - SEVERAL))
def test_other_methods_refuse_several(name: str) -> None:
    with pytest.raises(ParameterError, match=r"two images.*nsct"):
        fuse(A, [B, C], name)
    assert torch.equal(fuse(A, [B], "maximum").image, fuse(A, B, "maximum").image)
    with pytest.raises(ParameterError, match="nothing to fuse"):
        fuse(A, [], name)


@pytest.mark.parametrize(
    ("modalities", "method"),
    [
        (("MR", "CT"), "bounded"),
        (("CT", "MR"), "bounded"),
        (("MR", "NM"), "alpha_blend"),
        (("MR", "PT"), "alpha_blend"),
        (("CT", "PT"), "alpha_blend"),
        (("CT", "NM"), "alpha_blend"),
        (("PT", "NM"), "alpha_blend"),
        (("PT", "CT"), "bounded"),
        (("CT", "PT", "MR"), "bounded"),
    ],
)
def test_the_default_goes_by_the_modalities(modalities: tuple[str, ...], method: str) -> None:
    assert default_method(*modalities) == method
    assert not getattr(METHODS[method], "experimental", False)
    fixed, *moved = (replace(each, modality=modality) for each, modality in zip((A, B, C), modalities, strict=False))
    assert fuse(fixed, moved).method == method


def test_a_recipe_must_mean_an_experimental_method() -> None:
    check_recipe(RecipeSettings())
    with pytest.raises(SettingsError, match="experimental = true"):
        check_recipe(RecipeSettings(method="ifcnn"))
    check_recipe(RecipeSettings(method="ifcnn", experimental=True))
    with pytest.raises(SettingsError, match="opacity need a method"):
        check_recipe(RecipeSettings(method_parameters={"opacity": 0.3}))
    with pytest.raises(SettingsError, match="not by 'cca'"):
        check_recipe(RecipeSettings(method="cca", outputs=("fused_together",)))
    with pytest.raises(SettingsError, match="not learned"):
        check_recipe(RecipeSettings(method="nsct", outputs=("explanation",)))


def test_blend_takes_several_pictures(dicomnode: Command, tmp_path: Any) -> None:
    pixels = [np.random.default_rng(seed).integers(0, 256, (12, 14), dtype=np.uint8) for seed in range(3)]
    for name, each in zip("abc", pixels, strict=True):
        Image.fromarray(each).save(tmp_path / f"{name}.png")
    command = ("blend", "a.png", "b.png", "c.png", "--out", "f.png", "--method")
    assert dicomnode(*command, "maximum").code == 0
    with Image.open(tmp_path / "f.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.maximum.reduce(pixels))
    refused = dicomnode(*command, "cca")
    assert refused.code == 2
    assert "'cca'" in refused.stderr


def test_a_plan_fuses_all_only_where_it_is_asked_and_none_is_rejected() -> None:
    recipe = Recipe("test", method="maximum", outputs=("fused_together",))
    fixed, first, second = (volume(seed) for seed in (1, 2, 3))
    pairs = [pipeline.fuse_pair(fixed, each, replace(recipe, registrar="identity"), None) for each in (first, second)]
    accepted = [replace(pair, report=replace(pair.report, verdict=Verdict.REVIEW)) for pair in pairs]
    together = pipeline.fused_with_all(fixed, accepted, recipe)
    assert together is not None
    assert torch.equal(together.image, fuse(fixed, [pair.moved for pair in pairs], "maximum").image)
    assert pipeline.fused_with_all(fixed, accepted[:1], recipe) is None
    assert pipeline.fused_with_all(fixed, accepted, replace(recipe, outputs=())) is None
    rejected = [accepted[0], replace(pairs[1], report=replace(pairs[1].report, verdict=Verdict.REJECT))]
    assert pipeline.fused_with_all(fixed, rejected, recipe) is None
