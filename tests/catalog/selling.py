"""What the tests of the catalogue's store have in common."""

from datetime import UTC, datetime
from typing import Literal, NoReturn
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from libs.common.messages.catalog import ReservedLine
from services.catalog.domain import Category, Details, Media, Product
from services.catalog.reservations import Reservation
from services.catalog.stock import Movement, Shelves
from services.catalog.store import (
    CategoryAction,
    ProductAction,
    StockAction,
    Store,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK = UUID(int=1), UUID(int=2)
Verb = Literal["sell", "release", "take_back"]


def product(product_id: UUID, *, name: str = "", price: int = 100, category_id: UUID | None = None) -> Product:
    sku = f"SKU-{product_id.int}"
    return Product(product_id, Details(sku, name or sku, "", price, "EUR", category_id))


async def sell(store: Store, product_id: UUID, *, name: str = "", stock: int = 0, price: int = 100) -> None:
    await store.add(product(product_id, name=name, price=price), NOON)
    await store.change_stock(product_id, lambda shelf: shelf.open(stock, NOON))


async def hold(store: Store, order_id: UUID, *wanted: tuple[UUID, int], cause: str | None = None) -> None:
    lines = [ReservedLine(product_id=product_id, quantity=quantity) for product_id, quantity in wanted]
    await store.change_reservation(
        order_id,
        lambda reservation, shelves: reservation.hold(lines, shelves, NOON),
        products=[line.product_id for line in lines],
        cause=cause or f"reserve {uuid4()}",
    )


async def settle(store: Store, order_id: UUID, verb: Verb, cause: str | None = None) -> None:
    act = {"sell": Reservation.sell, "release": Reservation.release, "take_back": Reservation.take_back}[verb]
    await store.change_reservation(
        order_id, lambda reservation, shelves: act(reservation, shelves, NOON), cause=cause or f"{verb} {uuid4()}"
    )


async def buy(store: Store, order_id: UUID, cause: str | None = None) -> None:
    await settle(store, order_id, "sell", cause)


async def release(store: Store, order_id: UUID, cause: str | None = None) -> None:
    await settle(store, order_id, "release", cause)


def renamed(name: str) -> ProductAction:
    return lambda product: product.replace(structs.replace(product.details, name=name), NOON)


def showing(image: Media) -> ProductAction:
    return lambda product: product.show(image, NOON)


def moved_below(parent: Category) -> CategoryAction:
    return lambda category, parents: category.replace(category.name, parent.id, parents)


def counted(count: int) -> StockAction:
    return lambda stock: stock.recount(count, "count", NOON)


async def figures(store: Store, product_id: UUID) -> tuple[int, int, int, int]:
    stock = await store.stock(product_id)
    assert stock.received == stock.on_hand + stock.reserved + stock.sold
    return stock.on_hand, stock.reserved, stock.sold, stock.received


async def ledger(store: Store, product_id: UUID) -> list[Movement]:
    """The oldest first."""
    return (await store.movements(product_id, 10**12, 10_000))[::-1]


class Seen(Exception):
    """What a change of a reservation would act on; raised from within it, so that it changes nothing."""

    def __init__(self, reservation: Reservation, shelves: Shelves) -> None:
        self.reservation, self.shelves = reservation, shelves


async def see(store: Store, order_id: UUID, *products: UUID) -> Seen:
    def look(reservation: Reservation, shelves: Shelves) -> NoReturn:
        raise Seen(reservation, shelves)

    with pytest.raises(Seen) as seen:
        await store.change_reservation(order_id, look, cause="look", products=products)
    return seen.value
