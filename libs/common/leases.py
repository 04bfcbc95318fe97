"""A lease in Table Storage: one holder at a time, as long as it goes on saying that it is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from libs.common.entities import SYSTEM, Change, Entity, Overtaken, Table
from libs.common.errors import Unavailable
from libs.common.retry import stopped_within

LEASE_SECONDS = 6.0  # what has not been renewed for so long is free
RENEW_SECONDS = 2.0
POLL_SECONDS = 0.5


@dataclass(slots=True)
class Lease:
    """Nobody's clock is compared with another's: who waits sees that an ETag has not changed for a while of its own.

    A holder that was away for longer learns it when it renews, so what it does meanwhile must be harmless twice.
    """

    table: Table
    entity: Entity
    renewed_at: float

    async def keep(self) -> None:
        """Raises Unavailable where somebody else has it by now."""
        if monotonic() - self.renewed_at > RENEW_SECONDS:
            try:
                self.entity = await _write(self.table, self.entity)
            except Overtaken as error:
                raise Unavailable("another process holds the lease now") from error
            self.renewed_at = monotonic()

    async def release(self) -> None:
        change = Change(SYSTEM)
        change.delete(self.entity)
        with suppress(Overtaken, Unavailable):
            await self.table.submit(change)


@asynccontextmanager
async def held(table: Table, name: str, stop: asyncio.Event) -> AsyncIterator[Lease | None]:
    """Waits for the lease `name`, or until `stop` (then None). Raises Unavailable."""
    lease = await _acquire(table, f"lease|{name}", stop)
    try:
        yield lease
    finally:
        if lease:
            await lease.release()


async def _acquire(table: Table, row: str, stop: asyncio.Event) -> Lease | None:
    seen, since = "", monotonic()
    while True:
        found = await table.read(SYSTEM, row)
        if found and found.etag != seen:
            seen, since = found.etag, monotonic()
        if found is None or monotonic() - since > LEASE_SECONDS:
            with suppress(Overtaken):
                at = monotonic()
                return Lease(table, await _write(table, found or Entity(row, b"")), at)
        if await stopped_within(POLL_SECONDS, stop):
            return None


async def _write(table: Table, known: Entity) -> Entity:
    """Raises Overtaken."""
    change = Change(SYSTEM)
    if known.etag:
        change.replace(known, b"")
    else:
        change.create(known.row)
    (etag,) = await table.submit(change)
    return Entity(known.row, b"", etag)
