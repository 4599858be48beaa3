"""What a person approved is sent again on request, without being judged a second time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage

from dicomnode.send.outbox import Sender
from dicomnode.settings import PeerSettings, Settings
from dicomnode.worker import Worker
from storage.catalogue import Catalogue
from storage.records import CaseResult, CaseState, DerivedSeries, FusionPlan, Recipe, SeriesChoice
from tests.fixtures.deliveries import Ledger
from tests.fixtures.slices import write_slices
from tests.fixtures.small_pacs import SmallPacs


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def in_review(ledger: Ledger, series: DerivedSeries, *destinations: str) -> str:
    """A case whose result a person has to judge."""
    fixed = SeriesChoice("1.2.3.1", "1.2.3", "CT", "1.2.4", ("1.2.3.1.1",))
    moving = SeriesChoice("1.2.5.1", "1.2.3", "PT", "1.2.4", ("1.2.5.1.1",))
    plan = FusionPlan(fixed, (moving,), Recipe("default"), "a rule", "1.2.3", destinations)
    case, _ = ledger.cases.open(plan, "patient", CaseState.QUEUED, "matched", "test")
    claim = ledger.cases.claim("worker", 60, later(0))
    assert claim is not None
    ledger.cases.record_result(claim, CaseResult("review", (), (series,)), CaseState.REVIEW, "doubtful", ())
    return case.case_id


def worker(ledger: Ledger, settings: Settings) -> Worker:
    return Worker(settings, ledger.cases, Catalogue(ledger.database), ledger.store, "worker", "cpu")


def test_an_approved_case_is_sent_again_without_a_second_approval(
    ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
) -> None:
    small_pacs.start([CTImageStorage])
    settings = Settings(peers={"pacs": small_pacs.peer()})
    sender = Sender(settings, ledger.outbox, ledger.store)
    series = ledger.derived(write_slices(tmp_path / "series", 2))
    case = in_review(ledger, series, "pacs")
    ledger.cases.approve(case, [("pacs", series)], "jane", "it fits")
    sender.run_once(later(1))
    assert ledger.state(case) is CaseState.DELIVERED
    first = dict(small_pacs.stored)
    small_pacs.stored.clear()

    ledger.cases.retry(case, "john", "the archive lost it")
    assert worker(ledger, settings).run_once()
    assert ledger.state(case) is CaseState.DELIVERING
    assert "approved before by jane" in ledger.cases.events(case)[-1].cause
    sender.run_once(later(1))
    assert ledger.state(case) is CaseState.DELIVERED
    assert {uid: arrival.dataset for uid, arrival in small_pacs.stored.items()} == {
        uid: arrival.dataset for uid, arrival in first.items()
    }


def test_an_approved_case_without_destinations_is_delivered_again(ledger: Ledger, tmp_path: Path) -> None:
    case = in_review(ledger, ledger.derived(write_slices(tmp_path / "series", 1)))
    ledger.cases.approve(case, (), "jane", "it fits")
    ledger.cases.retry(case, "john", "once more")
    assert worker(ledger, Settings()).run_once()
    assert ledger.state(case) is CaseState.DELIVERED


@pytest.mark.parametrize("review", ["hold", "send_flagged"])
def test_a_case_that_nobody_approved_waits_unless_the_settings_say_otherwise(
    ledger: Ledger, tmp_path: Path, review: str
) -> None:
    settings = Settings(
        peers={"pacs": PeerSettings(ae_title="PACS")},
        workers={"review": review},  # type: ignore[arg-type]
    )
    case = in_review(ledger, ledger.derived(write_slices(tmp_path / "series", 1)), "pacs")
    ledger.cases.retry(case, "john", "once more")
    assert worker(ledger, settings).run_once()
    assert ledger.state(case) is (CaseState.REVIEW if review == "hold" else CaseState.DELIVERING)
