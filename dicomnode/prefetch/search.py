"""Which series at a peer could be the missing partner, and why not the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.records import Fetch, FetchSeries, PatientIdentity

from ..settings import PeerSettings, PrefetchSettings

Ask = Callable[[str, Mapping[str, str]], list[dict[str, str]]]
"""A query of a peer at the level STUDY or SERIES."""

IsSame = Callable[[PatientIdentity, PatientIdentity], str]
"""Why two identities are not certainly one patient; empty when they are."""

WILDCARDS = frozenset("*?\\")
"""A Patient ID with one of these asks for others as well (PS3.4 C.2.2.2.4)."""

DAY = timedelta(days=1)
OWN_MARK = "NOT FOR DIAGNOSTIC USE"
"""In the description of everything that such a node makes, also of one that has lost its ledger."""

STUDY_KEYS = (
    "StudyInstanceUID",
    "StudyTime",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "IssuerOfPatientID",
    "NumberOfStudyRelatedInstances",
)
SERIES_KEYS = ("SeriesInstanceUID", "SeriesDescription", "NumberOfSeriesRelatedInstances")


@dataclass(frozen=True, slots=True)
class Found:
    """The series that could serve, the nearest study first, and why others could not."""

    series: tuple[FetchSeries, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """Asks one peer. `domain` issued its Patient IDs where it names no issuer; `made_here` knows our own series."""

    peer: PeerSettings
    limits: PrefetchSettings
    domain: str
    ask: Ask
    is_same: IsSame
    made_here: Callable[[str], bool]

    def __call__(self, fetch: Fetch, now: datetime) -> Found:
        """What `peer` holds of the patient, in the time and of the modality that are wanted. Raises `PeerError`."""
        if WILDCARDS & set(fetch.patient.patient_id):
            return Found((), ("the patient ID has signs that stand for others in a query",))
        oldest = max(fetch.earliest, now - timedelta(days=self.limits.max_age_days))
        if oldest > fetch.latest:
            return Found((), (f"what is wanted is older than prefetch.max_age_days, {self.limits.max_age_days}",))
        studies = self.ask(
            "STUDY",
            {
                "PatientID": fetch.patient.patient_id,
                # A day more on each side: the peer writes its own local dates.
                "StudyDate": f"{oldest - DAY:%Y%m%d}-{fetch.latest + DAY:%Y%m%d}",
                "ModalitiesInStudy": fetch.modality,
                **dict.fromkeys(STUDY_KEYS, ""),
            },
        )
        reasons: list[str] = []
        confirmed = [study for study in studies if self._is_confirmed(study, fetch, reasons)]
        middle = fetch.earliest + (fetch.latest - fetch.earliest) / 2
        confirmed.sort(key=lambda study: (_days_apart(study, middle), study["StudyInstanceUID"]))
        series: list[FetchSeries] = []
        for study in confirmed[: self.limits.max_studies]:
            series += self._series(study["StudyInstanceUID"], fetch, reasons)
        if len(confirmed) > self.limits.max_studies:
            reasons.append(f"{len(confirmed)} studies match, prefetch.max_studies is {self.limits.max_studies}")
        return Found(tuple(series), tuple(reasons))

    def _is_confirmed(self, study: Mapping[str, str], fetch: Fetch, reasons: list[str]) -> bool:
        """Whether it certainly is the patient's, and has the modality: some peers match neither."""
        uid = study.get("StudyInstanceUID", "")
        if not uid:
            return False
        modalities = study.get("ModalitiesInStudy", "")
        if modalities and fetch.modality not in modalities.split("\\"):
            return False
        there = PatientIdentity(
            patient_id=study.get("PatientID", ""),
            issuer=study.get("IssuerOfPatientID", "") or self.domain,
            name=study.get("PatientName", ""),
            birth_date=study.get("PatientBirthDate", ""),
            sex=study.get("PatientSex", ""),
        )
        why_not = self.is_same(fetch.patient, there)
        if why_not:
            reasons.append(f"not study {uid}: {why_not}")
        return not why_not

    def _series(self, study_instance_uid: str, fetch: Fetch, reasons: list[str]) -> list[FetchSeries]:
        keys = {"StudyInstanceUID": study_instance_uid, "Modality": fetch.modality, **dict.fromkeys(SERIES_KEYS, "")}
        found = []
        for one in self.ask("SERIES", keys):
            uid = one.get("SeriesInstanceUID", "")
            if not uid or one.get("Modality", fetch.modality) != fetch.modality:
                continue
            if self.made_here(uid) or OWN_MARK in one.get("SeriesDescription", "").upper():
                reasons.append(f"not series {uid}: this node made it")
                continue
            found.append(FetchSeries(study_instance_uid, uid, _number(one.get("NumberOfSeriesRelatedInstances", ""))))
        instances = sum(one.instances for one in found)
        if instances > self.limits.max_instances:
            reasons.append(
                f"not study {study_instance_uid}: {instances} instances, prefetch.max_instances is "
                f"{self.limits.max_instances}"
            )
            return []
        return found


def _days_apart(study: Mapping[str, str], moment: datetime) -> int:
    date = study.get("StudyDate", "").replace(".", "").replace("-", "")[:8]
    try:
        return abs(datetime.strptime(date, "%Y%m%d").date() - moment.date()).days  # noqa: DTZ007 - only the date
    except ValueError:
        return 1 << 20


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() else 0
