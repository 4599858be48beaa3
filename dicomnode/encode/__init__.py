"""Results to DICOM objects: what a recipe's outputs are written as, one output a file, in one table.

Strict when writing: what cannot be said rightly in an object raises `EncodeError`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fusion.quality.report import Verdict

from ..errors import EncodeError
from .contribution import contribution
from .expected_error import expected_error
from .explanation import explanation
from .fused_colour import fused_colour
from .fused_together import fused_together
from .image_file import write_image
from .inputs import EncodedSeries, EncodeInputs, Equipment, MovingResult
from .instance_file import file_bytes
from .jacobian import jacobian
from .parametric_map import parametric_map
from .quality_report import quality_report
from .registered_series import registered_series
from .review_volumes import EncodedVolume, review_volumes
from .spatial_registration import spatial_registration
from .transform_file import refuse_other_endings, write_map, write_transform

__all__ = [
    "OF_ALL",
    "OUTPUTS",
    "EncodeInputs",
    "EncodedSeries",
    "EncodedVolume",
    "Equipment",
    "MovingResult",
    "encode",
    "file_bytes",
    "fused_together",
    "refuse_other_endings",
    "review_volumes",
    "write_image",
    "write_map",
    "write_transform",
]

Encoder = Callable[[EncodeInputs], tuple[EncodedSeries, ...]]

OUTPUTS: Mapping[str, Encoder] = MappingProxyType(
    {
        "registered_series": registered_series,
        "fused_colour": fused_colour,
        "spatial_registration": spatial_registration,
        "quality_report": quality_report,
        "parametric_map": parametric_map,
        "expected_error": expected_error,
        "jacobian": jacobian,
        "contribution": contribution,
        "explanation": explanation,
    }
)
"""What a recipe may name as an output. Each gives no, one or more series."""

OF_ALL = frozenset({"fused_together"})
"""Outputs of a whole plan, not of each moving series."""

SENT_WHEN_REJECTED = frozenset({"quality_report"})


def encode(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """The series that the plan's recipe names, in its order; of a rejected registration only the quality objects.

    Raises `EncodeError` for an output that is not in `OUTPUTS`, for sources without headers, and where a result
    cannot be written as the object that it should be.
    """
    unknown = [kind for kind in inputs.plan.recipe.outputs if kind not in (*OUTPUTS, *OF_ALL)]
    if unknown:
        raise EncodeError(f"no output is called {unknown[0]!r}; known are {', '.join(sorted((*OUTPUTS, *OF_ALL)))}")
    if not inputs.fixed_headers or not inputs.moving.headers:
        raise EncodeError("DICOM objects are made of DICOM series only: write the volumes as image files instead")
    kinds = tuple(kind for kind in inputs.plan.recipe.outputs if kind in OUTPUTS)
    if inputs.verdict is Verdict.REJECT:
        kinds = tuple(kind for kind in kinds if kind in SENT_WHEN_REJECTED)
    return tuple(series for kind in kinds for series in OUTPUTS[kind](inputs))
