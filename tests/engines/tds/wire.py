"""Values and results on TDS's wire, as far as the store's statements need them: [MS-TDS], sections 2.2.5 and 2.2.7."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

COLLATION = bytes.fromhex("0904d00034")
MAX = 0xFFFF
NULL_PLP = 0xFFFF_FFFF_FFFF_FFFF
FIRST_DAY = datetime(1, 1, 1, tzinfo=UTC)
INTN, BITN, FLTN, GUID, NVARCHAR, VARCHAR = 0x26, 0x68, 0x6D, 0x24, 0xE7, 0xA7
VARBINARY, BINARY, DATETIME2, DATETIMEOFFSET, DECIMAL, NUMERIC = 0xA5, 0xAD, 0x2A, 0x2B, 0x6A, 0x6C
ROW, COL_METADATA, RETURN_STATUS, RETURN_VALUE = 0xD1, 0x81, 0x79, 0xAC
DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF
SCALE = 6  # digits of a second
MORE, COUNT = 0x01, 0x10
SELECT, INSERT = 0xC1, 0xC3


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter, and the PostgreSQL type that is like its own."""

    given: Any
    like: str


class Reader:
    def __init__(self, payload: bytes, at: int) -> None:
        self.payload, self.at = payload, at

    def take(self, count: int) -> bytes:
        self.at += count
        return self.payload[self.at - count : self.at]

    def number(self, form: str) -> int:
        return int(struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0])

    def done(self) -> bool:
        return self.at >= len(self.payload)

    def procedure(self) -> int | str:
        """A well-known number, or a name."""
        length = self.number("H")
        found = self.number("H") if length == MAX else self.take(2 * length).decode("utf-16-le")
        self.number("H")  # options
        return found

    def parameter(self) -> Value:
        self.take(2 * self.number("B"))  # its name: they come in order
        self.number("B")  # whether it is an output: only the handle is
        return self._value(self.number("B"))

    def _value(self, kind: int) -> Value:
        match kind:
            case _ if kind in (INTN, BITN, FLTN, GUID):
                self.number("B")
                return _sized(kind, self.take(self.number("B")))
            case _ if kind in (NVARCHAR, VARCHAR, VARBINARY, BINARY):
                return self._long(kind)
            case _ if kind in (DECIMAL, NUMERIC):
                _, _, scale = self.take(3)
                return Value(_decimal(self.take(self.number("B")), scale), "numeric")
            case _ if kind in (DATETIME2, DATETIMEOFFSET):
                scale = self.number("B")
                return Value(_datetime(self.take(self.number("B")), scale, kind), "timestamptz")
        raise ValueError(f"a parameter of type {kind:#x}")

    def _long(self, kind: int) -> Value:
        most = self.number("H")
        if kind in (NVARCHAR, VARCHAR):
            self.take(len(COLLATION))
        raw = self._chunks() if most == MAX else self._counted()
        if kind in (VARBINARY, BINARY):
            return Value(raw, "bytea")
        return Value(None if raw is None else raw.decode("utf-16-le" if kind == NVARCHAR else "latin-1"), "text")

    def _counted(self) -> bytes | None:
        length = self.number("H")
        return None if length == MAX else self.take(length)

    def _chunks(self) -> bytes | None:
        if self.number("Q") == NULL_PLP:
            return None
        chunks = bytearray()
        while length := self.number("I"):
            chunks += self.take(length)
        return bytes(chunks)


def _sized(kind: int, raw: bytes) -> Value:
    if kind == GUID:
        return Value(UUID(bytes_le=raw) if raw else None, "uuid")
    if kind == FLTN:
        return Value(struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0] if raw else None, "double precision")
    number = int.from_bytes(raw, "little", signed=kind == INTN and len(raw) > 1) if raw else None
    return Value(number, "smallint" if kind == BITN else "bigint")


def _decimal(raw: bytes, scale: int) -> Decimal | None:
    if not raw:
        return None
    number = Decimal(int.from_bytes(raw[1:], "little")).scaleb(-scale)
    return number if raw[0] else -number


def _datetime(raw: bytes, scale: int, kind: int) -> datetime | None:
    """The time is UTC; an offset, which follows it, says only where that was."""
    if not raw:
        return None
    clock = raw[: -5 if kind == DATETIMEOFFSET else -3]
    day = raw[len(clock) : len(clock) + 3]
    microseconds = int.from_bytes(clock, "little") * 10 ** (6 - scale) if scale <= 6 else _tenths(clock)
    return FIRST_DAY + timedelta(days=int.from_bytes(day, "little"), microseconds=microseconds)


def _tenths(clock: bytes) -> int:
    return int.from_bytes(clock, "little") // 10


# --- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    oid: int  # of PostgreSQL's type


INT2, INT4, INT8, BYTEA, TIMESTAMPTZ, BOOL, FLOAT8, UUID_OID = 21, 23, 20, 17, 1184, 16, 701, 2950

TYPE_INFO = {
    INT2: bytes([BITN, 1]),
    BOOL: bytes([BITN, 1]),
    INT4: bytes([INTN, 4]),
    INT8: bytes([INTN, 8]),
    FLOAT8: bytes([FLTN, 8]),
    BYTEA: struct.pack("<BH", VARBINARY, MAX),
    TIMESTAMPTZ: bytes([DATETIMEOFFSET, SCALE]),
    UUID_OID: bytes([GUID, 16]),
}


def rows(columns: Sequence[Column], found: Sequence[Sequence[Any]]) -> bytes:
    head = struct.pack("<BH", COL_METADATA, len(columns))
    shape = b"".join(struct.pack("<IH", 0, 0x0009) + _type(each.oid) + _name(each.name) for each in columns)
    body = b"".join(
        bytes([ROW]) + b"".join(_encoded(column.oid, value) for column, value in zip(columns, row, strict=True))
        for row in found
    )
    return head + shape + body


def done(kind: int, count: int | None, *, more: bool, selected: bool = False) -> bytes:
    """The driver takes a count for that of changed rows where the command is not a SELECT."""
    status = (MORE if more else 0) | (0 if count is None else COUNT)
    return struct.pack("<BHHQ", kind, status, SELECT if selected else INSERT, count or 0)


def returned(handle: int | None) -> bytes:
    """What follows the results of a procedure: its status, and the handle of a statement that it has prepared."""
    status = struct.pack("<BI", RETURN_STATUS, 0)
    if handle is None:
        return status
    return status + struct.pack("<BHBBIHBBBi", RETURN_VALUE, 0, 0, 1, 0, 0, INTN, 4, 4, handle)


def _type(oid: int) -> bytes:
    return TYPE_INFO.get(oid, struct.pack("<BH", NVARCHAR, MAX) + COLLATION)


def _encoded(oid: int, value: Any) -> bytes:
    match oid:
        case _ if oid in (INT2, BOOL, INT4, INT8, FLOAT8, UUID_OID, TIMESTAMPTZ):
            raw = b"" if value is None else _fixed(oid, value)
            return bytes([len(raw)]) + raw
        case _ if oid == BYTEA:
            return _plp(None if value is None else bytes(value))
    return _plp(None if value is None else str(value).encode("utf-16-le"))


def _fixed(oid: int, value: Any) -> bytes:
    since: timedelta
    match oid:
        case _ if oid in (INT2, BOOL):
            return bytes([int(value)])
        case _ if oid == UUID_OID:
            return bytes(value.bytes_le)
        case _ if oid == FLOAT8:
            return struct.pack("<d", value)
        case _ if oid == TIMESTAMPTZ:
            since = value.astimezone(UTC) - FIRST_DAY
            clock = since.seconds * 10**6 + since.microseconds
            return clock.to_bytes(5, "little") + since.days.to_bytes(3, "little") + bytes(2)
    return int(value).to_bytes(4 if oid == INT4 else 8, "little", signed=True)


def _plp(raw: bytes | None) -> bytes:
    if raw is None:
        return struct.pack("<Q", NULL_PLP)
    chunk = struct.pack("<I", len(raw)) + raw if raw else b""
    return struct.pack("<Q", len(raw)) + chunk + bytes(4)


def _name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")
