"""Orders, interrupted between any two statements, on every engine."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound
from libs.common.ids import uuid7_beside
from services.orders.domain import Order, Price, Wanted, place
from services.orders.store import Attempt, Note, Sought, Store, migrate, open_store
from tests.engines import Engine, facts
from tests.engines.crashes import Verb, survives

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, LAMP, DESK = UUID(int=1), UUID(int=2), UUID(int=3)
ORDER = uuid7_beside(ADA, NOON, lambda bits: 1)


async def nothing(store: Store) -> None:
    await store.know_customer(ADA, "active", 1)
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    await store.list_price(Price(DESK, "DESK", "Desk", 25000, "EUR", version=1))


async def put(store: Store) -> None:
    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        return place(ORDER, ADA, [Wanted(LAMP, 2), Wanted(DESK, 1)], prices, NOON), b"the answer"

    receipt = await store.place(Attempt(ADA, "key", b"a", [LAMP, DESK]), draft)
    assert (receipt.order_id, receipt.answer) == (ORDER, b"the answer")


async def an_order(store: Store) -> None:
    await nothing(store)
    await put(store)


async def reserve(store: Store) -> None:
    heard = Note("reserved", "heard", "stock-reserved", NOON)
    await store.change(ORDER, lambda order: order.reserve(NOON), cause="reserved", heard=heard)


async def a_reserved_order(store: Store) -> None:
    await an_order(store)
    await reserve(store)


async def pay(store: Store) -> None:
    heard = Note("paid", "payment", "authorised", NOON)
    act = lambda order: order.record_payment("authorised", order.total, "", NOON)  # noqa: E731
    await store.change(ORDER, act, cause="paid", heard=heard)


async def expire(store: Store) -> None:
    for order_id in await store.waiting(NOON + timedelta(hours=1), 10):
        await store.change(order_id, lambda order: order.expire(NOON))


async def see(store: Store, database: Database) -> Any:
    listed = [order.id for order in await store.page(Sought(ADA), None, 10)]
    everything = [order.id for order in await store.page(Sought(), None, 10)]
    try:
        order, history = await store.read(ORDER), await store.timeline(ORDER)
    except NotFound:
        return None, listed, everything, await facts(database)
    return order, history, listed, everything, await facts(database)


@pytest.mark.parametrize(
    ("prepare", "do"),
    [(nothing, put), (an_order, reserve), (a_reserved_order, pay), (a_reserved_order, expire)],
    ids=["place", "reserve", "pay", "expire"],
)
async def test_it_happens_once_or_not_at_all(engine: Engine, prepare: Any, do: Any) -> None:
    await survives(engine, Verb(migrate, open_store, prepare, do, see))
