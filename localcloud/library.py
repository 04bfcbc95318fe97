"""The books of a store that runs here: its three services', each on its engine, its letters and payments."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from localcloud import azuresql
from localcloud.books import Books, CatalogLedger, Ledger, Letter, OrdersLedger, Payment, Unreadable
from localcloud.books_postgres import PostgresLedger
from localcloud.books_tables import TablesLedger
from localcloud.store import Store

LETTERS = "SELECT message_id, subject, substr(content, 1, 4096) FROM letters"  # our headers are shorter
PAYMENTS = "SELECT order_id, status FROM payments"
MOVEMENTS = "SELECT order_id, status, amount FROM movements ORDER BY number"
TO_COME = "SELECT (SELECT count(*) FROM callbacks WHERE NOT dead) + (SELECT count(settles_at) FROM payments)"
GIVEN_UP = "SELECT count(*) FROM callbacks WHERE dead"


@dataclass(frozen=True, slots=True)
class Library:
    catalog: CatalogLedger
    orders: OrdersLedger
    customers: Ledger
    mail: Path  # the mail server's journal
    provider: Path  # the payment provider's

    @classmethod
    @asynccontextmanager
    async def open(cls, store: Store) -> AsyncIterator["Library"]:
        """Raises Unreadable."""
        async with AsyncExitStack() as opened:
            catalog, orders, customers = [
                await opened.enter_async_context(_ledger(store, name)) for name in ("catalog", "orders", "customers")
            ]
            yield cls(catalog, orders, customers, store.state.journal("mail"), store.state.journal("payments"))

    async def waiting(self) -> dict[str, int]:
        """Facts that are not published yet, and orders that are not settled yet."""
        outboxes = {f"outbox of {name}": await each.unpublished() for name, each in self._ledgers().items()}
        to_come = (await self._rows(self.provider, TO_COME))[0][0]
        return _some({**outboxes, "orders": await self.orders.unsettled(), "call-backs of payments": to_come})

    async def dead(self) -> dict[str, int]:
        """Facts that Event Grid will never take, and call-backs that we never will."""
        outboxes = {f"outbox of {name}": await each.unpublishable() for name, each in self._ledgers().items()}
        return _some({**outboxes, "call-backs of payments": (await self._rows(self.provider, GIVEN_UP))[0][0]})

    async def read(self, waiting: dict[str, int], dead: dict[str, int]) -> Books:
        return Books(
            stocks=await self.catalog.stocks(),
            rebuilt=await self.catalog.movements(),
            reservations=await self.catalog.reservations(),
            offered=await self.catalog.offers(),
            listed=await self.orders.prices(),
            orders=await self.orders.orders(),
            keys=await self.orders.keys(),
            letters=[_letter(*row) for row in await self._rows(self.mail, LETTERS)],
            payments=await self._payments(),
            waiting=waiting,
            dead=dead,
        )

    def _ledgers(self) -> dict[str, Ledger]:
        return {"catalog": self.catalog, "orders": self.orders, "customers": self.customers}

    async def _payments(self) -> dict[UUID, Payment]:
        movements: dict[str, list[tuple[str, int]]] = {}
        for order_id, status, amount in await self._rows(self.provider, MOVEMENTS):
            movements.setdefault(order_id, []).append((status, amount))
        known = await self._rows(self.provider, PAYMENTS)
        return {UUID(order_id): Payment(status, movements.get(order_id, [])) for order_id, status in known}

    async def _rows(self, journal: Path, sql: str) -> list[Any]:
        return await asyncio.to_thread(_read, journal, sql)


def _read(journal: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as opened:
        return opened.execute(sql).fetchall()


def _ledger(store: Store, name: str) -> AbstractAsyncContextManager[Any]:
    match store.engines[name]:
        case "postgres":
            return PostgresLedger.open(urlsplit(store.database)._replace(path=f"/{name}").geturl())
        case "azuresql":
            try:
                from localcloud.books_azuresql import AzureSqlLedger
            except ImportError as missing:
                raise Unreadable(f"unixODBC is missing: {missing}") from missing

            return AzureSqlLedger.open(store.azuresql, azuresql.database_of(store.azuresql, name))
        case _:
            return TablesLedger.open(store.storage, name)


def _letter(message_id: str | None, subject: str, head: bytes) -> Letter:
    return Letter(message_id or "", str(BytesHeaderParser().parsebytes(head)["X-Order-Id"] or ""), subject)


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {where: count for where, count in counts.items() if count}
