"""The loop: batches, steps, validation, the best weights."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ...errors import ParameterError
from ..loading import with_weights
from .augmentation.class_balanced import balanced_indices
from .augmentation.patch import central_patches, random_patches
from .objective import Objective
from .pairs import Batch, TrainingPair
from .recipe import NetworkEntry
from .state import TrainingState

STRIDE = 1_000_003
"""Steps of different seeds draw from different generators."""

VALIDATION_PAIRS = 16
"""Validation looks at this many pairs, evenly spaced; the same ones each time."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training is: steps done and planned, the last loss, the best validation loss (NaN before the first)."""

    step: int
    steps: int
    loss: float
    best_validation: float


Report = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Nobody watches."""


class Trainer:
    """Trains one network on pairs that it is handed. Equal seeds, pairs and steps give equal weights on one device.

    Raises `ParameterError` without pairs to train or to validate on, and for a state of another network or seed, or
    that held out other cases.
    """

    def __init__(
        self,
        name: str,
        entry: NetworkEntry,
        training: Sequence[TrainingPair],
        validation: Sequence[TrainingPair],
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if not training or not validation:
            raise ParameterError("a network needs pairs to train on and pairs of other cases to validate on")
        self.name, self.recipe, self.seed, self.device = name, entry.recipe, seed, device
        self.network = entry.untrained(seed).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.objective: Objective = entry.recipe.objective().to(device)
        self._training = tuple(training)
        self.held_out = tuple(sorted({pair.case for pair in validation}))
        stride = max(1, len(validation) // VALIDATION_PAIRS)
        self._validation = central_patches(validation[::stride], 2 * entry.recipe.crop)
        self._optimisers = {"network": _adam(self.network, entry.recipe.learning_rate)}
        if any(True for _ in self.objective.parameters()):
            self._optimisers["adversary"] = _adam(self.objective, entry.recipe.learning_rate)
        self.step, self.best_step, self.best_validation, self.seconds = 0, 0, math.inf, 0.0
        self.best = _copied(self.network)

    def begin_from(self, weights: bytes) -> None:
        """Take other weights than the seed's, before the first step. Raises `UnusableWeightsError` for others' ones."""
        with_weights(self.network, weights).requires_grad_(requires_grad=True)
        self.best = _copied(self.network)

    def run(self, seconds: float = math.inf, steps: int | None = None, report: Report = silent) -> None:
        """Train until the recipe's end, its patience's, `steps` more steps, or `seconds` of processor time."""
        last = self.recipe.steps if steps is None else min(self.recipe.steps, self.step + steps)
        began = time.process_time() - self.seconds
        while self.step < last and not self.finished and self.seconds < seconds:
            loss = self._advance()
            if self.step % self.recipe.validate_every == 0 or self.step == self.recipe.steps:
                self._validate()
            self.seconds = time.process_time() - began
            report(Progress(self.step, self.recipe.steps, loss, self.best_validation))
        if self.best_step == 0:
            self._validate()

    @property
    def finished(self) -> bool:
        """Whether the recipe has ended, or its patience has."""
        waited = self.step - self.best_step
        return self.step >= self.recipe.steps or waited >= self.recipe.patience * self.recipe.validate_every

    def state(self) -> TrainingState:
        """What `resume` needs; a validation that only an interruption brought about is not in it."""
        due = self.best_step % self.recipe.validate_every == 0 or self.best_step == self.recipe.steps
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"objective.{name}": value for name, value in self.objective.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for kind, optimiser in self._optimisers.items():
            for index, moments in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{kind}.{index}.{name}": value for name, value in moments.items()}
        return TrainingState(
            self.name,
            self.seed,
            self.held_out,
            self.step,
            self.best_step if due else 0,
            self.best_validation if due else math.inf,
            self.seconds,
            tensors,
        )

    def resume(self, state: TrainingState) -> None:
        """Go on from where `state` was taken."""
        if (state.network, state.seed) != (self.name, self.seed):
            raise ParameterError(
                f"the state is of {state.network!r} with seed {state.seed}, not of {self.name!r} with seed {self.seed}"
            )
        if state.held_out != self.held_out:
            raise ParameterError(
                f"the state held out the cases {', '.join(state.held_out)}, not {', '.join(self.held_out)}"
            )
        self.network.load_state_dict(_under("network.", state.tensors))
        self.objective.load_state_dict(_under("objective.", state.tensors))
        self.best = _under("best.", state.tensors)
        for kind, optimiser in self._optimisers.items():
            moments: dict[int, dict[str, torch.Tensor]] = {}
            for name, value in _under(f"optimiser.{kind}.", state.tensors).items():
                index, _, moment = name.partition(".")
                moments.setdefault(int(index), {})[moment] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
        self.step, self.best_step = state.step, state.best_step
        self.best_validation, self.seconds = state.best_validation, state.seconds

    def _advance(self) -> float:
        generator = torch.Generator().manual_seed(self.seed * STRIDE + self.step)
        batch = self._batch(generator).to(self.device)
        self.network.train()
        for optimiser in self._optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self.recipe.learning_rate * _decay(self.step / self.recipe.steps)
        with torch.random.fork_rng(devices=[]):  # dropout draws from the global generator
            torch.manual_seed(self.seed * STRIDE + self.step)
            if "adversary" in self._optimisers:
                self._descend("adversary", self.objective, self.objective.adversary_loss, batch, generator)
            loss = self._descend("network", self.network, self.objective, batch, generator)
        self.step += 1
        return loss

    def _descend(
        self,
        kind: str,
        module: nn.Module,
        loss_of: Callable[[nn.Module, Batch, torch.Generator], torch.Tensor],
        batch: Batch,
        generator: torch.Generator,
    ) -> float:
        loss = loss_of(self.network, batch, generator)
        self.network.zero_grad(set_to_none=True)
        self.objective.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), self.recipe.largest_gradient)
        self._optimisers[kind].step()
        return float(loss.detach())

    def _batch(self, generator: torch.Generator) -> Batch:
        indices = balanced_indices([pair.modalities for pair in self._training], self.recipe.batch, generator)
        batch = random_patches([self._training[index] for index in indices], self.recipe.crop, generator)
        for augmentation in self.recipe.augmentations:
            batch = augmentation(batch, generator)
        return batch

    def _validate(self) -> None:
        self.network.eval()
        losses = []
        with torch.no_grad():
            for batch in self._validation:
                generator = torch.Generator().manual_seed(self.seed)
                loss = self.objective.validation_loss(self.network, batch.to(self.device), generator)
                losses.append(float(loss) * len(batch.first))
        validation = sum(losses) / sum(len(batch.first) for batch in self._validation)
        if validation < self.best_validation or self.best_step == 0:
            self.best_validation, self.best_step, self.best = validation, self.step, _copied(self.network)


def _adam(module: nn.Module, learning_rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=learning_rate, betas=(0.9, 0.99))


def _decay(done: float) -> float:
    """A short rise, then half a cosine down to a twentieth."""
    return min(1.0, 0.1 + done / 0.02) * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
