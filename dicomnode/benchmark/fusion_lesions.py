"""What fusion keeps of tumours: their contrast in real volumes, inside contours that radiologists drew.

Three patients with CT, FDG PET and T1 MR. Identity aligns CT and PET; MR is aligned to some 5 mm.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import fusion
from fusion.display import window_of
from fusion.geometry.resample import resample
from fusion.geometry.transform import AffineTransform
from fusion.quality import lesion_contrast, measure
from fusion.volume import Volume

from ..load import load_series
from .contours import inside_shares, read_contours
from .fusion_runs import Say, runs_of
from .records import Records

FOLDER = "petctmr_sarcoma"
PAIRS = (("CT-PET", "CT", "PET"), ("CT-MR", "CT", "MR_T1"), ("MR-PET", "MR_T1", "PET"))


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """Two aligned volumes and the share of each voxel inside the tumour (slice, row, column)."""

    patient: str
    pair: str
    fixed: Volume
    moved: Volume
    inside: torch.Tensor


def lesions(data: Path) -> Iterator[Lesion]:
    """Each patient below `data` with each pair, on the grid of the first modality, whose own contours count."""
    for place in sorted((data / FOLDER).iterdir()):
        volumes = {name: _volume(place / name / "image") for name in ("CT", "PET", "MR_T1")}
        for pair, first, second in PAIRS:
            fixed = volumes[first]
            moved = resample(volumes[second], AffineTransform.identity(), fixed.grid)
            inside = inside_shares(read_contours(next((place / first / "mask").glob("*.dcm"))), fixed.grid)
            yield Lesion(place.name, pair, fixed, moved, torch.from_numpy(inside))


def measure_lesions(cases: Iterable[Lesion], names: Iterable[str], records: Records, say: Say) -> None:
    """A row for each tumour, pair and method; colour methods have no contrast in grey levels and none."""
    runs = runs_of(names)
    for case in cases:
        for name, (method, parameters) in runs.items():
            key = f"lesion/{case.patient}/{case.pair}/{name}"
            if key in records:
                continue
            say(f"{case.patient} {case.pair}: {name}")
            fused = fusion.fuse(case.fixed, case.moved, method, **parameters)
            if fused.is_colour:
                continue
            records.add({"key": key, **_names(case, name), **_kept(case, fused.image)})


def _kept(case: Lesion, image: torch.Tensor) -> Mapping[str, Any]:
    """The contrasts, and the steps between slices: those that no source takes, and all over the larger source's."""
    fixed, moved = (window_of(volume).apply(volume.voxels) for volume in (case.fixed, case.moved))
    found = lesion_contrast(fixed, moved, image, case.inside)
    steps = [float(one.diff(dim=0).abs().mean()) for one in (fixed, moved, image)]
    return {
        "kept": round(found.kept_of_better, 4),
        "contrasts": [round(value, 4) for value in (found.fixed, found.moved, found.fused)],
        "flicker": round(measure(fixed, moved, image, ["flicker"])["flicker"], 4),
        "steps": round(steps[2] / max(steps[0], steps[1]), 4),
    }


def _names(case: Lesion, method: str) -> Mapping[str, Any]:
    return {"patient": case.patient, "pair": case.pair, "method": method}


def _volume(folder: Path) -> Volume:
    return load_series(sorted(folder.iterdir())).volume
