"""Where a subscription's events go: a function's webhook, or a Service Bus queue."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
import structlog
from yarl import URL

from localcloud import topology
from localcloud.eventgrid.pending import Delivery
from localcloud.eventgrid.retry import Outcome
from localcloud.servicebus.errors import QueueFull, Refused, TooLarge, UnknownEntity

ANSWER_SECONDS = 30
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
BY_STATUS = dict.fromkeys(range(200, 205), Outcome.DELIVERED) | {
    400: Outcome.BAD_REQUEST,
    401: Outcome.UNAUTHORIZED,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_FOUND,
    408: Outcome.TIMED_OUT,
    413: Outcome.PAYLOAD_TOO_LARGE,
    429: Outcome.BUSY,
    503: Outcome.BUSY,
}
BY_REFUSAL: dict[type[Refused], Outcome] = {
    QueueFull: Outcome.FULL,
    TooLarge: Outcome.PAYLOAD_TOO_LARGE,
    UnknownEntity: Outcome.NOT_FOUND,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FunctionsAddress:
    url: str
    key: str = field(repr=False)  # the host's system key `eventgrid_extension`

    def webhook(self, function: str) -> URL:
        """Holds the key: not for the log."""
        return URL(self.url) / "runtime/webhooks/EventGrid" % {"functionName": function, "code": self.key}


class Enqueue(Protocol):
    """Raises localcloud.servicebus.errors.Refused."""

    async def __call__(
        self, queue: str, body: bytes, *, message_id: str, content_type: str, properties: dict[str, str]
    ) -> None: ...


class Destination(Protocol):
    async def deliver(self, delivery: Delivery, subscription: str) -> Outcome:
        """Answers within ANSWER_SECONDS."""


@dataclass(frozen=True, slots=True)
class Function:
    http: aiohttp.ClientSession
    webhook: URL = field(repr=False)

    async def deliver(self, delivery: Delivery, subscription: str) -> Outcome:
        headers = {"Content-Type": CONTENT_TYPE, "Origin": "eventgrid.azure.net", **_about(delivery, subscription)}
        post = self.http.post(self.webhook, data=delivery.event, headers=headers, allow_redirects=False)
        try:
            async with asyncio.timeout(ANSWER_SECONDS), post as answer:
                log.info("webhook.answered", subscription=subscription, status=answer.status)
                return BY_STATUS.get(answer.status, Outcome.ABORTED)
        except TimeoutError:
            return Outcome.TIMED_OUT
        except aiohttp.ClientError:
            return Outcome.SOCKET_ERROR


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    enqueue: Enqueue

    async def deliver(self, delivery: Delivery, subscription: str) -> Outcome:
        properties = _about(delivery, subscription) | {"aeg-output-event-id": delivery.message_id}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.enqueue(
                    self.name,
                    delivery.event,
                    message_id=delivery.message_id,
                    content_type=CONTENT_TYPE,
                    properties=properties,
                )
        except TimeoutError:
            return Outcome.TIMED_OUT
        except Refused as refused:
            return BY_REFUSAL.get(type(refused), Outcome.BUSY)
        return Outcome.DELIVERED


@dataclass(frozen=True, slots=True)
class Destinations:
    http: aiohttp.ClientSession
    functions: FunctionsAddress
    enqueue: Enqueue

    def of(self, to: topology.Destination) -> Destination:
        match to:
            case topology.Destination(queue=str(name), function=None):
                return Queue(name, self.enqueue)
            case topology.Destination(queue=None, function=str(name)):
                return Function(self.http, self.functions.webhook(name))
        raise ValueError("a subscription goes to either a queue or a function")


def _about(delivery: Delivery, subscription: str) -> dict[str, str]:
    return {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.upper(),
        "aeg-delivery-count": str(delivery.attempts),
        "aeg-metadata-version": "1.0",  # of a CloudEvent: its specversion
    }
