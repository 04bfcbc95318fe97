"""Dead letters: what no subscriber has taken becomes a blob, in the place in which Azure keeps it.

Azure drops a dead letter when storage has been away for four hours; here it waits on disk for as long as it takes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from localcloud.eventgrid.container import NotTaken
from localcloud.eventgrid.death import blob, content
from localcloud.eventgrid.pending import UNKEPT, Burial, Delivery, Failure, Pending
from localcloud.subscription import Subscription

AT_ONCE = 16  # read from disk
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

Put = Callable[[str, bytes], Awaitable[None]]  # a blob's name and content; raises NotTaken

log = structlog.get_logger()


@dataclass(slots=True)
class Undertaker:
    """Writes to storage what lies on disk for it, the oldest first, and forgets it when it is there."""

    pending: Pending
    put: Put
    chance: random.Random
    unburied: Counter[str] = field(default_factory=Counter)  # by subscription
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, delivery: Delivery, of: Subscription, *, reason: str, last: Failure | None) -> None:
        """Returns when it is on disk."""
        name = blob(of.name, delivery.message_id, datetime.now(UTC))
        written = content(delivery, of.schema, reason, last)
        await self.pending.bury(delivery, of.name, name, written)
        self.unburied[of.name] += 1
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
            except (NotTaken, *UNKEPT) as error:
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
