"""The engines that a store runs on, each as its tests need it: new, empty databases, and what was told from them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from libs.common.database import Database
from libs.common.messages import CloudEvent, Fact

ENGINES = ("postgres", "tables", "azuresql")
MOST_TOLD = 10_000


class Parked(NamedTuple):
    event: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server. What is told by no service's store is told by `tell`, and `parked` is read by nobody else."""

    name: str
    fresh: Callable[[], AbstractAsyncContextManager[str]]  # the URL of a new, empty database
    connect: Callable[[str], AbstractAsyncContextManager[Database]]  # what a service makes of a URL
    tell: Callable[[Any, Sequence[Fact]], Awaitable[None]]  # all or none of them
    parked: Callable[[Any], Awaitable[list[Parked]]]

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        async with self.fresh() as url, self.connect(url) as connected:
            yield connected


class _Kept(Exception):
    """What was claimed stays where it is."""


async def told(database: Database) -> list[CloudEvent]:
    """What is committed and not yet published; of one aggregate, the oldest first. It is left where it is."""
    waiting = list[bytes]()
    async with database.lead(asyncio.Event()) as outbox:
        assert outbox
        with suppress(_Kept):
            async with outbox.claim(MOST_TOLD) as events:
                waiting = events
                raise _Kept
    return [CloudEvent.decode(event) for event in waiting]


async def tell_all(database: Database) -> None:
    """As a relay would."""
    async with database.lead(asyncio.Event()) as outbox:
        assert outbox
        async with outbox.claim(MOST_TOLD):
            pass


async def facts(database: Database) -> list[str]:
    """By their names, e.g. `order-placed`."""
    return [event.type.split(".")[2] for event in await told(database)]
