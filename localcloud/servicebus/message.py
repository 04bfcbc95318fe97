"""A message as bytes: taken apart no further than the broker must (OASIS AMQP 1.0, part 3.2).

The broker rewrites header and annotations. What the sender wrote as properties, application properties, body and
footer is passed on as it came; only a dead letter, a rule's action and who abandons with
changes get other application properties.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from localcloud.servicebus import composites, encoding
from localcloud.servicebus.decoding import bounds, decode, skip
from localcloud.servicebus.encoding import Symbol, Timestamp
from localcloud.servicebus.errors import BadArgument, Malformed
from localcloud.servicebus.performatives import Header, Properties

LARGEST: Final = 262_144  # bytes, as on the Standard tier
LONGEST_REASON: Final = 4_096  # characters
SINGLE: Final = 0  # message-format
BATCH: Final = 0x80013700  # the same, where each data section is a message


class Section(IntEnum):
    HEADER = 0x70
    DELIVERY_ANNOTATIONS = 0x71
    ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    SEQUENCE = 0x76
    VALUE = 0x77
    FOOTER = 0x78


REPEATED: Final = (Section.DATA, Section.SEQUENCE)
BODY: Final = (Section.DATA, Section.SEQUENCE, Section.VALUE)
PREFIXES: Final = {bytes([0x00, 0x53, section]): section for section in Section}  # as all SDKs write them
LATEST: Final = 253_402_300_799_999  # the end of the year 9999, in milliseconds since the epoch
MOST_TTL: Final = 0xFFFFFFFF  # milliseconds that a header can say
HEADERS: Final = 256  # kept at hand: there are few that differ
PLAIN_HEADER: Final = Header()
OURS: Final = [f"x-opt-{what}" for what in ("sequence-number", "enqueued-time", "locked-until", "message-state")]
SCHEDULED, PARTITION_KEY = Symbol("x-opt-scheduled-enqueue-time"), Symbol("x-opt-partition-key")
ENQUEUED_NUMBER, DEAD_LETTER_SOURCE = Symbol("x-opt-enqueue-sequence-number"), Symbol("x-opt-deadletter-source")
REASON, DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"
PLAIN: Final = (int, float, bool, str, Symbol, bytes, UUID, Timestamp, type(None))  # of application properties


class Message(NamedTuple):
    header: Header  # its ttl may be more than can be written
    annotations: tuple[bytes, ...]  # the sender's, each key and value encoded
    bare: bytes  # from the properties to the footer
    due: int | None = None  # when its sender wants it to be enqueued, in milliseconds since the epoch

    @property
    def size(self) -> int:
        return len(self.bare) + sum(map(len, self.annotations))

    def encoded(self, own: Sequence[bytes], delivery_count: int) -> bytes:
        """With the broker's `own` annotations, each key and value encoded. `split` reads it back without these."""
        pairs = [*self.annotations, *own]
        annotations = _map(Section.ANNOTATIONS, pairs) if pairs else b""
        return b"".join((_written(self.header, delivery_count), annotations, self.bare))

    def living(self, most: int | None) -> "Message":
        """For no more milliseconds than that. Raises Malformed."""
        ttl = self.header.ttl
        if ttl == MOST_TTL:
            ttl = _long_life(self.properties)
        if most is not None and (ttl is None or most < ttl):
            ttl = most
        return self if ttl == self.header.ttl else self._replace(header=self.header._replace(ttl=ttl))

    @property
    def properties(self) -> Properties:
        """Raises Malformed."""
        first = next(parts(self.bare), None)
        if first is None or first.section is not Section.PROPERTIES:
            return Properties()
        said: Properties = composites.compose(decode(first.data, first.start)[0])
        return said

    @property
    def application(self) -> dict[Any, Any]:
        found = next((part for part in parts(self.bare) if part.section is Section.APPLICATION_PROPERTIES), None)
        return found.content() if found else {}

    def annotation(self, key: Symbol) -> Any:
        """What the sender says there, or None. Raises Malformed."""
        for pair in self.annotations:
            name, at = decode(pair)
            if name == key:
                return decode(pair, at)[0]
        return None

    def annotated(self, key: Symbol, value: Any) -> "Message":
        """With one of ours, that goes on to the next queue."""
        encoded = encoding.encode(key)
        others = [pair for pair in self.annotations if not pair.startswith(encoded)]
        return self._replace(annotations=(*others, encoded + encoding.encode(value)), due=None)

    def dead_lettered(self, reason: str | None, description: str | None) -> "Message":
        new = {REASON: reason, DESCRIPTION: description}
        return self.changed({key: value[:LONGEST_REASON] for key, value in new.items() if value is not None})

    def changed(
        self, new: Mapping[str, Any], removed: Collection[str] = (), properties: Properties | None = None
    ) -> "Message":
        """With other application properties, or also properties. Raises BadArgument."""
        head, pairs, rest = b"", list[bytes](), b""
        for part in parts(self.bare):
            if part.section is Section.PROPERTIES:
                head = part.whole
            elif part.section is Section.APPLICATION_PROPERTIES:
                pairs = [pair for key, pair in part.pairs() if key not in new and key not in removed]
            else:
                rest += part.whole
        pairs += [encoding.string(key) + _plain(value) for key, value in new.items()]
        head = head if properties is None else composites.encode(properties)
        return self._replace(bare=head + _map(Section.APPLICATION_PROPERTIES, pairs) + rest)


class Part(NamedTuple):
    """One section of an encoded message."""

    section: Section
    data: bytes
    start: int
    value: int
    end: int

    @property
    def whole(self) -> bytes:
        return self.data[self.start : self.end]

    def content(self) -> Any:
        return decode(self.data, self.value)[0]

    def pairs(self) -> Iterator[tuple[Any, bytes]]:
        """Of a section that is a map."""
        return _pairs(self.data, self.value)


def _pairs(data: bytes, at: int) -> Iterator[tuple[Any, bytes]]:
    """Of the map that starts there: each key, and the bytes of key and value. Raises Malformed."""
    width = {0xC1: 1, 0xD1: 4}.get(data[at])
    if width is None:
        raise Malformed("not a map")
    count, at, end = bounds(data, at + 1, width)
    for _ in range(count // 2):
        key, value = decode(data, at)
        start, at = at, skip(data, value)
        yield key, data[start:at]
    if at != end or count % 2:
        raise Malformed("not a map")


def parts(data: bytes) -> Iterator[Part]:
    """The sections in their order. Raises Malformed."""
    return (Part(section, data, start, value, end) for section, start, value, end in _sections(data))


def _sections(data: bytes) -> Iterator[tuple[Section, int, int, int]]:
    """Each one, where it starts, where its value does, and where it ends."""
    at, last = 0, 0
    while at < len(data):
        section, value = PREFIXES.get(data[at : at + 3]), at + 3
        if section is None:
            section, value = _section(data, at)
        end = skip(data, value)
        if section <= last and (section < last or section not in REPEATED):
            raise Malformed("sections out of order")
        yield section, at, value, end
        at, last = end, section


def _section(data: bytes, at: int) -> tuple[Section, int]:
    code, value = decode(data, at + 1) if data[at] == 0x00 else (None, at)
    if type(code) is not int or not Section.HEADER <= code <= Section.FOOTER:
        raise Malformed("not a section")
    return Section(code), value


def split(data: bytes) -> Message:
    """Raises Malformed."""
    header, pairs, bare, has_body = PLAIN_HEADER, dict[Any, bytes](), len(data), False
    for section, start, value, end in _sections(data):
        if section >= Section.PROPERTIES and start < bare:
            bare = start
        if section in BODY:
            has_body = True
        elif section is Section.HEADER:
            header = _header(data[start:end])
        elif section is Section.ANNOTATIONS:
            pairs = {key: pair for key, pair in _pairs(data, value) if key not in OURS}
        elif section is Section.APPLICATION_PROPERTIES:
            list(_pairs(data, value))  # a dead letter's are rewritten, so they must be a map
    if not has_body:
        raise Malformed("no body")
    due = _due(pairs[SCHEDULED]) if SCHEDULED in pairs else None
    return Message(header, tuple(pairs.values()), data[bare:], due)


@lru_cache(HEADERS)
def _header(encoded: bytes) -> Header:
    said: Header = composites.compose(decode(encoded)[0])
    return said


@lru_cache(HEADERS)
def _written(header: Header, delivery_count: int) -> bytes:
    ttl = header.ttl if header.ttl is None else min(header.ttl, MOST_TTL)
    return composites.encode(header._replace(ttl=ttl, delivery_count=delivery_count))


def _long_life(said: Properties) -> int:
    """What is longer than a header can say, SDKs say by two times."""
    if said.absolute_expiry_time is None or said.creation_time is None:
        return MOST_TTL
    return max(said.absolute_expiry_time - said.creation_time, MOST_TTL)


def _due(pair: bytes) -> int:
    _, at = decode(pair)
    value, _ = decode(pair, at)
    if type(value) is not Timestamp or value > LATEST:
        raise Malformed(SCHEDULED)
    return int(value)


def _plain(value: Any) -> bytes:
    if type(value) not in PLAIN:
        raise BadArgument("a property that is neither text nor a number")
    return encoding.ulong(value) if type(value) is int and value >= 1 << 63 else encoding.encode(value)


def batch(data: bytes) -> list[Message]:
    """The messages of a batch; what its envelope says beside them is the first message's own."""
    return [split(_binary(part)) for part in parts(data) if part.section is Section.DATA]


def _binary(part: Part) -> bytes:
    if not isinstance(content := part.content(), bytes):
        raise Malformed("data that is not binary")
    return content


def write(properties: Properties, application: dict[str, Any], body: bytes | None = None, value: Any = None) -> bytes:
    """A whole message, its body either data or a value."""
    kind, content = (Section.VALUE, value) if body is None else (Section.DATA, body)
    pairs = [encoding.string(key) + encoding.encode(each) for key, each in application.items()]
    section = _prefix(kind) + encoding.encode(content)
    return composites.encode(properties) + _map(Section.APPLICATION_PROPERTIES, pairs) + section


def read(data: bytes) -> tuple[Properties, dict[Any, Any], Any]:
    """The properties, application properties and value of a message to a node. Raises Malformed."""
    properties, application, value = Properties(), dict[Any, Any](), None
    for part in parts(data):
        if part.section is Section.PROPERTIES:
            properties = composites.compose(decode(part.data, part.start)[0])
        elif part.section is Section.APPLICATION_PROPERTIES:
            application = part.content()
        elif part.section is Section.VALUE:
            value = part.content()
    if not isinstance(application, dict):
        raise Malformed("application properties that are not a map")
    return properties, application, value


def _map(section: Section, pairs: list[bytes]) -> bytes:
    return _prefix(section) + encoding.compound(0xC1, pairs, 2 * len(pairs))


def _prefix(section: Section) -> bytes:
    return bytes([0x00, 0x53, section])
