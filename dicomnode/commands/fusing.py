"""What `fuse` and `register` do: the same pipeline as a case of the node, on files.

Imports the engines, and with them torch; `files.py` holds the signatures, so that the other commands start at once.
"""

import contextlib
import json as json_module
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fusion import METHODS, REGISTRARS, FusionError, ParameterError, UnknownNameError, Verdict
from fusion.choice import choose
from fusion.device import choose_device
from fusion.methods import SEVERAL
from fusion.methods.defaults import AUTO
from fusion.quality.explanation import require_kinds
from storage.records import FusionPlan, Recipe, SeriesChoice

from .. import pipeline
from ..encode import file_bytes, refuse_other_endings, write_image, write_transform
from ..encode.explanation_file import write_explanations
from ..errors import EncodeError, LoadError, NodeError, SettingsError
from ..load import LoadedInput, LoadedSeries, load_input
from ..settings import RecipeSettings, Settings
from ..worker import equipment_of
from . import output_folder
from .plan_of_files import plan_of_files

Output = dict[str, str]

SEVERITY = (Verdict.ACCEPT, Verdict.REVIEW, Verdict.REJECT)


@contextlib.contextmanager
def engine_errors() -> Iterator[None]:
    """The seam to the mathematics: a misspelt name or parameter is wrong usage, anything else a failure."""
    try:
        yield
    except (UnknownNameError, ParameterError) as error:
        raise SettingsError(str(error)) from error
    except FusionError as error:
        raise NodeError(str(error)) from error


@engine_errors()
def check_recipe(recipe: RecipeSettings) -> None:
    """Raises `SettingsError` for a registrar, method or parameter that does not exist."""
    choose("registrar", REGISTRARS, recipe.registrar, recipe.registrar_parameters)
    check_method(recipe.method, recipe.method_parameters, together="fused_together" in recipe.outputs)
    if getattr(METHODS.get(recipe.method), "experimental", False) and not recipe.experimental:
        raise SettingsError(
            f"the fusion method {recipe.method!r} is experimental, and a rule may come to use it by itself: write "
            "experimental = true into the recipe if that is meant"
        )
    _check_explanation(recipe.method, recipe.outputs, {"explanation_kinds": recipe.explanation_kinds})


def check_method(name: str, parameters: Mapping[str, Any], *, together: bool) -> None:
    """Raises `UnknownNameError` or `ParameterError` for what no method is; `auto` takes windows only.

    `together` says that it is to fuse several moving series at once.
    """
    if name != AUTO:
        choose("fusion method", METHODS, name, parameters)
        if together and name not in SEVERAL:
            raise ParameterError(f"several images at once are fused by {', '.join(sorted(SEVERAL))}, not by {name!r}")
        return
    others = sorted(set(parameters) - {"fixed_window", "moved_window"})
    if others:
        raise ParameterError(f"the parameters {', '.join(others)} need a method: name one, such as alpha_blend")


def explaining(recipe: Recipe, kinds: Sequence[str]) -> Recipe:
    """The recipe with the output `explanation` of these kinds, where any are named; `all` is every kind there is."""
    if not kinds:
        return recipe
    outputs = recipe.outputs if "explanation" in recipe.outputs else (*recipe.outputs, "explanation")
    wanted = [] if "all" in kinds else list(kinds)
    parameters = {**recipe.output_parameters, "explanation_kinds": wanted}
    return replace(recipe, outputs=outputs, output_parameters=parameters)


def _check_explanation(method: str, outputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    """Raises `ParameterError` where the recipe asks for what cannot be explained."""
    if "explanation" in outputs and method != AUTO:
        require_kinds(method, parameters.get("explanation_kinds", ()))


@engine_errors()
def register_files(
    fixed: Path, moving: Path, transform_path: Path, registrar: str, device: str, progress: pipeline.Progress
) -> dict[str, Any]:
    """Register two inputs and write the transform file; the keys of `register --json`."""
    used = str(choose_device(device))
    choose("registrar", REGISTRARS, registrar, {})  # a misspelt name shows before the files are read
    _check_transform_path(transform_path)
    progress("load")
    fixed_volume, moving_volume = (_load(path).volume.to(used) for path in (fixed, moving))
    recipe = Recipe("command line", registrar=registrar)
    registration, report = pipeline.register_pair(fixed_volume, moving_volume, recipe, None, progress)
    write_transform(transform_path, registration)
    return {**pipeline.report_values(registration, report), "transform_file": str(transform_path)}


@engine_errors()
def fuse_files(
    paths: Sequence[Path],
    folder: Path,
    recipe_name: str,
    settings: Settings,
    device: str,
    progress: pipeline.Progress,
    *,
    allow_different_patients: bool,
    explain: Sequence[str] = (),
    together: bool = False,
) -> dict[str, Any]:
    """Fuse inputs, the fixed one first, into `folder`; the keys of `report.json`."""
    recipe = explaining(recipe_named(settings, recipe_name), explain)
    if together and "fused_together" not in recipe.outputs:
        recipe = replace(recipe, outputs=(*recipe.outputs, "fused_together"))
    check_method(recipe.method, recipe.method_parameters, together="fused_together" in recipe.outputs)
    _check_explanation(recipe.method, recipe.outputs, recipe.output_parameters)
    used = str(choose_device(device))
    progress("load")
    inputs = [_load(path) for path in paths]
    if all(each.headers for each in inputs):
        plan, warnings = plan_of_files(inputs, recipe, settings, allow_different_patients=allow_different_patients)
        output_folder.prepare(folder, paths)
        pairs, outputs = fuse_dicom(plan, inputs, folder, settings, used, progress)
    else:
        warnings = ("an input carries no patient: nothing was checked about whose images these are",)
        output_folder.prepare(folder, paths)
        pairs, outputs = _images(inputs, recipe, folder, used, progress)
    values = _report(pairs, inputs[1:], folder, outputs, warnings)
    (folder / output_folder.REPORT).write_text(json_module.dumps(values, indent=1, allow_nan=False), encoding="utf-8")
    return values


def _check_transform_path(path: Path) -> None:
    """Raise `SettingsError` where no transform file can come to lie, before anything is computed."""
    try:
        refuse_other_endings(path)
    except EncodeError as error:
        raise SettingsError(str(error)) from error
    if not path.absolute().parent.is_dir():
        raise SettingsError(f"{path}: there is no folder {path.parent} for the transform file")


def _load(path: Path) -> LoadedInput:
    """What `load_input` gives; its errors name the path."""
    try:
        return load_input(path)
    except LoadError as error:
        if path.name in str(error):
            raise
        raise NodeError(f"{path}: {error}") from error


def recipe_named(settings: Settings, name: str) -> Recipe:
    """The recipe of the settings; `SettingsError` lists the known ones."""
    if name not in settings.recipes:
        raise SettingsError(f"no recipe is called {name!r}; known are {', '.join(sorted(settings.recipes))}")
    return settings.recipes[name].recipe(name)


def fuse_dicom(
    plan: FusionPlan,
    inputs: Sequence[LoadedInput],
    folder: Path,
    settings: Settings,
    device: str,
    progress: pipeline.Progress,
) -> tuple[Sequence[pipeline.PairResult], list[Output]]:
    """DICOM in, DICOM out: the same path as a case of the node."""
    loaded = dict(zip(plan.series_instance_uids, inputs, strict=True))

    def open_series(choice: SeriesChoice) -> LoadedSeries:
        return LoadedSeries(loaded[choice.series_instance_uid].volume, loaded[choice.series_instance_uid].headers)

    outcome = pipeline.carry_out(plan, open_series, equipment_of(settings), datetime.now(UTC), device, progress)
    outputs = []
    for number, series in enumerate(outcome.derived, start=1):
        place = output_folder.numbered(folder, number, series.kind)
        for index, instance in enumerate(series.instances, start=1):
            (place / f"{index:05d}.dcm").write_bytes(file_bytes(instance))
        outputs.append({"kind": series.kind, "path": str(place), "series_instance_uid": series.series_instance_uid})
    return outcome.pairs, outputs


def _images(
    inputs: Sequence[LoadedInput], recipe: Recipe, folder: Path, device: str, progress: pipeline.Progress
) -> tuple[Sequence[pipeline.PairResult], list[Output]]:
    """Other image files: what comes out are image files on the fixed grid, and nothing of what is rejected."""
    fixed, pairs, outputs = inputs[0].volume.to(device), [], []
    for number, moving in enumerate(inputs[1:], start=1):
        pair = pipeline.fuse_pair(fixed, moving.volume.to(device), recipe, None, progress)
        pairs.append(pair)
        if pair.report.verdict is Verdict.REJECT:
            continue
        registered, fused = (
            output_folder.numbered(folder, number, kind) for kind in ("registered_series", output_folder.FUSED)
        )
        write_image(registered / "registered.nii.gz", pair.moved)
        write_image(fused / "fused.nii.gz", pair.fused)
        outputs += [
            {"kind": "registered_series", "path": str(registered)},
            {"kind": output_folder.FUSED, "path": str(fused)},
        ]
        if pair.explanations:
            place = output_folder.numbered(folder, number, "explanation")
            write_explanations(place, "", pair.explanations, pair.fused)
            outputs.append({"kind": "explanation", "path": str(place)})
    together = pipeline.fused_with_all(fixed, pairs, recipe)
    if together is not None:
        place = output_folder.numbered(folder, len(pairs) + 1, "fused_together")
        write_image(place / "fused-together.nii.gz", together)
        outputs.append({"kind": "fused_together", "path": str(place)})
    return pairs, outputs


def _report(
    pairs: Sequence[pipeline.PairResult],
    movings: Sequence[LoadedInput],
    folder: Path,
    outputs: Sequence[Output],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The keys of the pair that is worst off, then every pair, and what was written."""
    each = []
    for number, (pair, moving) in enumerate(zip(pairs, movings, strict=True), start=1):
        path = folder / f"transform-{number:02d}.tfm"
        write_transform(path, pair.registration)
        values = pipeline.report_values(pair.registration, pair.report)
        each.append({"moving": moving.name, **values, "transform_file": str(path)})
    worst = max(each, key=lambda values: SEVERITY.index(Verdict(values["verdict"])))
    verdict = pipeline.verdict_of([pair.report for pair in pairs])
    return {**worst, "verdict": verdict.value, "pairs": each, "outputs": list(outputs), "warnings": list(warnings)}
