"""The outbox in Azure SQL: claimed by deleting, past what others have locked, by the one session that leads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aioodbc
import pyodbc

from libs.common.retry import stopped_within

LEADER_POLL_SECONDS = 0.5
INBOX_KEPT_DAYS = 30  # longer than any redelivery
MOST_FORGOTTEN = 2000  # at a time: from 5,000 locks on SQL Server would lock the whole table

LEAD = """
DECLARE @granted int;
EXEC @granted = sp_getapplock
    @Resource = N'relay', @LockMode = N'Exclusive', @LockOwner = N'Session', @LockTimeout = 0;
SELECT @granted AS granted
"""
# Never by a `seq > last` cursor: numbers are given before the commit, in another order. Rows are looked at as they are
# now, but MAX as of the beginning: else one that is committed meanwhile could be seen, and one before it not.
CLAIM = """
WITH oldest AS (
    SELECT TOP (?) seq, event FROM outbox WITH (UPDLOCK, READPAST, ROWLOCK, READCOMMITTEDLOCK)
    WHERE seq <= (SELECT MAX(seq) FROM outbox) ORDER BY seq
)
DELETE FROM oldest OUTPUT deleted.seq, deleted.event
"""
PARK = "INSERT INTO outbox_dead (event, reason) VALUES (?, ?)"
FORGET = "DELETE TOP (?) FROM inbox WHERE at < DATEADD(day, ?, SYSUTCDATETIME())"


@dataclass(frozen=True, slots=True)
class AzureSqlOutbox:
    """Its cursor is kept: to let one go is a round trip, in the event loop's own thread and without a time limit."""

    connection: aioodbc.Connection
    cursor: aioodbc.Cursor

    async def lead(self, stop: asyncio.Event) -> bool:
        """Waits until this session has the lock, or until `stop`."""
        while True:
            await self.cursor.execute(LEAD)
            granted = (await self.cursor.fetchone()).granted
            await self.connection.commit()
            if granted >= 0:
                return True
            if await stopped_within(LEADER_POLL_SECONDS, stop):
                return False

    @asynccontextmanager
    async def claim(self, most: int) -> AsyncIterator[list[bytes]]:
        try:
            await self.cursor.execute(CLAIM, most)
            rows = await self.cursor.fetchall()
            yield [row.event for row in sorted(rows, key=lambda row: row.seq)]
        except BaseException:
            if not self.connection.closed:  # aioodbc closes it by itself where it is broken
                with suppress(pyodbc.Error):
                    await self.connection.rollback()
            raise
        await self.connection.commit()

    async def park(self, event: bytes, reason: str) -> None:
        """With the claim that it belongs to, if there is one."""
        await self.cursor.execute(PARK, event, reason)

    async def forget(self) -> None:
        forgotten = MOST_FORGOTTEN
        while forgotten == MOST_FORGOTTEN:
            await self.cursor.execute(FORGET, MOST_FORGOTTEN, -INBOX_KEPT_DAYS)
            forgotten = self.cursor.rowcount
            await self.connection.commit()
