"""Matching, measured on what was made up: pairs of records of known people, studies with known right series."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.records import SeriesRecord

from ..match import Sameness, match, same_patient
from ..match.serving import obstacle
from ..settings import RuleSettings, Settings
from .match_patients import Pair, pairs
from .match_studies import Study, chosen_right, studies

WHOLE_PAIRS, SMALL_PAIRS = 10_000, 1_000
WHOLE_STUDIES, SMALL_STUDIES = 500, 60

OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class PatientTable:
    """For one person and for two, by what happened to the records: how often each answer was given."""

    of_one: dict[str, Counter[str]] = field(default_factory=dict)
    of_two: dict[str, Counter[str]] = field(default_factory=dict)
    without_reason: int = 0

    @property
    def false_matches(self) -> int:
        """Two people held to be one."""
        return sum(counted[Sameness.MATCH] for counted in self.of_two.values())

    @property
    def found_or_quarantined(self) -> float:
        """The share of the pairs of one person that matched, or that a person is shown."""
        return _share(self.of_one, Sameness.MATCH, Sameness.DOUBT)

    @property
    def found(self) -> float:
        """The share that matched."""
        return _share(self.of_one, Sameness.MATCH)


@dataclass(slots=True)
class StudyTable:
    """By kind of examination: studies, those with the right choice, those in which every choice has its reason."""

    studies: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def measure_patients(count: int, seed: int) -> PatientTable:
    """Compare so many pairs."""
    table = PatientTable()
    for pair in pairs(count, seed):
        verdict = same_patient(pair.a, pair.b)
        rows = table.of_one if pair.one_person else table.of_two
        rows.setdefault(pair.what, Counter())[verdict.sameness] += 1
        table.without_reason += not verdict.reason or _quotes(verdict.reason, pair)
    return table


def measure_studies(count: int, seed: int) -> StudyTable:
    """Match so many studies, and compare what was chosen with what is right."""
    table = StudyTable()
    for study in studies(count, seed):
        table.studies[study.what] += 1
        right, explained, said = _judged(study)
        table.right[study.what] += right
        table.explained[study.what] += explained
        if not right:
            table.wrong.append(f"{study.what}: {said}")
    return table


def values_of(patients: PatientTable, matched: StudyTable, seeds: Sequence[int]) -> dict[str, Any]:
    """Both tables as plain values."""
    return {
        "seeds": list(seeds),
        "pairs_of_one": _plain(patients.of_one),
        "pairs_of_two": _plain(patients.of_two),
        "false_matches": patients.false_matches,
        "found": round(patients.found, 4),
        "found_or_quarantined": round(patients.found_or_quarantined, 4),
        "without_reason": patients.without_reason,
        "studies": {
            kind: {"studies": count, "right": matched.right[kind], "explained": matched.explained[kind]}
            for kind, count in sorted(matched.studies.items())
        },
        "right": round(matched.right.total() / max(matched.studies.total(), 1), 4),
        "explained": round(matched.explained.total() / max(matched.studies.total(), 1), 4),
        "wrong": matched.wrong,
    }


def _judged(study: Study) -> tuple[bool, bool, str]:
    """Whether the choice was right, whether each is explained, and what was chosen."""
    rule = RuleSettings(name="benchmark", fixed=study.fixed, moving=(study.moving,))  # type: ignore[arg-type]
    trigger = next(one for one in study.series if one.series_instance_uid in study.right_fixed)
    found = match(trigger, study.series, lambda uid: study.instances[uid], Settings(rules=(rule,)))
    if len(found.decisions) != 1:
        return False, bool(found.waiting), "; ".join(found.waiting) or f"{len(found.decisions)} plans"
    plan = found.decisions[0].plan
    (moving,) = plan.moving
    counts = [len(plan.fixed.sop_instance_uids), len(moving.sop_instance_uids)]
    right = chosen_right(study, plan.fixed.series_instance_uid, moving.series_instance_uid, counts)
    reasons = {study.fixed: plan.fixed.reasons, study.moving: moving.reasons}
    explained = all(_is_explained(one, reasons.get(one.header.modality, ())) for one in study.series)
    return right, explained, f"chose {plan.fixed.description!r} and {moving.description!r}"


def _is_explained(series: SeriesRecord, reasons: Sequence[str]) -> bool:
    """Whether it cannot serve and is said why, or a reason names it."""
    return bool(obstacle(series)) or any(series.series_instance_uid in reason for reason in reasons)


def _quotes(reason: str, pair: Pair) -> bool:
    """Whether a reason tells a value of a patient."""
    values = {value for one in (pair.a, pair.b) for value in (one.patient_id.strip(), one.birth_date) if len(value) > 4}
    return any(value in reason for value in values)


def _share(rows: Mapping[str, Counter[str]], *answers: str) -> float:
    total = sum(counted.total() for counted in rows.values())
    return sum(counted[answer] for counted in rows.values() for answer in answers) / max(total, 1)


def _plain(rows: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {what: {str(answer.value): counted[answer] for answer in Sameness} for what, counted in sorted(rows.items())}
