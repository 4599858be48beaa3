"""A page of pictures: every method on one slice of each pair, so that a person sees halos, grey bone, lifted black."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

TILE = 150
LABEL = 14
ACROSS = 8


def write_sheet(path: Path, pictures: Sequence[tuple[str, Path]]) -> Path:
    """A montage of the pictures with their names, `ACROSS` in a row, in 32 colours or greys to stay small."""
    rows = -(-len(pictures) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * TILE, max(rows, 1) * (TILE + LABEL)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (name, file) in enumerate(pictures):
        left, top = number % ACROSS * TILE, number // ACROSS * (TILE + LABEL)
        draw.text((left + 3, top + 1), name, fill="black")
        with Image.open(file) as picture:
            sheet.paste(picture.convert("RGB").resize((TILE - 2, TILE - 2)), (left + 1, top + LABEL))
    sheet.quantize(32).save(path, optimize=True)
    return path
