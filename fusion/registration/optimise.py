"""Ascent of many poses at once: quasi-Newton steps within a trust radius.

The update of the inverse curvature is that of Broyden, Fletcher, Goldfarb and Shanno (Nocedal and Wright, Numerical
Optimization, 2006, eq. 6.17). All poses are evaluated together; each has its own radius and stops by itself.
"""

from dataclasses import dataclass

import numpy as np
import torch

from .ascent_cpu import climb_all
from .objective import Objective, Poses

RIGID = torch.tensor(
    [
        [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ],
    dtype=torch.float64,
)
"""(3, 3, 3): generators of the rotations about x, y and z."""

AFFINE = torch.eye(9, dtype=torch.float64).reshape(9, 3, 3)
"""(9, 3, 3): generators of every linear map."""


@dataclass(frozen=True, slots=True, eq=False)
class Ascent:
    """Where the poses ended: their similarity, the most steps that one took and whether each came to rest."""

    poses: Poses
    similarity: torch.Tensor
    iterations: int
    converged: torch.Tensor


def ascend(
    objective: Objective,
    start: Poses,
    *,
    radius_mm: float,
    first_step_mm: float,
    tolerance_mm: float,
    max_iterations: int,
    generators: torch.Tensor = RIGID,
) -> Ascent:
    """Climb from every pose of `start`, along `generators` of linear maps and along translations.

    Linear maps are measured by how far they move a point at `radius_mm` from the centre, so that all parameters are in
    mm. A pose rests when its trust radius or its step falls below `tolerance_mm`.
    """
    generators = generators / radius_mm
    limits = (first_step_mm, tolerance_mm, max_iterations)
    if objective.fused:
        return _compiled(objective, start, generators, *limits)
    return _plain(objective, start, generators, *limits)


def _compiled(
    objective: Objective,
    start: Poses,
    generators: torch.Tensor,
    first_step_mm: float,
    tolerance_mm: float,
    max_iterations: int,
) -> Ascent:
    """One pose after the other, in machine code."""
    rotations, translations = start.rotation.numpy().copy(), start.translation_mm.numpy().copy()
    points = objective.points if objective.points.ndim == 3 else objective.points[None]
    similarity, iterations, resting = climb_all(
        points.contiguous().numpy(),
        objective.fixed.contiguous().numpy(),
        objective.moving.sampler.voxels.reshape(-1).numpy(),
        objective.moving.sampler.shape,
        np.ascontiguousarray(objective.moving.indices_from_points[:3]),
        objective.bins,
        objective.min_inside,
        rotations,
        translations,
        generators.numpy(),
        first_step_mm,
        tolerance_mm,
        max_iterations,
    )
    poses = Poses(torch.from_numpy(rotations), torch.from_numpy(translations), start.centre_mm)
    return Ascent(poses, torch.from_numpy(similarity), iterations, torch.from_numpy(resting))


def _plain(
    objective: Objective,
    start: Poses,
    generators: torch.Tensor,
    first_step_mm: float,
    tolerance_mm: float,
    max_iterations: int,
) -> Ascent:
    """All poses together, in tensors: the reference, and the way on other devices."""
    count, linear = len(start), len(generators)

    def evaluate(where: Objective, at: Poses) -> tuple[torch.Tensor, torch.Tensor]:
        value, moment, force = where.value_and_gradient(at)
        return value, torch.cat([torch.einsum("pij,gij->pg", moment, generators), force], dim=1)

    poses = Poses(start.rotation.clone(), start.translation_mm.clone(), start.centre_mm)
    similarity, gradient = evaluate(objective, poses)
    trust = torch.full((count,), first_step_mm, dtype=torch.float64)
    identity = torch.eye(linear + 3, dtype=torch.float64)
    curvature = identity * (trust / gradient.norm(dim=1).clamp_min(1e-12))[:, None, None]
    fresh = torch.ones(count, dtype=torch.bool)
    resting = torch.zeros(count, dtype=torch.bool)
    iterations = 0
    while iterations < max_iterations and not bool(resting.all()):
        iterations += 1
        active = torch.nonzero(~resting)[:, 0]
        step = (curvature[active] @ gradient[active][:, :, None])[:, :, 0]
        length = step.norm(dim=1)
        step = step * (trust[active] / length.clamp_min(1e-12)).clamp_max(1.0)[:, None]
        length = step.norm(dim=1)
        map_of_step: torch.Tensor = torch.linalg.matrix_exp(torch.einsum("pg,gij->pij", step[:, :linear], generators))
        trial = poses[active].followed(map_of_step, step[:, linear:])
        value, slope = evaluate(objective.only(active), trial)

        curvature[active], fresh[active] = _updated(curvature[active], step, gradient[active] - slope, fresh[active])
        better = value > similarity[active]
        bold = better & (length > 0.7 * trust[active])
        trust[active] = torch.where(better, torch.where(bold, 1.6 * trust[active], trust[active]), 0.4 * length)
        gained = value - similarity[active]
        moved = active[better]
        poses.rotation[moved], poses.translation_mm[moved] = trial.rotation[better], trial.translation_mm[better]
        similarity[moved], gradient[moved] = value[better], slope[better]
        resting[active] = (trust[active] < tolerance_mm) | (better & (length < tolerance_mm) & (gained < 1e-6))
    return Ascent(poses, similarity, iterations, resting)


def _updated(
    curvature: torch.Tensor, step: torch.Tensor, change: torch.Tensor, fresh: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The inverse curvature after `step` changed the (negative) gradient by `change`; refused steps teach, too.

    Where the function is not concave along the step nothing is learned and the old one stays.
    """
    agreement = (step * change).sum(dim=1)
    learned = agreement > 1e-10 * step.norm(dim=1) * change.norm(dim=1)
    rho = 1 / torch.where(learned, agreement, 1.0)
    identity = torch.eye(step.shape[1], dtype=torch.float64)
    first = (agreement / change.square().sum(dim=1).clamp_min(1e-30))[:, None, None] * identity
    before = torch.where((fresh & learned)[:, None, None], first, curvature)
    left = identity - rho[:, None, None] * step[:, :, None] * change[:, None, :]
    after = left @ before @ left.transpose(1, 2) + rho[:, None, None] * step[:, :, None] * step[:, None, :]
    return torch.where(learned[:, None, None], after, curvature), fresh & ~learned
