"""`fuse` and `register`: the engines on files, with no network and no database."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from .terminal import Config, Json, out, settings_from, steps, warn, write_json

Fixed = Annotated[Path, typer.Argument(help="A DICOM folder, or a NIfTI, NRRD or MetaImage file.")]
Moving = Annotated[Path, typer.Argument(help="Likewise; what is moved onto the fixed image.")]
Movings = Annotated[list[Path], typer.Argument(help="Likewise; what is moved onto the fixed image.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Explain = Annotated[
    list[str] | None,
    typer.Option(
        "--explain",
        help="Of a learned method: saliency, class_activation, relevance, attention, or all it has; may be repeated.",
    ),
]

NOT_ACCEPTED = 3


def register(
    fixed: Fixed,
    moving: Moving,
    transform_path: Annotated[Path, typer.Option("--out", help="An ITK transform file, .tfm or .h5.")],
    registrar: Annotated[str, typer.Option("--registrar", help="A registrar by its name.")] = "auto",
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Find how MOVING lies to FIXED; the file maps fixed to moving points, LPS mm, as ITK resamples."""
    from .fusing import register_files

    with steps() as progress:
        values = register_files(fixed, moving, transform_path, registrar, device, progress)
    _tell(values, json=json)


def fuse(
    fixed: Fixed,
    moving: Movings,
    folder: Annotated[Path, typer.Option("--out", help="Where the results go, a folder for each derived series.")],
    recipe: Annotated[str, typer.Option("--recipe", help="A recipe of the settings.")] = "default",
    allow_different_patients: Annotated[
        bool, typer.Option("--allow-different-patients", help="Fuse although the headers name different patients.")
    ] = False,
    explain: Explain = None,
    together: Annotated[
        bool, typer.Option("--together", help="Of several MOVING: all of them and FIXED as one image, too.")
    ] = False,
    device: Device = "auto",
    config: Config = None,
    json: Json = False,
) -> None:
    """Register and fuse files: DICOM in, DICOM out; where an input is another kind of file, NIfTI out."""
    from .fusing import fuse_files

    settings = settings_from(config)
    with steps() as progress:
        values = fuse_files(
            (fixed, *moving),
            folder,
            recipe,
            settings,
            device,
            progress,
            allow_different_patients=allow_different_patients,
            explain=explain or (),
            together=together,
        )
    for sentence in values["warnings"]:
        warn(sentence)
    _tell(values, json=json)


def _tell(values: dict[str, Any], *, json: bool) -> None:
    """The result for a script or a person, and the exit code that goes with the verdict."""
    if json:
        write_json(values)
    else:
        table = Table(show_header=False)
        for key in ("verdict", "registrar", "expected_error_mm", "error_bound_mm", "similarity", "seconds", "device"):
            table.add_row(key, str(values[key]))
        table.add_row("reasons", "\n".join(values["reasons"]))
        table.add_row("transform", values["transform_file"])
        for output in values.get("outputs", ()):
            table.add_row(output["kind"], output["path"])
        out.print(table)
    if values["verdict"] != "accept":
        raise typer.Exit(NOT_ACCEPTED)
