"""AMQP values and frames: there and back, and whatever a stranger may send."""

import struct
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.servicebus import composites, frames, message
from localcloud.servicebus.composites import compose
from localcloud.servicebus.decoding import decode, skip
from localcloud.servicebus.encoding import Array, Described, Int, Symbol, Timestamp, ULong, encode, symbol, uint
from localcloud.servicebus.errors import Malformed, NotImplementedHere
from localcloud.servicebus.frames import LARGEST_FRAME, Frame, Parser, Protocol
from localcloud.servicebus.message import batch, split
from localcloud.servicebus.performatives import (
    Accepted,
    Attach,
    Disposition,
    Error,
    Header,
    Properties,
    Rejected,
    Source,
    Transfer,
)

LONGS = st.integers(-(2**63), 2**63 - 1)
PRIMITIVES = (
    st.none()
    | st.booleans()
    | LONGS
    | st.integers(-(2**31), 2**31 - 1).map(Int)
    | st.integers(0, 2**64 - 1).map(ULong)
    | LONGS.map(Timestamp)
    | st.uuids()
    | st.binary(max_size=300)
    | st.text(max_size=300)
    | st.text(st.characters(max_codepoint=127)).map(Symbol)
)
VALUES = st.recursive(
    PRIMITIVES,
    lambda inner: (
        st.lists(inner, max_size=300)
        | st.dictionaries(PRIMITIVES, inner)
        | st.builds(Described, st.integers(0, 255).map(ULong), inner)
    ),
    max_leaves=30,
)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    data = encode(value)

    assert decode(data) == (value, len(data))
    assert skip(data, 0) == len(data)


@given(st.binary(max_size=200) | st.builds(bytes.__add__, VALUES.map(encode), st.binary(max_size=3)), st.data())
def test_any_bytes_are_a_value_or_malformed(data: bytes, draw: st.DataObject) -> None:
    mutated = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 3)) if data else 0):
        mutated[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))

    for read in (lambda data: decode(data)[0], lambda data: skip(data, 0), split, batch, message.read):
        with suppress(Malformed, NotImplementedHere):
            read(bytes(mutated))


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x56\x01", True),
        (b"\x60\x01\x00", 256),
        (b"\x72" + struct.pack(">f", 0.5), 0.5),
        (b"\x82" + struct.pack(">d", 0.25), 0.25),
        (b"\x51\xff", -1),
        (b"\x73\x00\x00\x00A", b"\x00\x00\x00A"),
        (b"\xe0\x06\x02\x60\x00\x01\x00\x02", [1, 2]),
        (b"\xe0\x01\x00", []),
        (b"\xf0\x00\x00\x00\x05\x00\x00\x00\x03\x41", [True, True, True]),
    ],
)
def test_what_the_broker_never_writes_is_read(data: bytes, value: Any) -> None:
    assert decode(data) == (value, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"\xd0\x00\x00\x00\x08\xff\xff\xff\xff\x40\x40\x40\x40",
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",
        b"\xb0\xff\xff\xff\xff",
        b"\xc0\x02\x01\x00" * 20_000,
        b"\x00" * 50_000,
        b"\xe0\x04\x01" * 50_000,
        b"\xc1\x03\x02\x45\x40",
    ],
    ids=["list count", "array count", "binary size", "deep lists", "deep descriptors", "deep arrays", "list as key"],
)
def test_sizes_and_depths_that_would_hurt_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


def test_an_array_is_written_with_one_constructor() -> None:
    data = encode(Array(symbol, ["a", "bc"]))

    assert data == b"\xf0\x00\x00\x00\x0a\x00\x00\x00\x02\xa3\x01a\x02bc"
    assert decode(data)[0] == ["a", "bc"]


def test_a_performative_is_written_with_all_its_fields() -> None:
    transfer = Transfer(1, 7, b"tag", settled=True)

    data = composites.encode(transfer)

    assert data[:3] == b"\x00\x53\x14"
    assert len(decode(data)[0].value) == 11
    assert compose(decode(data)[0]) == transfer


def test_what_is_left_out_or_null_is_the_default() -> None:
    short = Described(0x15, [True, 3])
    nulls = Described(0x15, [True, 3, None, None, Described(0x24, []), None])

    assert compose(short) == Disposition(role=True, first=3)
    assert compose(nulls) == Disposition(role=True, first=3, state=Accepted())


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [1, 3],
        [True, -1],
        [True, 2**32],
        [True, True],
        [True, 3, None, None, Described(0x28, [])],
        [True, 3, None, None, Described(0x99, [])],
        [True, 3, None, None, Described([], [])],
        [True, 3, None, None, None, None, None],
    ],
)
def test_a_field_of_the_wrong_kind_is_malformed(fields: list[Any]) -> None:
    with pytest.raises(Malformed):
        compose(Described(0x15, fields))


PERFORMATIVES = [
    Attach("link", 1, True, source=Source("amqps://host/catalog", filter={Symbol("a"): None}), max_message_size=2**40),
    Disposition(True, 1, state=Rejected(Error("amqp:not-found", "…", {Symbol("k"): "v"}))),
    Transfer(0, more=True),
]


@given(st.lists(st.sampled_from(PERFORMATIVES), max_size=5), st.lists(st.integers(1, 40), min_size=1))
def test_frames_come_out_whole_however_the_bytes_are_cut(bodies: list[Any], cuts: list[int]) -> None:
    sent = [Frame(3, body, b"payload" if isinstance(body, Transfer) else b"") for body in bodies]
    data = Protocol.AMQP.value + b"".join(frames.encode(*frame) for frame in sent) + b"\x00\x00\x00\x08\x02\x00\x00\x00"
    parser, came = Parser(), list[Any]()

    while data:
        cut = cuts[len(data) % len(cuts)]
        came += parser.feed(data[:cut])
        data = data[cut:]

    assert came == [Protocol.AMQP, *sent]


@given(st.binary(max_size=500))
def test_any_bytes_are_frames_or_malformed(data: bytes) -> None:
    for garbled in (data, struct.pack(">I", len(data) + 8) + b"\x02\x00\x00\x00" + data):
        with suppress(Malformed):
            list(Parser().feed(garbled))


def test_a_frame_larger_than_was_agreed_is_malformed_before_it_is_held() -> None:
    with pytest.raises(Malformed):
        list(Parser().feed(struct.pack(">IBBH", LARGEST_FRAME + 1, 2, 0, 0)))


def test_rewriting_a_message_keeps_the_senders_bytes() -> None:
    bare = message.write(Properties(message_id=UUID(int=1)), {"a": 1, "DeadLetterReason": "old"}, b"body")
    own = encode({Symbol("x-opt-partition-key"): "p", Symbol("x-opt-sequence-number"): 99})
    sent = composites.encode(Header(durable=True, delivery_count=9)) + b"\x00\x53\x72" + own + bare

    kept = split(sent)
    dead = kept.dead_lettered("new", None)

    assert kept.bare == bare
    assert split(kept.encoded((), 3)) == kept._replace(header=Header(durable=True, delivery_count=3))
    assert annotations(kept.encoded([encode(Symbol("x-opt-sequence-number")) + encode(5)], 3)) == {
        "x-opt-partition-key": "p",
        "x-opt-sequence-number": 5,
    }
    assert message.read(dead.bare)[:2] == (Properties(message_id=UUID(int=1)), {"a": 1, "DeadLetterReason": "new"})
    assert dead.bare.endswith(b"\x00\x53\x75\xa0\x04body")


@pytest.mark.parametrize("reason", [None, "", "ü" * 5_000])
def test_a_message_without_application_properties_gets_them_as_a_dead_letter(reason: str | None) -> None:
    dead = split(b"\x00\x53\x75\xa0\x04body").dead_lettered(reason, "why")

    said = {} if reason is None else {"DeadLetterReason": reason[:4_096]}
    assert message.read(dead.bare)[1] == said | {"DeadLetterErrorDescription": "why"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x53\x73\x45",
        b"\x00\x53\x75\xa0\x00\x00\x53\x70\x45",
        b"\x00\x53\x74\x40\x00\x53\x75\xa0\x00",
        b"\x00\x53\x79\x40",
        uint(1),
        b"\x00\x53\x74\xc1\x00",
        b"\x00\x53\x72"
        + encode({Symbol("x-opt-scheduled-enqueue-time"): Timestamp(2**63 - 1)})
        + b"\x00\x53\x75\xa0\x00",
    ],
    ids=[
        "nothing",
        "no body",
        "header last",
        "properties not a map",
        "no such section",
        "no section",
        "cut short",
        "due after the end of time",
    ],
)
def test_what_is_not_a_message_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        split(data)


def annotations(data: bytes) -> Any:
    return next(part.content() for part in message.parts(data) if part.section is message.Section.ANNOTATIONS)


def test_timestamps_are_milliseconds() -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)

    assert encode(Timestamp(noon.timestamp() * 1000)) == b"\x83" + struct.pack(">q", 1_780_315_200_000)
