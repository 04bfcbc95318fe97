"""The conversation on the wire."""

import inspect
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import messages
from libs.common.errors import Malformed
from libs.common.messages import (
    CloudEvent,
    Command,
    Fact,
    Message,
    catalog,
    customers,
    encode_command,
    encode_fact,
    orders,
)
from libs.common.messages.catalog import ReservedLine, ReserveStock, StockRefused

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ORDER = UUID(int=1)
REFUSED = StockRefused(order_id=ORDER, reason="Lamp is sold out", version=1, at=NOON)
KINDS = [
    kind
    for module in (catalog, orders, customers)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Message) and hasattr(kind, "type") and not kind.__name__.startswith("_")
    if kind not in (Message, Fact, Command)
]


def test_a_fact_is_a_cloud_event_with_its_trace() -> None:
    body = json.loads(encode_fact(REFUSED, "00-" + "1" * 32 + "-" + "2" * 16 + "-01"))

    assert body == {
        "specversion": "1.0",
        "id": str(REFUSED.id()),
        "source": "/services/catalog",
        "type": "store.catalog.stock-refused.v1",
        "subject": str(ORDER),
        "time": "2026-06-01T12:00:00+00:00",
        "datacontenttype": "application/json",
        "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        "data": {"order_id": str(ORDER), "reason": "Lamp is sold out", "version": 1, "at": "2026-06-01T12:00:00Z"},
    }


def test_what_is_encoded_can_be_read() -> None:
    event = CloudEvent.decode(encode_fact(REFUSED, ""))

    assert messages.read(event, StockRefused) == REFUSED
    assert event.cause == f"/services/catalog {REFUSED.id()}"


def test_a_repeat_has_the_same_id_and_another_change_another() -> None:
    later = StockRefused(order_id=ORDER, reason="other words", version=1, at=NOON)
    changed = StockRefused(order_id=ORDER, reason="Lamp is sold out", version=2, at=NOON)

    assert later.id() == REFUSED.id() != changed.id()


def test_a_command_has_the_same_id_for_the_same_cause() -> None:
    command = ReserveStock(order_id=ORDER, lines=[ReservedLine(product_id=UUID(int=2), quantity=1)])

    one = encode_command(command, "/functions/process_order", cause="e-1", at=NOON, traceparent="")
    two = encode_command(command, "/functions/process_order", cause="e-1", at=NOON, traceparent="")

    assert one == two
    assert command.id("e-1") != command.id("e-2")


def test_a_consumer_one_version_behind_reads_a_message_with_a_new_field() -> None:
    body = json.loads(encode_fact(REFUSED, ""))
    body["data"]["new"] = 1
    body["newextension"] = "x"

    assert messages.read(CloudEvent.decode(json.dumps(body).encode()), StockRefused) == REFUSED


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_is_named_for_its_owner_and_says_what_it_means(kind: type[Message]) -> None:
    store, owner, name, version = kind.type.split(".")

    assert (store, owner, version) == ("store", kind.__module__.rpartition(".")[2], "v1")
    assert name.replace("-", "") == kind.__name__.lower()
    assert kind.subject in kind.__struct_fields__
    assert kind.__doc__


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"id":"1"}', b'\xff{"a":1}', b'{"data":' + b"[" * 20_000])
def test_what_is_no_cloud_event_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        CloudEvent.decode(body)


@given(st.binary(max_size=300) | st.text().map(str.encode))
def test_no_body_does_more_than_be_malformed(body: bytes) -> None:
    try:
        CloudEvent.decode(body)
    except Malformed:
        return
    pytest.fail("chance does not make a CloudEvent")


def test_wrong_data_is_malformed_naming_the_field() -> None:
    body = json.loads(encode_fact(REFUSED, ""))
    body["data"]["version"] = "two"

    with pytest.raises(Malformed, match=r"\$\.version"):
        messages.read(CloudEvent.decode(json.dumps(body).encode()), StockRefused)
