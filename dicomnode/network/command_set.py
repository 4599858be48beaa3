"""The command sets of C-STORE and C-ECHO (PS3.7 9.3.1, 9.3.5 and Annex E), without a data set library.

A command set is implicit VR little endian, group 0000, and short; a receiver reads and writes one for each instance.
"""

import struct
from dataclasses import dataclass

from .pdu_stream import HEAD, INVALID_PARAMETER, P_DATA_TF, ProtocolError

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
RESPONSE = 0x8000
NO_DATA_SET = 0x0101
UNRECOGNISED_OPERATION = 0x0211
COMMAND, LAST = 0x01, 0x02
"""Bits of a message control header (PS3.8 E.2)."""

ELEMENT = struct.Struct("<HHL")
GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID, COMMAND_FIELD, MESSAGE_ID, MESSAGE_ID_RESPONDED_TO = 0x0002, 0x0100, 0x0110, 0x0120
COMMAND_DATA_SET_TYPE, STATUS, ERROR_COMMENT, AFFECTED_SOP_INSTANCE_UID = 0x0800, 0x0900, 0x0902, 0x1000
MAX_COMMENT_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Command:
    """What a peer asks for. `has_data_set` says whether a data set follows."""

    field: int
    message_id: int
    has_data_set: bool
    sop_class_uid: str
    sop_instance_uid: str

    @classmethod
    def of(cls, encoded: bytes | bytearray) -> "Command":
        """Decode a whole command set. Raises `ProtocolError` when it is none."""
        elements = _elements(encoded)
        try:
            return cls(
                field=_number(elements[COMMAND_FIELD]),
                message_id=_number(elements.get(MESSAGE_ID, b"\0\0")),
                has_data_set=_number(elements[COMMAND_DATA_SET_TYPE]) != NO_DATA_SET,
                sop_class_uid=_uid(elements.get(AFFECTED_SOP_CLASS_UID, b"")),
                sop_instance_uid=_uid(elements.get(AFFECTED_SOP_INSTANCE_UID, b"")),
            )
        except (KeyError, struct.error, UnicodeDecodeError) as error:
            raise ProtocolError(
                "a command set lacks its command field or is not readable", INVALID_PARAMETER
            ) from error


def response_pdu(context_id: int, command: Command, status: int, comment: str = "") -> bytes:
    """The answer to `command` as one P-DATA-TF PDU; an error comment is cut to what LO allows."""
    body = b"".join(
        (
            _element(AFFECTED_SOP_CLASS_UID, _padded(command.sop_class_uid)) if command.sop_class_uid else b"",
            _element(COMMAND_FIELD, struct.pack("<H", command.field | RESPONSE)),
            _element(MESSAGE_ID_RESPONDED_TO, struct.pack("<H", command.message_id)),
            _element(COMMAND_DATA_SET_TYPE, struct.pack("<H", NO_DATA_SET)),
            _element(STATUS, struct.pack("<H", status)),
            _element(ERROR_COMMENT, _comment(comment)) if status and comment else b"",
            _element(AFFECTED_SOP_INSTANCE_UID, _padded(command.sop_instance_uid)) if command.sop_instance_uid else b"",
        )
    )
    encoded = _element(GROUP_LENGTH, struct.pack("<L", len(body))) + body
    value = struct.pack(">LBB", len(encoded) + 2, context_id, COMMAND | LAST) + encoded
    return HEAD.pack(P_DATA_TF, len(value)) + value


def _elements(encoded: bytes | bytearray) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    at = 0
    while at + ELEMENT.size <= len(encoded):
        group, element, length = ELEMENT.unpack_from(encoded, at)
        at += ELEMENT.size
        if group != 0 or at + length > len(encoded):
            raise ProtocolError("a command set is cut short or holds what is no command", INVALID_PARAMETER)
        elements[element] = bytes(encoded[at : at + length])
        at += length
    if at != len(encoded):
        raise ProtocolError("a command set is cut short", INVALID_PARAMETER)
    return elements


def _number(value: bytes) -> int:
    return int(struct.unpack("<H", value)[0])


def _uid(value: bytes) -> str:
    return value.decode("ascii").rstrip("\0 ")


def _padded(text: str, padding: bytes = b"\0") -> bytes:
    encoded = text.encode("ascii", "replace")
    return encoded + padding * (len(encoded) % 2)


def _comment(text: str) -> bytes:
    return _padded(text.replace("\\", "/")[:MAX_COMMENT_LENGTH], b" ")


def _element(element: int, value: bytes) -> bytes:
    return ELEMENT.pack(0, element, len(value)) + value
