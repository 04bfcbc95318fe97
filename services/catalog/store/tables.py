"""The catalogue in Table Storage: its products and lists, and what there is of them in stock and set aside."""

import secrets
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from uuid import UUID

import msgspec

from libs.common.abreast import abreast, of_each
from libs.common.entities import Change
from libs.common.errors import NotFound, Stale
from services.catalog.domain import Product
from services.catalog.reservations import Reservation, ReservationStatus
from services.catalog.stock import Stock
from services.catalog.store import Delivery, ReservationAction, Show, StockAction
from services.catalog.store.rows import kept_status, status_of
from services.catalog.store.tables_ledger import Receipt, read_receipt, row_of_receipt, stock_of, turn_of
from services.catalog.store.tables_products import row_of
from services.catalog.store.tables_stock import (
    Figures,
    Record,
    Reserved,
    Settled,
    figures_of,
    partition_of,
    partition_of_stock,
)
from services.catalog.store.tables_waiting import TablesWaiting

SCHEMA = """
-- migration 1: categories `k|`, products `p|` and their lists `l-…|`, stock `s|`, reservations `r|`
-- migration 2: movements `m|` and who waits `w|` beside the stock, for what each customer waits `c|`
-- migration 3: what was answered to each delivery `i|`, beside the stock
"""
ATTEMPT_BITS = 64
READ_AT_ONCE = 16


class TablesStore(TablesWaiting):
    async def read(self, product_id: UUID) -> Product:
        (_, product), figures = await abreast(self._on_sale(product_id), self.ledger.figures(product_id))
        product.in_stock = figures.on_hand > 0
        return product

    async def stock(self, product_id: UUID) -> Stock:
        (_, product), figures = await abreast(self._on_sale(product_id), self.ledger.figures(product_id))
        return stock_of(product, figures)

    async def change_stock(
        self, product_id: UUID, act: StockAction, *, version: int | None = None, cause: str | None = None
    ) -> Stock:
        async def attempt() -> Stock:
            (_, product), known, first = await abreast(
                self._on_sale(product_id),
                self.ledger.settled(product_id),
                self._table.first_time(partition_of_stock(product_id), cause),
            )
            stock = stock_of(product, known.figures)
            if version not in (None, stock.version):
                raise Stale
            if first:
                change = Change(partition_of_stock(product_id))
                change.note(cause)
                facts = act(stock)
                becomes = stock if stock.version > known.figures.version else None
                await self.ledger.change_stock(known, becomes, change, facts)
            return stock

        stock = await self._table.retried(turn_of(product_id), attempt)
        await self.show(product_id)
        return stock

    async def receive(self, delivery: Delivery, act: StockAction, show: Show) -> bytes:
        product_id = delivery.product_id
        where, row = partition_of_stock(product_id), row_of_receipt(product_id, delivery.key)

        async def attempt() -> bytes:
            first = await self._table.first_time(where, delivery.cause)
            if entity := await self._table.read(where, row):  # whoever saw the mark sees it, too
                kept = read_receipt.decode(entity.body)
                return delivery.first_answer(kept.fingerprint, kept.answer)
            (_, product), known = await abreast(self._on_sale(product_id), self.ledger.settled(product_id))
            stock, change = stock_of(product, known.figures), Change(where)
            if not first:
                return show(stock)
            facts, answer = act(stock), show(stock)
            change.note(delivery.cause)
            change.create(row, msgspec.json.encode(Receipt(delivery.key, delivery.fingerprint, answer)))
            await self.ledger.change_stock(known, stock, change, facts)
            return answer

        answer = await self._table.retried(turn_of(product_id), attempt)
        await self.show(product_id)
        return answer

    async def change_reservation(
        self, order_id: UUID, act: ReservationAction, *, cause: str, products: Iterable[UUID] = ()
    ) -> None:
        async def attempt() -> list[UUID]:
            known, first = await abreast(
                self.ledger.reserved(order_id), self._table.first_time(partition_of(order_id), cause)
            )
            concerned = sorted({*products, *(line.product_id for line in known.record.lines)})
            async with AsyncExitStack() as turns:
                for product_id in concerned:
                    await turns.enter_async_context(self._table.turn(turn_of(product_id)))
                settled = await of_each(lambda each: self.ledger.settled(each, order_id), concerned, READ_AT_ONCE)
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
        status = status_of(record.status, returned=record.returned)
        reservation = Reservation(known.order_id, status, record.lines, record.version)
        facts = act(reservation, stocks)
        becomes = _becomes(reservation, stocks, shelves) if reservation.version > record.version else record
        await self.ledger.change_reserved(known, becomes, shelves, cause, facts)

    async def _stock_of(self, figures: Figures) -> Stock | None:
        """Also of what is no longer sold; None where there has never been such a product."""
        try:
            return stock_of((await self.known(figures.product_id))[1], figures)
        except NotFound:
            return None

    async def show(self, product_id: UUID) -> None:
        """Lists say whether a product is in stock. Looked at again after it was written: stock may have moved on."""

        async def attempt() -> bool:
            (entity, product), figures = await abreast(self.known(product_id), self.ledger.figures(product_id))
            if product.deleted or product.in_stock == (figures.on_hand > 0):
                return True
            await self.list_as(entity, product, in_stock=not product.in_stock)
            return False

        while not await self._table.retried(row_of(product_id), attempt):
            continue


def _becomes(reservation: Reservation, stocks: Mapping[UUID, Stock], shelves: Mapping[UUID, Settled]) -> Record:
    status, returned = kept_status(reservation.status)
    before = {key: each.figures for key, each in shelves.items()}
    changed = [each for key, each in stocks.items() if each.version > before[key].version]
    return Record(
        status=ReservationStatus(status),
        lines=reservation.lines,
        version=reservation.version,
        attempt=f"{secrets.randbits(ATTEMPT_BITS):x}",
        redo=[figures_of(stock, before[stock.product_id]) for stock in changed],
        moved=[movement for stock in changed for movement in stock.movements],
        returned=returned,
    )
