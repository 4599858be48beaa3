"""What a plan of files calls its results: nobody vouches that a file keeps its content under its UID."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dicomnode.commands.plan_of_files import plan_of_files
from dicomnode.encode import EncodeInputs
from dicomnode.encode.uids import derived_uid
from dicomnode.load import LoadedInput, load_input
from dicomnode.settings import Settings
from fusion import Grid, Verdict, Volume
from fusion.geometry.transform import AffineTransform
from storage.records import FusionPlan, Recipe
from tests.fixtures.derived_case import build_case, with_report
from tests.fixtures.dicom_series import classic_series, noise


def inputs_of(folder: Path) -> list[LoadedInput]:
    for number in (1, 2):
        stored = noise(seed=number)
        classic_series(folder / str(number), stored, SeriesInstanceUID=f"1.2.840.{number}", PixelPaddingValue=0)
    return [load_input(folder / str(number)) for number in (1, 2)]


def plan_for(inputs: list[LoadedInput]) -> FusionPlan:
    plan, _ = plan_of_files(inputs, Recipe("test"), Settings(), allow_different_patients=False)
    return plan


def shifted(volume: Volume) -> Volume:
    affine = volume.grid.affine.copy()
    affine[0, 3] += 0.01
    return replace(volume, grid=Grid(volume.grid.shape, affine, volume.grid.frame_of_reference_uid))


def one_more(volume: Volume) -> Volume:
    voxels = volume.voxels.clone()
    voxels[2, 3, 4] += 1
    return replace(volume, voxels=voxels)


def one_unmeasured(volume: Volume) -> Volume:
    valid = torch.ones(volume.grid.shape, dtype=torch.bool)
    valid[2, 3, 4] = False
    return replace(volume, valid=valid)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("change", [one_more, one_unmeasured, shifted])
def test_the_plan_is_named_by_what_the_files_hold(
    tmp_path: Path, position: int, change: Callable[[Volume], Volume]
) -> None:
    inputs = inputs_of(tmp_path)
    assert plan_for(inputs).key == plan_for([load_input(tmp_path / "1"), load_input(tmp_path / "2")]).key
    others = list(inputs)
    others[position] = replace(inputs[position], volume=change(inputs[position].volume))
    assert plan_for(others).key != plan_for(inputs).key


def of_files(inputs: EncodeInputs) -> EncodeInputs:
    return replace(inputs, plan=replace(inputs.plan, content_digest="12ab"))


def other_transform(inputs: EncodeInputs) -> EncodeInputs:
    matrix = inputs.moving.registration.transform.matrix.copy()
    matrix[0, 3] = np.nextafter(matrix[0, 3], 100.0)
    registration = replace(inputs.moving.registration, transform=AffineTransform(matrix))
    return replace(inputs, moving=replace(inputs.moving, registration=registration))


def other_verdict(inputs: EncodeInputs) -> EncodeInputs:
    return with_report(inputs, verdict=Verdict.REVIEW)


@pytest.mark.parametrize("other", [other_transform, other_verdict])
def test_results_of_files_are_named_by_what_came_out_and_those_of_the_node_by_the_plan(
    other: Callable[[EncodeInputs], EncodeInputs],
) -> None:
    node = build_case(outputs=())
    files = of_files(node)
    names = ("fused_colour", "instance", 3)
    assert derived_uid(node, *names) == derived_uid(other(node), *names)
    assert derived_uid(files, *names) == derived_uid(of_files(build_case(outputs=())), *names)
    assert len({derived_uid(each, *names) for each in (node, files, other(files))}) == 3
