"""Trained weights in the package: small, with a card, without pickle."""

from importlib.resources import files
from itertools import product

import pytest
import torch
from torch import nn

from dicomnode.settings import RecipeSettings
from fusion.errors import UnknownNameError, UnusableWeightsError
from fusion.methods import METHODS
from fusion.methods.defaults import AUTO, default_method
from fusion.networks import NETWORKS
from fusion.networks.loading import with_weights
from fusion.networks.weights import (
    LARGEST_BYTES,
    LARGEST_TOGETHER,
    card_of,
    load_network,
    trained_names,
    weight_bytes,
)

FOLDER = files("fusion.networks").joinpath("trained")


def test_weights_are_small_and_nothing_else_lies_beside_them_but_their_cards() -> None:
    sizes = {item.name: len(item.read_bytes()) for item in FOLDER.iterdir()}
    weights = [size for name, size in sizes.items() if name.endswith(".safetensors")]
    assert max(weights) <= LARGEST_BYTES
    assert sum(weights) <= LARGEST_TOGETHER
    assert set(sizes) == {f"{name}{end}" for name in trained_names() for end in (".safetensors", ".json")}
    assert {"dense_fuse", "mixture_weights"} <= set(trained_names()) <= set(NETWORKS)


@pytest.mark.parametrize("name", trained_names())
def test_every_card_speaks_of_its_weights(name: str) -> None:
    card = card_of(name)
    assert card.network == name
    assert card.parameters == sum(value.numel() for value in NETWORKS[name].untrained(0).parameters())
    for text in (
        card.data,
        card.split,
        card.hardware,
        card.licence,
        card.known_failures,
        card.smaller_than_in_the_paper,
    ):
        assert text
    assert card.recipe
    assert card.metrics
    assert card.seconds <= 20 * 60


def test_weights_come_back_as_they_were_and_others_are_refused() -> None:
    network = nn.Linear(3, 2)
    again = with_weights(nn.Linear(3, 2), weight_bytes(network))
    assert torch.equal(again.weight, network.weight)  # type: ignore[arg-type]
    assert not any(value.requires_grad for value in again.parameters())
    with pytest.raises(UnusableWeightsError):
        with_weights(nn.Linear(4, 2), weight_bytes(network))
    with pytest.raises(UnusableWeightsError):
        with_weights(nn.Linear(3, 2), b"\x80\x04cbuiltins\nprint\n.")
    with pytest.raises(UnknownNameError, match="dense_fuse"):
        load_network("dense_fuze")


def test_learned_methods_other_than_ours_are_experimental() -> None:
    ours = {name for name, method in METHODS.items() if getattr(method, "experimental", None) is False}
    assert ours == {"bounded", "display"}
    assert getattr(METHODS["dense_fuse"], "experimental", False) is True


def test_no_recipe_that_nobody_wrote_uses_an_experimental_method() -> None:
    assert RecipeSettings().method == AUTO
    assert not RecipeSettings().experimental
    for modalities in product(("CT", "MR", "PT", "NM"), repeat=2):
        assert not getattr(METHODS[default_method(*modalities)], "experimental", False)
