"""Quiet series → complete → matched → cases: the timers, which only look at rows and write rows.

Whatever is due, and whatever was completed but not yet matched, stands in the catalogue; killed between any two steps,
the next run takes up where this one was. Matching again gives the same plans, and a plan has one case for ever.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from storage.cases import TRANSITIONS, Cases
from storage.catalogue import Catalogue
from storage.errors import UnknownRecordError
from storage.fetches import Fetches
from storage.records import CaseRecord, CaseState, FusionPlan, PartnerWanted, SeriesRecord

from .match import Completeness, Matching, Said, completeness, group_name, match, telling_birth_date
from .observe.metrics import SERIES_COMPLETED
from .receive.source_count import SourceCount
from .settings import Settings

log = structlog.get_logger()

ACTOR = "scheduler"
LONGEST_POLL_S = 1.0
RETRY_AFTER = timedelta(minutes=1)
"""When a series that could not be judged is tried again; the others go on meanwhile."""


class Scheduler:
    """Completes and matches series. One per node; `run_once` does one round with a clock of the caller's."""

    def __init__(self, settings: Settings, catalogue: Catalogue, cases: Cases, fetches: Fetches | None = None) -> None:
        """Without `fetches` nobody is asked for partners that have not come."""
        self._fetches = fetches
        self._settings = settings
        self._catalogue = catalogue
        self._cases = cases
        self._timers: Any = None
        # Only spares looking again too early; a restart loses nothing by forgetting it.
        self._not_before: dict[str, tuple[datetime, datetime]] = {}
        self._announced: dict[str, tuple[datetime, int]] = {}
        self._counts = SourceCount(settings)

    def start(self) -> None:
        """Look at the rows now and then every second, or oftener when the quiet time is short."""
        if self._timers is not None:
            return
        self._timers = BackgroundScheduler(timezone=UTC)
        self._timers.add_job(
            self._round,
            "interval",
            seconds=min(LONGEST_POLL_S, self._settings.matching.quiet_time_s / 4),
            next_run_time=datetime.now(UTC),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._timers.start()

    def stop(self) -> None:
        """Let the round that is running end, and start no other."""
        if self._timers is not None:
            self._timers.shutdown(wait=True)
            self._timers = None
        self._counts.close()

    def run_once(self, now: datetime) -> None:
        """Complete the series that are due at `now`, then match what is complete and was not matched yet."""
        self._complete_announced(now)
        for series in self._catalogue.due_series(now):
            self._guarded(self._complete, series, now)
        for series in self._catalogue.unmatched_series():
            self._guarded(self._match, series, now)

    def _round(self) -> None:
        try:
            self.run_once(datetime.now(UTC))
        except Exception as error:  # the timer must live on; what is due stays due
            log.exception("the ledger could not be looked at", action="scheduler_failed", error=str(error))

    def _guarded(self, step: Any, series: SeriesRecord, now: datetime) -> None:
        """Carry out `step` for one series so that its failure leaves the other series alone."""
        uid = series.series_instance_uid
        seen, until = self._not_before.get(uid, (None, now))
        if seen == series.last_received_at and now < until:
            return
        try:
            step(series, now)
        except Exception as error:  # one bad series must not stop the others
            self._not_before[uid] = (series.last_received_at, now + RETRY_AFTER)
            log.exception(
                "a series could not be judged and will be tried again",
                action="series_failed",
                series_instance_uid=uid,
                error=f"{type(error).__name__}: {error}",
            )

    def _complete_announced(self, now: datetime) -> None:
        """Judge at once, before their quiet time, series of which all is here that others say there is."""
        satisfied = self._catalogue.announcements.satisfied()
        self._announced = {uid: self._announced[uid] for uid, _ in satisfied if uid in self._announced}
        for uid, newest in satisfied:
            series = self._catalogue.series(uid)
            seen = (series.last_received_at, newest)
            if self._announced.get(uid) != seen:
                self._announced[uid] = seen
                self._not_before.pop(uid, None)
                self._guarded(self._complete, series, now)

    def _complete(self, series: SeriesRecord, now: datetime) -> None:
        uid, matching = series.series_instance_uid, self._settings.matching
        if series.due_at is not None and series.due_at <= now and self._counts.asks(series):
            return  # the answer is looked for in the next round
        announcements = self._catalogue.announcements.of_series(
            uid, series.study.study_instance_uid, series.header.modality
        )
        said = Said(announcements, self._counts.answer(series), matching.announced_wait_s)
        found = completeness(series, self._catalogue.instances(uid), matching.quiet_time_s, now, said)
        if not found.complete:
            self._not_before[uid] = (series.last_received_at, self._look_again_at(series, found, now))
            log.info(
                "a series seems incomplete and is waited for",
                action="series_waits",
                series_instance_uid=uid,
                evidence=list(found.evidence),
            )
            return
        if self._catalogue.complete_series(uid, found.evidence, series.last_received_at):
            self._not_before.pop(uid, None)
            SERIES_COMPLETED.inc()
            log.info(
                "a series is complete",
                action="series_completed",
                series_instance_uid=uid,
                modality=series.header.modality,
                evidence=list(found.evidence),
            )

    def _look_again_at(self, series: SeriesRecord, found: Completeness, now: datetime) -> datetime:
        """When the wait ends; sooner where somebody may say more meanwhile."""
        until = found.look_again_at or now
        if series.due_at is None or series.due_at > now:
            return now  # judged before its time: that stands
        self._counts.forget(series)
        return min(until, now + timedelta(seconds=self._settings.matching.quiet_time_s))

    def _match(self, series: SeriesRecord, now: datetime) -> None:
        uid = series.series_instance_uid
        candidates = {
            one.series_instance_uid: one
            for one in (
                *self._catalogue.series_of_patient_id(series.patient.patient_id),
                # Under another ID: a person decides whether it is the same patient.
                *self._catalogue.series_born_on(telling_birth_date(series.patient)),
            )
        }
        matching = match(series, tuple(candidates.values()), self._catalogue.instances, self._settings)
        self._let_give_way(matching)  # first: the new case says what it replaces
        for decision in matching.decisions:
            self._cases.succeed(decision.plan)
            cause = "; ".join((decision.cause, *self._brought(decision.plan)))
            case, is_new = self._cases.open(decision.plan, decision.patient_key, decision.state, cause, ACTOR)
            self._tell(case, is_new)
        if not matching.decisions:
            log.info(
                "a series matches nothing yet and is kept",
                action="series_unmatched",
                series_instance_uid=uid,
                reasons=list(matching.waiting),
            )
        self._want(matching.missing, now)
        self._catalogue.mark_matched(uid)
        self._not_before.pop(uid, None)

    def _want(self, missing: Sequence[PartnerWanted], now: datetime) -> None:
        """Note which partners are to be asked for, of whom the rules say; whoever fetches finds the rows."""
        if self._fetches is None:
            return
        sources = {rule.name: rule.prefetch_from for rule in self._settings.rules}
        at = now + timedelta(seconds=self._settings.prefetch.delay_s)
        for wanted in missing:
            for peer in sources[wanted.rule]:
                if self._fetches.want(wanted, peer, at):
                    log.info(
                        "a partner is missing and will be asked for",
                        action="partner_wanted",
                        rule=wanted.rule,
                        modality=wanted.modality,
                        peer=peer,
                        series_instance_uid=wanted.series_instance_uid,
                    )

    def _brought(self, plan: FusionPlan) -> list[str]:
        """Which series of the plan are here because they were asked for, and why."""
        if self._fetches is None:
            return []
        fetched = {uid: self._fetches.that_brought(uid) for uid in plan.series_instance_uids}
        return [
            f"series {uid} was fetched from {fetch.peer}: {fetch.reason}" for uid, fetch in fetched.items() if fetch
        ]

    def _let_give_way(self, matching: Matching) -> None:
        """Replace the cases of groups that have a newer plan now, and of groups that nothing asks for any more."""
        planned = {decision.plan.key for decision in matching.decisions}
        renewed = {group_name(decision.plan): decision.plan.key for decision in matching.decisions}
        rules = {rule.name for rule in self._settings.rules}
        cases = {case.case_id: case for uid in matching.touched for case in self._cases.of_series(uid)}
        for case in cases.values():
            name = group_name(case.plan)
            if case.plan.key in planned or case.plan.rule not in rules or not _can_give_way(case):
                continue
            if self._stands_instead(case, matching):
                continue
            if name in renewed:
                cause = "other series or instances serve better now"
            elif name not in matching.wanted:
                cause = "a better partner came"
            else:
                continue
            self._cases.replace(case.case_id, cause, ACTOR, by=renewed.get(name, ""))
            log.info("a case gave way", action="case_replaced", case_id=case.case_id, cause=cause)

    def _stands_instead(self, case: CaseRecord, matching: Matching) -> bool:
        """Whether a person has had these very instances run otherwise: what the rule planned was replaced by it."""
        return any(
            _same_inputs(case.plan, decision.plan) and self._was_replaced(decision.plan.key)
            for decision in matching.decisions
        )

    def _was_replaced(self, case_id: str) -> bool:
        try:
            return self._cases.get(case_id).state is CaseState.REPLACED
        except UnknownRecordError:
            return False

    def _tell(self, case: CaseRecord, is_new: bool) -> None:
        if is_new:
            log.info(
                "a case was opened",
                action="case_opened",
                case_id=case.case_id,
                rule=case.plan.rule,
                state=case.state.value,
                series_instance_uids=list(case.plan.series_instance_uids),
            )
        elif case.state is CaseState.REPLACED:
            log.warning(
                "a plan is wanted again whose case had given way; it stays replaced",
                action="case_stays_replaced",
                case_id=case.case_id,
            )


def _same_inputs(one: FusionPlan, other: FusionPlan) -> bool:
    return (one.rule, _instances(one)) == (other.rule, _instances(other))


def _instances(plan: FusionPlan) -> list[frozenset[str]]:
    return [frozenset(choice.sop_instance_uids) for choice in (plan.fixed, *plan.moving)]


def _can_give_way(case: CaseRecord) -> bool:
    return CaseState.REPLACED in TRANSITIONS[case.state]
