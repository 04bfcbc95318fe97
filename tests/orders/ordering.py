"""What the tests of the orders store have in common."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from libs.common.ids import uuid7_beside
from libs.common.messages import Fact
from services.orders.domain import Order, Price, Wanted, place
from services.orders.store import Attempt, Receipt, Sought, Store
from services.orders.transitions import Status

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, LAMP, DESK = UUID(int=1), UUID(int=2), UUID(int=3)
OF_ADA, ANYBODYS = Sought(ADA), Sought()


async def stock_up(store: Store) -> None:
    await store.know_customer(ADA, "active", 1)
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    await store.list_price(Price(DESK, "DESK", "Desk", 25000, "EUR", version=1))


async def put(
    store: Store,
    *,
    key: str = "k-1",
    who: UUID = ADA,
    product: UUID = LAMP,
    body: bytes = b"a",
    at: datetime = NOON,
) -> Receipt:
    order_id = uuid7_beside(who, at, secrets.randbits)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        order = place(order_id, who, [Wanted(product, 2)], prices, at)
        return order, b'{"total":%d,"id":"%s"}' % (order.total, str(order_id).encode())

    return await store.place(Attempt(who, key, body, [product]), draft)


async def told(store: Store, order_id: UUID) -> list[tuple[int, str]]:
    return [(entry.version, entry.name) for entry in await store.timeline(order_id) if entry.kind == "told"]


async def pay(store: Store, order_id: UUID) -> None:
    """Reserved and authorised."""
    await store.change(order_id, lambda order: order.reserve(NOON), cause=f"reserved {order_id}")
    await store.change(order_id, authorise, cause=f"paid {order_id}")


async def put_one_in_each_state(store: Store) -> dict[Status, UUID]:
    """Placed by Ada a second after the other, in the order of the states."""
    ids = {
        status: (await put(store, key=f"in {status}", at=NOON + timedelta(seconds=number))).order_id
        for number, status in enumerate(Status)
    }
    await store.change(ids[Status.REJECTED], lambda order: order.reject("no", NOON))
    await store.change(ids[Status.CANCELLED], lambda order: order.cancel("no", NOON))
    for status in (Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED, Status.RETURNED):
        await pay(store, ids[status])
    for status in (Status.SHIPPED, Status.DELIVERED, Status.RETURNED):
        await store.change(ids[status], lambda order: order.ship("", "", NOON))
    await store.change(ids[Status.DELIVERED], lambda order: order.deliver(NOON))
    await store.change(ids[Status.RETURNED], lambda order: order.take_back("", NOON))
    return ids


def authorise(order: Order) -> Fact | None:
    return order.record_payment("authorised", order.total, "", NOON)
