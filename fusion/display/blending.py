"""A colour overlay on a grey image."""

import torch

from ..errors import ParameterError
from ..types import ColourArray, MaskArray, VoxelArray
from .colour_tables import ColourTable

CHUNK_VOXELS = 4_000_000
"""Colour is mixed so many voxels at a time, in float32."""


def blend(
    grey: VoxelArray,
    overlay: VoxelArray,
    table: ColourTable,
    *,
    opacity: float = 0.5,
    threshold: float = 0.0,
    ramp: float = 0.25,
    shown: MaskArray | None = None,
) -> ColourArray:
    """`overlay` (0…1) through the colour `table` over `grey` (0…1); (slice, row, column, 3) uint8 sRGB.

    The mix is linear in the stored sRGB values, as displays of fused studies do it: `a·colour + (1 - a)·grey`. The
    overlay is clear up to `threshold`, grows linearly over the next `ramp` and has `opacity` from there on, so that
    anatomy stays readable where nothing is taken up. Where `shown` is False only the grey image is seen.
    """
    for name, value in (("opacity", opacity), ("threshold", threshold), ("ramp", ramp)):
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} lies between 0 and 1, not at {value}")
    colours = torch.from_numpy(table.astype("float32")).to(grey.device)
    mixed = torch.empty((*grey.shape, 3), dtype=torch.uint8, device=grey.device)
    step = max(1, CHUNK_VOXELS // (grey.shape[1] * grey.shape[2]))
    for start in range(0, grey.shape[0], step):
        chunk = slice(start, start + step)
        alpha = opacity * _visibility(overlay[chunk], threshold, ramp)
        if shown is not None:
            alpha = alpha * shown[chunk]
        colour = colours[overlay[chunk].mul(len(table) - 1).round().long()]
        base = grey[chunk].mul(255.0)[..., None]
        mixed[chunk] = torch.lerp(base, colour, alpha[..., None]).round().clamp(0, 255).to(torch.uint8)
    return mixed


def _visibility(overlay: VoxelArray, threshold: float, ramp: float) -> torch.Tensor:
    """0 up to the threshold, 1 above the ramp."""
    if ramp == 0:
        return (overlay > threshold).float()
    return overlay.sub(threshold).div(ramp).clamp(0.0, 1.0)
