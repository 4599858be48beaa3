"""Noise removal by total generalised variation of fractional order."""

import torch

from ..types import VoxelArray
from .fractional_difference import adjoint_difference, difference

SLAB = 8
"""Slices that are worked on at once; each is denoised on its own."""

SECOND_WEIGHT = 2.0
"""α₀ : α₁, the usual ratio (`bredies2010`)."""


def denoised(image: VoxelArray, order: float, fidelity: float, iterations: int) -> VoxelArray:
    """Min over u, v of fidelity/2 ‖u − f‖² + ‖D u − v‖₁ + 2 ‖E v‖₁ in each slice, D and E of `order`.

    Second-order total generalised variation (`bredies2010`) with Grünwald and Letnikov's differences in place of the
    first ones (`ren2013`), by the primal-dual method (`chambolle2011`). Smooth shades stay smooth: no
    stairs.
    """
    parts = [image[start : start + SLAB] for start in range(0, image.shape[0], SLAB)]
    return torch.cat([_slab(part, order, fidelity, iterations) for part in parts])


def _slab(image: VoxelArray, order: float, fidelity: float, iterations: int) -> VoxelArray:
    # The norm of (D −1; 0 E): D's square is at most 2 · 4^order.
    square = 2 * 4**order
    step = float((square + 0.5 + (square + 0.25) ** 0.5) ** -0.5)
    u, u_bar = image.clone(), image.clone()
    v = image.new_zeros((2, *image.shape))
    v_bar = v.clone()
    p, q = torch.zeros_like(v), image.new_zeros((3, *image.shape))
    for _ in range(iterations):
        for at in (0, 1):
            p[at] += step * (difference(u_bar, at + 1, order) - v_bar[at])
        p.div_(p.norm(dim=0).clamp_(min=1.0))
        q[0] += step * difference(v_bar[0], 1, order)
        q[1] += step * difference(v_bar[1], 2, order)
        q[2] += step / 2 * (difference(v_bar[0], 2, order) + difference(v_bar[1], 1, order))
        size = (q[0].square() + q[1].square() + 2 * q[2].square()).sqrt_()
        q.div_(size.div_(SECOND_WEIGHT).clamp_(min=1.0))
        before, before_v = u, v
        gradient = adjoint_difference(p[0], 1, order).add_(adjoint_difference(p[1], 2, order))
        u = (u - step * gradient).add_(image, alpha=step * fidelity).div_(1 + step * fidelity)
        v = v + step * p
        v[0] -= step * (adjoint_difference(q[0], 1, order) + adjoint_difference(q[2], 2, order))
        v[1] -= step * (adjoint_difference(q[1], 2, order) + adjoint_difference(q[2], 1, order))
        u_bar, v_bar = 2 * u - before, 2 * v - before_v
    return u
