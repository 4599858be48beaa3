"""The page of the matching benchmark: what was measured, as Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

PAGE_HEAD = """# Matching, measured

Made by `dicomnode benchmark match --size full --out docs/benchmarks`.

People are made up, and then what registration desks, consoles and other hospitals make of them
(`dicomnode/benchmark/match_patients.py`): who is who is known, and the generator knows nothing of the rules. How
often each thing happens is an assumption, written in its tables: of the pairs of one person 38 % are registered
well twice, the others have one of the errors below, some two. Not in it is what no header can tell: a study that
was taken under the whole record of somebody else.
"""

STUDIES_HEAD = """## Which series serves

Studies as scanners of four vendors send them, in order and disorder (`dicomnode/benchmark/match_studies.py`). Right
is what the generator meant: of CT the finest soft-tissue reconstruction that shows everything, of PET and SPECT the
attenuation-corrected still one that shows everything in the finest pixels, of MR T1 after contrast, else T1, else
T2, else FLAIR; of a dynamic series one phase. A series that was sent twice is right in either copy; half a copy is
not. *Explained*: every series of the study is named by a reason, or is told why it cannot serve.
"""


def page(values: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n".join(_lines(values)) + "\n"


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    yield PAGE_HEAD
    yield "| what | to reach | measured |"
    yield "|---|---|---|"
    yield f"| two people held to be one | 0 | {values['false_matches']} |"
    share = f"{values['found_or_quarantined']:.1%}"
    yield f"| pairs of one person that match or are put up for a person | 95 % | {share}; {values['found']:.1%} match |"
    yield f"| right series in a study | 99 % | {values['right']:.1%} |"
    yield f"| studies in which every series has its reason | 100 % | {values['explained']:.1%} |"
    yield ""
    yield f"Seeds: {', '.join(str(seed) for seed in values['seeds'])}; the counts below are of all of them together."
    yield ""
    yield "## Whose records these are"
    yield ""
    yield from _records("Of one person", values["pairs_of_one"])
    yield from _records("Of two people", values["pairs_of_two"])
    yield STUDIES_HEAD
    yield "| examination | studies | right | explained |"
    yield "|---|---|---|---|"
    for kind, row in values["studies"].items():
        yield f"| {kind} | {row['studies']} | {row['right']} | {row['explained']} |"
    if values["wrong"]:
        yield ""
        yield "Wrong were:"
        yield ""
        yield from (f"- {wrong}" for wrong in values["wrong"][:20])


def _records(title: str, rows: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield f"| {title} | match | put up for a person | different |"
    yield "|---|---|---|---|"
    for what, row in rows.items():
        yield f"| {what} | {row['match']} | {row['doubt']} | {row['different']} |"
    yield ""
