"""What the signs of a registration mean in mm: fitted to runs whose truth is known.

The mean error over the body is taken for the root of a floor and of a weighted sum of squares of the signs, with floors
and weights for pairs of two anatomical images and for pairs with an image of uptake; its interval and the bound of its
95th percentile are that times factors. No weight is negative: a sign that grows never makes anything smaller.
`calibration.json` holds the numbers and the range of the measures on which they were fitted; where they come from:
docs/scientists/calibration.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True, slots=True)
class Estimate:
    """In mm: the mean error over the body, its interval, the bound of its 95th percentile, and what it is made of."""

    expected_mm: float
    low_mm: float
    high_mm: float
    bound_mm: float
    floor_mm: float
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """The numbers for one kind of pair: a floor in mm, weights of squared signs, and factors of the estimate."""

    floor_mm: float
    weights: Mapping[str, float]
    low_ratio: float
    high_ratio: float
    bound_ratio: float

    def estimate(self, signs_mm: Mapping[str, float]) -> Estimate:
        """What `signs_mm` (names ending in _mm) mean."""
        seen = sum(weight * signs_mm[f"{name}_mm"] ** 2 for name, weight in self.weights.items())
        expected = float(np.sqrt(self.floor_mm**2 + seen))
        return Estimate(
            expected_mm=expected,
            low_mm=self.low_ratio * expected,
            high_mm=self.high_ratio * expected,
            bound_mm=self.bound_ratio * expected,
            floor_mm=self.floor_mm,
            weights=self.weights,
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """The scales for anatomy and for uptake; `seen` is the declared domain: measures, least and largest value."""

    anatomy: Scale
    uptake: Scale
    seen: Mapping[str, tuple[float, float]]

    def estimate(self, signs_mm: Mapping[str, float], uptake: int) -> Estimate:
        """What `signs_mm` mean for a pair in which `uptake` images (0, 1, 2) show uptake."""
        return (self.uptake if uptake else self.anatomy).estimate(signs_mm)

    def unseen(self, measures: Mapping[str, float]) -> tuple[str, ...]:
        """The measures that lie outside of the domain."""
        return tuple(
            name for name, (low, high) in self.seen.items() if name in measures and not low <= measures[name] <= high
        )


def load_calibration() -> Calibration:
    """The calibration that comes with the package."""
    values = json.loads(files(__package__).joinpath("calibration.json").read_text(encoding="utf-8"))
    anatomy, uptake = (
        Scale(**{**values[kind], "weights": MappingProxyType(values[kind]["weights"])})
        for kind in ("anatomy", "uptake")
    )
    seen = MappingProxyType({name: (least, most) for name, (least, most) in values["seen"].items()})
    return Calibration(anatomy, uptake, seen)


CALIBRATION = load_calibration()
