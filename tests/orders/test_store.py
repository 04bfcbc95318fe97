"""The contract of the orders store, on every engine: changes and lists. The rest has files of its own."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from libs.common.database import Database
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.migrations import Behind
from services.orders.domain import Order, Price
from services.orders.store import Sought, Store, migrate, open_store, states
from services.orders.transitions import Status
from tests.engines import facts
from tests.orders.ordering import ADA, DESK, LAMP, NOON, OF_ADA, pay, put, put_one_in_each_state, told

pytestmark = pytest.mark.real


async def test_facts_that_come_late_change_nothing(store: Store) -> None:
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 100, "EUR", version=5))
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 999, "EUR", version=4))
    await store.delist(DESK, 9)
    await store.list_price(Price(DESK, "DESK", "Desk", 1, "EUR", version=8))

    receipt = await put(store)

    assert (await store.read(receipt.order_id)).total == 200
    with pytest.raises(Invalid):
        await put(store, key="k-2", product=DESK)


async def test_a_change_is_made_once_per_cause(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    await store.change(order_id, lambda order: order.confirm(NOON), cause="catalog e-1")
    await store.change(order_id, lambda order: order.confirm(NOON), cause="catalog e-1")

    assert await told(store, order_id) == [(1, "order-placed"), (2, "order-confirmed")]
    assert await facts(any_database) == ["order-placed", "order-confirmed"]


async def test_cancel_and_confirm_at_once_have_one_winner(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    tries = [store.change(order_id, lambda order: order.confirm(NOON), cause=f"c-{n}") for n in range(25)]
    tries += [store.change(order_id, lambda order: order.cancel("no", NOON), customer_id=ADA) for _ in range(25)]
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert all(isinstance(result, Order | Conflict) for result in results)
    assert len(await told(store, order_id)) == 2
    assert len(await facts(any_database)) == 2


async def test_a_refused_change_leaves_nothing(store: Store) -> None:
    order_id = (await put(store)).order_id
    await store.change(order_id, lambda order: order.confirm(NOON))

    for _ in range(2):  # the first time leaves no mark that would make the second a repeat
        with pytest.raises(Conflict):
            await store.change(order_id, lambda order: order.cancel("no", NOON), cause="late")

    assert (await store.read(order_id)).status is Status.CONFIRMED


async def test_another_customers_order_is_not_found(store: Store) -> None:
    order_id = (await put(store)).order_id

    for attempt in (
        store.read(order_id, UUID(int=5)),
        store.timeline(order_id, UUID(int=5)),
        store.change(order_id, lambda order: order.cancel("no", NOON), customer_id=UUID(int=5)),
        store.read(uuid4(), ADA),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await store.read(order_id)).status is Status.PLACED


async def test_pages_do_not_move_when_orders_are_added(store: Store) -> None:
    ids = sorted([(await put(store, key=f"k-{n}")).order_id for n in range(7)], reverse=True)

    first = await store.page(OF_ADA, None, 3)
    await put(store, key="later")
    second = await store.page(OF_ADA, first[-1].id, 100)

    seen = [order.id for order in first] + [order.id for order in second if order.id in ids]
    assert seen == ids
    assert await store.page(Sought(UUID(int=5)), None, 10) == []


async def test_a_list_shows_one_state_one_time_and_one_customer(store: Store) -> None:
    await store.know_customer(UUID(int=9), "active", 1)
    times = [NOON + timedelta(minutes=n) for n in range(6)]
    ids = [(await put(store, key=f"k-{n}", at=at)).order_id for n, at in enumerate(times)]
    other = (await put(store, who=UUID(int=9), at=times[2])).order_id
    await store.change(ids[0], lambda order: order.cancel("no", NOON))
    for n in (1, 2, 3):
        await pay(store, ids[n])
    for n in (2, 3):
        await store.change(ids[n], lambda order: order.ship("", "", NOON))
    await store.change(ids[3], lambda order: order.deliver(NOON))

    async def listed(sought: Sought, before: UUID | None = None, limit: int = 10) -> list[UUID]:
        return [order.id for order in await store.page(sought, before, limit)]

    assert await listed(Sought(status=Status.PLACED)) == [ids[5], ids[4], other]
    assert await listed(Sought(ADA, status=Status.PLACED)) == [ids[5], ids[4]]
    assert await listed(Sought(status=Status.CONFIRMED)) == [ids[1]]
    assert await listed(Sought(status=Status.SHIPPED)) == [ids[2]]
    assert await listed(Sought(status=Status.DELIVERED)) == [ids[3]]
    assert await listed(Sought(status=Status.RETURNED)) == []
    assert await listed(Sought(ADA, after=times[1], before=times[4])) == [ids[3], ids[2], ids[1]]
    assert await listed(Sought(ADA, after=times[1], before=times[4]), before=ids[3]) == [ids[2], ids[1]]
    assert await listed(Sought(after=times[2], before=times[3]), limit=1) == [max(ids[2], other)]
    assert await listed(Sought(after=times[5])) == [ids[5]]
    assert await listed(Sought(after=times[5] + timedelta(milliseconds=1))) == []


async def test_a_database_is_brought_up_to_date_once_whoever_tries(any_database: Database) -> None:
    with pytest.raises(Behind, match=r"python -m services\.orders migrate"):
        await open_store(any_database)

    await asyncio.gather(*(migrate(any_database) for _ in range(4)))

    await open_store(any_database)


async def test_orders_are_counted_by_state_and_no_more_than_asked_for(store: Store, any_database: Database) -> None:
    nothing = await states(any_database, 100)
    ids = await put_one_in_each_state(store)
    await put(store, at=NOON + timedelta(hours=1))

    counted = {each.status: (each.count, each.oldest) for each in await states(any_database, 1000)}
    few = await states(any_database, 2)

    times = {status: NOON + timedelta(seconds=number) for number, status in enumerate(ids)}
    assert nothing == []
    assert counted == {status: (2 if status is Status.PLACED else 1, times[status]) for status in Status}
    assert sum(each.count for each in few) <= 2


async def test_a_message_that_the_inbox_knew_is_counted(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    for _ in range(3):
        await store.change(order_id, lambda order: order.confirm(NOON), cause="/c 1")

    assert any_database.watch.measures.duplicates.read() == {(): 2}
