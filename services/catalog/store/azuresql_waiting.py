"""Who waits for what in Azure SQL: a list changes while the product's stock is locked, so its length is known."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.azuresql import Transaction
from services.catalog.stock import CALLED_AT_ONCE, MOST_WAITED_FOR, TooManyWaits, on_sale
from services.catalog.store.azuresql_stock import AzureSqlStock, lock_stock, write_stock

_rows = msgspec.json.Encoder(uuid_format="hex")

_SINCE = "SELECT since FROM waiting WHERE product_id = ? AND customer_id = ?"
_WAIT = """
INSERT INTO waiting (product_id, customer_id, since) VALUES (?, ?, ?);
UPDATE stock SET waiting = ? WHERE product_id = ?
"""
_OF_CUSTOMER = "SELECT product_id FROM waiting WHERE customer_id = ? ORDER BY product_id"
_DISMISS = """
DELETE FROM waiting WHERE customer_id = ? AND product_id IN (
    SELECT CONVERT(binary(16), g.product_id, 2) FROM OPENJSON(?) WITH (product_id char(32) '$.product_id') AS g
);
UPDATE s SET waiting = n.waiting
FROM OPENJSON(?) WITH (product_id char(32) '$.product_id', waiting bigint '$.waiting') AS n
JOIN stock AS s ON s.product_id = CONVERT(binary(16), n.product_id, 2)
WHERE s.waiting <> n.waiting
OPTION (FORCE ORDER, LOOP JOIN, MAXDOP 1)
"""
_DISMISS_FIRST = "DELETE FROM waiting WHERE product_id = ? AND customer_id <= ?"
_FIRST = """
SELECT customer_id FROM waiting WHERE product_id = ?
ORDER BY customer_id OFFSET 0 ROWS FETCH NEXT ? ROWS ONLY
"""


class AzureSqlWaiting(AzureSqlStock):
    most_waits = MOST_WAITED_FOR

    async def wait(self, product_id: UUID, customer_id: UUID, at: datetime) -> datetime:
        def work(tx: Transaction) -> datetime:
            stock = on_sale(lock_stock(tx, [product_id]).get(product_id))
            if row := tx.fetchrow(_SINCE, product_id.bytes, customer_id.bytes):
                since: datetime = row.since
                return since
            (own,) = tx.fetch("SELECT COUNT(*) AS total FROM waiting WHERE customer_id = ?", customer_id.bytes)
            if own.total >= self.most_waits:
                raise TooManyWaits
            stock.admit()
            tx.execute(_WAIT, product_id.bytes, customer_id.bytes, at, stock.waiting, product_id.bytes)
            return at

        return await self._database.transact(work)

    async def waits_since(self, product_id: UUID, customer_id: UUID) -> datetime | None:
        row = await self._database.fetchrow(_SINCE, product_id.bytes, customer_id.bytes)
        return row.since if row else None

    async def waits_of(self, customer_id: UUID) -> dict[UUID, datetime]:
        rows = await self._database.fetch(
            "SELECT product_id, since FROM waiting WHERE customer_id = ? ORDER BY product_id", customer_id.bytes
        )
        return {UUID(bytes=row.product_id): row.since for row in rows}

    async def stop_waiting(self, product_id: UUID, customer_id: UUID) -> None:
        def work(tx: Transaction) -> None:
            _dismiss(tx, [product_id], customer_id)

        await self._database.transact(work)

    async def forget_customer(self, customer_id: UUID) -> None:
        def work(tx: Transaction) -> None:
            _dismiss(tx, _waited_for(tx, customer_id), customer_id)

        await self._database.transact(work)

    async def call_waiting(self, product_id: UUID, at: datetime) -> bool:
        def work(tx: Transaction) -> bool:
            stock = lock_stock(tx, [product_id]).get(product_id)
            if stock is None or not stock.may_call:
                return False
            customers = [row.customer_id for row in tx.fetch(_FIRST, product_id.bytes, CALLED_AT_ONCE)]
            if customers:
                facts = stock.call([UUID(bytes=each) for each in customers], at)
                tx.execute(_DISMISS_FIRST, product_id.bytes, customers[-1])
                write_stock(tx, [stock])
                tx.tell_all(facts)
            return len(customers) == CALLED_AT_ONCE

        return await self._database.transact(work)


def _waited_for(tx: Transaction, customer_id: UUID) -> list[UUID]:
    return [UUID(bytes=row.product_id) for row in tx.fetch(_OF_CUSTOMER, customer_id.bytes)]


def _dismiss(tx: Transaction, products: Sequence[UUID], customer_id: UUID) -> None:
    """First the stock is locked, like wherever else a list becomes longer or shorter."""
    shelves = lock_stock(tx, products)
    stocks = [shelves[each] for each in _waited_for(tx, customer_id) if each in shelves]
    for stock in stocks:
        stock.dismiss()
    if stocks:
        said = _rows.encode([{"product_id": each.product_id, "waiting": each.waiting} for each in stocks]).decode()
        tx.execute(_DISMISS, customer_id.bytes, said, said)
