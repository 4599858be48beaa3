"""Text for a drawn page: what the typeface can show, wrapped to a width."""

import unicodedata
from collections.abc import Iterable, Iterator

from PIL import ImageFont

Typeface = ImageFont.FreeTypeFont | ImageFont.ImageFont

REPLACEMENTS = {
    "→": "->",
    "×": "x",
    "–": "-",
    "—": "-",
    "≤": "<=",
    "≥": ">=",
    "ß": "ss",
    "’": "'",
    "“": '"',
    "”": '"',
    "µ": "u",
}


def drawable(words: str) -> str:
    """`words` in the characters that Pillow's typeface has; what it cannot show is a question mark."""
    replaced = "".join(REPLACEMENTS.get(letter, letter) for letter in words)
    plain = "".join(c for c in unicodedata.normalize("NFKD", replaced) if not unicodedata.combining(c))
    return plain.encode("ascii", "replace").decode("ascii")


def wrapped(words: str, typeface: Typeface, width: int) -> Iterator[str]:
    """Lines no wider than `width` pixels; a single longer word is cut."""
    line = ""
    for word in drawable(words).split():
        piece = _cut(word, typeface, width)
        longer = f"{line} {piece}".strip()
        if line and typeface.getlength(longer) > width:
            yield line
            line = piece
        else:
            line = longer
    if line:
        yield line


def bulleted(sentences: Iterable[str], typeface: Typeface, width: int) -> Iterator[str]:
    """Each sentence wrapped behind a dash."""
    for sentence in sentences:
        for index, line in enumerate(wrapped(sentence, typeface, width - 16)):
            yield f"- {line}" if index == 0 else f"  {line}"


def _cut(word: str, typeface: Typeface, width: int) -> str:
    while len(word) > 4 and typeface.getlength(word) > width:
        word = f"{word[:-4]}..."
    return word
