"""Judges a pair that a person chose on the command line: refuses two patients, warns of what no rule would choose."""

from zoneinfo import ZoneInfo

from storage.records import SeriesRecord

from ..errors import DifferentPatientsError
from .attenuation import Attenuation, attenuation_of
from .frame_of_reference import shared_frame
from .identity import Sameness, normalised_id, same_patient
from .regions import compatible, regions_of
from .serving import obstacle


def check_pair(
    fixed: SeriesRecord,
    moving: SeriesRecord,
    *,
    allow_different_patients: bool = False,
    time_zone: str = "UTC",
) -> tuple[str, ...]:
    """Warnings about the pair, each a sentence.

    Raises `DifferentPatientsError` when the headers contradict each other about the patient, unless that is allowed.
    Missing identifiers (files without an ID) are a warning only.
    """
    warnings = [_check_patient(fixed, moving, allow_different_patients)]
    for role, series in (("fixed", fixed), ("moving", moving)):
        if reason := obstacle(series):
            warnings.append(f"no rule would choose the {role} series: {reason}")
        if series.header.modality in {"PT", "NM"}:
            verdict = attenuation_of(series.header)
            if verdict.state is Attenuation.NOT_CORRECTED:
                warnings.append(f"the {role} series is {verdict.state}: {verdict.evidence}")
    if fixed.series_instance_uid == moving.series_instance_uid:
        warnings.append("fixed and moving are the same series")
    if not compatible(regions_of(fixed.header), regions_of(moving.header)):
        warnings.append(
            f"the body parts differ: {fixed.header.body_part} (fixed) and {moving.header.body_part} (moving)"
        )
    frame = shared_frame(fixed, moving, ZoneInfo(time_zone))
    same_uid = fixed.header.frame_of_reference_uid == moving.header.frame_of_reference_uid != ""
    if same_uid and not frame.identity_is_default:
        warnings.append(frame.reason)
    return tuple(warning for warning in warnings if warning)


def _check_patient(fixed: SeriesRecord, moving: SeriesRecord, allowed: bool) -> str:
    verdict = same_patient(fixed.patient, moving.patient)
    if verdict.sameness is Sameness.MATCH:
        return ""
    has_ids = bool(normalised_id(fixed.patient) and normalised_id(moving.patient))
    contradicted = bool(verdict.disagreeing) or (verdict.sameness is Sameness.DIFFERENT and has_ids)
    if contradicted and not allowed:
        raise DifferentPatientsError(
            f"the series are not of one patient: {verdict.reason}. "
            "If you know better, say so with --allow-different-patients"
        )
    return f"the patient is not certain: {verdict.reason}"
