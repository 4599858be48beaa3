"""The registrar for everyday use: trusts and verifies a shared Frame of Reference, searches where there is none."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..volume import Volume
from .distance import mean_displacement_mm
from .identity import IdentityRegistrar
from .preparation import prepare
from .registrar import Registration
from .rigid import RigidRegistrar, parameters_of
from .search import SAME_POSE_MM

WEAK_BOUND_MM = 6.0
"""Above what the floor for uptake alone amounts to: more starts do not lower that."""

WEAK_RUNNER_UP_RATIO = 0.8
WEAK_RIVAL_RATIO = 0.85

LEAST_CORRECTION_MM = 2.5
CLEAR_MOTION = 3.0
MAX_CORRECTING_BOUND_MM = 5.0
"""Shared coordinates are corrected where the motion is a failure if it is left, three times what the images leave
open, and the search would be accepted for itself."""

WIDER = 4
"""So many times the starts climb in the wide search."""

LEAST_OVERLAP_RATIO = 0.5
"""What the gate asks for by default: less than half of the body proves nothing."""


@dataclass(frozen=True, slots=True)
class AutomaticRegistrar:
    """Chooses between the header's transform and a search.

    `identity_is_default` says whether both images were acquired in one examination on one couch; None decides by an
    equal, non-empty Frame of Reference. Motion between the acquisitions is measured; where it is clear, and a search
    that knows nothing of the header finds the same place, the transform is corrected, which the measures and the notes
    say and which is for a person to look at; else the header's word stands. A search whose result is weak is followed
    by one wider search.
    """

    identity_is_default: bool | None = None
    seed: int = 20_000

    name: ClassVar[str] = "auto"

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed` with the registrar that the headers call for."""
        chosen = self.chosen_for(fixed, moving)
        result = chosen(fixed, moving)
        if isinstance(chosen, IdentityRegistrar) and has_moved(result):
            result = corrected(result, RigidRegistrar(seed=self.seed)(fixed, moving), fixed)
        if isinstance(chosen, RigidRegistrar) and is_weak(result):
            wide = replace(chosen, climbing=WIDER * chosen.climbing, seed=chosen.seed + 1)
            result = better_of(result, wide(fixed, moving), fixed)
        return replace(result, parameters={**parameters_of(self), chosen.name: result.parameters})

    def chosen_for(self, fixed: Volume, moving: Volume) -> IdentityRegistrar | RigidRegistrar:
        """The registrar that the headers of the pair call for."""
        by_header = self.identity_is_default
        if by_header is None:
            uid = fixed.grid.frame_of_reference_uid
            by_header = bool(uid) and uid == moving.grid.frame_of_reference_uid
        return IdentityRegistrar(seed=self.seed) if by_header else RigidRegistrar(seed=self.seed)


def has_moved(verified: Registration) -> bool:
    """Whether the images put the moving body clearly elsewhere than its header does."""
    motion, known_to = verified.measures["motion_mm"], verified.measures["motion_uncertainty_mm"]
    return motion > LEAST_CORRECTION_MM and motion > CLEAR_MOTION * known_to


def corrected(verified: Registration, found: Registration, fixed: Volume) -> Registration:
    """The search's result, where it can be trusted and agrees with the motion that was seen; else the header's.

    Either way the measures hold the motion, so that the gate has to say something of it.
    """
    motion = {name: verified.measures[name] for name in ("motion_mm", "motion_uncertainty_mm")}
    from_header = mean_displacement_mm(found.transform, verified.transform, prepare(fixed, ()).body_points)
    agrees = abs(from_header - motion["motion_mm"]) <= found.error_bound_mm
    if is_weak(found) or found.error_bound_mm > MAX_CORRECTING_BOUND_MM or not agrees:
        note = "the images match better elsewhere, but not clearly enough to correct their shared coordinates"
        return replace(verified, notes=(*verified.notes, note), seconds=verified.seconds + found.seconds)
    note = f"the shared coordinates were corrected by {from_header:.1f} mm"
    measures = {**found.measures, **motion, "header_corrected_mm": from_header}
    seconds = verified.seconds + found.seconds
    return replace(found, measures=measures, notes=(*found.notes, note), seconds=seconds)


def is_weak(found: Registration) -> bool:
    """Whether another look from more starts may help: ambiguous, poorly determined or not at rest."""
    return (
        not found.converged
        or found.error_bound_mm > WEAK_BOUND_MM
        or found.measures["runner_up_ratio"] > WEAK_RUNNER_UP_RATIO
        or found.measures["far_rival_ratio"] > WEAK_RIVAL_RATIO
    )


def better_of(first: Registration, wide: Registration, fixed: Volume) -> Registration:
    """The one under which the images are more alike; the other is its runner-up where it lies elsewhere.

    Mutual information rises where little overlaps: a placement that shows less than half of the body gives way to one
    that shows more.

    The better estimate of its own error is no reason to choose a result: of two guesses, one always looks better.
    """
    other, best = sorted(
        (first, wide), key=lambda found: (found.measures["overlap_ratio"] >= LEAST_OVERLAP_RATIO, found.similarity)
    )
    apart_mm = mean_displacement_mm(best.transform, other.transform, prepare(fixed, ()).body_points)
    measures = dict(best.measures)
    likeness = (other.similarity - 1) / max(best.similarity - 1, 1e-9)
    if apart_mm > SAME_POSE_MM / 2 and likeness > measures["runner_up_ratio"]:
        measures |= {"runner_up_ratio": likeness, "runner_up_distance_mm": apart_mm}
    note = f"the first search was weak; a wider one from other samples ended {apart_mm:.1f} mm from it"
    seconds = first.seconds + wide.seconds
    return replace(best, measures=measures, seconds=seconds, notes=(*best.notes, note))
