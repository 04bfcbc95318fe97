"""Lists of products, on every engine: sorted, filtered, page by page."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.catalog.domain import Category
from services.catalog.store import (
    Position,
    Sort,
    Store,
    Wanted,
)
from tests.catalog.selling import DESK, LAMP, NOON, product, sell

pytestmark = pytest.mark.real


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
