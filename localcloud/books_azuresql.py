"""A service's books in Azure SQL. pyodbc waits in a thread, and is imported only here and where databases are made."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pyodbc

from localcloud import azuresql
from localcloud.books import Line, Offer, Order, Reservation, Stock, Unreadable, pieces, story

ORDERS = """
SELECT id, customer_id, CASE WHEN fulfilment = '' THEN status ELSE fulfilment END AS status, lines FROM orders
"""
HISTORY = "SELECT order_id, version, status FROM history"
TIMELINE = "SELECT order_id, version, name FROM timeline WHERE kind = 'told'"
STOCK = "SELECT product_id, received, on_hand, reserved, sold FROM stock"
MOVEMENTS = """
SELECT product_id, SUM(received) AS received, SUM(on_hand) AS on_hand, SUM(reserved) AS reserved, SUM(sold) AS sold
FROM movements GROUP BY product_id
"""
OFFERS = """
SELECT id, sku, name, price, currency, version, tax_rate FROM products WHERE status = 'published' AND deleted = 0
"""
PRICES = "SELECT product_id, sku, name, price, currency, version, tax_rate FROM price_list WHERE listed = 1"
RESERVATIONS = """
SELECT order_id, CASE WHEN returned = 1 THEN 'returned' ELSE status END AS status, lines FROM reservations
"""

_lines = msgspec.json.Decoder(list[Line])


@dataclass(frozen=True, slots=True)
class AzureSqlLedger:
    connection: pyodbc.Connection

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, database: str) -> AsyncIterator["AzureSqlLedger"]:
        """`url` is of one who may read every database of the server. Raises Unreadable."""
        with _away_is_unreadable():
            connection = await asyncio.to_thread(azuresql.connect, url, database)
        try:
            yield cls(connection)
        finally:
            await asyncio.to_thread(connection.close)

    async def unpublished(self) -> int:
        return await self._count("SELECT COUNT(*) FROM outbox")

    async def unpublishable(self) -> int:
        return await self._count("SELECT COUNT(*) FROM outbox_dead")

    async def stocks(self) -> list[Stock]:
        return [Stock(UUID(bytes=product_id), *figures) for product_id, *figures in await self._rows(STOCK)]

    async def movements(self) -> list[Stock]:
        return [Stock(UUID(bytes=key), *map(int, figures)) for key, *figures in await self._rows(MOVEMENTS)]

    async def reservations(self) -> dict[UUID, Reservation]:
        rows = await self._rows(RESERVATIONS)
        return {UUID(bytes=key): Reservation(status, pieces(_lines.decode(lines))) for key, status, lines in rows}

    async def offers(self) -> dict[UUID, Offer]:
        return {UUID(bytes=key): Offer(*of) for key, *of in await self._rows(OFFERS)}

    async def prices(self) -> dict[UUID, Offer]:
        return {UUID(bytes=key): Offer(*of) for key, *of in await self._rows(PRICES)}

    async def unsettled(self) -> int:
        return await self._count("SELECT COUNT(*) FROM orders WHERE status = 'placed'")

    async def orders(self) -> dict[UUID, Order]:
        told: dict[bytes, list[tuple[int, str]]] = {}
        for sql in (HISTORY, TIMELINE):
            for key, version, said in await self._rows(sql):
                told.setdefault(key, []).append((version, said))
        return {
            UUID(bytes=key): Order.of(UUID(bytes=buyer), status, _lines.decode(lines), story(told.get(key, [])))
            for key, buyer, status, lines in await self._rows(ORDERS)
        }

    async def keys(self) -> Counter[UUID]:
        return Counter(UUID(bytes=key) for (key,) in await self._rows("SELECT order_id FROM idempotency"))

    async def _count(self, sql: str) -> int:
        return int((await self._rows(sql))[0][0])

    async def _rows(self, sql: str) -> list[Any]:
        with _away_is_unreadable():
            return await asyncio.to_thread(lambda: self.connection.execute(sql).fetchall())


@contextmanager
def _away_is_unreadable() -> Iterator[None]:
    try:
        yield
    except pyodbc.Error as error:
        raise Unreadable(f"Azure SQL: {error}") from error
