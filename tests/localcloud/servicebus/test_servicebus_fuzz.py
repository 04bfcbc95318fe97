"""Whatever a stranger sends to the parsers is read or refused: no other exception, no hang, no flood of memory."""

import contextlib
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.access import Unauthorized as BadToken
from localcloud.servicebus import frames, message
from localcloud.servicebus.addresses import parse
from localcloud.servicebus.admin import descriptions, durations, requests, rules, xml
from localcloud.servicebus.claims import Claims, Key
from localcloud.servicebus.composites import compose
from localcloud.servicebus.copies import facts_of
from localcloud.servicebus.decoding import decode
from localcloud.servicebus.encoding import Symbol, Timestamp, encode
from localcloud.servicebus.errors import Refused
from localcloud.servicebus.filters import BadFilter, Facts, FilterFailed, compile_rule
from localcloud.servicebus.frames import Parser
from localcloud.servicebus.performatives import Properties
from localcloud.topology import Rule

NOON = 1_780_315_200_000
MOST_MEMORY = 4 * 1024 * 1024
FACTS = Facts({"label": "x", "messageid": None}, {"a": 1, "b": "text", "c": True, "d": 0.5})
EVERY = settings(max_examples=300, deadline=2_000)  # milliseconds, on a machine that has other things to do


def refuse_all(token: str, claim: str, entity: str) -> None:
    raise BadToken("not one")


CLAIMS = Claims(refuse_all, lambda: NOON, {"all": Key("secret")})

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats() | st.binary() | st.text()
    | st.uuids() | st.builds(Timestamp, st.integers(0, 1 << 40)) | st.sampled_from([Symbol("x"), Symbol("x-opt-a")]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
GRAMMAR = """
a b [my b] user.a sys.Label sys.x = <> != < >= + - * / % ( ) , ; . ' 'x' " @p 1 0 2.5 1e9 .5 AND OR NOT IN LIKE IS
ESCAPE NULL EXISTS SET REMOVE TRUE p('a') newid() property( [ ]
"""
WORDS = st.sampled_from(GRAMMAR.split())
DOCUMENT = """
<entry xmlns='http://www.w3.org/2005/Atom'>
<content type='application/xml'>
<QueueDescription>
<LockDuration>PT1M</LockDuration>
<MaxDeliveryCount>
10
-1
99999999999999999999999999999999999999999
</MaxDeliveryCount>
&amp;
&x;
<Filter xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='SqlFilter'>
</Filter>
<!DOCTYPE a>
<SqlExpression>a = 1</SqlExpression>
</QueueDescription>
</content>
</entry>
"""
PIECES = st.sampled_from([*DOCUMENT.splitlines(), "\x00", "<a>" * 40])


def read_message(data: bytes) -> None:
    for each in (message.split, message.batch, message.read):
        try:
            each(data)
        except Refused:
            continue
    whole = message.split(data)
    facts_of(whole, 1, NOON)
    whole.dead_lettered("reason", None).encoded((), 0)


READERS: list[Callable[[bytes], Any]] = [decode, lambda data: list(Parser().feed(data)), read_message]


@pytest.mark.parametrize("read", READERS, ids=["types", "frames", "messages"])
@EVERY
@given(data=st.binary(max_size=300))
def test_bytes_are_read_or_refused(read: Callable[[bytes], Any], data: bytes) -> None:
    with contextlib.suppress(Refused):
        read(data)


@EVERY
@given(value=VALUES, cut=st.integers(0, 200), flip=st.integers(0, 255))
def test_values_are_read_as_they_were_written_and_spoilt_ones_are_refused(value: Any, cut: int, flip: int) -> None:
    written = encode(value)
    assert repr(decode(written)[0]) == repr(value)
    spoilt = bytearray(written)
    spoilt[cut % len(spoilt)] ^= flip

    for data in (bytes(spoilt), written[: cut % len(written)]):
        with contextlib.suppress(Refused):
            compose(decode(data)[0])


@EVERY
@given(data=st.binary(max_size=60), at=st.integers(0, 200), application=st.dictionaries(st.text(max_size=5), VALUES))
def test_a_message_with_holes_is_read_or_refused(data: bytes, at: int, application: dict[str, Any]) -> None:
    whole = message.write(Properties(message_id="m", group_id="s"), application, b"body")
    at %= len(whole)

    for spoilt in (whole, whole[:at] + data, whole[:at] + data + whole[at:]):
        with contextlib.suppress(Refused):
            read_message(spoilt)


@pytest.mark.parametrize(
    "data",
    [
        b"\xf0\xff\xff\xff\xff\xff\xff\xff\xff\x40",
        b"\xf0\x00\x00\x00\x05\x7f\xff\xff\xff\x40",
        b"\xd0\x00\x00\x00\x05\x7f\xff\xff\xff\x40",
        b"\xb0\x7f\xff\xff\xff" + bytes(10),
        b"\x00" * 100_000,
        b"\xc0\xff\xff" * 20_000,
    ],
    ids=["array", "array of nothing", "list", "binary", "descriptors", "nested"],
)
def test_a_size_that_lies_costs_no_memory(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(Refused):
        decode(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < MOST_MEMORY


def test_a_frame_beyond_the_limit_is_refused_before_it_is_held() -> None:
    with pytest.raises(Refused):
        list(Parser().feed((frames.LARGEST_FRAME + 1).to_bytes(4, "big") + bytes(4)))


@EVERY
@given(text=st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=200))
def test_filters_and_actions_are_understood_or_refused(text: str) -> None:
    for rule in (Rule(sql=text, parameters={"@p": 1}), Rule(action=text)):
        try:
            compiled = compile_rule(rule)
            compiled.wants(FACTS)
            if compiled.act:
                compiled.act(FACTS)
        except (BadFilter, FilterFailed):
            pass


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "a" + ")" * 500,
        "NOT " * 250 + "a",
        "-" * 1_000 + "1 = 1",
        "a LIKE '" + "%a" * 480 + "'",
        "a" * 2_000,
    ],
    ids=["brackets", "nots", "signs", "pattern", "long"],
)
def test_a_filter_that_is_made_to_hang_does_not(text: str) -> None:
    facts = Facts({}, {"a": "a" * 20_000 + "b"})
    with contextlib.suppress(BadFilter, FilterFailed):
        compile_rule(Rule(sql=text)).wants(facts)


@EVERY
@given(
    st.text(max_size=80)
    | st.binary(max_size=40).map(lambda sig: f"sr=sb%3A%2F%2Fh&sig={quote(b64encode(sig))}&se=9&skn=all")
)
def test_no_made_up_token_is_taken(text: str) -> None:
    for token in (text, f"SharedAccessSignature {text}"):
        with pytest.raises(Refused):
            CLAIMS.of(token, "queue")


@EVERY
@given(text=st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=100))
def test_documents_are_read_or_refused(text: str) -> None:
    try:
        content = xml.child(xml.parse(text.encode(errors="replace")), "content")
        for description in content if content is not None else ():
            rules.read(description)
            if xml.name(description) in descriptions.ELEMENTS:
                descriptions.read(description, None)
    except Refused:
        pass


@EVERY
@given(text=st.text(max_size=60) | st.from_regex(r"P\d{0,9}DT\d{0,9}H\d{0,9}\.\dS"))
def test_paths_addresses_and_durations_are_read_or_refused(text: str) -> None:
    for read in (requests.parse, parse, durations.seconds):
        with contextlib.suppress(Refused):
            read(text)
