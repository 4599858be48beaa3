"""Deformable registration that begins with what a network sees, and ends where the images match best."""

import json
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, ClassVar

import numpy as np
import torch

from ..errors import ParameterError
from ..geometry.displacement import DisplacementTransform
from ..geometry.transform import AffineTransform
from ..networks.loading import with_weights
from ..networks.registration_unet import SPACING_MM, RegistrationUNet, descriptors
from ..volume import Volume
from .coarse import coarse_grid, coarse_image
from .common_space import CommonSpace, common_space
from .contrast import MAKERS, NAMES, SIMILARITIES, chosen_similarity
from .deformable import (
    APART_TO_ERROR,
    BOUND_OF_EXPECTED,
    FLOOR_MM,
    NOT_CALIBRATED,
    features_of,
    field_measures,
    fields_from,
    transform_of,
)
from .distance import thinned
from .field_search import START_POOLING, START_STEP, Fields, both_ways, nodes_of, pooled, refined_again
from .preparation import prepare
from .registrar import Registration
from .rigid import RigidRegistrar, parameters_of
from .usable import require_usable

FOLDER, WEIGHTS, CARD = "trained", "registration_unet.safetensors", "registration_unet.json"

ALONE_MM = 4.0
"""What is claimed for the network without refinement: on heads that it never saw it erred by 3 to 4 mm of 5."""


@dataclass(frozen=True, slots=True)
class LearnedRegistrar:
    """A rigid pose, the network's field, and from there the refinement of `deformable`.

    `passes` are how often the network looks, each time at what it has bent already. Without `refine` the field is the
    network's own. `similarity`, `stiffness_mm` and `spacing_mm` are those of the refinement.
    """

    passes: int = 2
    refine: bool = True
    climbing: int = 64
    similarity: str = "auto"
    stiffness_mm: float = 4.0
    spacing_mm: float = 1.5
    max_voxels: int = 6_000_000
    seed: int = 20_000

    name: ClassVar[str] = "learned"

    def __post_init__(self) -> None:
        if not 1 <= self.passes <= 8 or self.similarity not in SIMILARITIES:
            raise ParameterError(
                f"the learned registrar looks 1 to 8 times and compares by {', '.join(SIMILARITIES)}, not "
                f"passes={self.passes}, similarity={self.similarity!r}"
            )
        if not (0 < self.stiffness_mm < 100 and 0 < self.spacing_mm < 100 and self.max_voxels >= 1000):
            raise ParameterError(
                "the learned registrar needs a stiffness and a spacing between 0 and 100 mm and at least 1000 voxels, "
                f"not stiffness_mm={self.stiffness_mm}, spacing_mm={self.spacing_mm}, max_voxels={self.max_voxels}"
            )

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed`; the work and the field are where the voxels of `fixed` are.

        Raises `UnusableWeightsError` where the package's weights do not fit.
        """
        began = time.perf_counter()
        require_usable(fixed, "fixed")
        require_usable(moving, "moving")
        moving = moving.to(fixed.device)
        start = RigidRegistrar(climbing=self.climbing, seed=self.seed)(fixed, moving)
        guess = self.guessed(fixed, moving, start.transform.affine)
        space = common_space(fixed, moving, start.transform.affine, self.spacing_mm, self.max_voxels)
        similarity, likeness = chosen_similarity(self.similarity, space)
        body = thinned(prepare(fixed, ()).body_points)
        transform, fields = self._refined(space, moving, similarity, guess)
        measures = {
            **field_measures(space, fields, transform, body),
            "local_correlation_ratio": likeness,
            "refinement_mm": float(np.linalg.norm(transform(body) - guess(body), axis=1).mean()),
        }
        expected = float(
            np.hypot(FLOOR_MM if self.refine else ALONE_MM, APART_TO_ERROR * measures["directions_apart_mm"])
        )
        return replace(
            start,
            transform=transform,
            registrar=self.name,
            parameters=parameters_of(self),
            similarity_name=NAMES[similarity],
            similarity=1.0 - self._unlike(space, moving, similarity, transform),
            expected_error_mm=expected,
            error_bound_mm=BOUND_OF_EXPECTED * expected,
            seconds=time.perf_counter() - began,
            device=str(fixed.device),
            # The interval of the start's mean error is not that of the field: without one the gate asks a person.
            measures={name: v for name, v in start.measures.items() if name != "expected_error_high_mm"} | measures,
            notes=(*start.notes, NOT_CALIBRATED),
            error_map=None,
        )

    def guessed(self, fixed: Volume, moving: Volume, start: AffineTransform) -> DisplacementTransform:
        """What the network sees: a field in the space of `fixed`, followed by `start`."""
        grid = coarse_grid(prepare(fixed, ()).body_points, fixed.grid.frame_of_reference_uid)
        network = trained_network(str(fixed.device))
        seen = [
            descriptors(coarse_image(volume, transform, grid))
            for volume, transform in ((fixed, AffineTransform.identity()), (moving, start))
        ]
        with torch.no_grad():
            voxels = network.displacement(seen[0], seen[1], self.passes)[0]
        # The grid's axes are the patient's, in the order z, y, x.
        return DisplacementTransform((SPACING_MM * voxels.flip(0)).contiguous(), grid, after=start)

    def _refined(
        self, space: CommonSpace, moving: Volume, similarity: str, guess: DisplacementTransform
    ) -> tuple[DisplacementTransform, Fields]:
        """The transform, and the fields behind it; without refinement the guess and its inverse."""
        features = features_of(space, similarity)
        nodes = nodes_of(pooled(features, START_POOLING), START_STEP)
        forward, backward = fields_from(space, nodes, guess)
        if not self.refine:
            return guess, Fields(nodes, forward, backward, torch.zeros_like(forward))
        fields = both_ways(features, self.stiffness_mm, (nodes, forward, backward))
        moved = space.moving_seen_through(moving, transform_of(space, fields))
        features = replace(features, moving=MAKERS[similarity](moved))
        fields = refined_again(features, fields, self.stiffness_mm)
        return transform_of(space, fields), fields

    def _unlike(self, space: CommonSpace, moving: Volume, similarity: str, transform: DisplacementTransform) -> float:
        """The mean squared difference of the features over the region, under `transform`."""
        make = MAKERS[similarity]
        one, other = make(space.fixed), make(space.moving_seen_through(moving, transform))
        return float((one - other)[space.region].square().sum(dim=-1).mean())


@lru_cache(maxsize=4)
def trained_network(device: str) -> RegistrationUNet:
    """The network with the weights of the package, loaded once for each device. Nobody may change it."""
    network = RegistrationUNet()
    with_weights(network, files(__package__).joinpath(FOLDER, WEIGHTS).read_bytes())
    return network.to(device)


def card() -> dict[str, Any]:
    """What is known of the weights: on which data they were trained, how, and what they reached."""
    known: dict[str, Any] = json.loads(files(__package__).joinpath(FOLDER, CARD).read_text(encoding="utf-8"))
    return known
