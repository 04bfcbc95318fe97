"""Takes what is due from the disk, a little at a time, and hands it out: several at once."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import time

import structlog

from localcloud.eventgrid.pending import UNKEPT, Delivery

MOST_AT_ONCE = 8  # requests of one lane; where one carries many events, it is the only one
REST_SECONDS = 1.0  # after the disk has failed
READ_AT_ONCE = 3 * MOST_AT_ONCE  # those in hand are among them

log = structlog.get_logger()


@dataclass(slots=True)
class Lane:
    """Holds as many events as it delivers at once, and twice as many ahead; the others wait on disk, however many."""

    earliest: Callable[[], Awaitable[list[Delivery]]]
    act: Callable[[list[Delivery]], Awaitable[None]]
    closed_until: Callable[[], float]
    more: Callable[[], bool]  # may there be any on disk that are in nobody's hand?
    together: bool = False  # what is read goes in one request
    next_attempt: float | None = None
    in_hand: set[int] = field(default_factory=set)
    _rests_until: float = 0.0
    _ahead: list[Delivery] = field(default_factory=list)  # due, and in nobody's hand
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Something may be due."""
        if self._room():  # else the next to finish wakes it
            self._wake.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as deliveries:
            while True:
                self._wake.clear()
                for group in await self._to_do():
                    self.in_hand.update(each.id for each in group)
                    deliveries.create_task(self._deliver(group))
                await self._sleep()

    def _room(self) -> int:
        return (0 if self.in_hand else 1) if self.together else MOST_AT_ONCE - len(self.in_hand)

    async def _to_do(self) -> list[list[Delivery]]:
        try:
            return await self._due()
        except UNKEPT as error:
            self._rest(error)
            return []

    def _rest(self, error: Exception) -> None:
        """What was done and not written is done again, as after a kill."""
        log.error("lane.rests", reason=str(error) or type(error).__name__)
        self.next_attempt = self._rests_until = time() + REST_SECONDS

    async def _due(self) -> list[list[Delivery]]:
        self.next_attempt = None
        if (closed := max(self.closed_until(), self._rests_until)) > time():
            self.next_attempt = None if closed == math.inf else closed
            return []
        if len(self._ahead) < (room := self._room()):
            self._ahead = self._of_now(await self._waiting(), time()) if self.more() else []
        if self.together:
            groups, self._ahead = [self._ahead] if self._ahead else [], []
            return groups
        taken, self._ahead = self._ahead[:room], self._ahead[room:]
        return [[each] for each in taken]

    async def _waiting(self) -> list[Delivery]:
        taken = frozenset(self.in_hand)  # before the disk is read: what finishes meanwhile may still be in the answer
        return [each for each in await self.earliest() if each.id not in taken]

    def _of_now(self, waiting: list[Delivery], now: float) -> list[Delivery]:
        self.next_attempt = min((each.due for each in waiting if each.due > now), default=None)
        return [each for each in waiting if each.due <= now]

    async def _deliver(self, group: list[Delivery]) -> None:
        try:
            await self.act(group)
        except UNKEPT as error:
            self._rest(error)
        self.in_hand.difference_update(each.id for each in group)
        self.wake()

    async def _sleep(self) -> None:
        seconds = None if self.next_attempt is None else self.next_attempt - time()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
