"""What the parsers take of memory is bounded by what was sent, however that is made; and none is made to hang."""

import contextlib
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st

from localcloud.access import Unauthorized
from localcloud.eventgrid import Door, wire
from localcloud.eventgrid.death import death, events
from localcloud.eventgrid.filters import passes
from localcloud.servicebus import frames, message
from localcloud.servicebus.admin import rules, xml
from localcloud.servicebus.claims import Claims, Key
from localcloud.servicebus.decoding import decode
from localcloud.servicebus.errors import Refused
from localcloud.servicebus.filters import BadFilter, Facts, FilterFailed, compile_rule
from localcloud.subscription import Filter
from localcloud.topology import Rule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROOM = 256 * 1024  # bytes that any of them may take, also for nothing
PER_BYTE = 160  # that they may take for each byte that was sent; an empty list in an array described is the most, 128
LARGE = 20_000  # bytes that an example floods with
REFUSALS = (Refused, BadFilter, FilterFailed, Unauthorized, wire.Malformed, wire.TooMany)
FLOODS = settings(max_examples=30, deadline=5_000)  # milliseconds, with every allocation being traced


def peak(act: Callable[[], Any]) -> int:
    """The most bytes that were held at once while it was done."""
    tracemalloc.start()
    try:
        with contextlib.suppress(*REFUSALS):
            act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def expect_bounded(act: Callable[[bytes], Any], sent: bytes) -> None:
    taken = peak(lambda: act(sent))
    target(taken / (len(sent) + 1))  # looks for the worst
    assert taken <= ROOM + PER_BYTE * len(sent), (taken, len(sent), sent[:40])


# --- AMQP -----------------------------------------------------------------------------------------------------------

VALUES = [b"\x45", b"\x40", b"\x43", b"\xc1\x01\x00", b"\x00\x40\x40", b"\x00\x45\x45", b"\xa1\x00", b"\xa1\x01x"]
VALUES += [b"\xe0\x01\x00", b"\xe0\x02\x01\x45", b"\x61\x7f\xff", b"\x98" + b"u" * 16, b"\xb0\0\0\0\1x", b"\x53\x75"]
UNITS = st.sampled_from(VALUES) | st.binary(min_size=1, max_size=6)


def compound(code: int, count: int, body: bytes) -> bytes:
    return bytes([code]) + (len(body) + 4).to_bytes(4, "big") + count.to_bytes(4, "big") + body


@st.composite
def amqp_floods(draw: st.DrawFn) -> bytes:
    """The same thing again and again, in lists, maps and arrays that say how many there are, or lie."""
    unit = draw(UNITS)
    count = LARGE // len(unit) // 2 * 2
    body = unit * count
    for _ in range(draw(st.integers(0, 40))):
        code, said = draw(st.sampled_from([0xD0, 0xD1, 0xF0])), draw(st.sampled_from([1, count, len(body)]))
        body = draw(st.sampled_from([b"", b"\x00\x53\x74", b"\x00\x45"])) + compound(code, said, body)
        count = 1
    return draw(st.sampled_from([b"", b"\x00\x53\x74", b"\x00\x53\x77", b"\x00\x53\x72"])) + body


def feed(data: bytes) -> None:
    """As one frame, and as what a stranger writes."""
    for sent in ((len(data) + 8).to_bytes(4, "big") + b"\x02\x00\x00\x00" + data, data):
        with contextlib.suppress(Refused):
            list(frames.Parser().feed(sent))


def read_message(data: bytes) -> None:
    for each in (message.split, message.batch, message.read):
        with contextlib.suppress(Refused):
            each(data)
    whole = message.split(data)
    whole.dead_lettered("reason", None).encoded((), 0)


@pytest.mark.parametrize("read", [decode, feed, read_message])
@FLOODS
@given(data=amqp_floods())
def test_of_amqp(read: Callable[[bytes], Any], data: bytes) -> None:
    expect_bounded(read, data)


# --- CloudEvents, Event Grid's schema, dead letters, filters --------------------------------------------------------

TEXTS = [
    b"[]",
    b"{}",
    b"0",
    b'""',
    b"1.5",
    b'"a"',
    b"null",
    b"[[]]",
    b'{"a":[]}',
    b"1e9",
    b'"\\u0130"',
    b"18446744073709551615",
]
ENVELOPE = b'{"specversion":"1.0","id":"1","source":"s","type":"t","eventType":"t","subject":"s",'
ENVELOPE += b'"eventTime":"2026-06-01T12:00:00Z","dataVersion":"","data":%b}'
ASKED = [
    Filter("StringContains", "data", values=["x"]),
    Filter("NumberNotIn", "data.a", values=[1]),
    Filter("StringNotBeginsWith", "DATA", values=["x"] * 20),
]


@st.composite
def json_floods(draw: st.DrawFn) -> bytes:
    unit = draw(st.sampled_from(TEXTS))
    many = b"[" + b",".join([unit] * (LARGE // (len(unit) + 1))) + b"]"
    fields = b"{" + b",".join(b'"%d":%b' % (each, unit) for each in range(LARGE // (len(unit) + 8))) + b"}"
    deep = draw(st.sampled_from([b"[", b'{"a":', b'{"data":'])) * LARGE
    return draw(
        st.sampled_from([many, fields, deep, ENVELOPE % many, ENVELOPE % fields, b"[" + ENVELOPE % many + b"]"])
    )


def publish(body: bytes) -> None:
    """In each form that a publisher may choose; what is understood goes through filters."""
    binary = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "s",
        "ce-type": "t",
        "Content-Type": "application/json",
    }
    forms: list[Any] = [(wire.ONE,), (wire.BATCH,), (wire.OWN, None, "eventgrid"), ("application/json", binary)]
    for media_type, *more in forms:
        with contextlib.suppress(*REFUSALS):
            for event in wire.parse(media_type, body, *more):
                passes(event.read(), ASKED, arrays=True)


def unbury(body: bytes) -> None:
    for event in events(body):
        death(event)


@pytest.mark.parametrize("read", [publish, unbury])
@FLOODS
@given(data=json_floods())
def test_of_events(read: Callable[[bytes], Any], data: bytes) -> None:
    expect_bounded(read, data)


# --- filters of Service Bus -----------------------------------------------------------------------------------------

GRAMMAR = "a b 'x' = + - * / % ( ) , IN LIKE NOT AND OR IS NULL EXISTS [a] @p 1 2.5 '%a_' newid()"
SAID = Facts({"label": "l" * LARGE}, {"a": "a" * LARGE, "b": 1 << 62})


@settings(max_examples=80, deadline=5_000)
@given(
    words=st.lists(st.sampled_from(GRAMMAR.split()), min_size=1, max_size=6),
    sure=st.sampled_from(["", "a = ", "a LIKE ", "EXISTS(a) AND "]),
)
def test_of_rules(words: list[str], sure: str) -> None:
    unit = " ".join(words)
    text = sure + " ".join([unit] * (1_000 // (len(unit) + 1)))

    for rule in (Rule(sql=text, parameters={"@p": 1}), Rule(action=f"SET x = {text}")):
        taken = peak(lambda rule=rule: _applied(rule))  # type: ignore[misc]
        assert taken <= 4 * ROOM + PER_BYTE * (len(text) + LARGE), text


def _applied(rule: Rule) -> None:
    compiled = compile_rule(rule)
    compiled.wants(SAID)
    if compiled.act:
        compiled.act(SAID)


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["a"] * 250) + " = 'x'",
        "a LIKE '%" + "a" * 900 + "b'",
        "a LIKE '" + "%a" * 450 + "%b'",
        "a LIKE '%" + "a_" * 450 + "b%'",
        "a LIKE a",
        " * ".join(["b"] * 250) + " = 1",
    ],
    ids=["joined", "piece", "pieces", "places", "itself", "product"],
)
def test_a_rule_over_a_message_full_of_text_ends_soon_and_takes_no_more_than_that(text: str) -> None:
    said = Facts({}, {"a": "a" * 250_000, "b": 1 << 62})

    def apply() -> None:
        compile_rule(Rule(sql=text)).wants(said)

    assert peak(apply) <= 4 * 250_000 + 4 * ROOM


# --- documents, tokens ----------------------------------------------------------------------------------------------

PIECES = [
    "<a/>",
    "<a b=''/>",
    "<a>x</a>",
    "<a/>x",
    "<a>",
    "&amp;",
    "<a xmlns='q'/>",
    "<x:a xmlns:x='q'/>",
    "<!-- -->",
    "<?a?>",
]


def read_document(body: bytes) -> None:
    root = xml.parse(body)
    rules.read(root)
    xml.write(root)


@FLOODS
@given(
    unit=st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join),
    code=st.sampled_from(["utf-8", "utf-16"]),
)
def test_of_documents(unit: str, code: str) -> None:
    expect_bounded(read_document, f"<RuleDescription>{unit * (LARGE // len(unit))}</RuleDescription>".encode(code))


@pytest.mark.parametrize("code", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_no_document_declares_anything_however_it_is_written(code: str) -> None:
    text = f"<?xml version='1.0' encoding='{code}'?><!DOCTYPE a [<!ENTITY x 'x'>]><a>&x;</a>"

    with pytest.raises(Refused):
        xml.parse(text.encode(code))


def refuse_all(token: str, *_: str) -> None:
    raise Unauthorized("not one")


def admit(token: bytes) -> None:
    Door(refuse_all, {"orders": ["a2V5"]}).admit({"aeg-sas-token": token.decode()}, "orders", NOON)


def claim(token: bytes) -> None:
    Claims(refuse_all, lambda: 0, {"all": Key("secret")}).of(token.decode(), "queue")


@pytest.mark.parametrize("read", [admit, claim])
@FLOODS
@given(
    unit=st.sampled_from(["a=b&", "&", "=", "sr=a&sig=", "%41", "r=a&e=b&s=c", "\u0130", "SharedAccessSignature "]),
    start=st.sampled_from(["", "SharedAccessSignature ", "SharedAccessSignature sr=x&se=9&skn=all&sig="]),
)
def test_of_tokens(read: Callable[[bytes], Any], unit: str, start: str) -> None:
    expect_bounded(read, (start + unit * (LARGE // len(unit))).encode())
