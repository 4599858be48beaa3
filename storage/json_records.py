"""Plans, results and derived series as JSON and back, field by field: a stored plan outlives a renamed class."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .records import (
    CaseResult,
    DerivedInstance,
    DerivedSeries,
    FusionPlan,
    Recipe,
    ReviewVolume,
    SeriesChoice,
    StoredObject,
)

Json = dict[str, Any]


def json_text(value: object) -> str:
    """JSON of plain values. A number that is not finite becomes null: JSON has none, and PostgreSQL refuses it."""
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def plan_to_json(plan: FusionPlan) -> Json:
    """The plan as plain values."""
    return {
        "fixed": _choice_to_json(plan.fixed),
        "moving": [_choice_to_json(choice) for choice in plan.moving],
        "recipe": _recipe_to_json(plan.recipe),
        "rule": plan.rule,
        "file_in_study_uid": plan.file_in_study_uid,
        "destinations": list(plan.destinations),
        "identity_is_default": list(plan.identity_is_default),
        "reasons": list(plan.reasons),
        "content_digest": plan.content_digest,
    }


def plan_from_json(values: Json) -> FusionPlan:
    """The plan that `plan_to_json` wrote."""
    return FusionPlan(
        fixed=_choice_from_json(values["fixed"]),
        moving=tuple(_choice_from_json(choice) for choice in values["moving"]),
        recipe=_recipe_from_json(values["recipe"]),
        rule=values["rule"],
        file_in_study_uid=values["file_in_study_uid"],
        destinations=tuple(values["destinations"]),
        identity_is_default=tuple(values["identity_is_default"]),
        reasons=tuple(values["reasons"]),
        content_digest=values.get("content_digest", ""),
    )


def _choice_to_json(choice: SeriesChoice) -> Json:
    return {
        "series_instance_uid": choice.series_instance_uid,
        "study_instance_uid": choice.study_instance_uid,
        "modality": choice.modality,
        "frame_of_reference_uid": choice.frame_of_reference_uid,
        "sop_instance_uids": list(choice.sop_instance_uids),
        "description": choice.description,
        "reasons": list(choice.reasons),
    }


def _choice_from_json(values: Json) -> SeriesChoice:
    return SeriesChoice(
        series_instance_uid=values["series_instance_uid"],
        study_instance_uid=values["study_instance_uid"],
        modality=values["modality"],
        frame_of_reference_uid=values["frame_of_reference_uid"],
        sop_instance_uids=tuple(values["sop_instance_uids"]),
        description=values["description"],
        reasons=tuple(values["reasons"]),
    )


def _recipe_to_json(recipe: Recipe) -> Json:
    return {
        "name": recipe.name,
        "registrar": recipe.registrar,
        "registrar_parameters": dict(recipe.registrar_parameters),
        "method": recipe.method,
        "method_parameters": dict(recipe.method_parameters),
        "outputs": list(recipe.outputs),
        "output_parameters": dict(recipe.output_parameters),
        "gate": dict(recipe.gate),
    }


def _recipe_from_json(values: Json) -> Recipe:
    return Recipe(
        name=values["name"],
        registrar=values["registrar"],
        registrar_parameters=values["registrar_parameters"],
        method=values["method"],
        method_parameters=values["method_parameters"],
        outputs=tuple(values["outputs"]),
        output_parameters=values["output_parameters"],
        gate=values["gate"],
    )


def result_to_json(result: CaseResult) -> Json:
    """The result as plain values."""
    return {
        "verdict": result.verdict,
        "reports": [dict(report) for report in result.reports],
        "derived": [derived_series_to_json(series) for series in result.derived],
        "review": [
            {
                "position": volume.position,
                "kind": volume.kind,
                "digest": volume.stored.digest,
                "size_bytes": volume.stored.size_bytes,
            }
            for volume in result.review
        ],
    }


def result_from_json(values: Json) -> CaseResult:
    """The result that `result_to_json` wrote."""
    return CaseResult(
        verdict=values["verdict"],
        reports=tuple(values["reports"]),
        derived=tuple(derived_series_from_json(series) for series in values["derived"]),
        review=tuple(
            ReviewVolume(volume["position"], volume["kind"], StoredObject(volume["digest"], volume["size_bytes"]))
            for volume in values.get("review", ())
        ),
    )


def derived_series_to_json(series: DerivedSeries) -> Json:
    """The derived series as plain values."""
    return {
        "kind": series.kind,
        "series_instance_uid": series.series_instance_uid,
        "study_instance_uid": series.study_instance_uid,
        "modality": series.modality,
        "description": series.description,
        "instances": [
            {
                "sop_instance_uid": instance.sop_instance_uid,
                "sop_class_uid": instance.sop_class_uid,
                "transfer_syntax_uid": instance.transfer_syntax_uid,
                "digest": instance.stored.digest,
                "size_bytes": instance.stored.size_bytes,
            }
            for instance in series.instances
        ],
    }


def derived_series_from_json(values: Json) -> DerivedSeries:
    """The derived series that `derived_series_to_json` wrote."""
    return DerivedSeries(
        kind=values["kind"],
        series_instance_uid=values["series_instance_uid"],
        study_instance_uid=values["study_instance_uid"],
        modality=values["modality"],
        description=values["description"],
        instances=tuple(
            DerivedInstance(
                sop_instance_uid=instance["sop_instance_uid"],
                sop_class_uid=instance["sop_class_uid"],
                transfer_syntax_uid=instance["transfer_syntax_uid"],
                stored=StoredObject(instance["digest"], instance["size_bytes"]),
            )
            for instance in values["instances"]
        ),
    )
