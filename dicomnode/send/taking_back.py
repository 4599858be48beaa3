"""Results that were taken back: every peer that may have them gets a note, and deletes them where it can be asked to.

Whoever withdraws or replaces a case only writes its row; what follows from that is done here, by the sender, so that it
happens once and also after a crash.
"""

import structlog
from pydicom import dcmread

from storage.objects import ObjectStore
from storage.outbox import Outbox
from storage.records import Delivery, DerivedInstance, DerivedSeries, NoteDue, StoredObject

from ..settings import PeerSettings, Settings
from .deletion import DELETIONS
from .rejection_note import KEY_OBJECT_SELECTION, KIND, file_bytes, rejection_note

log = structlog.get_logger()


class TakingBack:
    """What the sender asks in each round, and after each note that a peer took."""

    def __init__(self, settings: Settings, outbox: Outbox, store: ObjectStore) -> None:
        self._settings = settings
        self._outbox = outbox
        self._store = store

    def write_notes(self) -> None:
        """Put the notes that are due on their way."""
        for due in self._outbox.notes_due():
            destinations = [name for name in due.destinations if self._wants_notes(name)]
            note = self._note(due) if destinations else None
            self._outbox.announce(due.case_id, note, destinations)
            log.info(
                "results are taken back",
                action="results_taken_back",
                case_id=due.case_id,
                state=due.state.value,
                reason=due.rejection.name.lower(),
                destinations=destinations,
            )

    def delete(self, note: Delivery, peer: PeerSettings) -> str:
        """Have the peer delete what the note is about; what it said against it, or "". Raises `PeerError`."""
        delete = DELETIONS[peer.delete]
        series = [
            one.series
            for one in self._outbox.of_case(note.case_id)
            if not one.is_note and one.destination == note.destination
        ]
        refusals = [refusal for one in series if (refusal := delete(peer, one))]
        return "; ".join(dict.fromkeys(refusals))

    def _wants_notes(self, destination: str) -> bool:
        peer = self._settings.peers.get(destination)
        return peer is not None and peer.rejection_notes

    def _note(self, due: NoteDue) -> DerivedSeries | None:
        """The note, durable; None when not one of the results is left to say of whom they are."""
        for instance in (instance for one in due.series for instance in one.instances):
            try:
                note = rejection_note(due, dcmread(self._store.path(instance.stored.digest), stop_before_pixels=True))
                file = file_bytes(note)
            except Exception as error:  # noqa: BLE001 - one damaged result must not keep every delivery waiting
                log.warning("a result cannot be read", action="result_unreadable", error=type(error).__name__)
                continue
            return _series(note, self._store.put(file))
        log.error("no result is left to make a note of", action="note_impossible", case_id=due.case_id)
        return None


def _series(note: object, stored: StoredObject) -> DerivedSeries:
    said = {name: str(getattr(note, name)) for name in ("SeriesInstanceUID", "StudyInstanceUID", "SeriesDescription")}
    instance = DerivedInstance(str(note.SOPInstanceUID), KEY_OBJECT_SELECTION, "1.2.840.10008.1.2.1", stored)  # type: ignore[attr-defined]
    return DerivedSeries(
        KIND, said["SeriesInstanceUID"], said["StudyInstanceUID"], "KO", said["SeriesDescription"], (instance,)
    )
