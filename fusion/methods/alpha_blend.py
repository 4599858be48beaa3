"""The usual fused study: the moved image in colour over the fixed one in grey."""

from dataclasses import asdict, dataclass

from ..display.blending import blend
from ..display.colour_tables import COLOUR_TABLES
from ..errors import ParameterError, UnknownNameError
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused, Legend


@dataclass(frozen=True, slots=True)
class AlphaBlend:
    """Alpha blending with a colour table; the parameters are those of `blend`.

    `threshold` and `ramp` are shares of the moved window: below the threshold the fixed image alone is seen.
    """

    colour_table: str = "hot_iron"
    opacity: float = 0.5
    threshold: float = 0.02
    ramp: float = 0.25
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        if self.colour_table not in COLOUR_TABLES:
            raise UnknownNameError("colour table", self.colour_table, COLOUR_TABLES)
        for name in ("opacity", "threshold", "ramp"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} lies between 0 and 1, not at {getattr(self, name)}")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        image = blend(
            pair.fixed,
            pair.moved,
            COLOUR_TABLES[self.colour_table],
            opacity=self.opacity,
            threshold=self.threshold,
            ramp=self.ramp,
            shown=pair.shown,
        )
        window = pair.moved_window
        legend = Legend(self.colour_table, window.black, window.white, moved.unit.value, moved.modality)
        return Fused(image, fixed.grid, "alpha_blend", asdict(self) | pair.windows, (legend,))
