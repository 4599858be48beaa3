"""The DICOM file around a data set that was received (PS3.10 chapter 7)."""

import struct
from datetime import datetime
from io import BytesIO

from pydicom import dcmread

from storage.records import ReceivedInstance

from ..errors import NotParsableError
from ..settings import OWN_IMPLEMENTATION_UID
from .header import UNREADABLE

PREAMBLE = bytes(128) + b"DICM"
GROUP_LENGTH = struct.Struct("<HH2sHL")
"""(0002,0000) File Meta Information Group Length as it begins every file."""


def part10_file(received: ReceivedInstance) -> bytes:
    """Preamble, file meta information, and the data set exactly as sent."""
    return file_head(received) + bytes(received.dataset)


def file_head(received: ReceivedInstance) -> bytes:
    """What stands before the data set in its file.

    The meta information follows from class, instance and transfer syntax alone (no AE title, no version), so that
    the same data set is the same file whoever sends it, and whichever release of the node keeps it.
    """
    rest = b"".join(
        (
            _element(0x01, b"OB", b"\x00\x01"),
            _element(0x02, b"UI", _uid(received.sop_class_uid)),
            _element(0x03, b"UI", _uid(received.sop_instance_uid)),
            _element(0x10, b"UI", _uid(received.transfer_syntax_uid)),
            _element(0x12, b"UI", _uid(OWN_IMPLEMENTATION_UID)),
        )
    )
    return PREAMBLE + GROUP_LENGTH.pack(2, 0, b"UL", 4, len(rest)) + rest


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    """One element of group 0002, explicit VR little endian."""
    length = struct.pack("<HL", 0, len(value)) if vr == b"OB" else struct.pack("<H", len(value))
    return struct.pack("<HH", 2, element) + vr + length + value


def _uid(uid: str) -> bytes:
    encoded = uid.encode("ascii", "replace")
    return encoded + b"\0" * (len(encoded) % 2)


def received_in(file: bytes, received_at: datetime) -> ReceivedInstance:
    """What `part10_file` was made of, but for who sent it. Raises `NotParsableError` when it is no such file."""
    start = len(PREAMBLE)
    if file[128:start] != b"DICM" or len(file) < start + GROUP_LENGTH.size:
        raise NotParsableError("the bytes are no DICOM file")
    group, element, _, _, length = GROUP_LENGTH.unpack_from(file, start)
    end = start + GROUP_LENGTH.size + length
    if (group, element) != (2, 0) or end > len(file):
        raise NotParsableError("the file meta information has no length, or is cut short")
    try:
        meta = dcmread(BytesIO(file[:end])).file_meta
        sop_class_uid, sop_instance_uid = str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID)
        transfer_syntax_uid = str(meta.TransferSyntaxUID)
    except (*UNREADABLE, OSError) as error:
        raise NotParsableError("the file meta information cannot be read") from error
    return ReceivedInstance(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        dataset=file[end:],
        calling_ae_title="",
        called_ae_title="",
        peer_address="",
        received_at=received_at,
    )
