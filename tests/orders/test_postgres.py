"""What is true of orders in PostgreSQL only."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.common.ids import uuid7_beside
from libs.common.postgres import Postgres
from services.orders.domain import Order, Price, Wanted, place
from services.orders.store import Attempt, Store, migrate, open_store

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, LAMP = UUID(int=1), UUID(int=2)


async def put(store: Store, key: str) -> None:
    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        return place(uuid7_beside(ADA, NOON, secrets.randbits), ADA, [Wanted(LAMP, 2)], prices, NOON), b"{}"

    await store.place(Attempt(ADA, key, b"a", [LAMP]), draft)


async def test_placing_an_order_is_one_round_trip(database: Postgres) -> None:
    await migrate(database)
    store = await open_store(database)
    await store.know_customer(ADA, "active", 1)
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    await put(store, "k-1")  # from here on the price is known
    statements: list[str] = []
    async with database.pool.acquire() as connection:
        connection.add_query_logger(lambda query: statements.append(query.query))

    await put(store, "k-2")

    assert len(statements) == 1
    assert len(await store.page(ADA, None, 100)) == 2
