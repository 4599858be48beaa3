"""What every registrar owes its caller."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from fusion import REGISTRARS, Volume, register
from fusion.errors import ParameterError, UnknownNameError, UnusableVolumeError
from fusion.geometry.transform import AffineTransform
from fusion.registration import AutomaticRegistrar
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head
from tests.fixtures.volumes import make_grid

SMALL = make_grid((40, 60, 50), (5.0, 4.0, 4.0))


@pytest.fixture(scope="module")
def pair() -> tuple[Volume, Volume]:
    move = AffineTransform.rigid((0.02, -0.01, 0.03), (1.0, 2.0, -1.0))
    return head(CT_HU, grid=SMALL, modality="CT"), head(MR_T1, grid=SMALL, move=move)


QUICKER: dict[str, dict[str, object]] = {
    "auto": {"identity_is_default": True},
    "rigid": {"climbing": 4},
    "rigid-wide": {"climbing": 4},
    "affine": {"climbing": 4},
    "deformable": {"start": "header", "spacing_mm": 4.0},
    "features": {"points": 300},
    "learned": {"climbing": 4, "passes": 1, "spacing_mm": 4.0},
    "identity": {},
}

STRETCHING = {"affine", "deformable", "learned"}


@pytest.mark.parametrize("name", REGISTRARS)
def test_a_registrar_changes_nothing_repeats_itself_and_says_what_it_did(
    name: str, pair: tuple[Volume, Volume]
) -> None:
    fixed, moving = pair
    before = fixed.voxels.clone(), moving.voxels.clone(), fixed.grid.affine.copy()
    torch.manual_seed(1)
    first = register(fixed, moving, name, **QUICKER[name])
    torch.manual_seed(2)
    second = register(fixed, moving, name, **QUICKER[name])

    assert torch.equal(fixed.voxels, before[0])
    assert torch.equal(moving.voxels, before[1])
    np.testing.assert_array_equal(fixed.grid.affine, before[2])
    np.testing.assert_array_equal(first.transform.matrix, second.transform.matrix)
    assert first.measures == second.measures

    assert first.transform.is_rigid is (name not in STRETCHING)
    numbers = (first.similarity, first.expected_error_mm, first.error_bound_mm, *first.measures.values())
    assert np.isfinite(numbers).all()
    assert 0 < first.expected_error_mm <= first.error_bound_mm
    assert first.parameters.items() >= asdict(REGISTRARS[name](**QUICKER[name])).items()
    assert first.seconds > 0
    assert all(k.endswith(("_mm", "_deg", "_ratio")) for k in first.measures)


@pytest.mark.parametrize("name", REGISTRARS)
@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_a_registrar_refuses_a_constant_image_and_says_which(name: str, role: str, pair: tuple[Volume, Volume]) -> None:
    flat = Volume(torch.full(SMALL.shape, 7.0), SMALL)
    fixed, moving = (flat, pair[1]) if role == "fixed" else (pair[0], flat)
    with pytest.raises(UnusableVolumeError, match=f"{role} image.*constant"):
        register(fixed, moving, name)


@pytest.mark.parametrize("name", REGISTRARS)
@pytest.mark.parametrize("role", ["fixed", "moving"])
@pytest.mark.parametrize("specks", [0, 20])
@pytest.mark.parametrize("air_hu", [-900.0, -1100.0])
def test_a_registrar_refuses_a_ct_of_air_and_says_which(
    name: str, role: str, specks: int, air_hu: float, pair: tuple[Volume, Volume]
) -> None:
    noise = torch.normal(air_hu, 30.0, SMALL.shape, generator=torch.Generator().manual_seed(3))
    noise.view(-1)[: specks * 997 : 997] = 500.0
    air = Volume(noise, SMALL, pair[0].unit, "CT")
    fixed, moving = (air, pair[1]) if role == "fixed" else (pair[1], air)
    with pytest.raises(UnusableVolumeError, match=f"{role} image.*nothing that looks like a body"):
        register(fixed, moving, name)


def test_unknown_names_and_parameters_are_named(pair: tuple[Volume, Volume]) -> None:
    with pytest.raises(UnknownNameError, match=r"affine, auto, .*identity, .*rigid"):
        register(*pair, registrar="rigit")
    with pytest.raises(ParameterError, match="climbers"):
        register(*pair, registrar="rigid", climbers=3)
    with pytest.raises(ParameterError, match="climbing=0"):
        register(*pair, registrar="rigid", climbing=0)


@pytest.mark.parametrize(
    ("fixed_uid", "moving_uid", "told", "chosen"),
    [
        ("1.2.3", "1.2.3", None, "identity"),
        ("1.2.3", "1.2.4", None, "rigid"),
        (None, None, None, "rigid"),
        ("", "", None, "rigid"),
        ("1.2.3", "1.2.3", False, "rigid"),
        (None, None, True, "identity"),
    ],
)
def test_auto_trusts_a_shared_frame_of_reference_only_when_there_is_one(
    fixed_uid: str | None, moving_uid: str | None, told: bool | None, chosen: str, pair: tuple[Volume, Volume]
) -> None:
    fixed, moving = (
        Volume(v.voxels, make_grid(SMALL.shape, SMALL.spacing_mm, frame_of_reference_uid=uid), v.unit, v.modality)
        for v, uid in zip(pair, (fixed_uid, moving_uid), strict=True)
    )
    assert AutomaticRegistrar(identity_is_default=told).chosen_for(fixed, moving).name == chosen
