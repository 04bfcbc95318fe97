"""PostgreSQL's manners: connect, transaction, tell, first_time, and the outbox that the relay empties."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import structlog
from azure.core.credentials_async import AsyncTokenCredential

from libs.common import telemetry
from libs.common.database import MOST_COUNTED, Backlog
from libs.common.errors import Unavailable
from libs.common.measures import Measures
from libs.common.messages import Fact, encode_fact
from libs.common.migrations import Unfinished, refuse_missing, steps
from libs.common.postgres_pool import ACQUIRE_SECONDS, AWAY, Pool, away, is_away
from libs.common.retry import stopped_within
from libs.common.settings import Incomplete
from libs.common.watch import DatabaseWatch

log = structlog.get_logger()

MESSAGING = Path(__file__).with_name("postgres.sql").read_text()

STATEMENT_SECONDS = 10.0
PING_FRESH_SECONDS = 1.0
RELAY_LOCK = 0x0075_B0C5  # one leader per database
MIGRATION_LOCK = 0x0075_B0C6
LEADER_POLL_SECONDS = 0.5
INBOX_KEPT_DAYS = 30  # longer than any redelivery: Event Grid tries for a day, dead letters are replayed within weeks
ENTRA_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
VERIFIED = "verify-full"

BACKLOG = """
SELECT
    (SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) AS told) AS waiting,
    (SELECT count(*) FROM (SELECT FROM outbox_dead LIMIT $1) AS dead) AS parked,
    (SELECT event FROM outbox ORDER BY seq LIMIT 1) AS oldest
"""
TELL_ALL = """
INSERT INTO outbox (event)
SELECT told.event FROM unnest($1::bytea[]) WITH ORDINALITY AS told (event, place) ORDER BY told.place
"""


@contextmanager
def _away_is_unavailable() -> Iterator[None]:
    try:
        yield
    except AWAY as error:
        if is_away(error):
            raise away(error) from error
        raise


@dataclass(slots=True)
class Transaction:
    connection: Any  # asyncpg's
    watch: DatabaseWatch
    told: int = 0

    async def execute(self, sql: str, *values: Any) -> str:
        return str(await self.connection.execute(sql, *values))

    async def fetch(self, sql: str, *values: Any) -> Sequence[asyncpg.Record]:
        return list(await self.connection.fetch(sql, *values))

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        row: asyncpg.Record | None = await self.connection.fetchrow(sql, *values)
        return row

    async def tell(self, fact: Fact) -> None:
        """The fact is committed with the change it tells of."""
        await self.execute("INSERT INTO outbox (event) VALUES ($1)", encode_fact(fact, telemetry.traceparent()))
        self.told += 1

    async def tell_all(self, facts: Sequence[Fact]) -> None:
        """In their order, by one statement."""
        traceparent = telemetry.traceparent()
        await self.execute(TELL_ALL, [encode_fact(fact, traceparent) for fact in facts])
        self.told += len(facts)

    async def first_time(self, cause: str | None) -> bool:
        """Whether this message has had no effect yet; its effect is committed with this mark. No cause: always."""
        if cause is None:
            return True
        tag = await self.execute("INSERT INTO inbox (cause) VALUES ($1) ON CONFLICT DO NOTHING", cause)
        if tag == "INSERT 0 0":
            log.info("message.repeated", cause=cause)
            self.watch.repeated()
        return tag == "INSERT 0 1"


@dataclass(slots=True)
class Postgres:
    engine: ClassVar[str] = "postgres"
    pool: Pool
    watch: DatabaseWatch
    told: asyncio.Event = field(default_factory=asyncio.Event)  # something new may lie in the outbox
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
        measures: Measures | None = None,
    ) -> AsyncIterator["Postgres"]:
        """`postgresql://user@host:port/database`. Raises Incomplete or Unavailable.

        The connection is encrypted and the server verified unless `?sslmode=` asks for less. The password is the URL's
        own, or with `?authentication=entra` a token of `credential`, or else `password` is asked: for each new
        connection, so a new one is taken up without a restart.
        """
        url, options = _options(url, password, credential)
        watch = DatabaseWatch("postgresql", measures or Measures())
        pool = Pool(lambda: asyncpg.connect(url, **options), watch)
        async with pool.lend("connect"):
            pass
        try:
            yield cls(pool, watch)
        finally:
            await pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commits where the block ends well. Raises Unavailable where the database is away."""
        async with self.pool.lend("transaction") as connection, connection.transaction():
            transaction = Transaction(connection, self.watch)
            yield transaction
        if transaction.told:
            self.told.set()

    async def fetch(self, sql: str, *values: Any) -> Sequence[asyncpg.Record]:
        """One statement, one round trip: it is a transaction of its own."""
        async with self.pool.lend("fetch") as connection:
            return list(await connection.fetch(sql, *values))

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        async with self.pool.lend("fetch") as connection:
            row: asyncpg.Record | None = await connection.fetchrow(sql, *values)
            return row

    async def backlog(self) -> Backlog:
        (row,) = await self.fetch(BACKLOG, MOST_COUNTED)
        return Backlog(row["waiting"], row["parked"], row["oldest"])

    async def ping(self) -> bool:
        if monotonic() - self._pinged_at >= PING_FRESH_SECONDS:
            try:
                self._answered = await self.fetchrow("SELECT 1") is not None
            except Unavailable:
                self._answered = False
            self._pinged_at = monotonic()
        return self._answered

    async def migrate(self, name: str, script: str) -> None:
        """All or nothing, and one process at a time."""
        async with self.transaction() as tx:
            await tx.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
            await tx.execute(
                "CREATE TABLE IF NOT EXISTS migrations (name text, number int, PRIMARY KEY (name, number))"
            )
            await _migrate(tx, "messaging", MESSAGING)
            await _migrate(tx, name, script)

    async def check(self, name: str, script: str) -> None:
        there = await self.fetchrow("SELECT to_regclass('migrations') IS NOT NULL AS there")
        known = await self.fetch("SELECT name, number FROM migrations") if there and there["there"] else []
        for each, needed in ((name, script), ("messaging", MESSAGING)):
            refuse_missing(name, needed, {row["number"] for row in known if row["name"] == each})
        if await self.fetch("SELECT what FROM copying LIMIT 1"):
            raise Unfinished

    @asynccontextmanager
    async def lead(self, stop: asyncio.Event) -> AsyncIterator["PostgresOutbox | None"]:
        """The lock dies with the connection, so a successor takes over at once."""
        with _away_is_unavailable():
            connection = await self.pool.dial()
            try:
                while not (leading := await connection.fetchval("SELECT pg_try_advisory_lock($1)", RELAY_LOCK)):
                    if await stopped_within(LEADER_POLL_SECONDS, stop):
                        break
                yield PostgresOutbox(connection) if leading else None
            finally:
                connection.terminate()


@dataclass(frozen=True, slots=True)
class PostgresOutbox:
    connection: asyncpg.Connection

    @asynccontextmanager
    async def claim(self, most: int) -> AsyncIterator[list[bytes]]:
        """By deleting, never by a `seq > last` cursor: numbers are given before the commit, in another order."""
        async with self.connection.transaction():
            rows = await self.connection.fetch(
                """DELETE FROM outbox WHERE seq = ANY(ARRAY(
                       SELECT seq FROM outbox ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED))
                   RETURNING seq, event""",
                most,
            )
            yield [row["event"] for row in sorted(rows, key=lambda row: row["seq"])]

    async def park(self, event: bytes, reason: str) -> None:
        await self.connection.execute("INSERT INTO outbox_dead (event, reason) VALUES ($1, $2)", event, reason)

    async def forget(self) -> None:
        await self.connection.execute("DELETE FROM inbox WHERE at < now() - make_interval(days => $1)", INBOX_KEPT_DAYS)


async def _migrate(tx: Transaction, name: str, script: str) -> None:
    done = {row["number"] for row in await tx.fetch("SELECT number FROM migrations WHERE name = $1", name)}
    for number, step in steps(script):
        if number not in done:
            await tx.execute(step)
            await tx.execute("INSERT INTO migrations (name, number) VALUES ($1, $2)", name, number)


def _options(
    url: str, password: Callable[[], Awaitable[str]], credential: AsyncTokenCredential
) -> tuple[str, dict[str, Any]]:
    """What asyncpg is told: our own parts of the URL's query are not the server's. Raises Incomplete."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    authentication, mode = asked.pop("authentication", "password"), asked.setdefault("sslmode", VERIFIED)
    options: dict[str, Any] = {"command_timeout": STATEMENT_SECONDS, "timeout": ACQUIRE_SECONDS}
    if mode == VERIFIED:
        options["ssl"] = ssl.create_default_context(cafile=asked.pop("sslrootcert", None))
        del asked["sslmode"]
    if authentication == "entra":
        if mode != VERIFIED:
            raise Incomplete(f"a token travels only where the server is verified: leave sslmode={mode} out of the URL")
        options["password"] = lambda: _token(credential)
    elif authentication != "password":
        raise Incomplete(f"authentication={authentication} is unknown: leave it out, or say entra")
    elif not parts.password:
        options["password"] = password
    return parts._replace(query=urlencode(asked)).geturl(), options


async def _token(credential: AsyncTokenCredential) -> str:
    return (await credential.get_token(ENTRA_SCOPE)).token
