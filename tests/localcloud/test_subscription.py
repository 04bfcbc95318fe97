"""What is wrong with a subscription is said at the start, with its place."""

from typing import Any

import msgspec
import pytest

from localcloud.subscription import Destination
from localcloud.topology import Topology

PLACE = r"\$\.subscriptions\[0\]"


def read(store: Topology, *said: dict[str, Any], **more: Any) -> Topology:
    subscriptions = [{"name": "one", "topic": "orders", "to": {"queue": "orders"}} | each for each in said]
    return msgspec.convert(msgspec.to_builtins(store) | {"subscriptions": subscriptions} | more, Topology)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"topic": "invoices"}, "no topic invoices"),
        ({"to": {"queue": "nowhere"}}, "no queue nowhere"),
        ({"to": {"bus_topic": "nowhere"}}, "no topic nowhere"),
        ({"to": {}}, "one of queue"),
        ({"to": {"queue": "orders", "function": "f"}}, "one of queue"),
        ({"to": {"webhook": "ftp://x"}}, "matching regex"),
        ({"to": {"queue": "orders", "audience": "api://x"}}, "audience"),
        ({"schema": "eventgrid"}, "takes CloudEvents"),
        ({"schema": "custom"}, "custom"),
        ({"name": "a b"}, "matching regex"),
        ({"attributes": {"aeg-x": {"value": "1"}}}, "aeg-x"),
        ({"to": {"webhook": "https://a..b/x"}}, "no address"),
        ({"to": {"webhook": "https://:80/x"}}, "no address"),
        ({"to": {"webhook": "https://h:99999/x"}}, "no address"),
        ({"to": {"function": "f"}, "attributes": {"X Y": {"value": "1"}}}, "no header"),
        ({"to": {"webhook": "https://h/"}, "attributes": {"Content-Length": {"value": "1"}}}, "no header"),
        ({"attributes": {"x": {"value": "1", "from": "id"}}}, "either"),
        ({"attributes": {str(number): {"value": ""} for number in range(11)}}, "10"),
        ({"batch": {"events": 2}}, "batches"),
        ({"batch": {"events": 5001}, "to": {"function": "f"}}, "5000"),
        ({"retry": {"attempts": 31}}, "30"),
        ({"retry": {"minutes": 1441}}, "1440"),
        ({"filters": [{"operator": "NumberIn", "key": "a", "values": ["x"]}]}, "a list of numbers"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_mistake_is_named_with_its_place(store: Topology, said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"(?s){complaint}.*{PLACE}"):
        read(store, said)


def test_a_webhooks_query_is_not_told_where_its_address_is_wrong(store: Topology) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        read(store, {"to": {"webhook": "https://a..b/x?code=secret"}})

    assert "secret" not in str(raised.value)


def test_names_differ_whatever_their_case(store: Topology) -> None:
    with pytest.raises(msgspec.ValidationError, match="two subscriptions"):
        read(store, {}, {"name": "ONE"})


def test_a_schema_is_of_a_topic_that_is_there(store: Topology) -> None:
    with pytest.raises(msgspec.ValidationError, match="no topic invoices"):
        read(store, {}, schemas={"invoices": "eventgrid"})


def test_a_topic_of_event_grids_own_schema_and_storage_deliver_both(store: Topology) -> None:
    known = read(
        store,
        {"schema": "eventgrid"},
        {"name": "two"},
        {"name": "blobs", "topic": "storage", "schema": "eventgrid"},
        schemas={"orders": "eventgrid"},
    )

    assert [each.schema for each in known.subscriptions] == ["eventgrid", "cloudevents", "eventgrid"]


def test_a_webhooks_query_is_shown_to_nobody() -> None:
    assert Destination(webhook="https://h/x?code=secret").shown() == {"webhook": "https://h/x"}
