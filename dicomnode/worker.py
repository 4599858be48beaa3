"""A worker: claim a case, carry out its plan, record the result.

The ledger is the truth. A worker that dies leaves a lease that lapses, and the next one starts over; a result that is
recorded is never computed again, so that what was sent under a UID stays what it was.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import structlog

from fusion import FusionError
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import CorruptObjectError, StaleClaimError, StorageError
from storage.objects import ObjectStore
from storage.records import (
    CaseEvent,
    CaseResult,
    CaseState,
    Claim,
    DerivedInstance,
    DerivedSeries,
    InstanceRecord,
    ReviewVolume,
    SeriesChoice,
)

from . import pipeline
from .encode import EncodedSeries, Equipment, file_bytes
from .errors import LoadError, NodeError
from .load import LoadedSeries, load_series, with_patient
from .observe.logs import account
from .send.deliveries import deliveries_of
from .settings import OWN_MANUFACTURER, OWN_MODEL_NAME, Settings

log = structlog.get_logger(__name__)

STATE_OF_VERDICT: Mapping[str, CaseState] = {
    "accept": CaseState.ACCEPTED,
    "review": CaseState.REVIEW,
    "reject": CaseState.REJECTED,
}


class Worker:
    """Runs cases of the ledger, one at a time."""

    def __init__(
        self, settings: Settings, cases: Cases, catalogue: Catalogue, store: ObjectStore, name: str, device: str
    ) -> None:
        self._settings = settings
        self._cases = cases
        self._catalogue = catalogue
        self._store = store
        self._name = name
        self._device = device

    def run(self, stop: threading.Event) -> None:
        """Run cases until `stop` is set."""
        while not stop.is_set():
            if not self.run_once():
                stop.wait(self._settings.workers.poll_s)

    def run_once(self) -> bool:
        """Claim and run one case; False when there was none."""
        try:
            claim = self._cases.claim(self._name, self._settings.workers.lease_s, datetime.now(UTC))
        except StorageError as error:
            log.warning("the ledger did not answer", action="claim_failed", error=str(error))
            return False
        if claim is None:
            return False
        with structlog.contextvars.bound_contextvars(case_id=claim.case.case_id), self._lease(claim):
            self._run(claim)
        return True

    def _run(self, claim: Claim) -> None:
        if claim.case.attempts > self._settings.workers.max_attempts:
            error = NodeError(f"given up after {claim.case.attempts - 1} attempts that ended with their worker")
            self._fail(claim, error, retry_helps=False)
            return
        try:
            result = claim.case.result or self._carry_out(claim)
            self._record(claim, result)
        except StaleClaimError:
            log.warning("another worker took the case over", action="case_fenced")
        except (LoadError, FusionError) as error:
            self._fail(claim, error, retry_helps=False)
        except Exception as error:  # noqa: BLE001 - the worker outlives whatever a case does
            log.error(  # noqa: TRY400 - a traceback with locals would print headers
                "the case ended in an error", action="case_error", **account(error)
            )
            retry_helps = error.retry_helps if isinstance(error, NodeError | StorageError) else True
            self._fail(claim, error, retry_helps=retry_helps)

    def _carry_out(self, claim: Claim) -> CaseResult:
        plan = claim.case.plan
        started = time.perf_counter()
        log.info("a case begins", action="case_started", attempt=claim.case.attempts, rule=plan.rule)
        outcome = pipeline.carry_out(
            plan,
            self._open,
            equipment_of(self._settings),
            created_at=datetime.now(UTC),
            device=self._device,
            progress=lambda step: self._tell(claim, step),
            replaces=self._cases.predecessor(plan.key),
            for_review=self._settings.workers.review_volumes,
        )
        derived = tuple(self._keep(series) for series in outcome.derived)
        seconds = time.perf_counter() - started
        log.info("a case is computed", action="case_computed", verdict=outcome.verdict, seconds=round(seconds, 2))
        reports = tuple(
            {
                "series_instance_uid": choice.series_instance_uid,
                **pipeline.report_values(pair.registration, pair.report),
            }
            for pair, choice in zip(outcome.pairs, plan.moving, strict=True)
        )
        review = tuple(
            ReviewVolume(volume.position, volume.kind, self._store.put(volume.data)) for volume in outcome.review
        )
        return CaseResult(outcome.verdict.value, reports, derived, review)

    def _tell(self, claim: Claim, step: str) -> None:
        log.info("the case goes on", action="case_step", step=step)
        with contextlib.suppress(StorageError):  # nobody watches then
            self._cases.at_step(claim, step)

    def _open(self, choice: SeriesChoice) -> LoadedSeries:
        """The instances that the plan was made of; what arrived later belongs to another plan.

        Raises `CorruptObjectError` naming the instance whose bytes are not those that were received.
        """
        wanted = set(choice.sop_instance_uids)
        instances = self._catalogue.instances(choice.series_instance_uid)
        loaded = load_series([self._verified(each) for each in instances if each.sop_instance_uid in wanted])
        series = self._catalogue.series(choice.series_instance_uid)
        if not series.corrected:
            return loaded
        return replace(loaded, headers=with_patient(loaded.headers, series.patient))

    def _verified(self, instance: InstanceRecord) -> Path:
        if not self._store.verify(instance.stored.digest):
            raise CorruptObjectError(
                f"the instance {instance.sop_instance_uid} is damaged on disk (object {instance.stored.digest}); "
                "restore the object from a backup, then retry the case"
            )
        return self._store.path(instance.stored.digest)

    def _keep(self, series: EncodedSeries) -> DerivedSeries:
        """Write every object of `series` to the store, durably, before the ledger names it."""
        instances = tuple(
            DerivedInstance(
                sop_instance_uid=str(instance.SOPInstanceUID),
                sop_class_uid=str(instance.SOPClassUID),
                transfer_syntax_uid=str(instance.file_meta.TransferSyntaxUID),
                stored=self._store.put(file_bytes(instance)),
            )
            for instance in series.instances
        )
        return DerivedSeries(
            series.kind,
            series.series_instance_uid,
            series.study_instance_uid,
            series.modality,
            series.description,
            instances,
        )

    def _record(self, claim: Claim, result: CaseResult) -> None:
        state = STATE_OF_VERDICT[result.verdict]
        first_reasons = "; ".join(str(report["reasons"][0]) for report in result.reports if report["reasons"])
        cause = f"verdict {result.verdict}: {first_reasons}"
        if state is CaseState.REVIEW and (approval := self._approval(claim)) is not None:
            # The result is the one that was approved: a person who wants it sent again need not judge it again.
            state, cause = CaseState.ACCEPTED, f"{cause}; approved before by {approval.actor}"
        held = state is CaseState.REVIEW and self._settings.workers.review == "hold"
        deliveries = () if held else deliveries_of(claim.case.plan, result, self._settings)
        self._cases.record_result(claim, result, state, cause, deliveries)

    def _approval(self, claim: Claim) -> CaseEvent | None:
        """How a stored result of this case came out of review, if it did."""
        if claim.case.result is None:
            return None
        onwards = (CaseState.DELIVERING, CaseState.DELIVERED)
        events = self._cases.events(claim.case.case_id)
        return next((each for each in events if each.from_state is CaseState.REVIEW and each.to_state in onwards), None)

    def _fail(self, claim: Claim, error: Exception, *, retry_helps: bool) -> None:
        workers = self._settings.workers
        again = retry_helps and claim.case.attempts < workers.max_attempts
        retry_at = datetime.now(UTC) + timedelta(seconds=workers.retry_delay_s) if again else None
        try:
            self._cases.fail(claim, f"{type(error).__name__}: {error}", retry_at)
        except StaleClaimError:
            log.warning("another worker took the case over", action="case_fenced")
        except StorageError as unrecorded:
            # The lease lapses, and the case is taken up again when the ledger is back.
            log.warning("a failure could not be recorded", action="case_unrecorded", error=str(unrecorded))
        else:
            log.warning("a case failed", action="case_failed", error_type=type(error).__name__, retried=again)

    @contextlib.contextmanager
    def _lease(self, claim: Claim) -> Iterator[None]:
        """Renew the lease in the background while the case runs."""
        done = threading.Event()

        def renew() -> None:
            lease_s = self._settings.workers.lease_s
            while not done.wait(lease_s / 3):
                with contextlib.suppress(StorageError):
                    self._cases.renew(claim.case.case_id, claim.token, lease_s, datetime.now(UTC))

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def equipment_of(settings: Settings) -> Equipment:
    """Who the derived objects say has made them."""
    return Equipment(
        manufacturer=OWN_MANUFACTURER,
        model_name=OWN_MODEL_NAME,
        software_versions=version("dicomnode"),
        device_serial_number=settings.node.device_serial_number,
        station_name=settings.node.station_name,
        institution_name=settings.node.institution_name,
    )
