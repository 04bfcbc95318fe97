"""Who waits for an order is woken by its change: at once by one of this process, by one look for all at another's."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

import structlog

from libs.common.entrance import MOST_AT_ONCE
from libs.common.errors import Unavailable
from libs.common.retry import stopped_within

log = structlog.get_logger()

LOOK_SECONDS = 0.5
MOST_WATCHERS = 1000  # of a process
MOST_PATIENT = MOST_AT_ONCE // 2  # of them who wait with a place inside the door, so that others always find one
MOST_OF_ONE = 20  # caller there

Versions = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, int]]]


class TooManyWatchers(Unavailable):
    """As many wait for news of orders here as can: read the order instead, or try again soon."""


class TooManyOfYours(TooManyWatchers):
    """You wait for news of as many orders at once as you may: end another wait first."""

    status = HTTPStatus.TOO_MANY_REQUESTS


@dataclass(eq=False, slots=True)
class Watcher:
    """One who waits."""

    seen: int = 0  # the version of which it was told last
    _rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        self._rung.set()

    async def rung_within(self, seconds: float) -> bool:
        """Since it was asked last; what comes in between is kept."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


@dataclass(slots=True)
class Watch:
    closed: bool = False  # nobody waits any more
    _watchers: dict[UUID, set[Watcher]] = field(default_factory=dict)
    _callers: Counter[UUID] = field(default_factory=Counter)
    _patient: int = 0

    @contextmanager
    def on(self, order_id: UUID, caller: UUID) -> Iterator[Watcher]:
        """Raises TooManyWatchers."""
        if self._callers.total() >= MOST_WATCHERS:
            raise TooManyWatchers
        if self._callers[caller] >= MOST_OF_ONE:
            raise TooManyOfYours
        watcher, those = Watcher(), self._watchers.setdefault(order_id, set())
        those.add(watcher)
        self._callers[caller] += 1
        try:
            yield watcher
        finally:
            self._callers -= Counter([caller])  # and leaves out who is at none
            those.discard(watcher)
            if not those:
                self._watchers.pop(order_id, None)

    @contextmanager
    def patiently_on(self, order_id: UUID, caller: UUID) -> Iterator[Watcher]:
        """For a request that is no stream. Raises TooManyWatchers."""
        if self._patient >= MOST_PATIENT:
            raise TooManyWatchers
        self._patient += 1
        try:
            with self.on(order_id, caller) as watcher:
                yield watcher
        finally:
            self._patient -= 1

    def ring(self, order_id: UUID) -> None:
        for watcher in self._watchers.get(order_id, ()):
            watcher.ring()

    async def follow(self, versions: Versions, stop: asyncio.Event) -> None:
        """What other processes change, until `stop`; then nobody is kept waiting."""
        while not await stopped_within(LOOK_SECONDS, stop):
            if self._watchers:
                try:
                    self._compare(await versions(list(self._watchers)))
                except Unavailable as error:
                    log.warning("watch.interrupted", reason=error.detail)
        self.closed = True
        for order_id in self._watchers:
            self.ring(order_id)

    def _compare(self, versions: Mapping[UUID, int]) -> None:
        for order_id, version in versions.items():
            for watcher in self._watchers.get(order_id, ()):
                if watcher.seen != version:
                    watcher.seen = version
                    watcher.ring()
