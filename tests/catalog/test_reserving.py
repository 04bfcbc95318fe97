"""Stock that is set aside, sold and counted, on every engine, by many at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from libs.common.database import Database
from services.catalog.stock import BelowReserved
from services.catalog.store import (
    Sort,
    Store,
    Wanted,
)
from tests.catalog.selling import (
    DESK,
    LAMP,
    NOON,
    buy,
    counted,
    figures,
    hold,
    release,
    see,
    sell,
)
from tests.engines import facts

pytestmark = pytest.mark.real


Settle = Callable[[Store, UUID, str], Awaitable[None]]


async def status(store: Store, order_id: UUID) -> str:
    return (await see(store, order_id)).reservation.status


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
