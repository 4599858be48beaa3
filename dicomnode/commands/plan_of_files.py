"""A plan of series that a person named on the command line: used as named, with a warning where no rule would."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from storage.records import (
    FusionPlan,
    InstanceRecord,
    ReceivedInstance,
    Recipe,
    SeriesChoice,
    SeriesRecord,
    SeriesState,
    StoredObject,
)

from ..errors import SettingsError
from ..load import LoadedInput
from ..match.check import check_pair
from ..match.frame_of_reference import shared_frame
from ..receive.framing import frame
from ..receive.header import Header
from ..receive.instance_record import instance_record
from ..settings import Settings

NAMED = "named on the command line"


def plan_of_files(
    inputs: Sequence[LoadedInput], recipe: Recipe, settings: Settings, *, allow_different_patients: bool
) -> tuple[FusionPlan, tuple[str, ...]]:
    """The plan of fixed and moving inputs, and warnings.

    Raises `DifferentPatientsError` unless that is allowed, and `SettingsError` for inputs of one series.
    """
    zone = ZoneInfo(settings.node.time_zone)
    fixed, *movings = (_series_record(each, settings) for each in inputs)
    _refuse_one_series_twice((fixed, *movings))
    warnings: list[str] = []
    choices, defaults = [], []
    for each, moving in zip(inputs[1:], movings, strict=True):
        sentences = check_pair(
            fixed, moving, allow_different_patients=allow_different_patients, time_zone=settings.node.time_zone
        )
        warnings.extend(f"{each.name}: {sentence}" for sentence in sentences)
        shared = shared_frame(fixed, moving, zone)
        defaults.append(shared.identity_is_default)
        choices.append(_choice(each, moving, (NAMED, shared.reason)))
    plan = FusionPlan(
        fixed=_choice(inputs[0], fixed, (NAMED,)),
        moving=tuple(choices),
        recipe=recipe,
        rule="command line",
        file_in_study_uid=fixed.study.study_instance_uid,
        identity_is_default=tuple(defaults),
        reasons=("filed in the study of the fixed series", *warnings),
        content_digest=_content_digest(inputs),
    )
    return plan, tuple(warnings)


def _refuse_one_series_twice(series: Sequence[SeriesRecord]) -> None:
    """A plan knows its series by their UIDs: under one UID it would take the voxels of one input for those of all."""
    names = ("the fixed input", *(f"moving input {number}" for number in range(1, len(series))))
    seen: dict[str, str] = {}
    for name, each in zip(names, series, strict=True):
        uid = each.series_instance_uid
        if uid in seen:
            raise SettingsError(
                f"{seen[uid]} and {name} are the same series ({uid}): name two series, "
                "or give one a Series Instance UID of its own"
            )
        seen[uid] = name


def _content_digest(inputs: Sequence[LoadedInput]) -> str:
    """SHA-256 over what the volumes are: files keep their UIDs when somebody changes them."""
    digest = hashlib.sha256()
    for each in inputs:
        volume = each.volume
        meaning = (volume.unit, volume.modality, volume.inverted_display, volume.grid.frame_of_reference_uid)
        digest.update(repr((volume.grid.shape, meaning, volume.valid is None)).encode())
        digest.update(volume.grid.affine.tobytes())
        digest.update(volume.voxels.numpy().tobytes())
        if volume.valid is not None:
            digest.update(volume.valid.numpy().tobytes())
    return digest.hexdigest()


def _choice(loaded: LoadedInput, record: SeriesRecord, reasons: tuple[str, ...]) -> SeriesChoice:
    return SeriesChoice(
        series_instance_uid=record.series_instance_uid,
        study_instance_uid=record.study.study_instance_uid,
        modality=record.header.modality,
        frame_of_reference_uid=record.header.frame_of_reference_uid,
        sop_instance_uids=tuple(str(header.SOPInstanceUID) for header in loaded.headers),
        description=record.header.description,
        reasons=reasons,
    )


def _series_record(loaded: LoadedInput, settings: Settings) -> SeriesRecord:
    """The record that receiving the first instance would have made."""
    instance = _instance_record(loaded.headers[0], settings)
    return SeriesRecord(
        header=instance.series,
        study=instance.study,
        patient=instance.patient,
        source_ae_title="",
        state=SeriesState.COMPLETE,
        instance_count=len(loaded.headers),
        first_received_at=instance.received_at,
        last_received_at=instance.received_at,
        evidence=(NAMED,),
    )


def _instance_record(dataset: Dataset, settings: Settings) -> InstanceRecord:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    received = ReceivedInstance(
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        dataset=buffer.getvalue(),
        calling_ae_title="",
        called_ae_title="",
        peer_address="",
        received_at=datetime.now(UTC),
    )
    framing = frame(received.dataset, explicit=True, little_endian=True, deflated=False)
    return instance_record(
        received,
        Header(framing.body, explicit=True, little_endian=True),
        framing,
        StoredObject("", len(received.dataset)),
        domain=settings.node.patient_id_domain,
        local=ZoneInfo(settings.node.time_zone),
    )
