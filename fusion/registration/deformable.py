"""Deformable registration: an affine start, then a field of displacements on features that any two contrasts share."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from ..errors import ParameterError
from ..geometry.displacement import DisplacementTransform, millimetre_vectors
from ..geometry.jacobian import JacobianSummary, corner_determinants, summary_of
from ..geometry.transform import AffineTransform
from ..types import Points, VectorField
from ..volume import Grid, Volume
from .affine import AffineRegistrar
from .common_space import CommonSpace, common_space
from .contrast import MAKERS, NAMES, SIMILARITIES, chosen_similarity
from .distance import thinned
from .field_search import Fields, axes_grid, both_ways, refined_again
from .instance_optimisation import Features
from .node_grid import NodeGrid
from .normal_equations import normal_equations
from .preparation import prepare
from .registrar import Registration
from .rigid import RigidRegistrar, parameters_of
from .usable import require_usable

STARTS = ("rigid", "affine", "header")

APART_TO_ERROR = 3.0
"""Both directions share their features and so part of their error: on warped heads the error was 2 to 4 times as large
as what they disagreed by."""

DOUBT_MM = 2.0
"""Directions that differ by more may not have had the one contrast that they were taken for: where they had it they
differed by 0.9 and less (cubes of 3 mm), where they had not by 4 (T1 with PD) and 21 (a remapped ball)."""

FLOOR_MM = 0.3
BOUND_OF_EXPECTED = 4.0
"""The 95th percentile over the body, of the mean: warped heads measured 3.0 to 3.6."""

NOT_CALIBRATED = "the error of a deformable match is estimated from what both directions differ by, not calibrated"


@dataclass(frozen=True, slots=True)
class DeformableRegistrar:
    """Finds how the moving image is bent against the fixed one.

    `start` is the registrar of the affine part ("rigid", "affine", or "header" for none), `similarity` "mind", "lncc"
    or "auto" (`contrast.chosen_similarity`). `stiffness_mm` is the length over which a neighbourhood of typical
    structure moves together; `spacing_mm` the edge of the cubes at the finest level, larger where `max_voxels` would be
    exceeded.
    """

    start: str = "rigid"
    similarity: str = "auto"
    stiffness_mm: float = 4.0
    spacing_mm: float = 1.5
    max_voxels: int = 6_000_000
    seed: int = 20_000

    name: ClassVar[str] = "deformable"

    def __post_init__(self) -> None:
        if self.start not in STARTS or self.similarity not in SIMILARITIES:
            raise ParameterError(
                f"the deformable registrar starts from {', '.join(STARTS)} and compares by {', '.join(SIMILARITIES)}, "
                f"not start={self.start!r}, similarity={self.similarity!r}"
            )
        if not (0 < self.stiffness_mm < 100 and 0 < self.spacing_mm < 100 and self.max_voxels >= 1000):
            raise ParameterError(
                "the deformable registrar needs a stiffness and a spacing between 0 and 100 mm and at least 1000 "
                f"voxels, not stiffness_mm={self.stiffness_mm}, spacing_mm={self.spacing_mm}, "
                f"max_voxels={self.max_voxels}"
            )

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed`; the work and the field are where the voxels of `fixed` are."""
        began = time.perf_counter()
        require_usable(fixed, "fixed")
        require_usable(moving, "moving")
        moving = moving.to(fixed.device)
        start = self._started(fixed, moving)
        space = common_space(fixed, moving, start.transform.affine, self.spacing_mm, self.max_voxels)
        similarity, likeness = chosen_similarity(self.similarity, space)
        body = thinned(prepare(fixed, ()).body_points)
        transform, measures, error = self._bent(space, moving, similarity, body)
        # Only `auto` is asked twice: a person's choice stands, and "mind" has no better one.
        if self.similarity == "auto" and similarity != "mind" and measures["directions_apart_mm"] > DOUBT_MM:
            again = self._bent(space, moving, "mind", body)
            if again[1]["directions_apart_mm"] < measures["directions_apart_mm"]:
                similarity, (transform, measures, error) = "mind", again
        expected = float(np.hypot(FLOOR_MM, APART_TO_ERROR * measures["directions_apart_mm"]))
        return replace(
            start,
            transform=transform,
            registrar=self.name,
            parameters=parameters_of(self),
            similarity_name=NAMES[similarity],
            similarity=1.0 - error,
            expected_error_mm=expected,
            error_bound_mm=BOUND_OF_EXPECTED * expected,
            seconds=time.perf_counter() - began,
            device=str(fixed.device),
            # The interval of the start's mean error is not that of the field: without one the gate asks a person.
            measures={
                **{name: v for name, v in start.measures.items() if name != "expected_error_high_mm"},
                **measures,
                "local_correlation_ratio": likeness,
            },
            notes=(*start.notes, NOT_CALIBRATED),
            error_map=None,
        )

    def _started(self, fixed: Volume, moving: Volume) -> Registration:
        """The affine part, with everything that is known about it."""
        if self.start == "rigid":
            return RigidRegistrar(seed=self.seed)(fixed, moving)
        if self.start == "affine":
            return AffineRegistrar(seed=self.seed)(fixed, moving)
        return Registration(
            transform=AffineTransform.identity(),
            registrar="header",
            parameters={},
            similarity_name="none",
            similarity=0.0,
            expected_error_mm=0.0,
            error_bound_mm=0.0,
            iterations=0,
            converged=True,
            seconds=0.0,
            device=str(fixed.device),
        )

    def _bent(
        self, space: CommonSpace, moving: Volume, similarity: str, body: Points
    ) -> tuple[DisplacementTransform, Mapping[str, float], float]:
        """The transform, what it says of itself over `body`, and the squared difference of features that is left."""
        make = MAKERS[similarity]
        features = features_of(space, similarity)
        fields = both_ways(features, self.stiffness_mm)
        transform = transform_of(space, fields)
        moved = space.moving_seen_through(moving, transform)
        features = replace(features, moving=make(moved))
        fields = refined_again(features, fields, self.stiffness_mm)
        zero = fields.nodes.zeros(features.fixed.device)
        left = normal_equations(
            features.fixed, features.moving, features.compared, features.moving_valid, zero, fields.nodes
        )
        transform = transform_of(space, fields)
        return transform, field_measures(space, fields, transform, body), left.error


def features_of(space: CommonSpace, similarity: str) -> Features:
    """Both images' features in their common space."""
    make = MAKERS[similarity]
    return Features(
        make(space.fixed), make(space.moving), space.region, space.fixed_valid, space.moving_valid, space.voxel_mm
    )


def transform_of(space: CommonSpace, fields: Fields) -> DisplacementTransform:
    """From fixed to moving points: the field first, then the affine start."""
    grid = fields.nodes.grid(space.grid)
    return DisplacementTransform(to_lps(fields.forward, space.grid), grid, after=space.start)


def to_lps(field: VectorField, grid: Grid) -> VectorField:
    """Components along the axes of `grid` (cubes), in mm, as x, y and z."""
    return millimetre_vectors(field / grid.spacing_mm[0], grid)


def fields_from(space: CommonSpace, nodes: NodeGrid, guess: DisplacementTransform) -> tuple[VectorField, VectorField]:
    """A field and its inverse, on nodes, that another registrar found: a start for `both_ways`.

    Of `guess` the displacements count, its affine parts do not: they are the start of `space`.
    """
    points = nodes.grid(space.grid).points(np.moveaxis(np.indices(nodes.shape), 0, -1).astype(np.float64))
    turned = space.grid.direction
    found = []
    for transform in (guess, guess.inverse()):
        along_axes = transform.displacement_at(points) @ turned
        found.append(torch.tensor(np.moveaxis(along_axes, -1, 0).copy(), dtype=torch.float32))
    return found[0].to(space.fixed.device), found[1].to(space.fixed.device)


def field_measures(
    space: CommonSpace, fields: Fields, transform: DisplacementTransform, body: Points
) -> Mapping[str, float]:
    """What the field says about itself, over the body: how far it bends, folds, and disagrees with its inverse."""
    grid = fields.nodes.grid(space.grid)
    jacobian = folding(fields)
    there = transform(body)
    back = np.linalg.norm(transform.inverse()(there) - body, axis=1)
    apart = DisplacementTransform(to_lps(fields.apart, space.grid), grid).displacement_at(body)
    shift = np.linalg.norm(transform.displacement_at(body), axis=1)
    return {
        "volume_ratio": float(np.linalg.det(transform.matrix[:3, :3])),
        "displacement_mean_mm": float(shift.mean()),
        "displacement_95_mm": float(np.quantile(shift, 0.95)),
        "directions_apart_mm": float(np.linalg.norm(apart, axis=1).mean()),
        "inverse_consistency_mm": float(back.mean()),
        "jacobian_smallest_ratio": jacobian.smallest,
        "jacobian_p01_ratio": jacobian.percentiles[0],
        "jacobian_p99_ratio": jacobian.percentiles[-1],
        "folded_ratio": jacobian.folded_share,
    }


def folding(fields: Fields) -> JacobianSummary:
    """The determinants at the corners of all cells of the field."""
    return summary_of(corner_determinants(fields.forward, axes_grid(fields.nodes)))
