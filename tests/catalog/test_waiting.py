"""Who waits for what, on every engine: told once when there is some again, and off the list."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from libs.common.database import Database
from libs.common.errors import NotFound
from libs.common.inbox import react
from libs.common.messages import Command, Fact, encode_command, encode_fact, read
from libs.common.messages.catalog import (
    BackInStock,
    OpenStock,
    ProductDeleted,
    ProductStatus,
    ReservedLine,
    StockReplenished,
)
from libs.common.messages.customers import CustomerErased
from services.catalog.domain import Details, Product
from services.catalog.reactions import REACTIONS
from services.catalog.reservations import Reservation
from services.catalog.stock import CALLED_AT_ONCE, InStock, TooManyWaits
from services.catalog.store import Store, migrate, open_store
from tests.engines import facts, told

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, ORDER = UUID(int=1), UUID(int=2), UUID(int=100)
ADA, BOB = UUID(int=200), UUID(int=201)


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    opened = await open_store(any_database)
    for product_id in (LAMP, DESK):
        await opened.add(Product(product_id, Details(f"SKU-{product_id.int}", "Lamp", "", 100, "EUR", None)), NOON)
        await opened.change_stock(product_id, lambda stock: stock.open(0, NOON))
    return opened


async def count(store: Store, product_id: UUID, pieces: int) -> None:
    await store.change_stock(product_id, lambda stock: stock.recount(pieces, "counted", NOON))


async def hold(store: Store, order_id: UUID, quantity: int) -> None:
    lines = [ReservedLine(product_id=LAMP, quantity=quantity)]
    await store.change_reservation(
        order_id,
        lambda reservation, shelves: reservation.hold(lines, shelves, NOON),
        products=[LAMP],
        cause=f"reserve {order_id}",
    )


async def hear(store: Store, *heard: Fact) -> None:
    for fact in heard:
        await react(encode_fact(fact, ""), REACTIONS, store)


async def command(store: Store, command: Command, cause: str) -> None:
    await react(encode_command(command, "/functions/test", cause=cause, at=NOON, traceparent=""), REACTIONS, store)


async def show_as(store: Store, status: ProductStatus) -> None:
    await store.change(LAMP, lambda lamp: lamp.replace(structs.replace(lamp.details, status=status), NOON))


async def called(database: Database) -> list[list[UUID]]:
    return [read(event, BackInStock).customers for event in await told(database) if event.type == BackInStock.type]


async def waiting(store: Store) -> int:
    return (await store.stock(LAMP)).waiting


async def test_a_customer_waits_once_and_goes_when_they_like(store: Store) -> None:
    since = [await store.wait(LAMP, ADA, NOON) for _ in range(3)]

    assert since == [NOON] * 3
    assert (await store.waits_since(LAMP, ADA), await store.waits_since(LAMP, BOB)) == (NOON, None)
    assert (await waiting(store), await store.waits_of(ADA)) == (1, {LAMP: NOON})
    for _ in range(2):
        await store.stop_waiting(LAMP, ADA)
        await store.stop_waiting(uuid4(), ADA)
    assert (await waiting(store), await store.waits_of(ADA)) == (0, {})


async def test_what_came_while_a_product_was_not_for_sale_is_told_once_it_is_again(
    store: Store, any_database: Database
) -> None:
    await store.wait(LAMP, ADA, NOON)
    await show_as(store, "archived")
    await count(store, LAMP, 5)
    await hear(store, StockReplenished(product_id=LAMP, version=2, at=NOON))
    before = await called(any_database)

    await show_as(store, "published")
    for cause in ("edited", "edited", "edited again"):
        await command(store, OpenStock(product_id=LAMP, quantity=0), cause)

    assert (before, await called(any_database), await waiting(store)) == ([], [[ADA]], 0)


@pytest.mark.parametrize("status", ["draft", "archived"])
async def test_nobody_can_begin_to_wait_for_what_is_not_shown(store: Store, status: ProductStatus) -> None:
    await store.wait(LAMP, ADA, NOON)
    await show_as(store, status)

    with pytest.raises(NotFound):
        await store.wait(LAMP, BOB, NOON)

    assert (await store.wait(LAMP, ADA, NOON), await waiting(store)) == (NOON, 1)


async def test_twenty_of_the_same_at_once_are_one_and_of_twenty_customers_are_twenty(store: Store) -> None:
    await asyncio.gather(*(store.wait(LAMP, ADA, NOON) for _ in range(20)))
    await asyncio.gather(*(store.wait(LAMP, uuid4(), NOON) for _ in range(20)))

    assert await waiting(store) == 21


async def test_nobody_waits_for_what_is_there_or_is_nothing(store: Store) -> None:
    await count(store, LAMP, 1)
    with pytest.raises(InStock):
        await store.wait(LAMP, ADA, NOON)
    with pytest.raises(NotFound):
        await store.wait(uuid4(), ADA, NOON)

    await store.change(DESK, lambda desk: desk.delete(NOON))
    with pytest.raises(NotFound):
        await store.wait(DESK, ADA, NOON)
    assert await store.waits_of(ADA) == {}


async def test_that_there_is_some_again_is_told_once_in_the_same_commit(store: Store, any_database: Database) -> None:
    await store.wait(LAMP, ADA, NOON)

    for pieces in (3, 4, 5):
        await count(store, LAMP, pieces)

    assert (await facts(any_database)).count("stock-replenished") == 1


@pytest.mark.parametrize("settle", [Reservation.release, Reservation.take_back])
async def test_what_an_order_gives_back_is_there_again_too(
    store: Store, any_database: Database, settle: object
) -> None:
    await count(store, LAMP, 2)
    await hold(store, ORDER, 2)
    await store.wait(LAMP, ADA, NOON)

    await store.change_reservation(
        ORDER,
        lambda reservation, shelves: settle(reservation, shelves, NOON),  # type: ignore[operator]
        cause="off",
    )

    assert (await facts(any_database)).count("stock-replenished") == 1


async def test_all_who_wait_are_told_once_each_by_a_fact_of_their_own_and_wait_no_more(
    store: Store, any_database: Database
) -> None:
    customers = [UUID(int=1000 + number) for number in range(CALLED_AT_ONCE + 10)]
    for first in range(0, len(customers), 10):
        await asyncio.gather(*(store.wait(LAMP, each, NOON) for each in customers[first : first + 10]))
    await store.wait(DESK, customers[0], NOON)
    await count(store, LAMP, 1)
    replenished = StockReplenished(product_id=LAMP, version=2, at=NOON)

    await hear(store, replenished, replenished)
    await asyncio.gather(*(hear(store, replenished) for _ in range(4)))

    parts = await called(any_database)
    assert {len(some) for some in parts} == {1}
    assert Counter(each for (each,) in parts) == Counter(customers)
    assert (await waiting(store), await store.waits_of(customers[0])) == (0, {DESK: NOON})
    ids = [event.id for event in await told(any_database)]
    assert len(set(ids)) == len(ids)


async def test_where_it_is_sold_out_again_they_go_on_waiting_and_are_told_the_next_time(
    store: Store, any_database: Database
) -> None:
    await store.wait(LAMP, ADA, NOON)
    await count(store, LAMP, 1)
    await hold(store, ORDER, 1)

    await hear(store, StockReplenished(product_id=LAMP, version=2, at=NOON))
    assert (await called(any_database), await waiting(store)) == ([], 1)

    await count(store, LAMP, 2)
    assert (await facts(any_database)).count("stock-replenished") == 2
    await hear(store, StockReplenished(product_id=LAMP, version=4, at=NOON))
    assert (await called(any_database), await waiting(store)) == ([[ADA]], 0)


async def test_whoever_comes_while_it_is_filled_up_waits_and_is_told_or_is_sent_to_buy_it(
    store: Store, any_database: Database
) -> None:
    customers = [uuid4() for _ in range(20)]
    await store.wait(LAMP, ADA, NOON)

    results = await asyncio.gather(
        *(store.wait(LAMP, each, NOON) for each in customers[:10]),
        count(store, LAMP, 1),
        *(store.wait(LAMP, each, NOON) for each in customers[10:]),
        return_exceptions=True,
    )
    await hear(store, StockReplenished(product_id=LAMP, version=2, at=NOON))

    customers_told = [each for (each,) in await called(any_database)]
    admitted = [
        each for each, result in zip([*customers[:10], None, *customers[10:]], results, strict=True) if result == NOON
    ]
    assert sorted(customers_told) == sorted([ADA, *filter(None, admitted)])
    assert {type(result) for result in results} <= {datetime, InStock, type(None)}


async def test_of_what_is_no_longer_sold_nobody_is_told_and_nobody_waits(store: Store, any_database: Database) -> None:
    await store.wait(LAMP, ADA, NOON)
    await store.change(LAMP, lambda lamp: lamp.delete(NOON))

    await hear(
        store, ProductDeleted(product_id=LAMP, version=2, at=NOON), ProductDeleted(product_id=DESK, version=9, at=NOON)
    )

    assert (await called(any_database), await store.waits_of(ADA)) == ([], {})


async def test_the_erased_wait_for_nothing(store: Store, any_database: Database) -> None:
    for product_id in (LAMP, DESK):
        await store.wait(product_id, ADA, NOON)
    await store.wait(LAMP, BOB, NOON)

    await hear(store, *[CustomerErased(customer_id=ADA, version=2, at=NOON)] * 2)

    assert (await store.waits_of(ADA), await store.waits_of(BOB)) == ({}, {LAMP: NOON})
    assert (await waiting(store), (await store.stock(DESK)).waiting) == (1, 0)
    await count(store, LAMP, 1)
    await hear(store, StockReplenished(product_id=LAMP, version=2, at=NOON))
    assert await called(any_database) == [[BOB]]


async def test_a_customer_waits_for_so_many_and_no_more(store: Any) -> None:
    """The bound is low here: a hundred products take long on some engines."""
    store.most_waits = 1
    await store.wait(LAMP, ADA, NOON)

    with pytest.raises(TooManyWaits):
        await store.wait(DESK, ADA, NOON)

    assert await store.wait(LAMP, ADA, NOON) == NOON
    assert await store.wait(DESK, BOB, NOON) == NOON
    await store.stop_waiting(LAMP, ADA)
    assert await store.wait(DESK, ADA, NOON) == NOON
