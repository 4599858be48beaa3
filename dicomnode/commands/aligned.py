"""`blend` and `metrics`: images that are aligned already, fused and measured as they lie."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .files import NOT_ACCEPTED, Explain
from .terminal import Json, out, steps, warn, write_json

First = Annotated[Path, typer.Argument(metavar="A", help="PNG, NIfTI, NRRD, MetaImage or a DICOM folder.")]
Others = Annotated[
    list[Path],
    typer.Argument(metavar="B…", help="Likewise; it lies as the first one does. Several where the method can."),
]
Second = Annotated[Path, typer.Argument(metavar="B", help="Likewise; it lies as the first one does.")]
FixedWindow = Annotated[
    str | None, typer.Option("--fixed-window", help="LOWER,UPPER shown black and white, or a name such as brain.")
]
MovedWindow = Annotated[str | None, typer.Option("--moved-window", help="Likewise of the second image.")]


def blend(
    first: First,
    others: Others,
    path: Annotated[Path, typer.Option("--out", help="A .png, .nii.gz, .nrrd or .mha file, or a folder for DICOM.")],
    method: Annotated[str, typer.Option("--method", help="A fusion method by its name.")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", help="NAME=VALUE of the method; may be repeated.")
    ] = None,
    explain: Explain = None,
    colour: Annotated[
        bool, typer.Option("--colour", help="PNG: add the hue of the coloured source; the brightness stays.")
    ] = False,
    fixed_window: FixedWindow = None,
    moved_window: MovedWindow = None,
    json: Json = False,
) -> None:
    """Fuse images that are aligned already, without registration: 2-D in, 2-D out; volumes in, volume out."""
    from .blending import blend_files

    with steps() as progress:
        values = blend_files(
            (first, *others),
            path,
            method,
            parameter or (),
            (fixed_window, moved_window),
            progress,
            colour=colour,
            explain=explain or (),
        )
    for sentence in values["warnings"]:
        warn(sentence)
    if json:
        write_json(values)
    else:
        out.print(f"{values['method']}: {values['path']}")
        for place in values["explanations"]:
            out.print(f"{place['kind']}: {place['path']}")
    if values["verdict"] not in (None, "accept"):
        raise typer.Exit(NOT_ACCEPTED)


def metrics(
    first: First,
    second: Second,
    fused: Annotated[Path, typer.Argument(metavar="FUSED", help="What was made of the two.")],
    metric: Annotated[list[str] | None, typer.Option("--metric", help="By name; may be repeated.")] = None,
    dimensions: Annotated[int, typer.Option("--dimensions", help="2: mean over the slices; 3: the volume.")] = 2,
    fixed_window: FixedWindow = None,
    moved_window: MovedWindow = None,
    fused_window: Annotated[str | None, typer.Option("--fused-window", help="Likewise of the fused image.")] = None,
    json: Json = False,
) -> None:
    """Measure a fused image with the metrics of the literature and with guards against gaming them."""
    from .blending import measure_files

    with steps() as progress:
        values = measure_files(
            (first, second, fused), metric, dimensions, (fixed_window, moved_window, fused_window), progress
        )
    if json:
        write_json(values)
        return
    table = Table("metric", "value", "better", "what it is")
    for name, value in values["metrics"].items():
        table.add_row(name, f"{value:.4f}", values["better"][name], values["meaning"][name])
    out.print(table)
