"""The contract of the catalogue's store, on every engine: products and categories."""

import asyncio
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from libs.common.database import Database
from libs.common.errors import Invalid, NotFound, Stale
from libs.common.migrations import Behind
from services.catalog.domain import Category, Media, Product
from services.catalog.store import (
    CategoryInUse,
    SkuTaken,
    Store,
    migrate,
    open_store,
)
from tests.catalog.selling import (
    DESK,
    LAMP,
    NOON,
    buy,
    figures,
    hold,
    moved_below,
    product,
    renamed,
    see,
    sell,
    showing,
)
from tests.engines import facts

pytestmark = pytest.mark.real


async def test_a_product_is_stored_with_its_fact_and_nothing_on_the_shelf(store: Store, any_database: Database) -> None:
    await store.add(product(LAMP, name="Lamp"), NOON)

    stored = await store.read(LAMP)
    assert (stored.details.name, stored.version, stored.in_stock, stored.media) == ("Lamp", 1, False, [])
    assert await figures(store, LAMP) == (0, 0, 0, 0)
    assert await facts(any_database) == ["product-created"]


async def test_a_sku_is_had_by_one_product(store: Store, any_database: Database) -> None:
    await sell(store, LAMP)
    await sell(store, DESK)
    taken = structs.replace(product(DESK).details, sku="SKU-1")

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


async def test_a_database_is_brought_up_to_date_once_whoever_tries(any_database: Database) -> None:
    with pytest.raises(Behind, match=r"python -m services\.catalog migrate"):
        await open_store(any_database)

    await asyncio.gather(*(migrate(any_database) for _ in range(4)))

    await open_store(any_database)
