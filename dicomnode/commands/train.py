"""`train`: weights for a learned method."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from .terminal import Json, err, out, write_json


def train(
    network: Annotated[str, typer.Argument(help="A network by its name.")],
    data: Annotated[Path, typer.Option("--data", help="A folder of aligned planes.", exists=True, file_okay=False)],
    weights: Annotated[Path, typer.Option("--out", help="The weights, .safetensors; card and state lie beside them.")],
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="Of processor time; 0 is without limit.")] = 0.0,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="At most so many in this run.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="What is drawn by chance follows from it.")] = 0,
    fold: Annotated[int, typer.Option("--fold", min=0, help="Which cases are held out.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the state beside the weights.")] = False,
    begin_from: Annotated[
        Path | None, typer.Option("--begin-from", help="Weights of the same network to begin from.", exists=True)
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    json: Json = False,
) -> None:
    """Train NETWORK; the best weights on cases that it never saw are kept."""
    from .training import TrainingWish, train_network

    wish = TrainingWish(network, data, weights, minutes, steps, seed, fold, resume, device, begin_from)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(network, total=None, loss="")

        def report(progress: Any) -> None:
            loss = f"loss {progress.loss:.4f}, validation {progress.best_validation:.4f}"
            bar.update(task, completed=progress.step, total=progress.steps, loss=loss)

        values = train_network(wish, report)
    if json:
        write_json(values)
    else:
        out.print(
            f"{values['weights']}: validation loss {values['validation_loss']:.4f} at step {values['best_step']} "
            f"of {values['steps']}, {values['seconds']} s"
        )
