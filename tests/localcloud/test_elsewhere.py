"""Facts that Event Grid puts into the queues of another Service Bus, whose broker has a key and no TLS."""

import json
from pathlib import Path

import pytest
from azure.servicebus import TransportType
from azure.servicebus.aio import ServiceBusClient

from localcloud.elsewhere import Elsewhere
from localcloud.servicebus.broker import Envelope
from localcloud.servicebus.errors import Busy, TooLarge
from localcloud.topology import Queue
from tests import emulator
from tests.localcloud.test_cloud import Starter, addresses, product_created, start

__all__ = ("addresses", "start")  # fixtures

pytestmark = pytest.mark.real

QUEUES = {"orders": Queue()}
ENVELOPE = Envelope("m-1", "application/cloudevents+json", {"aeg-subscription-name": "catalog-to-orders"})


async def received(connection: str, queue: str) -> list[tuple[str | None, str | None, object, str]]:
    client = ServiceBusClient.from_connection_string(connection, transport_type=TransportType.Amqp)
    async with client, client.get_queue_receiver(queue) as receiver:
        messages = await receiver.receive_messages(2, max_wait_time=5)
        return [(each.message_id, each.content_type, each.application_properties, str(each)) for each in messages]


async def test_a_fact_comes_with_all_that_goes_with_it(tmp_path: Path) -> None:
    async with emulator.opened(tmp_path, QUEUES) as there, Elsewhere.connect(there.connection) as put:
        await put("orders", b"{}", ENVELOPE)

        ((message_id, content_type, properties, body),) = await received(there.connection, "orders")

    assert (message_id, content_type, body) == ("m-1", "application/cloudevents+json", "{}")
    assert properties == {b"aeg-subscription-name": b"catalog-to-orders"}


async def test_what_it_does_not_take_comes_again_later_or_is_too_large(tmp_path: Path) -> None:
    async with emulator.opened(tmp_path, QUEUES) as there, Elsewhere.connect(there.connection) as put:
        with pytest.raises(Busy):
            await put("nobody", b"{}", ENVELOPE)
        with pytest.raises(TooLarge):
            await put("orders", bytes(2_000_000), ENVELOPE)
        await put("orders", b"{}", ENVELOPE)

        assert there.broker.counts("orders").active == 1


async def test_the_local_cloud_puts_facts_there_and_none_into_its_own_queues(start: Starter, tmp_path: Path) -> None:
    queues = {name: Queue() for name in start.topology.queues}
    async with emulator.opened(tmp_path, queues) as there, start(**{"service-bus": there.connection}) as cloud:
        await cloud.publish(product_created())

        ((_, _, _, body),) = await received(there.connection, "orders")
        state = await cloud.ask("/state")

    assert json.loads(body)["id"] == "e-1"
    assert state["queues"]["orders"]["active"] == 0
