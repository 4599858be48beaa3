"""Two images made ready for a registrar: which of them is sampled, and in which frame its poses live."""

from dataclasses import dataclass

from ..geometry.transform import AffineTransform
from ..volume import Volume
from .preparation import prepare
from .search import SPACINGS_MM, Frame
from .usable import require_usable

EXCHANGE_BELOW = 0.6
"""Where the moving body is smaller than this share of the fixed one, it is the one that is sampled: the samples of a
whole body are too thin over a head."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The frame of a pair; `exchanged` says that its poses map the moving to the fixed image."""

    frame: Frame
    exchanged: bool

    @classmethod
    def of(cls, fixed: Volume, moving: Volume, min_inside: float, seed: int) -> "Placed":
        """Make both ready on the device of `fixed`.

        Raises `UnusableVolumeError` that says which of the two cannot be used.
        """
        require_usable(fixed, "fixed")
        require_usable(moving, "moving")
        sampled = prepare(fixed, SPACINGS_MM, "fixed")
        other = prepare(moving.to(fixed.device), SPACINGS_MM, "moving")
        exchanged = other.body_volume_ml < EXCHANGE_BELOW * sampled.body_volume_ml
        if exchanged:
            sampled, other = other, sampled
        return cls(Frame.of(sampled, other, min_inside, seed), exchanged)

    def outward(self, inward: AffineTransform) -> AffineTransform:
        """A pose of the frame as the map from fixed to moving points."""
        return inward.inverse() if self.exchanged else inward
