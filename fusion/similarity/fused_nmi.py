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

UNIT = np.float32(2**20)
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
def _count(
    counts: NDArray[np.int64], corner: np.uint64, bins: int, weight: np.float32, fixed: np.float32, moving: np.float32
) -> None:
    """One sample into the four bins about it."""
    row = np.uint64(bins)
    whole = UNIT * weight
    upper = whole * moving
    lower = whole - upper
    upper_fixed, lower_fixed = upper * fixed, lower * fixed
    counts[corner] += np.int64(np.rint(lower - lower_fixed))
    counts[corner + np.uint64(1)] += np.int64(np.rint(upper - upper_fixed))
    counts[corner + row] += np.int64(np.rint(lower_fixed))
    counts[corner + row + np.uint64(1)] += np.int64(np.rint(upper_fixed))


@compiled
def _edge(z: float, y: float, x: float, weight: float, ends: tuple[np.float32, np.float32, np.float32]) -> int:
    """By which face the weight of a sample is lowered: 0, 1, 2 the first along each axis, 3, 4, 5 the last."""
    if weight == z:
        return 0
    if weight == y:
        return 1
    if weight == x:
        return 2
    if weight == ends[0] - z:
        return 3
    return 4 if weight == ends[1] - y else 5


@compiled
def _gather(
    points: Floats,
    fixed: Floats,
    voxels: Floats,
    shape: tuple[int, int, int],
    to_index: Floats,
    bins: int,
    counts: NDArray[np.int64],
    positions: Floats,
    gradients: Floats,
    edges: NDArray[np.int8],
) -> float:
    """Fill the joint histogram of one pose; the weight of all samples.

    Where `positions` is not empty, the moving bin position of every sample (-1 outside), its gradient times its weight
    (3, n) and its edge (-1 where its weight is 1) are kept, too.
    """
    _, rows, columns = shape
    ends = (np.float32(shape[0] - 1), np.float32(rows - 1), np.float32(columns - 1))
    # Unsigned: an index that might be negative costs a comparison at every read.
    down, along, one = np.uint64(rows * columns), np.uint64(columns), np.uint64(1)
    top = np.float32(bins - 1)
    (a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3) = to_index[0], to_index[1], to_index[2]
    keeps = len(positions) > 0
    total = 0.0
    for i in range(points.shape[1]):
        px, py, pz = points[0, i], points[1, i], points[2, i]
        z = a0 * px + a1 * py + a2 * pz + a3
        y = b0 * px + b1 * py + b2 * pz + b3
        x = c0 * px + c1 * py + c2 * pz + c3
        if keeps:
            positions[i] = -1
        weight = min(min(min(z, y), min(x, ends[0] - z)), min(min(ends[1] - y, ends[2] - x), ONE))
        if not weight >= ZERO:
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
        total += weight
        position = min(max(value, ZERO), ONE) * top
        moving_bin, moving_share = _place(position, bins - 1)
        fixed_bin, fixed_share = _place(fixed[i], bins - 1)
        corner = np.uint64(fixed_bin) * np.uint64(bins) + np.uint64(moving_bin)
        _count(counts, corner, bins, weight, fixed_share, moving_share)
        if keeps:
            positions[i] = position
            near_x, far_x = x00 + fy * (x01 - x00), x10 + fy * (x11 - x10)
            gradients[0, i] = weight * dz
            gradients[1, i] = weight * (y0 + fz * (y1 - y0))
            gradients[2, i] = weight * (near_x + fz * (far_x - near_x))
            edges[i] = -1 if weight == ONE else _edge(z, y, x, weight, ends)
    return total


@compiled
def _ratio(counts: NDArray[np.int64], bins: int, slopes: Doubles) -> float:
    """NMI of a histogram; `slopes` (bins² or none) is how it changes with the weight of a sample in each bin."""
    total = 0.0
    for count in counts:
        total += count
    scale = 1 / max(total, 1.0)
    of_fixed, of_moving = np.zeros(bins), np.zeros(bins)
    logarithms = np.empty(bins * bins)
    entropy = 0.0
    nothing = np.log(TINY)
    for f in range(bins):
        for m in range(bins):
            share = counts[f * bins + m] * scale
            of_fixed[f] += share
            of_moving[m] += share
            logarithm = np.log(max(share, TINY)) if share > 0 else nothing
            entropy -= share * logarithm
            logarithms[f * bins + m] = logarithm
    entropy = max(entropy, TINY)
    log_fixed, log_moving = np.log(np.maximum(of_fixed, TINY)), np.log(np.maximum(of_moving, TINY))
    ratio: float = -((of_fixed * log_fixed).sum() + (of_moving * log_moving).sum()) / entropy
    if len(slopes) > 0:
        mean = 0.0
        for f in range(bins):
            for m in range(bins):
                k = f * bins + m
                slopes[k] = (ratio * (max(logarithms[k], EMPTY_LOG) + 1) - (log_fixed[f] + log_moving[m] + 2)) / entropy
                mean += slopes[k] * counts[k] * scale
        slopes -= mean
    return ratio


@compiled
def _pull(
    points: Floats,
    fixed: Floats,
    bins: int,
    positions: Floats,
    gradients: Floats,
    edges: NDArray[np.int8],
    slopes: Doubles,
    spread: Doubles,
) -> None:
    """`spread` (3, 4): sums over the samples of the derivative by its index (axes) times (x, y, z, 1) of its point."""
    f0 = f1 = f2 = 0.0
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = 0.0
    row, one = np.uint64(bins), np.uint64(1)
    top = float(bins - 1)
    for i in range(points.shape[1]):
        if positions[i] < ZERO:
            continue
        moving_bin, moving_share = _place(positions[i], bins - 1)
        fixed_bin, share = _place(fixed[i], bins - 1)
        corner = np.uint64(fixed_bin) * row + np.uint64(moving_bin)
        first, second = slopes[corner], slopes[corner + row]
        low, high = slopes[corner + one] - first, slopes[corner + row + one] - second
        pull = top * (low + share * (high - low))
        w0, w1, w2 = pull * gradients[0, i], pull * gradients[1, i], pull * gradients[2, i]
        edge = edges[i]
        if edge >= 0:
            level = first + share * (second - first) + moving_share * (low + share * (high - low))
            level = level if edge < 3 else -level
            axis = edge % 3
            w0, w1, w2 = w0 + level * (axis == 0), w1 + level * (axis == 1), w2 + level * (axis == 2)
        px, py, pz = points[0, i], points[1, i], points[2, i]
        f0, f1, f2 = f0 + w0, f1 + w1, f2 + w2
        s00, s01, s02 = s00 + w0 * px, s01 + w0 * py, s02 + w0 * pz
        s10, s11, s12 = s10 + w1 * px, s11 + w1 * py, s12 + w1 * pz
        s20, s21, s22 = s20 + w2 * px, s21 + w2 * py, s22 + w2 * pz
    spread[0, 0], spread[0, 1], spread[0, 2], spread[0, 3] = s00, s01, s02, f0
    spread[1, 0], spread[1, 1], spread[1, 2], spread[1, 3] = s10, s11, s12, f1
    spread[2, 0], spread[2, 1], spread[2, 2], spread[2, 3] = s20, s21, s22, f2


@compiled
def look(
    points: Floats,
    fixed: Floats,
    voxels: Floats,
    shape: tuple[int, int, int],
    to_index: Floats,
    bins: int,
    counts: NDArray[np.int64],
    slopes: Doubles,
    positions: Floats,
    gradients: Floats,
    edges: NDArray[np.int8],
    spread: Doubles,
) -> tuple[float, float]:
    """One pose: NMI and the share of samples inside; `spread` (3, 4) becomes its derivative if `slopes` is not empty.

    The arrays from `counts` on are room to work in, of `bins`² and of one entry a sample (none without slopes).
    """
    counts[:] = 0
    weight = _gather(points, fixed, voxels, shape, to_index, bins, counts, positions, gradients, edges)
    ratio = _ratio(counts, bins, slopes)
    if len(slopes) > 0:
        _pull(points, fixed, bins, positions, gradients, edges, slopes, spread)
        spread /= max(weight, 1.0)
    return ratio, weight / max(points.shape[1], 1)


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
    counts, slopes = np.empty(bins * bins, np.int64), np.empty(bins * bins if sloped else 0)
    kept = samples if sloped else 0
    positions, gradients = np.empty(kept, np.float32), np.empty((3, kept), np.float32)
    edges = np.empty(kept, np.int8)
    for p in range(poses):
        own = points[p if points.shape[0] > 1 else 0]
        seen = fixed[p if fixed.shape[0] > 1 else 0]
        ratios[p], shares[p] = look(
            own, seen, voxels, shape, to_index[p], bins, counts, slopes, positions, gradients, edges, spreads[p]
        )
    return ratios, shares, spreads


@compiled
def bin_positions(indices: Floats, voxels: Floats, shape: tuple[int, int, int], bins: int) -> Floats:
    """(n,) bin positions of what a volume shows at array `indices` (3, n), outside at the nearest face.

    What was not measured counts as 0, as in the plain form.
    """
    _, rows, columns = shape
    seen = np.empty(indices.shape[1], np.float32)
    down, along, one = np.uint64(rows * columns), np.uint64(columns), np.uint64(1)
    for i in range(indices.shape[1]):
        iz, fz = _place(min(max(indices[0, i], ZERO), np.float32(shape[0] - 1)), shape[0] - 1)
        iy, fy = _place(min(max(indices[1, i], ZERO), np.float32(rows - 1)), rows - 1)
        ix, fx = _place(min(max(indices[2, i], ZERO), np.float32(columns - 1)), columns - 1)
        near = np.uint64(iz) * down + np.uint64(iy) * along + np.uint64(ix)
        far = near + down
        e00 = voxels[near] + fx * (voxels[near + one] - voxels[near])
        e01 = voxels[near + along] + fx * (voxels[near + along + one] - voxels[near + along])
        e10 = voxels[far] + fx * (voxels[far + one] - voxels[far])
        e11 = voxels[far + along] + fx * (voxels[far + along + one] - voxels[far + along])
        h0, h1 = e00 + fy * (e01 - e00), e10 + fy * (e11 - e10)
        value = h0 + fz * (h1 - h0)
        seen[i] = min(max(value, ZERO), ONE) * np.float32(bins - 1) if value == value else ZERO
    return seen
