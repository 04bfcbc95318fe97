"""Stock, reservations and the ledger in PostgreSQL: locked in the order of the products' ids, written together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from libs.common.errors import NotFound, Stale
from libs.common.messages.catalog import ReservedLine
from libs.common.postgres import Postgres, Transaction
from services.catalog.reservations import Reservation
from services.catalog.stock import Counts, Kind, Movement, Shelves, Stock, on_sale
from services.catalog.store import BALANCED_AT_ONCE, Delivery, ReservationAction, Show, StockAction
from services.catalog.store.rows import kept_status, status_of

_lines = msgspec.json.Decoder(list[ReservedLine])

STOCK = """
SELECT s.product_id, s.on_hand, s.reserved, s.sold, s.received, s.version, s.reorder_level, s.waiting,
       p.name, p.sku, p.deleted, p.status = 'published' AS published
FROM stock s JOIN products p ON p.id = s.product_id
"""

_MOVEMENTS = """
SELECT product_id, version, kind, on_hand, reserved, sold, received, reason, order_id, at
FROM movements WHERE product_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3
"""

# What has moved past the ledger is still missing there: then `recorded` stays behind.
_WRITE_STOCK = """
WITH recorded AS (
    INSERT INTO movements (product_id, version, kind, on_hand, reserved, sold, received, reason, order_id, at)
    SELECT product_id, version, kind, on_hand, reserved, sold, received, reason, order_id, at
    FROM unnest($9::uuid[], $10::bigint[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
                $16::text[], $17::uuid[], $18::timestamptz[])
         AS m (product_id, version, kind, on_hand, reserved, sold, received, reason, order_id, at)
)
UPDATE stock s
SET on_hand = n.on_hand, reserved = n.reserved, sold = n.sold, received = n.received, version = n.version,
    reorder_level = n.reorder_level, waiting = n.waiting,
    recorded = CASE WHEN s.recorded = s.version THEN n.version ELSE s.recorded END
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::bigint[])
     AS n (product_id, on_hand, reserved, sold, received, version, reorder_level, waiting)
WHERE s.product_id = n.product_id AND s.version < n.version
"""
_STOCK_COLUMNS = ("product_id", "on_hand", "reserved", "sold", "received", "version", "reorder_level", "waiting")
_MOVEMENT_COLUMNS = [each.name for each in fields(Movement)]
_values = attrgetter(*_MOVEMENT_COLUMNS)

_WRITE_RESERVATION = f"""
WITH settled AS (
    UPDATE reservations SET status = $20, returned = $21, lines = $22, version = $23 WHERE order_id = $19
), {_WRITE_STOCK.strip().removeprefix("WITH")}
"""  # noqa: S608  constant texts

_RECEIPT = "SELECT fingerprint, answer FROM receipts WHERE product_id = $1 AND key = $2"
_KEEP_RECEIPT = "INSERT INTO receipts (product_id, key, fingerprint, answer) VALUES ($1, $2, $3, $4)"

_UNBALANCED = f"""
{STOCK} WHERE s.product_id > $1 AND s.recorded < s.version ORDER BY s.product_id LIMIT $2 FOR UPDATE OF s
"""
_BALANCED = "UPDATE stock SET recorded = version WHERE product_id = ANY($1::uuid[])"
_SUMS = """
SELECT product_id, sum(on_hand)::bigint AS on_hand, sum(reserved)::bigint AS reserved, sum(sold)::bigint AS sold,
       sum(received)::bigint AS received
FROM movements WHERE product_id = ANY($1::uuid[]) GROUP BY product_id
"""


class PostgresStock:
    def __init__(self, database: Postgres) -> None:
        self._database = database

    async def stock(self, product_id: UUID) -> Stock:
        row = await self._database.fetchrow(f"{STOCK} WHERE s.product_id = $1", product_id)
        return on_sale(Stock(**row) if row else None)

    async def change_stock(
        self, product_id: UUID, act: StockAction, *, version: int | None = None, cause: str | None = None
    ) -> Stock:
        async with self._database.transaction() as tx:
            stock = on_sale((await lock_stock(tx, [product_id])).get(product_id))
            if version not in (None, stock.version):
                raise Stale
            if await tx.first_time(cause):
                await _change(tx, stock, act)
        return stock

    async def receive(self, delivery: Delivery, act: StockAction, show: Show) -> bytes:
        async with self._database.transaction() as tx:
            stocks = await lock_stock(tx, [delivery.product_id])  # whoever repeats it waits here
            if kept := await tx.fetchrow(_RECEIPT, delivery.product_id, delivery.key):
                return delivery.first_answer(**kept)
            stock = on_sale(stocks.get(delivery.product_id))
            if not await tx.first_time(delivery.cause):
                return show(stock)
            await _change(tx, stock, act)
            answer = show(stock)
            await tx.execute(_KEEP_RECEIPT, delivery.product_id, delivery.key, delivery.fingerprint, answer)
        return answer

    async def change_reservation(
        self, order_id: UUID, act: ReservationAction, *, cause: str, products: Iterable[UUID] = ()
    ) -> None:
        async with self._database.transaction() as tx:
            if not await tx.first_time(cause):
                return
            reservation = await _lock_reservation(tx, order_id)
            before = reservation.version
            shelves = await lock_stock(tx, [*products, *(line.product_id for line in reservation.lines)])
            facts = act(reservation, shelves)
            if reservation.version > before:
                await _write_reservation(tx, reservation, shelves)
            for fact in facts:
                await tx.tell(fact)

    async def movements(self, product_id: UUID, before: int, limit: int) -> list[Movement]:
        rows = await self._database.fetch(_MOVEMENTS, product_id, before, limit)
        if not rows and not await self._database.fetchrow(
            "SELECT product_id FROM stock WHERE product_id = $1", product_id
        ):
            raise NotFound
        return [_movement(row) for row in rows]

    async def balance(self, at: datetime) -> None:
        after: UUID | None = UUID(int=0)
        while after:
            after = await self._balance_some(after, at)

    async def _balance_some(self, after: UUID, at: datetime) -> UUID | None:
        """Of those that come after; which was the last."""
        async with self._database.transaction() as tx:
            rows = await tx.fetch(_UNBALANCED, after, BALANCED_AT_ONCE)
            stocks = [Stock(**row) for row in rows]
            sums = await tx.fetch(_SUMS, [stock.product_id for stock in stocks])
            known = {key: Counts(*counts) for key, *counts in map(tuple, sums)}
            for stock in stocks:
                stock.balance(known.get(stock.product_id, Counts()), at)
            await write_stock(tx, stocks)
            await tx.execute(_BALANCED, [stock.product_id for stock in stocks])
        return stocks[-1].product_id if stocks else None


async def lock_stock(tx: Transaction, products: Iterable[UUID]) -> Shelves:
    rows = await tx.fetch(
        f"{STOCK} WHERE s.product_id = ANY($1::uuid[]) ORDER BY s.product_id FOR UPDATE OF s", list(products)
    )
    return {row["product_id"]: Stock(**row) for row in rows}


async def write_stock(tx: Transaction, stocks: Sequence[Stock]) -> None:
    await tx.execute(_WRITE_STOCK, *_arrays(stocks))


async def _change(tx: Transaction, stock: Stock, act: StockAction) -> None:
    before, facts = stock.version, act(stock)
    if stock.version > before:
        await write_stock(tx, [stock])
    for fact in facts:
        await tx.tell(fact)


async def _lock_reservation(tx: Transaction, order_id: UUID) -> Reservation:
    """A new one where there is none yet: so whoever asks second waits for the first, whatever the two want."""
    (row,) = await tx.fetch(
        """INSERT INTO reservations AS known (order_id, status) VALUES ($1, 'new')
           ON CONFLICT (order_id) DO UPDATE SET status = known.status RETURNING status, returned, lines, version""",
        order_id,
    )
    status = status_of(row["status"], returned=row["returned"])
    return Reservation(order_id, status, _lines.decode(row["lines"]), row["version"])


async def _write_reservation(tx: Transaction, reservation: Reservation, shelves: Shelves) -> None:
    lines = msgspec.json.encode(reservation.lines).decode()
    status, returned = kept_status(reservation.status)
    settled = (reservation.order_id, status, returned, lines, reservation.version)
    await tx.execute(_WRITE_RESERVATION, *_arrays(list(shelves.values())), *settled)


def _arrays(stocks: Sequence[Stock]) -> Iterator[Sequence[Any]]:
    for column in _STOCK_COLUMNS:
        yield [getattr(stock, column) for stock in stocks]
    movements = [_values(movement) for stock in stocks for movement in stock.movements]
    yield from zip(*movements, strict=True) if movements else [[] for _ in _MOVEMENT_COLUMNS]


def _movement(row: Record) -> Movement:
    return Movement(**{**row, "kind": Kind(row["kind"])})
