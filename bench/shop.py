"""A shop to measure: its catalogue and its orders on one engine, and what customers and orders make of them."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from libs.common.archive import Archive, Page, Row
from libs.common.database import Database
from libs.common.ids import uuid7_beside
from libs.common.messages.catalog import ReservedLine
from libs.common.outbox import Topic, relay
from services.catalog import store as catalog
from services.catalog.reservations import Reservation
from services.catalog.stock import Shelves
from services.catalog.store import Sort
from services.catalog.store import Wanted as Filter
from services.catalog.store.rows import ProductRow, StockRow
from services.orders import store as orders
from services.orders.domain import Order, Price, Wanted, place
from services.orders.store import Note
from services.orders.store.rows import BuyerRow, PriceRow

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRODUCTS = [UUID(int=number) for number in range(1, 1001)]
BUYERS = [UUID(int=number) for number in range(1, 201)]
STOCK = 1_000_000
LINES = 2
PAGE = 20


class Nowhere(Topic):
    """Takes every fact; what is measured is the database."""

    async def publish(self, events: Sequence[bytes]) -> None:
        return None


@dataclass(slots=True)
class Shop:
    catalog: catalog.Store
    orders: orders.Store
    chance: random.Random

    @classmethod
    @asynccontextmanager
    async def open(cls, catalogue: Database, ordered: Database, chance: random.Random) -> AsyncIterator["Shop"]:
        yield cls(await catalog.open_store(catalogue), await orders.open_store(ordered), chance)

    async def list_products(self) -> None:
        page = await self.catalog.page(Filter(), Sort.NEWEST, None, PAGE)
        assert len(page.products) == PAGE

    async def place(self) -> UUID:
        """The order's id."""
        buyer, products = self.chance.choice(BUYERS), self.chance.sample(PRODUCTS, LINES)
        order_id = uuid7_beside(buyer, datetime.now(UTC), secrets.randbits)

        def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
            wanted = [Wanted(product_id, 1) for product_id in products]
            return place(order_id, buyer, wanted, prices, NOON), b"{}"

        receipt = await self.orders.place(orders.Attempt(buyer, secrets.token_hex(16), b"", products), draft)
        return receipt.order_id

    async def settle(self) -> None:
        """An order from the click until it is sold, by what the services do when they hear of it."""
        order = await self.orders.read(await self.place())
        lines = [ReservedLine(product_id=line.product_id, quantity=line.quantity) for line in order.lines]

        def hold(reservation: Reservation, shelves: Shelves) -> Any:
            return reservation.hold(lines, shelves, NOON)

        products = [line.product_id for line in lines]
        await self.catalog.change_reservation(order.id, hold, cause=f"reserve {order.id}", products=products)
        await self.orders.change(order.id, lambda order: order.reserve(NOON), cause=f"reserved {order.id}")
        paid = Note(f"paid {order.id}", "payment", "authorised", NOON)
        await self.orders.change(order.id, _authorise, cause=paid.mark, heard=paid)
        await self.catalog.change_reservation(
            order.id, lambda reservation, shelves: reservation.sell(shelves, NOON), cause=f"confirmed {order.id}"
        )


def _authorise(order: Order) -> Any:
    return order.record_payment("authorised", order.total, "", NOON)


async def stock_up(catalogue: Database, ordered: Database) -> None:
    """Both are new and empty."""
    await catalog.migrate(catalogue)
    await orders.migrate(ordered)
    await _write(catalog.open_archive(catalogue), ProductRow, [_product(each) for each in PRODUCTS])
    await _write(catalog.open_archive(catalogue), StockRow, [_stock(each) for each in PRODUCTS])
    await catalog.open_archive(catalogue).finish()
    await _write(orders.open_archive(ordered), PriceRow, [_price(each) for each in PRODUCTS])
    await _write(orders.open_archive(ordered), BuyerRow, [_buyer(each) for each in BUYERS])
    await orders.open_archive(ordered).finish()


@asynccontextmanager
async def relayed(*databases: Database) -> AsyncIterator[None]:
    """As the services do it."""
    stop, nowhere = asyncio.Event(), Nowhere(None, "")  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as loops, AsyncExitStack() as at_the_end:
        at_the_end.callback(stop.set)
        for database in databases:
            loops.create_task(relay(database, nowhere, stop=stop, chance=random.Random(1)))
        yield


async def _write(archive: Archive, kind: type[Row], rows: Sequence[Row]) -> None:
    await archive.write(kind, Page(rows, "all"))


def _product(product_id: UUID) -> ProductRow:
    return ProductRow(
        id=product_id,
        sku=f"SKU-{product_id.int}",
        name=f"Thing number {product_id.int}",
        description="A thing that somebody may want to have, for this or for that. " * 4,
        price=1000 + product_id.int,
        currency="EUR",
        category_id=None,
        opening_stock=STOCK,
        media=[],
        version=1,
        deleted=False,
    )


def _stock(product_id: UUID) -> StockRow:
    counts = {"on_hand": STOCK, "reserved": 0, "sold": 0, "received": STOCK}
    return StockRow(product_id=product_id, **counts, version=1, reorder_level=None, waiting=0, recorded=0)


def _price(product_id: UUID) -> PriceRow:
    return PriceRow(
        product_id=product_id,
        sku=f"SKU-{product_id.int}",
        name=f"Thing number {product_id.int}",
        price=1000 + product_id.int,
        currency="EUR",
        version=1,
        listed=True,
        tax_rate=0,
    )


def _buyer(buyer: UUID) -> BuyerRow:
    return BuyerRow(customer_id=buyer, status="active", version=1)
