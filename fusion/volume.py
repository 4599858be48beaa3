"""Images in space: a grid without voxels, and a volume of voxels on a grid."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import torch

from .errors import GeometryError
from .types import Affine4x4, Indices, MaskArray, Points, VoxelArray

GEOMETRY_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner is further apart than this: headers carry positions as decimal strings."""


class Unit(StrEnum):
    """What a voxel's number means, in UCUM where UCUM has a code (PS3.16 CID 82, 84, 85)."""

    HU = "[hnsf'U]"
    SUV_BW = "g/ml{SUVbw}"
    SUV_LBM = "g/ml{SUVlbm}"
    SUV_BSA = "cm2/ml{SUVbsa}"
    SUV_IBW = "g/ml{SUVibw}"
    BQ_ML = "Bq/ml"
    COUNTS = "{counts}"
    PROPORTIONAL_COUNTS = "{propcounts}"
    ARBITRARY = "1"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where the voxels of a volume lie, without the voxels.

    `affine` maps the homogeneous array index (slice, row, column, 1) to LPS millimetres and is the only affine
    convention of the project. Raises `GeometryError` when it is singular, not finite or not 4 × 4.
    """

    shape: tuple[int, int, int]
    affine: Affine4x4
    frame_of_reference_uid: str | None = None

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError(f"the affine of a grid is a finite 4 x 4 matrix, not {affine.tolist()}")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9 or not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise GeometryError(f"the affine of a grid is invertible, not {affine.tolist()}")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(f"a grid has three positive extents, not {self.shape}")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along slice, row and column index."""
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)

    @property
    def direction(self) -> Affine4x4:
        """(3, 3): unit vectors of the slice, row and column index, as columns, in LPS."""
        direction: Affine4x4 = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return direction

    @property
    def origin_mm(self) -> Points:
        """Centre of voxel (0, 0, 0)."""
        return self.affine[:3, 3].copy()

    @property
    def centre_mm(self) -> Points:
        """Centre of the field of view."""
        return self.points((np.array(self.shape, dtype=np.float64) - 1) / 2)

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent along slice, row and column, outer voxel faces included."""
        a, b, c = (n * s for n, s in zip(self.shape, self.spacing_mm, strict=True))
        return a, b, c

    def points(self, indices: Indices) -> Points:
        """Array indices (…, 3) to LPS mm (…, 3)."""
        points: Points = indices @ self.affine[:3, :3].T + self.affine[:3, 3]
        return points

    def indices(self, points: Points) -> Indices:
        """LPS mm (…, 3) to fractional array indices (…, 3)."""
        inverse = np.linalg.inv(self.affine)
        indices: Indices = points @ inverse[:3, :3].T + inverse[:3, 3]
        return indices

    def corners_mm(self) -> Points:
        """(8, 3): centres of the corner voxels."""
        ends = [(0, n - 1) for n in self.shape]
        return self.points(np.array([(a, b, c) for a in ends[0] for b in ends[1] for c in ends[2]], dtype=np.float64))

    def same_geometry(self, other: "Grid", tolerance_mm: float = GEOMETRY_TOLERANCE_MM) -> bool:
        """Whether both hold their voxels at the same places, whatever the Frame of Reference is called."""
        if self.shape != other.shape:
            return False
        return bool(np.abs(self.corners_mm() - other.corners_mm()).max() <= tolerance_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxels on a grid, with what their numbers mean and where they came from.

    `voxels` is (slice, row, column) float32; `valid`, where given, is False where nothing was measured (padding,
    corners outside of a sheared acquisition). `notes` say what was tolerated or left unchanged on the way in, for
    people. `inverted_display` says that large numbers are meant to be shown dark (MONOCHROME1); numbers mean the same.
    """

    voxels: VoxelArray
    grid: Grid
    unit: Unit = Unit.ARBITRARY
    modality: str = "OT"
    valid: MaskArray | None = None
    source_uids: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    inverted_display: bool = False

    def __post_init__(self) -> None:
        if tuple(self.voxels.shape) != self.grid.shape:
            raise GeometryError(f"voxels of shape {tuple(self.voxels.shape)} do not fill a grid of {self.grid.shape}")
        if self.voxels.dtype != torch.float32:
            raise GeometryError(f"voxels are float32, not {self.voxels.dtype}")
        if self.valid is not None and tuple(self.valid.shape) != self.grid.shape:
            raise GeometryError("the mask of valid voxels has another shape than the voxels")

    @property
    def device(self) -> torch.device:
        """Where the voxels are."""
        return self.voxels.device

    def to(self, device: torch.device | str) -> "Volume":
        """The same volume with its voxels on `device`."""
        valid = None if self.valid is None else self.valid.to(device)
        return replace(self, voxels=self.voxels.to(device), valid=valid)

    def noted(self, notes: Sequence[str]) -> "Volume":
        """The same volume with further notes."""
        return replace(self, notes=(*self.notes, *notes))
