"""The quality objects of a registration: a page for people and a structured report for programs."""

from .inputs import EncodedSeries, EncodeInputs
from .measurement_report import measurement_report
from .quality_page import quality_page

KIND = "quality_report"


def quality_report(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """The page and the report, both under the name of the one output."""
    return (quality_page(inputs, KIND), measurement_report(inputs, KIND))
