"""The level at which staff hear that little is left, as every engine keeps it."""

import asyncio
from uuid import UUID, uuid4

import pytest

from libs.common.database import Database
from libs.common.errors import Stale
from services.catalog.stock import NotCounted
from services.catalog.store import Store
from tests.catalog.selling import LAMP, NOON, hold, product, sell
from tests.engines import facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def test_a_level_is_kept_and_its_crossing_told_with_the_order_that_crosses_it(
    store: Store, any_database: Database
) -> None:
    await sell(store, LAMP, stock=5)
    await store.change_stock(LAMP, lambda stock: stock.reorder_at(3, NOON), version=1)
    with pytest.raises(Stale):
        await store.change_stock(LAMP, lambda stock: stock.reorder_at(4, NOON), version=1)

    for number in range(3):
        await hold(store, UUID(int=200 + number), (LAMP, 1))

    stock = await store.stock(LAMP)
    assert (stock.reorder_level, stock.version, stock.on_hand) == (3, 5, 2)
    assert (await facts(any_database)).count("stock-low") == 1

    await store.change_stock(LAMP, lambda stock: stock.receive(5, "delivery", NOON))
    await hold(store, UUID(int=210), (LAMP, 7))
    assert (await facts(any_database)).count("stock-low") == 2


async def test_fifty_orders_at_once_cross_a_level_once(store: Store, any_database: Database) -> None:
    await sell(store, LAMP, stock=50)
    await store.change_stock(LAMP, lambda stock: stock.reorder_at(30, NOON))

    await asyncio.gather(*(hold(store, uuid4(), (LAMP, 1)) for _ in range(50)))

    assert (await facts(any_database)).count("stock-low") == 1


async def test_what_is_not_counted_has_no_level(store: Store) -> None:
    await store.add(product(LAMP), NOON)

    with pytest.raises(NotCounted):
        await store.change_stock(LAMP, lambda stock: stock.reorder_at(3, NOON))
    await store.change_stock(LAMP, lambda stock: stock.open(5, NOON))

    assert (await store.stock(LAMP)).on_hand == 5
