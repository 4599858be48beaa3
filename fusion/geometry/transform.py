"""Transforms of patient space. All of them map points of the fixed image to points of the moving image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import GeometryError
from ..types import Affine4x4, Points

RIGID_TOLERANCE = 1e-6
"""How far R·Rᵀ may be from the identity for a matrix to count as rigid; float64 products stay well below."""


class PointMap(Protocol):
    """Maps points of the fixed image (…, 3) to points of the moving image (…, 3), LPS mm, float64."""

    def __call__(self, points: Points) -> Points:
        """Where each fixed point lies in the moving image."""
        ...


class Transform(PointMap, Protocol):
    """What a registration finds: affine, or affine with displacements."""

    @property
    def affine(self) -> "AffineTransform":
        """The affine part: the whole of an affine transform."""
        ...

    @property
    def matrix(self) -> Affine4x4:
        """(4, 4) of the affine part: what is said of a transform in short, not what images are resampled with."""
        ...

    @property
    def is_rigid(self) -> bool:
        """Whether lengths and handedness are kept everywhere."""
        ...

    @property
    def rotation_angle_deg(self) -> float:
        """How far the rotation of the affine part turns (0 to 180)."""
        ...

    def inverse(self) -> "Transform":
        """From moving to fixed points."""
        ...

    def digest_bytes(self) -> bytes:
        """What tells this transform from every other one."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AffineTransform:
    """A rigid or affine map from fixed to moving points: `matrix` (4, 4), LPS mm, float64.

    This is the direction in which ITK resamples; a Spatial Registration object stores the inverse
    (PS3.3 C.20.2.1.1).
    """

    matrix: Affine4x4

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
            raise GeometryError(f"a transform is a finite, invertible 4 x 4 matrix, not {matrix.tolist()}")
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def identity(cls) -> "AffineTransform":
        """Fixed and moving share their coordinates."""
        return cls(np.eye(4, dtype=np.float64))

    @classmethod
    def rigid(
        cls,
        rotation_vector_rad: Sequence[float],
        translation_mm: Sequence[float],
        centre_mm: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> "AffineTransform":
        """Rotation about `centre_mm` by the length of `rotation_vector_rad` round its axis, then translation."""
        matrix: Affine4x4 = np.eye(4, dtype=np.float64)
        matrix[:3, :3] = rotation_matrix(np.asarray(rotation_vector_rad, dtype=np.float64))
        centre = np.asarray(centre_mm, dtype=np.float64)
        matrix[:3, 3] = centre - matrix[:3, :3] @ centre + np.asarray(translation_mm, dtype=np.float64)
        return cls(matrix)

    def __call__(self, points: Points) -> Points:
        moved: Points = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return moved

    def then(self, after: "AffineTransform") -> "AffineTransform":
        """First this, then `after`."""
        return AffineTransform(after.matrix @ self.matrix)

    def inverse(self) -> "AffineTransform":
        """From moving to fixed points."""
        matrix: Affine4x4 = np.linalg.inv(self.matrix).astype(np.float64)
        return AffineTransform(matrix)

    @property
    def affine(self) -> "AffineTransform":
        """Itself."""
        return self

    def digest_bytes(self) -> bytes:
        """The matrix, 16 float64 in C order."""
        return self.matrix.tobytes()

    @property
    def is_rigid(self) -> bool:
        """Whether lengths and handedness are kept."""
        linear = self.matrix[:3, :3]
        return bool(np.abs(linear @ linear.T - np.eye(3)).max() < RIGID_TOLERANCE and np.linalg.det(linear) > 0)

    @property
    def rotation_angle_deg(self) -> float:
        """How far the rotation part turns (0 to 180)."""
        left, _, right = np.linalg.svd(self.matrix[:3, :3])
        rotation = left @ right
        return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def rotation_matrix(rotation_vector_rad: Points) -> Affine4x4:
    """(3,) rotation vector to (3, 3) matrix by Rodrigues' formula."""
    angle = float(np.linalg.norm(rotation_vector_rad))
    if angle < 1e-12:
        return np.eye(3, dtype=np.float64)
    x, y, z = rotation_vector_rad / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=np.float64)
    matrix: Affine4x4 = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return matrix
