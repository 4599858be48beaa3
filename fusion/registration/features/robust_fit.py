"""The rigid motion that most of the matches agree on, whatever the others say.

Motions through three matches at random are scored by all of them, each residual counted up to a limit (MSAC: Torr and
Zisserman, CVIU 78(1), 2000, `torr2000`, section 4); the best is refitted to those that agree, by the weighted least
squares of Kabsch (Acta Cryst. A32, 1976, `kabsch1976`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry.transform import AffineTransform
from ...types import Points
from ..distance import mean_displacement_mm
from .matching import Matches

AGREE_MM = 6.0
"""Two voxels: what a keypoint moves by noise and contrast."""

SAMPLES = 30_000
LEAST_SIDE_MM = 20.0
"""Of the triangle through three matches: a smaller one determines no turn."""

REFITS = 12
AT_ONCE = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """A motion from fixed to moving points, which matches agree with it (n,) bool, and its score, larger is better."""

    transform: AffineTransform
    agreeing: NDArray[np.bool_]
    score: float

    @property
    def inliers(self) -> int:
        """How many matches agree."""
        return int(self.agreeing.sum())


def consensuses(matches: Matches, count: int, apart_mm: float, seed: int) -> list[Consensus]:
    """At most `count` motions, none nearer than `apart_mm` (mean over the matches) to another, best first."""
    rotations, shifts = _through_three(matches, seed)
    if len(rotations) == 0:
        return []
    scores = np.concatenate(
        [
            _scores(matches, rotations[k : k + AT_ONCE], shifts[k : k + AT_ONCE])
            for k in range(0, len(rotations), AT_ONCE)
        ]
    )
    found: list[Consensus] = []
    for k in np.argsort(-scores, kind="stable")[: 20 * count]:
        candidate = refitted(matches, _transform(rotations[k], shifts[k]))
        if all(mean_displacement_mm(candidate.transform, c.transform, matches.fixed) > apart_mm for c in found):
            found.append(candidate)
        if len(found) == count:
            break
    return sorted(found, key=lambda c: -c.score)


def refitted(matches: Matches, start: AffineTransform) -> Consensus:
    """`start`, fitted again and again to the matches that agree with it, until they stay the same."""
    transform, agreeing = start, np.zeros(len(matches), dtype=bool)
    for _ in range(REFITS):
        squared = _squared(matches, transform)
        now = squared < AGREE_MM**2
        if now.sum() < 3 or (now == agreeing).all():
            break
        agreeing = now
        weights = np.where(now, (1 - squared / AGREE_MM**2) ** 2 * matches.likeness.clip(0), 0) + 1e-9 * now
        transform = fitted(matches.fixed, matches.moving, weights)
    squared = _squared(matches, transform)
    return Consensus(transform, squared < AGREE_MM**2, float(np.maximum(1 - squared / AGREE_MM**2, 0).sum()))


def fitted(fixed: Points, moving: Points, weights: NDArray[np.float64]) -> AffineTransform:
    """The rigid motion that takes `fixed` nearest to `moving`, both (n, 3), by weighted least squares."""
    rotation, shift = _fits(fixed[None], moving[None], weights[None])
    return _transform(rotation[0], shift[0])


def spread_mm(matches: Matches, consensus: Consensus, points: Points, seed: int, draws: int = 16) -> float:
    """How far the fit moves (mean over `points`) when the matches that agree are drawn anew with replacement."""
    generator = np.random.default_rng(seed)
    inside = np.flatnonzero(consensus.agreeing)
    moved = []
    for _ in range(draws):
        chosen = generator.choice(inside, len(inside))
        again = fitted(matches.fixed[chosen], matches.moving[chosen], np.ones(len(chosen)))
        moved.append(mean_displacement_mm(again, consensus.transform, points))
    return float(np.mean(moved))


def _through_three(matches: Matches, seed: int) -> tuple[NDArray[np.float64], Points]:
    """Motions through triangles that are large, and as large in the other image."""
    if len(matches) < 3:
        return np.empty((0, 3, 3)), np.empty((0, 3))
    generator = np.random.default_rng(seed)
    chosen = generator.integers(0, len(matches), (SAMPLES, 3))
    fixed, moving = matches.fixed[chosen], matches.moving[chosen]
    sides = [np.linalg.norm(p - np.roll(p, 1, axis=1), axis=2) for p in (fixed, moving)]
    fits = (np.minimum(*sides).min(axis=1) > LEAST_SIDE_MM) & (np.abs(sides[0] - sides[1]).max(axis=1) < AGREE_MM)
    return _fits(fixed[fits], moving[fits], np.ones((int(fits.sum()), 3)))


def _fits(fixed: Points, moving: Points, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], Points]:
    """(k, n, 3) point sets with weights (k, n) to rotations (k, 3, 3) and shifts (k, 3), proper ones only."""
    total = weights.sum(axis=1)[:, None]
    middles = [np.einsum("kn,kni->ki", weights, p) / total for p in (fixed, moving)]
    spread = np.einsum("kn,kni,knj->kij", weights, moving - middles[1][:, None], fixed - middles[0][:, None])
    left, _, right = np.linalg.svd(spread)
    signs = np.ones((len(fixed), 3))
    signs[:, 2] = np.sign(np.linalg.det(left @ right))
    rotation: NDArray[np.float64] = (left * signs[:, None]) @ right
    return rotation, middles[1] - np.einsum("kij,kj->ki", rotation, middles[0])


def _scores(matches: Matches, rotations: NDArray[np.float64], shifts: Points) -> NDArray[np.float64]:
    """(k,): the sum over the matches of how well each agrees, 1 at best and 0 from `AGREE_MM` on."""
    moved = (rotations.reshape(-1, 3) @ matches.fixed.T).reshape(len(rotations), 3, -1) + shifts[:, :, None]
    squared = np.square(moved - matches.moving.T).sum(axis=1)
    scores: NDArray[np.float64] = np.maximum(1 - squared / AGREE_MM**2, 0).sum(axis=1)
    return scores


def _squared(matches: Matches, transform: AffineTransform) -> NDArray[np.float64]:
    squared: NDArray[np.float64] = np.square(transform(matches.fixed) - matches.moving).sum(axis=1)
    return squared


def _transform(rotation: NDArray[np.float64], shift: Points) -> AffineTransform:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, shift
    return AffineTransform(matrix)
