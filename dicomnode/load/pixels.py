"""Stored values out of any transfer syntax that pydicom and its decoders know."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from ..errors import UndecodableError
from .headers import READ_FAILURES, filled, texts

EMISSION = ("PT", "NM")
RUST_PANIC = "PanicException"
"""What a decoder in Rust raises on broken data: no subclass of Exception, and nowhere to import it from."""


def decoded(dataset: Dataset) -> NDArray[Any]:
    """(frame, row, column): stored values, unused high bits cleared or sign-extended.

    Raises `UndecodableError` naming the transfer syntax where nothing decodes it, or where the data end early.
    """
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        array, _ = get_decoder(syntax).as_array(dataset, raw=True)
    except NotImplementedError as error:
        raise UndecodableError(f"nothing here decodes the transfer syntax {syntax.name} ({syntax})") from error
    except BaseException as error:
        if not isinstance(error, (RuntimeError, *READ_FAILURES)) and type(error).__name__ != RUST_PANIC:
            raise
        uid = filled(dataset, "SOPInstanceUID")
        raise UndecodableError(f"the pixels of {uid} ({syntax.name}) cannot be decoded: {error}") from error
    return np.asarray(array if array.ndim == 3 else array[np.newaxis])


def is_monochrome1(dataset: Dataset) -> bool:
    """Whether the smallest stored value is meant to be shown white (PS3.3 C.7.6.3.1.2)."""
    return texts(filled(dataset, "PhotometricInterpretation")) == ("MONOCHROME1",)


def is_shown_inverted(modality: str, headers: Sequence[Dataset]) -> bool:
    """Whether all of a series is. Emission has MONOCHROME2 only (C.8.9.4, C.8.4.9): much activity stays bright."""
    return modality not in EMISSION and all(is_monochrome1(header) for header in headers)


def lossy_note(dataset: Dataset) -> str | None:
    """What to say where the pixels were compressed with loss at some time."""
    if str(filled(dataset, "LossyImageCompression")) != "01":
        return None
    return "The images were compressed with loss before they came; their values are not quite those measured."
