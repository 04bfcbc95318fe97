"""What is true of the catalogue in Table Storage only: intents of the living and the dead, lists that are walked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from libs.common.entities import Overtaken
from libs.common.messages.catalog import ReservedLine
from libs.common.tables import Tables
from services.catalog.domain import Details, Product
from services.catalog.reservations import ReservationStatus
from services.catalog.store import Sort, TooWide, Wanted, migrate
from services.catalog.store.tables import TablesStore
from services.catalog.store.tables_stock import Figures, Intent, Ledger, Record, Settled
from tests.engines import Engine

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, RUG = (UUID(int=number) for number in (1, 2, 3))
ORDER = UUID(int=100)


@pytest.fixture
async def replicas(tables: Engine) -> AsyncIterator[list[TablesStore]]:
    """Two processes of the service: each with a connection, and turns, of its own."""
    async with AsyncExitStack() as opened:
        url = await opened.enter_async_context(tables.fresh())
        databases = [await opened.enter_async_context(tables.connect(url)) for _ in range(2)]
        await migrate(databases[0])
        stores = [TablesStore(database) for database in databases if isinstance(database, Tables)]
        for product_id in (LAMP, DESK, RUG):
            details = Details(f"SKU-{product_id.int}", f"Product {product_id.int}", "", 100, "EUR", None)
            await stores[0].add(Product(product_id, details), NOON)
            await stores[0].change_stock(product_id, lambda shelf: shelf.open(20, NOON))
        yield stores


async def hold(store: TablesStore, order_id: UUID, *products: UUID) -> None:
    lines = [ReservedLine(product_id=product_id, quantity=1) for product_id in products]
    await store.change_reservation(
        order_id,
        lambda reservation, shelves: reservation.hold(lines, shelves, NOON),
        cause=f"reserve {order_id}",
        products=products,
    )


async def figures(store: TablesStore, product_id: UUID) -> tuple[int, int, int]:
    stock = await store.stock(product_id)
    return stock.on_hand, stock.reserved, stock.sold


async def intended(ledger: Ledger, order_id: UUID, *product_ids: UUID) -> list[Settled]:
    """What an attempt leaves that ends before its commit."""
    return await ledger.intend(Intent(order_id, "lost"), [await ledger.settled(each) for each in product_ids])


async def test_two_processes_sell_the_same_things_once(replicas: list[TablesStore]) -> None:
    orders = [uuid4() for _ in range(16)]

    await asyncio.gather(
        *(hold(replicas[n % 2], order, *((LAMP, DESK) if n % 3 else (DESK, LAMP))) for n, order in enumerate(orders))
    )

    for product_id in (LAMP, DESK):
        assert await figures(replicas[0], product_id) == await figures(replicas[1], product_id) == (4, 16, 0)


async def test_an_order_that_two_processes_hear_of_at_once_is_reserved_once(replicas: list[TablesStore]) -> None:
    for number in range(5):
        order_id = UUID(int=1000 + number)

        await asyncio.gather(*(hold(store, order_id, LAMP, DESK) for store in replicas))

    assert await figures(replicas[0], LAMP) == await figures(replicas[0], DESK) == (15, 5, 0)


async def test_what_somebody_died_over_is_free_again_after_a_while(replicas: list[TablesStore]) -> None:
    await intended(replicas[0].ledger, ORDER, LAMP, DESK)
    replicas[1].ledger.patience = 0.2

    assert await figures(replicas[1], LAMP) == (20, 0, 0)  # who only reads does not wait
    await hold(replicas[1], uuid4(), LAMP, RUG)

    assert [await figures(replicas[1], each) for each in (LAMP, DESK, RUG)] == [(19, 1, 0), (20, 0, 0), (19, 1, 0)]


async def test_who_was_taken_for_dead_can_not_commit_any_more(replicas: list[TablesStore]) -> None:
    slow, quick = (store.ledger for store in replicas)
    known, (shelf,) = await slow.reserved(ORDER), await intended(slow, ORDER, LAMP)
    quick.patience = 0.0
    await quick.settled(LAMP)

    becomes = Record(ReservationStatus.HELD, (), 1, "lost", [Figures(LAMP, on_hand=19, reserved=1, received=20)])
    with pytest.raises(Overtaken):
        await slow.change_reserved(known, becomes, {LAMP: shelf}, "reserve", [])

    assert await figures(replicas[1], LAMP) == (20, 0, 0)
    await hold(replicas[0], ORDER, LAMP)
    assert await figures(replicas[1], LAMP) == (19, 1, 0)


async def test_what_is_committed_counts_before_it_is_written(replicas: list[TablesStore]) -> None:
    store, other = replicas
    ledger = store.ledger
    known = await ledger.reserved(ORDER)
    await intended(ledger, ORDER, LAMP, DESK)
    lines = [ReservedLine(product_id=each, quantity=2) for each in (LAMP, DESK)]
    redo = [Figures(each, on_hand=18, reserved=2, received=20, version=2) for each in (LAMP, DESK)]
    await ledger.write_reserved(known, Record(ReservationStatus.HELD, lines, 1, "lost", redo))

    assert await figures(other, LAMP) == (18, 2, 0)
    await hold(other, uuid4(), LAMP)
    await other.change_reservation(
        ORDER, lambda reservation, shelves: reservation.sell(shelves, NOON), cause="confirmed"
    )

    assert [await figures(other, each) for each in (LAMP, DESK)] == [(17, 1, 2), (18, 0, 2)]


async def test_a_repeated_message_finishes_what_its_first_delivery_began(replicas: list[TablesStore]) -> None:
    store, other = replicas
    await other.change_stock(LAMP, lambda stock: stock.recount(1, "count", NOON))
    await hold(other, ORDER, LAMP)
    entity, product = await store.known(LAMP)
    await store.list_as(entity, product, in_stock=True)  # as if it had died before it could say otherwise

    await hold(store, ORDER, LAMP)

    assert [each.in_stock for each in (await store.page(Wanted(), Sort.NEWEST, None, 10)).products] == [
        True,
        True,
        False,
    ]


async def test_a_search_that_would_walk_too_far_says_so(replicas: list[TablesStore]) -> None:
    replicas[0].most_walked = 2

    with pytest.raises(TooWide) as refusal:
        await replicas[0].page(Wanted(words=["nowhere"]), Sort.NAME, None, 1)

    assert (refusal.value.status, "narrow it by price" in refusal.value.detail) == (501, True)
    assert len((await replicas[0].page(Wanted(), Sort.NAME, None, 100)).products) == 3
