"""AMQP frames: bytes in, frames out; and back (OASIS AMQP 1.0, part 2.3 and 5.3.1)."""

import struct
from collections.abc import Iterator
from enum import Enum, IntEnum
from typing import Any, Final, NamedTuple

from localcloud.servicebus import composites, frequent
from localcloud.servicebus.decoding import decode
from localcloud.servicebus.errors import Malformed

LARGEST_FRAME: Final = 65_536  # bytes that we take
SMALLEST_LIMIT: Final = 512  # that a peer may ask us to keep to
_HEAD: Final = struct.Struct(">IBBH")  # size, data offset in words of four bytes, type, channel
HEARTBEAT: Final = _HEAD.pack(_HEAD.size, 2, 0, 0)  # a frame that says nothing


class Protocol(Enum):
    """What a peer opens a connection with, and then opens each layer with."""

    AMQP = b"AMQP\x00\x01\x00\x00"
    SASL = b"AMQP\x03\x01\x00\x00"


class Type(IntEnum):
    AMQP = 0
    SASL = 1


AMQP: Final = int.from_bytes(b"AMQP", "big")  # where a frame has its size
TYPES: Final = frozenset(map(int, Type))


class Frame(NamedTuple):
    channel: int
    body: Any  # a performative
    payload: bytes = b""  # of a transfer


class Parser:
    """Holds no more than one frame's bytes beside those it was just fed."""

    def __init__(self) -> None:
        self._held, self._wanted = bytearray(), _HEAD.size  # of a frame that is not whole; how long it will be

    def feed(self, data: bytes) -> Iterator[Protocol | Frame]:
        """Raises Malformed; then the connection is beyond repair. Heartbeats are passed over."""
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return
            data, self._held = bytes(self._held), bytearray()
        at, end, self._wanted = 0, len(data), _HEAD.size
        try:
            while at + _HEAD.size <= end:
                size, offset, kind, channel = _HEAD.unpack_from(data, at)
                if not _HEAD.size <= size <= LARGEST_FRAME:
                    size = _size(size)
                if at + size > end:
                    self._wanted = size
                    break
                whole, at = data[at : at + size], at + size
                if (item := _read(whole, offset, kind, channel)) is not None:
                    yield item
        finally:
            if at < end:
                self._held = bytearray(data[at:])


def _size(said: int) -> int:
    if said == AMQP:
        return _HEAD.size
    raise Malformed(f"a frame of {said} bytes")


def _read(data: bytes, offset: int, kind: int, channel: int) -> Protocol | Frame | None:
    if data.startswith(b"AMQP"):
        return _protocol(data)
    start = offset * 4
    if kind not in TYPES or not _HEAD.size <= start <= len(data):
        raise Malformed("not a frame")
    if start == len(data):
        return None
    if found := frequent.read(data, start):
        said, end = found
        return Frame(channel, said, data[end:])
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
