"""Many products written at once, on every engine; and what another version has written becomes findable."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.database import Database
from libs.common.errors import Invalid
from services.catalog.bulk import Outcome
from services.catalog.domain import Category, Details, Product
from services.catalog.store import CategoryInUse, Sort, Store, Tally, Wanted, migrate, open_store
from tests.engines import Engine, facts, told

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOME = UUID(int=101)
CREATED, UPDATED, UNCHANGED = Outcome


def product(sku: str, *, price: int = 100, **said: Any) -> Product:
    return Product(uuid4(), Details(sku, f"Thing {sku}", "", price, "EUR", **{"category_id": None, **said}))


async def test_what_is_new_is_added_and_what_is_known_replaced_each_with_its_fact(
    store: Store, any_database: Database
) -> None:
    first = await store.put_all([product("A"), product("B")], NOON)
    known = (await store.page(Wanted(words=["a"]), Sort.NEWEST, None, 1)).products[0]
    await store.change_stock(known.id, lambda stock: stock.open(7, NOON))

    second = await store.put_all([product("A", price=200), product("B"), product("C")], NOON)

    assert (first, second) == ([CREATED, CREATED], [UPDATED, UNCHANGED, CREATED])
    changed = await store.read(known.id)
    assert (changed.details.price, changed.version, changed.in_stock) == (200, 2, True)
    heard = await facts(any_database)
    assert (heard.count("product-created"), heard.count("product-updated")) == (3, 1)
    assert await store.counts(Wanted()) == Tally(3, {})


async def test_of_two_with_one_sku_the_second_replaces_the_first(store: Store, any_database: Database) -> None:
    outcomes = await store.put_all([product("A"), product("A", price=200), product("A", price=200)], NOON)

    (only,) = (await store.page(Wanted(), Sort.NEWEST, None, 9)).products
    assert outcomes == [CREATED, UPDATED, UNCHANGED]
    assert (only.details.price, only.version) == (200, 2)
    assert [event.subject for event in await told(any_database)] == [str(only.id)] * 2


async def test_what_says_no_status_keeps_its_own_and_is_published_where_it_is_new(store: Store) -> None:
    await store.put_all([product("A", status="archived")], NOON)
    said = [product("A", price=200), product("B"), product("C", status="draft")]

    outcomes = await store.put_all(said, NOON, keeping={each.id for each in said[:2]})

    found = (await store.page(Wanted(status=None), Sort.NEWEST, None, 9)).products
    statuses = {each.details.sku: each.details.status for each in found}
    assert outcomes == [UPDATED, CREATED, CREATED]
    assert statuses == {"A": "archived", "B": "published", "C": "draft"}


async def test_two_who_add_the_same_in_opposite_order_do_not_wait_for_each_other(store: Store) -> None:
    skus = [f"S{number}" for number in range(100)]

    results = await asyncio.gather(
        store.put_all([product(sku) for sku in skus], NOON),
        store.put_all([product(sku) for sku in reversed(skus)], NOON),
    )

    assert Counter(outcome for outcomes in results for outcome in outcomes) == {CREATED: 100, UNCHANGED: 100}


async def test_what_is_refused_holds_up_no_other(store: Store) -> None:
    await store.add_category(Category(HOME, "Home", None))

    outcomes = await store.put_all(
        [product("A"), product("B", category_id=UUID(int=9)), product("C", category_id=HOME)], NOON
    )

    refusal = outcomes[1]
    assert isinstance(refusal, Invalid)
    assert (outcomes[0], refusal.field, outcomes[2]) == (CREATED, "category_ids", CREATED)
    assert await store.counts(Wanted()) == Tally(2, {HOME: 1})
    with pytest.raises(CategoryInUse):
        await store.delete_category(HOME, 1)


async def test_the_same_written_by_four_at_once_is_there_once(store: Store, any_database: Database) -> None:
    skus = [f"S-{number}" for number in range(8)]

    results = await asyncio.gather(*(store.put_all([product(sku) for sku in skus], NOON) for _ in range(4)))

    assert sorted(str(outcome) for each in results for outcome in each) == [CREATED] * 8 + [UNCHANGED] * 24
    assert await facts(any_database) == ["product-created"] * 8


async def test_what_was_deleted_is_added_anew(store: Store) -> None:
    await store.put_all([product("A")], NOON)
    (gone,) = (await store.page(Wanted(), Sort.NEWEST, None, 9)).products
    await store.change(gone.id, lambda product: product.delete(NOON))

    assert await store.put_all([product("A")], NOON) == [CREATED]


BEFORE = {  # as the version before writes them; `?` and `$1` are a product's id
    "postgres": (
        "UPDATE products SET name = 'Candle', category_id = $1, version = version + 1",
        "UPDATE products SET deleted = true, category_id = NULL, version = version + 1",
    ),
    "azuresql": (
        "UPDATE products SET name = 'Candle', category_id = ?, version = version + 1",
        "UPDATE products SET deleted = 1, category_id = NULL, version = version + 1",
    ),
}


async def test_what_the_version_before_writes_is_found_after_a_while(sql_engine: Engine) -> None:
    edit, delete = BEFORE[sql_engine.name]
    async with sql_engine.database() as database:
        await migrate(database)
        store = await open_store(database)
        await store.add_category(Category(HOME, "Home", None))
        await store.put_all([product("A")], NOON)

        await _run(database, edit, HOME)
        await store.index_anew()

        asked = (Wanted(words=["candle"]), Wanted(category=HOME), Wanted(words=["thing"]))
        assert [(await store.counts(each)).total for each in asked] == [1, 1, 0]
        await _run(database, delete)
        await store.delete_category(HOME, 1)
        assert (await store.counts(Wanted())).total == 0


async def _run(database: Any, sql: str, *ids: UUID) -> None:
    if database.engine == "postgres":
        async with database.transaction() as tx:
            await tx.execute(sql, *ids)
    else:
        await database.transact(lambda tx: tx.execute(sql, *(each.bytes for each in ids)))
