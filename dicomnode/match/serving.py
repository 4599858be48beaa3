"""Says which series cannot serve for fusion at all, and why.

Each rule is a function that returns a reason or an empty text. What can serve is put in order by `selection`.
"""

import re
from collections.abc import Callable, Mapping

from storage.records import SeriesRecord

from .headers import MANY_FRAMES, numbers, spoken, text, texts
from .sequences import LOCALISER_WORDS, SUBTRACTION_WORDS, SequenceKind, sequence_of

IMAGE_CLASSES: Mapping[str, frozenset[str]] = {
    "CT": frozenset(
        {"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"},
    ),
    "MR": frozenset(
        {"1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"},
    ),
    "PT": frozenset(
        {"1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1"},
    ),
    "NM": frozenset({"1.2.840.10008.5.1.4.1.1.20"}),
}
"""The storage classes that are images of a modality: everything else of it is a capture, a report or an annotation."""

TELLING_IMAGE_TYPES: Mapping[str, str] = {
    "LOCALIZER": "a localiser",
    "SCOUT": "a scout",
    "CT_SOM5 TOP": "a topogram",
    "CT_SOM5 PROT": "a protocol page",
    "CT_SOM5 MON": "a bolus monitoring series",
    "SCREEN SAVE": "a screen capture",
    "SCREENSAVE": "a screen capture",
    "DOSE_INFO": "a dose report",
    "PROJECTION IMAGE": "a projection",
    "REPROJECTION": "a projection",
    "MAXIMUM_PROJECTION": "a maximum intensity projection",
    "MIP": "a maximum intensity projection",
    "MINIP": "a minimum intensity projection",
    "MIN_IP": "a minimum intensity projection",
    "VRT": "a volume rendering",
    "VOLREN": "a volume rendering",
    "VOLUME RENDERING": "a volume rendering",
    "SSD": "a surface rendering",
    "REFORMATTED": "a reformat",
    "CPR": "a curved reformat",
    "SUBTRACTION": "a subtraction",
    "SUB": "a subtraction",
    "FUSED": "a fusion made elsewhere",
    "FUSION": "a fusion made elsewhere",
    "P": "a phase image",
    "PHASE": "a phase image",
    "PHASE MAP": "a phase image",
    "TRANSMISSION": "a transmission scan",
}
"""Values of Image Type that say by themselves that a series is no volume to fuse."""

TELLING_WORDS: tuple[tuple[str, str], ...] = (
    (rf"{LOCALISER_WORDS}|TOPO\w*|SURVIEW|SCANOGRAM\w*", "a localiser"),
    (r"M ?I ?P|MIPS?|MINIP|THINMIP|MAX ?IP|\w*MIP", "an intensity projection"),
    (r"CPR|REFORMAT\w*|CURVED", "a reformat"),
    (SUBTRACTION_WORDS, "a subtraction"),
    (r"VRT?|VRT\w*|SSD|3D SAVED?|VOLUME RENDER\w*", "a rendering"),
    (
        r"DOSE ?(?:REPORT|INFO|SUM\w*)|DOSIS\w*|(?:PATIENT|EXAM) PROTOCOL|SCREEN ?(?:SAVE|SHOT|CAP\w*)|KEY ?IMAGES?",
        "a report or capture",
    ),
    (
        r"SMART ?PREP|(?:TEST|CARE|TIMING) ?BOLUS|BOLUS ?(?:TRACK\w*|TIMING)|(?:PRE ?)?MONITORING|SURE ?START",
        "a bolus monitoring series",
    ),
    (r"FUSED|FUSION (?:PET|SPECT|CT|MR)|(?:PET|SPECT|CT|MR) (?:CT )?FUSION", "a fusion made elsewhere"),
)
"""Words of the description that say so; on the form that `headers.words` gives."""

WORD_PATTERNS = tuple((re.compile(rf" (?:{pattern}) "), what) for pattern, what in TELLING_WORDS)

MPR = re.compile(r" C?MPRS?(?:COR|SAG|TRA)? ")

FEWEST_SLICES = 3
"""Fewer make no volume that could be registered."""

MOST_TILT_COSINE = 0.5
"""A CT whose slice normal is farther from the body axis than 60° was computed, not acquired: gantries tilt by 30°."""


def obstacle(series: SeriesRecord) -> str:
    """Why `series` cannot serve, or an empty text."""
    for rule in RULES:
        if reason := rule(series):
            return reason
    return ""


def _own_output(series: SeriesRecord) -> str:
    return "this node made it" if series.header.own_output else ""


def _no_image(series: SeriesRecord) -> str:
    classes = IMAGE_CLASSES.get(series.header.modality)
    if classes is None:
        return f"no rule can use the modality {series.header.modality}"
    if series.header.sop_class_uid not in classes:
        return f"its objects are not {series.header.modality} images but of class {series.header.sop_class_uid}"
    return ""


def _image_type(series: SeriesRecord) -> str:
    for value in texts(series.header, "ImageType"):
        if value in TELLING_IMAGE_TYPES:
            return f"{TELLING_IMAGE_TYPES[value]}: Image Type says {value}"
    return ""


def _reformat(series: SeriesRecord) -> str:
    """MPR says so, except on an MR series that is not DERIVED: there it also stands for magnetisation-prepared."""
    derived = is_derived(series)
    if "MPR" in texts(series.header, "ImageType") and derived:
        return "a reformat: Image Type says DERIVED and MPR"
    if MPR.search(spoken(series.header)) and (derived or series.header.modality != "MR"):
        return "a reformat: the description says MPR"
    directions = numbers(series.header, "ImageOrientationPatient")
    if series.header.modality != "CT" or len(directions) != 6:
        return ""
    along_body = abs(directions[0] * directions[4] - directions[1] * directions[3])
    return "a reformat: CT is acquired in axial slices" if along_body < MOST_TILT_COSINE else ""


def _description(series: SeriesRecord) -> str:
    said = spoken(series.header)
    for pattern, what in WORD_PATTERNS:
        if hit := pattern.search(said):
            return f"{what}: the description says {hit.group().strip()}"
    return ""


def _sequence(series: SeriesRecord) -> str:
    if series.header.modality != "MR":
        return ""
    sequence = sequence_of(series.header)
    if sequence.kind in {SequenceKind.LOCALISER, SequenceKind.SUBTRACTION, SequenceKind.PARAMETER_MAP}:
        return f"a {sequence.kind}: {sequence.evidence}"
    return ""


def _planar(series: SeriesRecord) -> str:
    """NM Image Type value 3 tells planar views and raw projections from reconstructions (PS3.3 C.8.4.9.1.1.3)."""
    values = texts(series.header, "ImageType")
    if series.header.modality != "NM" or len(values) < 3 or values[2].startswith("RECON"):
        return ""
    return f"no reconstruction: Image Type says {values[2]}"


def _few_slices(series: SeriesRecord) -> str:
    slices = series.instance_count - series.localiser_count
    if series.header.sop_class_uid in MANY_FRAMES or slices >= FEWEST_SLICES:
        return ""
    return f"{slices} slices make no volume"


RULES: tuple[Callable[[SeriesRecord], str], ...] = (
    _own_output,
    _no_image,
    _image_type,
    _reformat,
    _planar,
    _description,
    _sequence,
    _few_slices,
)
"""In the order in which they are asked."""


def is_derived(series: SeriesRecord) -> bool:
    """Whether Image Type value 1 is DERIVED; real PET and MR series carry it, so it only ranks."""
    return text(series.header, "ImageType") == "DERIVED"
