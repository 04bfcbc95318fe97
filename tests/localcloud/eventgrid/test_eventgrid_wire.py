import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.eventgrid.wire import BATCH, MOST_EVENTS, ONE, Malformed, TooMany, parse

GOOD: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def test_an_events_bytes_are_kept_as_they_came() -> None:
    one = b'{"specversion": "1.0","id":"1","source":"/s","type":"t", "data":{"b":1.50,"a":1e3}, "x":"\xc3\xbc"}'

    events = parse(BATCH, b"[ " + one + b" ,\n" + one + b"]")

    assert [(event.type, event.content) for event in events] == [("t", one), ("t", one)]


def test_an_empty_batch_holds_nothing() -> None:
    assert parse(BATCH, b"[]") == []


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type"])
@pytest.mark.parametrize("value", ["", None, 1, ["1.0"], "missing"])
def test_a_required_attribute_that_is_wrong_is_named(attribute: str, value: object) -> None:
    wrong = GOOD | {attribute: value}
    if value == "missing":
        del wrong[attribute]

    with pytest.raises(Malformed, match=rf"^Event 2: .*\b{attribute}\b"):
        parse(BATCH, json.dumps([GOOD, GOOD, wrong]).encode())


def test_another_version_of_cloudevents_is_refused() -> None:
    with pytest.raises(Malformed, match="specversion"):
        parse(ONE, json.dumps(GOOD | {"specversion": "0.3"}).encode())


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        pytest.param(BATCH, b"", id="empty"),
        pytest.param(BATCH, json.dumps(GOOD).encode(), id="one event as a batch"),
        pytest.param(ONE, json.dumps([GOOD]).encode(), id="a batch as one event"),
        pytest.param(BATCH, b"[1]", id="a number"),
        pytest.param(BATCH, json.dumps([GOOD]).encode()[:-1], id="cut off"),
        pytest.param(ONE, json.dumps(GOOD).encode() + b"x", id="more behind it"),
        pytest.param(ONE, json.dumps(GOOD | {"data": "?"}).encode().replace(b"?", b"\xff"), id="not UTF-8"),
        pytest.param(ONE, json.dumps(GOOD | {"data": "?"}).encode().replace(b"?", b"\\ud800"), id="lone surrogate"),
        pytest.param(BATCH, b"[" * 100_000 + b"]" * 100_000, id="deep batch"),
        pytest.param(ONE, b'{"data":' * 100_000 + b"1" + b"}" * 100_000, id="deep event"),
        pytest.param("application/json", json.dumps([GOOD]).encode(), id="another schema"),
    ],
)
def test_what_is_no_cloudevent_is_refused(media_type: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        parse(media_type, body)


ODD_NUMBERS = ["1e999", "-1e999", "1e5000000", "9" * 5_000, "-" + "9" * 5_000]  # JSON, and no number that we know
KIN = ["1e308", "1e-999", "-0", "18446744073709551616", "9" * 400, "0." + "0" * 400 + "1", "NaN", "01", "1e", "[1,]"]


@pytest.mark.parametrize("number", ODD_NUMBERS)
@pytest.mark.parametrize("place", ['"n": %s', '"data": {"a": [%s]}', '"data": {"a": {"a": %s}}'])
def test_what_nobody_could_read_later_is_refused_now(number: str, place: str) -> None:
    odd = (json.dumps(GOOD)[:-1] + ", " + place % number + "}").encode()
    own = b'{"id":"1","eventType":"t","subject":"/s","eventTime":"2026-03-04T05:06:07Z","dataVersion":""'
    body = b"[" + own + b", " + (place % number).encode() + b"}]"

    with pytest.raises(Malformed, match=r"^Event 1: "):
        parse(BATCH, b"[" + json.dumps(GOOD).encode() + b"," + odd + b"]")
    with pytest.raises(Malformed, match=r"^Event 0: "):
        parse("application/json", body, schema="eventgrid")
    with pytest.raises(Malformed, match="no JSON"):
        parse("application/json", number.encode(), {"ce-specversion": "1.0"})


def test_a_batch_is_bounded() -> None:
    with pytest.raises(TooMany):
        parse(BATCH, json.dumps([GOOD] * (MOST_EVENTS + 1)).encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
events = st.builds(
    lambda required, more: more | required | {"specversion": "1.0"},
    st.fixed_dictionaries({"id": names, "source": names, "type": names}, optional={"subject": st.none() | names}),
    st.dictionaries(st.text(max_size=8).filter(lambda name: name != "subject"), json_values, max_size=4),
)


@given(batch=st.lists(events, max_size=5), ascii_only=st.booleans())
def test_every_event_is_read_and_nothing_of_it_is_lost(batch: list[dict[str, Any]], ascii_only: bool) -> None:
    parsed = parse(BATCH, json.dumps(batch, ensure_ascii=ascii_only).encode())

    assert [json.loads(event.content) for event in parsed] == batch
    assert [event.type for event in parsed] == [event["type"] for event in batch]


odd_texts = st.recursive(
    st.sampled_from(ODD_NUMBERS + KIN),
    lambda inner: st.builds("[{},{}]".format, inner, inner) | st.builds('{{"a":{}}}'.format, inner),
    max_leaves=4,
)


@given(
    st.sampled_from([ONE, BATCH]),
    st.binary(max_size=60)
    | json_values.map(lambda value: json.dumps(value).encode())
    | odd_texts.map(lambda text: f'{json.dumps(GOOD)[:-1]},"data":{text}}}'.encode()),
    st.integers(0, 40),
    st.binary(max_size=4),
)
def test_whatever_comes_is_read_as_events_or_refused(media_type: str, body: bytes, at: int, damage: bytes) -> None:
    damaged = json.dumps([GOOD] if media_type == BATCH else GOOD).encode()
    damaged = damaged[:at] + damage + damaged[at + len(damage) :]

    for sent in (body, b"[" + body + b"]", damaged):
        try:
            parsed = parse(media_type, sent)
        except Malformed:
            continue
        for event in parsed:
            assert event.read()["type"] == event.type
