"""Table Storage as a service's database, or Cosmos DB for Table: its table, its migrations, its one relay."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import SystemRandom
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables.aio import TableClient

from libs.common.database import Backlog
from libs.common.entities import MOVED, SYSTEM, Change, Table, away_is_unavailable, tells
from libs.common.errors import Unavailable
from libs.common.leases import held
from libs.common.measures import Measures
from libs.common.migrations import Unfinished, refuse_missing, steps
from libs.common.settings import Incomplete
from libs.common.tables_outbox import TablesOutbox, backlog
from libs.common.watch import DatabaseWatch

MESSAGING = "-- migration 1: the table itself\n"
TIMEOUT_SECONDS = 10.0
# Tries again what was refused, not what may have been done: an answer that is lost is no answer.
PATIENCE: Mapping[str, Any] = {
    "retry_total": 3,
    "retry_read": 0,
    "retry_backoff_factor": 0.2,
    "connection_timeout": TIMEOUT_SECONDS,
    "read_timeout": TIMEOUT_SECONDS,
}
PING_FRESH_SECONDS = 1.0


@dataclass(slots=True)
class Tables:
    engine: ClassVar[str] = "tables"
    table: Table
    _pinged_at: float = -PING_FRESH_SECONDS
    _answered: bool = False

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, credential: AsyncTokenCredential, *, measures: Measures | None = None, **transport: Any
    ) -> AsyncIterator["Tables"]:
        """`https://<account>.table.core.windows.net/<table>`. Raises Incomplete.

        `transport` takes what azure-core's pipeline takes, e.g. `connection_verify`.
        """
        account, _, name = url.rstrip("/").rpartition("/")
        if not urlsplit(account).netloc or not name.isalnum():
            raise Incomplete("a table's URL ends with its name: https://<account>.table.core.windows.net/<table>")
        async with TableClient(account, name, credential=credential, **{**PATIENCE, **transport}) as client:
            yield cls(Table(client, SystemRandom(), DatabaseWatch("azure.table", measures or Measures())))

    @property
    def watch(self) -> DatabaseWatch:
        return self.table.watch

    @property
    def told(self) -> asyncio.Event:
        return self.table.told

    async def backlog(self) -> Backlog:
        return await backlog(self.table)

    async def ping(self) -> bool:
        if monotonic() - self._pinged_at >= PING_FRESH_SECONDS:
            try:
                self._answered = await self.table.read(SYSTEM, _step("messaging", 1)) is not None
            except Unavailable:
                self._answered = False
            self._pinged_at = monotonic()
        return self._answered

    async def migrate(self, name: str, script: str) -> None:
        """Entities declare nothing: a step has a number only, until there is one that rewrites what is stored.

        Whoever has rights on this table only may not make one, so it is made only where it is not there.
        """
        if not await self._done():
            with away_is_unavailable(), suppress(ResourceExistsError):
                await self.table.client.create_table()
        async with held(self.table, "migrations", asyncio.Event()):
            done, recording = await self._done(), Change(SYSTEM)
            for each, needed in (("messaging", MESSAGING), (name, script)):
                for number, _ in steps(needed):
                    if number not in done.get(each, set()):
                        recording.create(_step(each, number))
            if recording.operations:
                await self.table.submit(recording)

    async def check(self, name: str, script: str) -> None:
        done = await self._done()
        for each, needed in ((name, script), ("messaging", MESSAGING)):
            refuse_missing(name, needed, done.get(each, set()))
        if await self.table.range(SYSTEM, "copying|", "copying}", most=1):
            raise Unfinished
        self.table.moved_here = await self.table.read(SYSTEM, tells(MOVED)) is not None

    async def _done(self) -> dict[str, set[int]]:
        """Empty where there is no table."""
        done = dict[str, set[int]]()
        with suppress(ResourceNotFoundError):
            for entity in await self.table.range(SYSTEM, "migration|", "migration}"):
                _, name, number = entity.row.split("|")
                done.setdefault(name, set()).add(int(number))
        return done

    @asynccontextmanager
    async def lead(self, stop: asyncio.Event) -> AsyncIterator[TablesOutbox | None]:
        async with held(self.table, "relay", stop) as lease:
            yield TablesOutbox(self.table, lease) if lease else None


def _step(name: str, number: int) -> str:
    return f"migration|{name}|{number:010}"
