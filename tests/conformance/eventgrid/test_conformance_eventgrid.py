"""What the SDK publishes arrives in a queue of Service Bus, and what Event Grid refuses raises the right exception."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.core.credentials import AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient, generate_sas
from azure.eventgrid.aio import EventGridPublisherClient as AsyncPublisher
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from tests.conformance.eventgrid.place import PATIENCE_SECONDS, UNWANTED, Place, Topic

pytestmark = pytest.mark.real

HOUR = timedelta(hours=1)
MEBIBYTE = 1024 * 1024


@pytest.fixture(params=["async", "sync"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass(slots=True)
class Heard:
    """What came, by the event's id; others' is left aside."""

    receiver: ServiceBusReceiver
    messages: dict[str, ServiceBusReceivedMessage] = field(default_factory=dict)

    async def wait(self, *ids: str) -> list[ServiceBusReceivedMessage]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.messages.keys() >= set(ids):
                for message in await self.receiver.receive_messages(50, 1):
                    await self.receiver.complete_message(message)
                    self.messages[json.loads(str(message))["id"]] = message
        return [self.messages[each] for each in ids]


@pytest.fixture
async def heard(place: Place) -> AsyncIterator[Heard]:
    async with (
        ServiceBusClient.from_connection_string(place.bus, retry_total=1) as client,
        client.get_queue_receiver(place.queue) as receiver,
    ):
        yield Heard(receiver)


async def send(place: Place, topic: Topic, events: Any, *, way: str = "async", credential: Any = None) -> None:
    options = {"retry_total": 0, **place.options}
    credential = credential or AzureKeyCredential(topic.key)
    if way == "sync":
        with EventGridPublisherClient(topic.endpoint, credential, **options) as publisher:
            await asyncio.to_thread(publisher.send, events)
        return
    async with AsyncPublisher(topic.endpoint, credential, **options) as client:
        await client.send(events)


def event(kind: str = "wanted", **more: Any) -> CloudEvent[Any]:
    said: dict[str, Any] = {"source": "/conformance", "type": "conformance.v1", "data": {"kind": kind}} | more
    return CloudEvent(id=str(uuid4()), **said)


def own(**more: Any) -> EventGridEvent:
    return EventGridEvent(
        **{"subject": "/s", "event_type": "conformance", "data": {"n": 1}, "data_version": "2"} | more
    )


async def refused(place: Place, topic: Topic, events: Any, credential: Any = None) -> int | None:
    with pytest.raises(HttpResponseError) as raised:
        await send(place, topic, events, credential=credential)
    assert json.loads(raised.value.response.text())["error"]["code"]  # type: ignore[union-attr]
    return raised.value.status_code


async def test_all_of_a_cloudevent_arrives(place: Place, heard: Heard, way: str) -> None:
    sent = event(subject="a/grün", extensions={"traceparent": "00-1"}, data={"kind": "grün", "n": 1.5})

    await send(place, place.cloud_events, sent, way=way)
    (message,) = await heard.wait(str(sent.id))

    said = json.loads(str(message))
    assert (said["specversion"], said["source"], said["type"]) == ("1.0", "/conformance", "conformance.v1")
    assert (said["subject"], said["traceparent"], said["data"]) == ("a/grün", "00-1", {"kind": "grün", "n": 1.5})
    assert message.content_type == "application/cloudevents+json; charset=utf-8"
    properties = {key.decode(): value.decode() for key, value in (message.application_properties or {}).items()}  # type: ignore[union-attr]
    assert (properties["kind"], properties["aeg-delivery-count"]) == ("grün", "0")


async def test_bytes_and_a_list_arrive(place: Place, heard: Heard, way: str) -> None:
    sent = [event(data=b"\x00\xff"), event()]

    await send(place, place.cloud_events, sent, way=way)
    first, _ = await heard.wait(*(each.id for each in sent))

    assert json.loads(str(first))["data_base64"] == "AP8="


async def test_an_event_in_event_grids_own_schema_arrives_stamped(place: Place, heard: Heard, way: str) -> None:
    sent = own()

    await send(place, place.own, [sent], way=way)
    (message,) = await heard.wait(str(sent.id))

    said = json.loads(str(message))
    assert (said["eventType"], said["dataVersion"], said["data"]) == ("conformance", "2", {"n": 1})
    assert (said["metadataVersion"], said["topic"].startswith("/subscriptions/")) == ("1", True)


async def test_a_filter_holds_back_what_it_does_not_let_pass(place: Place, heard: Heard) -> None:
    unwanted, wanted = event(UNWANTED), event()

    await send(place, place.cloud_events, [unwanted, wanted])
    await heard.wait(wanted.id)

    assert unwanted.id not in heard.messages


async def test_a_signature_and_a_token_of_entra_open_the_topic(place: Place, heard: Heard) -> None:
    topic, by_signature, by_token = place.cloud_events, event(), event()
    signature = AzureSasCredential(generate_sas(topic.endpoint, topic.key, datetime.now(UTC) + HOUR))

    await send(place, topic, by_signature, credential=signature)
    await send(place, topic, by_token, credential=place.credential)

    await heard.wait(by_signature.id, by_token.id)


async def test_a_wrong_key_and_a_signature_of_yesterday_do_not(place: Place) -> None:
    topic = place.cloud_events
    old = AzureSasCredential(generate_sas(topic.endpoint, topic.key, datetime.now(UTC) - 24 * HOUR))
    for credential in (AzureKeyCredential("d3Jvbmc="), old):
        with pytest.raises(ClientAuthenticationError):
            await send(place, topic, event(), credential=credential)


async def test_what_is_in_the_other_schema_is_refused(place: Place) -> None:
    assert await refused(place, place.cloud_events, [own()]) == 400
    assert await refused(place, place.own, [event()]) == 400


async def test_what_lacks_an_attribute_is_refused(place: Place) -> None:
    assert await refused(place, place.cloud_events, [{"specversion": "1.0", "id": "1", "type": "t"}]) == 400


@pytest.mark.filterwarnings("ignore:Sending a large body")  # by the SDK
async def test_what_is_too_large_is_refused(place: Place) -> None:
    assert await refused(place, place.cloud_events, event(data={"x": "x" * (MEBIBYTE + 1)})) == 413
