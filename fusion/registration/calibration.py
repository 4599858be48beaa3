"""What the signs of a registration mean in mm: fitted to runs whose truth is known.

The mean error over the body is taken for the root of a floor and of a weighted sum of squares of the signs; its
interval and the bound of its 95th percentile have the same form with floors and factors of their own, so that a sign
that grows never makes anything smaller. `calibration.json` holds the numbers and the range of the signs on which they
were fitted; where they come from: docs/scientists/calibration.md.
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
class Calibration:
    """The fitted numbers. Floors are for pairs with no, one and two images of uptake; `weights` are for squares.

    `factors` multiply the part that the signs make, for the low and the high end of the interval and for the bound.
    """

    weights: Mapping[str, float]
    floors_mm: tuple[float, ...]
    low_floors_mm: tuple[float, ...]
    high_floors_mm: tuple[float, ...]
    bound_floors_mm: tuple[float, ...]
    factors: tuple[float, float, float]
    largest_mm: Mapping[str, float]

    def estimate(self, signs_mm: Mapping[str, float], uptake: int) -> Estimate:
        """What `signs_mm` (names ending in _mm) mean for a pair in which `uptake` images (0, 1, 2) show uptake."""
        seen = float(sum(weight * signs_mm[f"{name}_mm"] ** 2 for name, weight in self.weights.items()))
        low, high, bound = self.factors
        expected = float(np.sqrt(self.floors_mm[uptake] ** 2 + seen))
        return Estimate(
            expected_mm=expected,
            low_mm=min(float(np.hypot(self.low_floors_mm[uptake], low * np.sqrt(seen))), expected),
            high_mm=max(float(np.hypot(self.high_floors_mm[uptake], high * np.sqrt(seen))), expected),
            bound_mm=float(np.hypot(self.bound_floors_mm[uptake], bound * np.sqrt(seen))),
            floor_mm=self.floors_mm[uptake],
            weights=self.weights,
        )

    def unseen(self, signs_mm: Mapping[str, float]) -> tuple[str, ...]:
        """The signs that are larger than in any run of the calibration."""
        return tuple(name for name, most in self.largest_mm.items() if signs_mm.get(f"{name}_mm", most) > most)


def load_calibration() -> Calibration:
    """The calibration that comes with the package."""
    values = json.loads(files(__package__).joinpath("calibration.json").read_text(encoding="utf-8"))
    low, high, bound = values["factors"]
    return Calibration(
        weights=MappingProxyType(values["weights"]),
        floors_mm=tuple(values["floors_mm"]),
        low_floors_mm=tuple(values["low_floors_mm"]),
        high_floors_mm=tuple(values["high_floors_mm"]),
        bound_floors_mm=tuple(values["bound_floors_mm"]),
        factors=(low, high, bound),
        largest_mm=MappingProxyType(values["largest_mm"]),
    )


CALIBRATION = load_calibration()
