"""Event Grid's own schema, CloudEvents in binary mode, and the way from one to the other."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.eventgrid.attributes import beside
from localcloud.eventgrid.schemas import delivered, topic_id
from localcloud.eventgrid.wire import MOST_EVENTS, Event, Malformed, TooMany, parse
from localcloud.subscription import Attribute

OWN: dict[str, Any] = {
    "id": "1",
    "eventType": "t",
    "subject": "/s",
    "eventTime": "2026-03-04T05:06:07Z",
    "dataVersion": "2",
    "data": {"a": 1.50},
}
HEADERS = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "Content-Type": "application/json"}


def own(*events: object) -> list[Event]:
    return parse("application/json", json.dumps(events).encode(), schema="eventgrid")


def binary(body: bytes, **said: str) -> dict[str, Any]:
    headers = HEADERS | {name.replace("_", "-"): value for name, value in said.items()}
    (event,) = parse(headers["Content-Type"], body, headers)
    known: dict[str, Any] = json.loads(event.content)
    return known


def test_events_in_event_grids_own_schema_are_read() -> None:
    events = own(OWN, OWN | {"subject": "/x"})

    assert [(each.type, each.subject, each.schema) for each in events] == [
        ("t", "/s", "eventgrid"),
        ("t", "/x", "eventgrid"),
    ]


@pytest.mark.parametrize("attribute", ["id", "eventType", "subject", "eventTime", "dataVersion"])
@pytest.mark.parametrize("value", [None, 1, "missing"])
def test_an_attribute_that_is_wrong_is_named(attribute: str, value: object) -> None:
    wrong = {name: each for name, each in OWN.items() if name != attribute}
    wrong |= {} if value == "missing" else {attribute: value}

    with pytest.raises(Malformed, match=rf"^Event 1: .*\b{attribute}\b"):
        own(OWN, wrong)


def test_another_content_type_one_event_alone_and_too_many_are_refused() -> None:
    body = json.dumps(OWN).encode()
    with pytest.raises(Malformed, match="application/json"):
        parse("application/cloudevents+json", body, schema="eventgrid")
    with pytest.raises(Malformed):
        parse("application/json", body, schema="eventgrid")
    with pytest.raises(TooMany):
        own(*[OWN] * (MOST_EVENTS + 1))


def test_in_binary_mode_the_body_alone_says_the_data() -> None:
    theirs = {"ce-data": "2", "CE-Data_Base64": "Mw=="}

    (event,) = parse("application/json", b"1", HEADERS | theirs)
    (empty,) = parse("application/json", b"", HEADERS | theirs)

    assert (event.read()["data"], "data_base64" in event.read()) == (1, False)
    assert not {"data", "data_base64"} & empty.read().keys()


def test_binary_mode_becomes_a_structured_event() -> None:
    said = binary(b'{"a": 1.50}', ce_subject="K%C3%B6ln", ce_traceparent="00-1")

    assert said == {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": "t",
        "subject": "Köln",
        "traceparent": "00-1",
        "datacontenttype": "application/json",
        "data": {"a": 1.5},
    }


def test_what_is_no_json_is_text_or_base64() -> None:
    assert binary("tea ü".encode(), Content_Type="text/plain")["data"] == "tea ü"
    assert base64.b64decode(binary(b"\xff\x00", Content_Type="image/png")["data_base64"]) == b"\xff\x00"
    assert "data" not in binary(b"")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'"\\ud800"'])
def test_data_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        binary(body)


@pytest.mark.parametrize("name", ["ce-id", "ce-source", "ce-type"])
def test_in_binary_mode_what_is_required_is_named_too(name: str) -> None:
    headers = {each: value for each, value in HEADERS.items() if each != name}

    with pytest.raises(Malformed, match=name.removeprefix("ce-")):
        parse("application/json", b"{}", headers)


def test_event_grids_own_schema_is_stamped_by_it() -> None:
    (event,) = own(OWN | {"topic": "mine"})

    said = json.loads(delivered(event, "eventgrid", "orders"))

    assert said == OWN | {"topic": topic_id("orders"), "metadataVersion": "1"}


def test_it_can_become_a_cloudevent() -> None:
    (event,) = own(OWN)

    said = delivered(event, "cloudevents", "orders")

    assert json.loads(said) == {
        "specversion": "1.0",
        "id": "1",
        "source": topic_id("orders"),
        "type": "t",
        "subject": "/s",
        "time": "2026-03-04T05:06:07Z",
        "dataschema": "#2",
        "data": {"a": 1.5},
    }


def test_what_azure_tells_can_be_either() -> None:
    told = {
        "specversion": "1.0",
        "id": "1",
        "source": "/a",
        "type": "t",
        "subject": "/s",
        "time": "now",
        "data": {"b": 1},
    }
    event = Event("t", json.dumps(told).encode(), "/s")

    assert delivered(event, "cloudevents", "storage") == event.content
    assert json.loads(delivered(event, "eventgrid", "storage")) == {
        "id": "1",
        "topic": "/a",
        "subject": "/s",
        "eventType": "t",
        "eventTime": "now",
        "data": {"b": 1},
        "dataVersion": "",
        "metadataVersion": "1",
    }


def test_what_is_delivered_beside_an_event_is_fixed_or_taken_from_it() -> None:
    event = json.dumps({"subject": "a\r\nb", "data": {"n": 1.5, "yes": True, "list": [1], "long": "ü" * 4096}}).encode()
    wanted = {
        "X-Fixed": Attribute(value="v"),
        "X-Subject": Attribute(from_="subject"),
        "X-N": Attribute(from_="$.data.n"),
        "X-Yes": Attribute(from_="data.yes"),
        "X-List": Attribute(from_="data.list"),
        "X-None": Attribute(from_="data.none"),
        "X-Long": Attribute(from_="data.long"),
    }

    said = beside(event, wanted)

    assert said.pop("X-Long") == "ü" * 2048
    assert said == {"X-Fixed": "v", "X-Subject": "ab", "X-N": "1.5", "X-Yes": "true"}


headers = st.dictionaries(
    st.sampled_from(["ce-id", "ce-source", "ce-type", "ce-data", "ce-x", "Content-Type"]), st.text(max_size=9)
)


@given(headers, st.binary(max_size=30))
def test_whatever_comes_in_binary_mode_is_one_event_or_refused(said: dict[str, str], body: bytes) -> None:
    try:
        (event,) = parse("application/json", body, {"ce-specversion": "1.0"} | said)
    except Malformed:
        return
    assert parse("application/cloudevents+json", event.content) == [event]


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from([*OWN, "topic"]), st.text(max_size=3)).map(
        lambda more: json.dumps([OWN | more]).encode()
    )
)
def test_whatever_comes_in_event_grids_own_schema_is_delivered_or_refused(body: bytes) -> None:
    try:
        events = parse("application/json", body, schema="eventgrid")
    except Malformed:
        return
    for event in events:
        assert json.loads(delivered(event, "cloudevents", "orders"))["id"]
        assert json.loads(delivered(event, "eventgrid", "orders"))["topic"] == topic_id("orders")
