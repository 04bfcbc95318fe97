"""Stock and reservations in Azure SQL: locked in the order of the products' ids, written with one batch."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from libs.common.azuresql import Row, Transaction
from libs.common.messages.catalog import ReservedLine
from services.catalog.stock import Reservation, ReservationStatus, Shelves, Stock

_lines = msgspec.json.Decoder(list[ReservedLine])
_rows = msgspec.json.Encoder(uuid_format="hex")  # for OPENJSON: a list of any length is one parameter, and one plan

STOCK = """
SELECT s.product_id, s.on_hand, s.reserved, s.sold, s.received, s.version, p.name, p.deleted, p.status
FROM stock AS s JOIN products AS p ON p.id = s.product_id WHERE s.product_id = ?
"""

# The join is a loop over what is asked for, so no other row is locked, and these in the order of the list.
_LOCK_STOCK = """
SELECT s.product_id, s.on_hand, s.reserved, s.sold, s.received, s.version, p.name, p.deleted, p.status
FROM OPENJSON(?) WITH (id char(32) '$.id') AS asked
JOIN stock AS s WITH (UPDLOCK, ROWLOCK) ON s.product_id = CONVERT(binary(16), asked.id, 2)
JOIN products AS p ON p.id = s.product_id
ORDER BY s.product_id
OPTION (FORCE ORDER, LOOP JOIN, MAXDOP 1)
"""

# Two that look at the same moment both insert, and one of them is a UniqueViolation: its work is done again. HOLDLOCK
# would prevent that with a lock on the range behind the last order, so that all new orders would wait for each other.
_LOCK_RESERVATION = """
INSERT INTO reservations (order_id, status)
SELECT ?, 'new' WHERE NOT EXISTS (SELECT 1 FROM reservations WITH (UPDLOCK, ROWLOCK) WHERE order_id = ?);
SELECT status, lines, version FROM reservations WITH (UPDLOCK, ROWLOCK) WHERE order_id = ?
"""

_WRITE_STOCK = """
UPDATE s
SET on_hand = n.on_hand, reserved = n.reserved, sold = n.sold, received = n.received, version = n.version
FROM OPENJSON(?) WITH (
    product_id char(32) '$.product_id', on_hand bigint '$.on_hand', reserved bigint '$.reserved',
    sold bigint '$.sold', received bigint '$.received', version bigint '$.version'
) AS n
JOIN stock AS s ON s.product_id = CONVERT(binary(16), n.product_id, 2)
WHERE s.version < n.version
OPTION (FORCE ORDER, LOOP JOIN, MAXDOP 1)
"""

_WRITE_RESERVATION = "UPDATE reservations SET status = ?, lines = ?, version = ? WHERE order_id = ?"


def lock_stock(tx: Transaction, products: Iterable[UUID]) -> Shelves:
    asked = [{"id": product_id} for product_id in sorted(set(products))]
    stocks = map(stock_of, tx.fetch(_LOCK_STOCK, _rows.encode(asked).decode()))
    return {stock.product_id: stock for stock in stocks}


def lock_reservation(tx: Transaction, order_id: UUID) -> Reservation:
    """A new one where there is none yet: so whoever asks second waits for the first, whatever the two want."""
    (row,) = tx.fetch(_LOCK_RESERVATION, *[order_id.bytes] * 3)
    return Reservation(order_id, ReservationStatus(row.status), _lines.decode(row.lines), row.version)


def write_stock(tx: Transaction, stocks: Iterable[Stock]) -> None:
    tx.execute(_WRITE_STOCK, _rows.encode(list(stocks)).decode())


def write_reservation(tx: Transaction, reservation: Reservation, shelves: Shelves) -> None:
    lines = msgspec.json.encode(reservation.lines).decode()
    settled = (reservation.status, lines, reservation.version, reservation.order_id.bytes)
    tx.execute(f"{_WRITE_RESERVATION};{_WRITE_STOCK}", *settled, _rows.encode(list(shelves.values())).decode())


def stock_of(row: Row) -> Stock:
    figures = (row.on_hand, row.reserved, row.sold, row.received, row.version)
    return Stock(UUID(bytes=row.product_id), row.name, row.deleted, *figures, published=row.status == "published")
