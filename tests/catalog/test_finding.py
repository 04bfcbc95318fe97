"""How products are found, on every engine: by words, attributes, status and several categories; and counted."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.database import Database
from libs.common.errors import Invalid
from libs.common.messages.catalog import ProductCreated, ReservedLine
from libs.common.postgres import Postgres
from services.catalog.domain import Category, Details, Product
from services.catalog.reservations import Reservation
from services.catalog.search import attribute, sought
from services.catalog.stock import Shelves
from services.catalog.store import CategoryInUse, Position, Sort, Store, Tally, Wanted, migrate, open_store
from services.catalog.store.postgres import PostgresStore
from tests.engines import Engine, told
from tests.engines.wire import Wire

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOME, LIGHT, GARDEN, EMPTY = (UUID(int=number) for number in range(101, 105))
LAMP, TORCH, DESK, LIGHTER, DRAFT = (UUID(int=number) for number in range(1, 6))


def product(product_id: UUID, name: str, description: str = "", *categories: UUID, **said: Any) -> Product:
    first, *more = categories or (None,)
    sku, price = f"SKU-{product_id.int}", 100 + product_id.int
    return Product(
        product_id, Details(sku, name, description, price, "EUR", first, more_categories=tuple(more), **said)
    )


async def shop(store: Store) -> None:
    """Light is below home; the lamp is in both light and garden, and red."""
    for category_id, parent_id in ((HOME, None), (LIGHT, HOME), (GARDEN, None), (EMPTY, HOME)):
        await store.add_category(Category(category_id, f"No. {category_id.int}", parent_id))
    red = {"color": "Dark Red", "watts": 5, "dim": True}
    await store.add(product(LAMP, "Lamp", "Gives light", LIGHT, GARDEN, attributes=red), NOON)
    await store.add(product(TORCH, "Tôrch light", "", LIGHT, HOME, attributes={"watts": "5"}), NOON)
    await store.add(product(DESK, "Desk", "For a lighter lamp"), NOON)
    await store.add(product(LIGHTER, "Light Lighter", "", GARDEN), NOON)
    await store.add(product(DRAFT, "Light", "", LIGHT, status="draft"), NOON)


async def found(store: Store, sort: Sort = Sort.NEWEST, *, size: int = 100, **wanted: Any) -> list[UUID]:
    if isinstance(wanted.get("words"), str):
        wanted["words"] = sought(wanted["words"])
    products, after = list[UUID](), None
    while True:
        page = await store.page(Wanted(**wanted), sort, after, size)
        products += [each.id for each in page.products]
        if page.end is None:
            return products
        after = page.end


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_what_fits_best_comes_first_and_of_equals_the_newest(store: Store, size: int) -> None:
    await shop(store)

    assert await found(store, Sort.RELEVANCE, size=size, words="light") == [LIGHTER, TORCH, LAMP, DESK]
    assert await found(store, Sort.RELEVANCE, size=size, words="light lamp") == [LAMP, DESK]
    assert await found(store, Sort.RELEVANCE, size=size, words="TORC") == [TORCH]
    assert await found(store, Sort.RELEVANCE, size=size, words="sku") == [LIGHTER, DESK, TORCH, LAMP]
    assert await found(store, Sort.RELEVANCE, size=size, words="🎉") == []


async def test_a_page_by_relevance_does_not_move_when_products_come(store: Store) -> None:
    await shop(store)
    first = await store.page(Wanted(words=["light"]), Sort.RELEVANCE, None, 2)

    await store.add(product(UUID(int=9), "Light"), NOON)
    second = await store.page(Wanted(words=["light"]), Sort.RELEVANCE, first.end, 2)

    assert first.end == Position(Sort.RELEVANCE, 4, TORCH)
    assert [each.id for each in second.products] == [LAMP, DESK]


async def test_the_newest_of_what_fits_are_ranked_and_of_other_orders_all_are_listed(store: Any) -> None:
    await shop(store)
    store.most_ranked = 2

    assert await found(store, Sort.RELEVANCE, words="light") == [LIGHTER, DESK]
    assert await found(store, Sort.RELEVANCE, words="light", size=1) == [LIGHTER, DESK]
    assert await found(store, Sort.RELEVANCE, words="light", category=LIGHT) == [TORCH, LAMP]
    assert await found(store, words="light") == [LIGHTER, DESK, TORCH, LAMP]


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_in_postgresql_the_way_along_the_order_and_that_by_the_index_find_the_same(
    database: Postgres, size: int
) -> None:
    await migrate(database)
    store = PostgresStore(database)
    await shop(store)

    async def all_sorts() -> list[list[UUID]]:
        asked: list[dict[str, Any]] = [
            {"words": "light"},
            {"words": "lamp", "attributes": [attribute("watts", "5")]},
            {"words": "light", "in_stock": False, "category": HOME},
        ]
        return [await found(store, sort, size=size, **wanted) for sort in Sort for wanted in asked]

    by_the_index = await all_sorts()
    store.few = 0

    assert await all_sorts() == by_the_index
    assert by_the_index[0] == [LIGHTER, DESK, TORCH, LAMP]


async def test_words_can_be_sought_in_any_order_of_the_list(store: Store) -> None:
    await shop(store)

    assert await found(store, Sort.PRICE, words="light", size=2) == [LAMP, TORCH, DESK, LIGHTER]


async def test_what_a_product_says_now_is_what_it_is_found_by(store: Store) -> None:
    await shop(store)
    said = product(LAMP, "Candle", "", GARDEN, attributes={"color": "blue"}).details

    await store.change(LAMP, lambda lamp: lamp.replace(said, NOON))

    assert await found(store, words="lamp") == [DESK]
    assert await found(store, words="candle") == [LAMP]
    assert await found(store, attributes=[attribute("color", "dark red")]) == []
    assert await found(store, attributes=[attribute("color", "BLUE")]) == [LAMP]
    assert await found(store, category=LIGHT) == [TORCH]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([("color", "dark red")], [LAMP]),
        ([("color", "DÀRK RED")], [LAMP]),
        ([("color", "dark")], []),
        ([("watts", "5")], [TORCH, LAMP]),
        ([("watts", "5"), ("dim", "true")], [LAMP]),
        ([("dim", "false")], []),
        ([("color", "' OR 1 = 1 --")], []),
        ([("color", "\\")], []),
    ],
)
async def test_attributes_are_asked_for_together(
    store: Store, asked: list[tuple[str, str]], expected: list[UUID]
) -> None:
    await shop(store)

    assert await found(store, attributes=[attribute(*each) for each in asked]) == expected


async def test_an_attribute_that_holds_what_is_special_is_found(store: Store) -> None:
    for number, value in enumerate(["it's", "a\\b", "50%_", "dünn & groß", "🎉", "' |"], start=1):
        await store.add(product(UUID(int=number), "Thing", attributes={"kind": value}), NOON)

        assert await found(store, attributes=[attribute("kind", value)]) == [UUID(int=number)]
        assert (await store.read(UUID(int=number))).details.attributes == {"kind": value}


async def test_a_product_is_in_each_of_its_categories_and_in_what_is_above_them(store: Store) -> None:
    await shop(store)

    assert (await store.read(LAMP)).details.category_ids == (LIGHT, GARDEN)
    assert await found(store, category=LIGHT) == [TORCH, LAMP]
    assert await found(store, category=HOME, size=1) == [TORCH, LAMP]
    assert await found(store, category=GARDEN) == [LIGHTER, LAMP]
    assert await found(store, category=HOME, words="gives") == [LAMP]


async def test_any_of_its_categories_must_be_there_and_stays_while_it_is_in_it(store: Store) -> None:
    await shop(store)

    with pytest.raises(Invalid, match="no category") as refusal:
        await store.add(product(UUID(int=9), "Rug", "", HOME, UUID(int=999)), NOON)
    with pytest.raises(CategoryInUse):
        await store.delete_category(GARDEN, 1)

    assert refusal.value.field == "category_ids"
    for gone in (LAMP, LIGHTER):
        await store.change(gone, lambda each: each.delete(NOON))
    await store.delete_category(GARDEN, 1)


async def test_a_category_counts_what_the_list_would_show_each_product_once(store: Store) -> None:
    await shop(store)

    assert await store.counts(Wanted()) == Tally(4, {HOME: 2, LIGHT: 2, GARDEN: 2})
    assert await store.counts(Wanted(words=["gives"])) == Tally(1, {HOME: 1, LIGHT: 1, GARDEN: 1})
    assert await store.counts(Wanted(category=HOME, min_price=102)) == Tally(1, {HOME: 1, LIGHT: 1})
    assert await store.counts(Wanted(attributes=[attribute("watts", "5")], category=GARDEN)) == Tally(
        1, {HOME: 1, LIGHT: 1, GARDEN: 1}
    )
    assert await store.counts(Wanted(status="draft")) == Tally(1, {HOME: 1, LIGHT: 1})
    assert await store.counts(Wanted(words=["nothing"])) == Tally(0, {})


async def test_a_list_leaves_out_what_is_not_published(store: Store) -> None:
    await shop(store)

    assert DRAFT not in await found(store)
    assert await found(store, status="draft") == [DRAFT]
    assert await found(store, status=None) == [DRAFT, LIGHTER, DESK, TORCH, LAMP]
    assert (await store.read(DRAFT)).details.status == "draft"


async def test_what_is_no_longer_published_is_not_sold_and_what_is_set_aside_for_an_order_is(store: Store) -> None:
    await store.add(product(LAMP, "Lamp"), NOON)
    await store.change_stock(LAMP, lambda stock: stock.open(5, NOON))
    reserved, refused = UUID(int=201), UUID(int=202)

    assert await hold(store, reserved) == "held"
    archived = product(LAMP, "Lamp", status="archived").details
    await store.change(LAMP, lambda lamp: lamp.replace(archived, NOON))
    assert await hold(store, refused) == "refused"
    await store.change_reservation(reserved, lambda each, shelves: each.sell(shelves, NOON), cause="confirmed")

    stock = await store.stock(LAMP)
    assert (stock.on_hand, stock.sold, stock.published) == (4, 1, False)


async def hold(store: Store, order_id: UUID) -> str:
    seen = list[Reservation]()

    def act(reservation: Reservation, shelves: Shelves) -> Any:
        seen.append(reservation)
        return reservation.hold([ReservedLine(product_id=LAMP, quantity=1)], shelves, NOON)

    await store.change_reservation(order_id, act, cause=f"reserve {order_id}", products=[LAMP])
    return str(seen[-1].status)


async def test_facts_tell_status_and_tax(store: Store, any_database: Database) -> None:
    await store.add(product(LAMP, "Lamp", status="draft", tax_rate=700), NOON)

    (event,) = await told(any_database)
    fact = msgspec.json.decode(event.data, type=ProductCreated)
    assert (fact.status, fact.tax_rate) == ("draft", 700)
    assert (await store.read(LAMP)).details.tax_rate == 700


async def test_in_sql_a_read_a_list_a_search_and_counts_are_one_round_trip_each(sql_engine: Engine) -> None:
    async with sql_engine.fresh() as url, sql_engine.connect(url) as direct, Wire.before(url) as (wire, through):
        await migrate(direct)
        await shop(await open_store(direct))
        async with sql_engine.connect(through) as wired:
            store, sought_for = await open_store(wired), Wanted(LIGHT, ["lamp"], attributes=["=watts=5"])
            asked: list[Callable[[], Awaitable[Any]]] = [
                lambda: store.read(LAMP),
                lambda: store.page(Wanted(), Sort.NEWEST, None, 20),
                lambda: store.page(sought_for, Sort.RELEVANCE, None, 20),
                lambda: store.counts(sought_for),
            ]
            for ask in asked:
                await ask()  # the first time, PostgreSQL is also asked to prepare it
                wire.listen()

                await ask()

                assert wire.turns == 1
