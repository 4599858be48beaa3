"""The small visible label on fused pixels: what it is not for, the verdict when it is not accept, a colour bar.

Text keeps to the corners and its size to the image's, so that anatomy stays in sight. No identity is ever drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fusion.display import COLOUR_TABLES
from fusion.methods.method import Legend
from fusion.quality.report import Verdict

from .derived_series import PURPOSE
from .inputs import EncodeInputs
from .page_text import Typeface, wrapped

Picture = NDArray[np.uint8]
"""(rows, columns, 3) sRGB."""

ROWS_PER_TEXT_HEIGHT = 30
SMALLEST_TEXT = 9
LARGEST_TEXT = 22
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
VERDICT_COLOURS = {Verdict.ACCEPT: (70, 190, 90), Verdict.REVIEW: (255, 176, 0), Verdict.REJECT: (255, 70, 70)}
UNIT_NAMES = {"g/ml{SUVbw}": "SUVbw", "g/ml{SUVlbm}": "SUVlbm", "g/ml{SUVibw}": "SUVibw", "cm2/ml{SUVbsa}": "SUVbsa"}
UNIT_NAMES |= {"[hnsf'U]": "HU", "{counts}": "counts", "{propcounts}": "counts (rel.)", "1": ""}


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """A picture to lay over every slice: `colour` is premultiplied by `opacity` (rows, columns, 1), both 0…1."""

    colour: NDArray[np.float32]
    opacity: NDArray[np.float32]

    def on(self, slice_rgb: Picture) -> Picture:
        """The slice with the label drawn on it; the slice itself does not change."""
        drawn = self.opacity[..., 0] > 0
        result = slice_rgb.copy()
        mixed = slice_rgb[drawn] * (1 - self.opacity[drawn]) + self.colour[drawn] * 255
        result[drawn] = np.rint(mixed).astype(np.uint8)
        return result


def label_of(inputs: EncodeInputs) -> Label:
    """The label of a fused series: drawn once, laid over every slice."""
    rows, columns = inputs.fixed.grid.shape[1:]
    canvas = Image.new("RGBA", (columns, rows), (0, 0, 0, 0))
    draw = ImageDraw.Draw(canvas)
    size = int(np.clip(rows / ROWS_PER_TEXT_HEIGHT, SMALLEST_TEXT, LARGEST_TEXT))
    margin = max(2, size // 4)
    lines = list(wrapped(PURPOSE, font(size), columns - 2 * margin))
    for above, line in enumerate(reversed(lines)):
        outlined(draw, (margin, rows - margin - above * (size + 1)), line, font(size), WHITE, anchor="ld")
    if inputs.verdict is not Verdict.ACCEPT:
        verdict = inputs.verdict.value.upper()
        outlined(draw, (margin, margin), verdict, font(size), VERDICT_COLOURS[inputs.verdict], anchor="la")
    draw_colour_bars(draw, inputs.moving.fused.legend, (rows, columns), size)
    drawn = (np.asarray(canvas) / 255).astype(np.float32)  # Pillow mixes text into transparency premultiplied
    return Label(drawn[..., :3], drawn[..., 3:])


def draw_colour_bars(
    draw: ImageDraw.ImageDraw, legends: Sequence[Legend], shape: tuple[int, int], text_size: int
) -> None:
    """A bar with its ends and unit for each coloured layer, at the right edge, half way down."""
    rows, columns = shape
    bar_height, bar_width = max(24, rows // 4), max(5, columns // 48)
    small = font(max(SMALLEST_TEXT, text_size - 1))
    right = columns - max(2, text_size // 4)
    for legend in legends:
        table = COLOUR_TABLES.get(legend.colour_table)
        if table is None:
            continue
        left, top = right - bar_width, (rows - bar_height) // 2
        for offset in range(bar_height):
            colour = tuple(int(c) for c in table[round(255 * (1 - offset / (bar_height - 1)))])
            draw.line([(left, top + offset), (right - 1, top + offset)], fill=colour)
        draw.rectangle([left - 1, top - 1, right, top + bar_height], outline=WHITE)
        gap = max(2, text_size // 4)
        unit = UNIT_NAMES.get(legend.unit, legend.unit)
        upper = f"{plain_number(legend.upper, unit)} {unit}".strip()
        outlined(draw, (right, top - gap), upper, small, WHITE, anchor="rd")
        outlined(draw, (right, top + bar_height + gap), plain_number(legend.lower, unit), small, WHITE, anchor="ra")
        right = left - 6 * text_size


def plain_number(value: float, unit: str) -> str:
    """Three digits and never a power of ten; what has no unit means little enough for whole numbers from 10 on."""
    if abs(value) >= (100 if unit else 10):
        return f"{value:.0f}"
    return np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")


def font(size: float) -> Typeface:
    """Pillow's own typeface: the same on every machine, and no file to find."""
    return ImageFont.load_default(size)


def outlined(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    words: str,
    typeface: Typeface,
    colour: tuple[int, int, int],
    anchor: str,
) -> None:
    """Text that can be read on any background."""
    draw.text(place, words, font=typeface, fill=colour, anchor=anchor, stroke_width=1, stroke_fill=BLACK)
