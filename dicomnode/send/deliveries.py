"""Which derived series of a case go to which destination."""

from storage.records import CaseResult, DerivedSeries, FusionPlan

from ..settings import Settings


def deliveries_of(plan: FusionPlan, result: CaseResult, settings: Settings) -> tuple[tuple[str, DerivedSeries], ...]:
    """Everything to every destination of the plan; of a rejected case its quality objects, if the rule says so."""
    if result.verdict == "reject":
        rule = next((rule for rule in settings.rules if rule.name == plan.rule), None)
        if rule is None or not rule.send_quality_when_rejected:
            return ()
    return tuple((destination, series) for destination in plan.destinations for series in result.derived)
