"""Pairs that must never be accepted: strangers, other parts, volumes of nothing, mirrored ones, hardly any overlap."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from fusion import Volume

from ..load import load_input
from .offsets import cropped, generator_of
from .pairs import GENERATED, HEAD_2MM, HEAD_NATIVE, PATIENTS, load_pair, needed, without_frame
from .records import Row
from .tools import OURS, Ours
from .trial import rounded

Volumes = tuple[Volume, Volume]

Make = Callable[[], Volumes]

ALSO_MIRRORED = ("tplPD", "tplCT", "tplPET", "tplSPECT", *(f"{patient} CT-PET" for patient in PATIENTS))
VOLUNTEER = "volunteer"
"""Not the person of the other T1: that one may well be the same, so that the two are never paired here."""

STRANGERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "average T1 to one T1": ("tplT2:fixed", f"{HEAD_NATIVE}:fixed"),
        "one T1 to average PD": (f"{HEAD_NATIVE}:fixed", "tplPD:moving"),
        "one T1 to average CT": (f"{HEAD_NATIVE}:fixed", "tplCT:moving"),
        "one T1 to average PET": (f"{HEAD_NATIVE}:fixed", "tplPET:moving"),
        "average T1 to one PD": ("tplT2:fixed", f"{HEAD_NATIVE}:moving"),
        "average T1 to volunteer T1": ("tplT2:fixed", VOLUNTEER),
        "volunteer T1 to average PD": (VOLUNTEER, "tplPD:moving"),
        "volunteer T1 to average CT": (VOLUNTEER, "tplCT:moving"),
        **{
            f"{one} CT to {other} {modality}": (f"{one} CT-PET:fixed", f"{other} CT-{modality}:moving")
            for one, other in zip(PATIENTS, (*PATIENTS[1:], PATIENTS[0]), strict=True)
            for modality in ("PET", "MR")
        },
    }
)
OTHER_PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "thigh CT to head T1": ("STS_001 CT-PET:fixed", f"{HEAD_2MM}:fixed"),
        "head T1 to thigh MR": (f"{HEAD_2MM}:fixed", "STS_001 CT-MR:moving"),
    }
)
SHOWN_OF_BOTH = 0.55
"""The lower part in one image and the upper part in the other: a fifth of each is seen twice."""


def empty(pair: Volumes) -> Volumes:
    """A moving image of nothing."""
    return pair[0], replace(pair[1], voxels=torch.zeros_like(pair[1].voxels))


def constant(pair: Volumes) -> Volumes:
    """A moving image of one value."""
    return pair[0], replace(pair[1], voxels=torch.full_like(pair[1].voxels, 100.0))


def single_slice(pair: Volumes) -> Volumes:
    """One slice of the moving image."""
    middle = pair[1].grid.shape[0] // 2
    return pair[0], cropped(pair[1], (slice(middle, middle + 1), slice(None), slice(None)))


def noise(pair: Volumes) -> Volumes:
    """Noise on the scale of the moving image."""
    values = generator_of("noise").normal(300, 90, pair[1].grid.shape)
    return pair[0], replace(pair[1], voxels=torch.from_numpy(values.astype(np.float32)))


def hardly_overlapping(pair: Volumes) -> Volumes:
    """The lower half and the upper half."""
    (fixed, moving), everything = pair, slice(None)
    low = fixed.grid.affine[2, 0] > 0
    parts = []
    for volume, from_start in ((fixed, low), (moving, not low)):
        count = round(SHOWN_OF_BOTH * volume.grid.shape[0])
        kept = slice(0, count) if from_start else slice(volume.grid.shape[0] - count, None)
        parts.append(cropped(volume, (kept, everything, everything)))
    return parts[0], parts[1]


def mirrored(pair: Volumes) -> Volumes:
    """The moving voxels with left and right exchanged, which no header tells."""
    axis = int(np.argmax(np.abs(pair[1].grid.direction[0])))
    return pair[0], replace(pair[1], voxels=pair[1].voxels.flip(axis).contiguous())


UNUSABLE: Mapping[str, Callable[[Volumes], Volumes]] = MappingProxyType(
    {
        "empty": empty,
        "constant": constant,
        "single slice": single_slice,
        "noise": noise,
        "hardly any overlap": hardly_overlapping,
    }
)

SEARCHED = ("noise", "mirrored")
"""Kinds of which a search finds nothing before it has looked twice."""


def small_pairs() -> Iterator[tuple[str, str, Make]]:
    """(kind, name, how to make the volumes) without any data and without a long search."""
    return (job for job in spoilt(GENERATED, None) if job[0] not in SEARCHED)


def all_pairs(data: Path) -> Iterator[tuple[str, str, Make]]:
    """(kind, name, how to make the volumes) of everything that must not be accepted."""
    for name in (GENERATED, HEAD_2MM, "tplT2"):
        yield from spoilt(name, data)
    for name in ALSO_MIRRORED:
        yield "mirrored", name, partial(changed, name, data, mirrored)
    for name, sides in STRANGERS.items():
        yield "other person", name, partial(two, sides, data)
    for name, sides in OTHER_PARTS.items():
        yield "other body part", name, partial(two, sides, data)


def spoilt(name: str, data: Path | None) -> Iterator[tuple[str, str, Make]]:
    """A pair of which nothing that can be registered is left, or that is mirrored."""
    for kind, change in (*UNUSABLE.items(), ("mirrored", mirrored)):
        yield kind, name, partial(changed, name, data, change)


def changed(name: str, data: Path | None, change: Callable[[Volumes], Volumes]) -> Volumes:
    """The volumes of a pair after `change`."""
    pair = load_pair(name, data)
    return change((pair.fixed, pair.moving))


def two(sides: tuple[str, str], data: Path) -> Volumes:
    """A fixed and a moving volume by their names: a pair's and its side, or the volunteer."""
    fixed, moving = (volunteer(data) if side == VOLUNTEER else side_of(side, data) for side in sides)
    return fixed, moving


def side_of(side: str, data: Path) -> Volume:
    """One volume of a pair: its name, a colon, fixed or moving."""
    name, _, role = side.partition(":")
    pair = load_pair(name, data)
    return pair.fixed if role == "fixed" else pair.moving


def volunteer(data: Path) -> Volume:
    """T1 of one more person."""
    return without_frame(load_input(needed(data) / "mr_positions" / "HFS_t1").volume)


def never_key(kind: str, name: str) -> str:
    """The key of a row."""
    return f"never/{kind}/{name}"


def judged(kind: str, name: str, make: Make) -> Row:
    """Our verdict on a pair that must not be accepted."""
    answer = Ours().rigid(*make())
    row = {"key": never_key(kind, name), "experiment": "never", "kind": kind, "pair": name, "tool": OURS}
    return {**row, **rounded(answer.spent), **answer.said}
