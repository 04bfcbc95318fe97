"""Azure SQL's manners, and SQL Server's: a transaction is a plain function that runs as a whole in one thread."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from time import monotonic
from typing import Any, ClassVar, TypeVar

import msgspec
import pyodbc
import structlog
from azure.core.credentials_async import AsyncTokenCredential

from libs.common import odbc, telemetry
from libs.common.azuresql_outbox import AzureSqlOutbox
from libs.common.database import MOST_COUNTED, Backlog
from libs.common.errors import Unavailable
from libs.common.measures import Measures
from libs.common.messages import Fact, encode_fact
from libs.common.migrations import Unfinished, refuse_missing, steps
from libs.common.odbc import ForeignKeyViolation, Transient, Undone, UniqueViolation
from libs.common.odbc_pool import Pool
from libs.common.watch import DatabaseWatch

__all__ = ["AzureSql", "ForeignKeyViolation", "Row", "Transaction", "UniqueViolation"]

log = structlog.get_logger()

T = TypeVar("T")
Row = Any  # pyodbc's: an attribute for each column

MESSAGING = Path(__file__).with_name("azuresql.sql").read_text()

CLOSE_SECONDS = 15.0
MOST_TRIES = 5
LONGEST_PAUSE_SECONDS = 1.0
PING_FRESH_SECONDS = 1.0

MIGRATIONS = """
IF OBJECT_ID(N'migrations', N'U') IS NULL
    CREATE TABLE migrations (name nvarchar(50) NOT NULL, number int NOT NULL, PRIMARY KEY (name, number))
"""
LOCK_MIGRATIONS = """
DECLARE @granted int;
EXEC @granted = sp_getapplock
    @Resource = N'migrations', @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = 9000;
SELECT @granted AS granted
"""
BACKLOG = """
SELECT
    (SELECT COUNT(*) FROM (SELECT TOP (?) seq FROM outbox) AS some_told) AS waiting,
    (SELECT COUNT(*) FROM (SELECT TOP (?) reason FROM outbox_dead) AS some_parked) AS parked,
    (SELECT TOP (1) event FROM outbox ORDER BY seq) AS oldest
"""
TELL_ALL = """
INSERT INTO outbox (event)
SELECT CONVERT(varbinary(max), told.event, 2) FROM OPENJSON(?) WITH (event varchar(max) '$.event') AS told
"""
# Two at once both insert, and the second of them runs again. HOLDLOCK would let it wait, and neighbours with it.
FIRST_TIME = "INSERT INTO inbox (cause) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE cause = ?)"


@dataclass(slots=True)
class Transaction:
    """An error has undone all of it: whoever caught one and went on would be in another transaction."""

    cursor: pyodbc.Cursor
    told: int = 0
    repeated: int = 0

    def execute(self, sql: str, *values: Any) -> int:
        """How many rows the first statement has changed."""
        with odbc.in_our_words():
            self._send(sql, values)
            affected = int(self.cursor.rowcount)
            while self.cursor.nextset():  # an error of a later statement comes with its own result
                continue
        return affected

    def fetch(self, sql: str, *values: Any) -> list[Row]:
        """What the first statement that returns rows returns."""
        with odbc.in_our_words():
            self._send(sql, values)
            while self.cursor.description is None and self.cursor.nextset():
                continue
            rows: list[Row] = self.cursor.fetchall()
            while self.cursor.nextset():
                continue
        return rows

    def fetchrow(self, sql: str, *values: Any) -> Row | None:
        rows = self.fetch(sql, *values)
        return rows[0] if rows else None

    def _send(self, sql: str, values: Sequence[Any]) -> None:
        self.cursor.setinputsizes(list[Any](map(odbc.size, values)))
        self.cursor.execute(sql, *map(odbc.value, values))

    def tell(self, fact: Fact) -> None:
        """The fact is committed with the change it tells of."""
        self.execute("INSERT INTO outbox (event) VALUES (?)", encode_fact(fact, telemetry.traceparent()))
        self.told += 1

    def tell_all(self, facts: Sequence[Fact]) -> None:
        """By one statement."""
        traceparent = telemetry.traceparent()
        events = [{"event": encode_fact(fact, traceparent).hex()} for fact in facts]
        self.execute(TELL_ALL, msgspec.json.encode(events).decode())
        self.told += len(facts)

    def first_time(self, cause: str | None) -> bool:
        """Whether this message has had no effect yet; its effect is committed with this mark. No cause: always."""
        if cause is None:
            return True
        try:
            first = self.execute(FIRST_TIME, cause, cause) == 1
        except UniqueViolation as error:
            raise Undone("the same message came twice at once") from error
        if not first:
            log.info("message.repeated", cause=cause)
            self.repeated += 1
        return first


@dataclass(slots=True)
class AzureSql:
    engine: ClassVar[str] = "azuresql"
    pool: Pool
    chance: Random
    watch: DatabaseWatch
    told: asyncio.Event = field(default_factory=asyncio.Event)
    _pinged_at: float = -PING_FRESH_SECONDS
    _answered: bool = False

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str,
        password: Callable[[], Awaitable[str]],
        credential: AsyncTokenCredential,
        *,
        driver: str = "",
        measures: Measures | None = None,
    ) -> AsyncIterator["AzureSql"]:
        """`mssql://user@host:1433/database`. Raises Incomplete or Unavailable.

        Encrypted always, and the server verified unless the URL says `?trust=yes`. The password is the URL's own, or
        with `?authentication=entra` a token of `credential` and with `?authentication=msi` the driver's business, or
        else `password` is asked: for each new connection, so a new one is taken up without a restart.
        """
        pool = Pool(odbc.Key.of(url, password, credential), odbc.find_driver(driver))
        try:
            yield cls(pool, SystemRandom(), DatabaseWatch("microsoft.sql_server", measures or Measures()))
        finally:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Commits what `work` has done. Raises what it raises, or Unavailable.

        Where the database undoes it (a deadlock), it runs again: so all that it changes is made within it.
        """
        with self.watch.operation("transaction"):
            result, done = await self._retried(partial(_transact, work))
        if done.told:
            self.told.set()
        for _ in range(done.repeated):
            self.watch.repeated()
        return result

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        """One statement, one round trip: it is a transaction of its own."""
        with self.watch.operation("fetch"):
            return await self._retried(partial(_fetch, sql, values))

    async def fetchrow(self, sql: str, *values: Any) -> Row | None:
        rows = await self.fetch(sql, *values)
        return rows[0] if rows else None

    async def _retried(self, work: Callable[[pyodbc.Cursor], T]) -> T:
        failures = 0
        while True:
            try:
                return await self.pool.run(work)
            except Transient:
                failures += 1
                if failures == MOST_TRIES:
                    raise
            await asyncio.sleep(self.chance.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.05 * 2.0 ** (failures - 1))))

    async def backlog(self) -> Backlog:
        (row,) = await self.fetch(BACKLOG, MOST_COUNTED, MOST_COUNTED)
        return Backlog(row.waiting, row.parked, row.oldest)

    async def ping(self) -> bool:
        if monotonic() - self._pinged_at >= PING_FRESH_SECONDS:
            try:
                self._answered = await self.fetchrow("SELECT 1 AS answer") is not None
            except Unavailable:
                self._answered = False
            self._pinged_at = monotonic()
        return self._answered

    async def migrate(self, name: str, script: str) -> None:
        """All or nothing, and one process at a time."""

        def work(tx: Transaction) -> None:
            lock = tx.fetchrow(LOCK_MIGRATIONS)
            if lock is None or lock.granted < 0:
                raise Unavailable("another process brings the database up to date")
            tx.execute(MIGRATIONS)
            for each, needed in (("messaging", MESSAGING), (name, script)):
                done = {row.number for row in tx.fetch("SELECT number FROM migrations WHERE name = ?", each)}
                for number, step in steps(needed):
                    if number not in done:
                        tx.execute(step)
                        tx.execute("INSERT INTO migrations (name, number) VALUES (?, ?)", each, number)

        await self.transact(work)

    async def check(self, name: str, script: str) -> None:
        there = await self.fetchrow("SELECT OBJECT_ID(N'migrations', N'U') AS there")
        known = await self.fetch("SELECT name, number FROM migrations") if there and there.there else []
        for each, needed in ((name, script), ("messaging", MESSAGING)):
            refuse_missing(name, needed, {row.number for row in known if row.name == each})
        if await self.fetch("SELECT TOP (1) what FROM copying"):
            raise Unfinished

    @asynccontextmanager
    async def lead(self, stop: asyncio.Event) -> AsyncIterator[AzureSqlOutbox | None]:
        """The lock dies with the connection, so a successor takes over at once."""
        connection = await self.pool.dial()
        try:
            outbox = AzureSqlOutbox(connection.awaited, await connection.awaited.cursor())
            yield outbox if await outbox.lead(stop) else None
        except pyodbc.Error as error:  # also one that we do not know: with another connection it may go on
            raise odbc.meaning(error) or Unavailable("the leader's connection has failed") from error
        finally:
            with suppress(pyodbc.Error):
                await connection.awaited.close()


def _fetch(sql: str, values: Sequence[Any], cursor: pyodbc.Cursor) -> list[Row]:
    with odbc.in_our_words():
        cursor.connection.autocommit = True
    return Transaction(cursor).fetch(sql, *values)


def _transact(work: Callable[[Transaction], T], cursor: pyodbc.Cursor) -> tuple[T, Transaction]:
    transaction, connection = Transaction(cursor), cursor.connection
    with odbc.in_our_words():
        connection.autocommit = False
    try:
        result = work(transaction)
    except BaseException:
        try:
            connection.rollback()
        except pyodbc.Error as error:  # the connection must not be lent again with half a transaction in it
            raise Unavailable("the database did not say whether it has undone it") from error
        raise
    try:
        connection.commit()
    except pyodbc.Error as error:  # it may have happened or not, so it must not be done again here
        raise Unavailable("the database did not say whether it has committed") from error
    return result, transaction
