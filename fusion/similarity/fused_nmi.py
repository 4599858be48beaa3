"""Normalised mutual information of many poses in one pass over the samples: the same as the plain form, compiled.

A sample is mapped, interpolated and counted before the next one is looked at, so that nothing is written per sample
but its bin and its gradient, which the second pass turns into the derivative by the pose. One thread; sums are taken in
the order of the samples, so that every run on one kind of processor gives the same bits. `AVAILABLE` is False where
numba cannot be imported: then the plain form is used.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

try:
    import numba
except ImportError:  # the plain form gives the same answers, some five times slower
    numba = None

Function = TypeVar("Function", bound=Callable[..., Any])
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AVAILABLE = numba is not None

UNIT = np.float32(4096)
"""One sample in the integer histogram, as in `mutual_information`."""

TINY = 1e-12
EMPTY_LOG = -12.0
ZERO, ONE = np.float32(0), np.float32(1)


def compiled(function: Function) -> Function:
    """`function` as machine code, kept on disk between runs where any folder for it can be written.

    Multiplications and additions may be contracted (one rounding instead of two), nothing else is reordered.
    """
    if numba is None:
        return function
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}}
    try:
        kept: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        kept = numba.njit(**options)(function)
    return kept


@compiled
def _place(at: float, last: int) -> tuple[int, np.float32]:
    """The lower of two neighbours and the way to the upper one."""
    lower = min(int(at), last - 1)
    return lower, np.float32(at - np.float32(lower))


@compiled
def _count(counts: NDArray[np.int32], corner: np.uint64, bins: int, fixed: np.float32, moving: np.float32) -> None:
    """One sample into the four bins about it."""
    row = np.uint64(bins)
    upper = UNIT * moving
    lower = UNIT - upper
    upper_fixed, lower_fixed = upper * fixed, lower * fixed
    counts[corner] += np.int32(np.rint(lower - lower_fixed))
    counts[corner + np.uint64(1)] += np.int32(np.rint(upper - upper_fixed))
    counts[corner + row] += np.int32(np.rint(lower_fixed))
    counts[corner + row + np.uint64(1)] += np.int32(np.rint(upper_fixed))


@compiled
def _gather(
    points: Floats,
    fixed: Floats,
    voxels: Floats,
    shape: tuple[int, int, int],
    to_index: Floats,
    bins: int,
    counts: NDArray[np.int32],
    corners: NDArray[np.int32],
    gradients: Floats,
) -> int:
    """Fill the joint histogram of one pose; how many samples are inside.

    Where `corners` is not empty, the corner bin of every sample (-1 outside) and its gradient (3, n) are kept, too.
    """
    _, rows, columns = shape
    ends = (np.float32(shape[0] - 1), np.float32(rows - 1), np.float32(columns - 1))
    # Unsigned: an index that might be negative costs a comparison at every read.
    down, along, one = np.uint64(rows * columns), np.uint64(columns), np.uint64(1)
    top = np.float32(bins - 1)
    (a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3) = to_index[0], to_index[1], to_index[2]
    keeps = len(corners) > 0
    inside = 0
    for i in range(points.shape[1]):
        px, py, pz = points[0, i], points[1, i], points[2, i]
        z = a0 * px + a1 * py + a2 * pz + a3
        y = b0 * px + b1 * py + b2 * pz + b3
        x = c0 * px + c1 * py + c2 * pz + c3
        if keeps:
            corners[i] = -1
        if not (z >= ZERO and z <= ends[0] and y >= ZERO and y <= ends[1] and x >= ZERO and x <= ends[2]):
            continue
        iz, fz = _place(z, shape[0] - 1)
        iy, fy = _place(y, rows - 1)
        ix, fx = _place(x, columns - 1)
        near = np.uint64(iz) * down + np.uint64(iy) * along + np.uint64(ix)
        far = near + down
        v00, v01 = voxels[near], voxels[near + along]
        v10, v11 = voxels[far], voxels[far + along]
        x00, x01 = voxels[near + one] - v00, voxels[near + along + one] - v01
        x10, x11 = voxels[far + one] - v10, voxels[far + along + one] - v11
        e00, e10 = v00 + fx * x00, v10 + fx * x10
        y0, y1 = v01 + fx * x01 - e00, v11 + fx * x11 - e10
        h0 = e00 + fy * y0
        dz = e10 + fy * y1 - h0
        value = h0 + fz * dz
        if value != value:  # not a number: a corner of the cell was not measured
            continue
        inside += 1
        moving_bin, moving_share = _place(min(max(value, ZERO), ONE) * top, bins - 1)
        fixed_bin, fixed_share = _place(fixed[i], bins - 1)
        corner = np.uint64(fixed_bin) * np.uint64(bins) + np.uint64(moving_bin)
        _count(counts, corner, bins, fixed_share, moving_share)
        if keeps:
            corners[i] = corner
            near_x, far_x = x00 + fy * (x01 - x00), x10 + fy * (x11 - x10)
            gradients[0, i] = dz
            gradients[1, i] = y0 + fz * (y1 - y0)
            gradients[2, i] = near_x + fz * (far_x - near_x)
    return inside


@compiled
def _ratio(counts: NDArray[np.int32], bins: int, rise: Floats, sloped: bool) -> float:
    """NMI of a histogram; with `sloped`, `rise` is how it changes with a moving value (in bins), for each corner."""
    total = 0.0
    for count in counts:
        total += count
    scale = 1 / max(total, 1.0)
    of_fixed, of_moving = np.zeros(bins), np.zeros(bins)
    joint_log = np.empty(bins * bins)
    entropy = 0.0
    nothing = np.log(TINY)
    for f in range(bins):
        for m in range(bins):
            share = counts[f * bins + m] * scale
            of_fixed[f] += share
            of_moving[m] += share
            logarithm = np.log(max(share, TINY)) if share > 0 else nothing
            entropy -= share * logarithm
            joint_log[f * bins + m] = logarithm
    entropy = max(entropy, TINY)
    log_fixed, log_moving = np.log(np.maximum(of_fixed, TINY)), np.log(np.maximum(of_moving, TINY))
    ratio: float = -((of_fixed * log_fixed).sum() + (of_moving * log_moving).sum()) / entropy
    if sloped:
        for f in range(bins):
            before = 0.0
            for m in range(bins):
                bounded = max(joint_log[f * bins + m], EMPTY_LOG)
                slope = (ratio * (bounded + 1) - (log_fixed[f] + log_moving[m] + 2)) / entropy
                if m > 0:
                    rise[f * bins + m - 1] = np.float32(slope - before)
                before = slope
            rise[f * bins + bins - 1] = ZERO
    return ratio


@compiled
def _pull(
    points: Floats,
    fixed: Floats,
    bins: int,
    corners: NDArray[np.int32],
    gradients: Floats,
    rise: Floats,
    spread: Doubles,
) -> None:
    """`spread` (3, 4): sums over the samples of pull times gradient (index axes) times (x, y, z, 1) of the point."""
    f0 = f1 = f2 = 0.0
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = 0.0
    row = np.uint64(bins)
    for i in range(points.shape[1]):
        if corners[i] < 0:
            continue
        corner = np.uint64(corners[i])
        _, share = _place(fixed[i], bins - 1)
        low = rise[corner]
        pull = low + share * (rise[corner + row] - low)
        w0, w1, w2 = pull * gradients[0, i], pull * gradients[1, i], pull * gradients[2, i]
        px, py, pz = points[0, i], points[1, i], points[2, i]
        f0, f1, f2 = f0 + w0, f1 + w1, f2 + w2
        s00, s01, s02 = s00 + w0 * px, s01 + w0 * py, s02 + w0 * pz
        s10, s11, s12 = s10 + w1 * px, s11 + w1 * py, s12 + w1 * pz
        s20, s21, s22 = s20 + w2 * px, s21 + w2 * py, s22 + w2 * pz
    spread[0, 0], spread[0, 1], spread[0, 2], spread[0, 3] = s00, s01, s02, f0
    spread[1, 0], spread[1, 1], spread[1, 2], spread[1, 3] = s10, s11, s12, f1
    spread[2, 0], spread[2, 1], spread[2, 2], spread[2, 3] = s20, s21, s22, f2


@compiled
def fused_nmi(
    points: Floats,
    fixed: Floats,
    voxels: Floats,
    shape: tuple[int, int, int],
    to_index: Floats,
    bins: int,
    sloped: bool,
) -> tuple[Doubles, Doubles, Doubles]:
    """NMI (poses,), share of samples inside (poses,) and, where `sloped`, its derivative (poses, 3, 4), else zeros.

    `points` (1 or poses, 3, n) and the bin positions `fixed` (1 or poses, n) of what the fixed image shows there;
    `voxels` (all of `shape`,) from 0 to 1, not a number where nothing was measured; `to_index` (poses, 3, 4) from
    points to array indices. The derivative is by the entries of `to_index`.
    """
    poses, samples = to_index.shape[0], points.shape[2]
    ratios, shares, spreads = np.empty(poses), np.empty(poses), np.zeros((poses, 3, 4))
    counts, rise = np.empty(bins * bins, np.int32), np.empty(bins * bins, np.float32)
    corners = np.empty(samples if sloped else 0, np.int32)
    gradients = np.empty((3, samples if sloped else 0), np.float32)
    for p in range(poses):
        own = points[p if points.shape[0] > 1 else 0]
        seen = fixed[p if fixed.shape[0] > 1 else 0]
        counts[:] = 0
        inside = _gather(own, seen, voxels, shape, to_index[p], bins, counts, corners, gradients)
        ratios[p] = _ratio(counts, bins, rise, sloped)
        shares[p] = inside / max(samples, 1)
        if sloped:
            _pull(own, seen, bins, corners, gradients, rise, spreads[p])
            spreads[p] *= (bins - 1) / max(inside, 1)
    return ratios, shares, spreads
