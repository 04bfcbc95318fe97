"""A service's books in PostgreSQL."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from localcloud.books import Line, Offer, Order, Reservation, Stock, Unreadable, pieces

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30

STOCK = "SELECT product_id, received, on_hand, reserved, sold FROM stock"
MOVEMENTS = """
SELECT product_id, sum(received)::bigint AS received, sum(on_hand)::bigint AS on_hand,
       sum(reserved)::bigint AS reserved, sum(sold)::bigint AS sold
FROM movements GROUP BY product_id
"""
RESERVATIONS = """
SELECT order_id, CASE WHEN returned THEN 'returned' ELSE status END AS status, lines FROM reservations
"""
OFFERS = """
SELECT id, sku, name, price, currency, version, tax_rate FROM products WHERE status = 'published' AND NOT deleted
"""
PRICES = "SELECT product_id AS id, sku, name, price, currency, version, tax_rate FROM price_list WHERE listed"
ORDERS = """
SELECT id, customer_id, COALESCE(NULLIF(fulfilment, ''), status) AS status, lines,
       ARRAY(
           SELECT told.status FROM (
               SELECT version, status FROM history WHERE order_id = o.id
               UNION ALL
               SELECT version, substr(name, 7) FROM timeline WHERE order_id = o.id AND name LIKE 'order-%'
           ) AS told ORDER BY told.version
       ) AS history
FROM orders o
"""

_lines = msgspec.json.Decoder(list[Line])


@dataclass(frozen=True, slots=True)
class PostgresLedger:
    connection: asyncpg.Connection

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["PostgresLedger"]:
        """`url` is of one who may read this database. Raises Unreadable."""
        with _away_is_unreadable():
            connection = await asyncpg.connect(
                url,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                server_settings={"default_transaction_read_only": "on"},
            )
        try:
            yield cls(connection)
        finally:
            await connection.close(timeout=CONNECT_SECONDS)

    async def unpublished(self) -> int:
        return await self._count("SELECT count(*) FROM outbox")

    async def unpublishable(self) -> int:
        return await self._count("SELECT count(*) FROM outbox_dead")

    async def stocks(self) -> list[Stock]:
        return [Stock(**row) for row in await self._rows(STOCK)]

    async def movements(self) -> list[Stock]:
        return [Stock(**row) for row in await self._rows(MOVEMENTS)]

    async def reservations(self) -> dict[UUID, Reservation]:
        return {
            row["order_id"]: Reservation(row["status"], pieces(_lines.decode(row["lines"])))
            for row in await self._rows(RESERVATIONS)
        }

    async def offers(self) -> dict[UUID, Offer]:
        return {product_id: Offer(*of) for product_id, *of in await self._rows(OFFERS)}

    async def prices(self) -> dict[UUID, Offer]:
        return {product_id: Offer(*of) for product_id, *of in await self._rows(PRICES)}

    async def unsettled(self) -> int:
        return await self._count("SELECT count(*) FROM orders WHERE status = 'placed'")

    async def orders(self) -> dict[UUID, Order]:
        return {
            row["id"]: Order.of(row["customer_id"], row["status"], _lines.decode(row["lines"]), row["history"])
            for row in await self._rows(ORDERS)
        }

    async def keys(self) -> Counter[UUID]:
        return Counter(row["order_id"] for row in await self._rows("SELECT order_id FROM idempotency"))

    async def _count(self, sql: str) -> int:
        return int((await self._rows(sql))[0][0])

    async def _rows(self, sql: str) -> list[Any]:
        with _away_is_unreadable():
            return list(await self.connection.fetch(sql))


@contextmanager
def _away_is_unreadable() -> Iterator[None]:
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unreadable(f"PostgreSQL: {error or type(error).__name__}") from error
