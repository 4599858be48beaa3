"""Training: batches, augmentation, the loop, and going on after an interruption."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.errors import ParameterError, UnusableWeightsError
from fusion.networks import NETWORKS
from fusion.networks.dense_fuse import DenseFuse
from fusion.networks.training import (
    Batch,
    NetworkEntry,
    Progress,
    Recipe,
    Trainer,
    TrainingPair,
    TrainingState,
    split_by_case,
    validation_cases,
)
from fusion.networks.training.adversarial import Adversarial
from fusion.networks.training.augmentation import (
    STANDARD,
    Augmentation,
    CutMix,
    Geometric,
    Mixup,
    Photometric,
    Style,
)
from fusion.networks.training.augmentation.class_balanced import balanced_indices
from fusion.networks.training.augmentation.patch import LEAST_CONTENT, central_patches, random_patches
from fusion.networks.training.losses import gradient_loss, ssim
from fusion.networks.training.reconstruction import Reconstruction
from fusion.networks.training.unsupervised_fusion import UnsupervisedFusion
from fusion.networks.weights import weight_bytes


def _small() -> DenseFuse:
    return DenseFuse(channels=4, growth=4)


def _pairs(count: int, case: str, extent: int = 40) -> tuple[TrainingPair, ...]:
    """Blobs in air, bright in one image where they are dark in the other."""
    generator = torch.Generator().manual_seed(int(case))
    places = torch.linspace(-1, 1, extent)
    pairs = []
    for n in range(count):
        row, column, width = torch.rand(3, generator=generator).tolist()
        blob = torch.exp(-((places[:, None] - row + 0.5) ** 2 + (places - column + 0.5) ** 2) / (0.1 + 0.2 * width))
        modalities = ("CT", "MR") if n % 4 else ("PT", "MR")
        pairs.append(TrainingPair(blob, (1 - blob) * (blob > 0.1), modalities, case))
    return tuple(pairs)


def _batch(seed: int = 0, size: int = 24) -> Batch:
    return random_patches(_pairs(6, "7"), size, torch.Generator().manual_seed(seed))


def _entry(objective: type = Reconstruction, steps: int = 12) -> NetworkEntry:
    return NetworkEntry(_small, Recipe(objective, steps=steps, batch=3, crop=16, learning_rate=3e-3, validate_every=4))


def _trainer(entry: NetworkEntry, seed: int = 0) -> Trainer:
    return Trainer("small", entry, _pairs(8, "1"), _pairs(4, "2"), seed)


@pytest.mark.parametrize("objective", [Reconstruction, UnsupervisedFusion, Adversarial])
def test_the_loss_on_other_cases_falls(objective: type) -> None:
    trainer = _trainer(_entry(objective, steps=24))
    trainer.run(steps=0)
    before = trainer.best_validation
    trainer.run()
    assert trainer.best_validation < 0.9 * before
    assert trainer.best_step > 0


@pytest.mark.parametrize("objective", [Reconstruction, Adversarial])
def test_a_training_that_was_interrupted_ends_as_one_that_was_not(objective: type) -> None:
    entry = _entry(objective, steps=8)
    whole = _trainer(entry)
    whole.run()
    first = _trainer(entry)
    first.run(steps=3)
    assert (first.best_step, first.state().best_step) == (3, 0)  # looked at early, which no other training does
    second = _trainer(entry)
    second.resume(TrainingState.from_bytes(first.state().to_bytes()))
    second.run()
    assert second.step == whole.step == 8
    assert second.best_validation == whole.best_validation
    for name, value in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value), name
        assert torch.equal(second.best[name], whole.best[name]), name


def test_a_training_can_begin_from_the_weights_of_another() -> None:
    trained = _trainer(_entry(steps=8))
    trained.run()
    further = _trainer(_entry(steps=8), seed=1)
    further.begin_from(weight_bytes(trained.network))
    for name, value in trained.network.state_dict().items():
        assert torch.equal(further.network.state_dict()[name], value), name
    further.run(steps=1)
    assert not torch.equal(*(_flat(trainer.network) for trainer in (trained, further)))
    with pytest.raises(UnusableWeightsError, match="do not fit"):
        further.begin_from(b"none")


def _flat(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten() for value in network.parameters()])


def test_another_seed_gives_other_weights_and_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trainers = [_trainer(_entry(steps=2), seed) for seed in (0, 1)]
    for trainer in trainers:
        trainer.run()
    assert torch.equal(torch.get_rng_state(), before)
    weights = [torch.cat([value.flatten() for value in trainer.network.parameters()]) for trainer in trainers]
    assert not torch.equal(*weights)


def test_training_ends_when_patience_does() -> None:
    entry = _entry(steps=1000)
    stubborn = replace(entry, recipe=replace(entry.recipe, learning_rate=0.0, validate_every=1, patience=3))
    trainer = _trainer(stubborn)
    seen: list[Progress] = []
    trainer.run(report=seen.append)
    assert trainer.finished
    assert trainer.step == 4
    assert [progress.step for progress in seen] == [1, 2, 3, 4]


def test_processor_time_ends_a_training_that_can_go_on() -> None:
    trainer = _trainer(_entry(steps=1000))
    trainer.run(seconds=1e-9)
    assert trainer.step == 1
    assert not trainer.finished
    assert math.isfinite(trainer.best_validation)


def test_a_state_of_another_training_is_refused() -> None:
    state = _trainer(_entry()).state()
    for other in (replace(state, network="ifcnn"), replace(state, seed=3)):
        with pytest.raises(ParameterError, match="small"):
            _trainer(_entry()).resume(other)
    with pytest.raises(ParameterError, match="held out the cases 2, not 3"):
        Trainer("small", _entry(), _pairs(8, "1"), _pairs(4, "3")).resume(state)
    with pytest.raises(ParameterError, match="no training"):
        TrainingState.from_bytes(b"not a safetensors file")
    with pytest.raises(ParameterError, match="other cases"):
        Trainer("small", _entry(), _pairs(2, "1"), ())


def test_no_case_is_on_both_sides_and_both_folds_cover_pet() -> None:
    pairs = [pair for case in ("16", "21", "25", "30", "4") for pair in _pairs(2, case)]
    for fold, held_out in ((0, "25"), (1, "30")):
        training, validation = split_by_case(pairs, fold)
        assert len(training) + len(validation) == len(pairs)
        assert {pair.case for pair in training}.isdisjoint(pair.case for pair in validation)
        assert {pair.case for pair in validation} == {"4", "21", held_out}
    assert validation_cases(0) ^ validation_cases(1) == {"25", "30"}
    with pytest.raises(ParameterError, match="fold"):
        validation_cases(2)


AUGMENTATIONS: Sequence[Augmentation] = (
    Geometric(1.0),
    Photometric(),
    Style(1.0),
    CutMix(1.0),
    Mixup(1.0),
)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda one: type(one).__name__)
def test_an_augmentation_changes_the_images_within_their_range_by_the_generator_alone(
    augmentation: Augmentation,
) -> None:
    batch = _batch()
    first, second = batch.first.clone(), batch.second.clone()
    one, two = (augmentation(batch, torch.Generator().manual_seed(3)) for _ in range(2))
    other = augmentation(batch, torch.Generator().manual_seed(4))
    assert torch.equal(one.first, two.first)
    assert torch.equal(one.second, two.second)
    assert not torch.equal(one.first, other.first)
    assert not torch.equal(one.first, first)
    assert torch.equal(batch.first, first)
    assert torch.equal(batch.second, second)
    for image in (one.first, one.second):
        assert image.shape == first.shape
        assert image.min() >= 0
        assert image.max() <= 1 + 1e-6


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_pairs_stay_aligned_where_images_are_moved(seed: int) -> None:
    batch = _batch(seed)
    same = replace(batch, second=batch.first)
    for augmentation in (Geometric(1.0), CutMix(1.0), Mixup(1.0)):
        moved = augmentation(same, torch.Generator().manual_seed(seed))
        assert torch.equal(moved.first, moved.second)


def test_style_takes_the_histogram_and_keeps_the_order() -> None:
    batch = _batch()
    styled = Style(1.0, strongest=1.0)._styled(batch.first, torch.Generator().manual_seed(1))
    for n in range(len(styled)):
        order = batch.first[n].flatten().argsort(stable=True)
        assert styled[n].flatten()[order].diff().min() >= -1e-6


def test_black_stays_black_in_another_window() -> None:
    batch = _batch()
    changed = Photometric()(batch, torch.Generator().manual_seed(2))
    assert (changed.second[batch.second == 0] == 0).all()


def test_every_class_is_drawn_alike() -> None:
    classes = ["CT"] * 95 + ["PT"] * 5
    drawn = balanced_indices(classes, 2000, torch.Generator().manual_seed(0))
    assert 0.45 < sum(index >= 95 for index in drawn) / 2000 < 0.55
    assert len(set(drawn)) == 100


def test_patches_hold_something_and_small_planes_are_enlarged() -> None:
    air = torch.zeros(200, 200)
    spot = air.clone()
    spot[150:190, 20:60] = 1
    pair = TrainingPair(spot, air, ("CT", "MR"), "1")
    contents = [
        float((random_patches([pair], 40, torch.Generator().manual_seed(seed)).first > 0).float().mean())
        for seed in range(20)
    ]
    assert max(contents) >= LEAST_CONTENT
    assert sum(content > 0 for content in contents) > 5
    small = TrainingPair(torch.ones(9, 50), torch.ones(9, 50), ("CT", "MR"), "1")
    assert random_patches([small], 16, torch.Generator()).first.shape == (1, 1, 16, 16)
    (batch,) = central_patches([small], 16)
    assert batch.second.shape == (1, 1, 16, 16)


def test_losses_are_at_their_best_for_equal_images() -> None:
    batch = _batch()
    assert float(ssim(batch.first, batch.first).mean()) == pytest.approx(1)
    assert float(gradient_loss(batch.first, batch.first, batch.first * 0.5)) == pytest.approx(0, abs=1e-6)
    assert float(ssim(batch.first, batch.second).mean()) < 0.9


def test_every_recipe_says_what_it_made_smaller_and_can_be_built() -> None:
    for entry in NETWORKS.values():
        assert entry.recipe.smaller
        assert sum(value.numel() for value in entry.untrained(0).parameters()) > 0
    assert len({type(one) for one in STANDARD}) == len(STANDARD)
