"""AMQP 1.0 types and how they are written (OASIS AMQP 1.0, part 1)."""

import struct
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any, Final, NamedTuple
from uuid import UUID


class Symbol(str):
    """ASCII, from a constrained domain."""

    __slots__ = ()


class Int(int):
    """32 bits; a plain `int` is encoded as a long."""

    __slots__ = ()


class ULong(int):
    __slots__ = ()


class Timestamp(int):
    """Milliseconds since the epoch."""

    __slots__ = ()


class Described(NamedTuple):
    descriptor: Any
    value: Any


class Array(NamedTuple):
    """`encode` makes an element with its constructor, all of which must be the same."""

    encode: Callable[[Any], bytes]
    items: Iterable[Any]


NULL, EMPTY = b"\x40", b"\x45"  # the latter: a list
_BYTE2, _UINT, _ULONG, _LONG = Struct(">BB"), Struct(">BI"), Struct(">BQ"), Struct(">Bq")


def null(_: None) -> bytes:
    return NULL


def boolean(value: bool) -> bytes:
    return b"\x41" if value else b"\x42"


def ubyte(value: int) -> bytes:
    return _BYTE2.pack(0x50, value)


def ushort(value: int) -> bytes:
    return struct.pack(">BH", 0x60, value)


def uint(value: int) -> bytes:
    if value == 0:
        return b"\x43"
    return _BYTE2.pack(0x52, value) if value < 256 else _UINT.pack(0x70, value)


def ulong(value: int) -> bytes:
    if value == 0:
        return b"\x44"
    return _BYTE2.pack(0x53, value) if value < 256 else _ULONG.pack(0x80, value)


def int32(value: int) -> bytes:
    return struct.pack(">Bb", 0x54, value) if -128 <= value < 128 else struct.pack(">Bi", 0x71, value)


def long(value: int) -> bytes:
    return struct.pack(">Bb", 0x55, value) if -128 <= value < 128 else _LONG.pack(0x81, value)


def wide_long(value: int) -> bytes:
    """Of an array, whose elements have one form."""
    return _LONG.pack(0x81, value)


def wide_string(value: str) -> bytes:
    encoded = value.encode()
    return _UINT.pack(0xB1, len(encoded)) + encoded


def double(value: float) -> bytes:
    return struct.pack(">Bd", 0x82, value)


def timestamp(value: int) -> bytes:
    return _LONG.pack(0x83, value)


def uuid(value: UUID) -> bytes:
    return b"\x98" + value.bytes


def binary(value: bytes) -> bytes:
    return _variable(0xA0, value)


def string(value: str) -> bytes:
    return _variable(0xA1, value.encode())


def symbol(value: str) -> bytes:
    return _variable(0xA3, value.encode("ascii"))


def list_(value: Iterable[Any]) -> bytes:
    return compound(0xC0, [encode(item) for item in value])


def map_(value: dict[Any, Any]) -> bytes:
    return compound(0xC1, [encode(part) for pair in value.items() for part in pair])


def array(value: Array) -> bytes:
    items = [value.encode(item) for item in value.items]
    elements = (items[0][:1] if items else NULL) + b"".join(item[1:] for item in items)
    return b"\xf0" + struct.pack(">II", len(elements) + 4, len(items)) + elements


def described(value: Described) -> bytes:
    return b"\x00" + encode(value.descriptor) + encode(value.value)


def compound(code: int, items: list[bytes], count: int | None = None) -> bytes:
    """A list (0xC0) or map (0xC1) of encoded items; `count` where an item holds several."""
    content, count = b"".join(items), len(items) if count is None else count
    if len(content) < 255 and count < 256:
        return bytes((code, len(content) + 1, count)) + content
    return struct.pack(">BII", code | 0x10, len(content) + 4, count) + content


def _variable(code: int, value: bytes) -> bytes:
    if len(value) < 256:
        return _BYTE2.pack(code, len(value)) + value
    return _UINT.pack(code | 0x10, len(value)) + value


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): null,
    bool: boolean,
    Int: int32,
    int: long,
    ULong: ulong,
    float: double,
    Timestamp: timestamp,
    UUID: uuid,
    bytes: binary,
    str: string,
    Symbol: symbol,
    list: list_,
    dict: map_,
    Array: array,
    Described: described,
}


def encode(value: Any) -> bytes:
    return _ENCODERS[type(value)](value)
