"""From a complete series to the plans that it makes possible: the main path of matching.

    series ─▶ near (in time) ─▶ examinations ─▶ groups ─▶ select (fixed, then moving) ─▶ FusionPlan + reasons

Everything here is a pure function of the records: what is planned depends on what is there, not on the order in which
it came, so that matching may be repeated at any time and gives the same plans.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from zoneinfo import ZoneInfo

from storage.records import CaseState, FusionPlan, PartnerWanted, SeriesChoice, SeriesRecord

from ..settings import RuleSettings, Settings
from .frame_of_reference import shared_frame
from .identity import Sameness, normalised_id, patient_key, patient_of_both, same_patient
from .moments import moment_of
from .pairing import (
    Examination,
    Group,
    GroupName,
    Member,
    examinations,
    fits_rule,
    groups,
    is_certain,
    near,
    why_apart,
)
from .regions import regions_of
from .selection import Instances, Selection, select


@dataclass(frozen=True, slots=True)
class MatchDecision:
    """A plan, the state in which its case begins, and why."""

    plan: FusionPlan
    state: CaseState
    cause: str
    patient_key: str


@dataclass(frozen=True, slots=True)
class Matching:
    """What a complete series leads to.

    `decisions` are the plans of the groups that the series is in; `wanted` names every group that is wanted around it,
    so that what is no longer in it can give way; `touched` are the series whose cases that may concern; `waiting`
    says for each rule why there is no plan, `missing` which partners would make one.
    """

    decisions: tuple[MatchDecision, ...]
    wanted: frozenset[GroupName]
    touched: tuple[str, ...]
    waiting: tuple[str, ...]
    missing: tuple[PartnerWanted, ...] = ()


def plan_for(
    series: SeriesRecord, candidates: Sequence[SeriesRecord], instances: Instances, settings: Settings
) -> tuple[MatchDecision, ...]:
    """The plans that `series` is part of or competes in; `candidates` are the complete series of its Patient ID."""
    return match(series, candidates, instances, settings).decisions


def explain(series: SeriesRecord, candidates: Sequence[SeriesRecord], settings: Settings) -> tuple[str, ...]:
    """Why no rule makes a plan with `series`, one sentence a rule; rules that make one are left out."""
    return match(series, candidates, lambda _: (), settings).waiting


def match(
    series: SeriesRecord, candidates: Sequence[SeriesRecord], instances: Instances, settings: Settings
) -> Matching:
    """Match one complete series under every rule."""
    everyone = {one.series_instance_uid: one for one in (*candidates, series)}
    same = [
        one for one in everyone.values() if same_patient(one.patient, series.patient).sameness is not Sameness.DIFFERENT
    ]
    zone, held = ZoneInfo(settings.node.time_zone), cache(instances)
    decisions: list[MatchDecision] = []
    wanted: set[GroupName] = set()
    touched = dict.fromkeys(one.series_instance_uid for one in same if _competes(one, series))
    waiting: list[str] = []
    missing: list[PartnerWanted] = []
    for rule in settings.rules:
        offered = examinations(rule, near(series, same, timedelta(hours=rule.window_hours), zone), zone)
        found = groups(rule, offered)
        wanted.update(group.name for group in found)
        mine = [group for group in found if any(one.holds(series) for one in group.examinations)]
        if not mine:
            waiting.append(f"rule {rule.name!r}: {_why_waiting(series, rule, offered, zone)}")
            missing.extend(_partners_wanted(series, rule, offered, zone))
        for group in mine:
            touched.update(
                dict.fromkeys(one.series.series_instance_uid for exam in group.examinations for one in exam.members)
            )
            decisions.append(_decide(group, rule, held, settings, zone))
    return Matching(tuple(decisions), frozenset(wanted), tuple(touched), tuple(waiting), tuple(missing))


def _decide(
    group: Group, rule: RuleSettings, instances: Instances, settings: Settings, zone: ZoneInfo
) -> MatchDecision:
    fixed = _choose_fixed(group, rule, instances)
    moving = tuple(_choose_moving(exam, fixed, group, rule, instances) for exam in group.moving)
    frames = [shared_frame(fixed.series, one.series, zone) for one in moving]
    identities = [_identity(fixed.series, one.series) for one in moving]
    file_in, filing_reason = _file_in([fixed, *moving], settings.matching.file_in, zone)
    plan = FusionPlan(
        fixed=_choice(fixed),
        moving=tuple(
            _choice(one, (f"patient: {identity}", _apart(fixed.series, one.series, zone), frame.reason))
            for one, (_, identity), frame in zip(moving, identities, frames, strict=True)
        ),
        recipe=settings.recipes[rule.recipe].recipe(rule.recipe),
        rule=rule.name,
        file_in_study_uid=file_in,
        destinations=rule.destinations,
        identity_is_default=tuple(frame.identity_is_default for frame in frames),
        reasons=(f"rule {rule.name!r}: {rule.fixed} with {', '.join(rule.moving)}", filing_reason),
        content_digest=_decided(fixed, *moving),
    )
    doubts = [reason for certain, reason in identities if not certain]
    if doubts:
        return MatchDecision(
            plan,
            CaseState.QUARANTINED,
            f"identity in doubt: {'; '.join(dict.fromkeys(doubts))}",
            patient_key(fixed.series.patient),
        )
    return MatchDecision(plan, CaseState.QUEUED, f"matched by rule {rule.name!r}", patient_key(fixed.series.patient))


def _choose_fixed(group: Group, rule: RuleSettings, instances: Instances) -> Selection:
    """The best of those that go with every moving examination, certainly of one patient where there are such."""
    members = group.fixed.members
    fitting = [
        one
        for one in members
        if all(any(not why_apart(one, other, rule) for other in exam.members) for exam in group.moving)
    ] or members
    certain = [
        one for one in fitting if all(any(is_certain(one, other) for other in exam.members) for exam in group.moving)
    ]
    return select([one.series for one in certain or fitting], instances)


def _choose_moving(
    exam: Examination, fixed: Selection, group: Group, rule: RuleSettings, instances: Instances
) -> Selection:
    """The best of those that go with the fixed series, certainly of its patient where there are such."""
    chosen = next(one for one in group.fixed.members if one.series is fixed.series)
    fitting = [one for one in exam.members if not why_apart(chosen, one, rule)] or exam.members
    certain = [one for one in fitting if is_certain(chosen, one)]
    return select([one.series for one in certain or fitting], instances)


def _choice(selection: Selection, more_reasons: Sequence[str] = ()) -> SeriesChoice:
    header = selection.series.header
    return SeriesChoice(
        series_instance_uid=header.series_instance_uid,
        study_instance_uid=selection.series.study.study_instance_uid,
        modality=header.modality,
        frame_of_reference_uid=header.frame_of_reference_uid,
        sop_instance_uids=tuple(instance.sop_instance_uid for instance in selection.instances),
        description=header.description,
        reasons=(*selection.reasons, *more_reasons),
    )


def _decided(*chosen: Selection) -> str:
    """Names what a person decided about instances and patient, so that it is another plan; empty where nobody did."""
    decided = sorted(
        f"{instance.sop_instance_uid} {instance.stored.digest}"
        for selection in chosen
        for instance in selection.instances
        if instance.chosen
    )
    decided += [
        f"{one.series.series_instance_uid} {asdict(one.series.patient)}" for one in chosen if one.series.corrected
    ]
    return hashlib.sha256("\n".join(decided).encode()).hexdigest() if decided else ""


def _file_in(chosen: Sequence[Selection], setting: str, zone: ZoneInfo) -> tuple[str, str]:
    """The study in which to file: that of the fixed series, or the newest one, which is the one being read.

    Newest by acquisition: a prior that is fetched later does not become the newest by that.
    """
    fixed = chosen[0].series.study.study_instance_uid
    if setting == "fixed":
        return fixed, "filed in the study of the fixed series"
    dated = [(moment.earliest, one.series) for one in chosen if (moment := moment_of(one.series, zone))]
    if not dated:
        return fixed, "filed in the study of the fixed series, since no dates are known"
    newest = max(start for start, _ in dated)
    among = [series.study.study_instance_uid for start, series in dated if start == newest]
    study = fixed if fixed in among else min(among)
    return study, "filed in the study of the newest series"


def _apart(fixed: SeriesRecord, moving: SeriesRecord, zone: ZoneInfo) -> str:
    mine, other = moment_of(fixed, zone), moment_of(moving, zone)
    if mine is None or other is None:
        return "acquired at times that are not known, in one study"
    return f"acquired at least {mine.gap(other).total_seconds() / 3600:.1f} h from the fixed series"


def _why_waiting(series: SeriesRecord, rule: RuleSettings, offered: Sequence[Examination], zone: ZoneInfo) -> str:
    if reason := fits_rule(series, rule):
        return reason
    return (
        "; ".join(_lacks(series, rule, offered, zone).values())
        or "it waits for a partner that fits in time, region and modality"
    )


def _lacks(series: SeriesRecord, rule: RuleSettings, offered: Sequence[Examination], zone: ZoneInfo) -> dict[str, str]:
    """The modalities of which `rule` finds no partner for `series`, and why."""
    own = Member(series, moment_of(series, zone), regions_of(series.header))
    lacking: dict[str, str] = {}
    for modality in dict.fromkeys((rule.fixed, *rule.moving)):
        if modality == series.header.modality:
            continue
        others = [member for exam in offered if exam.modality == modality for member in exam.members]
        apart = [why_apart(own, other, rule) for other in others]
        if not others:
            lacking[modality] = f"no {modality} series of this patient is here near its time"
        elif all(apart):
            lacking[modality] = f"no {modality} series goes with it: {apart[0]}"
    return lacking


def _partners_wanted(
    series: SeriesRecord, rule: RuleSettings, offered: Sequence[Examination], zone: ZoneInfo
) -> list[PartnerWanted]:
    """What would have to come for `rule` to make a plan. Of a series without a date nobody can say when."""
    moment = moment_of(series, zone)
    if moment is None or fits_rule(series, rule) or not normalised_id(series.patient):
        return []
    window = timedelta(hours=rule.window_hours)
    return [
        PartnerWanted(
            rule=rule.name,
            modality=modality,
            patient=series.patient,
            study_instance_uid=series.study.study_instance_uid,
            series_instance_uid=series.series_instance_uid,
            earliest=moment.earliest - window,
            latest=moment.latest + window,
        )
        for modality in _lacks(series, rule, offered, zone)
    ]


def _competes(one: SeriesRecord, series: SeriesRecord) -> bool:
    """Whether the two are of one examination, of which the newcomer may change what it goes with."""
    return (
        one.study.study_instance_uid == series.study.study_instance_uid
        and one.header.modality == series.header.modality
    )


def _identity(fixed: SeriesRecord, moving: SeriesRecord) -> tuple[bool, str]:
    """Whether the two certainly are of one patient, and why or why not."""
    verdict = patient_of_both(fixed, moving)
    return verdict.sameness is Sameness.MATCH, verdict.reason
