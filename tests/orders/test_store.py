"""The contract of the orders store, on every engine."""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libs.common.database import Database
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import uuid7_beside
from libs.common.migrations import Behind
from services.orders.domain import BlockedCustomer, Order, Price, Status, UnknownCustomer, Wanted, place
from services.orders.store import Attempt, KeyReused, Receipt, Store, migrate, open_store
from tests.engines import Engine, facts
from tests.engines.wire import Wire

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, LAMP, DESK = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    opened = await open_store(any_database)
    await stock_up(opened)
    return opened


async def stock_up(store: Store) -> None:
    await store.know_customer(ADA, "active", 1)
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    await store.list_price(Price(DESK, "DESK", "Desk", 25000, "EUR", version=1))


async def put(store: Store, *, key: str = "k-1", who: UUID = ADA, product: UUID = LAMP, body: bytes = b"a") -> Receipt:
    order_id = uuid7_beside(who, NOON, secrets.randbits)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        order = place(order_id, who, [Wanted(product, 2)], prices, NOON)
        return order, b'{"total":%d,"id":"%s"}' % (order.total, str(order_id).encode())

    return await store.place(Attempt(who, key, body, [product]), draft)


async def test_a_placed_order_its_history_and_its_fact_are_stored_together(
    store: Store, any_database: Database
) -> None:
    receipt = await put(store)

    order = await store.read(receipt.order_id, ADA)
    assert (order.status, order.total, order.version, order.placed_at) == (Status.PLACED, 9800, 1, NOON)
    assert [(entry.version, entry.status) for entry in await store.history(order.id)] == [(1, Status.PLACED)]
    assert await facts(any_database) == ["order-placed"]


async def test_in_sql_an_order_of_what_was_ordered_before_is_one_round_trip(sql_engine: Engine) -> None:
    engine = sql_engine
    async with engine.fresh() as url, engine.connect(url) as direct, Wire.before(url) as (wire, through):
        await migrate(direct)
        async with engine.connect(through) as wired:
            store = await open_store(wired)
            await stock_up(store)
            await put(store, key="k-1")
            wire.listen()

            await put(store, key="k-2")

            assert wire.turns == 1


async def test_fifty_repeats_at_once_are_one_order_with_one_answer(store: Store, any_database: Database) -> None:
    receipts = await asyncio.gather(*(put(store) for _ in range(50)))

    assert len({receipt.order_id for receipt in receipts}) == 1
    assert len({receipt.answer for receipt in receipts}) == 1
    assert len(await store.page(ADA, None, 100)) == 1
    assert await facts(any_database) == ["order-placed"]


async def test_a_key_is_not_taken_for_another_body(store: Store) -> None:
    await put(store)

    with pytest.raises(KeyReused):
        await put(store, body=b"b")


async def test_a_key_belongs_to_its_customer(store: Store) -> None:
    await store.know_customer(UUID(int=9), "active", 1)

    first, second = await put(store), await put(store, who=UUID(int=9))

    assert first.order_id != second.order_id


async def test_a_refused_attempt_leaves_nothing_and_its_key_can_be_used_again(
    store: Store, any_database: Database
) -> None:
    stranger = UUID(int=7)

    with pytest.raises(UnknownCustomer):
        await put(store, who=stranger)
    with pytest.raises(Invalid):
        await put(store, product=UUID(int=99))
    assert await facts(any_database) == []

    await store.know_customer(stranger, "active", 1)
    assert (await put(store, who=stranger)).order_id
    assert (await put(store)).order_id


async def test_a_repeat_is_answered_although_the_product_is_gone_and_the_customer_blocked(store: Store) -> None:
    first = await put(store)
    await store.delist(LAMP, 2)
    await store.know_customer(ADA, "blocked", 2)

    assert await put(store) == first

    with pytest.raises(BlockedCustomer):
        await put(store, key="k-2", product=DESK)


async def test_a_new_price_holds_for_the_next_order_also_where_the_old_one_is_remembered(store: Store) -> None:
    await put(store, key="k-1")
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 5900, "EUR", version=2))

    receipt = await put(store, key="k-2")

    assert (await store.read(receipt.order_id)).total == 11800


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

    assert [entry.status for entry in await store.history(order_id)] == [Status.PLACED, Status.CONFIRMED]
    assert await facts(any_database) == ["order-placed", "order-confirmed"]


async def test_cancel_and_confirm_at_once_have_one_winner(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    tries = [store.change(order_id, lambda order: order.confirm(NOON), cause=f"c-{n}") for n in range(25)]
    tries += [store.change(order_id, lambda order: order.cancel("no", NOON), customer_id=ADA) for _ in range(25)]
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert all(isinstance(result, Order | Conflict) for result in results)
    assert len(await store.history(order_id)) == 2
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
        store.history(order_id, UUID(int=5)),
        store.change(order_id, lambda order: order.cancel("no", NOON), customer_id=UUID(int=5)),
        store.read(uuid4(), ADA),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await store.read(order_id)).status is Status.PLACED


async def test_pages_do_not_move_when_orders_are_added(store: Store) -> None:
    ids = sorted([(await put(store, key=f"k-{n}")).order_id for n in range(7)], reverse=True)

    first = await store.page(ADA, None, 3)
    await put(store, key="later")
    second = await store.page(ADA, first[-1].id, 100)

    seen = [order.id for order in first] + [order.id for order in second if order.id in ids]
    assert seen == ids
    assert await store.page(UUID(int=5), None, 10) == []


async def test_a_forgotten_customers_orders_are_nobodys(store: Store) -> None:
    order_id = (await put(store)).order_id

    await store.forget_customer(ADA, 2, NOON)

    assert (await store.read(order_id)).customer_id == UUID(int=0)
    assert await store.page(ADA, None, 10) == []
    with pytest.raises(UnknownCustomer):
        await put(store, key="k-2")


async def test_an_erasure_leaves_no_order_behind_that_is_being_placed(store: Store) -> None:
    for number in range(3):
        who = UUID(int=50 + number)
        await store.know_customer(who, "active", 1)
        orders = [put(store, key=f"k-{n}", who=who) for n in range(10)]

        results = await asyncio.gather(*orders, store.forget_customer(who, 2, NOON), return_exceptions=True)

        assert all(isinstance(result, Receipt | UnknownCustomer | None) for result in results)
        assert await store.page(who, None, 100) == []
        placed = [await store.read(result.order_id) for result in results if isinstance(result, Receipt)]
        assert {order.customer_id for order in placed} <= {UUID(int=0)}


async def test_an_erasure_that_comes_late_leaves_the_orders_of_a_new_registration(store: Store) -> None:
    order_id = (await put(store)).order_id

    await store.forget_customer(ADA, 2, NOON - timedelta(seconds=1))

    assert (await store.read(order_id, ADA)).customer_id == ADA


async def test_a_database_is_brought_up_to_date_once_whoever_tries(any_database: Database) -> None:
    with pytest.raises(Behind, match=r"python -m services\.orders migrate"):
        await open_store(any_database)

    await asyncio.gather(*(migrate(any_database) for _ in range(4)))

    await open_store(any_database)


async def test_orders_are_counted_by_state_and_no_more_than_asked_for(store: Store, any_database: Database) -> None:
    nothing = await store.states(100)
    receipts = [await put(store, key=f"k-{number}") for number in range(4)]
    await store.change(receipts[0].order_id, lambda order: order.cancel("no", NOON))

    counted = {each.status: each for each in await store.states(100)}
    few = await store.states(2)

    assert nothing == []
    assert {status: each.count for status, each in counted.items()} == {Status.PLACED: 3, Status.CANCELLED: 1}
    assert counted[Status.PLACED].oldest == NOON
    assert sum(each.count for each in few) <= 2


async def test_a_message_that_the_inbox_knew_is_counted(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    for _ in range(3):
        await store.change(order_id, lambda order: order.confirm(NOON), cause="/c 1")

    assert any_database.watch.measures.duplicates.read() == {(): 2}
