"""The step of a displacement field that data and stiffness agree on: a linear system over the nodes.

Data are a 3 × 3 matrix a node (how well the images determine its displacement); stiffness is the bending energy, the
squared Laplacian of each component, which costs nothing for affine motion. Zero displacement on the outermost nodes.
"""

import math
from functools import lru_cache

import torch

from .node_grid import without_border

ITERATIONS = 12
"""Of conjugate gradients: the step is then within a few percent, and the next linearisation moves it more than that."""

TOLERANCE = 0.03


def laplacian(field: torch.Tensor, spacing_mm: float) -> torch.Tensor:
    """(channels, slice, row, column) to the sum of its second differences in 1/mm², zero beyond the border."""
    total = field * -6.0
    for axis in (1, 2, 3):
        n = field.shape[axis]
        total.narrow(axis, 0, n - 1).add_(field.narrow(axis, 1, n - 1))
        total.narrow(axis, 1, n - 1).add_(field.narrow(axis, 0, n - 1))
    return without_border(total).div_(spacing_mm**2)


def bending(field: torch.Tensor, spacing_mm: float) -> torch.Tensor:
    """The derivative of half the bending energy by each displacement."""
    return laplacian(laplacian(field, spacing_mm), spacing_mm)


def weighed(curvature: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """The symmetric matrices (6, …) times the vectors (3, …)."""
    zz, zy, zx, yy, yx, xx = curvature.unbind(0)
    z, y, x = field.unbind(0)
    return torch.stack([zz * z + zy * y + zx * x, zy * z + yy * y + yx * x, zx * z + yx * y + xx * x])


def solve(curvature: torch.Tensor, slope: torch.Tensor, stiffness: float, spacing_mm: float) -> torch.Tensor:
    """The step d with H·d + stiffness · Δ²d = slope, by preconditioned conjugate gradients.

    The preconditioner is the same system with one number for all data, which the sine transform solves at once.
    """
    slope = without_border(slope)
    curvature = without_border(curvature)
    trace = (curvature[0] + curvature[3] + curvature[5]) / 3
    level = float(trace.sum(dtype=torch.float64) / (trace > 0).sum().clamp_min(1)) + 1e-12
    transforms = [sine_transform(n - 2, slope.device) for n in slope.shape[1:]]
    divisor = level + stiffness * _eigenvalues(slope.shape[1:], spacing_mm, slope.device).square()

    def preconditioned(residual: torch.Tensor) -> torch.Tensor:
        inner = residual[:, 1:-1, 1:-1, 1:-1]
        spectrum = _transformed(inner, transforms) / divisor
        result = torch.zeros_like(residual)
        result[:, 1:-1, 1:-1, 1:-1] = _transformed(spectrum, transforms)
        return result

    step = torch.zeros_like(slope)
    residual = slope.clone()
    direction = preconditioned(residual)
    power = float((residual * direction).sum(dtype=torch.float64))
    least = TOLERANCE**2 * power
    for _ in range(ITERATIONS):
        if power <= least or power <= 0:
            break
        image = weighed(curvature, direction) + stiffness * bending(direction, spacing_mm)
        share = power / float((direction * image).sum(dtype=torch.float64))
        step += share * direction
        residual -= share * image
        improved = preconditioned(residual)
        last, power = power, float((residual * improved).sum(dtype=torch.float64))
        direction = improved + (power / last) * direction
    return step


@lru_cache(maxsize=32)
def sine_transform(n: int, device: torch.device) -> torch.Tensor:
    """(n, n) orthonormal type-I sine transform: its own inverse, diagonalises second differences with zero ends."""
    k = torch.arange(1, n + 1, dtype=torch.float64)
    matrix = math.sqrt(2 / (n + 1)) * torch.sin(math.pi / (n + 1) * k[:, None] * k[None, :])
    return matrix.to(device, torch.float32)


def _transformed(values: torch.Tensor, transforms: list[torch.Tensor]) -> torch.Tensor:
    """The three axes one after the other."""
    for matrix in transforms:
        # The axis that was done goes last; after three turns all are where they were.
        values = torch.matmul(values.movedim(1, -1), matrix)
    return values


def _eigenvalues(shape: torch.Size, spacing_mm: float, device: torch.device) -> torch.Tensor:
    """Of the Laplacian, for each wave."""
    total = torch.zeros((1, 1, 1), dtype=torch.float32, device=device)
    for axis, n in enumerate(shape):
        k = torch.arange(1, n - 1, dtype=torch.float32, device=device)
        wave = (2 * torch.cos(math.pi * k / (n - 1)) - 2) / spacing_mm**2
        total = total + wave.reshape([-1 if a == axis else 1 for a in range(3)])
    return total
