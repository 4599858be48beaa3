"""The registration network: its field, its training, its weights and their card."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from fusion.errors import ParameterError
from fusion.networks.registration_training import (
    Anatomy,
    Recipe,
    TrainingState,
    diffusion,
    generated,
    random_bend,
    random_shapes,
    remapped,
    train,
    unlikeness,
)
from fusion.networks.registration_unet import (
    RegistrationUNet,
    composed,
    descriptors,
    enlarged,
    expected_shift,
    integrated,
    warped,
)
from fusion.registration.learned import card, trained_network

LARGEST_BYTES = 4 * 2**20


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def shapes() -> Anatomy:
    return random_shapes(generator(), extent=24)


def test_a_shift_of_two_voxels_is_seen_before_any_training() -> None:
    image = random_shapes(generator(3), extent=40).contrasts[0]
    moving = image.roll(2, dims=1)
    with torch.no_grad():
        found = RegistrationUNet().displacement(descriptors(image), descriptors(moving), passes=2)
    inside = found[0, :, 12:28, 12:28, 12:28].mean(dim=(1, 2, 3))
    assert 0.8 < float(inside[1]) < 2.6
    assert inside[[0, 2]].abs().max() < 0.4


def test_the_integrated_field_does_not_fold_and_its_inverse_is_that_of_the_opposite_velocity() -> None:
    velocity = random_bend((16, 16, 16), 2.0, generator(2))
    forward, backward = integrated(velocity), integrated(-velocity)
    rest = composed(forward, backward)[0, :, 4:12, 4:12, 4:12]
    assert rest.abs().max() < 0.25 * forward.abs().max()


def test_warping_by_nothing_changes_nothing_and_by_a_voxel_moves_by_one() -> None:
    image = torch.rand(1, 1, 6, 7, 8, generator=generator())
    still = torch.zeros(1, 3, 6, 7, 8)
    torch.testing.assert_close(warped(image, still), image)
    along = still.clone()
    along[:, 2] = 1.0
    torch.testing.assert_close(warped(image, along)[..., :-1], image[..., 1:])


def test_the_expected_shift_is_the_one_that_costs_least() -> None:
    costs = torch.ones(1, 27, 4, 4, 4)
    costs[:, 5] = -9.0
    shift = expected_shift(costs, torch.tensor(4.0))
    torch.testing.assert_close(shift[0, :, 2, 2, 2], torch.tensor([-1.0, 0.0, 1.0]), atol=1e-4, rtol=0)


def test_an_example_is_judged_in_the_contrast_that_it_had_and_seen_in_another(shapes: Anatomy) -> None:
    example = generated([shapes], Recipe(), generator(5))
    undone = torch.zeros_like(example.bend)
    assert example.one_contrast
    assert not torch.equal(example.seen[0], example.judged[0])
    assert float(unlikeness(replace(example, judged=(example.judged[0],) * 2), undone)) < 1e-6
    assert float(unlikeness(example, undone)) > 0
    generated_length = float(example.bend.square().sum(dim=1).sqrt().mean())
    assert 0 < generated_length <= Recipe().largest_mean_mm / 3 + 1e-4


def test_the_same_seed_gives_the_same_bend_and_contrast(shapes: Anatomy) -> None:
    image = shapes.contrasts[0]
    assert torch.equal(remapped(image, generator(7)), remapped(image, generator(7)))
    assert torch.equal(random_bend((8, 8, 8), 1.0, generator(7)), random_bend((8, 8, 8), 1.0, generator(7)))
    assert float(diffusion(torch.ones(1, 3, 4, 4, 4))) == 0


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(shapes: Anatomy) -> None:
    recipe = Recipe(steps=3)
    states: list[TrainingState] = []
    losses: list[float] = []

    def kept(state: TrainingState, loss: float) -> None:
        losses.append(loss)
        copied = {name: value.clone() for name, value in state.network.items()}
        if state.step == 1:
            states.append(replace(state, network=copied, optimiser=copy.deepcopy(state.optimiser)))

    whole = train([shapes], recipe, kept)
    again = train([shapes], recipe, kept, states[0])
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[1:3] == losses[3:5]
    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_nothing_to_train_on_and_recipes_without_sense_are_refused() -> None:
    with pytest.raises(ParameterError, match="no images"):
        train([], Recipe(), lambda _state, _loss: None)
    with pytest.raises(ParameterError, match="steps=0"):
        Recipe(steps=0)


def test_the_weights_fit_are_small_and_have_a_card() -> None:
    network = trained_network("cpu")
    parameters = sum(value.numel() for value in network.parameters())
    known = card()
    assert known["parameters"] == parameters
    assert 4 * parameters < LARGEST_BYTES
    assert not any(value.requires_grad for value in network.parameters())
    for entry in ("data", "split", "recipe", "seed", "steps", "hardware", "metrics", "licence", "known_failures"):
        assert known[entry] not in ("", None)


def test_fields_of_half_the_extents_are_enlarged_in_place() -> None:
    ramp = torch.arange(8.0)[None, None, :, None, None].expand(1, 1, 8, 4, 4)
    larger = enlarged(ramp)
    assert larger.shape[2] == 16
    assert float(larger[0, 0, 5, 0, 0]) == pytest.approx(2.25)
