"""What is open now: cases that a person must look at, series in quarantine, peers that take nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.notices import Matter
from storage.outbox import Outbox
from storage.records import CaseRecord, CaseState

from ..settings import NotifySettings

MOST_CASES = 1000
"""More open cases than this are not listed one by one; who has so many has been told."""

KINDS_OF_STATE = {
    CaseState.REVIEW: "review",
    CaseState.FAILED: "failed",
    CaseState.QUARANTINED: "quarantine",
}


def open_matters(
    cases: Cases, catalogue: Catalogue, outbox: Outbox, settings: NotifySettings, now: datetime
) -> tuple[Matter, ...]:
    """Everything that is open, the oldest first."""
    found = [
        *_of_cases(cases, settings, now),
        *_of_series(catalogue),
        *_of_peers(outbox, settings),
    ]
    return tuple(sorted(found, key=lambda matter: (matter.since, matter.kind, matter.subject)))


def _of_cases(cases: Cases, settings: NotifySettings, now: datetime) -> Iterator[Matter]:
    patience = timedelta(hours=settings.review_hours)
    for case in cases.list(MOST_CASES, tuple(KINDS_OF_STATE)):
        if case.state is not CaseState.REVIEW or case.updated_at <= now - patience:
            yield Matter(KINDS_OF_STATE[case.state], case.case_id, case.updated_at, _sentence(case))


def _sentence(case: CaseRecord) -> str:
    why = case.error.partition("\n")[0]
    if case.state is CaseState.REVIEW and case.result is not None:
        why = next((str(report["reasons"][0]) for report in case.result.reports if report["reasons"]), "")
    said = {
        CaseState.REVIEW: "waits for a person to judge its registration",
        CaseState.FAILED: "failed",
        CaseState.QUARANTINED: "waits because its patient is in doubt",
    }[case.state]
    modalities = " + ".join(choice.modality for choice in case.plan.moving)
    return f"case {case.case_id[:8]} ({case.plan.fixed.modality} with {modalities}) {said}{f': {why}' if why else ''}"


def _of_series(catalogue: Catalogue) -> Iterator[Matter]:
    for uid, reasons, since in catalogue.quarantine.list():
        yield Matter("quarantine", uid, since, f"series {uid} is in quarantine: {'; '.join(reasons)}")


def _of_peers(outbox: Outbox, settings: NotifySettings) -> Iterator[Matter]:
    for failing in outbox.failing(settings.peer_attempts):
        yield Matter(
            "peer",
            failing.destination,
            failing.since,
            f"the peer {failing.destination} does not take {failing.deliveries} series: {failing.last_error}",
        )
