"""Explanations of every learned method, and their way into objects and files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch
from PIL import Image
from torch import nn

from dicomnode import pipeline
from dicomnode.encode import encode
from dicomnode.encode.contribution_panel import FIXED_COLOUR, MOVED_COLOUR
from dicomnode.encode.explanation_panel import DIMMED, explanation_pictures, shown, slice_picture
from dicomnode.encode.quality_panels import panels_of
from fusion import METHODS, Explanation, Volume, explain, fuse
from fusion.errors import ParameterError
from fusion.networks.spatio_transformer import Ift
from fusion.quality.explanation import KINDS, attended_places, explanation_kinds, relevance
from storage.records import Recipe
from tests.fixtures.command_line import Command
from tests.fixtures.derived_case import build_case
from tests.fixtures.volumes import make_grid

UNIT_WINDOWS: dict[str, Any] = {"fixed_window": (0.0, 1.0), "moved_window": (0.0, 1.0)}
SLOW = ("fotgv_cnn", "l0_cnn_nsct_sr")
LEARNED = tuple(name for name in sorted(METHODS) if explanation_kinds(name))


def volume(seed: int, shape: tuple[int, int, int] = (1, 24, 32)) -> Volume:
    values = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    return Volume(values, make_grid(shape))


def test_the_learned_methods_are_those_that_can_be_explained() -> None:
    experimental = {name for name in METHODS if hasattr(METHODS[name], "experimental")}
    assert set(LEARNED) == experimental
    assert explanation_kinds("trans_mef") == tuple(KINDS)
    assert explanation_kinds("nsct_cnn") == ("saliency", "class_activation")
    assert explanation_kinds("bounded") == ("saliency",)


@pytest.mark.parametrize("name", LEARNED)
def test_every_kind_of_every_learned_method_gives_maps(name: str) -> None:
    fixed, moved = volume(1), volume(2)
    kinds = explanation_kinds(name)[: 1 if name in SLOW else None]
    maps = explain(fixed, moved, name, kinds, **UNIT_WINDOWS)
    assert tuple(dict.fromkeys(one.kind for one in maps)) == kinds
    for one in maps:
        assert one.grid is fixed.grid
        assert one.voxels.shape == fixed.voxels.shape
        assert one.voxels.isfinite().all()
        if one.kind != "relevance":
            assert one.voxels.min() >= 0
        if one.kind == "saliency":
            assert one.voxels.max() > 0


@pytest.mark.parametrize("name", ["dense_fuse", "bounded", "zero_learning"])
def test_saliency_is_what_the_fused_slice_moves_by(name: str) -> None:
    fixed, moved = volume(1), volume(2)
    maps = {one.of: one.voxels for one in explain(fixed, moved, name, ["saliency"], **UNIT_WINDOWS)}
    step, place = 1e-2, (0, 11, 17)
    differences = []
    for sign in (1, -1):
        changed = moved.voxels.clone()
        changed[place] += sign * step
        differences.append(
            float(fuse(fixed, replace(moved, voxels=changed), name, **UNIT_WINDOWS).image.double().sum())
        )
    assert float(maps["moved"][place]) == pytest.approx(abs(differences[0] - differences[1]) / (2 * step), rel=0.25)


def test_each_slice_of_a_volume_is_explained_as_it_would_be_alone() -> None:
    fixed, moved = volume(1, (3, 20, 24)), volume(2, (3, 20, 24))
    whole = explain(fixed, moved, "ifcnn", ["relevance"], **UNIT_WINDOWS)
    alone = [Volume(each.voxels[1:2].clone(), make_grid((1, 20, 24))) for each in (fixed, moved)]
    for one, single in zip(whole, explain(alone[0], alone[1], "ifcnn", ["relevance"], **UNIT_WINDOWS), strict=True):
        torch.testing.assert_close(one.voxels[1:2], single.voxels)


def test_what_the_moved_image_does_not_hold_explains_nothing() -> None:
    valid = torch.ones((1, 24, 32), dtype=torch.bool)
    valid[:, :10] = False
    maps = {one.of: one.voxels for one in explain(volume(1), replace(volume(2), valid=valid), "ifcnn", ["saliency"])}
    assert (maps["moved"][~valid] == 0).all()
    assert (maps["fixed"][~valid] > 0).any()


@pytest.mark.parametrize(
    ("name", "kinds", "said"),
    [
        ("nsct", (), "not learned"),
        ("ifcnn", ("attention",), "attention is not defined"),
        ("bounded", ("relevnce",), "relevnce"),
    ],
)
def test_what_is_not_defined_is_refused(name: str, kinds: tuple[str, ...], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        explain(volume(1), volume(2), name, kinds)


def test_a_sigmoid_shares_out_what_differs_from_its_answer_to_nothing() -> None:
    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.squashed = nn.Sigmoid()

        def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            squashed: torch.Tensor = self.squashed(3 * first - 2 * second)
            return squashed

    first, second = (volume(seed).voxels[None] for seed in (1, 2))
    z = 3 * first - 2 * second
    one, two = relevance(Unit(), first, second)
    expected = torch.sigmoid(z) - 0.5
    torch.testing.assert_close(one, 3 * first / z * expected)
    torch.testing.assert_close(one + two, expected)


def test_attention_that_prefers_nothing_is_one_everywhere() -> None:
    network = Ift(4).eval().requires_grad_(requires_grad=False)
    for module in network.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.in_proj_weight.zero_()
            module.in_proj_bias.zero_()
    maps = attended_places(network, *(volume(seed).voxels[None] for seed in (1, 2)))
    assert set(maps) == {"both"}
    torch.testing.assert_close(maps["both"], torch.ones(1, 1, 24, 32))


def test_the_maps_of_a_recipe_go_into_one_series() -> None:
    inputs = build_case(outputs=("explanation",))
    (series,) = encode(inputs)
    assert len(series.instances) == len(inputs.moving.explanations) == 3
    assert len({str(instance.SOPInstanceUID) for instance in series.instances}) == 3
    for instance, one in zip(series.instances, inputs.moving.explanations, strict=True):
        values = np.frombuffer(instance.FloatPixelData, dtype=np.float32).reshape(one.voxels.shape)
        np.testing.assert_array_equal(values, one.voxels.numpy())
        assert instance.ContentLabel == one.kind.upper()
    assert encode(replace(inputs, moving=replace(inputs.moving, explanations=()))) == ()


def test_the_quality_page_has_a_row_for_each_kind() -> None:
    captions = [caption for caption, _ in panels_of(build_case(outputs=("explanation",)), 32).rows]
    assert sum(caption.startswith(("Relevance of", "Attention of")) for caption in captions) == 2


def test_a_case_explains_what_its_method_allows() -> None:
    fixed, moved = volume(1), volume(2)
    recipe = Recipe("test", outputs=("explanation",), output_parameters={"explanation_kinds": ["saliency"]})
    maps = pipeline.explained(fixed, moved, fuse(fixed, moved, "ifcnn", rule="mean"), recipe)
    assert [(one.kind, one.of) for one in maps] == [("saliency", "fixed"), ("saliency", "moved")]
    assert pipeline.explained(fixed, moved, fuse(fixed, moved, "maximum"), recipe) == ()
    assert pipeline.explained(fixed, moved, fuse(fixed, moved, "ifcnn"), Recipe("test", outputs=())) == ()


def test_the_pictures_tint_by_the_source() -> None:
    grid = make_grid((1, 4, 6))
    ramp = torch.linspace(0, 1, 24).reshape(1, 4, 6)
    maps = [
        Explanation("relevance", of, voxels, grid, "ifcnn") for of, voxels in (("fixed", -ramp), ("moved", 0 * ramp))
    ]
    (kind,) = shown(maps)
    picture = slice_picture(kind, torch.zeros(1, 4, 6))
    assert tuple(picture[0, 0]) == (0, 0, 0)
    assert tuple(picture[-1, -1]) == FIXED_COLOUR
    (other,) = shown([replace(one, of={"fixed": "moved", "moved": "fixed"}[one.of]) for one in maps])
    assert tuple(slice_picture(other, torch.zeros(1, 4, 6))[-1, -1]) == MOVED_COLOUR
    grey = slice_picture(kind, torch.ones(1, 4, 6))[0, 0]
    assert (grey == round(DIMMED * 255)).all()
    assert [each.shape for each in explanation_pictures(kind, torch.zeros(1, 4, 6), grid.centre_mm, 9)] == 3 * [
        (9, 9, 3)
    ]


def test_blend_writes_pictures_and_maps(dicomnode: Command, tmp_path: Path) -> None:
    for seed, name in enumerate(("a.png", "b.png")):
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    command = ("blend", "a.png", "b.png", "--out", "f.png", "--method", "ifcnn")
    answer = dicomnode(*command, "--explain", "saliency", "--explain", "relevance", "--json")
    assert answer.code == 0
    paths = {each["path"] for each in answer.values["explanations"]}
    kinds = ("saliency", "relevance")
    assert paths == {f"f-{kind}{end}" for kind in kinds for end in (".png", "-fixed.nii.gz", "-moved.nii.gz")}
    image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "f-saliency-fixed.nii.gz")))
    assert image.shape == (1, 20, 24)
    assert image.max() > 0
    with Image.open(tmp_path / "f-saliency.png") as picture:
        assert picture.size == (24, 20)
    refused = dicomnode("blend", "a.png", "b.png", "--out", "f.png", "--method", "average", "--explain", "all")
    assert refused.code == 2
    assert "not learned" in refused.stderr
