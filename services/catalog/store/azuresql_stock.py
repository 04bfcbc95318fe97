"""Stock, reservations and the ledger in Azure SQL: locked in the order of the products' ids, written with one batch."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.azuresql import AzureSql, Row, Transaction, UniqueViolation
from libs.common.errors import NotFound, Stale
from libs.common.messages.catalog import ReservedLine
from services.catalog.reservations import Reservation
from services.catalog.stock import Counts, Kind, Movement, Shelves, Stock, on_sale
from services.catalog.store import BALANCED_AT_ONCE, Delivery, ReservationAction, Show, StockAction
from services.catalog.store.rows import kept_status, status_of

_lines = msgspec.json.Decoder(list[ReservedLine])
_rows = msgspec.json.Encoder(uuid_format="hex")  # for OPENJSON: a list of any length is one parameter, and one plan

_STOCK = """
SELECT s.product_id, s.on_hand, s.reserved, s.sold, s.received, s.version, s.reorder_level, s.waiting,
       p.name, p.sku, p.deleted, p.status
FROM stock AS s JOIN products AS p ON p.id = s.product_id WHERE s.product_id = ?
"""

# The join is a loop over what is asked for, so no other row is locked, and these in the order of the list.
_LOCK_STOCK = """
SELECT s.product_id, s.on_hand, s.reserved, s.sold, s.received, s.version, s.reorder_level, s.waiting,
       p.name, p.sku, p.deleted, p.status
FROM OPENJSON(?) WITH (id char(32) '$.id') AS asked
JOIN stock AS s WITH (UPDLOCK, ROWLOCK) ON s.product_id = CONVERT(binary(16), asked.id, 2)
JOIN products AS p ON p.id = s.product_id
ORDER BY s.product_id
OPTION (FORCE ORDER, LOOP JOIN, MAXDOP 1)
"""

_UNBALANCED = """
SELECT product_id FROM stock WHERE product_id > ? AND recorded < version
ORDER BY product_id OFFSET 0 ROWS FETCH NEXT ? ROWS ONLY
"""

_BALANCED = """
UPDATE stock SET recorded = version
WHERE product_id IN (SELECT CONVERT(binary(16), id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id'))
"""

_SUMS = """
SELECT product_id, SUM(on_hand) AS on_hand, SUM(reserved) AS reserved, SUM(sold) AS sold, SUM(received) AS received
FROM movements
WHERE product_id IN (SELECT CONVERT(binary(16), id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id'))
GROUP BY product_id
"""

# Two that look at the same moment both insert, and one of them is a UniqueViolation: its work is done again. HOLDLOCK
# would prevent that with a lock on the range behind the last order, so that all new orders would wait for each other.
_LOCK_RESERVATION = """
INSERT INTO reservations (order_id, status)
SELECT ?, 'new' WHERE NOT EXISTS (SELECT 1 FROM reservations WITH (UPDLOCK, ROWLOCK) WHERE order_id = ?);
SELECT status, returned, lines, version FROM reservations WITH (UPDLOCK, ROWLOCK) WHERE order_id = ?
"""

_MOVEMENTS = """
SELECT product_id, version, kind, on_hand, reserved, sold, received, reason, order_id, at
FROM movements WHERE product_id = ? AND version < ?
ORDER BY version DESC OFFSET 0 ROWS FETCH NEXT ? ROWS ONLY
"""

# What has moved past the ledger is still missing there: then `recorded` stays behind.
_WRITE_STOCK = """
UPDATE s
SET on_hand = n.on_hand, reserved = n.reserved, sold = n.sold, received = n.received, version = n.version,
    reorder_level = n.reorder_level, waiting = n.waiting,
    recorded = CASE WHEN s.recorded = s.version THEN n.version ELSE s.recorded END
FROM OPENJSON(?) WITH (
    product_id char(32) '$.product_id', on_hand bigint '$.on_hand', reserved bigint '$.reserved',
    sold bigint '$.sold', received bigint '$.received', version bigint '$.version',
    reorder_level bigint '$.reorder_level', waiting bigint '$.waiting'
) AS n
JOIN stock AS s ON s.product_id = CONVERT(binary(16), n.product_id, 2)
WHERE s.version < n.version
OPTION (FORCE ORDER, LOOP JOIN, MAXDOP 1);
INSERT INTO movements (product_id, version, kind, on_hand, reserved, sold, received, reason, order_id, at)
SELECT CONVERT(binary(16), m.product_id, 2), m.version, m.kind, m.on_hand, m.reserved, m.sold, m.received, m.reason,
       CONVERT(binary(16), m.order_id, 2), m.at
FROM OPENJSON(?) WITH (
    product_id char(32) '$.product_id', version bigint '$.version', kind varchar(9) '$.kind',
    on_hand bigint '$.on_hand', reserved bigint '$.reserved', sold bigint '$.sold', received bigint '$.received',
    reason nvarchar(max) '$.reason', order_id char(32) '$.order_id', at datetimeoffset(6) '$.at'
) AS m
"""

_RECEIPT = "SELECT fingerprint, answer FROM receipts WHERE product_id = ? AND [key] = ?"
_KEEP_RECEIPT = "INSERT INTO receipts (product_id, [key], fingerprint, answer) VALUES (?, ?, ?, ?)"

_WRITE_RESERVATION = "UPDATE reservations SET status = ?, returned = ?, lines = ?, version = ? WHERE order_id = ?"


class AzureSqlStock:
    def __init__(self, database: AzureSql) -> None:
        self._database = database

    async def stock(self, product_id: UUID) -> Stock:
        row = await self._database.fetchrow(_STOCK, product_id.bytes)
        return on_sale(_stock(row) if row else None)

    async def change_stock(
        self, product_id: UUID, act: StockAction, *, version: int | None = None, cause: str | None = None
    ) -> Stock:
        def work(tx: Transaction) -> Stock:
            stock = on_sale(lock_stock(tx, [product_id]).get(product_id))
            if version not in (None, stock.version):
                raise Stale
            if tx.first_time(cause):
                _change(tx, stock, act)
            return stock

        return await self._database.transact(work)

    async def receive(self, delivery: Delivery, act: StockAction, show: Show) -> bytes:
        whose = (delivery.product_id.bytes, delivery.key)

        def work(tx: Transaction) -> bytes:
            stocks = lock_stock(tx, [delivery.product_id])  # whoever repeats it waits here
            if kept := tx.fetchrow(_RECEIPT, *whose):
                return delivery.first_answer(kept.fingerprint, kept.answer)
            stock = on_sale(stocks.get(delivery.product_id))
            if not tx.first_time(delivery.cause):
                return show(stock)
            _change(tx, stock, act)
            answer = show(stock)
            tx.execute(_KEEP_RECEIPT, *whose, delivery.fingerprint, answer)
            return answer

        return await self._database.transact(work)

    async def change_reservation(
        self, order_id: UUID, act: ReservationAction, *, cause: str, products: Iterable[UUID] = ()
    ) -> None:
        def work(tx: Transaction) -> None:
            if not tx.first_time(cause):
                return
            reservation = _lock_reservation(tx, order_id)
            before = reservation.version
            shelves = lock_stock(tx, [*products, *(line.product_id for line in reservation.lines)])
            facts = act(reservation, shelves)
            if reservation.version > before:
                _write_reservation(tx, reservation, shelves)
            for fact in facts:
                tx.tell(fact)

        try:
            await self._database.transact(work)
        except UniqueViolation:  # another began this reservation at the same time: now there is one to lock
            await self._database.transact(work)

    async def movements(self, product_id: UUID, before: int, limit: int) -> list[Movement]:
        rows = await self._database.fetch(_MOVEMENTS, product_id.bytes, before, limit)
        if not rows and not await self._database.fetchrow(_STOCK, product_id.bytes):
            raise NotFound
        return [_movement(row) for row in rows]

    async def balance(self, at: datetime) -> None:
        after: UUID | None = UUID(int=0)
        while after:
            after = await self._balance_some(after, at)

    async def _balance_some(self, after: UUID, at: datetime) -> UUID | None:
        """Of those that come after; which was the last."""

        def work(tx: Transaction) -> UUID | None:
            found = [UUID(bytes=row.product_id) for row in tx.fetch(_UNBALANCED, after.bytes, BALANCED_AT_ONCE)]
            stocks = list(lock_stock(tx, found).values())
            known = {UUID(bytes=row.product_id): _counts(row) for row in tx.fetch(_SUMS, _ids(found))}
            for stock in stocks:
                stock.balance(known.get(stock.product_id, Counts()), at)
            write_stock(tx, stocks)
            tx.execute(_BALANCED, _ids(found))
            return found[-1] if found else None

        return await self._database.transact(work)


def lock_stock(tx: Transaction, products: Iterable[UUID]) -> Shelves:
    stocks = map(_stock, tx.fetch(_LOCK_STOCK, _ids(products)))
    return {stock.product_id: stock for stock in stocks}


def write_stock(tx: Transaction, stocks: Sequence[Stock]) -> None:
    tx.execute(_WRITE_STOCK, *_given(stocks))


def _change(tx: Transaction, stock: Stock, act: StockAction) -> None:
    before, facts = stock.version, act(stock)
    if stock.version > before:
        write_stock(tx, [stock])
    for fact in facts:
        tx.tell(fact)


def _lock_reservation(tx: Transaction, order_id: UUID) -> Reservation:
    """A new one where there is none yet: so whoever asks second waits for the first, whatever the two want."""
    (row,) = tx.fetch(_LOCK_RESERVATION, *[order_id.bytes] * 3)
    return Reservation(order_id, status_of(row.status, returned=row.returned), _lines.decode(row.lines), row.version)


def _write_reservation(tx: Transaction, reservation: Reservation, shelves: Shelves) -> None:
    lines = msgspec.json.encode(reservation.lines).decode()
    settled = (*kept_status(reservation.status), lines, reservation.version, reservation.order_id.bytes)
    tx.execute(f"{_WRITE_RESERVATION};{_WRITE_STOCK}", *settled, *_given(list(shelves.values())))


def _given(stocks: Sequence[Stock]) -> tuple[str, str]:
    """For OPENJSON: what there is, and how it has moved."""
    there = [{name: getattr(stock, name) for name in _COLUMNS} for stock in stocks]
    moved = [asdict(movement) for stock in stocks for movement in stock.movements]
    return _rows.encode(there).decode(), _rows.encode(moved).decode()


_COLUMNS = ("product_id", "on_hand", "reserved", "sold", "received", "version", "reorder_level", "waiting")


def _ids(products: Iterable[UUID]) -> str:
    return _rows.encode([{"id": product_id} for product_id in sorted(set(products))]).decode()


def _stock(row: Row) -> Stock:
    figures = (*_figures(row), row.version, row.reorder_level, row.waiting)
    published = row.status == "published"
    return Stock(UUID(bytes=row.product_id), row.name, row.deleted, *figures, sku=row.sku, published=published)


def _counts(row: Row) -> Counts:
    return Counts(*_figures(row))


def _figures(row: Row) -> tuple[int, int, int, int]:
    """SUM makes decimals of a bigint in some dialects."""
    return int(row.on_hand), int(row.reserved), int(row.sold), int(row.received)


def _movement(row: Row) -> Movement:
    said: dict[str, Any] = {name: getattr(row, name) for name in ("version", "reason", "at")}
    return Movement(
        product_id=UUID(bytes=row.product_id),
        kind=Kind(row.kind),
        on_hand=row.on_hand,
        reserved=row.reserved,
        sold=row.sold,
        received=row.received,
        order_id=UUID(bytes=row.order_id) if row.order_id else None,
        **said,
    )
