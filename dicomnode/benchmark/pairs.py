"""The pairs that are registered: one generated, the others reference images with a truth that somebody states."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fusion import Grid, Volume, resample
from fusion.geometry.transform import AffineTransform

from ..errors import SettingsError
from ..load import load_input
from .phantom import small_head

HEADS = "registration_pairs"
TUMOURS = "petctmr_sarcoma"
PATIENTS = ("STS_001", "STS_002", "STS_003")
TEMPLATES: Mapping[str, str] = MappingProxyType(
    {"tplCT": "CT", "tplPET": "PT", "tplSPECT": "NM", "tplT2": "MR", "tplPD": "MR"}
)
GENERATED = "generated head"
HEAD_2MM, HEAD_NATIVE, HEAD_13M = "chrisPD 2 mm", "chrisPD native", "chrisPD 0.78 mm"

NOBODY_KNOWS = "nobody knows"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two volumes and how the moving one is said to lie: `stated` (fixed to moving points, LPS mm).

    `patient` is whom the pair counts for; `known_from` says where `stated` comes from. `by_consensus` says that what
    other programs agree on is nearer to the truth than that: of averages, and of heads that were scanned apart.
    """

    name: str
    patient: str
    fixed: Volume
    moving: Volume
    stated: AffineTransform
    known_from: str
    by_consensus: bool = False


def generated(_data: Path | None) -> Pair:
    """A head that needs no data: CT to MR, turned and shifted."""
    lay = AffineTransform.rigid((0.06, -0.04, 0.08), (4.0, -6.0, 5.0))
    fixed, moving = small_head("CT", AffineTransform.identity(), 1), small_head("MR", lay, 2)
    return Pair(GENERATED, "generated", fixed, moving, lay, "exact: made so")


def template(name: str, data: Path | None) -> Pair:
    """An averaged T1 head and the average of another contrast in the same space."""
    fixed, moving = _files(data, name)
    return Pair(
        name,
        "averages in MNI space",
        replace(fixed, modality="MR"),
        replace(moving, modality=TEMPLATES[name]),
        AffineTransform.identity(),
        "stated by the template; averages, biased by 1 to 3 mm",
        by_consensus=True,
    )


def one_subject(name: str, spacing_mm: float | None, data: Path | None) -> Pair:
    """T1 and PD of one person, as scanned or on grids of `spacing_mm`."""
    volumes = [replace(volume, modality="MR") for volume in _files(data, "chrisPD")]
    fixed, moving = volumes if spacing_mm is None else [on_spacing(volume, spacing_mm) for volume in volumes]
    known = "stated with the images; every tool finds it wrong by 13 mm"
    return Pair(name, "chris", fixed, moving, AffineTransform.identity(), known, by_consensus=True)


def sarcoma(patient: str, modality: str, data: Path | None) -> Pair:
    """A crop of a thigh: CT against PET of the same examination, or against an MR that others aligned."""
    folder = needed(data) / TUMOURS / patient
    fixed, moving = (without_frame(load_input(folder / name / "image").volume) for name in ("CT", modality))
    known = "one examination" if modality == "PET" else "aligned by others, to some 5 mm"
    name = f"{patient} CT-{modality.removesuffix('_T1')}"
    return Pair(name, patient, fixed, moving, AffineTransform.identity(), known)


PAIRS: Mapping[str, Callable[[Path | None], Pair]] = MappingProxyType(
    {
        GENERATED: generated,
        HEAD_2MM: partial(one_subject, HEAD_2MM, 2.0),
        HEAD_NATIVE: partial(one_subject, HEAD_NATIVE, None),
        HEAD_13M: partial(one_subject, HEAD_13M, 0.78),
        **{name: partial(template, name) for name in TEMPLATES},
        **{
            f"{patient} CT-{modality.removesuffix('_T1')}": partial(sarcoma, patient, modality)
            for patient in PATIENTS
            for modality in ("PET", "MR_T1")
        },
    }
)


@lru_cache(maxsize=16)
def load_pair(name: str, data: Path | None) -> Pair:
    """A pair by its name; the last ones are kept. Raises `SettingsError` where its images are not there."""
    return PAIRS[name](data)


def needed(data: Path | None) -> Path:
    """The folder of the reference images."""
    if data is None or not data.is_dir():
        raise SettingsError(f"the reference images are not at {data}; name their folder with --data")
    return data


def on_spacing(volume: Volume, spacing_mm: float) -> Volume:
    """The volume on a grid of cubes over the same field of view."""
    old = volume.grid
    a, b, c = (max(1, round(size / spacing_mm)) for size in old.size_mm)
    affine = np.eye(4)
    affine[:3, :3] = old.direction * spacing_mm
    affine[:3, 3] = old.centre_mm - affine[:3, :3] @ ((np.array((a, b, c)) - 1) / 2)
    return resample(volume, AffineTransform.identity(), onto=Grid((a, b, c), affine))


def without_frame(volume: Volume) -> Volume:
    """The volume in a Frame of Reference that nobody shares: the header's transform is not believed."""
    return replace(volume, grid=Grid(volume.grid.shape, volume.grid.affine))


def _files(data: Path | None, name: str) -> tuple[Volume, Volume]:
    fixed, moving = (load_input(needed(data) / HEADS / f"{name}_{role}.nii.gz").volume for role in ("fixed", "moving"))
    return fixed, moving
