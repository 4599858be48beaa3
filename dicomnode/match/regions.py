"""Says which part of the body a series shows, as far as its headers tell, so that a chest is not fused with a head.

What is not said is compatible with everything: the field is often empty, and the gate looks at the images anyway.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from storage.records import SeriesHeader

from .headers import words

EVERYWHERE = re.compile(r"WHOLE ?BODY|WB\b|TOTAL ?BODY|GANZK")

REGIONS: Mapping[str, re.Pattern[str]] = {
    "HEAD": re.compile(r"HEAD|BRAIN|SKULL|CRANI|NEURO|ORBIT|PITUIT|SELLA|FACE|SINUS|KOPF|HIRN|SCHÄDEL|TETE|CEREB"),
    "NECK": re.compile(r"NECK|C ?SPINE|CERVIC|THYROID|LARYN|PHARYN|HALS|HWS"),
    "CHEST": re.compile(r"CHEST|THORA|LUNG|BREAST|HEART|CARDI|T ?SPINE|TORSO|BWS|MAMMA"),
    "ABDOMEN": re.compile(r"ABD|LIVER|KIDNEY|RENAL|PANCREA|SPLEEN|L ?SPINE|LUMBA|TORSO|LEBER|LWS"),
    "PELVIS": re.compile(r"PELV|PROSTAT|BLADDER|RECT|UTER|HIP|SACR|BECKEN|TORSO"),
    "LIMBS": re.compile(r"EXTREM|LEG|KNEE|ANKLE|FOOT|FEET|THIGH|FEMUR|TIBIA|CALF|ARM|ELBOW|HAND|WRIST|SHOULDER|HUMER"),
}
"""By what Body Part Examined can hold (PS3.16 CID 4 defined terms, their compounds and what people type)."""


def regions_of(header: SeriesHeader) -> frozenset[str]:
    """The regions that Body Part Examined names; empty when it says nothing that is understood."""
    return regions_in(header.body_part)


@lru_cache(maxsize=1024)
def regions_in(body_part: str) -> frozenset[str]:
    """The regions of a body part as text. A text that names none of ours stands for itself.

    >>> sorted(regions_in("CHESTABDPELVIS"))
    ['ABDOMEN', 'CHEST', 'PELVIS']
    """
    said = words(body_part).strip()
    if not said:
        return frozenset()
    if EVERYWHERE.match(said):
        return frozenset(REGIONS)
    return frozenset(region for region, pattern in REGIONS.items() if pattern.search(said)) or frozenset({said})


def compatible(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether the two can show the same part of the body."""
    return not a or not b or bool(a & b)
