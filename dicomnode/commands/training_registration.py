"""What `train registration` does: the images of a folder to weights of the registration network."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fusion.errors import ParameterError
from fusion.networks.registration_training import Recipe, TrainingState
from fusion.networks.registration_training import train as trained
from fusion.networks.training import Progress
from fusion.networks.weights import weight_bytes

from .training_images import anatomies

NAME = "registration"


def train_registration(
    data: Path, out: Path, steps: int | None, seed: int, report: Callable[[Progress], None]
) -> dict[str, Any]:
    """Train on every volume below `data` and on what is generated, and write the weights to `out`.

    Nothing is held out of `data`: whose images are to be tested on must not lie in it.
    """
    recipe = Recipe(seed=seed) if steps is None else Recipe(steps=steps, seed=seed)
    if not any(path.is_file() for path in data.rglob("*")):
        raise ParameterError(f"there is no image below {data}")
    began = time.process_time()
    last = [float("nan")]

    def reported(state: TrainingState, loss: float) -> None:
        last[0] = loss
        report(Progress(state.step, recipe.steps, loss, float("nan")))

    network = trained(anatomies(data, seed), recipe, reported)
    out.write_bytes(weight_bytes(network))
    return {
        "network": NAME,
        "weights": str(out),
        "validation_loss": last[0],
        "best_step": recipe.steps,
        "steps": recipe.steps,
        "seconds": round(time.process_time() - began, 1),
    }
