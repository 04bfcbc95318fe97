"""What is said most, read by a pattern and written by a template: transfers, and dispositions of one delivery.

`composites` reads and writes the same, in several times the time; what looks otherwise is left to that.
"""

import re
from struct import Struct
from typing import Final

from localcloud.servicebus.performatives import Accepted, Disposition, Transfer

ACCEPTED: Final = Accepted()
_number: Final = int.from_bytes
_NUMBER: Final = rb"(\x43|\x52.|\x70.{4})"
_TRUTH: Final = rb"(\x40|\x41|\x42|\x56[\x00\x01])"
_TRUTHS: Final = {b"\x40": None, b"\x41": True, b"\x42": False, b"\x56\x00": False, b"\x56\x01": True}
_TAG: Final = rb"\xa0(\x04.{4})"
_TRANSFER: Final = re.compile(  # handle, id, tag, format, settled, more; the rest is null or false
    rb"\x00\x53\x14\xc0(.)\x0b%b%b%b%b%b%b(?:\x40|\x42|\x56\x00){5}"
    % (_NUMBER, _NUMBER, _TAG, _NUMBER, _TRUTH, _TRUTH),
    re.DOTALL,
)
_DISPOSITION: Final = re.compile(  # by the receiver; first, no last, settled, accepted, batchable
    rb"\x00\x53\x15\xc0(.)\x06(?:\x41|\x56\x01)%b\x40%b\x00\x53\x24(?:\x45|\xc0\x01\x00)%b" % (_NUMBER, _TRUTH, _TRUTH),
    re.DOTALL,
)
_HEAD: Final = ">IBBH4sBB"  # of a frame: size, offset, type, channel; of its list: descriptor, size, count
_DELIVERY: Final = Struct(_HEAD + "BIBIBB")  # handle, id, length of the tag
_ACCEPTANCE: Final = Struct(_HEAD + "BBIBIB5s")  # role, first, last, settled; state and batchable


def read(data: bytes, start: int) -> tuple[Transfer | Disposition, int] | None:
    """What starts there, and where it ends."""
    said: Transfer | Disposition
    if found := _TRANSFER.match(data, start):
        size, handle, number, tag, kind, settled, more = found.groups()
        flags = _TRUTHS[settled], bool(_TRUTHS[more])
        said = Transfer(_number(handle[1:]), _number(number[1:]), tag[1:], _number(kind[1:]), *flags)
    elif found := _DISPOSITION.match(data, start):
        size, number, settled, batchable = found.groups()
        flags = bool(_TRUTHS[settled]), bool(_TRUTHS[batchable])
        said = Disposition(True, _number(number[1:]), None, flags[0], ACCEPTED, flags[1])
    else:
        return None
    end = found.end()
    return (said, end) if end == start + 5 + size[0] else None


def delivery(channel: int, said: Transfer, payload: bytes) -> bytes:
    """The frame of one that we send: with an id and a tag, and no state."""
    handle, number, tag, _, settled, more, *_ = said
    tag = tag or b""
    rest = b"\x43%b%b\x40\x40\x42\x42\x42" % (_truth(settled), _truth(more))
    fields = len(tag) + len(rest) + 13
    head = (_DELIVERY.size - 13 + fields + len(payload), 2, 0, channel, b"\x00\x53\x14\xc0", fields, 11)
    return b"".join((_DELIVERY.pack(*head, 0x70, handle, 0x70, number, 0xA0, len(tag)), tag, rest, payload))


def acceptance(channel: int, delivery_id: int, *, by_receiver: bool) -> bytes:
    """The last word on a delivery."""
    head = (_ACCEPTANCE.size, 2, 0, channel, b"\x00\x53\x15\xc0", _ACCEPTANCE.size - 13, 6)
    role = 0x41 if by_receiver else 0x42
    return _ACCEPTANCE.pack(*head, role, 0x70, delivery_id, 0x70, delivery_id, 0x41, b"\x00\x53\x24\x45\x42")


def _truth(value: bool | None) -> bytes:
    return b"\x41" if value else b"\x42"
