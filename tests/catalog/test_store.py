"""The contract of the catalogue's store, on every engine."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn
from uuid import UUID, uuid4

import pytest

from libs.common.database import Database
from libs.common.errors import Invalid, NotFound, Stale
from libs.common.messages.catalog import ReservedLine
from libs.common.migrations import Behind
from services.catalog.domain import Category, Details, Media, Product
from services.catalog.reservations import Reservation
from services.catalog.stock import BelowReserved, Shelves
from services.catalog.store import (
    CategoryAction,
    CategoryInUse,
    Position,
    ProductAction,
    SkuTaken,
    Sort,
    StockAction,
    Store,
    Wanted,
    migrate,
    open_store,
)
from tests.engines import facts

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK = UUID(int=1), UUID(int=2)
Settle = Callable[[Store, UUID, str], Awaitable[None]]


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    return await open_store(any_database)


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


async def buy(store: Store, order_id: UUID, cause: str | None = None) -> None:
    await store.change_reservation(
        order_id, lambda reservation, shelves: reservation.sell(shelves, NOON), cause=cause or f"confirm {uuid4()}"
    )


async def release(store: Store, order_id: UUID, cause: str | None = None) -> None:
    await store.change_reservation(
        order_id, lambda reservation, shelves: reservation.release(shelves, NOON), cause=cause or f"cancel {uuid4()}"
    )


def renamed(name: str) -> ProductAction:
    return lambda product: product.replace(replace(product.details, name=name), NOON)


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


async def status(store: Store, order_id: UUID) -> str:
    return (await see(store, order_id)).reservation.status


# --- products ----------------------------------------------------------------------------------------------------


async def test_a_product_is_stored_with_its_fact_and_nothing_on_the_shelf(store: Store, any_database: Database) -> None:
    await store.add(product(LAMP, name="Lamp"), NOON)

    stored = await store.read(LAMP)
    assert (stored.details.name, stored.version, stored.in_stock, stored.media) == ("Lamp", 1, False, [])
    assert await figures(store, LAMP) == (0, 0, 0, 0)
    assert await facts(any_database) == ["product-created"]


async def test_a_sku_is_had_by_one_product(store: Store, any_database: Database) -> None:
    await sell(store, LAMP)
    await sell(store, DESK)
    taken = replace(product(DESK).details, sku="SKU-1")

    with pytest.raises(SkuTaken, match="SKU-1"):
        await store.add(Product(uuid4(), taken), NOON)
    with pytest.raises(SkuTaken):
        await store.change(DESK, lambda desk: desk.replace(taken, NOON))

    assert sorted(await facts(any_database)) == ["product-created"] * 2 + ["stock-changed"] * 2


async def test_twenty_products_with_one_sku_at_once_are_one(store: Store) -> None:
    tries = [store.add(Product(uuid4(), product(LAMP).details), NOON) for _ in range(20)]

    results = await asyncio.gather(*tries, return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["NoneType"] + ["SkuTaken"] * 19


async def test_a_product_is_in_a_category_that_is_there(store: Store, any_database: Database) -> None:
    with pytest.raises(Invalid, match="no category") as refusal:
        await store.add(product(LAMP, category_id=UUID(int=9)), NOON)

    assert refusal.value.field == "category_ids"
    assert await facts(any_database) == []


async def test_of_fifty_editors_one_wins_each_version(store: Store, any_database: Database) -> None:
    await store.add(product(LAMP), NOON)

    for version in (1, 2):
        edits = [store.change(LAMP, renamed(f"{version}.{n}"), version=version) for n in range(50)]
        results = await asyncio.gather(*edits, return_exceptions=True)

        assert sorted(type(result).__name__ for result in results) == ["Product"] + ["Stale"] * 49
    assert (await store.read(LAMP)).version == 3
    assert await facts(any_database) == ["product-created"] + ["product-updated"] * 2


async def test_a_deleted_product_is_gone_its_sku_is_free_and_its_stock_stays_in_the_books(
    store: Store, any_database: Database
) -> None:
    await sell(store, LAMP, stock=5)
    await hold(store, UUID(int=100), (LAMP, 2))

    await store.change(LAMP, lambda lamp: lamp.delete(NOON), version=1)

    for gone in (store.read(LAMP), store.stock(LAMP), store.change(LAMP, lambda lamp: lamp.delete(NOON))):
        with pytest.raises(NotFound):
            await gone
    await store.add(Product(DESK, product(LAMP).details), NOON)
    await buy(store, UUID(int=100))
    books = (await see(store, UUID(int=100))).shelves[LAMP]
    assert (books.on_hand, books.reserved, books.sold, books.received) == (3, 0, 2, 5)


async def test_images_are_kept_in_order(store: Store) -> None:
    await store.add(product(LAMP), NOON)
    images = [Media(uuid4(), f"https://media.example/{n}.png", "image/png") for n in range(3)]

    for image in images:
        await store.change(LAMP, showing(image))

    assert (await store.read(LAMP)).media == images


# --- the list ----------------------------------------------------------------------------------------------------


async def all_pages(store: Store, sort: Sort, wanted: Wanted | None = None, *, size: int = 2) -> list[str]:
    names: list[str] = []
    after: Position | None = None
    while True:
        page = await store.page(wanted or Wanted(), sort, after, size)
        names += [each.details.name for each in page.products]
        if page.end is None:
            return names
        after = page.end


async def shop(store: Store) -> None:
    wares = [("banana", 300, 1), ("Apple", 100, 0), ("cherry", 300, 1), ("apple", 200, 1), ("100% juice_x", 300, 0)]
    for number, (name, price, stock) in enumerate(wares, start=1):
        await sell(store, UUID(int=number), name=name, price=price, stock=stock)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort.NEWEST, ["100% juice_x", "apple", "cherry", "Apple", "banana"]),
        (Sort.NAME, ["100% juice_x", "Apple", "apple", "banana", "cherry"]),
        (Sort.PRICE, ["Apple", "apple", "banana", "cherry", "100% juice_x"]),
        (Sort.PRICE_DOWN, ["100% juice_x", "cherry", "banana", "apple", "Apple"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_every_product_is_on_one_page_in_order(store: Store, sort: Sort, expected: list[str], size: int) -> None:
    await shop(store)

    assert await all_pages(store, sort, size=size) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(words=["app"]), ["Apple", "apple"]),
        (Wanted(words=["pple"]), []),
        (Wanted(words=["juice", "100"]), ["100% juice_x"]),
        (Wanted(words=["juice", "sku", "5"]), ["100% juice_x"]),
        (Wanted(words=["juice", "apple"]), []),
        (Wanted(words=[]), []),
        (Wanted(min_price=200, max_price=299), ["apple"]),
        (Wanted(in_stock=True), ["apple", "banana", "cherry"]),
        (Wanted(in_stock=False), ["100% juice_x", "Apple"]),
        (Wanted(words=["ban"], min_price=300, in_stock=True), ["banana"]),
        (Wanted(status="draft"), []),
        (Wanted(category=UUID(int=9)), []),
    ],
)
async def test_filters_hold_together(store: Store, wanted: Wanted, expected: list[str]) -> None:
    await shop(store)

    assert await all_pages(store, Sort.NAME, wanted) == expected


async def test_a_category_lists_what_is_in_it_and_below_it(store: Store) -> None:
    home, light = Category(uuid4(), "Home", None), Category(uuid4(), "Light", None)
    await store.add_category(home)
    await store.add_category(replace(light, parent_id=home.id))
    await store.add(product(LAMP, name="Lamp", category_id=light.id), NOON)
    await store.add(product(DESK, name="Desk", category_id=home.id), NOON)

    assert await all_pages(store, Sort.NAME, Wanted(category=home.id)) == ["Desk", "Lamp"]
    assert await all_pages(store, Sort.NAME, Wanted(category=light.id)) == ["Lamp"]


@pytest.mark.parametrize("sort", [sort for sort in Sort if sort is not Sort.RELEVANCE])
async def test_pages_do_not_move_when_products_come_and_go(store: Store, sort: Sort) -> None:
    await shop(store)
    expected = await all_pages(store, sort, size=100)

    first = await store.page(Wanted(), sort, None, 2)
    assert first.end is not None
    await sell(store, UUID(int=0), name="100", price=0)  # the first by name and by price
    await sell(store, UUID(int=99), name="1000", price=999)  # the newest and the dearest
    await store.change(first.end.id, lambda last: last.delete(NOON))
    second = await store.page(Wanted(), sort, first.end, 100)

    seen = [each.details.name for each in first.products + second.products]
    assert [name for name in seen if name not in ("100", "1000")] == expected


# --- categories --------------------------------------------------------------------------------------------------


async def test_a_category_with_something_in_it_stays(store: Store) -> None:
    home, light = Category(uuid4(), "Home", None), Category(uuid4(), "Light", None)
    light.parent_id = home.id
    await store.add_category(home)
    await store.add_category(light)
    await store.add(product(LAMP, category_id=light.id), NOON)

    for category in (home, light):
        with pytest.raises(CategoryInUse):
            await store.delete_category(category.id, 1)

    await store.change(LAMP, lambda lamp: lamp.delete(NOON))
    await store.delete_category(light.id, 1)
    await store.delete_category(home.id, 1)
    assert await store.categories() == []


async def test_two_moves_that_are_right_alone_are_never_a_circle_together(store: Store) -> None:
    for _ in range(5):
        one, two = Category(uuid4(), "One", None), Category(uuid4(), "Two", None)
        await store.add_category(one)
        await store.add_category(two)

        results = await asyncio.gather(
            store.change_category(one.id, moved_below(two), 1),
            store.change_category(two.id, moved_below(one), 1),
            return_exceptions=True,
        )

        assert sorted(type(result).__name__ for result in results) == ["Category", "Invalid"]


async def test_a_category_that_was_changed_meanwhile_is_left_alone(store: Store) -> None:
    home = Category(uuid4(), "Home", None)
    await store.add_category(home)

    changed = await store.change_category(home.id, lambda category, all_: category.replace("House", None, all_), 1)

    assert (changed.name, changed.version) == ("House", 2)
    assert await store.read_category(home.id) == changed
    with pytest.raises(Stale):
        await store.change_category(home.id, lambda category, all_: category.replace("Hut", None, all_), 1)
    with pytest.raises(Stale):
        await store.delete_category(home.id, 1)


# --- stock -------------------------------------------------------------------------------------------------------


async def test_200_orders_at_once_for_50_pieces_are_50_held_and_150_refused(
    store: Store, any_database: Database
) -> None:
    await sell(store, LAMP, stock=50)
    orders = [uuid4() for _ in range(200)]

    await asyncio.gather(*(hold(store, order, (LAMP, 1)) for order in orders))

    assert await figures(store, LAMP) == (0, 50, 0, 50)
    told = await facts(any_database)
    assert (told.count("stock-reserved"), told.count("stock-refused")) == (50, 150)

    statuses = [await status(store, order) for order in orders]
    assert (statuses.count("held"), statuses.count("refused")) == (50, 150)


async def test_all_lines_or_none(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=5)
    await sell(store, DESK, stock=1)

    await hold(store, UUID(int=100), (LAMP, 2), (DESK, 2))

    assert (await figures(store, LAMP), await figures(store, DESK)) == ((5, 0, 0, 5), (1, 0, 0, 1))
    told = await facts(any_database)
    assert (told.count("stock-refused"), told.count("stock-reserved")) == (1, 0)


async def test_orders_that_want_the_same_things_in_another_order_do_not_block_each_other(store: Store) -> None:
    await sell(store, LAMP, stock=60)
    await sell(store, DESK, stock=60)
    orders = [(uuid4(), [(LAMP, 1), (DESK, 1)][:: 1 if n % 2 else -1]) for n in range(60)]

    async def live(order_id: UUID, wanted: Sequence[tuple[UUID, int]]) -> None:
        await hold(store, order_id, *wanted)
        await (buy if order_id.int % 2 else release)(store, order_id)

    await asyncio.gather(*(live(*order) for order in orders))

    bought = sum(order_id.int % 2 for order_id, _ in orders)
    assert await figures(store, LAMP) == await figures(store, DESK) == (60 - bought, 0, bought, 60)


async def test_an_order_is_reserved_once_whatever_asks(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=50)

    tries = [hold(store, UUID(int=100), (LAMP, 3)) for _ in range(10)]
    tries += [hold(store, UUID(int=100), (LAMP, 3), cause="the same") for _ in range(10)]
    await asyncio.gather(*tries)

    assert await figures(store, LAMP) == (47, 3, 0, 50)
    assert (await facts(any_database)).count("stock-reserved") == 1


@pytest.mark.parametrize("settle", [buy, release])
async def test_a_reservation_is_settled_once_whatever_is_heard(store: Store, settle: Settle) -> None:
    await sell(store, LAMP, stock=5)
    await hold(store, UUID(int=100), (LAMP, 3))

    again = [settle(store, UUID(int=100), f"cause {n % 3}") for n in range(9)]
    await asyncio.gather(*again)
    await hold(store, UUID(int=100), (LAMP, 3))

    assert await figures(store, LAMP) == ((2, 0, 3, 5) if settle is buy else (5, 0, 0, 5))


async def test_release_and_sale_at_once_have_one_winner(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=50)
    orders = [uuid4() for _ in range(10)]
    await asyncio.gather(*(hold(store, order, (LAMP, 1)) for order in orders))

    await asyncio.gather(*(settle(store, order) for order in orders for settle in (buy, release)))

    statuses = [await status(store, order) for order in orders]
    sold = statuses.count("sold")
    assert sold + statuses.count("released") == 10
    assert await figures(store, LAMP) == (50 - sold, 0, sold, 50)


async def test_release_and_reserve_at_once_leave_nothing_set_aside(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=50)
    orders = [uuid4() for _ in range(20)]
    works = [work for order in orders for work in (hold(store, order, (LAMP, 1)), release(store, order))]

    await asyncio.gather(*works)

    assert {await status(store, order) for order in orders} == {"released"}
    assert await figures(store, LAMP) == (50, 0, 0, 50)


async def test_an_order_released_first_gets_nothing_and_nothing_is_told(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=5)
    before = await facts(any_database)

    await release(store, UUID(int=100))
    await hold(store, UUID(int=100), (LAMP, 3))

    assert await figures(store, LAMP) == (5, 0, 0, 5)
    assert await facts(any_database) == before


async def test_a_repeated_cause_has_one_effect(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=5)

    for _ in range(2):
        await store.change_stock(LAMP, lambda stock: stock.recount(stock.count + 1, "found", NOON), cause="e-1")

    assert await figures(store, LAMP) == (6, 0, 0, 6)
    assert (await facts(any_database)).count("stock-changed") == 2


async def test_of_fifty_counts_one_wins_each_version(store: Store) -> None:
    await sell(store, LAMP, stock=5)

    counts = [store.change_stock(LAMP, counted(n), version=1) for n in range(50)]
    results = await asyncio.gather(*counts, return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["Stale"] * 49 + ["Stock"]
    assert (await store.stock(LAMP)).version == 2


async def test_a_refused_count_leaves_no_trace(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=5)
    await hold(store, UUID(int=100), (LAMP, 3))
    before = await facts(any_database)

    for _ in range(2):  # the first time leaves no mark that would make the second a repeat
        with pytest.raises(BelowReserved):
            await store.change_stock(LAMP, lambda stock: stock.recount(2, "flood", NOON), cause="late")

    assert await figures(store, LAMP) == (2, 3, 0, 5)
    assert await facts(any_database) == before


async def test_what_is_on_hand_says_whether_a_product_is_in_stock(store: Store) -> None:
    await sell(store, LAMP, stock=1)
    assert (await store.read(LAMP)).in_stock

    await hold(store, UUID(int=100), (LAMP, 1))

    assert not (await store.read(LAMP)).in_stock
    assert [each.in_stock for each in (await store.page(Wanted(), Sort.NEWEST, None, 10)).products] == [False]


async def test_a_database_is_brought_up_to_date_once_whoever_tries(any_database: Database) -> None:
    with pytest.raises(Behind, match=r"python -m services\.catalog migrate"):
        await open_store(any_database)

    await asyncio.gather(*(migrate(any_database) for _ in range(4)))

    await open_store(any_database)
