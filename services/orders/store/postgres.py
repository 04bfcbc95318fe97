"""Orders in PostgreSQL. Placing one is one statement, and so one round trip and one commit."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
from asyncpg import Record

from libs.common import telemetry
from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.ids import first_at
from libs.common.messages import encode_fact
from libs.common.messages.customers import Status as CustomerStatus
from libs.common.messages.orders import OrderedLine
from libs.common.postgres import Postgres, Transaction
from libs.common.together import Together
from services.orders.domain import BlockedCustomer, Order, Price, UnknownCustomer
from services.orders.store import LONGEST_PAGE, Action, Attempt, Draft, Receipt, Sought
from services.orders.store.entries import (
    BEGINNING,
    NOBODY,
    Note,
    Place,
    bounds,
    erased_until,
    joined,
    notes,
    settles,
    split,
)
from services.orders.store.postgres_statements import (
    BUYER,
    CHANGE,
    COLUMNS,
    DISOWN,
    IN,
    KNOW_CUSTOMER,
    LOCK_OF_CUSTOMER,
    NOTE,
    NOTE_PRICE,
    ORDER,
    PLACE,
    PRICES,
    TIMELINE,
    TOLD,
)
from services.orders.store.watch import Watch
from services.orders.transitions import Payment

SCHEMA = Path(__file__).with_name("postgres.sql").read_text()
MOST_TRIES = 3  # of placing an order while its prices change
PRICES_KEPT = 50_000
MOST_AT_ONCE = 64  # orders in one commit

_lines = msgspec.json.Decoder(list[OrderedLine])


class _Placed(NamedTuple):
    """What PLACE writes of an order; and the versions of the prices that it relied on."""

    id: UUID
    customer_id: UUID
    currency: str
    total: int
    lines: str
    placed_at: datetime
    key: str
    fingerprint: bytes
    answer: bytes
    event: bytes
    relied: Sequence[tuple[UUID, UUID, int]]  # order, product, version


class PostgresStore:
    def __init__(self, database: Postgres) -> None:
        self._database = database
        self.watch = Watch()
        self._prices: dict[UUID, Price] = {}  # a guess that PLACE verifies
        self.placing = Together(self._write, MOST_AT_ONCE)

    async def place(self, attempt: Attempt, draft: Draft) -> Receipt:
        for _ in range(MOST_TRIES):
            remembered = not self._prices.keys().isdisjoint(attempt.products)
            try:
                prices = await self._prices_of(attempt.products)
                order, answer = draft(prices)
                if await self.placing.answer(_placed(attempt, order, answer, prices)):
                    self._database.told.set()
                    return Receipt(order.id, answer)
            except Unavailable:
                raise
            except StoreError:  # what is wrong now was not wrong the first time
                if receipt := await self._receipt(attempt):
                    return receipt
                if not remembered:  # else it may be an old price that is refused
                    raise
            if receipt := await self._receipt(attempt):
                return receipt
            _refuse_buyer(await self._database.fetchrow(BUYER, attempt.customer_id))
            for product_id in attempt.products:
                self._prices.pop(product_id, None)
        raise Unavailable("prices are changing; try again")

    async def _write(self, orders: Sequence[_Placed]) -> list[bool]:
        """All that come at the same time share a round trip and a commit; what is refused of one holds up no other."""
        *columns, relied = zip(*orders, strict=True)
        rows = await self._database.fetch(PLACE, *columns, *zip(*chain.from_iterable(relied), strict=True))
        placed = {row["order_id"] for row in rows}
        return [each.id in placed for each in orders]

    async def _receipt(self, attempt: Attempt) -> Receipt | None:
        row = await self._database.fetchrow(
            "SELECT fingerprint, order_id, answer FROM idempotency WHERE customer_id = $1 AND key = $2",
            attempt.customer_id,
            attempt.key,
        )
        return attempt.receipt(**row) if row else None

    async def _prices_of(self, products: Iterable[UUID]) -> Mapping[UUID, Price]:
        if unknown := [product_id for product_id in products if product_id not in self._prices]:
            rows = await self._database.fetch(
                PRICES,
                unknown,
            )
            while self._prices and len(self._prices) + len(rows) > PRICES_KEPT:
                self._prices.pop(next(iter(self._prices)))
            self._prices.update({row["product_id"]: Price(**row) for row in rows})
        return {product_id: self._prices[product_id] for product_id in products if product_id in self._prices}

    async def change(
        self,
        order_id: UUID,
        act: Action,
        *,
        cause: str | None = None,
        customer_id: UUID | None = None,
        heard: Note | None = None,
    ) -> Order:
        async with self._database.transaction() as tx:
            order = _owned(await tx.fetchrow(f"{ORDER} FOR UPDATE", order_id), customer_id)
            if await tx.first_time(cause):
                before, version = order.status, order.version
                fact = act(order)
                if order.version != version:
                    await _rewrite(tx, order, fact.at if fact else order.placed_at, settles(before, order))
                for note in notes(before, order, fact, heard):
                    await _note(tx, order_id, note)
                if fact:
                    await tx.tell(fact)
        self.watch.ring(order_id)
        return order

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        return _owned(await self._database.fetchrow(ORDER, order_id), customer_id)

    async def versions(self, order_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        rows = await self._database.fetch("SELECT id, version FROM orders WHERE id = ANY($1::uuid[])", order_ids)
        return {row["id"]: row["version"] for row in rows}

    async def page(self, sought: Sought, before: UUID | None, limit: int) -> list[Order]:
        whose, values = ("customer_id = $4 AND ", [sought.customer_id]) if sought.customer_id else ("", [])
        oldest, newest = bounds(sought.after, sought.before, before)
        rows = await self._database.fetch(
            f"""SELECT {COLUMNS} FROM orders
                WHERE {whose} {IN[sought.status]} id < $1 AND id >= $2 ORDER BY id DESC LIMIT $3""",  # noqa: S608  constant texts
            newest,
            oldest,
            limit,
            *values,
        )
        return [_order(row) for row in rows]

    async def waiting(self, since: datetime, most: int) -> list[UUID]:
        rows = await self._database.fetch(
            "SELECT id FROM orders WHERE status = 'placed' AND id < $1 ORDER BY id LIMIT $2", first_at(since), most
        )
        return [row["id"] for row in rows]

    async def timeline(
        self, order_id: UUID, customer_id: UUID | None = None, *, after: Place = BEGINNING, limit: int = LONGEST_PAGE
    ) -> list[Note]:
        await self.read(order_id, customer_id)
        return [Note(**row) for row in await self._database.fetch(TIMELINE, order_id, *after, limit)]

    async def told(self, order_id: UUID, customer_id: UUID | None = None) -> list[Note]:
        await self.read(order_id, customer_id)
        return [Note(**row) for row in await self._database.fetch(TOLD, order_id)]

    async def list_price(self, price: Price) -> None:
        await self._note_price(price, listed=True)

    async def delist(self, product_id: UUID, version: int) -> None:
        await self._note_price(Price(product_id, "", "", 0, "", version), listed=False)

    async def _note_price(self, price: Price, *, listed: bool) -> None:
        await self._database.fetch(
            NOTE_PRICE,
            price.product_id,
            price.sku,
            price.name,
            price.price,
            price.currency,
            price.version,
            listed,
            price.tax_rate,
        )

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        await self._database.fetch(KNOW_CUSTOMER, customer_id, status, version)

    async def forget_customer(self, customer_id: UUID, version: int, at: datetime) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(KNOW_CUSTOMER, customer_id, "erased", version)
            known = await tx.fetchrow(BUYER, customer_id)
            until = erased_until(known["status"] if known else None, at)
            await tx.execute(LOCK_OF_CUSTOMER, customer_id, until)
            await tx.execute(DISOWN, customer_id, NOBODY, until)
            await tx.execute("DELETE FROM idempotency WHERE customer_id = $1 AND at <= $2", customer_id, until)


async def _rewrite(tx: Transaction, order: Order, at: datetime, settled: bool) -> None:
    said = (order.payment, order.reason, order.carrier, order.tracking, order.payment_refusal)
    await tx.execute(CHANGE, order.id, *split(order.status), *said, order.version, at, settled)


async def _note(tx: Transaction, order_id: UUID, note: Note) -> None:
    said = (note.kind, note.name, note.attempt, note.version, note.at, note.reason)
    await tx.execute(NOTE, order_id, note.mark, *said)


def _placed(attempt: Attempt, order: Order, answer: bytes, prices: Mapping[UUID, Price]) -> _Placed:
    return _Placed(
        id=order.id,
        customer_id=order.customer_id,
        currency=order.currency,
        total=order.total,
        lines=msgspec.json.encode(order.lines).decode(),
        placed_at=order.placed_at,
        key=attempt.key,
        fingerprint=attempt.fingerprint,
        answer=answer,
        event=encode_fact(order.placed(), telemetry.traceparent()),
        relied=[(order.id, line.product_id, prices[line.product_id].version) for line in order.lines],
    )


def _refuse_buyer(row: Record | None) -> None:
    status = row and row["status"]
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
        status=joined(row["status"], row["fulfilment"]),
        version=row["version"],
        reason=row["reason"],
        payment=Payment(row["payment"]),
        carrier=row["carrier"],
        tracking=row["tracking"],
        payment_refusal=row["payment_refusal"],
    )
