"""A transform that bends: an affine map, a field of displacements, another affine map."""

from dataclasses import dataclass, field

import numpy as np
import torch

from ..errors import GeometryError
from ..types import Affine4x4, Points, VectorField
from ..volume import Grid
from .transform import AffineTransform

INVERSE_TOLERANCE_MM = 1e-3
"""A tenth of what a float32 field of metres resolves is finer than anything that is measured here."""

INVERSE_ITERATIONS = 60
"""Where the field shrinks distances by half, each step halves what is left."""


@dataclass(frozen=True, slots=True, eq=False)
class DisplacementTransform:
    """T(x) = after(p + u(p)) with p = before(x); points and `u` in LPS mm.

    `displacement` (3, slice, row, column) float32 holds x, y and z of u at the voxel centres of `grid`, which lies in
    the space between the two affine maps. Between the centres u is trilinear and outside of the grid it is zero, as
    in ITK's DisplacementFieldTransform, so that a field should fade out towards its border. The order is that of a
    Deformable Spatial Registration (PS3.3 C.20.3.1.1) with its matrices before and after the deformation.

    Raises `GeometryError` for a field that does not fill its grid or is not finite.
    """

    displacement: VectorField
    grid: Grid
    after: AffineTransform = field(default_factory=AffineTransform.identity)
    before: AffineTransform = field(default_factory=AffineTransform.identity)

    def __post_init__(self) -> None:
        if tuple(self.displacement.shape) != (3, *self.grid.shape):
            raise GeometryError(
                f"displacements of shape {tuple(self.displacement.shape)} do not fill a grid of {self.grid.shape}"
            )
        if self.displacement.dtype != torch.float32 or not bool(torch.isfinite(self.displacement).all()):
            raise GeometryError("displacements are finite float32 numbers")

    def __call__(self, points: Points) -> Points:
        between = self.before(points)
        return self.after(between + self.displacement_at(between))

    def displacement_at(self, points: Points) -> Points:
        """The displacement at points (…, 3) between the two affine maps, float64 on the CPU."""
        indices = self.grid.indices(np.asarray(points, dtype=np.float64)).reshape(-1, 3)
        return sampled(self.displacement.cpu().numpy(), indices).reshape(points.shape)

    @property
    def affine(self) -> AffineTransform:
        """The transform without its displacements."""
        return self.before.then(self.after)

    @property
    def matrix(self) -> Affine4x4:
        """(4, 4): that of the affine part."""
        return self.affine.matrix

    @property
    def is_rigid(self) -> bool:
        """Never: a field bends."""
        return False

    @property
    def rotation_angle_deg(self) -> float:
        """Of the affine part."""
        return self.affine.rotation_angle_deg

    def inverse(self) -> "DisplacementTransform":
        """From moving to fixed points: on the same grid, by fixed-point iteration v(q) = -u(q + v(q)).

        It converges where the field does not fold and changes by less than its own length. What is displaced beyond
        the grid's border is lost, which is nothing where the field fades out there.
        """
        return DisplacementTransform(
            inverted(self.displacement, self.grid), self.grid, self.before.inverse(), self.after.inverse()
        )

    def digest_bytes(self) -> bytes:
        """Both matrices, the grid and the field."""
        parts = (self.before.matrix, self.after.matrix, self.grid.affine, self.displacement.cpu().numpy())
        return b"".join(part.tobytes() for part in parts)

    def to(self, device: torch.device | str) -> "DisplacementTransform":
        """The same transform with its field on `device`."""
        return DisplacementTransform(self.displacement.to(device), self.grid, self.after, self.before)


def sampled(field_values: np.ndarray, indices: Points) -> Points:
    """(channels, slice, row, column) at (n, 3) fractional indices: (n, channels) float64, trilinear, zero outside.

    Up to half a voxel beyond the outer centres the edge goes on, as ITK's interpolators have it.
    """
    shape = np.array(field_values.shape[1:])
    inside = np.all((indices >= -0.5) & (indices <= shape - 0.5), axis=1)
    clamped = np.clip(np.where(inside[:, None], indices, 0.0), 0, shape - 1)
    lower = np.minimum(clamped.astype(np.int64), np.maximum(shape - 2, 0))
    share = clamped - lower
    upper = np.minimum(lower + 1, shape - 1)
    flat = field_values.reshape(len(field_values), -1)
    result = np.zeros((len(indices), len(field_values)), dtype=np.float64)
    for corner in range(8):
        high = [(corner >> axis) & 1 for axis in range(3)]
        ends = [(upper if high[axis] else lower)[:, axis] for axis in range(3)]
        weight = np.prod([share[:, axis] if high[axis] else 1 - share[:, axis] for axis in range(3)], axis=0)
        offset = (ends[0] * shape[1] + ends[1]) * shape[2] + ends[2]
        result += weight[:, None] * flat[:, offset].T
    return np.where(inside[:, None], result, 0.0)


def index_vectors(displacement: VectorField, grid: Grid) -> VectorField:
    """Displacements (x, y, z) in mm as (slice, row, column) in voxels of `grid`."""
    matrix = torch.tensor(np.linalg.inv(grid.affine[:3, :3]), dtype=displacement.dtype, device=displacement.device)
    vectors: VectorField = torch.tensordot(matrix, displacement, dims=1)
    return vectors


def millimetre_vectors(displacement: VectorField, grid: Grid) -> VectorField:
    """The way back: (slice, row, column) in voxels as (x, y, z) in mm."""
    matrix = torch.tensor(grid.affine[:3, :3], dtype=displacement.dtype, device=displacement.device)
    vectors: VectorField = torch.tensordot(matrix, displacement, dims=1)
    return vectors


def identity_indices(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """(3, slice, row, column) float32: the index of each voxel."""
    axes = [torch.arange(n, dtype=torch.float32, device=device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def pulled(values: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """`values` (channels, slice, row, column) at `indices` (3, …): (channels, …), trilinear, the edge goes on."""
    shape = values.shape[1:]
    lower, share = [], []
    for index, extent in zip(indices, shape, strict=True):
        clamped = index.clamp(0, extent - 1)
        below = clamped.floor().clamp_max(max(extent - 2, 0))
        lower.append(below.long())
        share.append(clamped - below)
    flat = values.reshape(len(values), -1)
    strides = shape[1] * shape[2], shape[2], 1
    base = sum(low * stride for low, stride in zip(lower, strides, strict=True))
    steps = [stride if extent > 1 else 0 for stride, extent in zip(strides, shape, strict=True)]

    def corner(offset: int) -> torch.Tensor:
        return flat[:, (base + offset).reshape(-1)].reshape(len(values), *indices.shape[1:])

    def row(offset: int) -> torch.Tensor:
        return torch.lerp(corner(offset), corner(offset + steps[2]), share[2])

    def plane(offset: int) -> torch.Tensor:
        return torch.lerp(row(offset), row(offset + steps[1]), share[1])

    return torch.lerp(plane(0), plane(steps[0]), share[0])


def inverted(displacement: VectorField, grid: Grid) -> VectorField:
    """The field v on the same grid with v(q) = -u(q + v(q)), in mm."""
    inner = index_vectors(displacement, grid)
    here = identity_indices(grid.shape, displacement.device)
    inverse = -inner
    tolerance = INVERSE_TOLERANCE_MM / max(grid.spacing_mm)
    for _ in range(INVERSE_ITERATIONS):
        target = -pulled(inner, here + inverse)
        change = float((target - inverse).abs().max())
        inverse = target
        if change < tolerance:
            break
    return millimetre_vectors(inverse, grid)


def then_field(first: VectorField, second: VectorField, grid: Grid) -> VectorField:
    """The field of `p + first(p)` followed by `second`, in mm on the same grid."""
    here = identity_indices(grid.shape, first.device) + index_vectors(first, grid)
    return first + pulled(second, here)
