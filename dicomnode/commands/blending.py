"""What `blend` and `metrics` do. Imports the engines, and with them torch; `aligned.py` holds the signatures."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fusion
from fusion import Fused, Volume
from fusion.display import CT_WINDOWS
from fusion.display.windows import Window, chosen_window
from fusion.geometry.transform import AffineTransform
from fusion.methods.inputs import WindowChoice
from fusion.quality import METRICS, measure
from fusion.quality.explanation import require_kinds
from storage.records import Recipe

from .. import pipeline
from ..encode import write_image
from ..encode.explanation_file import write_explanations
from ..encode.image_file import SUFFIXES
from ..encode.picture import write_picture
from ..errors import NodeError, SettingsError
from ..load import load_input
from ..load.pictures import AlignedImage, load_aligned
from ..settings import Settings
from . import output_folder
from .fusing import check_method, engine_errors, explaining, fuse_dicom
from .plan_of_files import plan_of_files

EIGHT_BIT = (0.0, 255.0)
RESAMPLED = "{name} lay on another grid and was resampled onto that of the first, by its header"


@engine_errors()
def blend_files(
    paths: Sequence[Path],
    target: Path,
    method: str,
    parameters: Sequence[str],
    windows: tuple[str | None, str | None],
    progress: pipeline.Progress,
    *,
    colour: bool,
    explain: Sequence[str] = (),
) -> dict[str, Any]:
    """Fuse aligned images into `target`; the keys of `blend --json`."""
    given = _parameters(parameters) | _windows(windows)
    several = len(paths) > 2
    check_method(method, given, together=several)  # a misspelt name shows before the files are read
    if several and explain:
        raise SettingsError("--explain is for two images")
    kinds = require_kinds(method, () if "all" in explain else explain) if explain else ()
    suffix = target.name.lower()
    if not suffix.endswith((".png", *SUFFIXES)):
        return _blend_dicom(paths, target, method, given, progress, kinds)
    progress("load")
    first, *others = images = [load_aligned(path) for path in paths]
    if first.eight_bit:
        given.setdefault("fixed_window", EIGHT_BIT)
    if any(image.eight_bit for image in others):
        usual = [EIGHT_BIT if image.eight_bit else None for image in others]
        given.setdefault("moved_window", usual if len(usual) > 1 else usual[0])
    _refuse_colour(images, method, target, colour=colour)
    moved, warnings = zip(*(_on_one_grid(first, image) for image in others), strict=True)
    progress("fuse")
    fused = fusion.fuse(first.volume, moved, method=method, **given)
    progress("write")
    _write(target, fused, images, colour=colour)
    written: list[dict[str, str]] = []
    if kinds:
        progress("explain")
        maps = fusion.explain(first.volume, moved[0], method, kinds, **given)
        written = write_explanations(target.parent, f"{_stem(target)}-", maps, fused)
    return {
        "method": method,
        "parameters": dict(fused.parameters),
        "path": str(target),
        "verdict": None,
        "warnings": [sentence for each in warnings for sentence in each],
        "explanations": written,
    }


def _stem(target: Path) -> str:
    """The name without its ending."""
    ending = next(each for each in (".png", *SUFFIXES[::-1]) if target.name.lower().endswith(each))
    return target.name[: -len(ending)]


@engine_errors()
def measure_files(
    paths: tuple[Path, Path, Path],
    names: Sequence[str] | None,
    dimensions: int,
    windows: tuple[str | None, str | None, str | None],
    progress: pipeline.Progress,
) -> dict[str, Any]:
    """Measure a fused image; the keys of `metrics --json`."""
    progress("load")
    images = [load_aligned(path) for path in paths]
    if len({image.volume.grid.shape for image in images}) > 1:
        shapes = ", ".join(f"{image.name}: {' x '.join(map(str, image.volume.grid.shape))}" for image in images)
        raise NodeError(f"the three images are not on one grid ({shapes})")
    used = [
        _window_of(image, None if text is None else _window(text), fused=number == 2)
        for number, (image, text) in enumerate(zip(images, windows, strict=True))
    ]
    progress("measure")
    a, b, f = (window.apply(image.volume.voxels) for window, image in zip(used, images, strict=True))
    wanted = tuple(names or METRICS)
    values = measure(a, b, f, wanted, dimensions)
    return {
        "metrics": values,
        "dimensions": dimensions,
        "windows": [[window.lower, window.upper] for window in used],
        "better": {name: METRICS[name].better for name in wanted},
        "meaning": {name: METRICS[name].meaning for name in wanted},
    }


def _parameters(texts: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE, the value as JSON where it is such, else as it stands."""
    found: dict[str, Any] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise SettingsError(f"--parameter {text}: a parameter is given as NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def _windows(texts: Sequence[str | None]) -> dict[str, Any]:
    names = ("fixed_window", "moved_window")
    return {name: _window(text) for name, text in zip(names, texts, strict=True) if text is not None}


def _window(text: str) -> WindowChoice:
    if text in CT_WINDOWS:
        return text
    try:
        lower, upper = (float(part) for part in text.split(","))
    except ValueError as error:
        raise SettingsError(f"a window is LOWER,UPPER or one of {', '.join(sorted(CT_WINDOWS))}, not {text}") from error
    return (lower, upper)


def _window_of(image: AlignedImage, wanted: WindowChoice, *, fused: bool) -> Window:
    """The window in which an image is measured; a fused one is in 0 … 1 already, as `blend` and `fuse` write it."""
    if wanted is not None:
        return chosen_window(image.volume, wanted)
    if image.eight_bit:
        return Window(*EIGHT_BIT)
    if not fused:
        return chosen_window(image.volume, None)
    voxels = image.volume.voxels
    if float(voxels.min()) < 0 or float(voxels.max()) > 1:
        raise SettingsError(f"{image.name} is neither 8-bit nor in 0 to 1: say its range with --fused-window")
    return Window(0.0, 1.0)


def _refuse_colour(images: Sequence[AlignedImage], method: str, target: Path, *, colour: bool) -> None:
    if not colour:
        return
    if target.suffix.lower() != ".png":
        raise SettingsError("--colour writes a picture: name a .png file in --out")
    if all(image.colours is None for image in images):
        all_grey = "both" if len(images) == 2 else "all"
        raise SettingsError(f"--colour with {method} takes the hue of a coloured source, and {all_grey} are grey")


def _on_one_grid(first: AlignedImage, second: AlignedImage) -> tuple[Volume, list[str]]:
    if first.volume.grid.same_geometry(second.volume.grid):
        return second.volume, []
    if first.flat or second.flat:
        if first.volume.grid.shape == second.volume.grid.shape:
            return replace(second.volume, grid=first.volume.grid), []
        raise NodeError(
            f"{first.name} is {_size(first)} and {second.name} {_size(second)}: pictures must be of one size"
        )
    return fusion.resample(second.volume, AffineTransform.identity(), onto=first.volume.grid), [
        RESAMPLED.format(name=second.name)
    ]


def _size(image: AlignedImage) -> str:
    return " x ".join(map(str, image.volume.grid.shape))


def _write(target: Path, fused: Fused, sources: Sequence[AlignedImage], *, colour: bool) -> None:
    if target.suffix.lower() != ".png":
        write_image(target, fused)
        return
    colours = next((each.colours for each in sources if each.colours is not None), None) if colour else None
    write_picture(target, fused, colours)


def _blend_dicom(
    paths: Sequence[Path],
    folder: Path,
    method: str,
    parameters: dict[str, Any],
    progress: pipeline.Progress,
    kinds: Sequence[str],
) -> dict[str, Any]:
    """DICOM in, DICOM out: a case whose registrar is `identity`, with its fused series alone.

    The headers' transform is not believed without a look: a verdict other than accept is the exit code.
    """
    if folder.suffix and not folder.is_dir():
        raise SettingsError(f"{folder.name}: the result is .png, {', '.join(SUFFIXES)}, or a folder for DICOM")
    progress("load")
    inputs = [load_input(path) for path in paths]
    if not all(each.headers for each in inputs):
        raise SettingsError(f"only DICOM goes into a folder; name a file with one of {', '.join(SUFFIXES)} in --out")
    settings = Settings()
    recipe = Recipe(
        "command line",
        registrar="identity",
        method=method,
        method_parameters=parameters,
        outputs=("fused_colour", "quality_report", *(("fused_together",) if len(paths) > 2 else ())),
    )
    recipe = explaining(recipe, kinds)
    plan, warnings = plan_of_files(inputs, recipe, settings, allow_different_patients=False)
    output_folder.prepare(folder, paths)
    pairs, outputs = fuse_dicom(plan, inputs, folder, settings, "cpu", progress)
    return {
        "method": method,
        "parameters": dict(pairs[0].fused.parameters),
        "path": str(folder),
        "verdict": pipeline.verdict_of([pair.report for pair in pairs]).value,
        "warnings": list(warnings),
        "outputs": outputs,
        "explanations": [output for output in outputs if output["kind"] == "explanation"],
    }
