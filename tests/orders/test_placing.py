"""How orders are placed in the store, on every engine: once for each key."""

import asyncio
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import Invalid, KeyReused
from libs.common.postgres import Postgres
from services.orders.domain import BlockedCustomer, Price, UnknownCustomer
from services.orders.store import Store, migrate, open_store
from services.orders.transitions import Status
from tests.engines import Engine, facts
from tests.engines.wire import Wire
from tests.orders.ordering import ADA, DESK, LAMP, NOON, OF_ADA, put, stock_up, told
from tests.waiting import until

pytestmark = pytest.mark.real

HELD_UP = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def test_a_placed_order_its_history_and_its_fact_are_stored_together(
    store: Store, any_database: Database
) -> None:
    receipt = await put(store)

    order = await store.read(receipt.order_id, ADA)
    assert (order.status, order.total, order.version, order.placed_at) == (Status.PLACED, 9800, 1, NOON)
    assert await told(store, order.id) == [(1, "order-placed")]
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
    assert len(await store.page(OF_ADA, None, 100)) == 1
    assert await facts(any_database) == ["order-placed"]


async def test_a_repeat_waits_for_the_first_attempt_and_gets_its_answer(database: Postgres) -> None:
    await migrate(database)
    stores = [await open_store(database) for _ in range(3)]  # as of three processes
    await stock_up(stores[0])

    async with asyncio.TaskGroup() as group, database.transaction() as tx:
        await tx.execute("SELECT FROM directory FOR UPDATE")
        attempts = [group.create_task(put(store)) for store in stores]
        await until(lambda: database.fetch(HELD_UP), lambda found: len(found) == len(attempts))

    receipts = [attempt.result() for attempt in attempts]
    assert receipts == [receipts[0]] * 3
    assert len(await stores[0].page(OF_ADA, None, 9)) == 1


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


async def test_a_lines_rate_is_frozen_with_its_price(store: Store) -> None:
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=2, tax_rate=1900))
    order_id = (await put(store)).order_id
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=3, tax_rate=700))

    (line,) = (await store.read(order_id)).lines

    assert (line.tax_rate, line.tax) == (1900, 1565)
    assert (await store.read((await put(store, key="k-2")).order_id)).tax == 641
