"""Stock and reservations in PostgreSQL: locked in the order of the products' ids, written with one statement."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import msgspec

from libs.common.messages.catalog import ReservedLine
from libs.common.postgres import Transaction
from services.catalog.stock import Reservation, ReservationStatus, Shelves, Stock

_lines = msgspec.json.Decoder(list[ReservedLine])

STOCK = """
SELECT s.product_id, s.on_hand, s.reserved, s.sold, s.received, s.version, p.name, p.deleted,
       p.status = 'published' AS published
FROM stock s JOIN products p ON p.id = s.product_id
"""

_WRITE_STOCK = """
UPDATE stock s
SET on_hand = n.on_hand, reserved = n.reserved, sold = n.sold, received = n.received, version = n.version
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
     AS n (product_id, on_hand, reserved, sold, received, version)
WHERE s.product_id = n.product_id AND s.version < n.version
"""

_WRITE_RESERVATION = f"""
WITH settled AS (UPDATE reservations SET status = $8, lines = $9, version = $10 WHERE order_id = $7)
{_WRITE_STOCK}
"""  # noqa: S608  constant texts


async def lock_stock(tx: Transaction, products: Iterable[UUID]) -> Shelves:
    rows = await tx.fetch(
        f"{STOCK} WHERE s.product_id = ANY($1::uuid[]) ORDER BY s.product_id FOR UPDATE OF s", list(products)
    )
    return {row["product_id"]: Stock(**row) for row in rows}


async def lock_reservation(tx: Transaction, order_id: UUID) -> Reservation:
    """A new one where there is none yet: so whoever asks second waits for the first, whatever the two want."""
    (row,) = await tx.fetch(
        """INSERT INTO reservations AS known (order_id, status) VALUES ($1, 'new')
           ON CONFLICT (order_id) DO UPDATE SET status = known.status RETURNING status, lines, version""",
        order_id,
    )
    return Reservation(order_id, ReservationStatus(row["status"]), _lines.decode(row["lines"]), row["version"])


async def write_stock(tx: Transaction, stocks: Iterable[Stock]) -> None:
    await tx.execute(_WRITE_STOCK, *_arrays(stocks))


async def write_reservation(tx: Transaction, reservation: Reservation, shelves: Shelves) -> None:
    lines = msgspec.json.encode(reservation.lines).decode()
    settled = (reservation.order_id, reservation.status, lines, reservation.version)
    await tx.execute(_WRITE_RESERVATION, *_arrays(shelves.values()), *settled)


def _arrays(stocks: Iterable[Stock]) -> Iterator[list[Any]]:
    rows = list(stocks)
    for column in ("product_id", "on_hand", "reserved", "sold", "received", "version"):
        yield [getattr(stock, column) for stock in rows]
