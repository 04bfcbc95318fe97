"""One service is rolled out while the others run: the version before and the next one side by side, under load."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.stories.rollout import Change, rolling
from tests.stories.shop import Buyer, Shop
from tests.stories.store import ROOT, RunningStore
from tests.waiting import so

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(240)]

CALLERS = 3
SOME = 15  # requests in each phase

NEXT = {
    "orders": Change("orders", "orders", "store.orders.order-placed.v1"),
    "catalog": Change("catalog", "products", "store.catalog.product-created.v1"),
    "customers": Change("customers", "customers", "store.customers.customer-registered.v1"),
}


@pytest.mark.parametrize("service", NEXT)
async def test_a_service_is_rolled_out_and_back_and_no_request_fails(
    service: str, shop: Shop, running: RunningStore, tmp_path: Path
) -> None:
    product, buyer = await shop.product(stock=10_000), await shop.customer()
    orders = [await buyer.order(product)]
    next_version = await asyncio.to_thread(NEXT[service].made_in, tmp_path / "next")

    async with rolling(running, service, tmp_path) as rollout:

        async def act() -> None:
            orders.append(await ACTS[service](replace(shop, gateway=rollout.balancer.next()), shop, buyer, product))

        async with under_load(act) as done:
            async with rollout.instance(ROOT, "before"):
                await done(SOME)  # two of the version before
                async with rollout.instance(next_version, "next"):
                    await done(SOME)  # both versions, on a database that the next one has brought up to date
            await done(SOME)  # the launcher's own, which is of the version before, again alone: rolled back

    settled = [await buyer.settled(order_id) for order_id in orders]
    assert {order["status"] for order in settled} == {"confirmed"}
    assert len(set(orders)) == len(orders) > 3 * SOME


@asynccontextmanager
async def under_load(act: Callable[[], Awaitable[None]]) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Callers that ask one thing after the other, without a pause. What they raise ends the story."""
    count = 0

    async def call() -> None:
        nonlocal count
        while True:
            await act()
            count += 1

    async def done(more: int) -> None:
        wanted = count + more
        await so(lambda: count >= wanted)

    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(call()) for _ in range(CALLERS)]
        yield done
        for caller in callers:
            caller.cancel()


async def order_there(direct: Shop, shop: Shop, buyer: Buyer, product: str) -> str:
    """At the instance, with no second try."""
    body = {"lines": [{"product_id": product, "quantity": 1}]}
    placed = await Buyer(direct, buyer.id).post_order(body)
    assert placed.status == 202, placed
    read = await Buyer(direct, buyer.id).call("GET", f"/api/orders/{placed.body['id']}")
    assert read.status == 200, read
    return str(placed.body["id"])


async def look_and_order(direct: Shop, shop: Shop, buyer: Buyer, product: str) -> str:
    """Its queue is emptied by both versions of the catalogue."""
    found = await direct.call("GET", f"/api/products/{product}")
    assert found.status == 200, found
    return await order_there(shop, shop, buyer, product)


async def register_and_order(direct: Shop, shop: Shop, buyer: Buyer, product: str) -> str:
    newcomer = Buyer(direct, UUID(int=uuid4().int))
    made = await newcomer.call(
        "POST", "/api/customers", json={"name": "Bob", "email": f"{newcomer.id.hex}@example.org"}
    )
    assert made.status == 201, made
    return await order_there(shop, shop, buyer, product)


ACTS = {"orders": order_there, "catalog": look_and_order, "customers": register_and_order}
