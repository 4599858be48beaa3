"""Tells MR series apart by their sequence.

What people wrote in the description is asked first, because vendors' parameters do not tell a subtraction or a
diffusion map from what it was made of; the sequence parameters answer where nobody wrote anything.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from storage.records import SeriesHeader

from .headers import number, spoken, text, texts, words


class SequenceKind(StrEnum):
    """What an MR series shows. In the order in which they serve for fusion: sharp anatomy first."""

    T1_CONTRAST = "T1 after contrast"
    T1 = "T1"
    T2 = "T2"
    FLAIR = "FLAIR"
    PD = "proton density"
    STIR = "STIR"
    UNKNOWN = "unknown sequence"
    T2_STAR = "T2*"
    DYNAMIC = "dynamic"
    DIFFUSION = "diffusion"
    EPI = "echo-planar"
    PARAMETER_MAP = "parameter map"
    ANGIOGRAPHY = "angiography"
    SUBTRACTION = "subtraction"
    LOCALISER = "localiser"


@dataclass(frozen=True, slots=True)
class Sequence:
    """The kind, and what told."""

    kind: SequenceKind
    evidence: str


LOCALISER_WORDS = (
    r"LOC|LOCA\w*|\w*SCOUT\w*|SURVEY|PILOT|3 ?PL|3 ?PLANE\w*|TRI ?PLAN\w*|CALIB\w*|ASSET ?CAL\w*|SHIM\w*|B0 ?MAP"
)
SUBTRACTION_WORDS = r"SUB|SUBS|SUBT\w*|SUBTR\w*|SUBTRA\w*|SUBTRAKTION"
PLAIN_WORDS = r"PRE|NATIV|NATIVE|UNENHANCED|NON ?CONTRAST|NO ?CONTRAST|WITHOUT|W ?O|OHNE|SANS|NONCON|PLAIN"
CONTRAST_WORDS = r"POST\w*|GD|GAD|GADO\w*|KM|CE|\+ ?C|C ?\+|\+ ?GD|\+ ?KM|CONTRAST|\+ ?CONTRAST|KONTRAST\w*|ENHANCED"

DESCRIBED: tuple[tuple[SequenceKind, str], ...] = (
    (SequenceKind.LOCALISER, LOCALISER_WORDS),
    (SequenceKind.SUBTRACTION, SUBTRACTION_WORDS),
    (
        SequenceKind.PARAMETER_MAP,
        r"[ED]?ADC|APPARENT DIFF\w*|COL ?FA|FRACTIONAL ANIS\w*|R?CB[VF]|MTT|TTP|K ?TRANS|T[12] ?MAPS?|FIELD ?MAPS?",
    ),
    (SequenceKind.DIFFUSION, r"DWI?\w*|DTI\w*|DIFF\w*|TRACEW?|B ?\d{2,4}|RESOLVE|HARDI|IVIM"),
    (SequenceKind.DYNAMIC, r"DYN\w*|DCE|DSC|PERF\w*|TWIST|TRICKS|KEYHOLE|4D\w*|CINE|MULTI ?PHASE|\d+ ?PHASES?"),
    (SequenceKind.EPI, r"EPI|EP2D\w*|BOLD|FMRI|RESTING|ASL|\w*PCASL"),
    (SequenceKind.ANGIOGRAPHY, r"TOF|MRA|MRV|ANGIO\w*|PCA|VENO\w*|INHANCE"),
    (SequenceKind.FLAIR, r"(?<!T1 )\w*FLAIR\w*|DARK ?FLUID|TIRM DARK ?FL\w*"),
    (SequenceKind.STIR, r"STIR|TIRM|T2 ?TIRM"),
    (SequenceKind.T2_STAR, r"SWI|SWAN|T2 ?STAR|T2S|HEMO|VENBOLD|MEDIC|MERGE|MFFE|GRE T2"),
    (SequenceKind.T1, r"T1(?!\d)\w*|\w*MPRAGE\w*|MP ?RAGE|BRAVO|F?SPGR|VIBE|LAVA\w*|THRIVE|TFL|MP2RAGE|\w*FLASH\w*"),
    (SequenceKind.T2, r"T2(?!\d)\w*|CISS|FIESTA\w*|TRUFI|B?FFE|HASTE|SSFSE|FRFSE|CUBE T2"),
    (SequenceKind.PD, r"PD\w*|PROTON\w*|DENSITY"),
)
"""In the order in which they are asked: the more special before the more general."""

PATTERNS = {kind: re.compile(rf" (?:{pattern}) ") for kind, pattern in DESCRIBED}
"""On the form that `headers.words` gives, so a blank at each end of a word is there."""

SHORT_ECHO_MS, LONG_ECHO_MS = 30, 70
SHORT_REPETITION_MS, LONG_REPETITION_MS = 1000, 1800
"""The usual borders of T1, proton density and T2 weighting for spin echo at 1 to 3 T."""

STIR_INVERSION_MS = (80, 300)
FLAIR_INVERSION_MS = 1300
"""Inversion times that null fat, and from where on water is nulled."""

IMAGE_TYPES: Mapping[str, SequenceKind] = {
    "LOCALIZER": SequenceKind.LOCALISER,
    "SUBTRACTION": SequenceKind.SUBTRACTION,
    "SUB": SequenceKind.SUBTRACTION,
    "ADC": SequenceKind.PARAMETER_MAP,
    "FA": SequenceKind.PARAMETER_MAP,
    "T1 MAP": SequenceKind.PARAMETER_MAP,
    "T2 MAP": SequenceKind.PARAMETER_MAP,
    "DIFFUSION": SequenceKind.DIFFUSION,
    "TRACEW": SequenceKind.DIFFUSION,
    "FMRI": SequenceKind.EPI,
    "PERFUSION": SequenceKind.DYNAMIC,
    "ANGIO": SequenceKind.ANGIOGRAPHY,
    "MRA": SequenceKind.ANGIOGRAPHY,
}
"""Values of Image Type that name a kind, in the order in which they are asked."""


def sequence_of(header: SeriesHeader) -> Sequence:
    """What kind of MR series `header` describes."""
    values = texts(header, "ImageType")
    for value, kind in IMAGE_TYPES.items():
        if value in values:
            return Sequence(kind, f"Image Type says {value}")
    found = _described(header) or _diffusion_weighted(header) or _weighted(header)
    return _after_contrast(found, header) if found.kind is SequenceKind.T1 else found


def _described(header: SeriesHeader) -> Sequence | None:
    for where, said in (("description", spoken(header)), ("sequence name", words(text(header, "SequenceName")))):
        for kind, pattern in PATTERNS.items():
            if hit := pattern.search(said):
                return Sequence(kind, f"the {where} says {hit.group().strip()}")
    return None


def _diffusion_weighted(header: SeriesHeader) -> Sequence | None:
    if (number(header, "DiffusionBValue") or 0) > 0:
        return Sequence(SequenceKind.DIFFUSION, "a diffusion b-value is given")
    if "EP" in texts(header, "ScanningSequence"):
        return Sequence(SequenceKind.EPI, "the scanning sequence is echo-planar")
    return None


def _weighted(header: SeriesHeader) -> Sequence:
    """By echo, repetition and inversion time."""
    echo, repetition, inversion = (number(header, f"{name}Time") for name in ("Echo", "Repetition", "Inversion"))
    if echo is None or repetition is None:
        return Sequence(SequenceKind.UNKNOWN, "neither description nor echo and repetition time tell the sequence")
    evidence = f"TE {echo:g} ms, TR {repetition:g} ms" + (f", TI {inversion:g} ms" if inversion else "")
    inverted = _inverted(echo, inversion) if inversion else None
    if inverted is not None:
        return Sequence(inverted, evidence)
    gradient_echo = "GR" in texts(header, "ScanningSequence") and "SE" not in texts(header, "ScanningSequence")
    weigh: Callable[[float, float], SequenceKind] = _gradient_echo if gradient_echo else _spin_echo
    return Sequence(weigh(echo, repetition), evidence)


def _inverted(echo: float, inversion: float) -> SequenceKind | None:
    if STIR_INVERSION_MS[0] <= inversion <= STIR_INVERSION_MS[1]:
        return SequenceKind.STIR
    if inversion >= FLAIR_INVERSION_MS:
        return SequenceKind.FLAIR if echo >= LONG_ECHO_MS else None
    return SequenceKind.T1 if echo < SHORT_ECHO_MS else None


def _gradient_echo(echo: float, repetition: float) -> SequenceKind:  # noqa: ARG001 - one signature for both
    return SequenceKind.T1 if echo < 12 else SequenceKind.T2_STAR


def _spin_echo(echo: float, repetition: float) -> SequenceKind:
    if echo >= LONG_ECHO_MS and repetition > SHORT_REPETITION_MS:
        return SequenceKind.T2
    if echo < SHORT_ECHO_MS and repetition <= SHORT_REPETITION_MS:
        return SequenceKind.T1
    if echo <= SHORT_ECHO_MS + 15 and repetition >= LONG_REPETITION_MS:
        return SequenceKind.PD
    return SequenceKind.UNKNOWN


def _after_contrast(found: Sequence, header: SeriesHeader) -> Sequence:
    """T1 with the agent in; what the description says beats the header field, which stays filled for a whole visit."""
    said = spoken(header)
    if re.search(rf" (?:{PLAIN_WORDS}) ", said):
        return found
    if hit := re.search(rf" (?:{CONTRAST_WORDS}) ", said):
        return Sequence(SequenceKind.T1_CONTRAST, f"{found.evidence}; the description says {hit.group().strip()}")
    agent = text(header, "ContrastBolusAgent")
    if agent and agent not in {"NONE", "NO", "N", "NO CONTRAST"}:
        return Sequence(SequenceKind.T1_CONTRAST, f"{found.evidence}; a contrast agent is named")
    return found
