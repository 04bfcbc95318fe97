"""Delivers to a queue or a topic of Service Bus, and to a queue in storage: one event in a message."""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import aiohttp

from localcloud.eventgrid.attributes import beside
from localcloud.eventgrid.pending import Delivery
from localcloud.eventgrid.retry import Answer, Outcome
from localcloud.eventgrid.webhook import about, content_type
from localcloud.servicebus.broker import Envelope
from localcloud.servicebus.errors import Busy, Disabled, NotAllowed, QueueFull, Refused, TooLarge, UnknownEntity
from localcloud.subscription import Subscription

API_VERSION: Final = "2021-12-02"
LATER: Final = 300.0  # seconds at least until what is not there is looked for again
BY_REFUSAL: Final[Mapping[type[Refused], Answer]] = {
    Busy: Answer(Outcome.BUSY),
    QueueFull: Answer(Outcome.FULL),
    TooLarge: Answer(Outcome.PAYLOAD_TOO_LARGE),
    UnknownEntity: Answer(Outcome.NOT_FOUND, least=LATER),
    Disabled: Answer(Outcome.DISABLED, least=LATER),
    NotAllowed: Answer(Outcome.SESSION_QUEUE_NOT_SUPPORTED, least=LATER),  # the one thing that is not
}
BY_STATUS: Final = {
    201: Answer(Outcome.DELIVERED, "201"),
    400: Answer(Outcome.BAD_REQUEST, "400"),
    403: Answer(Outcome.FORBIDDEN, "403"),
    404: Answer(Outcome.NOT_FOUND, "404", LATER),
    413: Answer(Outcome.PAYLOAD_TOO_LARGE, "413"),
}


class Enqueue(Protocol):
    """Raises localcloud.servicebus.errors.Refused."""

    async def __call__(self, queue: str, body: bytes, envelope: Envelope) -> None: ...


@dataclass(frozen=True, slots=True)
class BusEntity:
    name: str
    of: Subscription
    enqueue: Enqueue

    async def deliver(self, deliveries: Sequence[Delivery], seconds: float) -> Answer:
        (delivery,) = deliveries
        properties = beside(delivery.event, self.of.attributes)
        message_id = properties.pop("MessageId", "") or delivery.message_id  # empty, all events would be one
        session_id = properties.pop("SessionId", "")
        partition_key = properties.pop("PartitionKey", "")
        properties |= about(delivery, self.of) | {"aeg-output-event-id": delivery.message_id}
        envelope = Envelope(message_id, content_type(self.of), properties, session_id, partition_key)
        try:
            async with asyncio.timeout(seconds):
                await self.enqueue(self.name, delivery.event, envelope)
        except TimeoutError:
            return Answer(Outcome.TIMED_OUT)
        except Refused as refused:
            return BY_REFUSAL.get(type(refused), Answer(Outcome.ABORTED, type(refused).__name__))
        return Answer(Outcome.DELIVERED)


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """Of Azurite's queues: https://127.0.0.1:10001/account."""

    url: str
    token: Callable[[], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class StorageQueue:
    """Made when it is first written to; in Azure it has to be there."""

    http: aiohttp.ClientSession
    name: str
    account: StorageAccount

    async def deliver(self, deliveries: Sequence[Delivery], seconds: float) -> Answer:
        (delivery,) = deliveries
        text = base64.b64encode(delivery.event).decode()
        message = f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>"
        try:
            async with asyncio.timeout(seconds):
                if (status := await self._send("POST", "/messages", message)) == 404:
                    await self._send("PUT")
                    status = await self._send("POST", "/messages", message)
        except TimeoutError:
            return Answer(Outcome.TIMED_OUT)
        except aiohttp.ClientError:
            return Answer(Outcome.SOCKET_ERROR)
        return BY_STATUS.get(status, Answer(Outcome.BUSY, str(status)))

    async def _send(self, verb: str, path: str = "", body: str | None = None) -> int:
        headers = {"Authorization": f"Bearer {self.account.token()}", "x-ms-version": API_VERSION}
        url = f"{self.account.url}/{self.name}{path}"
        async with self.http.request(verb, url, data=body, headers=headers) as answer:
            return answer.status
