"""`benchmark`: the node measured beside its peers. One file of this folder a subcommand's work, one line here each."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .terminal import Json, out, write_json

benchmark_app = typer.Typer(help="Measure the node beside its peers.", no_args_is_help=True)

REACHED = {True: "yes", False: "no", None: "too few runs"}


class Size(StrEnum):
    """How much is measured."""

    SMALL = "1"
    FULL = "full"


SizeOption = Annotated[Size, typer.Option("--size", help="1: seconds, on one pair; full: everything, an hour.")]
Data = Annotated[
    Path | None, typer.Option("--data", envvar="DICOMNODE_TEST_DATA", help="The folder of the reference images.")
]


def register(
    folder: Annotated[Path, typer.Option("--out", help="Records, page and pictures; what is there is not redone.")],
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="A peer: greedy, elastix, sitk, ants, convexadam; again, or with commas."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="A part of the measurements, by its name.")] = None,
    size: SizeOption = Size.SMALL,
    data: Data = None,
    peers_environment: Annotated[
        Path | None, typer.Option("--peers-environment", help="Where the peers' environments are kept.")
    ] = None,
    json: Json = False,
) -> None:
    """Registration: accuracy, capture, cost and verdicts, side by side on the same files."""
    from .benchmarking import measure_registration

    names = [name for word in against or () for name in word.split(",")]
    parts = [name for word in only or () for name in word.split(",")]
    values = measure_registration(
        folder, names, parts, data, peers_environment, full=size is Size.FULL
    )  # fmt: skip
    if json:
        write_json(values)
        return
    table = Table("what", "goal", "measured", "reached")
    for what, goal in values["goals"].items():
        table.add_row(what, goal["goal"], goal["measured"], REACHED[goal["reached"]])
    out.print(table)
    out.print(f"page: {values['page']}")


def case(
    size: SizeOption = Size.SMALL,
    fixed: Annotated[Path | None, typer.Option("--fixed", help="A DICOM folder instead of the generated CT.")] = None,
    moving: Annotated[Path | None, typer.Option("--moving", help="Likewise, instead of the generated MR.")] = None,
    json: Json = False,
) -> None:
    """A whole case through the pipeline: seconds and peak memory of each stage."""
    from .benchmarking import measure_case

    values = measure_case(fixed, moving, full=size is Size.FULL)
    if json:
        write_json(values)
        return
    table = Table("stage", "seconds", "CPU seconds", "peak MB")
    for stage in values["stages"]:
        table.add_row(stage["name"], *(f"{stage[key]:.2f}" for key in ("wall_s", "cpu_s")), f"{stage['peak_mb']:.0f}")
    out.print(table)
    out.print(f"verdict: {values['verdict']}; {values['outputs']} derived series")


def fuse(
    folder: Annotated[Path, typer.Option("--out", help="Records, page and pictures; what is there is not redone.")],
    methods: Annotated[
        list[str] | None, typer.Option("--methods", help="Fusion methods; again, or with commas. All if absent.")
    ] = None,
    slices: Annotated[int | None, typer.Option("--slices", help="At most so many slices a pair.")] = None,
    size: SizeOption = Size.SMALL,
    data: Data = None,
    json: Json = False,
) -> None:
    """Fusion: every metric of every method on cases that no training saw, copies and averages beside them."""
    from .benchmarking_fusion import measure_fusion

    names = [name for word in methods or () for name in word.split(",")]
    values = measure_fusion(folder, names, data, slices, full=size is Size.FULL)
    if json:
        write_json(values)
        return
    for pair, found in values["pairs"].items():
        table = Table("method", "Qabf", "VIF", "SCD", "SSIM", "SCDmin", "OOE", title=pair)
        for method, metrics in found.items():
            table.add_row(method, *(f"{metrics[name]:.3f}" for name in ("Qabf", "VIF", "SCD", "SSIM", "SCDmin", "OOE")))
        out.print(table)
    out.print(f"page: {values['page']}")


def ingest(
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="A peer: storescp, orthanc, pynetdicom; again, or with commas."),
    ] = None,
    size: SizeOption = Size.SMALL,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Records, page and picture; what is there is not redone.")
    ] = None,
    json: Json = False,
) -> None:
    """Receiving: instances a second, CPU, answer times and memory, with what each receiver makes durable."""
    from .benchmarking_ingest import measure_ingest

    names = [name for word in against or () for name in word.split(",")]
    values = measure_ingest(folder, names, whole=size is Size.FULL)
    if json:
        write_json(values)
        return
    table = Table("slices", "associations", "receiver", "instances/s", "CPU ms each", "p50 ms", "p99 ms", "peak MB")
    for row in values["medians"]:
        numbers = [f"{row[name]:.1f}" for name in ("instances_per_s", "cpu_ms", "p50_ms", "p99_ms", "peak_mb")]
        table.add_row(row["kind"], str(row["associations"]), row["receiver"], *numbers)
    out.print(table)


def match(
    size: SizeOption = Size.SMALL,
    folder: Annotated[Path | None, typer.Option("--out", help="Where the page match.md goes.")] = None,
    json: Json = False,
) -> None:
    """Matching: generated pairs of patient records and studies, of which the right answer is known."""
    from .benchmarking_match import measure_matching

    values = measure_matching(folder, whole=size is Size.FULL)
    if json:
        write_json(values)
        return
    table = Table("what", "goal", "measured")
    table.add_row("two people held to be one", "0", str(values["false_matches"]))
    table.add_row("of one person: match or put up for a person", "95 %", f"{values['found_or_quarantined']:.1%}")
    table.add_row("right series", "99 %", f"{values['right']:.1%}")
    table.add_row("every series explained", "100 %", f"{values['explained']:.1%}")
    out.print(table)


def faults(
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="A peer: storescp, orthanc, pynetdicom; again, or with commas."),
    ] = None,
    size: SizeOption = Size.SMALL,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Records and page; what is there is not done again.")
    ] = None,
    json: Json = False,
) -> None:
    """What broken, rude and too many peers do to the node, and to the other receivers."""
    from .benchmarking_faults import measure_faults

    names = [name for word in against or () for name in word.split(",")]
    values = measure_faults(folder, names, whole=size is Size.FULL)
    if json:
        write_json(values)
        return
    table = Table("fault", "receiver", "what came of it")
    for row in values["faults"]:
        table.add_row(row["fault"], row["receiver"], row["said"])
    out.print(table)


def kills(
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="A peer: storescp, orthanc, pynetdicom; again, or with commas."),
    ] = None,
    kill: Annotated[int, typer.Option("--kills", min=1, help="How often each receiver is killed.")] = 2,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Records and page; what is there is not done again.")
    ] = None,
    json: Json = False,
) -> None:
    """Kill -9 of the receivers at random moments: what was acknowledged, and what of it is there afterwards."""
    from .benchmarking_kills import measure_kills

    names = [name for word in against or () for name in word.split(",")]
    values = measure_kills(folder, names, kill)
    if json:
        write_json(values)
        return
    table = Table("receiver", "kills", "acknowledged", "lost", "visible", "damaged")
    for row in values["kills"]:
        table.add_row(
            row["receiver"], *(str(row[name]) for name in ("kills", "acknowledged", "lost", "visible", "damaged"))
        )
    out.print(table)


def scale(
    size: SizeOption = Size.SMALL,
    url: Annotated[
        str, typer.Option("--database", help="An empty database; a SQLite file for a while if absent.")
    ] = "",
    json: Json = False,
) -> None:
    """The index with a million instances beside one patient's: matching, finding, entering, memory."""
    from .benchmarking_scale import measure_scale

    values = measure_scale(url, whole=size is Size.FULL)
    if json:
        write_json(values)
        return
    names = ("match_ms", "match_cpu_ms", "find_ms", "find_cpu_ms", "enter_ms", "enter_cpu_ms", "peak_mb")
    table = Table("instances", *(name.replace("_", " ") for name in names))
    for row in values["scale"]:
        table.add_row(str(row["instances"]), *(f"{row[name]:.2f}" for name in names))
    out.print(table)


benchmark_app.command()(register)
benchmark_app.command()(match)
benchmark_app.command()(faults)
benchmark_app.command()(kills)
benchmark_app.command()(scale)
benchmark_app.command()(ingest)
benchmark_app.command()(fuse)
benchmark_app.command()(case)
