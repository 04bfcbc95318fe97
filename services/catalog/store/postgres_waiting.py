"""Who waits for what in PostgreSQL: a list changes while the product's stock is locked, so its length is known."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.postgres import Transaction
from services.catalog.stock import CALLED_AT_ONCE, MOST_WAITED_FOR, TooManyWaits, on_sale
from services.catalog.store.postgres_stock import PostgresStock, lock_stock, write_stock

_WAIT = """
WITH added AS (INSERT INTO waiting (product_id, customer_id, since) VALUES ($1, $2, $3))
UPDATE stock SET waiting = $4 WHERE product_id = $1
"""
_DISMISS = "DELETE FROM waiting WHERE customer_id = $1 AND product_id = ANY($2::uuid[]) RETURNING product_id"
_FEWER = """
UPDATE stock s SET waiting = n.waiting FROM unnest($1::uuid[], $2::bigint[]) AS n (product_id, waiting)
WHERE s.product_id = n.product_id
"""
_CALL = """
DELETE FROM waiting WHERE product_id = $1 AND customer_id IN (
    SELECT customer_id FROM waiting WHERE product_id = $1 ORDER BY customer_id LIMIT $2)
RETURNING customer_id
"""


class PostgresWaiting(PostgresStock):
    most_waits = MOST_WAITED_FOR

    async def wait(self, product_id: UUID, customer_id: UUID, at: datetime) -> datetime:
        async with self._database.transaction() as tx:
            stock = on_sale((await lock_stock(tx, [product_id])).get(product_id))
            if since := await _since(tx, product_id, customer_id):
                return since
            (own,) = await tx.fetch("SELECT count(*) AS total FROM waiting WHERE customer_id = $1", customer_id)
            if own["total"] >= self.most_waits:
                raise TooManyWaits
            stock.admit()
            await tx.execute(_WAIT, product_id, customer_id, at, stock.waiting)
        return at

    async def waits_since(self, product_id: UUID, customer_id: UUID) -> datetime | None:
        row = await self._database.fetchrow(
            "SELECT since FROM waiting WHERE product_id = $1 AND customer_id = $2", product_id, customer_id
        )
        return row["since"] if row else None

    async def waits_of(self, customer_id: UUID) -> dict[UUID, datetime]:
        rows = await self._database.fetch(
            "SELECT product_id, since FROM waiting WHERE customer_id = $1 ORDER BY product_id", customer_id
        )
        return {row["product_id"]: row["since"] for row in rows}

    async def stop_waiting(self, product_id: UUID, customer_id: UUID) -> None:
        async with self._database.transaction() as tx:
            await _dismiss(tx, [product_id], customer_id)

    async def forget_customer(self, customer_id: UUID) -> None:
        async with self._database.transaction() as tx:
            rows = await tx.fetch("SELECT product_id FROM waiting WHERE customer_id = $1", customer_id)
            await _dismiss(tx, [row["product_id"] for row in rows], customer_id)

    async def call_waiting(self, product_id: UUID, at: datetime) -> bool:
        async with self._database.transaction() as tx:
            stock = (await lock_stock(tx, [product_id])).get(product_id)
            if stock is None or not stock.may_call:
                return False
            rows = await tx.fetch(_CALL, product_id, CALLED_AT_ONCE)
            if rows:
                facts = stock.call([row["customer_id"] for row in rows], at)
                await write_stock(tx, [stock])
                await tx.tell_all(facts)
        return len(rows) == CALLED_AT_ONCE


async def _since(tx: Transaction, product_id: UUID, customer_id: UUID) -> datetime | None:
    row = await tx.fetchrow(
        "SELECT since FROM waiting WHERE product_id = $1 AND customer_id = $2", product_id, customer_id
    )
    return row["since"] if row else None


async def _dismiss(tx: Transaction, products: Sequence[UUID], customer_id: UUID) -> None:
    """First the stock is locked, like wherever else a list becomes longer or shorter."""
    shelves = await lock_stock(tx, products)
    stocks = [shelves[row["product_id"]] for row in await tx.fetch(_DISMISS, customer_id, products)]
    for stock in stocks:
        stock.dismiss()
    if stocks:
        await tx.execute(_FEWER, [stock.product_id for stock in stocks], [stock.waiting for stock in stocks])
