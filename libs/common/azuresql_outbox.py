"""The outbox in Azure SQL: claimed by deleting, past what others have locked, by the one session that leads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aioodbc

from libs.common.retry import stopped_within

LEADER_POLL_SECONDS = 0.5
INBOX_KEPT_DAYS = 30  # longer than any redelivery
MOST_FORGOTTEN = 5000  # at a time: more would lock the whole table

LEAD = """
DECLARE @granted int;
EXEC @granted = sp_getapplock
    @Resource = N'relay', @LockMode = N'Exclusive', @LockOwner = N'Session', @LockTimeout = 0;
SELECT @granted AS granted
"""
# Never by a `seq > last` cursor: numbers are given before the commit, in another order.
CLAIM = """
WITH oldest AS (SELECT TOP (?) seq, event FROM outbox WITH (UPDLOCK, READPAST, ROWLOCK) ORDER BY seq)
DELETE FROM oldest OUTPUT deleted.seq, deleted.event
"""
PARK = "INSERT INTO outbox_dead (event, reason) VALUES (?, ?)"
FORGET = "DELETE TOP (?) FROM inbox WHERE at < DATEADD(day, ?, SYSUTCDATETIME())"


@dataclass(frozen=True, slots=True)
class AzureSqlOutbox:
    connection: aioodbc.Connection

    async def lead(self, stop: asyncio.Event) -> bool:
        """Waits until this session has the lock, or until `stop`."""
        while True:
            async with self.connection.cursor() as cursor:
                await cursor.execute(LEAD)
                if (await cursor.fetchone()).granted >= 0:
                    return True
            if await stopped_within(LEADER_POLL_SECONDS, stop):
                return False

    @asynccontextmanager
    async def claim(self, most: int) -> AsyncIterator[list[bytes]]:
        try:
            cursor = await self.connection.cursor()
            await cursor.execute(CLAIM, most)
            rows = await cursor.fetchall()
            yield [row.event for row in sorted(rows, key=lambda row: row.seq)]
        except BaseException:
            await self.connection.rollback()
            raise
        await self.connection.commit()

    async def park(self, event: bytes, reason: str) -> None:
        """With the claim that it belongs to, if there is one."""
        cursor = await self.connection.cursor()
        await cursor.execute(PARK, event, reason)

    async def forget(self) -> None:
        cursor, forgotten = await self.connection.cursor(), MOST_FORGOTTEN
        while forgotten == MOST_FORGOTTEN:
            await cursor.execute(FORGET, MOST_FORGOTTEN, -INBOX_KEPT_DAYS)
            forgotten = cursor.rowcount
            await self.connection.commit()
