"""AMQP 1.0 values out of bytes (OASIS AMQP 1.0, part 1).

Takes whatever a stranger may send: raises `Malformed` and nothing else, in time and memory linear in the bytes.
All integers come back as `int`, arrays as lists; decimals and characters, which the broker only passes over, as bytes.
"""

import struct
from collections.abc import Callable
from struct import Struct
from typing import Any, Final
from uuid import UUID

from localcloud.servicebus.encoding import Described, Symbol, Timestamp
from localcloud.servicebus.errors import Malformed

DEEPEST = 32  # levels of nesting

_Decoder = Callable[[bytes, int, int], tuple[Any, int]]
_SIZE: Final = Struct(">I")
_SIZES: Final = {1: Struct(">BB"), 4: Struct(">II")}  # of a compound value: its size and count


def decode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value that starts at `at`, and where the next one starts."""
    try:
        return _value(data, at, 0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from None


def skip(data: bytes, at: int) -> int:
    """Where the value that starts at `at` ends; it is not looked into."""
    try:
        if data[at] != 0x00:  # nearly always
            return _end(data, at)
        for _ in range(DEEPEST):
            at = _end(data, at + 1)  # over the descriptor, to the value
            if data[at] != 0x00:
                return _end(data, at)
    except (IndexError, struct.error):
        raise Malformed("cut short") from None
    raise Malformed("too deep")


def bounds(data: bytes, at: int, width: int, depth: int = 0) -> tuple[int, int, int]:
    """Of a list, map or array whose size starts at `at`: how many items, and where they start and end."""
    if depth > DEEPEST:
        raise Malformed("too deep")
    try:
        size, count = _SIZES[width].unpack_from(data, at)
    except struct.error:
        raise Malformed("cut short") from None
    start, end = at + 2 * width, at + width + size
    if count > size or not start <= end <= len(data):
        raise Malformed("a size beyond its bytes")
    return count, start, end


def _end(data: bytes, at: int) -> int:
    """Says the constructor alone (1.2): 0x4_ is empty, 0x5_ to 0x9_ are of fixed width, the rest tell their size."""
    kind = data[at] >> 4
    if kind in (0xA, 0xC, 0xE):
        end = at + 2 + data[at + 1]
    elif kind in (0xB, 0xD, 0xF):
        end = at + 5 + _SIZE.unpack_from(data, at + 1)[0]
    elif 4 <= kind <= 9:
        end = at + 1 + (0, 1, 2, 4, 8, 16)[kind - 4]
    else:
        raise Malformed(f"no such type: 0x{data[at]:02x}")
    if end > len(data):
        raise Malformed("cut short")
    return end


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    return _DECODERS[data[at]](data, at + 1, depth)


def _constant(value: Any) -> _Decoder:
    return lambda data, at, depth: (value, at)


def _byte(data: bytes, at: int, _: int) -> tuple[int, int]:
    return data[at], at + 1


def _fixed(layout: str, make: Callable[[Any], Any] | None = None) -> _Decoder:
    packed = Struct(layout)

    def read(data: bytes, at: int, _: int) -> tuple[Any, int]:
        value = packed.unpack_from(data, at)[0]
        return (make(value) if make else value), at + packed.size

    return read


def _sized(width: int, make: Callable[[bytes], Any]) -> _Decoder:
    packed = Struct(">B" if width == 1 else ">I")

    def read(data: bytes, at: int, _: int) -> tuple[Any, int]:
        start = at + width
        end = start + packed.unpack_from(data, at)[0]
        if end > len(data):
            raise Malformed("cut short")
        return make(data[start:end]), end

    return read


def _items(width: int) -> _Decoder:
    def read(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
        count, position, end = bounds(data, at, width, depth)
        values: list[Any] = []
        for _ in range(count):
            if (code := data[position]) in _CONSTANTS:  # as most fields are: this is half of the time
                value, position = _CONSTANTS[code], position + 1
            else:
                value, position = _DECODERS[code](data, position + 1, depth + 1)
            values.append(value)
        return _whole(values, position, end), end

    return read


def _pairs(width: int) -> _Decoder:
    items = _items(width)

    def read(data: bytes, at: int, depth: int) -> tuple[dict[Any, Any], int]:
        values, end = items(data, at, depth)
        keys = values[::2]
        if len(values) % 2 or any(isinstance(key, list | dict | Described) for key in keys):
            raise Malformed("not a map")
        return dict(zip(keys, values[1::2], strict=True)), end

    return read


def _elements(width: int) -> _Decoder:
    def read(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
        count, position, end = bounds(data, at, width, depth)
        if not count:
            return [], end
        described = data[position] == 0x00
        descriptor, position = _value(data, position + 1, depth + 1) if described else (None, position)
        decoder, position = _DECODERS[data[position]], position + 1
        values: list[Any] = []
        for _ in range(count):
            value, position = decoder(data, position, depth + 1)
            values.append(Described(descriptor, value) if described else value)
        return _whole(values, position, end), end

    return read


def _whole(values: list[Any], position: int, end: int) -> list[Any]:
    if position != end:
        raise Malformed("a size that is not that of its items")
    return values


def _described(data: bytes, at: int, depth: int) -> tuple[Described, int]:
    if depth > DEEPEST:
        raise Malformed("too deep")
    descriptor, at = _value(data, at, depth + 1)
    value, at = _value(data, at, depth + 1)
    return Described(descriptor, value), at


def _unknown(data: bytes, at: int, _: int) -> tuple[Any, int]:
    raise Malformed(f"no such type: 0x{data[at - 1]:02x}")


def _text(value: bytes) -> str:
    return value.decode()


def _symbol(value: bytes) -> Symbol:
    return Symbol(value.decode("ascii"))


_CONSTANTS: Final = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}
_KNOWN: Final[dict[int, _Decoder]] = {
    **{code: _constant(value) for code, value in _CONSTANTS.items()},
    0x00: _described,
    0x45: lambda data, at, depth: ([], at),
    0x50: _byte,
    0x51: _fixed(">b"),
    0x52: _byte,
    0x53: _byte,
    0x54: _fixed(">b"),
    0x55: _fixed(">b"),
    0x56: _fixed(">?"),
    0x60: _fixed(">H"),
    0x61: _fixed(">h"),
    0x70: _fixed(">I"),
    0x71: _fixed(">i"),
    0x72: _fixed(">f"),
    0x73: _fixed(">4s"),
    0x74: _fixed(">4s"),
    0x80: _fixed(">Q"),
    0x81: _fixed(">q"),
    0x82: _fixed(">d"),
    0x83: _fixed(">q", Timestamp),
    0x84: _fixed(">8s"),
    0x94: _fixed(">16s"),
    0x98: _fixed(">16s", lambda value: UUID(bytes=value)),
    0xA0: _sized(1, bytes),
    0xA1: _sized(1, _text),
    0xA3: _sized(1, _symbol),
    0xB0: _sized(4, bytes),
    0xB1: _sized(4, _text),
    0xB3: _sized(4, _symbol),
    0xC0: _items(1),
    0xC1: _pairs(1),
    0xD0: _items(4),
    0xD1: _pairs(4),
    0xE0: _elements(1),
    0xF0: _elements(4),
}
_DECODERS: Final = [_KNOWN.get(code, _unknown) for code in range(256)]
