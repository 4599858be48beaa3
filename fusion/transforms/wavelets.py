"""The two-channel filter banks of the usual wavelets, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import comb, sqrt
from types import MappingProxyType

import numpy as np

from ..errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Wavelet:
    """Analysis and synthesis filters, low-pass and high-pass, of one even length.

    Order and signs are those of PyWavelets' `dec_lo`, `dec_hi`, `rec_lo`, `rec_hi`.
    """

    analysis_low: tuple[float, ...]
    analysis_high: tuple[float, ...]
    synthesis_low: tuple[float, ...]
    synthesis_high: tuple[float, ...]

    @property
    def length(self) -> int:
        """Number of taps."""
        return len(self.analysis_low)


CDF_5_3 = ((-1 / 8, 1 / 4, 3 / 4, 1 / 4, -1 / 8), (1 / 4, 1 / 2, 1 / 4))
"""Analysis and synthesis low-pass of Cohen, Daubechies and Feauveau 1992 (`cohen1992`), orders 2.2; times √2 in use."""

VANISHING_MOMENTS: Mapping[str, int] = MappingProxyType({"haar": 1, "db2": 2, "db3": 3, "db4": 4, "db6": 6, "db8": 8})

WAVELETS = (*VANISHING_MOMENTS, "bior2.2", "bior4.4")
"""The names that `wavelet` knows: Daubechies' with extremal phase (`daubechies1988`) and two symmetric pairs."""


@cache
def wavelet(name: str) -> Wavelet:
    """The filter bank called `name`. Raises `UnknownNameError`."""
    if name in VANISHING_MOMENTS:
        low = _daubechies(VANISHING_MOMENTS[name])
        return _bank(low[::-1], low)
    if name == "bior2.2":
        return _bank(_padded(CDF_5_3[0], 6), _padded(CDF_5_3[1], 6))
    if name == "bior4.4":
        analysis, synthesis = _cdf_9_7()
        return _bank(_padded(analysis, 10), _padded(synthesis, 10))
    raise UnknownNameError("wavelet", name, WAVELETS)


def _bank(analysis_low: tuple[float, ...], synthesis_low: tuple[float, ...]) -> Wavelet:
    """The high-pass filters are the other bank's low-pass ones with alternating signs."""
    high = tuple(value * (-1) ** (at + 1) for at, value in enumerate(synthesis_low))
    back = tuple(value * (-1) ** at for at, value in enumerate(analysis_low))
    return Wavelet(analysis_low, high, synthesis_low, back)


def _padded(taps: tuple[float, ...], length: int) -> tuple[float, ...]:
    """Times √2, one zero before and zeros after."""
    padded = [0.0, *(sqrt(2) * tap for tap in taps)]
    return tuple(padded + [0.0] * (length - len(padded)))


def _daubechies(moments: int) -> tuple[float, ...]:
    """The scaling filter by spectral factorisation, roots within the unit circle (`daubechies1988`)."""
    # P(y) = sum of C(N-1+k, k) y^k with y = (2 - z - 1/z) / 4: each root y gives a pair of z, of which one is inside.
    roots_y = np.roots([comb(moments - 1 + k, k) for k in reversed(range(moments))])
    half = 1 - 2 * roots_y
    inside = [z for h in half for z in np.roots([1, -2 * h, 1]) if abs(z) < 1]
    taps = np.real(np.poly([*inside, *[-1.0] * moments]))
    return tuple((taps * sqrt(2) / taps.sum()).tolist())


def _cdf_9_7() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Orders 4.4 (`cohen1992`): P(y) = 1 + 4y + 10y² + 20y³ split into its real and its complex roots."""
    roots = np.roots([20, 10, 4, 1])
    real = roots[np.argmin(np.abs(roots.imag))].real
    pair = roots[np.argsort(np.abs(roots.imag))[1:]]
    analysis = _from_roots([*_in_z(pair[0]), *_in_z(pair[1])], zeros=4)
    synthesis = _from_roots(_in_z(real), zeros=4)
    return analysis, synthesis


def _in_z(root_y: complex) -> list[complex]:
    return [complex(z) for z in np.roots([1, -2 * (1 - 2 * root_y), 1])]


def _from_roots(roots: list[complex], zeros: int) -> tuple[float, ...]:
    taps = np.real(np.poly([*roots, *[-1.0] * zeros]))
    return tuple((taps / taps.sum()).tolist())
