"""Measures what the positions of a series' instances say: coverage, slice spacing, gaps, phases."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from storage.records import InstanceRecord

SAME_POSITION_MM = 0.01
"""Positions closer than this are one: headers are written to this precision at worst."""

GAP_RATIO = 1.5
"""A step this much longer than the usual one has room for a slice between."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the slices lie. `phases` is how often every position is there; all lengths in mm."""

    images: int
    spacing_mm: float | None
    coverage_mm: float | None
    missing: int
    phases: int

    @property
    def sentence(self) -> str:
        """In words."""
        if self.spacing_mm is None or self.coverage_mm is None:
            return f"{self.images} images"
        return f"{self.images} images over {self.coverage_mm:.0f} mm, one every {self.spacing_mm:.3g} mm"


def extent_of(instances: Sequence[InstanceRecord]) -> Extent:
    """Measure `instances`. A multi-frame instance has no position of its own; its frames count as images."""
    images = sum(max(instance.number_of_frames, 1) for instance in instances)
    places = by_position(instances)
    phases = min((len(here) for here in places.values()), default=1)
    steps = [after - before for before, after in pairwise(places)]
    if not steps:
        return Extent(images, None, None, 0, phases)
    usual = median(steps)
    missing = sum(round(step / usual) - 1 for step in steps if step > GAP_RATIO * usual)
    return Extent(images, usual, sum(steps) + usual, missing, phases)


def slices_of(instances: Sequence[InstanceRecord]) -> tuple[InstanceRecord, ...]:
    """Those that are no localisers; all, where there is nothing else."""
    return tuple(instance for instance in instances if not instance.is_localiser) or tuple(instances)


def by_position(instances: Sequence[InstanceRecord]) -> dict[float, list[InstanceRecord]]:
    """The instances at each position, mm, in the order of the positions and of the instance numbers."""
    at: dict[int, list[InstanceRecord]] = {}
    for instance in instances:
        if instance.position is not None:
            at.setdefault(round(instance.position / SAME_POSITION_MM), []).append(instance)
    return {place * SAME_POSITION_MM: sorted(here, key=_numbered) for place, here in sorted(at.items())}


def one_phase(instances: Sequence[InstanceRecord]) -> tuple[InstanceRecord, ...]:
    """The instances of the last phase in which every position is there.

    The n-th instance at a position, by instance number, is phase n: right whether a scanner numbers phase by phase or
    slice by slice. The last, because uptake and contrast have settled then. Where positions are there twice only
    here and there, this leaves out the duplicates.
    """
    places = by_position(instances)
    if all(len(here) == 1 for here in places.values()):
        return tuple(instances)
    last = min(len(here) for here in places.values()) - 1
    return tuple(here[last] for here in places.values())


def _numbered(instance: InstanceRecord) -> tuple[int, str]:
    return instance.instance_number or 0, instance.sop_instance_uid
