"""MPPS and instance availability as SCP: what modalities and archives say is kept as evidence (PS3.4 Annex F and R)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import InstanceAvailabilityNotification, ModalityPerformedProcedureStep

from storage.announcements import AnnouncementLog
from storage.errors import IllegalTransitionError, StorageError, UnknownRecordError
from storage.records import StepState

from ..errors import ReceiveError

SUCCESS = 0x0000
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_SOP_CLASS = 0x0118
MISSING_ATTRIBUTE = 0x0120
RESOURCE_LIMITATION = 0x0213
"""Statuses of N-CREATE and N-SET (PS3.7 Annex C)."""

MAY_NO_LONGER_BE_UPDATED = 0xA710
"""Error ID of a step that has ended (PS3.4 F.7.2.2.2)."""

NOT_TO_BE_HAD = "UNAVAILABLE"
"""Instance Availability of what will not come (PS3.3 C.4.23)."""

log = structlog.get_logger()


class _RefusedError(ReceiveError):
    """What was said cannot be taken, and the status that says why."""

    def __init__(self, status: int, comment: str, error_id: int | None = None) -> None:
        super().__init__(comment)
        self.status, self.comment, self.error_id = status, comment, error_id


def add_contexts(entity: AE) -> None:
    """Let peers say what they do and have."""
    entity.add_supported_context(ModalityPerformedProcedureStep)
    entity.add_supported_context(InstanceAvailabilityNotification)


def handlers(announcements: AnnouncementLog) -> list[tuple[Any, ...]]:
    """To be bound to a listening application entity."""
    return [(evt.EVT_N_CREATE, on_n_create, [announcements]), (evt.EVT_N_SET, on_n_set, [announcements])]


def on_n_create(event: evt.Event, announcements: AnnouncementLog) -> tuple[Dataset, Dataset]:
    """A step begins (PS3.4 F.7.2.1), or instances are available (R.3.2)."""
    request = event.request
    source = str(event.assoc.requestor.ae_title).strip()
    uid = str(request.AffectedSOPInstanceUID or generate_uid(prefix=None))

    def carry_out() -> None:
        said = _decoded(event, "attribute_list")
        if request.AffectedSOPClassUID == ModalityPerformedProcedureStep:
            _begin(announcements, uid, said, source)
        elif request.AffectedSOPClassUID == InstanceAvailabilityNotification:
            series = _available(said)
            announcements.available(uid, _text(said, "StudyInstanceUID"), series, source, datetime.now(UTC))
            log.info("instances are available", action="availability_noted", notice=uid, series=len(series))
        else:
            raise _RefusedError(NO_SUCH_SOP_CLASS, "this SOP class is not created here")

    named = Dataset()
    if not request.AffectedSOPInstanceUID:  # whoever leaves the name to us is told it (PS3.7 10.1.5.1.4)
        named.AffectedSOPInstanceUID = uid
    return _answered(carry_out), named


def on_n_set(event: evt.Event, announcements: AnnouncementLog) -> tuple[Dataset, Dataset | None]:
    """A step goes on or ends (PS3.4 F.7.2.2)."""
    uid = str(event.request.RequestedSOPInstanceUID)

    def carry_out() -> None:
        said = _decoded(event, "modification_list")
        state = _state(said) if "PerformedProcedureStepStatus" in said else None
        listed = _performed(said) if "PerformedSeriesSequence" in said else None
        if state is StepState.COMPLETED and not listed and not announcements.lists_series(uid):
            raise _RefusedError(MISSING_ATTRIBUTE, "a step that is completed lists its series")
        announcements.change_step(uid, state, listed, datetime.now(UTC))
        log.info("a procedure step goes on", action="step_changed", step=uid, state=state.value if state else "")

    return _answered(carry_out), None


def _begin(announcements: AnnouncementLog, uid: str, said: Dataset, source: str) -> None:
    if _state(said) is not StepState.IN_PROGRESS:
        raise _RefusedError(INVALID_ATTRIBUTE_VALUE, "a step begins IN PROGRESS")
    scheduled = said.get("ScheduledStepAttributesSequence") or []
    study = next((_text(item, "StudyInstanceUID") for item in scheduled if _text(item, "StudyInstanceUID")), "")
    if not study:
        raise _RefusedError(MISSING_ATTRIBUTE, "StudyInstanceUID of the scheduled step is absent")
    now = datetime.now(UTC)
    if not announcements.begin_step(uid, study, _text(said, "Modality"), source, now):
        raise _RefusedError(DUPLICATE_SOP_INSTANCE, "this step was begun before")
    if listed := _performed(said):
        announcements.change_step(uid, None, listed, now)
    log.info("a procedure step begins", action="step_begun", step=uid, study_instance_uid=study)


def _answered(carry_out: Any) -> Dataset:
    """Carry it out, and say what became of it."""
    answer = Dataset()
    answer.Status = SUCCESS
    try:
        carry_out()
    except _RefusedError as refusal:
        answer.Status, answer.ErrorComment = refusal.status, refusal.comment[:64]
        if refusal.error_id is not None:
            answer.ErrorID = refusal.error_id
    except UnknownRecordError:
        answer.Status, answer.ErrorComment = NO_SUCH_SOP_INSTANCE, "this step was not begun here"
    except IllegalTransitionError:
        answer.Status, answer.ErrorID = PROCESSING_FAILURE, MAY_NO_LONGER_BE_UPDATED
        answer.ErrorComment = "the step has ended and may no longer be updated"
    except StorageError as error:
        answer.Status = RESOURCE_LIMITATION if error.retry_helps else PROCESSING_FAILURE
    except Exception as error:  # noqa: BLE001 - the door: whatever happens, the peer gets an answer
        log.error("not taken, unforeseen", action="announcement_failed", error=type(error).__name__)  # noqa: TRY400
        answer.Status = PROCESSING_FAILURE
    if answer.Status != SUCCESS:
        log.warning("an announcement was not taken", action="announcement_refused", status=f"{answer.Status:04X}")
    return answer


def _decoded(event: evt.Event, name: str) -> Dataset:
    try:
        said: Dataset = getattr(event, name)
        said.decode()
    except Exception as error:
        raise _RefusedError(PROCESSING_FAILURE, "the data set cannot be read") from error
    return said


def _state(said: Dataset) -> StepState:
    try:
        return StepState(_text(said, "PerformedProcedureStepStatus"))
    except ValueError as error:
        raise _RefusedError(INVALID_ATTRIBUTE_VALUE, "PerformedProcedureStepStatus is none of the three") from error


def _performed(said: Dataset) -> dict[str, list[str]]:
    """SOP Instance UIDs, images or not, by Series Instance UID."""
    kinds = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
    return {
        _text(series, "SeriesInstanceUID"): [
            _text(item, "ReferencedSOPInstanceUID") for kind in kinds for item in series.get(kind) or []
        ]
        for series in said.get("PerformedSeriesSequence") or []
        if _text(series, "SeriesInstanceUID")
    }


def _available(said: Dataset) -> Mapping[str, list[str]]:
    """What can be had, by Series Instance UID."""
    if not _text(said, "StudyInstanceUID") or not said.get("ReferencedSeriesSequence"):
        raise _RefusedError(MISSING_ATTRIBUTE, "StudyInstanceUID or ReferencedSeriesSequence is absent")
    return {
        _text(series, "SeriesInstanceUID"): [
            _text(item, "ReferencedSOPInstanceUID")
            for item in series.get("ReferencedSOPSequence") or []
            if _text(item, "InstanceAvailability") != NOT_TO_BE_HAD
        ]
        for series in said.ReferencedSeriesSequence
        if _text(series, "SeriesInstanceUID")
    }


def _text(said: Dataset, keyword: str) -> str:
    return str(said.get(keyword) or "").strip()
