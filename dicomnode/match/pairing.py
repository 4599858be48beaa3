"""Says which examinations of a patient go together under a rule.

An examination is what one study has of one modality. Every examination asks for its best partners: certain identity
first, then the same study, then the smallest gap in time. What is asked for is a set of `Group`s that depends only on
what is there, never on the order in which it came; a group is whole when every modality of the rule is in it, and until
then the rule waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from storage.records import FusionPlan, SeriesRecord

from ..settings import RuleSettings
from .identity import Sameness, patient_of_both
from .moments import Moment, moment_of
from .regions import compatible, regions_in, regions_of
from .serving import obstacle

GroupName = tuple[str, str, tuple[tuple[str, str], ...]]
"""Rule, study of the fixed series, and modality and study of each moving one."""


REACH = 6
"""In windows: a group spans two (moving, fixed, moving), what it displaces two more, what judges that two more."""


@dataclass(frozen=True, slots=True)
class Member:
    """One series that can serve, with what decides whether it goes with another."""

    series: SeriesRecord
    moment: Moment | None
    regions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Examination:
    """The series of one modality in one study that can serve."""

    study_instance_uid: str
    modality: str
    members: tuple[Member, ...]

    def holds(self, series: SeriesRecord) -> bool:
        """Whether `series` is one of its members."""
        return any(one.series.series_instance_uid == series.series_instance_uid for one in self.members)


@dataclass(frozen=True, slots=True)
class Group:
    """One fixed examination and one moving one for each moving modality of the rule."""

    rule: str
    fixed: Examination
    moving: tuple[Examination, ...]

    @property
    def name(self) -> GroupName:
        """At most one live case is wanted under it."""
        moving = tuple((one.modality, one.study_instance_uid) for one in self.moving)
        return self.rule, self.fixed.study_instance_uid, moving

    @property
    def examinations(self) -> tuple[Examination, ...]:
        """All of it, the fixed one first."""
        return self.fixed, *self.moving


def group_name(plan: FusionPlan) -> GroupName:
    """The group that `plan` was made of."""
    moving = tuple((choice.modality, choice.study_instance_uid) for choice in plan.moving)
    return plan.rule, plan.fixed.study_instance_uid, moving


def fits_rule(series: SeriesRecord, rule: RuleSettings) -> str:
    """Why `series` cannot be used under `rule`, or an empty text."""
    if series.header.modality not in {rule.fixed, *rule.moving}:
        return f"the rule uses {', '.join((rule.fixed, *rule.moving))}"
    if rule.body_part and not compatible(regions_in(rule.body_part), regions_of(series.header)):
        return f"the rule is for {rule.body_part}, the series says {series.header.body_part}"
    return obstacle(series)


def examinations(rule: RuleSettings, series: Sequence[SeriesRecord], zone: ZoneInfo) -> tuple[Examination, ...]:
    """What `series` has to offer to `rule`."""
    found: dict[tuple[str, str], list[Member]] = {}
    for one in sorted(series, key=lambda one: one.series_instance_uid):
        if not fits_rule(one, rule):
            member = Member(one, moment_of(one, zone), regions_of(one.header))
            found.setdefault((one.study.study_instance_uid, one.header.modality), []).append(member)
    return tuple(Examination(study, modality, tuple(members)) for (study, modality), members in sorted(found.items()))


def groups(rule: RuleSettings, offered: Sequence[Examination]) -> tuple[Group, ...]:
    """Every whole group that some examination asks for."""
    by_name = {group.name: group for one in offered for group in _asked_for(one, rule, offered)}
    return tuple(group for _, group in sorted(by_name.items()))


def near(series: SeriesRecord, others: Sequence[SeriesRecord], window: timedelta, zone: ZoneInfo) -> list[SeriesRecord]:
    """Those of `others` that can have a bearing on the groups of `series` and on what these displace.

    Undated series belong to those of their study.
    """
    dated = [(one, moment) for one in others if (moment := moment_of(one, zone))]
    study = series.study.study_instance_uid
    own = moment_of(series, zone)
    around = [own] if own else [moment for one, moment in dated if one.study.study_instance_uid == study]
    linked = [one for one, moment in dated if any(moment.gap(mine) <= REACH * window for mine in around)]
    studies = {study, *(one.study.study_instance_uid for one in linked)}
    known = {one.series_instance_uid for one, _ in dated}
    undated = [
        one for one in others if one.series_instance_uid not in known and one.study.study_instance_uid in studies
    ]
    return linked + undated


def why_apart(a: Member, b: Member, rule: RuleSettings) -> str:
    """Why the two cannot be in one plan of `rule`, or an empty text."""
    identity = patient_of_both(a.series, b.series)
    if identity.sameness is Sameness.DIFFERENT:
        return identity.reason
    if a.moment is None or b.moment is None:
        if a.series.study.study_instance_uid != b.series.study.study_instance_uid:
            return "one of them has no date, and they are not of one study"
    elif a.moment.gap(b.moment) > timedelta(hours=rule.window_hours):
        hours = a.moment.gap(b.moment) / timedelta(hours=1)
        return f"they were acquired {hours:.1f} h apart, the rule allows {rule.window_hours:g} h"
    return "" if _share_region(a, b) else "they show different parts of the body"


def is_certain(a: Member, b: Member) -> bool:
    """Whether the two certainly are of one patient."""
    return patient_of_both(a.series, b.series).sameness is Sameness.MATCH


def _share_region(a: Member, b: Member) -> bool:
    """By Body Part Examined, unless both are in one Frame of Reference, which says more."""
    frame = a.series.header.frame_of_reference_uid
    return (frame != "" and frame == b.series.header.frame_of_reference_uid) or compatible(a.regions, b.regions)


def _asked_for(one: Examination, rule: RuleSettings, offered: Sequence[Examination]) -> list[Group]:
    asked = []
    if one.modality == rule.fixed and (group := _around(one, rule, offered, {})):
        asked.append(group)
    if one.modality in rule.moving:
        for fixed in _partners(one, rule.fixed, rule, offered):
            if group := _around(fixed, rule, offered, {one.modality: one}):
                asked.append(group)
                break
    return asked


def _around(
    fixed: Examination, rule: RuleSettings, offered: Sequence[Examination], given: Mapping[str, Examination]
) -> Group | None:
    """The group of `fixed` with the moving examinations that are given and, for the other modalities, its best ones."""
    moving = []
    for modality in dict.fromkeys(rule.moving):
        best = given.get(modality) or next(iter(_partners(fixed, modality, rule, offered)), None)
        if best is None:
            return None
        moving.append(best)
    group = Group(rule.name, fixed, tuple(moving))
    return group if _says_body_part(group, rule) and _in_order(group) else None


def _partners(one: Examination, modality: str, rule: RuleSettings, offered: Sequence[Examination]) -> list[Examination]:
    """Examinations of `modality` that can go with `one`, the best first."""
    ranked = [
        (distance, other)
        for other in offered
        if other.modality == modality and other != one and (distance := _distance(one, other, rule)) is not None
    ]
    return [other for _, other in sorted(ranked, key=lambda entry: entry[0])]


def _distance(a: Examination, b: Examination, rule: RuleSettings) -> tuple[bool, bool, timedelta, str] | None:
    """By their best pair of members, so that whatever comes later makes no pair of examinations worse."""
    gaps = (
        (not is_certain(one, other), one.moment.gap(other.moment) if one.moment and other.moment else timedelta.max)
        for one in a.members
        for other in b.members
        if not why_apart(one, other, rule)
    )
    best = min(gaps, default=None)
    if best is None:
        return None
    return best[0], a.study_instance_uid != b.study_instance_uid, best[1], b.study_instance_uid


def _says_body_part(group: Group, rule: RuleSettings) -> bool:
    """A rule for a body part needs one series that names it; the others may be silent."""
    if not rule.body_part:
        return True
    wanted = regions_in(rule.body_part)
    return any(wanted & member.regions for one in group.examinations for member in one.members)


def _in_order(group: Group) -> bool:
    """Where fixed and moving are of one modality, the newer one is fixed, so that a pair is not fused both ways."""
    return all(_newest(one) <= _newest(group.fixed) for one in group.moving if one.modality == group.fixed.modality)


def _newest(one: Examination) -> tuple[bool, Moment | None, str]:
    newest = max((member.moment for member in one.members if member.moment), default=None)
    return newest is not None, newest, one.study_instance_uid
