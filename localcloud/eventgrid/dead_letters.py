"""Dead letters: what no subscriber has taken becomes a blob, in the place and the form in which Azure keeps it.

Azure drops a dead letter when storage has been away for four hours; here it waits on disk for as long as it takes.
"""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from msgspec import Raw

from localcloud.eventgrid.pending import Burial, Delivery, Pending
from localcloud.subscription import Schema, Subscription

AT_ONCE = 16  # read from disk
PUT_SECONDS = 10
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
API_VERSION = "2021-12-02"

Put = Callable[[str, bytes], Awaitable[None]]  # a blob's name and content; raises NotTaken

log = structlog.get_logger()


class NotTaken(Exception):
    """Storage is away, or refuses the blob."""


def blob(subscription: str, message_id: str, at: datetime) -> str:
    """Its name: a dead letter has one only, so that whoever writes it again makes no second one."""
    return f"{subscription.upper()}/{at.year}/{at.month}/{at.day}/{at.hour}/{message_id}.json"


def content(delivery: Delivery, schema: Schema, reason: str, *, outcome: str, at: datetime) -> bytes:
    """An array of one event: as it was to be delivered, and with what became of it."""
    about = {
        "deadLetterReason": reason,
        "deliveryAttempts": delivery.attempts,
        "lastDeliveryOutcome": outcome,
        "publishTime": _said(datetime.fromtimestamp(delivery.since, UTC)),
        "lastDeliveryAttemptTime": _said(at),
    }
    if schema == "cloudevents":  # an extension's name is in lower case
        about = {name.lower(): value for name, value in about.items()}
    return msgspec.json.encode([msgspec.json.decode(delivery.event, type=dict[str, Raw]) | about])


def _said(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


@dataclass(frozen=True, slots=True)
class Container:
    """Where they lie: a container of Azurite's."""

    session: aiohttp.ClientSession
    url: str
    token: Callable[[], str]

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, tls: ssl.SSLContext, token: Callable[[], str]) -> AsyncIterator["Container"]:
        timeout = aiohttp.ClientTimeout(total=PUT_SECONDS)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), timeout=timeout) as session:
            yield cls(session, url, token)

    async def put(self, name: str, content: bytes) -> None:
        """Raises NotTaken."""
        headers = {
            "Authorization": f"Bearer {self.token()}",
            "Content-Type": "application/json",
            "x-ms-blob-type": "BlockBlob",
            "x-ms-version": API_VERSION,
        }
        try:
            async with self.session.put(f"{self.url}/{quote(name)}", data=content, headers=headers) as answer:
                if answer.status != 201:
                    raise NotTaken(f"storage answered {answer.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotTaken(type(error).__name__) from error


@dataclass(slots=True)
class Undertaker:
    """Writes to storage what lies on disk for it, the oldest first, and forgets it when it is there."""

    pending: Pending
    put: Put
    chance: random.Random
    unburied: Counter[str] = field(default_factory=Counter)  # by subscription
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, delivery: Delivery, of: Subscription, *, reason: str, outcome: str) -> None:
        """Returns when it is on disk."""
        at = datetime.now(UTC)
        name = blob(of.name, delivery.message_id, at)
        written = content(delivery, of.schema, reason, outcome=outcome, at=at)
        self.unburied[of.name] += 1
        await self.pending.bury(delivery, of.name, name, written)
        self._wake.set()

    async def run(self) -> None:
        failures = 0
        while True:
            self._wake.clear()
            try:
                while burials := await self.pending.unburied(AT_ONCE):
                    for each in burials:
                        await self._bury(each)
                        failures = 0
                await self._wake.wait()
            except NotTaken as error:
                failures += 1
                log.warning("dead_letter.waits", reason=str(error), failures=failures)
                await self._pause(failures)

    async def _bury(self, burial: Burial) -> None:
        await self.put(burial.blob, burial.content)
        await self.pending.buried(burial)
        self.unburied[burial.subscription] -= 1
        log.info("dead_letter.written", subscription=burial.subscription, blob=burial.blob)

    async def _pause(self, failures: int) -> None:
        limit = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 20))
        await asyncio.sleep(self.chance.uniform(limit / 2, limit))
