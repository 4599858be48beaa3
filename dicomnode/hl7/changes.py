"""ADT messages carried out on the ledger; what follows for cases and their results is the ledger's business."""

from collections.abc import Callable, Iterator

import structlog

from storage.catalogue import Catalogue
from storage.records import PatientIdentity, SeriesRecord

from ..match.identity import same_patient
from .messages import MERGE, MOVE, UPDATE, Adt

log = structlog.get_logger(__name__)

AdmissionId = Callable[[SeriesRecord], str]
"""Reads Admission ID (0038,0010) from the images of a series."""


class Changes:
    """Applies what was said. The same message again changes nothing more."""

    def __init__(self, catalogue: Catalogue, admission_id: AdmissionId) -> None:
        self._catalogue = catalogue
        self._admission_id = admission_id

    def __call__(self, adt: Adt) -> int:
        """Carry out one message; how many series it changed. Raises `StorageError`."""
        changed = {UPDATE: self._update, MERGE: self._merge, MOVE: self._move}[adt.event](adt)
        log.info("an ADT message was applied", action="adt_applied", trigger=adt.event, series=changed)
        return changed

    def _update(self, adt: Adt) -> int:
        """Only what disagrees is corrected: the spelling of a name must not withdraw what was delivered."""
        held = list(self._held(adt.patient))
        if all(not same_patient(series.patient, adt.patient).disagreeing for series in held):
            return 0
        return len(self._catalogue.identities.update(adt.patient, _actor(adt), _cause(adt)).series_instance_uids)

    def _merge(self, adt: Adt) -> int:
        prior = adt.prior or adt.patient
        if (prior.issuer, prior.patient_id) == (adt.patient.issuer, adt.patient.patient_id):
            return 0
        return len(self._catalogue.identities.merge(prior, adt.patient, _actor(adt), _cause(adt)).series_instance_uids)

    def _move(self, adt: Adt) -> int:
        """The studies of the former patient whose accession number or admission is the account."""
        studies = {
            series.study.study_instance_uid
            for series in self._held(adt.prior or adt.patient)
            if adt.account in (series.study.accession_number, self._admission_id(series))
        }
        moved = [
            self._catalogue.identities.move(study, adt.patient, _actor(adt), _cause(adt)) for study in sorted(studies)
        ]
        return sum(len(each.series_instance_uids) for each in moved)

    def _held(self, patient: PatientIdentity) -> Iterator[SeriesRecord]:
        for series in self._catalogue.series_of_patient_id(patient.patient_id):
            if series.patient.issuer == patient.issuer:
                yield series


def _actor(adt: Adt) -> str:
    return f"HL7 {adt.sender}".strip()


def _cause(adt: Adt) -> str:
    return f"ADT {adt.event}, message {adt.control_id}"
