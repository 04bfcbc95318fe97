"""The books of a store that runs here: its three services', each on its engine, and its letters."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from localcloud.books import Books, CatalogLedger, Ledger, OrdersLedger, Unreadable
from localcloud.books_postgres import PostgresLedger
from localcloud.books_tables import TablesLedger
from localcloud.store import Store

LETTERS = "SELECT message_id FROM letters"


@dataclass(frozen=True, slots=True)
class Library:
    catalog: CatalogLedger
    orders: OrdersLedger
    customers: Ledger
    mail: Path  # the mail server's journal

    @classmethod
    @asynccontextmanager
    async def open(cls, store: Store) -> AsyncIterator["Library"]:
        """Raises Unreadable."""
        async with AsyncExitStack() as opened:
            catalog, orders, customers = [
                await opened.enter_async_context(_ledger(store, name)) for name in ("catalog", "orders", "customers")
            ]
            yield cls(catalog, orders, customers, store.state.journal("mail"))

    async def waiting(self) -> dict[str, int]:
        """Facts that are not published yet, and orders that are not settled yet."""
        outboxes = {f"outbox of {name}": await each.unpublished() for name, each in self._ledgers().items()}
        return _some({**outboxes, "orders": await self.orders.unsettled()})

    async def dead(self) -> dict[str, int]:
        """Facts that Event Grid will never take."""
        return _some({f"outbox of {name}": await each.unpublishable() for name, each in self._ledgers().items()})

    async def read(self, waiting: dict[str, int], dead: dict[str, int]) -> Books:
        return Books(
            stocks=await self.catalog.stocks(),
            rebuilt=await self.catalog.movements(),
            reservations=await self.catalog.reservations(),
            orders=await self.orders.orders(),
            keys=await self.orders.keys(),
            letters=await asyncio.to_thread(self._letters),
            waiting=waiting,
            dead=dead,
        )

    def _ledgers(self) -> dict[str, Ledger]:
        return {"catalog": self.catalog, "orders": self.orders, "customers": self.customers}

    def _letters(self) -> frozenset[str]:
        with closing(sqlite3.connect(f"file:{self.mail}?mode=ro", uri=True)) as journal:
            return frozenset(message_id for (message_id,) in journal.execute(LETTERS) if message_id)


def _ledger(store: Store, name: str) -> AbstractAsyncContextManager[Any]:
    match store.engines[name]:
        case "postgres":
            return PostgresLedger.open(urlsplit(store.database)._replace(path=f"/{name}").geturl())
        case "azuresql":
            try:
                from localcloud.books_azuresql import AzureSqlLedger
            except ImportError as missing:
                raise Unreadable(f"unixODBC is missing: {missing}") from missing

            return AzureSqlLedger.open(store.azuresql, name)
        case _:
            return TablesLedger.open(store.storage, name)


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {where: count for where, count in counts.items() if count}
