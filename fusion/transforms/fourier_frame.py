"""Fusion in a frame whose bands are windows of the Fourier transform."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import pi

import torch

from ..types import VoxelArray
from .extension import cropped, fast_length, periodic_extension
from .selection import Rule

EXTENSION = 16
"""Voxels beyond the end that make the image periodic."""

SLAB_VOXELS = 2**22
"""Slices that are transformed on their own are taken together up to this many voxels."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """One band: its window over the half spectrum of a grid of `lengths` (`rfftn` order), real and symmetric.

    A grid smaller than the image's samples the band more coarsely; the window must vanish outside of it. `lowest` marks
    the band of the mean.
    """

    window: torch.Tensor
    lengths: tuple[int, ...]
    lowest: bool = False


Bands = Callable[[tuple[int, ...], torch.device], Iterator[Band]]
"""From the lengths of the transformed axes to the bands of a frame, one at a time."""


def fuse_frame(
    images: list[VoxelArray], axes: tuple[int, ...], bands: Bands, detail: Rule, base: Rule, *, tight: bool
) -> VoxelArray:
    """Every band by `detail`, the lowest by `base`; both may write over their first band. Uses up the list.

    `tight` says that the squares of the windows sum to one, so that each is applied a second time on the way back; else
    the windows themselves do, and the bands are added. Without `axes` the images are the lowest band.
    """
    if not axes:
        return base(*images)
    last = axes[-1]
    if last != images[0].ndim - 1:
        swapped = [image.transpose(last, -1) for image in images]
        inner = (*axes[:-1], images[0].ndim - 1)
        return fuse_frame(swapped, inner, bands, detail, base, tight=tight).transpose(last, -1)
    first = images[0]
    others = [axis for axis in range(first.ndim) if axis not in axes and first.shape[axis] > 1]
    if not others:
        del first
        return _fused(images, axes, bands, detail, base, tight)
    # Axes that are not transformed: slabs along one of them, each with a neighbour for rules that look around.
    along = others[0]
    extent = first.shape[along]
    slab = max(1, SLAB_VOXELS * extent // first.numel())
    parts = []
    for start in range(0, extent, slab):
        begin, stop = max(0, start - 1), min(extent, start + slab + 1)
        slabs = [image.narrow(along, begin, stop - begin) for image in images]
        part = _fused(slabs, axes, bands, detail, base, tight)
        parts.append(part.narrow(along, start - begin, min(slab, extent - start)).clone())
    return torch.cat(parts, dim=along)


def _fused(
    images: list[VoxelArray], axes: tuple[int, ...], bands: Bands, detail: Rule, base: Rule, tight: bool
) -> VoxelArray:
    shape, device = tuple(images[0].shape), images[0].device
    lengths = tuple(fast_length(shape[axis] + min(EXTENSION, shape[axis] - 1), 2) for axis in axes)
    spectra = []
    while images:
        spectra.append(torch.fft.rfftn(periodic_extension(images.pop(0), axes, lengths), dim=axes, norm="forward"))
    total: torch.Tensor | None = None
    for band in bands(lengths, device):
        window = _placed(band.window, axes, len(shape))
        own, *others = [_selected(spectrum, window, axes, lengths, band.lengths) for spectrum in spectra]
        here = _to_image(own, axes, band.lengths[-1])
        fused = (base if band.lowest else detail)(here, *(_to_image(each, axes, band.lengths[-1]) for each in others))
        del others
        if not tight:
            total = fused.clone() if total is None else total.add_(fused)
            del own, here, fused
            continue
        if fused is not here:
            here.copy_(fused)
        del fused
        part = _to_spectrum(own, here, axes).mul_(window)
        del own, here
        if total is None:
            total = torch.zeros_like(spectra[0])
        _add_low(total, part, axes, lengths, band.lengths)
        del part
    assert total is not None
    spectra.clear()
    return cropped(_to_image(total, axes, lengths[-1]) if tight else total, shape)


def frequencies(lengths: tuple[int, ...], device: torch.device) -> list[torch.Tensor]:
    """Angular frequency per axis, −π…π, each shaped to broadcast over the half spectrum."""
    lines = [2 * pi * torch.fft.fftfreq(length, device=device) for length in lengths[:-1]]
    lines.append(2 * pi * torch.fft.rfftfreq(lengths[-1], device=device))
    return [line.reshape([-1 if i == axis else 1 for i in range(len(lines))]) for axis, line in enumerate(lines)]


def oriented(lines: list[torch.Tensor]) -> list[torch.Tensor]:
    """The same with 0 for π, for windows that depend on the direction.

    On an even grid +π and −π are one frequency, which has no direction along that axis. Without this a window would
    not be symmetric there, and its band not real.
    """
    return [torch.where(line.abs() >= pi * (1 - 1e-6), 0.0, line) for line in lines]


def _placed(window: torch.Tensor, axes: tuple[int, ...], ndim: int) -> torch.Tensor:
    """The window with an axis of length one where the image is not transformed."""
    extents = iter(window.shape)
    return window.reshape([next(extents) if axis in axes else 1 for axis in range(ndim)])


def _selected(
    spectrum: torch.Tensor, window: torch.Tensor, axes: tuple[int, ...], lengths: tuple[int, ...], to: tuple[int, ...]
) -> torch.Tensor:
    for at, axis in enumerate(axes):
        if to[at] != lengths[at]:
            half = to[at] // 2
            kept = [spectrum.narrow(axis, 0, half + (axis == axes[-1]))]
            if axis != axes[-1]:
                kept.append(spectrum.narrow(axis, lengths[at] - half, half))
            spectrum = torch.cat(kept, dim=axis)
    return (spectrum * window).contiguous()


def _to_image(spectrum: torch.Tensor, axes: tuple[int, ...], length: int) -> torch.Tensor:
    """The inverse transform, in the memory of the spectrum and in slabs: at once it would need all of it three times.

    A line of `length` reals lies where its length / 2 + 1 complex numbers were.
    """
    for axis in axes[:-1]:
        for part in _slabs(spectrum, 1 if axis == 0 else 0):
            part.copy_(torch.fft.ifft(part, dim=axis, norm="forward"))
    image = torch.view_as_real(spectrum).flatten(-2).narrow(-1, 0, length)
    for part, lines in zip(_slabs(spectrum, 0), _slabs(image, 0), strict=True):
        lines.copy_(torch.fft.irfft(part, n=length, dim=-1, norm="forward"))
    return image


def _to_spectrum(spectrum: torch.Tensor, image: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """The transform of `image`, which `_to_image` put in the memory of `spectrum`, in that memory again."""
    for part, lines in zip(_slabs(spectrum, 0), _slabs(image, 0), strict=True):
        part.copy_(torch.fft.rfft(lines, dim=-1, norm="forward"))
    for axis in reversed(axes[:-1]):
        for part in _slabs(spectrum, 1 if axis == 0 else 0):
            part.copy_(torch.fft.fft(part, dim=axis, norm="forward"))
    return spectrum


def _slabs(values: torch.Tensor, along: int) -> list[torch.Tensor]:
    """Views of a sixteenth along one axis, so that what is made of each is small beside the whole."""
    extent = values.shape[along]
    slab = -(-extent // 16)
    return [values.narrow(along, start, min(slab, extent - start)) for start in range(0, extent, slab)]


def _add_low(
    total: torch.Tensor, part: torch.Tensor, axes: tuple[int, ...], lengths: tuple[int, ...], of: tuple[int, ...]
) -> None:
    """Adds the spectrum of a smaller grid to the low frequencies of a larger one."""
    pieces = [(total, part)]
    for at, axis in enumerate(axes):
        half = of[at] // 2
        if of[at] == lengths[at]:
            continue
        if axis == axes[-1]:
            pieces = [(large.narrow(axis, 0, half + 1), small) for large, small in pieces]
        else:
            pieces = [
                (large.narrow(axis, start, half), small.narrow(axis, begin, half))
                for large, small in pieces
                for start, begin in ((0, 0), (lengths[at] - half, half))
            ]
    for large, small in pieces:
        large.add_(small)
