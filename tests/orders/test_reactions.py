"""What orders do when they hear something; delivered twice, early or late."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libs.common.errors import NotFound
from libs.common.inbox import react
from libs.common.messages import CloudEvent, Fact, encode_command, encode_fact
from libs.common.messages.catalog import ProductCreated, ProductDeleted, ProductUpdated, StockRefused, StockReserved
from libs.common.messages.customers import CustomerErased, CustomerRegistered, CustomerUpdated
from libs.common.messages.orders import RejectOrder
from libs.common.postgres import Postgres
from services.orders.domain import Order, Price, Status, UnknownCustomer, Wanted, place
from services.orders.reactions import REACTIONS
from services.orders.store import Attempt, Store, migrate, open_store

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, LAMP = UUID(int=1), UUID(int=2)
CREATED = ProductCreated(product_id=LAMP, sku="L", name="Lamp", price=4900, currency="EUR", version=1, at=NOON)
REGISTERED = CustomerRegistered(customer_id=ADA, status="active", version=1, at=NOON)


@pytest.fixture
async def store(database: Postgres) -> Store:
    await migrate(database)
    return await open_store(database)


async def hear(store: Store, *facts: Fact, times: int = 2) -> None:
    """Everything is delivered twice."""
    for fact in facts:
        for _ in range(times):
            await react(encode_fact(fact, ""), REACTIONS, store)


async def placed(store: Store) -> UUID:
    await hear(store, CREATED, REGISTERED)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        return place(uuid4(), ADA, [Wanted(LAMP, 1)], prices, NOON), b"{}"

    return (await store.place(Attempt(ADA, uuid4().hex, b"", [LAMP]), draft)).order_id


async def told(database: Postgres) -> list[str]:
    rows = await database.fetch("SELECT event FROM outbox ORDER BY seq")
    return [CloudEvent.decode(row["event"]).type.split(".")[2] for row in rows]


async def test_reserved_stock_confirms_the_order_once(store: Store, database: Postgres) -> None:
    order_id = await placed(store)

    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))

    assert (await store.read(order_id)).status is Status.CONFIRMED
    assert await told(database) == ["order-placed", "order-confirmed"]


async def test_refused_stock_rejects_the_order_with_the_reason(store: Store, database: Postgres) -> None:
    order_id = await placed(store)

    await hear(store, StockRefused(order_id=order_id, reason="Lamp is sold out", version=1, at=NOON))

    order = await store.read(order_id)
    assert (order.status, order.reason) == (Status.REJECTED, "Lamp is sold out")
    assert await told(database) == ["order-placed", "order-rejected"]


async def test_a_command_rejects_the_order_once(store: Store) -> None:
    order_id = await placed(store)
    command = RejectOrder(order_id=order_id, reason="blocked")
    body = encode_command(command, "/functions/process_order", cause="e-1", at=NOON, traceparent="")

    await react(body, REACTIONS, store)
    await react(body, REACTIONS, store)

    assert [entry.status for entry in await store.history(order_id)] == [Status.PLACED, Status.REJECTED]


async def test_stock_that_comes_after_a_cancellation_changes_nothing(store: Store, database: Postgres) -> None:
    order_id = await placed(store)
    await store.change(order_id, lambda order: order.cancel("no", NOON))

    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))

    assert (await store.read(order_id)).status is Status.CANCELLED
    assert await told(database) == ["order-placed", "order-cancelled"]


async def test_stock_for_an_order_that_is_not_there_is_not_swallowed(store: Store) -> None:
    with pytest.raises(NotFound):
        await hear(store, StockReserved(order_id=uuid4(), version=1, at=NOON))


async def test_prices_follow_versions_not_arrival(store: Store) -> None:
    newer = ProductUpdated(
        product_id=LAMP, sku="L", name="Lamp", price=5900, currency="EUR", opening_stock=0, version=3, at=NOON
    )
    older = ProductUpdated(
        product_id=LAMP, sku="L", name="Lamp", price=1, currency="EUR", opening_stock=0, version=2, at=NOON
    )

    await hear(store, newer, older)
    order_id = await placed(store)

    assert (await store.read(order_id)).total == 5900


async def test_a_deleted_product_stays_deleted_when_its_creation_comes_late(store: Store) -> None:
    await hear(store, REGISTERED, ProductDeleted(product_id=LAMP, version=2, at=NOON), CREATED)

    with pytest.raises(Exception, match="there is no product"):
        await placed(store)


async def test_an_erased_customer_stays_erased_when_an_update_comes_late(store: Store) -> None:
    erased = CustomerErased(customer_id=ADA, version=3, at=NOON + timedelta(seconds=1))
    late = CustomerUpdated(customer_id=ADA, status="active", version=2, at=NOON)

    await hear(store, erased, late, times=1)

    with pytest.raises(UnknownCustomer):
        await placed(store)
