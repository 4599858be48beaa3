"""Ascent of many poses at once: quasi-Newton steps within a trust radius.

The update of the inverse curvature is that of Broyden, Fletcher, Goldfarb and Shanno (Nocedal and Wright, Numerical
Optimization, 2006, eq. 6.17). All poses are evaluated together; each has its own radius and stops by itself.
"""

from dataclasses import dataclass

import torch

from .objective import Objective, Poses


@dataclass(frozen=True, slots=True, eq=False)
class Ascent:
    """Where the poses ended: their similarity, the steps taken in all and whether each came to rest."""

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
) -> Ascent:
    """Climb from every pose of `start`.

    Rotations are measured by how far they move a point at `radius_mm` from the centre, so that all six parameters are
    in mm. A pose rests when its trust radius or its step falls below `tolerance_mm`.
    """
    count = len(start)
    scale = torch.tensor([1 / radius_mm] * 3 + [1.0] * 3, dtype=torch.float64)
    poses = Poses(start.rotation.clone(), start.translation_mm.clone(), start.centre_mm)
    similarity, gradient = objective.value_and_gradient(poses)
    gradient = gradient * scale
    trust = torch.full((count,), first_step_mm, dtype=torch.float64)
    identity = torch.eye(6, dtype=torch.float64)
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
        trial = poses[active].turned(step[:, :3] * scale[0], step[:, 3:])
        value, slope = objective.only(active).value_and_gradient(trial)
        slope = slope * scale

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
    identity = torch.eye(6, dtype=torch.float64)
    first = (agreement / change.square().sum(dim=1).clamp_min(1e-30))[:, None, None] * identity
    before = torch.where((fresh & learned)[:, None, None], first, curvature)
    left = identity - rho[:, None, None] * step[:, :, None] * change[:, None, :]
    after = left @ before @ left.transpose(1, 2) + rho[:, None, None] * step[:, :, None] * step[:, None, :]
    return torch.where(learned[:, None, None], after, curvature), fresh & ~learned
