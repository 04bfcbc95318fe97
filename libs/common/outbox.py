"""The relay: what was committed with a change is published to the service's own Event Grid topic, at least once.

It is the only retry loop on that way: the SDK's own retries are off.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import msgspec
import structlog
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.eventgrid.aio import EventGridPublisherClient

from libs.common.errors import StoreError, Unavailable
from libs.common.postgres import Outbox, Postgres
from libs.common.retry import pause

log = structlog.get_logger()

BATCH = 100
POLL_SECONDS = 0.5  # the fallback; normally the change itself wakes the relay
LONGEST_PAUSE_SECONDS = 10.0
HOUSEKEEPING_SECONDS = 3600.0
NEVER = (400, 413)  # Event Grid's answers to an event that it will not take later either


class Refused(StoreError):
    """Event Grid will never take this."""


@dataclass(frozen=True, slots=True)
class Topic:
    client: EventGridPublisherClient

    @classmethod
    @asynccontextmanager
    async def connect(cls, endpoint: str, credential: AsyncTokenCredential) -> AsyncIterator["Topic"]:
        client = EventGridPublisherClient(endpoint, credential, retry_total=0, connection_timeout=5, read_timeout=10)
        async with client:
            yield cls(client)

    async def publish(self, events: Sequence[bytes]) -> None:
        """All or none. Raises Refused or Unavailable; what was unavailable may have arrived all the same."""
        try:
            await self.client.send([msgspec.json.decode(event) for event in events])
        except HttpResponseError as error:
            if error.status_code in NEVER:
                raise Refused(f"{error.status_code}: {error.reason}") from error
            raise Unavailable(f"Event Grid answered {error.status_code}") from error
        except AzureError as error:
            raise Unavailable(f"Event Grid can't be reached: {type(error).__name__}") from error


async def relay(database: Postgres, topic: Topic, *, stop: asyncio.Event, chance: random.Random) -> None:
    """Until `stop`, and then until the outbox is empty or cannot be emptied."""
    failures = 0
    while not stop.is_set():
        try:
            async with database.lead(stop) as outbox:
                if outbox is None:
                    return
                log.info("relay.leading")
                failures = 0
                await _lead(outbox, topic, database.told, stop=stop)
        except Unavailable as error:
            failures += 1
            log.warning("relay.interrupted", reason=error.detail, failures=failures)
            await pause(failures, longest=LONGEST_PAUSE_SECONDS, stop=stop, chance=chance)


async def _lead(outbox: Outbox, topic: Topic, told: asyncio.Event, *, stop: asyncio.Event) -> None:
    cleaned_at = -HOUSEKEEPING_SECONDS
    while True:
        told.clear()
        while await _publish_some(outbox, topic):
            pass
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


async def _publish_some(outbox: Outbox, topic: Topic) -> bool:
    async with outbox.claim(BATCH) as events:
        if not events:
            return False
        try:
            await topic.publish(events)
        except Refused:  # one of them is poison: it must not hold up the others
            for event in events:
                await _publish_or_park(outbox, topic, event)
    log.info("facts.published", count=len(events))
    return True


async def _publish_or_park(outbox: Outbox, topic: Topic, event: bytes) -> None:
    try:
        await topic.publish([event])
    except Refused as refusal:
        await outbox.park(event, refusal.detail)
        log.error("fact.parked", reason=refusal.detail)
