"""Orders in Table Storage: with their customer's in one of 16 partitions, and found by their own id as well.

An order, its place on its customer's list, a line of its history, its idempotency record and its fact are one
transaction. The list of all orders is merged from the 16. What others told (prices, who may order) is looked up when an
order is placed: it is a copy of what they have, and may be older by the time that a fact takes.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from heapq import merge
from itertools import islice
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.common.entities import Change, Entity
from libs.common.errors import NotFound
from libs.common.ids import SHARDS, shard_of
from libs.common.messages.customers import Status as CustomerStatus
from libs.common.tables import Tables
from services.orders.domain import BlockedCustomer, Order, Price, Status, UnknownCustomer
from services.orders.store import Action, Attempt, Draft, Entry, KeyReused, Receipt, StateCount

SCHEMA = "-- migration 1: orders `o|`, lists `c|`, history `h|`, idempotency `i|`, directory `d|`, price list `p|`\n"
PRICES = "prices"
NOBODY = UUID(int=0)
HIGHEST_ID = 2**128 - 1
MOST_COUNTED = 1600


class Key(Struct, frozen=True):
    key: str  # its row is made of a digest: a key may hold what rows may not
    fingerprint: bytes
    order_id: UUID
    answer: bytes
    at: datetime


class Listed(Struct, frozen=True):
    price: Price
    listed: bool


Standing = CustomerStatus | Literal["erased"]


class Known(Struct, frozen=True):
    """What is known of a customer."""

    status: Standing
    version: int


_order = msgspec.json.Decoder(Order)
_entry = msgspec.json.Decoder(Entry)
_key = msgspec.json.Decoder(Key)
_listed = msgspec.json.Decoder(Listed)
_known = msgspec.json.Decoder(Known)


class TablesStore:
    def __init__(self, database: Tables) -> None:
        self._table = database.table

    async def place(self, attempt: Attempt, draft: Draft) -> Receipt:
        async def place() -> Receipt:
            receipt, buyer, prices = await asyncio.gather(
                self._receipt(attempt), self._buyer(attempt.customer_id), self._prices_of(attempt)
            )
            if receipt:
                return receipt
            order, answer = draft(prices)
            known, change = _active(buyer), _placing(order)
            change.replace(known, known.body)  # so that nobody is erased meanwhile
            kept = Key(attempt.key, attempt.fingerprint, order.id, answer, order.placed_at)
            change.create(key_row(attempt.customer_id, attempt.key), msgspec.json.encode(kept))
            await self._table.submit(change)
            return Receipt(order.id, answer)

        return await self._table.retried(f"orders of {attempt.customer_id}", place)

    async def _receipt(self, attempt: Attempt) -> Receipt | None:
        """Raises KeyReused."""
        entity = await self._table.read(partition(attempt.customer_id), key_row(attempt.customer_id, attempt.key))
        if entity is None:
            return None
        key = _key.decode(entity.body)
        if key.fingerprint != attempt.fingerprint:
            raise KeyReused("Idempotency-Key", KeyReused.__doc__ or "")
        return Receipt(key.order_id, key.answer)

    async def _prices_of(self, attempt: Attempt) -> Mapping[UUID, Price]:
        found = await asyncio.gather(*(self._table.read(PRICES, f"p|{each}") for each in set(attempt.products)))
        known = [_listed.decode(entity.body) for entity in found if entity]
        return {each.price.product_id: each.price for each in known if each.listed}

    async def _buyer(self, customer_id: UUID) -> Entity | None:
        return await self._table.read(partition(customer_id), f"d|{customer_id}")

    async def change(
        self, order_id: UUID, act: Action, *, cause: str | None = None, customer_id: UUID | None = None
    ) -> Order:
        async def attempt() -> Order:
            (entity, order), first = await asyncio.gather(
                self._find(order_id, customer_id), self._table.first_time(partition(order_id), cause)
            )
            change = Change(partition(order_id))
            if first:
                change.note(cause)
                if fact := act(order):
                    _rewrite(change, entity, order)
                    _note(change, order, fact.at)
                    change.tell(fact)
            if change.operations:
                await self._table.submit(change)
            return order

        return await self._table.retried(f"o|{order_id}", attempt)

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        return (await self._find(order_id, customer_id))[1]

    async def history(self, order_id: UUID, customer_id: UUID | None = None) -> list[Entry]:
        notes = f"h|{order_id}|"
        _, found = await asyncio.gather(
            self._find(order_id, customer_id), self._table.range(partition(order_id), notes, f"{notes}~")
        )
        return [_entry.decode(entity.body) for entity in found]

    async def _find(self, order_id: UUID, customer_id: UUID | None) -> tuple[Entity, Order]:
        """Raises NotFound."""
        entity = await self._table.read(partition(order_id), f"o|{newest_first(order_id)}")
        order = _order.decode(entity.body) if entity else None
        if entity is None or order is None or customer_id not in (None, order.customer_id):
            raise NotFound
        return entity, order

    async def page(self, customer_id: UUID | None, before: UUID | None, limit: int) -> list[Order]:
        prefix = f"c|{customer_id}|" if customer_id else "o|"
        first = f"{prefix}{newest_first(before)}!" if before else prefix
        shards = [shard_of(customer_id)] if customer_id else range(SHARDS)
        found = await asyncio.gather(*(self._table.range(f"{shard:x}", first, f"{prefix}~", limit) for shard in shards))
        newest = islice(merge(*found, key=lambda entity: entity.row), limit)
        return [_order.decode(entity.body) for entity in newest]

    async def states(self, newest: int) -> list[StateCount]:
        """They are read, each of them, so here it is a share of MOST_COUNTED in each shard at most."""
        share = max(1, min(newest, MOST_COUNTED) // SHARDS)
        found = await asyncio.gather(*(self._table.range(f"{each:x}", "o|", "o~", share) for each in range(SHARDS)))
        orders = [_order.decode(entity.body) for some in found for entity in some]
        by_status = {status: [each.placed_at for each in orders if each.status is status] for status in Status}
        return [StateCount(status, len(placed), min(placed)) for status, placed in by_status.items() if placed]

    async def list_price(self, price: Price) -> None:
        await self._note_price(Listed(price, True))

    async def delist(self, product_id: UUID, version: int) -> None:
        await self._note_price(Listed(Price(product_id, "", "", 0, "", version), False))

    async def _note_price(self, told: Listed) -> None:
        async def note() -> None:
            row = f"p|{told.price.product_id}"
            entity = await self._table.read(PRICES, row)
            if entity is None or _listed.decode(entity.body).price.version < told.price.version:
                await self._write(PRICES, row, entity, msgspec.json.encode(told))

        await self._table.retried(f"p|{told.price.product_id}", note)

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        await self._know(customer_id, status, version)

    async def _know(self, customer_id: UUID, status: Standing, version: int) -> None:
        async def know() -> None:
            where, row = partition(customer_id), f"d|{customer_id}"
            entity = await self._table.read(where, row)
            if entity is None or _known.decode(entity.body).version < version:
                await self._write(where, row, entity, msgspec.json.encode(Known(status, version)))

        await self._table.retried(f"d|{customer_id}", know)

    async def _write(self, where: str, row: str, known: Entity | None, body: bytes) -> None:
        """Raises Overtaken."""
        change = Change(where)
        if known:
            change.replace(known, body)
        else:
            change.create(row, body)
        await self._table.submit(change)

    async def forget_customer(self, customer_id: UUID, version: int, at: datetime) -> None:
        """In steps, each of which may be the last: told again, it goes on where it was."""
        await self._know(customer_id, "erased", version)
        where, listed, keys = partition(customer_id), f"c|{customer_id}|", f"i|{customer_id}|"
        for entity in await self._table.range(where, listed, f"{listed}~"):
            order = _order.decode(entity.body)
            if order.placed_at <= at:
                await self._table.retried(f"o|{order.id}", partial(self._disown, order.id, customer_id))
        for entity in await self._table.range(where, keys, f"{keys}~"):
            if _key.decode(entity.body).at <= at:
                change = Change(where)
                change.delete(entity)
                await self._table.submit(change)

    async def _disown(self, order_id: UUID, customer_id: UUID) -> None:
        """Raises Overtaken."""
        entity, order = await self._find(order_id, None)
        if order.customer_id == customer_id:
            change = Change(partition(order_id))
            change.remove(list_row(order))
            order.customer_id = NOBODY
            change.replace(entity, msgspec.json.encode(order))
            await self._table.submit(change)


def partition(known: UUID) -> str:
    """A customer's, and the same for each of their orders."""
    return f"{shard_of(known):x}"


def newest_first(order_id: UUID) -> str:
    return f"{HIGHEST_ID - order_id.int:032x}"


def list_row(order: Order) -> str:
    return f"c|{order.customer_id}|{newest_first(order.id)}"


def key_row(customer_id: UUID, key: str) -> str:
    return f"i|{customer_id}|{sha256(key.encode()).hexdigest()}"


def _placing(order: Order) -> Change:
    if shard_of(order.id) != shard_of(order.customer_id):
        raise ValueError("an order's id is made beside its customer's")
    change = Change(partition(order.customer_id))
    body = msgspec.json.encode(order)
    change.create(f"o|{newest_first(order.id)}", body)
    change.create(list_row(order), body)
    _note(change, order, order.placed_at)
    change.tell(order.placed())
    return change


def _rewrite(change: Change, entity: Entity, order: Order) -> None:
    """And its copy on its customer's list, as long as it has a customer."""
    body = msgspec.json.encode(order)
    change.replace(entity, body)
    if order.customer_id != NOBODY:
        change.put(list_row(order), body)


def _note(change: Change, order: Order, at: datetime) -> None:
    """In its history."""
    entry = Entry(order.version, order.status, at, order.reason)
    change.create(f"h|{order.id}|{order.version:010}", msgspec.json.encode(entry))


def _active(buyer: Entity | None) -> Entity:
    """Raises UnknownCustomer or BlockedCustomer."""
    status = _known.decode(buyer.body).status if buyer else None
    if status == "blocked":
        raise BlockedCustomer
    if buyer is None or status != "active":
        raise UnknownCustomer
    return buyer
