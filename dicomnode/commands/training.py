"""What `train` does: pairs from a folder, the trainer of `fusion`, weights and their card into files."""

import math
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion import FusionError, ParameterError
from fusion.device import choose_device
from fusion.errors import UnknownNameError
from fusion.networks import NETWORKS
from fusion.networks.training import Progress, Recipe, Trainer, TrainingState, split_by_case
from fusion.networks.weights import Card, weight_bytes

from ..errors import NodeError, SettingsError
from .fusion_pairs import read_pairs
from .training_registration import NAME, train_registration

LICENCE = "CC0-1.0 for the numbers; the images behind them are for research use (AANLIB, Harvard Medical School)"


@dataclass(frozen=True, slots=True)
class TrainingWish:
    """What a person asked for on the command line. `minutes` are of processor time; 0 is without limit."""

    network: str
    data: Path
    out: Path
    minutes: float = 0.0
    steps: int | None = None
    seed: int = 0
    fold: int = 0
    resume: bool = False
    device: str = "auto"
    begin_from: Path | None = None


def train_network(wish: TrainingWish, report: Callable[[Progress], None]) -> dict[str, Any]:
    """Train as wished; weights, card and state are written, also after an interruption by the keyboard.

    Raises `SettingsError` for a network, fold or state that is not one, `NodeError` where training fails.
    """
    if not wish.out.parent.is_dir():
        raise SettingsError(f"there is no folder {wish.out.parent} for {wish.out.name}")
    if wish.resume and wish.begin_from:
        raise SettingsError("a training that goes on has its weights in its state: leave out --begin-from")
    if wish.out.suffix != ".safetensors":
        raise SettingsError(f"{wish.out.name}: weights are a .safetensors file; card and state lie beside it")
    try:
        return _train(wish, report)
    except (UnknownNameError, ParameterError) as error:
        raise SettingsError(str(error)) from error
    except FusionError as error:
        raise NodeError(str(error)) from error


def _train(wish: TrainingWish, report: Callable[[Progress], None]) -> dict[str, Any]:
    if wish.network == NAME:
        if wish.resume or wish.minutes or wish.begin_from:
            raise SettingsError("the registration network is trained for --steps, from the beginning")
        return train_registration(wish.data, wish.out, wish.steps, wish.seed, report)
    if wish.network not in NETWORKS:
        raise UnknownNameError("network", wish.network, NETWORKS)
    training, validation = split_by_case(read_pairs(wish.data), wish.fold)
    device = choose_device(wish.device)
    trainer = Trainer(wish.network, NETWORKS[wish.network], training, validation, wish.seed, device)
    if wish.begin_from is not None:
        trainer.begin_from(wish.begin_from.read_bytes())
    state_path = wish.out.with_suffix(".state")
    if wish.resume:
        if not state_path.is_file():
            raise SettingsError(f"there is no {state_path} from which training could go on")
        trainer.resume(TrainingState.from_bytes(state_path.read_bytes()))
    try:
        trainer.run(60 * wish.minutes or math.inf, wish.steps, report)
    finally:
        _write(state_path, trainer.state().to_bytes())
    trainer.network.load_state_dict(trainer.best)
    _write(wish.out, weight_bytes(trainer.network))
    card = _card(wish, trainer, len(training), len(validation))
    card_path = wish.out.with_suffix(".json")
    _write(card_path, card.to_json().encode())
    return {
        "network": wish.network,
        "weights": str(wish.out),
        "card": str(card_path),
        "state": str(state_path),
        "steps": trainer.step,
        "best_step": trainer.best_step,
        "validation_loss": trainer.best_validation,
        "seconds": round(trainer.seconds, 1),
        "finished": trainer.finished,
        "device": str(device),
    }


def _card(wish: TrainingWish, trainer: Trainer, training: int, validation: int) -> Card:
    recipe = NETWORKS[wish.network].recipe
    return Card(
        network=wish.network,
        data=f"{training} pairs of planes to train on, {validation} to validate on: CT-MR, PET-MR and SPECT-MR of the "
        "Whole Brain Atlas (AANLIB)",
        split=f"by case number, fold {wish.fold} of fusion/networks/training/case_split.json",
        recipe=_plain(recipe) | ({} if wish.begin_from is None else {"began_from": wish.begin_from.name}),
        seed=wish.seed,
        steps=trainer.best_step,
        hardware=_hardware(wish.device),
        seconds=round(trainer.seconds, 1),
        metrics={"validation_loss": round(trainer.best_validation, 6)},
        licence=LICENCE,
        known_failures="seen on brain slices alone: other regions and noise are outside of what it learned",
        smaller_than_in_the_paper=recipe.smaller,
        parameters=sum(value.numel() for value in trainer.network.parameters()),
    )


def _plain(recipe: Recipe) -> dict[str, Any]:
    names = [getattr(recipe.objective, "__name__", repr(recipe.objective)), list(map(repr, recipe.augmentations))]
    skipped = {"objective", "augmentations", "smaller"}
    numbers = {name: getattr(recipe, name) for name in recipe.__dataclass_fields__ if name not in skipped}
    return {"objective": names[0], "augmentations": names[1], **numbers}


def _hardware(device: str) -> str:
    return f"{choose_device(device)}, {platform.machine()}, {os.cpu_count()} processors"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)
