"""Orders in Azure SQL. Placing one is one batch of statements, and so one round trip and one commit."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from libs.common import telemetry
from libs.common.azuresql import AzureSql, Row, Transaction, UniqueViolation
from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.ids import first_at
from libs.common.messages import encode_fact
from libs.common.messages.customers import Status as CustomerStatus
from libs.common.messages.orders import OrderedLine
from services.orders.domain import BlockedCustomer, Order, Price, UnknownCustomer
from services.orders.store import LONGEST_PAGE, Action, Attempt, Draft, Receipt, Sought
from services.orders.store.azuresql_statements import (
    BUYER,
    CHANGE,
    DISOWN,
    HUSH_HISTORY,
    HUSH_TIMELINE,
    KNOW_CUSTOMER,
    LOCK_OF_CUSTOMER,
    LOCK_ORDER,
    NOTE,
    NOTE_PRICE,
    ORDER,
    PLACE,
    PRICES,
    SETTLE,
    TIMELINE,
    TOLD,
    VERSIONS,
    WAITING,
    orders,
)
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
from services.orders.store.watch import Watch
from services.orders.transitions import Payment

SCHEMA = Path(__file__).with_name("azuresql.sql").read_text()
MOST_TRIES = 3  # of placing an order while its prices change
PRICES_KEPT = 50_000

_lines = msgspec.json.Decoder(list[OrderedLine])
_rows = msgspec.json.Encoder(uuid_format="hex")  # for OPENJSON: a list of any length is one parameter, and one plan


class AzureSqlStore:
    def __init__(self, database: AzureSql) -> None:
        self._database = database
        self.watch = Watch()
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
        return attempt.receipt(row.fingerprint, UUID(bytes=row.order_id), row.answer) if row else None

    async def _prices_of(self, products: Iterable[UUID]) -> Mapping[UUID, Price]:
        if unknown := [product_id for product_id in products if product_id not in self._prices]:
            rows = await self._database.fetch(
                PRICES,
                _rows.encode([{"id": product_id} for product_id in unknown]).decode(),
            )
            while self._prices and len(self._prices) + len(rows) > PRICES_KEPT:
                self._prices.pop(next(iter(self._prices)))
            self._prices.update({price.product_id: price for price in map(_price, rows)})
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
        def work(tx: Transaction) -> Order:
            order = _owned(tx.fetchrow(LOCK_ORDER, order_id.bytes), customer_id)
            if tx.first_time(cause):
                before, version = order.status, order.version
                fact = act(order)
                if order.version != version:
                    _rewrite(tx, order)
                if fact and settles(before, order):
                    tx.execute(SETTLE, fact.at, order_id.bytes)
                for note in notes(before, order, fact, heard):
                    _note(tx, order_id.bytes, note)
                if fact:
                    tx.tell(fact)
            return order

        order = await self._database.transact(work)
        self.watch.ring(order_id)
        return order

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        return _owned(await self._database.fetchrow(ORDER, order_id.bytes), customer_id)

    async def versions(self, order_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        rows = await self._database.fetch(VERSIONS, _rows.encode([{"id": each} for each in order_ids]).decode())
        return {UUID(bytes=row.id): row.version for row in rows}

    async def page(self, sought: Sought, before: UUID | None, limit: int) -> list[Order]:
        oldest, newest = bounds(sought.after, sought.before, before)
        whose = [sought.customer_id.bytes] if sought.customer_id else []
        sql = orders(sought.status, of_customer=bool(whose))
        return [_order(row) for row in await self._database.fetch(sql, limit, *whose, newest.bytes, oldest.bytes)]

    async def waiting(self, since: datetime, most: int) -> list[UUID]:
        return [UUID(bytes=row.id) for row in await self._database.fetch(WAITING, most, first_at(since).bytes)]

    async def timeline(
        self, order_id: UUID, customer_id: UUID | None = None, *, after: Place = BEGINNING, limit: int = LONGEST_PAGE
    ) -> list[Note]:
        await self.read(order_id, customer_id)
        beyond = (after.at, after.at, after.version, after.version, after.mark)
        return [_noted(row) for row in await self._database.fetch(TIMELINE, limit, *[order_id.bytes] * 2, *beyond)]

    async def told(self, order_id: UUID, customer_id: UUID | None = None) -> list[Note]:
        await self.read(order_id, customer_id)
        return [_noted(row) for row in await self._database.fetch(TOLD, *[order_id.bytes] * 2)]

    async def list_price(self, price: Price) -> None:
        await self._note_price(price, listed=True)

    async def delist(self, product_id: UUID, version: int) -> None:
        await self._note_price(Price(product_id, "", "", 0, "", version), listed=False)

    async def _note_price(self, price: Price, *, listed: bool) -> None:
        known = (price.product_id.bytes, price.sku, price.name, price.price, price.currency, price.version)
        await self._database.transact(lambda tx: tx.execute(NOTE_PRICE, *known, listed, price.tax_rate))

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        await self._database.transact(lambda tx: tx.execute(KNOW_CUSTOMER, customer_id.bytes, status, version))

    async def forget_customer(self, customer_id: UUID, version: int, at: datetime) -> None:
        whose = customer_id.bytes

        def work(tx: Transaction) -> None:
            tx.execute(KNOW_CUSTOMER, whose, "erased", version)
            known = tx.fetchrow(BUYER, whose)
            until = erased_until(known.status if known else None, at)
            tx.fetch(LOCK_OF_CUSTOMER, whose, until)
            tx.execute(HUSH_HISTORY, whose, until)
            tx.execute(HUSH_TIMELINE, whose, until)
            tx.execute(DISOWN, NOBODY.bytes, whose, until)
            tx.execute("DELETE FROM idempotency WHERE customer_id = ? AND at <= ?", whose, until)

        await self._database.transact(work)


def _rewrite(tx: Transaction, order: Order) -> None:
    said = (order.payment.value, order.reason, order.carrier, order.tracking, order.payment_refusal)
    tx.execute(CHANGE, *split(order.status), *said, order.version, order.id.bytes)


def _note(tx: Transaction, order_id: bytes, note: Note) -> None:
    said = (note.kind, note.name, note.attempt, note.version, note.at, note.reason)
    tx.execute(NOTE, order_id, note.mark, *said, order_id, note.mark)


def _noted(row: Row) -> Note:
    return Note(row.mark, row.kind, row.name, row.at, row.attempt, row.reason, row.version)


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
        status=joined(row.status, row.fulfilment),
        version=row.version,
        reason=row.reason,
        payment=Payment(row.payment),
        carrier=row.carrier,
        tracking=row.tracking,
        payment_refusal=row.payment_refusal,
    )


def _price(row: Row) -> Price:
    return Price(UUID(bytes=row.product_id), row.sku, row.name, row.price, row.currency, row.version, row.tax_rate)
