"""The catalogue, interrupted between any two statements, on every engine."""

from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound
from libs.common.messages.catalog import ReservedLine
from services.catalog.domain import Category, Details, Product
from services.catalog.reservations import Reservation
from services.catalog.stock import Shelves, Stock, rebuild
from services.catalog.store import Delivery, SkuTaken, Sort, Store, Wanted, migrate, open_store
from tests.engines import Engine, facts
from tests.engines.crashes import Verb, survives

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, RUG, ORDER, HOME, ADA, BOB = (UUID(int=number) for number in (1, 2, 3, 100, 200, 300, 301))
LINES = [ReservedLine(product_id=LAMP, quantity=5), ReservedLine(product_id=DESK, quantity=2)]
DETAILS = Details("RUG", "Rug", "", 100, "EUR", HOME, attributes={"color": "red"})


async def shop(store: Store) -> None:
    """Five lamps, so that the order of five makes them sold out; and desks."""
    await store.add_category(Category(HOME, "Home", None))
    for product_id in (LAMP, DESK):
        await store.add(Product(product_id, Details(str(product_id.int), "Thing", "", 100, "EUR", None)), NOON)
        await store.change_stock(product_id, lambda stock: stock.open(5, NOON))


async def reserved(store: Store) -> None:
    await shop(store)
    await hold(store)


async def hold(store: Store) -> None:
    await store.change_reservation(
        ORDER,
        lambda reservation, shelves: reservation.hold(LINES, shelves, NOON),
        cause="reserve",
        products=[LAMP, DESK],
    )


async def sell(store: Store) -> None:
    await store.change_reservation(
        ORDER, lambda reservation, shelves: reservation.sell(shelves, NOON), cause="confirmed"
    )


async def release(store: Store) -> None:
    await store.change_reservation(
        ORDER, lambda reservation, shelves: reservation.release(shelves, NOON), cause="cancelled"
    )


async def count(store: Store) -> None:
    await store.change_stock(LAMP, lambda stock: stock.recount(stock.count - 5, "flood", NOON), cause="count")


async def deliver(store: Store) -> None:
    delivery = Delivery(LAMP, "delivery", b"3")
    said = await store.receive(delivery, lambda stock: stock.receive(3, "delivery", NOON), lambda _: b"received")
    assert said == b"received"


async def sold_out(store: Store) -> None:
    """The last lamps are held, staff want to hear of it, and Ada waits."""
    await shop(store)
    await store.change_stock(LAMP, lambda stock: stock.reorder_at(3, NOON))
    await hold(store)
    await store.wait(LAMP, ADA, NOON)


async def take_back(store: Store) -> None:
    """Before its sale is heard of: two movements of each product."""
    await store.change_reservation(
        ORDER, lambda reservation, shelves: reservation.take_back(shelves, NOON), cause="returned"
    )


async def wait(store: Store) -> None:
    await store.wait(LAMP, BOB, NOON)


async def leave(store: Store) -> None:
    await store.stop_waiting(LAMP, ADA)


async def filled_up(store: Store) -> None:
    await sold_out(store)
    await store.wait(LAMP, BOB, NOON)
    await release(store)


async def call(store: Store) -> None:
    while await store.call_waiting(LAMP, NOON):
        continue


async def add(store: Store) -> None:
    await store.add(Product(RUG, DETAILS), NOON)


async def put(store: Store) -> None:
    """One that is there, with another price, and one that is new."""
    known = Details("1", "Thing", "", 200, "EUR", None)
    await store.put_all([Product(UUID(int=4), known), Product(RUG, DETAILS)], NOON)


async def rename(store: Store) -> None:
    renamed = Details("NEW", "Lantern", "", 200, "EUR", HOME)
    await store.change(LAMP, lambda lamp: lamp.replace(renamed, NOON))


class Seen(Exception):
    """The reservation; raised from within its change, so that nothing changes."""


async def reservation(store: Store) -> tuple[str, int]:
    def look(found: Reservation, shelves: Shelves) -> NoReturn:
        raise Seen(found.status, found.version)

    with pytest.raises(Seen) as seen:
        await store.change_reservation(ORDER, look, cause="look")
    status, version = seen.value.args
    return str(status), int(version)


async def see(store: Store, database: Database) -> Any:
    products = list[tuple[Product, Stock] | None]()
    for product_id in (LAMP, DESK, RUG):
        try:
            products.append((await store.read(product_id), await store.stock(product_id)))
        except NotFound:
            products.append(None)
    for _, stock in filter(None, products):
        assert stock.received == stock.on_hand + stock.reserved + stock.sold
        assert stock.counts == rebuild(await store.movements(stock.product_id, 10**12, 100))
    waits = await store.waits_of(ADA), await store.waits_of(BOB)
    counts = await store.counts(Wanted(words=["rug"], category=HOME))
    lists = [
        [each.id for each in (await store.page(Wanted(), sort, None, 10)).products]
        for sort in Sort
        if sort is not Sort.RELEVANCE
    ]
    return products, lists, counts, waits, await reservation(store), sorted(await facts(database))


@pytest.mark.parametrize(
    ("prepare", "do"),
    [
        (shop, hold),
        (reserved, sell),
        (reserved, release),
        (shop, count),
        (shop, add),
        (shop, rename),
        (shop, deliver),
        (sold_out, take_back),
        (sold_out, wait),
        (sold_out, leave),
        (filled_up, call),
    ],
)
async def test_it_happens_once_or_not_at_all(engine: Engine, prepare: Any, do: Any) -> None:
    await survives(engine, Verb(migrate, open_store, prepare, do, see, done=(SkuTaken,)))


async def test_a_batch_happens_once_or_not_at_all(sql_engine: Engine) -> None:
    await survives(sql_engine, Verb(migrate, open_store, shop, put, see))
