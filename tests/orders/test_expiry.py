"""What is not settled in time is cancelled, once, on every engine; whoever else decides meanwhile."""

import asyncio
import random
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from libs.common.clock import now
from libs.common.database import Database
from libs.common.ids import uuid7_beside
from services.orders.domain import EXPIRED, Order, Price, Wanted, place
from services.orders.expiry import expire, expire_some
from services.orders.store import Attempt, Store, migrate, open_store
from services.orders.transitions import Payment, Status
from tests.engines import facts
from tests.waiting import until

pytestmark = pytest.mark.real

ADA, LAMP = UUID(int=1), UUID(int=2)
LIMIT = 900.0


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    opened = await open_store(any_database)
    await opened.know_customer(ADA, "active", 1)
    await opened.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    return opened


async def put(store: Store, at: datetime) -> UUID:
    order_id = uuid7_beside(ADA, at, secrets.randbits)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        return place(order_id, ADA, [Wanted(LAMP, 1)], prices, at), b"{}"

    return (await store.place(Attempt(ADA, order_id.hex, b"", [LAMP]), draft)).order_id


def long_ago() -> datetime:
    return now() - timedelta(seconds=LIMIT + 1)


async def test_what_was_not_settled_in_time_is_cancelled_and_told_with_its_reason(
    store: Store, any_database: Database
) -> None:
    stalled, unpaid, fresh = await put(store, long_ago()), await put(store, long_ago()), await put(store, now())
    await store.change(unpaid, lambda order: order.reserve(now()))

    for _ in range(3):
        await expire_some(store, LIMIT)

    orders = [await store.read(each) for each in (stalled, unpaid, fresh)]
    assert [order.status for order in orders] == [Status.CANCELLED, Status.CANCELLED, Status.PLACED]
    assert [order.reason for order in orders] == [EXPIRED, EXPIRED, ""]
    assert (await facts(any_database)).count("order-cancelled") == 2
    assert await store.waiting(now(), 10) == [fresh]


async def test_many_processes_that_look_at_once_cancel_each_once(store: Store, any_database: Database) -> None:
    for _ in range(10):
        await put(store, long_ago())
    others = [store, *[await open_store(any_database) for _ in range(4)]]

    await asyncio.gather(*(expire_some(each, LIMIT) for each in others))

    assert (await facts(any_database)).count("order-cancelled") == 10


async def test_what_is_paid_for_while_it_expires_is_either_confirmed_or_cancelled(
    store: Store, any_database: Database
) -> None:
    ids = [await put(store, long_ago()) for _ in range(10)]
    for order_id in ids:
        await store.change(order_id, lambda order: order.reserve(now()))

    def pay(order_id: UUID) -> asyncio.Future[Order]:
        authorise = lambda order: order.record_payment("authorised", order.total, "", now())  # noqa: E731
        return asyncio.ensure_future(store.change(order_id, authorise, cause=f"paid {order_id}"))

    await asyncio.gather(*map(pay, reversed(ids)), *(expire_some(store, LIMIT) for _ in range(3)))

    ends = [(order.status, order.payment) for order in [await store.read(each) for each in ids]]
    won, lost = (Status.CONFIRMED, Payment.AUTHORISED), (Status.CANCELLED, Payment.REQUESTED)
    assert set(ends) <= {won, lost}
    told = await facts(any_database)
    assert (told.count("order-confirmed"), told.count("order-cancelled")) == (ends.count(won), ends.count(lost))


async def test_the_loop_looks_again_and_again_until_it_is_to_stop(store: Store) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as loops:
        loops.create_task(expire(store, 1.0, stop=stop, chance=random.Random(1)))
        for _ in range(2):
            order_id = await put(store, now())
            await until(lambda: store.read(order_id), lambda order: order.status is Status.CANCELLED)  # noqa: B023
        stop.set()
