"""The sender over a real ledger, real files and real sockets, with a PACS in this process."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_context, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from structlog.testing import capture_logs

from dicomnode.errors import SettingsError
from dicomnode.observe.audit_trail import AuditTrail
from dicomnode.send.outbox import Sender
from dicomnode.send.storage_commitment import add_contexts, handlers
from dicomnode.settings import AuditSettings, NodeSettings, PeerSettings, SendingSettings, Settings
from storage.records import CaseState, DeliveryState
from tests.fixtures.deliveries import Ledger
from tests.fixtures.orthanc import free_port
from tests.fixtures.slices import write_slices
from tests.fixtures.small_pacs import HANG_UP, Arrival, SmallPacs

PATIENCE = SendingSettings(poll_s=0.05, first_retry_s=10, longest_retry_s=100, max_attempts=3)


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def sender(ledger: Ledger, max_attempts: int = 100, **peers: PeerSettings) -> Sender:
    return Sender(
        Settings(
            node=NodeSettings(ae_title="NODE", dimse_timeout_s=5, acse_timeout_s=5),
            peers=peers,
            sending=SendingSettings(poll_s=0.05, first_retry_s=10, longest_retry_s=100, max_attempts=max_attempts),
        ),
        ledger.outbox,
        ledger.store,
    )


def uids(files: list[Path]) -> list[str]:
    return [str(dcmread(path).SOPInstanceUID) for path in files]


def test_a_due_series_arrives_and_the_case_is_delivered(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    files = write_slices(tmp_path / "series")
    case = ledger.deliver(files, "pacs")
    assert ledger.state(case) is CaseState.DELIVERING
    assert sender(ledger, pacs=small_pacs.peer()).run_once(later(1)) == 1
    assert list(small_pacs.stored) == uids(files)
    assert ledger.state(case) is CaseState.DELIVERED
    assert ledger.delivery(case).state is DeliveryState.DONE


def test_what_goes_out_is_accounted_for(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.answer = lambda _: 0 if len(small_pacs.stored) < 2 else 0xA700
    small_pacs.start([CTImageStorage])
    file = tmp_path / "audit.log"
    settings = Settings(peers={"pacs": small_pacs.peer()}, audit=AuditSettings(file=str(file)))
    trail = AuditTrail(settings)
    ledger.deliver(write_slices(tmp_path / "series", 3), "pacs")
    Sender(settings, ledger.outbox, ledger.store, trail).run_once(later(1))
    trail.stopped()
    told = [fromstring(line.split(" ", 2)[2]) for line in file.read_text(encoding="utf-8").splitlines()]
    events = [str(one.find("EventIdentification/EventID").get("csd-code")) for one in told]  # type: ignore[union-attr]
    assert events == ["110102", "110104", "110100"]  # begun, transferred, and the node stops
    counts = [one.find(".//SOPClass").get("NumberOfInstances") for one in told[:2]]  # type: ignore[union-attr]
    assert counts == ["3", "2"]  # the third was refused
    assert told[0].findall("ParticipantObjectIdentification")[1].get("ParticipantObjectID") == "P1"


def test_nothing_due_is_nothing_done(ledger: Ledger, small_pacs: SmallPacs) -> None:
    assert sender(ledger, pacs=small_pacs.peer()).run_once(later(1)) == 0


def test_a_pacs_that_is_down_is_asked_ever_less(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.port = free_port()
    case = ledger.deliver(write_slices(tmp_path / "a", 2), "pacs")
    one = sender(ledger, pacs=small_pacs.peer())
    waits = []
    now = later(1)
    for failures in range(6):
        assert one.run_once(now) == 1
        assert one.run_once(now) == 0
        delivery = ledger.delivery(case)
        assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, failures + 1)
        assert "SMALLPACS" in delivery.last_error
        assert delivery.next_attempt_at is not None
        waits.append((delivery.next_attempt_at - now).total_seconds())
        now = delivery.next_attempt_at + timedelta(seconds=1)
    assert waits == pytest.approx([10, 20, 40, 80, 100, 100], abs=2)
    small_pacs.start([CTImageStorage])
    assert one.run_once(now) == 1
    assert ledger.state(case) is CaseState.DELIVERED


def test_a_pacs_that_is_down_for_a_while_loses_nothing(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.port = free_port()
    cases = [ledger.deliver(write_slices(tmp_path / str(n), 2), "pacs", case=str(n)) for n in range(3)]
    one = sender(ledger, pacs=small_pacs.peer())
    now = later(1)
    for _ in range(3):
        assert one.run_once(now) == 1
        assert one.run_once(now) == 0  # the others wait as well: nobody is there
        now += timedelta(seconds=11)
    # Each round began with what had failed least.
    assert [ledger.delivery(case).attempts for case in cases] == [1, 1, 1]
    small_pacs.start([CTImageStorage])
    one.run_once(now + timedelta(seconds=11))
    assert [ledger.state(case) for case in cases] == [CaseState.DELIVERED] * 3
    assert len(small_pacs.stored) == 6


def test_what_comes_after_a_long_outage_waits_a_minute_at_most(
    ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
) -> None:
    small_pacs.port = free_port()
    ledger.deliver(write_slices(tmp_path / "old", 1), "pacs", case="1")
    one = Sender(
        Settings(peers={"pacs": small_pacs.peer()}, sending=SendingSettings(first_retry_s=600)),
        ledger.outbox,
        ledger.store,
    )
    now = later(1)
    for _ in range(8):
        one.run_once(now)
        now += timedelta(hours=2)
    small_pacs.start([CTImageStorage])
    new = ledger.deliver(write_slices(tmp_path / "new", 1), "pacs", case="2")
    one.run_once(now + timedelta(seconds=61) - timedelta(hours=2))
    assert ledger.state(new) is CaseState.DELIVERED


def test_a_series_over_which_the_pacs_hangs_up_holds_up_no_other(
    ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
) -> None:
    poison = write_slices(tmp_path / "poison", 3)
    poisonous = set(uids(poison))
    small_pacs.answer = lambda arrival: HANG_UP if arrival.sop_instance_uid in poisonous else 0
    small_pacs.start([CTImageStorage])
    bad = ledger.deliver(poison, "pacs", case="1")
    one = sender(ledger, max_attempts=4, pacs=small_pacs.peer())
    now = later(1)
    for number in range(2, 7):
        good = ledger.deliver(write_slices(tmp_path / str(number), 1), "pacs", case=str(number))
        one.run_once(now)
        assert ledger.state(good) is CaseState.DELIVERED
        now += timedelta(hours=1)
    delivery = ledger.delivery(bad)
    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, 4)
    assert "without an answer" in delivery.last_error


def test_a_pacs_that_dies_of_one_series_gets_the_others(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    poison = write_slices(tmp_path / "poison", 3)

    def answer(arrival: Arrival) -> int:
        if arrival.sop_instance_uid not in uids(poison):
            return 0
        small_pacs.answers_echo = False  # it comes back, but not at once
        return HANG_UP

    small_pacs.answer = answer
    small_pacs.start([CTImageStorage])
    bad = ledger.deliver(poison, "pacs", case="1")
    good = ledger.deliver(write_slices(tmp_path / "good", 2), "pacs", case="2")
    one = sender(ledger, pacs=small_pacs.peer())
    now = later(1)
    one.run_once(now)
    assert ledger.state(good) is CaseState.DELIVERING
    one.run_once(now + timedelta(seconds=12))
    assert ledger.state(good) is CaseState.DELIVERED
    assert ledger.state(bad) is CaseState.DELIVERING


def test_series_of_one_destination_keep_their_order(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    series = [write_slices(tmp_path / str(number), 2) for number in range(4)]
    for number, files in enumerate(series):
        ledger.deliver(files, "pacs", case=str(number))
    sender(ledger, pacs=small_pacs.peer()).run_once(later(1))
    assert [arrival.sop_instance_uid for arrival in small_pacs.arrivals] == [
        uid for files in series for uid in uids(files)
    ]


def test_a_dead_peer_blocks_no_other(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    dead = PeerSettings(ae_title="DEAD", port=free_port())
    for number in range(12):  # more than one batch waits for the dead one
        ledger.deliver(write_slices(tmp_path / str(number), 1), "dead", case=str(number))
    living = ledger.deliver(write_slices(tmp_path / "living", 1), "pacs", case="100")
    one = sender(ledger, dead=dead, pacs=small_pacs.peer())
    one.run_once(later(1))
    one.run_once(later(1))
    assert ledger.state(living) is CaseState.DELIVERED


def test_a_slow_peer_blocks_no_other(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    go_on = threading.Event()
    small_pacs.answer = lambda _: 0 if go_on.wait(20) else 0xA700
    small_pacs.start([CTImageStorage])
    quick = SmallPacs("QUICKPACS")
    quick.start([CTImageStorage])
    slow_case = ledger.deliver(write_slices(tmp_path / "slow", 1), "slow", case="1")
    quick_case = ledger.deliver(write_slices(tmp_path / "quick", 1), "quick", case="2")
    one = sender(ledger, slow=small_pacs.peer(), quick=quick.peer())
    one.start()
    try:
        wait_until(lambda: ledger.state(quick_case) is CaseState.DELIVERED)
        assert ledger.state(slow_case) is CaseState.DELIVERING
        go_on.set()
        wait_until(lambda: ledger.state(slow_case) is CaseState.DELIVERED)
    finally:
        go_on.set()
        one.stop()
        quick.stop()


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_one_refused_instance_is_named_and_alone_tried_again(
    ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
) -> None:
    files = write_slices(tmp_path / "series")
    bad = uids(files)[2]
    small_pacs.answer = lambda arrival: 0xA700 if arrival.sop_instance_uid == bad else 0
    small_pacs.start([CTImageStorage])
    case = ledger.deliver(files, "pacs")
    one = sender(ledger, pacs=small_pacs.peer())
    one.run_once(later(1))
    delivery = ledger.delivery(case)
    assert delivery.state is DeliveryState.PENDING
    assert list(delivery.refused) == [bad]
    assert "0xA700" in delivery.refused[bad]
    assert len(small_pacs.stored) == 4
    small_pacs.arrivals.clear()
    small_pacs.answer = lambda _: 0
    one.run_once(later(30))
    assert [arrival.sop_instance_uid for arrival in small_pacs.arrivals] == [bad]
    assert ledger.state(case) is CaseState.DELIVERED
    assert ledger.delivery(case).refused == {}


def test_a_refusal_for_good_ends_with_a_person(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    files = write_slices(tmp_path / "series")
    bad = uids(files)[0]
    small_pacs.answer = lambda arrival: 0xC000 if arrival.sop_instance_uid == bad else 0
    small_pacs.start([CTImageStorage])
    case = ledger.deliver(files, "pacs")
    other = ledger.deliver(write_slices(tmp_path / "other", 2), "pacs", case="2")
    one = sender(ledger, max_attempts=3, pacs=small_pacs.peer())
    for day in range(5):
        one.run_once(later(1 + 86400 * day))
    delivery = ledger.delivery(case)
    assert delivery.state is DeliveryState.FAILED
    assert "0xC000" in delivery.refused[bad]
    assert sum(arrival.sop_instance_uid == bad for arrival in small_pacs.arrivals) == 3
    assert ledger.state(case) is CaseState.DELIVERING
    assert ledger.state(other) is CaseState.DELIVERED
    # A person retries; then it goes as a whole again.
    small_pacs.answer = lambda _: 0
    ledger.cases.retry(case, "a person", "the PACS was repaired")
    one.run_once(later(1))
    assert ledger.state(case) is CaseState.DELIVERED


def test_a_pacs_that_dies_half_way_gets_the_rest_later(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.answer = lambda _: HANG_UP if len(small_pacs.arrivals) > 2 else 0
    small_pacs.start([CTImageStorage])
    files = write_slices(tmp_path / "series")
    case = ledger.deliver(files, "pacs")
    one = sender(ledger, pacs=small_pacs.peer())
    one.run_once(later(1))
    assert ledger.delivery(case).state is DeliveryState.PENDING
    assert len(small_pacs.stored) == 2
    small_pacs.answer = lambda _: 0
    one.run_once(later(60))
    assert sorted(small_pacs.stored) == sorted(uids(files))
    assert ledger.state(case) is CaseState.DELIVERED


def test_a_destination_that_is_gone_from_the_settings_fails_clearly(ledger: Ledger, tmp_path: Path) -> None:
    case = ledger.deliver(write_slices(tmp_path / "series", 1), "old")
    sender(ledger, new=PeerSettings(ae_title="NEW")).run_once(later(1))
    delivery = ledger.delivery(case)
    assert delivery.state is DeliveryState.FAILED
    assert "'old'" in delivery.last_error
    assert "new" in delivery.last_error


def test_damaged_bytes_are_never_sent(ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    files = write_slices(tmp_path / "series", 3)
    case = ledger.deliver(files, "pacs")
    damaged = ledger.delivery(case).series.instances[1]
    path = ledger.store.path(damaged.stored.digest)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-2] + b"xx")
    sender(ledger, pacs=small_pacs.peer()).run_once(later(1))
    delivery = ledger.delivery(case)
    assert list(delivery.refused) == [damaged.sop_instance_uid]
    assert "damaged" in delivery.refused[damaged.sop_instance_uid]
    assert len(small_pacs.stored) == 2


def test_a_stopped_sender_leaves_the_rest_for_the_next_start(
    ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def answer(_: object) -> int:
        reached.set()
        go_on.wait(10)
        return 0

    small_pacs.answer = answer
    small_pacs.start([CTImageStorage])
    files = write_slices(tmp_path / "series")
    case = ledger.deliver(files, "pacs")
    one = sender(ledger, pacs=small_pacs.peer())
    one.start()
    assert reached.wait(10)
    stopping = threading.Thread(target=one.stop)
    stopping.start()
    time.sleep(0.2)
    go_on.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert len(small_pacs.stored) < 5
    assert ledger.delivery(case).attempts == 0
    sender(ledger, pacs=small_pacs.peer()).run_once(later(1))
    assert ledger.state(case) is CaseState.DELIVERED
    assert sorted(small_pacs.stored) == sorted(uids(files))


def test_a_case_that_is_withdrawn_while_it_is_sent_goes_no_further(
    ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
) -> None:
    series = [write_slices(tmp_path / name, 3) for name in "abc"]
    case = ledger.deliver_all(series, "pacs", case="1")
    other_files = write_slices(tmp_path / "other", 1)
    other = ledger.deliver(other_files, "pacs", case="2")

    def answer(_: Arrival) -> int:
        if len(small_pacs.arrivals) == 2:
            ledger.cases.withdraw(case, "a person", "wrong patient")
        return 0

    small_pacs.answer = answer
    small_pacs.start([CTImageStorage])
    one = sender(ledger, pacs=small_pacs.peer())
    one.run_once(later(1))
    one.run_once(later(3600))
    assert list(small_pacs.stored) == [*uids(series[0])[:2], *uids(other_files)]
    assert ledger.state(case) is CaseState.WITHDRAWN
    deliveries = ledger.outbox.of_case(case)
    assert {delivery.state for delivery in deliveries if not delivery.is_note} == {DeliveryState.FAILED}
    assert [delivery.destination for delivery in deliveries if delivery.is_note] == ["pacs"], "it has some, and is told"
    assert ledger.state(other) is CaseState.DELIVERED


def test_a_wrong_syntax_in_the_settings_is_named_at_the_start(ledger: Ledger) -> None:
    with pytest.raises(SettingsError, match="'JPEG-LS'"):
        sender(ledger, pacs=PeerSettings(ae_title="PACS", transfer_syntaxes=("JPEG-LS",)))


class TestLedgerAway:
    """What the sender does while the ledger refuses to be written, as a full or broken disk does."""

    def test_it_is_logged_and_the_sender_goes_on_by_itself(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.start([CTImageStorage])
        case = ledger.deliver(write_slices(tmp_path / "series", 2), "pacs")
        one = Sender(
            Settings(
                peers={"pacs": small_pacs.peer()},
                sending=SendingSettings(poll_s=0.05, first_retry_s=0.5, longest_retry_s=1),
            ),
            ledger.outbox,
            ledger.store,
        )
        with capture_logs() as logs:
            with unwritable_deliveries(ledger):
                one.start()
                wait_until(lambda: any(entry["action"] == "destination_held" for entry in logs))
                time.sleep(0.3)
                assert len(small_pacs.arrivals) == 2  # held: what cannot be noted is not sent over and over
            try:
                wait_until(lambda: ledger.state(case) is CaseState.DELIVERED)
            finally:
                one.stop()
        (held, *_) = (entry for entry in logs if entry["action"] == "destination_held")
        assert held["destination"] == "pacs"

    @pytest.mark.parametrize("reason", ["peer gone", "peer down", "refused"])
    def test_a_handler_that_cannot_note_is_logged(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path, reason: str
    ) -> None:
        small_pacs.answer = lambda _: 0xA700
        small_pacs.start([CTImageStorage])
        peer = small_pacs.peer()
        if reason == "peer down":
            small_pacs.stop()
        case = ledger.deliver(write_slices(tmp_path / "series", 1), "old" if reason == "peer gone" else "pacs")
        one = sender(ledger, pacs=peer)
        with capture_logs() as logs, unwritable_deliveries(ledger):
            assert one.run_once(later(1)) == 1
            assert one.run_once(later(2)) == 0
        assert [entry["action"] for entry in logs][-1] == "destination_held"
        assert one.run_once(later(20)) == 1
        assert ledger.delivery(case).last_error != ""

    def test_an_answer_that_the_ledger_does_not_take_holds_up_no_other_series(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        bad_files = write_slices(tmp_path / "bad", 1)
        small_pacs.answer = lambda arrival: 0xA700 if arrival.sop_instance_uid in uids(bad_files) else 0
        small_pacs.start([CTImageStorage])
        bad = ledger.deliver(bad_files, "pacs", case="1")
        good = ledger.deliver(write_slices(tmp_path / "good", 1), "pacs", case="2")
        with unwritable_deliveries(ledger, "NEW.last_error LIKE '%instances refused'"):
            sender(ledger, pacs=small_pacs.peer()).run_once(later(1))
        assert ledger.state(good) is CaseState.DELIVERED
        delivery = ledger.delivery(bad)
        assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 1)
        assert "refused a row" in delivery.last_error


@contextmanager
def unwritable_deliveries(ledger: Ledger, when: str = "TRUE") -> Iterator[None]:
    """No delivery can be changed meanwhile, or not to such; everything can be read."""
    refusal = f"BEFORE UPDATE ON deliveries WHEN {when} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    with ledger.database.connection() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER broken {refusal}")
    try:
        yield
    finally:
        with ledger.database.connection() as connection:
            connection.exec_driver_sql("DROP TRIGGER broken")


class TestCommitment:
    """Our side of storage commitment, with reports that this test sends as the PACS."""

    def test_nothing_is_delivered_before_the_report(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.start([CTImageStorage])
        files = write_slices(tmp_path / "series", 3)
        case = ledger.deliver(files, "pacs")
        sender(ledger, pacs=small_pacs.peer(storage_commitment=True)).run_once(later(1))
        (asked,) = small_pacs.commitment_requests
        assert [item.ReferencedSOPInstanceUID for item in asked.ReferencedSOPSequence] == uids(files)
        assert {item.ReferencedSOPClassUID for item in asked.ReferencedSOPSequence} == {CTImageStorage}
        delivery = ledger.delivery(case)
        assert delivery.state is DeliveryState.SENT
        assert delivery.commitment_uid == asked.TransactionUID
        assert ledger.state(case) is CaseState.DELIVERING
        assert report(ledger, delivery.commitment_uid, 1) == 0x0000
        assert ledger.delivery(case).state is DeliveryState.COMMITTED
        assert ledger.state(case) is CaseState.DELIVERED

    def test_what_the_peer_does_not_hold_goes_again(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.start([CTImageStorage])
        files = write_slices(tmp_path / "series", 3)
        case = ledger.deliver(files, "pacs")
        one = sender(ledger, pacs=small_pacs.peer(storage_commitment=True))
        one.run_once(later(1))
        missing = uids(files)[1]
        small_pacs.arrivals.clear()
        assert report(ledger, ledger.delivery(case).commitment_uid, 2, missing) == 0x0000
        delivery = ledger.delivery(case)
        assert delivery.state is DeliveryState.PENDING
        assert "0x0112" in delivery.refused[missing]
        one.run_once(later(60))
        assert [arrival.sop_instance_uid for arrival in small_pacs.arrivals] == [missing]
        # The new request is for the whole series under a new transaction.
        first, second = small_pacs.commitment_requests
        assert first.TransactionUID != second.TransactionUID
        assert len(second.ReferencedSOPSequence) == 3

    def test_an_overdue_commitment_is_asked_for_again_without_sending(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.start([CTImageStorage])
        case = ledger.deliver(write_slices(tmp_path / "series", 3), "pacs")
        one = sender(ledger, pacs=small_pacs.peer(storage_commitment=True, commitment_timeout_s=30))
        one.run_once(later(1))
        assert one.run_once(later(10)) == 0
        first = ledger.delivery(case).commitment_uid
        assert one.run_once(later(40)) == 1
        assert len(small_pacs.arrivals) == 3
        assert len(small_pacs.commitment_requests) == 2
        second = ledger.delivery(case).commitment_uid
        assert report(ledger, first, 1) == 0x0115  # the earlier one no longer counts
        assert report(ledger, second, 1) == 0x0000
        assert ledger.state(case) is CaseState.DELIVERED

    def test_a_peer_that_refuses_to_commit_is_asked_again_and_the_reason_shown(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.commitment_status = 0x0110
        small_pacs.start([CTImageStorage])
        case = ledger.deliver(write_slices(tmp_path / "series", 1), "pacs")
        one = sender(ledger, pacs=small_pacs.peer(storage_commitment=True, commitment_timeout_s=30))
        one.run_once(later(1))
        delivery = ledger.delivery(case)
        assert delivery.state is DeliveryState.SENT
        assert "0x0110" in delivery.last_error
        small_pacs.commitment_status = 0
        one.run_once(later(200))
        assert report(ledger, ledger.delivery(case).commitment_uid, 1) == 0x0000
        assert ledger.state(case) is CaseState.DELIVERED

    def test_a_pacs_that_refuses_to_commit_gets_every_series(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.commitment_status = 0x0110
        small_pacs.start([CTImageStorage])
        one = sender(ledger, pacs=small_pacs.peer(storage_commitment=True, commitment_timeout_s=30))
        cases, now = [], later(1)
        for number in range(6):
            files = write_slices(tmp_path / str(number), 1)
            cases.append(ledger.deliver(files, "pacs", case=str(number)))
            one.run_once(now)
            assert uids(files)[0] in small_pacs.stored
            now += timedelta(seconds=60)
        assert ledger.delivery(cases[-1]).attempts == 1  # the sending and its request are one
        assert "0x0110" in ledger.delivery(cases[-1]).last_error
        # What is due for sending comes before what is overdue.
        small_pacs.events.clear()
        ledger.deliver(write_slices(tmp_path / "last", 1), "pacs", case="100")
        one.run_once(now + timedelta(hours=1))
        assert small_pacs.events[0] == "store"
        assert small_pacs.events[1:] == ["commit"] * 7
        assert len(small_pacs.stored) == 7

    def test_a_pacs_without_the_service_is_asked_once_a_round(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.commitment_status = HANG_UP
        small_pacs.start([CTImageStorage])
        cases = [ledger.deliver(write_slices(tmp_path / str(n), 1), "pacs", case=str(n)) for n in range(4)]
        one = sender(ledger, pacs=small_pacs.peer(storage_commitment=True))
        one.run_once(later(1))
        assert len(small_pacs.stored) == 4
        assert small_pacs.events.count("commit") == 1
        assert [ledger.delivery(case).attempts for case in cases] == [1] * 4
        assert all("request" in ledger.delivery(case).last_error for case in cases)
        small_pacs.commitment_status = 0
        one.run_once(later(1000))
        assert small_pacs.events.count("commit") == 5
        assert len(small_pacs.stored) == len(small_pacs.arrivals) == 4

    def test_a_report_on_the_same_association_counts(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.reports_at_once = True
        small_pacs.start([CTImageStorage])
        case = ledger.deliver(write_slices(tmp_path / "series", 2), "pacs")
        sender(ledger, pacs=small_pacs.peer(storage_commitment=True)).run_once(later(1))
        wait_until(lambda: bool(small_pacs.report_statuses))
        assert small_pacs.report_statuses == [0x0000]
        assert ledger.state(case) is CaseState.DELIVERED

    @pytest.mark.parametrize("event_type", [1, 2])
    def test_what_a_report_does_not_name_is_not_committed(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path, event_type: int
    ) -> None:
        small_pacs.start([CTImageStorage])
        files = write_slices(tmp_path / "series", 3)
        case = ledger.deliver(files, "pacs")
        sender(ledger, pacs=small_pacs.peer(storage_commitment=True)).run_once(later(1))
        unnamed = uids(files)[2]
        assert report(ledger, ledger.delivery(case).commitment_uid, event_type, silent_on=[unnamed]) == 0x0000
        delivery = ledger.delivery(case)
        assert delivery.state is DeliveryState.PENDING
        assert list(delivery.refused) == [unnamed]
        assert "does not name it" in delivery.refused[unnamed]
        assert ledger.state(case) is CaseState.DELIVERING

    def test_a_peer_that_always_lacks_something_ends_with_a_person(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.start([CTImageStorage])
        files = write_slices(tmp_path / "series", 2)
        case = ledger.deliver(files, "pacs")
        one = sender(ledger, max_attempts=PATIENCE.max_attempts, pacs=small_pacs.peer(storage_commitment=True))
        waits = []
        for attempt in range(1, 4):
            one.run_once(later(86400 * attempt))
            assert ledger.delivery(case).attempts == attempt
            assert report(ledger, ledger.delivery(case).commitment_uid, 2, uids(files)[0]) == 0x0000
            delivery = ledger.delivery(case)
            if delivery.next_attempt_at is not None:
                waits.append((delivery.next_attempt_at - datetime.now(UTC)).total_seconds())
        assert waits == pytest.approx([30, 60], abs=3)
        assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, 3)
        assert list(delivery.refused) == [uids(files)[0]]
        assert one.run_once(later(86400 * 9)) == 0
        assert ledger.state(case) is CaseState.DELIVERING

    def test_a_peer_that_never_reports_ends_with_a_person(
        self, ledger: Ledger, small_pacs: SmallPacs, tmp_path: Path
    ) -> None:
        small_pacs.start([CTImageStorage])
        case = ledger.deliver(write_slices(tmp_path / "series", 2), "pacs")
        one = sender(ledger, max_attempts=3, pacs=small_pacs.peer(storage_commitment=True))
        for day in range(5):
            one.run_once(later(1 + 86400 * day))
        delivery = ledger.delivery(case)
        assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, 3)
        assert "never reported" in delivery.last_error
        assert len(small_pacs.commitment_requests) == 3
        assert len(small_pacs.arrivals) == 2

    def test_strange_reports_get_the_right_status(self, ledger: Ledger) -> None:
        assert report(ledger, "1.2.3.4", 1) == 0x0115
        assert report(ledger, "", 1) == 0x0115
        assert report(ledger, "1.2.3.4", 9) == 0x0113


def report(ledger: Ledger, commitment_uid: str, event_type: int, *failed: str, silent_on: Sequence[str] = ()) -> int:
    """The status that our acceptor answers to an N-EVENT-REPORT of a PACS that opens its own association.

    The report names what it was asked for as held, but for `failed`, which are failures, and `silent_on`.
    """
    node = AE("NODE")
    add_contexts(node)
    server = node.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers(ledger.outbox, PATIENCE))
    try:
        pacs = AE("PACS")
        association = pacs.associate(
            "127.0.0.1",
            server.server_address[1],
            contexts=[build_context(StorageCommitmentPushModel)],
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
        )
        assert association.is_established
        information = Dataset()
        if commitment_uid:
            information.TransactionUID = commitment_uid
        asked = ledger.outbox.asked(commitment_uid)
        instances = asked.series.instances if asked else ()
        information.ReferencedSOPSequence = [
            _reference(instance.sop_instance_uid)
            for instance in instances
            if instance.sop_instance_uid not in {*failed, *silent_on}
        ]
        if failed:
            information.FailedSOPSequence = [_failure(uid) for uid in failed]
        status, _ = association.send_n_event_report(
            information, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        association.release()
        return int(status.Status)
    finally:
        server.shutdown()


def _failure(uid: str) -> Dataset:
    item = _reference(uid)
    item.FailureReason = 0x0112
    return item


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = uid
    return item
