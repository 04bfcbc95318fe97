"""The relay: what was committed with a change is published to the service's own Event Grid topic, at least once.

It is the only retry loop on that way.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic, time_ns
from typing import Any

import structlog
from azure.core import AsyncPipelineClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from libs.common.database import Database, Outbox
from libs.common.errors import StoreError, Unavailable
from libs.common.measures import Measures
from libs.common.retry import pause
from libs.common.watch import RelayWatch

log = structlog.get_logger()

BATCH = 100
POLL_SECONDS = 0.5  # the fallback; normally the change itself wakes the relay
LONGEST_PAUSE_SECONDS = 10.0
HOUSEKEEPING_SECONDS = 3600.0
SCOPE = "https://eventgrid.azure.net/.default"
API_VERSION = {"api-version": "2018-01-01"}
BATCH_OF_CLOUD_EVENTS = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
NEVER = (400, 413)  # Event Grid's answers to an event that it will not take later either


class Refused(StoreError):
    """Event Grid will never take this."""


@dataclass(frozen=True, slots=True)
class Topic:
    """An Event Grid custom topic, through the pipeline that the Azure SDKs share.

    EventGridPublisherClient would decode every event, encode it anew and write its time in another form. Here the bytes
    that were committed are the bytes that travel.
    """

    client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse]
    endpoint: str

    @classmethod
    @asynccontextmanager
    async def connect(cls, endpoint: str, credential: AsyncTokenCredential, **transport: Any) -> AsyncIterator["Topic"]:
        """`transport` takes what azure-core's transport takes, e.g. `connection_verify`."""
        client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            endpoint,
            policies=[UserAgentPolicy("store"), AsyncBearerTokenCredentialPolicy(credential, SCOPE)],
            transport=AioHttpTransport(connection_timeout=5, read_timeout=10, **transport),
        )
        async with client:
            yield cls(client, endpoint)

    async def publish(self, events: Sequence[bytes]) -> None:
        """All or none. Raises Refused or Unavailable; what was unavailable may have arrived all the same."""
        body = b"[" + b",".join(events) + b"]"
        request = HttpRequest("POST", self.endpoint, params=API_VERSION, headers=BATCH_OF_CLOUD_EVENTS, content=body)
        try:
            response = await self.client.send_request(request)
        except AzureError as error:
            raise Unavailable(f"Event Grid can't be reached: {type(error).__name__}") from error
        if response.status_code in NEVER:
            raise Refused(f"{response.status_code}: {response.reason}")
        if response.status_code != 200:  # Event Grid says 200 to what it has taken, and nothing else
            raise Unavailable(f"Event Grid answered {response.status_code}")


@dataclass(slots=True)
class Setbacks:
    """They end when a batch is published, or nothing is left to be: to lead is easy also while Event Grid is away."""

    in_a_row: int = 0


async def relay(
    database: Database,
    topic: Topic,
    *,
    stop: asyncio.Event,
    chance: random.Random,
    watch: RelayWatch | None = None,
) -> None:
    """Until `stop`, and then until the outbox is empty or cannot be emptied."""
    setbacks, watch = Setbacks(), watch or RelayWatch(database, Measures())
    while not stop.is_set():
        try:
            async with database.lead(stop) as outbox:
                if outbox is None:
                    return
                log.info("relay.leading")
                async with watch.leading():
                    await _lead(outbox, topic, watch, setbacks, stop=stop)
        except Unavailable as error:
            setbacks.in_a_row += 1
            log.warning("relay.interrupted", reason=error.detail, failures=setbacks.in_a_row)
            await pause(setbacks.in_a_row, longest=LONGEST_PAUSE_SECONDS, stop=stop, chance=chance)


async def _lead(outbox: Outbox, topic: Topic, watch: RelayWatch, setbacks: Setbacks, *, stop: asyncio.Event) -> None:
    cleaned_at, told = -HOUSEKEEPING_SECONDS, watch.database.told
    while True:
        told.clear()
        more = True
        while more:
            more = await _publish_some(outbox, topic, watch)
            setbacks.in_a_row = 0
        if stop.is_set():
            return
        if monotonic() - cleaned_at > HOUSEKEEPING_SECONDS:
            await outbox.forget()
            cleaned_at = monotonic()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await told.wait()
        except TimeoutError:
            continue


async def _publish_some(outbox: Outbox, topic: Topic, watch: RelayWatch) -> bool:
    began_at = time_ns()
    async with outbox.claim(BATCH) as events:
        if not events:
            return False
        published = events
        try:
            await topic.publish(events)
        except Refused:  # one of them is poison: it must not hold up the others
            published = [event for event in events if await _publish_or_park(outbox, topic, event)]
    log.info("facts.published", count=len(published))
    watch.published(published, began_at)
    return True


async def _publish_or_park(outbox: Outbox, topic: Topic, event: bytes) -> bool:
    try:
        await topic.publish([event])
    except Refused as refusal:
        await outbox.park(event, refusal.detail)
        log.error("fact.parked", reason=refusal.detail)
        return False
    return True
