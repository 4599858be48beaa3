"""The similarity of a batch of rigid poses, and its derivative by the pose.

A pose is y = R (x - c) + t with c the centre of the fixed body, x in the fixed and y in the moving image (LPS mm,
float64); R may be any linear map where a stretch is looked for.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry.transform import AffineTransform
from ..similarity import fused_nmi
from ..similarity.mutual_information import (
    Windowed,
    by_moving_value,
    by_weight,
    joint_histogram,
    normalised_mutual_information,
    positions_of,
)
from ..types import Points
from .preparation import Level

SAMPLES_AT_ONCE = 400_000
"""Samples that are worked on together: few enough to stay near the processor, enough to hide the call overhead."""

INDEPENDENT = 1.0
"""NMI of images that know nothing of each other; what a pose without enough overlap gets."""


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """`rotation` (n, 3, 3) and `translation_mm` (n, 3), float64, about one `centre_mm` (3,)."""

    rotation: torch.Tensor
    translation_mm: torch.Tensor
    centre_mm: torch.Tensor

    def __len__(self) -> int:
        return self.rotation.shape[0]

    def __getitem__(self, which: torch.Tensor | slice) -> "Poses":
        return Poses(self.rotation[which], self.translation_mm[which], self.centre_mm)

    def joined(self, other: "Poses") -> "Poses":
        """These, then `other`."""
        return Poses(
            torch.cat([self.rotation, other.rotation]),
            torch.cat([self.translation_mm, other.translation_mm]),
            self.centre_mm,
        )

    def turned(self, rotation_vector_rad: torch.Tensor, translation_mm: torch.Tensor) -> "Poses":
        """Each turned by a further rotation vector (n, 3) and moved (n, 3)."""
        return self.followed(exponential(rotation_vector_rad), translation_mm)

    def followed(self, linear: torch.Tensor, translation_mm: torch.Tensor) -> "Poses":
        """Each followed by a linear map (n, 3, 3) about its centre, and moved (n, 3)."""
        return Poses(linear @ self.rotation, self.translation_mm + translation_mm, self.centre_mm)

    def transform(self, which: int) -> AffineTransform:
        """One of them as a transform."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation[which].numpy()
        matrix[:3, 3] = (self.translation_mm[which] - self.rotation[which] @ self.centre_mm).numpy()
        return AffineTransform(matrix)

    @classmethod
    def of(cls, transforms: "list[AffineTransform]", centre_mm: Points) -> "Poses":
        """Rigid transforms as poses about `centre_mm`."""
        matrices = torch.from_numpy(np.stack([t.matrix for t in transforms]))
        centre = torch.from_numpy(np.asarray(centre_mm, dtype=np.float64))
        return cls(matrices[:, :3, :3], matrices[:, :3, :3] @ centre + matrices[:, :3, 3], centre)


def exponential(vectors: torch.Tensor) -> torch.Tensor:
    """(n, 3) rotation vectors to (n, 3, 3) rotation matrices."""
    zero = torch.zeros_like(vectors[:, 0])
    x, y, z = vectors.unbind(1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 3, 3)
    rotations: torch.Tensor = torch.linalg.matrix_exp(cross)
    return rotations


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """NMI of fixed samples against a moving level.

    `points` (3, n) or (poses, 3, n) float32 are fixed points less the centre; `fixed` (1 or poses, n) the bin positions
    of what the fixed image shows there. Poses that keep fewer than `min_inside` of the samples inside the moving image
    count as independent.
    `fused` takes the compiled pass over the samples, for voxels on the CPU; else plain tensors are worked on.
    """

    points: torch.Tensor
    fixed: torch.Tensor
    moving: Level
    bins: int
    min_inside: float
    fused: bool = False

    @classmethod
    def at(
        cls,
        points: Points,
        centre_mm: Points,
        fixed: Level,
        moving: Level,
        *,
        bins: int,
        min_inside: float,
    ) -> "Objective":
        """Sample `fixed` at `points` (n, 3) or (poses, n, 3), LPS mm."""
        device = moving.sampler.device
        matrix = fixed.indices_from_points
        indices = points @ matrix[:3, :3].T + matrix[:3, 3]
        flat = np.ascontiguousarray(indices.reshape(-1, 3).T, dtype=np.float32)
        fused = fused_nmi.AVAILABLE and device.type == "cpu"
        if fused:
            voxels = fixed.sampler.voxels.reshape(-1).numpy()
            seen = torch.from_numpy(fused_nmi.bin_positions(flat, voxels, fixed.sampler.shape, bins))
        else:
            seen = positions_of(fixed.sampler.value(torch.from_numpy(flat).to(device))[0], bins)
        centred = np.swapaxes(points - centre_mm, -1, -2).astype(np.float32)
        rows = 1 if points.ndim == 2 else points.shape[0]
        return cls(
            torch.from_numpy(np.ascontiguousarray(centred)).to(device),
            seen.reshape(rows, -1),
            moving,
            bins,
            min_inside,
            fused,
        )

    def only(self, which: torch.Tensor) -> "Objective":
        """The objective for some of the poses, where each pose has its own points."""
        if self.points.ndim == 2:
            return self
        device_which = which.to(self.points.device)
        return replace(self, points=self.points[device_which], fixed=self.fixed[device_which])

    def _chunks(self, poses: Poses) -> list[slice]:
        size = max(1, SAMPLES_AT_ONCE // self.points.shape[-1])
        return [slice(k, min(k + size, len(poses))) for k in range(0, len(poses), size)]

    def _part(self, part: slice) -> tuple[torch.Tensor, Windowed]:
        if self.points.ndim == 2:
            return self.points, Windowed.at(self.fixed, self.bins)
        return self.points[part], Windowed.at(self.fixed[part], self.bins)

    def _to_index(self, poses: Poses) -> tuple[torch.Tensor, torch.Tensor]:
        """(poses, 3, 3) and (poses, 3) float32: from `points` to array indices in the moving level."""
        to_index = torch.from_numpy(self.moving.indices_from_points)
        linear = (to_index[:3, :3] @ poses.rotation).to(self.points)
        return linear, (poses.translation_mm @ to_index[:3, :3].T + to_index[:3, 3]).to(self.points)

    def _fused(self, poses: Poses, sloped: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """NMI (poses,), shares inside (poses,) and, where `sloped`, the derivative (poses, 3, 4) by `_to_index`."""
        points = self.points if self.points.ndim == 3 else self.points[None]
        linear, shift = self._to_index(poses)
        voxels = self.moving.sampler.voxels
        ratios, shares, spreads = fused_nmi.fused_nmi(
            points.contiguous().numpy(),
            self.fixed.contiguous().numpy(),
            voxels.reshape(-1).numpy(),
            self.moving.sampler.shape,
            torch.cat([linear, shift[:, :, None]], dim=2).numpy(),
            self.bins,
            sloped,
        )
        ratio = np.where(shares >= self.min_inside, ratios, INDEPENDENT)
        return torch.from_numpy(ratio), torch.from_numpy(shares), torch.from_numpy(spreads)

    def _indices(self, poses: Poses, points: torch.Tensor) -> torch.Tensor:
        """(3, poses, n) array indices in the moving level."""
        linear, shift = self._to_index(poses)
        if points.ndim == 2:
            indices = (linear.transpose(0, 1).reshape(-1, 3) @ points).reshape(3, len(poses), -1)
        else:
            indices = torch.bmm(linear, points).transpose(0, 1)
        return indices + shift.T[:, :, None]

    def value(self, poses: Poses) -> tuple[torch.Tensor, torch.Tensor]:
        """NMI (poses,) and the share of samples inside (poses,), float64 on the CPU."""
        if self.fused:
            return self._fused(poses, sloped=False)[:2]
        similarities, shares = [], []
        for part in self._chunks(poses):
            points, fixed = self._part(part)
            indices = self._indices(poses[part], points)
            values, inside = self.moving.sampler.value(indices.reshape(3, -1))
            shape = indices.shape[1:]
            weight = (inside * self.moving.sampler.taper(indices.reshape(3, -1))[0]).reshape(shape)
            moving = Windowed.of(values.reshape(shape), self.bins)
            ratio, _ = normalised_mutual_information(joint_histogram(fixed, moving, weight, self.bins))
            share = weight.to(torch.float64).mean(dim=1)
            similarities.append(torch.where(share >= self.min_inside, ratio, INDEPENDENT).cpu())
            shares.append(share.cpu())
        return torch.cat(similarities), torch.cat(shares)

    def value_and_gradient(self, poses: Poses) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """NMI (poses,) and its derivatives, float64 on the CPU.

        The first derivative (poses, 3, 3) is by the entries of a linear map near the identity that follows the
        rotation, the second (poses, 3) by the translation in mm.
        """
        if self.fused:
            similarity, share, spread = self._fused(poses, sloped=True)
            enough = share >= self.min_inside
        else:
            parts = [self._gradient_of(poses, part) for part in self._chunks(poses)]
            similarity, enough, spread = (torch.cat(part) for part in zip(*parts, strict=True))
        to_index = torch.from_numpy(self.moving.indices_from_points[:3, :3].copy())
        moment = to_index.T @ spread[:, :, :3] @ poses.rotation.transpose(1, 2)
        force = spread[:, :, 3] @ to_index
        return similarity, moment * enough[:, None, None], force * enough[:, None]

    def _gradient_of(self, poses: Poses, part: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        points, fixed = self._part(part)
        indices = self._indices(poses[part], points)
        shape = indices.shape[1:]
        values, gradient, inside = self.moving.sampler.value_and_gradient(indices.reshape(3, -1))
        weight, thinning = self.moving.sampler.taper(indices.reshape(3, -1))
        weight = (weight * inside).reshape(shape)
        moving = Windowed.of(values.reshape(shape), self.bins)
        joint = joint_histogram(fixed, moving, weight, self.bins)
        ratio, slope = normalised_mutual_information(joint)
        pull = by_moving_value(slope, fixed, moving, weight, self.bins) * (self.bins - 1)
        level = by_weight(slope, joint, fixed, moving, weight, self.bins)
        thinning = (thinning * inside).reshape(3, *shape)
        weighted = (gradient.reshape(3, *shape) * pull + thinning * level).transpose(0, 1)
        spread = torch.cat([torch.matmul(weighted, points.transpose(-1, -2)), weighted.sum(dim=2, keepdim=True)], dim=2)
        enough = (weight.to(torch.float64).mean(dim=1) >= self.min_inside).cpu()
        return torch.where(enough, ratio.cpu(), INDEPENDENT), enough, spread.to(torch.float64).cpu()
