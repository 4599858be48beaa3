"""The ascent of `optimise` compiled: on the CPU every pose climbs by itself, with nothing but arithmetic between looks.

Step by step the same as the plain form, which works on all poses together: the looks are those of `fused_nmi`, and what
lies between them, a few products of 3 × 3 and 6 × 6 matrices, costs as much as a thousand samples when tensors do it.
"""

import numpy as np
from numpy.typing import NDArray

from ..similarity.fused_nmi import Doubles, Floats, compiled, look

TERMS = 12
"""Of the exponential's series, for matrices no larger than a quarter: beyond what a float64 can tell."""

INDEPENDENT = 1.0


@compiled
def _times(a: Doubles, b: Doubles, product: Doubles) -> None:
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            product[i, j] = total


@compiled
def exponential_of(matrix: Doubles) -> Doubles:
    """The exponential of a (3, 3) matrix: its series, of a small part of it that is then squared as often."""
    most = np.abs(matrix).sum()
    halvings = 0
    while most > 0.25:
        most, halvings = most / 2, halvings + 1
    part = matrix / 2.0**halvings
    result, term, product = np.eye(3), np.eye(3), np.empty((3, 3))
    for k in range(1, TERMS + 1):
        _times(term, part, product)
        term[:] = product / k
        result += term
    for _ in range(halvings):
        _times(result, result, product)
        result[:] = product
    return result


@compiled
def _index_map(to_index: Doubles, rotation: Doubles, translation: Doubles, index_map: Floats) -> None:
    """(3, 4) from points about the centre to array indices of the moving level."""
    for i in range(3):
        shift = to_index[i, 3]
        for j in range(3):
            total = 0.0
            for k in range(3):
                total += to_index[i, k] * rotation[k, j]
            index_map[i, j] = np.float32(total)
            shift += translation[j] * to_index[i, j]
        index_map[i, 3] = np.float32(shift)


@compiled
def _slope(spread: Doubles, to_index: Doubles, rotation: Doubles, generators: Doubles, gradient: Doubles) -> None:
    """The derivative by the entries of the index map to that by the generators and the translation."""
    pulled = np.zeros((3, 4))
    for i in range(3):
        for j in range(4):
            for k in range(3):
                pulled[i, j] += to_index[k, i] * spread[k, j]
    linear = generators.shape[0]
    for g in range(linear):
        gradient[g] = 0.0
    for i in range(3):
        for j in range(3):
            moment = 0.0
            for k in range(3):
                moment += pulled[i, k] * rotation[j, k]
            for g in range(linear):
                gradient[g] += moment * generators[g, i, j]
        gradient[linear + i] = pulled[i, 3]


@compiled
def _learn(curvature: Doubles, step: Doubles, change: Doubles, fresh: bool) -> bool:
    """Update the inverse curvature in place, as `optimise` does; whether it is still fresh."""
    size = len(step)
    agreement = (step * change).sum()
    squared = (change * change).sum()
    if not agreement > 1e-10 * np.sqrt((step * step).sum()) * np.sqrt(squared):
        return fresh
    if fresh:
        curvature[:] = 0.0
        for i in range(size):
            curvature[i, i] = agreement / max(squared, 1e-30)
    rho = 1 / agreement
    turned = np.zeros(size)
    for i in range(size):
        for j in range(size):
            turned[i] += curvature[i, j] * change[j]
    along = rho + rho * rho * (turned * change).sum()
    for i in range(size):
        for j in range(size):
            curvature[i, j] += along * step[i] * step[j] - rho * (turned[i] * step[j] + step[i] * turned[j])
    return False


@compiled
def climb_all(
    points: Floats,
    fixed: Floats,
    voxels: Floats,
    shape: tuple[int, int, int],
    to_index: Doubles,
    bins: int,
    min_inside: float,
    rotations: Doubles,
    translations: Doubles,
    generators: Doubles,
    first_step_mm: float,
    tolerance_mm: float,
    max_iterations: int,
) -> tuple[Doubles, int, NDArray[np.bool_]]:
    """Climb from every pose; `rotations` (poses, 3, 3) and `translations` (poses, 3) are changed in place.

    `points` and `fixed` are as in `fused_nmi`; `to_index` (3, 4) leads from LPS mm to array indices of the moving
    level. Gives the similarities, the most steps that one pose took, and whether each came to rest.
    """
    poses, samples = len(rotations), points.shape[2]
    linear = generators.shape[0]
    size = linear + 3
    similarities, resting = np.empty(poses), np.zeros(poses, np.bool_)
    counts, slopes = np.empty(bins * bins, np.int64), np.empty(bins * bins)
    positions, gradients = np.empty(samples, np.float32), np.empty((3, samples), np.float32)
    edges = np.empty(samples, np.int8)
    index_map, spread = np.empty((3, 4), np.float32), np.zeros((3, 4))
    gradient, ahead, step, way = np.empty(size), np.empty(size), np.empty(size), np.empty((3, 3))
    curvature, trial_rotation, trial_translation = np.empty((size, size)), np.empty((3, 3)), np.empty(3)
    most = 0
    for p in range(poses):
        own = points[p if points.shape[0] > 1 else 0]
        seen = fixed[p if fixed.shape[0] > 1 else 0]
        rotation, translation = rotations[p], translations[p]
        _index_map(to_index, rotation, translation, index_map)
        value, inside = look(
            own, seen, voxels, shape, index_map, bins, counts, slopes, positions, gradients, edges, spread
        )
        similarities[p] = value if inside >= min_inside else INDEPENDENT
        _slope(spread, to_index, rotation, generators, gradient)
        if not inside >= min_inside:
            gradient[:] = 0.0
        curvature[:] = 0.0
        for i in range(size):
            curvature[i, i] = first_step_mm / max(np.sqrt((gradient * gradient).sum()), 1e-12)
        fresh, trust, iterations = True, first_step_mm, 0
        while iterations < max_iterations and not resting[p]:
            iterations += 1
            for i in range(size):
                step[i] = (curvature[i] * gradient).sum()
            length = np.sqrt((step * step).sum())
            step *= min(trust / max(length, 1e-12), 1.0)
            length = np.sqrt((step * step).sum())
            way[:] = 0.0
            for g in range(linear):
                way += step[g] * generators[g]
            _times(exponential_of(way), rotation, trial_rotation)
            for i in range(3):
                trial_translation[i] = translation[i] + step[linear + i]
            _index_map(to_index, trial_rotation, trial_translation, index_map)
            value, inside = look(
                own, seen, voxels, shape, index_map, bins, counts, slopes, positions, gradients, edges, spread
            )
            _slope(spread, to_index, trial_rotation, generators, ahead)
            if not inside >= min_inside:
                value = INDEPENDENT
                ahead[:] = 0.0
            fresh = _learn(curvature, step, gradient - ahead, fresh)
            gained = value - similarities[p]
            better = gained > 0
            if better:
                trust = 1.6 * trust if length > 0.7 * trust else trust
                rotation[:], translation[:], gradient[:] = trial_rotation, trial_translation, ahead
                similarities[p] = value
            else:
                trust = 0.4 * length
            resting[p] = trust < tolerance_mm or (better and length < tolerance_mm and gained < 1e-6)
        most = max(most, iterations)
    return similarities, most, resting
