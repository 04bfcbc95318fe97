"""Delivers to a webhook, and to a function, which is one: one event in a request, or what is there."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import msgspec
import structlog
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from localcloud.eventgrid.attributes import beside, cut
from localcloud.eventgrid.pending import Delivery
from localcloud.eventgrid.retry import LEAST_SECONDS, Answer, Outcome
from localcloud.subscription import Schema, Subscription

ORIGIN: Final = "eventgrid.azure.net"
ONE: Final = "application/cloudevents+json; charset=utf-8"
MANY: Final = "application/cloudevents-batch+json; charset=utf-8"
OWN: Final = "application/json; charset=utf-8"
BY_STATUS: Final = dict.fromkeys(range(200, 205), Outcome.DELIVERED) | {
    400: Outcome.BAD_REQUEST,
    401: Outcome.UNAUTHORIZED,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_FOUND,
    408: Outcome.TIMED_OUT,
    413: Outcome.PAYLOAD_TOO_LARGE,
    429: Outcome.BUSY,
    503: Outcome.BUSY,
}
LEAST: Final = {408: 120.0, 503: 30.0}

log = structlog.get_logger()


class Versioned(Struct, frozen=True):
    version: str = msgspec.field(name="dataVersion", default="")


@dataclass(frozen=True, slots=True)
class Webhook:
    http: aiohttp.ClientSession
    of: Subscription
    url: URL = field(repr=False)
    token: Callable[[], str] | None = None

    async def deliver(self, deliveries: Sequence[Delivery], seconds: float) -> Answer:
        body = content(deliveries, self.of)
        post = self.http.post(self.url, data=body, headers=self._headers(deliveries), allow_redirects=False)
        try:
            async with asyncio.timeout(seconds), post as answer:
                log.info("webhook.answered", subscription=self.of.name, status=answer.status)
                outcome = BY_STATUS.get(answer.status, Outcome.ABORTED)
                return Answer(outcome, str(answer.status), LEAST.get(answer.status, LEAST_SECONDS))
        except TimeoutError:
            return Answer(Outcome.TIMED_OUT)
        except aiohttp.ClientConnectorDNSError:
            return Answer(Outcome.RESOLUTION_ERROR)
        except (aiohttp.ClientError, ValueError):  # ValueError: a name that no host can have
            return Answer(Outcome.SOCKET_ERROR)

    def _headers(self, deliveries: Sequence[Delivery]) -> CIMultiDict[str]:
        first = deliveries[0]
        headers = CIMultiDict(beside(first.event, self.of.attributes))
        if self.token:
            headers["Authorization"] = f"Bearer {self.token()}"
        headers.update({"Content-Type": content_type(self.of), "Origin": ORIGIN})
        headers.update(about(first, self.of))
        return headers


def content(deliveries: Sequence[Delivery], of: Subscription) -> bytes:
    """Event Grid's own schema comes as a list in any case."""
    if of.batch.events == 1 and of.schema == "cloudevents":
        return deliveries[0].event
    return b"[" + b",".join(each.event for each in deliveries) + b"]"


def content_type(of: Subscription) -> str:
    if of.schema == "eventgrid":
        return OWN
    return ONE if of.batch.events == 1 else MANY


def about(delivery: Delivery, of: Subscription) -> dict[str, str]:
    said = {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": of.name.upper(),
        "aeg-delivery-count": str(delivery.attempts),
    }
    return said | _versions(delivery.event, of.schema)


def _versions(event: bytes, schema: Schema) -> dict[str, str]:
    if schema == "cloudevents":
        return {"aeg-metadata-version": "1.0"}  # of a CloudEvent: its specversion
    version = cut(msgspec.json.decode(event, type=Versioned).version)
    return {"aeg-metadata-version": "1"} | ({"aeg-data-version": version} if version else {})
