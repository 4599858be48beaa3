"""What is unusable is told in the same words however many slices are looked at together."""

import math

import pytest
import torch

from fusion.registration import usable
from fusion.registration.usable import measured_parts, unusable_reason
from fusion.volume import Volume
from tests.fixtures.volumes import make_grid

GRID = make_grid((9, 20, 30), (1.0, 1.0, 1.0))


def volume(*, air: float, specks: int = 0, unmeasured: float | None = None, invalid: bool = False) -> Volume:
    voxels = torch.full(GRID.shape, air)
    voxels.view(-1)[3 : 3 + specks] = 900.0
    if unmeasured is not None:
        voxels[4:] = unmeasured
    valid = None
    if invalid:
        valid = torch.ones(GRID.shape, dtype=torch.bool)
        valid[:, 0] = False
    return Volume(voxels, GRID, valid=valid)


@pytest.fixture(params=[1, 1300, 2**22])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usable, "AT_ONCE", request.param)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (volume(air=7.0), "constant: every voxel is 7"),
        (volume(air=7.0, unmeasured=math.nan), "constant: every voxel is 7"),
        (volume(air=7.0, unmeasured=math.inf), "constant: every voxel is 7"),
        (volume(air=7.0, specks=25, invalid=True), "constant: every voxel is 7"),
        (volume(air=math.nan), "empty"),
    ],
)
def test_nothing_to_register(given: Volume, reason: str) -> None:
    assert reason in (unusable_reason(given) or "")


@pytest.mark.usefixtures("at_once")
def test_something_to_register() -> None:
    assert unusable_reason(volume(air=7.0, specks=25, unmeasured=math.nan)) is None


@pytest.mark.usefixtures("at_once")
def test_the_parts_are_the_measured_voxels_in_their_order() -> None:
    given = volume(air=7.0, specks=25, unmeasured=math.nan, invalid=True)
    assert given.valid is not None
    expected = given.voxels[torch.isfinite(given.voxels) & given.valid]
    assert torch.equal(torch.cat(list(measured_parts(given))), expected)
