"""Delivers one subscription's events: several at once, the fresh beside those that failed before."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from time import time

import structlog
from msgspec import Struct

from localcloud.eventgrid.dead_letters import Undertaker
from localcloud.eventgrid.destination import Destination
from localcloud.eventgrid.faults import Fate, Weather
from localcloud.eventgrid.pending import Delivery, Pending
from localcloud.eventgrid.retry import Dead, Outcome, RetryPolicy
from localcloud.eventgrid.wire import Event
from localcloud.topology import Subscription

MOST_AT_ONCE = 8  # in each of a subscription's two lanes

log = structlog.get_logger()


class SubscriptionState(Struct, frozen=True):
    """`delivered`, `retried` and `dead` count from the start of the process; storage has yet to take the `unburied`."""

    name: str
    topic: str
    pending: int
    delivered: int
    retried: int
    dead: int
    unburied: int
    next_attempt: datetime | None


class Lane:
    """Holds as many events as it delivers at once; the others wait on disk, however many."""

    def __init__(self, earliest: Callable[[], Awaitable[list[Delivery]]], act: Callable[[Delivery], Awaitable[None]]):
        self.next_attempt: float | None = None
        self._earliest, self._act = earliest, act
        self._in_hand: set[int] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may be due."""
        if len(self._in_hand) < MOST_AT_ONCE:  # else the next to finish wakes it
            self._wake.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as deliveries:
            while True:
                self._wake.clear()
                for delivery in await self._due():
                    self._in_hand.add(delivery.id)
                    deliveries.create_task(self._deliver(delivery))
                await self._sleep()

    async def _due(self) -> list[Delivery]:
        taken = frozenset(self._in_hand)  # before the disk is read: what finishes meanwhile may still be in the answer
        waiting = [each for each in await self._earliest() if each.id not in taken]
        now = time()
        self.next_attempt = min((each.due for each in waiting if each.due > now), default=None)
        return [each for each in waiting if each.due <= now][: MOST_AT_ONCE - len(self._in_hand)]

    async def _deliver(self, delivery: Delivery) -> None:
        await self._act(delivery)
        self._in_hand.discard(delivery.id)
        self.wake()

    async def _sleep(self) -> None:
        seconds = None if self.next_attempt is None else self.next_attempt - time()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()


class Subscriber:
    def __init__(
        self,
        subscription: Subscription,
        destination: Destination,
        pending: Pending,
        *,
        weather: Weather,
        undertaker: Undertaker,
    ) -> None:
        self._subscription, self._destination, self._pending = subscription, destination, pending
        self._weather, self._policy, self._undertaker = weather, RetryPolicy(weather), undertaker
        self._fresh, self._retries = self._lane(retry=False), self._lane(retry=True)
        self._delivered = self._retried = self._dead = 0
        self.waiting = 0  # counted when on disk; writes are done in the order of the calls

    @property
    def name(self) -> str:
        return self._subscription.name

    async def run(self) -> None:
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._fresh.run())
            lanes.create_task(self._retries.run())

    def wants(self, topic: str, event: Event) -> bool:
        """As in Azure, the case of a subject does not matter."""
        asked = self._subscription
        begins = event.subject.lower().startswith(asked.subject_begins_with.lower())
        return topic == asked.topic and event.type in asked.types and begins

    def added(self, count: int) -> None:
        self.waiting += count
        self._fresh.wake()

    def state(self) -> SubscriptionState:
        due = min((lane.next_attempt for lane in (self._fresh, self._retries) if lane.next_attempt), default=None)
        return SubscriptionState(
            name=self.name,
            topic=self._subscription.topic,
            pending=self.waiting,
            delivered=self._delivered,
            retried=self._retried,
            dead=self._dead,
            unburied=self._undertaker.unburied[self.name],
            next_attempt=None if due is None else datetime.fromtimestamp(due, UTC),
        )

    def _lane(self, *, retry: bool) -> Lane:
        return Lane(lambda: self._pending.earliest(self.name, retry=retry, limit=MOST_AT_ONCE), self._attempt)

    async def _attempt(self, delivery: Delivery) -> None:
        fate = self._weather.fate(delivery)
        if fate.wait:
            await self._postpone(replace(delivery, due=time() + fate.wait))
            return
        self._retried += delivery.attempts > 0
        outcome = await self._outcome(delivery, fate)
        if outcome is not Outcome.DELIVERED:
            await self._failed(replace(delivery, attempts=delivery.attempts + 1), outcome)
            return
        await self._pending.remove(delivery)
        self._delivered += 1
        self.waiting -= 1

    async def _outcome(self, delivery: Delivery, fate: Fate) -> Outcome:
        copies = [self._destination.deliver(delivery, self.name) for _ in range(fate.copies)]
        outcomes = await asyncio.gather(*copies) or [Outcome.SOCKET_ERROR]
        worst = next((each for each in outcomes if each is not Outcome.DELIVERED), Outcome.DELIVERED)
        return worst if fate.answered else Outcome.TIMED_OUT

    async def _failed(self, delivery: Delivery, outcome: Outcome) -> None:
        about = {"subscription": self.name, "message_id": delivery.message_id, "outcome": outcome}
        match self._policy.after(delivery, outcome, time()):
            case Dead(reason):
                log.warning("event.dead", **about, reason=reason, attempts=delivery.attempts)
                await self._undertaker.take(delivery, self.name, reason=reason, outcome=outcome)
                self.waiting -= 1
                self._dead += 1
            case again:
                log.info("event.postponed", **about, attempts=again.attempts)
                await self._postpone(again)

    async def _postpone(self, to: Delivery) -> None:
        await self._pending.postpone(to)
        self._retries.wake()
