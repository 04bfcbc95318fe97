"""Event Grid: takes events for custom topics, keeps them on disk, delivers them to webhooks, functions and queues."""

import asyncio
import ssl
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import structlog

from localcloud import http
from localcloud.eventgrid.dead_letters import Put, Undertaker
from localcloud.eventgrid.delivery import Subscriber, SubscriptionState
from localcloud.eventgrid.destination import FunctionsAddress, Reach
from localcloud.eventgrid.door import Door
from localcloud.eventgrid.faults import FAIR, Conditions, Weather
from localcloud.eventgrid.handshake import Handshake
from localcloud.eventgrid.pending import SCHEMA, Pending
from localcloud.eventgrid.queues import Enqueue, StorageAccount
from localcloud.eventgrid.schemas import delivered
from localcloud.eventgrid.server import TopicEndpoints
from localcloud.eventgrid.wire import Event
from localcloud.journal import Journal
from localcloud.subscription import Schema, Subscription
from localcloud.topology import Topology

__all__ = [
    "FAIR",
    "Conditions",
    "Door",
    "Enqueue",
    "EventGrid",
    "FunctionsAddress",
    "Reach",
    "StorageAccount",
    "SubscriptionState",
]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EventGrid:
    topics: list[str]
    schemas: Mapping[str, Schema]
    _by_topic: Mapping[str, list[Subscriber]]
    _pending: Pending
    _door: Door
    _weather: Weather
    _undertaker: Undertaker

    @classmethod
    @asynccontextmanager
    async def open(  # noqa: PLR0913
        cls,
        topology: Topology,
        path: Path,
        *,
        door: Door,
        reach: Reach,
        bury: Put,
        conditions: Conditions = FAIR,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncIterator["EventGrid"]:
        """`bury` raises dead_letters.NotTaken; `tls` says whom to trust of those who are reached by it."""
        connector = aiohttp.TCPConnector(ssl=tls or True, limit=0)  # the lanes are the limit, none waits for another
        async with Journal.open(path, SCHEMA) as journal, aiohttp.ClientSession(connector=connector) as session:
            pending, weather = Pending(journal), Weather.under(conditions)
            ground = _Ground(session, pending, weather, Undertaker(pending, bury, weather.chance), reach)
            by_topic = ground.subscribers(topology.subscriptions)
            _resume([each for of in by_topic.values() for each in of], ground.undertaker, pending)
            yield cls(topology.topics, topology.schemas, by_topic, pending, door, weather, ground.undertaker)

    async def serve(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        """Takes and delivers events until cancelled."""
        endpoints = TopicEndpoints(self.topics, self.schemas, self._door, self.publish, self._agree)
        async with asyncio.TaskGroup() as loops:
            loops.create_task(http.serve(endpoints.app(), host, port, tls))
            loops.create_task(self._undertaker.run())
            for subscriber in self._subscribers():
                loops.create_task(subscriber.run())

    def state(self) -> list[SubscriptionState]:
        return [subscriber.state() for subscriber in self._subscribers()]

    def subscriber(self, name: str) -> Subscriber | None:
        return next((each for each in self._subscribers() if each.name.lower() == name.lower()), None)

    @property
    def conditions(self) -> Conditions:
        return self._weather.conditions

    def change(self, to: Conditions) -> None:
        """From the next attempt on, until it is changed again or Event Grid is started anew."""
        self._weather.change(to)
        log.info("conditions.changed", **msgspec.structs.asdict(to))

    async def publish(self, topic: str, events: list[Event]) -> None:
        """Returns when the events are on disk; one that nobody wants is dropped, as in Azure. Raises Malformed.

        `topic` is a custom one, or that of a resource of Azure's, which tells by itself.
        """
        hearers = self._by_topic.get(topic, [])
        wanted = [(to, event) for event in events for to in _those_who_want(event, hearers)]
        if wanted:
            rows = ((to.name, str(uuid4()), delivered(event, to.subscription.schema, topic)) for to, event in wanted)
            await self._pending.add(rows, time())
        for to, count in Counter(to for to, _ in wanted).items():
            to.added(count)
        log.info("events.published", topic=topic, events=len(events), deliveries=len(wanted))

    def _subscribers(self) -> list[Subscriber]:
        return [each for hearers in self._by_topic.values() for each in hearers]

    def _agree(self, name: str, code: str) -> bool:
        known = self.subscriber(name)
        return bool(known and known.handshake and known.handshake.accept(code))


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every subscriber stands on."""

    session: aiohttp.ClientSession
    pending: Pending
    weather: Weather
    undertaker: Undertaker
    reach: Reach

    def subscribers(self, wanted: list[Subscription]) -> dict[str, list[Subscriber]]:
        """By topic. Blocks: for the start."""
        validated, by_topic = self.pending.validated(), defaultdict[str, list[Subscriber]](list)
        for each in wanted:
            known = each.to.webhook is None or validated.get(each.name) == each.to.webhook
            destination = self.reach.destination(each, self.session)
            handshake = None if known else self._handshake(each)
            by_topic[each.topic].append(
                Subscriber(each, destination, self.pending, self.weather, self.undertaker, handshake)
            )
        return dict(by_topic)

    def _handshake(self, of: Subscription) -> Handshake:
        def seconds() -> float:
            return self.weather.conditions.answer_seconds

        return Handshake(self.session, of, self.reach.itself, seconds, self.pending.validate)


def _those_who_want(event: Event, hearers: list[Subscriber]) -> list[Subscriber]:
    said: dict[str, Any] = event.read() if any(each.looks_inside for each in hearers) else {}
    return [each for each in hearers if each.wants(event, said)]


def _resume(subscribers: list[Subscriber], undertaker: Undertaker, pending: Pending) -> None:
    """Counts what is left from before."""
    waiting, unburied = pending.counts()
    undertaker.unburied.update(unburied)
    for each in subscribers:
        each.waiting = waiting.pop(each.name, 0)
    for name, count in waiting.items():
        log.warning("subscription.missing", subscription=name, pending=count)
