"""Says whether a PET or SPECT series was corrected for attenuation.

Description, Units and CorrectedImage are read together: ATTN in CorrectedImage proves nothing, because scanners copy
it to the uncorrected reconstruction.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from storage.records import SeriesHeader

from .headers import spoken, text, texts


class Attenuation(StrEnum):
    """In the order in which they serve."""

    CORRECTED = "attenuation-corrected"
    UNKNOWN = "not known to be attenuation-corrected"
    NOT_CORRECTED = "not attenuation-corrected"


@dataclass(frozen=True, slots=True)
class AttenuationVerdict:
    """The answer, and what told."""

    state: Attenuation
    evidence: str


NOT_CORRECTED = re.compile(
    r" (?:\w*NAC|\w*NOAC|NO ?AC|NON ?AC|NC|IRNC\w*|UNCORR\w*|(?:NOT|NON|NO|W ?O|WITHOUT|SANS|OHNE|NICHT) "
    r"(?:CORR\w*|KORR\w*|AC|ATT\w*|CTAC|SCHWÄCHUNG\w*)|UNKORR\w*|NON CORRIG\w*|AC (?:OFF|NO|NONE)) "
)
CORRECTED = re.compile(r" (?:AC|\w*CTAC|\w*MRAC|AC\dD\w*|IRAC\w*|ATT\w* ?CORR\w*|CORRECTED|KORRIGIERT|CORRIG\w*) ")
"""What people write, on the form that `headers.words` gives."""

QUANTITATIVE_UNITS = frozenset({"BQML", "GML", "CM2ML", "G/ML", "SUV", "MLMING", "UMOLMINML", "MLMINML"})
"""Concentrations and what is computed from them, which mean little without the correction (PS3.3 C.8.9.1.1.3)."""


def attenuation_of(header: SeriesHeader) -> AttenuationVerdict:
    """Whether the PET or NM series of `header` was corrected for attenuation."""
    said = spoken(header)
    if hit := NOT_CORRECTED.search(said):
        return AttenuationVerdict(Attenuation.NOT_CORRECTED, f"the description says {hit.group().strip()}")
    method = text(header, "AttenuationCorrectionMethod")
    if method in {"NONE", "NO", "OFF"}:
        return AttenuationVerdict(Attenuation.NOT_CORRECTED, f"Attenuation Correction Method says {method}")
    if hit := CORRECTED.search(said):
        return AttenuationVerdict(Attenuation.CORRECTED, f"the description says {hit.group().strip()}")
    return _by_elements(header, bool(method))


def _by_elements(header: SeriesHeader, has_method: bool) -> AttenuationVerdict:
    corrections, units = texts(header, "CorrectedImage"), text(header, "Units")
    quantitative = units in QUANTITATIVE_UNITS
    if "ATTN" in corrections and (quantitative or has_method):
        beside = f"Units are {units}" if quantitative else "a method is named"
        return AttenuationVerdict(Attenuation.CORRECTED, f"Corrected Image lists ATTN and {beside}")
    if "ATTN" in corrections:
        return AttenuationVerdict(Attenuation.UNKNOWN, "Corrected Image lists ATTN, which alone proves nothing")
    if corrections:
        return AttenuationVerdict(Attenuation.NOT_CORRECTED, "Corrected Image does not list ATTN")
    return AttenuationVerdict(Attenuation.UNKNOWN, "neither Corrected Image nor the description tells")
