"""The ledger of stock in Table Storage: its movements lie beside the stock, and what moved past it is made up for."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.common.entities import Change
from libs.common.tables import Tables
from services.catalog.domain import Product
from services.catalog.stock import Movement, Stock, rebuild
from services.catalog.store import BALANCED_AT_ONCE
from services.catalog.store.tables_products import Products
from services.catalog.store.tables_stock import Figures, Ledger, Shelf, partition_of_stock, row_of_movement


class Receipt(Struct, frozen=True):
    """What was answered to a delivery."""

    key: str  # its row is made of a digest: a key may hold what rows may not
    fingerprint: bytes
    answer: bytes


STOCK = [partition_of_stock(UUID(int=each)) for each in range(16)]

read_receipt = msgspec.json.Decoder(Receipt)
_movement = msgspec.json.Decoder(Movement)
_shelf = msgspec.json.Decoder(Shelf)


class TablesLedger(Products):
    def __init__(self, database: Tables) -> None:
        super().__init__(database)
        self.ledger = Ledger(database.table)

    async def movements(self, product_id: UUID, before: int, limit: int) -> list[Movement]:
        await self.known(product_id)
        await self._table.retried(turn_of(product_id), lambda: self.ledger.write_what_is_committed(product_id))
        return await self._movements(product_id, before, limit)

    async def _movements(self, product_id: UUID, before: int, limit: int | None = None) -> list[Movement]:
        first, below = row_of_movement(product_id, before - 1), f"m|{product_id}}}"
        found = await self._table.range(partition_of_stock(product_id), first, below, limit)
        return [_movement.decode(entity.body) for entity in found]

    async def balance(self, at: datetime) -> None:
        """Along all that is counted, for nothing says which of it needs that."""
        for partition in STOCK:
            first: str | None = "s|"
            while first:
                found = await self._table.range(partition, first, "s}", BALANCED_AT_ONCE)
                for shelf in (_shelf.decode(entity.body) for entity in found):
                    if shelf.figures.recorded < shelf.figures.version:
                        await self._balance(shelf.figures.product_id, at)
                first = f"{found[-1].row}!" if len(found) == BALANCED_AT_ONCE else None

    async def _balance(self, product_id: UUID, at: datetime) -> None:
        """Also counts those who wait: an instance that knows of none forgets how many they are."""

        async def attempt() -> None:
            (_, product), known = await self.known(product_id), await self.ledger.settled(product_id)
            if known.figures.recorded == known.figures.version:
                return
            stock = stock_of(product, known.figures)
            stock.balance(rebuild(await self._movements(product_id, stock.version + 1)), at)
            waiting = f"w|{product_id}|"
            stock.waiting = len(await self._table.range(partition_of_stock(product_id), waiting, f"{waiting}~"))
            balanced = known._replace(figures=msgspec.structs.replace(known.figures, recorded=known.figures.version))
            await self.ledger.change_stock(balanced, stock, Change(partition_of_stock(product_id)))

        await self._table.retried(turn_of(product_id), attempt)


def row_of_receipt(product_id: UUID, key: str) -> str:
    return f"i|{product_id}|{sha256(key.encode()).hexdigest()}"


def turn_of(product_id: UUID) -> str:
    return f"stock {product_id}"


def stock_of(product: Product, figures: Figures) -> Stock:
    return Stock(
        product_id=product.id,
        name=product.details.name,
        sku=product.details.sku,
        deleted=product.deleted,
        on_hand=figures.on_hand,
        reserved=figures.reserved,
        sold=figures.sold,
        received=figures.received,
        version=figures.version,
        reorder_level=figures.reorder_level,
        waiting=figures.waiting,
        published=product.details.status == "published",
    )
