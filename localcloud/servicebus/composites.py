"""Composite types: a class for a described list, each field with its AMQP type (OASIS AMQP 1.0, part 1.4).

A field without a default is mandatory. Every field is written, nulls too: older Azure SDKs count on it.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args, get_type_hints
from uuid import UUID

from localcloud.servicebus import encoding
from localcloud.servicebus.encoding import NULL, Described, Symbol, Timestamp, ULong
from localcloud.servicebus.errors import Malformed

T = TypeVar("T", bound=tuple[Any, ...])


class Kind(NamedTuple):
    """How a field is written, and what may be read in it."""

    encode: Callable[[Any], bytes]
    accepts: tuple[type, ...]  # exactly these: a boolean is no number
    below: int | None = None  # of an unsigned number


class _Field(NamedTuple):
    name: str
    kind: Kind
    default: Any
    mandatory: bool

    @property
    def plain(self) -> frozenset[type]:
        """Whose values are taken as they are."""
        types = () if self.kind.below else self.kind.accepts
        return frozenset(types if self.mandatory or self.default is not None else (*types, type(None)))


class _Composite(NamedTuple):
    make: Callable[..., Any]
    prefix: bytes
    checks: tuple[tuple[_Field, frozenset[type], int], ...]  # at first sight: types that are right, numbers below
    encoders: tuple[Callable[[Any], bytes], ...]


_BY_CODE: Final[dict[int, _Composite]] = {}
_BY_CLASS: Final[dict[type, _Composite]] = {}


def composite(code: int) -> Callable[[type[T]], type[T]]:
    """Makes a NamedTuple whose fields are annotated with a `Kind` the composite type with this descriptor."""

    def register(made: Any) -> Any:
        hints = get_type_hints(made, include_extras=True)
        fields = tuple(_field(name, hints[name], made._field_defaults) for name in made._fields)
        checks = tuple((field, field.plain, field.kind.below or 0) for field in fields)
        encoders = tuple(field.kind.encode for field in fields)
        _BY_CODE[code] = _BY_CLASS[made] = _Composite(made, bytes([0x00, 0x53, code]), checks, encoders)
        return made

    return register


def _field(name: str, hint: Any, defaults: dict[str, Any]) -> _Field:
    options = [hint, *get_args(hint)]
    kind = next(extra for option in options for extra in getattr(option, "__metadata__", ()))
    return _Field(name, kind, defaults.get(name), name not in defaults and type(None) not in options)


def encode(value: tuple[Any, ...]) -> bytes:
    known = _BY_CLASS[type(value)]
    if not value:
        return known.prefix + encoding.EMPTY
    parts = [NULL if item is None else encode(item) for encode, item in zip(known.encoders, value, strict=True)]
    return known.prefix + encoding.compound(0xC0, parts)


def compose(value: object) -> Any:
    """What a described list stands for. Raises Malformed, naming the field that is wrong."""
    if not isinstance(value, Described) or type(value.descriptor) is not int or not isinstance(value.value, list):
        raise Malformed("not a composite type")
    known, items = _BY_CODE.get(value.descriptor), value.value
    if known is None or len(items) > len(known.checks):
        raise Malformed("not a composite type that is known here")
    items += [None] * (len(known.checks) - len(items))
    return known.make(
        *[
            item if type(item) in plain or (type(item) is int and 0 <= item < below) else _read(field, item)
            for (field, plain, below), item in zip(known.checks, items, strict=True)
        ]
    )


def _read(field: _Field, value: Any) -> Any:
    name, (_, accepts, below), default, mandatory = field
    if value is None:
        if mandatory:
            raise Malformed(f"no {name}")
        return default
    item = compose(value) if type(value) is Described else value
    if type(item) not in accepts or (below is not None and type(item) is int and not 0 <= item < below):
        raise Malformed(name)
    return item


def _symbols(value: list[str]) -> bytes:
    return encoding.array(encoding.Array(encoding.symbol, value))


def _message_id(value: object) -> bytes:
    return encoding.encode(ULong(value) if type(value) is int else value)


def one_of(*types: type) -> Kind:
    return Kind(encode, types)


Boolean = Annotated[bool, Kind(encoding.boolean, (bool,))]
UByte = Annotated[int, Kind(encoding.ubyte, (int,), 1 << 8)]
UShort = Annotated[int, Kind(encoding.ushort, (int,), 1 << 16)]
UInt = Annotated[int, Kind(encoding.uint, (int,), 1 << 32)]
UInt64 = Annotated[int, Kind(encoding.ulong, (int,), 1 << 64)]
Time = Annotated[int, Kind(encoding.timestamp, (Timestamp,))]
Binary = Annotated[bytes, Kind(encoding.binary, (bytes,))]
String = Annotated[str, Kind(encoding.string, (str,))]
Name = Annotated[str, Kind(encoding.symbol, (Symbol,))]
Names = Annotated[list[str] | str, Kind(_symbols, (list, Symbol))]  # "multiple": one, or an array of them
Map = Annotated[dict[Any, Any], Kind(encoding.map_, (dict,))]
MessageId = Annotated[int | str | bytes | UUID, Kind(_message_id, (int, str, bytes, UUID), 1 << 64)]
