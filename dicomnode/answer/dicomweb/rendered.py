"""One frame as a picture that any browser shows (PS3.18 8.7, 10.4.1.1.3): windowed grey, or the colours that it has."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from ...errors import UndecodableError
from .frames import Frames

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
LARGEST_SIDE = 4096


@dataclass(frozen=True, slots=True)
class Look:
    """Centre and width of the window (None: that of the header, else the range of the values), and the largest size."""

    window: tuple[float, float] | None = None
    size: tuple[int, int] | None = None
    quality: int = 90


def rendered(frames: Frames, number: int, media_type: str, look: Look) -> bytes:
    """The frame as a picture of that type. Raises `UndecodableError` where nothing decodes it."""
    pixels = frames.array(number, raw=False)
    try:
        picture = Image.fromarray(_shown(frames.header, pixels, look.window))
    except (AttributeError, TypeError, ValueError, NotImplementedError) as error:
        raise UndecodableError("the pixels cannot be shown as a picture") from error
    if look.size is not None:
        picture.thumbnail(look.size)
    encoded = io.BytesIO()
    picture.save(encoded, FORMATS[media_type], quality=look.quality)
    return encoded.getvalue()


def _shown(header: Any, pixels: Any, window: tuple[float, float] | None) -> Any:
    if header.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, header)
        return (pixels >> 8).astype(np.uint8) if pixels.dtype.itemsize > 1 else pixels
    if pixels.ndim == 3:
        return pixels if pixels.dtype == np.uint8 else _stretched(pixels)
    values = apply_modality_lut(pixels, header)
    window = window or _own_window(header)
    if window is not None:
        centre, width = window
        grey = np.clip((values - centre + 0.5) / max(width - 1, 1) + 0.5, 0, 1)  # PS3.3 C.11.2.1.2
        grey = (grey * 255).astype(np.uint8)
    elif "VOILUTSequence" in header:
        grey = _stretched(apply_voi_lut(values, header, index=0))
    else:
        grey = _stretched(values)
    return 255 - grey if header.get("PhotometricInterpretation") == "MONOCHROME1" else grey


def _own_window(header: Any) -> tuple[float, float] | None:
    """The first one of the header."""
    found = [header.get(keyword) for keyword in ("WindowCenter", "WindowWidth")]
    first = [one[0] if isinstance(one, (list, tuple, MultiValue)) and one else one for one in found]
    return None if None in first or "VOILUTSequence" in header else (float(first[0]), float(first[1]))


def _stretched(values: Any) -> Any:
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    share = (np.nan_to_num(values, nan=low) - low) / (high - low or 1.0)
    return (np.clip(share, 0, 1) * 255).astype(np.uint8)
