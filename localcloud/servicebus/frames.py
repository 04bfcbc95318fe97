"""AMQP frames: bytes in, frames out; and back (OASIS AMQP 1.0, part 2.3 and 5.3.1)."""

import struct
from collections.abc import Iterator
from enum import Enum, IntEnum
from typing import Any, Final, NamedTuple

from localcloud.servicebus import composites
from localcloud.servicebus.decoding import decode
from localcloud.servicebus.errors import Malformed

LARGEST_FRAME: Final = 65_536  # bytes that we take
SMALLEST_LIMIT: Final = 512  # that a peer may ask us to keep to
_HEAD: Final = struct.Struct(">IBBH")  # size, data offset in words of four bytes, type, channel


class Protocol(Enum):
    """What a peer opens a connection with, and then opens each layer with."""

    AMQP = b"AMQP\x00\x01\x00\x00"
    SASL = b"AMQP\x03\x01\x00\x00"


class Type(IntEnum):
    AMQP = 0
    SASL = 1


class Frame(NamedTuple):
    channel: int
    body: Any  # a performative
    payload: bytes = b""  # of a transfer


class Parser:
    """Holds no more than one frame's bytes beside those it was just fed."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Protocol | Frame]:
        """Raises Malformed; then the connection is beyond repair. Heartbeats are passed over."""
        self._held += data
        at = 0
        try:
            while len(self._held) - at >= _HEAD.size:
                size = self._size(at)
                if len(self._held) - at < size:
                    break
                whole, at = bytes(self._held[at : at + size]), at + size
                if (item := _read(whole)) is not None:
                    yield item
        finally:
            del self._held[:at]

    def _size(self, at: int) -> int:
        if self._held[at : at + 4] == b"AMQP":
            return _HEAD.size
        size = int.from_bytes(self._held[at : at + 4], "big")
        if not _HEAD.size <= size <= LARGEST_FRAME:
            raise Malformed(f"a frame of {size} bytes")
        return size


def _read(data: bytes) -> Protocol | Frame | None:
    if data[:4] == b"AMQP":
        return _protocol(data)
    size, offset, kind, channel = _HEAD.unpack_from(data)
    if kind not in (Type.AMQP, Type.SASL) or not 2 <= offset <= size // 4:
        raise Malformed("not a frame")
    start = offset * 4
    if start == size:
        return None
    value, end = decode(data, start)
    return Frame(channel, composites.compose(value), data[end:])


def _protocol(data: bytes) -> Protocol:
    try:
        return Protocol(data)
    except ValueError:
        raise Malformed("a protocol that is not spoken here") from None


def encode(channel: int, body: tuple[Any, ...], payload: bytes = b"", kind: Type = Type.AMQP) -> bytes:
    content = composites.encode(body)
    return b"".join((_HEAD.pack(_HEAD.size + len(content) + len(payload), 2, kind, channel), content, payload))
