"""Steps between slices that no source takes."""

import torch

from .local_windows import Image, Values


def flicker(fixed: Image, moved: Image, fused: Image, dimensions: int = 3) -> Values:
    """Mean over voxels of max(0, |ΔF| - max(|ΔA|, |ΔB|)) in grey levels, Δ from slice to slice; 0 is best.

    Own definition. 0 for every method whose voxels change no more than the sources' there, such as the average and
    the maximum; a method that decides slice by slice, or stretches each slice by itself, flickers. The images are
    (…, slice, row, column) whatever `dimensions` says; one slice alone has 0.
    """
    if fused.ndim < 3 or fused.shape[-3] < 2:
        return torch.zeros(fused.shape[:-3], dtype=fused.dtype, device=fused.device)
    steps = [image.diff(dim=-3).abs() for image in (fixed, moved, fused)]
    return (steps[2] - torch.maximum(steps[0], steps[1])).clamp_min(0).mean(dim=(-3, -2, -1))
