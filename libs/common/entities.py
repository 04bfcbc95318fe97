"""Entities of Table Storage, and of Cosmos DB for Table: what lies in one partition changes together or not at all.

An entity is a document: its body is JSON or an event, in as many binary properties as it needs. Nothing is searched
for by a property, so the keys say all that is asked for; a list is an index entity for each thing on it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from random import Random
from typing import Any, TypeVar

import structlog
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient

from libs.common import telemetry
from libs.common.abreast import of_each
from libs.common.errors import StoreError, Unavailable
from libs.common.messages import Fact, encode_fact
from libs.common.slots import Slots
from libs.common.watch import DatabaseWatch

log = structlog.get_logger()

T = TypeVar("T")

# Microsoft Learn, "Understanding the Table service data model" and "Performing entity group transactions".
MOST_OPERATIONS = 100
MOST_CHANGE_BYTES = 4 * 1024 * 1024
MOST_ENTITY_BYTES = 1024 * 1024
MOST_PROPERTY_BYTES = 64 * 1024
OVERHEAD_BYTES = 1024  # of an operation: its part's headers, its keys, its properties' names

SYSTEM = "system"  # the partition of leases, migrations and of the list of partitions that tell facts
MOVED = "moved"  # the partition of the marks that came from another engine: which aggregate each is about is not known
PAGE = 1000  # entities in an answer, at most
MOST_AT_ONCE = 100  # requests; as many connections the SDK opens
WAIT_SECONDS = 10.0
MOST_WAITING = 2048  # calls: whoever is let in at the door makes several at once
MOST_TRIES = 40
LONGEST_PAUSE_SECONDS = 0.5
GONE, EXISTS, CHANGED = 404, 409, 412
AWAY = (401, 403, 408, 429)  # no right yet, too slow, too many; and whatever is from 500 on


class OverLimit(StoreError):
    """What belongs together is larger than Table Storage takes at once."""


class Overtaken(Exception):
    """An entity is no longer what it was when it was read."""


@dataclass(frozen=True, slots=True)
class Entity:
    row: str
    body: bytes
    etag: str = ""


@dataclass(slots=True)
class Change:
    """What becomes true together: an entity group transaction, in which an entity may occur once."""

    partition: str
    operations: list[tuple[Any, ...]] = field(default_factory=list)
    size: int = 0
    tells: bool = False

    def create(self, row: str, body: bytes = b"") -> None:
        """Submitting raises Overtaken where there is one."""
        self._add("create", self._entity(row, body))

    def replace(self, known: Entity, body: bytes) -> None:
        """Submitting raises Overtaken where it has changed."""
        condition = {"etag": known.etag, "match_condition": MatchConditions.IfNotModified}
        self._add("update", self._entity(known.row, body), {"mode": UpdateMode.REPLACE, **condition})

    def delete(self, known: Entity) -> None:
        """Submitting raises Overtaken where it has changed."""
        condition = {"etag": known.etag, "match_condition": MatchConditions.IfNotModified}
        self._add("delete", self._entity(known.row, b""), condition)

    def remove(self, row: str) -> None:
        """Submitting raises Overtaken where there is none."""
        self._add("delete", self._entity(row, b""))

    def put(self, row: str, body: bytes) -> None:
        """Whatever is there."""
        self._add("upsert", self._entity(row, body), {"mode": UpdateMode.REPLACE})

    def tell(self, fact: Fact) -> None:
        """The fact is committed with the change it tells of, and found by its time."""
        microseconds = int(fact.at.timestamp() * 1_000_000)
        row = f"x|{microseconds:020}|{fact.version:010}|{fact.id()}"
        self.create(row, encode_fact(fact, telemetry.traceparent()))
        self.tells = True

    def note(self, cause: str | None) -> None:
        """Submitting raises Overtaken where this message has had its effect."""
        if cause is not None:
            self.create(mark(cause), cause.encode())

    def _entity(self, row: str, body: bytes) -> dict[str, Any]:
        """Raises OverLimit."""
        if len(body) > MOST_ENTITY_BYTES - OVERHEAD_BYTES:
            raise OverLimit(f"an entity of {len(body)} bytes; at most {MOST_ENTITY_BYTES} are allowed")
        pieces = range(0, len(body), MOST_PROPERTY_BYTES)
        properties = {f"b{n}": body[at : at + MOST_PROPERTY_BYTES] for n, at in enumerate(pieces)}
        return {"PartitionKey": self.partition, "RowKey": row, **properties}

    def _add(self, *operation: Any) -> None:
        """Raises OverLimit. Binary properties travel as base64."""
        self.operations.append(operation)
        self.size += OVERHEAD_BYTES + sum(len(v) * 4 // 3 for v in operation[1].values() if isinstance(v, bytes))
        if len(self.operations) > MOST_OPERATIONS or self.size > MOST_CHANGE_BYTES:
            raise OverLimit(f"{len(self.operations)} entities of {self.size} bytes together")


def mark(cause: str) -> str:
    """The inbox entity's row: causes may hold what keys may not."""
    return f"n|{sha256(cause.encode()).hexdigest()}"


def tells(partition: str) -> str:
    """The row that says that the relay is to look into a partition."""
    return f"tells|{partition}"


@dataclass(slots=True)
class Table:
    client: TableClient
    chance: Random
    watch: DatabaseWatch
    slots: Slots = field(default_factory=lambda: Slots(MOST_AT_ONCE, WAIT_SECONDS, MOST_WAITING))
    moved_here: bool = False  # so there are marks in MOVED
    told: asyncio.Event = field(default_factory=asyncio.Event)
    telling: set[str] = field(default_factory=set)  # partitions with something new in their outbox
    _listed: set[str] = field(default_factory=set)  # partitions that are known to tell facts
    _turns: dict[str, tuple[asyncio.Lock, int]] = field(default_factory=dict)

    @asynccontextmanager
    async def _asking(self, operation: str) -> AsyncIterator[None]:
        """One of so many requests at once. Raises Unavailable."""
        with self.watch.operation(operation), away_is_unavailable():
            async with self.slots:
                yield

    async def read(self, partition: str, row: str) -> Entity | None:
        async with self._asking("read"):
            try:
                return _entity(await self.client.get_entity(partition, row))
            except ResourceNotFoundError:
                return None

    async def range(self, partition: str, first: str, below: str, most: int | None = None) -> list[Entity]:
        """In the order of their rows, from `first` on."""
        sought = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @below"
        return await self._query(sought, most, partition=partition, first=first, below=below)

    async def older(self, partition: str, first: str, below: str, *, than: datetime, most: int) -> list[Entity]:
        """Of a range, what has not been written since. It is looked through as a whole."""
        sought = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @below and Timestamp lt @than"
        return await self._query(sought, most, partition=partition, first=first, below=below, than=than)

    async def _query(self, sought: str, most: int | None, **wanted: Any) -> list[Entity]:
        found = list[Entity]()
        async with self._asking("query"):
            pages = self.client.query_entities(sought, parameters=wanted, results_per_page=min(most or PAGE, PAGE))
            async for entity in pages:
                found.append(_entity(entity))
                if len(found) == most:
                    break
        return found

    async def submit(self, change: Change) -> list[str]:
        """The new ETags. Raises Overtaken or Unavailable; what was unavailable may have happened all the same."""
        if change.tells and change.partition not in self._listed:
            await self._list(change.partition)
        async with self._asking("submit"):
            try:
                written = await self.client.submit_transaction(change.operations)
            except TableTransactionError as error:
                if error.status_code in (GONE, EXISTS, CHANGED):
                    raise Overtaken from error
                raise
        if change.tells:
            self.telling.add(change.partition)
            self.told.set()
        return [entity.get("etag", "") for entity in written]

    async def _list(self, partition: str) -> None:
        """Before the first fact of a partition: the relay looks where the list says that there may be some."""
        listing = Change(SYSTEM)
        listing.put(tells(partition), b"")
        await self.submit(listing)
        self._listed.add(partition)

    async def first_time(self, partition: str, cause: str | None) -> bool:
        """Whether this message has had no effect yet. The change still has to `note` it."""
        if cause is None:
            return True
        places = [partition, MOVED] if self.moved_here else [partition]
        found = await of_each(lambda place: self.read(place, mark(cause)), places, len(places))
        if any(found):
            log.info("message.repeated", cause=cause)
            self.watch.repeated()
        return not any(found)

    async def retried(self, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """`work` reads, decides and submits; again while it is overtaken. Raises what it raises, or Unavailable.

        Within this process one at a time works on `what`, so that a queue of fifty does not overtake itself.
        """
        async with self.turn(what):
            for failures in range(MOST_TRIES):
                try:
                    return await work()
                except Overtaken:
                    longest = min(LONGEST_PAUSE_SECONDS, 0.01 * 2.0 ** min(failures, 10))
                    await asyncio.sleep(self.chance.uniform(0, longest))
        raise Unavailable("too many change this at once; try again")

    @asynccontextmanager
    async def turn(self, what: str) -> AsyncIterator[None]:
        """One at a time, within this process."""
        lock, waiting = self._turns.get(what, (asyncio.Lock(), 0))
        self._turns[what] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[what]
            if waiting == 1:
                del self._turns[what]
            else:
                self._turns[what] = (lock, waiting - 1)


@contextmanager
def away_is_unavailable() -> Iterator[None]:
    try:
        yield
    except HttpResponseError as error:
        if (error.status_code or 500) < 500 and error.status_code not in AWAY:
            raise
        raise Unavailable(f"the table does not answer ({error.status_code}: {error.reason})") from error
    except (AzureError, OSError, TimeoutError) as error:
        raise Unavailable(f"the table does not answer ({type(error).__name__})") from error


def _entity(found: Any) -> Entity:
    pieces = sorted((name for name in found if name[0] == "b"), key=lambda name: int(name[1:]))
    return Entity(found["RowKey"], b"".join(found[name] for name in pieces), found.metadata["etag"])
