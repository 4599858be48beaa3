"""What fusion is measured on: aligned slices of cases that no training saw, and generated anatomy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from fusion.display import window_of
from fusion.geometry.transform import AffineTransform
from fusion.networks.training.case_split import validation_cases
from fusion.volume import Grid, Unit, Volume

from ..errors import NodeError
from ..load.pictures import load_aligned
from ..phantom.scanner import Acquisition, acquire
from .phantom import axial_grid

ATLAS_PAIRS = (("CT-MRI", "CT", "MRI"), ("PET-MRI", "PET", "MRI"), ("SPECT-MRI", "SPECT", "MRI"))
MODALITIES = {"CT": "CT", "MRI": "MR", "PET": "PT", "SPECT": "NM"}
STACKED = ("SPECT-MRI", "15")
"""The case that is measured as a volume, too: 17 slices, of which training saw none."""

GENERATED_SLICE_MM = 28.0
"""Above the middle of the head: through the tumour and its oedema."""

UNITS = {"CT": Unit.HU, "MR": Unit.ARBITRARY, "PT": Unit.SUV_BW}


@dataclass(frozen=True, slots=True, eq=False)
class FusionCase:
    """Two aligned images whose window is 0 … 255. `pair` says which modalities, `name` which case and slice."""

    pair: str
    name: str
    fixed: Volume
    moved: Volume


def atlas_cases(data: Path, most: int | None, fold: int = 0) -> Iterator[FusionCase]:
    """Slices of the validation cases below `data`/fusion_pairs, `most` of each pair, evenly spread over its cases."""
    for folder, first, second in ATLAS_PAIRS:
        place = data / "fusion_pairs" / folder
        names = [name for name in _names(place / first) if name[:-3] in validation_cases(fold)]
        if not names:
            raise NodeError(f"{place} holds no slices of the validation cases: name the folder of the images in --data")
        for name in _spread(names, most):
            yield FusionCase(folder, name, *_planes(place, name, first, second))


def stacked_case(data: Path) -> FusionCase:
    """A whole case as a volume of slices 1 mm apart (their true distance is unknown)."""
    folder, case = STACKED
    _, first, second = next(pair for pair in ATLAS_PAIRS if pair[0] == folder)
    place = data / "fusion_pairs" / folder
    planes = [_planes(place, name, first, second) for name in _names(place / first) if name[:-3] == case]
    return FusionCase(folder, f"case {case}", *(_stack(volumes) for volumes in zip(*planes, strict=True)))


def cube_of(case: FusionCase) -> FusionCase:
    """The slices of a case again and again, until there are as many as rows: what a volume costs."""
    extent = case.fixed.voxels.shape[1]

    def repeated(volume: Volume) -> Volume:
        times = -(-extent // volume.voxels.shape[0])
        voxels = volume.voxels.repeat(times, 1, 1)[:extent].contiguous()
        slices, rows, columns = voxels.shape
        return replace(volume, voxels=voxels, grid=Grid((slices, rows, columns), volume.grid.affine))

    return FusionCase(case.pair, case.name, repeated(case.fixed), repeated(case.moved))


def generated_cases(extent: int) -> tuple[FusionCase, ...]:
    """One slice of the generated head, `extent` pixels square: CT with MR, and PET with MR."""
    grid = axial_grid((1, extent, extent), (3.0, 220 / extent, 220 / extent), (0.0, 0.0, GENERATED_SLICE_MM))
    images = {modality: _generated(modality, grid) for modality in UNITS}
    return tuple(
        FusionCase(pair, "generated", images[first], images["MR"])
        for pair, first in (("CT-MR", "CT"), ("PET-MR", "PT"))
    )


def _names(folder: Path) -> list[str]:
    """In the order of cases and slices: names are the case's number and three digits of the slice."""
    names = [path.stem for path in folder.glob("*.png")]
    return sorted(names, key=lambda name: (int(name[:-3]), int(name[-3:])))


def _spread(names: Sequence[str], most: int | None) -> list[str]:
    if most is None or most >= len(names):
        return list(names)
    return [names[int((number + 0.5) * len(names) / most)] for number in range(most)]


def _planes(place: Path, name: str, first: str, second: str) -> tuple[Volume, Volume]:
    fixed, moved = (
        replace(load_aligned(place / modality / f"{name}.png").volume, modality=MODALITIES[modality])
        for modality in (first, second)
    )
    return fixed, moved


def _stack(planes: Sequence[Volume]) -> Volume:
    voxels = torch.cat([plane.voxels for plane in planes])
    return replace(planes[0], voxels=voxels, grid=Grid((len(planes), *planes[0].grid.shape[1:]), planes[0].grid.affine))


def _generated(modality: str, grid: Grid) -> Volume:
    resolution_mm, noise = {"CT": (1.0, 4.0), "MR": (1.0, 0.01), "PT": (5.0, 0.05)}[modality]
    seen = Acquisition(modality, "HEAD", grid, AffineTransform.identity(), resolution_mm, noise, seed=1)
    volume = Volume(torch.from_numpy(acquire(seen).astype(np.float32)), grid, UNITS[modality], modality)
    grey = (window_of(volume).apply(volume.voxels) * 255).round()
    return Volume(grey, grid, Unit.ARBITRARY, modality)
