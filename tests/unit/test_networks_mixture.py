"""The network of mixtures: odd in the order of its inputs, the same in slabs, on planes and on volumes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.networks import mixture_weights
from fusion.networks.evidence import EVEN, ODD, blurred, enlarged, evidence, halved, halving_axes
from fusion.networks.mixture_weights import MixtureWeights, settled
from fusion.networks.training import Batch
from fusion.networks.training.balanced_mixture import BalancedMixture, measured

SHAPES = [(37, 50), (1, 9, 9), (1, 1, 1), (40, 1, 9), (19, 33, 40)]


def _network() -> MixtureWeights:
    """With weights as far from zero as training makes them, so that nothing is equal by chance."""
    torch.manual_seed(3)
    network = MixtureWeights().eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return network


def _images(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 1, 1, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_exchanged_images_have_the_exchanged_weights(shape: tuple[int, ...]) -> None:
    network, (first, second) = _network(), _images(shape)
    there, back = network.logits(first, second), network.logits(second, first)
    torch.testing.assert_close(there, -back, rtol=0, atol=1e-4)
    assert float(there.abs().max()) > 0


@pytest.mark.parametrize(("shape", "spacing"), [((19, 33, 40), (3.0, 1.0, 1.0)), ((21, 16, 20), (1.0, 1.0, 1.0))])
@torch.no_grad()
def test_slabs_give_what_the_whole_gives(
    shape: tuple[int, ...], spacing: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, (first, second) = _network(), _images(shape)
    whole = network.logits(first, second, spacing)
    monkeypatch.setattr(mixture_weights, "SLAB", 4 * shape[1] * shape[2])
    torch.testing.assert_close(network.logits(first, second, spacing), whole, rtol=0, atol=1e-5)


@torch.no_grad()
def test_slices_far_apart_are_weighed_as_planes() -> None:
    network, (first, second) = _network(), _images((6, 24, 26))
    apart = network.logits(first, second, (1e4, 1.0, 1.0))
    flat = network.logits(*(image[0, 0][:, None] for image in (first, second)))
    # A volume's gradient counts three axes as two, also where one of them is flat.
    assert torch.corrcoef(torch.stack([apart.flatten(), flat.flatten()]))[0, 1] > 0.98


@given(st.integers(0, 1000), st.floats(0.2, 5.0))
@settings(max_examples=15)
def test_evidence_is_odd_and_even(seed: int, spacing: float) -> None:
    first, second = _images((5, 7, 6), seed)
    even, odd = evidence(first, second, (spacing, 1.0, 1.0))
    other_even, other_odd = evidence(second, first, (spacing, 1.0, 1.0))
    assert even.shape[1] == len(EVEN)
    assert odd.shape[1] == len(ODD)
    torch.testing.assert_close(other_even, even, rtol=0, atol=1e-5)
    torch.testing.assert_close(other_odd, -odd, rtol=0, atol=1e-5)


def test_an_edge_is_as_steep_across_slices_as_along_them_in_mm() -> None:
    ramp = torch.linspace(0, 1, 9)
    along_columns = ramp.expand(1, 1, 9, 9, 9)
    along_slices = along_columns.movedim(4, 2)[:, :, ::2]
    nothing = torch.zeros_like(along_columns)
    steep = ODD.index("steeper")
    flat = evidence(along_columns, nothing, (1.0, 1.0, 1.0))[1][0, steep]
    across = evidence(along_slices, nothing[:, :, ::2], (2.0, 1.0, 1.0))[1][0, steep]
    assert float(across[2, 4, 4]) == pytest.approx(float(flat[4, 4, 4]), rel=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_pyramids_keep_constants_and_come_back_to_their_shape(shape: tuple[int, ...]) -> None:
    axes = halving_axes(shape, [1.0] * len(shape))
    constant = torch.full((1, 1, *shape), 0.3)
    smaller = halved(constant, axes)
    again = enlarged(blurred(smaller, axes), axes, shape)
    assert again.shape == constant.shape
    torch.testing.assert_close(again, constant)


def test_coarse_axes_wait_until_the_others_caught_up() -> None:
    assert halving_axes((16, 16, 16), (3.0, 1.0, 1.0)) == (1, 2)
    assert halving_axes((16, 16, 16), (3.0, 4.0, 4.0)) == (0, 1, 2)
    assert halving_axes((2, 16, 16), (1.0, 1.0, 1.0)) == (1, 2)


def test_clear_evidence_gives_exact_copies_and_still_teaches() -> None:
    logits = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0], requires_grad=True)
    weights = settled(logits)
    assert weights[0] == 0
    assert weights[4] == 1
    assert weights[2] == 0.5
    (slope,) = torch.autograd.grad(weights.sum(), logits)
    assert (slope > 0).all()


def test_the_network_is_small_and_begins_near_the_brighter_voxel() -> None:
    network, (first, second) = MixtureWeights(), _images((32, 32))
    assert 30_000 <= sum(value.numel() for value in network.parameters()) <= 100_000
    with torch.no_grad():
        weights = network(first, second)
    clear = (first - second).abs() > 0.3
    assert ((weights > 0.5) == (first > second))[clear].float().mean() > 0.95


def _structured(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth bright image and a dark one with texture, elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.linspace(-1, 1, 64)
    blob = torch.exp(-((places[:, None] - 0.3) ** 2 + (places + 0.2) ** 2) / 0.2)
    texture = 0.5 + 0.2 * torch.nn.functional.avg_pool2d(torch.randn(1, 1, 66, 66, generator=generator), 3, 1)[0, 0]
    return blob[None], texture[None] * (places.abs()[:, None] < 0.8)


def test_copying_one_source_costs_more_than_the_brighter_voxel() -> None:
    first, second = (image[None] for image in _structured())
    objective, batch = BalancedMixture(), Batch(first, second, (("NM", "MR"),))
    brighter = float(objective.of(torch.maximum(first, second), batch))
    for copy in (first, second):
        assert float(objective.of(copy, batch)) > brighter + 1


def test_the_measures_are_those_of_the_metrics() -> None:
    from fusion.quality.difference_correlation import scd
    from fusion.quality.edge_transfer import q_min, qabf

    first, second = (image * 255 for image in _structured())
    fused = (first + second) / 2
    values = measured(first, second, fused)
    torch.testing.assert_close(values["edges"], qabf(first, second, fused))
    torch.testing.assert_close(values["least_edges"], q_min(first, second, fused))
    torch.testing.assert_close(values["difference"], scd(first, second, fused))
