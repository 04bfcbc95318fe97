"""Orders in Azure SQL. Placing one is one batch of statements, and so one round trip and one commit."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from libs.common import telemetry
from libs.common.azuresql import AzureSql, Row, Transaction, UniqueViolation
from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.messages import encode_fact
from libs.common.messages.customers import Status as CustomerStatus
from libs.common.messages.orders import OrderedLine
from services.orders.domain import BlockedCustomer, Order, Price, Status, UnknownCustomer
from services.orders.store import Action, Attempt, Draft, Entry, KeyReused, Receipt, StateCount

SCHEMA = Path(__file__).with_name("azuresql.sql").read_text()
MOST_TRIES = 3  # of placing an order while its prices change
PRICES_KEPT = 50_000
NOBODY = UUID(int=0)

_lines = msgspec.json.Decoder(list[OrderedLine])
_rows = msgspec.json.Encoder(uuid_format="hex")  # for OPENJSON: a list of any length is one parameter, and one plan

# What the order relied on is looked at again where it is written: the cached prices must still hold, and the buyer must
# be active. Where one is not so, there is no order, and nothing that hangs on it; the answer says which. A key that is
# not new ends the batch with an error: that is rare, and looking first would lock the range around it. The buyer's line
# stays locked until the commit, so that nobody is erased meanwhile.
PLACE = """
BEGIN TRANSACTION;
INSERT INTO orders (id, customer_id, status, currency, total, lines, version, placed_at)
SELECT ?, customer_id, 'placed', ?, ?, ?, 1, ?
FROM directory WITH (REPEATABLEREAD, ROWLOCK)
WHERE customer_id = ? AND status = 'active' AND NOT EXISTS (
    SELECT 1 FROM OPENJSON(?) WITH (product_id char(32) '$.product_id', version bigint '$.version') AS r
    WHERE NOT EXISTS (
        SELECT 1 FROM price_list AS p
        WHERE p.product_id = CONVERT(binary(16), r.product_id, 2) AND p.version = r.version AND p.listed = 1
    )
);
INSERT INTO idempotency (customer_id, [key], fingerprint, order_id, answer, at)
SELECT customer_id, ?, ?, id, ?, placed_at FROM orders WHERE id = ?;
INSERT INTO history (order_id, version, status, at) SELECT id, version, status, placed_at FROM orders WHERE id = ?;
INSERT INTO outbox (event) SELECT ? FROM orders WHERE id = ?;
COMMIT TRANSACTION;
SELECT
    (SELECT COUNT(*) FROM orders WHERE id = ?) AS placed,
    (SELECT status FROM directory WHERE customer_id = ?) AS buyer
"""


_ORDER = """
SELECT id, customer_id, status, currency, lines, reason, version, placed_at FROM orders WHERE id = ?
"""
_LOCK_ORDER = """
SELECT id, customer_id, status, currency, lines, reason, version, placed_at
FROM orders WITH (UPDLOCK, ROWLOCK) WHERE id = ?
"""
_ORDERS = """
SELECT TOP (?) id, customer_id, status, currency, lines, reason, version, placed_at
FROM orders WHERE id < ? ORDER BY id DESC
"""
_ORDERS_OF_CUSTOMER = """
SELECT TOP (?) id, customer_id, status, currency, lines, reason, version, placed_at
FROM orders WHERE customer_id = ? AND id < ? ORDER BY id DESC
"""
_STATES = """
SELECT status, COUNT(*) AS [count], MIN(placed_at) AS oldest
FROM (SELECT TOP (?) status, placed_at FROM orders ORDER BY id DESC) AS newest
GROUP BY status
"""


class AzureSqlStore:
    def __init__(self, database: AzureSql) -> None:
        self._database = database
        self._prices: dict[UUID, Price] = {}  # a guess that PLACE verifies

    async def place(self, attempt: Attempt, draft: Draft) -> Receipt:
        for _ in range(MOST_TRIES):
            remembered = not self._prices.keys().isdisjoint(attempt.products)
            try:
                prices = await self._prices_of(attempt.products)
                order, answer = draft(prices)
                found = await self._write(attempt, order, answer, prices)
                if found and found.placed:
                    self._database.told.set()
                    return Receipt(order.id, answer)
                if found:
                    _refuse_buyer(found.buyer)
            except StoreError:  # what is wrong now was not wrong the first time
                if receipt := await self._receipt(attempt):
                    return receipt
                if not remembered:  # else it may be an old price that is refused
                    raise
            if receipt := await self._receipt(attempt):
                return receipt
            for product_id in attempt.products:
                self._prices.pop(product_id, None)
        raise Unavailable("prices are changing; try again")

    async def _write(self, attempt: Attempt, order: Order, answer: bytes, prices: Mapping[UUID, Price]) -> Row | None:
        """None where the key is taken."""
        order_id, customer_id = order.id.bytes, order.customer_id.bytes
        lines = msgspec.json.encode(order.lines).decode()
        held = [{"product_id": line.product_id, "version": prices[line.product_id].version} for line in order.lines]
        relied = _rows.encode(held).decode()
        written = (order_id, order.currency, order.total, lines, order.placed_at, customer_id, relied)
        kept = (attempt.key, attempt.fingerprint, answer, order_id)
        event = encode_fact(order.placed(), telemetry.traceparent())
        values = (*written, *kept, order_id, event, order_id, order_id, customer_id)
        try:
            return await self._database.fetchrow(PLACE, *values)
        except UniqueViolation:
            return None

    async def _receipt(self, attempt: Attempt) -> Receipt | None:
        row = await self._database.fetchrow(
            "SELECT fingerprint, order_id, answer FROM idempotency WHERE customer_id = ? AND [key] = ?",
            attempt.customer_id.bytes,
            attempt.key,
        )
        if row is None:
            return None
        if row.fingerprint != attempt.fingerprint:
            raise KeyReused("Idempotency-Key", KeyReused.__doc__ or "")
        return Receipt(UUID(bytes=row.order_id), row.answer)

    async def _prices_of(self, products: Iterable[UUID]) -> Mapping[UUID, Price]:
        if unknown := [product_id for product_id in products if product_id not in self._prices]:
            rows = await self._database.fetch(
                """SELECT product_id, sku, name, price, currency, version
                   FROM price_list
                   WHERE listed = 1 AND product_id IN (
                       SELECT CONVERT(binary(16), id, 2) FROM OPENJSON(?) WITH (id char(32) '$.id'))""",
                _rows.encode([{"id": product_id} for product_id in unknown]).decode(),
            )
            while self._prices and len(self._prices) + len(rows) > PRICES_KEPT:
                self._prices.pop(next(iter(self._prices)))
            self._prices.update({price.product_id: price for price in map(_price, rows)})
        return {product_id: self._prices[product_id] for product_id in products if product_id in self._prices}

    async def change(
        self, order_id: UUID, act: Action, *, cause: str | None = None, customer_id: UUID | None = None
    ) -> Order:
        def work(tx: Transaction) -> Order:
            row = tx.fetchrow(_LOCK_ORDER, order_id.bytes)
            order = _owned(row, customer_id)
            if tx.first_time(cause) and (fact := act(order)):
                tx.execute(
                    """UPDATE orders SET status = ?, reason = ?, version = ? WHERE id = ?;
                       INSERT INTO history (order_id, version, status, at, reason)
                       SELECT id, version, status, ?, reason FROM orders WHERE id = ?""",
                    order.status,
                    order.reason,
                    order.version,
                    order.id.bytes,
                    fact.at,
                    order.id.bytes,
                )
                tx.tell(fact)
            return order

        return await self._database.transact(work)

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        return _owned(await self._database.fetchrow(_ORDER, order_id.bytes), customer_id)

    async def page(self, customer_id: UUID | None, before: UUID | None, limit: int) -> list[Order]:
        beyond = (before or UUID(int=2**128 - 1)).bytes
        if customer_id:
            rows = await self._database.fetch(_ORDERS_OF_CUSTOMER, limit, customer_id.bytes, beyond)
        else:
            rows = await self._database.fetch(_ORDERS, limit, beyond)
        return [_order(row) for row in rows]

    async def history(self, order_id: UUID, customer_id: UUID | None = None) -> list[Entry]:
        await self.read(order_id, customer_id)
        rows = await self._database.fetch(
            "SELECT version, status, at, reason FROM history WHERE order_id = ? ORDER BY version", order_id.bytes
        )
        return [Entry(row.version, Status(row.status), row.at, row.reason) for row in rows]

    async def states(self, newest: int) -> list[StateCount]:
        rows = await self._database.fetch(_STATES, newest)
        return [StateCount(Status(row.status), row.count, row.oldest) for row in rows]

    async def list_price(self, price: Price) -> None:
        await self._note_price(price, listed=True)

    async def delist(self, product_id: UUID, version: int) -> None:
        await self._note_price(Price(product_id, "", "", 0, "", version), listed=False)

    async def _note_price(self, price: Price, *, listed: bool) -> None:
        values = (price.product_id.bytes, price.sku, price.name, price.price, price.currency, price.version, listed)
        await self._database.transact(lambda tx: tx.execute(_NOTE_PRICE, *values))

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        await self._database.transact(lambda tx: tx.execute(_KNOW_CUSTOMER, customer_id.bytes, status, version))

    async def forget_customer(self, customer_id: UUID, version: int, at: datetime) -> None:
        whose = customer_id.bytes

        def work(tx: Transaction) -> None:
            tx.execute(_KNOW_CUSTOMER, whose, "erased", version)
            tx.execute(
                "UPDATE orders SET customer_id = ? WHERE customer_id = ? AND placed_at <= ?", NOBODY.bytes, whose, at
            )
            tx.execute("DELETE FROM idempotency WHERE customer_id = ? AND at <= ?", whose, at)

        await self._database.transact(work)


# HOLDLOCK: else two at once could both find that there is no such row yet.
_NOTE_PRICE = """
MERGE INTO price_list WITH (HOLDLOCK) AS known
USING (VALUES (?, ?, ?, ?, ?, ?, ?)) AS news (product_id, sku, name, price, currency, version, listed)
ON known.product_id = news.product_id
WHEN MATCHED AND known.version < news.version THEN
    UPDATE SET sku = news.sku, name = news.name, price = news.price, currency = news.currency,
        version = news.version, listed = news.listed
WHEN NOT MATCHED THEN
    INSERT (product_id, sku, name, price, currency, version, listed)
    VALUES (news.product_id, news.sku, news.name, news.price, news.currency, news.version, news.listed);
"""

_KNOW_CUSTOMER = """
MERGE INTO directory WITH (HOLDLOCK) AS known
USING (VALUES (?, ?, ?)) AS news (customer_id, status, version)
ON known.customer_id = news.customer_id
WHEN MATCHED AND known.version < news.version THEN
    UPDATE SET status = news.status, version = news.version
WHEN NOT MATCHED THEN
    INSERT (customer_id, status, version) VALUES (news.customer_id, news.status, news.version);
"""


def _refuse_buyer(status: str | None) -> None:
    if status == "blocked":
        raise BlockedCustomer
    if status != "active":
        raise UnknownCustomer


def _owned(row: Row | None, customer_id: UUID | None) -> Order:
    order = _order(row) if row else None
    if order is None or customer_id not in (None, order.customer_id):
        raise NotFound
    return order


def _order(row: Row) -> Order:
    return Order(
        id=UUID(bytes=row.id),
        customer_id=UUID(bytes=row.customer_id),
        currency=row.currency,
        lines=_lines.decode(row.lines),
        placed_at=row.placed_at,
        status=Status(row.status),
        version=row.version,
        reason=row.reason,
    )


def _price(row: Row) -> Price:
    return Price(UUID(bytes=row.product_id), row.sku, row.name, row.price, row.currency, row.version)
