"""Delivers one subscription's events: several at once, the fresh beside those that failed before."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import time
from typing import Any, Literal

import structlog
from msgspec import Struct

from localcloud.eventgrid.dead_letters import Undertaker
from localcloud.eventgrid.destination import Destination, attempt
from localcloud.eventgrid.faults import Fate, Weather
from localcloud.eventgrid.filters import passes, wants
from localcloud.eventgrid.handshake import Handshake
from localcloud.eventgrid.lane import READ_AT_ONCE, Lane
from localcloud.eventgrid.late import Latecomers
from localcloud.eventgrid.pending import Delivery, Failure, Pending
from localcloud.eventgrid.probation import Probation
from localcloud.eventgrid.retry import TOO_LATE, Answer, Dead, Outcome, RetryPolicy
from localcloud.eventgrid.wire import Event
from localcloud.subscription import Subscription

FAIR = Fate()

Status = Literal["active", "paused", "probation", "not validated"]

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
    status: Status = "active"
    to: dict[str, str] = {}
    last_answer: str = ""  # Delivered 202, SocketError, …
    last_attempt: datetime | None = None


@dataclass(slots=True)
class Ledger:
    """What has become of a subscription's events since the start."""

    delivered: int = 0
    retried: int = 0
    dead: int = 0
    last_answer: str = ""
    last_attempt: datetime | None = None

    def heard(self, answer: Answer, at: float) -> None:
        self.last_answer = answer.text
        self.last_attempt = datetime.fromtimestamp(at, UTC)


@dataclass(slots=True, eq=False)
class Subscriber:
    subscription: Subscription
    destination: Destination
    pending: Pending
    weather: Weather
    undertaker: Undertaker
    handshake: Handshake | None = None  # where it has still to agree
    waiting: int = 0  # counted when on disk; writes are done in the order of the calls
    _paused: bool = False
    _ledger: Ledger = field(default_factory=Ledger)
    _probation: Probation = field(default_factory=Probation)
    _late: Latecomers = field(init=False)
    _fresh: Lane = field(init=False)
    _retries: Lane = field(init=False)
    _policy: RetryPolicy = field(init=False)

    def __post_init__(self) -> None:
        self._policy = RetryPolicy(self.weather, self.subscription.retry)
        self._late = Latecomers(self._called_off)
        self._fresh, self._retries = self._lane(retry=False), self._lane(retry=True)

    @property
    def name(self) -> str:
        return self.subscription.name

    async def run(self) -> None:
        if self.handshake:
            await self.handshake.done()
        async with asyncio.TaskGroup() as lanes:
            self._late.stay_in(lanes)
            lanes.create_task(self._fresh.run())
            lanes.create_task(self._retries.run())

    def wants(self, event: Event, said: dict[str, Any]) -> bool:
        """`said` is the whole event, where this one `looks_inside`."""
        by = self.subscription
        return wants(by, event.type, event.subject) and passes(said, by.filters, arrays=by.filter_arrays)

    @property
    def looks_inside(self) -> bool:
        return bool(self.subscription.filters)

    def added(self, count: int) -> None:
        self.waiting += count
        self._fresh.wake()

    def pause(self) -> None:
        """No attempt begins until `resume`; times to live go on."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._fresh.wake()
        self._retries.wake()

    async def bring(self, event: bytes, event_id: str, seconds: float) -> Answer:
        """Once and by hand, to this one alone and under the event's own id; nothing follows from how it ends."""
        if not self._agreed:
            return Answer(Outcome.ABORTED, "not validated")
        now = time()
        answer = await attempt(self.destination, [Delivery(0, event_id, event, now, now, attempts=0)], seconds)
        self._ledger.heard(answer, time())
        return answer

    async def waiting_events(self, most: int) -> list[Delivery]:
        """What it would deliver next, the earliest first."""
        both = [await self.pending.earliest(self.name, retry=retry, limit=most) for retry in (False, True)]
        return sorted((each for lane in both for each in lane), key=lambda each: each.due)[:most]

    def state(self) -> SubscriptionState:
        due = min((lane.next_attempt for lane in (self._fresh, self._retries) if lane.next_attempt), default=None)
        ledger = self._ledger
        return SubscriptionState(
            name=self.name,
            topic=self.subscription.topic,
            pending=self.waiting,
            delivered=ledger.delivered,
            retried=ledger.retried,
            dead=ledger.dead,
            unburied=self.undertaker.unburied[self.name],
            next_attempt=None if due is None else datetime.fromtimestamp(due, UTC),
            status=self._status(),
            to=self.subscription.to.shown(),
            last_answer=ledger.last_answer,
            last_attempt=ledger.last_attempt,
        )

    @property
    def _agreed(self) -> bool:
        return self.handshake is None or self.handshake.agreed.is_set()

    def _status(self) -> Status:
        if self._paused:
            return "paused"
        if not self._agreed:
            return "not validated"
        return "probation" if self._probation.until > time() else "active"

    def _lane(self, *, retry: bool) -> Lane:
        size = self.subscription.batch
        if size.events == 1:
            return Lane(
                lambda: self.pending.earliest(self.name, retry=retry, limit=READ_AT_ONCE),
                self._attempt,
                self._closed_until,
                self._more,
            )
        room = size.kilobytes * 1024
        return Lane(
            lambda: self.pending.together(self.name, retry=retry, limit=size.events, size=room),
            self._attempt,
            self._closed_until,
            self._more,
            together=True,
        )

    def _closed_until(self) -> float:
        return math.inf if self._paused else self._probation.until

    def _more(self) -> bool:
        return self.waiting > len(self._fresh.in_hand) + len(self._retries.in_hand)

    async def _attempt(self, group: list[Delivery]) -> None:
        fates = [(each, self.weather.fate(each)) for each in await self._in_time(self._late.still_wanted(group))]
        for each, fate in fates:
            if fate.wait:
                await self._postpone(replace(each, due=time() + fate.wait))
        if not (ready := [(each, fate) for each, fate in fates if not fate.wait]):
            return
        deliveries = [each for each, _ in ready]
        self._ledger.retried += sum(each.attempts > 0 for each in deliveries)
        answer = await self._answer(deliveries, ready[0][1])
        self._ledger.heard(answer, time())
        if answer.outcome is Outcome.DELIVERED:
            await self._delivered(deliveries)
            return
        self._probation.failed(answer.outcome, time(), self.weather.conditions.time_scale)
        for each in deliveries:
            await self._failed(replace(each, attempts=each.attempts + 1), answer)

    async def _in_time(self, group: list[Delivery]) -> list[Delivery]:
        """The others are dead: they may have lain for long, as the endpoint was left alone or we were down."""
        now = time()
        late = [each for each in group if self._policy.is_too_late(each, now)]
        for each in late:
            await self._bury(each, TOO_LATE, await self.pending.last_failure(each))
        return [each for each in group if each not in late]

    async def _answer(self, deliveries: Sequence[Delivery], fate: Fate) -> Answer:
        seconds = self.weather.conditions.answer_seconds
        if fate == FAIR:
            return await self._late.answer(self.destination, deliveries, seconds)
        copies = [attempt(self.destination, deliveries, seconds) for _ in range(fate.copies)]
        answers = await asyncio.gather(*copies) or [Answer(Outcome.SOCKET_ERROR)]
        worst = next((each for each in answers if each.outcome is not Outcome.DELIVERED), answers[0])
        return worst if fate.answered else Answer(Outcome.TIMED_OUT)

    async def _delivered(self, deliveries: Sequence[Delivery]) -> None:
        self._probation.succeeded()
        await self.pending.remove(*deliveries)
        self._ledger.delivered += len(deliveries)
        self.waiting -= len(deliveries)

    async def _called_off(self, deliveries: list[Delivery], answer: Answer) -> None:
        log.info("attempt.called_off", subscription=self.name, events=len(deliveries))
        self._ledger.heard(answer, time())
        await self._delivered(deliveries)

    async def _failed(self, delivery: Delivery, answer: Answer) -> None:
        failure = Failure(answer.outcome, answer.status, time())
        match self._policy.after(delivery, answer, failure.at):
            case Dead() as dead:
                await self._bury(delivery, dead, failure)
            case again:
                log.info("event.postponed", **self._about(again), outcome=failure.outcome)
                await self._postpone(again, failure)
                self._late.postponed(again)

    async def _bury(self, delivery: Delivery, dead: Dead, last: Failure | None) -> None:
        log.warning("event.dead", **self._about(delivery), outcome=last and last.outcome, reason=dead.reason)
        await self.undertaker.take(delivery, self.subscription, reason=dead.reason, last=last)
        self.waiting -= 1
        self._ledger.dead += 1

    async def _postpone(self, to: Delivery, after: Failure | None = None) -> None:
        await self.pending.postpone(to, after)
        self._retries.wake()

    def _about(self, of: Delivery) -> dict[str, Any]:
        return {"subscription": self.name, "message_id": of.message_id, "attempts": of.attempts}
