"""Edges of the fused image that no source has (N^AB/F)."""

import torch

from .edge_transfer import alike, ratio, safe_root, sigmoid, sobel, sum_of_squares, total
from .local_windows import Image, Values

STRENGTH = (0.9999, 19.0, 0.5)
ORIENTATION = (0.9995, 22.0, 0.5)
"""Top, slope and middle of the sigmoids."""

STEEPNESS = 1.5
"""An edge of a source weighs its gradient to this power."""

WEAK, WEAK_WEIGHT = 2.0, 0.001
"""Below so many grey levels a voxel an edge weighs next to nothing."""


def nabf(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """N^AB/F, edges of the fused image that no source has: 0 is best.

    Σ M((1 - Q^AF) w_A + (1 - Q^BF) w_B) / Σ(w_A + w_B), where M is 1 where g_F exceeds both g_A and g_B and else 0
    (Kumar 2013, `kumar2013`, his change to Petrović's measure, which has 2 - Q^AF - Q^BF there). With the constants of
    Kumar's program, which the tables of the literature use and which are not those of `qabf`: g is the Sobel gradient
    in grey levels a voxel, w_X = g_X^1.5, or 0.001 where g_X < 2, and
    Q^XF = √(Γg/(1 + e^(-19(G - 1/2))) · Γα/(1 + e^(-22(A - 1/2)))), G and A as in `qabf`. The border value goes on here
    and is periodic there. With the constants and weights of `qabf` and without the root, values are some four times
    as high: compare only values of one program. Differentiable in the fused image but for the choice M.
    """
    scale = 2.0 * 4.0 ** (dimensions - 1)
    edges = [[component / scale for component in sobel(image, dimensions)] for image in (fixed, moved, fused)]
    strengths = [safe_root(sum_of_squares(edge)) for edge in edges]
    weights = [torch.where(strength >= WEAK, strength**STEEPNESS, WEAK_WEIGHT) for strength in strengths[:2]]
    lost = [
        (1 - _preserved(edges[source], strengths[source], edges[2], strengths[2])) * weights[source]
        for source in (0, 1)
    ]
    invented = strengths[2] > torch.maximum(strengths[0], strengths[1])
    return ratio(
        total(torch.where(invented, lost[0] + lost[1], 0.0), dimensions), total(weights[0] + weights[1], dimensions)
    )


def _preserved(source: list[Image], source_strength: Image, fused: list[Image], fused_strength: Image) -> Image:
    """Q^XF at every voxel."""
    strength = ratio(torch.minimum(source_strength, fused_strength), torch.maximum(source_strength, fused_strength))
    return (sigmoid(strength, *STRENGTH) * sigmoid(alike(source, fused), *ORIENTATION)).sqrt()
