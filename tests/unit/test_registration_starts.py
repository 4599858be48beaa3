"""The starts of a search reach every way to lie."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from fusion.registration.objective import exponential
from fusion.registration.starts import far_rotations, near_rotations
from fusion.registration.wide import WideRigidRegistrar

OVERLAYS = 3


def nearest_deg(rotation: torch.Tensor, among: torch.Tensor) -> float:
    cosine = (torch.einsum("nij,ij->n", among, rotation).max() - 1) / 2
    return float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))))


@given(st.tuples(*(st.floats(-3.2, 3.2),) * 3))
def test_every_orientation_has_a_start_within_reach(vector: tuple[float, float, float]) -> None:
    rotation = exponential(torch.tensor([vector], dtype=torch.float64))[0]
    assert nearest_deg(rotation, far_rotations()) < 50
    assert nearest_deg(rotation, far_rotations(dense=True)) < 45


def test_the_wide_search_has_as_many_starts_as_climb() -> None:
    orientations = 1 + len(near_rotations()) + len(far_rotations(dense=True))
    assert orientations * OVERLAYS >= WideRigidRegistrar().climbing
