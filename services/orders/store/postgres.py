"""Orders in PostgreSQL. Placing one is one statement, and so one round trip and one commit."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
from asyncpg import Record

from libs.common import telemetry
from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.messages import encode_fact
from libs.common.messages.customers import Status as CustomerStatus
from libs.common.messages.orders import OrderedLine
from libs.common.postgres import Postgres
from services.orders.domain import BlockedCustomer, Order, Price, Status, UnknownCustomer
from services.orders.store import Action, Attempt, Draft, Entry, KeyReused, Receipt, StateCount

SCHEMA = Path(__file__).with_name("postgres.sql").read_text()
MOST_TRIES = 3  # of placing an order while its prices change
PRICES_KEPT = 50_000
NOBODY = UUID(int=0)

_lines = msgspec.json.Decoder(list[OrderedLine])

# What the order relied on is looked at again where it is written: the cached prices must still hold, the buyer must
# be active, and the key must be new. Where one is not so, nothing is written and the answer says which. The line of the
# buyer stays locked until the commit, so that nobody is erased meanwhile.
PLACE = """
WITH relied AS (
    SELECT bool_and(listed AND p.version = r.version) IS TRUE AND count(p.version) = count(*) AS holds
    FROM unnest($10::uuid[], $11::bigint[]) AS r (product_id, version)
    LEFT JOIN price_list p USING (product_id)
), buyer AS (
    SELECT status FROM directory WHERE customer_id = $2 FOR SHARE
), first AS (
    INSERT INTO idempotency (customer_id, key, fingerprint, order_id, answer, at)
    SELECT $2, $7, $8, $1, $9, $6 FROM relied, buyer WHERE holds AND status = 'active'
    ON CONFLICT DO NOTHING
    RETURNING order_id
), placed AS (
    INSERT INTO orders (id, customer_id, status, currency, total, lines, version, placed_at)
    SELECT order_id, $2, 'placed', $3, $4, $5::jsonb, 1, $6 FROM first
), noted AS (
    INSERT INTO history (order_id, version, status, at) SELECT order_id, 1, 'placed', $6 FROM first
), told AS (
    INSERT INTO outbox (event) SELECT $12 FROM first
)
SELECT (SELECT holds FROM relied) AS holds, (SELECT status FROM buyer) AS buyer, EXISTS (SELECT FROM first) AS placed
"""


# Named, here and in all stores: a column that the next version adds must not change what this one gets.
_COLUMNS = "id, customer_id, status, currency, lines, reason, version, placed_at"
_STATES = """
SELECT status, count(*) AS count, min(placed_at) AS oldest
FROM (SELECT status, placed_at FROM orders ORDER BY id DESC LIMIT $1) AS newest
GROUP BY status
"""
_ORDER = f"SELECT {_COLUMNS} FROM orders WHERE id = $1"  # noqa: S608  constant texts


class PostgresStore:
    def __init__(self, database: Postgres) -> None:
        self._database = database
        self._prices: dict[UUID, Price] = {}  # a guess that PLACE verifies

    async def place(self, attempt: Attempt, draft: Draft) -> Receipt:
        for _ in range(MOST_TRIES):
            remembered = not self._prices.keys().isdisjoint(attempt.products)
            try:
                prices = await self._prices_of(attempt.products)
                order, answer = draft(prices)
                found = await self._write(attempt, order, answer, prices)
                if found["placed"]:
                    self._database.told.set()
                    return Receipt(order.id, answer)
                _refuse_buyer(found["buyer"])
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

    async def _write(self, attempt: Attempt, order: Order, answer: bytes, prices: Mapping[UUID, Price]) -> Record:
        (row,) = await self._database.fetch(
            PLACE,
            order.id,
            order.customer_id,
            order.currency,
            order.total,
            msgspec.json.encode(order.lines).decode(),
            order.placed_at,
            attempt.key,
            attempt.fingerprint,
            answer,
            [line.product_id for line in order.lines],
            [prices[line.product_id].version for line in order.lines],
            encode_fact(order.placed(), telemetry.traceparent()),
        )
        return row

    async def _receipt(self, attempt: Attempt) -> Receipt | None:
        row = await self._database.fetchrow(
            "SELECT fingerprint, order_id, answer FROM idempotency WHERE customer_id = $1 AND key = $2",
            attempt.customer_id,
            attempt.key,
        )
        if row is None:
            return None
        if row["fingerprint"] != attempt.fingerprint:
            raise KeyReused("Idempotency-Key", KeyReused.__doc__ or "")
        return Receipt(row["order_id"], row["answer"])

    async def _prices_of(self, products: Iterable[UUID]) -> Mapping[UUID, Price]:
        if unknown := [product_id for product_id in products if product_id not in self._prices]:
            rows = await self._database.fetch(
                """SELECT product_id, sku, name, price, currency, version
                   FROM price_list WHERE product_id = ANY($1::uuid[]) AND listed""",
                unknown,
            )
            while self._prices and len(self._prices) + len(rows) > PRICES_KEPT:
                self._prices.pop(next(iter(self._prices)))
            self._prices.update({row["product_id"]: Price(**row) for row in rows})
        return {product_id: self._prices[product_id] for product_id in products if product_id in self._prices}

    async def change(
        self, order_id: UUID, act: Action, *, cause: str | None = None, customer_id: UUID | None = None
    ) -> Order:
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(f"{_ORDER} FOR UPDATE", order_id)
            order = _owned(row, customer_id)
            if await tx.first_time(cause) and (fact := act(order)):
                await tx.execute(
                    """WITH changed AS (
                           UPDATE orders SET status = $2, reason = $3, version = $4 WHERE id = $1
                           RETURNING id, version, status, reason
                       )
                       INSERT INTO history (order_id, version, status, at, reason)
                       SELECT id, version, status, $5, reason FROM changed""",
                    order.id,
                    order.status,
                    order.reason,
                    order.version,
                    fact.at,
                )
                await tx.tell(fact)
        return order

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        return _owned(await self._database.fetchrow(_ORDER, order_id), customer_id)

    async def page(self, customer_id: UUID | None, before: UUID | None, limit: int) -> list[Order]:
        whose, values = ("customer_id = $3 AND ", [customer_id]) if customer_id else ("", [])
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM orders WHERE {whose} id < $1 ORDER BY id DESC LIMIT $2",  # noqa: S608  two constant texts
            before or UUID(int=2**128 - 1),
            limit,
            *values,
        )
        return [_order(row) for row in rows]

    async def history(self, order_id: UUID, customer_id: UUID | None = None) -> list[Entry]:
        await self.read(order_id, customer_id)
        rows = await self._database.fetch(
            "SELECT version, status, at, reason FROM history WHERE order_id = $1 ORDER BY version", order_id
        )
        return [Entry(row["version"], Status(row["status"]), row["at"], row["reason"]) for row in rows]

    async def states(self, newest: int) -> list[StateCount]:
        rows = await self._database.fetch(_STATES, newest)
        return [StateCount(Status(row["status"]), row["count"], row["oldest"]) for row in rows]

    async def list_price(self, price: Price) -> None:
        await self._note_price(price, listed=True)

    async def delist(self, product_id: UUID, version: int) -> None:
        await self._note_price(Price(product_id, "", "", 0, "", version), listed=False)

    async def _note_price(self, price: Price, *, listed: bool) -> None:
        await self._database.fetch(
            """INSERT INTO price_list AS known (product_id, sku, name, price, currency, version, listed)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (product_id) DO UPDATE SET (sku, name, price, currency, version, listed) =
                   (excluded.sku, excluded.name, excluded.price, excluded.currency, excluded.version, excluded.listed)
               WHERE known.version < excluded.version""",
            price.product_id,
            price.sku,
            price.name,
            price.price,
            price.currency,
            price.version,
            listed,
        )

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        await self._database.fetch(_KNOW_CUSTOMER, customer_id, status, version)

    async def forget_customer(self, customer_id: UUID, version: int, at: datetime) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(_KNOW_CUSTOMER, customer_id, "erased", version)
            await tx.execute(
                "UPDATE orders SET customer_id = $2 WHERE customer_id = $1 AND placed_at <= $3", customer_id, NOBODY, at
            )
            await tx.execute("DELETE FROM idempotency WHERE customer_id = $1 AND at <= $2", customer_id, at)


_KNOW_CUSTOMER = """
INSERT INTO directory AS known (customer_id, status, version) VALUES ($1, $2, $3)
ON CONFLICT (customer_id) DO UPDATE SET status = excluded.status, version = excluded.version
WHERE known.version < excluded.version
"""


def _refuse_buyer(status: str | None) -> None:
    if status == "blocked":
        raise BlockedCustomer
    if status != "active":
        raise UnknownCustomer


def _owned(row: Record | None, customer_id: UUID | None) -> Order:
    if row is None or customer_id not in (None, row["customer_id"]):
        raise NotFound
    return _order(row)


def _order(row: Record) -> Order:
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        currency=row["currency"],
        lines=_lines.decode(row["lines"]),
        placed_at=row["placed_at"],
        status=Status(row["status"]),
        version=row["version"],
        reason=row["reason"],
    )
