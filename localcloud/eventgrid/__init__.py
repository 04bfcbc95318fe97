"""Event Grid: takes CloudEvents for custom topics, keeps them on disk, delivers them to functions and queues."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import time
from uuid import uuid4

import aiohttp
import msgspec
import structlog

from localcloud import http
from localcloud.eventgrid.dead_letters import Put, Undertaker
from localcloud.eventgrid.delivery import Subscriber, SubscriptionState
from localcloud.eventgrid.destination import Destinations, Enqueue, FunctionsAddress
from localcloud.eventgrid.faults import FAIR, Conditions, Weather
from localcloud.eventgrid.pending import SCHEMA, Pending
from localcloud.eventgrid.server import TopicEndpoints
from localcloud.eventgrid.wire import Event
from localcloud.journal import Journal
from localcloud.topology import Topology

__all__ = ["FAIR", "Conditions", "Enqueue", "EventGrid", "FunctionsAddress", "SubscriptionState"]

log = structlog.get_logger()


class EventGrid:
    def __init__(
        self,
        topics: list[str],
        subscribers: list[Subscriber],
        pending: Pending,
        *,
        authorize: Callable[[str, str], None],
        weather: Weather,
        undertaker: Undertaker,
    ) -> None:
        self._subscribers, self._pending = subscribers, pending
        self._weather, self._undertaker = weather, undertaker
        self._endpoints = TopicEndpoints(topics, authorize, self.publish)

    @classmethod
    @asynccontextmanager
    async def open(  # noqa: PLR0913
        cls,
        topology: Topology,
        path: Path,
        *,
        authorize: Callable[[str, str], None],
        enqueue: Enqueue,
        functions: FunctionsAddress,
        bury: Put,
        conditions: Conditions = FAIR,
    ) -> AsyncIterator["EventGrid"]:
        """`authorize(token, topic)` raises access.Unauthorized or access.Forbidden, `bury` dead_letters.NotTaken."""
        connector = aiohttp.TCPConnector(limit=0)  # the lanes are the limit, so that no function waits for another
        async with Journal.open(path, SCHEMA) as journal, aiohttp.ClientSession(connector=connector) as session:
            pending, weather = Pending(journal), Weather.under(conditions)
            destinations = Destinations(session, functions, enqueue)
            undertaker = Undertaker(pending, bury, weather.chance)
            subscribers = [
                Subscriber(each, destinations.of(each.to), pending, weather=weather, undertaker=undertaker)
                for each in topology.subscriptions
            ]
            _resume(subscribers, undertaker, pending)
            yield cls(
                topology.topics, subscribers, pending, authorize=authorize, weather=weather, undertaker=undertaker
            )

    async def serve(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        """Takes and delivers events until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(http.serve(self._endpoints.app(), host, port, tls))
            loops.create_task(self._undertaker.run())
            for subscriber in self._subscribers:
                loops.create_task(subscriber.run())

    def state(self) -> list[SubscriptionState]:
        return [subscriber.state() for subscriber in self._subscribers]

    @property
    def conditions(self) -> Conditions:
        return self._weather.conditions

    def change(self, to: Conditions) -> None:
        """From the next attempt on, until it is changed again or Event Grid is started anew."""
        self._weather.change(to)
        log.info("conditions.changed", **msgspec.structs.asdict(to))

    async def publish(self, topic: str, events: list[Event]) -> None:
        """Returns when the events are on disk; one that nobody wants is dropped, as in Azure.

        `topic` is a custom one, or that of a resource of Azure's, which tells by itself.
        """
        wanted = [(each, event) for event in events for each in self._subscribers if each.wants(topic, event)]
        if wanted:
            await self._pending.add(((each.name, str(uuid4()), event.content) for each, event in wanted), time())
        for subscriber, count in Counter(each for each, _ in wanted).items():
            subscriber.added(count)
        log.info("events.published", topic=topic, events=len(events), deliveries=len(wanted))


def _resume(subscribers: list[Subscriber], undertaker: Undertaker, pending: Pending) -> None:
    """Counts what is left from before."""
    waiting, unburied = pending.counts()
    undertaker.unburied.update(unburied)
    for each in subscribers:
        each.waiting = waiting.pop(each.name, 0)
    for name, count in waiting.items():
        log.warning("subscription.missing", subscription=name, pending=count)
