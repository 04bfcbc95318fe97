"""Queues: Service Bus' with a message id and properties of the event's, and storage's."""

import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec import structs

from localcloud import identity
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.eventgrid.pending import Delivery
from localcloud.eventgrid.queues import API_VERSION, BusEntity, StorageAccount
from localcloud.servicebus.broker import Broker
from localcloud.subscription import Subscription
from localcloud.topology import BusTopic, Queue, Topology
from tests.localcloud.eventgrid.grid import NOWHERE, Cloud, Queues, event
from tests.localcloud.eventgrid.hooks import hearing, publish
from tests.localcloud.programs import free_ports
from tests.localcloud.programs import running as started

pytestmark = pytest.mark.real

TEXT = re.compile("<MessageText>(.+?)</MessageText>")
TOOLS = Path(__file__).parents[3] / ".tools"


async def test_a_message_has_the_id_and_the_properties_that_are_mapped(
    cloud: Cloud, store: Topology, queues: Queues
) -> None:
    attributes = {
        "MessageId": {"from": "id"},
        "SessionId": {"from": "data.number"},
        "PartitionKey": {"from": "data.number"},
        "shop": {"value": "tea"},
        "number": {"from": "data.number"},
    }
    here = replace(cloud, topology=hearing(store, {"to": {"queue": "orders"}, "attributes": attributes}))
    async with here.running(NOWHERE) as running:
        await publish(running, 7)
        message = await queues.next()

    assert (message.queue, message.message_id) == ("orders", "e-7")
    assert (message.properties["shop"], message.properties["number"]) == ("tea", "7")
    assert message.properties["aeg-output-event-id"] != "e-7"
    assert not {"MessageId", "SessionId", "PartitionKey"} & message.properties.keys()
    assert (message.session_id, message.partition_key) == ("7", "7")


async def test_a_topic_of_service_bus_gets_it_like_a_queue(cloud: Cloud, store: Topology, queues: Queues) -> None:
    with_topic = structs.replace(store, bus_topics={"told": BusTopic()})
    here = replace(cloud, topology=hearing(with_topic, {"to": {"bus_topic": "told"}}))
    async with here.running(NOWHERE) as running:
        await publish(running, 1)

        assert (await queues.next()).queue == "told"


ENTITIES = {
    "plain": Queue(),
    "off": Queue(status="Disabled"),
    "half": Queue(status="SendDisabled"),
    "talks": Queue(sessions=True),
}


@pytest.mark.parametrize(
    ("queue", "attributes", "outcome"),
    [
        ("plain", {}, "Delivered"),
        ("off", {}, "Disabled"),
        ("half", {}, "Disabled"),
        ("talks", {}, "SessionQueueNotSupported"),
        ("talks", {"SessionId": {"from": "data.number"}}, "SessionQueueNotSupported"),  # this event says none
        ("talks", {"SessionId": {"value": "tea"}}, "Delivered"),
        ("nowhere", {}, "NotFound"),
    ],
)
async def test_what_a_real_broker_refuses_has_azures_name(
    tmp_path: Path, queue: str, attributes: dict[str, Any], outcome: str
) -> None:
    said = {"name": "hook", "topic": "orders", "to": {"queue": queue}, "attributes": attributes}
    async with Broker.open(ENTITIES, tmp_path / "bus.sqlite", lambda *_: None) as broker:
        entity = BusEntity(queue, msgspec.convert(said, Subscription), broker.send)

        answer = await entity.deliver([Delivery(1, "m", b'{"id":"1","data":{}}', 0.0, 0.0, 0)], 5)

    assert (answer.outcome, answer.least) == (outcome, 10.0 if outcome == "Delivered" else 300.0)


@pytest.fixture
async def azurite(tmp_path: Path, cloud: Cloud) -> AsyncIterator[Azurite]:
    azurite = Azurite.open(tmp_path, "store", Addresses(free_ports(len(Port))), cloud.files)
    async with started(azurite.program(TOOLS), tmp_path / "azurite.log"):
        yield azurite


async def test_a_queue_in_storage_gets_it_in_base64(cloud: Cloud, store: Topology, azurite: Azurite) -> None:
    def token() -> str:
        itself = store.identities["operator"]
        at = datetime.now(UTC)
        return identity.identity_token(cloud.access.issuer, store, itself, resource=identity.STORAGE, at=at)

    account = StorageAccount(f"{azurite.addresses.url(Port.QUEUE)}/store", token)
    here = replace(cloud, topology=hearing(store, {"to": {"storage_queue": "heard"}}), account=account)
    async with here.running(NOWHERE) as running:
        await publish(running, 1, 2)
        await running.until("hook", lambda state: state.delivered == 2)

    texts = TEXT.findall(await received(f"{account.url}/heard/messages?numofmessages=9", token(), cloud))
    assert sorted(json.loads(base64.b64decode(text))["id"] for text in texts) == ["e-1", "e-2"]


async def received(url: str, token: str, cloud: Cloud) -> str:
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": API_VERSION}
    async with (
        aiohttp.ClientSession() as reader,
        reader.get(url, headers=headers, ssl=cloud.files.client_context()) as answer,
    ):
        return await answer.text()


async def test_while_storage_is_away_it_waits(cloud: Cloud, store: Topology) -> None:
    account = StorageAccount(f"https://127.0.0.1:{free_ports(1)}/store", lambda: "")
    here = replace(cloud, topology=hearing(store, {"to": {"storage_queue": "heard"}}), account=account)
    async with here.running(NOWHERE) as running:
        async with running.topic("orders") as topic:
            await topic.send(event())
        state = await running.until("hook", lambda state: state.retried > 0)

    assert (state.pending, state.last_answer) == (1, "SocketError")
