"""Who waits for what in Table Storage.

Those who wait lie beside the stock that they wait for, so its count of them changes with them. For what a customer
waits is listed in a partition of the customer's own: before the one is written, and after it is gone. What is listed
there and waits nowhere, since somebody died in between, is found when the list is full.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.abreast import abreast, of_each
from libs.common.entities import Change, Entity, Overtaken
from services.catalog.stock import CALLED_AT_ONCE, MOST_WAITED_FOR, TooManyWaits
from services.catalog.store.tables_ledger import TablesLedger, stock_of, turn_of
from services.catalog.store.tables_stock import partition_of_stock

UNLISTED_AT_ONCE = 8
READ_AT_ONCE = 16

_since = msgspec.json.Decoder(datetime)


class TablesWaiting(TablesLedger):
    most_waits = MOST_WAITED_FOR

    async def wait(self, product_id: UUID, customer_id: UUID, at: datetime) -> datetime:
        async def attempt() -> datetime:
            (_, product), known, since = await abreast(
                self._on_sale(product_id), self.ledger.settled(product_id), self.waits_since(product_id, customer_id)
            )
            if since:
                return since
            stock = stock_of(product, known.figures)
            stock.admit()
            await self._list(product_id, customer_id)
            change = Change(partition_of_stock(product_id))
            change.create(row_of_waiting(product_id, customer_id), msgspec.json.encode(at))
            await self.ledger.change_stock(known, stock, change)
            return at

        return await self._table.retried(turn_of(product_id), attempt)

    async def waits_since(self, product_id: UUID, customer_id: UUID) -> datetime | None:
        entity = await self._table.read(partition_of_stock(product_id), row_of_waiting(product_id, customer_id))
        return _since.decode(entity.body) if entity else None

    async def waits_of(self, customer_id: UUID) -> dict[UUID, datetime]:
        listed = await self._listed(customer_id)
        since = await of_each(lambda each: self.waits_since(each, customer_id), listed, READ_AT_ONCE)
        return {product_id: at for product_id, at in zip(listed, since, strict=True) if at}

    async def stop_waiting(self, product_id: UUID, customer_id: UUID) -> None:
        async def attempt() -> None:
            entity, known = await abreast(
                self._table.read(partition_of_stock(product_id), row_of_waiting(product_id, customer_id)),
                self.ledger.settled(product_id),
            )
            if entity:
                stock = stock_of((await self.known(product_id))[1], known.figures)
                stock.dismiss()
                change = Change(partition_of_stock(product_id))
                change.delete(entity)
                await self.ledger.change_stock(known, stock, change)

        await self._table.retried(turn_of(product_id), attempt)
        await self._unlist(product_id, [customer_id])

    async def forget_customer(self, customer_id: UUID) -> None:
        for product_id in await self._listed(customer_id):
            await self.stop_waiting(product_id, customer_id)

    async def call_waiting(self, product_id: UUID, at: datetime) -> bool:
        async def attempt() -> list[UUID]:
            (_, product), known = await abreast(self.known(product_id), self.ledger.settled(product_id))
            stock = stock_of(product, known.figures)
            if not stock.may_call:
                return []
            first = row_of_waiting(product_id)
            waiting = await self._table.range(partition_of_stock(product_id), first, f"{first}~", CALLED_AT_ONCE)
            customers = [customer_in(entity) for entity in waiting]
            if customers:
                change = Change(partition_of_stock(product_id))
                for entity in waiting:
                    change.delete(entity)
                await self.ledger.change_stock(known, stock, change, stock.call(customers, at))
            return customers

        called = await self._table.retried(turn_of(product_id), attempt)
        await self._unlist(product_id, called)
        return len(called) == CALLED_AT_ONCE

    async def _listed(self, customer_id: UUID) -> list[UUID]:
        first = row_listed(customer_id)
        found = await self._table.range(partition_of_customer(customer_id), first, f"{first}~")
        return [UUID(entity.row.rpartition("|")[2]) for entity in found]

    async def _list(self, product_id: UUID, customer_id: UUID) -> None:
        """Raises TooManyWaits."""
        listed = set(await self._listed(customer_id)) - {product_id}
        if len(listed) >= self.most_waits:
            stale = listed - (await self.waits_of(customer_id)).keys()
            if not stale:
                raise TooManyWaits
            for each in stale:
                await self._unlist(each, [customer_id])
        change = Change(partition_of_customer(customer_id))
        change.put(row_listed(customer_id, product_id), b"")
        await self._table.submit(change)

    async def _unlist(self, product_id: UUID, customers: Sequence[UUID]) -> None:
        """Some may not be on their list any more."""

        async def unlist(customer_id: UUID) -> None:
            change = Change(partition_of_customer(customer_id))
            change.remove(row_listed(customer_id, product_id))
            with suppress(Overtaken):
                await self._table.submit(change)

        await of_each(unlist, customers, UNLISTED_AT_ONCE)


def partition_of_customer(customer_id: UUID) -> str:
    return f"waiting-{customer_id.int & 0xF:x}"


def row_of_waiting(product_id: UUID, customer_id: UUID | None = None) -> str:
    """Without a customer, what all rows of the product begin with."""
    return f"w|{product_id}|{customer_id or ''}"


def row_listed(customer_id: UUID, product_id: UUID | None = None) -> str:
    return f"c|{customer_id}|{product_id or ''}"


def customer_in(entity: Entity) -> UUID:
    return UUID(entity.row.rpartition("|")[2])
