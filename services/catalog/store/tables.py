"""The catalogue in Table Storage: its products and lists, and what there is of them in stock and set aside."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from uuid import UUID

from libs.common.errors import NotFound, Stale
from libs.common.tables import Tables
from services.catalog.domain import Product
from services.catalog.stock import Reservation, Stock
from services.catalog.store import ReservationAction, StockAction
from services.catalog.store.tables_products import Products, row_of
from services.catalog.store.tables_stock import (
    Figures,
    Ledger,
    Record,
    Reserved,
    Settled,
    partition_of,
    partition_of_stock,
)

SCHEMA = "-- migration 1: categories `k|`, products `p|` and their lists `l-…|`, stock `s|`, reservations `r|`\n"
ATTEMPT_BITS = 64


class TablesStore(Products):
    def __init__(self, database: Tables) -> None:
        super().__init__(database)
        self.ledger = Ledger(database.table)

    async def read(self, product_id: UUID) -> Product:
        (_, product), figures = await asyncio.gather(self._on_sale(product_id), self.ledger.figures(product_id))
        product.in_stock = figures.on_hand > 0
        return product

    async def stock(self, product_id: UUID) -> Stock:
        (_, product), figures = await asyncio.gather(self._on_sale(product_id), self.ledger.figures(product_id))
        return _stock(product, figures)

    async def change_stock(
        self, product_id: UUID, act: StockAction, *, version: int | None = None, cause: str | None = None
    ) -> Stock:
        async def attempt() -> Stock:
            (_, product), known, first = await asyncio.gather(
                self._on_sale(product_id),
                self.ledger.settled(product_id),
                self._table.first_time(partition_of_stock(product_id), cause),
            )
            stock = _stock(product, known.figures)
            if version not in (None, stock.version):
                raise Stale
            if first:
                fact = act(stock)
                await self.ledger.change_stock(known, _figures(stock), cause, fact)
            return stock

        stock = await self._table.retried(_turn(product_id), attempt)
        await self.show(product_id)
        return stock

    async def change_reservation(
        self, order_id: UUID, act: ReservationAction, *, cause: str, products: Iterable[UUID] = ()
    ) -> None:
        async def attempt() -> list[UUID]:
            known, first = await asyncio.gather(
                self.ledger.reserved(order_id), self._table.first_time(partition_of(order_id), cause)
            )
            concerned = sorted({*products, *(line.product_id for line in known.record.lines)})
            async with AsyncExitStack() as turns:
                for product_id in concerned:
                    await turns.enter_async_context(self._table.turn(_turn(product_id)))
                settled = await asyncio.gather(*(self.ledger.settled(each, order_id) for each in concerned))
                if first:
                    await self._decide(known, act, dict(zip(concerned, settled, strict=True)), cause)
            return concerned

        for product_id in await self._table.retried(f"order {order_id}", attempt):
            with suppress(NotFound):  # there never was such a product
                await self.show(product_id)

    async def _decide(
        self, known: Reserved, act: ReservationAction, shelves: Mapping[UUID, Settled], cause: str
    ) -> None:
        """Raises Overtaken."""
        record = known.record
        stocks = {key: stock for key, each in shelves.items() if (stock := await self._stock_of(each.figures))}
        reservation = Reservation(known.order_id, record.status, record.lines, record.version)
        fact = act(reservation, stocks)
        becomes = record
        if reservation.version > record.version:
            redo = [
                _figures(each) for each in stocks.values() if each.version > shelves[each.product_id].figures.version
            ]
            attempt = f"{secrets.randbits(ATTEMPT_BITS):x}"
            becomes = Record(reservation.status, reservation.lines, reservation.version, attempt, redo)
        await self.ledger.change_reserved(known, becomes, shelves, cause, fact)

    async def _stock_of(self, figures: Figures) -> Stock | None:
        """Also of what is no longer sold; None where there has never been such a product."""
        try:
            return _stock((await self.known(figures.product_id))[1], figures)
        except NotFound:
            return None

    async def show(self, product_id: UUID) -> None:
        """Lists say whether a product is in stock. Looked at again after it was written: stock may have moved on."""

        async def attempt() -> bool:
            (entity, product), figures = await asyncio.gather(self.known(product_id), self.ledger.figures(product_id))
            if product.deleted or product.in_stock == (figures.on_hand > 0):
                return True
            await self.list_as(entity, product, in_stock=not product.in_stock)
            return False

        while not await self._table.retried(row_of(product_id), attempt):
            continue


def _turn(product_id: UUID) -> str:
    return f"stock {product_id}"


def _stock(product: Product, figures: Figures) -> Stock:
    counted = (figures.on_hand, figures.reserved, figures.sold, figures.received, figures.version)
    published = product.details.status == "published"
    return Stock(product.id, product.details.name, product.deleted, *counted, published=published)


def _figures(stock: Stock) -> Figures:
    return Figures(stock.product_id, stock.on_hand, stock.reserved, stock.sold, stock.received, stock.version)
