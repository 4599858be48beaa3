"""In which transfer syntaxes a file may travel, and writing it in another one without changing what it says."""

from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from ..errors import EncodeError, SettingsError

FALLBACKS = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
"""What every peer understands; Implicit VR Little Endian is the default of the standard (PS3.5 10.1)."""

COMPRESSIONS = (JPEGLSLossless, RLELossless)
"""Lossless syntaxes that can be written for a peer whose settings ask for one."""


def known_transfer_syntax(name: str) -> UID:
    """The transfer syntax of that UID or keyword (such as "JPEGLSLossless"). Raises `SettingsError`."""
    for syntax in AllTransferSyntaxes:
        if name in (syntax, syntax.keyword):
            return syntax
    raise SettingsError(f"{name!r} is no transfer syntax; write its UID or its keyword, such as 'JPEGLSLossless'")


def possible_syntaxes(own: UID, wanted: Sequence[UID] = ()) -> tuple[UID, ...]:
    """The syntaxes in which a file that is kept in `own` may travel, best first.

    Without `wanted` its own comes first, then the uncompressed ones. `wanted` (a peer's setting) is the order and
    the limit: of it remain the file's own and those that can be written from it.
    """
    writable: tuple[UID, ...] = ()
    if own != ExplicitVRBigEndian:  # retired; the bytes of its pixels would have to be swapped
        writable = (*FALLBACKS, *COMPRESSIONS)
    if wanted:
        return tuple(dict.fromkeys(syntax for syntax in wanted if syntax == own or syntax in writable))
    return tuple(dict.fromkeys((own, *(syntax for syntax in FALLBACKS if syntax in writable))))


def write_as(path: Path, syntax: UID, copy: Path) -> None:
    """Write the file at `path` to `copy` in the transfer syntax `syntax`, under the same SOP Instance UID.

    Raises `EncodeError` where it cannot be written so: nothing decodes it, or there are no pixels to compress.
    """
    dataset = dcmread(path)
    own = dataset.file_meta.TransferSyntaxUID
    try:
        if own.is_compressed and own != DeflatedExplicitVRLittleEndian:
            dataset.decompress(generate_instance_uid=False)
        if syntax in COMPRESSIONS:
            dataset.compress(syntax, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(copy, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    except (AttributeError, NotImplementedError, RuntimeError, ValueError) as error:
        raise EncodeError(f"it cannot be written as {syntax.name} from {own.name}: {error}") from error
