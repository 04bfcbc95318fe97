"""The catalogue moves from any engine to any other."""

from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound
from libs.common.messages.catalog import ReservedLine
from services.catalog import store as catalog
from services.catalog.domain import Category, Details, Media, Product, Value
from services.catalog.reservations import Reservation
from services.catalog.search import attribute
from services.catalog.stock import Shelves
from services.catalog.store import Delivery, SkuTaken, Sort, Store, Wanted
from tests.engines import Engine, facts
from tests.engines.moves import Move

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHILD, PARENT = UUID(int=1), UUID(int=2)  # in the order of ids, what is below comes first
PRODUCTS = [UUID(int=number) for number in range(11, 17)]
LAMP, DESK, GONE, EMPTY, UNCOUNTED, RUG = PRODUCTS
HELD, SOLD, RELEASED, REFUSED, BACK = (UUID(int=number) for number in range(21, 26))
ADA, BOB = UUID(int=31), UUID(int=32)


def details(product_id: UUID) -> Details:
    name, category_id = f'Thing {product_id.int} "é" 🎉', CHILD if product_id == LAMP else None
    more = (PARENT,) if product_id == LAMP else ()
    said: dict[str, Value] = {"watts": 5.5, "color": "dünn's", "dim": True, "a": 1}
    return Details(
        f"SKU-{product_id.int}",
        name,
        "…",
        product_id.int,
        "EUR",
        category_id,
        more_categories=more,
        attributes=said,
        status="draft" if product_id == DESK else "published",
        tax_rate=product_id.int,
    )


async def hold(store: Store, order_id: UUID, product_id: UUID, quantity: int) -> None:
    lines = [ReservedLine(product_id=product_id, quantity=quantity)]

    def act(reservation: Reservation, shelves: Shelves) -> Any:
        return reservation.hold(lines, shelves, NOON)

    await store.change_reservation(order_id, act, cause=f"reserve {order_id}", products=[product_id])


async def fill(store: Store) -> None:
    """Reservations in every state; a product that is deleted, one sold out, one that was never counted."""
    await store.add_category(Category(PARENT, "Home", None))
    await store.add_category(Category(CHILD, "Light", PARENT))
    for product_id in PRODUCTS:
        await store.add(Product(product_id, details(product_id), opening_stock=5), NOON)
        if product_id != UNCOUNTED:
            await store.change_stock(product_id, lambda stock: stock.open(5, NOON))
    for order_id, product_id, quantity in ((HELD, LAMP, 1), (SOLD, EMPTY, 5), (RELEASED, DESK, 2), (REFUSED, RUG, 6)):
        await hold(store, order_id, product_id, quantity)
    await store.change_reservation(
        SOLD, lambda reservation, shelves: reservation.sell(shelves, NOON), cause="confirmed"
    )
    await store.change_reservation(
        RELEASED, lambda reservation, shelves: reservation.release(shelves, NOON), cause="cancelled"
    )
    await hold(store, BACK, DESK, 1)
    await store.change_reservation(
        BACK, lambda reservation, shelves: reservation.take_back(shelves, NOON), cause="returned"
    )
    await store.change_stock(DESK, lambda desk: desk.reorder_at(2, NOON))
    for product_id, key in ((DESK, "a"), (DESK, "B|é"), (RUG, "a")):
        await receive(store, product_id, key)
    for customer_id in (ADA, BOB):
        await store.wait(EMPTY, customer_id, NOON)
    await store.wait(UNCOUNTED, ADA, NOON)
    await store.change(RUG, lambda rug: rug.show(Media(UUID(int=5), "https://media.example/é.png", "image/png"), NOON))
    await store.change(GONE, lambda gone: gone.delete(NOON))


async def receive(store: Store, product_id: UUID, key: str) -> bytes:
    return await store.receive(
        Delivery(product_id, key, b"\x00"), lambda stock: stock.receive(1, "", NOON), lambda _: b"said \xff"
    )


class Seen(Exception):
    """A reservation, and what there is of everything; raised from within its change, so that nothing changes."""


async def reservation(store: Store, order_id: UUID) -> Any:
    def look(found: Reservation, shelves: Shelves) -> NoReturn:
        raise Seen(found, dict(shelves))

    with pytest.raises(Seen) as seen:
        await store.change_reservation(order_id, look, cause="look", products=PRODUCTS)
    return seen.value.args


async def see(store: Store, database: Database) -> Any:
    """Also that repeats are known for what they are, and that what can be had is on the lists as such."""
    found = [Wanted(words=["thing", "e"]), Wanted(attributes=[attribute("color", "dünn's")]), Wanted(status="draft")]
    wanted = [Wanted(), Wanted(in_stock=True), Wanted(in_stock=False), Wanted(category=PARENT), *found]
    lists = [
        (await store.page(each, sort, None, 100)).products
        for each in wanted
        for sort in Sort
        if sort is not Sort.RELEVANCE
    ]
    with pytest.raises(NotFound):
        await store.read(GONE)
    with pytest.raises(SkuTaken):
        await store.add(Product(UUID(int=98), details(LAMP)), NOON)
    await store.change_reservation(HELD, refuse, cause=f"reserve {HELD}")
    await store.change_reservation(SOLD, refuse, cause="confirmed")
    received = [await receive(store, DESK, "a"), await receive(store, DESK, "B|é"), await receive(store, RUG, "a")]
    reservations = [await reservation(store, order_id) for order_id in (HELD, SOLD, RELEASED, REFUSED, BACK)]
    ledgers = [await store.movements(product_id, 10**12, 100) for product_id in PRODUCTS]
    waits = [await store.waits_of(customer_id) for customer_id in (ADA, BOB)]
    counts = [await store.counts(each) for each in wanted]
    return await store.categories(), lists, counts, reservations, ledgers, waits, received, await facts(database)


def refuse(*_: Any) -> NoReturn:
    raise AssertionError("this message has had its effect")


MOVE = Move(catalog, fill, see)


async def test_what_is_copied_is_the_same(two_engines: tuple[Engine, Engine]) -> None:
    await MOVE.goes_well(*two_engines)


async def test_a_copy_that_is_interrupted_goes_on(two_engines: tuple[Engine, Engine]) -> None:
    await MOVE.goes_on(*two_engines)
