"""Affine registration: the rigid search, and then twelve parameters by the same similarity.

The linear part is read as R·S (polar decomposition, Higham, SIAM J. Sci. Stat. Comput. 7 (1986) 1160-1174,
`higham1986`): the symmetric factor S says along which three axes, at right angles to one another, and by how much the
body is stretched, whatever the turn R is.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import ParameterError
from ..geometry.transform import AffineTransform
from ..volume import Volume
from .distance import mean_displacement_mm
from .objective import INDEPENDENT, Poses
from .optimise import AFFINE
from .placed import Placed
from .registrar import Registration
from .rigid import parameters_of, pose_measures, search_measures
from .rivals import rivals_of
from .search import WITH_OUTLINE, Frame, search
from .starts import starts
from .uncertainty import estimate_error, kinds_of

USUAL_VOLUME_RATIO = (0.8, 1.25)
"""Outside of it is more than scanners and growth do between two images of one adult: 7 % along each axis."""


@dataclass(frozen=True, slots=True)
class AffineRegistrar:
    """Finds a rigid pose as `rigid` does, then lets the body stretch and shear.

    For images whose scale is wrong (a worn gradient calibration, an unknown voxel size) and for bodies that are not the
    same. Two patients fit better, too, when one of them is stretched: so the stretch is among the measures that the
    gate judges, and a large one is for a person to look at. The fields are those of `RigidRegistrar`.
    """

    climbing: int = 64
    min_inside: float = 0.3
    seed: int = 20_000

    name: ClassVar[str] = "affine"
    similarity_name: ClassVar[str] = "normalised mutual information"

    def __post_init__(self) -> None:
        if self.climbing < 1 or not 0 < self.min_inside < 1:
            raise ParameterError(
                f"the affine registrar climbs from at least one start and needs a share of samples inside between 0 "
                f"and 1, not climbing={self.climbing}, min_inside={self.min_inside}"
            )

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed`; the result is on the CPU, the work where the voxels of `fixed` are."""
        began = time.perf_counter()
        placed = Placed.of(fixed, moving, self.min_inside, self.seed)
        frame = placed.frame
        found = search(frame, starts(frame.fixed, frame.moving, frame.centre_mm), self.climbing)
        # With the outline first: it tells the size of a body, where the interior tells millimetres.
        rigid = frame.climb(WITH_OUTLINE, found.poses[:1])
        rough = frame.climb(WITH_OUTLINE, rigid.poses, generators=AFFINE)
        fine = frame.settle(rough.poses, generators=AFFINE)
        gain = _gain(float(rigid.similarity[0]), float(rough.similarity[0]))
        rivals = rivals_of(frame, fine.poses)
        estimate = estimate_error(frame, fine.poses, kinds_of(fixed, moving, frame), placed.exchanged)
        estimate = estimate.beside(rivals, frame.radius_mm)
        inward = fine.poses.transform(0)
        transform = placed.outward(inward)
        measures = {
            **estimate.measures,
            **rivals.measures,
            **search_measures(frame, found),
            **pose_measures(frame, inward, transform),
            **stretch_measures(transform),
            # What was given away to the stretch: of the pose that has it, no more can be seen.
            "stretch_mm": _stretch_mm(frame, rigid.poses, fine.poses),
            "stretch_gain_ratio": gain,
        }
        return Registration(
            transform=transform,
            registrar=self.name,
            parameters=parameters_of(self),
            similarity_name=self.similarity_name,
            similarity=float(fine.similarity[0]),
            expected_error_mm=estimate.expected_mm,
            error_bound_mm=estimate.bound_mm,
            iterations=found.iterations + rigid.iterations + rough.iterations + fine.iterations,
            converged=found.converged and bool(fine.converged[0]),
            seconds=time.perf_counter() - began,
            device=str(fixed.device),
            measures=measures,
            notes=(*stretch_notes(measures), *estimate.notes),
            error_map=estimate.error_map,
        )


def stretch_measures(transform: AffineTransform) -> dict[str, float]:
    """How the linear part of `transform` stretches: its volume, its principal scales and its largest shear angle.

    The shear is how far from a right angle the patient's axes are afterwards. A rigid transform has ratios of 1 and
    no shear.
    """
    linear = transform.matrix[:3, :3]
    scales = np.linalg.svd(linear, compute_uv=False)
    axes = linear / np.linalg.norm(linear, axis=0)
    cosines = np.abs((axes.T @ axes)[np.triu_indices(3, 1)])
    return {
        "volume_ratio": float(np.linalg.det(linear)),
        "largest_scale_ratio": float(scales[0]),
        "smallest_scale_ratio": float(scales[-1]),
        "shear_deg": float(np.degrees(np.arcsin(np.clip(cosines, 0, 1)).max())),
    }


def stretch_notes(measures: Mapping[str, float]) -> tuple[str, ...]:
    """A sentence where the volume of the body changes by more than one person's does."""
    ratio = measures["volume_ratio"]
    if USUAL_VOLUME_RATIO[0] <= ratio <= USUAL_VOLUME_RATIO[1]:
        return ()
    return (f"the affine match changes the volume of the body by a factor of {ratio:.2f}: is its scale right?",)


def _gain(before: float, after: float) -> float:
    """By what share the similarity grows, counted from that of independent images."""
    return (after - INDEPENDENT) / max(before - INDEPENDENT, 1e-9) - 1


def _stretch_mm(frame: Frame, rigid: Poses, stretched: Poses) -> float:
    return mean_displacement_mm(rigid.transform(0), stretched.transform(0), frame.body_points)
