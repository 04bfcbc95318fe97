"""Orders in Table Storage: with their customer's in one of 16 partitions, and found by their own id as well.

An order, its place on its customer's list, a line of its history, its idempotency record and its fact are one
transaction. The list of all orders is merged from the 16. What others told (prices, who may order) is looked up when an
order is placed: it is a copy of what they have, and may be older by the time that a fact takes.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from heapq import merge, nsmallest
from itertools import islice
from operator import attrgetter
from uuid import UUID

import msgspec
from msgspec import structs

from libs.common.abreast import abreast, of_each
from libs.common.entities import Change, Entity
from libs.common.errors import NotFound
from libs.common.ids import SHARDS, shard_of
from libs.common.messages.customers import Status as CustomerStatus
from libs.common.tables import Tables
from services.orders.domain import BlockedCustomer, Order, Price, UnknownCustomer
from services.orders.store import LONGEST_PAGE, Action, Attempt, Draft, Receipt, Sought, TooWide
from services.orders.store.entries import BEGINNING, NOBODY, Note, Place, bounds, erased_until, of_history
from services.orders.store.tables_entities import (
    PRICES,
    Key,
    Known,
    Listed,
    Standing,
    key_row,
    list_row,
    newest_first,
    order_row,
    partition,
    placing,
    read_key,
    read_known,
    read_listed,
    read_note,
    read_order,
    read_past,
    write_act,
)
from services.orders.store.tables_waiting import waiting
from services.orders.store.watch import Watch

SCHEMA = """
-- migration 1: orders `o|`, lists `c|`, history `h|`, idempotency `i|`, directory `d|`, price list `p|`
-- migration 2: timelines `t|`, what waits to be settled `w|`
"""
MOST_SOUGHT = 10_000  # that are looked at for a page
SOUGHT_AT_ONCE = 500
READ_AT_ONCE = 16

_place = attrgetter("place")


class TablesStore:
    def __init__(self, database: Tables) -> None:
        self._table = database.table
        self.watch = Watch()

    async def place(self, attempt: Attempt, draft: Draft) -> Receipt:
        async def place() -> Receipt:
            receipt, buyer, prices = await abreast(
                self._receipt(attempt), self._buyer(attempt.customer_id), self._prices_of(attempt)
            )
            if receipt:
                return receipt
            order, answer = draft(prices)
            known, change = _active(buyer), placing(order)
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
        key = read_key.decode(entity.body)
        return attempt.receipt(key.fingerprint, key.order_id, key.answer)

    async def _prices_of(self, attempt: Attempt) -> Mapping[UUID, Price]:
        wanted = set(attempt.products)
        found = await of_each(lambda each: self._table.read(PRICES, f"p|{each}"), wanted, READ_AT_ONCE)
        known = [read_listed.decode(entity.body) for entity in found if entity]
        return {each.price.product_id: each.price for each in known if each.listed}

    async def _buyer(self, customer_id: UUID) -> Entity | None:
        return await self._table.read(partition(customer_id), f"d|{customer_id}")

    async def change(
        self,
        order_id: UUID,
        act: Action,
        *,
        cause: str | None = None,
        customer_id: UUID | None = None,
        heard: Note | None = None,
    ) -> Order:
        async def attempt() -> Order:
            (entity, order), first = await abreast(
                self._find(order_id, customer_id), self._table.first_time(partition(order_id), cause)
            )
            change = Change(partition(order_id))
            if first:
                change.note(cause)
                write_act(change, entity, order, act, heard)
            if change.operations:
                await self._table.submit(change)
            return order

        order = await self._table.retried(f"o|{order_id}", attempt)
        self.watch.ring(order_id)
        return order

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        return (await self._find(order_id, customer_id))[1]

    async def versions(self, order_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        found = await of_each(lambda each: self._table.read(partition(each), order_row(each)), order_ids, READ_AT_ONCE)
        orders = [read_order.decode(entity.body) for entity in found if entity]
        return {order.id: order.version for order in orders}

    async def timeline(
        self, order_id: UUID, customer_id: UUID | None = None, *, after: Place = BEGINNING, limit: int = LONGEST_PAGE
    ) -> list[Note]:
        """All of it is looked through, for its rows are in no order: but no more is held than the page."""
        page = list[Note]()
        async for lines in self._lines(order_id, customer_id):
            page = nsmallest(limit, (*page, *(each for each in lines if each.place > after)), key=_place)
        return page

    async def told(self, order_id: UUID, customer_id: UUID | None = None) -> list[Note]:
        lines = self._lines(order_id, customer_id)
        return sorted([each async for some in lines for each in some if each.kind == "told"], key=_place)

    async def _lines(self, order_id: UUID, customer_id: UUID | None) -> AsyncIterator[list[Note]]:
        """In no order, some at a time. Raises NotFound."""
        where, past, noted = partition(order_id), f"h|{order_id}|", f"t|{order_id}|"
        _, settled, found = await abreast(
            self._find(order_id, customer_id),
            self._table.range(where, past, f"{past}~"),
            self._table.range(where, noted, f"{noted}~", SOUGHT_AT_ONCE),
        )
        yield [of_history(*structs.astuple(read_past.decode(entity.body))) for entity in settled]
        while found:
            yield [read_note.decode(entity.body) for entity in found]
            if len(found) < SOUGHT_AT_ONCE:
                return
            found = await self._table.range(where, f"{found[-1].row}!", f"{noted}~", SOUGHT_AT_ONCE)

    async def _find(self, order_id: UUID, customer_id: UUID | None) -> tuple[Entity, Order]:
        """Raises NotFound."""
        entity = await self._table.read(partition(order_id), order_row(order_id))
        order = read_order.decode(entity.body) if entity else None
        if entity is None or order is None or customer_id not in (None, order.customer_id):
            raise NotFound
        return entity, order

    async def page(self, sought: Sought, before: UUID | None, limit: int) -> list[Order]:
        """A state is looked for order by order: it has no index. Raises TooWide."""
        if sought.status is None:
            return await self._newest(sought, before, limit)
        found, looked = list[Order](), 0
        while looked < MOST_SOUGHT:
            orders = await self._newest(sought, before, SOUGHT_AT_ONCE)
            found += [order for order in orders if order.status is sought.status]
            if len(orders) < SOUGHT_AT_ONCE or len(found) >= limit:
                return found[:limit]
            looked, before = looked + len(orders), orders[-1].id
        raise TooWide

    async def _newest(self, sought: Sought, before: UUID | None, limit: int) -> list[Order]:
        """Whatever their state."""
        whose = sought.customer_id
        prefix, shards = (f"c|{whose}|", [shard_of(whose)]) if whose else ("o|", list(range(SHARDS)))
        oldest, newest = bounds(sought.after, sought.before, before)
        first, below = f"{prefix}{newest_first(newest)}!", f"{prefix}{newest_first(oldest)}!"
        found = await of_each(lambda shard: self._table.range(f"{shard:x}", first, below, limit), shards, SHARDS)
        merged = islice(merge(*found, key=lambda entity: entity.row), limit)
        return [read_order.decode(entity.body) for entity in merged]

    async def waiting(self, since: datetime, most: int) -> list[UUID]:
        return await waiting(self._table, since, most)

    async def list_price(self, price: Price) -> None:
        await self._note_price(Listed(price, True))

    async def delist(self, product_id: UUID, version: int) -> None:
        await self._note_price(Listed(Price(product_id, "", "", 0, "", version), False))

    async def _note_price(self, told: Listed) -> None:
        async def note() -> None:
            row = f"p|{told.price.product_id}"
            entity = await self._table.read(PRICES, row)
            if entity is None or read_listed.decode(entity.body).price.version < told.price.version:
                await self._write(PRICES, row, entity, msgspec.json.encode(told))

        await self._table.retried(f"p|{told.price.product_id}", note)

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        await self._know(customer_id, status, version)

    async def _know(self, customer_id: UUID, status: Standing, version: int) -> None:
        async def know() -> None:
            where, row = partition(customer_id), f"d|{customer_id}"
            entity = await self._table.read(where, row)
            if entity is None or read_known.decode(entity.body).version < version:
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
        """In steps, each of which may be the last: told again, it goes on where it was.

        All is looked up before whose it is, so that nothing of somebody who registers again meanwhile is among it.
        """
        await self._know(customer_id, "erased", version)
        where, listed, kept = partition(customer_id), f"c|{customer_id}|", f"i|{customer_id}|"
        orders = await self._table.range(where, listed, f"{listed}~")
        keys = await self._table.range(where, kept, f"{kept}~")
        buyer = await self._buyer(customer_id)
        until = erased_until(read_known.decode(buyer.body).status if buyer else None, at)
        for entity in orders:
            order = read_order.decode(entity.body)
            if order.placed_at <= until:
                await self._table.retried(f"o|{order.id}", partial(self._disown, order.id, customer_id))
        for entity in keys:
            if read_key.decode(entity.body).at <= until:
                change = Change(where)
                change.delete(entity)
                await self._table.submit(change)

    async def _disown(self, order_id: UUID, customer_id: UUID) -> None:
        """Raises Overtaken, also where something was written about it meanwhile: that changes the order, too."""
        entity, order = await self._find(order_id, None)
        if order.customer_id == customer_id:
            await self._hush(order_id)
            change = Change(partition(order_id))
            change.remove(list_row(order))
            order.disown(NOBODY)
            change.replace(entity, msgspec.json.encode(order))
            await self._table.submit(change)

    async def _hush(self, order_id: UUID) -> None:
        where, past, noted = partition(order_id), f"h|{order_id}|", f"t|{order_id}|"
        for entity in await self._table.range(where, past, f"{past}~"):
            entry = read_past.decode(entity.body)
            await self._write(where, entity.row, entity, msgspec.json.encode(structs.replace(entry, reason="")))
        for entity in await self._table.range(where, noted, f"{noted}~"):
            note = read_note.decode(entity.body)
            if note.reason:
                await self._write(where, entity.row, entity, msgspec.json.encode(replace(note, reason="")))


def _active(buyer: Entity | None) -> Entity:
    """Raises UnknownCustomer or BlockedCustomer."""
    status = read_known.decode(buyer.body).status if buyer else None
    if status == "blocked":
        raise BlockedCustomer
    if buyer is None or status != "active":
        raise UnknownCustomer
    return buyer
